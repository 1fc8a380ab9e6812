//! Scenarios: what the account holds, how each version behaves, and which faults the API has.

mod defaults;

use crate::clock::Millis;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// A scenario as it is written in TOML; every key has a default.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    pub title: String,
    pub seed: u64,
    pub account: Account,
    pub service: Service,
    pub load_balancer: LoadBalancer,
    /// The stack around the service; without it the service is deployed by UpdateService.
    pub stack: Option<StackPlan>,
    /// The deployment that the scenario plays by itself; without it the twin waits for calls.
    pub deploy: Option<Deploy>,
    /// How each version behaves; the first one runs before the scenario begins.
    #[serde(rename = "version")]
    pub versions: Vec<Version>,
    #[serde(rename = "fault")]
    pub faults: Vec<Fault>,
    #[serde(rename = "alarm")]
    pub alarms: Vec<Alarm>,
    #[serde(rename = "composite_alarm")]
    pub composite_alarms: Vec<CompositeAlarm>,
    /// The run of GitHub Actions that deploys.
    pub pipeline: Option<Pipeline>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Account {
    pub id: String,
    pub region: String,
    pub cluster: String,
    /// The name of the queue that EventBridge delivers to.
    pub queue: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Service {
    pub name: String,
    pub desired: u32,
    pub container: String,
    pub port: u16,
    pub repository: String,
    pub log_group: String,
    pub minimum_healthy_percent: u32,
    pub maximum_percent: u32,
    #[serde(deserialize_with = "millis")]
    pub grace_period: Millis,
    pub circuit_breaker: CircuitBreaker,
    /// The alarms that watch deployments.
    pub alarms: Option<Watch>,
    /// False when the stack creates the service, so that nothing runs before.
    pub exists: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CircuitBreaker {
    pub enable: bool,
    pub rollback: bool,
    /// Failed tasks that trip it; by default half of the desired count, at least three.
    pub threshold: Option<u32>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    pub names: Vec<String>,
    /// Whether a deployment during which one of them is in alarm is rolled back.
    pub rollback: bool,
    /// How long they have to stay quiet after the last task is healthy.
    #[serde(deserialize_with = "millis")]
    pub bake: Millis,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoadBalancer {
    pub enabled: bool,
    pub path: String,
    #[serde(deserialize_with = "millis")]
    pub interval: Millis,
    #[serde(deserialize_with = "millis")]
    pub timeout: Millis,
    pub healthy_threshold: u32,
    pub unhealthy_threshold: u32,
    #[serde(deserialize_with = "millis")]
    pub deregistration_delay: Millis,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StackPlan {
    pub name: String,
    /// How long CloudFormation waits for the service.
    #[serde(deserialize_with = "millis")]
    pub stabilize: Millis,
    pub on_failure: OnFailure,
    /// Why rolling back fails, when it does.
    pub rollback_error: Option<String>,
    /// Why no change set can be made; the deployment then ends before it begins.
    pub change_set_error: Option<String>,
    /// A stack inside the stack, which holds the database.
    pub nested: Option<Nested>,
    /// A hook that looks at the service before it is changed.
    pub hook: Option<Hook>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Nested {
    /// Why its resource cannot be updated, when it cannot.
    pub error: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// The name of the hook (`Private::Guard::Tags`).
    pub kind: String,
    pub refuses: String,
}

/// What the stack does when a resource fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    Rollback,
    Stop,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deploy {
    #[serde(deserialize_with = "millis")]
    pub at: Millis,
    /// The image tag of the version that is deployed.
    pub image: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Version {
    /// The image tag; a task definition behaves as the version with its tag does.
    pub image: String,
    pub cpu: u32,
    pub memory: u32,
    /// How long the image takes to be pulled.
    #[serde(deserialize_with = "millis")]
    pub pull: Millis,
    /// The stopped reason when the image cannot be pulled.
    pub pull_error: Option<String>,
    /// The stopped reason when secrets, logs or volumes cannot be set up.
    pub init_error: Option<String>,
    /// The event text after `was unable to place a task`.
    pub placement_error: Option<String>,
    /// When tasks can be placed again, counted from the start of the scenario.
    #[serde(deserialize_with = "maybe_millis")]
    pub placeable_from: Option<Millis>,
    /// From the start of the container until it answers.
    #[serde(deserialize_with = "millis")]
    pub start: Millis,
    pub exit: Option<Exit>,
    pub answers: Answer,
    pub health_check: Option<HealthCheck>,
    /// The exit code after SIGTERM.
    pub sigterm_exit: i32,
    /// True when SIGTERM does nothing, so that the container is killed after 30 s.
    pub ignores_sigterm: bool,
    pub log: Vec<LogLine>,
    pub environment: BTreeMap<String, String>,
    pub secrets: BTreeMap<String, String>,
    pub cpu_percent: f64,
    pub memory_percent: f64,
    /// Per cent of memory that a task adds in a minute.
    pub memory_growth: f64,
    pub architecture: String,
    /// False when the registry does not hold the tag.
    pub in_registry: bool,
}

/// The container ends by itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exit {
    #[serde(deserialize_with = "millis")]
    pub after: Millis,
    pub code: i32,
    pub reason: Option<String>,
    /// Only tasks with these numbers in the deployment end; by default all do.
    #[serde(default)]
    pub only: Vec<u32>,
}

/// What the load balancer gets from a container that has started.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    Code(u16),
    Word(Silence),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Silence {
    Timeout,
    Refused,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthCheck {
    pub command: String,
    #[serde(deserialize_with = "millis")]
    pub interval: Millis,
    #[serde(deserialize_with = "millis")]
    pub timeout: Millis,
    pub retries: u32,
    #[serde(deserialize_with = "millis")]
    pub start_period: Millis,
    /// True when the command never succeeds.
    pub fails: bool,
}

/// A line of the container, counted from its start.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogLine {
    #[serde(deserialize_with = "millis")]
    pub at: Millis,
    pub text: String,
    /// Repeats the line for as long as the container runs.
    #[serde(default, deserialize_with = "maybe_millis")]
    pub every: Option<Millis>,
}

/// A fault of the API, not of the deployment.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub kind: FaultKind,
    /// `service:Action`; a star stands for any rest.
    #[serde(default = "any_action")]
    pub action: String,
    /// The share of calls that it meets, from 0 to 1.
    #[serde(default = "one")]
    pub share: f64,
    /// Only the first calls of an action.
    pub first: Option<u32>,
    #[serde(default, deserialize_with = "millis")]
    pub from: Millis,
    #[serde(default, deserialize_with = "maybe_millis")]
    pub until: Option<Millis>,
    /// How slow, or how late.
    #[serde(default, deserialize_with = "millis")]
    pub by: Millis,
    /// The status of a server error.
    #[serde(default = "status")]
    pub status: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    Throttle,
    ServerError,
    Slow,
    Truncate,
    Expire,
    Deny,
    /// FilterLogEvents answers with an empty page and a token.
    EmptyPage,
    /// Log events are ingested `by` after their time.
    LateLogs,
    /// The last event of a page is shown again on the next one.
    RepeatLogs,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alarm {
    pub name: String,
    pub metric: String,
    pub above: f64,
}

/// An alarm that is on while one of others is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompositeAlarm {
    pub name: String,
    pub any_of: Vec<String>,
}

/// A run of a pipeline on GitHub Actions.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pipeline {
    pub repository: String,
    pub run: u64,
    #[serde(rename = "job")]
    pub jobs: Vec<Job>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    pub name: String,
    #[serde(deserialize_with = "millis")]
    pub starts: Millis,
    #[serde(deserialize_with = "millis")]
    pub ends: Millis,
    /// `success`, `failure`, `skipped` …
    pub conclusion: String,
    #[serde(default)]
    pub log: Vec<LogLine>,
}

const BUILT_IN: [(&str, &str); 17] = [
    ("healthy", include_str!("../scenarios/healthy.toml")),
    ("database-refused", include_str!("../scenarios/database-refused.toml")),
    ("image-missing", include_str!("../scenarios/image-missing.toml")),
    ("secret-missing", include_str!("../scenarios/secret-missing.toml")),
    ("oom", include_str!("../scenarios/oom.toml")),
    ("health-check-404", include_str!("../scenarios/health-check-404.toml")),
    ("no-capacity", include_str!("../scenarios/no-capacity.toml")),
    ("exec-format", include_str!("../scenarios/exec-format.toml")),
    ("slow-start", include_str!("../scenarios/slow-start.toml")),
    ("stack-times-out-service-steady", include_str!("../scenarios/stack-times-out-service-steady.toml")),
    ("job-green-rolled-back", include_str!("../scenarios/job-green-rolled-back.toml")),
    ("nested-stack-fails", include_str!("../scenarios/nested-stack-fails.toml")),
    ("hook-refuses", include_str!("../scenarios/hook-refuses.toml")),
    ("change-set-fails", include_str!("../scenarios/change-set-fails.toml")),
    ("crashes-once-completed", include_str!("../scenarios/crashes-once-completed.toml")),
    ("alarm-rolls-back", include_str!("../scenarios/alarm-rolls-back.toml")),
    ("composite-alarm-rolls-back", include_str!("../scenarios/composite-alarm-rolls-back.toml")),
];

impl Scenario {
    /// Reads a scenario.
    pub fn parse(text: &str) -> Result<Self, String> {
        let scenario: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        scenario.check()?;
        Ok(scenario)
    }

    /// Returns a built-in scenario.
    pub fn built_in(name: &str) -> Option<Self> {
        let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Self::parse(text).ok()
    }

    /// Returns the names of the built-in scenarios.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// Returns the index of the version with an image tag.
    pub fn version_of(&self, tag: &str) -> Option<usize> {
        self.versions.iter().position(|version| version.image == tag)
    }

    /// Returns the image that a tag names in the service's repository.
    pub fn image(&self, tag: &str) -> String {
        let Account { id, region, .. } = &self.account;
        format!("{id}.dkr.ecr.{region}.amazonaws.com/{}:{tag}", self.service.repository)
    }

    /// Returns how many failed tasks trip the circuit breaker.
    pub fn threshold(&self, desired: u32) -> u32 {
        self.service.circuit_breaker.threshold.unwrap_or_else(|| desired.div_ceil(2).clamp(3, 200))
    }

    fn check(&self) -> Result<(), String> {
        if self.versions.is_empty() {
            return Err("a scenario needs at least one [[version]]".to_owned());
        }
        if let Some(deploy) = &self.deploy
            && self.version_of(&deploy.image).is_none()
        {
            return Err(format!("deploy.image `{}` is the image of no version", deploy.image));
        }
        let balancer = &self.load_balancer;
        if balancer.interval <= 0 || balancer.healthy_threshold == 0 || balancer.unhealthy_threshold == 0 {
            return Err("load_balancer: interval and thresholds must be above zero".to_owned());
        }
        let is_alarm = |name: &String| self.alarms.iter().any(|alarm| alarm.name == *name);
        let is_composite = |name: &String| self.composite_alarms.iter().any(|alarm| alarm.name == *name);
        let mut watched = self.service.alarms.iter().flat_map(|watch| &watch.names);
        if let Some(name) = watched.find(|name| !is_alarm(name) && !is_composite(name)) {
            return Err(format!("service.alarms: there is no [[alarm]] `{name}`"));
        }
        let mut parts = self.composite_alarms.iter().flat_map(|alarm| &alarm.any_of);
        if let Some(name) = parts.find(|name| !is_alarm(name)) {
            return Err(format!("composite_alarm.any_of: there is no [[alarm]] `{name}`"));
        }
        if self.stack.as_ref().is_some_and(|stack| stack.nested.is_some()) && !self.service.exists {
            return Err("stack.nested: the twin plays it in a stack that exists".to_owned());
        }
        for version in &self.versions {
            if version.log.iter().any(|line| line.every.is_some_and(|every| every < 10)) {
                return Err(format!("version `{}`: a line repeats at most every 10ms", version.image));
            }
        }
        Ok(())
    }
}

fn any_action() -> String {
    "*".to_owned()
}

fn one() -> f64 {
    1.0
}

fn status() -> u16 {
    500
}

fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Millis, D::Error> {
    let text = String::deserialize(deserializer)?;
    duration(&text).ok_or_else(|| serde::de::Error::custom(wrong_duration(&text)))
}

fn maybe_millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Millis>, D::Error> {
    millis(deserializer).map(Some)
}

fn wrong_duration(text: &str) -> String {
    format!("`{text}` is no duration; write 500ms, 30s, 5m or 1h")
}

/// Reads `500ms`, `30s`, `1.5m` or `1h`.
fn duration(text: &str) -> Option<Millis> {
    let split = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(split);
    let factor = match unit {
        "ms" => 1.0,
        "s" => 1_000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        _ => return None,
    };
    let number: f64 = number.trim().parse().ok()?;
    let total = number * factor;
    (total.is_finite() && (0.0..1e12).contains(&total)).then_some(total as Millis)
}
