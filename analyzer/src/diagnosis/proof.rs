//! What the described state says about a finding: that it is so, that it is not, or nothing.
//!
//! A check speaks about a finding only where it is about the same service, revision and image, and about the same time.

use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

use super::Proof;
use super::findings::was_undone;
use super::kept::{Group, Kept};
use super::listeners::{asked_ports, has_answered, task_id};
use super::study::Study;
use crate::checks::{self, Check, CheckResult, Outcome, had_tasks};
use crate::pattern::{Pattern, Role};
use crate::record::Source;
use crate::snapshot::{Service, Snapshot, Task, TaskDefinition, last_segment};

/// A proof, with what it rests on.
pub(super) struct Proven {
    pub proof: Proof,
    pub checks: Vec<CheckResult>,
    /// Why it is refuted.
    pub because: String,
}

/// Asks the checks that a page names, and those that it has as conditions and that were violated.
pub(super) fn proof(
    study: &Study<'_>,
    snapshot: &Snapshot,
    pattern: &Pattern,
    groups: &[(Role, Vec<&Group>)],
    checks: &[CheckResult],
) -> Proven {
    let leads: Vec<&Group> = groups
        .iter()
        .filter(|(role, _)| *role == Role::Required)
        .flat_map(|(_, met)| met.iter().copied())
        .collect();
    let about = checks.iter().filter(|result| pattern.confirm.contains(&result.check));
    let about: Vec<CheckResult> =
        about.filter(|result| speaks(study, snapshot, result, &leads)).cloned().collect();
    let violated: Vec<CheckResult> = about.iter().filter(|result| result.is_violated()).cloned().collect();
    if !violated.is_empty() {
        return Proven { proof: Proof::Confirmed, checks: violated, because: String::new() };
    }
    if let Some(because) = refuted(snapshot, &about, &leads) {
        return Proven { proof: Proof::Refuted, checks: about, because };
    }
    let late: Vec<CheckResult> =
        about.iter().filter_map(|result| came_too_late(snapshot, result, &leads)).collect();
    match late.is_empty() {
        false => Proven { proof: Proof::Confirmed, checks: late, because: String::new() },
        true => Proven { proof: Proof::Unchecked, checks: about, because: String::new() },
    }
}

/// Whether what a check found is about what the records are about.
pub(super) fn speaks(study: &Study<'_>, snapshot: &Snapshot, result: &CheckResult, leads: &[&Group]) -> bool {
    // After a roll-back the described state is that of the old version.
    if was_undone(study) && result.check.is_state() {
        return false;
    }
    let Some(lead) = leads.first() else { return true };
    let kept = &lead.first;
    let theirs = services_of_result(snapshot, result);
    let ours = service_of(snapshot, kept);
    if ours.is_some_and(|name| !theirs.is_empty() && !theirs.contains(name)) {
        return false;
    }
    let is_of_revision = |task: &Task| is_of_revision(snapshot, result, task);
    if task_of(snapshot, kept).is_some_and(|task| !is_of_revision(task)) {
        return false;
    }
    match result.check {
        Check::ImageExists | Check::ImageReferenceValid => is_of_image(snapshot, result, leads),
        Check::TargetHealth => !is_for_another_reason(result, leads) && is_of_now(snapshot, lead, &theirs),
        Check::DesiredCountPositive => !result.is_violated() || !was_scaled(snapshot, result),
        check if check.is_state() => is_of_now(snapshot, lead, &theirs),
        _ => true,
    }
}

/// Returns why the described state excludes that the records tell what fails.
fn refuted(snapshot: &Snapshot, about: &[CheckResult], leads: &[&Group]) -> Option<String> {
    let all_hold = about.iter().all(|result| result.outcome == Outcome::Holds);
    let refuters: Vec<&CheckResult> = about.iter().filter(|result| result.check.can_refute()).collect();
    let first = refuters.first().filter(|_| all_hold)?;
    let of_state = format!("the described state refutes it: {} ({})", first.check.says(), first.subject);
    match first.check {
        // What ECS could not pull was not there, whatever a list of images says later. Only a task that pulled it since shows
        // that this is over.
        Check::ImageExists => {
            let since = leads.iter().map(|lead| lead.last.time).max().flatten()?;
            let definitions: BTreeSet<&str> =
                refuters.iter().filter_map(|result| definition_named(&result.subject)).collect();
            let is_meant = |task: &&Task| {
                let run = task.task_definition_arn.as_deref().map(last_segment);
                run.is_some_and(|run| definitions.contains(run))
            };
            let mut tasks = snapshot.tasks.items().iter().filter(is_meant);
            let task = tasks.find(|task| task.started_at.is_some_and(|at| at > since))?;
            Some(format!("{of_state}, and task {} could pull them since", task.id()))
        }
        Check::ImageArchitectureMatches => {
            let is_told = |lead: &&Group| task_of(snapshot, &lead.first).is_some();
            let is_pinned = refuters
                .iter()
                .all(|result| image_of(snapshot, result).is_some_and(|image| checks::is_pinned(&image)));
            (is_pinned || leads.iter().all(is_told)).then_some(of_state)
        }
        _ => Some(of_state),
    }
}

/// Whether an image that the records did not find was pushed after them: then it was not there, and is now.
fn came_too_late(snapshot: &Snapshot, result: &CheckResult, leads: &[&Group]) -> Option<CheckResult> {
    const ABSENT: [&str; 4] = ["not found", "manifest unknown", "does not exist", "MANIFEST_UNKNOWN"];
    if result.check != Check::ImageExists || result.outcome != Outcome::Holds {
        return None;
    }
    let image = image_of(snapshot, result)?;
    let missed = leads.iter().filter(|lead| {
        let line = &lead.first.line;
        let said = ABSENT.iter().any(|word| line.contains(word));
        said && images_named(lead).any(|named| checks::is_same_image(named, &image))
    });
    let missed = missed.filter_map(|lead| lead.last.time).max()?;
    let pushed = pushed_at(snapshot, &image)?;
    let because = format!(
        "the image {image} was pushed after it was not found at {missed}: it was not there yet, and a task that starts now finds it"
    );
    (pushed > missed).then(|| CheckResult {
        outcome: Outcome::Violated { field: "imagePushedAt".to_owned(), value: pushed.to_string(), because },
        ..result.clone()
    })
}

/// Returns when the image of that tag or digest was pushed.
fn pushed_at(snapshot: &Snapshot, reference: &str) -> Option<Timestamp> {
    let name = last_path(reference);
    let images = snapshot.images.items().iter();
    let mut same = images.filter(|image| {
        let of_repository = !image.repository_name.is_empty()
            && name
                .strip_prefix(image.repository_name.as_str())
                .is_some_and(|rest| rest.starts_with([':', '@']));
        let is_named = |tag: &String| name.ends_with(&format!(":{tag}"));
        of_repository
            && (image.image_tags.iter().any(is_named) || name.ends_with(&format!("@{}", image.image_digest)))
    });
    same.next()?.image_pushed_at
}

/// Returns a reference without its registry.
fn last_path(reference: &str) -> &str {
    reference.split_once('/').map_or(reference, |(_, path)| path)
}

/// Whether the records are about the image that was looked for, as far as they name one.
fn is_of_image(snapshot: &Snapshot, result: &CheckResult, leads: &[&Group]) -> bool {
    let Some(image) = image_of(snapshot, result) else { return true };
    let mut named = leads.iter().flat_map(|lead| images_named(lead)).peekable();
    named.peek().is_none() || named.any(|named| checks::is_same_image(named, &image))
}

/// Returns the images that a record names with registry, repository and tag.
fn images_named(group: &Group) -> impl Iterator<Item = &str> {
    let is_between = |c: char| c.is_whitespace() || "\"'`,;()[]{}\\".contains(c);
    let words = group.first.line.split(is_between).map(|word| word.trim_end_matches([':', '.']));
    words.filter(|word| {
        let is_registry = word.contains(".dkr.ecr") || word.contains(".dkr-ecr");
        is_registry && word.split_once('/').is_some_and(|(_, path)| path.contains([':', '@']))
    })
}

/// Whether a target is ill for another reason than the records tell: an answer with an error is no silence.
fn is_for_another_reason(result: &CheckResult, leads: &[&Group]) -> bool {
    let Outcome::Violated { because, .. } = &result.outcome else { return false };
    let Some(shown) = Reason::of(because) else { return false };
    let told = leads.iter().filter(|lead| is_about_targets(&lead.first));
    let mut told = told.filter_map(|lead| Reason::of(&lead.first.line)).peekable();
    told.peek().is_some() && told.all(|reason| reason != shown)
}

/// Why a load balancer does not count a target as healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Answered,
    TimedOut,
    Failed,
}

impl Reason {
    fn of(text: &str) -> Option<Reason> {
        match text {
            _ if has_answered(text) => Some(Reason::Answered),
            _ if text.contains("Target.Timeout") || text.contains("Request timed out") => {
                Some(Reason::TimedOut)
            }
            _ if text.contains("Health checks failed") || text.contains("FailedHealthChecks") => {
                Some(Reason::Failed)
            }
            _ => None,
        }
    }
}

fn is_about_targets(kept: &Kept) -> bool {
    matches!(kept.source, Source::EcsServiceEvent | Source::AlbTargetHealth)
}

/// How far clocks of a log and of AWS may differ where a log names no task: it may be written in local time.
const ANOTHER_ZONE: SignedDuration = SignedDuration::from_hours(26);
const ANOTHER_CLOCK: SignedDuration = SignedDuration::from_mins(5);

/// Whether records are not older than the deployment of which the state is described.
fn is_of_now(snapshot: &Snapshot, lead: &Group, services: &BTreeSet<&str>) -> bool {
    let named = |service: &&Service| services.is_empty() || services.contains(service.name());
    let began = snapshot.services.items().iter().filter(named).filter_map(Service::primary);
    match began.filter_map(|primary| primary.created_at).min() {
        Some(began) => !is_before(snapshot, lead, began),
        None => true,
    }
}

/// Whether records came before a deployment began, and are of none of the tasks that are described.
fn is_before(snapshot: &Snapshot, group: &Group, began: Timestamp) -> bool {
    let Some(time) = group.last.time else { return false };
    let is_log = matches!(group.first.source, Source::ContainerLog | Source::Other);
    let task = task_id(&group.first.place.stream, group.first.entity.as_deref());
    let may_differ = if is_log && task.is_none() { ANOTHER_ZONE } else { ANOTHER_CLOCK };
    let is_described = || task.is_some_and(|id| snapshot.tasks.items().iter().any(|known| known.id() == id));
    began.duration_since(time) > may_differ && !(is_log && is_described())
}

/// Pages about a server that listens where the load balancer does not ask.
const LISTENS: &str = "application/port-binding/listens-on-";

/// Leaves out of such a page what is about other ports, other programs and earlier deployments; returns why, where nothing is left.
pub(super) fn misplaced(
    study: &Study<'_>,
    snapshot: &Snapshot,
    pattern: &Pattern,
    groups: &mut [(Role, Vec<&Group>)],
) -> Option<String> {
    if !pattern.id.starts_with(LISTENS) {
        return None;
    }
    let is_about_reach = pattern.id.ends_with("-localhost");
    let required = groups.iter_mut().filter(|(role, _)| *role == Role::Required).map(|(_, met)| met);
    let mut required: Vec<&mut Vec<&Group>> = required.collect();
    let [listens, unheard @ ..] = required.as_mut_slice() else { return None };
    for met in unheard.iter_mut() {
        let before = met.len();
        met.retain(|group| !has_answered(&group.first.line));
        if before > 0 && met.is_empty() {
            return Some("the target answers on its port, with an error".to_owned());
        }
    }
    let told: Vec<&Group> = unheard.iter().flat_map(|met| met.iter().copied()).collect();
    let asked = asked_ports(snapshot, &told);
    let began = snapshot.services.items().iter().filter(|service| service.is_active());
    let began = began.filter_map(|service| service.primary()?.created_at).min();
    let mut because = None;
    listens.retain(|group| {
        let is_old = began.is_some_and(|began| is_before(snapshot, group, began)) && !was_undone(study);
        let reason = match is_old {
            true => Some(
                "it was said before the deployment began, by a task that is no longer described".to_owned(),
            ),
            false => study.tails.listeners.is_beside(group, &asked, is_about_reach),
        };
        because = because.take().or(reason.clone());
        reason.is_none()
    });
    because.filter(|_| listens.is_empty())
}

/// Whether the service had tasks of its deployment before it was told to run none.
fn was_scaled(snapshot: &Snapshot, result: &CheckResult) -> bool {
    let named = |service: &&Service| result.subject == format!("service {}", service.name());
    let mut services = snapshot.services.items().iter().filter(named);
    services.any(|service| had_tasks(snapshot, service))
}

/// Returns the names of the services that a result is about; none where that is not known.
fn services_of_result<'a>(snapshot: &'a Snapshot, result: &CheckResult) -> BTreeSet<&'a str> {
    let services = snapshot.services.items();
    let subject = result.subject.as_str();
    let of = |is_meant: &dyn Fn(&Service) -> bool| -> BTreeSet<&'a str> {
        services.iter().filter(|service| is_meant(service)).map(Service::name).collect()
    };
    if let Some(name) = subject.strip_prefix("service ") {
        return of(&|service| service.name() == name);
    }
    if let Some(name) = definition_named(subject) {
        let runs = |reference: &Option<String>| reference.as_deref().map(last_segment) == Some(name);
        return of(&|service| {
            runs(&service.task_definition)
                || service.deployments.iter().any(|deployment| runs(&deployment.task_definition))
        });
    }
    if let Some(address) = subject.strip_prefix("target ").filter(|rest| !rest.starts_with("group ")) {
        let mut targets = snapshot.target_health.items().iter().filter(|target| target.address() == address);
        return targets
            .by_ref()
            .flat_map(|target| checks::services_behind(snapshot, target))
            .map(Service::name)
            .collect();
    }
    if let Some(name) = subject.strip_prefix("target group ") {
        let groups = snapshot.target_groups.items().iter().filter(|group| group.name() == name);
        let arns: Vec<&str> = groups.map(|group| group.target_group_arn.as_str()).collect();
        return of(&|service| {
            service.load_balancers.iter().any(|balancer| arns.iter().any(|arn| balancer.serves(arn)))
        });
    }
    BTreeSet::new()
}

/// Returns the service that a record is about, where it says so and more than a job can know.
fn service_of<'a>(snapshot: &'a Snapshot, kept: &'a Kept) -> Option<&'a str> {
    if kept.source == Source::EcsServiceEvent
        && let Some((_, rest)) = kept.line.split_once("(service ")
    {
        return rest.split([')', ',']).next();
    }
    if let Some(group) = task_of(snapshot, kept).and_then(|task| task.group.as_deref()) {
        return group.strip_prefix("service:");
    }
    let id = kept.deployment.as_deref()?;
    let mut services = snapshot.services.items().iter();
    services
        .find(|service| service.deployments.iter().any(|deployment| deployment.id == id))
        .map(Service::name)
}

/// Returns the described task that a record is of.
fn task_of<'a>(snapshot: &'a Snapshot, kept: &Kept) -> Option<&'a Task> {
    let id = task_id(&kept.place.stream, kept.entity.as_deref())?;
    snapshot.tasks.items().iter().find(|task| task.id() == id)
}

/// Whether a result about a task definition can be about the one that a task ran: the same revision, or a file that will
/// be the next one.
fn is_of_revision(snapshot: &Snapshot, result: &CheckResult, task: &Task) -> bool {
    let (Some(name), Some(run)) = (definition_named(&result.subject), task.task_definition_arn.as_deref())
    else {
        return true;
    };
    let is_file =
        snapshot.task_definitions.items().iter().any(|one| !one.is_registered() && one.name() == name);
    is_file || name == last_segment(run)
}

/// Returns `web:12` of `task definition web:12, container app`.
fn definition_named(subject: &str) -> Option<&str> {
    let rest = subject.strip_prefix("task definition ")?;
    Some(rest.split_once(", container ").map_or(rest, |(name, _)| name))
}

/// Returns the image of the container that a result is about.
fn image_of(snapshot: &Snapshot, result: &CheckResult) -> Option<String> {
    let name = definition_named(&result.subject)?;
    let (_, container) = result.subject.split_once(", container ")?;
    let is_meant = |definition: &&TaskDefinition| definition.name() == name;
    let definition = snapshot.task_definitions.items().iter().find(is_meant)?;
    Some(definition.container(container)?.image.clone()).filter(|image| !image.is_empty())
}
