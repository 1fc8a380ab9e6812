//! Log records of OpenTelemetry become records.

use analyzer::record::{Level, Record, Source, Stream};
use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Taken;
use super::values::{self, Identities, Sender};
use crate::formats;
use crate::sources::{Arrival, id, members};

/// Reads a request; records are numbered later.
pub fn read(request: ExportLogsServiceRequest) -> Taken {
    let mut taken = Taken::default();
    let mut identities = Identities::default();
    let arrived = Timestamp::now();
    for part in request.resource_logs {
        let sender = Sender::of(part.resource.as_ref());
        let stream = Arc::new(Stream { name: sender.stream.clone(), source: Source::ContainerLog });
        for scope in part.scope_logs {
            let part = sender.part(scope.scope.as_ref());
            for log in scope.log_records {
                let is_undated = log.time_unix_nano == 0 && log.observed_time_unix_nano == 0;
                let id = if is_undated { undated(arrived) } else { identities.of(part, "log", &log) };
                match record(&log, &stream, &sender) {
                    Some(record) => taken.arrivals.push(Arrival { id, further: Vec::new(), record }),
                    None => taken.refused += 1,
                }
            }
        }
    }
    taken
}

/// Returns an identity for what says no time: that it is sent again cannot be told from that it is said again,
/// and what is said again must not be lost.
fn undated(arrived: Timestamp) -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    id(&["otlp", "undated", &arrived.as_nanosecond().to_string(), &count.to_string()])
}

fn record(log: &LogRecord, stream: &Arc<Stream>, sender: &Sender) -> Option<Record> {
    let text = text(log)?;
    let read = formats::read_record(&text);
    let stated = level(log.severity_number).or_else(|| Level::named(&log.severity_text));
    Some(Record {
        stream: stream.clone(),
        seq: 0,
        time: time(log.time_unix_nano).or_else(|| time(log.observed_time_unix_nano)),
        source: Source::ContainerLog,
        level: stated.unwrap_or(read.level),
        text: read.text,
        body: read.body,
        line: 1,
        entity: sender.entity.clone(),
        deployment: None,
    })
}

/// The attributes of an exception, which become lines of the message.
const EXCEPTION: [&str; 3] = ["exception.type", "exception.message", "exception.stacktrace"];

/// What the names of attributes begin with that tell where a record was written, and not what it says.
const ABOUT: [&str; 9] =
    ["code.", "thread.", "log.file.", "log.record.", "process.", "telemetry.", "service.", "host.", "k8s."];

/// Returns what a record says: its message with its exception, or a JSON line of these and its other attributes.
fn text(log: &LogRecord) -> Option<String> {
    let mut members = match values::json(&log.attributes) {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    let body = log.body.as_ref().and_then(values::said).filter(|said| !said.trim().is_empty());
    let is_alone = body.is_none() && log.event_name.is_empty();
    if is_alone && members.is_empty() {
        return None;
    }
    let is_about = |name: &str| ABOUT.iter().any(|begins| name.starts_with(begins));
    if !is_alone {
        members.retain(|name, _| !is_about(name));
    }
    let structured = match log.body.as_ref().and_then(|body| body.value.as_ref()) {
        Some(any_value::Value::KvlistValue(list)) => Some(values::json(&list.values)),
        _ => None,
    };
    if let Some(Value::Object(mut line)) = structured.filter(|_| body.is_some()) {
        // It is a JSON line already.
        for (name, value) in members {
            line.entry(name).or_insert(value);
        }
        return Some(members::text(None, line));
    }
    let message = body.or_else(|| Some(log.event_name.clone()).filter(|name| !name.is_empty()));
    let Some(mut message) = message else { return Some(members::text(None, members)) };
    members.retain(|name, _| !EXCEPTION.contains(&name.as_str()));
    append_exception(
        &mut message,
        EXCEPTION.map(|key| values::text(&log.attributes, key).filter(|said| !said.is_empty())),
    );
    if message.trim_start().starts_with('{') {
        // A JSON line that a program printed says what it has to say.
        return Some(message);
    }
    Some(members::text(Some(("message", message)), members))
}

/// Adds what is not said already: loggers often write the stack trace into the message too.
fn append_exception(text: &mut String, [kind, message, stack]: [Option<String>; 3]) {
    let head = match (kind, message) {
        (Some(kind), Some(message)) => Some(format!("{kind}: {message}")),
        (kind, message) => kind.or(message),
    };
    // A stack trace mostly begins with the type and the message.
    let head = head.filter(|head| !stack.as_ref().is_some_and(|stack| stack.contains(head.as_str())));
    for part in [head, stack].into_iter().flatten() {
        if !text.contains(part.trim_end()) {
            text.push('\n');
            text.push_str(part.trim_end());
        }
    }
}

/// Reads a severity; each level has four numbers.
fn level(number: i32) -> Option<Level> {
    match number {
        1..=4 => Some(Level::Trace),
        5..=8 => Some(Level::Debug),
        9..=12 => Some(Level::Info),
        13..=16 => Some(Level::Warn),
        17..=20 => Some(Level::Error),
        21..=24 => Some(Level::Fatal),
        _ => None,
    }
}

/// Reads a time; zero is none.
pub fn time(nanoseconds: u64) -> Option<Timestamp> {
    if nanoseconds == 0 { None } else { Timestamp::from_nanosecond(nanoseconds.into()).ok() }
}
