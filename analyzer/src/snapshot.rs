//! Snapshots: the described state of the world of a deployment.
//!
//! The structs deserialise from what the AWS CLI prints and keep only what checks, plans and reports read.
//! Secrets are left out as they are read: of the values of environment variables only what tells that one changed is kept.

mod alarm;
mod lenient;
mod service;
mod surroundings;
mod task;
mod task_definition;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use alarm::*;
pub use service::*;
pub use surroundings::*;
pub use task::*;
pub use task_definition::*;

/// What was described, part by part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Snapshot {
    pub services: Part<Vec<Service>>,
    pub task_definitions: Part<Vec<TaskDefinition>>,
    pub tasks: Part<Vec<Task>>,
    pub service_deployments: Part<Vec<ServiceDeployment>>,
    pub target_groups: Part<Vec<TargetGroup>>,
    pub target_health: Part<Vec<TargetHealth>>,
    pub images: Part<Vec<Image>>,
    pub stacks: Part<Vec<Stack>>,
    pub alarms: Part<Vec<Alarm>>,
}

/// A part of a snapshot: described, or not described for a reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part<T> {
    Known(T),
    Unknown { reason: String },
}

const NOT_DESCRIBED: &str = "not described";

impl<T> Default for Part<T> {
    fn default() -> Self {
        Part::Unknown { reason: NOT_DESCRIBED.to_owned() }
    }
}

impl<T> Part<Vec<T>> {
    /// Returns what is known, which is nothing where the part is unknown.
    pub fn items(&self) -> &[T] {
        match self {
            Part::Known(items) => items,
            Part::Unknown { .. } => &[],
        }
    }
}

impl Snapshot {
    /// Adds what another snapshot knows. Snapshots can be merged in any order with the same result:
    /// of two descriptions of one thing the later one stays, and the larger one where neither is later.
    pub fn merge(&mut self, other: Snapshot) {
        self.join(other, Tie::Largest);
    }

    /// Adds what was described after all that is known: what has no time of its own, or the same, is replaced.
    pub fn update(&mut self, newer: Snapshot) {
        self.join(newer, Tie::Newcomer);
    }

    fn join(&mut self, other: Snapshot, tie: Tie) {
        join(&mut self.services, other.services, tie, Service::key, Service::changed_at);
        join(&mut self.task_definitions, other.task_definitions, tie, TaskDefinition::key, |definition| {
            definition.deregistered_at.max(definition.registered_at)
        });
        join(&mut self.tasks, other.tasks, tie, |task| task.task_arn.clone(), Task::age);
        join(
            &mut self.service_deployments,
            other.service_deployments,
            tie,
            |deployment| deployment.service_deployment_arn.clone(),
            ServiceDeployment::changed_at,
        );
        join(
            &mut self.target_groups,
            other.target_groups,
            tie,
            |group| group.target_group_arn.clone(),
            |_| (),
        );
        join(&mut self.target_health, other.target_health, tie, TargetHealth::key, |_| ());
        join(&mut self.images, other.images, tie, Image::key, |_| ());
        join(&mut self.stacks, other.stacks, tie, Stack::key, Stack::changed_at);
        join(
            &mut self.alarms,
            other.alarms,
            tie,
            |alarm| alarm.alarm_name.clone(),
            |alarm| alarm.state_updated_timestamp,
        );
    }

    /// Returns the ids (`ecs-svc/123`) of the deployments that services want to reach, sorted.
    pub fn deployment_ids(&self) -> Vec<String> {
        let primaries = self.services.items().iter().filter_map(Service::primary);
        let mut ids: Vec<String> = primaries.map(|primary| primary.id.clone()).collect();
        ids.retain(|id| !id.is_empty());
        ids.sort();
        ids.dedup();
        ids
    }

    /// Returns the task definition that the service is to run, where it is described.
    /// A family without a revision means the latest one.
    pub fn task_definition_of(&self, service: &Service) -> Option<&TaskDefinition> {
        let wanted = service.wanted_task_definition()?;
        let definitions = self.task_definitions.items();
        let exact = definitions.iter().find(|definition| definition.is(wanted));
        let of_family = definitions.iter().filter(|definition| definition.family == wanted);
        exact.or_else(|| of_family.max_by_key(|definition| definition.revision))
    }
}

/// Which of two descriptions stays where neither is later by its own time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tie {
    Largest,
    Newcomer,
}

/// Joins two parts: of the items with one key the latest stays; where none is later, the tie decides.
fn join<T: Ord, K: Ord, A: Ord>(
    mine: &mut Part<Vec<T>>,
    other: Part<Vec<T>>,
    tie: Tie,
    key: impl Fn(&T) -> K,
    age: impl Fn(&T) -> A,
) {
    let both = match (std::mem::take(mine), other) {
        (Part::Unknown { reason: left }, Part::Unknown { reason: right }) => {
            *mine = Part::Unknown { reason: better_reason(left, right) };
            return;
        }
        (Part::Known(items), Part::Unknown { .. }) | (Part::Unknown { .. }, Part::Known(items)) => items,
        (Part::Known(left), Part::Known(right)) => left.into_iter().chain(right).collect(),
    };
    let mut kept: BTreeMap<K, T> = BTreeMap::new();
    for item in both {
        let name = key(&item);
        let stays = kept.get(&name).is_some_and(|old| match tie {
            Tie::Largest => (age(old), old) >= (age(&item), &item),
            Tie::Newcomer => age(old) > age(&item),
        });
        if !stays {
            kept.insert(name, item);
        }
    }
    let mut items: Vec<T> = kept.into_values().collect();
    items.sort();
    *mine = Part::Known(items);
}

fn better_reason(left: String, right: String) -> String {
    let rank = |reason: &String| (reason != NOT_DESCRIBED, reason.clone());
    if rank(&left) >= rank(&right) { left } else { right }
}

/// Returns the last segment of an ARN, which is the name or id of the thing.
pub fn last_segment(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn part<T: std::fmt::Debug + Clone>(
        item: impl Strategy<Value = T>,
    ) -> impl Strategy<Value = Part<Vec<T>>> {
        let reason = prop::sample::select(vec![NOT_DESCRIBED, "access denied", "zone is down"]);
        prop_oneof![
            prop::collection::vec(item, 0..4).prop_map(Part::Known),
            reason.prop_map(|reason| Part::Unknown { reason: reason.to_owned() }),
        ]
    }

    fn services() -> impl Strategy<Value = Part<Vec<Service>>> {
        part((0..2, 0..3i64, prop::option::of(0..2i64)).prop_map(|(name, desired, second)| Service {
            service_arn: format!("arn:{name}"),
            desired_count: Some(desired),
            deployments: vec![Deployment {
                updated_at: second.and_then(|second| Timestamp::from_second(second).ok()),
                ..Deployment::default()
            }],
            ..Service::default()
        }))
    }

    fn tasks() -> impl Strategy<Value = Part<Vec<Task>>> {
        part((0..2, prop::option::of(0..3i64), prop::option::of("[ab]")).prop_map(
            |(id, version, stop_code)| Task {
                task_arn: format!("arn:{id}"),
                version,
                stop_code,
                ..Task::default()
            },
        ))
    }

    fn snapshots() -> impl Strategy<Value = Snapshot> {
        (services(), tasks()).prop_map(|(services, tasks)| Snapshot {
            services,
            tasks,
            ..Snapshot::default()
        })
    }

    fn merged(first: &Snapshot, second: &Snapshot) -> Snapshot {
        let mut result = first.clone();
        result.merge(second.clone());
        result
    }

    proptest! {
        #[test]
        fn merging_is_independent_of_order_and_repetition(a in snapshots(), b in snapshots(), c in snapshots()) {
            let both = merged(&a, &b);
            prop_assert_eq!(&both, &merged(&b, &a));
            prop_assert_eq!(merged(&both, &c), merged(&a, &merged(&b, &c)));
            prop_assert_eq!(&merged(&both, &a), &both);
            prop_assert_eq!(&merged(&both, &both), &both);
        }
    }

    #[test]
    fn the_later_description_stays() {
        let read = |text: &str| serde_json::from_str::<Snapshot>(text).unwrap();
        let stopped = read(r#"{"tasks": {"known": [{"taskArn": "t/1", "version": 3, "lastStatus": "A"}]}}"#);
        let running = read(r#"{"tasks": {"known": [{"taskArn": "t/1", "version": 2, "lastStatus": "Z"}]}}"#);
        assert_eq!(merged(&running, &stopped), stopped);
    }

    #[test]
    fn an_update_replaces_what_has_no_time() {
        let read = |text: &str| serde_json::from_str::<Snapshot>(text).unwrap();
        let health = |state: &str| {
            read(&format!(
                r#"{{"targetHealth": {{"known": [{{"Target": {{"Id": "10.0.0.5"}}, "TargetHealth": {{"State": "{state}"}}}}]}}}}"#
            ))
        };
        let mut known = health("unhealthy");
        known.update(health("healthy"));
        assert_eq!(known, health("healthy"));
        let task = |version: i64| {
            read(&format!(r#"{{"tasks": {{"known": [{{"taskArn": "t/1", "version": {version}}}]}}}}"#))
        };
        let mut known = task(3);
        known.update(task(2));
        assert_eq!(known, task(3), "what arrives late is not newer");
    }

    #[test]
    fn a_service_reads_as_the_cli_prints_it() {
        let service: Service = serde_json::from_str(
            r#"{
                "serviceName": "web", "events": [], "loadBalancers": null, "desiredCount": 2, "launchType": null,
                "createdAt": 1762000000.5,
                "deployments": [
                    {"id": "ecs-svc/2", "status": "PRIMARY", "updatedAt": "2026-11-01T10:00:00.123000+01:00"},
                    {"id": "ecs-svc/1", "status": "ACTIVE", "updatedAt": {"odd": []}}
                ]
            }"#,
        )
        .unwrap();
        let time = |text: &str| text.parse::<Timestamp>().ok();
        assert_eq!(service.created_at, time("2025-11-01T12:26:40.5Z"));
        assert_eq!(service.deployments[0].updated_at, time("2026-11-01T09:00:00.123Z"));
        assert_eq!(service.deployments[1].updated_at, None);
        let snapshot = Snapshot { services: Part::Known(vec![service]), ..Snapshot::default() };
        assert_eq!(snapshot.deployment_ids(), ["ecs-svc/2"]);
        let text = serde_json::to_string(&snapshot).unwrap();
        assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), snapshot);
    }

    #[test]
    fn a_value_of_the_environment_is_not_kept() {
        let text = r#"{"family": "web", "cpu": 256,
            "containerDefinitions": [{"name": "app", "environment": [{"name": "TOKEN", "value": "s3cret"}]}]}"#;
        let definition: TaskDefinition = serde_json::from_str(text).unwrap();
        assert_eq!(definition.cpu.as_deref(), Some("256"));
        assert_eq!(definition.container_definitions[0].environment[0].name, "TOKEN");
        assert!(!format!("{definition:?}").contains("s3cret"));
    }
}
