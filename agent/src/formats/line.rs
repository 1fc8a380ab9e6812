//! Reads one line: prefixes that transports put in front, the time, the level, the container.

use analyzer::record::{Level, Source};
use jiff::Timestamp;
use serde_json::Value;
use std::borrow::Cow;
use std::ops::Range;

use super::members::Members;
use super::{level, syslog, time};

/// What one line says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line<'t> {
    pub text: Cow<'t, str>,
    /// Where the message begins, behind prefixes.
    pub message_at: usize,
    pub time: Option<Timestamp>,
    pub level: Level,
    /// Where the text names the container, task or build step.
    pub named: Option<Range<usize>>,
    pub source: Option<Source>,
    /// The decoded message of a JSON line.
    pub body: Option<String>,
    /// What docker's log driver says of the line.
    pub docker: Option<Docker>,
}

/// A line of docker's json-file driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Docker {
    pub is_stderr: bool,
    /// Whether the line goes on in the next one of the same output.
    pub is_cut: bool,
}

impl Line<'_> {
    pub fn message(&self) -> &str {
        self.text.get(self.message_at..).unwrap_or_default()
    }

    pub fn entity(&self) -> Option<&str> {
        self.named.clone().and_then(|named| self.text.get(named))
    }
}

/// Reads a line; colour codes are removed.
pub fn read(raw: &str) -> Line<'_> {
    let text = without_ansi(raw.strip_prefix('\u{feff}').unwrap_or(raw));
    let mut line = Line { text, ..Line::default() };
    let mut at = 0;
    if let Some((name, end)) = container_prefix(&line.text) {
        line.named = Some(0..name.len());
        at = end;
    }
    at += job_and_step(&line.text[at..]);
    if let Some((time, end)) = time::leading(&line.text[at..]) {
        line.time = Some(time);
        at += end;
        at += usize::from(line.text[at..].starts_with(' '));
        if let Some((name, end)) = log_stream(&line.text[at..]) {
            line.named = Some(at..at + name.len());
            at += end;
        } else if let Some((program, end)) = syslog::program(&line.text[at..], true) {
            line.named = Some(at + program.start..at + program.end);
            at += end;
        }
    } else if let Some(head) = syslog::leading(&line.text[at..]) {
        line.named = head.program.map(|named| at + named.start..at + named.end).or(line.named);
        line.level = head.level;
        at += head.end;
    }
    if let Some(end) = build_step(&line.text[at..]) {
        line.source = Some(Source::DockerBuild);
        // Steps of a build run at once; each tells its own story.
        let step = line.text[at..].find(' ').unwrap_or(line.text.len() - at);
        line.named = Some(at..at + step);
        at += end;
    }
    line.message_at = at;
    let message = &line.text[at..];
    let is_object =
        message.trim_start().starts_with('{') && message.trim_end().ends_with('}') && message.len() > 8;
    if is_object && let Ok(members) = serde_json::from_str::<Members>(message) {
        return of_json(line, &members);
    }
    if line.level == Level::Unknown {
        line.level = level::of(message);
    }
    if line.time.is_none() {
        line.time = time_inside(message);
    }
    line
}

/// Removes escape sequences; most lines have none and stay as they are.
pub fn without_ansi(text: &str) -> Cow<'_, str> {
    if memchr::memchr2(0x1b, 0x08, text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\u{1b}' => match characters.peek() {
                Some('[') => {
                    characters.next();
                    for part in characters.by_ref() {
                        if ('\u{40}'..='\u{7e}').contains(&part) {
                            break;
                        }
                    }
                }
                Some(']') => {
                    for part in characters.by_ref() {
                        if part == '\u{7}' || part == '\u{1b}' {
                            break;
                        }
                    }
                    if characters.peek() == Some(&'\\') {
                        characters.next();
                    }
                }
                _ => {
                    characters.next();
                }
            },
            '\u{8}' => {}
            _ => clean.push(c),
        }
    }
    Cow::Owned(clean)
}

/// `web-1  | message`, as compose prints it.
fn container_prefix(text: &str) -> Option<(&str, usize)> {
    let bar = memchr::memchr(b'|', &text.as_bytes()[..text.len().min(64)])?;
    let name = text[..bar].trim_end();
    let fits = !name.is_empty()
        && bar > name.len()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/'))
        && name.bytes().any(|byte| byte.is_ascii_alphabetic());
    let end = bar + 1 + usize::from(text[bar + 1..].starts_with(' '));
    fits.then_some((name, end))
}

const LONGEST_JOB_AND_STEP: usize = 241;

/// `job<TAB>step<TAB>`, as `gh run view --log` prints it, or `error<TAB>` before the time, as Bamboo does.
fn job_and_step(text: &str) -> usize {
    let head = &text.as_bytes()[..text.len().min(LONGEST_JOB_AND_STEP)];
    let mut tabs = memchr::memchr_iter(b'\t', head);
    let (Some(first), Some(second)) = (tabs.next(), tabs.next()) else { return 0 };
    if first == 0 {
        return 0;
    }
    if time::leading(&text[first + 1..second]).is_some() {
        return first + 1;
    }
    let rest = &text[second + 1..];
    let junk = rest.char_indices().take(6).find(|(_, c)| c.is_ascii_digit()).map_or(0, |(at, _)| at);
    if time::leading(&rest[junk..]).is_some() { second + 1 + junk } else { 0 }
}

/// `ecs/web/0123…`, the stream name in an export of CloudWatch Logs.
fn log_stream(text: &str) -> Option<(&str, usize)> {
    let end = text.find(' ')?;
    let name = &text[..end];
    let id = name.rsplit('/').next()?;
    let is_task = id.len() >= 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    (is_task && name.contains('/')).then_some((name, end + 1))
}

/// `#12 3.456 ` or `#12 [stage 2/4] `: a line of BuildKit.
fn build_step(text: &str) -> Option<usize> {
    let digits = text.strip_prefix('#')?.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 || text.as_bytes().get(1 + digits) != Some(&b' ') {
        return None;
    }
    let after = 2 + digits;
    let rest = &text[after..];
    let seconds = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let timed = seconds > 1
        && rest[..seconds].contains('.')
        && matches!(rest.as_bytes().get(seconds), Some(b' ') | None);
    if timed {
        return Some((after + seconds + 1).min(text.len()));
    }
    [
        "[",
        "DONE",
        "ERROR",
        "CACHED",
        "CANCELED",
        "sha256:",
        "transferring",
        "exporting",
        "resolve",
        "extracting",
    ]
    .iter()
    .any(|word| rest.starts_with(word))
    .then_some(after)
}

/// Finds a time near the start of a message: `[2026-05-01 10:00:00 +0000] …`, `time="2026-…"`.
fn time_inside(message: &str) -> Option<Timestamp> {
    if let Some(found) = message.strip_prefix('[').and_then(time::leading) {
        return Some(found.0);
    }
    if let Some(rest) = message.strip_prefix("[Nest] ") {
        return rest
            .split_once(" - ")
            .and_then(|(_, rest)| time::leading(rest.trim_start()))
            .map(|found| found.0);
    }
    let mut end = message.len().min(48);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    let head = &message.as_bytes()[..end];
    // The separator behind the year is rarer than what may stand before it.
    let at = memchr::memchr2_iter(b'-', b'/', head).filter_map(|separator| separator.checked_sub(4)).find(
        |&at| at > 0 && head[at].is_ascii_digit() && matches!(head[at - 1], b'[' | b'"' | b'=' | b' ' | b'('),
    )?;
    time::leading(&message[at..]).map(|(time, _)| time)
}

/// Names of members that hold the time, and the level: of most libraries, Serilog, the console of .NET, Monolog, Log4j.
const TIMES: [&str; 13] = [
    "time",
    "timestamp",
    "@timestamp",
    "ts",
    "t",
    "date",
    "asctime",
    "@t",
    "Timestamp",
    "datetime",
    "instant",
    "timeMillis",
    "eventTime",
];
const LEVELS: [&str; 14] = [
    "level",
    "severity",
    "lvl",
    "log.level",
    "levelname",
    "@l",
    "s",
    "loglevel",
    "LogLevel",
    "Level",
    "level_name",
    "severityText",
    "SeverityText",
    "severity_text",
];

/// Names of members that say what happened: the message, the error, its type and its message where they stand apart, its stack.
const SAYS: [&[&str]; 5] = [
    &[
        "message",
        "msg",
        "@m",
        "@mt",
        "event",
        "log",
        "Message",
        "short_message",
        "RenderedMessage",
        "MessageTemplate",
        "fields",
        "body",
        "Body",
    ],
    &["error", "err", "exception", "@x", "exc_info", "reason", "cause", "Exception"],
    &["error.type", "error.kind", "exception.type", "errorType"],
    &["error.message", "exception.message", "errorMessage"],
    &[
        "stack",
        "stack_trace",
        "stacktrace",
        "stackTrace",
        "error.stack",
        "error.stack_trace",
        "exception.stacktrace",
        "trace",
    ],
];

fn of_json<'t>(mut line: Line<'t>, value: &Members) -> Line<'t> {
    let first =
        |names: &[&str]| names.iter().find_map(|name| value.get(name).filter(|found| !found.is_null()));
    if let (Some(Value::String(log)), true) =
        (value.get("log"), value.get("time").is_some() || value.get("stream").is_some())
    {
        // A line of docker's json-file driver: what the container printed is inside.
        let inner = read(log.trim_end_matches(['\n', '\r']));
        let time = first(&["time", "timestamp"]).and_then(time::of_value).or(inner.time);
        let is_stderr = matches!(value.get("stream"), Some(Value::String(stream)) if stream == "stderr");
        let docker = Some(Docker { is_stderr, is_cut: is_cut_by_docker(log) });
        return Line { time, docker, ..owned(inner) };
    }
    if let Some(time) = first(&TIMES).and_then(time::of_value) {
        line.time = Some(time);
    }
    line.level = first(&LEVELS).map_or(Level::Unknown, level::of_value);
    let mut body = String::new();
    for names in SAYS {
        if let Some(found) = first(names) {
            push_said(&mut body, found, 0);
        }
    }
    if !body.is_empty() {
        line.body = Some(body);
    } else {
        line.level = line.level.max(level::of(line.message()));
    }
    line
}

fn owned<'t>(line: Line<'_>) -> Line<'t> {
    Line {
        text: Cow::Owned(line.text.into_owned()),
        message_at: line.message_at,
        time: line.time,
        level: line.level,
        named: line.named,
        source: line.source,
        body: line.body,
        docker: line.docker,
    }
}

/// Lines of more than 16 KiB come in parts, of which only the last one ends with `\n`.
/// What a program prints last has no `\n` either, and that is short.
fn is_cut_by_docker(log: &str) -> bool {
    const SHORTEST_PART: usize = 8 << 10;
    !log.ends_with(['\n', '\r']) && log.len() >= SHORTEST_PART
}

/// Writes the texts of a value, one a line; errors come as objects with a message and a stack.
fn push_said(body: &mut String, value: &Value, depth: usize) {
    match value {
        Value::String(text) => {
            for part in text.split(['\n', '\r']).filter(|part| !part.trim().is_empty()) {
                if !body.is_empty() {
                    body.push('\n');
                }
                body.push_str(&without_ansi(part));
            }
        }
        Value::Object(object) if depth < 3 => {
            for name in [
                "type",
                "name",
                "code",
                "message",
                "msg",
                "detail",
                "error",
                "err",
                "exception",
                "stack",
                "stack_trace",
                "stacktrace",
                "cause",
                "errors",
            ] {
                if let Some(found) = object.get(name) {
                    push_said(body, found, depth + 1);
                }
            }
        }
        Value::Array(list) if depth < 3 => {
            list.iter().take(50).for_each(|item| push_said(body, item, depth + 1))
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<'t>(raw: &'t str, message: &str, level: Level) -> Line<'t> {
        let line = read(raw);
        assert_eq!((line.message(), line.level), (message, level), "{raw}");
        line
    }

    #[test]
    fn prefixes_are_told_from_the_message() {
        check(
            "2026-05-01T10:00:00.1234567Z ##[error]Process failed",
            "##[error]Process failed",
            Level::Error,
        );
        let line = check("web-1  | ERROR: no route", "ERROR: no route", Level::Error);
        assert_eq!(line.entity(), Some("web-1"));
        let line = check("#12 3.456 npm error code EUSAGE", "npm error code EUSAGE", Level::Error);
        assert_eq!(line.source, Some(Source::DockerBuild));
        check(
            "build\tRun tests\t2026-05-01T10:00:00.1Z FAIL src/a.test.ts",
            "FAIL src/a.test.ts",
            Level::Error,
        );
        let line = check(
            "2026-05-01T10:00:00+0000 web-7 dockerd[21]: level=error msg=no",
            "level=error msg=no",
            Level::Error,
        );
        assert_eq!(line.entity(), Some("dockerd"));
        let line = check("May  1 10:00:00 web-7 app[21]: panic: boom", "panic: boom", Level::Fatal);
        assert_eq!(line.entity(), Some("app"));
        check("\u{1b}[31mFATAL\u{1b}[0m boom", "FATAL boom", Level::Fatal);
    }

    #[test]
    fn a_time_in_brackets_is_read() {
        let time = |raw: &str| read(raw).time.map(|time| time.to_string());
        assert_eq!(time("[01-May-2026 10:00:00] NOTICE: ready").as_deref(), Some("2026-05-01T10:00:00Z"));
        assert_eq!(time("[2026-05-01 10:00:00 +0000] [1] [INFO] x").as_deref(), Some("2026-05-01T10:00:00Z"));
        assert_eq!(time("[ 1 ] {} x on a line that is long enough"), None);
        assert_eq!(
            time("[Nest] 1  - 05/01/2026, 10:00:00 AM     LOG [NestFactory] Starting").as_deref(),
            Some("2026-05-01T10:00:00Z")
        );
    }

    #[test]
    fn json_lines_are_decoded() {
        let raw = r#"{"level":50,"time":1777629600000,"msg":"boom","err":{"type":"Error","stack":"Error: x\n    at y"}}"#;
        let line = read(raw);
        assert_eq!(line.level, Level::Error);
        assert_eq!(line.body.as_deref(), Some("boom\nError\nError: x\n    at y"));
        assert_eq!(line.time.map(|time| time.to_string()).as_deref(), Some("2026-05-01T10:00:00Z"));
        let body = |raw: &str| read(raw).body.unwrap_or_default();
        assert_eq!(
            body(
                r#"{"timestamp":"2026-05-01T10:00:00Z","level":"ERROR","fields":{"message":"no","error":"refused"},"target":"web"}"#
            ),
            "no\nrefused"
        );
        assert_eq!(
            body(
                r#"{"message":"no","error.type":"Refused","error.message":"by db","error.stack_trace":"Refused: by db\n\tat a"}"#
            ),
            "no\nRefused\nby db\nRefused: by db\n\tat a"
        );
        assert_eq!(body(r#"{"severityText":"ERROR","body":"no","attributes":{}}"#), "no");
        let line = read(
            r#"{"log":"2026/05/01 10:00:00 [emerg] bind() failed\n","stream":"stderr","time":"2026-05-01T10:00:01Z"}"#,
        );
        assert_eq!(
            (line.text.as_ref(), line.level),
            ("2026/05/01 10:00:00 [emerg] bind() failed", Level::Fatal)
        );
    }
}
