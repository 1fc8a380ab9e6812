//! What a structured record says that others send: the same as a JSON line of a file.

use serde_json::{Map, Value};

/// Members that only repeat what a record keeps elsewhere: its time, its level, the output that it was printed to.
const KEPT_ELSEWHERE: [&str; 18] = [
    "level",
    "severity",
    "lvl",
    "levelname",
    "level_name",
    "loglevel",
    "log.level",
    "time",
    "timestamp",
    "@timestamp",
    "ts",
    "date",
    "datetime",
    "asctime",
    "stream",
    "log.iostream",
    "logtag",
    "@version",
];

/// Returns the text of a record: the message alone where it says all, else a JSON line of the message and the members.
pub fn text(message: Option<(&str, String)>, members: Map<String, Value>) -> String {
    let (name, message) = match message {
        Some((_, message)) if !members.iter().any(says_more) => return message,
        Some((name, message)) => (name, message),
        None => return Value::Object(members).to_string(),
    };
    let mut line = Map::new();
    line.insert(name.to_owned(), message.trim_end_matches(['\n', '\r']).into());
    for (name, value) in members {
        // A line that names both is taken for one of docker's log driver, of which only `log` counts.
        let is_docker = line.contains_key("log") && matches!(name.as_str(), "time" | "stream");
        if !is_docker {
            line.entry(name).or_insert(value);
        }
    }
    Value::Object(line).to_string()
}

fn says_more((name, value): (&String, &Value)) -> bool {
    let is_empty = match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    };
    !is_empty && !KEPT_ELSEWHERE.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats;

    /// The text of a record with this message and these members, and what is read in it.
    #[track_caller]
    fn check(message: &str, members: &str, said: &str) {
        let members = serde_json::from_str(members).unwrap();
        let text = text(Some(("message", message.to_owned())), members);
        let read = formats::read_record(&text);
        assert_eq!(read.body.unwrap_or(read.text), said, "{text}");
    }

    const REFUSED: &str = "connection to server at db, port 5432 failed: Connection refused";

    #[test]
    fn the_error_beside_a_message_is_read() {
        for members in [
            format!(r#"{{"error": "{REFUSED}"}}"#),
            format!(r#"{{"level": "error", "err": "{REFUSED}", "n": 4}}"#),
            format!(r#"{{"error.message": "{REFUSED}"}}"#),
            format!(r#"{{"exception": {{"message": "{REFUSED}"}}}}"#),
        ] {
            check("cannot start", &members, &format!("cannot start\n{REFUSED}"));
        }
        check(
            "cannot start",
            r#"{"error.type": "Refused", "error.message": "no", "error.stack": "Refused: no\n    at a (a.js:1:1)"}"#,
            "cannot start\nRefused\nno\nRefused: no\n    at a (a.js:1:1)",
        );
    }

    #[test]
    fn a_message_that_says_all_stays_as_it_is() {
        for members in
            ["{}", r#"{"level": "info", "time": 7, "stream": "stdout", "error": null, "tags": []}"#]
        {
            let members = serde_json::from_str(members).unwrap();
            assert_eq!(text(Some(("log", "ready".to_owned())), members), "ready");
        }
    }

    #[test]
    fn members_keep_their_order_and_their_words() {
        let members = serde_json::from_str(r#"{"path": "/b", "message": "other", "a": [1]}"#).unwrap();
        let text = text(Some(("message", "GET".to_owned())), members);
        assert_eq!(text, r#"{"message":"GET","path":"/b","a":[1]}"#);
    }

    #[test]
    fn a_line_with_members_is_not_one_of_docker() {
        let members = r#"{"time": "2026-05-01T10:00:00Z", "stream": "stderr", "error": "refused"}"#;
        let text = text(Some(("log", "cannot start".to_owned())), serde_json::from_str(members).unwrap());
        assert_eq!(formats::read_record(&text).body.as_deref(), Some("cannot start\nrefused"));
    }
}
