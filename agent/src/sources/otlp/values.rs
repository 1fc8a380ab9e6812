//! Values and attributes of OpenTelemetry.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use std::collections::BTreeMap;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

use crate::sources::id;

/// Who sent what a request holds, as far as records tell it.
pub struct Sender {
    pub stream: String,
    pub entity: Option<Arc<str>>,
    hash: u64,
}

impl Sender {
    pub fn of(resource: Option<&Resource>) -> Sender {
        let attributes = resource.map(|resource| resource.attributes.as_slice()).unwrap_or_default();
        let task =
            text(attributes, "aws.ecs.task.arn").and_then(|arn| arn.rsplit('/').next().map(str::to_owned));
        let entity = task
            .or_else(|| text(attributes, "container.id"))
            .or_else(|| text(attributes, "service.instance.id"))
            .filter(|entity| !entity.is_empty());
        let mut hash = Xxh3::new();
        hash.update(&resource.map(Message::encode_to_vec).unwrap_or_default());
        Sender { stream: stream(attributes), entity: entity.map(Arc::from), hash: hash.digest() }
    }

    /// Returns what stands for this sender, speaking of one of its parts.
    pub fn part(&self, scope: Option<&InstrumentationScope>) -> u64 {
        let mut hash = Xxh3::new();
        hash.update(&self.hash.to_le_bytes());
        hash.update(&scope.map(Message::encode_to_vec).unwrap_or_default());
        hash.digest()
    }
}

/// Tells apart what is said in one request.
#[derive(Default)]
pub struct Identities {
    seen: BTreeMap<u64, u64>,
}

impl Identities {
    /// Returns the identity of an item. A request that is sent again has the same ones.
    pub fn of(&mut self, part: u64, name: &str, item: &impl Message) -> u64 {
        let mut hash = Xxh3::new();
        hash.update(&part.to_le_bytes());
        hash.update(name.as_bytes());
        hash.update(&item.encode_to_vec());
        let said = hash.digest();
        let nth = self.seen.entry(said).and_modify(|nth| *nth += 1).or_insert(0);
        id(&["otlp", &format!("{said:x}"), &nth.to_string()])
    }
}

/// Returns an attribute as text.
pub fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    found.value.as_ref().and_then(said)
}

/// Returns what a value says: a text as it is, all else as JSON has it.
pub fn said(value: &AnyValue) -> Option<String> {
    match value.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::BytesValue(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::ArrayValue(list) if list.values.len() == 1 => said(&list.values[0]),
        other => Some(json_of(other).to_string()),
    }
}

/// Writes a list of attributes as a JSON object.
pub fn json(attributes: &[KeyValue]) -> serde_json::Value {
    let members = attributes.iter().map(|attribute| {
        let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
        (attribute.key.clone(), value.map_or(serde_json::Value::Null, json_of))
    });
    serde_json::Value::Object(members.collect())
}

fn json_of(value: &Value) -> serde_json::Value {
    let inner = |value: &AnyValue| value.value.as_ref().map_or(serde_json::Value::Null, json_of);
    match value {
        Value::StringValue(text) => text.as_str().into(),
        Value::BoolValue(truth) => (*truth).into(),
        Value::IntValue(number) => (*number).into(),
        Value::DoubleValue(number) => (*number).into(),
        Value::BytesValue(bytes) => String::from_utf8_lossy(bytes).into(),
        Value::ArrayValue(list) => list.values.iter().map(inner).collect(),
        Value::KvlistValue(list) => json(&list.values),
        _ => serde_json::Value::Null,
    }
}

/// Names the stream of a sender: its service, and the log stream where it names one.
fn stream(attributes: &[KeyValue]) -> String {
    let service = text(attributes, "service.name")
        .or_else(|| text(attributes, "aws.log.group.names"))
        .unwrap_or_else(|| "unknown".to_owned());
    match text(attributes, "aws.log.stream.names") {
        Some(stream) => format!("otlp:{service}/{stream}"),
        None => format!("otlp:{service}"),
    }
}
