//! Checks of the state of services, deployments, targets and stacks.

use jiff::SignedDuration;

use super::scope::{not_described, one_per_subject, per_service, subject_of, unknown, violated};
use super::{Check, CheckResult, Outcome};
use crate::snapshot::{Deployment, Part, Service, ServiceDeployment, Snapshot, Stack, TargetHealth};

pub fn circuit_breaker_state(snapshot: &Snapshot) -> Vec<CheckResult> {
    let check = Check::CircuitBreakerState;
    if let (Part::Unknown { reason }, Part::Unknown { .. }) =
        (&snapshot.services, &snapshot.service_deployments)
    {
        return vec![not_described(check, "services", reason)];
    }
    let mut results = Vec::new();
    for service in snapshot.services.items().iter().filter(|service| service.is_active()) {
        let outcome = match &service.deployments[..] {
            [] => unknown(format!("deployments of {}", subject_of(service))),
            deployments => {
                let mut current = deployments.iter().filter(|one| !is_past(service, one));
                current.find_map(failed_deployment).unwrap_or(Outcome::Holds)
            }
        };
        results.push(CheckResult { check, subject: subject_of(service), outcome });
    }
    for deployment in latest(snapshot.service_deployments.items()) {
        let service = Service { service_arn: service_arn_of(deployment), ..Service::default() };
        results.push(CheckResult { check, subject: subject_of(&service), outcome: outcome_of(deployment) });
    }
    one_per_subject(results)
}

/// Deployments that go back to the version before begin as the failed one ends; what begins later is another attempt.
const ANOTHER_ATTEMPT: SignedDuration = SignedDuration::from_mins(2);

/// Whether a later attempt completed since a deployment ended.
fn is_past(service: &Service, deployment: &Deployment) -> bool {
    let Some(primary) = service.primary().filter(|primary| primary.id != deployment.id) else { return false };
    let ended = deployment.updated_at.or(deployment.created_at);
    let is_later = primary
        .created_at
        .zip(ended)
        .is_some_and(|(began, ended)| began.duration_since(ended) > ANOTHER_ATTEMPT);
    is_later && primary.rollout_state.as_deref() == Some("COMPLETED")
}

fn failed_deployment(deployment: &Deployment) -> Option<Outcome> {
    let said = deployment.rollout_state_reason.as_deref().unwrap_or_default();
    let field = |name: &str| format!("deployments[{}].{name}", deployment.id);
    if said.contains("rolling back") {
        let because = "the service goes back to an earlier deployment because a later one failed";
        return Some(violated(field("rolloutStateReason"), said, because));
    }
    let because = match (said, deployment.failed_tasks) {
        ("", Some(count)) => format!("the deployment failed after {count} of its tasks failed"),
        ("", None) => "the deployment failed".to_owned(),
        (said, _) => format!("the deployment failed: {said}"),
    };
    let has_failed = deployment.rollout_state.as_deref() == Some("FAILED");
    has_failed.then(|| violated(field("rolloutState"), "FAILED", because))
}

/// Returns the latest deployment of each service: what older ones came to is the past.
fn latest(deployments: &[ServiceDeployment]) -> Vec<&ServiceDeployment> {
    let is_newer = |other: &ServiceDeployment, than: &ServiceDeployment| {
        service_arn_of(other) == service_arn_of(than)
            && (other.created_at, &other.service_deployment_arn)
                > (than.created_at, &than.service_deployment_arn)
    };
    let is_latest = |one: &&ServiceDeployment| !deployments.iter().any(|other| is_newer(other, one));
    deployments.iter().filter(is_latest).collect()
}

/// Returns the service, which is also in the ARN of the deployment: `…:service-deployment/prod/web/id`.
fn service_arn_of(deployment: &ServiceDeployment) -> String {
    if !deployment.service_arn.is_empty() {
        return deployment.service_arn.clone();
    }
    let without_id = deployment.service_deployment_arn.rsplit_once('/').map_or("", |(service, _)| service);
    without_id.replace(":service-deployment/", ":service/")
}

fn outcome_of(deployment: &ServiceDeployment) -> Outcome {
    let status = deployment.status.as_deref().unwrap_or_default();
    let breaker = deployment.deployment_circuit_breaker.as_ref();
    let has_tripped = breaker.and_then(|breaker| breaker.status.as_deref()) == Some("TRIGGERED");
    let has_failed = status.starts_with("ROLLBACK_") || status.starts_with("STOP");
    if !has_failed && !has_tripped {
        return if status.is_empty() {
            unknown(format!("status of deployment {}", deployment.id()))
        } else {
            Outcome::Holds
        };
    }
    let rollback = deployment.rollback.as_ref().and_then(|rollback| rollback.reason.as_deref());
    let said =
        [deployment.status_reason.as_deref(), rollback].into_iter().flatten().find(|said| !said.is_empty());
    let because = match said {
        Some(said) => format!("the latest deployment did not succeed: {said}"),
        None => "the latest deployment did not succeed".to_owned(),
    };
    violated(format!("serviceDeployments[{}].status", deployment.id()), status, because)
}

pub fn desired_count_positive(snapshot: &Snapshot) -> Vec<CheckResult> {
    per_service(Check::DesiredCountPositive, snapshot, |service| match service.desired_count {
        _ if service.is_daemon() => None,
        None => Some(unknown(format!("desired count of {}", subject_of(service)))),
        Some(0) => {
            Some(violated("desiredCount", "0", "the service is asked to run no task, so nothing starts"))
        }
        Some(_) => Some(Outcome::Holds),
    })
}

pub fn deployment_percentages_leave_room(snapshot: &Snapshot) -> Vec<CheckResult> {
    per_service(Check::DeploymentPercentagesLeaveRoom, snapshot, |service| {
        if service.is_daemon() || !service.is_rolling() {
            return None;
        }
        match service.desired_count {
            None => Some(unknown(format!("desired count of {}", subject_of(service)))),
            Some(desired) if desired < 1 => None,
            Some(desired) => Some(room(service, desired)),
        }
    })
}

fn room(service: &Service, desired: i64) -> Outcome {
    let configuration = service.deployment_configuration.as_ref();
    let maximum = configuration.and_then(|configuration| configuration.maximum_percent).unwrap_or(200);
    let minimum =
        configuration.and_then(|configuration| configuration.minimum_healthy_percent).unwrap_or(100);
    let most = desired.saturating_mul(maximum) / 100;
    let least = desired.saturating_mul(minimum).saturating_add(99) / 100;
    if most > desired || least < desired {
        return Outcome::Holds;
    }
    let is_printed = configuration.is_some_and(|configuration| {
        configuration.maximum_percent.is_some() && configuration.minimum_healthy_percent.is_some()
    });
    if !is_printed && !service.is_whole() {
        return unknown(format!("deployment percentages of {}", subject_of(service)));
    }
    let because = format!(
        "of {desired} desired tasks at most {most} may run and at least {least} must, so none can be started or stopped"
    );
    let value = format!("maximumPercent {maximum}, minimumHealthyPercent {minimum}");
    violated("deploymentConfiguration", value, because)
}

pub fn tasks_running(snapshot: &Snapshot) -> Vec<CheckResult> {
    per_service(Check::TasksRunning, snapshot, |service| {
        let (place, running, desired) = match service.primary() {
            Some(primary) => {
                (format!("deployments[{}].", primary.id), primary.running_count, primary.desired_count)
            }
            None => (String::new(), service.running_count, service.desired_count),
        };
        let (Some(running), Some(desired)) = (running, desired) else {
            return Some(unknown(format!("task counts of {}", subject_of(service))));
        };
        if running >= desired {
            return Some(Outcome::Holds);
        }
        let because = format!("{running} of {desired} desired tasks of {} run", subject_of(service));
        Some(violated(format!("{place}runningCount"), running.to_string(), because))
    })
}

pub fn target_health(snapshot: &Snapshot) -> Vec<CheckResult> {
    let check = Check::TargetHealth;
    let targets = match &snapshot.target_health {
        Part::Known(targets) => targets,
        Part::Unknown { reason } => return vec![not_described(check, "target health", reason)],
    };
    let mut results = Vec::new();
    for target in targets {
        let subject = format!("target {}", target.address());
        results.extend(state_of(target).map(|outcome| CheckResult { check, subject, outcome }));
    }
    one_per_subject(results)
}

fn state_of(target: &TargetHealth) -> Option<Outcome> {
    if target.is_leaving() {
        return None;
    }
    let address = target.address();
    match target.health.state.as_deref() {
        Some("healthy") => Some(Outcome::Holds),
        // Nobody asks these targets how they are.
        Some(_)
            if matches!(
                target.health.reason.as_deref(),
                Some("Target.HealthCheckDisabled" | "Target.NotInUse")
            ) =>
        {
            Some(unknown(format!("health of target {address}, which no load balancer checks")))
        }
        None | Some("initial") => Some(unknown(format!("the first health checks of target {address}"))),
        Some(state) => {
            let words = [target.health.reason.as_deref(), target.health.description.as_deref()];
            let words = words.into_iter().flatten().collect::<Vec<_>>().join(": ");
            let words = if words.is_empty() { "no reason is given".to_owned() } else { words };
            Some(violated(
                "TargetHealth.State",
                state,
                format!("the load balancer does not count target {address} as healthy ({words})"),
            ))
        }
    }
}

pub fn stack_status(snapshot: &Snapshot) -> Vec<CheckResult> {
    let check = Check::StackStatus;
    let stacks = match &snapshot.stacks {
        Part::Known(stacks) => stacks,
        Part::Unknown { reason } => return vec![not_described(check, "stacks", reason)],
    };
    let mut results = Vec::new();
    for stack in stacks {
        let subject = format!("stack {}", stack.stack_name);
        results.extend(state_of_stack(stack).map(|outcome| CheckResult { check, subject, outcome }));
    }
    one_per_subject(results)
}

fn state_of_stack(stack: &Stack) -> Option<Outcome> {
    let status = stack.stack_status.as_deref()?;
    let because = match status {
        "DELETE_COMPLETE" => return None,
        // The stack can be updated again; whether the update that was undone is this one, the status does not tell.
        "UPDATE_ROLLBACK_COMPLETE"
        | "IMPORT_ROLLBACK_COMPLETE"
        | "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS" => {
            return Some(unknown(format!("which operation on stack {} was rolled back", stack.stack_name)));
        }
        "ROLLBACK_COMPLETE" => {
            "the stack could not be created and has to be deleted before it can be deployed again"
        }
        "UPDATE_ROLLBACK_FAILED" => "the stack accepts no update until its rollback is continued",
        "CREATE_FAILED" | "UPDATE_FAILED" => "the operation failed and was not rolled back",
        _ if status.ends_with("_FAILED") => "the stack needs a repair before it can be deployed again",
        _ if status.contains("ROLLBACK") => "the operation failed and is being rolled back",
        _ => return Some(Outcome::Holds),
    };
    let because = match stack.stack_status_reason.as_deref() {
        Some(said) if !said.is_empty() => format!("{because}: {said}"),
        _ => because.to_owned(),
    };
    Some(violated("StackStatus", status, because))
}

#[cfg(test)]
mod tests {
    use super::super::task_definition::tests::check;
    use super::*;

    fn check_room(desired: i64, maximum: i64, minimum: i64, has_room: bool) {
        let configuration = format!(r#"{{"maximumPercent": {maximum}, "minimumHealthyPercent": {minimum}}}"#);
        let service = format!(
            r#"[{{"serviceName": "web", "desiredCount": {desired}, "deploymentConfiguration": {configuration}}}]"#
        );
        let violated = format!(
            "service web: deploymentConfiguration = maximumPercent {maximum}, minimumHealthyPercent {minimum}"
        );
        let expected = if has_room { "service web: holds" } else { &violated };
        check(Check::DeploymentPercentagesLeaveRoom, &[("services", &service)], &[expected]);
    }

    #[test]
    fn percentages_are_rounded_against_the_deployment() {
        check_room(2, 200, 100, true);
        check_room(1, 150, 100, false);
        check_room(2, 150, 100, true);
        check_room(1, 100, 50, false);
        check_room(4, 100, 75, true);
        check_room(4, 100, 76, false);
        check_room(1, 100, 0, true);
    }

    #[test]
    fn only_the_latest_deployment_of_a_service_counts() {
        let deployment = |id: &str, second: u8, status: &str| {
            format!(
                r#"{{"serviceDeploymentArn": "arn:aws:ecs:eu-west-1:111122223333:service-deployment/prod/web/{id}",
                    "createdAt": 10{second}, "status": "{status}"}}"#
            )
        };
        let old = deployment("a", 1, "ROLLBACK_SUCCESSFUL");
        let new = deployment("b", 2, "SUCCESSFUL");
        let list = format!("[{old}, {new}]");
        check(Check::CircuitBreakerState, &[("serviceDeployments", &list)], &["service web: holds"]);
        let expected = ["service web: serviceDeployments[a].status = ROLLBACK_SUCCESSFUL"];
        check(Check::CircuitBreakerState, &[("serviceDeployments", &format!("[{old}]"))], &expected);
    }

    #[test]
    fn the_state_of_a_stack() {
        let stack = |status: &str| format!(r#"[{{"StackName": "web", "StackStatus": "{status}"}}]"#);
        let cases = [
            ("CREATE_COMPLETE", "holds"),
            ("UPDATE_IN_PROGRESS", "holds"),
            ("ROLLBACK_COMPLETE", "StackStatus = ROLLBACK_COMPLETE"),
            ("UPDATE_ROLLBACK_FAILED", "StackStatus = UPDATE_ROLLBACK_FAILED"),
            ("UPDATE_ROLLBACK_IN_PROGRESS", "StackStatus = UPDATE_ROLLBACK_IN_PROGRESS"),
            ("UPDATE_ROLLBACK_COMPLETE", "no which operation on stack web was rolled back"),
        ];
        for (status, expected) in cases {
            check(Check::StackStatus, &[("stacks", &stack(status))], &[&format!("stack web: {expected}")]);
        }
    }

    #[test]
    fn a_failed_deployment_is_the_past_once_a_later_one_completed() {
        let services = |began: u32, state: &str| {
            format!(
                r#"[{{"serviceName": "web", "deployments": [
                    {{"id": "ecs-svc/2", "status": "PRIMARY", "rolloutState": "{state}", "createdAt": {began}}},
                    {{"id": "ecs-svc/1", "status": "INACTIVE", "rolloutState": "FAILED", "createdAt": 1000, "updatedAt": 2000}}]}}]"#
            )
        };
        let failed = "service web: deployments[ecs-svc/1].rolloutState = FAILED";
        for (began, state, expected) in [
            (9000, "COMPLETED", "service web: holds"),
            (9000, "IN_PROGRESS", failed),
            // The one before, to which ECS went back.
            (500, "COMPLETED", failed),
            (2010, "COMPLETED", failed),
        ] {
            check(Check::CircuitBreakerState, &[("services", &services(began, state))], &[expected]);
        }
    }

    #[test]
    fn a_target_that_nobody_checks_is_not_ill() {
        for (state, reason, expected) in [
            ("unused", "Target.NotInUse", "no health of target 10.0.0.5:80, which no load balancer checks"),
            (
                "unavailable",
                "Target.HealthCheckDisabled",
                "no health of target 10.0.0.5:80, which no load balancer checks",
            ),
            ("unused", "Target.InvalidState", "TargetHealth.State = unused"),
            ("unavailable", "Target.Timeout", "TargetHealth.State = unavailable"),
        ] {
            let targets = format!(
                r#"[{{"Target": {{"Id": "10.0.0.5", "Port": 80}}, "TargetHealth": {{"State": "{state}", "Reason": "{reason}"}}}}]"#
            );
            let expected = format!("target 10.0.0.5:80: {expected}");
            check(Check::TargetHealth, &[("targetHealth", &targets)], &[&expected]);
        }
    }
}
