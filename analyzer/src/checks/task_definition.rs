//! Checks of a task definition as a whole, and which task definitions the checks look at.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, CheckResult, Outcome};
use crate::snapshot::{ContainerDefinition, Part, Service, Snapshot, TaskDefinition, last_segment};

pub fn essential_container_present(snapshot: &Snapshot) -> Vec<CheckResult> {
    per_definition(Check::EssentialContainerPresent, snapshot, |scope| {
        let containers = &scope.definition.container_definitions;
        if containers.is_empty() {
            return Some(violated(
                "containerDefinitions",
                "empty",
                "the task definition has no container to run",
            ));
        }
        if containers.iter().any(ContainerDefinition::is_essential) {
            return Some(Outcome::Holds);
        }
        let because = "ECS refuses a task definition in which no container is essential";
        Some(violated("containerDefinitions.essential", "false", because))
    })
}

pub fn task_definition_active(snapshot: &Snapshot) -> Vec<CheckResult> {
    per_definition(Check::TaskDefinitionActive, snapshot, |scope| match scope.definition.status.as_deref() {
        None => None,
        Some("ACTIVE") => Some(Outcome::Holds),
        Some(status) => Some(violated(
            "status",
            status,
            format!(
                "ECS starts no new service deployment with {}, because it is deregistered",
                scope.definition.name()
            ),
        )),
    })
}

pub fn network_mode_fits(snapshot: &Snapshot) -> Vec<CheckResult> {
    let mut results = per_definition(Check::NetworkModeFits, snapshot, |scope| {
        let mode = scope.definition.network_mode.as_deref();
        if scope.runs_on_fargate() && mode != Some("awsvpc") {
            let because = "tasks on Fargate need the network mode awsvpc";
            return Some(violated("networkMode", mode.unwrap_or("not set"), because));
        }
        let exposes = scope
            .definition
            .container_definitions
            .iter()
            .any(|container| !container.port_mappings.is_empty());
        if mode == Some("none") && exposes {
            return Some(violated(
                "networkMode",
                "none",
                "containers without a network cannot have port mappings",
            ));
        }
        Some(Outcome::Holds)
    });
    if let (Part::Known(_), Part::Known(services)) = (&snapshot.task_definitions, &snapshot.services) {
        for service in services.iter().filter(|service| service.is_active()) {
            for definition in planned_definitions(snapshot, service).unwrap_or_default() {
                let outcome = service_fits(snapshot, service, definition);
                results.push(CheckResult {
                    check: Check::NetworkModeFits,
                    subject: subject_of(service),
                    outcome,
                });
            }
        }
    }
    one_per_subject(results)
}

fn service_fits(snapshot: &Snapshot, service: &Service, definition: &TaskDefinition) -> Outcome {
    let name = definition.name();
    let network =
        service.network_configuration.as_ref().and_then(|network| network.awsvpc_configuration.as_ref());
    let has_subnets = network.is_some_and(|network| !network.subnets.is_empty());
    let mode = network_mode(definition, service.runs_on_fargate());
    if mode == "awsvpc" && !has_subnets && service.is_rolling() {
        let because = format!("{name} uses the network mode awsvpc, so the service has to name subnets");
        return violated("networkConfiguration.awsvpcConfiguration.subnets", "not set", because);
    }
    if mode != "awsvpc" && has_subnets {
        let because = format!("{name} uses the network mode {mode}, which takes no subnets from the service");
        return violated("networkConfiguration.awsvpcConfiguration.subnets", "set", because);
    }
    let wanted = if mode == "awsvpc" { "ip" } else { "instance" };
    for group in snapshot.target_groups.items() {
        let serves = service.load_balancers.iter().any(|balancer| balancer.serves(&group.target_group_arn));
        if let Some(kind @ ("ip" | "instance")) = group.target_type.as_deref()
            && serves
            && kind != wanted
        {
            let because = format!(
                "{name} uses the network mode {mode}, for which target group {} needs the target type {wanted}",
                group.name()
            );
            return violated("TargetType", kind, because);
        }
    }
    Outcome::Holds
}

pub fn dependency_order_acyclic(snapshot: &Snapshot) -> Vec<CheckResult> {
    per_definition(Check::DependencyOrderAcyclic, snapshot, |scope| {
        let definition = scope.definition;
        let broken = definition
            .container_definitions
            .iter()
            .find_map(|container| broken_dependency(definition, container))
            .or_else(|| circle(definition));
        Some(broken.unwrap_or(Outcome::Holds))
    })
}

fn broken_dependency(definition: &TaskDefinition, container: &ContainerDefinition) -> Option<Outcome> {
    for dependency in &container.depends_on {
        let (from, to) = (&container.name, &dependency.container_name);
        let field = format!("containerDefinitions[{from}].dependsOn");
        let Some(target) = definition.container(to) else {
            return Some(violated(
                field,
                to,
                format!("container {from} waits for container {to}, which does not exist"),
            ));
        };
        match dependency.condition.as_deref() {
            Some("HEALTHY") if target.health_check.is_none() => {
                let because =
                    format!("container {from} waits until {to} is healthy, but {to} has no health check");
                return Some(violated(field, format!("{to} HEALTHY"), because));
            }
            Some(condition @ ("COMPLETE" | "SUCCESS")) if target.is_essential() => {
                let because = format!(
                    "container {from} waits until {to} ends, but {to} is essential and its end stops the task"
                );
                return Some(violated(field, format!("{to} {condition}"), because));
            }
            _ => {}
        }
    }
    None
}

/// Finds containers that wait for each other: whatever is left once all that can start has started.
fn circle(definition: &TaskDefinition) -> Option<Outcome> {
    let mut waiting: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for container in &definition.container_definitions {
        let names = container.depends_on.iter().map(|dependency| dependency.container_name.as_str());
        waiting.entry(&container.name).or_default().extend(names);
    }
    while let Some(startable) = waiting.iter().find(|(_, names)| names.is_empty()).map(|(name, _)| *name) {
        waiting.remove(startable);
        for names in waiting.values_mut() {
            names.remove(startable);
        }
    }
    let stuck = waiting.into_keys().collect::<Vec<_>>().join(", ");
    let because = format!("containers {stuck} wait for each other, so that none of them starts");
    (!stuck.is_empty()).then(|| violated("containerDefinitions.dependsOn", stuck.as_str(), because))
}

/// A task definition that is looked at, and the services that are to run it.
pub(super) struct Scope<'a> {
    pub definition: &'a TaskDefinition,
    pub services: Vec<&'a Service>,
}

impl Scope<'_> {
    pub fn runs_on_fargate(&self) -> bool {
        self.definition.asks_for_fargate() || self.services.iter().any(|service| service.runs_on_fargate())
    }

    pub fn network_mode(&self) -> &str {
        network_mode(self.definition, self.runs_on_fargate())
    }
}

/// Returns the network mode, with the default where none is set.
pub(super) fn network_mode(definition: &TaskDefinition, on_fargate: bool) -> &str {
    let default = if on_fargate || definition.asks_for_fargate() { "awsvpc" } else { "bridge" };
    definition.network_mode.as_deref().unwrap_or(default)
}

/// Asks about each task definition that a described service uses, or about all where no service is described.
pub(super) fn per_definition(
    check: Check,
    snapshot: &Snapshot,
    decide: impl Fn(&Scope<'_>) -> Option<Outcome>,
) -> Vec<CheckResult> {
    per_scope(check, snapshot, |scope| {
        let subject = format!("task definition {}", scope.definition.name());
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
        let name = scope.definition.name();
        let mut outcomes = Vec::new();
        for container in &scope.definition.container_definitions {
            let subject = format!("task definition {name}, container {}", container.name);
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
            || is_used(snapshot, definition);
        if in_use && !replaced {
            scopes.push(Scope { definition, services: services.iter().filter(planned).collect() });
        }
    }
    scopes
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

fn replacements<'a>(snapshot: &'a Snapshot, family: &str) -> impl Iterator<Item = &'a TaskDefinition> {
    let definitions = snapshot.task_definitions.items().iter();
    definitions.filter(move |definition| !definition.is_registered() && definition.family == family)
}

/// Keeps one result per subject, the worst, and sorts.
pub(super) fn one_per_subject(mut results: Vec<CheckResult>) -> Vec<CheckResult> {
    let rank = |result: &CheckResult| match result.outcome {
        Outcome::Violated { .. } => 0,
        Outcome::Unknown { .. } => 1,
        Outcome::Holds => 2,
    };
    results.sort_by(|a, b| (&a.subject, rank(a), a).cmp(&(&b.subject, rank(b), b)));
    results.dedup_by(|later, first| later.subject == first.subject);
    results
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Runs a check over parts in the JSON of the CLI and compares with `subject: outcome`, a line per result.
    pub fn check(check: Check, parts: &[(&str, &str)], expected: &[&str]) {
        let known = parts.iter().map(|(name, items)| format!(r#""{name}": {{"known": {items}}}"#));
        let json = format!("{{{}}}", known.collect::<Vec<_>>().join(","));
        let snapshot: Snapshot = serde_json::from_str(&json).unwrap();
        let said: Vec<String> = check.run(&snapshot).iter().map(in_short).collect();
        assert_eq!(said, expected, "{check}: {json}");
    }

    fn in_short(result: &CheckResult) -> String {
        match &result.outcome {
            Outcome::Holds => format!("{}: holds", result.subject),
            Outcome::Violated { field, value, .. } => format!("{}: {field} = {value}", result.subject),
            Outcome::Unknown { missing } => format!("{}: no {missing}", result.subject),
        }
    }

    /// A service and its task definition as somebody sensible writes them.
    pub const SENSIBLE: [(&str, &str); 3] = [
        (
            "services",
            r#"[{"serviceName": "web", "status": "ACTIVE", "desiredCount": 2, "runningCount": 2, "launchType": "FARGATE",
                "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:12",
                "healthCheckGracePeriodSeconds": 60,
                "deploymentConfiguration": {"maximumPercent": 200, "minimumHealthyPercent": 100},
                "loadBalancers": [{"targetGroupArn": "tg/web/1", "containerName": "app", "containerPort": 8080}],
                "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
                "deployments": [{"id": "ecs-svc/2", "status": "PRIMARY", "desiredCount": 2, "runningCount": 2,
                    "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:12"}]}]"#,
        ),
        (
            "taskDefinitions",
            r#"[{"taskDefinitionArn": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:12", "family": "web",
                "revision": 12, "status": "ACTIVE", "cpu": "512", "memory": "1024", "networkMode": "awsvpc",
                "requiresCompatibilities": ["FARGATE"], "executionRoleArn": "arn:aws:iam::111122223333:role/exec",
                "containerDefinitions": [{"name": "app", "essential": true,
                    "image": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:v1",
                    "portMappings": [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}],
                    "healthCheck": {"command": ["CMD", "true"], "interval": 30, "timeout": 5, "retries": 3, "startPeriod": 60},
                    "secrets": [{"name": "DB", "valueFrom": "/prod/db"}],
                    "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/web",
                        "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "web"}}}]}]"#,
        ),
        (
            "targetGroups",
            r#"[{"TargetGroupArn": "tg/web/1", "TargetGroupName": "web", "Port": 80, "TargetType": "ip",
            "HealthCheckPort": "traffic-port", "HealthCheckIntervalSeconds": 30, "UnhealthyThresholdCount": 2}]"#,
        ),
    ];

    /// Replaces a text in the sensible parts.
    pub fn changed(from: &str, to: &str) -> Vec<(&'static str, String)> {
        assert!(SENSIBLE.iter().any(|(_, items)| items.contains(from)), "nothing to replace: {from}");
        SENSIBLE.iter().map(|(name, items)| (*name, items.replace(from, to))).collect()
    }

    pub fn check_changed(which: Check, from: &str, to: &str, expected: &[&str]) {
        let parts = changed(from, to);
        let parts: Vec<(&str, &str)> = parts.iter().map(|(name, items)| (*name, items.as_str())).collect();
        check(which, &parts, expected);
    }

    #[test]
    fn nothing_is_wrong_with_what_is_sensible() {
        let known = SENSIBLE.iter().map(|(name, items)| format!(r#""{name}": {{"known": {items}}}"#));
        let json = format!("{{{}}}", known.collect::<Vec<_>>().join(","));
        let snapshot: Snapshot = serde_json::from_str(&json).unwrap();
        for check in Check::ALL {
            for result in check.run(&snapshot) {
                assert!(!result.is_violated(), "{result:?}");
            }
        }
    }

    #[test]
    fn what_is_not_described_is_unknown_once() {
        for check in Check::ALL {
            let results = check.run(&Snapshot::default());
            assert!(
                matches!(&results[..], [CheckResult { outcome: Outcome::Unknown { .. }, .. }]),
                "{results:?}"
            );
        }
    }

    #[test]
    fn a_revision_that_is_not_described_is_unknown() {
        let [services, definitions, _] = SENSIBLE;
        let other = definitions.1.replace("web:12", "web:11");
        let expected = ["task definition web:12: no task definition web:12"];
        check(Check::TaskDefinitionActive, &[services, ("taskDefinitions", &other)], &expected);
    }

    #[test]
    fn a_file_replaces_the_revision_that_runs() {
        let [services, definitions, _] = SENSIBLE;
        let file = r#"[{"family": "web", "containerDefinitions": [{"name": "app", "essential": false}]}"#;
        let both = format!("{file},{}", &definitions.1[1..]);
        let expected = ["task definition web: containerDefinitions.essential = false"];
        check(Check::EssentialContainerPresent, &[services, ("taskDefinitions", &both)], &expected);
    }

    #[test]
    fn a_network_mode_has_to_fit() {
        let which = Check::NetworkModeFits;
        let holds = "service web: holds";
        let bridge = (r#""networkMode": "awsvpc""#, r#""networkMode": "bridge""#);
        let of_service = "service web: networkConfiguration.awsvpcConfiguration.subnets = set";
        check_changed(
            which,
            bridge.0,
            bridge.1,
            &[of_service, "task definition web:12: networkMode = bridge"],
        );
        let instance = ["service web: TargetType = instance", "task definition web:12: holds"];
        check_changed(which, r#""TargetType": "ip""#, r#""TargetType": "instance""#, &instance);
        check(which, &SENSIBLE, &[holds, "task definition web:12: holds"]);
    }

    #[test]
    fn containers_wait_only_for_what_can_happen() {
        let which = Check::DependencyOrderAcyclic;
        let add = |text: &str| {
            format!(r#"[{{"name": "db"}}, {{"name": "app", "dependsOn": {text}, "essential": true,"#)
        };
        let from = r#"[{"name": "app", "essential": true,"#;
        let expect = |to: &str| format!("task definition web:12: containerDefinitions[app].dependsOn = {to}");
        let start = add(r#"[{"containerName": "db", "condition": "START"}]"#);
        check_changed(which, from, &start, &["task definition web:12: holds"]);
        let missing = add(r#"[{"containerName": "cache", "condition": "START"}]"#);
        check_changed(which, from, &missing, &[&expect("cache")]);
        let healthy = add(r#"[{"containerName": "db", "condition": "HEALTHY"}]"#);
        check_changed(which, from, &healthy, &[&expect("db HEALTHY")]);
        let success = add(r#"[{"containerName": "db", "condition": "SUCCESS"}]"#);
        check_changed(which, from, &success, &[&expect("db SUCCESS")]);
        let itself = add(r#"[{"containerName": "app", "condition": "START"}]"#);
        check_changed(
            which,
            from,
            &itself,
            &["task definition web:12: containerDefinitions.dependsOn = app"],
        );
    }
}
