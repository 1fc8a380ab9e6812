//! Reads one line: prefixes that transports put in front, the time, the level, the container.

use analyzer::record::{Level, Source};
use jiff::Timestamp;
use serde_json::Value;
use std::borrow::Cow;
use std::ops::Range;

use super::members::Members;
use super::time;

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
        }
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
    line.level = level_of(message);
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

/// Reads the level that a message states about itself.
pub fn level_of(message: &str) -> Level {
    let head = message.trim_start();
    if let Some(rest) = head.strip_prefix("##[").or_else(|| head.strip_prefix("::")) {
        let word: &str = rest.split([']', ' ', ':']).next().unwrap_or_default();
        if let Some(level) = Level::named(word) {
            return level;
        }
    }
    if let Some(rest) = head.strip_prefix("npm ") {
        let word = rest.split([' ', '!']).next().unwrap_or_default();
        return Level::named(word).unwrap_or_default();
    }
    let mut end = head.len().min(LONGEST_HEAD);
    while !head.is_char_boundary(end) {
        end -= 1;
    }
    let head = &head[..end];
    if let Some(level) = level_of_key(head) {
        return level;
    }
    let letters = Letters::of(head.as_bytes());
    let (mut words, mut at) = (0, 0);
    while let Some((from, to)) = letters.word(at) {
        at = to;
        words += 1;
        if let Some(level) = stated(head, from, to, words) {
            return level;
        }
        if words > MOST_WORDS {
            break;
        }
    }
    Level::Unknown
}

/// How much of a message, and how many words of it, can state its level.
const LONGEST_HEAD: usize = 160;
const MOST_WORDS: usize = 12;

/// Reads `level=info`, `"severity": "ERROR"` and the like.
fn level_of_key(head: &str) -> Option<Level> {
    // All keys have a `v` in their first three letters, and `v` is rare.
    let may_be_key = |at: usize| {
        let from = at.saturating_sub(2);
        ["level", "lvl=", "sever"]
            .iter()
            .any(|key| head.as_bytes()[from..].windows(key.len()).take(2).any(|part| part == key.as_bytes()))
    };
    if !memchr::memchr_iter(b'v', head.as_bytes()).any(may_be_key) {
        return None;
    }
    ["level=", "lvl=", "severity=", "\"level\":", "\"severity\":"].into_iter().find_map(|key| {
        let at = head.find(key)?;
        let value = head[at + key.len()..].trim_start_matches(['"', ' ']);
        let word = value.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        Level::named(word)
    })
}

/// Which bytes of a head are ASCII letters, a bit a byte.
struct Letters([u64; LONGEST_HEAD.div_ceil(64)]);

impl Letters {
    fn of(head: &[u8]) -> Letters {
        let mut letters = [0u64; LONGEST_HEAD.div_ceil(64)];
        for (bits, part) in letters.iter_mut().zip(head.chunks(64)) {
            let (words, rest) = part.as_chunks::<8>();
            for (index, word) in words.iter().enumerate() {
                *bits |= letters_of_eight(u64::from_le_bytes(*word)) << (8 * index);
            }
            for (index, byte) in rest.iter().enumerate() {
                *bits |= u64::from(byte.is_ascii_alphabetic()) << (8 * words.len() + index);
            }
        }
        Letters(letters)
    }

    /// Returns the first word at or after a place, from its first letter to behind its last.
    fn word(&self, at: usize) -> Option<(usize, usize)> {
        let from = self.next(at, 0)?;
        Some((from, self.next(from, u64::MAX)?))
    }

    /// Returns the first place that is a letter, or with all bits flipped, the first that is none.
    fn next(&self, at: usize, flip: u64) -> Option<usize> {
        let mut index = at / 64;
        let mut bits = (self.0.get(index)? ^ flip) & (u64::MAX << (at % 64));
        while bits == 0 {
            index += 1;
            bits = self.0.get(index)? ^ flip;
        }
        Some(index * 64 + bits.trailing_zeros() as usize)
    }
}

/// Returns a bit for each of eight bytes: whether it is an ASCII letter.
fn letters_of_eight(bytes: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let lower = (bytes | (0x20 * ONES)) & !HIGH;
    let from_a = lower + u64::from(0x80 - b'a') * ONES;
    let beyond_z = lower + u64::from(0x80 - b'z' - 1) * ONES;
    let letters = from_a & !beyond_z & !bytes & HIGH;
    // Gathers the high bits of all bytes in the highest byte.
    (letters >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// A word states a level when it is written like one: in capitals, in brackets, or first and before a colon.
fn stated(head: &str, from: usize, to: usize, words: usize) -> Option<Level> {
    let bytes = head.as_bytes();
    let word = &bytes[from..to];
    if !(3..=11).contains(&word.len()) {
        return None;
    }
    let before = from.checked_sub(1).map(|at| bytes[at]);
    let after = bytes.get(to).copied();
    let capitals = || word.iter().all(u8::is_ascii_uppercase);
    let plain = || {
        !matches!(before, Some(b'_' | b'-' | b'.' | b'=' | b'/' | b'\'' | b'"' | b'`'))
            && !matches!(after, Some(b'_' | b'-' | b'.' | b'=' | b'\'' | b'"' | b'`'))
    };
    let bracketed = matches!(before, Some(b'[' | b'(')) && matches!(after, Some(b']' | b')' | b':'));
    let leads = words <= 1 && after == Some(b':');
    if leads || bracketed || words <= 8 && capitals() && plain() {
        Level::named(&head[from..to])
    } else {
        None
    }
}

/// Finds a time near the start of a message: `[2026-05-01 10:00:00 +0000] …`, `time="2026-…"`.
fn time_inside(message: &str) -> Option<Timestamp> {
    if let Some(found) = message.strip_prefix('[').and_then(time::leading) {
        return Some(found.0);
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

/// Names of members that hold the time, and the level: of most libraries, Serilog, the console of .NET, Monolog.
const TIMES: [&str; 10] =
    ["time", "timestamp", "@timestamp", "ts", "t", "date", "asctime", "@t", "Timestamp", "datetime"];
const LEVELS: [&str; 11] = [
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
        let text = inner.text.into_owned();
        return Line {
            text: Cow::Owned(text),
            time,
            ..inner_owned(inner.message_at, inner.level, inner.named, inner.source, inner.body)
        };
    }
    if let Some(time) = first(&TIMES).and_then(time::of_value) {
        line.time = Some(time);
    }
    line.level = first(&LEVELS).map_or(Level::Unknown, level_of_value);
    let mut body = String::new();
    for names in [
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
        ][..],
        &["error", "err", "exception", "@x", "exc_info", "reason", "cause", "Exception"],
        &[
            "stack",
            "stack_trace",
            "stacktrace",
            "error.stack",
            "error.stack_trace",
            "exception.stacktrace",
            "trace",
        ],
    ] {
        if let Some(found) = first(names) {
            push_said(&mut body, found, 0);
        }
    }
    if !body.is_empty() {
        line.body = Some(body);
    } else {
        line.level = line.level.max(level_of(line.message()));
    }
    line
}

fn inner_owned<'t>(
    message_at: usize,
    level: Level,
    named: Option<Range<usize>>,
    source: Option<Source>,
    body: Option<String>,
) -> Line<'t> {
    Line { message_at, level, named, source, body, ..Line::default() }
}

fn level_of_value(value: &Value) -> Level {
    match value {
        Value::String(name) => match name.as_str() {
            "E" => Level::Error,
            "F" => Level::Fatal,
            "W" => Level::Warn,
            "I" => Level::Info,
            name => Level::named(name).unwrap_or_default(),
        },
        // The numbers of bunyan and pino.
        Value::Number(number) => match number.as_u64() {
            Some(60..) => Level::Fatal,
            Some(50..) => Level::Error,
            Some(40..) => Level::Warn,
            Some(30..) => Level::Info,
            Some(20..) => Level::Debug,
            _ => Level::Unknown,
        },
        _ => Level::Unknown,
    }
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
                "stack",
                "stack_trace",
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
        check("\u{1b}[31mFATAL\u{1b}[0m boom", "FATAL boom", Level::Fatal);
    }

    #[test]
    fn a_time_in_brackets_is_read() {
        let time = |raw: &str| read(raw).time.map(|time| time.to_string());
        assert_eq!(time("[01-May-2026 10:00:00] NOTICE: ready").as_deref(), Some("2026-05-01T10:00:00Z"));
        assert_eq!(time("[2026-05-01 10:00:00 +0000] [1] [INFO] x").as_deref(), Some("2026-05-01T10:00:00Z"));
        assert_eq!(time("[ 1 ] {} x on a line that is long enough"), None);
    }

    #[test]
    fn levels_are_stated_not_mentioned() {
        check("an error occurred", "an error occurred", Level::Unknown);
        check("time=x level=warning msg=\"error\"", "time=x level=warning msg=\"error\"", Level::Warn);
        check("[INFO] 0 errors", "[INFO] 0 errors", Level::Info);
        check("error: cannot open", "error: cannot open", Level::Error);
    }

    #[test]
    fn json_lines_are_decoded() {
        let raw = r#"{"level":50,"time":1777629600000,"msg":"boom","err":{"type":"Error","stack":"Error: x\n    at y"}}"#;
        let line = read(raw);
        assert_eq!(line.level, Level::Error);
        assert_eq!(line.body.as_deref(), Some("boom\nError\nError: x\n    at y"));
        assert_eq!(line.time.map(|time| time.to_string()).as_deref(), Some("2026-05-01T10:00:00Z"));
        let line = read(
            r#"{"log":"2026/05/01 10:00:00 [emerg] bind() failed\n","stream":"stderr","time":"2026-05-01T10:00:01Z"}"#,
        );
        assert_eq!(
            (line.text.as_ref(), line.level),
            ("2026/05/01 10:00:00 [emerg] bind() failed", Level::Fatal)
        );
    }
}
