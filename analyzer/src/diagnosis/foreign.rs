//! Tasks that are described and are not the deployment's: their logs speak of something else.

use std::collections::BTreeMap;

use super::kept::Group;
use crate::record::Source;
use crate::snapshot::{Snapshot, Task};

/// Why the log of a task is no evidence, by the id of the task.
pub(super) type Foreign = BTreeMap<String, String>;

/// Finds the tasks of other deployments; after a roll-back, those that run on while the ones that failed are described.
pub(super) fn foreign(snapshot: &Snapshot, was_undone: bool) -> Foreign {
    let wanted = snapshot.deployment_ids();
    let tasks = snapshot.tasks.items();
    let started_by = |task: &Task| task.started_by.clone().filter(|by| by.starts_with("ecs-svc/"));
    let has_stopped = |task: &Task| task.last_status.as_deref() == Some("STOPPED");
    let stopped: Vec<String> = tasks.iter().filter(|task| has_stopped(task)).filter_map(started_by).collect();
    let mut foreign = Foreign::new();
    for task in tasks.iter().filter(|task| !task.id().is_empty()) {
        let Some(by) = started_by(task) else { continue };
        let runs = task.last_status.as_deref() == Some("RUNNING");
        let is_foreign = match was_undone {
            true => runs && !stopped.is_empty() && !stopped.contains(&by),
            false => !wanted.is_empty() && !wanted.contains(&by),
        };
        if is_foreign {
            foreign.insert(task.id().to_owned(), format!("its task belongs to another deployment ({by})"));
        }
    }
    foreign
}

/// Returns why a record of a log does not count, where the task that wrote it is known not to be the deployment's.
pub(super) fn is_of_another(foreign: &Foreign, group: &Group) -> Option<String> {
    if foreign.is_empty() || group.first.source != Source::ContainerLog {
        return None;
    }
    let place = group.first.entity.as_deref().unwrap_or(&group.first.place.stream);
    let id = |name: &str| name.rsplit(['/', '#']).next().and_then(|id| foreign.get(id)).cloned();
    id(place).or_else(|| id(&group.first.place.stream))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Part;
    use serde_json::json;

    fn described(tasks: &[(&str, &str, &str)]) -> Snapshot {
        let service =
            json!({"serviceName": "web", "deployments": [{"id": "ecs-svc/2", "status": "PRIMARY"}]});
        let task = |(id, by, status): &(&str, &str, &str)| {
            let arn = format!("arn:aws:ecs:eu-west-1:123456789012:task/shop/{id}");
            serde_json::from_value(json!({"taskArn": arn, "startedBy": by, "lastStatus": status})).unwrap()
        };
        Snapshot {
            services: Part::Known(vec![serde_json::from_value(service).unwrap()]),
            tasks: Part::Known(tasks.iter().map(task).collect()),
            ..Snapshot::default()
        }
    }

    #[track_caller]
    fn check(tasks: &[(&str, &str, &str)], was_undone: bool, expected: &[&str]) {
        let found: Vec<String> = foreign(&described(tasks), was_undone).into_keys().collect();
        assert_eq!(found, expected, "{tasks:?}");
    }

    #[test]
    fn tasks_of_other_deployments_are_foreign() {
        let tasks =
            [("a", "ecs-svc/1", "RUNNING"), ("b", "ecs-svc/2", "STOPPED"), ("c", "deploy", "STOPPED")];
        check(&tasks, false, &["a"]);
    }

    #[test]
    fn after_a_roll_back_what_runs_is_foreign_while_what_failed_is_described() {
        check(&[("a", "ecs-svc/2", "RUNNING"), ("b", "ecs-svc/3", "STOPPED")], true, &["a"]);
        check(&[("a", "ecs-svc/2", "RUNNING")], true, &[]);
        check(&[("a", "ecs-svc/2", "RUNNING"), ("b", "ecs-svc/2", "STOPPED")], true, &[]);
    }
}
