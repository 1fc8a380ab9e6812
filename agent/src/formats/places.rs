//! Where the records of a JSON document stand in it, line by line.

use aho_corasick::{AhoCorasick, MatchKind};
use analyzer::record::Record;
use std::collections::{BTreeMap, VecDeque};

/// Shorter values do not tell one line from another.
const SHORTEST: usize = 12;
/// Larger documents are not looked through.
const LONGEST: usize = 8 << 20;
const MOST_RECORDS: usize = 10_000;

/// Gives each record the number of the line that holds its message, and below its text the line itself where `as_it_stands`.
/// A document in one line has nothing to tell apart.
pub fn find(records: &mut [Record], bytes: &[u8], as_it_stands: bool) {
    if bytes.len() > LONGEST || records.len() > MOST_RECORDS {
        return;
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines: BTreeMap<String, VecDeque<(u64, &str)>> = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(value) = value_of(line).filter(|value| value.len() >= SHORTEST) {
            lines.entry(value).or_default().push_back((number, line));
        }
    }
    let values: Vec<&String> = lines.keys().collect();
    let built = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&values);
    let Ok(finder) = built else { return };
    let longest = |text: &str| finder.find_iter(text).max_by_key(|found| found.len());
    let found: Vec<Option<String>> = records
        .iter()
        .map(|record| longest(&record.text).map(|found| values[found.pattern().as_usize()].clone()))
        .collect();
    for (record, value) in records.iter_mut().zip(found) {
        let Some(places) = value.and_then(|value| lines.get_mut(&value)) else { continue };
        // What is said several times is told in the order of time, and stands with the newest first.
        let Some((number, line)) = places.pop_back() else { continue };
        record.line = number;
        if as_it_stands {
            // What was decoded stays.
            record.body.get_or_insert_with(|| record.text.clone());
            record.text = format!("{}\n{}", record.text, line.trim());
        }
    }
}

/// Returns the message that a line of printed JSON holds: `"message": "(service web) has started …",`,
/// or an object in one line.
fn value_of(line: &str) -> Option<String> {
    const MESSAGES: [&str; 4] = ["message", "ResourceStatusReason", "stoppedReason", "reason"];
    let line = line.trim().trim_end_matches(',');
    if line.starts_with('{') && line.ends_with('}') {
        let object: serde_json::Value = serde_json::from_str(line).ok()?;
        return MESSAGES.iter().find_map(|name| object.get(name)?.as_str().map(str::to_owned));
    }
    let (name, value) = line.strip_prefix('"')?.split_once("\": ")?;
    let name = name.to_ascii_lowercase();
    let is_message = ["message", "reason", "description"].iter().any(|word| name.ends_with(word));
    if is_message { serde_json::from_str(value.trim()).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::read_text;
    use super::*;

    #[test]
    fn a_record_of_a_document_has_the_line_of_its_message() {
        let text = "{\n  \"StackEvents\": [\n    {\n      \"LogicalResourceId\": \"Web\",\n      \"ResourceType\": \"AWS::ECS::Service\",\n      \"Timestamp\": \"2026-05-01T10:00:00Z\",\n      \"ResourceStatus\": \"CREATE_FAILED\",\n      \"ResourceStatusReason\": \"the subnet \\\"a\\\" is full\"\n    }\n  ]\n}\n";
        let read = read_text("events.json", None, text);
        let record = &read.records[0];
        assert_eq!(record.line, 8);
        assert_eq!(record.said(), "CREATE_FAILED AWS::ECS::Service Web the subnet \"a\" is full");
        assert!(record.text.ends_with("\n\"ResourceStatusReason\": \"the subnet \\\"a\\\" is full\""));
    }

    #[test]
    fn a_record_of_a_piece_reads_as_it_stands() {
        let text = "    \"desiredCount\": 2\n  },\n  {\n    \"id\": \"1\",\n    \"createdAt\": 1780000000.1,\n    \"message\": \"(service web) was unable to place a task.\"\n  },\n";
        let read = read_text("events.txt", None, text);
        assert_eq!(read.records[0].line, 6);
        assert!(
            read.records[0].text.ends_with("\n\"message\": \"(service web) was unable to place a task.\"")
        );
        assert_eq!(read.records[0].body.as_deref(), Some("(service web) was unable to place a task."));
    }

    #[test]
    fn a_message_that_is_json_stays_decoded() {
        let message = r#"{\"level\":\"error\",\"msg\":\"startup failed\",\"err\":{\"message\":\"connect ECONNREFUSED\"}}"#;
        let text = format!(
            "{{\n\"events\": [\n{{\n\"logStreamName\": \"web/app/1\",\n\"timestamp\": 1780394495000,\n\"message\": \"{message}\"\n}}\n]\n}}\n"
        );
        let read = read_text("logs.json", None, &text);
        assert_eq!(read.records[0].line, 6);
        assert_eq!(read.records[0].said(), "startup failed\nconnect ECONNREFUSED");
    }

    #[test]
    fn lines_that_are_no_fields_have_no_value() {
        assert_eq!(value_of("  \"message\": \"a \\u0041\","), Some("a A".to_owned()));
        assert_eq!(
            value_of(r#"  {"id": "1", "message": "(service web) a"},"#),
            Some("(service web) a".to_owned())
        );
        assert_eq!(value_of("\"id\": 12,"), None);
        assert_eq!(value_of("\"ResourceType\": \"AWS::ECS::Service\","), None);
        assert_eq!(value_of("level=error msg=\"a\""), None);
    }
}
