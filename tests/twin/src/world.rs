//! The account as it is at a virtual time.
//!
//! What happens next stands in an agenda. Everything drawn is a hash of the seed and a name,
//! so the state depends on the scenario, the seed, the time and the changing calls, and on nothing else.

pub mod nested;
pub mod scheduler;
pub mod service;
pub mod stack;
pub mod target;
pub mod task;

use crate::change_sets::{self, ChangeSet};
use crate::clock::Millis;
use crate::scenario::{Scenario, Version};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64_with_seed;

pub use service::{Deployment, Revision, Rollout, RolloutState, Service, ServiceEvent};
pub use stack::{Resource, Stack, StackEvent};
pub use target::{Target, TargetState};
pub use task::{Health, Task, TaskStatus};

/// Everything in the account.
#[derive(Debug, Clone)]
pub struct World {
    pub scenario: Scenario,
    pub seed: u64,
    pub begin: Millis,
    pub now: Millis,
    pub definitions: Vec<Definition>,
    pub service: Option<Service>,
    pub tasks: Vec<Task>,
    pub stack: Option<Stack>,
    /// The stack inside the stack.
    pub nested: Option<Stack>,
    /// Oldest first.
    pub change_sets: Vec<ChangeSet>,
    pub notices: Vec<Notice>,
    pub mailbox: BTreeMap<u64, Delivery>,
    agenda: BTreeMap<(Millis, u64), Step>,
    planned: u64,
}

/// A revision of the task definition.
#[derive(Debug, Clone)]
pub struct Definition {
    pub family: String,
    pub revision: u32,
    pub image: String,
    /// How its tasks behave; an image that the scenario does not know cannot be pulled.
    pub behaviour: Arc<Version>,
    pub registered: Millis,
    /// The parameters of the call that registered it.
    pub given: Option<Value>,
}

/// Something that EventBridge tells.
#[derive(Debug, Clone)]
pub struct Notice {
    pub at: Millis,
    pub told: Told,
}

#[derive(Debug, Clone)]
pub enum Told {
    Task(Box<Task>),
    Deployment { name: &'static str, id: u64, reason: String },
    Service { name: &'static str, level: &'static str, reason: String },
}

/// What became of a message of the queue.
#[derive(Debug, Clone, Default)]
pub struct Delivery {
    pub hidden_until: Millis,
    pub received: u32,
    pub first_received: Millis,
    pub deleted: bool,
}

/// What the agenda holds.
#[derive(Debug, Clone)]
pub enum Step {
    /// The scheduler looks at the service.
    Look,
    Task(usize, task::Turn),
    Target(usize, TargetState),
    /// ECS acts on a target that does not get healthy.
    JudgeTarget(usize),
    /// The scenario's own deployment begins.
    Deploy(usize),
    Stack(stack::Turn),
}

impl World {
    /// Returns the account at the beginning: the first version has been running for two hours.
    pub fn new(scenario: Scenario, seed: u64, begin: Millis) -> Self {
        let deploy = scenario.deploy.clone();
        let mut world = Self {
            scenario,
            seed,
            begin,
            now: begin - 2 * HOUR,
            definitions: Vec::new(),
            service: None,
            tasks: Vec::new(),
            stack: None,
            nested: None,
            change_sets: Vec::new(),
            notices: Vec::new(),
            mailbox: BTreeMap::new(),
            agenda: BTreeMap::new(),
            planned: 0,
        };
        for index in 0..world.scenario.versions.len() {
            let image = world.scenario.image(&world.scenario.versions[index].image);
            world.define(image, None);
        }
        if world.scenario.service.exists {
            service::create(&mut world, 0, None);
        }
        stack::found(&mut world);
        world.run(begin);
        world.notices.clear();
        if let Some(deploy) = deploy
            && let Some(version) = world.scenario.version_of(&deploy.image)
        {
            world.plan(begin + deploy.at, Step::Deploy(version));
        }
        world
    }

    /// Plays everything that happens until a time.
    pub fn run(&mut self, until: Millis) {
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > until {
                break;
            }
            let ((at, _), step) = entry.remove_entry();
            self.now = self.now.max(at);
            match step {
                Step::Look => scheduler::look(self),
                Step::Task(task, turn) => task::turn(self, task, turn),
                Step::Target(task, state) => target::turn(self, task, state),
                Step::JudgeTarget(task) => target::judge(self, task),
                Step::Deploy(version) => self.deploy(version),
                Step::Stack(turn) => stack::turn(self, turn),
            }
            stack::watch(self);
        }
        self.now = self.now.max(until);
    }

    /// Puts a step into the agenda.
    pub fn plan(&mut self, at: Millis, step: Step) {
        self.planned += 1;
        self.agenda.insert((at, self.planned), step);
    }

    /// Puts a step into the agenda, counted from now.
    pub fn plan_in(&mut self, delay: Millis, step: Step) {
        self.plan(self.now + delay, step);
    }

    /// Registers a revision of the task definition and returns its index.
    pub fn define(&mut self, image: String, given: Option<Value>) -> usize {
        let family = given
            .as_ref()
            .and_then(|given| given["family"].as_str())
            .unwrap_or(&self.scenario.service.name)
            .to_owned();
        let earlier = self.definitions.iter().filter(|known| known.family == family).count();
        let tag = image.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        let behaviour = match self.scenario.version_of(tag) {
            Some(version) => self.scenario.versions[version].clone(),
            None => unknown(&image),
        };
        self.definitions.push(Definition {
            behaviour: Arc::new(behaviour),
            family,
            revision: earlier as u32 + 1,
            image,
            registered: self.now,
            given,
        });
        self.definitions.len() - 1
    }

    /// Returns how a revision behaves.
    pub fn behaviour(&self, definition: usize) -> Arc<Version> {
        Arc::clone(&self.definitions[definition].behaviour)
    }

    /// Draws a number: the same seed and name give the same number.
    pub fn draw(&self, name: &str, number: u64) -> u64 {
        draw(self.seed, name, number)
    }

    /// Draws a number from a range, its end excluded.
    pub fn between(&self, name: &str, number: u64, from: Millis, to: Millis) -> Millis {
        from + (self.draw(name, number) % (to - from).max(1) as u64) as Millis
    }

    /// Draws an identifier in the form of a UUID.
    pub fn uuid(&self, name: &str, number: u64) -> String {
        uuid(self.seed, name, number)
    }

    /// Tells EventBridge.
    pub fn tell(&mut self, told: Told) {
        self.notices.push(Notice { at: self.now, told });
    }

    /// Returns the start of an ARN of a service of AWS in this account.
    pub fn arn(&self, service: &str, rest: &str) -> String {
        let account = &self.scenario.account;
        format!("arn:aws:{service}:{}:{}:{rest}", account.region, account.id)
    }

    pub fn target_group_arn(&self) -> String {
        let id = self.draw("target-group", 0);
        self.arn("elasticloadbalancing", &format!("targetgroup/{}/{id:016x}", self.scenario.service.name))
    }

    pub fn definition_arn(&self, definition: usize) -> String {
        let Definition { family, revision, .. } = &self.definitions[definition];
        self.arn("ecs", &format!("task-definition/{family}:{revision}"))
    }

    pub fn service_arn(&self) -> String {
        let scenario = &self.scenario;
        self.arn("ecs", &format!("service/{}/{}", scenario.account.cluster, scenario.service.name))
    }

    pub fn cluster_arn(&self) -> String {
        self.arn("ecs", &format!("cluster/{}", self.scenario.account.cluster))
    }

    pub fn task_arn(&self, task: &Task) -> String {
        self.arn("ecs", &format!("task/{}/{}", self.scenario.account.cluster, task.id))
    }

    fn deploy(&mut self, version: usize) {
        let tag = self.scenario.versions[version].image.clone();
        if self.scenario.stack.as_ref().is_some_and(|plan| plan.change_set_error.is_some()) {
            change_sets::make(self, "deploy", &tag);
        } else if self.scenario.stack.is_some() {
            stack::operate(self, &tag, None);
        } else if self.service.is_some() {
            service::deploy(self, version, false);
        } else {
            service::create(self, version, None);
        }
    }
}

fn unknown(image: &str) -> Version {
    let error = format!(
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): \
         failed to resolve ref {image}: {image}: not found"
    );
    Version { pull_error: Some(error), in_registry: false, ..Version::default() }
}

pub const SECOND: Millis = 1_000;
pub const MINUTE: Millis = 60 * SECOND;
pub const HOUR: Millis = 60 * MINUTE;

/// Draws a number: the same seed and name give the same number.
pub fn draw(seed: u64, name: &str, number: u64) -> u64 {
    let mut key = name.as_bytes().to_vec();
    key.extend_from_slice(&number.to_le_bytes());
    xxh3_64_with_seed(&key, seed)
}

/// Draws an identifier in the form of a UUID.
pub fn uuid(seed: u64, name: &str, number: u64) -> String {
    let (high, low) = (draw(seed, name, number), draw(!seed, name, number));
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}
