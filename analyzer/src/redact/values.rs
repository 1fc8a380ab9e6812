//! Finds where the value ends that begins at a place, quoted or bare.

use std::ops::Range;

use super::bare::bare_end;
use super::quotes::{Quote, closing, may_follow, quote_at, quote_before};
use super::telling::{Rigour, looks_random};

/// A value, without its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    pub range: Range<usize>,
    pub quote: Option<Quote>,
    /// Where the text goes on behind it.
    pub end: usize,
    /// It stands in a list, and more may follow.
    is_listed: bool,
}

impl Value {
    pub fn plain(range: Range<usize>) -> Value {
        Value { end: range.end, range, quote: None, is_listed: false }
    }

    /// Whether what takes its place needs the quotes that its name has: what was a number in JSON becomes a text.
    pub fn lacks(&self, text: &[u8], quote: Quote) -> bool {
        quote.is_double() && self.quote.is_none() && quote_before(text, self.range.start).is_none()
    }
}

/// What languages print around a text: `Some("x")`, `Optional[x]`, `SecretStr('x')`.
const WRAPPERS: [&str; 8] =
    ["Some", "Optional", "Just", "Ok", "Secret", "SecretStr", "SecretString", "SecretBox"];

/// What formats write around a text that says its type: `{"stringValue": "x"}`, `{"S": "x"}`.
const TYPES: [&str; 5] = ["stringValue", "string_value", "value", "S", "N"];

/// Returns the value that begins at a place; nothing where there is none, or only a list or a document.
pub fn value_at(text: &[u8], at: usize) -> Option<Value> {
    let (at, is_listed) = unwrapped(text, at);
    let Some(quote) = quote_at(text, at) else {
        return bare(text, at).map(|range| Value { is_listed, ..Value::plain(range) });
    };
    let from = at + quote.len();
    match closing(text, from, quote) {
        Some((to, end)) => Some(Value { range: from..to, quote: Some(quote), end, is_listed }),
        // The line was cut, or the quote is none.
        None => bare(text, from).map(|range| Value { is_listed, ..Value::plain(range) }),
    }
}

/// Returns what follows a value and is a secret as well: the next of a list, or what it changes to.
pub fn next_value(text: &[u8], value: &Value) -> Option<Value> {
    let at = skip_spaces(text, value.end);
    if value.is_listed && text.get(at) == Some(&b',') {
        let at = skip_whitespace(text, at + 1);
        quote_at(text, at)?;
        let next = value_at(text, at)?;
        let is_key = text.get(skip_spaces(text, next.end)) == Some(&b':');
        return (!is_key).then_some(Value { is_listed: true, ..next });
    }
    let at = text.get(at..)?.starts_with(b"->").then(|| skip_spaces(text, at + 2))?;
    quote_at(text, at)?;
    value_at(text, at)
}

/// Returns how long the mark is that a text begins with and that stands for what was removed.
pub fn mark(text: &[u8]) -> Option<usize> {
    let kind = text.strip_prefix(b"[redacted:")?;
    let length = count(kind, 0, |byte| byte.is_ascii_lowercase() || byte == b'-');
    (kind.get(length) == Some(&b']')).then_some(text.len() - kind.len() + length + 1)
}

pub fn skip_spaces(text: &[u8], at: usize) -> usize {
    at + count(text, at, |byte| matches!(byte, b' ' | b'\t'))
}

pub fn skip_whitespace(text: &[u8], at: usize) -> usize {
    at + count(text, at, |byte| byte.is_ascii_whitespace())
}

/// Returns how many of the bytes from a place on are of a kind.
pub fn count(text: &[u8], at: usize, is: impl Fn(u8) -> bool) -> usize {
    text.get(at..).unwrap_or_default().iter().take_while(|byte| is(**byte)).count()
}

/// Skips what languages and formats write around a text; tells whether a list begins.
fn unwrapped(text: &[u8], mut at: usize) -> (usize, bool) {
    let mut is_listed = false;
    for _ in 0..3 {
        let rest = text.get(at..).unwrap_or_default();
        let letters = count(text, at, |byte| byte.is_ascii_alphabetic());
        let behind = at + letters + 1;
        let opens_quote = |at: usize| quote_at(text, at).is_some();
        at = match rest.get(letters) {
            Some(b'[') if letters == 0 && mark(rest).is_none() => {
                let inside = skip_whitespace(text, behind);
                if !opens_quote(inside) {
                    break;
                }
                is_listed = true;
                inside
            }
            Some(b'{') if letters == 0 => match typed(text, behind) {
                Some(inside) => inside,
                None => break,
            },
            Some(b'*' | b'&' | b'@' | b'$') if letters == 0 && opens_quote(behind) => behind,
            Some(b'(' | b'[') if WRAPPERS.iter().any(|word| word.as_bytes() == &rest[..letters]) => behind,
            // `string(6) "x"` of PHP.
            Some(b'(') if rest.starts_with(b"string(") => {
                let inside =
                    skip_spaces(text, behind + count(text, behind, |byte| byte.is_ascii_digit()) + 1);
                if !opens_quote(inside) {
                    break;
                }
                inside
            }
            // `b'x'` of Python, `N'x'` and `E'x'` of SQL.
            Some(_) if letters == 1 && b"bruENB".contains(&rest[0]) && is_opened(text, at + 1) => at + 1,
            _ => break,
        };
    }
    (at, is_listed)
}

/// Whether a quote opens something, and is not the one that closes what stands around.
fn is_opened(text: &[u8], at: usize) -> bool {
    quote_at(text, at).is_some_and(|quote| {
        let from = at + quote.len();
        !may_follow(text.get(from)) && closing(text, from, quote).is_some()
    })
}

/// Returns where the text of a value begins whose type is said.
fn typed(text: &[u8], at: usize) -> Option<usize> {
    let at = skip_whitespace(text, at);
    let quote = quote_at(text, at)?;
    let from = at + quote.len();
    let (to, end) = closing(text, from, quote)?;
    let at = skip_whitespace(text, end);
    let at = (text.get(at) == Some(&b':')).then(|| skip_whitespace(text, at + 1))?;
    if &text[from..to] == b"sensitive" {
        // `{"sensitive": true, "type": "string", "value": "x"}` of Terraform.
        const FARTHEST: usize = 80;
        let members = &text[at..text.len().min(at + FARTHEST)];
        let members = &members[..memchr::memchr(b'}', members).unwrap_or(members.len())];
        let value = at + memchr::memmem::find(members, b"\"value\"")?;
        return typed(text, value);
    }
    TYPES.iter().find(|word| word.as_bytes() == &text[from..to]).map(|_| at)
}

/// Returns the value without quotes that begins at a place.
fn bare(text: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = text.get(at..)?;
    if let Some(mark) = mark(rest) {
        let end = bare_end(text, at + mark);
        // What was removed is not removed again, unless it was a part.
        return (end > at + mark).then_some(at..end);
    }
    if is_request(rest) {
        return None;
    }
    let end = bare_end(text, at);
    let value = text.get(at..end)?;
    let is_open = matches!(value.first()?, b'(' | b'[' | b'{');
    // A list or a document is no value. Generated passwords begin with anything.
    let is_generated = || {
        let has = |is: fn(&u8) -> bool| value.iter().any(is);
        depth(value) == 0
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_alphabetic)
            && !has(|byte| b"=:".contains(byte))
    };
    let is_odd = || {
        let has = |signs: &[u8]| value.iter().any(|byte| signs.contains(byte));
        has(b"!#%^*~+?") && !has(b"\"'") && has(b"0123456789") && value.iter().any(u8::is_ascii_alphabetic)
    };
    // What is open to its end and reads as no word is no list either.
    let is_random = || {
        let has = |signs: &[u8]| value.iter().any(|byte| signs.contains(byte));
        depth(value) > 0 && !has(b"\"'=:,/") && looks_random(&value[1..], Rigour::Strict)
    };
    (!is_open || is_generated() || is_odd() || is_random()).then_some(at..end)
}

/// Whether a reader is asked to put something here: `<your password>`.
fn is_request(rest: &[u8]) -> bool {
    const LONGEST: usize = 60;
    let words = count(rest, 1, |byte| byte.is_ascii_alphabetic() || b" _-".contains(&byte));
    rest.first() == Some(&b'<') && words <= LONGEST && rest.get(1 + words) == Some(&b'>')
}

/// Returns how many brackets are still open behind a value.
pub fn depth(value: &[u8]) -> usize {
    value.iter().fold(0, |depth: usize, byte| match byte {
        b'(' | b'[' | b'{' => depth + 1,
        b')' | b']' | b'}' => depth.saturating_sub(1),
        _ => depth,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, value: Option<&str>) {
        assert_eq!(value_at(text.as_bytes(), 0).map(|value| &text[value.range]), value, "{text}");
    }

    #[test]
    fn what_is_written_around_a_text_is_not_its_value() {
        check("Some(\"a b\")", Some("a b"));
        check("Optional[a]", Some("a"));
        check("['a', 'b']", Some("a"));
        check("[ \"a\" ]", Some("a"));
        check("b'a'", Some("a"));
        check("N'a'", Some("a"));
        check("string(1) \"a\"", Some("a"));
        check(r#"{"stringValue": "a"}"#, Some("a"));
        check(r#"{"other": "a"}"#, None);
    }

    #[test]
    fn what_was_removed_is_no_value() {
        check("[redacted:jwt]", None);
        check("[redacted:jwt], b", None);
        check("[redacted:jwt]b c", Some("[redacted:jwt]b"));
    }
}
