//! Puts what was described into the words of records, and judges how severe it is.

use analyzer::record::Level;
use analyzer::snapshot::{Alarm, Container, Deployment, ServiceDeployment, Task};
use jiff::Timestamp;

pub(super) fn text_of_deployment(deployment: &Deployment) -> String {
    let count =
        |name: &str, number: Option<i64>| number.map_or(String::new(), |number| format!("{name}={number}"));
    let state =
        deployment.rollout_state.as_deref().map_or(String::new(), |state| format!("rolloutState={state}"));
    words(&[
        "deployment",
        &deployment.id,
        deployment.status.as_deref().unwrap_or_default(),
        &state,
        &count("desired", deployment.desired_count),
        &count("running", deployment.running_count),
        &count("pending", deployment.pending_count),
        &count("failedTasks", deployment.failed_tasks),
        deployment.rollout_state_reason.as_deref().unwrap_or_default(),
    ])
}

pub(super) fn level_of_deployment(deployment: &Deployment) -> Level {
    let goes_back =
        deployment.rollout_state_reason.as_deref().is_some_and(|reason| reason.contains("rolling back"));
    match deployment.rollout_state.as_deref() {
        Some("FAILED") => Level::Error,
        _ if goes_back || deployment.failed_tasks.unwrap_or(0) > 0 => Level::Warn,
        _ => Level::Info,
    }
}

pub(super) fn text_of_service_deployment(deployment: &ServiceDeployment) -> String {
    let breaker = deployment.deployment_circuit_breaker.clone().unwrap_or_default();
    let breaker = match (breaker.status.as_deref(), breaker.failure_count, breaker.threshold) {
        (Some(status), Some(count), Some(threshold)) => {
            format!("circuitBreaker={status} failures={count}/{threshold}")
        }
        (Some(status), ..) => format!("circuitBreaker={status}"),
        _ => String::new(),
    };
    let alarms =
        deployment.alarms.as_ref().map_or(String::new(), |alarms| alarms.triggered_alarm_names.join(","));
    let alarms = if alarms.is_empty() { String::new() } else { format!("triggeredAlarms={alarms}") };
    let rollback =
        deployment.rollback.as_ref().and_then(|rollback| rollback.reason.as_deref()).unwrap_or_default();
    let reason = deployment.status_reason.as_deref().unwrap_or_default();
    words(&[
        "service deployment",
        deployment.id(),
        deployment.status.as_deref().unwrap_or_default(),
        &breaker,
        &alarms,
        reason,
        if rollback == reason { "" } else { rollback },
    ])
}

/// Tells the state of an alarm.
pub fn text_of_alarm(alarm: &Alarm) -> String {
    words(&["alarm", &alarm.alarm_name, &alarm.state_value, &alarm.state_reason])
}

pub fn level_of_alarm(alarm: &Alarm) -> Level {
    if alarm.is_on() { Level::Error } else { Level::Info }
}

/// Whether a task stopped, stops, or has something wrong.
pub(super) fn is_telling(task: &Task) -> bool {
    const ENDING: [&str; 4] = ["DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"];
    let ends = task.last_status.as_deref().is_some_and(|status| ENDING.contains(&status));
    let is_ill = task.containers.iter().any(|one| one.reason.is_some() || one.exit_code.unwrap_or(0) != 0);
    ends || task.desired_status.as_deref() == Some("STOPPED") || is_unhealthy(task) || is_ill
}

fn is_unhealthy(task: &Task) -> bool {
    let is_unhealthy = |health: &Option<String>| health.as_deref() == Some("UNHEALTHY");
    is_unhealthy(&task.health_status)
        || task.containers.iter().any(|container| is_unhealthy(&container.health_status))
}

/// Returns when the end of the task began.
pub(super) fn time_of_task(task: &Task) -> Option<Timestamp> {
    let ends = [task.execution_stopped_at, task.stopping_at, task.stopped_at];
    ends.into_iter().flatten().min().or(task.started_at).or(task.created_at)
}

pub(super) fn text_of_task(task: &Task) -> String {
    let reason = task.stopped_reason.as_deref().unwrap_or_default().trim();
    let health = if is_unhealthy(task) { "UNHEALTHY" } else { "" };
    let status = task.last_status.as_deref().unwrap_or_default();
    let head = words(&["task", task.id(), status, health, task.stop_code.as_deref().unwrap_or_default()]);
    let mut lines = vec![if reason.is_empty() { head } else { format!("{head}: {reason}") }];
    for container in &task.containers {
        lines.push(text_of_container(container));
        let agents = container.managed_agents.iter().filter(|agent| agent.reason.is_some());
        for agent in agents {
            let reason = format!("reason={}", agent.reason.as_deref().unwrap_or_default());
            let status = agent.last_status.as_deref().unwrap_or_default();
            lines.push(words(&["agent", &agent.name, "of container", &container.name, status, &reason]));
        }
    }
    lines.extend(text_of_end(task));
    lines.join("\n")
}

/// Says that a task ended because a process in it was done, which no single code tells: those that were told to stop
/// with it end with their own.
fn text_of_end(task: &Task) -> Option<String> {
    const TOLD_TO_STOP: i64 = 143;
    const KILLED: i64 = 137;
    let ended_itself = task.stop_code.as_deref() == Some("EssentialContainerExited")
        || task.stopped_reason.as_deref().is_some_and(|reason| reason.starts_with("Essential container"));
    let is_late = was_waited_for(task);
    let is_well = |container: &Container| {
        let is_told = matches!(container.exit_code, None | Some(0 | TOLD_TO_STOP));
        (is_told || is_late && container.exit_code == Some(KILLED)) && container.reason.is_none()
    };
    let done = task.containers.iter().filter(|container| container.exit_code == Some(0));
    let names: Vec<&str> = done.map(|container| container.name.as_str()).collect();
    let is_done = ended_itself && !names.is_empty() && task.containers.iter().all(is_well);
    is_done.then(|| format!("essential container exited with exit code 0: {}", names.join(", ")))
}

/// Whether so long went by between the end of a task and that of its last container that one did not stop when it was told to.
fn was_waited_for(task: &Task) -> bool {
    const AT_LEAST: i64 = 10;
    let waited = task.stopping_at.zip(task.execution_stopped_at);
    waited.is_some_and(|(told, ended)| ended.as_second() - told.as_second() >= AT_LEAST)
}

fn text_of_container(container: &Container) -> String {
    let exit_code = container.exit_code.map_or(String::new(), |code| format!("exitCode={code}"));
    let health = container.health_status.as_deref().filter(|health| *health != "UNKNOWN");
    let health = health.map_or(String::new(), |health| format!("health={health}"));
    let reason =
        container.reason.as_deref().map_or(String::new(), |reason| format!("reason={}", reason.trim()));
    let status = container.last_status.as_deref().unwrap_or_default();
    words(&["container", &container.name, status, &exit_code, &health, &reason])
}

/// Judges who ended the task: itself, the scheduler, the platform, or a person.
pub(super) fn level_of_task(task: &Task) -> Level {
    let reason = task.stopped_reason.as_deref().unwrap_or_default();
    let of_service = task.group.as_deref().is_some_and(|group| group.starts_with("service:"))
        || task.started_by.as_deref().is_some_and(|name| name.starts_with("ecs-svc/"));
    let has_failed = task.containers.iter().any(|container| container.exit_code.unwrap_or(0) != 0);
    match task.stop_code.as_deref() {
        Some("TaskFailedToStart") => Level::Error,
        Some("EssentialContainerExited") if of_service => Level::Error,
        Some("EssentialContainerExited") if has_failed && text_of_end(task).is_none() => Level::Error,
        Some("EssentialContainerExited") => Level::Info,
        Some("UserInitiated" | "SpotInterruption" | "TerminationNotice" | "InfrastructureHealth") => {
            Level::Warn
        }
        Some("ServiceSchedulerInitiated") if level_of_message(reason) == Level::Error => Level::Error,
        Some("ServiceSchedulerInitiated") => Level::Info,
        _ if reason.starts_with("Scaling activity") => Level::Info,
        _ if reason.contains("stopped by") => Level::Warn,
        _ if has_failed || is_unhealthy(task) || level_of_message(reason) == Level::Error => Level::Error,
        _ if reason.starts_with("Essential container") && of_service => Level::Error,
        _ => Level::Info,
    }
}

/// Judges a message of ECS by its words.
pub(super) fn level_of_message(message: &str) -> Level {
    const ERRORS: [&str; 7] = ["failed", "unable to", "unhealthy", "error", "denied", "could not", "cannot"];
    const WARNINGS: [&str; 3] = ["rolling back", "throttl", "impaired"];
    let lower = without_names(message).to_ascii_lowercase();
    let has = |signs: &[&str]| signs.iter().any(|sign| lower.contains(sign));
    if has(&ERRORS) {
        Level::Error
    } else if has(&WARNINGS) {
        Level::Warn
    } else {
        Level::Info
    }
}

/// Removes `(service web)` and the like: a service may be called `error-reports`.
fn without_names(message: &str) -> String {
    let mut rest = message;
    let mut kept = String::with_capacity(message.len());
    while let Some((before, after)) = rest.split_once('(') {
        kept.push_str(before);
        let is_name = !after.starts_with("reason");
        rest = match after.split_once(')') {
            Some((_, behind)) if is_name => behind,
            _ => after,
        };
    }
    kept.push_str(rest);
    kept
}

pub(super) fn level_of_status(status: &str) -> Level {
    if text_has_failed(&[status]) {
        Level::Error
    } else if status.contains("ROLLBACK") {
        Level::Warn
    } else {
        Level::Info
    }
}

pub(super) fn text_has_failed(statuses: &[&str]) -> bool {
    statuses.iter().any(|status| status.contains("FAILED"))
}

/// Finds `ecs-svc/123` in a message.
pub(super) fn deployment_id(message: &str) -> &str {
    const START: &str = "ecs-svc/";
    let Some(at) = message.find(START) else { return "" };
    let digits = message[at + START.len()..].bytes().take_while(u8::is_ascii_digit).count();
    &message[at..at + START.len() + digits]
}

/// Joins what is not empty by blanks.
pub(super) fn words(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}
