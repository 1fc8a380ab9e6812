//! The health of the targets behind a service, with the reasons that the load balancer gives.
//!
//! The reason is gone once a target is being taken out, so it is sampled before.

use analyzer::record::{Source, Stream};
use analyzer::snapshot::{Part, Snapshot, TargetGroup, TargetHealth};
use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::{TargetGroup as DescribedGroup, TargetHealthDescription};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::account::target_groups_of;
use super::rounds::{Order, Rounded, arrival, now};
use super::{Arrival, id};
use crate::aws::place::name_in_arn;
use crate::aws::{Asking, Fields, Place, calls};
use crate::formats::describe;

/// What was last said about each target, by group and address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Said(BTreeMap<String, BTreeMap<String, String>>);

/// What is known of the targets of a service.
pub struct Targets {
    said: Said,
    groups: BTreeMap<String, TargetGroup>,
    health: BTreeMap<String, Vec<TargetHealth>>,
    order: Order,
}

impl Rounded for Targets {
    type Client = Client;

    const ASKS_BY_SERVICE: bool = true;

    async fn round(&mut self, client: &Client, asking: &mut Asking<'_>, known: &Snapshot) -> Vec<Arrival> {
        let groups = target_groups_of(known, asking.place.service.as_deref());
        let mut records = Vec::new();
        self.ask_groups(&groups, client, asking).await;
        for group in &groups {
            let what = format!("target health of {}", name_in_arn(group));
            let call = client.describe_target_health().target_group_arn(group);
            let Some(answer) = asking.ask(calls::DESCRIBE_TARGET_HEALTH, &what, || call.clone().send()).await
            else {
                continue;
            };
            let described: Vec<Value> = answer
                .target_health_descriptions()
                .iter()
                .map(|target| target_fields(group, target))
                .collect();
            records.extend(self.take(group, &described, now()));
        }
        records
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        if !self.groups.is_empty() {
            snapshot.target_groups = Part::Known(self.groups.values().cloned().collect());
        }
        if !self.health.is_empty() {
            snapshot.target_health = Part::Known(self.health.values().flatten().cloned().collect());
        }
        snapshot
    }

    fn cursor(&self) -> Option<Value> {
        serde_json::to_value(&self.said).ok()
    }
}

impl Targets {
    pub fn new(_: &Place, cursor: Option<Value>) -> Targets {
        let said = cursor.and_then(|cursor| serde_json::from_value(cursor).ok()).unwrap_or_default();
        Targets { said, groups: BTreeMap::new(), health: BTreeMap::new(), order: Order::default() }
    }

    /// Asks once for each group how it checks.
    async fn ask_groups(&mut self, groups: &BTreeSet<String>, client: &Client, asking: &mut Asking<'_>) {
        let new: Vec<String> = groups.iter().filter(|arn| !self.groups.contains_key(*arn)).cloned().collect();
        if new.is_empty() {
            return;
        }
        let call = client.describe_target_groups().set_target_group_arns(Some(new));
        let Some(answer) = asking
            .ask(calls::DESCRIBE_TARGET_GROUPS, "target groups of the service", || call.clone().send())
            .await
        else {
            return;
        };
        let stream = Arc::new(Stream { name: "target-groups".to_owned(), source: Source::AlbTargetHealth });
        for group in answer.target_groups() {
            let Some(described) = describe::read(&group_fields(group), &stream) else { continue };
            for group in described.snapshot.target_groups.items() {
                self.groups.insert(group.target_group_arn.clone(), group.clone());
            }
        }
    }

    /// Takes the health of a group in; gives out what changed.
    fn take(&mut self, group: &str, described: &[Value], now: Timestamp) -> Vec<Arrival> {
        let name = format!("target-health:{}", name_in_arn(group));
        let stream = Arc::new(Stream { name, source: Source::AlbTargetHealth });
        let before = self.said.0.remove(group).unwrap_or_default();
        let mut said = BTreeMap::new();
        let (mut health, mut arrivals) = (Vec::new(), Vec::new());
        for target in described {
            let Some(described) = describe::read(target, &stream) else { continue };
            let Some(known) = described.snapshot.target_health.items().first().cloned() else { continue };
            let address = known.address();
            health.push(known);
            for mut record in described.records {
                said.insert(address.clone(), record.text.clone());
                if before.get(&address) == Some(&record.text) {
                    continue;
                }
                // The answer tells the present state, and nobody tells since when.
                record.time = Some(now);
                record.seq = self.order.next(record.time);
                let key = id(&["target-health", group, &now.to_string(), &record.text]);
                arrivals.push(arrival(key, record));
            }
        }
        self.said.0.insert(group.to_owned(), said);
        self.health.insert(group.to_owned(), health);
        arrivals
    }
}

fn target_fields(group: &str, target: &TargetHealthDescription) -> Value {
    let of_target = target
        .target()
        .map(|target| Fields::default().text("Id", target.id()).number("Port", target.port()).object());
    let health = target.target_health().map(|health| {
        Fields::default()
            .text("State", health.state().map(|state| state.as_str()))
            .text("Reason", health.reason().map(|reason| reason.as_str()))
            .text("Description", health.description())
            .object()
    });
    Fields::default()
        .text("TargetGroupArn", Some(group))
        .value("Target", of_target)
        .text("HealthCheckPort", target.health_check_port())
        .value("TargetHealth", health)
        .object()
}

fn group_fields(group: &DescribedGroup) -> Value {
    let matcher = group.matcher().map(|matcher| {
        Fields::default().text("HttpCode", matcher.http_code()).text("GrpcCode", matcher.grpc_code()).object()
    });
    Fields::default()
        .text("TargetGroupArn", group.target_group_arn())
        .text("TargetGroupName", group.target_group_name())
        .text("Protocol", group.protocol().map(|protocol| protocol.as_str()))
        .number("Port", group.port())
        .text("VpcId", group.vpc_id())
        .text("TargetType", group.target_type().map(|kind| kind.as_str()))
        .flag("HealthCheckEnabled", group.health_check_enabled())
        .text("HealthCheckProtocol", group.health_check_protocol().map(|protocol| protocol.as_str()))
        .text("HealthCheckPort", group.health_check_port())
        .text("HealthCheckPath", group.health_check_path())
        .number("HealthCheckIntervalSeconds", group.health_check_interval_seconds())
        .number("HealthCheckTimeoutSeconds", group.health_check_timeout_seconds())
        .number("HealthyThresholdCount", group.healthy_threshold_count())
        .number("UnhealthyThresholdCount", group.unhealthy_threshold_count())
        .value("Matcher", matcher)
        .value("LoadBalancerArns", Some(Value::from(group.load_balancer_arns().to_vec())))
        .object()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const GROUP: &str = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/6d0e";

    fn target(state: &str, reason: &str) -> Vec<Value> {
        vec![json!({"TargetGroupArn": GROUP, "Target": {"Id": "10.0.1.5", "Port": 3000},
            "TargetHealth": {"State": state, "Reason": reason}})]
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn only_changes_are_handed_over() {
        let mut targets = Targets::new(&Place::default(), None);
        let said = |arrivals: Vec<Arrival>| -> Vec<String> {
            arrivals.into_iter().map(|arrival| arrival.record.text).collect()
        };
        assert_eq!(
            said(targets.take(GROUP, &target("unhealthy", "Target.Timeout"), at(0))),
            ["10.0.1.5:3000 unhealthy Target.Timeout"]
        );
        assert!(targets.take(GROUP, &target("unhealthy", "Target.Timeout"), at(3)).is_empty());
        let mut after_restart = Targets::new(&Place::default(), targets.cursor());
        assert!(after_restart.take(GROUP, &target("unhealthy", "Target.Timeout"), at(6)).is_empty());
        assert_eq!(said(targets.take(GROUP, &target("healthy", ""), at(9))), ["10.0.1.5:3000 healthy"]);
        // It comes back to what it was before: that is news too.
        assert_eq!(said(targets.take(GROUP, &target("unhealthy", "Target.Timeout"), at(12))).len(), 1);
        let known = targets.snapshot();
        assert_eq!(known.target_health.items()[0].target_group_arn.as_deref(), Some(GROUP));
    }

    #[test]
    fn both_groups_of_a_blue_green_service_are_watched() {
        let known: Snapshot = serde_json::from_value(json!({"services": {"known": [{"serviceName": "web",
            "loadBalancers": [{"targetGroupArn": "a", "advancedConfiguration": {"alternateTargetGroupArn": "b"}}]}]}}))
        .unwrap();
        assert_eq!(target_groups_of(&known, Some("web")).into_iter().collect::<Vec<_>>(), ["a", "b"]);
        assert!(target_groups_of(&known, Some("other")).is_empty());
    }
}
