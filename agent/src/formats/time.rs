//! Reads the usual time formats of logs.

use jiff::Timestamp;

/// Reads a date and time at the start of a text; returns it with the number of bytes that it takes.
///
/// Known are ISO 8601 and its relatives (`2026-05-01T10:00:00.123Z`, `2026/05/01 10:00:00`, `… +0200`, `…,123`),
/// the form of access logs (`01/May/2026:10:00:00 +0000`), that of mails (`Fri, 01 May 2026 10:00:00 GMT`), that of C
/// (`Fri May  1 10:00:00 2026`), the American one with AM or PM, the German one (`01.05.2026 10:00:00`), and seconds since
/// 1970 with a fraction.
/// A time without a zone is taken for UTC; one without a year is none (`syslog.rs` passes over it).
pub fn leading(text: &str) -> Option<(Timestamp, usize)> {
    let bytes = text.as_bytes();
    if bytes.len() < 19 {
        return None;
    }
    if bytes[2] == b'/' && bytes[6] == b'/' && matches!(bytes[11], b':' | b' ') {
        return with_named_month(bytes, 0);
    }
    if bytes[3] == b',' && bytes[4] == b' ' {
        return with_named_month(bytes, 5);
    }
    if bytes[3] == b' ' && bytes[7] == b' ' && bytes[13] == b':' {
        return of_c(bytes);
    }
    if bytes[0].is_ascii_digit() && matches!((bytes[1], bytes[2]), (b'/', _) | (_, b'/')) {
        return american(bytes);
    }
    if bytes[2] == b'.' && bytes[5] == b'.' && matches!(bytes[10], b' ' | b',') {
        return continental(bytes);
    }
    if bytes[0] == b'1' && (bytes[10] == b'.' || bytes[13] == b' ') {
        return since_1970(bytes);
    }
    // What Redis puts in front of the time: its process and its role.
    let process = bytes.iter().take(8).take_while(|byte| byte.is_ascii_digit()).count();
    if process > 0 && bytes[process] == b':' && bytes[process + 2] == b' ' {
        return with_named_month(bytes, process + 3);
    }
    if matches!(bytes[2], b' ' | b'-') && bytes[6] == bytes[2] {
        return with_named_month(bytes, 0);
    }
    let separator = bytes[4];
    if !matches!(separator, b'-' | b'/' | b'.')
        || bytes[7] != separator
        || !matches!(bytes[10], b'T' | b' ' | b't')
    {
        return None;
    }
    let (year, month, day) = (number::<4>(bytes, 0)?, number::<2>(bytes, 5)?, number::<2>(bytes, 8)?);
    let (seconds, mut at) = clock(bytes, 11)?;
    let (nanos, after) = fraction(bytes, at);
    at = after;
    let (offset, end) = zone(bytes, at);
    Some((timestamp(year, month, day, seconds - offset, nanos)?, end))
}

/// Reads a whole string, or a number of seconds or milliseconds since 1970.
pub fn of_value(value: &serde_json::Value) -> Option<Timestamp> {
    if let Some(text) = value.as_str() {
        return leading(text).map(|(time, _)| time);
    }
    if let Some(text) = value.get("$date").and_then(|date| date.as_str()) {
        return leading(text).map(|(time, _)| time);
    }
    if let Some(seconds) = value.get("epochSecond").and_then(|seconds| seconds.as_i64()) {
        let nanos = value.get("nanoOfSecond").and_then(|nanos| nanos.as_i64()).unwrap_or(0);
        return Timestamp::new(seconds, nanos.try_into().ok()?).ok();
    }
    let number = value.as_f64()?;
    match number {
        1e8..1e11 => Timestamp::from_millisecond((number * 1000.0) as i64).ok(),
        1e11..1e14 => Timestamp::from_millisecond(number as i64).ok(),
        1e14..1e17 => Timestamp::from_microsecond(number as i64).ok(),
        1e17..1e19 => Timestamp::from_nanosecond(number as i128).ok(),
        _ => None,
    }
}

/// Reads `01/May/2026:10:00:00`, `01-May-2026 10:00:00` and `01 May 2026 10:00:00.123`.
fn with_named_month(bytes: &[u8], from: usize) -> Option<(Timestamp, usize)> {
    let separators = (*bytes.get(from + 2)?, *bytes.get(from + 6)?, *bytes.get(from + 11)?);
    if !matches!(separators, (b'/', b'/', b':' | b' ') | (b'-', b'-', b' ') | (b' ', b' ', b' ')) {
        return None;
    }
    let month = month_named(bytes, from + 3)?;
    let (day, year) = (number::<2>(bytes, from)?, number::<4>(bytes, from + 7)?);
    let (seconds, at) = clock(bytes, from + 12)?;
    let (nanos, at) = fraction(bytes, at);
    let (offset, end) = zone(bytes, at);
    Some((timestamp(year, month, day, seconds - offset, nanos)?, end))
}

/// Reads `Fri May  1 10:00:00.123 2026`.
fn of_c(bytes: &[u8]) -> Option<(Timestamp, usize)> {
    let month = month_named(bytes, 4)?;
    let day = number::<2>(bytes, 8).or_else(|| number::<1>(bytes, 9).filter(|_| bytes[8] == b' '))?;
    let (seconds, at) = clock(bytes, 11)?;
    let (nanos, at) = fraction(bytes, at);
    let year = number::<4>(bytes, at + 1).filter(|_| bytes.get(at) == Some(&b' '))?;
    Some((timestamp(year, month, day, seconds, nanos)?, at + 5))
}

/// Reads `5/1/2026, 10:00:00 PM`; without AM or PM the day may stand before the month.
fn american(bytes: &[u8]) -> Option<(Timestamp, usize)> {
    let (month, at) = short_number(bytes, 0)?;
    let (day, at) = short_number(bytes, at + 1).filter(|_| bytes.get(at) == Some(&b'/'))?;
    let year = number::<4>(bytes, at + 1).filter(|_| bytes.get(at) == Some(&b'/'))?;
    let at = at + 5 + usize::from(bytes.get(at + 5) == Some(&b','));
    let (hour, colon) = short_number(bytes, at + 1).filter(|_| bytes.get(at) == Some(&b' '))?;
    let (minutes, seconds) = (number::<2>(bytes, colon + 1)?, number::<2>(bytes, colon + 4)?);
    let is_clock = bytes.get(colon) == Some(&b':') && bytes.get(colon + 3) == Some(&b':');
    let afternoon = match bytes.get(colon + 6..colon + 9)? {
        b" AM" => 0,
        b" PM" => 12,
        _ => return None,
    };
    let fits = is_clock && (1..=12).contains(&hour) && minutes < 60 && seconds <= 60;
    let seconds = (hour % 12 + afternoon) * 3600 + minutes * 60 + seconds;
    fits.then(|| timestamp(year, month, day, seconds, 0)).flatten().map(|time| (time, colon + 9))
}

/// Reads `01.05.2026 10:00:00.123`.
fn continental(bytes: &[u8]) -> Option<(Timestamp, usize)> {
    let (day, month, year) = (number::<2>(bytes, 0)?, number::<2>(bytes, 3)?, number::<4>(bytes, 6)?);
    let from = 11 + bytes.get(10..)?.iter().take_while(|byte| matches!(byte, b',')).count();
    let (seconds, at) = clock(bytes, from)?;
    let (nanos, at) = fraction(bytes, at);
    let (offset, end) = zone(bytes, at);
    Some((timestamp(year, month, day, seconds - offset, nanos)?, end))
}

/// Reads seconds since 1970 with a fraction, or milliseconds.
fn since_1970(bytes: &[u8]) -> Option<(Timestamp, usize)> {
    if bytes[10] == b'.' {
        let seconds = number::<10>(bytes, 0)?;
        let (nanos, end) = fraction(bytes, 10);
        let is_whole =
            end > 11 && bytes.get(end).is_none_or(|next| matches!(next, b' ' | b']' | b'\t' | b':'));
        return is_whole.then(|| Timestamp::new(seconds, nanos).ok()).flatten().map(|time| (time, end));
    }
    Timestamp::from_millisecond(number::<13>(bytes, 0)?).ok().map(|time| (time, 13))
}

/// Reads `Nov  9 08:00:03.125`; returns where it ends.
pub fn without_year(bytes: &[u8], from: usize) -> Option<usize> {
    month_named(bytes, from)?;
    let day = number::<2>(bytes, from + 4)
        .or_else(|| number::<1>(bytes, from + 5).filter(|_| bytes[from + 4] == b' '))?;
    let spaces = bytes.get(from + 3) == Some(&b' ') && bytes.get(from + 6) == Some(&b' ');
    (spaces && (1..=31).contains(&day)).then(|| of_day(bytes, from + 7)).flatten()
}

/// Reads `09 Nov 08:00:03.125`; returns where it ends.
pub fn day_without_year(bytes: &[u8], from: usize) -> Option<usize> {
    let day = number::<2>(bytes, from)?;
    month_named(bytes, from + 3)?;
    let spaces = bytes.get(from + 2) == Some(&b' ') && bytes.get(from + 6) == Some(&b' ');
    (spaces && (1..=31).contains(&day)).then(|| of_day(bytes, from + 7)).flatten()
}

/// Reads `08:00:03.125`; returns where it ends.
pub fn of_day(bytes: &[u8], from: usize) -> Option<usize> {
    let (_, end) = clock(bytes, from)?;
    Some(fraction(bytes, end).1)
}

fn month_named(bytes: &[u8], at: usize) -> Option<i64> {
    const MONTHS: [&[u8]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let name = bytes.get(at..at + 3)?;
    MONTHS.iter().position(|month| *month == name).map(|month| month as i64 + 1)
}

/// Reads a number of one or two digits; returns it and where it ends.
fn short_number(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    number::<2>(bytes, at).map(|found| (found, at + 2)).or_else(|| Some((number::<1>(bytes, at)?, at + 1)))
}

fn clock(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    if bytes.get(at + 2) != Some(&b':') || bytes.get(at + 5) != Some(&b':') {
        return None;
    }
    let (hours, minutes, seconds) =
        (number::<2>(bytes, at)?, number::<2>(bytes, at + 3)?, number::<2>(bytes, at + 6)?);
    (hours < 24 && minutes < 60 && seconds <= 60).then_some((hours * 3600 + minutes * 60 + seconds, at + 8))
}

fn fraction(bytes: &[u8], at: usize) -> (i32, usize) {
    if !matches!(bytes.get(at), Some(b'.' | b',')) || !bytes.get(at + 1).is_some_and(u8::is_ascii_digit) {
        return (0, at);
    }
    let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut nanos = 0;
    for place in 0..9 {
        let digit = if place < digits { i32::from(bytes[at + 1 + place] - b'0') } else { 0 };
        nanos = nanos * 10 + digit;
    }
    (nanos, at + 1 + digits)
}

/// Reads `Z`, `+02:00`, ` +0200` or ` UTC`; returns seconds east of UTC.
fn zone(bytes: &[u8], at: usize) -> (i64, usize) {
    let rest = &bytes[at.min(bytes.len())..];
    if matches!(rest.first(), Some(b'Z' | b'z')) {
        return (0, at + 1);
    }
    if rest.starts_with(b" UTC") || rest.starts_with(b" GMT") {
        return (0, at + 4);
    }
    let spaces = usize::from(rest.first() == Some(&b' '));
    let sign = match rest.get(spaces) {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return (0, at),
    };
    let start = at + spaces + 1;
    let Some(hours) = number::<2>(bytes, start) else { return (0, at) };
    let colon = usize::from(bytes.get(start + 2) == Some(&b':'));
    match number::<2>(bytes, start + 2 + colon) {
        Some(minutes) if hours < 24 && minutes < 60 => {
            (sign * (hours * 3600 + minutes * 60), start + 4 + colon)
        }
        _ => (0, at),
    }
}

fn number<const DIGITS: usize>(bytes: &[u8], at: usize) -> Option<i64> {
    let digits = bytes.get(at..)?.first_chunk::<DIGITS>()?;
    let mut number = 0;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(byte - b'0');
    }
    Some(number)
}

/// Counts days the way of the proleptic Gregorian calendar.
fn timestamp(year: i64, month: i64, day: i64, seconds: i64, nanos: i32) -> Option<Timestamp> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(1970..=9000).contains(&year) {
        return None;
    }
    let (y, m) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let (era, of_era) = (y / 400, y % 400);
    let of_year = (153 * m + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Timestamp::new(days * 86_400 + seconds, nanos).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str, rest: &str) {
        let (time, end) = leading(text).expect("a time");
        assert_eq!((time.to_string().as_str(), &text[end..]), (expected, rest));
    }

    #[test]
    fn reads_the_usual_formats() {
        check("2026-05-01T10:00:00Z x", "2026-05-01T10:00:00Z", " x");
        check("2026-05-01T10:00:00.123456+09:00 x", "2026-05-01T01:00:00.123456Z", " x");
        check("2026-02-28 23:59:59,5 INFO", "2026-02-28T23:59:59.5Z", " INFO");
        check("2024/02/29 00:00:00 [emerg]", "2024-02-29T00:00:00Z", " [emerg]");
        check("2026-05-01 10:00:00 +0200] x", "2026-05-01T08:00:00Z", "] x");
        check("01/May/2026:10:00:00 +0000] x", "2026-05-01T10:00:00Z", "] x");
        check("2026.05.01 10:00:00.250 [ 1 ] {} x", "2026-05-01T10:00:00.25Z", " [ 1 ] {} x");
        check("01-May-2026 10:00:00] NOTICE: x", "2026-05-01T10:00:00Z", "] NOTICE: x");
        check("[02/Nov/2026 08:00:03] x"[1..].as_ref(), "2026-11-02T08:00:03Z", "] x");
        check("Mon, 02 Nov 2026 08:00:03 GMT x", "2026-11-02T08:00:03Z", " x");
        check("Mon Nov  2 08:00:03 2026 x", "2026-11-02T08:00:03Z", " x");
        check("Mon Nov 02 08:00:03.25 2026] [core:error]", "2026-11-02T08:00:03.25Z", "] [core:error]");
        check("11/02/2026 08:00:03 AM x", "2026-11-02T08:00:03Z", " x");
        check("1/2/2026, 12:10:03 PM x", "2026-01-02T12:10:03Z", " x");
        check("1793606403.125 x, and more", "2026-11-02T08:00:03.125Z", " x, and more");
        check("1793606403125 x, and more", "2026-11-02T08:00:03.125Z", " x, and more");
        check("1:M 01 May 2026 10:00:00.125 * Ready", "2026-05-01T10:00:00.125Z", " * Ready");
        check("01.05.2026 10:00:00.125 [main]", "2026-05-01T10:00:00.125Z", " [main]");
        check("01.05.2026, 10:00:00 INFO", "2026-05-01T10:00:00Z", " INFO");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "2026-05-01",
            "2026-13-01T10:00:00Z",
            "hello world, how are you",
            "2026-05-01T25:00:00Z",
            "1:M 01 Mai 2026 10:00:00.125 * x",
            "10 orders were read in 12 s",
            "12345678: no time at all here",
            "02/11/2026 08:00:03 and no more",
            "1/2/2026, 13:10:03 PM it is not",
            "Mon Nov 02 08:00:03 of no year",
            "1234567890.25.1 is a version",
            "1000 items were, so it seems, sent",
        ] {
            assert_eq!(leading(text), None, "{text}");
        }
    }
}
