//! Checks of ports between load balancers, services and containers.

use std::collections::BTreeSet;

use super::scope::{
    answers, lists_its_containers, name_of, network_mode, not_described, one_per_subject, per_container,
    planned_definitions, services_behind, subject_of, unknown, violated,
};
use super::{Check, CheckResult, Outcome};
use crate::snapshot::{
    ContainerDefinition, LoadBalancer, Part, PortMapping, Service, Snapshot, TargetGroup, TargetHealth,
    TaskDefinition, last_segment,
};

pub fn target_port_matches_container(snapshot: &Snapshot) -> Vec<CheckResult> {
    let check = Check::TargetPortMatchesContainer;
    let targets = match &snapshot.target_health {
        Part::Known(targets) => targets,
        Part::Unknown { reason } => return vec![not_described(check, "target health", reason)],
    };
    if let Part::Unknown { reason } = &snapshot.services {
        return vec![not_described(check, "services", reason)];
    }
    if let Part::Unknown { reason } = &snapshot.task_definitions {
        return vec![not_described(check, "task definitions", reason)];
    }
    let mut results = Vec::new();
    for target in targets.iter().filter(|target| !target.is_leaving() && is_server(snapshot, target)) {
        let Some(port) = target.target.port else { continue };
        let Some(outcome) = target_port(snapshot, target, port) else { continue };
        results.push(CheckResult { check, subject: format!("target {}", target.address()), outcome });
    }
    one_per_subject(results)
}

fn is_server(snapshot: &Snapshot, target: &TargetHealth) -> bool {
    let mut groups = snapshot.target_groups.items().iter();
    let group =
        groups.find(|group| target.target_group_arn.as_deref() == Some(group.target_group_arn.as_str()));
    let kind = group.and_then(|group| group.target_type.as_deref());
    matches!(kind, None | Some("ip" | "instance"))
}

fn target_port(snapshot: &Snapshot, target: &TargetHealth, port: i64) -> Option<Outcome> {
    let services = services_behind(snapshot, target);
    if services.is_empty() {
        let is_foreign = target.target_group_arn.is_some();
        return (!is_foreign).then(|| unknown(format!("the service behind target {}", target.address())));
    }
    if answers(target) {
        return Some(Outcome::Holds);
    }
    let definitions: Vec<&TaskDefinition> =
        services.iter().flat_map(|service| running_definitions(snapshot, service)).collect();
    if definitions.is_empty() {
        return Some(unknown(format!("task definition of {}", subject_of(services[0]))));
    }
    let ports = open_ports(&definitions, &services);
    let given = snapshot.tasks.items().iter().flat_map(|task| &task.containers);
    let mut given = given.flat_map(|container| &container.network_bindings);
    if ports.fixed.contains(&port) || given.any(|binding| binding.host_port == Some(port)) {
        return Some(Outcome::Holds);
    }
    if let Some(missing) = ports.missing {
        return Some(unknown(missing));
    }
    // The target may be a task of another deployment.
    if let Some(missing) = services.iter().find_map(|service| undescribed_definition(snapshot, service)) {
        return Some(unknown(format!("task definition {}", last_segment(missing))));
    }
    if ports.dynamic {
        return Some(unknown("the host ports that the tasks were given"));
    }
    let because = format!("the target is registered on port {port}, but {}", ports.in_words(&definitions));
    Some(violated("Target.Port", port.to_string(), because))
}

/// Returns what the deployments of the service run.
fn running_definitions<'a>(snapshot: &'a Snapshot, service: &Service) -> Vec<&'a TaskDefinition> {
    let references = references_of(service);
    let is_run = |definition: &&TaskDefinition| references.iter().any(|reference| definition.is(reference));
    snapshot.task_definitions.items().iter().filter(is_run).collect()
}

fn references_of(service: &Service) -> BTreeSet<&str> {
    let of_deployments = service.deployments.iter().map(|deployment| &deployment.task_definition);
    of_deployments.chain([&service.task_definition]).filter_map(Option::as_deref).collect()
}

/// Returns a task definition that a deployment of the service runs, and that is not described.
fn undescribed_definition<'s>(snapshot: &Snapshot, service: &'s Service) -> Option<&'s str> {
    let definitions = snapshot.task_definitions.items();
    let is_described = |reference: &str| definitions.iter().any(|definition| definition.is(reference));
    references_of(service).into_iter().find(|reference| !is_described(reference))
}

pub fn health_check_port_exposed(snapshot: &Snapshot) -> Vec<CheckResult> {
    let check = Check::HealthCheckPortExposed;
    let groups = match &snapshot.target_groups {
        Part::Known(groups) => groups,
        Part::Unknown { reason } => return vec![not_described(check, "target groups", reason)],
    };
    let services = match &snapshot.services {
        Part::Known(services) => services,
        Part::Unknown { reason } => return vec![not_described(check, "services", reason)],
    };
    let mut results = Vec::new();
    for service in services.iter().filter(|service| service.is_active()) {
        let arns: BTreeSet<&str> = service.load_balancers.iter().flat_map(target_groups_of).collect();
        for arn in arns {
            let group = groups.iter().find(|group| group.target_group_arn == arn);
            let subject =
                format!("target group {}", group.map_or_else(|| name_of_group(arn), TargetGroup::name));
            let outcome = match group {
                Some(group) => health_check_port(snapshot, service, group),
                None => unknown(subject.clone()),
            };
            results.push(CheckResult { check, subject, outcome });
        }
    }
    one_per_subject(results)
}

fn target_groups_of(balancer: &LoadBalancer) -> Vec<&str> {
    let alternate = balancer.advanced_configuration.as_ref();
    let alternate = alternate.and_then(|configuration| configuration.alternate_target_group_arn.as_deref());
    balancer.target_group_arn.as_deref().into_iter().chain(alternate).collect()
}

fn name_of_group(arn: &str) -> &str {
    arn.rsplit('/').nth(1).unwrap_or(arn)
}

fn health_check_port(snapshot: &Snapshot, service: &Service, group: &TargetGroup) -> Outcome {
    if group.health_check_enabled == Some(false) {
        return Outcome::Holds;
    }
    let asked = match group.health_check_port.as_deref() {
        None => return unknown(format!("health check port of target group {}", group.name())),
        Some("traffic-port") => return Outcome::Holds,
        Some(asked) => asked,
    };
    let targets = targets_of(snapshot, service, group);
    let is_asked = |target: &&&TargetHealth| target.health_check_port.as_deref() == Some(asked);
    if targets.iter().filter(is_asked).any(|target| answers(target)) {
        return Outcome::Holds;
    }
    let definitions = match planned_definitions(snapshot, service) {
        Ok(definitions) => definitions,
        Err(outcome) => return outcome,
    };
    let ports = open_ports(&definitions, &[service]);
    if asked.parse::<i64>().is_ok_and(|port| ports.fixed.contains(&port)) {
        return Outcome::Holds;
    }
    if let Some(missing) = ports.missing {
        return unknown(missing);
    }
    // A task with an address of its own is reached on each of its ports, mapped or not.
    let on_fargate = service.runs_on_fargate();
    let has_address =
        |definition: &&TaskDefinition| network_mode(definition, on_fargate).is_some_and(has_own_ports);
    let is_moved = !targets.is_empty()
        && targets.iter().all(|target| target.health_check_port.as_deref().is_some_and(|port| port != asked));
    let may_listen = !is_moved || definitions.iter().any(|definition| names_port(definition, asked));
    if definitions.iter().any(has_address) && may_listen {
        return unknown(format!("whether a container of {} listens on port {asked}", subject_of(service)));
    }
    let because = match ports.dynamic {
        true => {
            format!("the health check asks for port {asked}, but each task gets another port of its host")
        }
        false => format!("the health check asks for port {asked}, but {}", ports.in_words(&definitions)),
    };
    violated("HealthCheckPort", asked, because)
}

/// Returns the targets of a group, as far as the answer tells which they are.
fn targets_of<'a>(snapshot: &'a Snapshot, service: &Service, group: &TargetGroup) -> Vec<&'a TargetHealth> {
    let is_behind = |target: &TargetHealth| match target.target_group_arn.as_deref() {
        Some(arn) => arn == group.target_group_arn,
        None => services_behind(snapshot, target).iter().any(|behind| std::ptr::eq(*behind, service)),
    };
    let targets = snapshot.target_health.items().iter();
    targets.filter(|target| !target.is_leaving() && is_behind(target)).collect()
}

/// Whether a setting, a command or a health check of a container speaks of that port.
fn names_port(definition: &TaskDefinition, port: &str) -> bool {
    let has = |text: &str| text.split(|c: char| !c.is_ascii_digit()).any(|number| number == port);
    definition.container_definitions.iter().any(|container| {
        let mut variables = container.environment.iter().filter_map(|variable| variable.plain.as_deref());
        let check = container.health_check.iter().flat_map(|check| &check.command);
        let mut words = container.command.iter().chain(&container.entry_point).chain(check);
        variables.any(has) || words.any(|word| has(word))
    })
}

/// The ports on which a load balancer can reach tasks.
struct Ports {
    fixed: BTreeSet<i64>,
    /// Some ports are chosen when a task starts.
    dynamic: bool,
    /// What was left out of an excerpt, so that there may be others.
    missing: Option<String>,
}

impl Ports {
    fn in_words(&self, definitions: &[&TaskDefinition]) -> String {
        let names = definitions.iter().map(|definition| definition.name()).collect::<Vec<_>>().join(", ");
        let ports = self.fixed.iter().take(8).map(i64::to_string).collect::<Vec<_>>().join(", ");
        match ports.is_empty() {
            true => format!("the containers of {names} expose no port"),
            false => format!("the containers of {names} expose only {ports}"),
        }
    }
}

fn open_ports(definitions: &[&TaskDefinition], services: &[&Service]) -> Ports {
    let on_fargate = services.iter().any(|service| service.runs_on_fargate());
    let mut ports = Ports { fixed: BTreeSet::new(), dynamic: false, missing: None };
    for definition in definitions {
        let Some(mode) = network_mode(definition, on_fargate) else {
            ports.missing = Some(format!("network mode of {}", name_of(definition)));
            continue;
        };
        let mut containers = definition.container_definitions.iter();
        let unprinted = containers.find(|container| may_map_more(definition, container));
        ports.missing = unprinted.map(|container| mappings_of(definition, container)).or(ports.missing);
        if !lists_its_containers(definition) {
            ports.missing = Some(format!("containers of {}", name_of(definition)));
        }
        for mapping in definition.container_definitions.iter().flat_map(|container| &container.port_mappings)
        {
            let open = host_ports(mapping, mode);
            ports.dynamic |= open.is_empty();
            ports.fixed.extend(open);
        }
    }
    ports
}

/// Whether a container may have port mappings that were left out of an excerpt.
pub(super) fn may_map_more(definition: &TaskDefinition, container: &ContainerDefinition) -> bool {
    let mappings = &container.port_mappings;
    mappings.is_empty() && !definition.has_whole(container)
        || mappings
            .iter()
            .any(|mapping| mapping.container_port.is_none() && mapping.container_port_range.is_none())
}

pub(super) fn mappings_of(definition: &TaskDefinition, container: &ContainerDefinition) -> String {
    format!("port mappings of container {} of {}", container.name, name_of(definition))
}

/// Returns the ports of the network interface or host that are mapped; none where they are chosen later.
fn host_ports(mapping: &PortMapping, mode: &str) -> Vec<i64> {
    if has_own_ports(mode) {
        return container_ports(mapping);
    }
    mapping.host_port.filter(|port| *port != 0).into_iter().collect()
}

fn has_own_ports(mode: &str) -> bool {
    matches!(mode, "awsvpc" | "host")
}

pub(super) fn container_ports(mapping: &PortMapping) -> Vec<i64> {
    let range = mapping.container_port_range.as_deref().and_then(|range| range.split_once('-'));
    let bound = |text: &str| text.trim().parse::<u16>().ok().map(i64::from);
    if let Some((first, last)) = range.and_then(|(first, last)| Some((bound(first)?, bound(last)?))) {
        return (first..=last).collect();
    }
    mapping.container_port.into_iter().collect()
}

pub fn host_port_matches(snapshot: &Snapshot) -> Vec<CheckResult> {
    per_container(Check::HostPortMatches, snapshot, |scope, container| {
        if container.port_mappings.is_empty() {
            return None;
        }
        let Some(mode) = scope.network_mode() else {
            return Some(unknown(format!("network mode of {}", name_of(scope.definition))));
        };
        let own = has_own_ports(mode);
        let differs = container.port_mappings.iter().find(|mapping| own && host_port_differs(mapping));
        if let Some(mapping) = differs {
            let (host, inside) = (mapping.host_port.unwrap_or(0), mapping.container_port.unwrap_or(0));
            let because =
                format!("with the network mode {mode} the host port must be {inside}, as in the container");
            return Some(violated("portMappings.hostPort", host.to_string(), because));
        }
        Some(shared_port(&scope.definition.container_definitions, container, mode).unwrap_or(Outcome::Holds))
    })
}

fn host_port_differs(mapping: &PortMapping) -> bool {
    let host = mapping.host_port.filter(|port| *port != 0);
    host.zip(mapping.container_port).is_some_and(|(host, inside)| host != inside)
}

/// Finds a container earlier in the list that takes the same port.
fn shared_port(
    containers: &[ContainerDefinition],
    container: &ContainerDefinition,
    mode: &str,
) -> Option<Outcome> {
    let taken = |container: &ContainerDefinition| -> BTreeSet<(i64, String)> {
        let mappings = container.port_mappings.iter();
        let protocol = |mapping: &PortMapping| mapping.protocol.clone().unwrap_or_else(|| "tcp".to_owned());
        mappings
            .flat_map(|mapping| {
                host_ports(mapping, mode).into_iter().map(move |port| (port, protocol(mapping)))
            })
            .collect()
    };
    let mine = taken(container);
    for other in containers.iter().take_while(|other| other.name != container.name) {
        if let Some((port, protocol)) = taken(other).intersection(&mine).next() {
            let field =
                if has_own_ports(mode) { "portMappings.containerPort" } else { "portMappings.hostPort" };
            let because =
                format!("container {} of the same task already takes {protocol} port {port}", other.name);
            return Some(violated(field, port.to_string(), because));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::task_definition::tests::{SENSIBLE, check, check_changed};
    use super::*;

    fn check_target(target: &str, expected: &[&str]) {
        let parts = [SENSIBLE.as_slice(), &[("targetHealth", target)]].concat();
        check(Check::TargetPortMatchesContainer, &parts, expected);
    }

    #[test]
    fn a_target_is_on_a_port_of_a_container() {
        let state = r#""TargetHealth": {"State": "unhealthy"}"#;
        let target = |id: &str| format!(r#"[{{"Target": {id}, {state}}}]"#);
        check_target(&target(r#"{"Id": "10.0.1.5", "Port": 8080}"#), &["target 10.0.1.5:8080: holds"]);
        check_target(&target(r#"{"Id": "10.0.1.5", "Port": 80}"#), &["target 10.0.1.5:80: Target.Port = 80"]);
        let leaving =
            r#"[{"Target": {"Id": "10.0.1.5", "Port": 80}, "TargetHealth": {"State": "draining"}}]"#;
        check_target(leaving, &[]);
        let foreign = r#"[{"TargetGroupArn": "tg/api/1", "Target": {"Id": "10.0.1.5", "Port": 80}}]"#;
        check_target(foreign, &[]);
    }

    #[test]
    fn a_health_check_asks_an_exposed_port() {
        let which = Check::HealthCheckPortExposed;
        check(which, &SENSIBLE, &["target group web: holds"]);
        check_changed(which, "traffic-port", "8080", &["target group web: holds"]);
        let listens = "target group web: no whether a container of service web listens on port 80";
        check_changed(which, "traffic-port", "80", &[listens]);
        let [services, definitions, groups] = SENSIBLE;
        let groups = groups.1.replace("traffic-port", "80");
        let bridge = definitions.1.replace(r#""networkMode": "awsvpc""#, r#""networkMode": "bridge""#);
        let parts = [services, ("taskDefinitions", &bridge), ("targetGroups", &groups)];
        check(which, &parts, &["target group web: HealthCheckPort = 80"]);
        let off = groups.replace(r#""Port": 80,"#, r#""Port": 80, "HealthCheckEnabled": false,"#);
        check(
            which,
            &[services, ("taskDefinitions", &bridge), ("targetGroups", &off)],
            &["target group web: holds"],
        );
    }

    #[test]
    fn a_target_that_answers_shows_that_its_port_is_open() {
        let [services, definitions, groups] = SENSIBLE;
        let groups = groups.1.replace("traffic-port", "8081");
        let listens = "target group web: no whether a container of service web listens on port 8081";
        let ask = |definitions: &str, port: &str, health: &str, expected: &str| {
            let targets = format!(
                r#"[{{"TargetGroupArn": "tg/web/1", "Target": {{"Id": "10.0.1.5", "Port": 8080}},
                    "HealthCheckPort": "{port}", "TargetHealth": {{{health}}}}}]"#
            );
            let parts = [
                services,
                ("taskDefinitions", definitions),
                ("targetGroups", &groups),
                ("targetHealth", &targets),
            ];
            check(Check::HealthCheckPortExposed, &parts, &[expected]);
        };
        let holds = "target group web: holds";
        let code = r#""State": "unhealthy", "Reason": "Target.ResponseCodeMismatch""#;
        let silent = r#""State": "unhealthy", "Reason": "Target.Timeout""#;
        let failed = r#""State": "unhealthy", "Reason": "Target.FailedHealthChecks""#;
        ask(definitions.1, "8081", r#""State": "healthy""#, holds);
        ask(definitions.1, "8081", code, holds);
        ask(definitions.1, "8081", silent, listens);
        ask(definitions.1, "8081", failed, listens);
        // What answers on another port says nothing of the one that is asked by now.
        let moved = "target group web: HealthCheckPort = 8081";
        ask(definitions.1, "8080", r#""State": "healthy""#, moved);
        let set = r#""environment": [{"name": "MANAGEMENT_PORT", "value": "8081"}], "secrets""#;
        ask(&definitions.1.replace(r#""secrets""#, set), "8080", r#""State": "healthy""#, listens);
        let bridge = definitions.1.replace(r#""networkMode": "awsvpc""#, r#""networkMode": "bridge""#);
        ask(&bridge, "8081", silent, moved);
        ask(&bridge, "8081", code, holds);
    }

    #[test]
    fn a_target_of_a_revision_that_is_not_described_decides_nothing() {
        let [services, definitions, groups] = SENSIBLE;
        let before =
            r#""deployments": [{"id": "ecs-svc/1", "status": "ACTIVE", "taskDefinition": "web:11"}, {"#;
        let services = services.1.replace(r#""deployments": [{"#, before);
        let target = |reason: &str| {
            format!(
                r#"[{{"Target": {{"Id": "10.0.1.5", "Port": 80}}, "TargetHealth": {{"State": "unhealthy", "Reason": "{reason}"}}}}]"#
            )
        };
        for (reason, expected) in [
            ("Target.Timeout", "target 10.0.1.5:80: no task definition web:11"),
            ("Target.ResponseCodeMismatch", "target 10.0.1.5:80: holds"),
        ] {
            let targets = target(reason);
            let parts =
                [("services", services.as_str()), definitions, groups, ("targetHealth", targets.as_str())];
            check(Check::TargetPortMatchesContainer, &parts, &[expected]);
        }
    }

    #[test]
    fn a_port_of_the_host_is_taken_once_and_equal_inside() {
        let which = Check::HostPortMatches;
        let app = "task definition web:12, container app";
        let host = r#""hostPort": 8080"#;
        check_changed(which, host, r#""hostPort": 80"#, &[&format!("{app}: portMappings.hostPort = 80")]);
        check_changed(which, host, r#""hostPort": 0"#, &[&format!("{app}: holds")]);
        let proxy = r#"[{"name": "proxy", "portMappings": [{"containerPort": 8080}]}, {"name": "app","#;
        let expected = [
            format!("{app}: portMappings.containerPort = 8080"),
            "task definition web:12, container proxy: holds".to_owned(),
        ];
        check_changed(which, r#"[{"name": "app","#, proxy, &expected.each_ref().map(String::as_str));
    }
}
