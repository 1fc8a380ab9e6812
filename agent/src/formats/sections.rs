//! Sections of a text that holds answers of AWS between other lines: a session in a terminal, or a log behind an answer.

use analyzer::record::Stream;
use serde_json::Value;
use std::sync::Arc;

use super::describe::{self, Described};

/// Longer texts are read as lines.
const LONGEST: usize = 64 << 20;
/// After so many objects of which none is known, a text is a log of JSON lines.
const MOST_UNKNOWN: usize = 32;

/// A part of a text, and the number of its first line.
pub struct Section<'t> {
    pub line: u64,
    pub bytes: &'t [u8],
    /// What the answer says that it is; without one, it is lines.
    pub answer: Option<Described>,
}

/// Splits a text at the answers that begin with a line of it; `None` where it holds none, or nothing besides.
pub fn split<'t>(bytes: &'t [u8], stream: &Arc<Stream>) -> Option<Vec<Section<'t>>> {
    if bytes.len() > LONGEST {
        return None;
    }
    let mut sections: Vec<Section<'t>> = Vec::new();
    let (mut from, mut from_line, mut unknown) = (0, 1, 0);
    for (number, line) in (1..).zip(super::split(bytes)) {
        let indent = bytes[line.clone()].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let at = line.start + indent;
        if line.start < from || !matches!(bytes.get(at), Some(b'{' | b'[')) {
            continue;
        }
        let mut values = serde_json::Deserializer::from_slice(&bytes[at..]).into_iter::<Value>();
        let Some(Ok(value)) = values.next() else { continue };
        let Some(answer) = describe::read(&value, stream) else {
            unknown += 1;
            if unknown > MOST_UNKNOWN && sections.is_empty() {
                return None;
            }
            continue;
        };
        let end = at + values.byte_offset();
        sections.push(Section { line: from_line, bytes: &bytes[from..line.start], answer: None });
        sections.push(Section { line: number, bytes: &bytes[at..end], answer: Some(answer) });
        from = end;
        from_line = number + super::split(&bytes[at..end]).count() as u64 - 1;
    }
    sections.push(Section { line: from_line, bytes: &bytes[from..], answer: None });
    sections.retain(|section| section.answer.is_some() || says_something(section.bytes));
    let answers = sections.iter().filter(|section| section.answer.is_some()).count();
    (answers > 0 && answers < sections.len()).then_some(sections)
}

/// Whether lines are more than what is left of the JSON around an answer.
fn says_something(lines: &[u8]) -> bool {
    let is_left_over = |line: &[u8]| {
        let line = line.trim_ascii();
        matches!(line.first(), None | Some(b'{' | b'}' | b'[' | b']' | b',' | b'"')) && !line.ends_with(b"}")
            || line.iter().all(u8::is_ascii_punctuation)
    };
    !super::split(lines).all(|line| is_left_over(&lines[line]))
}

#[cfg(test)]
mod tests {
    use super::super::read_text;

    const STEADY: &str = "{\n  \"services\": [{\n    \"serviceArn\": \"arn:aws:ecs:eu-central-1:111122223333:service/shop/web\",\n    \"serviceName\": \"web\", \"desiredCount\": 1,\n    \"events\": [{\"id\": \"1\", \"createdAt\": 1780000000.1,\n      \"message\": \"(service web) was unable to place a task.\"\n    }]\n  }]\n}\n";

    /// Compares the numbers of lines and what the records say.
    #[track_caller]
    fn check(text: &str, expected: &[(u64, &str)]) {
        let read = read_text("session.txt", None, text);
        let found: Vec<(u64, &str)> =
            read.records.iter().map(|record| (record.line, record.said().trim())).collect();
        assert_eq!(found, expected);
        let order: Vec<u64> = read.records.iter().map(|record| record.seq).collect();
        assert!(order.is_sorted(), "{order:?}");
    }

    #[test]
    fn a_log_behind_an_answer_is_read_as_well() {
        let text = format!("{STEADY}ERROR no such table\n  at a.b(c.rs:1)\n");
        let read = read_text("-", None, &text);
        assert!(read.snapshot.services.items().iter().any(|service| service.name() == "web"));
        check(
            &text,
            &[
                (6, "(service web) was unable to place a task."),
                (10, "ERROR no such table\n  at a.b(c.rs:1)"),
            ],
        );
    }

    #[test]
    fn a_session_in_a_terminal_is_read_answer_by_answer() {
        let text = format!("$ aws ecs describe-services\n{STEADY}$ docker logs web\nno such table\n");
        check(
            &text,
            &[
                (1, "$ aws ecs describe-services"),
                (7, "(service web) was unable to place a task."),
                (11, "$ docker logs web"),
                (12, "no such table"),
            ],
        );
    }

    #[test]
    fn lines_of_json_stay_lines() {
        let text = "{\"level\":\"info\",\"msg\":\"one\"}\n{\"level\":\"info\",\"msg\":\"two\"}\n";
        check(text, &[(1, "one"), (2, "two")]);
    }
}
