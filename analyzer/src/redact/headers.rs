//! Finds keys and sessions in headers of HTTP: `authorization: x`, `"cookie": "sid=x; theme=dark"`.

use super::Secret;
use super::assigned::Written;
use super::quotes::{Quote, closing, quote_at};
use super::telling::{Rigour, looks_random, says_nothing};
use super::values::{count, skip_spaces, skip_whitespace, value_at};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Header {
    Authorization,
    Cookie,
}

/// Attributes of cookies, which say nothing of their value.
const ATTRIBUTES: [&str; 6] = ["path", "domain", "expires", "max-age", "samesite", "priority"];
/// Parts of names of cookies that hold a session.
const SESSIONS: [&str; 8] = ["sess", "sid", "token", "auth", "jwt", "csrf", "xsrf", "remember"];
/// What is longer than this and one word is a key.
const LONG: usize = 16;

/// Returns the header that a name is.
pub fn header(name: &[u8]) -> Option<Header> {
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    if is("authorization") || is("proxy-authorization") || is("http_authorization") || is("x-authorization") {
        return Some(Header::Authorization);
    }
    let is_cookie = is("cookie") || is("set-cookie") || is("cookies") || is("http_cookie");
    is_cookie.then_some(Header::Cookie)
}

/// Finds the secrets of a header whose value begins at a place; returns where they end.
pub fn find(text: &[u8], header: Header, at: usize, secrets: &mut Vec<Secret>) -> Option<usize> {
    match header {
        Header::Authorization => key(text, at, secrets),
        Header::Cookie => cookies(text, at, secrets),
    }
}

/// Returns where the value begins in `["cookie", "x"]` and `(b"cookie", b"x")`, as lists of headers are printed.
pub fn listed(text: &[u8], written: &Written) -> Option<usize> {
    let end = written.range.end + written.closing?.len();
    let at = skip_spaces(text, end);
    let at = (text.get(at) == Some(&b',')).then(|| skip_whitespace(text, at + 1))?;
    let quote = at + usize::from(text.get(at) == Some(&b'b'));
    quote_at(text, quote).map(|_| at)
}

fn key(text: &[u8], at: usize, secrets: &mut Vec<Secret>) -> Option<usize> {
    let value = value_at(text, at)?;
    let content = &text[value.range.clone()];
    let scheme = count(content, 0, |byte| byte.is_ascii_alphabetic() || byte == b'-');
    let is_scheme = scheme > 2 && content[0].is_ascii_uppercase();
    let mut range = value.range.clone();
    // `GenieKey x`: what follows the name of a scheme that is not known.
    if value.quote.is_some() && is_scheme && content.get(scheme) == Some(&b' ') {
        range.start += scheme + 1;
    } else if value.quote.is_none()
        && is_scheme
        && scheme == content.len()
        && text.get(range.end) == Some(&b' ')
    {
        let next = value_at(text, range.end + 1).filter(|next| next.quote.is_none())?;
        let is_last = matches!(text.get(next.end), None | Some(b'\n' | b'\r' | b'"' | b'\'' | b'\\'));
        range = is_last.then_some(next.range)?;
    }
    let content = &text[range.clone()];
    let is_word = content.iter().any(|byte| b" =,[".contains(byte) && !is_padding(content, *byte));
    let is_key = looks_random(content, Rigour::Strict)
        || value.quote.is_some() && content.len() >= LONG && content.iter().all(u8::is_ascii_alphanumeric);
    if is_word || !is_key || content.starts_with(b"http") || says_nothing(content) {
        return None;
    }
    secrets.push(Secret { range, quotes: None });
    Some(value.end)
}

/// Whether a byte is what Base64 ends with.
fn is_padding(content: &[u8], byte: u8) -> bool {
    byte == b'=' && count(content, 0, |byte| byte != b'=') + 2 >= content.len()
}

fn cookies(text: &[u8], at: usize, secrets: &mut Vec<Secret>) -> Option<usize> {
    let from = at + usize::from(text.get(at) == Some(&b'b') && quote_at(text, at + 1).is_some());
    let end = end_of_header(text, from)?;
    let mut found = None;
    let mut at = from;
    let is_between = |byte: u8| byte.is_ascii_whitespace() || b";,\"'[]{}\\".contains(&byte);
    while at < end {
        at += count(&text[..end], at, is_between);
        let word = count(&text[..end], at, |byte| !is_between(byte));
        let pair = at..at + word;
        at = pair.end + usize::from(word == 0);
        let Some(link) = text[pair.clone()].iter().position(|byte| *byte == b'=') else { continue };
        let (name, value) = (&text[pair.start..pair.start + link], pair.start + link + 1..pair.end);
        let is_attribute = ATTRIBUTES.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name));
        let content = &text[value.clone()];
        if !is_attribute && !content.starts_with(b"[redacted:") && is_session(name, content) {
            secrets.push(Secret { range: value.clone(), quotes: None });
            found = Some(value.end);
        }
    }
    found
}

/// Whether a cookie tells who somebody is.
fn is_session(name: &[u8], value: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let is_named = SESSIONS.iter().any(|part| memchr::memmem::find(&name, part.as_bytes()).is_some());
    !says_nothing(value) && (is_named || looks_random(value, Rigour::Lenient))
}

/// Returns where a header ends: with its quote, its list, its line.
fn end_of_header(text: &[u8], from: usize) -> Option<usize> {
    const LONGEST: usize = 1 << 13;
    if text.get(from) == Some(&b'[') {
        let quote = quote_at(text, skip_whitespace(text, from + 1))?;
        return list_end(text, from + 1, quote);
    }
    if let Some(quote) = quote_at(text, from)
        && let Some((end, _)) = closing(text, from + quote.len(), quote)
    {
        return Some(end);
    }
    let is_end = |at: usize| {
        matches!(text[at], b'\n' | b'\r' | b'"' | b'\'' | b'`')
            || text[at] == b'\\' && matches!(text.get(at + 1), Some(b'n' | b'r' | b'"' | b'\\' | b'\''))
    };
    let limit = text.len().min(from + LONGEST);
    (from..limit).find(|at| is_end(*at)).or(Some(limit))
}

fn list_end(text: &[u8], mut at: usize, quote: Quote) -> Option<usize> {
    loop {
        at = skip_whitespace(text, at);
        let (_, end) = closing(text, at + quote_at(text, at).filter(|found| *found == quote)?.len(), quote)?;
        let next = skip_whitespace(text, end);
        if text.get(next) != Some(&b',') {
            return Some(end);
        }
        at = next + 1;
    }
}
