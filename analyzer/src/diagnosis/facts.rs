//! What the records and the snapshot say about the deployment itself.

use super::names::Names;
use super::operations::Operation;
use super::study::Study;
use super::{DeploymentFacts, Finding};
use crate::changes::{self, Basis, Changes};
use crate::record::Source;
use crate::snapshot::{Snapshot, last_segment};

pub(super) fn facts(
    study: &Study<'_>,
    snapshot: &Snapshot,
    changes: Option<&Changes>,
    findings: &[Finding],
) -> DeploymentFacts {
    let mut facts = of_snapshot(snapshot, changes);
    facts.started = facts.started.or(study.span.map(|(first, _)| first));
    facts.ended = facts.ended.or(study.span.map(|(_, last)| last));
    for kept in study.events.values() {
        if kept.source == Source::EcsServiceEvent && facts.service.is_none() {
            facts.service = service_named_in(&kept.line);
        }
        if kept.source == Source::CfnStackEvent && facts.stack.is_none() {
            facts.stack = stack_named_in(&kept.line);
        }
    }
    complete(&mut facts, &names(study, snapshot, findings), findings);
    facts.stack_status = stack_status(study, snapshot, &facts, findings);
    facts.is_in_stack = is_in_stack(study, &facts);
    facts.good = changes::last_good(snapshot);
    facts
}

/// Several services are several deployments: then only what they share is a fact.
fn of_snapshot(snapshot: &Snapshot, changes: Option<&Changes>) -> DeploymentFacts {
    let mut facts = DeploymentFacts::default();
    if let [service] = snapshot.services.items() {
        facts.service = Some(service.name().to_owned()).filter(|name| !name.is_empty());
        facts.cluster = Some(last_segment(&service.cluster_arn).to_owned()).filter(|name| !name.is_empty());
        facts.desired = service.desired_count;
        facts.running = service.running_count;
        // After a roll-back the primary deployment is the one before; what failed may be forgotten.
        let went_back = changes.filter(|changes| changes.basis == Basis::WentBack);
        let mut deployments = service.deployments.iter();
        let own = match went_back {
            Some(_) => deployments.find(|own| own.rollout_state.as_deref() == Some("FAILED")),
            None => service.primary(),
        };
        facts.running_new = own.and_then(|own| own.running_count).filter(|_| service.deployments.len() > 1);
        facts.id = own.map(|own| own.id.clone());
        facts.started = own.and_then(|own| own.created_at);
        facts.ended = own.and_then(|own| own.updated_at);
        let is_completed = own.is_some_and(|own| own.rollout_state.as_deref() == Some("COMPLETED"));
        facts.completed = facts.ended.filter(|_| is_completed && went_back.is_none());
        facts.task_definition = match went_back {
            Some(changes) => Some(changes.to.clone()),
            None => service.wanted_task_definition().map(|name| last_segment(name).to_owned()),
        };
    }
    if let [stack] = snapshot.stacks.items() {
        facts.stack = Some(stack.stack_name.clone()).filter(|name| !name.is_empty());
    }
    facts
}

/// Reads the names that described tasks, events and evidence hold.
fn names(study: &Study<'_>, snapshot: &Snapshot, findings: &[Finding]) -> Names {
    let mut names = Names::default();
    for service in snapshot.services.items() {
        names.read(&service.service_arn);
    }
    for task in snapshot.tasks.items() {
        let group = task.group.as_deref().unwrap_or_default();
        let definition = task.task_definition_arn.as_deref().unwrap_or_default();
        names.read(&format!("{} {definition} group: {group}", task.task_arn));
    }
    for kept in study.events.values() {
        names.read(&kept.text);
    }
    for evidence in findings.iter().flat_map(|finding| &finding.evidence) {
        // An application speaks of other services than its own, too.
        match evidence.source {
            Source::ContainerLog => names.read_places(&evidence.text),
            _ => names.read(&evidence.text),
        }
    }
    names
}

/// Adds what neither the snapshot nor the first events say.
fn complete(facts: &mut DeploymentFacts, names: &Names, findings: &[Finding]) {
    let captured = |name: &str| findings.first().and_then(|root| root.values.get(name)).cloned();
    let add = |fact: &mut Option<String>, others: [Option<String>; 2]| {
        if fact.is_none() {
            *fact = others.into_iter().flatten().next();
        }
    };
    add(&mut facts.cluster, [names.cluster(), captured("cluster")]);
    add(&mut facts.service, [names.service(), captured("service")]);
    add(&mut facts.task_definition, [names.definition(), None]);
    add(&mut facts.stack, [names.stack(), captured("stack")]);
    facts.region = names.region();
    facts.account = names.account();
}

/// Returns the last status of the stack: what it ended with counts before what it was on the way to.
fn stack_status(
    study: &Study<'_>,
    snapshot: &Snapshot,
    facts: &DeploymentFacts,
    findings: &[Finding],
) -> Option<String> {
    let stack = facts.stack.as_deref()?;
    let mut events = study.events.values().filter_map(|kept| {
        let operation = Operation::read(&kept.line)?;
        let is_own = operation.kind == Some("AWS::CloudFormation::Stack") && operation.name == stack;
        is_own.then(|| operation.status.to_owned())
    });
    let described = snapshot.stacks.items().iter().find(|other| other.stack_name == stack);
    let mut said: Vec<String> = events.next_back().into_iter().collect();
    said.extend(described.and_then(|stack| stack.stack_status.clone()));
    let evidence = findings.iter().flat_map(|finding| &finding.evidence);
    said.extend(
        evidence
            .filter(|evidence| evidence.text.contains(stack))
            .filter_map(|evidence| said_of(&evidence.text)),
    );
    let ended = said.iter().find(|status| !status.ends_with("IN_PROGRESS"));
    ended.or(said.first()).cloned()
}

/// Returns the status that a tool names when a stack refuses: `is in UPDATE_ROLLBACK_FAILED state`.
fn said_of(text: &str) -> Option<String> {
    let starts = ["is in ", "is in the ", "not stable (", "state: ", "status "];
    let words = starts.iter().flat_map(|start| text.match_indices(start));
    let mut words = words.map(|(at, start)| {
        let rest = &text[at + start.len()..];
        let end = rest.find(|c: char| !(c.is_ascii_uppercase() || c == '_'));
        &rest[..end.unwrap_or(rest.len())]
    });
    let ends = ["_COMPLETE", "_FAILED", "_IN_PROGRESS"];
    words.find(|word| ends.iter().any(|end| word.ends_with(end))).map(str::to_owned)
}

/// Whether a stack holds the service, or gave it its name.
fn is_in_stack(study: &Study<'_>, facts: &DeploymentFacts) -> bool {
    let is_of_stack = |source: Source| matches!(source, Source::CfnStackEvent | Source::Cdk);
    let mut events = study.events.values().filter(|kept| is_of_stack(kept.source));
    events.any(|kept| kept.line.contains("AWS::ECS::Service"))
        || matches!((&facts.stack, &facts.service), (Some(stack), Some(service)) if service.starts_with(&format!("{stack}-")))
}

fn service_named_in(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("(service ")?;
    let end = rest.find([')', ','])?;
    Some(rest[..end].to_owned())
}

fn stack_named_in(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("AWS::CloudFormation::Stack ")?;
    rest.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stack_is_in_is_read_from_a_refusal() {
        let status = |text: &str| said_of(text);
        let refused = "Stack:arn:aws:cloudformation:eu-west-1:1:stack/shop/1 is in UPDATE_ROLLBACK_FAILED state and can not be updated.";
        assert_eq!(status(refused).as_deref(), Some("UPDATE_ROLLBACK_FAILED"));
        assert_eq!(status("is not stable (DELETE_IN_PROGRESS)").as_deref(), Some("DELETE_IN_PROGRESS"));
        assert_eq!(status("the service is in FAILED state"), None);
    }
}
