//! Events of ECS that EventBridge brings, through a queue or a log group.

use analyzer::record::{Record, Stream};
use analyzer::snapshot::{Snapshot, last_segment};
use serde_json::Value;
use std::sync::Arc;

use super::{id, id_of};
use crate::formats::describe;

/// Reads an event of ECS, with the identities of its records; `None` where it is something else.
pub fn read(event: &Value, stream: &Arc<Stream>) -> Option<(Vec<(u64, Record)>, Snapshot)> {
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (event_id, detail) = (text(event, "id"), event.get("detail")?);
    let task = text(detail, "taskArn");
    let described = describe::read(event, stream)?;
    let identified = described.records.into_iter().map(|record| {
        let id = if !task.is_empty() {
            task_id(&task, &record)
        } else if !event_id.is_empty() {
            id(&["ecs-bus-event", &event_id])
        } else {
            id_of("ecs-bus-event", &record)
        };
        (id, record)
    });
    Some((identified.collect(), described.snapshot))
}

/// Whether an event may be about a service of a cluster: it names neither another cluster nor another service.
/// A task that no service started, as for a migration, belongs to whoever deploys.
pub fn may_be_about(event: &Value, cluster: Option<&str>, service: Option<&str>) -> bool {
    let text = |path: &str| event.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let is = |wanted: Option<&str>, found: &str| {
        wanted.is_none_or(|wanted| found.is_empty() || last_segment(wanted) == found)
    };
    let resource = text("/resources/0").split_once(":service/").map_or("", |(_, path)| path);
    let (of_cluster, named) = resource.rsplit_once('/').unwrap_or(("", resource));
    let group = text("/detail/group").strip_prefix("service:").unwrap_or_default();
    is(cluster, last_segment(text("/detail/clusterArn")))
        && is(cluster, of_cluster)
        && is(service, named)
        && is(service, group)
}

/// Returns the identity of what a task tells. It is the same whether the task was asked for or an event brought it,
/// and whether the event came once or twice, or as two versions that say the same.
pub fn task_id(arn: &str, record: &Record) -> u64 {
    id(&["ecs-task", arn, &record.text])
}

#[cfg(test)]
mod tests {
    use super::*;
    use analyzer::record::Source;
    use serde_json::json;

    fn identities(event: Value) -> Vec<u64> {
        let stream = Arc::new(Stream { name: "test".to_owned(), source: Source::EcsServiceEvent });
        read(&event, &stream)
            .map(|(records, _)| records.into_iter().map(|(id, _)| id).collect())
            .unwrap_or_default()
    }

    fn task(event: &str, version: u64, status: &str) -> Value {
        json!({"id": event, "source": "aws.ecs", "detail-type": "ECS Task State Change", "time": "2026-11-01T10:00:00Z",
            "detail": {"taskArn": "task/shop/1", "version": version, "lastStatus": status, "stopCode": "TaskFailedToStart"}})
    }

    #[test]
    fn an_event_that_comes_twice_is_one() {
        assert_eq!(identities(task("a", 6, "STOPPED")), identities(task("b", 6, "STOPPED")));
        assert_ne!(identities(task("a", 6, "STOPPED")), identities(task("a", 5, "DEPROVISIONING")));
        assert_eq!(identities(task("a", 6, "STOPPED")).len(), 1);
    }

    #[test]
    fn an_event_of_another_service_is_known() {
        let about = |event: &Value| may_be_about(event, Some("shop"), Some("web"));
        let arn = "arn:aws:ecs:eu-central-1:111122223333:cluster";
        let task = |cluster: &str, group: &str| json!({"detail": {"clusterArn": format!("{arn}/{cluster}"), "group": group}});
        assert!(about(&task("shop", "service:web")) && about(&task("shop", "family:migrate")));
        assert!(!about(&task("shop", "service:mail")) && !about(&task("other", "service:web")));
        let action = |path: &str| json!({"resources": [format!("arn:aws:ecs:eu-central-1:111122223333:service/{path}")], "detail": {}});
        assert!(about(&action("shop/web")) && about(&action("web")));
        assert!(!about(&action("shop/mail")) && !about(&action("other/web")) && !about(&action("mail")));
        assert!(may_be_about(&action("other/mail"), None, None));
    }

    #[test]
    fn other_events_are_not_read() {
        assert!(
            identities(json!({"source": "aws.s3", "detail-type": "Object Created", "detail": {}})).is_empty()
        );
        assert!(identities(json!({"hello": 1})).is_empty());
    }
}
