//! The scheduler of the service: starts and stops tasks, trips the circuit breaker, completes deployments.

use super::service::{completed_before, deploy, fail_primary};
use super::task::{self, TaskStatus};
use super::{HOUR, MINUTE, RolloutState, SECOND, Step, Told, World};
use crate::clock::Millis;
use crate::metrics;
use std::fmt::Write;

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
    heed_alarms(world);
    start_tasks(world);
    drain_old_tasks(world);
    drop_empty_deployments(world);
    complete(world);
    if unsettled(world) {
        look_in(world, 5 * SECOND);
    }
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

/// Counts a task that stopped without being asked to.
pub fn count_failure(world: &mut World, deployment: u64) {
    let now = world.now;
    let Some(service) = &mut world.service else { return };
    let Some(found) = service.deployments.iter_mut().find(|known| known.id == deployment) else { return };
    if found.state != RolloutState::InProgress {
        // What stops once the deployment is over is started again, and counts for nothing.
        found.next_start = now + 10 * SECOND;
        found.shaken = true;
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
    if let Some(rollout) = service.rollouts.last_mut() {
        rollout.breaker = "TRIGGERED";
    }
    fail(
        world,
        breaker.rollback,
        &Failure {
            says: "tasks failed to start.",
            state: "ECS deployment circuit breaker: tasks failed to start.",
            because: "the circuit breaker threshold was exceeded.",
        },
    );
}

/// Fails the deployment during which one of its alarms is in alarm.
fn heed_alarms(world: &mut World) {
    let Some(watch) = world.scenario.service.alarms.clone() else { return };
    let is_under_way = world.service.as_ref().is_some_and(|service| {
        let primary = service.primary().filter(|primary| primary.state == RolloutState::InProgress);
        // The way back is not watched.
        primary.is_some_and(|primary| {
            service.rollouts.last().is_some_and(|rollout| rollout.deployment == primary.id)
        })
    });
    if !is_under_way {
        return;
    }
    let triggered: Vec<String> =
        watch.names.into_iter().filter(|name| metrics::is_in_alarm(world, name)).collect();
    if triggered.is_empty() {
        return;
    }
    if let Some(rollout) = world.service.as_mut().and_then(|service| service.rollouts.last_mut()) {
        rollout.alarms = triggered;
    }
    fail(
        world,
        watch.rollback,
        &Failure {
            says: "alarm detected.",
            state: "ECS deployment failed: alarm detected.",
            because: "an alarm was detected.",
        },
    );
}

/// The words for a failed deployment.
struct Failure {
    says: &'static str,
    state: &'static str,
    because: &'static str,
}

/// Fails the primary deployment, and goes back where that is wanted and possible.
fn fail(world: &mut World, rolls_back: bool, failure: &Failure) {
    let Some(service) = &mut world.service else { return };
    let Some(id) = service.primary().map(|primary| primary.id) else { return };
    let earlier = completed_before(service);
    let rolled_back_already = service.rollouts.last().is_some_and(|rollout| rollout.deployment != id);
    if let Some(rollout) = service.rollouts.last_mut() {
        rollout.reason = Some(format!("Service deployment rolled back because {}", failure.because));
        rollout.updated = world.now;
    }
    world.say(&format!("(deployment ecs-svc/{id}) deployment failed: {}", failure.says));
    fail_primary(world, failure.state);
    match earlier {
        Some(definition) if rolls_back && !rolled_back_already => {
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
            rollout.reason = Some(format!("Service deployment failed because {}", failure.because));
            rollout.stopped = Some(now);
            rollout.finished = Some(now);
        }
    }
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
        steady_again(world);
        return;
    }
    let (id, desired) = (primary.id, service.desired);
    let good = world.tasks.iter().filter(|task| task.deployment == id && task.is_good(world)).count() as u32;
    let others = world.tasks.iter().any(|task| task.wanted && task.deployment != id);
    if good < desired || others {
        return;
    }
    let rolled_back = service.rollouts.last().is_some_and(|rollout| rollout.deployment != id);
    let bake = world.scenario.service.alarms.as_ref().filter(|_| !rolled_back).map_or(0, |watch| watch.bake);
    let Some(service) = &mut world.service else { return };
    let steady = service.deployments.first_mut().map(|primary| *primary.steady.get_or_insert(now));
    if steady.is_some_and(|steady| now < steady + bake) {
        return;
    }
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

/// Tells that all tasks serve again, some of which stopped after the deployment was over.
fn steady_again(world: &mut World) {
    let Some(service) = &world.service else { return };
    let Some(primary) = service.primary().filter(|primary| primary.shaken) else { return };
    let good = world.tasks.iter().filter(|task| task.deployment == primary.id && task.is_good(world)).count();
    if (good as u32) < service.desired {
        return;
    }
    if let Some(primary) = world.service.as_mut().and_then(|service| service.deployments.first_mut()) {
        primary.shaken = false;
    }
    world.say("has reached a steady state.");
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
