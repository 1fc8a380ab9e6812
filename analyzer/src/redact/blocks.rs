//! Finds secrets in blocks of YAML, whose value stands on the next lines: `password: |`.

use super::Secret;
use super::assigned::Written;
use super::telling::says_nothing;
use super::values::{count, skip_spaces};

/// Whether the sign of a block stands at a place, and nothing else on its line.
pub fn begins(text: &[u8], at: usize) -> bool {
    first_line(text, at).is_some()
}

/// Finds the lines of a block that belongs to a name; returns where they end.
pub fn find(text: &[u8], written: &Written, at: usize, secrets: &mut Vec<Secret>) -> Option<usize> {
    let mut at = first_line(text, at)?;
    let outer = indent(text, written.range.start);
    let mut found = None;
    loop {
        let from = skip_spaces(text, at);
        let end = from + count(text, from, |byte| byte != b'\n' && byte != b'\r');
        let end = (from..end).find(|at| line_break(text, *at).is_some()).unwrap_or(end);
        if end == from && from == text.len() || end > from && from - at <= outer {
            return found;
        }
        let line = &text[from..end];
        // What was removed already is not removed again.
        if end > from && !says_nothing(line) && memchr::memmem::find(line, b"[redacted:").is_none() {
            secrets.push(Secret { range: from..end, quotes: None });
            found = Some(end);
        }
        at = end + line_break(text, end)?;
    }
}

/// Returns where the first line of a block begins.
fn first_line(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let behind = rest.strip_prefix(b"|").or_else(|| rest.strip_prefix(b">"))?;
    let end = at + 1 + count(behind, 0, |byte| b"+-123456789".contains(&byte));
    let end = skip_spaces(text, end);
    Some(end + line_break(text, end)?)
}

/// Returns the length of the line break at a place, also of one that is escaped.
fn line_break(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at..)? {
        [b'\n', ..] => Some(1),
        [b'\r', b'\n', ..] => Some(2),
        [b'\\', b'n', ..] => Some(2),
        _ => None,
    }
}

/// Returns how far the line of a name is indented; an item of a list counts from its name.
fn indent(text: &[u8], start: usize) -> usize {
    let before = &text[..start];
    let is_of_line = |byte: &&u8| matches!(**byte, b' ' | b'-' | b'\t' | b'"' | b'\'');
    before.iter().rev().take(256).take_while(is_of_line).count()
}
