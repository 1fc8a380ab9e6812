//! Which patterns were met, by what, and what takes their evidence away again.

use std::collections::{BTreeMap, BTreeSet};

use super::kept::{Group, Kept, Lane};
use super::markers::Scope;
use super::outlived::outlived;
use super::proof::{self, Proven, misplaced};
use super::study::{Study, Success};
use super::success::succeeds;
use super::telling::telling_score;
use super::{Evidence, Proof, RuledOut, finished, foreign, settled};
use crate::checks::{CheckResult, Outcome};
use crate::pattern::{Condition, Owner, Pattern, Role, Test, Within};
use crate::record::{Level, Place, Source, without_transport};
use crate::snapshot::Snapshot;
use crate::taxonomy::Class;

/// A pattern whose required conditions are all met.
pub(super) struct Draft<'s> {
    pub pattern: &'s Pattern,
    pub index: usize,
    /// What met each condition, required ones first, each in order of place.
    pub groups: Vec<(Role, Vec<&'s Group>)>,
    pub violated: Vec<CheckResult>,
    pub proof: Proof,
    pub proof_checks: Vec<CheckResult>,
    pub refuted_because: String,
}

impl<'s> Draft<'s> {
    /// Returns the record that shows the cause best.
    pub fn lead(&self) -> Option<&'s Group> {
        self.groups.iter().find_map(|(_, groups)| groups.first().copied())
    }

    pub fn all(&self) -> impl Iterator<Item = &'s Group> + '_ {
        self.groups.iter().flat_map(|(_, groups)| groups.iter().copied())
    }
}

/// Returns all patterns that were met; what was met and does not count is ruled out.
pub(super) fn drafts<'s>(
    study: &'s Study<'_>,
    snapshot: &Snapshot,
    checks: &[CheckResult],
    ruled_out: &mut BTreeSet<RuledOut>,
) -> Vec<Draft<'s>> {
    let deployments = deployments_of(study, snapshot);
    let mut drafts = Vec::new();
    for (index, pattern) in study.patterns.list().iter().enumerate() {
        let mut taken_away = None;
        let Some(draft) = draft(study, snapshot, index, &deployments, checks, &mut taken_away) else {
            if let Some(because) = taken_away {
                ruled_out.insert(RuledOut { cause: pattern.id.clone(), because });
            }
            continue;
        };
        if draft.proof == Proof::Refuted {
            ruled_out.insert(RuledOut { cause: pattern.id.clone(), because: draft.refuted_because });
            continue;
        }
        drafts.push(draft);
    }
    drop_generic(drafts)
}

/// Returns the deployments whose tasks count; empty where all count, as after a roll-back,
/// when the deployment that failed is no longer described.
pub(super) fn deployments_of(study: &Study<'_>, snapshot: &Snapshot) -> Vec<String> {
    if was_undone(study) { Vec::new() } else { snapshot.deployment_ids() }
}

fn draft<'s>(
    study: &'s Study<'_>,
    snapshot: &Snapshot,
    index: usize,
    deployments: &[String],
    checks: &[CheckResult],
    taken_away: &mut Option<String>,
) -> Option<Draft<'s>> {
    let pattern = &study.patterns.list()[index];
    let mut groups: Vec<(Role, Vec<&Group>)> = Vec::new();
    let mut violated = Vec::new();
    for (number, condition) in pattern.conditions.iter().enumerate() {
        if condition.role == Role::Excluding {
            continue;
        }
        let required = condition.role == Role::Required;
        match &condition.test {
            Test::Find(_) | Test::Metric { .. } => {
                let owner = Owner { pattern: index, condition: number };
                let lead: Vec<&Group> = groups.first().map(|(_, groups)| groups.clone()).unwrap_or_default();
                let met = met(study, owner, condition, pattern.class, deployments, &lead, taken_away);
                if required && met.is_empty() {
                    return None;
                }
                groups.push((condition.role, met));
            }
            Test::Check(check) => {
                let found: Vec<CheckResult> = checks
                    .iter()
                    .filter(|result| result.check == *check && result.is_violated())
                    .cloned()
                    .collect();
                if required && found.is_empty() {
                    return None;
                }
                violated.extend(found);
            }
        }
    }
    groups.sort_by_key(|(role, _)| *role != Role::Required);
    if pattern.differ.as_ref().is_some_and(|names| !differ(names, &mut groups)) {
        return None;
    }
    if let Some(because) = misplaced(study, snapshot, pattern, &mut groups) {
        taken_away.get_or_insert(because);
        return None;
    }
    let Proven { proof, checks: mut proof_checks, because } =
        proof::proof(study, snapshot, pattern, &groups, checks);
    let leads: Vec<&Group> = groups.first().map(|(_, met)| met.clone()).unwrap_or_default();
    violated.retain(|result| proof::speaks(study, snapshot, result, &leads));
    let is_missing = |condition: &Condition| match &condition.test {
        Test::Check(check) => {
            condition.role == Role::Required && violated.iter().all(|result| result.check != *check)
        }
        _ => false,
    };
    if pattern.conditions.iter().any(is_missing) {
        return None;
    }
    let proof = if violated.is_empty() { proof } else { Proof::Confirmed };
    proof_checks.extend(violated.iter().cloned());
    proof_checks.sort();
    proof_checks.dedup();
    Some(Draft { pattern, index, groups, violated, proof, proof_checks, refuted_because: because })
}

/// Leaves out the records whose values of two groups agree; tells whether each required condition is still met.
fn differ((one, other): &(String, String), groups: &mut [(Role, Vec<&Group>)]) -> bool {
    let values = |name: &str| -> BTreeSet<String> {
        let met = groups.iter().flat_map(|(_, met)| met);
        met.filter_map(|group| group.first.values.get(name).cloned()).collect()
    };
    let (ones, others) = (values(one), values(other));
    let agrees = |group: &Group, name: &str, rivals: &BTreeSet<String>| {
        group.first.values.get(name).is_some_and(|value| rivals.contains(value))
    };
    for (_, met) in groups.iter_mut() {
        met.retain(|group| !agrees(group, one, &others) && !agrees(group, other, &ones));
    }
    groups.iter().all(|(role, met)| *role != Role::Required || !met.is_empty())
}

fn met<'s>(
    study: &'s Study<'_>,
    owner: Owner,
    condition: &Condition,
    class: Class,
    deployments: &[String],
    lead: &[&Group],
    taken_away: &mut Option<String>,
) -> Vec<&'s Group> {
    let Some(groups) = study.met.get(&owner) else { return Vec::new() };
    let mut met: Vec<&Group> = Vec::new();
    for group in groups.values() {
        if let Some(because) = does_not_count(study, group, Some(class), deployments) {
            taken_away.get_or_insert(because);
        } else if lead.is_empty() || lead.iter().any(|first| fits(condition, first, group)) {
            met.push(group);
        }
    }
    // A record that says that it failed leads, of causes of causes the innermost, before a warning an error,
    // and what says why before what only sums up.
    met.sort_by(|a, b| {
        let rank = |group: &Group| {
            let kept = &group.first;
            let says_little = telling_score(&kept.line, kept.source) < 0;
            (is_quiet(kept), !is_nested(kept), kept.level == Level::Warn, says_little)
        };
        rank(a).cmp(&rank(b)).then_with(|| a.first.place.cmp(&b.first.place))
    });
    met
}

fn is_nested(kept: &Kept) -> bool {
    kept.line.trim_start().starts_with("Caused by:") || kept.line.contains(" Caused by: ")
}

/// Whether a record of a log says itself that nothing failed.
pub(super) fn is_quiet(kept: &Kept) -> bool {
    // These tell of failures in the same tone as of anything else.
    let speaks_calmly = matches!(
        kept.source,
        Source::EcsAgentLog
            | Source::EcsServiceEvent
            | Source::CfnStackEvent
            | Source::EcsStoppedTask
            | Source::DeployTool
    );
    !speaks_calmly && matches!(kept.level, Level::Info | Level::Debug | Level::Trace)
}

fn fits(condition: &Condition, first: &Group, group: &Group) -> bool {
    let same_stream = first.first.place.stream == group.first.place.stream;
    let distance = match condition.within {
        None => true,
        Some(Within::Lines(lines)) => {
            same_stream && first.first.place.seq.abs_diff(group.first.place.seq) <= lines
        }
        Some(Within::Seconds(seconds)) => match (first.first.place.time, group.first.place.time) {
            (Some(a), Some(b)) => a.as_second().abs_diff(b.as_second()) <= seconds,
            _ => same_stream,
        },
    };
    distance && (!condition.after || same_stream && group.last.seq >= first.first.place.seq)
}

/// Whether a record lies outside of the step of its job that failed.
pub(super) fn is_outside_failed(study: &Study<'_>, group: &Group) -> bool {
    let steps = study.steps.get(&group.first.place.stream);
    steps.is_some_and(|steps| steps.is_outside_failed(group.last.seq))
}

/// Returns why records that met a condition are no evidence of a failure.
pub(super) fn does_not_count(
    study: &Study<'_>,
    group: &Group,
    class: Option<Class>,
    deployments: &[String],
) -> Option<String> {
    if let Some(deployment) = &group.first.deployment
        && deployment.starts_with("ecs-svc/")
        && !deployments.is_empty()
        && !deployments.iter().any(|id| **id == **deployment)
    {
        return Some(format!("its task belongs to another deployment ({deployment})"));
    }
    if let Some(because) = foreign::is_of_another(&study.foreign, group) {
        return Some(because);
    }
    if group.first.source == Source::EcsStoppedTask && is_scale_in(&group.first.text) {
        return Some("the task was stopped by scaling in, not by a failure".to_owned());
    }
    if finished::is_done(&group.first) {
        return Some("the task is of no service, and ended without an error (exit code 0)".to_owned());
    }
    let placed = settled::was_placed(study, group);
    if placed && settled::is_settled(study, group) && !settled::lacks_database(study, group, class) {
        return Some("the service is steady and was not rolled back".to_owned());
    }
    let stream = &group.first.place.stream;
    let allowed = study.steps.get(stream).is_some_and(|steps| steps.went_on());
    if is_job(study, &group.first)
        && study.ended.contains(stream)
        && (allowed || !study.failed.contains(stream))
    {
        return Some("the job ended without an error".to_owned());
    }
    if let Some(because) = outlived(study, group, class) {
        return Some(because.to_owned());
    }
    let deleted = study.operations.deleted_after(group).map(str::to_owned);
    let healed =
        deleted.or_else(|| healed_by(study, &group.first.lane(), group, class).filter(|_| placed))?;
    Some(format!("it succeeded later: {}", without_transport(healed.trim())))
}

/// Whether tasks, targets, the service or the stack say that something failed.
pub(super) fn fails_outside(study: &Study<'_>, snapshot: &Snapshot) -> bool {
    let deployments = deployments_of(study, snapshot);
    let is_outside = |source: Source| {
        matches!(
            source,
            Source::EcsStoppedTask
                | Source::EcsServiceEvent
                | Source::AlbTargetHealth
                | Source::CfnStackEvent
        )
    };
    study.met.iter().any(|(owner, groups)| {
        let class = study.patterns.list().get(owner.pattern).map(|pattern| pattern.class);
        groups.values().any(|group| {
            is_outside(group.first.source) && does_not_count(study, group, class, &deployments).is_none()
        })
    })
}

/// Whether a task was stopped by scaling in.
pub(super) fn is_scale_in(text: &str) -> bool {
    text.contains("Scaling activity initiated by")
}

fn healed_by(study: &Study<'_>, lane: &Lane, group: &Group, class: Option<Class>) -> Option<String> {
    // A database whose scripts fail ends, and starts the next time without them.
    if group.first.line.contains("/docker-entrypoint-initdb.d/") {
        return None;
    }
    let is_of_job = group.first.source == Source::Other && is_job(study, &group.first);
    let source = if is_of_job { Source::DeployTool } else { group.first.source };
    let heals = |scope: &Scope, success: &Success| {
        let of_service = *scope == Scope::Service;
        // An application that started and then failed again starts once more, and will fail once more.
        let in_vain =
            *scope == Scope::Application && (group.first.place.seq..group.last.seq).contains(&success.first);
        // A last phase that cleans up succeeds whatever went before.
        let cleans_up = *scope == Scope::Pipeline
            && study.phase_failed.contains(&lane.0)
            && success.line.to_ascii_lowercase().contains("post_build");
        let unfinished =
            *scope == Scope::Part && study.faltered.get(&lane.0).is_some_and(|at| *at > success.seq);
        let connects =
            *scope == Scope::Connection && class.is_none() && is_about_connections(&group.first.line);
        // Where an application listens stays as it says, however well it starts; and one that listens on one port only
        // may be asked on another.
        let is_start = *scope == Scope::Application
            && class == Some(Class::PortBinding)
            && (study.fails_outside || succeeds(Scope::Application, &group.first.line));
        success.seq > group.last.seq
            && !is_start
            && (scope.heals(source, class) || connects)
            && !(of_service && (study.falls_again || undone_since(study, group)))
            && !(*scope == Scope::Application && study.supervised.is_down(&lane.0))
            && !in_vain
            && !cleans_up
            && !unfinished
    };
    let in_lane =
        study.successes.get(lane).into_iter().flatten().find(|(scope, success)| heals(scope, success));
    if let Some((_, success)) = in_lane {
        return Some(success.line.clone());
    }
    // What one program of a container asked of another before that one listened; and what a database server tells of
    // statements that it refused, where the application that sent them started after all.
    let asks_early = class == Some(Class::Network) && asks_itself(&group.first.line);
    let is_refused = source == Source::ContainerLog && group.first.line.contains(" ERROR:  ");
    if asks_early || is_refused {
        let of_stream = study.successes_of(&lane.0);
        let mut starts = of_stream.filter_map(|scopes| scopes.get(&Scope::Application));
        if let Some(start) = starts.find(|start| heals(&Scope::Application, start)) {
            return Some(start.line.clone());
        }
    }
    // Compose says which container ended; what that one says later shows that it was started again.
    let again = exited(&group.first.line).map(|name| (lane.0.clone(), Some(name.to_owned())));
    if let Some(start) = again.and_then(|lane| study.successes.get(&lane)?.get(&Scope::Application))
        && heals(&Scope::Application, start)
    {
        return Some(start.line.clone());
    }
    // A build that ends with an image, and nowhere says that it failed, has overcome what its steps met before.
    let of_stream = study.successes_of(&lane.0);
    let mut images = of_stream.filter_map(|scopes| scopes.get(&Scope::Pipeline));
    if source == Source::DockerBuild
        && !study.failed.contains(&lane.0)
        && let Some(success) = images.find(|success| success.seq > group.last.seq)
    {
        return Some(success.line.clone());
    }
    // A stack that is complete has overcome what its resources met before.
    let of_stack = study.successes_of(&lane.0);
    let complete = of_stack.filter_map(|scopes| scopes.get(&Scope::Stack));
    if let Some(success) = complete.into_iter().find(|success| heals(&Scope::Stack, success)) {
        return Some(success.line.clone());
    }
    // A service that reached its steady state without a roll-back has overcome what its tasks met before.
    let is_tasks = matches!(
        source,
        Source::ContainerLog | Source::EcsStoppedTask | Source::EcsServiceEvent | Source::AlbTargetHealth
    );
    if !is_tasks || study.falls_again || undone_since(study, group) {
        return None;
    }
    let time = group.last.time?;
    let steady = study.successes.values().filter_map(|scopes| scopes.get(&Scope::Service));
    steady
        .filter(|success| success.time.is_some_and(|at| at > time))
        .map(|success| success.line.clone())
        .max()
}

/// Returns the container that ended: `web exited with code 1`.
fn exited(line: &str) -> Option<&str> {
    let (name, _) = line.trim().split_once(" exited with code ")?;
    (!name.contains(' ')).then_some(name)
}

/// Whether a line speaks of an address of the task itself.
pub(super) fn asks_itself(line: &str) -> bool {
    ["127.0.0.1:", "localhost:", "[::1]:"].iter().any(|address| line.contains(address))
}

fn is_about_connections(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    [
        "connect",
        "refused",
        "broker",
        "reach",
        "resolve",
        "timed out",
        "timeout",
        "unavailable",
        " send ",
        "flush",
    ]
    .iter()
    .any(|word| lower.contains(word))
}

/// Whether a deployment was undone after these records, and no other one completed since.
fn undone_since(study: &Study<'_>, group: &Group) -> bool {
    let undone = study.undone.iter().filter(|(undone, _)| match (undone.time, group.first.place.time) {
        (Some(undone), Some(seen)) => undone >= seen,
        _ => true,
    });
    undone.max().is_some_and(|(undone, source)| !is_history(study, undone, *source))
}

/// Whether the last deployment that was undone was followed by one that completed.
pub(super) fn was_undone(study: &Study<'_>) -> bool {
    study.undone.iter().max().is_some_and(|(undone, source)| !is_history(study, undone, *source))
}

/// A stack that is complete again has been updated since. The first completion of a service after a roll-back
/// is the roll-back's own; one that comes later is another deployment's.
fn is_history(study: &Study<'_>, undone: &Place, source: Source) -> bool {
    let Some(time) = undone.time else { return false };
    if matches!(source, Source::CfnStackEvent | Source::Cdk) {
        let complete = study.successes.values().filter_map(|scopes| scopes.get(&Scope::Stack));
        return complete.into_iter().any(|success| success.time.is_some_and(|at| at > time));
    }
    let is_another = |(place, deployment): (&Place, &Option<String>)| {
        let named = deployment.as_deref().is_some_and(|id| !study.returned.contains(id));
        named && !study.returned.is_empty() && place.time.is_some_and(|at| at > time)
    };
    if study.completed.iter().any(is_another) || study.redeployed.is_some_and(|at| at > time) {
        return true;
    }
    let later: BTreeSet<i64> = study
        .completed
        .keys()
        .filter_map(|place| place.time)
        .filter(|at| *at > time)
        .map(|at| at.as_second() / 60)
        .collect();
    later.len() >= 2
}

/// Whether a record is the output of a job: a workflow, a build, a synthesis.
pub(super) fn is_job(study: &Study<'_>, kept: &Kept) -> bool {
    match kept.source {
        Source::GithubActions | Source::DockerBuild | Source::Cdk => true,
        Source::Other => study.jobs.contains(&kept.place.stream),
        _ => false,
    }
}

/// Takes from generic pages the records that a page knows better.
fn drop_generic(drafts: Vec<Draft<'_>>) -> Vec<Draft<'_>> {
    let specific: BTreeSet<usize> = drafts
        .iter()
        .filter(|draft| !draft.pattern.generic && !draft.pattern.symptom)
        .map(|draft| draft.index)
        .collect();
    let known_better = |group: &&Group, own: usize| {
        group.company.iter().any(|index| *index != own && specific.contains(index))
    };
    let mut kept = Vec::new();
    for mut draft in drafts {
        if draft.pattern.generic {
            let index = draft.index;
            for (role, groups) in &mut draft.groups {
                let had = !groups.is_empty();
                groups.retain(|group| !known_better(group, index));
                if *role == Role::Required && had && groups.is_empty() {
                    draft.violated.clear();
                }
            }
            let met = draft.groups.iter().all(|(role, groups)| *role != Role::Required || !groups.is_empty());
            if !met {
                continue;
            }
        }
        kept.push(draft);
    }
    kept
}

/// Returns the records of a draft, best first: one of each condition, then the others.
pub(super) fn evidence(draft: &Draft<'_>) -> Vec<Evidence> {
    let mut evidence: Vec<Evidence> = Vec::new();
    let longest = draft.groups.iter().map(|(_, groups)| groups.len()).max().unwrap_or(0);
    for rank in 0..longest {
        for (_, groups) in &draft.groups {
            if let Some(group) = groups.get(rank) {
                push_evidence(&mut evidence, group);
            }
        }
    }
    for result in &draft.violated {
        evidence.push(of_check(result));
    }
    evidence
}

pub(super) fn push_evidence(evidence: &mut Vec<Evidence>, group: &Group) {
    let kept = &group.first;
    let same = evidence.iter().any(|other| {
        other.stream == kept.place.stream && other.line_number == kept.line_number && other.text == kept.text
    });
    if same {
        return;
    }
    evidence.push(of_group(group));
}

pub(super) fn of_group(group: &Group) -> Evidence {
    let kept = &group.first;
    Evidence {
        text: kept.text.clone(),
        said: kept.said.clone(),
        line: kept.line.clone(),
        source: kept.source,
        stream: kept.place.stream.clone(),
        line_number: kept.line_number,
        seq: kept.place.seq,
        time: kept.place.time,
        level: kept.level,
        entity: kept.entity.as_deref().map(str::to_owned),
        count: group.count,
    }
}

pub(super) fn of_check(result: &CheckResult) -> Evidence {
    let text = match &result.outcome {
        Outcome::Violated { field, value, because } => {
            format!("{}: {field} = {value}: {because}", result.subject)
        }
        _ => format!("{}: {}", result.subject, result.check),
    };
    Evidence {
        line: text.clone(),
        text,
        said: None,
        source: Source::Other,
        stream: "snapshot".to_owned(),
        line_number: 0,
        seq: 0,
        time: None,
        level: Level::Error,
        entity: None,
        count: 1,
    }
}

/// Returns the values of the named groups, those of the leading evidence first.
pub(super) fn values(draft: &Draft<'_>) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for group in draft.all() {
        for (name, value) in &group.first.values {
            if !value.is_empty() {
                values.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
    }
    values
}
