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

use super::follow::{Follow, Mark, Step};
use crate::formats::{self, Collected};
use crate::sources::lines::Placed;
use crate::sources::{Arrival, answered, id};

/// A file that nobody writes to for so long has said all that it had to say.
const QUIET: Duration = Duration::from_secs(2);
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
    #[serde(flatten)]
    pub key: Key,
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
}

impl Tail {
    /// Opens a file that was not seen before; `base` numbers its records behind those of its predecessor.
    pub fn open(path: &Path, base: u64) -> io::Result<Tail> {
        let file = File::open(path)?;
        let key = Key::of(&file.metadata()?);
        Ok(Tail {
            path: path.to_owned(),
            key,
            present: true,
            changed: Instant::now(),
            file,
            fingerprint: 0,
            generation: 0,
            base,
            state: State::New,
        })
    }

    /// Opens a file that was read before.
    pub fn reopen(path: &Path, saved: &Saved, batch: &mut Batch) -> io::Result<Tail> {
        let mut tail = Tail::open(path, saved.base)?;
        if tail.key != saved.key {
            return Ok(tail);
        }
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
                    None => tail.begin_anew(mark.count.records),
                }
            }
        }
        Ok(tail)
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
                        follow.settle(&mut batch.placed);
                        let records = follow.records();
                        self.hand_over(batch);
                        self.begin_anew(records);
                        return Ok(true);
                    }
                }
                self.hand_over(batch);
                Ok(step == Step::Full)
            }
        }
    }

    /// Takes all that was read as complete, once it is quiet, or at the end.
    pub fn settle(&mut self, at_end: bool, batch: &mut Batch) {
        if let State::Lines(follow) = &mut self.state
            && !follow.is_settled()
            && (at_end || self.changed.elapsed() >= QUIET)
        {
            follow.settle(&mut batch.placed);
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
        if self.fingerprint == 0 {
            self.fingerprint = fingerprint(head, &metadata);
        }
        let name = self.path.to_string_lossy().into_owned();
        let whole = Whole { size: metadata.len(), modified: modified(&metadata), records: 0 };
        let is_written = !hurry && age(&metadata) < QUIET;
        let compressed = head.starts_with(&[0x1f, 0x8b]) || head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
        if compressed {
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
        format!("{}:{}:{:x}:{}", self.key.device, self.key.inode, self.fingerprint, self.generation)
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

fn age(metadata: &Metadata) -> Duration {
    metadata.modified().ok().and_then(|time| time.elapsed().ok()).unwrap_or_default()
}

fn read_whole(mut file: &File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.rewind()?;
    file.take(LARGEST_DOCUMENT).read_to_end(&mut text)?;
    Ok(text)
}
