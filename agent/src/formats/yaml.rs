//! Answers that the AWS CLI printed with `--output yaml`: written again as JSON, each part in the line where it stood.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::Value;

/// Nothing that the CLI prints is nested deeper.
const DEEPEST: usize = 100;

/// Whether a text may be such an answer: it begins with a member that holds a list or an object, or with a list of objects.
pub fn begins_so(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let mut lines = lines.filter(|line| !line.is_empty() && *line != b"---").take(2);
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else { return false };
    let is_name = |name: &[u8]| !name.is_empty() && name.iter().all(u8::is_ascii_alphanumeric);
    if let Some(name) = first.strip_suffix(b":").or_else(|| first.strip_suffix(b": []")) {
        let goes_on = second.starts_with(b"- ") || second.starts_with(b" ") || second.ends_with(b":");
        return is_name(name) && goes_on;
    }
    let member = first.strip_prefix(b"- ").and_then(|rest| rest.split(|byte| *byte == b':').next());
    member.is_some_and(is_name) && first.contains(&b':') && second.starts_with(b"  ")
}

/// Writes documents as JSON; nothing where a text is no YAML, or has what the CLI never prints.
pub fn as_json(text: &str) -> Option<String> {
    let mut json =
        Json { out: String::with_capacity(text.len() + text.len() / 4), line: 1, open: Vec::new() };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.ok()?;
        let line = span.start.line();
        match event {
            Event::Scalar(said, style, ..) => json.scalar(line, &said, style)?,
            Event::SequenceStart(..) => json.begin(line, Open::List { is_empty: true })?,
            Event::MappingStart(..) => json.begin(line, Open::Object { is_empty: true, has_name: false })?,
            Event::SequenceEnd | Event::MappingEnd => json.end()?,
            Event::DocumentEnd => json.out.push(' '),
            Event::Alias(_) => return None,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => {}
        }
    }
    json.open.is_empty().then_some(json.out)
}

struct Json {
    out: String,
    /// The line that is being written.
    line: usize,
    open: Vec<Open>,
}

enum Open {
    List { is_empty: bool },
    Object { is_empty: bool, has_name: bool },
}

impl Json {
    /// Goes to a line, and writes what stands before the next part; tells whether that part is a name.
    fn before(&mut self, line: usize) -> bool {
        let (separator, is_name) = match self.open.last_mut() {
            None => ("", false),
            Some(Open::List { is_empty }) => (if std::mem::take(is_empty) { "" } else { "," }, false),
            Some(Open::Object { is_empty, has_name }) => match std::mem::replace(has_name, !*has_name) {
                true => (": ", false),
                false => (if std::mem::take(is_empty) { "" } else { "," }, true),
            },
        };
        self.out.push_str(separator);
        while self.line < line {
            self.out.push('\n');
            self.line += 1;
        }
        is_name
    }

    fn scalar(&mut self, line: usize, said: &str, style: ScalarStyle) -> Option<()> {
        let is_name = self.before(line);
        let value = match style {
            ScalarStyle::Plain if !is_name => plain(said),
            _ => Value::from(said),
        };
        self.out.push_str(&value.to_string());
        Some(())
    }

    fn begin(&mut self, line: usize, part: Open) -> Option<()> {
        let is_name = self.before(line);
        if is_name || self.open.len() >= DEEPEST {
            return None;
        }
        self.out.push(if matches!(part, Open::List { .. }) { '[' } else { '{' });
        self.open.push(part);
        Some(())
    }

    fn end(&mut self) -> Option<()> {
        self.out.push(match self.open.pop()? {
            Open::List { .. } => ']',
            Open::Object { .. } => '}',
        });
        Some(())
    }
}

/// Reads a value without quotes.
fn plain(said: &str) -> Value {
    match said {
        "" | "~" | "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => {
            let number = || serde_json::from_str(said).ok().filter(Value::is_number);
            number().unwrap_or_else(|| Value::from(said))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ANSWER: &str = "tasks:
- taskArn: arn:aws:ecs:eu-west-1:123456789012:task/shop/0a
  createdAt: '2026-05-01T10:00:00Z'
  cpu: '256'
  stoppedReason: 'CannotPullContainerError: pull image manifest
    has been retried 1 time(s): not found'
  containers:
  - name: web
    exitCode: 1
    healthy: false
    reason: null
  tags: []
failures: []
";

    #[test]
    fn an_answer_is_written_as_json() {
        let json = as_json(ANSWER).expect("it is YAML");
        let value: Value = serde_json::from_str(&json).expect("it is JSON");
        let task = json!({
            "taskArn": "arn:aws:ecs:eu-west-1:123456789012:task/shop/0a",
            "createdAt": "2026-05-01T10:00:00Z",
            "cpu": "256",
            "stoppedReason": "CannotPullContainerError: pull image manifest has been retried 1 time(s): not found",
            "containers": [{"name": "web", "exitCode": 1, "healthy": false, "reason": null}],
            "tags": [],
        });
        assert_eq!(value, json!({"tasks": [task], "failures": []}));
        assert!(begins_so(ANSWER.as_bytes()));
    }

    #[test]
    fn each_part_stays_in_its_line() {
        let json = as_json(ANSWER).expect("it is YAML");
        let line = |part: &str| json.lines().position(|line| line.contains(part)).map(|at| at + 1);
        assert_eq!((line("0a\""), line("CannotPull"), line("exitCode")), (Some(2), Some(5), Some(9)));
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_json(lines in proptest::collection::vec("[ -]{0,4}[a-z:'\"{}&*|>!?#~0-9,\\[\\]-]{0,8}( .{0,8})?", 0..12)) {
            if let Some(json) = as_json(&lines.join("\n")) {
                let values: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(&json).into_iter().collect();
                proptest::prop_assert!(values.is_ok(), "{json}");
            }
        }
    }

    #[test]
    fn what_is_no_answer_is_left_alone() {
        for text in ["a: *b", "? [a]\n: 1", "[1, 2", "a: b: c", &"[".repeat(300), "key: [\n}"] {
            assert_eq!(as_json(text), None, "{text}");
        }
        for text in [
            "",
            "Starting:",
            "2026-05-01 started:\n  a",
            "- item\n- item",
            "web: ready\nweb: done",
            "{\"a\": 1}",
        ] {
            assert!(!begins_so(text.as_bytes()), "{text}");
        }
    }
}
