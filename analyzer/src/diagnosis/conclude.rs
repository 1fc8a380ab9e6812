//! Finds the root cause among findings and puts the diagnosis together.

use std::collections::{BTreeMap, BTreeSet};

use super::facts;
use super::findings::{self, Draft};
use super::markers::Scope;
use super::study::{Group, Kept, Study};
use super::telling::TELLING_ENOUGH;
use super::without_page::{is_outside_failed, without_page};
use super::{
    Blocker, Diagnosis, Evidence, Finding, Gap, Proof, RuledOut, Seen, TimelineEntry, Verdict, confidence,
};
use crate::checks::{Check, CheckResult, Outcome};
use crate::record::{Level, Place, Source};
use crate::snapshot::Snapshot;
use crate::taxonomy::Class;

pub(super) const MOST_EVIDENCE: usize = 10;
const MOST_TIMELINE: usize = 60;
/// Records this close to the lead are its surroundings.
const NEAR: u64 = 4;

pub(super) fn conclude(study: Study<'_>, snapshot: &Snapshot, mut gaps: Vec<Gap>) -> Diagnosis {
    let mut checks: Vec<CheckResult> = Check::ALL.iter().flat_map(|check| check.run(snapshot)).collect();
    checks.sort();
    let mut ruled_out = BTreeSet::new();
    let drafts = findings::drafts(&study, snapshot, &checks, &mut ruled_out);
    let deployments = findings::deployments_of(&study, snapshot);
    let shown = telling_groups(&study, &deployments, &mut ruled_out);
    let told: Vec<&Group> = shown.iter().copied().filter(|group| group.score >= TELLING_ENOUGH).collect();
    let mut ranked = rank(&study, &drafts);
    let mut findings: Vec<Finding> = Vec::new();
    let mut probability = None;
    let undone = findings::was_undone(&study);
    checks.retain(|result| !(undone && result.check == Check::TaskDefinitionActive));
    let root = ranked.iter().position(|candidate| candidate.is_root());
    let weak = root.is_some_and(|index| ranked[index].is_weak());
    match root {
        Some(index) if !weak || told.is_empty() => {
            let candidate = ranked.remove(index);
            let mut finding = finding_of(candidate.draft);
            if candidate.draft.pattern.generic {
                add_best_told(&mut finding.evidence, &told);
            }
            add_telling_evidence(&mut finding.evidence, candidate.draft.lead(), &shown);
            findings.push(finding);
        }
        _ => {
            let without_page = without_page(&study, &drafts, &checks, &told, &shown);
            findings.extend(without_page.map(|(finding, judged)| {
                probability = judged;
                finding
            }));
        }
    }
    let has_root_cause = !findings.is_empty();
    let mut rivals = 0;
    for candidate in &ranked {
        rivals +=
            usize::from(candidate.is_root() && !candidate.is_weak() && !candidate.draft.pattern.generic);
        let mut finding = finding_of(candidate.draft);
        finding.explained_by =
            candidate.explained_by.iter().map(|&index| drafts[index].pattern.id.clone()).collect();
        confidence::settle(&mut finding, 0, None);
        findings.push(finding);
    }
    if has_root_cause {
        name_explained(&mut findings);
        confidence::settle(&mut findings[0], rivals, probability);
        gaps.extend(missing_cause(&findings[0]));
    }
    if !has_root_cause {
        gaps.extend(told.first().map(|group| not_understood(group)));
    }
    gaps.extend(gaps_of_checks(&findings));
    gaps.sort();
    gaps.dedup();
    let blockers = blockers(&findings, &checks);
    let verdict = verdict(&study, has_root_cause);
    let timeline = timeline(&study, &findings);
    let deployment = facts::facts(&study, snapshot);
    let seen = Seen { streams: study.streams.len() as u64, ..study.seen };
    Diagnosis {
        verdict,
        findings,
        has_root_cause,
        blockers,
        ruled_out: ruled_out.into_iter().collect(),
        timeline,
        gaps,
        redactions: study.redactions,
        checks,
        deployment,
        seen,
    }
}

/// A draft with its place in the order of possible root causes.
struct Candidate<'d> {
    draft: &'d Draft<'d>,
    explained_by: BTreeSet<usize>,
    order: Order,
}

/// Smaller is likelier the root cause.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Order {
    symptom: bool,
    explained: bool,
    unproven: bool,
    weak: bool,
    /// It lies outside of the step of the job that failed.
    survived: bool,
    away: bool,
    generic: bool,
    layer: u8,
    place: Option<Place>,
    id: String,
}

impl Candidate<'_> {
    fn is_root(&self) -> bool {
        !self.order.symptom && !self.order.explained
    }

    /// Whether its records do not say that anything failed.
    fn is_weak(&self) -> bool {
        self.order.weak
    }
}

fn rank<'d>(study: &Study<'_>, drafts: &'d [Draft<'d>]) -> Vec<Candidate<'d>> {
    let mut ranked: Vec<Candidate<'d>> = Vec::new();
    for (index, draft) in drafts.iter().enumerate() {
        let explained_by: BTreeSet<usize> = drafts
            .iter()
            .enumerate()
            .filter(|(other, cause)| {
                *other != index && explains(study, cause, draft) && !explains_back(study, draft, cause)
            })
            .map(|(other, _)| other)
            .collect();
        let lead = draft.lead();
        let order = Order {
            symptom: draft.pattern.symptom,
            explained: !explained_by.is_empty(),
            unproven: draft.proof != Proof::Confirmed,
            weak: draft.proof != Proof::Confirmed
                && lead.is_some_and(|group| findings::is_quiet(&group.first)),
            survived: lead.is_some_and(|group| is_outside_failed(study, group)),
            away: lead.is_some_and(|group| is_away(study, draft.pattern.class, &group.first)),
            generic: draft.pattern.generic,
            layer: layer(draft.pattern.class),
            place: lead.map(|group| group.first.place.clone()),
            id: draft.pattern.id.clone(),
        };
        ranked.push(Candidate { draft, explained_by, order });
    }
    ranked.sort_by(|a, b| a.order.cmp(&b.order));
    ranked
}

/// Whether one finding makes the other understandable.
fn explains(study: &Study<'_>, cause: &Draft<'_>, other: &Draft<'_>) -> bool {
    if cause.pattern.symptom {
        return false;
    }
    if other.pattern.symptom {
        return true;
    }
    let same_class = cause.pattern.class == other.pattern.class;
    // A wide net explains nothing that a page of the same class knows better.
    if cause.pattern.generic && !other.pattern.generic && same_class {
        return false;
    }
    cause.pattern.names_as_explained(&other.pattern.id, other.pattern.class)
        && !is_outer_view(study, cause, other)
        || other.pattern.generic && !cause.pattern.generic && same_class
        || is_deeper_in_the_same_trace(cause, other)
        || is_written_for_the_source(study, cause, other)
        || is_outer_view(study, other, cause)
}

/// Two pages that explain each other leave it to the order of candidates.
fn explains_back(study: &Study<'_>, cause: &Draft<'_>, other: &Draft<'_>) -> bool {
    explains(study, cause, other) && cause.pattern.id < other.pattern.id
}

/// On one record outside of a job, a page about the pipeline sees from outside what another page names.
fn is_outer_view(study: &Study<'_>, outer: &Draft<'_>, inner: &Draft<'_>) -> bool {
    let (Some(lead), Some(met)) = (outer.lead(), inner.lead()) else { return false };
    outer.pattern.class == Class::Workflow
        && inner.pattern.class != Class::Workflow
        && !inner.pattern.generic
        && !inner.pattern.symptom
        && lead.first.place == met.first.place
        && !findings::is_job(study, &lead.first)
}

fn is_deeper_in_the_same_trace(cause: &Draft<'_>, other: &Draft<'_>) -> bool {
    let (Some(cause), Some(other)) = (cause.lead(), other.lead()) else { return false };
    let innermost = cause.first.line.trim_start().starts_with("Caused by:");
    // The last line of a Python trace is the exception, the others are frames.
    let exception = !cause.first.line.starts_with(' ') && other.first.line.starts_with(' ');
    cause.first.place == other.first.place
        && cause.first.line_index > other.first.line_index
        && (innermost || exception)
}

/// Of two pages that met one record of a job, the one that names its source knows better.
fn is_written_for_the_source(study: &Study<'_>, cause: &Draft<'_>, other: &Draft<'_>) -> bool {
    let (Some(lead), Some(met)) = (cause.lead(), other.lead()) else { return false };
    findings::is_job(study, &met.first)
        && lead.first.place == met.first.place
        && other.pattern.class != Class::Credentials
        && names_source(cause, met.first.source)
        && !names_source(other, met.first.source)
}

fn names_source(draft: &Draft<'_>, source: Source) -> bool {
    draft.pattern.conditions.iter().any(|condition| condition.sources.contains(&source))
}

/// A message about an application in the output of a job is likelier a test's than the deployment's.
fn is_away(study: &Study<'_>, class: Class, kept: &Kept) -> bool {
    class.as_str().starts_with("application/") && findings::is_job(study, kept)
}

/// What happens in an inner layer causes what happens in an outer one.
pub(super) fn layer(class: Class) -> u8 {
    match class {
        Class::ServiceStartup => 1,
        Class::StackFailure => 2,
        Class::Cdk | Class::Workflow => 3,
        _ => 0,
    }
}

pub(super) fn finding_of(draft: &Draft<'_>) -> Finding {
    let pattern = draft.pattern;
    let mut evidence = findings::evidence(draft);
    evidence.truncate(MOST_EVIDENCE);
    Finding {
        cause: pattern.id.clone(),
        class: pattern.class,
        title: pattern.title.clone(),
        severity: pattern.severity,
        known: true,
        symptom: pattern.symptom,
        generic: pattern.generic,
        proof: draft.proof,
        proof_checks: draft.proof_checks.clone(),
        confidence: 0.0,
        confidence_because: Vec::new(),
        evidence,
        values: findings::values(draft),
        explains: Vec::new(),
        explained_by: Vec::new(),
        remedies: pattern.remedies.clone(),
    }
}

/// Returns the telling records that count, best first.
fn telling_groups<'s>(
    study: &'s Study<'_>,
    deployments: &[String],
    ruled_out: &mut BTreeSet<RuledOut>,
) -> Vec<&'s Group> {
    let mut told: Vec<&Group> = Vec::new();
    for group in study.telling.values().flat_map(|groups| groups.values()) {
        // What is no evidence for the page that knows a record is none without the page.
        let classes = group.company.iter().map(|index| &study.patterns.list()[*index]);
        let classes = classes.filter(|pattern| !pattern.symptom).map(|pattern| Some(pattern.class));
        let taken_away = std::iter::once(None)
            .chain(classes)
            .find_map(|class| findings::does_not_count(study, group, class, deployments));
        match taken_away {
            Some(because) => {
                let line: String = group.first.line.trim().chars().take(80).collect();
                if ruled_out.len() < 20 {
                    ruled_out.insert(RuledOut { cause: format!("`{line}`"), because });
                }
            }
            None => told.push(group),
        }
    }
    told.sort_by(|a, b| b.score.cmp(&a.score).then_with(|| by_place(a, b)));
    told
}

/// In a pipeline the first error stops the run; a container prints the fatal one last.
fn by_place(a: &Group, b: &Group) -> std::cmp::Ordering {
    match (a.first.source, b.first.source) {
        (Source::ContainerLog, Source::ContainerLog) => b.last.cmp(&a.last),
        (Source::ContainerLog, _) => std::cmp::Ordering::Less,
        (_, Source::ContainerLog) => std::cmp::Ordering::Greater,
        _ => a.first.place.cmp(&b.first.place),
    }
}

/// Puts what tells most in the stream of the lead beside it: a wide net does not know which record is the cause.
fn add_best_told(evidence: &mut Vec<Evidence>, told: &[&Group]) {
    let Some(stream) = evidence.first().map(|item| item.stream.clone()) else { return };
    let Some(best) = told.iter().find(|group| group.first.place.stream == stream) else { return };
    let place =
        evidence.iter().position(|item| item.stream == stream && item.line_number == best.first.line_number);
    match place {
        Some(at) if at > 2 => {
            let item = evidence.remove(at);
            evidence.insert(1, item);
        }
        Some(_) => {}
        None => evidence.insert(1, findings::of_group(best)),
    }
}

/// Adds what the same streams say besides: what stands next to the lead first, then what tells most.
pub(super) fn add_telling_evidence(evidence: &mut Vec<Evidence>, lead: Option<&Group>, shown: &[&Group]) {
    let streams: BTreeSet<&str> = evidence.iter().map(|item| item.stream.as_str()).collect();
    let mut others: Vec<&Group> =
        shown.iter().copied().filter(|group| streams.contains(group.first.place.stream.as_str())).collect();
    let distance = |group: &Group| match lead {
        Some(lead) if lead.first.place.stream == group.first.place.stream => {
            lead.first.place.seq.abs_diff(group.first.place.seq)
        }
        _ => u64::MAX,
    };
    others.sort_by_key(|group| {
        let near = distance(group) <= NEAR;
        (!near && group.score < TELLING_ENOUGH, !near, if near { -group.score } else { 0 })
    });
    others.retain(|group| {
        !evidence.iter().any(|item| {
            item.stream == group.first.place.stream && item.line_number == group.first.line_number
        })
    });
    let at = evidence.len().min(2);
    for (offset, group) in others.into_iter().take(4).enumerate() {
        let place = if offset == 0 { at } else { evidence.len() };
        evidence.insert(place, findings::of_group(group));
    }
    evidence.truncate(MOST_EVIDENCE);
}

fn name_explained(findings: &mut [Finding]) {
    let Some((root, others)) = findings.split_first_mut() else { return };
    let mut explained: BTreeSet<String> = root.explains.drain(..).collect();
    for other in others {
        if other.symptom || other.explained_by.contains(&root.cause) {
            explained.insert(other.cause.clone());
            if !other.explained_by.contains(&root.cause) {
                other.explained_by.insert(0, root.cause.clone());
            }
        }
    }
    root.explains = explained.into_iter().collect();
}

fn verdict(study: &Study<'_>, has_root_cause: bool) -> Verdict {
    let succeeded = study.successes.values().flatten().any(|(scope, _)| *scope != Scope::Connection);
    match (has_root_cause, succeeded) {
        (true, _) => Verdict::Failed,
        (false, true) if !findings::was_undone(study) => Verdict::Healthy,
        _ => Verdict::CannotTell,
    }
}

/// Names the record that tells most where even its class would be a guess.
fn not_understood(group: &Group) -> Gap {
    let message: String = super::telling::message_of(&group.first.line).chars().take(160).collect();
    Gap {
        what: "a page for this failure".to_owned(),
        because: format!("no pattern knows `{message}`, and its words do not tell where to look"),
        remedy: Some(
            "add what the task, the stack or the job says besides, or a page: medic patterns new".to_owned(),
        ),
    }
}

fn missing_cause(root: &Finding) -> Option<Gap> {
    if root.known {
        return None;
    }
    let symptom = root.symptom;
    let (what, because, remedy) = match root.class {
        _ if !symptom => (
            "a page for this failure",
            "no pattern knows the message, so the class was judged by its words",
            "add a page: medic patterns new",
        ),
        Class::StackFailure => (
            "the stack events that come before the rollback",
            "the records begin after the failure or belong to a nested stack",
            "aws cloudformation describe-stack-events --stack-name STACK",
        ),
        Class::ServiceStartup => (
            "the stopped tasks and the log of the container",
            "the records show that tasks failed, not why",
            "aws ecs describe-tasks --cluster CLUSTER --tasks TASK",
        ),
        Class::StartupHealth => (
            "the log of the container and the health of its targets",
            "the records show that the task was not healthy, not why",
            "aws logs filter-log-events --log-group-name GROUP",
        ),
        _ => (
            "the output of the step that failed",
            "the records show that a step failed, not why",
            "run the step again with its full output",
        ),
    };
    Some(Gap { what: what.to_owned(), because: because.to_owned(), remedy: Some(remedy.to_owned()) })
}

fn gaps_of_checks(findings: &[Finding]) -> Vec<Gap> {
    let Some(root) = findings.first() else { return Vec::new() };
    let unknown = root.proof_checks.iter().filter_map(|result| match &result.outcome {
        Outcome::Unknown { missing } => Some(Gap {
            what: missing.clone(),
            because: format!("without it Medic cannot check whether {}", result.check.says()),
            remedy: Some(format!("add the answer of {} to the input", result.check.permission())),
        }),
        _ => None,
    });
    unknown.collect()
}

/// Returns the violated checks that would stop the next deployment, in the order in which it would meet them.
fn blockers(findings: &[Finding], checks: &[CheckResult]) -> Vec<Blocker> {
    let proven: Vec<&CheckResult> =
        findings.first().into_iter().flat_map(|root| &root.proof_checks).collect();
    let mut violated: Vec<&CheckResult> = checks
        .iter()
        .filter(|result| result.is_violated() && prevents(result.check).is_some() && !proven.contains(result))
        .collect();
    violated.sort_by_key(|result| prevents(result.check));
    let mut blockers = Vec::new();
    for result in violated {
        let (Some((_, class)), Outcome::Violated { field, value, because }) =
            (prevents(result.check), &result.outcome)
        else {
            continue;
        };
        let cause = findings.iter().skip(1).find(|finding| finding.proof_checks.contains(result));
        blockers.push(Blocker {
            class,
            cause: cause.map(|finding| finding.cause.clone()),
            title: because.clone(),
            because: format!("{}: {field} = {value}", result.subject),
        });
    }
    blockers
}

/// Returns when in a deployment a violated check stops it, and its class; nothing for checks that report state.
pub(super) fn prevents(check: Check) -> Option<(u8, Class)> {
    use Check::*;
    match check {
        TaskDefinitionActive => Some((0, Class::Configuration)),
        FargateSizeValid
        | ContainerMemoryFits
        | EssentialContainerPresent
        | NetworkModeFits
        | DependencyOrderAcyclic => Some((1, Class::Configuration)),
        HostPortMatches | LoadBalancerContainerExists => Some((2, Class::PortBinding)),
        DesiredCountPositive => Some((3, Class::Configuration)),
        DeploymentPercentagesLeaveRoom => Some((3, Class::ServiceStartup)),
        ExecutionRolePresent => Some((4, Class::Credentials)),
        ImageReferenceValid | ImageExists => Some((5, Class::Image)),
        SecretReferencesValid => Some((6, Class::Configuration)),
        LogGroupConfigured => Some((7, Class::Configuration)),
        ImageArchitectureMatches => Some((8, Class::StartupHealth)),
        TargetPortMatchesContainer | HealthCheckPortExposed => Some((9, Class::PortBinding)),
        HealthCheckTiming | GracePeriodCoversStartup => Some((10, Class::StartupHealth)),
        LogDriverBlocking | CircuitBreakerState | TargetHealth | TasksRunning | StackStatus => None,
    }
}

fn timeline(study: &Study<'_>, findings: &[Finding]) -> Vec<TimelineEntry> {
    let mut entries: BTreeMap<Place, TimelineEntry> = BTreeMap::new();
    for (place, kept) in &study.events {
        entries.insert(place.clone(), entry(place, kept.source, kept.level, &kept.line, None, 1));
    }
    for finding in findings {
        for evidence in finding.evidence.iter().filter(|evidence| evidence.line_number > 0) {
            let found = entries
                .values_mut()
                .find(|entry| entry.stream == evidence.stream && entry.text == clip(&evidence.line));
            match found {
                Some(entry) => {
                    entry.cause.get_or_insert_with(|| finding.cause.clone());
                    entry.count = entry.count.max(evidence.count);
                }
                None => {
                    let place =
                        Place { time: evidence.time, stream: evidence.stream.clone(), seq: evidence.seq };
                    let cause = Some(finding.cause.clone());
                    let entry =
                        entry(&place, evidence.source, evidence.level, &evidence.line, cause, evidence.count);
                    entries.entry(place).or_insert(entry);
                }
            }
        }
    }
    for ((stream, _), scopes) in &study.successes {
        for success in scopes.values() {
            let place = Place { time: success.time, stream: stream.clone(), seq: success.seq };
            let source = study.streams.get(stream).copied().unwrap_or(Source::Other);
            let entry = entry(&place, source, Level::Info, &success.line, None, 1);
            entries.entry(place).or_insert(entry);
        }
    }
    let mut timeline: Vec<TimelineEntry> = entries.into_values().collect();
    while timeline.len() > MOST_TIMELINE {
        // What is evidence stays; of the rest the middle goes first.
        let middle = timeline.len() / 2;
        let idle = (0..timeline.len()).filter(|&index| timeline[index].cause.is_none());
        let Some(index) = idle.min_by_key(|index| index.abs_diff(middle)) else { break };
        timeline.remove(index);
    }
    timeline.truncate(MOST_TIMELINE);
    timeline
}

fn entry(
    place: &Place,
    source: Source,
    level: Level,
    text: &str,
    cause: Option<String>,
    count: u64,
) -> TimelineEntry {
    TimelineEntry {
        time: place.time,
        stream: place.stream.clone(),
        seq: place.seq,
        source,
        level,
        text: clip(text),
        cause,
        count,
    }
}

fn clip(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    match line.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
