//! What a deployment took: times, phases, counts and resources.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

use super::course::{Course, course};
use super::{DeploymentStatus, Phase, Rollout, status};
use crate::record::{Record, Source};
use crate::snapshot::Task;

/// What a deployment took: the design's `DeploymentMetrics`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentMetrics {
    pub deployment_id: String,
    #[schemars(with = "Option<String>")]
    pub start_time: Option<Timestamp>,
    #[schemars(with = "Option<String>")]
    pub end_time: Option<Timestamp>,
    /// In seconds, until now while it has not ended.
    pub duration: Option<f64>,
    pub status: DeploymentStatus,
    /// The phases that were reached, in order, each with the time when the first task reached it.
    pub phases: Vec<PhaseTime>,
    /// None where no metric was recorded.
    pub resource_utilization: Option<ResourceMetrics>,
    pub error_count: u64,
    pub warning_count: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhaseTime {
    pub phase: Phase,
    #[schemars(with = "String")]
    pub start_time: Timestamp,
    /// When the next phase began; none for the present one.
    #[schemars(with = "Option<String>")]
    pub end_time: Option<Timestamp>,
}

/// The latest sample of each metric: the design's `ResourceMetrics`. What was not recorded is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceMetrics {
    /// In per cent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_utilization: Option<f64>,
    /// In per cent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_utilization: Option<f64>,
    /// In bytes, as the metric counts them.
    #[serde(rename = "networkIO", skip_serializing_if = "Option::is_none")]
    pub network_io: Option<Io>,
    #[serde(rename = "diskIO", skip_serializing_if = "Option::is_none")]
    pub disk_io: Option<Io>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_connections: Option<f64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Io {
    #[serde(rename = "in", skip_serializing_if = "Option::is_none")]
    pub received: Option<f64>,
    #[serde(rename = "out", skip_serializing_if = "Option::is_none")]
    pub sent: Option<f64>,
}

/// How many records of a deployment say that something is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub errors: u64,
    pub warnings: u64,
}

/// Tells what a deployment took.
pub fn metrics(
    rollout: &Rollout<'_>,
    counts: Counts,
    resource_utilization: Option<ResourceMetrics>,
) -> DeploymentMetrics {
    let status = status(rollout);
    let start_time = rollout.started();
    let end_time = ended(rollout, status.phase);
    let until = end_time.or((!status.phase.is_final()).then_some(rollout.now));
    let duration = start_time.zip(until).map(|(start, end)| end.duration_since(start).as_secs_f64().max(0.0));
    DeploymentMetrics {
        deployment_id: rollout.id.to_owned(),
        start_time,
        end_time,
        duration,
        phases: phases(rollout, status.phase, end_time),
        status,
        resource_utilization,
        error_count: counts.errors,
        warning_count: counts.warnings,
    }
}

/// Returns the latest sample of each known metric, from records such as `CPUUtilization 93.4 Percent` and `CPUUtilization=93.4`.
pub fn utilization(records: &[Record]) -> Option<ResourceMetrics> {
    let mut latest: BTreeMap<&'static str, (Option<Timestamp>, f64)> = BTreeMap::new();
    for record in records.iter().filter(|record| record.source == Source::Metric) {
        let Some((name, value)) = record.sample() else { continue };
        let Some(name) = METRICS.into_iter().find(|known| *known == name) else { continue };
        let is_newer = latest.get(name).is_none_or(|(time, _)| *time <= record.time);
        if is_newer {
            latest.insert(name, (record.time, value));
        }
    }
    if latest.is_empty() {
        return None;
    }
    let get = |name: &str| latest.get(name).map(|(_, value)| *value);
    let io = |received: &str, sent: &str| {
        let io = Io { received: get(received), sent: get(sent) };
        (io != Io::default()).then_some(io)
    };
    Some(ResourceMetrics {
        cpu_utilization: get("CPUUtilization"),
        memory_utilization: get("MemoryUtilization"),
        network_io: io("NetworkRxBytes", "NetworkTxBytes"),
        disk_io: io("StorageReadBytes", "StorageWriteBytes"),
        database_connections: get("DatabaseConnections"),
    })
}

const METRICS: [&str; 7] = [
    "CPUUtilization",
    "MemoryUtilization",
    "NetworkRxBytes",
    "NetworkTxBytes",
    "StorageReadBytes",
    "StorageWriteBytes",
    "DatabaseConnections",
];

fn ended(rollout: &Rollout<'_>, phase: Phase) -> Option<Timestamp> {
    if !phase.is_final() {
        return None;
    }
    let account = rollout.account();
    let of_account = account.and_then(|account| account.finished_at.or(account.stopped_at));
    let service = rollout.described_service()?;
    let of_service = match course(rollout).0 {
        Course::Completed | Course::Failed => rollout.own().and_then(|own| own.updated_at),
        _ => service.primary().and_then(|primary| primary.updated_at.or(primary.created_at)),
    };
    of_account.or(of_service)
}

fn phases(rollout: &Rollout<'_>, present: Phase, ended: Option<Timestamp>) -> Vec<PhaseTime> {
    let first = |time: fn(&Task) -> Option<Timestamp>| rollout.tasks().filter_map(time).min();
    let back = rollout.described_service().and_then(|service| service.primary());
    let back = back.filter(|primary| primary.id != rollout.id).and_then(|primary| primary.created_at);
    let is_undone = matches!(present, Phase::RollingBack | Phase::RolledBack);
    let reached = [
        (Phase::Pending, rollout.started()),
        (Phase::Provisioning, first(|task| task.created_at)),
        (Phase::Pulling, first(|task| task.pull_started_at)),
        (Phase::Starting, first(|task| task.pull_stopped_at)),
        (Phase::HealthChecking, first(|task| task.started_at)),
        (Phase::RollingBack, back.filter(|_| is_undone)),
        (present, ended.filter(|_| present.is_final())),
    ];
    let mut phases: Vec<PhaseTime> = Vec::new();
    for (phase, time) in reached {
        let Some(start_time) = time else { continue };
        let start_time = phases.last().map_or(start_time, |last| last.start_time.max(start_time));
        if let Some(last) = phases.last_mut() {
            last.end_time = Some(start_time);
        }
        phases.push(PhaseTime { phase, start_time, end_time: None });
    }
    phases
}
