//! Follows the lines of one file: from where it was left, as far as it has been written.

use analyzer::record::{Source, Stream};
use serde::{Deserialize, Serialize};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::SystemTime;
use xxhash_rust::xxh3::xxh3_64;

use crate::formats;
use crate::sources::lines::{self, Count, Lines, Open, Placed};

/// So many bytes before the place that was reached tell whether a file is still the same.
pub const TOLD_BY: usize = 256;
/// Places on the way are remembered as far apart as this, and so many of them: the later, the denser.
const STRIDE: u64 = 4096;
const MOST_PLACES: usize = 16;

/// Where reading goes on; it is stored with the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub stream: String,
    pub source: Source,
    /// The lines before it are read; of records that were not complete, `open` tells where they begin.
    pub offset: u64,
    pub before: Before,
    pub count: Count,
    pub open: Vec<Open>,
    /// How many bytes before `offset` belong to a line that was given out without its end.
    #[serde(default)]
    pub said: u64,
    /// The last line whose rest was given out by itself.
    #[serde(default)]
    pub rest: Option<Rest>,
    /// The bytes with which the file begins, and those before some places that were passed.
    #[serde(default)]
    pub head: Before,
    #[serde(default)]
    pub passed: Vec<Place>,
    /// When the file was written to, as it was found when it was read the last time.
    #[serde(default)]
    pub modified: i64,
    /// The same, when it was read the first time.
    #[serde(default)]
    pub begun: i64,
}

/// A place in a file, and the bytes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub offset: u64,
    pub before: Before,
}

impl Mark {
    /// Returns all places that tell this content from others, in their order.
    pub fn places(&self) -> Vec<Place> {
        let head = Place { offset: self.head.length, before: self.head };
        let last = Place { offset: self.offset, before: self.before };
        let mut places: Vec<Place> = [head].into_iter().chain(self.passed.iter().copied()).collect();
        places.retain(|place| place.before.length > 0 && place.offset < last.offset);
        places.push(last);
        places
    }
}

/// The rest of a line: its beginning was given out before it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    pub at: u64,
    /// How many bytes before it tell what it is.
    pub said: u64,
}

/// The bytes just before an offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    pub length: u64,
    pub hash: u64,
}

impl Before {
    pub fn are(self, bytes: &[u8]) -> bool {
        hash(bytes) == self
    }

    /// Whether these are the bytes, as far as is known.
    fn may_be(self, bytes: &[u8]) -> bool {
        self.length == 0 || self.are(bytes)
    }
}

/// Reads at an offset, as much as there is.
type ReadAt<'r> = &'r dyn Fn(&mut [u8], u64) -> io::Result<usize>;

/// What one look at a file gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing was written.
    Idle,
    Read,
    /// A chunk was filled: there may be more.
    Full,
    /// The file was cut, or another one has its place: what was read is no longer there.
    Replaced,
}

pub struct Follow {
    stream: Arc<Stream>,
    lines: Lines,
    /// The end of the last line that was taken.
    offset: u64,
    /// What was read behind `offset`: the beginning of a line.
    begun: Vec<u8>,
    /// The last bytes before `offset`.
    recent: Vec<u8>,
    /// What was given out of a line that has not ended.
    said: Vec<u8>,
    rest: Option<Rest>,
    /// The first bytes.
    head: Vec<u8>,
    passed: Vec<Place>,
    modified: i64,
    first_modified: i64,
    /// Whether the bytes that were read stood where they stood when the file was written to the last time.
    is_checked: bool,
}

impl Follow {
    pub fn new(stream: Arc<Stream>) -> Follow {
        Follow {
            lines: Lines::new(stream.clone()),
            stream,
            offset: 0,
            begun: Vec::new(),
            recent: Vec::new(),
            said: Vec::new(),
            rest: None,
            head: Vec::new(),
            passed: Vec::new(),
            modified: 0,
            first_modified: 0,
            is_checked: false,
        }
    }

    /// Goes on where a file was left; `None` where it is not the same any more.
    pub fn resume(mark: &Mark, file: &File, done: &mut Vec<Placed>) -> io::Result<Option<Follow>> {
        let Some(recent) = bytes_before(mark, file)? else { return Ok(None) };
        let mut head = vec![0; mark.offset.min(TOLD_BY as u64) as usize];
        let has_head = read_all_at(file, &mut head, 0)?;
        if !has_head || !head.get(..mark.head.length as usize).is_some_and(|head| mark.head.may_be(head)) {
            return Ok(None);
        }
        let stream = Arc::new(Stream { name: mark.stream.clone(), source: mark.source });
        let mut said = vec![0; mark.said as usize];
        if !read_all_at(file, &mut said, mark.offset.saturating_sub(mark.said))? {
            return Ok(None);
        }
        let mut follow = Follow {
            recent,
            offset: mark.offset,
            said,
            rest: mark.rest,
            head,
            passed: mark.passed.clone(),
            modified: mark.modified,
            first_modified: mark.begun,
            ..Follow::new(stream)
        };
        follow.read_again(mark, &|bytes, at| file.read_at(bytes, at), done)?;
        follow.lines.count = mark.count;
        Ok(Some(follow))
    }

    /// Reads the next chunk, if there is more than was read.
    pub fn step(&mut self, file: &File, chunk: &mut [u8], done: &mut Vec<Placed>) -> io::Result<Step> {
        let metadata = file.metadata()?;
        let (size, modified) = (metadata.len(), modified(&metadata));
        let reached = self.reached();
        if size == reached && self.is_checked && self.modified == modified {
            return Ok(Step::Idle);
        }
        // What is written anew may be as long as what stood there before.
        if size < reached || !self.is_same(file)? {
            return Ok(Step::Replaced);
        }
        if self.first_modified == 0 {
            self.first_modified = modified;
        }
        (self.modified, self.is_checked) = (modified, true);
        if size == reached {
            return Ok(Step::Idle);
        }
        let got = file.read_at(chunk, reached)?;
        if got == 0 {
            return Ok(Step::Idle);
        }
        self.begun.extend_from_slice(&chunk[..got]);
        self.take(formats::end_of_lines(&self.begun, 0), done);
        Ok(if got == chunk.len() { Step::Full } else { Step::Read })
    }

    /// Takes the records as complete that may go on; with `all`, also the line that has no end yet.
    pub fn settle(&mut self, all: bool, done: &mut Vec<Placed>) {
        if all {
            let (begun, mut said) = (self.begun.clone(), self.said.clone());
            self.take(begun.len(), done);
            lines::keep_said(&mut said, &begun);
            self.said = said;
        }
        if all || !self.lines.is_in_key() {
            self.lines.finish(done);
        }
    }

    /// Reads what a compressed copy of a file holds beyond what was read of it; returns how many records there are.
    pub fn read_rest(mark: &Mark, mut input: impl Read, done: &mut Vec<Placed>) -> io::Result<u64> {
        let opened = mark.open.iter().map(|open| open.offset).min();
        let said = mark.rest.map(|rest| rest.at.saturating_sub(rest.said));
        let begun = mark.offset.saturating_sub(mark.said);
        let from = [opened, said.filter(|_| opened.is_some())].into_iter().flatten().fold(begun, u64::min);
        io::copy(&mut input.by_ref().take(from), &mut io::sink())?;
        let mut known = Vec::new();
        input.by_ref().take(mark.offset - from).read_to_end(&mut known)?;
        let stream = Arc::new(Stream { name: mark.stream.clone(), source: mark.source });
        let said = known[known.len().saturating_sub(mark.said as usize)..].to_vec();
        let mut follow = Follow { offset: mark.offset, said, rest: mark.rest, ..Follow::new(stream) };
        let read_known = |bytes: &mut [u8], at: u64| {
            let mut behind = known.get(at.saturating_sub(from) as usize..).unwrap_or_default();
            behind.read(bytes)
        };
        follow.read_again(mark, &read_known, done)?;
        follow.lines.count = mark.count;
        while input.by_ref().take(formats::CHUNK as u64).read_to_end(&mut follow.begun)? > 0 {
            follow.take(formats::end_of_lines(&follow.begun, 0), done);
        }
        follow.settle(true, done);
        Ok(follow.records())
    }

    pub fn offset(&self) -> u64 {
        self.offset
    }

    pub fn is_settled(&self) -> bool {
        self.begun.is_empty() && self.lines.open.is_empty()
    }

    pub fn records(&self) -> u64 {
        self.lines.count.records
    }

    pub fn mark(&self) -> Mark {
        Mark {
            stream: self.stream.name.clone(),
            source: self.stream.source,
            offset: self.offset,
            before: hash(&self.recent),
            count: self.lines.count,
            open: self.lines.open.clone(),
            said: self.said.len() as u64,
            rest: self.rest,
            head: hash(&self.head),
            passed: self.passed.clone(),
            modified: self.modified,
            begun: self.first_modified,
        }
    }

    /// Returns how far the file was read.
    pub fn reached(&self) -> u64 {
        self.offset + self.begun.len() as u64
    }

    fn take(&mut self, length: usize, done: &mut Vec<Placed>) {
        let taken = &self.begun[..length];
        // Nearly always all of it is text; else each line is mended by itself.
        let text = std::str::from_utf8(taken).ok();
        for line in formats::split(taken) {
            let at = self.offset + line.start as u64;
            if line.start == 0 && !self.said.is_empty() {
                self.rest = Some(Rest { at, said: self.said.len() as u64 });
                self.lines.push_rest(&self.said, &taken[line], at, done);
            } else if let Some(line) = text.and_then(|text| text.get(line.clone())) {
                self.lines.push(line, at, done);
            } else {
                self.lines.push(&String::from_utf8_lossy(&taken[line]), at, done);
            }
        }
        if !taken.is_empty() {
            self.said.clear();
        }
        let missing = TOLD_BY - self.head.len();
        self.head.extend_from_slice(&taken[..length.min(missing)]);
        keep_last(&mut self.recent, taken);
        self.offset += length as u64;
        self.begun.drain(..length);
        self.pass();
    }

    /// Remembers the place that was reached, where it is far enough from the last one.
    fn pass(&mut self) {
        let last = self.passed.last().map_or(0, |place| place.offset);
        if self.offset - last < STRIDE {
            return;
        }
        self.passed.push(Place { offset: self.offset, before: hash(&self.recent) });
        if self.passed.len() > MOST_PLACES {
            let mut at = 0;
            self.passed.retain(|_| {
                at += 1;
                at > MOST_PLACES / 2 || at % 2 == 0
            });
        }
    }

    /// Tells by the first and last bytes that were read whether they still stand where they stood.
    fn is_same(&self, file: &File) -> io::Result<bool> {
        let line = &self.begun[self.begun.len().saturating_sub(TOLD_BY)..];
        let head = (self.head.as_slice(), self.head.len() as u64);
        for (bytes, end) in [head, (self.recent.as_slice(), self.offset), (line, self.reached())] {
            let mut found = vec![0; bytes.len()];
            if !read_all_at(file, &mut found, end - bytes.len() as u64)? || found != bytes {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Folds the records again that were not complete.
    fn read_again(&mut self, mark: &Mark, read_at: ReadAt<'_>, done: &mut Vec<Placed>) -> io::Result<()> {
        let Some(first) = mark.open.iter().min_by_key(|open| open.offset) else { return Ok(()) };
        self.lines.count = Count { lines: first.line - 1, records: mark.count.records };
        let mut at = first.offset;
        let mut buffer = Vec::new();
        let mut chunk = vec![0; formats::CHUNK];
        while at < mark.offset {
            let from = at + buffer.len() as u64;
            let wanted = (mark.offset - from).min(formats::CHUNK as u64) as usize;
            let got = read_at(&mut chunk[..wanted], from)?;
            buffer.extend_from_slice(&chunk[..got]);
            let is_end = got == 0 || from + got as u64 == mark.offset;
            let whole = if is_end { buffer.len() } else { formats::end_of_lines(&buffer, 0) };
            for line in formats::split(&buffer[..whole]) {
                let start = at + line.start as u64;
                let mut text = String::from_utf8_lossy(&buffer[line.clone()]);
                if let Some(rest) = mark.rest.filter(|rest| rest.at == start) {
                    let mut said = vec![0; rest.said as usize];
                    read_at(&mut said, start.saturating_sub(rest.said))?;
                    let Some(shown) = lines::rest_of_line(&said, &buffer[line]) else { continue };
                    text = shown.into();
                }
                self.lines.push_again(&text, start, &mark.open, done);
            }
            at += whole as u64;
            buffer.drain(..whole);
            if got == 0 {
                break;
            }
        }
        Ok(())
    }
}

fn bytes_before(mark: &Mark, file: &File) -> io::Result<Option<Vec<u8>>> {
    Place { offset: mark.offset, before: mark.before }.bytes_in(file)
}

impl Place {
    /// Returns the bytes before it, where they stand in this file.
    pub fn bytes_in(self, file: &File) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = vec![0; (self.before.length as usize).min(TOLD_BY)];
        let from = self.offset.saturating_sub(bytes.len() as u64);
        let are_there = read_all_at(file, &mut bytes, from)? && self.before.are(&bytes);
        Ok(are_there.then_some(bytes))
    }
}

/// Returns where reading goes on in a file that holds nothing new.
pub fn mark_at_end(stream: &Stream, file: &File) -> io::Result<Mark> {
    let offset = file.metadata()?.len();
    let mut recent = vec![0; offset.min(TOLD_BY as u64) as usize];
    let from = offset - recent.len() as u64;
    read_all_at(file, &mut recent, from)?;
    let follow = Follow { offset, recent, ..Follow::new(Arc::new(stream.clone())) };
    Ok(follow.mark())
}

pub fn modified(metadata: &Metadata) -> i64 {
    metadata.modified().map_or(0, nanoseconds)
}

/// Returns when a file came into being; 0 where the platform does not tell.
pub fn born(metadata: &Metadata) -> i64 {
    metadata.created().map_or(0, nanoseconds)
}

fn nanoseconds(time: SystemTime) -> i64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64)
}

fn hash(bytes: &[u8]) -> Before {
    Before { length: bytes.len() as u64, hash: xxh3_64(bytes) }
}

fn keep_last(recent: &mut Vec<u8>, more: &[u8]) {
    recent.extend_from_slice(&more[more.len().saturating_sub(TOLD_BY)..]);
    recent.drain(..recent.len().saturating_sub(TOLD_BY));
}

/// Fills the buffer; false where the file is shorter.
fn read_all_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
    match file.read_exact_at(buffer, offset) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        outcome => outcome.map(|()| true),
    }
}
