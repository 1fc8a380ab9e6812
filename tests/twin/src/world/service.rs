//! The service: its deployments, the scheduler, the circuit breaker and the events.

use super::task::{self, TaskStatus};
use super::{HOUR, MINUTE, SECOND, Step, Told, World};
use crate::clock::Millis;
use std::fmt::Write;

#[derive(Debug, Clone)]
pub struct Service {
    pub status: &'static str,
    pub created: Millis,
    pub desired: u32,
    /// The primary deployment first.
    pub deployments: Vec<Deployment>,
    /// Oldest first; all that there ever were.
    pub events: Vec<ServiceEvent>,
    pub revisions: Vec<Revision>,
    pub rollouts: Vec<Rollout>,
    pub registered: u32,
    pub deregistered: u32,
    next_look: Option<Millis>,
}

#[derive(Debug, Clone)]
pub struct Deployment {
    pub id: u64,
    pub revision: u64,
    pub definition: usize,
    pub created: Millis,
    pub updated: Millis,
    pub state: RolloutState,
    pub reason: String,
    pub failed: u32,
    pub started: u32,
    next_start: Millis,
    unplaced: Option<Millis>,
    impaired: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolloutState {
    InProgress,
    Completed,
    Failed,
}

#[derive(Debug, Clone)]
pub struct ServiceEvent {
    pub id: String,
    pub at: Millis,
    pub text: String,
}

#[derive(Debug, Clone)]
pub struct Revision {
    pub id: u64,
    pub definition: usize,
    pub created: Millis,
}

/// A service deployment, as ListServiceDeployments knows it.
#[derive(Debug, Clone)]
pub struct Rollout {
    pub id: String,
    pub deployment: u64,
    pub revision: u64,
    pub source: Option<u64>,
    pub status: &'static str,
    pub reason: Option<String>,
    pub created: Millis,
    pub finished: Option<Millis>,
    pub stopped: Option<Millis>,
    pub updated: Millis,
    pub breaker: &'static str,
    pub failures: u32,
    pub threshold: u32,
    pub rollback: Option<Rollback>,
}

#[derive(Debug, Clone)]
pub struct Rollback {
    pub reason: String,
    pub at: Millis,
    pub revision: u64,
    pub deployment: u64,
}

impl Service {
    /// Returns the deployment that tasks are started for.
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments.first()
    }
}

impl World {
    /// Adds a service event in ECS's words; `text` follows the name of the service.
    pub fn say(&mut self, text: &str) {
        let number = self.service.as_ref().map_or(0, |service| service.events.len()) as u64;
        let id = self.uuid("service-event", number);
        let text = format!("(service {}) {text}", self.scenario.service.name);
        let now = self.now;
        if let Some(service) = &mut self.service {
            // Two events have two times, so that sorting by time keeps their order.
            let at = service.events.last().map_or(now, |last| now.max(last.at + 1));
            service.events.push(ServiceEvent { id, at, text });
        }
    }
}

/// Creates the service with a task definition.
pub fn create(world: &mut World, definition: usize, desired: Option<u32>) {
    let earlier = world.service.take();
    world.service = Some(Service {
        status: "ACTIVE",
        created: world.now,
        desired: desired.unwrap_or(world.scenario.service.desired),
        deployments: Vec::new(),
        // Numbers of events and revisions go on, so that no identifier is given twice.
        events: earlier.as_ref().map(|service| service.events.clone()).unwrap_or_default(),
        revisions: earlier.as_ref().map(|service| service.revisions.clone()).unwrap_or_default(),
        rollouts: earlier.map(|service| service.rollouts).unwrap_or_default(),
        registered: 0,
        deregistered: 0,
        next_look: None,
    });
    deploy(world, definition, false);
}

/// Starts a deployment of a task definition.
pub fn deploy(world: &mut World, definition: usize, rollback: bool) {
    let now = world.now;
    let threshold = world.service.as_ref().map_or(3, |service| world.scenario.threshold(service.desired));
    let breaker = world.scenario.service.circuit_breaker.enable;
    let Some(service) = &world.service else { return };
    let number = (service.revisions.len() + service.rollouts.len() * 2 + service.events.len()) as u64;
    let id = big_number(world.draw("deployment", number));
    let rollout_id = token(world, number);
    let Some(service) = &mut world.service else { return };
    let known = service.revisions.iter().rev().find(|revision| revision.definition == definition);
    let revision = match known {
        Some(revision) if rollback => revision.id,
        _ => {
            service.revisions.push(Revision { id, definition, created: now });
            id
        }
    };
    let source = service.deployments.first().map(|deployment| deployment.revision);
    let target = service.deployments.first().map(|deployment| deployment.id);
    service.deployments.insert(
        0,
        Deployment {
            id,
            revision,
            definition,
            created: now,
            updated: now,
            state: RolloutState::InProgress,
            reason: if rollback {
                format!(
                    "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/{}.",
                    service
                        .deployments
                        .iter()
                        .find(|earlier| earlier.state == RolloutState::Completed)
                        .map_or(id, |earlier| earlier.id)
                )
            } else {
                format!("ECS deployment ecs-svc/{id} in progress.")
            },
            failed: 0,
            started: 0,
            next_start: now,
            unplaced: None,
            impaired: false,
        },
    );
    if rollback {
        if let Some(rollout) =
            service.rollouts.iter_mut().rev().find(|rollout| Some(rollout.deployment) == target)
        {
            rollout.status = "ROLLBACK_IN_PROGRESS";
            rollout.updated = now;
            rollout.rollback = Some(Rollback {
                reason: rollout.reason.clone().unwrap_or_default(),
                at: now,
                revision,
                deployment: id,
            });
        }
    } else {
        for rollout in service.rollouts.iter_mut().filter(|rollout| rollout.finished.is_none()) {
            rollout.status = "STOPPED";
            rollout.reason = Some("Service deployment stopped by a newer service deployment.".to_owned());
            rollout.stopped = Some(now);
            rollout.finished = Some(now);
            rollout.updated = now;
        }
        service.rollouts.push(Rollout {
            id: rollout_id,
            deployment: id,
            revision,
            source,
            status: "IN_PROGRESS",
            reason: None,
            created: now,
            finished: None,
            stopped: None,
            updated: now,
            breaker: if breaker { "MONITORING" } else { "DISABLED" },
            failures: 0,
            threshold,
            rollback: None,
        });
    }
    let reason = format!("ECS deployment ecs-svc/{id} in progress.");
    world.tell(Told::Deployment { name: "SERVICE_DEPLOYMENT_IN_PROGRESS", id, reason });
    look_in(world, 2 * SECOND);
}

/// Takes the service down; its description stays for a while.
pub fn delete(world: &mut World) {
    let Some(service) = &mut world.service else { return };
    service.status = "DRAINING";
    service.desired = 0;
    service.deployments.clear();
    for index in 0..world.tasks.len() {
        if world.tasks[index].wanted {
            task::stop(world, index, "ServiceSchedulerInitiated", None);
        }
    }
    look_in(world, 5 * SECOND);
}

/// Stops the running deployment, as StopServiceDeployment does; false when nothing runs.
pub fn abort(world: &mut World, roll_back: bool) -> bool {
    let Some(service) = &mut world.service else { return false };
    let Some(rollout) = service.rollouts.last_mut().filter(|rollout| rollout.finished.is_none()) else {
        return false;
    };
    rollout.reason = Some("Service deployment stopped by user.".to_owned());
    rollout.updated = world.now;
    let earlier = completed_before(service);
    if roll_back && let Some(definition) = earlier {
        fail_primary(world, "ECS deployment was stopped.");
        deploy(world, definition, true);
    } else if let Some(rollout) = service.rollouts.last_mut() {
        rollout.status = "STOPPED";
        rollout.stopped = Some(world.now);
        rollout.finished = Some(world.now);
        if let Some(primary) = service.deployments.first_mut() {
            primary.state = RolloutState::Failed;
            primary.reason = format!("ECS deployment ecs-svc/{} was stopped.", primary.id);
        }
    }
    look_in(world, SECOND);
    true
}

/// Plans a look of the scheduler, unless an earlier one is planned.
pub fn look_in(world: &mut World, delay: Millis) {
    let at = world.now + delay;
    let Some(service) = &mut world.service else { return };
    if service.next_look.is_none_or(|planned| planned > at) {
        service.next_look = Some(at);
        world.plan(at, Step::Look);
    }
}

/// Does what the scheduler does when it looks: starts, stops, counts, judges, tells.
pub fn look(world: &mut World) {
    let now = world.now;
    let Some(service) = &mut world.service else { return };
    if service.next_look.is_some_and(|planned| planned > now) {
        return;
    }
    service.next_look = None;
    tell_targets(world);
    if is_draining(world) {
        return;
    }
    trip_breaker(world);
    start_tasks(world);
    drain_old_tasks(world);
    drop_empty_deployments(world);
    complete(world);
    if unsettled(world) {
        look_in(world, 5 * SECOND);
    }
}

/// Counts a task that stopped without being asked to.
pub fn count_failure(world: &mut World, deployment: u64) {
    let now = world.now;
    let Some(service) = &mut world.service else { return };
    let Some(found) = service.deployments.iter_mut().find(|known| known.id == deployment) else { return };
    if found.state != RolloutState::InProgress {
        return;
    }
    found.failed += 1;
    found.updated = now;
    found.next_start = now + (3 * SECOND * Millis::from(found.failed)).min(MINUTE);
    let (failed, impaired) = (found.failed, found.impaired);
    found.impaired |= failed >= 3;
    if let Some(rollout) = service.rollouts.last_mut().filter(|rollout| rollout.deployment == deployment) {
        rollout.failures = failed;
        rollout.updated = now;
    }
    if failed >= 3 && !impaired {
        world.say("is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.");
        let reason = String::new();
        world.tell(Told::Service { name: "SERVICE_TASK_START_IMPAIRED", level: "WARN", reason });
    }
}

fn tell_targets(world: &mut World) {
    let group = world.target_group_arn();
    let Some(service) = &mut world.service else { return };
    let (registered, deregistered) = (service.registered, service.deregistered);
    service.registered = 0;
    service.deregistered = 0;
    if registered > 0 {
        world.say(&format!("registered {registered} targets in (target-group {group})"));
    }
    if deregistered > 0 {
        world.say(&format!("deregistered {deregistered} targets in (target-group {group})"));
    }
}

fn is_draining(world: &mut World) -> bool {
    let gone = world.tasks.iter().all(|task| task.status == TaskStatus::Stopped);
    let Some(service) = &mut world.service else { return true };
    match service.status {
        "ACTIVE" => false,
        "DRAINING" => {
            if gone {
                service.status = "INACTIVE";
            } else {
                look_in(world, 5 * SECOND);
            }
            true
        }
        _ => true,
    }
}

fn trip_breaker(world: &mut World) {
    let breaker = world.scenario.service.circuit_breaker.clone();
    let Some(service) = &mut world.service else { return };
    let threshold = world.scenario.threshold(service.desired);
    let Some(primary) = service.deployments.first() else { return };
    if !breaker.enable || primary.state != RolloutState::InProgress || primary.failed < threshold {
        return;
    }
    let id = primary.id;
    let earlier = completed_before(service);
    let rolled_back_already = service.rollouts.last().is_some_and(|rollout| rollout.deployment != id);
    if let Some(rollout) = service.rollouts.last_mut() {
        rollout.breaker = "TRIGGERED";
        rollout.reason = Some(
            "Service deployment rolled back because the circuit breaker threshold was exceeded.".to_owned(),
        );
        rollout.updated = world.now;
    }
    world.say(&format!("(deployment ecs-svc/{id}) deployment failed: tasks failed to start."));
    fail_primary(world, "ECS deployment circuit breaker: tasks failed to start.");
    match earlier {
        Some(definition) if breaker.rollback && !rolled_back_already => {
            let to = world.service.as_ref().and_then(|service| {
                service.deployments.iter().find(|known| known.state == RolloutState::Completed)
            });
            let to = to.map_or(0, |known| known.id);
            world.say(&format!("rolling back to deployment ecs-svc/{to}."));
            deploy(world, definition, true);
        }
        _ => {
            let now = world.now;
            let Some(rollout) = world.service.as_mut().and_then(|service| service.rollouts.last_mut()) else {
                return;
            };
            rollout.status = if rolled_back_already { "ROLLBACK_FAILED" } else { "STOPPED" };
            rollout.reason = Some(
                "Service deployment failed because the circuit breaker threshold was exceeded.".to_owned(),
            );
            rollout.stopped = Some(now);
            rollout.finished = Some(now);
        }
    }
}

fn fail_primary(world: &mut World, reason: &str) {
    let now = world.now;
    let Some(primary) = world.service.as_mut().and_then(|service| service.deployments.first_mut()) else {
        return;
    };
    primary.state = RolloutState::Failed;
    primary.reason = reason.to_owned();
    primary.updated = now;
    let id = primary.id;
    world.tell(Told::Deployment { name: "SERVICE_DEPLOYMENT_FAILED", id, reason: reason.to_owned() });
}

/// Returns the task definition of the last deployment that was completed, other than the primary one.
fn completed_before(service: &Service) -> Option<usize> {
    let earlier = service.deployments.iter().skip(1);
    earlier.into_iter().find(|known| known.state == RolloutState::Completed).map(|known| known.definition)
}

fn start_tasks(world: &mut World) {
    let now = world.now;
    let Some(service) = &world.service else { return };
    let Some(primary) = service.primary() else { return };
    if primary.state == RolloutState::Failed || primary.next_start > now {
        return;
    }
    let (id, definition) = (primary.id, primary.definition);
    let live = world.tasks.iter().filter(|task| task.wanted).count() as u32;
    let own = world.tasks.iter().filter(|task| task.wanted && task.deployment == id).count() as u32;
    let most =
        (service.desired * world.scenario.service.maximum_percent).div_euclid(100).max(service.desired);
    let room = service.desired.saturating_sub(own).min(most.saturating_sub(live));
    if room == 0 || !placeable(world, definition) {
        return;
    }
    let mut text = format!("has started {room} tasks:");
    for _ in 0..room {
        let id = task::start(world, id, definition);
        let _ = write!(text, " (task {id})");
    }
    world.say(&format!("{text}."));
}

/// Says whether tasks can be placed; tells when they cannot, at most once in six hours.
fn placeable(world: &mut World, definition: usize) -> bool {
    let behaviour = world.behaviour(definition);
    let Some(error) = &behaviour.placement_error else { return true };
    let (now, begin) = (world.now, world.begin);
    if behaviour.placeable_from.is_some_and(|from| now >= begin + from) {
        return true;
    }
    let Some(primary) = world.service.as_mut().and_then(|service| service.deployments.first_mut()) else {
        return false;
    };
    if primary.unplaced.is_none_or(|told| now - told >= 6 * HOUR) {
        primary.unplaced = Some(now);
        world.say(&format!("was unable to place a task. {error}"));
        let reason = "RESOURCE:FARGATE".to_owned();
        world.tell(Told::Service { name: "SERVICE_TASK_PLACEMENT_FAILURE", level: "ERROR", reason });
    }
    false
}

fn drain_old_tasks(world: &mut World) {
    let Some(service) = &world.service else { return };
    let Some(primary) = service.primary() else { return };
    let id = primary.id;
    let failed: Vec<u64> = service
        .deployments
        .iter()
        .filter(|known| known.state == RolloutState::Failed)
        .map(|known| known.id)
        .collect();
    let least = (service.desired * world.scenario.service.minimum_healthy_percent).div_ceil(100);
    let mut healthy = world.tasks.iter().filter(|task| task.is_good(world)).count() as u32;
    let fresh = world.tasks.iter().filter(|task| task.deployment == id && task.is_good(world)).count() as u32;
    let old: Vec<usize> = (0..world.tasks.len())
        .filter(|&index| world.tasks[index].wanted && world.tasks[index].deployment != id)
        .collect();
    let own_live: Vec<usize> = (0..world.tasks.len())
        .filter(|&index| world.tasks[index].wanted && world.tasks[index].deployment == id)
        .collect();
    let mut keep = service.desired.saturating_sub(fresh) as usize;
    let mut stopping = Vec::new();
    for index in own_live.into_iter().skip(service.desired as usize) {
        stopping.push(index);
    }
    for &index in &old {
        let task = &world.tasks[index];
        // Tasks of a failed deployment go at once; tasks that serve go when new ones serve.
        if failed.contains(&task.deployment) {
            stopping.push(index);
        } else if keep > 0 {
            keep -= 1;
        } else if !task.is_good(world) {
            stopping.push(index);
        } else if healthy > least {
            healthy -= 1;
            stopping.push(index);
        }
    }
    if stopping.is_empty() {
        return;
    }
    let mut text = format!("has stopped {} running tasks:", stopping.len());
    let registered = stopping.iter().filter(|&&index| world.tasks[index].target.is_some()).count();
    if registered > 0 {
        world.say(&format!("has begun draining connections on {registered} tasks."));
    }
    for index in stopping {
        let deployment = world.tasks[index].deployment;
        let _ = write!(text, " (task {})", world.tasks[index].id);
        task::stop(
            world,
            index,
            "ServiceSchedulerInitiated",
            Some(format!("Scaling activity initiated by (deployment ecs-svc/{deployment})")),
        );
    }
    tell_targets(world);
    world.say(&format!("{text}."));
}

fn drop_empty_deployments(world: &mut World) {
    let Some(service) = &mut world.service else { return };
    let primary = service.deployments.first().map(|known| known.id);
    let done = service.primary().is_some_and(|known| known.state != RolloutState::InProgress);
    service.deployments.retain(|known| {
        Some(known.id) == primary
            || world
                .tasks
                .iter()
                .any(|task| task.deployment == known.id && task.status != TaskStatus::Stopped)
            || known.state == RolloutState::Completed && !done
    });
}

fn complete(world: &mut World) {
    let now = world.now;
    let Some(service) = &world.service else { return };
    let Some(primary) = service.primary() else { return };
    if primary.state != RolloutState::InProgress {
        return;
    }
    let (id, desired) = (primary.id, service.desired);
    let good = world.tasks.iter().filter(|task| task.deployment == id && task.is_good(world)).count() as u32;
    let others = world.tasks.iter().any(|task| task.wanted && task.deployment != id);
    if good < desired || others {
        return;
    }
    let rolled_back = service.rollouts.last().is_some_and(|rollout| rollout.deployment != id);
    let Some(service) = &mut world.service else { return };
    if let Some(primary) = service.deployments.first_mut() {
        primary.state = RolloutState::Completed;
        primary.reason = format!("ECS deployment ecs-svc/{id} completed.");
        primary.updated = now;
    }
    if let Some(rollout) = service.rollouts.last_mut() {
        rollout.status = if rolled_back { "ROLLBACK_SUCCESSFUL" } else { "SUCCESSFUL" };
        rollout.finished = Some(now);
        rollout.updated = now;
        if rollout.breaker == "MONITORING" {
            rollout.breaker = "MONITORING_COMPLETE";
        }
    }
    world.say(&format!("(deployment ecs-svc/{id}) deployment completed."));
    world.say("has reached a steady state.");
    let reason = format!("ECS deployment ecs-svc/{id} completed.");
    world.tell(Told::Deployment { name: "SERVICE_DEPLOYMENT_COMPLETED", id, reason });
    world.tell(Told::Service { name: "SERVICE_STEADY_STATE", level: "INFO", reason: String::new() });
}

fn unsettled(world: &World) -> bool {
    let Some(service) = &world.service else { return false };
    let Some(primary) = service.primary() else { return false };
    let live = world.tasks.iter().filter(|task| task.wanted && task.deployment == primary.id).count() as u32;
    primary.state == RolloutState::InProgress
        || service.deployments.len() > 1
        || live != service.desired
        || service.registered + service.deregistered > 0
}

/// Turns a drawn number into the nineteen digits of a deployment's id.
fn big_number(drawn: u64) -> u64 {
    1_000_000_000_000_000_000 + drawn % 8_000_000_000_000_000_000
}

fn token(world: &World, number: u64) -> String {
    const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
    (0..21).map(|at| char::from(LETTERS[(world.draw("rollout", number * 32 + at) % 64) as usize])).collect()
}
