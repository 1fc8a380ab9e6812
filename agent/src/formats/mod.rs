//! Formats: recognises what files and standard input hold, and turns it into records and a snapshot.

pub mod describe;
mod fold;
mod line;
mod recognise;
mod time;

pub use fold::Folder;

use analyzer::record::{Record, Source, Stream};
use analyzer::snapshot::Snapshot;
use serde_json::Value;
use std::io::{self, Read};
use std::sync::Arc;

/// Documents larger than this are read as lines.
const LARGEST_DOCUMENT: usize = 512 << 20;
pub(crate) const CHUNK: usize = 1 << 20;
/// Longer lines are cut into pieces.
pub(crate) const LONGEST_LINE: usize = 1 << 20;
/// Records are handed on in batches of about this size.
pub(crate) const BATCH: usize = 8192;

/// Takes what is read: records in batches, and what was described.
pub trait Sink {
    fn records(&mut self, records: &[Record]);
    fn snapshot(&mut self, snapshot: Snapshot);
}

/// Keeps everything; for small inputs and tests.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    pub records: Vec<Record>,
    pub snapshot: Snapshot,
}

impl Sink for Collected {
    fn records(&mut self, records: &[Record]) {
        self.records.extend_from_slice(records);
    }

    fn snapshot(&mut self, snapshot: Snapshot) {
        self.snapshot.merge(snapshot);
    }
}

/// Reads one input to its end. `hint` is what it is known to hold.
pub fn read(name: &str, hint: Option<Source>, mut input: impl Read, sink: &mut impl Sink) -> io::Result<()> {
    let hint = hint.or_else(|| recognise::by_name(name));
    let mut head = Vec::with_capacity(CHUNK);
    fill(&mut input, &mut head, CHUNK)?;
    if looks_like_document(&head) {
        let mut whole = head;
        fill(&mut input, &mut whole, LARGEST_DOCUMENT)?;
        if whole.len() < LARGEST_DOCUMENT && documents(name, hint, &whole, sink) {
            return Ok(());
        }
        return lines(name, hint, &whole.clone(), io::Cursor::new(whole).chain(input), sink);
    }
    let start = head.clone();
    lines(name, hint, &start, io::Cursor::new(head).chain(input), sink)
}

/// Reads a time as answers of AWS write it: text, or a number of seconds or milliseconds since 1970.
pub fn time_of(value: &Value) -> Option<jiff::Timestamp> {
    time::of_value(value)
}

/// Reads a text that is at hand.
pub fn read_text(name: &str, hint: Option<Source>, text: &str) -> Collected {
    let mut collected = Collected::default();
    // Reading from memory does not fail.
    let _ = read(name, hint, text.as_bytes(), &mut collected);
    collected
}

/// Completes a record that was stored: works out again what its text says once it is decoded.
pub fn restored(mut record: Record) -> Record {
    let mut folder = Folder::new(record.stream.clone());
    let mut done = Vec::new();
    for line in record.text.lines() {
        folder.push(line, record.line, &mut done);
    }
    folder.finish(&mut done);
    if let [again] = &mut done[..] {
        record.body = again.body.take();
    }
    record
}

/// Returns what a stream is called after, where that tells what it holds.
pub(crate) fn named_source(name: &str) -> Option<Source> {
    recognise::by_name(name)
}

/// Returns what lines hold: by the name of their stream, else by what they look like.
pub(crate) fn source_of(name: &str, head: &[u8]) -> Source {
    let head = &head[..head.len().min(64 << 10)];
    recognise::by_name(name).unwrap_or_else(|| recognise::by_content(&String::from_utf8_lossy(head)))
}

/// Whether a text that begins like this may be an answer of AWS, which is read as a whole.
/// A log of JSON lines begins with a whole value in its first line, and that is no answer.
pub(crate) fn may_be_answer(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let stream = Arc::new(Stream { name: String::new(), source: Source::Other });
    serde_json::from_slice(line).map_or(true, |value| describe::read(&value, &stream).is_some())
}

/// Returns the container that a line names, and whether the line says something.
pub(crate) fn speaker(raw: &str) -> (Option<String>, bool) {
    let line = line::read(raw);
    let says = !line.message().trim().is_empty();
    (line.entity, says)
}

fn fill(input: &mut impl Read, buffer: &mut Vec<u8>, up_to: usize) -> io::Result<()> {
    let wanted = up_to.saturating_sub(buffer.len()) as u64;
    input.take(wanted).read_to_end(buffer).map(|_| ())
}

pub(crate) fn looks_like_document(head: &[u8]) -> bool {
    let trimmed = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    matches!(trimmed.first(), Some(b'{' | b'['))
}

/// Reads one or several JSON documents, or JSON lines of events; false where they are no answers that Medic knows.
pub(crate) fn documents(name: &str, hint: Option<Source>, bytes: &[u8], sink: &mut impl Sink) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let stream = |source| Arc::new(Stream { name: name.to_owned(), source });
    let mut described = Vec::new();
    let values = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
    for value in values {
        let Ok(value) = value else { return false };
        let Some(found) = describe::read(&value, &stream(hint.unwrap_or(Source::Other))) else {
            return false;
        };
        described.push(found);
    }
    if described.is_empty() {
        return false;
    }
    let mut records: Vec<Record> = Vec::new();
    for found in described {
        records.extend(found.records);
        sink.snapshot(found.snapshot);
    }
    // Several documents share one stream: their records are numbered in one row.
    for (index, record) in records.iter_mut().enumerate() {
        record.seq = index as u64 + 1;
        record.line = record.line.max(1);
    }
    for batch in records.chunks(BATCH) {
        sink.records(batch);
    }
    true
}

fn lines(
    name: &str,
    hint: Option<Source>,
    head: &[u8],
    mut input: impl Read,
    sink: &mut impl Sink,
) -> io::Result<()> {
    let head = &head[..head.len().min(64 << 10)];
    let source = hint.unwrap_or_else(|| recognise::by_content(&String::from_utf8_lossy(head)));
    let mut folder = Folder::new(Arc::new(Stream { name: name.to_owned(), source }));
    let mut buffer: Vec<u8> = Vec::with_capacity(2 * CHUNK);
    let mut done: Vec<Record> = Vec::new();
    let mut number = 0;
    loop {
        let before = buffer.len();
        input.by_ref().take(CHUNK as u64).read_to_end(&mut buffer)?;
        let at_end = buffer.len() == before;
        let whole = if at_end { buffer.len() } else { end_of_lines(&buffer) };
        for line in split(&buffer[..whole]) {
            number += 1;
            folder.push(&String::from_utf8_lossy(line), number, &mut done);
        }
        buffer.drain(..whole);
        if at_end {
            folder.finish(&mut done);
        }
        if done.len() >= BATCH || at_end {
            sink.records(&done);
            done.clear();
        }
        if at_end {
            return Ok(());
        }
    }
}

/// Returns where the last whole line ends; a `\r` at the very end may still be followed by `\n`.
pub(crate) fn end_of_lines(buffer: &[u8]) -> usize {
    let settled = if buffer.last() == Some(&b'\r') { buffer.len() - 1 } else { buffer.len() };
    match memchr::memrchr2(b'\n', b'\r', &buffer[..settled]) {
        Some(at) => at + 1,
        None if buffer.len() > LONGEST_LINE => buffer.len(),
        None => 0,
    }
}

/// Splits at `\n`, `\r\n` and a lone `\r`.
pub(crate) fn split(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some(at) = memchr::memchr2(b'\n', b'\r', rest) else {
            return Some(std::mem::take(&mut rest));
        };
        let line = &rest[..at];
        let ending = if rest[at] == b'\r' && rest.get(at + 1) == Some(&b'\n') { 2 } else { 1 };
        rest = &rest[at + ending..];
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_carriage_return_ends_a_line() {
        let found: Vec<&[u8]> = split(b"a\rb\r\nc\n\nd").collect();
        assert_eq!(found, [&b"a"[..], b"b", b"c", b"", b"d"]);
    }

    #[test]
    fn what_is_no_answer_is_read_as_lines() {
        let collected = read_text("x", None, "{\n  \"hello\": 1\n}\n");
        assert!(!collected.records.is_empty());
    }

    #[test]
    fn lines_are_counted_from_one() {
        let collected = read_text("x", None, "one\ntwo\n");
        let lines: Vec<u64> = collected.records.iter().map(|record| record.line).collect();
        assert_eq!(lines, [1, 2]);
    }
}
