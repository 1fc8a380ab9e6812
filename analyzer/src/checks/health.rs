//! Checks of health checks and the time they leave.

use super::scope::{
    per_container, per_service, planned_definitions, runs_whole, subject_of, unknown, violated,
};
use super::{Check, CheckResult, Outcome};
use crate::snapshot::{
    ContainerDefinition, HealthCheck, LoadBalancer, Part, Service, Snapshot, TaskDefinition,
};

pub fn health_check_timing(snapshot: &Snapshot) -> Vec<CheckResult> {
    per_container(Check::HealthCheckTiming, snapshot, |scope, container| {
        let health_check = container.health_check.as_ref()?;
        if let Some(broken) = outside_bounds(health_check) {
            return Some(broken);
        }
        let broken = too_hasty(health_check)
            .or_else(|| start_timeout_too_short(scope.definition, container, health_check));
        // Where all tasks run, the container was quick enough.
        if broken.is_some() && runs_whole(snapshot, scope.definition) {
            return Some(Outcome::Holds);
        }
        // ECS prints the defaults of these; only in a file they may be left to them.
        let is_printed =
            [health_check.interval, health_check.timeout, health_check.retries].iter().all(Option::is_some);
        if broken.is_some() && scope.definition.is_registered() && !is_printed {
            return Some(unknown(format!("times of the health check of container {}", container.name)));
        }
        Some(broken.unwrap_or(Outcome::Holds))
    })
}

const INTERVAL: i64 = 30;
const RETRIES: i64 = 3;

fn outside_bounds(check: &HealthCheck) -> Option<Outcome> {
    let fields = [
        ("interval", check.interval, 5, 300),
        ("timeout", check.timeout, 2, 60),
        ("retries", check.retries, 1, 10),
        ("startPeriod", check.start_period, 0, 300),
    ];
    let is_outside = |value: i64, low, high| value < low || value > high;
    let (name, value, low, high) = fields
        .into_iter()
        .find(|(_, value, low, high)| value.is_some_and(|value| is_outside(value, *low, *high)))?;
    let because = format!("ECS accepts {low} to {high} for the {name} of a health check");
    Some(violated(format!("healthCheck.{name}"), value.unwrap_or(0).to_string(), because))
}

fn too_hasty(check: &HealthCheck) -> Option<Outcome> {
    const SHORTEST_START: i64 = 10;
    let interval = check.interval.unwrap_or(INTERVAL);
    let retries = check.retries.unwrap_or(RETRIES);
    let patience = check.start_period.unwrap_or(0) + interval * retries;
    let because = format!("a container that is not ready counts as unhealthy {patience} s after its start");
    (patience < SHORTEST_START).then(|| violated("healthCheck.retries", retries.to_string(), because))
}

/// Finds a container that gives up waiting for this one before it can be healthy.
fn start_timeout_too_short(
    definition: &TaskDefinition,
    container: &ContainerDefinition,
    check: &HealthCheck,
) -> Option<Outcome> {
    let limit = container.start_timeout?;
    let mut others = definition.container_definitions.iter();
    let waiting = others.find(|other| {
        let mut dependencies = other.depends_on.iter();
        dependencies
            .any(|one| one.container_name == container.name && one.condition.as_deref() == Some("HEALTHY"))
    })?;
    let allowed = check.interval.unwrap_or(INTERVAL).max(check.start_period.unwrap_or(0));
    let because = format!(
        "container {} waits {limit} s until {} is healthy, which may take {allowed} s",
        waiting.name, container.name
    );
    (limit < allowed).then(|| violated("startTimeout", limit.to_string(), because))
}

pub fn grace_period_covers_startup(snapshot: &Snapshot) -> Vec<CheckResult> {
    per_service(Check::GracePeriodCoversStartup, snapshot, |service| {
        let is_balanced = service.load_balancers.iter().any(|balancer| balancer.target_group_arn.is_some());
        is_balanced.then(|| grace_period(snapshot, service))
    })
}

fn grace_period(snapshot: &Snapshot, service: &Service) -> Outcome {
    let definitions = match planned_definitions(snapshot, service) {
        Ok(definitions) => definitions,
        Err(outcome) => return outcome,
    };
    let containers = definitions.iter().flat_map(|definition| &definition.container_definitions);
    let start_period =
        |container: &ContainerDefinition| container.health_check.as_ref()?.start_period.filter(|it| *it > 0);
    let slowest = containers.filter(|container| container.is_essential()).filter_map(|container| {
        let start = start_period(container)?;
        Some((start, container))
    });
    let Some((start, container)) = slowest.max_by_key(|(start, _)| *start) else {
        return unknown("how long the containers take to start, because no health check has a start period");
    };
    let grace = service.health_check_grace_period_seconds.unwrap_or(0);
    if grace >= start {
        return Outcome::Holds;
    }
    // A start period is the most that a start may take; where all tasks run, they were quick enough.
    if definitions.iter().any(|definition| runs_whole(snapshot, definition)) {
        return unknown(
            "how long the containers take to start, which was not too long for the tasks that run",
        );
    }
    let patience = match load_balancer_patience(snapshot, service) {
        Ok(patience) => patience,
        Err(outcome) => return outcome,
    };
    if grace.saturating_add(patience) >= start {
        return Outcome::Holds;
    }
    if service.health_check_grace_period_seconds.is_none() && !service.is_whole() {
        return unknown(format!("health check grace period of {}", subject_of(service)));
    }
    let because = format!(
        "the load balancer can give a new task up after {} s, but container {} may take {start} s to start",
        grace.saturating_add(patience),
        container.name
    );
    violated("healthCheckGracePeriodSeconds", grace.to_string(), because)
}

/// Returns how long the strictest target group of the service lets a new target fail.
fn load_balancer_patience(snapshot: &Snapshot, service: &Service) -> Result<i64, Outcome> {
    if let Part::Unknown { reason } = &snapshot.target_groups {
        return Err(unknown(format!("target groups: {reason}")));
    }
    let mut patience = Vec::new();
    for balancer in &service.load_balancers {
        patience.extend(patience_of_group(snapshot, balancer)?);
    }
    patience.into_iter().min().ok_or_else(|| unknown("target groups of the service"))
}

fn patience_of_group(snapshot: &Snapshot, balancer: &LoadBalancer) -> Result<Option<i64>, Outcome> {
    let Some(arn) = balancer.target_group_arn.as_deref() else { return Ok(None) };
    let group = snapshot.target_groups.items().iter().find(|group| group.target_group_arn == arn);
    let patience = group.and_then(|group| group.seconds_until_unhealthy());
    patience.map(Some).ok_or_else(|| unknown(format!("health check of target group {arn}")))
}

#[cfg(test)]
mod tests {
    use super::super::task_definition::tests::{SENSIBLE, check, check_changed};
    use super::*;

    #[test]
    fn the_grace_period_and_the_target_group_leave_time_to_start() {
        let which = Check::GracePeriodCoversStartup;
        let grace = r#""healthCheckGracePeriodSeconds": 60"#;
        let none = r#""healthCheckGracePeriodSeconds": 0"#;
        check(which, &SENSIBLE, &["service web: holds"]);
        check_changed(which, grace, none, &["service web: holds"]);
        let violated = ["service web: healthCheckGracePeriodSeconds = 60"];
        check_changed(which, r#""startPeriod": 60"#, r#""startPeriod": 180"#, &violated);
        let [services, definitions, _] = SENSIBLE;
        let services = services.1.replace(grace, none);
        let unknown = ["service web: no target groups: not described"];
        check(which, &[("services", &services), definitions], &unknown);
    }

    #[test]
    fn the_times_of_a_health_check_fit_together() {
        let which = Check::HealthCheckTiming;
        let app = "task definition web:12, container app";
        check(which, &SENSIBLE, &[&format!("{app}: holds")]);
        let timeout = [&*format!("{app}: healthCheck.timeout = 75")];
        check_changed(which, r#""timeout": 5"#, r#""timeout": 75"#, &timeout);
        // Docker waits from the end of one check to the next.
        check_changed(which, r#""timeout": 5"#, r#""timeout": 45"#, &[&format!("{app}: holds")]);
        let retries = [&*format!("{app}: healthCheck.retries = 12")];
        check_changed(which, r#""retries": 3"#, r#""retries": 12"#, &retries);
    }

    #[test]
    fn what_all_tasks_run_with_is_not_too_hasty() {
        let [services, definitions, groups] = SENSIBLE;
        let hasty = definitions.1.replace(r#""interval": 30"#, r#""interval": 5"#);
        let hasty = hasty.replace(r#""retries": 3, "startPeriod": 60"#, r#""retries": 1"#);
        let slow = definitions.1.replace(r#""startPeriod": 60"#, r#""startPeriod": 180"#);
        let app = "task definition web:12, container app";
        let start = "service web: no how long the containers take to start, which was not too long for the tasks that run";
        for (state, timing, grace) in [
            ("IN_PROGRESS", "healthCheck.retries = 1", "service web: healthCheckGracePeriodSeconds = 60"),
            ("COMPLETED", "holds", start),
        ] {
            let state = format!(r#""status": "PRIMARY", "rolloutState": "{state}","#);
            let services = services.1.replace(r#""status": "PRIMARY","#, &state);
            let parts = [("services", services.as_str()), ("taskDefinitions", &hasty)];
            check(Check::HealthCheckTiming, &parts, &[&format!("{app}: {timing}")]);
            let parts = [("services", services.as_str()), ("taskDefinitions", &slow), groups];
            check(Check::GracePeriodCoversStartup, &parts, &[grace]);
        }
    }
}
