//! Folds the lines of a stream that has not ended, and knows where each unfinished record began.

use analyzer::record::{Record, Stream};
use analyzer::redact::{Redactions, redact};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

use crate::formats::{self, Effect, Folder};

/// A line without its end is given out after so long a time in which nothing came: its rest could be the rest of
/// a secret, and nobody would know it as one.
pub const HALF_LINE: Duration = Duration::from_secs(30);
/// So much of a line tells what its rest is.
const CONTEXT: usize = 4096;
const CONTINUES: &str = "[continues the line above] ";

/// The lines of one stream.
pub struct Lines {
    folder: Folder,
    pub count: Count,
    /// Records that may still go on, in the order in which they began.
    pub open: Vec<Open>,
    closed: Vec<Record>,
    keeps_further: bool,
}

/// How far a stream has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    pub lines: u64,
    /// Records that have begun; it numbers them in their stream.
    pub records: u64,
}

/// Where a record began that may still go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// The container that speaks: each has its own unfinished record.
    pub entity: Option<Arc<str>>,
    pub offset: u64,
    pub line: u64,
    pub seq: u64,
    /// The offsets of the lines that were added since, where they are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further: Vec<u64>,
}

/// A complete record, and the offset of its first line.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    pub offset: u64,
    pub further: Vec<u64>,
    pub record: Record,
}

impl Lines {
    pub fn new(stream: Arc<Stream>) -> Lines {
        Lines {
            folder: Folder::new(stream),
            count: Count::default(),
            open: Vec::new(),
            closed: Vec::new(),
            keeps_further: false,
        }
    }

    /// Keeps the offsets of all lines of a record, not only of its first one.
    pub fn keeping_further(stream: Arc<Stream>) -> Lines {
        Lines { keeps_further: true, ..Lines::new(stream) }
    }

    /// Takes the next line, which begins at `offset`; gives out records that are complete.
    pub fn push(&mut self, raw: &str, offset: u64, done: &mut Vec<Placed>) {
        self.count.lines += 1;
        match self.folder.push(raw, self.count.lines, &mut self.closed) {
            Effect::None => {}
            Effect::Begins(entity) => self.begin(entity, offset),
            Effect::Joins(entity) if self.keeps_further => {
                let open = self.open.iter_mut().find(|open| open.entity == entity);
                open.into_iter().for_each(|open| open.further.push(offset));
            }
            Effect::Joins(_) => {}
        }
        self.give_out(done);
    }

    /// Takes the rest of a line whose beginning, `said`, was given out as a line of its own.
    pub fn push_rest(&mut self, said: &[u8], rest: &[u8], offset: u64, done: &mut Vec<Placed>) {
        if let Some(text) = rest_of_line(said, rest) {
            // It is the same line.
            self.count.lines -= 1;
            self.push(&text, offset, done);
        }
    }

    /// Whether a secret of several lines was begun.
    pub fn is_in_key(&self) -> bool {
        self.folder.is_in_key()
    }

    /// Gives out what is open: nothing more of it is expected.
    pub fn finish(&mut self, done: &mut Vec<Placed>) {
        self.folder.finish(&mut self.closed);
        self.give_out(done);
        self.open.clear();
    }

    /// Takes a line again that was read before the stream was left, when `left` was open.
    /// Only lines of records in `left` are folded again: all others are stored.
    pub fn push_again(&mut self, raw: &str, offset: u64, left: &[Open], done: &mut Vec<Placed>) {
        self.count.lines += 1;
        let (entity, _) = formats::speaker(raw);
        let of_this = left.iter().find(|open| open.entity.as_deref() == entity.as_deref());
        let Some(open) = of_this.filter(|open| open.offset <= offset) else { return };
        if open.offset == offset {
            self.open.push(open.clone());
        }
        self.folder.push(raw, self.count.lines, &mut self.closed);
        self.give_out(done);
    }

    fn begin(&mut self, entity: Option<Arc<str>>, offset: u64) {
        self.count.records += 1;
        let (line, seq) = (self.count.lines, self.count.records);
        self.open.push(Open { entity, offset, line, seq, further: Vec::new() });
    }

    fn give_out(&mut self, done: &mut Vec<Placed>) {
        for mut record in self.closed.drain(..) {
            let at = self.open.iter().position(|open| open.line == record.line);
            // Every record has begun with a line; should one be unknown, it is better kept than lost.
            let open = at.map(|at| self.open.remove(at));
            let (offset, further, seq) = open
                .map_or((u64::MAX - record.line, Vec::new(), record.line), |open| {
                    (open.offset, open.further, open.seq)
                });
            record.seq = seq;
            done.push(Placed { offset, further, record });
        }
    }
}

/// Returns how the rest of a line is shown whose beginning was given out: without what belongs to a secret that
/// began there. `None` where nothing else is left of it.
pub fn rest_of_line(said: &[u8], rest: &[u8]) -> Option<String> {
    let whole = [said, rest].concat();
    let (said, whole) = (String::from_utf8_lossy(said), String::from_utf8_lossy(&whole));
    let said = redact(&said, &mut Redactions::new());
    let whole = redact(&whole, &mut Redactions::new());
    let pairs = said.chars().zip(whole.chars());
    let same: usize = pairs.take_while(|(one, other)| one == other).map(|(one, _)| one.len_utf8()).sum();
    // A mark that stands for a secret is not cut in its middle.
    let mark = whole[..same].rfind("[redacted:").filter(|at| !whole[*at..same].contains(']'));
    let rest = &whole[mark.unwrap_or(same)..];
    (!rest.trim().is_empty()).then(|| format!("{CONTINUES}{}", rest.trim_start()))
}

/// Returns what is to be kept of a line that was given out without its end: enough to tell what its rest is.
pub fn keep_said(said: &mut Vec<u8>, taken: &[u8]) {
    let from = memchr::memrchr2(b'\n', b'\r', taken).map_or(0, |at| at + 1);
    if from > 0 {
        said.clear();
    }
    said.extend_from_slice(&taken[from..]);
    said.drain(..said.len().saturating_sub(CONTEXT));
}

#[cfg(test)]
mod tests {
    use super::*;
    use analyzer::record::Source;

    #[track_caller]
    fn check_rest(said: &str, rest: &str, wanted: Option<&str>) {
        let wanted = wanted.map(|wanted| format!("{CONTINUES}{wanted}"));
        assert_eq!(rest_of_line(said.as_bytes(), rest.as_bytes()), wanted);
    }

    #[test]
    fn the_rest_of_a_secret_is_not_told() {
        check_rest("password=hunt", "er2secret99 refused", Some("refused"));
        check_rest("password=", "hunter2secret99 refused", Some("[redacted:password] refused"));
        check_rest("pass", "word=hunter2secret99", Some("word=[redacted:password]"));
        check_rest("password=hunt", "er2secret99", None);
        check_rest("cannot open ", "the pool", Some("the pool"));
        check_rest("cannot open", "", None);
    }

    fn stream() -> Arc<Stream> {
        Arc::new(Stream { name: "test".to_owned(), source: Source::ContainerLog })
    }

    /// Offsets are the numbers of lines here.
    fn fold(lines: &mut Lines, texts: &[&str]) -> Vec<Placed> {
        let mut done = Vec::new();
        for text in texts {
            lines.push(text, lines.count.lines, &mut done);
        }
        done
    }

    fn told(done: &[Placed]) -> Vec<(u64, u64, String)> {
        done.iter().map(|placed| (placed.offset, placed.record.seq, placed.record.text.clone())).collect()
    }

    /// Wherever reading is left and taken up again, the same records come out, each once.
    #[track_caller]
    fn check(texts: &[&str]) {
        let mut whole = Lines::new(stream());
        let mut wanted = fold(&mut whole, texts);
        whole.finish(&mut wanted);
        assert!(whole.open.is_empty());
        for left_at in 0..=texts.len() {
            let mut first = Lines::new(stream());
            let mut found = fold(&mut first, &texts[..left_at]);
            let mut second = Lines::new(stream());
            let from = first.open.iter().map(|open| open.offset).min().unwrap_or(left_at as u64) as usize;
            second.count = Count { lines: from as u64, records: first.count.records };
            for (at, text) in texts.iter().enumerate().take(left_at).skip(from) {
                second.push_again(text, at as u64, &first.open, &mut found);
            }
            assert_eq!(second.open, first.open, "left at {left_at}");
            found.extend(fold(&mut second, &texts[left_at..]));
            second.finish(&mut found);
            assert_eq!(told(&found), told(&wanted), "left at {left_at}");
        }
    }

    #[test]
    fn reading_goes_on_inside_a_trace() {
        check(&[
            "one",
            "Traceback (most recent call last):",
            "  File \"a.py\", line 1",
            "KeyError: 'A'",
            "",
            "two",
        ]);
    }

    #[test]
    fn reading_goes_on_while_containers_speak_at_once() {
        check(&[
            "a-1  | Error: x",
            "b-1  | Error: y",
            "b-1  |     at b (b.js:1:1)",
            "a-1  |     at a (a.js:1:1)",
            "b-1  | next",
            "",
            "c-1  | quiet",
            "a-1  |     at a (a.js:2:2)",
            "b-1  | next",
            "a-1  | next",
        ]);
    }

    #[test]
    fn more_containers_than_are_kept_open() {
        let texts: Vec<String> = (0..600).map(|n| format!("c-{}  | line {n}", n % 300)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut lines = Lines::new(stream());
        let mut done = fold(&mut lines, &texts);
        lines.finish(&mut done);
        let mut offsets: Vec<u64> = done.iter().map(|placed| placed.offset).collect();
        offsets.sort_unstable();
        assert_eq!(offsets, (0..600).collect::<Vec<u64>>());
    }
}
