//! How healthy a service is: its containers, its targets, and what it depends on.

use schemars::JsonSchema;
use serde::Serialize;

use super::Rollout;
use super::course::{Course, course};
use crate::diagnosis::Finding;
use crate::snapshot::{Container, ContainerDefinition, Part, TargetHealth, Task, TaskDefinition};
use crate::taxonomy::Class;

/// How healthy a service is: the design's `HealthStatus`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthStatus {
    pub overall: HealthState,
    pub containers: Vec<ContainerHealth>,
    pub load_balancer: LoadBalancerHealth,
    /// What evidence says about databases, secrets and registries; where none does, they are unknown.
    pub dependencies: Vec<DependencyHealth>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HealthState {
    Unknown,
    Healthy,
    /// Not decided yet: the first checks are still under way.
    Starting,
    /// Some of it is healthy and some is not.
    Degraded,
    Unhealthy,
}

/// A container of a living task.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerHealth {
    /// The id of the task.
    pub task: String,
    pub name: String,
    pub state: HealthState,
    /// Whether a health check of the container says so; otherwise only that it runs is known.
    pub checked: bool,
    pub last_status: Option<String>,
    pub exit_code: Option<i64>,
    pub reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoadBalancerHealth {
    /// `unknown` where the service has no load balancer or its targets are not described.
    pub state: HealthState,
    pub healthy: u64,
    pub unhealthy: u64,
    /// The targets, without those that are being taken out.
    pub targets: Vec<TargetState>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetState {
    /// `10.0.1.5:8080`.
    pub target: String,
    pub state: HealthState,
    /// `Target.FailedHealthChecks` and the like.
    pub reason: Option<String>,
    pub description: Option<String>,
}

impl TargetState {
    /// Returns reason and description in one line.
    pub fn because(&self) -> Option<String> {
        let words: Vec<&str> =
            [self.reason.as_deref(), self.description.as_deref()].into_iter().flatten().collect();
        (!words.is_empty()).then(|| words.join(": "))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DependencyHealth {
    pub kind: DependencyKind,
    /// The host, the secret or the image, where it is known.
    pub name: Option<String>,
    pub state: HealthState,
    /// What says so.
    pub because: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DependencyKind {
    Registry,
    Secrets,
    Database,
    Network,
}

/// Tells how healthy a service is.
pub fn health(rollout: &Rollout<'_>) -> HealthStatus {
    let mut containers: Vec<ContainerHealth> =
        rollout.tasks().filter(|task| is_alive(task)).flat_map(|task| of_containers(rollout, task)).collect();
    containers.sort();
    let load_balancer = load_balancer(rollout);
    let overall = overall(rollout, &containers, &load_balancer);
    HealthStatus { overall, containers, load_balancer, dependencies: dependencies(rollout) }
}

/// Tells how healthy a task is: its essential containers, and its targets where it has some.
pub(super) fn of_task(rollout: &Rollout<'_>, task: &Task) -> HealthState {
    let definition = definition_of(rollout, task);
    let is_essential = |name: &str| {
        let container = definition.and_then(|definition| definition.container(name));
        container.is_none_or(ContainerDefinition::is_essential)
    };
    let containers = of_containers(rollout, task);
    let essential = containers.iter().filter(|container| is_essential(&container.name));
    let of_containers = essential.map(|container| container.state).max().unwrap_or(HealthState::Healthy);
    of_containers.max(of_targets(rollout, task).unwrap_or(HealthState::Unknown))
}

pub(super) fn load_balancer(rollout: &Rollout<'_>) -> LoadBalancerHealth {
    let mut targets: Vec<TargetState> = targets(rollout)
        .filter(|target| !target.is_leaving())
        .map(|target| TargetState {
            target: target.address(),
            state: state_of_target(target),
            reason: target.health.reason.clone(),
            description: target.health.description.clone(),
        })
        .collect();
    targets.sort();
    let count = |state: HealthState| targets.iter().filter(|target| target.state == state).count() as u64;
    let (healthy, unhealthy) = (count(HealthState::Healthy), count(HealthState::Unhealthy));
    let state = match (healthy, unhealthy, targets.len() as u64) {
        (_, _, 0) => HealthState::Unknown,
        (0, 1.., _) => HealthState::Unhealthy,
        (_, 1.., _) => HealthState::Degraded,
        (healthy, 0, all) if healthy == all => HealthState::Healthy,
        _ => HealthState::Starting,
    };
    LoadBalancerHealth { state, healthy, unhealthy, targets }
}

fn overall(
    rollout: &Rollout<'_>,
    containers: &[ContainerHealth],
    load_balancer: &LoadBalancerHealth,
) -> HealthState {
    let Some(own) = rollout.own() else { return HealthState::Unknown };
    let is_ill = |container: &&ContainerHealth| container.state == HealthState::Unhealthy;
    let is_well = |container: &&ContainerHealth| container.state == HealthState::Healthy;
    let ill = containers.iter().filter(is_ill).count();
    let of_containers = match (containers.iter().filter(is_well).count(), ill) {
        (0, 1..) => HealthState::Unhealthy,
        (_, 1..) => HealthState::Degraded,
        (0, 0) if containers.is_empty() => HealthState::Unknown,
        (well, 0) if well == containers.len() => HealthState::Healthy,
        _ => HealthState::Starting,
    };
    let missing = own.running_count < own.desired_count && own.running_count.is_some();
    let failed = own.failed_tasks.unwrap_or(0) > 0;
    let of_counts = match (course(rollout).0, own.running_count.unwrap_or(0)) {
        (_, 0) if missing && failed => HealthState::Unhealthy,
        (Course::Completed | Course::Falling | Course::Failed, _) if missing => HealthState::Degraded,
        _ if missing && failed => HealthState::Degraded,
        _ if missing => HealthState::Starting,
        _ => HealthState::Unknown,
    };
    of_containers.max(load_balancer.state).max(of_counts)
}

pub(super) fn is_alive(task: &Task) -> bool {
    let stops = task.desired_status.as_deref() == Some("STOPPED");
    let gone = matches!(task.last_status.as_deref(), None | Some("STOPPED" | "DEPROVISIONING" | "STOPPING"));
    !stops && !gone
}

fn definition_of<'a>(rollout: &Rollout<'a>, task: &Task) -> Option<&'a TaskDefinition> {
    let wanted = task.task_definition_arn.as_deref()?;
    rollout.known.task_definitions.items().iter().find(|definition| definition.is(wanted))
}

fn of_containers(rollout: &Rollout<'_>, task: &Task) -> Vec<ContainerHealth> {
    let definition = definition_of(rollout, task);
    let containers = task.containers.iter().map(|container| {
        let check = definition.map(|definition| {
            definition.container(&container.name).is_some_and(|container| container.health_check.is_some())
        });
        let (state, checked) = state_of_container(container, check);
        ContainerHealth {
            task: task.id().to_owned(),
            name: container.name.clone(),
            state,
            checked,
            last_status: container.last_status.clone(),
            exit_code: container.exit_code,
            reason: container.reason.clone(),
        }
    });
    containers.collect()
}

/// Returns the state, and whether a check says so; `has_check` is none where the task definition is not described.
fn state_of_container(container: &Container, has_check: Option<bool>) -> (HealthState, bool) {
    let runs = container.last_status.as_deref() == Some("RUNNING");
    match (container.health_status.as_deref(), runs) {
        (Some("HEALTHY"), _) => (HealthState::Healthy, true),
        (Some("UNHEALTHY"), _) => (HealthState::Unhealthy, true),
        _ if container.exit_code == Some(0) => (HealthState::Healthy, false),
        _ if container.exit_code.is_some() => (HealthState::Unhealthy, false),
        (_, true) if has_check == Some(true) => (HealthState::Starting, true),
        (_, true) => (HealthState::Healthy, false),
        (_, false) => (HealthState::Starting, false),
    }
}

/// Returns the targets of the service.
fn targets<'a>(rollout: &Rollout<'a>) -> impl Iterator<Item = &'a TargetHealth> + use<'a> {
    let balancers = rollout.described_service().map_or(&[][..], |service| &service.load_balancers);
    let of_service = move |target: &&TargetHealth| {
        // The answer of the CLI does not name the group; a service without a load balancer has no targets.
        !balancers.is_empty()
            && target
                .target_group_arn
                .as_deref()
                .is_none_or(|group| balancers.iter().any(|balancer| balancer.serves(group)))
    };
    rollout.known.target_health.items().iter().filter(of_service)
}

/// Returns how the load balancer sees the task; none where it cannot be told which targets are the task's.
fn of_targets(rollout: &Rollout<'_>, task: &Task) -> Option<HealthState> {
    let service = rollout.described_service()?;
    if service.load_balancers.is_empty() || matches!(rollout.known.target_health, Part::Unknown { .. }) {
        return None;
    }
    let interfaces = task.containers.iter().flat_map(|container| &container.network_interfaces);
    let addresses: Vec<&str> =
        interfaces.filter_map(|interface| interface.private_ipv4_address.as_deref()).collect();
    if addresses.is_empty() {
        return None;
    }
    let own = targets(rollout).filter(|target| addresses.contains(&target.target.id.as_str()));
    let states = own.filter(|target| !target.is_leaving()).map(state_of_target);
    // A task that runs and is no target yet is about to be registered.
    Some(states.max().unwrap_or(HealthState::Starting))
}

fn state_of_target(target: &TargetHealth) -> HealthState {
    match target.health.state.as_deref() {
        Some("healthy") => HealthState::Healthy,
        Some("initial") => HealthState::Starting,
        Some("unhealthy" | "unavailable") => HealthState::Unhealthy,
        _ => HealthState::Unknown,
    }
}

fn dependencies(rollout: &Rollout<'_>) -> Vec<DependencyHealth> {
    let mut found = vec![registry(rollout)];
    found.extend(secrets(rollout));
    found.extend(of_class(rollout, DependencyKind::Database, |finding| finding.class == Class::Database));
    if !found.iter().any(|dependency| dependency.kind == DependencyKind::Database) {
        found.extend(database_that_is_asked_for(rollout));
    }
    found.extend(of_class(rollout, DependencyKind::Network, |finding| {
        finding.class == Class::Network && finding.values.contains_key("host")
    }));
    found
}

/// Returns a dependency for each finding of a kind.
fn of_class(
    rollout: &Rollout<'_>,
    kind: DependencyKind,
    is_of_kind: impl Fn(&Finding) -> bool,
) -> Vec<DependencyHealth> {
    let findings = rollout.diagnosis.map_or(&[][..], |diagnosis| &diagnosis.findings);
    let mut found: Vec<DependencyHealth> = Vec::new();
    for finding in findings.iter().filter(|finding| !finding.symptom && is_of_kind(finding)) {
        let name = ["host", "secret", "parameter", "image", "repository", "database", "name"]
            .iter()
            .find_map(|key| finding.values.get(*key).cloned());
        if !found.iter().any(|other| other.name == name) {
            let because = format!("{} ({})", finding.title, finding.cause);
            found.push(DependencyHealth { kind, name, state: HealthState::Unhealthy, because });
        }
    }
    found
}

fn registry(rollout: &Rollout<'_>) -> DependencyHealth {
    const SIGNS: [&str; 14] = [
        "pipeline/image/digest-not-found",
        "pipeline/image/image-pull-failed",
        "pipeline/image/invalid-image-reference",
        "pipeline/image/manifest-type-unsupported",
        "pipeline/image/platform-not-in-manifest",
        "pipeline/image/repository-not-found",
        "pipeline/image/repository-not-visible",
        "pipeline/image/tag-not-found",
        "pipeline/image/docker-hub-rate-limit",
        "pipeline/image/registry-throttled",
        "pipeline/credentials/ecr-pull-denied",
        "pipeline/credentials/registry-pull-refused",
        "infrastructure/network/ecr-api-unreachable",
        "infrastructure/network/registry-unreachable",
    ];
    let failing =
        of_class(rollout, DependencyKind::Registry, |finding| SIGNS.contains(&finding.cause.as_str()));
    if let Some(first) = failing.into_iter().next() {
        return first;
    }
    let pulled = rollout.tasks().any(|task| task.pull_stopped_at.is_some() && task.started_at.is_some());
    let (state, because) = match pulled {
        true => (HealthState::Healthy, "a task of this deployment pulled its images and started"),
        false => (HealthState::Unknown, "no task of this deployment has pulled its images yet"),
    };
    DependencyHealth { kind: DependencyKind::Registry, name: None, state, because: because.to_owned() }
}

fn secrets(rollout: &Rollout<'_>) -> Vec<DependencyHealth> {
    let is_about_secrets = |finding: &Finding| {
        let name = finding.cause.rsplit('/').next().unwrap_or_default();
        let is_setting = matches!(finding.class, Class::Configuration | Class::Credentials | Class::Network);
        is_setting && ["secret-", "secrets-", "parameter-"].iter().any(|start| name.starts_with(start))
    };
    let failing = of_class(rollout, DependencyKind::Secrets, is_about_secrets);
    if !failing.is_empty() {
        return failing;
    }
    let asks = wanted(rollout).is_some_and(|definition| {
        definition.container_definitions.iter().any(|container| !container.secrets.is_empty())
    });
    if !asks {
        return Vec::new();
    }
    let started = rollout.tasks().any(|task| task.started_at.is_some());
    let (state, because) = match started {
        true => (HealthState::Healthy, "a task of this deployment started, so its secrets were read"),
        false => (HealthState::Unknown, "no task of this deployment has started yet"),
    };
    vec![DependencyHealth { kind: DependencyKind::Secrets, name: None, state, because: because.to_owned() }]
}

/// Returns a database whose state nobody knows, where a variable or secret says that there is one.
fn database_that_is_asked_for(rollout: &Rollout<'_>) -> Option<DependencyHealth> {
    const SIGNS: [&str; 9] =
        ["DATABASE", "POSTGRES", "MYSQL", "DB_HOST", "DB_URL", "MONGO", "REDIS", "PGHOST", "JDBC"];
    let containers = &wanted(rollout)?.container_definitions;
    let mut names = containers.iter().flat_map(|container| {
        let variables = container.environment.iter().map(|variable| variable.name.as_str());
        variables.chain(container.secrets.iter().map(|secret| secret.name.as_str()))
    });
    let name = names.find(|name| SIGNS.iter().any(|sign| name.to_ascii_uppercase().contains(sign)))?;
    let because = format!("`{name}` is set; nothing that was recorded says whether the database answers");
    Some(DependencyHealth {
        kind: DependencyKind::Database,
        name: None,
        state: HealthState::Unknown,
        because,
    })
}

/// Returns the task definition that the deployment is to run.
pub(super) fn wanted<'a>(rollout: &Rollout<'a>) -> Option<&'a TaskDefinition> {
    let own = rollout.own().and_then(|own| own.task_definition.as_deref());
    let definitions = rollout.known.task_definitions.items();
    match own {
        Some(own) => definitions.iter().find(|definition| definition.is(own)),
        None => rollout.known.task_definition_of(rollout.described_service()?),
    }
}
