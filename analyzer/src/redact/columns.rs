//! Finds secrets in rows: `INSERT INTO users (name, password) VALUES ('shop', 'x')`, `Key (token)=(x)`.

use std::ops::Range;

use super::Secret;
use super::assigned::Written;
use super::quotes::Quote;
use super::telling::says_nothing;
use super::values::{count, skip_whitespace, value_at};

/// How many bytes before a column its list may begin.
const FARTHEST: usize = 2048;
const MOST_ROWS: usize = 64;
const MOST_COLUMNS: usize = 256;

/// Whether a name stands in a list as that of a column does.
pub fn may_be_column(text: &[u8], written: &Written) -> bool {
    let end = written.range.end + written.closing.map_or(0, Quote::len);
    matches!(text.get(end), Some(b',' | b')')) && list_before(text, written).is_some()
}

/// Finds what stands in a column that a name is the name of.
pub fn find(text: &[u8], written: &Written, secrets: &mut Vec<Secret>) {
    let Some((open, index)) = list_before(text, written) else { return };
    let Some(close) = memchr::memchr(b')', &text[written.range.end..]) else { return };
    let mut at = skip_whitespace(text, written.range.end + close + 1);
    let rest = &text[at..];
    if rest.starts_with(b"=(") {
        if let Some((_, Some(value))) = row(text, at + 1, index) {
            push(text, value, secrets);
        }
        return;
    }
    let is_insert = text[open.saturating_sub(256)..open].to_ascii_lowercase();
    let is_insert =
        [&b"insert"[..], b"replace"].iter().any(|word| memchr::memmem::find(&is_insert, word).is_some());
    if !is_insert || !rest.get(..6).is_some_and(|word| word.eq_ignore_ascii_case(b"values")) {
        return;
    }
    at += 6;
    for _ in 0..MOST_ROWS {
        at = skip_whitespace(text, at + usize::from(text.get(at) == Some(&b',')));
        let Some((end, value)) = row(text, at, index) else { break };
        if let Some(value) = value {
            push(text, value, secrets);
        }
        at = skip_whitespace(text, end);
    }
    // What is put in the places of `%s` and `?` is told behind the statement, in the same order.
    const GIVEN: [&[u8]; 5] = [b"parameters:", b"[parameters:", b"params:", b"args=", b"-- ["];
    let from = at + count(text, at, |byte| b" \t\r\n];'\"\\n".contains(&byte));
    let given = GIVEN.iter().find(|word| text.get(from..).is_some_and(|rest| rest.starts_with(word)));
    if let Some(given) = given {
        let mut at = skip_whitespace(text, from + given.len());
        // Several rows are a list of lists.
        at += usize::from(matches!(text.get(at..), Some([b'[' | b'(', b'(' | b'[', ..])));
        for _ in 0..MOST_ROWS {
            let Some((end, value)) = row(text, at, index) else { break };
            if let Some(value) = value {
                push(text, value, secrets);
            }
            if text.get(end) != Some(&b',') {
                break;
            }
            at = skip_whitespace(text, end + 1);
        }
    }
}

fn push(text: &[u8], value: Range<usize>, secrets: &mut Vec<Secret>) {
    let content = &text[value.clone()];
    let is_number = content.strip_prefix(b"$").is_some_and(|rest| rest.iter().all(u8::is_ascii_digit));
    let is_place = is_number
        || content == b"?"
        || content.starts_with(b"%")
        || content.starts_with(b":")
        || content.starts_with(b"@");
    if !is_place && !says_nothing(content) {
        secrets.push(Secret { range: value, quotes: None });
    }
}

/// Returns where the list begins in which a name stands, and how many names stand before it.
fn list_before(text: &[u8], written: &Written) -> Option<(usize, usize)> {
    let start = written.range.start;
    let from = start.saturating_sub(FARTHEST);
    let is_of_list = |byte: u8| {
        byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace() || b"_.,\"`'[]\\".contains(&byte)
    };
    let length = text[from..start].iter().rev().take_while(|byte| is_of_list(**byte)).count();
    let open = (start - length).checked_sub(1).filter(|open| text[*open] == b'(')?;
    let before = text[..open].trim_ascii_end();
    let is_table =
        before.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_\"`']\\".contains(byte));
    let index = text[open..start].iter().filter(|byte| **byte == b',').count();
    is_table.then_some((open, index))
}

/// Returns where a row ends that begins at a place, and what stands in a column of it.
fn row(text: &[u8], at: usize, index: usize) -> Option<(usize, Option<Range<usize>>)> {
    if !matches!(text.get(at), Some(b'(' | b'[')) {
        return None;
    }
    let mut at = at + 1;
    let mut found = None;
    for column in 0..MOST_COLUMNS {
        at = skip_whitespace(text, at);
        let (range, end) = cell(text, at)?;
        if column == index {
            found = Some(range);
        }
        at = skip_whitespace(text, end);
        match text.get(at)? {
            b',' => at += 1,
            b')' | b']' => return Some((at + 1, found)),
            _ => return None,
        }
    }
    None
}

/// Returns what stands in a cell, and where it ends.
fn cell(text: &[u8], at: usize) -> Option<(Range<usize>, usize)> {
    if let Some(value) = value_at(text, at).filter(|value| value.quote.is_some()) {
        return Some((value.range, value.end));
    }
    // What was removed, a number, a call: `now()`.
    let mut depth = 0;
    let mut end = at;
    loop {
        match text.get(end)? {
            b'(' | b'[' => depth += 1,
            b')' | b']' if depth > 0 => depth -= 1,
            b')' | b']' | b',' if depth == 0 => return Some((at..end, end)),
            b'\n' => return None,
            _ => {}
        }
        end += 1;
    }
}
