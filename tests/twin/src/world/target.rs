//! Targets of the load balancer.

use super::task::{self, Task};
use super::{Step, World, service};
use crate::clock::Millis;
use crate::scenario::{Answer, Silence, Version};

/// A task's address in the target group; all states it was in, with their times.
#[derive(Debug, Clone)]
pub struct Target {
    pub history: Vec<(Millis, TargetState)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetState {
    Registering,
    Initial,
    Healthy,
    Mismatch(u16),
    Timeout,
    Failing,
    /// Hides the reason that was there before.
    Draining,
    Gone,
}

impl TargetState {
    /// Returns state, reason and description as DescribeTargetHealth words them.
    pub fn words(self) -> (&'static str, Option<&'static str>, Option<String>) {
        let (state, reason, text) = match self {
            Self::Registering => {
                ("initial", "Elb.RegistrationInProgress", "Target registration is in progress".to_owned())
            }
            Self::Initial => {
                ("initial", "Elb.InitialHealthChecking", "Initial health checks in progress".to_owned())
            }
            Self::Healthy => return ("healthy", None, None),
            Self::Mismatch(code) => {
                let text = format!("Health checks failed with these codes: [{code}]");
                ("unhealthy", "Target.ResponseCodeMismatch", text)
            }
            Self::Timeout => ("unhealthy", "Target.Timeout", "Request timed out".to_owned()),
            Self::Failing => ("unhealthy", "Target.FailedHealthChecks", "Health checks failed".to_owned()),
            Self::Draining => (
                "draining",
                "Target.DeregistrationInProgress",
                "Target deregistration is in progress".to_owned(),
            ),
            Self::Gone => {
                ("unused", "Target.NotRegistered", "Target is not registered to the target group".to_owned())
            }
        };
        (state, Some(reason), Some(text))
    }

    fn is_unhealthy(self) -> bool {
        matches!(self, Self::Mismatch(_) | Self::Timeout | Self::Failing)
    }

    fn is_leaving(self) -> bool {
        matches!(self, Self::Draining | Self::Gone)
    }
}

/// Returns the state of a task's target at a time.
pub fn state(task: &Task, at: Millis) -> Option<TargetState> {
    let history = &task.target.as_ref()?.history;
    history.iter().rev().find(|(since, _)| *since <= at).map(|(_, state)| *state)
}

pub fn is_healthy(task: &Task, at: Millis) -> bool {
    state(task, at) == Some(TargetState::Healthy)
}

/// Registers a task that just started to run, and plans what the health checks will find.
pub fn register(world: &mut World, index: usize, behaviour: &Version) {
    let balancer = world.scenario.load_balancer.clone();
    if !balancer.enabled {
        return;
    }
    world.tasks[index].target = Some(Target { history: vec![(world.now, TargetState::Registering)] });
    if let Some(service) = &mut world.service {
        service.registered += 1;
    }
    world.plan_in(balancer.interval / 4, Step::Target(index, TargetState::Initial));
    let fails_after = balancer.interval * Millis::from(balancer.unhealthy_threshold);
    let heals_after = balancer.interval * Millis::from(balancer.healthy_threshold);
    let ready = behaviour.start;
    if ready > fails_after {
        world.plan_in(fails_after, Step::Target(index, TargetState::Failing));
    }
    let (delay, found) = match behaviour.answers {
        Answer::Code(200..=299) => (ready + heals_after, TargetState::Healthy),
        Answer::Code(code) => (ready + fails_after, TargetState::Mismatch(code)),
        Answer::Word(Silence::Timeout) => (fails_after + balancer.timeout, TargetState::Timeout),
        Answer::Word(Silence::Refused) => (fails_after, TargetState::Failing),
    };
    world.plan_in(delay, Step::Target(index, found));
}

/// Takes a task out of the target group and returns how long it drains.
pub fn deregister(world: &mut World, index: usize) -> Millis {
    if world.tasks[index].target.is_none() {
        return 0;
    }
    let delay = world.scenario.load_balancer.deregistration_delay;
    turn(world, index, TargetState::Draining);
    world.plan_in(delay, Step::Target(index, TargetState::Gone));
    if let Some(service) = &mut world.service {
        service.deregistered += 1;
    }
    service::look_in(world, 1_000);
    delay
}

/// Moves a target to a state, unless it is leaving.
pub fn turn(world: &mut World, index: usize, next: TargetState) {
    let now = world.now;
    let Some(target) = &mut world.tasks[index].target else { return };
    let leaving = target.history.last().is_some_and(|(_, state)| state.is_leaving());
    if leaving && !next.is_leaving() {
        return;
    }
    target.history.push((now, next));
    if next.is_unhealthy() {
        judge(world, index);
    }
    service::look_in(world, 1_000);
}

/// Stops a task whose target is unhealthy after the grace period.
pub fn judge(world: &mut World, index: usize) {
    let now = world.now;
    let task = &world.tasks[index];
    let Some(started) = task.started.filter(|_| task.wanted) else { return };
    let Some(state) = state(task, now).filter(|state| state.is_unhealthy()) else { return };
    let graced = started + world.scenario.service.grace_period;
    if now < graced {
        world.plan(graced, Step::JudgeTarget(index));
        return;
    }
    let group = world.target_group_arn();
    let port = world.scenario.service.port;
    let why = state.words().2.unwrap_or_default();
    world.say(&format!("(port {port}) is unhealthy in (target-group {group}) due to (reason {why})."));
    task::fail(world, index, format!("Task failed ELB health checks in (target-group {group})"));
}
