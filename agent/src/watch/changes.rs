//! The same view where lines cannot be drawn again: only what changed.

use analyzer::deployment::{self, State};
use analyzer::diagnosis::Verdict;
use analyzer::snapshot::last_segment;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

use super::view::words;
use super::{Event, Scene, one_line, short_id, span};

/// What was told already.
#[derive(Clone, Debug, Default)]
pub struct Told {
    facts: BTreeMap<String, String>,
    events: BTreeSet<(Option<Timestamp>, String)>,
    last: Option<Timestamp>,
}

/// A pipeline that hears nothing for long takes a command for hanging.
const SIGN_OF_LIFE: SignedDuration = SignedDuration::from_secs(60);

/// Returns what changed since it was told last, a line each.
pub fn changes(told: &mut Told, scene: &Scene) -> Vec<String> {
    let mut lines = Vec::new();
    for event in scene.events.iter().rev() {
        if told.events.insert((event.time, event.text.clone())) {
            lines.push(of_event(event));
        }
    }
    for (key, fact) in facts(scene) {
        if told.facts.get(&key) != Some(&fact) {
            lines.push(fact.clone());
            told.facts.insert(key, fact);
        }
    }
    let is_quiet = told.last.is_none_or(|last| scene.now.duration_since(last) >= SIGN_OF_LIFE);
    if lines.is_empty() && is_quiet {
        let status = deployment::status(&scene.rollout());
        let since = scene.rollout().started().unwrap_or(scene.watching_since);
        let passed = span(scene.now.duration_since(since).as_secs());
        lines.push(format!("{}: {passed} so far", words(status.phase)));
    }
    if !lines.is_empty() {
        told.last = Some(scene.now);
    }
    lines
}

fn of_event(event: &Event) -> String {
    let time = event.time.map_or(String::new(), |time| format!("{} ", time.strftime("%H:%M:%S")));
    format!("event: {time}{}", one_line(&event.text))
}

/// Returns all that is worth a line, in the order in which it is told.
fn facts(scene: &Scene) -> Vec<(String, String)> {
    let rollout = scene.rollout();
    let status = deployment::status(&rollout);
    let outcome = deployment::outcome(&rollout);
    let mut facts = Vec::new();
    let mut fact = |key: &str, text: String| facts.push((key.to_owned(), text));
    if let Some(entry) = &scene.deployment {
        let service = entry.service.as_deref().or(scene.target.service.as_deref()).unwrap_or("the service");
        let revision = entry.task_definition.as_deref().map(last_segment);
        let revision = revision.map(|revision| format!(" ({})", one_line(revision))).unwrap_or_default();
        fact("deployment", format!("watching {}{revision}: {}", one_line(service), one_line(&entry.id)));
    }
    fact("phase", format!("phase: {}", words(status.phase)));
    if let Some(service) = rollout.described_service() {
        for one in &service.deployments {
            let number = |number: Option<i64>| number.unwrap_or(0);
            let revision = one.task_definition.as_deref().map_or(one.id.as_str(), last_segment);
            let text = format!(
                "{} {}: {} desired, {} running, {} pending, {} failed",
                one_line(revision),
                one_line(one.rollout_state.as_deref().unwrap_or("-")),
                number(one.desired_count),
                number(one.running_count),
                number(one.pending_count),
                number(one.failed_tasks),
            );
            fact(&format!("counts {}", one.id), text);
        }
    }
    for group in deployment::stopped(&scene.live.known, rollout.id).iter().take(6) {
        let ids: Vec<String> = group.tasks.iter().take(3).map(|id| short_id(id)).collect();
        let more = group.tasks.len().saturating_sub(ids.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let tasks = if group.tasks.len() == 1 { "task" } else { "tasks" };
        let text = format!(
            "stopped: {} {tasks} ({}{more}): {}",
            group.tasks.len(),
            ids.join(", "),
            one_line(&group.reason)
        );
        fact(&format!("stopped {}", group.reason), text);
    }
    let targets = deployment::health(&rollout).load_balancer;
    if !targets.targets.is_empty() {
        let ill = targets.targets.iter().find_map(|target| target.because());
        let ill = ill.map(|because| format!(" ({})", one_line(&because))).unwrap_or_default();
        fact("targets", format!("targets: {} of {} healthy{ill}", targets.healthy, targets.targets.len()));
    }
    let fired = rollout.account().and_then(|account| account.alarms.clone()).unwrap_or_default();
    if !fired.triggered_alarm_names.is_empty() {
        fact("alarms", format!("alarms: {}", one_line(&fired.triggered_alarm_names.join(", "))));
    }
    if let Some(stack) = &outcome.stack {
        let name = scene.target.stack.as_deref().unwrap_or_default();
        let reason =
            stack.reason.as_ref().map(|reason| format!(": {}", one_line(reason))).unwrap_or_default();
        fact("stack", format!("stack {}: {}{reason}", one_line(name), one_line(&stack.status)));
    }
    for gap in scene.gaps() {
        let text = format!("not seen: {}: {}", one_line(&gap.what), one_line(&gap.because));
        // Several calls may fail for one thing; each is told once.
        fact(&format!("gap {} {}", gap.what, gap.because), text);
    }
    let found = scene.diagnosis().filter(|diagnosis| diagnosis.verdict == Verdict::Failed);
    if let Some(root) = found.and_then(|diagnosis| diagnosis.root_cause()) {
        let sure = (root.confidence * 100.0).round();
        fact("verdict", format!("verdict: {} ({sure} %): {}", one_line(&root.cause), one_line(&root.title)));
    }
    if scene.has_to_stand(&outcome) {
        let text = "ECS completed the deployment; no health check speaks for its tasks, so Medic looks whether they keep running";
        fact("stand", text.to_owned());
    } else if outcome.state != State::Running && outcome.state != State::Unknown {
        fact("outcome", format!("outcome: {}", one_line(&outcome.says)));
    }
    facts
}
