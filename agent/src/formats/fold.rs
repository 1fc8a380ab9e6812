//! Folds lines into records: a stack trace belongs to the message that it explains.

use analyzer::record::{Level, Record, Source, Stream};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::edge::unwrapped;
use super::line::{self, Docker, Line};
use super::trace::{Trace, is_exception_header, is_frame, is_list, is_nested_cause, is_of_key};
use super::wide;

/// A record that grows beyond this is closed.
const MOST_LINES: usize = 1500;
const MOST_BYTES: usize = 256 * 1024;
/// Indented lines that are not a trace are folded up to here.
const MOST_INDENTED: usize = 24;
const MOST_NODE_LINES: usize = 80;
/// So many records may be open at once, each of another entity.
const MOST_OPEN: usize = 256;
/// Texts of records that are done with lend their memory to later ones, up to this number and size.
const MOST_SPARE: usize = 8192;
const LARGEST_SPARE: usize = 1024;

/// Folds the lines of one stream.
pub struct Folder {
    stream: Arc<Stream>,
    /// The open record that is about no entity, and those that are, by entity.
    open: Option<Open>,
    of_entities: BTreeMap<Arc<str>, Open>,
    entities: BTreeSet<Arc<str>>,
    seq: u64,
    spare: Vec<String>,
}

/// What a line did to the records of its stream; each is known by the entity that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It says nothing.
    None,
    Begins(Option<Arc<str>>),
    Joins(Option<Arc<str>>),
}

struct Open {
    record: Record,
    /// The end of the record is a part of a line that docker cut.
    cut: Option<Docker>,
    lines: usize,
    indented: usize,
    trace: Trace,
    blank: bool,
    last_was_frame: bool,
}

impl Folder {
    pub fn new(stream: Arc<Stream>) -> Folder {
        Folder {
            stream,
            open: None,
            of_entities: BTreeMap::new(),
            entities: BTreeSet::new(),
            seq: 0,
            spare: Vec::new(),
        }
    }

    /// Takes the next line; gives out records that are complete, and says what the line did.
    pub fn push(&mut self, raw: &str, number: u64, done: &mut Vec<Record>) -> Effect {
        let raw = wide::without_zeros(raw);
        let line = line::read(&raw);
        let is_blank = line.message().trim().is_empty();
        let open = match line.entity() {
            None => self.open.as_mut(),
            Some(name) => self.of_entities.get_mut(name),
        };
        match open {
            Some(open) if open.is_continued_by(&line) => {
                open.join(&line);
                return Effect::Joins(open.record.entity.clone());
            }
            Some(open) if is_blank => {
                open.blank = true;
                return Effect::None;
            }
            Some(open) if open.continues(&line) => {
                open.append(&line);
                return Effect::Joins(open.record.entity.clone());
            }
            None if is_blank => return Effect::None,
            _ => {}
        }
        let cut = line.docker.filter(|docker| docker.is_cut);
        let record = self.begin(line, number);
        let entity = record.entity.clone();
        let begun = Open { cut, ..Open::new(record) };
        let closed = match entity.clone() {
            None => self.open.replace(begun),
            Some(name) => self.of_entities.insert(name, begun),
        };
        if let Some(closed) = closed {
            done.push(unwrapped(closed.record));
        }
        if self.of_entities.len() + usize::from(self.open.is_some()) > MOST_OPEN {
            self.finish(done);
        }
        Effect::Begins(entity)
    }

    /// Gives out what is still open.
    pub fn finish(&mut self, done: &mut Vec<Record>) {
        let open = self.open.take().into_iter().chain(std::mem::take(&mut self.of_entities).into_values());
        let mut rest: Vec<Record> = open.map(|open| unwrapped(open.record)).collect();
        rest.sort_by_key(|record| record.seq);
        done.append(&mut rest);
    }

    /// Whether a private key was begun whose last line has not come.
    pub fn is_in_key(&self) -> bool {
        let mut open = self.open.iter().chain(self.of_entities.values());
        open.any(|open| open.trace == Trace::Key && !open.record.text.contains("-----END "))
    }

    /// Takes back records that nobody needs any more: the memory of their texts serves the next ones.
    pub fn reuse(&mut self, records: &mut Vec<Record>) {
        for record in records.drain(..) {
            let mut text = record.text;
            if text.capacity() <= LARGEST_SPARE && self.spare.len() < MOST_SPARE {
                text.clear();
                self.spare.push(text);
            }
        }
    }

    fn begin(&mut self, line: Line<'_>, number: u64) -> Record {
        self.seq += 1;
        let entity = line.entity().map(|name| match self.entities.get(name) {
            Some(known) => known.clone(),
            None => {
                let name: Arc<str> = Arc::from(name);
                self.entities.insert(name.clone());
                name
            }
        });
        let source = source_of(&line, self.stream.source);
        Record {
            level: line.level.max(level_of_event(line.message(), source)),
            time: line.time,
            source,
            body: line.body,
            text: match line.text {
                Cow::Owned(text) => text,
                Cow::Borrowed(text) => {
                    let mut copy = self.spare.pop().unwrap_or_default();
                    copy.push_str(text);
                    copy
                }
            },
            stream: self.stream.clone(),
            seq: self.seq,
            line: number,
            entity,
            deployment: None,
        }
    }
}

/// BuildKit's lines are a build's wherever they show.
fn source_of(line: &Line<'_>, stream: Source) -> Source {
    match line.source {
        Some(source) if stream.is_pipeline() => source,
        _ => stream,
    }
}

fn level_of_event(message: &str, source: Source) -> Level {
    match source {
        Source::CfnStackEvent | Source::Cdk if message.contains("_FAILED") => Level::Error,
        _ => Level::Unknown,
    }
}

impl Open {
    fn new(record: Record) -> Open {
        let trace = Trace::begun_by(record.said());
        Open { record, cut: None, lines: 1, indented: 0, trace, blank: false, last_was_frame: false }
    }

    /// Whether a line is the next part of the one that the record ends with.
    fn is_continued_by(&self, line: &Line<'_>) -> bool {
        let has_room = self.record.text.len() < MOST_BYTES;
        has_room && self.cut.zip(line.docker).is_some_and(|(cut, next)| cut.is_stderr == next.is_stderr)
    }

    fn join(&mut self, part: &Line<'_>) {
        self.record.text.push_str(&part.text);
        self.cut = part.docker.filter(|docker| docker.is_cut);
        if self.cut.is_none() && self.lines == 1 {
            // Only the whole line can be decoded.
            let whole = line::read(&self.record.text);
            self.record.level = whole.level;
            self.record.body = whole.body;
            self.trace = Trace::begun_by(self.record.said());
        }
    }

    fn continues(&self, line: &Line<'_>) -> bool {
        if self.lines >= MOST_LINES || self.record.text.len() >= MOST_BYTES || line.body.is_some() {
            return false;
        }
        let message = line.message();
        // A level that is padded to a column is no indentation.
        let is_own = line.time.is_some() && states_level(line);
        let indented = message.starts_with([' ', '\t']) && !is_own;
        let trimmed = message.trim_start();
        // Events are listed one below the other; where their columns are padded, that is no indentation.
        let is_event = matches!(self.record.source, Source::EcsServiceEvent | Source::CfnStackEvent);
        let has_own_time = line.time.is_some() && (self.record.time.is_none() || is_event);
        // The mark that ends a group says nothing that another line could go on with.
        let ends_group = self.lines == 1 && self.record.text.ends_with("##[endgroup]");
        if has_own_time || ends_group || message.starts_with("##[") {
            return false;
        }
        if is_frame(trimmed, indented) || is_nested_cause(trimmed) {
            return true;
        }
        match self.trace {
            Trace::Python => return !states_level(line) || indented,
            Trace::PythonDone => {
                let chained = trimmed.starts_with("During handling of the above")
                    || trimmed.starts_with("The above exception was")
                    || trimmed.starts_with("Traceback (most recent call last)");
                return chained || indented && self.indented < MOST_INDENTED;
            }
            Trace::Go => {
                return !self.blank && !states_level(line) || trimmed.starts_with("goroutine ") || indented;
            }
            Trace::Rust => {
                return !self.blank && self.lines < 4 && !states_level(line)
                    || trimmed.starts_with("note: run with")
                    || indented;
            }
            Trace::Key => {
                return !self.record.text.contains("-----END ") && is_of_key(trimmed, self.lines > 1);
            }
            Trace::Node => {
                let of_error = !states_level(line) || trimmed.contains("Error");
                return self.lines < MOST_NODE_LINES && of_error && !self.record.text.contains("\nNode.js v");
            }
            Trace::Frames if self.last_was_frame && matches!(trimmed, "}" | "]" | "})" | "],") => {
                return true;
            }
            Trace::Frames | Trace::None => {}
        }
        if self.blank && self.trace == Trace::None && !is_exception_header(trimmed) {
            return false;
        }
        let speaks_of_error = self.record.level >= Level::Error;
        if speaks_of_error
            && !states_level(line)
            && line.time.is_none()
            && is_exception_header(trimmed)
            && self.trace == Trace::None
        {
            return true;
        }
        let closes = self.indented > 0 && matches!(trimmed, "}" | "]" | "})" | "};" | "},") && !self.blank;
        closes || indented && !self.blank && self.indented < MOST_INDENTED && !is_list(trimmed)
    }

    fn append(&mut self, line: &Line<'_>) {
        let message = line.message();
        let indented = message.starts_with([' ', '\t']);
        let trimmed = message.trim_start();
        if self.blank {
            self.record.text.push('\n');
        }
        self.record.text.push('\n');
        self.record.text.push_str(&line.text);
        if let Some(body) = &mut self.record.body {
            body.push('\n');
            body.push_str(message);
        }
        self.cut = line.docker.filter(|docker| docker.is_cut);
        self.last_was_frame = is_frame(trimmed, indented) || indented;
        self.trace = match self.trace {
            // What an exception says may begin in the line below its name.
            Trace::Python if !indented && !trimmed.is_empty() && !trimmed.trim_end().ends_with("Error:") => {
                Trace::PythonDone
            }
            Trace::PythonDone if trimmed.starts_with("Traceback (most recent") => Trace::Python,
            Trace::None if is_frame(trimmed, indented) => Trace::Frames,
            Trace::None if trimmed.starts_with("Traceback (most recent") => Trace::Python,
            trace => trace,
        };
        self.indented = if indented { self.indented + 1 } else { 0 };
        self.lines += 1;
        self.blank = false;
        self.record.level =
            self.record.level.max(if line.level >= Level::Error { line.level } else { Level::Unknown });
    }
}

fn states_level(line: &Line<'_>) -> bool {
    line.level != Level::Unknown
}

#[cfg(test)]
mod tests {
    use super::*;
    use analyzer::redact::{Redactions, redact};

    fn records(text: &str, source: Source) -> Vec<Record> {
        let stream = Arc::new(Stream { name: "test".to_owned(), source });
        let mut folder = Folder::new(stream);
        let mut done = Vec::new();
        for (index, line) in text.lines().enumerate() {
            folder.push(line, index as u64 + 1, &mut done);
        }
        folder.finish(&mut done);
        done
    }

    fn fold(text: &str) -> Vec<String> {
        records(text, Source::ContainerLog).into_iter().map(|record| record.text).collect()
    }

    #[track_caller]
    fn check(text: &str, first_lines: &[&str]) {
        let records = fold(text);
        let firsts: Vec<&str> = records.iter().filter_map(|record| record.lines().next()).collect();
        assert_eq!(firsts, first_lines, "{records:#?}");
    }

    #[test]
    fn a_java_trace_is_one_record() {
        check(
            "2026-05-01T10:00:00Z ERROR run failed\n\njava.lang.IllegalStateException: no\n\tat a.B.c(B.java:1)\n\t... 3 more\nCaused by: x.Y: z\n\tat q.R.s(R.java:2)\n2026-05-01T10:00:01Z INFO bye",
            &["2026-05-01T10:00:00Z ERROR run failed", "2026-05-01T10:00:01Z INFO bye"],
        );
    }

    #[test]
    fn a_line_that_docker_cut_is_one_line() {
        let said = format!(
            r#"{{"level":"error","context":"{}","msg":"connection refused by db.internal"}}"#,
            "x".repeat(40_000)
        );
        let part = |log: &str, stream: &str| {
            serde_json::json!({"log": log, "stream": stream, "time": "2026-05-01T10:00:00Z"}).to_string()
        };
        let (one, rest) = said.split_at(16 << 10);
        let (two, three) = rest.split_at(16 << 10);
        let text = [
            part("before\n", "stdout"),
            part(one, "stdout"),
            part(two, "stdout"),
            part(&format!("{three}\n"), "stdout"),
            part("behind\n", "stdout"),
        ];
        let found = records(&text.join("\n"), Source::ContainerLog);
        assert_eq!(found.iter().map(|record| record.text.len()).collect::<Vec<_>>(), [6, said.len(), 6]);
        assert_eq!(found[1].body.as_deref(), Some("connection refused by db.internal"));
        assert_eq!(found[1].level, Level::Error);

        // What the container prints to its other output is no part of it.
        let text = [part(one, "stdout"), part("alarm\n", "stderr")];
        assert_eq!(records(&text.join("\n"), Source::ContainerLog).len(), 2);
    }

    #[test]
    fn a_python_trace_ends_with_its_exception() {
        check(
            "start\nTraceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    x()\nKeyError: 'A'\nnext",
            &["start", "Traceback (most recent call last):", "next"],
        );
    }

    #[test]
    fn what_a_python_exception_says_may_begin_below_its_name() {
        check(
            "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    x()\nValueError: \nthe URL has no port\nnext",
            &["Traceback (most recent call last):", "next"],
        );
    }

    #[test]
    fn chained_python_traces_are_one_record() {
        let text = "Traceback (most recent call last):\n  File \"a\"\nKeyError: 'A'\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"b\"\nRuntimeError: no";
        assert_eq!(fold(text).len(), 1);
    }

    #[test]
    fn a_private_key_is_one_record_and_a_log_behind_it_is_not_of_it() {
        let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
        let begin = "-----BEGIN PRIVATE KEY-----";
        check(&format!("{begin}\n{line}\nQz1a\n-----END PRIVATE KEY-----\nnext"), &[begin, "next"]);
        check(&format!("{begin}\n{line}\nFATAL\nexit status 1"), &[begin, "FATAL", "exit status 1"]);
        check(&format!("{begin}\n***\n***\nexit"), &[begin, "exit"]);
        let begin = "2026-05-01T10:00:00Z ERROR key must start with -----BEGIN PRIVATE KEY-----";
        let next = "2026-05-01T10:00:01Z FATAL dial tcp 10.0.0.6:5432: connect: connection refused";
        check(&format!("{begin}\n{next}"), &[begin, next]);
    }

    #[test]
    fn go_rust_node_ruby_and_dotnet_are_folded() {
        check(
            "panic: no config\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/main.go:12 +0x1\nexit status 2",
            &["panic: no config"],
        );
        check(
            "thread 'main' panicked at src/main.rs:2:5:\nno config\nnote: run with `RUST_BACKTRACE=1`",
            &["thread 'main' panicked at src/main.rs:2:5:"],
        );
        check(
            "/app/a.js:3\n  throw new Error('x');\n        ^\n\nError: x\n    at main (/app/a.js:3:9)\n\nNode.js v20.11.0\nnext",
            &["/app/a.js:3", "next"],
        );
        check("Error: boom\n    at main (a.js:1:1) {\n  code: 'X'\n}\nnext", &["Error: boom", "next"]);
        check(
            "app.rb:1:in `x': boom (RuntimeError)\n\tfrom app.rb:3:in `<main>'\nnext",
            &["app.rb:1:in `x': boom (RuntimeError)", "next"],
        );
        check(
            "Unhandled exception. System.Exception: boom\n   at P.Main()\nnext",
            &["Unhandled exception. System.Exception: boom", "next"],
        );
    }

    #[test]
    fn containers_that_speak_at_once_are_kept_apart() {
        let records = fold("a-1  | Error: x\nb-1  | hello\na-1  |     at main (a.js:1:1)");
        assert_eq!(records.len(), 2, "{records:?}");
    }

    #[test]
    fn a_sentence_broken_at_the_edge_is_joined() {
        let text = "      - (service web-Service-abcdefghijklmno) (port 8080) is unhealthy
         in (target-group web-Target-ABCDEFGHIJKLM) due to (reason Reque
        st timed out).";
        let records = records(text, Source::DeployTool);
        assert_eq!(records.len(), 1);
        assert!(records[0].said().contains("reason Request timed out"), "{}", records[0].said());
    }

    #[test]
    fn a_secret_at_the_edge_stays_hidden() {
        let text = "Error: creating IAM Role (web): EntityAlreadyExists:  AKIAIOSFODNN7EXAMPLE
  with aws_iam_role.execution, on iam.tf line 4, in resource role of the web";
        let records = records(text, Source::DeployTool);
        assert_eq!(records.len(), 1);
        assert!(records[0].body.as_ref().is_some_and(|body| !body.contains("AKIA")), "{records:?}");
    }

    #[test]
    fn a_secret_that_was_broken_is_whole_again() {
        let text = "      - cannot pull the image with the key that was given here, AKIAIOSF
        ODNN7EXAMPLE of web";
        let records = records(text, Source::DeployTool);
        let hidden = redact(&records[0].text, &mut Redactions::new()).into_owned();
        assert!(hidden.contains("[redacted:aws-access-key] of web"), "{hidden}");
    }

    #[test]
    fn lines_with_times_of_their_own_are_not_joined() {
        let text = "2026-03-02T09:00:31.1000000Z     Error: expect(locator).toBeVisible() failed
2026-03-02T09:00:31.2000000Z   1 failed";
        let records = records(text, Source::GithubActions);
        let lines: Vec<&str> = records.iter().flat_map(|record| record.said().lines()).collect();
        assert_eq!(lines, text.lines().collect::<Vec<&str>>());
    }

    #[test]
    fn a_padded_level_is_no_indentation() {
        check(
            "2026-05-01T10:00:00Z  INFO 1 --- [main] a : starts\n2026-05-01T10:00:01Z  WARN 1 --- [main] a : warns\n2026-05-01T10:00:02Z ERROR 1 --- [main] a : fails",
            &[
                "2026-05-01T10:00:00Z  INFO 1 --- [main] a : starts",
                "2026-05-01T10:00:01Z  WARN 1 --- [main] a : warns",
                "2026-05-01T10:00:02Z ERROR 1 --- [main] a : fails",
            ],
        );
    }

    #[test]
    fn the_end_of_a_group_stays_alone() {
        check(
            "##[group]Run deploy\n  with: x\n##[endgroup]\n  Deploy: no credentials\n    at run (a.js:1:2)",
            &["##[group]Run deploy", "##[endgroup]", "  Deploy: no credentials"],
        );
    }

    #[test]
    fn ordinary_lines_stay_alone() {
        assert_eq!(fold("one\ntwo\n\nthree").len(), 3);
    }
}
