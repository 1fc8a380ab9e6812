//! Reads what the AWS CLI and EventBridge print as JSON: into records, and into a snapshot.

pub mod streamed;
#[cfg(test)]
mod tests;
mod things;
mod words;

use analyzer::record::{Level, Record, Source, Stream};
use analyzer::snapshot::{Image, Part, Snapshot, TargetGroup, Task, TaskDefinition, last_segment};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Folder, time};
use words::*;
pub use words::{level_of_alarm, text_of_alarm};

/// What a document says: what happened, and what is.
#[derive(Clone, Debug, Default)]
pub struct Described {
    pub records: Vec<Record>,
    pub snapshot: Snapshot,
}

/// Reads an answer of the AWS CLI, a part of one, an event of ECS, or an array of these;
/// `None` where any of it is something else. Records are numbered from 1 in the order of time,
/// and what has no time, because it is the present state, comes last.
pub fn read(value: &Value, stream: &Arc<Stream>) -> Option<Described> {
    let mut reader = Reader::new(stream);
    reader.value(value).then(|| reader.finish())
}

/// Returns the event of EventBridge that a message of a log holds.
pub fn event_in(message: &str) -> Option<Value> {
    let may_be = message.starts_with('{') && message.contains("\"detail-type\"");
    if may_be { serde_json::from_str(message).ok() } else { None }
}

/// Returns the task that the name of a log stream ends with (`prefix/container/task`).
pub fn task_of_log_stream(name: &str) -> Option<&str> {
    Some(last_segment(name)).filter(|id| is_task_id(id))
}

struct Reader<'a> {
    stream: &'a Arc<Stream>,
    /// Streams of CloudWatch Logs, by name.
    log_streams: BTreeMap<String, LogStream>,
    snapshot: Snapshot,
    records: Vec<Record>,
    /// Ids of events, which EventBridge may deliver more than once.
    seen: BTreeSet<String>,
}

/// A stream of CloudWatch Logs: an event is a line, and several may be one record.
struct LogStream {
    folder: Folder,
    task: Option<Arc<str>>,
    /// When each line was said, by its number.
    times: Vec<Option<Timestamp>>,
}

/// An event of a log: its stream, its time, its message.
type LogEvent<'v> = (&'v str, Option<Timestamp>, &'v str);

/// A record before it has its place.
#[derive(Default)]
struct Said<'a> {
    time: Option<Timestamp>,
    level: Level,
    text: String,
    entity: &'a str,
    deployment: &'a str,
}

impl<'a> Reader<'a> {
    fn new(stream: &'a Arc<Stream>) -> Reader<'a> {
        Reader {
            stream,
            log_streams: BTreeMap::new(),
            snapshot: Snapshot::default(),
            records: Vec::new(),
            seen: BTreeSet::new(),
        }
    }

    /// Reads a value; false where it is nothing that is known.
    fn value(&mut self, value: &Value) -> bool {
        match value {
            Value::Array(items) => !items.is_empty() && self.list(items),
            Value::Object(object) => self.element(value) || self.answer(object),
            _ => false,
        }
    }

    fn list(&mut self, items: &[Value]) -> bool {
        if let Some(events) = items.iter().map(log_event).collect() {
            self.log_events(events);
            return true;
        }
        let before = self.records.len();
        let known = items.iter().all(|item| self.value(item));
        if items.first().is_some_and(|item| is_stack_event(item) || is_service_event(item)) {
            // These are listed newest first, which tells the order of events at the same time.
            self.records[before..].reverse();
        }
        known
    }

    /// Reads a whole answer of the CLI, told by its keys.
    fn answer(&mut self, object: &Map<String, Value>) -> bool {
        const KEYS: [&str; 20] = [
            "services",
            "service",
            "tasks",
            "task",
            "taskDefinition",
            "taskDefinitions",
            "serviceDeployments",
            "deployments",
            "StackEvents",
            "OperationEvents",
            "Stacks",
            "TargetHealthDescriptions",
            "TargetGroups",
            "imageDetails",
            "MetricAlarms",
            "CompositeAlarms",
            "Activities",
            "events",
            "results",
            "failures",
        ];
        let mut known = false;
        for key in KEYS {
            let images = self.snapshot.images.items().len();
            let read = match (key, object.get(key)) {
                (_, None | Some(Value::Null)) => continue,
                (_, Some(Value::Array(items))) if items.is_empty() => {
                    known |= self.nothing(key, object);
                    continue;
                }
                ("failures", Some(Value::Array(items))) => items.iter().all(|item| self.failure(item)),
                ("results", Some(Value::Array(rows))) => match rows.iter().map(query_row).collect() {
                    Some(events) => {
                        self.log_events(events);
                        true
                    }
                    None => false,
                },
                (_, Some(found)) => self.value(found),
            };
            if !read {
                return false;
            }
            if key == "imageDetails" && !goes_on(object) {
                self.are_whole_list(images);
            }
            known = true;
        }
        known
    }

    /// Notes that the images from that one on are all that their repository has.
    fn are_whole_list(&mut self, from: usize) {
        if let Part::Known(images) = &mut self.snapshot.images {
            images.iter_mut().skip(from).for_each(|image| image.of_whole_list = true);
        }
    }

    /// Reads an empty list; false where too little tells that the answer is one of AWS.
    fn nothing(&mut self, key: &str, answer: &Map<String, Value>) -> bool {
        const COMPANIONS: [&str; 9] = [
            "failures",
            "nextToken",
            "NextToken",
            "NextMarker",
            "ResponseMetadata",
            "nextForwardToken",
            "nextBackwardToken",
            "searchedLogStreams",
            "tags",
        ];
        if !answer.keys().all(|name| name == key || COMPANIONS.contains(&name.as_str())) {
            return false;
        }
        match key {
            "services" => make_known(&mut self.snapshot.services, None),
            "tasks" => make_known(&mut self.snapshot.tasks, None),
            "serviceDeployments" => make_known(&mut self.snapshot.service_deployments, None),
            "Stacks" => make_known(&mut self.snapshot.stacks, None),
            "TargetHealthDescriptions" => make_known(&mut self.snapshot.target_health, None),
            "TargetGroups" => make_known(&mut self.snapshot.target_groups, None),
            "imageDetails" => make_known(&mut self.snapshot.images, None),
            "Activities" => {}
            "MetricAlarms" | "CompositeAlarms" => make_known(&mut self.snapshot.alarms, None),
            "StackEvents" | "OperationEvents" => {}
            _ => return answer.len() > 1,
        }
        true
    }

    /// Reads one thing, told by the names of its fields.
    fn element(&mut self, value: &Value) -> bool {
        let has =
            |names: &[&str]| names.iter().all(|name| value.get(name).is_some_and(|found| !found.is_null()));
        let has_one = |names: &[&str]| names.iter().any(|name| has(&[name]));
        if has(&["detail-type", "source", "detail"]) {
            return self.event(value);
        }
        if has(&["serviceDeploymentArn"]) {
            return self.service_deployment(value);
        }
        if has(&["taskArn"]) && has_one(&["lastStatus", "containers", "stoppedReason"]) {
            return keep(&mut self.snapshot.tasks, value, serde_json::from_value::<Task>).is_some();
        }
        if value.get("containerDefinitions").is_some_and(Value::is_array) {
            return keep(
                &mut self.snapshot.task_definitions,
                value,
                serde_json::from_value::<TaskDefinition>,
            )
            .is_some();
        }
        if has_one(&["serviceArn", "serviceName"])
            && has_one(&["taskDefinition", "desiredCount", "deployments"])
        {
            return self.service(value);
        }
        if word(value, "id").starts_with("ecs-svc/") && has_one(&["rolloutState", "desiredCount"]) {
            return self.deployment(value, "");
        }
        if is_service_event(value) {
            return self.service_event(value, "");
        }
        if is_stack_event(value) {
            return self.stack_event(value);
        }
        if has(&["StackName", "StackStatus"]) {
            return self.stack(value);
        }
        if has(&["Target", "TargetHealth"]) {
            return self.target(value);
        }
        if has(&["TargetGroupArn"]) && has_one(&["TargetGroupName", "HealthCheckPort"]) {
            return keep(&mut self.snapshot.target_groups, value, serde_json::from_value::<TargetGroup>)
                .is_some();
        }
        if has(&["repositoryName"]) && has_one(&["imageDigest", "imageTags"]) {
            return keep(&mut self.snapshot.images, value, serde_json::from_value::<Image>).is_some();
        }
        if has(&["AlarmName", "StateValue"]) {
            return self.alarm(value);
        }
        if has(&["ActivityId", "StatusCode"]) {
            return self.scaling_activity(value);
        }
        if let Some(event) = log_event(value) {
            self.log_events(vec![event]);
            return true;
        }
        false
    }

    /// Reads events of a log: their lines, or the events of ECS that were written into the log.
    fn log_events(&mut self, mut events: Vec<LogEvent<'_>>) {
        let time = |event: Option<&LogEvent<'_>>| event.and_then(|(_, time, _)| *time);
        if time(events.first()) > time(events.last()) {
            // Insights gives the newest first.
            events.reverse();
        }
        events.sort_by_key(|(_, time, _)| *time);
        for (log_stream, time, message) in events {
            if event_in(message).is_some_and(|value| self.event(&value)) {
                continue;
            }
            self.log_lines(log_stream, time, message);
        }
    }

    fn log_lines(&mut self, name: &str, time: Option<Timestamp>, message: &str) {
        let read_from = self.stream;
        let stream = self.log_streams.entry(name.to_owned()).or_insert_with(|| LogStream {
            folder: Folder::new(log_stream(read_from, name)),
            task: task_of_log_stream(name).map(Arc::from),
            times: Vec::new(),
        });
        let mut done = Vec::new();
        for raw in message.split(['\n', '\r']) {
            stream.times.push(time);
            stream.folder.push(raw, stream.times.len() as u64, &mut done);
        }
        self.records.extend(done.into_iter().map(|record| stream.complete(record)));
    }

    fn say(&mut self, source: Source, said: Said<'_>) -> bool {
        let not_empty = |text: &str| (!text.is_empty()).then(|| Arc::from(text));
        self.records.push(Record {
            time: said.time,
            level: said.level,
            entity: not_empty(said.entity),
            deployment: not_empty(said.deployment),
            ..record(self.stream, source, said.text)
        });
        true
    }

    fn finish(mut self) -> Described {
        for stream in self.log_streams.values_mut() {
            let mut done = Vec::new();
            stream.folder.finish(&mut done);
            self.records.extend(done.into_iter().map(|record| stream.complete(record)));
        }
        let mut snapshot = Snapshot::default();
        snapshot.merge(std::mem::take(&mut self.snapshot));
        // Of a task that several events describe only the last state is told.
        for task in snapshot.tasks.items().iter().filter(|task| is_telling(task)) {
            let started_by = task.started_by.as_deref().unwrap_or_default();
            self.say(
                Source::EcsStoppedTask,
                Said {
                    time: time_of_task(task),
                    level: level_of_task(task),
                    text: text_of_task(task),
                    entity: task.id(),
                    deployment: if started_by.starts_with("ecs-svc/") { started_by } else { "" },
                },
            );
        }
        let mut records = self.records;
        records.sort_by_key(|record| (record.time.is_none(), record.time));
        for (index, record) in records.iter_mut().enumerate() {
            record.seq = index as u64 + 1;
        }
        Described { records, snapshot }
    }
}

impl LogStream {
    /// Completes a record with what its event and its stream say.
    fn complete(&self, record: Record) -> Record {
        let time = (record.line as usize).checked_sub(1).and_then(|at| *self.times.get(at)?);
        let entity = self.task.clone().or(record.entity);
        Record { time: time.or(record.time), entity, line: 1, ..record }
    }
}

/// Returns a stream of its own for each log stream, so that their lines are not mixed.
fn log_stream(read_from: &Stream, name: &str) -> Arc<Stream> {
    let source = match read_from.source {
        Source::Other => Source::ContainerLog,
        source if source.signal() == Source::ContainerLog.signal() => source,
        _ => Source::ContainerLog,
    };
    let joint = if name.is_empty() { "" } else { "#" };
    Arc::new(Stream { name: format!("{}{joint}{name}", read_from.name), source })
}

fn log_event(value: &Value) -> Option<LogEvent<'_>> {
    let is_event = ["ingestionTime", "logStreamName"]
        .iter()
        .any(|name| value.get(name).is_some_and(|found| !found.is_null()));
    let message = value.get("message").and_then(Value::as_str).filter(|_| is_event)?;
    value.get("timestamp").filter(|time| !time.is_null())?;
    Some((word(value, "logStreamName"), time_in(value, "timestamp"), message))
}

/// Reads a row of CloudWatch Logs Insights.
fn query_row(row: &Value) -> Option<LogEvent<'_>> {
    let fields = row.as_array()?;
    let field = |name: &str| {
        let found = fields.iter().find(|field| word(field, "field") == name)?;
        found.get("value").and_then(Value::as_str)
    };
    let time = fields.iter().find(|field| word(field, "field") == "@timestamp");
    let time = time.and_then(|time| time_in(time, "value"));
    Some((field("@logStream").unwrap_or_default(), time, field("@message")?))
}

fn record(stream: &Arc<Stream>, source: Source, text: String) -> Record {
    Record {
        stream: stream.clone(),
        seq: 0,
        time: None,
        source,
        level: Level::Unknown,
        text,
        body: None,
        line: 1,
        entity: None,
        deployment: None,
    }
}

/// Whether an answer says that there are further pages.
fn goes_on(answer: &Map<String, Value>) -> bool {
    ["nextToken", "NextToken"].iter().any(|name| answer.get(*name).is_some_and(|token| !token.is_null()))
}

fn is_stack_event(value: &Value) -> bool {
    let has = |name: &str| !word(value, name).is_empty();
    let in_stack = has("LogicalResourceId") && (has("ResourceStatus") || has("HookStatus"));
    in_stack || has("EventType") && has("OperationId") && has("StackId")
}

/// Whether the value is an event of a service and holds nothing else.
fn is_service_event(value: &Value) -> bool {
    let Some(object) = value.as_object() else { return false };
    let has_all = ["id", "createdAt", "message"].iter().all(|name| object.contains_key(*name));
    has_all && object.len() == 3 && object["message"].is_string()
}

fn is_task_id(text: &str) -> bool {
    text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// Adds an element to a part, which is known from then on.
fn keep<'p, T>(
    part: &'p mut Part<Vec<T>>,
    value: &Value,
    read: fn(Value) -> serde_json::Result<T>,
) -> Option<&'p T> {
    let item = read(value.clone()).ok()?;
    make_known(part, Some(item));
    part.items().last()
}

fn make_known<T>(part: &mut Part<Vec<T>>, more: Option<T>) {
    let mut items = match std::mem::take(part) {
        Part::Known(items) => items,
        Part::Unknown { .. } => Vec::new(),
    };
    items.extend(more);
    *part = Part::Known(items);
}

fn elements<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn word<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default().trim()
}

fn first_word<'v>(value: &'v Value, names: &[&str]) -> &'v str {
    names.iter().map(|name| word(value, name)).find(|found| !found.is_empty()).unwrap_or_default()
}

fn time_in(value: &Value, name: &str) -> Option<Timestamp> {
    value.get(name).and_then(time::of_value)
}
