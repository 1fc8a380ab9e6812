//! The outbox: messages that wait to be sent, a file each.
//!
//! A message is written before it is sent, taken by a rename before the request, and removed after a success. So what
//! could not be sent is there the next time, and nothing is sent twice: a message that was taken when Medic died may
//! have arrived, and is set aside as `.unknown`.

use anyhow::{Context, Result};
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;
use tracing::warn;

use crate::index;

/// More messages than this are not kept; the oldest go first.
const MOST: usize = 100;

pub struct Outbox {
    folder: PathBuf,
}

/// A message that waits.
pub struct Waiting(PathBuf);

/// A message that was taken to be sent.
pub struct Message {
    waiting: PathBuf,
    taken: PathBuf,
    pub body: String,
}

impl Outbox {
    pub fn new(folder: PathBuf) -> Outbox {
        Outbox { folder }
    }

    /// Puts a message behind those that wait; returns its name.
    pub fn put(&self, body: &str) -> Result<String> {
        let failed = || format!("cannot write into the outbox {}", self.folder.display());
        index::create_folder(&self.folder).with_context(failed)?;
        self.set_aside_lost();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let name = format!("{now:024}-{:08x}", std::process::id());
        let draft = self.folder.join(format!("{name}.draft"));
        let file = index::own_file().create(true).truncate(true).open(&draft);
        file.and_then(|mut file| file.write_all(body.as_bytes())).with_context(failed)?;
        fs::rename(&draft, self.folder.join(format!("{name}.json"))).with_context(failed)?;
        let waiting = self.waiting();
        for old in &waiting[..waiting.len().saturating_sub(MOST)] {
            warn!(message = %old.display(), "the outbox is full; its oldest message goes");
            let _ = fs::remove_file(old);
        }
        Ok(name)
    }

    /// Returns the messages that wait, the oldest first.
    pub fn waiting(&self) -> Vec<PathBuf> {
        self.ending("json")
    }

    /// Takes the oldest message that waits; another process that takes it at the same time gets the next one.
    pub fn take(&self) -> Option<Message> {
        self.waiting().into_iter().find_map(|path| Waiting(path).take())
    }

    /// Sets aside what processes had taken that are gone: whether it arrived, nobody knows.
    fn set_aside_lost(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            let extension = path.extension().map(|extension| extension.to_string_lossy().into_owned());
            let Some(taker) = extension.as_deref().and_then(|name| name.strip_prefix("sending-")) else {
                continue;
            };
            let process = taker.split('-').next().unwrap_or_default();
            // In containers every process has the same number: then the one that took it is gone.
            let is_alive =
                process != std::process::id().to_string() && Path::new("/proc").join(process).exists();
            if taker != claim() && !is_alive {
                let _ = fs::rename(&path, path.with_extension("unknown"));
            }
        }
    }

    fn ending(&self, extension: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        found.retain(|path| path.extension().is_some_and(|found| found == extension));
        found.sort();
        found
    }
}

/// Returns what this process writes on messages that it took: its number, and a word that no other process has.
fn claim() -> &'static str {
    static CLAIM: OnceLock<String> = OnceLock::new();
    CLAIM
        .get_or_init(|| format!("{}-{:016x}", std::process::id(), RandomState::new().build_hasher().finish()))
}

impl Waiting {
    /// Takes the message; `None` where another process has taken it.
    pub fn take(self) -> Option<Message> {
        let Waiting(waiting) = self;
        let taken = waiting.with_extension(format!("sending-{}", claim()));
        fs::rename(&waiting, &taken).ok()?;
        match fs::read_to_string(&taken) {
            Ok(body) => Some(Message { waiting, taken, body }),
            Err(error) => {
                warn!(%error, message = %taken.display(), "a message cannot be read");
                None
            }
        }
    }
}

impl Message {
    /// The message arrived.
    pub fn sent(self) {
        if let Err(error) = fs::remove_file(&self.taken) {
            // It stays under its taken name, under which it is not sent again.
            warn!(%error, message = %self.taken.display(), "a sent message cannot be removed");
        }
    }

    /// The message did not arrive; it waits for the next attempt, of this process or another.
    pub fn keep(self) -> Option<Waiting> {
        match fs::rename(&self.taken, &self.waiting) {
            Ok(()) => Some(Waiting(self.waiting)),
            Err(error) => {
                warn!(%error, message = %self.taken.display(), "a message cannot be put back");
                None
            }
        }
    }

    /// The message may have arrived, or will never be taken: it is kept to be read, and not sent again.
    pub fn set_aside(self, why: &str) {
        let aside = self.waiting.with_extension(why);
        if let Err(error) = fs::rename(&self.taken, &aside) {
            warn!(%error, message = %self.taken.display(), "a message cannot be set aside");
        }
    }
}
