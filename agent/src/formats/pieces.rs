//! Pieces of an answer of AWS: people copy the events out of the middle of one, and leave the rest.

use analyzer::record::{Source, Stream};
use serde_json::Value;
use std::sync::Arc;

use super::describe;

/// Longer inputs are no copied piece.
const LONGEST: usize = 512 << 10;
/// After so many objects of which none is known, an input is a log of JSON lines.
const MOST_UNKNOWN: usize = 32;

/// Returns the elements of an answer that stand whole in a text which is no whole document;
/// `None` where they are less than half of it.
pub fn elements(bytes: &[u8]) -> Option<Value> {
    let begins_inside =
        matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'[' | b'"' | b'}' | b']' | b','));
    if !begins_inside || bytes.len() > LONGEST {
        return None;
    }
    let stream = Arc::new(Stream { name: String::new(), source: Source::Other });
    let (mut found, mut covered, mut unknown, mut at) = (Vec::new(), 0, 0, 0);
    while let Some(next) = memchr::memchr(b'{', &bytes[at..]) {
        at += next;
        let mut values = serde_json::Deserializer::from_slice(&bytes[at..]).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) if describe::read(&value, &stream).is_some() => {
                let length = values.byte_offset();
                covered += length;
                at += length;
                found.push(value);
            }
            Some(Ok(_)) => {
                unknown += 1;
                if unknown > MOST_UNKNOWN && found.is_empty() {
                    return None;
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    (!found.is_empty() && 2 * covered > bytes.trim_ascii().len()).then_some(Value::Array(found))
}

#[cfg(test)]
mod tests {
    use super::super::read_text;

    /// Compares what the records of a text say.
    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let read = read_text("events.txt", None, text);
        let texts: Vec<&str> = read.records.iter().map(|record| record.said().trim()).collect();
        assert_eq!(texts, expected);
    }

    const NEWER: &str = r#"{
        "id": "2b", "createdAt": 1780000060.1,
        "message": "(service web) has reached a steady state."
    }"#;
    const OLDER: &str = r#"{
        "id": "1a", "createdAt": 1780000000.1,
        "message": "(service web) has started 1 tasks: (task 0123)."
    }"#;

    #[test]
    fn events_copied_out_of_an_answer_are_read_in_the_order_of_time() {
        let expected =
            ["(service web) has started 1 tasks: (task 0123).", "(service web) has reached a steady state."];
        check(&format!("{NEWER},\n{OLDER}"), &expected);
        check(&format!("{NEWER},\n{OLDER},"), &expected);
        check(&format!("\"events\": [\n{NEWER},\n{OLDER}\n],\n\"desiredCount\": 2\n"), &expected);
        check(&format!("    }},\n{NEWER},\n{OLDER}\n],\n"), &expected);
    }

    #[test]
    fn what_is_mostly_something_else_is_read_as_lines() {
        let log = format!("{{\"level\":\"info\",\"msg\":\"{}\"}}\n{OLDER}", "a long line ".repeat(40));
        let read = read_text("web.log", None, &log);
        assert!(read.records[0].text.starts_with("{\"level\""), "{:?}", read.records[0].text);
    }

    #[test]
    fn a_piece_that_is_cut_in_the_middle_is_left_out() {
        let (half, _) = OLDER.split_at(OLDER.len() - 30);
        check(&format!("{NEWER},\n{NEWER},\n{half}"), &["(service web) has reached a steady state."; 2]);
    }
}
