//! Where a deployment stands, and how far that is.

use schemars::JsonSchema;
use serde::Serialize;

use super::course::{Course, course};
use super::health::{self, HealthState};
use super::{Rollout, stopped};
use crate::snapshot::Task;

/// What a deployment is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Nothing is described yet.
    Unknown,
    /// No task was started yet.
    Pending,
    /// Tasks get their place, their network and their secrets.
    Provisioning,
    Pulling,
    Starting,
    /// Tasks run, and are not healthy yet.
    HealthChecking,
    /// The new tasks are healthy; the old ones are being taken out.
    Draining,
    /// All that is wanted runs; ECS has not called it complete yet.
    Stabilising,
    Completed,
    /// Tasks failed, and ECS goes on trying.
    Failing,
    RollingBack,
    RolledBack,
    Failed,
    Stopped,
    Superseded,
}

impl Phase {
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Unknown => "unknown",
            Phase::Pending => "pending",
            Phase::Provisioning => "provisioning",
            Phase::Pulling => "pulling",
            Phase::Starting => "starting",
            Phase::HealthChecking => "health-checking",
            Phase::Draining => "draining",
            Phase::Stabilising => "stabilising",
            Phase::Completed => "completed",
            Phase::Failing => "failing",
            Phase::RollingBack => "rolling-back",
            Phase::RolledBack => "rolled-back",
            Phase::Failed => "failed",
            Phase::Stopped => "stopped",
            Phase::Superseded => "superseded",
        }
    }

    /// Whether ECS does nothing more about the deployment.
    pub fn is_final(self) -> bool {
        use Phase::*;
        matches!(self, Completed | RolledBack | Failed | Stopped | Superseded)
    }
}

/// How far one task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Provisioning,
    Pulling,
    Starting,
    Checking,
    Ready,
}

impl Stage {
    fn phase(self) -> Phase {
        match self {
            Stage::Provisioning => Phase::Provisioning,
            Stage::Pulling => Phase::Pulling,
            Stage::Starting => Phase::Starting,
            Stage::Checking | Stage::Ready => Phase::HealthChecking,
        }
    }

    /// How much of the way to a finished deployment the task has behind it.
    fn share(self) -> f64 {
        match self {
            Stage::Provisioning => 0.1,
            Stage::Pulling => 0.25,
            Stage::Starting => 0.4,
            Stage::Checking => 0.6,
            Stage::Ready => READY,
        }
    }
}

/// The share of the way when all new tasks are ready; the rest is taking out the old ones.
const READY: f64 = 0.85;
const DRAINED: f64 = 0.14;

/// Tells what the deployment is doing. What waits for the slowest task is in the phase of the slowest task.
pub(super) fn phase(rollout: &Rollout<'_>) -> Phase {
    match course(rollout).0 {
        Course::NotDescribed => return Phase::Unknown,
        Course::Completed => return Phase::Completed,
        Course::Failed | Course::Removed => return Phase::Failed,
        Course::RollingBack => return Phase::RollingBack,
        Course::RolledBack => return Phase::RolledBack,
        Course::Stopped => return Phase::Stopped,
        Course::Superseded => return Phase::Superseded,
        Course::Falling => return Phase::Failing,
        Course::Running => {}
    }
    let stages = stages(rollout);
    let desired = usize::try_from(rollout.desired()).unwrap_or(0);
    let ready = stages.iter().filter(|stage| **stage == Stage::Ready).count();
    if ready < desired && failures(rollout) > 0 {
        return Phase::Failing;
    }
    match stages.iter().min() {
        Some(Stage::Ready) if old_tasks(rollout) > 0 => Phase::Draining,
        Some(Stage::Ready) if ready >= desired => Phase::Stabilising,
        Some(Stage::Ready) | None => Phase::Pending,
        Some(slowest) => slowest.phase(),
    }
}

/// Tells how far the deployment is, from 0 to 1.
pub(super) fn progress(rollout: &Rollout<'_>, phase: Phase) -> f64 {
    match phase {
        Phase::Completed => return 1.0,
        Phase::Unknown | Phase::RollingBack | Phase::RolledBack | Phase::Failed => return 0.0,
        _ => {}
    }
    let mut stages = stages(rollout);
    stages.sort_by(|a, b| b.cmp(a));
    let Ok(desired @ 1..) = usize::try_from(rollout.desired()) else { return 0.0 };
    stages.truncate(desired);
    let shares: f64 = stages.iter().map(|stage| stage.share()).sum();
    let started = shares / desired as f64;
    if stages.len() < desired || stages.iter().any(|stage| *stage != Stage::Ready) {
        return rounded(started);
    }
    let left = old_tasks(rollout).min(desired as i64) as f64 / desired as f64;
    rounded(READY + DRAINED * (1.0 - left))
}

/// Two digits are shown; more would only change without saying more.
fn rounded(share: f64) -> f64 {
    // The sum of nothing is a negative zero.
    (share * 1000.0).round() / 1000.0 + 0.0
}

/// Returns how far each living task of the deployment is; where tasks are not described, the counts tell.
fn stages(rollout: &Rollout<'_>) -> Vec<Stage> {
    let described: Vec<Stage> = rollout.tasks().filter_map(|task| stage(rollout, task)).collect();
    let count = |number: Option<i64>| usize::try_from(number.unwrap_or(0)).unwrap_or(0);
    let Some(own) = rollout.own() else { return described };
    let (running, pending) = (count(own.running_count), count(own.pending_count));
    if !described.is_empty() || running + pending == 0 {
        return described;
    }
    let runs = std::iter::repeat_n(Stage::Ready, running);
    runs.chain(std::iter::repeat_n(Stage::Provisioning, pending)).collect()
}

fn stage(rollout: &Rollout<'_>, task: &Task) -> Option<Stage> {
    if task.desired_status.as_deref() == Some("STOPPED") {
        return None;
    }
    match task.last_status.as_deref()? {
        "PROVISIONING" => Some(Stage::Provisioning),
        "PENDING" if task.pull_stopped_at.is_some() => Some(Stage::Starting),
        "PENDING" if task.pull_started_at.is_some() => Some(Stage::Pulling),
        "PENDING" => Some(Stage::Provisioning),
        "ACTIVATING" => Some(Stage::Starting),
        "RUNNING" if health::of_task(rollout, task) == HealthState::Healthy => Some(Stage::Ready),
        "RUNNING" => Some(Stage::Checking),
        _ => None,
    }
}

/// Returns how many tasks of the deployment failed.
fn failures(rollout: &Rollout<'_>) -> usize {
    let counted = rollout.own().and_then(|own| own.failed_tasks).unwrap_or(0);
    let groups = stopped(rollout.known, rollout.id);
    let described: usize = groups.iter().filter(|group| group.failed).map(|group| group.tasks.len()).sum();
    described.max(usize::try_from(counted).unwrap_or(0))
}

/// Returns how many tasks of other deployments still run.
fn old_tasks(rollout: &Rollout<'_>) -> i64 {
    let Some(service) = rollout.described_service() else { return 0 };
    let others = service.deployments.iter().filter(|deployment| deployment.id != rollout.id);
    others.filter_map(|deployment| deployment.running_count).sum::<i64>().max(0)
}
