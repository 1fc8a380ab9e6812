//! The members of a JSON log line that say something; all others are passed over without being kept.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// Members of an object by name; where a name stands twice, the later one counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Members(Vec<(&'static str, Value)>);

impl Members {
    pub fn get(&self, name: &str) -> Option<&Value> {
        debug_assert!(names(name.len()).contains(&name), "{name} is not kept");
        self.0.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

/// Returns the names that are kept, by their length.
fn names(length: usize) -> &'static [&'static str] {
    match length {
        1 => &["t", "s"],
        2 => &["ts", "@l", "@m", "@x", "@t"],
        3 => &["lvl", "msg", "log", "err", "@mt"],
        4 => &["time", "date", "body", "Body"],
        5 => &["level", "event", "error", "cause", "stack", "trace", "Level"],
        6 => &["stream", "reason", "fields"],
        7 => &["asctime", "message", "Message", "instant"],
        8 => &["severity", "loglevel", "exc_info", "LogLevel", "datetime"],
        9 => &[
            "timestamp",
            "log.level",
            "levelname",
            "exception",
            "Timestamp",
            "Exception",
            "eventTime",
            "errorType",
        ],
        10 => &[
            "@timestamp",
            "stacktrace",
            "stackTrace",
            "level_name",
            "timeMillis",
            "error.type",
            "error.kind",
        ],
        11 => &["stack_trace", "error.stack"],
        12 => &["severityText", "SeverityText", "errorMessage"],
        13 => &["short_message", "error.message", "severity_text"],
        14 => &["exception.type"],
        15 => &["RenderedMessage", "MessageTemplate"],
        17 => &["error.stack_trace", "exception.message"],
        20 => &["exception.stacktrace"],
        _ => &[],
    }
}

struct Name(Option<&'static str>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl Visitor<'_> for NameVisitor {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E>(self, text: &str) -> Result<Name, E> {
                Ok(Name(names(text.len()).iter().copied().find(|name| *name == text)))
            }
        }

        deserializer.deserialize_str(NameVisitor)
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(Name(name)) = object.next_key()? {
                    match name {
                        Some(name) => members.push((name, object.next_value()?)),
                        None => drop(object.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_something_is_kept() {
        let text = r#"{"pid": 7, "msg": "first", "tags": [{"a": 1}], "level": 30, "msg": "last"}"#;
        let members: Members = serde_json::from_str(text).expect("an object");
        assert_eq!(members.get("msg").and_then(Value::as_str), Some("last"));
        assert_eq!(members.get("level").and_then(Value::as_u64), Some(30));
        assert_eq!(members.0.len(), 3, "others are not kept: {members:?}");
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["{", "[1]", "{\"a\": }", "{\"a\": 1} {\"b\": 2}"] {
            assert!(serde_json::from_str::<Members>(text).is_err(), "{text}");
        }
    }
}
