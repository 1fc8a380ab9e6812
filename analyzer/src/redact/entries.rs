//! Finds secrets in entries that give a name and a value apart:
//! `{"name": "DB_PASSWORD", "value": "x"}`, `ParameterKey=DbPassword,ParameterValue=x`.

use std::ops::Range;

use super::Secret;
use super::assigned::Written;
use super::quotes::{Quote, closing, quote_at, quote_before};
use super::telling::says_nothing;
use super::values::{count, next_value, skip_spaces, skip_whitespace, value_at};

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
/// What names where it was found that a setting is wrong: `"path": ["db", "password"]`.
const PATHS: [&str; 3] = ["loc", "path", "instancepath"];
/// What names its value.
const VALUES: [&str; 9] = [
    "val",
    "value",
    "parametervalue",
    "stringvalue",
    "secretvalue",
    "rejectedvalue",
    "received",
    "input",
    "input_value",
];

/// How many members may stand between both: a type, a version.
const MOST_BETWEEN: usize = 5;
/// How far before its name a value may begin.
const FARTHEST: usize = 4096;
const LONGEST_PATH: usize = 256;

/// Whether what stands before a name may make it that of an entry.
pub fn may_be_named(text: &[u8], written: &Written) -> bool {
    name_start(text, written).is_some()
}

/// Finds the values that belong to the name of an entry.
pub fn find(text: &[u8], written: &Written, secrets: &mut Vec<Secret>) {
    let Some((start, is_path)) = name_start(text, written) else { return };
    let end = written.range.end + written.closing.map_or(0, Quote::len);
    let mut values = behind(text, end);
    if values.is_empty() {
        values = if is_path { before_path(text, start) } else { before(text, start) };
    }
    secrets.extend(values.into_iter().filter(|secret| !says_nothing(&text[secret.range.clone()])));
}

/// Returns where the key begins that makes a name that of an entry: the place of `"name"` in `"name": "DB_PASSWORD"`.
/// Tells as well whether it names a path.
fn name_start(text: &[u8], written: &Written) -> Option<(usize, bool)> {
    let is_path = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-./".contains(byte);
    let mut at = written.range.start;
    at -= text[..at].iter().rev().take(LONGEST_PATH).take_while(is_path).count();
    at -= quote_before(text, at).map_or(0, Quote::len);
    at -= if text[..at].ends_with(b"Some(") { 5 } else { 0 };
    let spaced = at;
    at = before_spaces(text, at);
    if written.opening.is_some() {
        at = before_items(text, at);
    }
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
    let is_path = is_one_of(&PATHS, &text[at - letters..at]);
    (is_path || is_one_of(&NAMES, &text[at - letters..at])).then_some(())?;
    at -= letters;
    (!is_option || text[..at].ends_with(b"--")).then_some(())?;
    Some((at - quote_before(text, at).map_or(0, Quote::len), is_path))
}

/// Returns where the list begins whose last item is a name: the `[` of `["db", "password"]`.
fn before_items(text: &[u8], at: usize) -> usize {
    const MOST_ITEMS: usize = 8;
    let mut start = at;
    for _ in 0..MOST_ITEMS {
        let before = text[..start].trim_ascii_end();
        match before.last() {
            Some(b'[' | b'(') => return before_spaces(text, before.len() - 1),
            Some(b',') => {}
            _ => return at,
        }
        let item = before[..before.len() - 1].trim_ascii_end();
        let is_of_item = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-\"'\\".contains(byte);
        let length = item.iter().rev().take(64).take_while(is_of_item).count();
        if length == 0 {
            return at;
        }
        start = item.len() - length;
    }
    at
}

/// Returns the values that stand behind the name: the old and the new one where they differ.
fn behind(text: &[u8], end: usize) -> Vec<Secret> {
    let mut at = end;
    for _ in 0..MOST_BETWEEN {
        at = skip_between(text, at);
        let Some(found) = member(text, at) else { break };
        let key = &text[found.key.clone()];
        if is_one_of(&VALUES, key) {
            let mut values = found.values;
            let next = skip_between(text, found.end);
            let is_new = text[found.end..next].contains(&b'+');
            if let Some(new) =
                member(text, next).filter(|new| is_new && is_one_of(&VALUES, &text[new.key.clone()]))
            {
                values.extend(new.values);
            }
            return values;
        }
        if is_one_of(&NAMES, key) {
            break;
        }
        at = found.end;
    }
    Vec::new()
}

/// Returns the values that stand before the name.
fn before(text: &[u8], start: usize) -> Vec<Secret> {
    let area = start.saturating_sub(FARTHEST)..start;
    let places = memchr::memrchr2_iter(b'v', b'V', &text[area.clone()]).map(|at| area.start + at);
    let is_value = |at: &usize| text[*at..].get(..3).is_some_and(|word| word.eq_ignore_ascii_case(b"val"));
    let values = places.filter(is_value).take(MOST_BETWEEN).find_map(|place| {
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
                return Some(first.values).filter(|_| next == start && !is_item);
            }
            at = member(text, next)?.end;
        }
        None
    });
    values.unwrap_or_default()
}

/// Returns the value that stands before a path, in the same entry.
fn before_path(text: &[u8], start: usize) -> Vec<Secret> {
    const FARTHEST: usize = 512;
    let from = start.saturating_sub(FARTHEST);
    let area = &text[from..start];
    let from = from + memchr::memrchr2(b'{', b'}', area).map_or(0, |at| at + 1);
    let area = &text[from..start];
    let values = ["received", "input", "value"].iter().find_map(|word| {
        memchr::memmem::rfind_iter(area, word.as_bytes()).find_map(|at| {
            let at = from + at;
            let found = member(text, at - quote_before(text, at).map_or(0, Quote::len))?;
            (is_one_of(&VALUES, &text[found.key.clone()]) && found.end <= start).then_some(found.values)
        })
    });
    values.unwrap_or_default()
}

struct Member {
    key: Range<usize>,
    /// What it holds, and what that changes to.
    values: Vec<Secret>,
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
    let changed = next_value(text, &found).filter(|next| text[found.end..next.range.start].contains(&b'>'));
    let end = changed.as_ref().map_or(found.end, |changed| changed.end);
    let mut values = vec![Secret { range: found.range, quotes }];
    values.extend(changed.map(|changed| Secret { range: changed.range, quotes: None }));
    Some(Member { key: from..to, end, values })
}

/// Skips what stands between members of an entry: spaces, commas, line breaks, signs of a difference.
fn skip_between(text: &[u8], mut at: usize) -> usize {
    loop {
        at += match text.get(at..).unwrap_or_default() {
            [byte, ..] if byte.is_ascii_whitespace() => 1,
            // `[+]`, as differences begin.
            [b'[', b'+' | b'-' | b'~' | b' ', b']', ..] => 3,
            [0xe2, 0x94, _, ..] => 3,
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
