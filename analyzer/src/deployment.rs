//! Tells how far a deployment is, how healthy its service is, what it took, and what it came to.
//!
//! All of it is worked out from what is known at a time; nothing here looks at a clock.
//! The structs that serialise are the `DeploymentStatus`, `HealthStatus` and `DeploymentMetrics` of the JSON that `medic watch`
//! streams: their field names are public.

mod course;
mod deterministic;
mod health;
mod issues;
mod metrics;
mod phase;
#[cfg(test)]
mod properties;
mod standing;
mod stopped;
#[cfg(test)]
mod tests;

pub use course::{Course, Job, Layer, Outcome, State, outcome};
pub use deterministic::{DETERMINISTIC, is_deterministic};
pub use health::{
    ContainerHealth, DependencyHealth, DependencyKind, HealthState, HealthStatus, LoadBalancerHealth,
    TargetState, health,
};
pub use issues::Issue;
pub use metrics::{Counts, DeploymentMetrics, PhaseTime, ResourceMetrics, metrics, utilization};
pub use phase::Phase;
pub use standing::{STAND, stands};
pub use stopped::{StoppedGroup, stopped};

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use crate::diagnosis::Diagnosis;
use crate::snapshot::{Deployment, Service, ServiceDeployment, Snapshot, Stack, Task};

/// How far the times of ECS's two views of one deployment lie apart.
const SAME_START: SignedDuration = SignedDuration::from_secs(120);
/// An operation of a stack that began longer before is not the one that deploys.
const SAME_OPERATION: SignedDuration = SignedDuration::from_hours(1);

/// A deployment that is asked about, and what is known of its world.
#[derive(Clone, Copy, Debug)]
pub struct Rollout<'a> {
    pub known: &'a Snapshot,
    /// The service; without a name, the one that is known.
    pub service: Option<&'a str>,
    /// `ecs-svc/123`.
    pub id: &'a str,
    /// When the deployment began, where that is remembered.
    pub began: Option<Timestamp>,
    /// The deployment that goes back to the version before, where one does.
    pub undone_by: Option<&'a str>,
    /// The stack that deploys the service.
    pub stack: Option<&'a str>,
    /// What the pipeline says of its own steps.
    pub job: Option<Job>,
    pub diagnosis: Option<&'a Diagnosis>,
    /// How long earlier deployments of the service took that ended well.
    pub earlier: &'a [SignedDuration],
    /// How long a task that no health check speaks for has to run before its deployment stands.
    pub stand: SignedDuration,
    pub now: Timestamp,
}

/// How far a deployment is: the design's `DeploymentStatus`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentStatus {
    pub phase: Phase,
    /// From 0 to 1, by how far each wanted task is; 0 for a deployment that was undone.
    pub progress: f64,
    /// When it ends if it takes as long as earlier deployments of the service; none where there are none, and once that time has passed.
    #[schemars(with = "Option<String>")]
    pub estimated_completion: Option<Timestamp>,
    /// What is wrong, the worst first.
    pub issues: Vec<Issue>,
}

/// Tells how far a deployment is.
pub fn status(rollout: &Rollout<'_>) -> DeploymentStatus {
    let phase = phase::phase(rollout);
    DeploymentStatus {
        phase,
        progress: phase::progress(rollout, phase),
        estimated_completion: estimate(rollout, phase),
        issues: issues::issues(rollout),
    }
}

/// Returns how long the service's deployments usually take: the median of the earlier ones.
pub fn usual(earlier: &[SignedDuration]) -> Option<SignedDuration> {
    let mut sorted = earlier.to_vec();
    sorted.sort();
    let (low, high) = (sorted.get(sorted.len().checked_sub(1)? / 2)?, sorted.get(sorted.len() / 2)?);
    low.checked_add(*high)?.checked_div(2)
}

fn estimate(rollout: &Rollout<'_>, phase: Phase) -> Option<Timestamp> {
    if phase.is_final() || phase == Phase::RollingBack {
        return None;
    }
    let end = rollout.started()?.checked_add(usual(rollout.earlier)?).ok()?;
    (end > rollout.now).then_some(end)
}

impl<'a> Rollout<'a> {
    /// Returns the service that is deployed.
    pub fn described_service(&self) -> Option<&'a Service> {
        let mut services = self.known.services.items().iter();
        services.find(|service| self.service.is_none_or(|name| service.name() == name))
    }

    /// Returns the deployment as the service shows it; ECS forgets it when another has taken its place.
    pub fn own(&self) -> Option<&'a Deployment> {
        self.described_service()?.deployments.iter().find(|deployment| deployment.id == self.id)
    }

    /// Returns when the deployment began.
    pub fn started(&self) -> Option<Timestamp> {
        self.own().and_then(|own| own.created_at).or(self.began)
    }

    /// Returns the tasks that the deployment started.
    pub fn tasks(&self) -> impl Iterator<Item = &'a Task> + use<'a> {
        let id = self.id;
        self.known.tasks.items().iter().filter(move |task| task.started_by.as_deref() == Some(id))
    }

    /// Returns how many tasks the deployment is to run.
    pub fn desired(&self) -> i64 {
        let of_service = || self.described_service().and_then(|service| service.desired_count);
        self.own().and_then(|own| own.desired_count).or_else(of_service).unwrap_or(0)
    }

    /// Returns ECS's own account of the deployment. Nothing but the time of their start joins the two:
    /// the latest that had begun by then, if it began then or was being undone then.
    pub fn account(&self) -> Option<&'a ServiceDeployment> {
        let service = self.described_service()?;
        let started = self.started()?;
        let of_service = self.known.service_deployments.items().iter().filter(|deployment| {
            deployment.service_arn.is_empty() || deployment.service_arn == service.service_arn
        });
        let begun = of_service.filter(|deployment| {
            deployment.created_at.is_some_and(|created| created.duration_since(started) <= SAME_START)
        });
        let latest = begun.max_by_key(|deployment| deployment.created_at)?;
        let near = |time: Option<Timestamp>| {
            time.is_some_and(|time| time.duration_since(started).abs() <= SAME_START)
        };
        let undone_then = latest.rollback.as_ref().is_some_and(|rollback| near(rollback.started_at));
        (near(latest.created_at) || undone_then).then_some(latest)
    }

    /// Returns the stack, where its latest operation can be the one that deploys.
    pub fn described_stack(&self) -> Option<&'a Stack> {
        let name = self.stack?;
        let mut stacks = self.known.stacks.items().iter();
        let stack = stacks.find(|stack| stack.stack_name == name || stack.stack_id == name)?;
        match (stack.changed_at(), self.started()) {
            (Some(changed), Some(started)) if started.duration_since(changed) > SAME_OPERATION => None,
            _ => Some(stack),
        }
    }
}
