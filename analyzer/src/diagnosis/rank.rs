//! Puts what was met in the order in which it may be the root cause: what explains the rest comes first.

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::BTreeSet;

use super::Proof;
use super::findings::{self, Draft};
use super::kept::{Group, Kept};
use super::study::Study;
use crate::record::{Place, Source};
use crate::taxonomy::{Class, Severity};

/// A draft with its place in the order of possible root causes.
pub(super) struct Candidate<'d> {
    pub draft: &'d Draft<'d>,
    pub explained_by: BTreeSet<usize>,
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
    /// It is about a container that runs on, while another one ended.
    alive: bool,
    away: bool,
    generic: bool,
    layer: u8,
    severity: std::cmp::Reverse<Severity>,
    place: Option<Place>,
    id: String,
}

impl Candidate<'_> {
    pub fn is_root(&self) -> bool {
        !self.order.symptom && !self.order.explained
    }

    /// Whether its records do not say that anything failed.
    pub fn is_weak(&self) -> bool {
        self.order.weak
    }
}

/// Returns the drafts in the order in which they may be the root cause.
pub(super) fn rank<'d>(study: &Study<'_>, drafts: &'d [Draft<'d>]) -> Vec<Candidate<'d>> {
    let mut ranked: Vec<Candidate<'d>> = Vec::new();
    let ended = Ended::of(drafts);
    for (index, draft) in drafts.iter().enumerate() {
        let explained_by: BTreeSet<usize> = drafts
            .iter()
            .enumerate()
            .filter(|(other, cause)| {
                *other != index
                    && explains(study, cause, draft)
                    && !explains_back(study, draft, cause)
                    && !ended.is_beside(cause, draft)
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
            survived: lead.is_some_and(|group| findings::is_outside_failed(study, group)),
            alive: ended.is_alive(draft),
            away: lead.is_some_and(|group| is_away(study, draft.pattern.class, &group.first)),
            generic: draft.pattern.generic,
            layer: layer(draft.pattern.class),
            severity: std::cmp::Reverse(draft.pattern.severity),
            place: lead.map(|group| group.first.place.clone()),
            id: draft.pattern.id.clone(),
        };
        ranked.push(Candidate { draft, explained_by, order });
    }
    open_circles(&mut ranked);
    ranked.sort_by(|a, b| a.order.cmp(&b.order));
    ranked
}

/// Where findings explain each other in a circle, and nothing else explains one of them, the first in order is the cause of the others.
/// Expects each candidate at the index by which others name it.
fn open_circles(candidates: &mut [Candidate<'_>]) {
    let index = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let edges = candidates.iter().enumerate().flat_map(|(other, candidate)| {
        candidate.explained_by.iter().map(move |cause| (index(*cause), index(other)))
    });
    let explains: DiGraph<(), ()> = DiGraph::from_edges(edges);
    for circle in tarjan_scc(&explains) {
        let circle: BTreeSet<usize> = circle.into_iter().map(NodeIndex::index).collect();
        let is_closed = || circle.iter().all(|other| candidates[*other].explained_by.is_subset(&circle));
        if circle.len() < 2 || !is_closed() {
            continue;
        }
        let Some(first) = circle.iter().copied().min_by_key(|other| &candidates[*other].order) else {
            continue;
        };
        candidates[first].explained_by.clear();
        candidates[first].order.explained = false;
    }
}

/// The containers that ended with an error, where a log of several says so: `web-1 exited with code 1`.
struct Ended<'d>(BTreeSet<(&'d str, &'d str)>);

impl<'d> Ended<'d> {
    fn of(drafts: &'d [Draft<'d>]) -> Ended<'d> {
        let symptoms = drafts.iter().filter(|draft| draft.pattern.symptom);
        let named = symptoms.flat_map(|draft| draft.all()).filter_map(|group| {
            let (name, code) = group.first.line.trim().split_once(" exited with code ")?;
            let is_name = !name.is_empty() && !name.contains(' ') && !code.starts_with('0');
            is_name.then_some((group.first.place.stream.as_str(), name))
        });
        Ended(named.collect())
    }

    /// Whether a finding is about a container of such a log that did not end.
    fn is_alive(&self, draft: &Draft<'_>) -> bool {
        draft.lead().is_some_and(|group| self.runs_on(&group.first))
    }

    /// Whether two findings are about two containers, of which only the other ended, and nothing but their classes joins them.
    fn is_beside(&self, cause: &Draft<'_>, other: &Draft<'_>) -> bool {
        let has_ended = |group: &Group| {
            let entity = group.first.entity.as_deref();
            entity.is_some_and(|name| self.0.contains(&(group.first.place.stream.as_str(), name)))
        };
        self.is_alive(cause)
            && other.lead().is_some_and(has_ended)
            && !other.pattern.symptom
            && !cause.pattern.explains.contains(&other.pattern.id)
            && !answers_for(cause, other)
    }

    fn runs_on(&self, kept: &Kept) -> bool {
        let stream = kept.place.stream.as_str();
        let Some(entity) = kept.entity.as_deref() else { return false };
        self.0.iter().any(|(of, _)| *of == stream) && !self.0.contains(&(stream, entity))
    }
}

/// Whether one finding makes the other understandable.
fn explains(study: &Study<'_>, cause: &Draft<'_>, other: &Draft<'_>) -> bool {
    if cause.pattern.symptom {
        return false;
    }
    if other.pattern.symptom {
        return true;
    }
    // What is printed after a step has failed, or came before it, does not explain why it did.
    let is_outside =
        |draft: &Draft<'_>| draft.lead().is_some_and(|group| findings::is_outside_failed(study, group));
    if is_outside(cause) && !is_outside(other) && same_stream(cause, other) {
        return false;
    }
    // What a program says of its own failure is the reason for what is seen of it from outside.
    if is_own_failure(other) && is_outside_view(cause) {
        return false;
    }
    if answers_for(cause, other) || is_own_failure(cause) && is_outside_view(other) {
        return true;
    }
    if answers_for(other, cause) {
        return false;
    }
    let same_class = cause.pattern.class == other.pattern.class;
    // A wide net explains nothing that a page of the same class knows better.
    if cause.pattern.generic && !other.pattern.generic && same_class {
        return false;
    }
    cause.pattern.names_as_explained(&other.pattern.id, other.pattern.class)
        && !is_outer_view(study, cause, other)
        && !sums_up(cause, other)
        && !announces(cause, other)
        || other.pattern.generic && !cause.pattern.generic && same_class
        || is_deeper_in_the_same_trace(cause, other)
        || is_written_for_the_source(study, cause, other)
        || is_outer_view(study, other, cause)
}

/// Whether a wide net met only what load balancers and ECS say of a container.
pub(super) fn is_outside_view(draft: &Draft<'_>) -> bool {
    let is_outside = |group: &Group| !matches!(group.first.source, Source::ContainerLog | Source::Other);
    draft.pattern.generic
        && matches!(draft.pattern.class, Class::StartupHealth | Class::Network)
        && draft.all().all(is_outside)
}

/// Whether the log of a container tells that its program failed.
fn is_own_failure(draft: &Draft<'_>) -> bool {
    draft.pattern.class == Class::StartupHealth
        && !draft.pattern.symptom
        && draft
            .lead()
            .is_some_and(|lead| lead.first.source == Source::ContainerLog && !findings::is_quiet(&lead.first))
}

/// Whether the other program, which one finding says does not answer, says itself why.
fn answers_for(cause: &Draft<'_>, other: &Draft<'_>) -> bool {
    let (Some(own), Some(asking)) = (cause.lead(), other.lead()) else { return false };
    let is_log = |group: &Group| matches!(group.first.source, Source::ContainerLog | Source::Other);
    let domain = cause.pattern.class.as_str().starts_with("application/");
    other.pattern.elsewhere
        && !cause.pattern.elsewhere
        && !cause.pattern.symptom
        && !cause.pattern.generic
        && domain
        && is_log(own)
        && is_log(asking)
        && (own.first.lane() != asking.first.lane() || is_before(own, asking))
}

/// Whether what a task asks of itself failed after another of its programs had.
fn is_before(own: &Group, asking: &Group) -> bool {
    own.first.place.seq < asking.first.place.seq && findings::asks_itself(&asking.first.line)
}

/// A wide net that met a later record sums up what a page of another class read before it: it does not explain it.
fn sums_up(cause: &Draft<'_>, other: &Draft<'_>) -> bool {
    let (Some(lead), Some(met)) = (cause.lead(), other.lead()) else { return false };
    let (lead, met) = (&lead.first.place, &met.first.place);
    let is_later = match (lead.time, met.time) {
        _ if lead.stream == met.stream => lead.seq > met.seq,
        (Some(lead), Some(met)) => lead > met,
        _ => false,
    };
    is_later
        && cause.pattern.generic
        && !other.pattern.generic
        && !cause.pattern.explains.contains(&other.pattern.id)
}

/// A wide net that met the words that announce an error does not explain what a page of another class reads right behind them:
/// that is the error.
fn announces(cause: &Draft<'_>, other: &Draft<'_>) -> bool {
    const RIGHT_BEHIND: u64 = 12;
    let (Some(lead), Some(met)) = (cause.lead(), other.lead()) else { return false };
    let distance = met.first.place.seq.checked_sub(lead.first.place.seq);
    cause.pattern.generic
        && !other.pattern.generic
        // That a database cannot be reached is how an application tells of the network.
        && other.pattern.class != Class::Network
        && lead.first.lane() == met.first.lane()
        && distance.is_some_and(|distance| distance <= RIGHT_BEHIND)
        && !cause.pattern.explains.contains(&other.pattern.id)
}

fn same_stream(one: &Draft<'_>, other: &Draft<'_>) -> bool {
    let stream = |draft: &Draft<'_>| draft.lead().map(|group| group.first.place.stream.clone());
    stream(one) == stream(other)
}

/// Of two pages that explain each other, the one that names the other knows better than one that names its whole class;
/// else it is left to the order of candidates.
fn explains_back(study: &Study<'_>, cause: &Draft<'_>, other: &Draft<'_>) -> bool {
    let names = |one: &Draft<'_>, another: &Draft<'_>| one.pattern.explains.contains(&another.pattern.id);
    let by_class = |one: &Draft<'_>, another: &Draft<'_>| {
        !names(one, another) && one.pattern.names_as_explained(&another.pattern.id, another.pattern.class)
    };
    let knows_better = names(cause, other) && by_class(other, cause);
    let is_first = cause.pattern.id < other.pattern.id && !(names(other, cause) && by_class(cause, other));
    explains(study, cause, other) && (knows_better || is_first)
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

/// A message about an application in the output of a job is likelier a test's than the deployment's,
/// unless ECS says it of a task.
fn is_away(study: &Study<'_>, class: Class, kept: &Kept) -> bool {
    const OF_A_TASK: [&str; 4] =
        ["ResourceInitializationError", "TaskFailedToStart", "toppedReason", "CannotPullContainerError"];
    let is_of_task = OF_A_TASK.iter().any(|word| kept.line.contains(word));
    class.as_str().starts_with("application/") && !is_of_task && findings::is_job(study, kept)
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
