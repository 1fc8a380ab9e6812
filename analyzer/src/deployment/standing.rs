//! Tells whether what ECS called complete keeps running.
//!
//! Without a load balancer and without a health check, a task that runs for a moment counts as steady.
//! Then ECS completes a deployment whose tasks stop seconds later, again and again.

use jiff::{SignedDuration, Timestamp};

use super::health::{self, HealthState};
use super::{Rollout, stopped};
use crate::snapshot::Task;

/// How long a task that no health check speaks for has to run before its deployment stands, unless it is configured.
pub const STAND: SignedDuration = SignedDuration::from_secs(30);

/// Tells whether a completed deployment needs no further look: a health check spoke for its tasks before ECS completed it,
/// or all that are wanted have run long enough.
pub fn stands(rollout: &Rollout<'_>) -> bool {
    is_checked(rollout) || has_stood(rollout)
}

/// Returns why a task failed after ECS had completed the deployment, as long as not all that are wanted have stood since.
pub(super) fn fell(rollout: &Rollout<'_>) -> Option<String> {
    let completed = completed(rollout)?;
    let groups = stopped::after(rollout.known, rollout.id, completed);
    let failed =
        groups.into_iter().find(|group| group.failed && !is_reclaimed(group.stop_code.as_deref()))?;
    (!has_stood(rollout)).then_some(failed.reason)
}

/// Whether ECS waited for more than a running container: for a load balancer, or for the health check of a container.
fn is_checked(rollout: &Rollout<'_>) -> bool {
    let balances = rollout.described_service().is_some_and(|service| !service.load_balancers.is_empty());
    let has_check = || {
        health::wanted(rollout).is_some_and(|definition| {
            definition
                .container_definitions
                .iter()
                .any(|container| container.is_essential() && container.health_check.is_some())
        })
    };
    balances || has_check()
}

fn has_stood(rollout: &Rollout<'_>) -> bool {
    let stands = |task: &&Task| {
        let started = task.started_at.and_then(|started| started.checked_add(rollout.stand).ok());
        health::is_alive(task)
            && task.last_status.as_deref() == Some("RUNNING")
            && started.is_some_and(|until| until <= rollout.now)
            && health::of_task(rollout, task) != HealthState::Unhealthy
    };
    let standing = rollout.tasks().filter(stands).count();
    usize::try_from(rollout.desired()).is_ok_and(|desired| standing >= desired)
}

fn completed(rollout: &Rollout<'_>) -> Option<Timestamp> {
    let of_account = rollout.account().and_then(|account| account.finished_at);
    of_account.or_else(|| rollout.own().and_then(|own| own.updated_at))
}

/// Whether AWS took the capacity back, which is no failure of what was deployed.
fn is_reclaimed(stop_code: Option<&str>) -> bool {
    matches!(stop_code, Some("SpotInterruption" | "TerminationNotice"))
}
