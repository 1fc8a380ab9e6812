//! Finds secrets that are told beside their name: by what validates settings, in tables, in sentences.
//!
//! `"DB_PASSWORD" with value "x" fails`, `DB_PASSWORD: Invalid value "x"`, `DB_PASSWORD   x`, `DB_PASSWORD -> x`, `password is x`.

use super::assigned::Written;
use super::names::{Family, Name};
use super::quotes::{Quote, quote_at};
use super::telling::{Rigour, is_path_of_words, is_sentence, looks_random, says_nothing};
use super::values::{Value, count, mark, skip_spaces, skip_whitespace, value_at};

/// How far behind a name its value is told.
const FARTHEST: usize = 240;

/// What tells a value, directly behind a name and what links it.
const TELLS: &[&str] =
    &["with value", "(value", "value was", "value is", "value", "got", "received", "with invalid value"];
/// What tells a value wherever it stands in the sentence.
const TELLS_LATER: &[&str] = &[
    "invalid value",
    "rejected value",
    "input_value",
    "value was",
    "but got",
    "received",
    "value:",
    "got:",
    "given:",
    "was given",
    "instead of",
];
/// What stands between a name and its value in a sentence.
const VERBS: &[&str] = &["is ", "was ", "is: ", "set to ", "changed to ", "is now ", "has value "];
/// What a table tells of a secret besides its value.
const STATES: &[&str] = &[
    "active",
    "added",
    "changed",
    "copied",
    "created",
    "default",
    "deleted",
    "environment",
    "exists",
    "loaded",
    "plain",
    "plaintext",
    "ready",
    "secret",
    "securestring",
    "skipped",
    "synced",
    "unchanged",
    "unused",
    "updated",
    "used",
    "variable",
    "opaque",
];

/// Whether what follows a name may tell its value.
pub fn may_be_said(text: &[u8], written: &Written) -> bool {
    let at = written.range.end + written.closing.map_or(0, Quote::len);
    match text.get(at..).unwrap_or_default() {
        [b'\t' | b'\n' | b' ', ..] => true,
        [b'-', b'>', ..] => true,
        [] => false,
        _ => is_named_late(text, written),
    }
}

/// Returns the value that is told behind a name.
pub fn behind(text: &[u8], written: &Written, name: Name) -> Option<Value> {
    let at = written.range.end + written.closing.map_or(0, Quote::len);
    validated(text, written, name, at)
        .or_else(|| table(text, written, name, at))
        .or_else(|| sentence(text, name, at))
}

/// Returns the value in `invalid value 'x' for '--password <PASSWORD>'`.
pub fn before(text: &[u8], written: &Written) -> Option<Value> {
    if !is_named_late(text, written) {
        return None;
    }
    let start = written.range.start - written.dashes;
    let from = start.saturating_sub(FARTHEST);
    let line = memchr::memrchr(b'\n', &text[from..start]).map_or(from, |at| from + at + 1);
    let value = line + memchr::memmem::rfind(&text[line..start], b"value")?;
    let at = skip_spaces(text, value + 5);
    let at = skip_spaces(text, at + usize::from(text.get(at) == Some(&b':')));
    let value = value_at(text, at).filter(|value| value.quote.is_some() && value.end < start)?;
    let between = &text[value.end..start];
    let is_for = between.trim_ascii_start().starts_with(b"for ")
        && between.iter().all(|byte| byte.is_ascii_lowercase() || b" \"'`\\".contains(byte));
    is_for.then_some(value)
}

/// Whether a name stands at the end of a sentence that began with its value: `… for NAME`.
fn is_named_late(text: &[u8], written: &Written) -> bool {
    let start = written.range.start
        - written.dashes
        - written.opening.map_or(0, Quote::len).min(written.range.start - written.dashes);
    let words = &text[start.saturating_sub(24)..start];
    words.ends_with(b" ") && words.windows(4).any(|word| word == b"for ")
}

/// Returns the quoted value that a validator tells, on the line of the name or on the next where it stands alone.
fn validated(text: &[u8], written: &Written, name: Name, at: usize) -> Option<Value> {
    let end = text.len().min(at + FARTHEST);
    let line_end = |from: usize| memchr::memchr(b'\n', &text[from..end]).map_or(end, |at| from + at);
    let first = line_end(at.min(end));
    let is_alone = text[at..first].trim_ascii().is_empty();
    let from = if is_alone {
        let line = memchr::memrchr(b'\n', &text[..written.range.start]).map_or(0, |at| at + 1);
        let is_path = text[line..written.range.start]
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.->[] ".contains(byte));
        (is_path && first < end).then_some(skip_whitespace(text, first + 1))?
    } else {
        skip_spaces(text, at)
    };
    let rest = &text[from..line_end(from.min(end)).max(from)];
    let rest_at = from + count(rest, 0, |byte| b": ,'\"`".contains(&byte));
    let directly = TELLS.iter().filter(|_| !is_alone).find_map(|tell| {
        let word = text.get(rest_at..rest_at + tell.len())?;
        word.eq_ignore_ascii_case(tell.as_bytes()).then_some(rest_at + tell.len())
    });
    let value = directly.and_then(|at| told(text, at));
    let value = value.or_else(|| {
        let lower = rest.to_ascii_lowercase();
        TELLS_LATER.iter().find_map(|tell| {
            let found = memchr::memmem::find(&lower, tell.as_bytes())?;
            told(text, from + found + tell.len())
        })
    })?;
    let content = &text[value.range.clone()];
    let is_strict = name.is_word
        && written.closing.is_none()
        && written.dashes == 0
        && name.family != Family::Password
        && !is_alone;
    let is_value = !says_nothing(content)
        && !is_sentence(content)
        && (!is_strict || looks_random(content, Rigour::Strict));
    is_value.then_some(value)
}

/// Returns the value behind what tells one: quoted, or in brackets.
fn told(text: &[u8], at: usize) -> Option<Value> {
    let at = skip_spaces(text, at);
    let at = at + usize::from(matches!(text.get(at), Some(b':' | b'=')));
    let at = skip_spaces(text, at);
    // Spring writes `rejected value [x]`.
    if let Some(inside) = text.get(at..)?.strip_prefix(b"[")
        && quote_at(inside, 0).is_none()
        && mark(inside).is_none()
    {
        let length = count(inside, 0, |byte| byte != b']' && byte != b'\n');
        let is_closed = inside.get(length) == Some(&b']') && !inside.starts_with(b"redacted:");
        return is_closed.then(|| Value::plain(at + 1..at + 1 + length));
    }
    quote_at(text, at)?;
    value_at(text, at).filter(|value| value.quote.is_some())
}

/// Returns what stands in the next column, or behind an arrow.
fn table(text: &[u8], written: &Written, name: Name, at: usize) -> Option<Value> {
    let blanks = skip_spaces(text, at) - at;
    let mut from = at + blanks;
    let rest = text.get(from..)?;
    let arrow = if rest.starts_with(b"->") {
        2
    } else if rest.starts_with("→".as_bytes()) {
        3
    } else {
        0
    };
    let bar = match rest {
        [b'|', b' ', ..] => 1,
        [0xe2, 0x94, 0x82, ..] => 3,
        _ => 0,
    };
    if arrow + bar > 0 {
        from = skip_spaces(text, from + arrow + bar);
    } else if blanks == 0 || blanks == 1 && text[at] != b'\t' {
        return None;
    }
    let value = value_at(text, from)?;
    let content = &text[value.range.clone()];
    let is_column = name.family == Family::Password && looks_random(content, Rigour::Strict);
    // `PASS  Tests\Unit` of test runners.
    if name.is_pass
        || name.is_word && written.closing.is_none() && !is_column
        || says_nothing(content)
        || is_path_of_words(content)
    {
        return None;
    }
    let is_state = STATES.iter().any(|word| word.as_bytes().eq_ignore_ascii_case(content));
    let is_heading = content.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    let is_loud = !text[written.range.clone()].iter().any(u8::is_ascii_lowercase);
    let is_last = matches!(
        text.get(value.end..)?,
        [] | [b'\n' | b'\r' | b'\t' | b'"', ..]
            | [b' ']
            | [b' ', b' ' | b'|' | b'#' | b'\n', ..]
            | [b' ', 0xe2, 0x94, 0x82, ..]
            | [b'\\', b'n', ..]
    );
    let is_plain = is_loud && is_last && value.quote.is_none() && !is_state && !is_heading;
    (is_plain || value.quote.is_some() && arrow > 0 || looks_random(content, Rigour::Strict)).then_some(value)
}

/// Returns the value in `password is x` and `password was "x"`.
fn sentence(text: &[u8], name: Name, at: usize) -> Option<Value> {
    let rest = text.get(at..)?.strip_prefix(b" ")?;
    if let Some(value) = named(text, name, at + 1) {
        return Some(value);
    }
    let verb = VERBS.iter().find(|verb| rest.starts_with(verb.as_bytes()))?;
    let value = value_at(text, at + 1 + verb.len())?;
    let content = &text[value.range.clone()];
    let is_password = name.family == Family::Password;
    let rigour = if is_password { Rigour::Lenient } else { Rigour::Strict };
    let is_quoted = value.quote.is_some() && is_password && !is_sentence(content);
    let is_random = content.iter().any(u8::is_ascii_digit) && looks_random(content, rigour);
    (is_quoted || is_random).then_some(value)
}

/// Returns the value right behind its name, which no other word of a sentence could be: `with password x`, `token x is expired`.
fn named(text: &[u8], name: Name, at: usize) -> Option<Value> {
    let shortest = if name.family == Family::Password { 8 } else { 20 };
    let value = value_at(text, at)?;
    let content = &text[value.range.clone()];
    let signs = || content.iter().filter(|byte| byte.is_ascii_punctuation()).count();
    let is_plain = content.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte));
    // A path, an address or a setting is no value; a password is as random with a sign or two.
    let is_like = is_plain
        || name.family == Family::Password
            && signs() <= 4
            && !content.iter().any(|byte| b"/:=@".contains(byte));
    (content.len() >= shortest && is_like && looks_random(content, Rigour::Strict)).then_some(value)
}
