//! Tasks that stopped, grouped by why.

use jiff::Timestamp;
use std::collections::BTreeMap;

use crate::snapshot::{Container, Snapshot, Task};
use crate::templates::shape;

/// Tasks of a deployment that stopped for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoppedGroup {
    /// The reason as ECS gives it, with what the containers add.
    pub reason: String,
    pub stop_code: Option<String>,
    /// Whether the stop is a failure; scaling in and a newer deployment are none.
    pub failed: bool,
    /// The ids of the tasks, the newest first.
    pub tasks: Vec<String>,
    pub last: Option<Timestamp>,
}

/// Returns the tasks of a deployment that stopped, grouped by reason: failures first, the largest group first.
pub fn stopped(known: &Snapshot, deployment: &str) -> Vec<StoppedGroup> {
    grouped(known.tasks.items().iter().filter(|task| is_of(task, deployment)).collect())
}

/// Returns those that stopped after a time.
pub(super) fn after(known: &Snapshot, deployment: &str, since: Timestamp) -> Vec<StoppedGroup> {
    let later = |task: &&Task| is_of(task, deployment) && time(task).is_some_and(|time| time > since);
    grouped(known.tasks.items().iter().filter(later).collect())
}

fn grouped(mut tasks: Vec<&Task>) -> Vec<StoppedGroup> {
    tasks.sort_by(|a, b| (time(b), &a.task_arn).cmp(&(time(a), &b.task_arn)));
    let mut groups: BTreeMap<(Option<String>, String, String), StoppedGroup> = BTreeMap::new();
    for task in tasks {
        let reason = task.stopped_reason.as_deref().unwrap_or("no reason is given").trim();
        let containers = of_containers(task, reason);
        // Ids and addresses differ from task to task; an exit code is part of the reason.
        let key = (task.stop_code.clone(), shape(reason), containers.clone());
        let group = groups.entry(key).or_insert_with(|| StoppedGroup {
            reason: if containers.is_empty() {
                reason.to_owned()
            } else {
                format!("{reason} ({containers})")
            },
            stop_code: task.stop_code.clone(),
            failed: is_failure(task),
            tasks: Vec::new(),
            last: time(task),
        });
        group.tasks.push(task.id().to_owned());
    }
    let mut groups: Vec<StoppedGroup> = groups.into_values().collect();
    groups.sort_by(|a, b| {
        let rank = |group: &StoppedGroup| (group.failed, group.tasks.len(), group.last);
        rank(b).cmp(&rank(a)).then_with(|| a.reason.cmp(&b.reason))
    });
    groups
}

fn is_of(task: &Task, deployment: &str) -> bool {
    let is_stopped = task.last_status.as_deref() == Some("STOPPED") || task.stopped_at.is_some();
    is_stopped && task.started_by.as_deref() == Some(deployment)
}

fn time(task: &Task) -> Option<Timestamp> {
    task.stopped_at.or(task.stopping_at).or(task.execution_stopped_at).or(task.created_at)
}

/// Says how containers ended, where that is more than the reason of the task.
fn of_containers(task: &Task, reason: &str) -> String {
    let mut said: Vec<String> = Vec::new();
    for Container { name, exit_code, reason: own, .. } in &task.containers {
        let own = own.as_deref().map(str::trim).filter(|own| !own.is_empty() && !reason.contains(own));
        let exit = exit_code.filter(|code| *code != 0).map(|code| format!("exit {code}"));
        let words: Vec<String> = exit.into_iter().chain(own.map(str::to_owned)).collect();
        if !words.is_empty() {
            said.push(format!("{name}: {}", words.join(", ")));
        }
    }
    said.join("; ")
}

fn is_failure(task: &Task) -> bool {
    let reason = task.stopped_reason.as_deref().unwrap_or_default();
    if reason.starts_with("Scaling activity") {
        return false;
    }
    let exits = || task.containers.iter().any(|container| container.exit_code.unwrap_or(0) != 0);
    match task.stop_code.as_deref() {
        Some("ServiceSchedulerInitiated" | "UserInitiated") | None => {
            let reason = reason.to_ascii_lowercase();
            let says_so = ["fail", "unhealthy", "error"].iter().any(|sign| reason.contains(sign));
            says_so || task.stop_code.is_none() && exits()
        }
        Some(_) => true,
    }
}
