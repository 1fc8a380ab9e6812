//! Reads the level that a message states.

use analyzer::record::Level;
use serde_json::Value;

use crate::bits;

/// Reads the level that a message states about itself.
pub fn of(message: &str) -> Level {
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
    if let Some(level) = of_key(head) {
        return level;
    }
    let mut letters = [0u64; LONGEST_HEAD.div_ceil(64)];
    for (bits, part) in letters.iter_mut().zip(head.as_bytes().chunks(64)) {
        *bits = bits::of_part(part, bits::letters_of_eight);
    }
    let (mut words, mut at) = (0, 0);
    while let Some(from) = bits::next(&letters, at) {
        let to = bits::next_other(&letters, from).unwrap_or(head.len());
        at = to;
        words += 1;
        if let Some(level) = stated(head, from, to, words) {
            // PHP-FPM hands on in one tone whatever a script says.
            return head[to..].strip_prefix(": PHP message: ").map_or(level, of);
        }
        if words > MOST_WORDS {
            break;
        }
    }
    Level::Unknown
}

/// Reads the value of a member that holds the level: a name, a letter, or a number of bunyan and pino.
pub fn of_value(value: &Value) -> Level {
    match value {
        Value::String(name) => match name.as_str() {
            "E" => Level::Error,
            "F" => Level::Fatal,
            "W" => Level::Warn,
            "I" => Level::Info,
            name => Level::named(name).unwrap_or_default(),
        },
        Value::Number(number) => match number.as_u64() {
            // Those of Monolog go in hundreds.
            Some(500..) => Level::Fatal,
            Some(400..) => Level::Error,
            Some(300..) => Level::Warn,
            Some(200..) => Level::Info,
            Some(100..) => Level::Debug,
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

/// How much of a message, and how many words of it, can state its level.
const LONGEST_HEAD: usize = 160;
const MOST_WORDS: usize = 12;

/// Reads `level=info`, `"severity": "ERROR"` and the like.
fn of_key(head: &str) -> Option<Level> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_stated_not_mentioned() {
        assert_eq!(of("an error occurred"), Level::Unknown);
        assert_eq!(of("time=x level=warning msg=\"error\""), Level::Warn);
        assert_eq!(of("[INFO] 0 errors"), Level::Info);
        assert_eq!(of("error: cannot open"), Level::Error);
        assert_eq!(of("NOTICE: ready to handle connections"), Level::Info);
        assert_eq!(of("NOTICE: PHP message: PHP Fatal error:  Uncaught Error"), Level::Unknown);
    }
}
