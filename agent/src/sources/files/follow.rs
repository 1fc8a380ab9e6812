//! Follows the lines of one file: from where it was left, as far as it has been written.

use analyzer::record::{Source, Stream};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

use crate::formats;
use crate::sources::lines::{self, Count, Lines, Open, Placed};

/// So many bytes before the place that was reached tell whether a file is still the same.
const TOLD_BY: usize = 256;

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
}

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
        }
    }

    /// Goes on where a file was left; `None` where it is not the same any more.
    pub fn resume(mark: &Mark, file: &File, done: &mut Vec<Placed>) -> io::Result<Option<Follow>> {
        let Some(recent) = bytes_before(mark, file)? else { return Ok(None) };
        let stream = Arc::new(Stream { name: mark.stream.clone(), source: mark.source });
        let mut said = vec![0; mark.said as usize];
        if !read_all_at(file, &mut said, mark.offset.saturating_sub(mark.said))? {
            return Ok(None);
        }
        let mut follow = Follow { recent, offset: mark.offset, said, rest: mark.rest, ..Follow::new(stream) };
        follow.read_again(mark, file, done)?;
        follow.lines.count = mark.count;
        Ok(Some(follow))
    }

    /// Reads the next chunk, if there is more than was read.
    pub fn step(&mut self, file: &File, chunk: &mut [u8], done: &mut Vec<Placed>) -> io::Result<Step> {
        let size = file.metadata()?.len();
        let reached = self.reached();
        if size == reached {
            return Ok(Step::Idle);
        }
        if size < reached || !self.is_same(file)? {
            return Ok(Step::Replaced);
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
        }
    }

    fn reached(&self) -> u64 {
        self.offset + self.begun.len() as u64
    }

    fn take(&mut self, length: usize, done: &mut Vec<Placed>) {
        let taken = &self.begun[..length];
        for line in formats::split(taken) {
            let at = self.offset + line.start as u64;
            if line.start == 0 && !self.said.is_empty() {
                self.rest = Some(Rest { at, said: self.said.len() as u64 });
                self.lines.push_rest(&self.said, &taken[line], at, done);
            } else {
                self.lines.push(&String::from_utf8_lossy(&taken[line]), at, done);
            }
        }
        if !taken.is_empty() {
            self.said.clear();
        }
        keep_last(&mut self.recent, taken);
        self.offset += length as u64;
        self.begun.drain(..length);
    }

    /// Tells by the last bytes that were read whether they still stand where they stood.
    fn is_same(&self, file: &File) -> io::Result<bool> {
        let line = &self.begun[self.begun.len().saturating_sub(TOLD_BY)..];
        for (bytes, end) in [(self.recent.as_slice(), self.offset), (line, self.reached())] {
            let mut found = vec![0; bytes.len()];
            if !read_all_at(file, &mut found, end - bytes.len() as u64)? || found != bytes {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Folds the records again that were not complete.
    fn read_again(&mut self, mark: &Mark, file: &File, done: &mut Vec<Placed>) -> io::Result<()> {
        let Some(first) = mark.open.iter().min_by_key(|open| open.offset) else { return Ok(()) };
        self.lines.count = Count { lines: first.line - 1, records: mark.count.records };
        let mut at = first.offset;
        let mut buffer = Vec::new();
        let mut chunk = vec![0; formats::CHUNK];
        while at < mark.offset {
            let from = at + buffer.len() as u64;
            let wanted = (mark.offset - from).min(formats::CHUNK as u64) as usize;
            let got = file.read_at(&mut chunk[..wanted], from)?;
            buffer.extend_from_slice(&chunk[..got]);
            let is_end = got == 0 || from + got as u64 == mark.offset;
            let whole = if is_end { buffer.len() } else { formats::end_of_lines(&buffer, 0) };
            for line in formats::split(&buffer[..whole]) {
                let start = at + line.start as u64;
                let mut text = String::from_utf8_lossy(&buffer[line.clone()]);
                if let Some(rest) = mark.rest.filter(|rest| rest.at == start) {
                    let mut said = vec![0; rest.said as usize];
                    read_all_at(file, &mut said, start.saturating_sub(rest.said))?;
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

/// Whether the bytes that were read last still stand where they stood.
pub fn stands_in(mark: &Mark, file: &File) -> io::Result<bool> {
    bytes_before(mark, file).map(|found| found.is_some())
}

fn bytes_before(mark: &Mark, file: &File) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; (mark.before.length as usize).min(TOLD_BY)];
    let from = mark.offset.saturating_sub(bytes.len() as u64);
    let are_there = read_all_at(file, &mut bytes, from)? && mark.before.are(&bytes);
    Ok(are_there.then_some(bytes))
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
