//! How answers and errors look on the wire: JSON, XML of the query protocol, CBOR, event streams.
//!
//! Services answer with one kind of value. A point of time is `time(ms)` in it, and each protocol writes
//! it in its own way.

use crate::clock::Millis;
use ciborium::Value as Cbor;
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// How a call is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Json { version: &'static str },
    Query,
    Ec2,
    Cbor,
}

/// An error that the API's model knows, or one that all APIs have.
#[derive(Debug, Clone)]
pub struct ApiError {
    pub status: u16,
    pub code: &'static str,
    pub message: String,
}

impl ApiError {
    /// Returns an error that is the caller's fault.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into() }
    }
}

pub type Answer = Result<Value, ApiError>;

const TIME: &str = "$time";

/// Returns the value of a point of time.
pub fn time(at: Millis) -> Value {
    json!({ TIME: at })
}

/// Returns the value of a point of time, or nothing.
pub fn maybe_time(at: Option<Millis>) -> Value {
    at.map_or(Value::Null, time)
}

/// Removes members that are null: absent members are absent on the wire.
pub fn present(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name, present(value)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(present).collect()),
        other => other,
    }
}

/// Writes an answer as JSON; times are seconds.
pub fn json_body(value: &Value) -> Vec<u8> {
    plain(value).to_string().into_bytes()
}

/// Replaces times by seconds.
pub fn plain(value: &Value) -> Value {
    match value {
        Value::Object(members) => match members.get(TIME).and_then(Value::as_i64) {
            Some(at) => json!(at as f64 / 1000.0),
            None => {
                members.iter().map(|(name, value)| (name.clone(), plain(value))).collect::<Map<_, _>>().into()
            }
        },
        Value::Array(items) => items.iter().map(plain).collect(),
        other => other.clone(),
    }
}

/// Replaces times by texts, as EventBridge does.
pub fn textual(value: &Value) -> Value {
    match value {
        Value::Object(members) => match members.get(TIME).and_then(Value::as_i64) {
            Some(at) => json!(iso(at)),
            None => members
                .iter()
                .map(|(name, value)| (name.clone(), textual(value)))
                .collect::<Map<_, _>>()
                .into(),
        },
        Value::Array(items) => items.iter().map(textual).collect(),
        other => other.clone(),
    }
}

/// Writes an answer as XML of the query protocol.
pub fn query_body(namespace: &str, action: &str, value: &Value, request: &str) -> Vec<u8> {
    let mut out = format!("<{action}Response xmlns=\"{namespace}\"><{action}Result>");
    xml(value, "member", &mut out);
    let _ = write!(
        out,
        "</{action}Result><ResponseMetadata><RequestId>{request}</RequestId></ResponseMetadata></{action}Response>"
    );
    out.into_bytes()
}

/// Writes an answer as XML of EC2's query protocol.
pub fn ec2_body(namespace: &str, action: &str, value: &Value, request: &str) -> Vec<u8> {
    let mut out = format!("<{action}Response xmlns=\"{namespace}\"><requestId>{request}</requestId>");
    xml(value, "item", &mut out);
    let _ = write!(out, "</{action}Response>");
    out.into_bytes()
}

/// Writes an error in a protocol.
pub fn error_body(
    protocol: Protocol,
    namespace: &str,
    shape_prefix: &str,
    error: &ApiError,
    request: &str,
) -> Vec<u8> {
    match protocol {
        Protocol::Json { .. } => {
            json_body(&json!({ "__type": format!("{shape_prefix}{}", error.code), "message": error.message }))
        }
        Protocol::Cbor => {
            cbor_body(&json!({ "__type": format!("{shape_prefix}{}", error.code), "message": error.message }))
        }
        Protocol::Ec2 => {
            let mut out = format!("<Response><Errors><Error><Code>{}</Code><Message>", error.code);
            escape(&error.message, &mut out);
            let _ = write!(out, "</Message></Error></Errors><RequestID>{request}</RequestID></Response>");
            out.into_bytes()
        }
        Protocol::Query => {
            let kind = if error.status < 500 { "Sender" } else { "Receiver" };
            let mut out = format!(
                "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{kind}</Type><Code>{}</Code><Message>",
                error.code
            );
            escape(&error.message, &mut out);
            let _ = write!(out, "</Message></Error><RequestId>{request}</RequestId></ErrorResponse>");
            out.into_bytes()
        }
    }
}

/// Writes an answer as CBOR; times carry tag 1.
pub fn cbor_body(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    // Writing into a vector does not fail.
    let _ = ciborium::into_writer(&to_cbor(value), &mut out);
    out
}

/// Reads the CBOR body of a call; tagged times become seconds.
pub fn from_cbor(body: &[u8]) -> Option<Value> {
    if body.is_empty() {
        return Some(json!({}));
    }
    cbor_value(ciborium::from_reader::<Cbor, _>(body).ok()?)
}

/// Reads the form of a query call; `Names.member.1` becomes a list.
pub fn from_form(body: &[u8]) -> Value {
    let mut root = json!({});
    for (name, value) in form_urlencoded::parse(body) {
        let mut place = &mut root;
        for part in name.split('.') {
            let Value::Object(members) = place else { break };
            place = members.entry(part.to_owned()).or_insert_with(|| json!({}));
        }
        *place = Value::String(value.into_owned());
    }
    listed(root)
}

/// Writes a point of time as RFC 3339 with milliseconds.
pub fn iso(at: Millis) -> String {
    jiff::Timestamp::from_millisecond(at).map_or_else(|_| String::new(), |at| format!("{at:.3}"))
}

/// Frames a message of an event stream.
pub fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut names = Vec::new();
    for (name, value) in headers {
        names.push(name.len() as u8);
        names.extend_from_slice(name.as_bytes());
        names.push(7);
        names.extend_from_slice(&(value.len() as u16).to_be_bytes());
        names.extend_from_slice(value.as_bytes());
    }
    let total = (12 + names.len() + payload.len() + 4) as u32;
    let mut out = total.to_be_bytes().to_vec();
    out.extend_from_slice(&(names.len() as u32).to_be_bytes());
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.extend_from_slice(&names);
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out
}

fn xml(value: &Value, item: &str, out: &mut String) {
    match value {
        Value::Object(members) => match members.get(TIME).and_then(Value::as_i64) {
            Some(at) => out.push_str(&iso(at)),
            None => {
                for (name, value) in members {
                    let _ = write!(out, "<{name}>");
                    xml(value, item, out);
                    let _ = write!(out, "</{name}>");
                }
            }
        },
        Value::Array(items) => {
            for value in items {
                let _ = write!(out, "<{item}>");
                xml(value, item, out);
                let _ = write!(out, "</{item}>");
            }
        }
        Value::String(text) => escape(text, out),
        Value::Null => {}
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
}

fn to_cbor(value: &Value) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(known) => Cbor::Bool(*known),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Cbor::Integer(whole.into()),
            None => Cbor::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Cbor::Text(text.clone()),
        Value::Array(items) => Cbor::Array(items.iter().map(to_cbor).collect()),
        Value::Object(members) => match members.get(TIME).and_then(Value::as_i64) {
            Some(at) => Cbor::Tag(1, Box::new(Cbor::Float(at as f64 / 1000.0))),
            None => Cbor::Map(
                members.iter().map(|(name, value)| (Cbor::Text(name.clone()), to_cbor(value))).collect(),
            ),
        },
    }
}

fn cbor_value(value: Cbor) -> Option<Value> {
    Some(match value {
        Cbor::Null => Value::Null,
        Cbor::Bool(known) => json!(known),
        Cbor::Integer(whole) => json!(i64::try_from(whole).ok()?),
        Cbor::Float(number) => json!(number),
        Cbor::Text(text) => json!(text),
        Cbor::Tag(_, inner) => cbor_value(*inner)?,
        Cbor::Array(items) => items.into_iter().map(cbor_value).collect::<Option<Vec<_>>>()?.into(),
        Cbor::Map(members) => {
            let mut out = Map::new();
            for (name, value) in members {
                out.insert(name.into_text().ok()?, cbor_value(value)?);
            }
            out.into()
        }
        _ => return None,
    })
}

/// Turns `{"member": {"1": …}}`, and EC2's `{"1": …}`, into a list.
fn listed(value: Value) -> Value {
    let Value::Object(members) = value else { return value };
    if members.len() == 1
        && let Some(numbered @ Value::Object(_)) = members.get("member")
    {
        return listed(numbered.clone());
    }
    if members.is_empty() || members.keys().any(|key| key.parse::<u32>().is_err()) {
        return members.into_iter().map(|(name, value)| (name, listed(value))).collect::<Map<_, _>>().into();
    }
    let numbered = members.into_iter().filter_map(|(key, value)| Some((key.parse::<u32>().ok()?, value)));
    let mut items: Vec<(u32, Value)> = numbered.map(|(number, value)| (number, listed(value))).collect();
    items.sort_by_key(|(number, _)| *number);
    items.into_iter().map(|(_, value)| value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_becomes_nested_lists() {
        let form = b"Action=X&Names.member.2=b&Names.member.1=a&P.member.1.Key=k&P.member.1.Value=1%202";
        let expected = json!({ "Action": "X", "Names": ["a", "b"], "P": [{ "Key": "k", "Value": "1 2" }] });
        assert_eq!(from_form(form), expected);
    }

    #[test]
    fn a_form_of_ec2_numbers_its_lists_at_once() {
        let form = b"SubnetId.1=a&Filter.1.Name=vpc-id&Filter.1.Value.1=v";
        let expected = json!({ "SubnetId": ["a"], "Filter": [{ "Name": "vpc-id", "Value": ["v"] }] });
        assert_eq!(from_form(form), expected);
    }

    #[test]
    fn a_time_is_written_as_each_protocol_wants_it() {
        let value = json!({ "At": time(1_500) });
        assert_eq!(json_body(&value), br#"{"At":1.5}"#);
        let xml = String::from_utf8(query_body("ns", "X", &value, "r")).unwrap();
        assert!(xml.contains("<At>1970-01-01T00:00:01.500Z</At>"), "{xml}");
        assert_eq!(from_cbor(&cbor_body(&value)), Some(json!({ "At": 1.5 })));
    }

    #[test]
    fn a_frame_says_its_length_and_check_sums() {
        let frame = frame(&[(":event-type", "x")], b"{}");
        assert_eq!(u32::from_be_bytes(frame[..4].try_into().unwrap()) as usize, frame.len());
        let end = frame.len() - 4;
        assert_eq!(u32::from_be_bytes(frame[end..].try_into().unwrap()), crc32fast::hash(&frame[..end]));
    }
}
