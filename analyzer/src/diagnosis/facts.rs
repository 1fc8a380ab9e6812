//! What the records and the snapshot say about the deployment itself.

use super::DeploymentFacts;
use super::study::Study;
use crate::changes::{Basis, Changes};
use crate::record::Source;
use crate::snapshot::{Snapshot, last_segment};

pub(super) fn facts(study: &Study<'_>, snapshot: &Snapshot, changes: Option<&Changes>) -> DeploymentFacts {
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

fn service_named_in(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("(service ")?;
    let end = rest.find([')', ','])?;
    Some(rest[..end].to_owned())
}

fn stack_named_in(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("AWS::CloudFormation::Stack ")?;
    rest.split_whitespace().next().map(str::to_owned)
}
