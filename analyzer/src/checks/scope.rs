//! Which services and task definitions the checks look at, and how outcomes about them are told.

use super::{Check, CheckResult, Outcome};
use crate::snapshot::{
    ContainerDefinition, Part, Service, Snapshot, TargetHealth, Task, TaskDefinition, last_segment,
};

/// A task definition that is looked at, and the services that are to run it.
pub(super) struct Scope<'a> {
    pub definition: &'a TaskDefinition,
    pub services: Vec<&'a Service>,
}

impl Scope<'_> {
    pub fn runs_on_fargate(&self) -> bool {
        self.definition.asks_for_fargate() || self.services.iter().any(|service| service.runs_on_fargate())
    }

    /// Whether Fargate starts the tasks. A definition may ask for both, and its services run on instances.
    pub fn starts_on_fargate(&self) -> bool {
        let on_instances = |service: &Service| {
            let has_type = matches!(service.launch_type.as_deref(), Some("EC2" | "EXTERNAL"));
            (has_type || !service.capacity_provider_strategy.is_empty()) && !service.runs_on_fargate()
        };
        let is_sure = !self.services.is_empty() && self.services.iter().all(|service| on_instances(service));
        self.runs_on_fargate() && !is_sure
    }

    pub fn network_mode(&self) -> Option<&str> {
        network_mode(self.definition, self.runs_on_fargate())
    }
}

/// Returns the network mode, with the default where none is set; nothing where it was left out of an excerpt.
/// Tasks on Fargate can have no other than theirs.
pub(super) fn network_mode(definition: &TaskDefinition, on_fargate: bool) -> Option<&str> {
    match definition.network_mode.as_deref() {
        Some(mode) => Some(mode),
        None if on_fargate || definition.asks_for_fargate() => Some("awsvpc"),
        None => definition.is_whole().then_some("bridge"),
    }
}

/// Whether all containers are there with their names, so that another name is none of them.
pub(super) fn lists_its_containers(definition: &TaskDefinition) -> bool {
    let is_listed = definition.is_whole() || !definition.is_registered();
    is_listed && definition.container_definitions.iter().all(|container| !container.name.is_empty())
}

/// Asks about each service that is meant to run.
pub(super) fn per_service(
    check: Check,
    snapshot: &Snapshot,
    decide: impl Fn(&Service) -> Option<Outcome>,
) -> Vec<CheckResult> {
    let services = match &snapshot.services {
        Part::Known(services) => services,
        Part::Unknown { reason } => return vec![not_described(check, "services", reason)],
    };
    let mut results = Vec::new();
    for service in services.iter().filter(|service| service.is_active()) {
        let subject = subject_of(service);
        results.extend(decide(service).map(|outcome| CheckResult { check, subject, outcome }));
    }
    one_per_subject(results)
}

/// Asks about each task definition that a described service uses, or about all where no service is described.
pub(super) fn per_definition(
    check: Check,
    snapshot: &Snapshot,
    decide: impl Fn(&Scope<'_>) -> Option<Outcome>,
) -> Vec<CheckResult> {
    per_scope(check, snapshot, |scope| {
        let subject = name_of(scope.definition);
        decide(scope).into_iter().map(|outcome| (subject.clone(), outcome)).collect()
    })
}

/// Asks about each container of those task definitions.
pub(super) fn per_container(
    check: Check,
    snapshot: &Snapshot,
    decide: impl Fn(&Scope<'_>, &ContainerDefinition) -> Option<Outcome>,
) -> Vec<CheckResult> {
    per_scope(check, snapshot, |scope| {
        let name = name_of(scope.definition);
        let mut outcomes = Vec::new();
        for container in &scope.definition.container_definitions {
            let subject = format!("{name}, container {}", container.name);
            outcomes.extend(decide(scope, container).map(|outcome| (subject, outcome)));
        }
        outcomes
    })
}

fn per_scope(
    check: Check,
    snapshot: &Snapshot,
    decide: impl Fn(&Scope<'_>) -> Vec<(String, Outcome)>,
) -> Vec<CheckResult> {
    if let Part::Unknown { reason } = &snapshot.task_definitions {
        return vec![not_described(check, "task definitions", reason)];
    }
    let mut outcomes: Vec<(String, Outcome)> = scopes(snapshot).iter().flat_map(decide).collect();
    for service in snapshot.services.items().iter().filter(|service| service.is_active()) {
        if let (Some(reference), Err(outcome)) =
            (&service.task_definition, planned_definitions(snapshot, service))
        {
            outcomes.push((format!("task definition {}", last_segment(reference)), outcome));
        }
    }
    let results = outcomes.into_iter().map(|(subject, outcome)| CheckResult { check, subject, outcome });
    one_per_subject(results.collect())
}

fn scopes(snapshot: &Snapshot) -> Vec<Scope<'_>> {
    let services = snapshot.services.items();
    let mut scopes = Vec::new();
    for definition in snapshot.task_definitions.items() {
        let planned = |service: &&Service| {
            let definitions = planned_definitions(snapshot, service).unwrap_or_default();
            definitions.iter().any(|planned| std::ptr::eq(*planned, definition))
        };
        let replaced =
            definition.is_registered() && replacements(snapshot, &definition.family).next().is_some();
        let is_file = !definition.is_registered();
        let in_use = services.is_empty()
            || is_file
            || services.iter().any(|one| planned(&one))
            || is_used(snapshot, definition) && !is_past(snapshot, definition);
        if in_use && !replaced {
            scopes.push(Scope { definition, services: services.iter().filter(planned).collect() });
        }
    }
    scopes
}

/// Whether services are to run a later revision: what is wrong with the one that they leave keeps nothing from starting.
fn is_past(snapshot: &Snapshot, definition: &TaskDefinition) -> bool {
    let later = |service: &Service| {
        let planned = snapshot.task_definition_of(service);
        let wanted = service.wanted_task_definition().unwrap_or_default();
        let (family, revision) = last_segment(wanted).rsplit_once(':').unwrap_or_default();
        let wanted = revision.parse::<i64>().ok().or_else(|| planned?.revision);
        let is_family = planned.map_or(family, |planned| planned.family.as_str()) == definition.family;
        is_family && wanted > definition.revision && definition.revision.is_some()
    };
    snapshot.services.items().iter().filter(|service| service.is_active()).any(later)
}

/// Whether a deployment or a task of a described service uses the revision.
fn is_used(snapshot: &Snapshot, definition: &TaskDefinition) -> bool {
    let means =
        |reference: &Option<String>| reference.as_deref().is_some_and(|reference| definition.is(reference));
    let by_service = snapshot.services.items().iter().any(|service| {
        means(&service.task_definition)
            || service.deployments.iter().any(|deployment| means(&deployment.task_definition))
    });
    let by_task = || {
        snapshot.tasks.items().iter().any(|task| {
            let group = task.group.as_deref().and_then(|group| group.strip_prefix("service:"));
            let of_service = snapshot.services.items().iter().any(|service| Some(service.name()) == group);
            of_service && means(&task.task_definition_arn)
        })
    };
    by_service || by_task()
}

/// Returns what the service is to run: the revision that it names, or a file that will replace it.
pub(super) fn planned_definitions<'a>(
    snapshot: &'a Snapshot,
    service: &Service,
) -> Result<Vec<&'a TaskDefinition>, Outcome> {
    if let Part::Unknown { reason } = &snapshot.task_definitions {
        return Err(unknown(format!("task definitions: {reason}")));
    }
    let reference = service.task_definition.as_deref().unwrap_or_default();
    let family = last_segment(reference).split(':').next().unwrap_or_default();
    let files: Vec<&TaskDefinition> = replacements(snapshot, family).collect();
    if !files.is_empty() {
        return Ok(files);
    }
    match snapshot.task_definition_of(service) {
        Some(definition) => Ok(vec![definition]),
        None if reference.is_empty() => Err(unknown(format!("task definition of {}", subject_of(service)))),
        None => Err(unknown(format!("task definition {}", last_segment(reference)))),
    }
}

/// Returns the services whose tasks the target is one of: by target group, by address,
/// or because only one service has a load balancer.
pub(crate) fn services_behind<'a>(snapshot: &'a Snapshot, target: &TargetHealth) -> Vec<&'a Service> {
    let services = snapshot.services.items().iter().filter(|service| !service.load_balancers.is_empty());
    if let Some(arn) = &target.target_group_arn {
        return services.filter(|service| service.load_balancers.iter().any(|one| one.serves(arn))).collect();
    }
    let has_address = |task: &&Task| {
        let mut interfaces = task.containers.iter().flat_map(|container| &container.network_interfaces);
        interfaces
            .any(|interface| interface.private_ipv4_address.as_deref() == Some(target.target.id.as_str()))
    };
    let task = snapshot.tasks.items().iter().find(has_address);
    let group = task.and_then(|task| task.group.as_deref()).and_then(|group| group.strip_prefix("service:"));
    let services: Vec<&Service> = services.collect();
    let named: Vec<&Service> =
        services.iter().copied().filter(|service| Some(service.name()) == group).collect();
    match (named.is_empty(), services.len()) {
        (false, _) => named,
        (true, 1) => services,
        (true, _) => Vec::new(),
    }
}

/// Whether an answer to the health checks came from the target, be it a good one.
pub(super) fn answers(target: &TargetHealth) -> bool {
    target.health.state.as_deref() == Some("healthy")
        || target.health.reason.as_deref() == Some("Target.ResponseCodeMismatch")
}

/// Whether a completed deployment of a service runs all the tasks that are wanted of a registered revision.
pub(super) fn runs_whole(snapshot: &Snapshot, definition: &TaskDefinition) -> bool {
    definition.is_registered()
        && snapshot.services.items().iter().filter_map(completed_run_of).any(|run| definition.is(run))
}

/// Returns the task definition of which a completed deployment runs all the tasks that are wanted.
fn completed_run_of(service: &Service) -> Option<&str> {
    let primary = service.primary().filter(|_| service.is_active())?;
    let is_completed = primary.rollout_state.as_deref() == Some("COMPLETED");
    let (running, desired) = (primary.running_count?, primary.desired_count?);
    let reference = primary.task_definition.as_deref().or(service.task_definition.as_deref());
    reference.filter(|_| is_completed && desired > 0 && running >= desired)
}

fn replacements<'a>(snapshot: &'a Snapshot, family: &str) -> impl Iterator<Item = &'a TaskDefinition> {
    let definitions = snapshot.task_definitions.items().iter();
    let is_named = !family.is_empty();
    definitions
        .filter(move |definition| is_named && !definition.is_registered() && definition.family == family)
}

/// Keeps one result per subject, the worst, and sorts.
pub(super) fn one_per_subject(mut results: Vec<CheckResult>) -> Vec<CheckResult> {
    results.sort_by(|a, b| (&a.subject, rank(&a.outcome), a).cmp(&(&b.subject, rank(&b.outcome), b)));
    results.dedup_by(|later, first| later.subject == first.subject);
    results
}

/// Returns the first of the outcomes that say most about one subject.
pub(super) fn worst(outcomes: impl Iterator<Item = Outcome>) -> Option<Outcome> {
    outcomes.min_by_key(rank)
}

fn rank(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Violated { .. } => 0,
        Outcome::Unknown { .. } => 1,
        Outcome::Holds => 2,
    }
}

pub(super) fn name_of(definition: &TaskDefinition) -> String {
    format!("task definition {}", definition.name())
}

pub(super) fn subject_of(service: &Service) -> String {
    format!("service {}", service.name())
}

pub(super) fn not_described(check: Check, part: &str, reason: &str) -> CheckResult {
    CheckResult { check, subject: part.to_owned(), outcome: unknown(format!("{part}: {reason}")) }
}

pub(super) fn violated(
    field: impl Into<String>,
    value: impl Into<String>,
    because: impl Into<String>,
) -> Outcome {
    Outcome::Violated { field: field.into(), value: value.into(), because: because.into() }
}

pub(super) fn unknown(missing: impl Into<String>) -> Outcome {
    Outcome::Unknown { missing: missing.into() }
}
