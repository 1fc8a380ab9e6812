//! Checks of what services say of their load balancers.

use std::collections::BTreeSet;

use super::ports::{container_ports, mappings_of, may_map_more};
use super::scope::{
    lists_its_containers, name_of, not_described, one_per_subject, planned_definitions, subject_of, unknown,
    violated,
};
use super::{Check, CheckResult, Outcome};
use crate::snapshot::{LoadBalancer, Part, Snapshot, TaskDefinition};

pub fn load_balancer_container_exists(snapshot: &Snapshot) -> Vec<CheckResult> {
    let check = Check::LoadBalancerContainerExists;
    let services = match &snapshot.services {
        Part::Known(services) => services,
        Part::Unknown { reason } => return vec![not_described(check, "services", reason)],
    };
    let with_balancer =
        services.iter().filter(|service| service.is_active() && !service.load_balancers.is_empty());
    let mut results = Vec::new();
    for service in with_balancer {
        let subject = subject_of(service);
        let outcomes = match planned_definitions(snapshot, service) {
            Err(outcome) => vec![outcome],
            Ok(definitions) => {
                let balancers = service.load_balancers.iter();
                let pairs =
                    balancers.flat_map(|one| definitions.iter().map(move |definition| (*definition, one)));
                pairs.map(|(definition, one)| container_behind(definition, one)).collect()
            }
        };
        results.extend(outcomes.into_iter().map(|outcome| CheckResult {
            check,
            subject: subject.clone(),
            outcome,
        }));
    }
    one_per_subject(results)
}

fn container_behind(definition: &TaskDefinition, balancer: &LoadBalancer) -> Outcome {
    let Some(name) = balancer.container_name.as_deref() else { return Outcome::Holds };
    let Some(container) = definition.container(name) else {
        if !lists_its_containers(definition) {
            return unknown(format!("containers of {}", name_of(definition)));
        }
        let because = format!("{} has no container {name}", definition.name());
        return violated("loadBalancers.containerName", name, because);
    };
    let Some(port) = balancer.container_port else { return Outcome::Holds };
    let exposed: BTreeSet<i64> = container.port_mappings.iter().flat_map(container_ports).collect();
    if exposed.contains(&port) {
        return Outcome::Holds;
    }
    if may_map_more(definition, container) {
        return unknown(mappings_of(definition, container));
    }
    let because = format!("container {name} of {} does not expose port {port}", definition.name());
    violated("loadBalancers.containerPort", port.to_string(), because)
}

#[cfg(test)]
mod tests {
    use super::super::task_definition::tests::{SENSIBLE, check, check_changed};
    use super::*;

    #[test]
    fn a_load_balancer_names_a_container_and_its_port() {
        let which = Check::LoadBalancerContainerExists;
        check(which, &SENSIBLE, &["service web: holds"]);
        let (name, port) = (r#""containerName": "app""#, r#""containerPort": 8080}]"#);
        check_changed(
            which,
            name,
            r#""containerName": "api""#,
            &["service web: loadBalancers.containerName = api"],
        );
        check_changed(
            which,
            port,
            r#""containerPort": 80}]"#,
            &["service web: loadBalancers.containerPort = 80"],
        );
    }
}
