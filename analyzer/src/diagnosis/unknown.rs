//! Failures that no page knows: the record that tells most, what a check shows, what the symptoms leave open.

use std::collections::{BTreeMap, BTreeSet};

use super::conclude::{MOST_EVIDENCE, finding_of, prevents};
use super::findings::{self, Draft};
use super::kept::Group;
use super::last_words;
use super::markers::Scope;
use super::rank::layer;
use super::stalled;
use super::study::Study;
use super::telling::{self, TELLING_ENOUGH};
use super::{Evidence, Finding, Proof, RuledOut};
use crate::checks::{Check, CheckResult, Outcome};
use crate::record::{Level, Source, without_transport};
use crate::taxonomy::{Class, Severity};
use crate::words::Judgement;

/// Records this close to the lead are its surroundings.
const NEAR: u64 = 4;
/// So many lines of a record bear on its class.
const MOST_CONTEXT: usize = 12;
/// Of what was claimed below this for the log of an application, on labelled cases, none was a failure;
/// above it, nearly all.
const MORE_THAN_A_GUESS: f32 = 0.56;
/// Below this the usual class of the source is right more often than the words.
const WORTH_ITS_CLASS: f32 = 0.47;

/// Returns the telling records that count, best first.
pub(super) fn telling_groups<'s>(
    study: &'s Study<'_>,
    deployments: &[String],
    ruled_out: &mut BTreeSet<RuledOut>,
) -> Vec<&'s Group> {
    let mut told: Vec<&Group> = Vec::new();
    for group in study.telling.values().flat_map(|groups| groups.values()) {
        if group.first.source == Source::EcsAgentLog && !is_about_tasks(&group.first.line) {
            continue;
        }
        // What is no evidence for the page that knows a record is none without the page.
        let classes = group.company.iter().map(|index| &study.patterns.list()[*index]);
        let classes = classes.filter(|pattern| !pattern.symptom).map(|pattern| Some(pattern.class));
        let taken_away = std::iter::once(None)
            .chain(classes)
            .find_map(|class| findings::does_not_count(study, group, class, deployments));
        match taken_away {
            Some(because) => {
                if ruled_out.len() < 20 {
                    ruled_out.insert(RuledOut { cause: in_short(&group.first.line), because });
                }
            }
            None => told.push(group),
        }
    }
    told.sort_by(|a, b| b.score.cmp(&a.score).then_with(|| by_place(a, b)));
    told
}

/// Whether the agent of ECS speaks of what a task needs to run; its books on images, volumes and statistics do not matter.
fn is_about_tasks(line: &str) -> bool {
    const WORDS: [&str; 18] = [
        "start",
        "creat",
        "pull",
        "transition",
        "provision",
        "attach",
        "mount",
        "setup",
        "setting up",
        "set up",
        "initiali",
        "launch",
        "regist",
        "credential",
        "network",
        "cgroup",
        "docker daemon",
        "run ",
    ];
    let lower = line.to_ascii_lowercase();
    WORDS.iter().any(|word| lower.contains(word))
}

/// Quotes the beginning of a line, as evidence is shown.
fn in_short(line: &str) -> String {
    const LONGEST: usize = 80;
    let line = without_transport(line.trim());
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("`{}…`", &line[..end]),
        None => format!("`{line}`"),
    }
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

/// A finding, and how probable the words make its class.
pub(super) type Judged = (Finding, Option<f64>);

/// Finds the cause where no page knows it: the most telling record, a violated check, a symptom, an operation without end.
pub(super) fn without_page(
    study: &Study<'_>,
    drafts: &[Draft<'_>],
    checks: &[CheckResult],
    told: &[&Group],
    shown: &[&Group],
) -> Option<Judged> {
    if let Some(found) = unknown(study, told, shown, drafts).or_else(|| by_check(study, checks)) {
        return Some(found);
    }
    // That a step failed says nothing; any line of the step that tells something says more.
    let tells_more =
        drafts.iter().all(|draft| draft.pattern.class == Class::Workflow && draft.pattern.symptom);
    if tells_more && !drafts.is_empty() || drafts.is_empty() && study.successes.is_empty() {
        let inside: Vec<&Group> =
            shown.iter().copied().filter(|group| !findings::is_outside_failed(study, group)).collect();
        if let Some(found) = unknown(study, &inside, shown, drafts) {
            return Some(found);
        }
    }
    if let Some(found) = last_words::of_ended(study, drafts, shown) {
        return Some(found);
    }
    if let Some(mut finding) = from_symptoms(study, drafts) {
        show_best_of_logs(&mut finding.evidence, told);
        add_telling_evidence(&mut finding.evidence, None, shown);
        return Some((finding, None));
    }
    stalled::stalled(study).map(|finding| (finding, None))
}

/// Makes a finding of the error that the log of a container ends with, where no page knows it.
pub(super) fn said_at_the_end(
    study: &Study<'_>,
    drafts: &[Draft<'_>],
    told: &[&Group],
    shown: &[&Group],
) -> Option<Judged> {
    let lead = told.first().filter(|group| group.first.source == Source::ContainerLog)?;
    let is_error = lead.first.level >= Level::Error || is_uncaught(&lead.first.text);
    if !is_error || !study.tails.ends_with(lead) {
        return None;
    }
    unknown(study, told, shown, drafts)
}

/// Makes a finding of the most telling record that no page knows.
fn unknown(study: &Study<'_>, told: &[&Group], shown: &[&Group], drafts: &[Draft<'_>]) -> Option<Judged> {
    let lead = told.first()?;
    // Where neither the words nor the place tell a class, it may be no failure at all, unless it was the last thing said.
    let ends = match speaks_of_anything(lead.first.source) {
        true => ends_with(study, lead),
        false => lead.first.level == Level::Fatal,
    };
    let judged = judge(study, lead, told);
    let sure = judged.as_ref().is_some_and(|judged| {
        !speaks_of_anything(lead.first.source) || judged.probability >= MORE_THAN_A_GUESS
    });
    (sure || ends || tells_class(lead.first.source)).then(|| of_lead(lead, judged, ends, shown, drafts))
}

/// Makes a finding of a record that no page knows; `ends` says that it ended the program.
pub(super) fn of_lead(
    lead: &Group,
    judged: Option<Judgement>,
    ends: bool,
    shown: &[&Group],
    drafts: &[Draft<'_>],
) -> Judged {
    let mut evidence = Vec::new();
    findings::push_evidence(&mut evidence, lead);
    for symptom in drafts.iter().filter(|draft| draft.pattern.symptom && !draft.pattern.generic).take(1) {
        symptom.lead().into_iter().for_each(|group| findings::push_evidence(&mut evidence, group));
    }
    add_telling_evidence(&mut evidence, Some(lead), shown);
    // What is said of a task is usually why it could not start; words have to speak up against that.
    let is_weak = |probability: f32| {
        probability < MORE_THAN_A_GUESS && is_of_a_task(lead.first.source)
            || probability < WORTH_ITS_CLASS && ends
    };
    let class = judged
        .as_ref()
        .filter(|judged| !is_weak(judged.probability))
        .map_or_else(|| usual_class(lead.first.source), |judged| judged.class);
    let class = class_beside(lead, drafts).unwrap_or(class);
    // A symptom in sight narrows down where the unknown failure lies, but does not name it.
    let explains =
        drafts.iter().filter(|draft| draft.pattern.symptom).map(|draft| draft.pattern.id.clone()).collect();
    let message: String = telling::message_of(&lead.first.line).chars().take(160).collect();
    let finding = Finding {
        cause: format!("{class}/unknown"),
        class,
        title: format!("No known error matches, but the records say: {message}"),
        severity: Severity::High,
        known: false,
        symptom: false,
        generic: false,
        proof: Proof::Unchecked,
        proof_checks: Vec::new(),
        confidence: 0.0,
        confidence_because: judged
            .iter()
            .filter(|judged| !judged.words.is_empty())
            .map(|judged| format!("deciding words: {}", judged.words.join(", ")))
            .collect(),
        evidence,
        values: BTreeMap::new(),
        explains,
        explained_by: Vec::new(),
        remedies: Vec::new(),
    };
    (finding, Some(judged.map_or(0.0, |judged| f64::from(judged.probability))))
}

/// Whether a log that never said that it serves ends with an error, or with what stopped the process.
fn ends_with(study: &Study<'_>, lead: &Group) -> bool {
    let lane = lead.first.lane();
    let serves = study.successes.get(&lane).is_some_and(|scopes| scopes.contains_key(&Scope::Application));
    let fails = match lead.first.level {
        Level::Fatal | Level::Error => true,
        Level::Unknown => is_uncaught(&lead.first.text),
        _ => false,
    };
    fails && !serves && study.tails.ends_with(lead)
}

/// Whether a text is what a runtime prints of an error that nobody caught.
fn is_uncaught(text: &str) -> bool {
    const HEADS: [&str; 9] = [
        "Traceback (most recent call last)",
        "Exception in thread ",
        "Unhandled exception",
        "Uncaught ",
        "node:internal",
        "panic: ",
        "thread '",
        "fatal error: ",
        "Fatal error: ",
    ];
    let mut lines = text.lines().map(|line| without_transport(line.trim_start()));
    lines.any(|line| HEADS.iter().any(|head| line.starts_with(head)) || telling::is_uncaught_of_ruby(line))
}

/// Returns the class of a symptom that stands right behind a record and says whose end it is:
/// `Subprocess exited with error 1` is said by the CDK of its app. Others do not say as much.
fn class_beside(lead: &Group, drafts: &[Draft<'_>]) -> Option<Class> {
    let is_behind = |group: &Group| {
        let (lead, place) = (&lead.last, &group.first.place);
        lead.stream == place.stream && (lead.seq..=lead.seq + NEAR).contains(&place.seq)
    };
    let is_app = |draft: &&Draft<'_>| draft.pattern.symptom && draft.pattern.class == Class::Cdk;
    drafts.iter().filter(is_app).any(|draft| draft.all().any(is_behind)).then_some(Class::Cdk)
}

/// Judges the class by the words of the line that tells, of its record, and of what else tells in its stream.
pub(super) fn judge(study: &Study<'_>, lead: &Group, told: &[&Group]) -> Option<Judgement> {
    let same_stream = told.iter().skip(1).filter(|group| group.first.place.stream == lead.first.place.stream);
    let around = same_stream.take(2).map(|group| group.first.line.as_str());
    let record = lead.first.text.lines().take(MOST_CONTEXT);
    let context: Vec<&str> = std::iter::once(lead.first.line.as_str()).chain(record).chain(around).collect();
    study.patterns.model().judge(&[lead.first.line.as_str(), &context.join("\n")], lead.first.source)
}

/// Whether a source is the log of an application, which holds errors of all kinds on good days too.
fn speaks_of_anything(source: Source) -> bool {
    matches!(source, Source::ContainerLog | Source::Other)
}

/// Whether a source describes tasks from outside.
fn is_of_a_task(source: Source) -> bool {
    matches!(source, Source::EcsStoppedTask | Source::EcsServiceEvent)
}

/// Whether nearly all failures that are seen at that source are of one class.
fn tells_class(source: Source) -> bool {
    matches!(
        source,
        Source::DockerBuild
            | Source::Cdk
            | Source::CfnStackEvent
            | Source::GithubActions
            | Source::EcsAgentLog
    )
}

/// Returns where failures usually lie that are seen at that source.
fn usual_class(source: Source) -> Class {
    match source {
        Source::CfnStackEvent => Class::StackFailure,
        Source::EcsServiceEvent | Source::EcsStoppedTask | Source::EcsAgentLog => Class::ServiceStartup,
        Source::ContainerLog | Source::AlbTargetHealth | Source::Metric => Class::StartupHealth,
        Source::DockerBuild => Class::Image,
        Source::Cdk => Class::Cdk,
        Source::DeployTool | Source::GithubActions | Source::Other => Class::Workflow,
    }
}

/// Makes a finding of a violated check when no record shows a failure.
fn by_check(study: &Study<'_>, checks: &[CheckResult]) -> Option<Judged> {
    let mut violated: Vec<&CheckResult> =
        checks.iter().filter(|result| result.is_violated() && prevents(result.check).is_some()).collect();
    violated.sort_by_key(|result| prevents(result.check));
    let first = violated.first()?;
    let (_, class) = prevents(first.check)?;
    let Outcome::Violated { because, .. } = &first.outcome else { return None };
    let page = cause_of(first.check).and_then(|cause| study.patterns.get(cause));
    let finding = Finding {
        cause: page.map_or_else(|| format!("{class}/{}", first.check), |page| page.id.clone()),
        class,
        title: page.map_or_else(|| because.clone(), |page| page.title.clone()),
        severity: Severity::High,
        known: true,
        symptom: false,
        generic: false,
        proof: Proof::Confirmed,
        proof_checks: vec![(*first).clone()],
        confidence: 0.0,
        confidence_because: Vec::new(),
        evidence: vec![findings::of_check(first)],
        values: BTreeMap::new(),
        explains: Vec::new(),
        explained_by: Vec::new(),
        remedies: page
            .map_or_else(|| vec![crate::taxonomy::Remedy::FixConfiguration], |page| page.remedies.clone()),
    };
    Some((finding, None))
}

/// Returns the page about what a violated check shows.
fn cause_of(check: Check) -> Option<&'static str> {
    match check {
        Check::FargateSizeValid => Some("application/configuration/task-size-invalid"),
        Check::ContainerMemoryFits => Some("application/configuration/container-memory-invalid"),
        Check::DesiredCountPositive => Some("application/configuration/desired-count-zero"),
        Check::SecretReferencesValid => Some("application/configuration/secret-reference-malformed"),
        Check::LoadBalancerContainerExists => {
            Some("application/port-binding/load-balancer-container-missing")
        }
        Check::TaskDefinitionActive => Some("application/configuration/task-definition-inactive"),
        Check::NetworkModeFits => Some("application/configuration/task-network-mode-invalid"),
        Check::EssentialContainerPresent => Some("application/configuration/no-essential-container"),
        Check::DependencyOrderAcyclic => Some("application/configuration/container-dependency-invalid"),
        Check::LogGroupConfigured => Some("application/configuration/log-options-invalid"),
        Check::HostPortMatches => Some("application/port-binding/host-port-mismatch"),
        Check::TargetPortMatchesContainer => Some("application/port-binding/target-port-mismatch"),
        Check::HealthCheckPortExposed => Some("application/port-binding/health-check-port-mismatch"),
        Check::ImageReferenceValid => Some("pipeline/image/invalid-image-reference"),
        Check::ImageExists => Some("pipeline/image/tag-not-found"),
        Check::DeploymentPercentagesLeaveRoom => {
            Some("infrastructure/service-startup/deployment-percentages-deadlock")
        }
        _ => None,
    }
}

/// Says in which class the cause lies when only its consequences are visible.
fn from_symptoms(study: &Study<'_>, drafts: &[Draft<'_>]) -> Option<Finding> {
    let steady = study.successes.values().any(|scopes| scopes.contains_key(&Scope::Service))
        && !findings::was_undone(study);
    // What a calm record says is no failure, nor is a target that leaves while the service is steady.
    let fails = |draft: &&Draft<'_>| {
        draft.lead().is_none_or(|group| {
            let is_target = group.first.source == Source::AlbTargetHealth;
            let leaves = is_target
                && !["unhealthy", "unused", "unavailable"]
                    .iter()
                    .any(|state| group.first.text.contains(state));
            // A task that ended in a service that is deployed and complete has been replaced.
            let is_replaced = group.first.source == Source::EcsStoppedTask && steady && study.stands;
            !(findings::is_quiet(&group.first) || is_target && steady || leaves || is_replaced)
        })
    };
    let mut symptoms: Vec<&Draft<'_>> =
        drafts.iter().filter(|draft| draft.pattern.symptom).filter(fails).collect();
    symptoms.sort_by(|a, b| {
        let key = |draft: &Draft<'_>| {
            (
                layer(draft.pattern.class),
                draft.pattern.generic,
                draft.lead().map(|group| group.first.place.clone()),
            )
        };
        key(a).cmp(&key(b)).then_with(|| a.pattern.id.cmp(&b.pattern.id))
    });
    let nearest = symptoms.first()?;
    let mut finding = finding_of(nearest);
    for other in &symptoms[1..] {
        for group in other.all().take(2) {
            findings::push_evidence(&mut finding.evidence, group);
        }
    }
    finding.evidence.truncate(MOST_EVIDENCE);
    finding.title =
        format!("{}, and the records do not show why", nearest.pattern.title.trim_end_matches('.'));
    finding.explains = vec![nearest.pattern.id.clone()];
    finding.cause = format!("{}/unknown", nearest.pattern.class);
    finding.known = false;
    Some(finding)
}

/// Puts what tells most in the log of a container beside its end: too little to name a class, but what to read first.
fn show_best_of_logs(evidence: &mut Vec<Evidence>, told: &[&Group]) {
    let Some(best) = told.iter().find(|group| group.first.source == Source::ContainerLog) else { return };
    let is_shown = |item: &Evidence| {
        item.stream == best.first.place.stream && item.line_number == best.first.line_number
    };
    if !evidence.is_empty() && !evidence.iter().any(is_shown) {
        evidence.insert(1, findings::of_group(best));
        evidence.truncate(MOST_EVIDENCE);
    }
}

/// Puts what tells most in the stream of the lead beside it: a wide net does not know which record is the cause.
pub(super) fn add_best_told(evidence: &mut Vec<Evidence>, told: &[&Group]) {
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
