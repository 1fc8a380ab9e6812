//! The service: its deployments, revisions and events, and what calls do to them.

use super::scheduler::look_in;
use super::{SECOND, Told, World, task};
use crate::clock::Millis;

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
    pub next_look: Option<Millis>,
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
    /// No task is started before.
    pub next_start: Millis,
    /// When it was last told that tasks cannot be placed.
    pub unplaced: Option<Millis>,
    pub impaired: bool,
    /// Since when all its tasks serve, and no others.
    pub steady: Option<Millis>,
    /// Whether a task stopped after all had served, and not all serve again.
    pub shaken: bool,
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
    /// The alarms that ended it.
    pub alarms: Vec<String>,
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
    let earlier = service.deployments.iter().position(|earlier| earlier.state == RolloutState::Completed);
    let mut deployment = Deployment {
        id,
        revision,
        definition,
        created: now,
        updated: now,
        state: RolloutState::InProgress,
        reason: format!("ECS deployment ecs-svc/{id} in progress."),
        failed: 0,
        started: 0,
        next_start: now,
        unplaced: None,
        impaired: false,
        steady: None,
        shaken: false,
    };
    if let Some(at) = earlier.filter(|_| rollback) {
        // ECS makes the earlier deployment the primary one again, under the id that it always had.
        let earlier = service.deployments.remove(at);
        deployment = Deployment {
            id: earlier.id,
            created: earlier.created,
            reason: format!(
                "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/{}.",
                earlier.id
            ),
            ..deployment
        };
    }
    let id = deployment.id;
    service.deployments.insert(0, deployment);
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
            alarms: Vec::new(),
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

/// Fails the primary deployment and tells EventBridge.
pub fn fail_primary(world: &mut World, reason: &str) {
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
pub fn completed_before(service: &Service) -> Option<usize> {
    let earlier = service.deployments.iter().skip(1);
    earlier.into_iter().find(|known| known.state == RolloutState::Completed).map(|known| known.definition)
}

/// Turns a drawn number into the nineteen digits of a deployment's id.
fn big_number(drawn: u64) -> u64 {
    1_000_000_000_000_000_000 + drawn % 8_000_000_000_000_000_000
}

fn token(world: &World, number: u64) -> String {
    const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
    (0..21).map(|at| char::from(LETTERS[(world.draw("rollout", number * 32 + at) % 64) as usize])).collect()
}
