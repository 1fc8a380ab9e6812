//! Events of ECS that EventBridge sends to a queue: the only way on which none is lost.
//!
//! A message is deleted once its records are stored; until then the queue brings it again.

use analyzer::diagnosis::Gap;
use analyzer::record::{Level, Record, Source, Stream};
use analyzer::snapshot::Snapshot;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, QueueAttributeName};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

use super::rounds::{Order, arrival, now};
use super::{Closed, Delivery, Outlet, ecs_event, id};
use crate::aws::{Asking, Aws, Place, calls};
use crate::formats;

/// How long the queue waits for a message before it answers that there is none.
const LONG_POLL: i32 = 20;
const MESSAGES: i32 = 10;

/// Reads until Medic stops, or until the queue is empty.
pub async fn run(
    queue_url: &str,
    once: bool,
    aws: &Aws,
    place: Place,
    outlet: &Outlet,
) -> Result<(), Closed> {
    let client = Client::new(&aws.config);
    let name = queue_url.rsplit('/').next().unwrap_or(queue_url).to_owned();
    let what = format!("queue {name}");
    let account = queue_url.rsplit('/').nth(1).map(str::to_owned).filter(|account| account.len() == 12);
    let (cluster, service) = (place.cluster.clone(), place.service.clone());
    let mut asking = Asking::new(aws, Place { queue: Some(name.clone()), account, ..place });
    let mut queue = Queue {
        stream: Arc::new(Stream { name: format!("sqs:{name}"), source: Source::EcsServiceEvent }),
        order: Order::default(),
        cluster,
        service,
    };
    let mut said: Option<Vec<Gap>> = None;
    // It changes nothing, so it tells whether the queue can be read before a message is taken.
    let attributes = client
        .get_queue_attributes()
        .queue_url(queue_url)
        .attribute_names(QueueAttributeName::ApproximateNumberOfMessages);
    asking.ask(calls::GET_QUEUE_ATTRIBUTES, &what, || attributes.clone().send()).await;
    loop {
        let gaps = asking.gaps();
        if said.as_ref() != Some(&gaps) {
            outlet.say_gaps(gaps.clone()).await?;
            said = Some(gaps);
        }
        let call = client
            .receive_message()
            .queue_url(queue_url)
            .max_number_of_messages(MESSAGES)
            .wait_time_seconds(if once { 1 } else { LONG_POLL });
        let Some(answer) = asking.ask(calls::RECEIVE_MESSAGE, &what, || call.clone().send()).await else {
            if once {
                return outlet.say_gaps(asking.gaps()).await;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        };
        let messages = answer.messages();
        if messages.is_empty() && once {
            return Ok(());
        }
        let mut delivery = Delivery::default();
        let mut done = Vec::new();
        for message in messages {
            let (body, message_id) =
                (message.body().unwrap_or_default(), message.message_id().unwrap_or_default());
            queue.take(body, message_id, &mut delivery);
            let entry = DeleteMessageBatchRequestEntry::builder()
                .id(format!("m{}", done.len()))
                .receipt_handle(message.receipt_handle().unwrap_or_default())
                .build();
            done.extend(entry.ok());
        }
        if done.is_empty() {
            continue;
        }
        outlet.store(delivery).await?;
        let call = client.delete_message_batch().queue_url(queue_url).set_entries(Some(done));
        // What is not deleted comes again, and is known.
        asking.ask(calls::DELETE_MESSAGE, &what, || call.clone().send()).await;
    }
}

struct Queue {
    stream: Arc<Stream>,
    order: Order,
    /// What is watched: a rule of EventBridge often brings the events of all services.
    cluster: Option<String>,
    service: Option<String>,
}

impl Queue {
    /// Takes a message in.
    fn take(&mut self, body: &str, message_id: &str, delivery: &mut Delivery) {
        let value: Option<Value> = serde_json::from_str(body).ok();
        // A topic of SNS in between wraps what it passes on.
        let wrapped = value.as_ref().filter(|value| value["Type"] == "Notification");
        let message = wrapped
            .and_then(|value| value["Message"].as_str())
            .and_then(|text| serde_json::from_str(text).ok());
        let value = message.or(value);
        let is_of_another = |value: &Value| {
            value["source"] == "aws.ecs"
                && !ecs_event::may_be_about(value, self.cluster.as_deref(), self.service.as_deref())
        };
        if value.as_ref().is_some_and(is_of_another) {
            return;
        }
        let read = value.as_ref().and_then(|value| ecs_event::read(value, &self.stream));
        let (records, snapshot) = match read {
            Some(read) => read,
            None => (vec![self.other(body, message_id, value.as_ref())], Snapshot::default()),
        };
        delivery.snapshot.merge(snapshot);
        for (key, mut record) in records {
            record.seq = self.order.next(record.time);
            delivery.records.push(arrival(key, record));
        }
    }

    /// Keeps a message that is no event of ECS as it is.
    fn other(&self, body: &str, message_id: &str, value: Option<&Value>) -> (u64, Record) {
        let field = |name: &str| value.and_then(|value| value.get(name));
        let event_id = field("id").and_then(Value::as_str).unwrap_or(message_id);
        let time = field("time").and_then(formats::time_of).or_else(|| Some(now()));
        let record = Record {
            stream: self.stream.clone(),
            seq: 0,
            time,
            source: Source::Other,
            level: Level::Unknown,
            text: body.to_owned(),
            body: None,
            line: 1,
            entity: None,
            deployment: None,
        };
        (id(&["sqs", event_id]), record)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Arrival;
    use super::*;

    fn take(bodies: &[&str]) -> Vec<Arrival> {
        let stream = Arc::new(Stream { name: "sqs:events".to_owned(), source: Source::EcsServiceEvent });
        let (cluster, service) = (Some("shop".to_owned()), Some("web".to_owned()));
        let mut queue = Queue { stream, order: Order::default(), cluster, service };
        let mut delivery = Delivery::default();
        for body in bodies {
            queue.take(body, "message", &mut delivery);
        }
        delivery.records
    }

    #[test]
    fn a_message_that_comes_twice_has_one_identity() {
        let task = r#"{"id":"a","source":"aws.ecs","detail-type":"ECS Task State Change","detail":{"taskArn":"task/shop/1","version":3,"lastStatus":"STOPPED","stopCode":"TaskFailedToStart"}}"#;
        let again = task.replace("\"a\"", "\"b\"");
        let told = take(&[task, &again]);
        assert_eq!(told[0].id, told[1].id);
        assert_eq!(told[0].record.text, "task 1 STOPPED TaskFailedToStart");
    }

    #[test]
    fn what_a_topic_wraps_is_read_and_other_services_are_left_out() {
        let task = |group: &str| {
            format!(
                "{{\"id\":\"a\",\"source\":\"aws.ecs\",\"detail-type\":\"ECS Task State Change\",\"detail\":{{\"taskArn\":\"task/shop/1\",\"group\":\"{group}\",\"version\":3,\"lastStatus\":\"STOPPED\",\"stopCode\":\"TaskFailedToStart\"}}}}"
            )
        };
        let wrapped = serde_json::json!({"Type": "Notification", "Message": task("service:web")}).to_string();
        let told = take(&[&wrapped, &task("service:mail")]);
        let texts: Vec<&str> = told.iter().map(|arrival| arrival.record.text.as_str()).collect();
        assert_eq!(texts, ["task 1 STOPPED TaskFailedToStart"]);
    }

    #[test]
    fn what_is_no_event_of_ecs_is_kept_as_it_is() {
        let alarm = r#"{"id":"c","source":"aws.cloudwatch","detail-type":"CloudWatch Alarm State Change","time":"2026-11-01T10:00:00Z","detail":{}}"#;
        let told = take(&[alarm, "no JSON"]);
        assert_eq!((told[0].record.text.as_str(), told[1].record.text.as_str()), (alarm, "no JSON"));
        assert_eq!(told[0].record.time.map(|time| time.to_string()).as_deref(), Some("2026-11-01T10:00:00Z"));
    }
}
