//! What is wrong with a deployment, the worst first.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Rollout, health, stopped};
use crate::diagnosis::Verdict;
use crate::taxonomy::Severity;

/// Something that is wrong: the design's `DeploymentIssue`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Issue {
    #[schemars(with = "String")]
    pub severity: Severity,
    /// What is wrong, in one line.
    pub title: String,
    pub detail: Option<String>,
    /// The cause, where the diagnosis names it.
    pub cause: Option<String>,
    /// How many tasks, targets or alarms it is about.
    pub count: u64,
}

pub(super) fn issues(rollout: &Rollout<'_>) -> Vec<Issue> {
    let mut issues: Vec<Issue> = Vec::new();
    for group in stopped(rollout.known, rollout.id).into_iter().filter(|group| group.failed) {
        let count = group.tasks.len() as u64;
        let title = if count == 1 { "a task stopped".to_owned() } else { format!("{count} tasks stopped") };
        issues.push(issue(Severity::High, title, Some(group.reason), count));
    }
    let targets = health::load_balancer(rollout);
    if targets.unhealthy > 0 {
        let told = targets.targets.iter().find(|target| target.state == health::HealthState::Unhealthy);
        let title = format!("{} of {} targets are not healthy", targets.unhealthy, targets.targets.len());
        issues.push(issue(
            Severity::High,
            title,
            told.and_then(|target| target.because()),
            targets.unhealthy,
        ));
    }
    if let Some(account) = rollout.account() {
        let breaker = account.deployment_circuit_breaker.clone().unwrap_or_default();
        if let (Some(count @ 1..), Some(threshold)) = (breaker.failure_count, breaker.threshold) {
            let title = format!("the circuit breaker counted {count} of {threshold} failures");
            issues.push(issue(Severity::Medium, title, None, count.unsigned_abs()));
        }
        let alarms = account.alarms.as_ref().map_or(&[][..], |alarms| &alarms.triggered_alarm_names);
        if !alarms.is_empty() {
            let title = format!("alarms were triggered: {}", alarms.join(", "));
            issues.push(issue(Severity::High, title, None, alarms.len() as u64));
        }
    }
    issues.sort_by_key(|issue| std::cmp::Reverse(issue.severity));
    // What explains the others leads, whatever its severity.
    let failed = rollout.diagnosis.filter(|diagnosis| diagnosis.verdict == Verdict::Failed);
    if let Some(root) = failed.and_then(|diagnosis| diagnosis.root_cause()) {
        issues.insert(
            0,
            Issue {
                severity: root.severity,
                title: root.title.clone(),
                detail: root.evidence.first().map(|evidence| evidence.line.trim().to_owned()),
                cause: Some(root.cause.clone()),
                count: root.evidence.iter().map(|evidence| evidence.count).sum(),
            },
        );
    }
    issues
}

fn issue(severity: Severity, title: String, detail: Option<String>, count: u64) -> Issue {
    Issue { severity, title, detail, cause: None, count }
}
