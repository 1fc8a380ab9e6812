//! Checks of a task definition as a whole.

use std::collections::{BTreeMap, BTreeSet};

use super::scope::{
    lists_its_containers, name_of, network_mode, one_per_subject, per_definition, planned_definitions,
    subject_of, unknown, violated, worst,
};
use super::{Check, CheckResult, Outcome};
use crate::snapshot::{ContainerDefinition, Dependency, Part, Service, Snapshot, TaskDefinition};

pub fn essential_container_present(snapshot: &Snapshot) -> Vec<CheckResult> {
    per_definition(Check::EssentialContainerPresent, snapshot, |scope| {
        let definition = scope.definition;
        let containers = &definition.container_definitions;
        if containers.iter().any(|container| container.essential == Some(true)) {
            return Some(Outcome::Holds);
        }
        let is_left_out = containers.iter().any(|container| container.essential.is_none());
        if definition.is_registered() && (is_left_out || !definition.is_whole()) {
            return Some(unknown(format!("essential containers of {}", name_of(definition))));
        }
        if containers.is_empty() {
            return Some(violated(
                "containerDefinitions",
                "empty",
                "the task definition has no container to run",
            ));
        }
        if is_left_out {
            // Only in a file; there it is the default.
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
        if mode.is_none() && !scope.definition.is_whole() {
            return Some(unknown(format!("network mode of {}", name_of(scope.definition))));
        }
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
    let Some(mode) = network_mode(definition, service.runs_on_fargate()) else {
        return unknown(format!("network mode of {}", name_of(definition)));
    };
    let lacks_subnets = mode == "awsvpc" && !has_subnets && service.is_rolling();
    if lacks_subnets && service.is_whole() {
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
    match lacks_subnets {
        true => unknown(format!("subnets of {}", subject_of(service))),
        false => Outcome::Holds,
    }
}

pub fn dependency_order_acyclic(snapshot: &Snapshot) -> Vec<CheckResult> {
    per_definition(Check::DependencyOrderAcyclic, snapshot, |scope| {
        let definition = scope.definition;
        let containers = definition.container_definitions.iter();
        let dependencies = containers
            .flat_map(|container| container.depends_on.iter().map(move |dependency| (container, dependency)));
        let broken = dependencies
            .filter_map(|(container, dependency)| broken_dependency(definition, container, dependency))
            .chain(circle(definition));
        Some(worst(broken).unwrap_or(Outcome::Holds))
    })
}

fn broken_dependency(
    definition: &TaskDefinition,
    container: &ContainerDefinition,
    dependency: &Dependency,
) -> Option<Outcome> {
    let (from, to) = (&container.name, &dependency.container_name);
    let field = format!("containerDefinitions[{from}].dependsOn");
    let Some(target) = definition.container(to) else {
        if !lists_its_containers(definition) {
            return Some(unknown(format!("containers of {}", name_of(definition))));
        }
        let because = format!("container {from} waits for container {to}, which does not exist");
        return Some(violated(field, to, because));
    };
    match dependency.condition.as_deref() {
        Some("HEALTHY") if target.health_check.is_none() && !definition.has_whole(target) => {
            Some(unknown(format!("health check of container {to} of {}", name_of(definition))))
        }
        Some("HEALTHY") if target.health_check.is_none() => {
            let because =
                format!("container {from} waits until {to} is healthy, but {to} has no health check");
            Some(violated(field, format!("{to} HEALTHY"), because))
        }
        Some("COMPLETE" | "SUCCESS") if target.essential.is_none() && definition.is_registered() => {
            Some(unknown(format!("whether container {to} of {} is essential", name_of(definition))))
        }
        Some(condition @ ("COMPLETE" | "SUCCESS")) if target.is_essential() => {
            let because = format!(
                "container {from} waits until {to} ends, but {to} is essential and its end stops the task"
            );
            Some(violated(field, format!("{to} {condition}"), because))
        }
        _ => None,
    }
}

/// Finds containers that wait for each other: whatever is left once all that can start has started.
fn circle(definition: &TaskDefinition) -> Option<Outcome> {
    let mut waiting: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for container in &definition.container_definitions {
        let names = container.depends_on.iter().map(|dependency| dependency.container_name.as_str());
        let names = names.filter(|name| definition.container(name).is_some());
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
            r#"[{"serviceArn": "arn:aws:ecs:eu-west-1:111122223333:service/prod/web", "serviceName": "web",
                "clusterArn": "arn:aws:ecs:eu-west-1:111122223333:cluster/prod", "status": "ACTIVE",
                "desiredCount": 2, "runningCount": 2, "pendingCount": 0, "launchType": "FARGATE",
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
                "requiresCompatibilities": ["FARGATE"], "compatibilities": ["EC2", "FARGATE"],
                "executionRoleArn": "arn:aws:iam::111122223333:role/exec",
                "containerDefinitions": [{"name": "app", "essential": true, "cpu": 0,
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
            let db = r#"{"name": "db", "image": "postgres:17", "cpu": 0, "essential": true}"#;
            format!(r#"[{db}, {{"name": "app", "dependsOn": {text}, "essential": true,"#)
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
