//! Events of a stack and its nested stacks, newest first until one that is known, and change sets that failed.

mod change_sets;

use analyzer::record::{Source, Stream};
use analyzer::snapshot::{Part, Snapshot, Stack};
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{EventFilter, OperationEvent, Stack as DescribedStack, StackEvent};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

use self::change_sets::ChangeSets;
use super::rounds::{Order, Rounded, arrival};
use super::{Arrival, id};
use crate::aws::{Asking, Fields, Kind, Place, calls};
use crate::formats::describe;

/// How many pages of events are read to find one that is known.
const MOST_PAGES: usize = 50;

/// Where reading goes on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct At {
    /// The id of the stack that has the name; a deleted stack is read by its id.
    root: Option<String>,
    /// The newest event of each stack, the root and the nested ones, by the id of the stack.
    newest: BTreeMap<String, String>,
}

/// What is known of a stack and its nested stacks.
pub struct Stacks {
    /// The name of the stack, or its id.
    name: String,
    at: At,
    streams: BTreeMap<String, Arc<Stream>>,
    described: BTreeMap<String, Stack>,
    /// Nested stacks that an event of their parent has named since they were read.
    due: Vec<String>,
    change_sets: ChangeSets,
    /// Whether the endpoint knows DescribeEvents.
    offers_events: bool,
    order: Order,
}

/// What happened in a stack, in the words of CloudFormation.
struct Happened {
    event_id: String,
    value: Value,
}

impl Rounded for Stacks {
    type Client = Client;

    /// Reads what is new in the stack, and in the stacks nested in it.
    async fn round(&mut self, client: &Client, asking: &mut Asking<'_>, _: &Snapshot) -> Vec<Arrival> {
        let name = self.name.clone();
        let what = format!("stack {name}");
        let mut arrivals = Vec::new();
        if let Some(stack) = describe_stack(&name, &what, client, asking).await {
            let id = stack.stack_id().unwrap_or(&name).to_owned();
            asking.aws.learn_account(&id);
            if let Some(before) = self.at.root.replace(id.clone()).filter(|before| *before != id) {
                // The stack was deleted and made again; the end of the former one is still to be read.
                self.due.push(before);
            }
            self.take_stack(&stack);
            let stream = self.stream(&id);
            arrivals.extend(self.change_sets.failed(&stack, &stream, client, asking).await);
        } else if let Some(id) = self.at.root.clone()
            && asking.trouble(calls::DESCRIBE_STACKS, &what) == Some(Kind::NotFound)
            && let Some(stack) = describe_stack(&id, &format!("{what} by its id"), client, asking).await
        {
            asking.forgive(calls::DESCRIBE_STACKS, &what);
            self.take_stack(&stack);
        }
        let Some(root) = self.at.root.clone() else { return arrivals };
        let mut queue = vec![root.clone()];
        queue.append(&mut self.due);
        queue.extend(
            self.described.values().filter(|stack| is_under_way(stack)).map(|stack| stack.stack_id.clone()),
        );
        queue.dedup();
        let mut read: Vec<String> = Vec::new();
        while let Some(stack) = queue.pop() {
            if read.contains(&stack) {
                continue;
            }
            read.push(stack.clone());
            if stack != root
                && let Some(described) =
                    describe_stack(&stack, &format!("nested {}", label(&stack)), client, asking).await
            {
                self.take_stack(&described);
            }
            let events = self.new_events(&stack, client, asking).await;
            queue.extend(events.iter().filter_map(|event| nested_stack(&event.value, &stack)));
            let has_news = !events.is_empty();
            arrivals.extend(self.take_events(&stack, events));
            if has_news && self.offers_events {
                let operations = self.operation_events(&stack, client, asking).await;
                arrivals.extend(self.read(&stack, operations));
            }
        }
        arrivals.sort_by_key(|arrival| arrival.record.time);
        for arrival in &mut arrivals {
            arrival.record.seq = self.order.next(arrival.record.time);
        }
        arrivals
    }

    fn snapshot(&self) -> Snapshot {
        if self.described.is_empty() {
            return Snapshot::default();
        }
        Snapshot { stacks: Part::Known(self.described.values().cloned().collect()), ..Snapshot::default() }
    }

    fn cursor(&self) -> Option<Value> {
        serde_json::to_value(&self.at).ok()
    }
}

impl Stacks {
    pub fn new(place: &Place, cursor: Option<Value>) -> Stacks {
        Stacks {
            name: place.stack.clone().unwrap_or_default(),
            at: cursor.and_then(|cursor| serde_json::from_value(cursor).ok()).unwrap_or_default(),
            streams: BTreeMap::new(),
            described: BTreeMap::new(),
            due: Vec::new(),
            change_sets: ChangeSets::default(),
            offers_events: true,
            order: Order::default(),
        }
    }

    /// Returns the events since the newest one that is known; of a stack that is new, those of its last operation.
    async fn new_events(&mut self, stack: &str, client: &Client, asking: &mut Asking<'_>) -> Vec<Happened> {
        let known = self.at.newest.get(stack).cloned();
        let what = format!("events of {}", label(stack));
        let mut found = Vec::new();
        let mut token = None;
        for _ in 0..MOST_PAGES {
            let call = client.describe_stack_events().stack_name(stack).set_next_token(token);
            let Some(page) = asking.ask(calls::DESCRIBE_STACK_EVENTS, &what, || call.clone().send()).await
            else {
                // Without the events in between the newest ones would hide a hole.
                return Vec::new();
            };
            let events = page.stack_events().iter().map(|event| Happened {
                event_id: event.event_id().unwrap_or_default().to_owned(),
                value: stack_event(event),
            });
            if append_new(&mut found, events, known.as_deref(), stack) {
                return found;
            }
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                return found;
            }
        }
        found
    }

    /// Returns what failed validations and hooks say, where the endpoint offers it.
    async fn operation_events(
        &mut self,
        stack: &str,
        client: &Client,
        asking: &mut Asking<'_>,
    ) -> Vec<Happened> {
        let what = format!("operations of {}", label(stack));
        let filter = EventFilter::builder().failed_events(true).build();
        let call = client.describe_events().stack_name(stack).filters(filter);
        let Some(page) = asking.ask(calls::DESCRIBE_EVENTS, &what, || call.clone().send()).await else {
            if asking.trouble(calls::DESCRIBE_EVENTS, &what) == Some(Kind::NotOffered) {
                self.offers_events = false;
                asking.forgive(calls::DESCRIBE_EVENTS, &what);
            }
            return Vec::new();
        };
        let events = page.operation_events().iter().map(|event| Happened {
            event_id: event.event_id().unwrap_or_default().to_owned(),
            value: operation_event(event),
        });
        events.filter(|event| is_own_news(&event.value)).collect()
    }

    /// Takes the state of a stack in. It gives no records: the events of the stack tell the same.
    fn take_stack(&mut self, stack: &DescribedStack) {
        let id = stack.stack_id().unwrap_or_default().to_owned();
        let Some(described) = describe::read(&stack_fields(stack), &self.stream(&id)) else { return };
        for stack in described.snapshot.stacks.items() {
            self.described.insert(id.clone(), stack.clone());
        }
    }

    /// Takes events in, newest first.
    fn take_events(&mut self, stack: &str, events: Vec<Happened>) -> Vec<Arrival> {
        if let Some(newest) = events.first().filter(|newest| !newest.event_id.is_empty()) {
            self.at.newest.insert(stack.to_owned(), newest.event_id.clone());
        }
        self.read(stack, events)
    }

    fn read(&mut self, stack: &str, events: Vec<Happened>) -> Vec<Arrival> {
        let stream = self.stream(stack);
        let mut arrivals = Vec::new();
        for event in events.into_iter().rev() {
            let Some(described) = describe::read(&event.value, &stream) else { continue };
            let key = id(&["cfn", &event.event_id]);
            arrivals.extend(described.records.into_iter().map(|record| arrival(key, record)));
        }
        arrivals
    }

    fn stream(&mut self, stack: &str) -> Arc<Stream> {
        let name = format!("cloudformation:{}", name_of(stack));
        let stream = self.streams.entry(stack.to_owned());
        stream.or_insert_with(|| Arc::new(Stream { name, source: Source::CfnStackEvent })).clone()
    }
}

async fn describe_stack(
    name: &str,
    what: &str,
    client: &Client,
    asking: &mut Asking<'_>,
) -> Option<DescribedStack> {
    let call = client.describe_stacks().stack_name(name);
    let answer = asking.ask(calls::DESCRIBE_STACKS, what, || call.clone().send()).await?;
    answer.stacks().first().cloned()
}

/// Appends events, newest first, up to one that is known or to the beginning of the operation; true once it is reached.
fn append_new(
    found: &mut Vec<Happened>,
    page: impl Iterator<Item = Happened>,
    known: Option<&str>,
    stack: &str,
) -> bool {
    for event in page {
        if known == Some(event.event_id.as_str()) {
            return true;
        }
        let begins = known.is_none() && begins_operation(&event.value, stack);
        found.push(event);
        if begins {
            return true;
        }
    }
    false
}

/// Whether an event is the first of an operation on the stack.
fn begins_operation(event: &Value, stack: &str) -> bool {
    const BEGINNINGS: [&str; 5] = [
        "CREATE_IN_PROGRESS",
        "UPDATE_IN_PROGRESS",
        "DELETE_IN_PROGRESS",
        "IMPORT_IN_PROGRESS",
        "REVIEW_IN_PROGRESS",
    ];
    let is_own = text(event, "PhysicalResourceId") == stack
        || text(event, "PhysicalResourceId") == text(event, "StackId");
    is_own && BEGINNINGS.contains(&text(event, "ResourceStatus"))
}

/// Returns the nested stack that an event is about.
fn nested_stack(event: &Value, parent: &str) -> Option<String> {
    let id = text(event, "PhysicalResourceId");
    let is_nested = text(event, "ResourceType") == "AWS::CloudFormation::Stack"
        && id.starts_with("arn:")
        && id != parent
        && id != text(event, "StackId");
    is_nested.then(|| id.to_owned())
}

/// Whether an event says what the events of the stack do not: a failed validation, or a hook that refused.
fn is_own_news(event: &Value) -> bool {
    matches!(text(event, "EventType"), "VALIDATION_ERROR" | "HOOK_INVOCATION_ERROR")
}

fn is_under_way(stack: &Stack) -> bool {
    stack.stack_status.as_deref().is_some_and(|status| status.ends_with("_IN_PROGRESS"))
}

/// Returns the name in the id of a stack (`arn:…:stack/web/6d0e`), or the name itself.
fn name_of(stack: &str) -> &str {
    stack.split_once(":stack/").and_then(|(_, rest)| rest.split('/').next()).unwrap_or(stack)
}

fn label(stack: &str) -> String {
    format!("stack {}", name_of(stack))
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn stack_event(event: &StackEvent) -> Value {
    Fields::default()
        .text("StackId", event.stack_id())
        .text("EventId", event.event_id())
        .text("StackName", event.stack_name())
        .text("OperationId", event.operation_id())
        .text("LogicalResourceId", event.logical_resource_id())
        .text("PhysicalResourceId", event.physical_resource_id())
        .text("ResourceType", event.resource_type())
        .time("Timestamp", event.timestamp())
        .text("ResourceStatus", event.resource_status().map(|status| status.as_str()))
        .text("ResourceStatusReason", event.resource_status_reason())
        .text("ClientRequestToken", event.client_request_token())
        .text("HookType", event.hook_type())
        .text("HookStatus", event.hook_status().map(|status| status.as_str()))
        .text("HookStatusReason", event.hook_status_reason())
        .text("DetailedStatus", event.detailed_status().map(|status| status.as_str()))
        .object()
}

fn operation_event(event: &OperationEvent) -> Value {
    Fields::default()
        .text("StackId", event.stack_id())
        .text("EventId", event.event_id())
        .text("OperationId", event.operation_id())
        .text("OperationType", event.operation_type().map(|kind| kind.as_str()))
        .text("OperationStatus", event.operation_status().map(|status| status.as_str()))
        .text("EventType", event.event_type().map(|kind| kind.as_str()))
        .text("LogicalResourceId", event.logical_resource_id())
        .text("PhysicalResourceId", event.physical_resource_id())
        .text("ResourceType", event.resource_type())
        .time("Timestamp", event.timestamp())
        .time("StartTime", event.start_time())
        .time("EndTime", event.end_time())
        .text("ResourceStatus", event.resource_status().map(|status| status.as_str()))
        .text("ResourceStatusReason", event.resource_status_reason())
        .text("HookType", event.hook_type())
        .text("HookStatus", event.hook_status().map(|status| status.as_str()))
        .text("HookStatusReason", event.hook_status_reason())
        .text("DetailedStatus", event.detailed_status().map(|status| status.as_str()))
        .text("ValidationName", event.validation_name())
        .text("ValidationStatus", event.validation_status().map(|status| status.as_str()))
        .text("ValidationStatusReason", event.validation_status_reason())
        .text("ValidationPath", event.validation_path())
        .object()
}

fn stack_fields(stack: &DescribedStack) -> Value {
    Fields::default()
        .text("StackId", stack.stack_id())
        .text("StackName", stack.stack_name())
        .text("StackStatus", stack.stack_status().map(|status| status.as_str()))
        .text("StackStatusReason", stack.stack_status_reason())
        .flag("DisableRollback", stack.disable_rollback())
        .time("CreationTime", stack.creation_time())
        .time("LastUpdatedTime", stack.last_updated_time())
        .text("DetailedStatus", stack.detailed_status().map(|status| status.as_str()))
        .object()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const STACK: &str = "arn:aws:cloudformation:eu-west-1:111122223333:stack/web/6d0e";

    fn happened(id: &str, resource: &str, status: &str) -> Happened {
        let physical = if resource == "web" { STACK } else { "x" };
        Happened {
            event_id: id.to_owned(),
            value: json!({"EventId": id, "StackId": STACK, "StackName": "web", "LogicalResourceId": resource,
                "PhysicalResourceId": physical, "ResourceStatus": status, "Timestamp": "2026-11-01T10:00:00Z"}),
        }
    }

    fn stacks() -> Stacks {
        Stacks::new(&Place { stack: Some("web".to_owned()), ..Place::default() }, None)
    }

    #[test]
    fn reading_stops_at_the_event_that_is_known() {
        let page = || {
            [
                ("c", "Service", "CREATE_FAILED"),
                ("b", "Service", "CREATE_IN_PROGRESS"),
                ("a", "web", "CREATE_IN_PROGRESS"),
            ]
            .map(|(id, resource, status)| happened(id, resource, status))
            .into_iter()
        };
        let mut found = Vec::new();
        assert!(append_new(&mut found, page(), Some("b"), STACK));
        assert_eq!(found.len(), 1);
        let mut found = Vec::new();
        assert!(!append_new(&mut found, page(), Some("older"), STACK));
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn a_stack_that_is_new_is_read_from_its_last_operation_on() {
        let page = [
            happened("e", "web", "UPDATE_ROLLBACK_IN_PROGRESS"),
            happened("d", "Service", "UPDATE_FAILED"),
            happened("c", "web", "UPDATE_IN_PROGRESS"),
            happened("b", "web", "CREATE_COMPLETE"),
        ];
        let mut found = Vec::new();
        assert!(append_new(&mut found, page.into_iter(), None, STACK));
        assert_eq!(found.last().map(|event| event.event_id.as_str()), Some("c"));
    }

    #[test]
    fn events_are_handed_over_oldest_first_and_the_cursor_keeps_the_newest() {
        let mut stacks = stacks();
        let events =
            vec![happened("b", "Service", "CREATE_FAILED"), happened("a", "Service", "CREATE_IN_PROGRESS")];
        let arrivals = stacks.take_events(STACK, events);
        let texts: Vec<&str> = arrivals.iter().map(|arrival| arrival.record.text.as_str()).collect();
        assert_eq!(texts, ["CREATE_IN_PROGRESS Service", "CREATE_FAILED Service"]);
        assert_eq!(arrivals[1].record.stream.name, "cloudformation:web");
        assert_eq!(stacks.at.newest[STACK], "b");
        let again: At = serde_json::from_value(serde_json::to_value(&stacks.at).unwrap()).unwrap();
        assert_eq!(again, stacks.at);
    }

    #[test]
    fn nested_stacks_are_followed() {
        let nested = "arn:aws:cloudformation:eu-west-1:111122223333:stack/web-db/1";
        let mut event = happened("a", "Db", "CREATE_IN_PROGRESS").value;
        event["ResourceType"] = json!("AWS::CloudFormation::Stack");
        event["PhysicalResourceId"] = json!(nested);
        assert_eq!(nested_stack(&event, STACK).as_deref(), Some(nested));
        event["PhysicalResourceId"] = json!(STACK);
        assert_eq!(nested_stack(&event, STACK), None);
    }
}
