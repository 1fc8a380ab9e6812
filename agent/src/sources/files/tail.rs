//! One file: what it holds, and how far it has been read.

use analyzer::record::{Record, Source, Stream};
use analyzer::snapshot::Snapshot;
use std::fmt::Write;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::Xxh3;

use super::follow::{self, Follow, Step, modified};
use super::saved::{BETWEEN, Held, Key, Saved, Whole};
use crate::formats::{self, Collected};
use crate::sources::lines::{HALF_LINE, Placed};
use crate::sources::{Arrival, Identities, answered, id};

/// A file that nobody writes to for so long has said all that it had to say.
pub const QUIET: Duration = Duration::from_secs(2);
/// Larger files are no answer of the AWS CLI.
const LARGEST_DOCUMENT: u64 = 64 << 20;
/// A larger file takes long to begin with: it may be one that is read as a whole.
const COSTLY: u64 = 1 << 20;

pub struct Tail {
    pub path: PathBuf,
    pub key: Key,
    /// Whether the file was found under a name that is asked for.
    pub present: bool,
    /// When it was last written to, as far as was seen.
    pub changed: Instant,
    /// Whether nothing was found under its name at some time.
    pub absent: bool,
    origin: Key,
    born: i64,
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

/// How files are read.
pub struct Reading<'r> {
    /// What they hold, where a person says so.
    pub holds: Option<Source>,
    /// Do not wait for more to be written.
    pub hurry: bool,
    pub stop: &'r CancellationToken,
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

impl Batch {
    /// Takes what was read; the room in which it is prepared stays.
    pub fn take(&mut self) -> Batch {
        let placed = std::mem::take(&mut self.placed);
        std::mem::replace(self, Batch { placed, ..Batch::default() })
    }
}

impl Tail {
    /// Opens a file that was not seen before; `base` numbers its records behind those of its predecessor.
    pub fn open(path: &Path, base: u64) -> io::Result<Tail> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let key = Key::of(&metadata);
        Ok(Tail {
            path: path.to_owned(),
            key,
            origin: key,
            born: follow::born(&metadata),
            absent: false,
            present: true,
            changed: Instant::now(),
            file,
            fingerprint: 0,
            generation: 0,
            base,
            state: State::New,
        })
    }

    /// Opens a file that was read before, or what took its place.
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
                // An inode is used again: the file that has it now is another one.
                let follow = match saved.is_born_as(tail.born) || saved.key != tail.key {
                    true => Follow::resume(mark, &tail.file, &mut done)?,
                    false => None,
                };
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

    /// Opens a copy of a file that goes on elsewhere: what is added to the copy is its own.
    pub fn open_copy(path: &Path, saved: &Saved, batch: &mut Batch) -> io::Result<Tail> {
        let mut tail = Tail::reopen(path, saved, batch)?;
        (tail.origin, tail.generation) = (tail.key, 0);
        Ok(tail)
    }

    /// Opens a copy that holds less than was read.
    pub fn open_at_end(path: &Path, saved: &Saved, batch: &mut Batch) -> io::Result<Tail> {
        let Held::Lines(mark) = &saved.held else { return Tail::open(path, saved.base) };
        let stream = Stream { name: mark.stream.clone(), source: mark.source };
        let at_end = follow::mark_at_end(&stream, &File::open(path)?)?;
        let open = mark.open.iter().filter(|open| open.offset < at_end.offset).cloned().collect();
        let end = follow::Mark { count: mark.count, open, rest: mark.rest, ..at_end };
        Tail::open_copy(path, &Saved { held: Held::Lines(end), ..saved.clone() }, batch)
    }

    /// Opens a compressed copy of a file, and reads what it holds beyond what was read. `is_own`: the file goes on.
    pub fn open_rest(path: &Path, saved: &Saved, is_own: bool, batch: &mut Batch) -> io::Result<Tail> {
        let mut tail = Tail::open_read(path, saved.base)?;
        let Held::Lines(mark) = &saved.held else { return Ok(tail) };
        let mut done = Vec::new();
        let input = crate::input::decompressed(File::open(path)?)?;
        let records = Follow::read_rest(mark, input, &mut done)?;
        tail.fingerprint = saved.fingerprint;
        if !is_own {
            (tail.origin, tail.generation) = (saved.origin, saved.generation);
        }
        batch.placed = done;
        tail.hand_over(batch);
        if let State::Whole(whole) = &mut tail.state {
            whole.records = records;
        }
        Ok(tail)
    }

    /// Opens a compressed copy of a file that holds less than was read: there is nothing to read in it.
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

    /// Reads the next part; false where there is nothing to read now.
    pub fn read(&mut self, reading: &Reading, chunk: &mut [u8], batch: &mut Batch) -> io::Result<bool> {
        match &mut self.state {
            State::New => self.begin(reading, chunk, batch),
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
                self.begin(reading, chunk, batch)
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

    /// Returns when the file last changed, also in its names.
    pub fn changed_at(&self) -> i64 {
        self.file.metadata().map_or(0, |found| found.ctime() * 1_000_000_000 + found.ctime_nsec())
    }

    /// Whether all is given out that stands in the file.
    pub fn is_at_end(&self) -> bool {
        let State::Lines(follow) = &self.state else { return true };
        let size = self.file.metadata().map_or(0, |metadata| metadata.len());
        follow.is_settled() && follow.offset() == size
    }

    /// Returns how much of the file is still to be read.
    pub fn behind(&self) -> u64 {
        let size = self.file.metadata().map_or(0, |metadata| metadata.len());
        match &self.state {
            State::New => size,
            State::Lines(follow) => size.saturating_sub(follow.reached()),
            State::Whole(whole) => {
                if size == whole.size {
                    0
                } else {
                    size
                }
            }
        }
    }

    /// Whether the next part to read may be all that the file holds, and take long.
    pub fn is_costly(&self) -> bool {
        !matches!(self.state, State::Lines(_)) && self.behind() > COSTLY
    }

    /// Whether the file begins with all that another one holds.
    pub fn begins_with(&self, path: &Path) -> io::Result<bool> {
        const MOST: u64 = 1 << 20;
        let other = File::open(path)?;
        let size = other.metadata()?.len();
        for (from, length) in [(0, size.min(MOST)), (size.saturating_sub(MOST), size.min(MOST))] {
            let (mut one, mut two) = (vec![0; length as usize], vec![0; length as usize]);
            let (one_got, two_got) = (self.file.read_at(&mut one, from)?, other.read_at(&mut two, from)?);
            if one_got as u64 != length || one_got != two_got || one != two {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the file is still found under its name.
    pub fn keeps_name(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|found| Key::of(&found) == self.key)
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
            born: self.born,
            absent: self.absent,
            unnamed: !self.present,
            held: match &self.state {
                State::New => Held::Nothing,
                State::Lines(follow) => Held::Lines(follow.mark()),
                State::Whole(whole) => Held::Whole(whole.clone()),
            },
        }
    }

    /// Finds out what a file holds, once there is something in it.
    fn begin(&mut self, reading: &Reading, chunk: &mut [u8], batch: &mut Batch) -> io::Result<bool> {
        let holds = reading.holds;
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
        let is_written = !reading.hurry && age(&metadata) < QUIET;
        if is_compressed(head) {
            if !is_written && let Some(records) = self.read_compressed(&name, reading, batch)? {
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

    /// Reads a compressed file to its end; returns how many records it holds, unless Medic stops before.
    fn read_compressed(&self, name: &str, reading: &Reading, batch: &mut Batch) -> io::Result<Option<u64>> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        let mut found = Collected::default();
        let input = UntilStop { input: crate::input::decompressed(file)?, stop: reading.stop };
        let outcome = formats::read(name, reading.holds, input, &mut found);
        if reading.stop.is_cancelled() {
            // There is no place inside it from which reading could go on.
            return Ok(None);
        }
        outcome?;
        let records = found.records.len() as u64;
        let identity = self.identity();
        for record in found.records {
            let id = id(&["files", &identity, &record.seq.to_string()]);
            let record = Record { seq: record.seq + self.base, ..record };
            batch.arrivals.push(Arrival { id, further: Vec::new(), record });
        }
        batch.snapshot.merge(found.snapshot);
        Ok(Some(records))
    }

    fn begin_anew(&mut self, records: u64) {
        self.base += records + BETWEEN;
        self.generation += 1;
        self.fingerprint = 0;
        self.origin = self.key;
        self.born = self.file.metadata().map_or(0, |metadata| follow::born(&metadata));
        self.state = State::New;
    }

    fn hand_over(&self, batch: &mut Batch) {
        let mut identities = Identities::new(&["files", &self.identity()]);
        let mut offset = String::new();
        for placed in batch.placed.drain(..) {
            offset.clear();
            let _ = write!(offset, "{}", placed.offset);
            let id = identities.with(&offset);
            let mut record = placed.record;
            record.seq += self.base;
            batch.arrivals.push(Arrival { id, further: Vec::new(), record });
        }
    }

    fn identity(&self) -> String {
        format!("{}:{}:{:x}:{}", self.origin.device, self.origin.inode, self.fingerprint, self.generation)
    }
}

/// Ends with an error once Medic stops.
struct UntilStop<'r, R> {
    input: R,
    stop: &'r CancellationToken,
}

impl<R: Read> Read for UntilStop<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_cancelled() {
            return Err(io::Error::other("Medic stops"));
        }
        self.input.read(buffer)
    }
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
    hash.update(&follow::born(metadata).to_le_bytes());
    hash.update(&head[..head.len().min(256)]);
    hash.digest().max(1)
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
