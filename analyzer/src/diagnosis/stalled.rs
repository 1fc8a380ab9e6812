//! An operation on a stack that had not ended when the records end, though it was waited for.

use jiff::SignedDuration;
use std::collections::BTreeMap;

use super::conclude::MOST_EVIDENCE;
use super::findings;
use super::kept::{Group, Kept};
use super::markers::Scope;
use super::study::Study;
use super::{Finding, Proof};
use crate::taxonomy::{Class, Severity};

/// An operation that is waited for longer than this does not come to its end by itself, as a rule.
const LONG_WAIT: SignedDuration = SignedDuration::from_mins(10);

/// Whether a pending operation has been waited for: by the times of the records, or as the CDK says after a while.
fn is_waited_for(study: &Study<'_>, last: &Kept) -> bool {
    let waited = study.span.zip(last.place.time).map(|((_, end), since)| end.duration_since(since));
    let says_so = |kept: &Kept| {
        kept.place.stream == last.place.stream
            && kept.place.seq >= last.place.seq
            && (kept.line.contains("Currently in progress: ") || kept.line.contains("is not stable ("))
    };
    waited.is_some_and(|waited| waited >= LONG_WAIT) || study.events.values().any(says_so)
}

/// Says that an operation was still in progress when the logs end.
pub(super) fn stalled(study: &Study<'_>) -> Option<Finding> {
    let succeeded = study.successes.values().flatten().any(|(scope, _)| *scope == Scope::Stack);
    let pending: Vec<&Kept> = study
        .operations
        .pending
        .iter()
        .filter(|((_, resource), _)| !resource.starts_with("AWS::CloudFormation::Stack "))
        .map(|(_, kept)| kept)
        .collect();
    let last = pending.iter().max_by(|a, b| a.place.cmp(&b.place)).filter(|_| !succeeded)?;
    if !is_waited_for(study, last) {
        return None;
    }
    let is_service = pending.iter().any(|kept| kept.line.contains("AWS::ECS::Service"));
    let class = if is_service { Class::ServiceStartup } else { Class::StackFailure };
    let what = if is_service { "an ECS service" } else { "a resource" };
    let mut evidence = Vec::new();
    for kept in std::iter::once(*last).chain(pending.iter().copied()) {
        findings::push_evidence(&mut evidence, &Group::of(kept));
    }
    evidence.truncate(MOST_EVIDENCE);
    Some(Finding {
        cause: format!("{class}/unknown"),
        class,
        title: format!("The operation on {what} was still in progress when the logs end"),
        severity: Severity::Medium,
        known: false,
        symptom: true,
        generic: false,
        proof: Proof::Unchecked,
        proof_checks: Vec::new(),
        confidence: 0.0,
        confidence_because: Vec::new(),
        evidence,
        values: BTreeMap::new(),
        explains: Vec::new(),
        explained_by: Vec::new(),
        remedies: vec![crate::taxonomy::Remedy::Wait],
    })
}
