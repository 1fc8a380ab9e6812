//! Finds the root cause among findings and puts the diagnosis together.

use std::collections::BTreeSet;

use super::confidence::Doubts;
use super::facts;
use super::findings::{self, Draft};
use super::kept::Group;
use super::last_words::add_words_before;
use super::markers::Scope;
use super::rank::{is_outside_view, rank};
use super::study::Study;
use super::telling::{self, TELLING_ENOUGH};
use super::timeline::timeline;
use super::under_way::{short_of_tasks, under_way};
use super::unknown::{self, add_best_told, add_telling_evidence, telling_groups, without_page};
use super::{Blocker, Diagnosis, Finding, Gap, RuledOut, Seen, Verdict, confidence};
use crate::changes;
use crate::checks::{Check, CheckResult, Outcome, Running};
use crate::record::{Level, Source};
use crate::snapshot::Snapshot;
use crate::taxonomy::Class;

pub(super) const MOST_EVIDENCE: usize = 10;

pub(super) fn conclude(
    study: Study<'_>,
    snapshot: &Snapshot,
    running: &Running,
    mut gaps: Vec<Gap>,
) -> Diagnosis {
    let mut checks: Vec<CheckResult> = Check::ALL.iter().flat_map(|check| check.run(snapshot)).collect();
    checks.sort();
    let mut ruled_out = BTreeSet::new();
    let mut causes = checks.clone();
    causes.retain(|result| !running.refutes(result, !study.fails_outside));
    // What failed since may have failed for what the check says: an image may be deleted while tasks run.
    let proofs = if study.fails_outside { &checks } else { &causes };
    let drafts = findings::drafts(&study, snapshot, proofs, &mut ruled_out);
    let deployments = findings::deployments_of(&study, snapshot);
    let shown = telling_groups(&study, &deployments, &mut ruled_out);
    let told: Vec<&Group> = shown.iter().copied().filter(|group| group.score >= TELLING_ENOUGH).collect();
    let mut ranked = rank(&study, &drafts);
    let mut findings: Vec<Finding> = Vec::new();
    let mut probability = None;
    let undone = findings::was_undone(&study);
    for results in [&mut checks, &mut causes] {
        results.retain(|result| !(undone && result.check == Check::TaskDefinitionActive));
    }
    let root = ranked.iter().position(|candidate| candidate.is_root());
    let weak = root.is_some_and(|index| ranked[index].is_weak());
    // What a program says last before it ends tells more than what is seen of it from outside.
    let said_inside = root
        .filter(|index| is_outside_view(ranked[*index].draft))
        .and_then(|_| unknown::said_at_the_end(&study, &drafts, &told, &shown));
    match root {
        Some(_) if said_inside.is_some() => findings.extend(said_inside.map(|(finding, judged)| {
            probability = judged;
            finding
        })),
        Some(index) if !weak || told.is_empty() => {
            let candidate = ranked.remove(index);
            let mut finding = finding_of(candidate.draft);
            if candidate.draft.pattern.generic {
                add_best_told(&mut finding.evidence, &told);
                add_words_before(&study, &mut finding.evidence);
            }
            add_telling_evidence(&mut finding.evidence, candidate.draft.lead(), &shown);
            findings.push(finding);
        }
        _ => {
            let without_page = without_page(&study, &drafts, &causes, &told, &shown);
            findings.extend(without_page.map(|(finding, judged)| {
                probability = judged;
                finding
            }));
        }
    }
    let has_root_cause = !findings.is_empty();
    let secrets = study.last_words.secrets_in(findings.first().map_or(&[][..], |root| &root.evidence));
    let mut rivals = 0;
    for candidate in &ranked {
        rivals +=
            usize::from(candidate.is_root() && !candidate.is_weak() && !candidate.draft.pattern.generic);
        let mut finding = finding_of(candidate.draft);
        finding.explained_by =
            candidate.explained_by.iter().map(|&index| drafts[index].pattern.id.clone()).collect();
        let confirm = &candidate.draft.pattern.confirm;
        let doubts = Doubts { undone, rivals: 0, quiet: candidate.is_weak() };
        confidence::settle(&mut finding, confirm, doubts, None);
        findings.push(finding);
    }
    if has_root_cause {
        name_explained(&mut findings);
        let page = study.patterns.get(&findings[0].cause);
        let confirm = page.map_or(&[][..], |page| &page.confirm);
        let quiet = weak && findings[0].known && told.is_empty();
        confidence::settle(&mut findings[0], confirm, Doubts { undone, rivals, quiet }, probability);
        gaps.extend(missing_cause(&findings[0]));
    } else {
        gaps.extend(told.first().map(|group| not_understood(group)));
    }
    gaps.extend(gaps_of_checks(&findings));
    gaps.extend(study.not_found.gaps());
    let (mut goes_on, mut is_short) = (false, false);
    if !has_root_cause {
        let (under_way, short) = (under_way(&study, snapshot), short_of_tasks(snapshot));
        (goes_on, is_short) = (!under_way.is_empty(), !short.is_empty());
        gaps.extend(under_way.into_iter().chain(short));
    }
    gaps.sort();
    gaps.dedup();
    let blockers = blockers(&findings, &checks);
    let verdict = verdict(&study, has_root_cause, goes_on || is_short || ends_badly(&study, &told));
    if has_root_cause {
        leave_out_asides(&mut ruled_out);
    }
    let timeline = timeline(&study, &findings);
    let changes = changes::since_last_good(snapshot, changes::Remembered::default());
    let deployment = facts::facts(&study, snapshot, changes.as_ref(), &findings);
    let seen = Seen { streams: study.streams.len() as u64, ..study.seen };
    let mut redactions = study.redactions;
    for (kind, count) in secrets {
        *redactions.entry(kind).or_default() += count;
    }
    Diagnosis {
        verdict,
        under_way: goes_on,
        findings,
        has_root_cause,
        blockers,
        ruled_out: ruled_out.into_iter().collect(),
        timeline,
        gaps,
        redactions,
        checks,
        deployment,
        changes,
        seen,
    }
}

/// Makes a finding of a draft.
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

/// Of a failure only the causes that were ruled out matter, not each line that means nothing.
fn leave_out_asides(ruled_out: &mut BTreeSet<RuledOut>) {
    ruled_out.retain(|ruled| !ruled.cause.starts_with('`'));
}

/// Whether a log ends with an error that comes again and again: what was well before need not be any more.
fn ends_badly(study: &Study<'_>, told: &[&Group]) -> bool {
    const AGAIN_AND_AGAIN: u64 = 3;
    told.iter().any(|group| {
        group.first.level >= Level::Error
            && group.count >= AGAIN_AND_AGAIN
            && group.first.source == Source::ContainerLog
            && study.tails.ends_with(group)
    })
}

fn verdict(study: &Study<'_>, has_root_cause: bool, is_open: bool) -> Verdict {
    // That something is connected, or that there is an instance, is no deployment yet.
    let is_deployment =
        |scope: &Scope| !matches!(scope, Scope::Connection | Scope::Launch | Scope::Registration);
    let succeeded = study.successes.values().flatten().any(|(scope, _)| is_deployment(scope));
    match (has_root_cause, succeeded) {
        (true, _) => Verdict::Failed,
        (false, true) if !is_open && !findings::was_undone(study) => Verdict::Healthy,
        _ => Verdict::CannotTell,
    }
}

/// Names the record that tells most where even its class would be a guess.
fn not_understood(group: &Group) -> Gap {
    let message: String = telling::message_of(&group.first.line).chars().take(160).collect();
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
    let unknown = root.proof_checks.iter().filter_map(|result| {
        Some(Gap {
            what: upper_first(&result.missing()?),
            because: format!("Medic cannot check whether {}", result.check.says()),
            remedy: Some(format!("add the answer of {} to the input", result.permission())),
        })
    });
    unknown.collect()
}

fn upper_first(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(characters).collect()
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
