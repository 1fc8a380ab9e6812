//! Lines of syslog, of journald and of klog: their times have no year, and the program stands between time and message.

use analyzer::record::Level;
use std::ops::Range;

use super::time;

/// What stands in front of a message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Head {
    /// Where the message begins.
    pub end: usize,
    /// Where the program is named.
    pub program: Option<Range<usize>>,
    pub level: Level,
}

/// Reads what stands in front of a message that begins with a time without a year.
///
/// Known are `Nov  9 08:00:03 host program[7]: `, `E1109 08:00:03.000001       1 main.go:7] ` and
/// what Redis wrote before it wrote the year, `1:M 09 Nov 08:00:03.125 * `.
pub fn leading(text: &str) -> Option<Head> {
    let bytes = text.as_bytes();
    match bytes.first()? {
        b'I' | b'W' | b'E' | b'F' if bytes.get(1).is_some_and(u8::is_ascii_digit) => klog(text),
        b'A'..=b'Z' => {
            let end = time::without_year(bytes, 0)?;
            let end = end + usize::from(bytes.get(end) == Some(&b' '));
            let (end, program) = match program(&text[end..], false) {
                Some((name, message)) => (end + message, Some(end + name.start..end + name.end)),
                None => (end, None),
            };
            Some(Head { end, program, level: Level::Unknown })
        }
        b'0'..=b'9' => {
            let process = bytes.iter().take(8).take_while(|byte| byte.is_ascii_digit()).count();
            let is_redis = bytes.get(process) == Some(&b':') && bytes.get(process + 2) == Some(&b' ');
            let end = is_redis.then(|| time::day_without_year(bytes, process + 3)).flatten()?;
            Some(Head { end: end + usize::from(bytes.get(end) == Some(&b' ')), ..Head::default() })
        }
        _ => None,
    }
}

/// Reads `host program[7]: `; returns where the program is named, and where the message begins.
pub fn program(text: &str, needs_number: bool) -> Option<(Range<usize>, usize)> {
    const LONGEST: usize = 200;
    let (host, rest) = text.split_once(' ')?;
    let head = &rest.as_bytes()[..rest.len().min(LONGEST)];
    let named = head
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b'@'))
        .count();
    let digits =
        head.get(named + 1..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = match head.get(named) {
        Some(b'[') if digits > 0 && head.get(named + 1 + digits) == Some(&b']') => digits + 2,
        _ => 0,
    };
    let ends = head.get(named + number..)?;
    let is_host = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if named == 0 || host.is_empty() || !is_host || ends.first() != Some(&b':') {
        return None;
    }
    // `main ERROR: no` names a level and no program.
    let is_level = || Level::named(&rest[..named]).is_some();
    if number == 0 && (needs_number || is_level()) {
        return None;
    }
    let from = host.len() + 1;
    let message = from + named + number + 1;
    Some((from..from + named, message + usize::from(ends.get(1) == Some(&b' '))))
}

/// Reads `E1109 08:00:03.000001       1 main.go:7] `.
fn klog(text: &str) -> Option<Head> {
    let bytes = text.as_bytes();
    let is_date = bytes.get(1..5)?.iter().all(u8::is_ascii_digit) && bytes.get(5) == Some(&b' ');
    let time = is_date.then(|| time::of_day(bytes, 6)).flatten()?;
    let place = text.get(time..)?.find("] ").filter(|place| *place < 80)?;
    let level = match bytes[0] {
        b'I' => Level::Info,
        b'W' => Level::Warn,
        b'E' => Level::Error,
        _ => Level::Fatal,
    };
    Some(Head { end: time + place + 2, program: None, level })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, program: Option<&str>, level: Level, message: &str) {
        let head = leading(text).expect("a time without a year");
        let named = head.program.clone().map(|named| &text[named]);
        assert_eq!((named, head.level, &text[head.end..]), (program, level, message));
    }

    #[test]
    fn programs_are_told_from_messages() {
        let unknown = Level::Unknown;
        check(
            "Nov  9 08:00:03 ip-10-0-1-7 dockerd[2101]: level=error msg=no",
            Some("dockerd"),
            unknown,
            "level=error msg=no",
        );
        check("Nov 19 08:00:03 web amazon-ecs-init: starting", Some("amazon-ecs-init"), unknown, "starting");
        check("Nov 19 08:00:03 main ERROR: no", None, unknown, "main ERROR: no");
        check("Nov 19 08:00:03.125 ERROR cannot start: no", None, unknown, "ERROR cannot start: no");
        check(
            "1:M 09 Nov 08:00:03.125 # Can't save in background: fork",
            None,
            unknown,
            "# Can't save in background: fork",
        );
        check("E1109 08:00:03.000001       1 main.go:7] cannot list", None, Level::Error, "cannot list");
    }

    #[test]
    fn what_has_no_time_is_left_alone() {
        for text in [
            "",
            "I",
            "Nov",
            "Nov 99 08:00:03 a b: c",
            "I1109 was here",
            "E1109 08:00:03",
            "1:M 09 Nov",
            "Not 19 08:00:03 x",
        ] {
            assert_eq!(leading(text), None, "{text}");
        }
    }
}
