//! Tasks: from being placed to being stopped.

use super::target::{self, Target};
use super::{SECOND, Step, Told, World, service};
use crate::clock::Millis;

#[derive(Debug, Clone)]
pub struct Task {
    pub id: String,
    pub number: u64,
    pub deployment: u64,
    pub definition: usize,
    pub created: Millis,
    pub pull_started: Option<Millis>,
    pub pull_stopped: Option<Millis>,
    pub started: Option<Millis>,
    pub stopping: Option<Millis>,
    pub execution_stopped: Option<Millis>,
    pub stopped: Option<Millis>,
    pub status: TaskStatus,
    /// False when its desired status is STOPPED.
    pub wanted: bool,
    pub health: Health,
    pub stop_code: Option<&'static str>,
    pub stopped_reason: Option<String>,
    pub exit_code: Option<i32>,
    pub container_reason: Option<String>,
    /// Grows with each change, as EventBridge tells it.
    pub version: u32,
    pub target: Option<Target>,
    failing: bool,
    /// Its place among the tasks of the deployment, from zero.
    nth: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskStatus {
    Provisioning,
    Pending,
    Activating,
    Running,
    Deactivating,
    Stopping,
    Deprovisioning,
    Stopped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Unknown,
    Healthy,
    Unhealthy,
}

/// What comes next for a task.
#[derive(Debug, Clone)]
pub enum Turn {
    Pending,
    InitFails,
    Pull,
    PullFails,
    Pulled,
    Run,
    Healthy,
    Unhealthy,
    Exit,
    Terminate,
    Exited,
    Stopped,
}

impl Task {
    /// Says whether the task serves: it runs, is healthy, and the load balancer agrees.
    pub fn is_good(&self, world: &World) -> bool {
        let checked = world.behaviour(self.definition).health_check.is_some();
        self.wanted
            && self.status == TaskStatus::Running
            && (!checked || self.health == Health::Healthy)
            && (!world.scenario.load_balancer.enabled || target::is_healthy(self, world.now))
    }

    pub fn ip(&self) -> String {
        format!("10.0.{}.{}", 10 + self.number % 2, 20 + self.number % 200)
    }

    pub fn zone(&self, world: &World) -> String {
        let letter = if self.number.is_multiple_of(2) { 'a' } else { 'b' };
        format!("{}{letter}", world.scenario.account.region)
    }

    /// Returns the log stream that the awslogs driver writes to.
    pub fn stream(&self, world: &World) -> String {
        let service = &world.scenario.service;
        format!("{}/{}/{}", service.name, service.container, self.id)
    }
}

impl TaskStatus {
    pub fn word(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Pending => "PENDING",
            Self::Activating => "ACTIVATING",
            Self::Running => "RUNNING",
            Self::Deactivating => "DEACTIVATING",
            Self::Stopping => "STOPPING",
            Self::Deprovisioning => "DEPROVISIONING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// Starts a task and returns its id.
pub fn start(world: &mut World, deployment: u64, definition: usize) -> String {
    let number = world.tasks.len() as u64;
    let id = world.uuid("task", number).replace('-', "");
    let mut nth = 0;
    if let Some(service) = &mut world.service
        && let Some(found) = service.deployments.iter_mut().find(|known| known.id == deployment)
    {
        nth = found.started;
        found.started += 1;
    }
    world.tasks.push(Task {
        id: id.clone(),
        number,
        deployment,
        definition,
        created: world.now,
        pull_started: None,
        pull_stopped: None,
        started: None,
        stopping: None,
        execution_stopped: None,
        stopped: None,
        status: TaskStatus::Provisioning,
        wanted: true,
        health: Health::Unknown,
        stop_code: None,
        stopped_reason: None,
        exit_code: None,
        container_reason: None,
        version: 0,
        target: None,
        failing: false,
        nth,
    });
    change(world, number as usize, TaskStatus::Provisioning);
    let attach = world.between("attach", number, 2_000, 5_000);
    world.plan_in(attach, Step::Task(number as usize, Turn::Pending));
    id
}

/// Stops a task that runs or is about to.
pub fn stop(world: &mut World, index: usize, code: &'static str, reason: Option<String>) {
    let now = world.now;
    let task = &mut world.tasks[index];
    if !task.wanted {
        return;
    }
    task.wanted = false;
    task.stopping = Some(now);
    task.stop_code = Some(code);
    task.stopped_reason = reason;
    if task.status < TaskStatus::Running {
        change(world, index, TaskStatus::Deprovisioning);
        world.plan_in(3 * SECOND, Step::Task(index, Turn::Stopped));
        return;
    }
    let drains = target::deregister(world, index);
    change(world, index, TaskStatus::Deactivating);
    world.plan_in(drains, Step::Task(index, Turn::Terminate));
}

/// Stops a task because it does not work; the deployment counts it.
pub fn fail(world: &mut World, index: usize, reason: String) {
    world.tasks[index].failing = true;
    stop(world, index, "ServiceSchedulerInitiated", Some(reason));
}

/// Plays what comes next for a task.
pub fn turn(world: &mut World, index: usize, turn: Turn) {
    if world.tasks[index].wanted {
        live(world, index, turn);
    } else {
        die(world, index, turn);
    }
}

fn live(world: &mut World, index: usize, turn: Turn) {
    let now = world.now;
    let number = index as u64;
    let behaviour = world.behaviour(world.tasks[index].definition);
    match turn {
        Turn::Pending => {
            change(world, index, TaskStatus::Pending);
            let next = if behaviour.init_error.is_some() { Turn::InitFails } else { Turn::Pull };
            let delay = world.between("init", number, 1_000, 3_000);
            world.plan_in(delay, Step::Task(index, next));
        }
        Turn::InitFails => fail_to_start(world, index, behaviour.init_error.clone()),
        Turn::Pull => {
            world.tasks[index].pull_started = Some(now);
            let next = if behaviour.pull_error.is_some() { Turn::PullFails } else { Turn::Pulled };
            let jitter = world.between("pull", number, 0, (behaviour.pull / 4).max(1));
            world.plan_in(behaviour.pull + jitter, Step::Task(index, next));
        }
        Turn::PullFails => {
            world.tasks[index].pull_stopped = Some(now);
            fail_to_start(world, index, behaviour.pull_error.clone());
        }
        Turn::Pulled => {
            world.tasks[index].pull_stopped = Some(now);
            change(world, index, TaskStatus::Activating);
            world.plan_in(SECOND, Step::Task(index, Turn::Run));
        }
        Turn::Run => run(world, index),
        Turn::Healthy => {
            world.tasks[index].health = Health::Healthy;
            change(world, index, TaskStatus::Running);
            service::look_in(world, SECOND);
        }
        Turn::Unhealthy => {
            world.tasks[index].health = Health::Unhealthy;
            change(world, index, TaskStatus::Running);
            let id = world.tasks[index].id.clone();
            world.say(&format!("(task {id}) failed container health checks."));
            fail(world, index, "Task failed container health checks".to_owned());
        }
        Turn::Exit => {
            let Some(exit) = &behaviour.exit else { return };
            let task = &mut world.tasks[index];
            task.wanted = false;
            task.failing = true;
            task.stopping = Some(now);
            task.execution_stopped = Some(now);
            task.stop_code = Some("EssentialContainerExited");
            task.stopped_reason = Some("Essential container in task exited".to_owned());
            task.exit_code = Some(exit.code);
            task.container_reason = exit.reason.clone();
            target::deregister(world, index);
            change(world, index, TaskStatus::Deprovisioning);
            let delay = world.between("deprovision", number, 3_000, 8_000);
            world.plan_in(delay, Step::Task(index, Turn::Stopped));
        }
        Turn::Terminate | Turn::Exited | Turn::Stopped => {}
    }
}

fn run(world: &mut World, index: usize) {
    let now = world.now;
    let behaviour = world.behaviour(world.tasks[index].definition);
    world.tasks[index].started = Some(now);
    change(world, index, TaskStatus::Running);
    target::register(world, index, &behaviour);
    let nth = world.tasks[index].nth;
    if let Some(exit) =
        behaviour.exit.as_ref().filter(|exit| exit.only.is_empty() || exit.only.contains(&nth))
    {
        let jitter = world.between("exit", index as u64, 0, (exit.after / 10).max(1));
        world.plan_in(exit.after + jitter, Step::Task(index, Turn::Exit));
    }
    if let Some(check) = &behaviour.health_check {
        let gives_up = check.start_period + check.interval * Millis::from(check.retries);
        let succeeds = (behaviour.start / check.interval + 1) * check.interval;
        if check.fails || succeeds > gives_up {
            world.plan_in(gives_up, Step::Task(index, Turn::Unhealthy));
        } else {
            world.plan_in(succeeds, Step::Task(index, Turn::Healthy));
        }
    }
    service::look_in(world, SECOND);
}

fn fail_to_start(world: &mut World, index: usize, reason: Option<String>) {
    let now = world.now;
    let task = &mut world.tasks[index];
    task.wanted = false;
    task.failing = true;
    task.stopping = Some(now);
    task.execution_stopped = Some(now);
    task.stop_code = Some("TaskFailedToStart");
    // ECS cuts the reason of a task; the container keeps the whole text.
    task.stopped_reason = reason.as_ref().map(|reason| reason.chars().take(255).collect());
    task.container_reason = reason.filter(|reason| reason.starts_with("Cannot"));
    change(world, index, TaskStatus::Deprovisioning);
    let delay = world.between("deprovision", index as u64, 3_000, 8_000);
    world.plan_in(delay, Step::Task(index, Turn::Stopped));
}

fn die(world: &mut World, index: usize, turn: Turn) {
    let now = world.now;
    match turn {
        Turn::Terminate => {
            change(world, index, TaskStatus::Stopping);
            let behaviour = world.behaviour(world.tasks[index].definition);
            let takes = if behaviour.ignores_sigterm { 30 * SECOND } else { SECOND };
            world.plan_in(takes, Step::Task(index, Turn::Exited));
        }
        Turn::Exited => {
            let behaviour = world.behaviour(world.tasks[index].definition);
            let code = if behaviour.ignores_sigterm { 137 } else { behaviour.sigterm_exit };
            world.tasks[index].exit_code = Some(code);
            world.tasks[index].execution_stopped = Some(now);
            change(world, index, TaskStatus::Deprovisioning);
            let delay = world.between("deprovision", index as u64, 3_000, 8_000);
            world.plan_in(delay, Step::Task(index, Turn::Stopped));
        }
        Turn::Stopped => {
            let task = &mut world.tasks[index];
            task.stopped = Some(now);
            task.execution_stopped.get_or_insert(now);
            let (failing, deployment) = (task.failing, task.deployment);
            change(world, index, TaskStatus::Stopped);
            if failing {
                service::count_failure(world, deployment);
            }
            service::look_in(world, SECOND);
        }
        _ => {}
    }
}

/// Sets the status and tells EventBridge about the task as it is now.
fn change(world: &mut World, index: usize, status: TaskStatus) {
    let task = &mut world.tasks[index];
    task.status = status;
    task.version += 1;
    let told = Told::Task(Box::new(task.clone()));
    world.tell(told);
}
