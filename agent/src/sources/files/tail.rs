//! One file: what it holds, and how far it has been read.

use analyzer::record::{Source, Stream};
use analyzer::snapshot::Snapshot;
use serde::{Deserialize, Serialize};
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use xxhash_rust::xxh3::Xxh3;

use super::follow::{self, Follow, Mark, Step};
use crate::formats::{self, Collected};
use crate::sources::lines::{HALF_LINE, Placed};
use crate::sources::{Arrival, answered, id};

/// A file that nobody writes to for so long has said all that it had to say.
pub const QUIET: Duration = Duration::from_secs(2);
/// Two files that share fewer bytes may do so by chance.
const TELLING: u64 = 32;
/// Larger files are no answer of the AWS CLI.
const LARGEST_DOCUMENT: u64 = 64 << 20;
/// Room between the numbers of records of two files that had the same name, one after the other.
const BETWEEN: u64 = 1 << 20;

/// What tells a file from all others while it exists, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    pub device: u64,
    pub inode: u64,
}

impl Key {
    pub fn of(metadata: &Metadata) -> Key {
        Key { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// What is stored of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    pub path: PathBuf,
    pub key: Key,
    /// The file that was read: another one, where this is a copy of it.
    pub origin: Key,
    /// Its content's beginning and its birth, hashed: an inode is used again for other files.
    pub fingerprint: u64,
    /// How often the file was cut and begun anew.
    pub generation: u32,
    /// The number of its first record in its stream, less one.
    pub base: u64,
    pub held: Held,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Held {
    /// Nothing was read yet.
    Nothing,
    Lines(Mark),
    Whole(Whole),
}

/// A file that is read as a whole: an answer of the AWS CLI, or a compressed file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whole {
    pub size: u64,
    pub modified: i64,
    pub records: u64,
}

pub struct Tail {
    pub path: PathBuf,
    pub key: Key,
    /// Whether the file was found under a name that is asked for.
    pub present: bool,
    /// When it was last written to, as far as was seen.
    pub changed: Instant,
    origin: Key,
    file: File,
    fingerprint: u64,
    generation: u32,
    base: u64,
    state: State,
}

enum State {
    New,
    Lines(Box<Follow>),
    Whole(Whole),
}

/// Takes what is read.
#[derive(Default)]
pub struct Batch {
    pub arrivals: Vec<Arrival>,
    pub snapshot: Snapshot,
    placed: Vec<Placed>,
    /// What was read of files that were cut then: a copy may hold it, and more.
    pub cut: Vec<Saved>,
}

impl Tail {
    /// Opens a file that was not seen before; `base` numbers its records behind those of its predecessor.
    pub fn open(path: &Path, base: u64) -> io::Result<Tail> {
        let file = File::open(path)?;
        let key = Key::of(&file.metadata()?);
        Ok(Tail {
            path: path.to_owned(),
            key,
            origin: key,
            present: true,
            changed: Instant::now(),
            file,
            fingerprint: 0,
            generation: 0,
            base,
            state: State::New,
        })
    }

    /// Opens a file that was read before, or a copy of it.
    pub fn reopen(path: &Path, saved: &Saved, batch: &mut Batch) -> io::Result<Tail> {
        let mut tail = Tail::open(path, saved.base)?;
        tail.origin = saved.origin;
        tail.fingerprint = saved.fingerprint;
        tail.generation = saved.generation;
        match &saved.held {
            Held::Nothing => {}
            Held::Whole(whole) => tail.state = State::Whole(whole.clone()),
            Held::Lines(mark) => {
                let mut done = Vec::new();
                let follow = Follow::resume(mark, &tail.file, &mut done)?;
                batch.placed = done;
                tail.hand_over(batch);
                match follow {
                    Some(follow) => tail.state = State::Lines(Box::new(follow)),
                    None => {
                        batch.cut.push(saved.clone());
                        tail.begin_anew(mark.count.records);
                    }
                }
            }
        }
        Ok(tail)
    }

    /// Opens a compressed copy of a file of which all was read: there is nothing to read in it.
    pub fn open_read(path: &Path, base: u64) -> io::Result<Tail> {
        let mut tail = Tail::open(path, base)?;
        let metadata = tail.file.metadata()?;
        tail.state = State::Whole(Whole { size: metadata.len(), modified: modified(&metadata), records: 0 });
        Ok(tail)
    }

    pub fn is_compressed(path: &Path) -> io::Result<bool> {
        let mut head = Vec::new();
        File::open(path)?.take(4).read_to_end(&mut head)?;
        Ok(is_compressed(&head))
    }

    /// Reads the next part; false where there is nothing to read now. `hurry`: do not wait for more to be written.
    pub fn read(
        &mut self,
        holds: Option<Source>,
        hurry: bool,
        chunk: &mut [u8],
        batch: &mut Batch,
    ) -> io::Result<bool> {
        match &mut self.state {
            State::New => self.begin(holds, hurry, chunk, batch),
            State::Whole(whole) => {
                let metadata = self.file.metadata()?;
                if metadata.len() == whole.size && modified(&metadata) == whole.modified {
                    return Ok(false);
                }
                let (records, was_cut) = (whole.records, metadata.len() < whole.size);
                self.changed = Instant::now();
                if was_cut {
                    self.begin_anew(records);
                } else {
                    self.state = State::New;
                }
                self.begin(holds, hurry, chunk, batch)
            }
            State::Lines(follow) => {
                let step = follow.step(&self.file, chunk, &mut batch.placed)?;
                match step {
                    Step::Idle => {}
                    Step::Read | Step::Full => self.changed = Instant::now(),
                    Step::Replaced => {
                        follow.settle(true, &mut batch.placed);
                        let records = follow.records();
                        self.hand_over(batch);
                        batch.cut.push(self.save());
                        self.begin_anew(records);
                        return Ok(true);
                    }
                }
                self.hand_over(batch);
                Ok(step == Step::Full)
            }
        }
    }

    /// Takes records as complete once it is quiet, and a line without its end much later; at the end, all.
    pub fn settle(&mut self, at_end: bool, batch: &mut Batch) {
        let quiet = self.changed.elapsed();
        if let State::Lines(follow) = &mut self.state
            && !follow.is_settled()
            && (at_end || quiet >= QUIET)
        {
            follow.settle(at_end || quiet >= HALF_LINE, &mut batch.placed);
            self.hand_over(batch);
        }
    }

    /// Whether the file has no name any more, under which somebody could find it.
    pub fn is_removed(&self) -> bool {
        self.file.metadata().map_or(true, |metadata| metadata.nlink() == 0)
    }

    pub fn save(&self) -> Saved {
        Saved {
            path: self.path.clone(),
            key: self.key,
            origin: self.origin,
            fingerprint: self.fingerprint,
            generation: self.generation,
            base: self.base,
            held: match &self.state {
                State::New => Held::Nothing,
                State::Lines(follow) => Held::Lines(follow.mark()),
                State::Whole(whole) => Held::Whole(whole.clone()),
            },
        }
    }

    /// Finds out what a file holds, once there is something in it.
    fn begin(
        &mut self,
        holds: Option<Source>,
        hurry: bool,
        chunk: &mut [u8],
        batch: &mut Batch,
    ) -> io::Result<bool> {
        let got = self.file.read_at(chunk, 0)?;
        let head = &chunk[..got];
        if head.is_empty() {
            return Ok(false);
        }
        let metadata = self.file.metadata()?;
        let fingerprint = fingerprint(head, &metadata);
        if self.fingerprint != 0 && self.fingerprint != fingerprint {
            // Another file has the inode now.
            self.generation += 1;
        }
        self.fingerprint = fingerprint;
        let name = self.path.to_string_lossy().into_owned();
        let whole = Whole { size: metadata.len(), modified: modified(&metadata), records: 0 };
        let is_written = !hurry && age(&metadata) < QUIET;
        if is_compressed(head) {
            if !is_written {
                let records = self.read_compressed(&name, holds, batch)?;
                self.state = State::Whole(Whole { records, ..whole });
            }
            return Ok(false);
        }
        if formats::looks_like_document(head)
            && metadata.len() <= LARGEST_DOCUMENT
            && formats::may_be_answer(head)
        {
            let text = read_whole(&self.file)?;
            let mut found = Collected::default();
            if formats::documents(&name, holds, &text, &mut found) {
                let records = found.records.len() as u64;
                batch.arrivals.extend(answered("files", found.records));
                batch.snapshot.merge(found.snapshot);
                self.state = State::Whole(Whole { records, ..whole });
                return Ok(false);
            }
            if is_written && is_unfinished(&text) {
                return Ok(false);
            }
        }
        let source = holds.unwrap_or_else(|| formats::source_of(&name, head));
        self.state = State::Lines(Box::new(Follow::new(Arc::new(Stream { name, source }))));
        Ok(true)
    }

    fn read_compressed(&self, name: &str, holds: Option<Source>, batch: &mut Batch) -> io::Result<u64> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        let mut found = Collected::default();
        formats::read(name, holds, crate::input::decompressed(file)?, &mut found)?;
        let records = found.records.len() as u64;
        let identity = self.identity();
        for record in found.records {
            let id = id(&["files", &identity, &record.seq.to_string()]);
            batch.arrivals.push(Arrival { id, further: Vec::new(), record });
        }
        batch.snapshot.merge(found.snapshot);
        Ok(records)
    }

    fn begin_anew(&mut self, records: u64) {
        self.base += records + BETWEEN;
        self.generation += 1;
        self.fingerprint = 0;
        self.origin = self.key;
        self.state = State::New;
    }

    fn hand_over(&self, batch: &mut Batch) {
        let identity = self.identity();
        for placed in batch.placed.drain(..) {
            let id = id(&["files", &identity, &placed.offset.to_string()]);
            let mut record = placed.record;
            record.seq += self.base;
            batch.arrivals.push(Arrival { id, further: Vec::new(), record });
        }
    }

    fn identity(&self) -> String {
        format!("{}:{}:{:x}:{}", self.origin.device, self.origin.inode, self.fingerprint, self.generation)
    }
}

impl Saved {
    /// Returns the name of the stream of its records: the name under which the file was found first.
    pub fn stream(&self) -> &Path {
        match &self.held {
            Held::Lines(mark) => Path::new(&mark.stream),
            Held::Nothing | Held::Whole(_) => &self.path,
        }
    }

    /// Whether a file with this name may hold what this one held: `app.log.1`, `app.log-20261128.gz`.
    pub fn may_be_copied_to(&self, path: &Path) -> bool {
        let Held::Lines(mark) = &self.held else { return false };
        let longer = path.to_string_lossy();
        let follows =
            |name: &str| longer.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', '-', '_']));
        mark.before.length >= TELLING && (follows(&mark.stream) || follows(&self.path.to_string_lossy()))
    }

    /// Whether a file holds all that was read of this one.
    pub fn is_copied_to(&self, path: &Path) -> io::Result<Copied> {
        let Held::Lines(mark) = &self.held else { return Ok(Copied::No) };
        if mark.before.length == 0 {
            return Ok(Copied::No);
        }
        let file = File::open(path)?;
        if !Tail::is_compressed(path)? {
            return Ok(match follow::stands_in(mark, &file)? {
                false => Copied::No,
                true if file.metadata()?.len() > mark.offset => Copied::WithMore,
                true => Copied::Whole,
            });
        }
        let mut input = crate::input::decompressed(file)?;
        let before = mark.offset - mark.before.length;
        if io::copy(&mut input.by_ref().take(before), &mut io::sink())? < before {
            return Ok(Copied::No);
        }
        let mut last = Vec::new();
        input.by_ref().take(mark.before.length).read_to_end(&mut last)?;
        if !mark.before.are(&last) {
            return Ok(Copied::No);
        }
        let has_more = io::copy(&mut input.take(1), &mut io::sink())? > 0;
        Ok(if has_more { Copied::WithMore } else { Copied::Whole })
    }
}

/// How much of what was read another file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    No,
    /// All of it, and nothing else.
    Whole,
    WithMore,
}

/// Returns the number from which a successor of this file counts its records.
pub fn after(saved: &Saved) -> u64 {
    let records = match &saved.held {
        Held::Nothing => 0,
        Held::Lines(mark) => mark.count.records,
        Held::Whole(whole) => whole.records,
    };
    saved.base + records + BETWEEN
}

fn is_compressed(head: &[u8]) -> bool {
    head.starts_with(&[0x1f, 0x8b]) || head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
}

/// Whether a text is JSON that is still being written.
fn is_unfinished(text: &[u8]) -> bool {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<serde::de::IgnoredAny>();
    values.find_map(Result::err).is_some_and(|error| error.is_eof())
}

fn fingerprint(head: &[u8], metadata: &Metadata) -> u64 {
    let mut hash = Xxh3::new();
    let born = metadata.created().map_or(0, nanoseconds);
    hash.update(&born.to_le_bytes());
    hash.update(&head[..head.len().min(256)]);
    hash.digest().max(1)
}

fn modified(metadata: &Metadata) -> i64 {
    metadata.modified().map_or(0, nanoseconds)
}

fn nanoseconds(time: SystemTime) -> i64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64)
}

/// Returns how long ago a file was written to.
pub fn age(metadata: &Metadata) -> Duration {
    metadata.modified().ok().and_then(|time| time.elapsed().ok()).unwrap_or_default()
}

fn read_whole(mut file: &File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.rewind()?;
    file.take(LARGEST_DOCUMENT).read_to_end(&mut text)?;
    Ok(text)
}
