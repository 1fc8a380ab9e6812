//! Lines of JSON as a person reads them: what they say, without what stands around it.

use serde_json::Value;

const SAID: [&str; 21] = [
    "message",
    "msg",
    "Message",
    "short_message",
    "event",
    "log",
    "error",
    "err",
    "exception",
    "Exception",
    "reason",
    "cause",
    "type",
    "name",
    "code",
    "detail",
    "errors",
    "stack",
    "stack_trace",
    "stacktrace",
    "trace",
];
/// What says nothing where it stands at the top: the kind of the line, the name of the logger.
const SAID_OF_ERRORS: [&str; 3] = ["type", "name", "code"];
const DEEPEST: usize = 4;
const MOST_LINES: usize = 60;

/// Returns what a line of JSON says, a text a line; nothing for a line that is none, or says nothing.
pub fn decoded(line: &str) -> Option<String> {
    let line = line.trim();
    if !line.starts_with('{') {
        return None;
    }
    let value: Value = serde_json::from_str(line).ok()?;
    let mut said = Vec::new();
    push(&mut said, &value, 0);
    (!said.is_empty()).then(|| said.join("\n"))
}

/// Returns the line of a decoded text that holds what told in the line of JSON, or else its first line.
pub fn telling<'t>(decoded: &'t str, told: &str) -> &'t str {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 1).map(str::to_owned).collect()
    };
    let told = words(told);
    let count = |line: &&str| {
        let words = words(line);
        told.iter().filter(|word| words.contains(word)).count()
    };
    // Of lines that hold as much, the first is nearer to the message than to the stack.
    let best = decoded.lines().rev().max_by_key(count);
    best.unwrap_or(decoded)
}

fn push(said: &mut Vec<String>, value: &Value, depth: usize) {
    match value {
        Value::String(text) => {
            let parts = text.split(['\n', '\r']).filter(|part| !part.trim().is_empty());
            for part in parts {
                // A stack begins with the message once more.
                if said.len() < MOST_LINES && !said.iter().any(|other| other == part) {
                    said.push(part.to_owned());
                }
            }
        }
        Value::Object(members) if depth < DEEPEST => {
            for name in SAID.iter().filter(|name| depth > 0 || !SAID_OF_ERRORS.contains(name)) {
                if let Some(found) = members.get(*name) {
                    push(said, found, depth + 1);
                }
            }
        }
        Value::Array(items) if depth < DEEPEST => {
            items.iter().take(50).for_each(|item| push(said, item, depth + 1))
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<&str>) {
        assert_eq!(decoded(line).as_deref(), expected, "{line}");
    }

    #[test]
    fn a_line_of_json_is_what_it_says() {
        check(
            r#"{"level": "error", "msg": "startup failed", "err": {"type": "Error", "message": "connect ECONNREFUSED", "stack": "Error: connect\n\tat a (b.js:1)"}}"#,
            Some("startup failed\nconnect ECONNREFUSED\nError\nError: connect\n\tat a (b.js:1)"),
        );
        check(r#"{"level": "error", "name": "web"}"#, None);
        check("startup {failed}", None);
        check("{not json}", None);
    }

    #[test]
    fn the_line_that_told_is_found_again() {
        let said =
            "startup failed\nconnect ECONNREFUSED 10.0.0.7:5432\nError: connect ECONNREFUSED 10.0.0.7:5432";
        assert_eq!(
            telling(said, r#"connect ECONNREFUSED 10.0.0.7:5432""#),
            "connect ECONNREFUSED 10.0.0.7:5432"
        );
        assert_eq!(telling(said, "nothing of it"), "startup failed");
    }
}
