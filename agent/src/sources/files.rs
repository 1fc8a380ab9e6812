//! Log files: paths and globs are followed through rotation, from where they were left.
//!
//! A file is known by its device and inode, so a renamed file goes on under its new name, and a file that has
//! its old name is a new one. Of a file that is cut and begun anew, what was read before stays as it was.

mod follow;
mod tail;

use analyzer::diagnosis::Gap;
use analyzer::record::Source;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use self::tail::{Batch, Key, Saved, Tail};
use super::hand::{self, Hand};
use super::{Closed, Delivery, Outlet};
use crate::formats;

/// How often files are looked at. That asks for their sizes, no more.
const LOOK: Duration = Duration::from_millis(250);
/// How often new files are looked for.
const DISCOVER: Duration = Duration::from_secs(1);
/// A file that lost its name is kept open so long after it was last written to.
const LINGER: Duration = Duration::from_secs(600);
const LINGER_REMOVED: Duration = Duration::from_secs(10);
/// What is read of a file at a time.
const CHUNK: usize = 256 << 10;
/// So many chunks of one file are read before the next file has its turn.
const TURN: usize = 32;
/// So many files that are gone are remembered, should they come back.
const REMEMBERED: usize = 256;

/// Follows the files until Medic stops; with `once`, reads them to their ends and returns.
pub async fn run(
    paths: Vec<String>,
    holds: Option<Source>,
    cursor: Option<Value>,
    once: bool,
    outlet: Outlet,
) -> Result<(), Closed> {
    let saved = cursor.and_then(|cursor| serde_json::from_value::<Cursor>(cursor).ok()).unwrap_or_default();
    hand::work(outlet, move |hand| Reader::new(paths, holds, saved, hand).run(once)).await
}

/// What is stored of all files of a source.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Cursor {
    files: Vec<Saved>,
}

struct Reader {
    paths: Vec<String>,
    holds: Option<Source>,
    hand: Hand,
    tails: Vec<Tail>,
    /// Files that are not open: they were read before, and may be found again.
    saved: BTreeMap<Key, Saved>,
    batch: Batch,
    chunk: Vec<u8>,
    gaps: BTreeMap<String, Gap>,
    said_gaps: Option<Vec<String>>,
}

impl Reader {
    fn new(paths: Vec<String>, holds: Option<Source>, cursor: Cursor, hand: Hand) -> Reader {
        Reader {
            paths,
            holds,
            hand,
            tails: Vec::new(),
            saved: cursor.files.into_iter().map(|saved| (saved.key, saved)).collect(),
            batch: Batch::default(),
            chunk: vec![0; CHUNK],
            gaps: BTreeMap::new(),
            said_gaps: None,
        }
    }

    fn run(mut self, once: bool) -> Result<(), Closed> {
        self.find_renamed();
        loop {
            self.discover();
            let discovered = Instant::now();
            while discovered.elapsed() < DISCOVER {
                let at_end = once || self.hand.outlet.stop.is_cancelled();
                let more = self.read_turn(at_end)?;
                if !more {
                    self.tails.iter_mut().for_each(|tail| tail.settle(at_end, &mut self.batch));
                }
                self.deliver()?;
                match more {
                    true => self.hand.check()?,
                    false if at_end => return Ok(()),
                    false => self.hand.rest(LOOK)?,
                }
            }
            self.leave();
        }
    }

    /// Reads a part of each file; false when all are read as far as they are written.
    fn read_turn(&mut self, hurry: bool) -> Result<bool, Closed> {
        let mut more = false;
        for at in 0..self.tails.len() {
            for _ in 0..TURN {
                let tail = &mut self.tails[at];
                let outcome = tail.read(self.holds, hurry, &mut self.chunk, &mut self.batch);
                let name = tail.path.to_string_lossy().into_owned();
                let went_on = note(&mut self.gaps, name, outcome).unwrap_or(false);
                if self.batch.arrivals.len() >= formats::BATCH {
                    self.deliver()?;
                }
                more |= went_on;
                if !went_on {
                    break;
                }
            }
        }
        Ok(more)
    }

    fn deliver(&mut self) -> Result<(), Closed> {
        let names: Vec<String> = self.gaps.keys().cloned().collect();
        let says_gaps =
            self.said_gaps.as_ref() != Some(&names) && !(self.said_gaps.is_none() && names.is_empty());
        let Batch { arrivals, snapshot, .. } = std::mem::take(&mut self.batch);
        if arrivals.is_empty() && snapshot == Default::default() && !says_gaps {
            return Ok(());
        }
        let files = self.saved.values().cloned().chain(self.tails.iter().map(Tail::save)).collect();
        self.hand.deliver(Delivery {
            records: arrivals,
            snapshot,
            gaps: says_gaps.then(|| self.gaps.values().cloned().collect()),
            cursor: serde_json::to_value(Cursor { files }).ok(),
            stored: None,
        })?;
        self.said_gaps = Some(names);
        Ok(())
    }

    /// Opens files that were not seen before, and notes which still have their names.
    fn discover(&mut self) {
        self.tails.iter_mut().for_each(|tail| tail.present = false);
        for path in self.matching() {
            let outcome = self.meet(&path);
            note(&mut self.gaps, path.to_string_lossy().into_owned(), outcome);
        }
    }

    fn meet(&mut self, path: &Path) -> io::Result<()> {
        let metadata = fs::metadata(path)?;
        if !metadata.is_file() {
            return Ok(());
        }
        let key = Key::of(&metadata);
        if let Some(tail) = self.tails.iter_mut().find(|tail| tail.key == key) {
            tail.present = true;
            tail.path = path.to_owned();
            return Ok(());
        }
        let tail = match self.saved.get(&key) {
            Some(saved) => Tail::reopen(path, saved, &mut self.batch)?,
            None => Tail::open(path, self.base_of(path))?,
        };
        // Between two looks another file may have taken the name; it is found the next time.
        if tail.key == key {
            self.saved.remove(&key);
            self.tails.push(tail);
        }
        Ok(())
    }

    /// Returns the number from which a new file counts its records: behind all that had its name before.
    fn base_of(&self, path: &Path) -> u64 {
        let open = self.tails.iter().map(Tail::save);
        let before = self.saved.values().cloned().chain(open).filter(|saved| saved.stream() == path);
        before.map(|saved| tail::after(&saved)).max().unwrap_or(0)
    }

    /// Finds files that were renamed while Medic was away, to names that are not asked for: what was written
    /// before they were renamed is still to be read.
    fn find_renamed(&mut self) {
        let matching: BTreeSet<Key> = self
            .matching()
            .iter()
            .filter_map(|path| fs::metadata(path).ok())
            .map(|found| Key::of(&found))
            .collect();
        let missing: Vec<Saved> =
            self.saved.values().filter(|saved| !matching.contains(&saved.key)).cloned().collect();
        let folders: BTreeSet<&Path> = missing.iter().filter_map(|saved| saved.path.parent()).collect();
        for entry in folders.into_iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            let Some(saved) = missing.iter().find(|saved| saved.key == Key::of(&metadata)) else { continue };
            if let Ok(mut tail) = Tail::reopen(&entry.path(), saved, &mut self.batch) {
                tail.present = false;
                self.saved.remove(&tail.key);
                self.tails.push(tail);
            }
        }
    }

    /// Closes files that lost their names and have nothing more to say.
    fn leave(&mut self) {
        let (gone, kept): (Vec<Tail>, Vec<Tail>) = self.tails.drain(..).partition(|tail| {
            let quiet = tail.changed.elapsed();
            !tail.present && (quiet >= LINGER || quiet >= LINGER_REMOVED && tail.is_removed())
        });
        self.tails = kept;
        for tail in gone {
            self.saved.insert(tail.key, tail.save());
        }
        while self.saved.len() > REMEMBERED {
            self.saved.pop_first();
        }
    }

    fn matching(&mut self) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        for pattern in &self.paths {
            let outcome = expand(pattern).and_then(|files| match files.is_empty() {
                true => Err(io::Error::new(io::ErrorKind::NotFound, "there is no such file yet")),
                false => Ok(files),
            });
            found.extend(note(&mut self.gaps, pattern.clone(), outcome).unwrap_or_default());
        }
        found
    }
}

/// Returns the files that a path, a folder or a glob means.
fn expand(pattern: &str) -> io::Result<Vec<PathBuf>> {
    let path = Path::new(pattern);
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let below = format!("{}/**/*", glob::Pattern::escape(pattern.trim_end_matches('/')));
    let pattern = if path.is_dir() { &below } else { pattern };
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let paths = glob::glob_with(pattern, options)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))?;
    Ok(paths.filter_map(Result::ok).filter(|path| path.is_file()).collect())
}

/// Keeps what cannot be read as a gap, for as long as it cannot be read.
fn note<T>(gaps: &mut BTreeMap<String, Gap>, what: String, outcome: io::Result<T>) -> Option<T> {
    let error = match outcome {
        Ok(value) => {
            gaps.remove(&what);
            return Some(value);
        }
        Err(error) => error,
    };
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => "run Medic as a user that may read it",
        io::ErrorKind::InvalidInput => "correct the pattern in `paths`",
        _ => "check that the file is whole",
    };
    let because = format!("cannot read it: {error}");
    gaps.insert(what.clone(), Gap { what, because, remedy: Some(remedy.to_owned()) });
    None
}

#[cfg(test)]
mod tests;
