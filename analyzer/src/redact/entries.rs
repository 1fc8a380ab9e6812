//! Finds secrets in entries that give a name and a value apart:
//! `{"name": "DB_PASSWORD", "value": "x"}`, `ParameterKey=DbPassword,ParameterValue=x`.

use std::ops::Range;

use super::Secret;
use super::assigned::Written;
use super::quotes::{Quote, closing, quote_at, quote_before};
use super::telling::says_nothing;
use super::values::{count, skip_spaces, skip_whitespace, value_at};

/// What names what an entry is about.
const NAMES: [&str; 11] = [
    "env",
    "envname",
    "field",
    "key",
    "name",
    "optionname",
    "param",
    "parameterkey",
    "parametername",
    "property",
    "variable",
];
/// What names its value.
const VALUES: [&str; 5] = ["val", "value", "parametervalue", "stringvalue", "secretvalue"];

/// How many members may stand between both: a type, a version.
const MOST_BETWEEN: usize = 5;
/// How far before its name a value may begin.
const FARTHEST: usize = 4096;
const LONGEST_PATH: usize = 256;

/// Whether what stands before a name may make it that of an entry.
pub fn may_be_named(text: &[u8], written: &Written) -> bool {
    name_start(text, written).is_some()
}

/// Finds the value that belongs to the name of an entry.
pub fn find(text: &[u8], written: &Written, secrets: &mut Vec<Secret>) {
    let Some(start) = name_start(text, written) else { return };
    let end = written.range.end + written.closing.map_or(0, Quote::len);
    let value = behind(text, end).or_else(|| before(text, start));
    if let Some(secret) = value
        && !says_nothing(&text[secret.range.clone()])
    {
        secrets.push(secret);
    }
}

/// Returns where the key begins that makes a name that of an entry: the place of `"name"` in `"name": "DB_PASSWORD"`.
fn name_start(text: &[u8], written: &Written) -> Option<usize> {
    let is_path = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-./".contains(byte);
    let mut at = written.range.start;
    at -= text[..at].iter().rev().take(LONGEST_PATH).take_while(is_path).count();
    at -= quote_before(text, at).map_or(0, Quote::len);
    at -= if text[..at].ends_with(b"Some(") { 5 } else { 0 };
    let spaced = at;
    at = before_spaces(text, at);
    let is_option = match &text[..at] {
        [.., b'=', b'>'] => {
            at -= 2;
            false
        }
        [.., b':' | b'='] => {
            at -= 1;
            false
        }
        // `--name DB_PASSWORD --value x` of a command.
        [.., last] if at < spaced && last.is_ascii_alphabetic() => true,
        _ => return None,
    };
    at = before_spaces(text, at);
    at -= quote_before(text, at).map_or(0, Quote::len);
    let letters = text[..at].iter().rev().take(16).take_while(|byte| byte.is_ascii_alphabetic()).count();
    is_one_of(&NAMES, &text[at - letters..at]).then_some(())?;
    at -= letters;
    (!is_option || text[..at].ends_with(b"--")).then_some(())?;
    Some(at - quote_before(text, at).map_or(0, Quote::len))
}

/// Returns the value that stands behind the name.
fn behind(text: &[u8], end: usize) -> Option<Secret> {
    let mut at = end;
    for _ in 0..MOST_BETWEEN {
        at = skip_between(text, at);
        let member = member(text, at)?;
        let key = &text[member.key.clone()];
        if is_one_of(&VALUES, key) {
            return member.value;
        }
        if is_one_of(&NAMES, key) {
            return None;
        }
        at = member.end;
    }
    None
}

/// Returns the value that stands before the name.
fn before(text: &[u8], start: usize) -> Option<Secret> {
    let area = start.saturating_sub(FARTHEST)..start;
    let places = memchr::memrchr2_iter(b'v', b'V', &text[area.clone()]).map(|at| area.start + at);
    let is_value = |at: &usize| text[*at..].get(..3).is_some_and(|word| word.eq_ignore_ascii_case(b"val"));
    places.filter(is_value).take(MOST_BETWEEN).find_map(|place| {
        let letters =
            text[..place].iter().rev().take(16).take_while(|byte| byte.is_ascii_alphabetic()).count();
        let from = place - letters;
        let first = member(text, from - quote_before(text, from).map_or(0, Quote::len))?;
        is_one_of(&VALUES, &text[first.key.clone()]).then_some(())?;
        let mut at = first.end;
        for _ in 0..MOST_BETWEEN {
            // An item that begins between both is another entry.
            let next = skip_between(text, at);
            let is_item = text.get(at..next.min(start))?.windows(2).any(|pair| pair == b"- ");
            if next >= start || is_item {
                return first.value.filter(|_| next == start && !is_item);
            }
            at = member(text, next)?.end;
        }
        None
    })
}

struct Member {
    key: Range<usize>,
    value: Option<Secret>,
    end: usize,
}

/// Returns the member that begins at a place: a key, what links it, a value.
fn member(text: &[u8], at: usize) -> Option<Member> {
    let quote = quote_at(text, at);
    let from = at + quote.map_or(0, Quote::len);
    let (to, end) = match quote {
        Some(quote) => closing(text, from, quote)?,
        None => {
            let to = from + count(text, from, |byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
            (to, to)
        }
    };
    if to == from {
        return None;
    }
    let at = skip_spaces(text, end);
    let at = match text.get(at..)? {
        [b'=', b'>', ..] => at + 2,
        [b':' | b'=', ..] => at + 1,
        _ if quote.is_none() && at > end && text[..from].ends_with(b"--") => at,
        _ => return None,
    };
    let at = skip_whitespace(text, at);
    let found = value_at(text, at)?;
    let quotes = quote.filter(|quote| found.lacks(text, *quote));
    Some(Member { key: from..to, end: found.end, value: Some(Secret { range: found.range, quotes }) })
}

/// Skips what stands between members of an entry: spaces, commas, line breaks, signs of a difference.
fn skip_between(text: &[u8], mut at: usize) -> usize {
    loop {
        at += match text.get(at..).unwrap_or_default() {
            [byte, ..] if byte.is_ascii_whitespace() => 1,
            [b'-', b'>', rest @ ..] => 2 + count(rest, 0, |byte| byte == b' ' || byte.is_ascii_alphabetic()),
            [b',' | b';' | b'+' | b'~' | b'-' | b')' | b']', ..] => 1,
            rest => match count(rest, 0, |byte| byte == b'\\') {
                slashes if slashes > 0 && matches!(rest.get(slashes), Some(b'n' | b'r' | b't')) => {
                    slashes + 1
                }
                _ => return at,
            },
        };
    }
}

fn before_spaces(text: &[u8], at: usize) -> usize {
    at - text[..at].iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

fn is_one_of(list: &[&str], word: &[u8]) -> bool {
    list.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(word))
}
