//! SQS: JSON 1.0, `AmazonSQS`. The queue holds what EventBridge delivers: at least once, sometimes twice.

use crate::clock::Millis;
use crate::ecs::task_json;
use crate::page::{self, texts, whole};
use crate::wire::{Answer, ApiError, iso, textual};
use crate::world::{Notice, Told, World};
use md5::{Digest, Md5};
use serde_json::{Map, Value, json};

/// Answers a call.
pub fn answer(world: &mut World, action: &str, params: &Value) -> Answer {
    let url = params["QueueUrl"].as_str().unwrap_or_default();
    if action != "GetQueueUrl" && url.rsplit('/').next() != Some(&world.scenario.account.queue) {
        return Err(no_queue());
    }
    match action {
        "GetQueueUrl" if params["QueueName"].as_str() == Some(&world.scenario.account.queue) => {
            Ok(json!({ "QueueUrl": queue_url(world) }))
        }
        "GetQueueUrl" => Err(no_queue()),
        "ReceiveMessage" => receive(world, params),
        "DeleteMessage" => delete(world, params),
        "DeleteMessageBatch" => delete_batch(world, params),
        "GetQueueAttributes" => attributes(world, params),
        _ => Err(page::unknown_action(action)),
    }
}

pub fn queue_url(world: &World) -> String {
    let account = &world.scenario.account;
    format!("https://sqs.{}.amazonaws.com/{}/{}", account.region, account.id, account.queue)
}

/// Returns the numbers of messages that could be received now.
pub fn available(world: &World) -> Vec<u64> {
    let mut numbers: Vec<(Millis, u64)> = delivered(world)
        .filter(|(number, _)| {
            world.mailbox.get(number).is_none_or(|known| !known.deleted && known.hidden_until <= world.now)
        })
        .map(|(number, at)| (at, number))
        .collect();
    numbers.sort_unstable();
    numbers.into_iter().map(|(_, number)| number).collect()
}

/// Returns the envelope of EventBridge around a notice.
pub fn envelope(world: &World, index: usize, notice: &Notice) -> Value {
    let (kind, resource, detail) = match &notice.told {
        Told::Task(task) => {
            let mut detail = textual(&task_json(world, task));
            detail["updatedAt"] = json!(iso(notice.at));
            // The event knows nothing of tags, and is told of the network of the container only.
            if let Some(members) = detail.as_object_mut() {
                members.remove("tags");
            }
            ("ECS Task State Change", world.task_arn(task), detail)
        }
        Told::Deployment { name, id, reason } => {
            let level = if *name == "SERVICE_DEPLOYMENT_FAILED" { "ERROR" } else { "INFO" };
            let detail = json!({
                "eventType": level,
                "eventName": name,
                "deploymentId": format!("ecs-svc/{id}"),
                "updatedAt": iso(notice.at),
                "reason": reason,
            });
            ("ECS Deployment State Change", world.service_arn(), detail)
        }
        Told::Service { name, level, reason } => {
            let mut detail = json!({
                "eventType": level,
                "eventName": name,
                "clusterArn": world.cluster_arn(),
                "createdAt": iso(notice.at),
            });
            if !reason.is_empty() {
                detail["reason"] = json!(reason);
            }
            ("ECS Service Action", world.service_arn(), detail)
        }
    };
    let account = &world.scenario.account;
    json!({
        "version": "0",
        "id": world.uuid("notice", index as u64),
        "detail-type": kind,
        "source": "aws.ecs",
        "account": account.id,
        "time": jiff::Timestamp::from_millisecond(notice.at).map_or_else(|_| String::new(), |at| format!("{at:.0}")),
        "region": account.region,
        "resources": [resource],
        "detail": detail,
    })
}

/// Returns what EventBridge has delivered: a number and a time. An eighth comes twice.
fn delivered(world: &World) -> impl Iterator<Item = (u64, Millis)> {
    let notices = world.notices.iter().enumerate();
    let all = notices.flat_map(|(index, notice)| {
        let index = index as u64;
        let first = notice.at + world.between("delivery", index, 300, 1_500);
        let again = world.draw("twice", index).is_multiple_of(8);
        let second = again.then(|| (index * 2 + 1, first + world.between("again", index, 1_000, 20_000)));
        std::iter::once((index * 2, first)).chain(second)
    });
    all.filter(|(_, at)| *at <= world.now)
}

fn receive(world: &mut World, params: &Value) -> Answer {
    let most = whole(params, "MaxNumberOfMessages").unwrap_or(1);
    if !(1..=10).contains(&most) {
        let message = format!(
            "Value {most} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."
        );
        return Err(ApiError::new("InvalidParameterValue", message));
    }
    let hidden = whole(params, "VisibilityTimeout").unwrap_or(30) * 1000;
    let mut asked = texts(params, "MessageSystemAttributeNames");
    asked.extend(texts(params, "AttributeNames"));
    let now = world.now;
    let mut messages = Vec::new();
    for number in available(world).into_iter().take(most as usize) {
        let delivery = world.mailbox.entry(number).or_default();
        delivery.hidden_until = now + hidden;
        delivery.received += 1;
        if delivery.received == 1 {
            delivery.first_received = now;
        }
        let delivery = delivery.clone();
        let index = (number / 2) as usize;
        let Some(notice) = world.notices.get(index) else { continue };
        let body = envelope(world, index, notice).to_string();
        let all = [
            ("SenderId", "AIDAIE3J4FJ7QTWINQUEUE".to_owned()),
            ("SentTimestamp", notice.at.to_string()),
            ("ApproximateReceiveCount", delivery.received.to_string()),
            ("ApproximateFirstReceiveTimestamp", delivery.first_received.to_string()),
        ];
        let mut attributes = Map::new();
        for (name, value) in all {
            if asked.iter().any(|asked| asked == "All" || asked == name) {
                attributes.insert(name.to_owned(), json!(value));
            }
        }
        let mut message = json!({
            "MessageId": world.uuid("message", number),
            "ReceiptHandle": format!("AQEBtwin-{number}-{}", delivery.received),
            "MD5OfBody": md5(&body),
            "Body": body,
        });
        if !attributes.is_empty() {
            message["Attributes"] = attributes.into();
        }
        messages.push(message);
    }
    if messages.is_empty() { Ok(json!({})) } else { Ok(json!({ "Messages": messages })) }
}

fn delete(world: &mut World, params: &Value) -> Answer {
    let handle = params["ReceiptHandle"].as_str().unwrap_or_default();
    let Some(number) = number_of(handle) else {
        let message = format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
        return Err(ApiError::new("ReceiptHandleIsInvalid", message));
    };
    world.mailbox.entry(number).or_default().deleted = true;
    Ok(json!({}))
}

fn delete_batch(world: &mut World, params: &Value) -> Answer {
    let entries = params["Entries"].as_array().cloned().unwrap_or_default();
    if entries.is_empty() {
        return Err(ApiError::new(
            "EmptyBatchRequest",
            "There should be at least one DeleteMessageBatchRequestEntry in the request.",
        ));
    }
    if entries.len() > 10 {
        return Err(ApiError::new(
            "TooManyEntriesInBatchRequest",
            "Maximum number of entries per request are 10.",
        ));
    }
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry["ReceiptHandle"].as_str().and_then(number_of) {
            Some(number) => {
                world.mailbox.entry(number).or_default().deleted = true;
                successful.push(json!({ "Id": entry["Id"] }));
            }
            None => failed.push(json!({
                "Id": entry["Id"],
                "SenderFault": true,
                "Code": "ReceiptHandleIsInvalid",
                "Message": "The input receipt handle is not a valid receipt handle.",
            })),
        }
    }
    Ok(json!({ "Successful": successful, "Failed": failed }))
}

fn attributes(world: &World, params: &Value) -> Answer {
    let account = &world.scenario.account;
    let visible = available(world).len();
    let hidden = delivered(world)
        .filter(|(number, _)| {
            world.mailbox.get(number).is_some_and(|known| !known.deleted && known.hidden_until > world.now)
        })
        .count();
    let created = (world.begin - 30 * 24 * crate::world::HOUR) / 1000;
    let all = [
        ("QueueArn", world.arn("sqs", &account.queue)),
        ("ApproximateNumberOfMessages", visible.to_string()),
        ("ApproximateNumberOfMessagesNotVisible", hidden.to_string()),
        ("ApproximateNumberOfMessagesDelayed", "0".to_owned()),
        ("CreatedTimestamp", created.to_string()),
        ("LastModifiedTimestamp", created.to_string()),
        ("VisibilityTimeout", "30".to_owned()),
        ("MaximumMessageSize", "1048576".to_owned()),
        ("MessageRetentionPeriod", "345600".to_owned()),
        ("DelaySeconds", "0".to_owned()),
        ("ReceiveMessageWaitTimeSeconds", "0".to_owned()),
        ("SqsManagedSseEnabled", "true".to_owned()),
    ];
    let asked = texts(params, "AttributeNames");
    let mut found = Map::new();
    for (name, value) in all {
        if asked.iter().any(|asked| asked == "All" || asked == name) {
            found.insert(name.to_owned(), json!(value));
        }
    }
    if found.is_empty() { Ok(json!({})) } else { Ok(json!({ "Attributes": found })) }
}

fn number_of(handle: &str) -> Option<u64> {
    handle.strip_prefix("AQEBtwin-")?.split_once('-')?.0.parse().ok()
}

fn no_queue() -> ApiError {
    ApiError::new("QueueDoesNotExist", "The specified queue does not exist.")
}

fn md5(body: &str) -> String {
    Md5::digest(body.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_a_body_is_what_clients_check() {
        assert_eq!(md5(""), "d41d8cd98f00b204e9800998ecf8427e");
    }

    #[test]
    fn a_handle_names_its_message() {
        assert_eq!(number_of("AQEBtwin-12-1"), Some(12));
        assert_eq!(number_of("something else"), None);
        assert_eq!(textual(&crate::wire::time(0)), json!("1970-01-01T00:00:00.000Z"));
    }
}
