//! Finds what options and statements give to a name: `--name x`, `config set name x`, `PASSWORD 'x'`, `<name>x</name>`.

use std::ops::Range;

use super::assigned::{Written, ends};
use super::quotes::quote_at;
use super::telling::{Rigour, looks_random};
use super::values::{Value, count, skip_spaces, skip_whitespace, value_at};

/// Returns the value in `--name x` and `"--name", "x"`.
pub fn option(text: &[u8], written: &Written) -> Option<Value> {
    let Range { start, end } = written.range;
    let before = text[..start - written.dashes].last();
    if before.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(byte)) {
        return None;
    }
    if text[start..].starts_with(b"no-") {
        return None;
    }
    let at = match written.closing {
        Some(quote) => {
            let comma = skip_spaces(text, end + quote.len());
            let at = (text.get(comma) == Some(&b',')).then(|| skip_whitespace(text, comma + 1))?;
            quote_at(text, at)?;
            at
        }
        None => skip_spaces(text, end),
    };
    if at == end {
        return None;
    }
    let value = value_at(text, at)?;
    let content = &text[value.range.clone()];
    // Sentences about options: `--password requires an argument`, `using --password via the CLI`.
    const GOES_ON: [&str; 34] = [
        "and",
        "are",
        "argument",
        "as",
        "at",
        "because",
        "but",
        "by",
        "can",
        "cannot",
        "expects",
        "flag",
        "for",
        "from",
        "given",
        "has",
        "in",
        "instead",
        "is",
        "isn't",
        "must",
        "needs",
        "not",
        "on",
        "option",
        "or",
        "requires",
        "should",
        "specified",
        "to",
        "via",
        "was",
        "when",
        "with",
    ];
    let goes_on = GOES_ON.iter().any(|word| word.as_bytes() == content);
    // `docker build --secret id=npm,src=.npmrc` names a secret.
    let is_named =
        [&b"id="[..], b"src=", b"source=", b"type=", b"env="].iter().any(|key| content.starts_with(key));
    // `--password PASSWORD` of a help text.
    const METAVARIABLES: [&str; 7] = ["KEY", "PASSWORD", "SECRET", "STRING", "TEXT", "TOKEN", "VALUE"];
    let is_metavariable = METAVARIABLES.iter().any(|word| word.as_bytes() == content.trim_ascii_end());
    (!content.starts_with(b"-") && !goes_on && !is_named && !is_metavariable).then_some(value)
}

/// Returns the value in `PASSWORD 'x'` and `PASSWORD('x')`.
pub fn sql(text: &[u8], written: &Written) -> Option<Value> {
    let Range { start, end } = written.range;
    if written.opening.is_some()
        || written.closing.is_some()
        || !text[start..end].eq_ignore_ascii_case(b"password")
    {
        return None;
    }
    let mut at = skip_spaces(text, end);
    at += usize::from(text.get(at) == Some(&b'('));
    let is_prefixed = matches!(text.get(at..), Some([b'E' | b'N', b'\'', ..]));
    at += usize::from(is_prefixed);
    let has_quote = matches!(text.get(at..), Some([b'\'', ..] | [b'\\', b'\'', ..]));
    if at == end || !has_quote {
        return None;
    }
    value_at(text, at)
}

/// Returns the value in `<name>x</name>`, `<entry key="name">x</entry>` and `<name>name</name><value>x</value>`.
pub fn element(text: &[u8], written: &Written) -> Option<Value> {
    let Range { start, end } = written.range;
    let is_tag = text[..start].ends_with(b"<") && text.get(end) == Some(&b'>');
    let from = if is_tag {
        end + 1
    } else if text[..start].ends_with(b">") {
        // `<name>DB_PASSWORD</name>` names what the next element holds.
        let tag = end + 2 + count(text, end + 2, |byte| byte.is_ascii_alphanumeric());
        let is_named = [&b"name"[..], b"key", b"parameterkey", b"envname"]
            .iter()
            .any(|word| text.get(end + 2..tag).is_some_and(|tag| tag.eq_ignore_ascii_case(word)));
        let next = skip_whitespace(text, tag + 1);
        let is_next = is_named && text.get(tag) == Some(&b'>') && text.get(next) == Some(&b'<');
        let word = count(text, next + 1, |byte| byte.is_ascii_alphanumeric());
        let value = [&b"value"[..], b"string", b"parametervalue"].iter().any(|known| {
            text.get(next + 1..next + 1 + word).is_some_and(|tag| tag.eq_ignore_ascii_case(known))
        });
        (is_next && value && text.get(next + 1 + word) == Some(&b'>')).then_some(next + 2 + word)?
    } else {
        let quote = written.closing?;
        let before = &text[..start - quote.len().min(start)];
        ([&b"key="[..], b"name=", b"Key=", b"Name="].iter().any(|word| before.ends_with(word)))
            .then_some(())?;
        (written.opening == Some(quote) && text.get(end + quote.len()) == Some(&b'>'))
            .then_some(end + quote.len() + 1)?
    };
    let range = from..from + count(text, from, |byte| byte != b'<');
    let is_element =
        text.get(range.end..)?.starts_with(b"</") && text[range.clone()].iter().any(u8::is_ascii_graphic);
    is_element.then_some(Value::plain(range))
}

/// Whether a quoted name is the first of a pair.
pub fn may_be_paired(text: &[u8], written: &Written) -> bool {
    written.closing.is_some_and(|quote| text.get(written.range.end + quote.len()) == Some(&b','))
}

/// Returns the value in `('password', 'x')` and `define('DB_PASSWORD', 'x')`; in a list of names the next one is no secret.
pub fn paired(text: &[u8], written: &Written) -> Option<Value> {
    let at = written.range.end + written.closing?.len();
    let at = skip_spaces(text, at + usize::from(text.get(at) == Some(&b',')));
    let at = at + usize::from(text.get(at) == Some(&b'b'));
    quote_at(text, at)?;
    value_at(text, at).filter(|value| looks_random(&text[value.range.clone()], Rigour::Strict))
}

/// What sets the variable that is named behind it.
const SETTERS: [&[u8]; 6] = [b"ENV ", b"SetEnv ", b"fastcgi_param ", b"setx ", b"set -gx ", b"env:set "];

/// Whether what stands before a name sets it.
pub fn may_be_set(text: &[u8], written: &Written) -> bool {
    let Range { start, end } = written.range;
    text.get(end) == Some(&b' ') && (is_setter(&text[..start]) || set_before(text, start))
}

fn is_setter(before: &[u8]) -> bool {
    SETTERS.iter().any(|setter| before.ends_with(setter))
}

/// Returns the value in `ENV NAME x` of a Dockerfile and in `aws configure set NAME x`.
pub fn set(text: &[u8], written: &Written) -> Option<Value> {
    let Range { start, end } = written.range;
    let is_spaced = text.get(end) == Some(&b' ');
    let value = is_spaced.then(|| value_at(text, end + 1)).flatten()?;
    if is_setter(&text[..start]) && (value.quote.is_some() || ends(text, value.end)) {
        return Some(value);
    }
    let content = &text[value.range.clone()];
    let is_said = value.quote.is_some() || ends(text, value.end) || looks_random(content, Rigour::Strict);
    (set_before(text, start) && is_said && !content.starts_with(b"-") && !content.starts_with(b"["))
        .then_some(value)
}

/// Whether a command that sets something stands before a place, on its line.
fn set_before(text: &[u8], start: usize) -> bool {
    const FARTHEST: usize = 160;
    const SETS: [&[u8]; 5] = [b"configure", b"config", b"secrets", b"variable", b"vars"];
    let before = &text[start.saturating_sub(FARTHEST)..start];
    let line = memchr::memrchr2(b'\n', b';', before).map_or(before, |at| &before[at..]);
    // Most lines have no such word, and one search tells.
    let Some(set) = line.windows(5).position(|word| word == b" set ") else { return false };
    SETS.iter().any(|word| line[..set].ends_with(word))
}
