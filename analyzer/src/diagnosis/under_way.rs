//! What had not ended when the records end: neither a success nor a failure.

use super::Gap;
use super::markers::Scope;
use super::study::Study;
use crate::snapshot::{Service, Snapshot};

/// Returns what was still under way, as gaps; nothing where the records tell how it ended.
pub(super) fn under_way(study: &Study<'_>, snapshot: &Snapshot) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = Vec::new();
    if study.settled.is_none() {
        gaps.extend(
            snapshot.services.items().iter().filter(|service| is_rolling_out(service)).map(of_service),
        );
    }
    let is_complete = study.successes.values().any(|scopes| scopes.contains_key(&Scope::Stack));
    let is_of_stack = |resource: &str| resource.starts_with("AWS::CloudFormation::Stack ");
    let pending =
        study.operations.pending.iter().filter(|((_, resource), _)| !resource.is_empty() && !is_complete);
    let last = pending
        .min_by_key(|((_, resource), kept)| (is_of_stack(resource), std::cmp::Reverse(kept.place.clone())));
    gaps.extend(last.map(|((_, resource), _)| Gap {
        what: format!("the end of the operation on {resource}"),
        because: "it was still in progress when the records end".to_owned(),
        remedy: Some("diagnose again when it has ended".to_owned()),
    }));
    gaps
}

/// Returns the deployments that were completed and have fewer tasks than they are to have, with none on its way, as gaps.
pub(super) fn short_of_tasks(snapshot: &Snapshot) -> Vec<Gap> {
    snapshot.services.items().iter().filter_map(shortage).collect()
}

fn is_rolling_out(service: &Service) -> bool {
    service.primary().is_some_and(|primary| primary.rollout_state.as_deref() == Some("IN_PROGRESS"))
}

fn shortage(service: &Service) -> Option<Gap> {
    let primary = service.primary().filter(|_| service.is_active())?;
    let is_completed = primary.rollout_state.as_deref() == Some("COMPLETED");
    let (running, desired) = (primary.running_count?, primary.desired_count?);
    let is_short = running + primary.pending_count? < desired;
    (is_completed && is_short).then(|| Gap {
        what: format!("whether {} has all its tasks", service.name()),
        because: format!(
            "its deployment was completed, and {running} of {desired} tasks were running when it was described"
        ),
        remedy: Some("aws ecs list-tasks --cluster CLUSTER --desired-status STOPPED".to_owned()),
    })
}

fn of_service(service: &Service) -> Gap {
    let counts = service.primary().and_then(|primary| Some((primary.running_count?, primary.desired_count?)));
    let tasks = counts.map_or(String::new(), |(running, desired)| {
        format!(", {running} of {desired} new tasks were running")
    });
    Gap {
        what: format!("the end of the deployment of {}", service.name()),
        because: format!("it was still in progress when the service was described{tasks}"),
        remedy: Some("diagnose again when it has ended, or run medic watch".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(state: &str, running: i64, pending: i64, is_short: bool) {
        let deployment = json!({"id": "ecs-svc/2", "status": "PRIMARY", "rolloutState": state,
            "desiredCount": 2, "runningCount": running, "pendingCount": pending});
        let service = json!({"serviceName": "web", "status": "ACTIVE", "deployments": [deployment]});
        let known: Snapshot = serde_json::from_value(json!({"services": {"known": [service]}})).unwrap();
        assert_eq!(!short_of_tasks(&known).is_empty(), is_short, "{state}: {running} and {pending} of 2");
    }

    #[test]
    fn a_completed_deployment_may_be_short_of_tasks() {
        check("COMPLETED", 0, 0, true);
        check("COMPLETED", 1, 0, true);
        check("COMPLETED", 1, 1, false);
        check("COMPLETED", 2, 0, false);
        check("IN_PROGRESS", 0, 0, false);
    }
}
