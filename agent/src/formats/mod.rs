//! Formats: recognises what files and standard input hold, and turns it into records and a snapshot.

pub mod describe;
mod edge;
mod fold;
mod level;
mod line;
mod members;
mod newest;
mod pieces;
mod places;
mod recognise;
mod sections;
mod syslog;
mod time;
mod trace;
mod wide;
mod yaml;

pub use fold::{Effect, Folder};

use analyzer::record::{Level, Record, Source, Stream};
use analyzer::snapshot::Snapshot;
use serde_json::Value;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use sections::Section;

/// Documents larger than this are read as lines.
const LARGEST_DOCUMENT: usize = 128 << 20;
/// What the CLI prints as YAML is described in pages, and never that long.
const LARGEST_YAML: usize = 16 << 20;
/// So much of an input shows what it holds.
const HEAD: usize = 1 << 20;
/// Lines are read in pieces of this size, which stay in the cache of a core.
pub(crate) const CHUNK: usize = 128 << 10;
/// Longer lines are cut into pieces.
pub(crate) const LONGEST_LINE: usize = 1 << 20;
/// Records are handed on in batches of about this size.
pub(crate) const BATCH: usize = 2048;

/// Takes what is read: records in batches, and what was described.
pub trait Sink {
    /// Takes some of the records, or reads them; what stays may be used again.
    fn records(&mut self, records: &mut Vec<Record>);
    fn snapshot(&mut self, snapshot: Snapshot);
}

/// Keeps everything; for small inputs and tests.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    pub records: Vec<Record>,
    pub snapshot: Snapshot,
}

impl Sink for Collected {
    fn records(&mut self, records: &mut Vec<Record>) {
        self.records.append(records);
    }

    fn snapshot(&mut self, snapshot: Snapshot) {
        self.snapshot.merge(snapshot);
    }
}

/// Reads one input to its end. `hint` is what it is known to hold.
/// What stands before the place where reading fails is handed on, and then the error returned.
pub fn read(name: &str, hint: Option<Source>, input: impl Read, sink: &mut impl Sink) -> io::Result<()> {
    let mut input = UpToError { input, error: None };
    read_whole(name, hint, &mut input, sink)?;
    input.error.map_or(Ok(()), Err)
}

/// Ends where reading fails, and remembers why.
struct UpToError<R> {
    input: R,
    error: Option<io::Error>,
}

impl<R: Read> Read for UpToError<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.error.is_some() {
            return Ok(0);
        }
        match self.input.read(buffer) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                self.error = Some(error);
                Ok(0)
            }
            outcome => outcome,
        }
    }
}

fn read_whole(
    name: &str,
    hint: Option<Source>,
    mut input: impl Read,
    sink: &mut impl Sink,
) -> io::Result<()> {
    let hint = hint.or_else(|| recognise::by_name(name));
    let mut head = Vec::with_capacity(HEAD);
    fill(&mut input, &mut head, HEAD)?;
    if head.len() >= HEAD && describe::streamed::begins_so(&head) {
        return read_log_events(name, hint, io::Cursor::new(head).chain(input), sink);
    }
    if may_be_documents(&head) {
        fill(&mut input, &mut head, LARGEST_DOCUMENT)?;
        if head.len() < LARGEST_DOCUMENT && read_documents(name, hint, &head, true, sink) {
            return Ok(());
        }
    }
    if yaml::begins_so(&head) {
        fill(&mut input, &mut head, LARGEST_YAML)?;
        if let Some(json) = json_of_yaml(&head)
            && read_documents(name, hint, json.as_bytes(), true, sink)
        {
            return Ok(());
        }
    }
    // Only what is at hand to its end can be taken apart.
    let one_more = head.len() + 1;
    let is_whole = head.len() < HEAD || fill(&mut input, &mut head, one_more)? == 0;
    let answers = stream(name, hint.unwrap_or(Source::Other));
    if is_whole && let Some(sections) = sections::split(&head, &answers) {
        read_sections(name, hint, sections, sink);
        return Ok(());
    }
    if head.len() < HEAD
        && let Some(elements) = pieces::elements(&head)
        && let Some(found) = describe::read(&elements, &answers)
    {
        hand_on(vec![(1, found)], (&head, true), sink);
        return Ok(());
    }
    let source = hint.unwrap_or_else(|| recognise_lines(&head));
    lines(name, source, io::Cursor::new(head).chain(input), sink)
}

/// Reads the events of a log group without holding the answer.
fn read_log_events(
    name: &str,
    hint: Option<Source>,
    input: impl Read,
    sink: &mut impl Sink,
) -> io::Result<()> {
    let stream = stream(name, hint.unwrap_or(Source::Other));
    let mut seq = 0;
    let described = describe::streamed::read(input, &stream, &mut |mut records| {
        for record in &mut records {
            seq += 1;
            record.seq = seq;
        }
        in_batches(records, sink);
    })?;
    sink.snapshot(described);
    Ok(())
}

/// Reads answers and what stands between them: one stream, in the order in which it was written.
fn read_sections(name: &str, hint: Option<Source>, sections: Vec<Section<'_>>, sink: &mut impl Sink) {
    let between: Vec<&[u8]> =
        sections.iter().filter(|section| section.answer.is_none()).map(|section| section.bytes).collect();
    let source = hint.unwrap_or_else(|| recognise_lines(&between.join(&b'\n')));
    let text = stream(name, source);
    let mut records: Vec<Record> = Vec::new();
    for section in sections {
        let mut found = match section.answer {
            Some(answer) => {
                sink.snapshot(answer.snapshot);
                placed(vec![(1, answer.records)], section.bytes, true)
            }
            None => {
                let mut folder = Folder::new(text.clone());
                let mut done = Vec::new();
                for (number, line) in (1..).zip(split(section.bytes)) {
                    folder.push(&String::from_utf8_lossy(&section.bytes[line]), number, &mut done);
                }
                folder.finish(&mut done);
                done.sort_by_key(|record| record.line);
                done
            }
        };
        found.iter_mut().for_each(|record| record.line += section.line - 1);
        records.append(&mut found);
    }
    for (index, record) in records.iter_mut().enumerate() {
        record.seq = index as u64 + 1;
    }
    in_batches(records, sink);
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

/// A record that came whole.
pub(crate) struct Whole {
    /// Without colour codes.
    pub text: String,
    pub level: Level,
    /// What it says once it is decoded, where that differs.
    pub body: Option<String>,
}

/// Reads a text that is a record by itself.
pub(crate) fn read_record(raw: &str) -> Whole {
    let line = line::read(raw);
    Whole { level: line.level, body: line.body, text: line.text.into_owned() }
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
    (line.entity().map(str::to_owned), says)
}

pub(crate) fn looks_like_document(head: &[u8]) -> bool {
    let trimmed = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    matches!(trimmed.first(), Some(b'{' | b'[')) || yaml::begins_so(head)
}

/// Fills a buffer up to a size; returns how much came.
fn fill(input: &mut impl Read, buffer: &mut Vec<u8>, up_to: usize) -> io::Result<usize> {
    let wanted = up_to.saturating_sub(buffer.len()) as u64;
    input.take(wanted).read_to_end(buffer)
}

/// Whether an input begins with an answer that Medic knows, or with one that goes on beyond its head.
fn may_be_documents(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    if !matches!(text.trim_ascii_start().first(), Some(b'{' | b'[')) {
        return false;
    }
    match serde_json::Deserializer::from_slice(text).into_iter::<Value>().next() {
        Some(Ok(value)) => describe::read(&value, &stream("", Source::Other)).is_some(),
        Some(Err(error)) => error.is_eof() && head.len() >= HEAD,
        None => false,
    }
}

fn recognise_lines(head: &[u8]) -> Source {
    recognise::by_content(&String::from_utf8_lossy(&head[..head.len().min(64 << 10)]))
}

fn stream(name: &str, source: Source) -> Arc<Stream> {
    Arc::new(Stream { name: name.to_owned(), source })
}

/// Reads one or several JSON documents, or JSON lines of events; false where they are no answers that Medic knows.
/// The text of each record is what it says, for it is stored without the document.
pub(crate) fn documents(name: &str, hint: Option<Source>, bytes: &[u8], sink: &mut impl Sink) -> bool {
    match json_of_yaml(bytes) {
        Some(json) => read_documents(name, hint, json.as_bytes(), false, sink),
        None => read_documents(name, hint, bytes, false, sink),
    }
}

/// Writes an answer in YAML as JSON; nothing where a text is none.
fn json_of_yaml(bytes: &[u8]) -> Option<String> {
    let is_short = bytes.len() < LARGEST_YAML && yaml::begins_so(bytes);
    yaml::as_json(std::str::from_utf8(bytes).ok().filter(|_| is_short)?)
}

fn read_documents(
    name: &str,
    hint: Option<Source>,
    bytes: &[u8],
    as_it_stands: bool,
    sink: &mut impl Sink,
) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let stream = stream(name, hint.unwrap_or(Source::Other));
    let mut described = Vec::new();
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
    let (mut counted, mut line) = (0, 1);
    loop {
        let behind = values.byte_offset();
        let Some(value) = values.next() else { break };
        let begins = behind + bytes[behind..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        line += memchr::memchr_iter(b'\n', &bytes[counted..begins]).count() as u64;
        counted = begins;
        let Ok(value) = value else { return false };
        let Some(found) = describe::read(&value, &stream) else {
            return false;
        };
        described.push((line, found));
    }
    if described.is_empty() {
        return false;
    }
    hand_on(described, (bytes, as_it_stands), sink);
    true
}

/// Hands on what one stream describes: each with the line that it begins in, and the text where it stands.
fn hand_on(
    described: Vec<(u64, describe::Described)>,
    (text, as_it_stands): (&[u8], bool),
    sink: &mut impl Sink,
) {
    let mut said = Vec::new();
    for (line, found) in described {
        said.push((line, found.records));
        sink.snapshot(found.snapshot);
    }
    let mut records = placed(said, text, as_it_stands);
    // Several documents share one stream: their records are numbered in one row.
    for (index, record) in records.iter_mut().enumerate() {
        record.seq = index as u64 + 1;
    }
    in_batches(records, sink);
}

/// Hands records on in batches.
fn in_batches(records: Vec<Record>, sink: &mut impl Sink) {
    let mut records = records.into_iter();
    while records.len() > 0 {
        sink.records(&mut records.by_ref().take(BATCH).collect());
    }
}

/// Gives records the lines that they stand in; of a document that is all that is told, that of its beginning.
fn placed(said: Vec<(u64, Vec<Record>)>, text: &[u8], as_it_stands: bool) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    for (line, found) in said {
        records.extend(found.into_iter().map(|record| Record { line, ..record }));
    }
    places::find(&mut records, text, as_it_stands);
    records
}

fn lines(name: &str, source: Source, mut input: impl Read, sink: &mut impl Sink) -> io::Result<()> {
    let mut folder = Folder::new(stream(name, source));
    let mut buffer: Vec<u8> = Vec::with_capacity(2 * CHUNK);
    let mut done: Vec<Record> = Vec::new();
    let mut number = 0;
    let mut is_first = true;
    loop {
        let before = buffer.len();
        input.by_ref().take(CHUNK as u64).read_to_end(&mut buffer)?;
        let at_end = buffer.len() == before;
        let whole = if at_end { buffer.len() } else { end_of_lines(&buffer, before) };
        let bytes = &buffer[..whole];
        // Nearly always all of it is text; else each line is mended by itself.
        let text = std::str::from_utf8(bytes).ok();
        for line in split(bytes) {
            number += 1;
            match text.and_then(|text| text.get(line.clone())) {
                Some(line) => folder.push(line, number, &mut done),
                None => folder.push(&String::from_utf8_lossy(&bytes[line]), number, &mut done),
            };
        }
        buffer.drain(..whole);
        if at_end {
            folder.finish(&mut done);
        }
        if at_end && is_first {
            newest::oldest_first(&mut done);
        }
        if done.len() >= BATCH || at_end {
            is_first = false;
            sink.records(&mut done);
            folder.reuse(&mut done);
        }
        if at_end {
            return Ok(());
        }
    }
}

/// Returns where the last whole line ends; a `\r` at the very end may still be followed by `\n`.
/// Up to `seen`, but for such a `\r`, there is no end of a line.
pub(crate) fn end_of_lines(buffer: &[u8], seen: usize) -> usize {
    let settled = if buffer.last() == Some(&b'\r') { buffer.len() - 1 } else { buffer.len() };
    let from = seen.saturating_sub(1).min(settled);
    match memchr::memrchr2(b'\n', b'\r', &buffer[from..settled]) {
        Some(at) => from + at + 1,
        None if buffer.len() > LONGEST_LINE => end_of_words(buffer),
        None => 0,
    }
}

/// Returns where a line that is too long is cut: behind a blank, so that no word is torn, or at least no letter.
fn end_of_words(buffer: &[u8]) -> usize {
    const FARTHEST: usize = 64 << 10;
    let from = buffer.len().saturating_sub(FARTHEST);
    match memchr::memrchr2(b' ', b'\t', &buffer[from..]) {
        Some(at) => from + at + 1,
        None => {
            let last = buffer.iter().rposition(|byte| byte & 0xC0 != 0x80).filter(|last| *last > from);
            last.unwrap_or(buffer.len())
        }
    }
}

/// Splits at `\n`, `\r\n` and a lone `\r`.
pub(crate) fn split(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        if start >= bytes.len() {
            return None;
        }
        let line = start..memchr::memchr2(b'\n', b'\r', &bytes[start..]).map_or(bytes.len(), |at| start + at);
        let is_pair = bytes[line.end..].starts_with(b"\r\n");
        start = line.end + if is_pair { 2 } else { 1 };
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_carriage_return_ends_a_line() {
        let text = "a\rb\r\nc\n\nd";
        let found: Vec<&str> = split(text.as_bytes()).map(|line| &text[line]).collect();
        assert_eq!(found, ["a", "b", "c", "", "d"]);
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_between_words() {
        let long = "q".repeat(LONGEST_LINE);
        let line = format!("{long} token=abc");
        assert_eq!(end_of_lines(line.as_bytes(), 0), long.len() + 1);
        let line = format!("{long}é");
        assert_eq!(end_of_lines(line.as_bytes(), 0), long.len());
        assert_eq!(end_of_lines(long.as_bytes(), 0), 0);
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
