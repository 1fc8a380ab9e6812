//! Tells from what stands around a name whether it is that of a setting.

use super::assigned::Written;
use super::names::first_word;
use super::quotes::slashes_before;

/// Where a name stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Where names of settings stand: it begins a line or follows another setting, a bracket or a comma.
    Setting,
    /// Behind what only introduces: a time, a level.
    Line,
    Sentence,
    /// In a path, a namespace or a placeholder.
    Path,
}

/// Tells from what stands before a name whether it is that of a setting.
pub fn place(text: &[u8], written: &Written) -> Place {
    let start = written.range.start - written.dashes;
    let before = &text[..start];
    if slashes_before(text, start.saturating_sub(1)) > 0 && matches!(before.last(), Some(b'n' | b'r' | b't'))
    {
        return Place::Setting;
    }
    match before {
        [] => Place::Setting,
        [.., b'$' | b'%' | b'#', b'{'] | [.., b'/' | b'\\' | b'@' | b'.' | b':'] => Place::Path,
        [.., b' ' | b'\t'] => behind_spaces(before),
        [.., byte] if byte.is_ascii_alphanumeric() => Place::Sentence,
        _ => Place::Setting,
    }
}

fn behind_spaces(before: &[u8]) -> Place {
    const LONGEST_WORD: usize = 64;
    let spaces = before.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let before = &before[..before.len() - spaces];
    let length =
        before.iter().rev().take(LONGEST_WORD).take_while(|byte| !byte.is_ascii_whitespace()).count();
    let word = &before[before.len() - length..];
    let Some(last) = word.last() else { return Place::Setting };
    // What was removed from a setting leaves it one, and a word a word.
    let removed = memchr::memmem::find(word, b"[redacted:");
    let is_pair = word[..removed.unwrap_or(length - 1)].iter().any(|byte| matches!(byte, b'=' | b':'));
    let is_time = word[0].is_ascii_digit();
    let is_level = word.len() > 1 && word.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b':');
    match last {
        _ if is_time || is_level => Place::Line,
        b':' => Place::Sentence,
        _ if removed == Some(0) => Place::Sentence,
        b',' | b';' | b'{' | b'(' | b'[' | b'|' | b'-' | b'+' | b'~' | b'*' | b'?' | b'&' => Place::Setting,
        b']' | b')' | b'>' | b'}' if !is_pair => Place::Line,
        _ if is_pair || word.starts_with(b"-") => Place::Setting,
        _ => Place::Sentence,
    }
}

/// Whether a name says what is done, and not what is set: `GetAuthorizationToken: AccessDenied`.
pub fn is_verb(name: &[u8]) -> bool {
    const VERBS: [&str; 36] = [
        "assume",
        "bad",
        "change",
        "check",
        "create",
        "decode",
        "delete",
        "describe",
        "expired",
        "fetch",
        "forgot",
        "generate",
        "get",
        "has",
        "invalid",
        "is",
        "issue",
        "list",
        "load",
        "missing",
        "no",
        "obtain",
        "parse",
        "put",
        "read",
        "renew",
        "reset",
        "retrieve",
        "revoke",
        "rotate",
        "unexpected",
        "unknown",
        "update",
        "validate",
        "verify",
        "wrong",
    ];
    VERBS.contains(&first_word(name).as_str())
}
