//! Tells which deployment is under way, and what undoes another one.

use analyzer::snapshot::{Deployment, Service, ServiceDeployment, Snapshot, last_segment};
use jiff::{SignedDuration, Timestamp};

use crate::index::{DeploymentEntry, Ledger, WayBack};

/// What happens shortly before ECS knows of a deployment belongs to it: the stack that begins it, for one.
const LEAD: SignedDuration = SignedDuration::from_secs(120);

/// What a description changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The deployment under way is the one that it was.
    None,
    /// Another deployment began.
    Began,
    /// The deployment under way is being undone.
    Undone,
}

/// Brings the ledger in line with the described state; `focus` is the deployment that records belong to.
pub fn follow(
    ledger: &mut Ledger,
    focus: &mut Option<String>,
    service: Option<&str>,
    known: &Snapshot,
) -> Change {
    let Some((service, primary)) = wanted(service, known) else { return Change::None };
    if focus.as_deref().is_none_or(|focus| focus == primary.id)
        && let Some(failed) = missed(ledger, service, primary, known)
    {
        begin(ledger, focus, service, &failed);
        let since = failed.updated_at.or(failed.created_at).unwrap_or_else(Timestamp::now);
        ledger.deployment_mut(&failed.id).way_back = Some(WayBack { id: primary.id.clone(), since });
        return Change::Began;
    }
    if focus.as_deref() == Some(primary.id.as_str()) {
        describe(ledger.deployment_mut(&primary.id), service, primary);
        return Change::None;
    }
    if focus.is_none()
        && let Some(failed) = already_undone(service, primary)
    {
        begin(ledger, focus, service, failed);
        undo(ledger, &failed.id, service, primary);
        return Change::Began;
    }
    let undone =
        focus.as_deref().filter(|focus| is_undone_by(ledger, focus, service, primary)).map(str::to_owned);
    if let Some(undone) = undone {
        let is_new = !ledger.is_way_back(&undone, &primary.id);
        if is_new {
            undo(ledger, &undone, service, primary);
        }
        return if is_new { Change::Undone } else { Change::None };
    }
    begin(ledger, focus, service, primary);
    Change::Began
}

/// Remembers that ECS goes back, which belongs to the deployment that failed. ECS makes the earlier deployment the
/// wanted one again; should the way back have an id of its own, that is not a deployment by itself.
fn undo(ledger: &mut Ledger, undone: &str, service: &Service, primary: &Deployment) {
    let began = ledger.deployment(undone).and_then(|entry| entry.created);
    let is_older = primary.created_at.zip(began).is_some_and(|(primary, began)| primary < began);
    if is_older || ledger.deployment(&primary.id).is_some() {
        let own = service.deployments.iter().find(|deployment| deployment.id == undone);
        let since = own.and_then(|own| own.updated_at).or(primary.updated_at);
        let since = since.or(began).unwrap_or_else(Timestamp::now);
        ledger.deployment_mut(undone).way_back = Some(WayBack { id: primary.id.clone(), since });
        return;
    }
    describe(ledger.deployment_mut(&primary.id), service, primary);
    ledger.deployment_mut(&primary.id).rolls_back = Some(undone.to_owned());
}

/// Records belong to a deployment from now on.
fn begin(ledger: &mut Ledger, focus: &mut Option<String>, service: &Service, deployment: &Deployment) {
    let ended = focus.as_deref().and_then(|focus| ledger.deployment(focus)).and_then(|entry| entry.ended);
    let entry = ledger.deployment_mut(&deployment.id);
    describe(entry, service, deployment);
    let lead = deployment.created_at.and_then(|created| created.checked_sub(LEAD).ok());
    entry.from = lead.max(ended).or(lead);
    *focus = Some(deployment.id.clone());
}

/// Returns the deployment that failed and is being undone when Medic first looks: it is what people ask about,
/// and not the way back.
fn already_undone<'s>(service: &'s Service, primary: &Deployment) -> Option<&'s Deployment> {
    let mut failed = service.deployments.iter().filter(|deployment| {
        deployment.id != primary.id && deployment.rollout_state.as_deref() == Some("FAILED")
    });
    failed.next().filter(|_| says_it_goes_back(primary))
}

/// Returns the deployment that failed and was undone between two looks: the service has only the earlier version again,
/// and nothing but its last service deployment tells that there was another one.
fn missed(ledger: &Ledger, service: &Service, primary: &Deployment, known: &Snapshot) -> Option<Deployment> {
    let began = |found: &&ServiceDeployment| found.started_at.or(found.created_at);
    let of_service = known
        .service_deployments
        .items()
        .iter()
        .filter(|found| found.service_arn == service.service_arn && began(found).is_some());
    let last = of_service.max_by_key(began)?;
    let is_undone = last.status.as_deref().is_some_and(|status| status.starts_with("ROLLBACK_"));
    let is_later = began(&last) > primary.created_at;
    let target = last.target_service_revision.as_ref().filter(|target| !target.arn.is_empty())?;
    let id = format!("ecs-svc/{}", last_segment(&target.arn));
    let is_known = id == primary.id || ledger.deployment(&id).is_some();
    let failed = Deployment {
        id,
        rollout_state: Some("FAILED".to_owned()),
        created_at: began(&last),
        updated_at: last.rollback.as_ref().and_then(|rollback| rollback.started_at).or(last.changed_at()),
        ..Deployment::default()
    };
    (is_undone && is_later && !is_known).then_some(failed)
}

/// Returns the service that is watched, and the deployment that it wants to reach.
fn wanted<'s>(service: Option<&str>, known: &'s Snapshot) -> Option<(&'s Service, &'s Deployment)> {
    let mut services = known.services.items().iter();
    let service = services.find(|found| service.is_none_or(|name| found.name() == name))?;
    let primary = service.primary().filter(|primary| !primary.id.is_empty())?;
    Some((service, primary))
}

/// Whether ECS goes back to an earlier version because the deployment in focus failed.
fn is_undone_by(ledger: &Ledger, focus: &str, service: &Service, primary: &Deployment) -> bool {
    let own = service.deployments.iter().find(|deployment| deployment.id == focus);
    let failed = own.is_some_and(|own| own.rollout_state.as_deref() == Some("FAILED"));
    let before = ledger.deployments.iter().any(|entry| entry.id == primary.id && entry.id != focus);
    let to_earlier_version = ledger.deployments.iter().any(|entry| {
        entry.id != focus
            && entry.task_definition.is_some()
            && entry.task_definition == primary.task_definition
    });
    // What ECS goes back to is older; a new deployment never is.
    let began = ledger.deployment(focus).and_then(|entry| entry.created);
    let is_older = primary.created_at.zip(began).is_some_and(|(primary, began)| primary < began);
    ledger.is_way_back(focus, &primary.id)
        || is_older
        || says_it_goes_back(primary)
        || before
        || failed && to_earlier_version
}

fn says_it_goes_back(primary: &Deployment) -> bool {
    primary.rollout_state_reason.as_deref().is_some_and(|reason| {
        let reason = reason.to_ascii_lowercase();
        ["rolling back", "rolled back", "rollback"].iter().any(|words| reason.contains(words))
    })
}

fn describe(entry: &mut DeploymentEntry, service: &Service, primary: &Deployment) {
    entry.service = Some(service.name().to_owned());
    entry.cluster = Some(last_segment(&service.cluster_arn).to_owned()).filter(|name| !name.is_empty());
    entry.task_definition = primary.task_definition.clone().or(entry.task_definition.take());
    entry.created = primary.created_at.or(entry.created);
    entry.from = entry.from.or(primary.created_at);
}

/// Returns when the deployment in focus ended, where the described state says that it has.
pub fn ended(service: Option<&str>, focus: &str, ledger: &Ledger, known: &Snapshot) -> Option<Timestamp> {
    let (service, primary) = wanted(service, known)?;
    let settled = |deployment: &Deployment| {
        let is_complete = deployment.rollout_state.as_deref() == Some("COMPLETED");
        is_complete.then_some(deployment.updated_at.or(deployment.created_at)).flatten()
    };
    if primary.id == focus {
        let failed = primary.rollout_state.as_deref() == Some("FAILED");
        return settled(primary).or(if failed { primary.updated_at } else { None });
    }
    let rolls_back = ledger.is_way_back(focus, &primary.id);
    let own = service.deployments.iter().find(|deployment| deployment.id == focus);
    match own {
        None => settled(primary).or(primary.updated_at),
        Some(_) if rolls_back => settled(primary),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use analyzer::snapshot::{Part, ServiceRevision};

    fn deployment(id: &str, status: &str, definition: &str, state: &str) -> Deployment {
        Deployment {
            id: id.to_owned(),
            status: Some(status.to_owned()),
            task_definition: Some(definition.to_owned()),
            rollout_state: Some(state.to_owned()),
            created_at: Timestamp::from_second(1_800_000_000).ok(),
            ..Deployment::default()
        }
    }

    fn known(deployments: Vec<Deployment>) -> Snapshot {
        let service = Service { service_name: "web".to_owned(), deployments, ..Service::default() };
        Snapshot { services: Part::Known(vec![service]), ..Snapshot::default() }
    }

    #[test]
    fn another_primary_is_another_deployment() {
        let (mut ledger, mut focus) = (Ledger::default(), None);
        let first = known(vec![deployment("ecs-svc/1", "PRIMARY", "web:1", "COMPLETED")]);
        assert_eq!(follow(&mut ledger, &mut focus, Some("web"), &first), Change::Began);
        let second = known(vec![
            deployment("ecs-svc/2", "PRIMARY", "web:2", "IN_PROGRESS"),
            deployment("ecs-svc/1", "ACTIVE", "web:1", "COMPLETED"),
        ]);
        assert_eq!(follow(&mut ledger, &mut focus, Some("web"), &second), Change::Began);
        assert_eq!(focus.as_deref(), Some("ecs-svc/2"));
        assert_eq!(follow(&mut ledger, &mut focus, Some("web"), &second), Change::None);
    }

    #[test]
    fn going_back_to_the_old_version_belongs_to_the_deployment_that_failed() {
        let (mut ledger, mut focus) = (Ledger::default(), None);
        follow(
            &mut ledger,
            &mut focus,
            None,
            &known(vec![deployment("ecs-svc/1", "PRIMARY", "web:1", "COMPLETED")]),
        );
        follow(
            &mut ledger,
            &mut focus,
            None,
            &known(vec![deployment("ecs-svc/2", "PRIMARY", "web:2", "IN_PROGRESS")]),
        );
        let back = known(vec![
            deployment("ecs-svc/3", "PRIMARY", "web:1", "IN_PROGRESS"),
            deployment("ecs-svc/2", "ACTIVE", "web:2", "FAILED"),
        ]);
        assert_eq!(follow(&mut ledger, &mut focus, None, &back), Change::Undone);
        assert_eq!(focus.as_deref(), Some("ecs-svc/2"));
        assert_eq!(
            ledger.deployment("ecs-svc/3").and_then(|entry| entry.rolls_back.as_deref()),
            Some("ecs-svc/2")
        );
        assert_eq!(ended(None, "ecs-svc/2", &ledger, &back), None);
        let settled = known(vec![deployment("ecs-svc/3", "PRIMARY", "web:1", "COMPLETED")]);
        assert!(ended(None, "ecs-svc/2", &ledger, &settled).is_some());
        let next = known(vec![deployment("ecs-svc/4", "PRIMARY", "web:3", "IN_PROGRESS")]);
        assert_eq!(follow(&mut ledger, &mut focus, None, &next), Change::Began);
        assert_eq!(focus.as_deref(), Some("ecs-svc/4"));
    }

    /// ECS makes the earlier deployment the primary one again; what happened in it before stays its own.
    #[test]
    fn the_way_back_is_the_earlier_deployment_again() {
        let (mut ledger, mut focus) = (Ledger::default(), None);
        let at = |second| Timestamp::from_second(second).ok();
        let earlier = deployment("ecs-svc/1", "PRIMARY", "web:1", "COMPLETED");
        follow(&mut ledger, &mut focus, None, &known(vec![earlier.clone()]));
        let failing = Deployment {
            created_at: at(1_800_003_600),
            updated_at: at(1_800_003_700),
            ..deployment("ecs-svc/2", "PRIMARY", "web:2", "IN_PROGRESS")
        };
        follow(&mut ledger, &mut focus, None, &known(vec![failing.clone(), earlier.clone()]));
        assert_eq!(focus.as_deref(), Some("ecs-svc/2"));
        let state = |state: &str| Some(state.to_owned());
        let back = Deployment { rollout_state: state("IN_PROGRESS"), ..earlier.clone() };
        let failed =
            Deployment { status: state("ACTIVE"), rollout_state: state("FAILED"), ..failing.clone() };
        let back = known(vec![back, failed]);
        assert_eq!(follow(&mut ledger, &mut focus, None, &back), Change::Undone);
        assert_eq!(follow(&mut ledger, &mut focus, None, &back), Change::None);
        assert_eq!(focus.as_deref(), Some("ecs-svc/2"));
        assert_eq!(ended(None, "ecs-svc/2", &ledger, &back), None);
        let owner = |second| ledger.owner("ecs-svc/1", at(second)).map(|entry| entry.id.as_str());
        assert_eq!((owner(1_800_003_000), owner(1_800_003_800)), (Some("ecs-svc/1"), Some("ecs-svc/2")));
        assert_eq!(ledger.deployment("ecs-svc/1").and_then(|entry| entry.rolls_back.as_deref()), None);
        let settled = known(vec![earlier]);
        assert_eq!(follow(&mut ledger, &mut focus, None, &settled), Change::None);
        assert!(ended(None, "ecs-svc/2", &ledger, &settled).is_some());
    }

    #[test]
    fn a_deployment_that_failed_between_two_looks_is_not_missed() {
        let at = |second| Timestamp::from_second(second).ok();
        let mut looked_at = known(vec![deployment("ecs-svc/1", "PRIMARY", "web:1", "COMPLETED")]);
        for first_look in [true, false] {
            let (mut ledger, mut focus) = (Ledger::default(), None);
            if !first_look {
                looked_at.service_deployments = Part::default();
                follow(&mut ledger, &mut focus, None, &looked_at);
            }
            let target = ServiceRevision { arn: "arn:x/shop/web/2".to_owned(), ..Default::default() };
            let of = |status: &str, second| ServiceDeployment {
                status: Some(status.to_owned()),
                started_at: at(second),
                finished_at: at(second + 90),
                target_service_revision: Some(target.clone()),
                ..ServiceDeployment::default()
            };
            let long_ago = of("ROLLBACK_SUCCESSFUL", 1_799_990_000);
            looked_at.service_deployments = Part::Known(vec![long_ago.clone()]);
            follow(&mut ledger, &mut focus, None, &looked_at);
            assert_eq!(focus.as_deref(), Some("ecs-svc/1"), "what the primary came after is history");
            looked_at.service_deployments =
                Part::Known(vec![long_ago, of("ROLLBACK_SUCCESSFUL", 1_800_003_600)]);
            assert_eq!(follow(&mut ledger, &mut focus, None, &looked_at), Change::Began);
            assert_eq!(focus.as_deref(), Some("ecs-svc/2"));
            assert_eq!(follow(&mut ledger, &mut focus, None, &looked_at), Change::None);
            assert!(ended(None, "ecs-svc/2", &ledger, &looked_at).is_some());
        }
    }

    #[test]
    fn what_was_undone_before_medic_came_stays_the_one_that_is_watched() {
        let at = |second| Timestamp::from_second(second).ok();
        let target = ServiceRevision { arn: "arn:x/shop/web/2".to_owned(), ..Default::default() };
        let undone = ServiceDeployment {
            status: Some("ROLLBACK_SUCCESSFUL".to_owned()),
            started_at: at(1_800_003_600),
            finished_at: at(1_800_003_690),
            target_service_revision: Some(target),
            ..ServiceDeployment::default()
        };
        let mut looked_at = known(vec![deployment("ecs-svc/1", "PRIMARY", "web:1", "COMPLETED")]);
        looked_at.service_deployments = Part::Known(vec![undone]);
        let (mut ledger, mut focus) = (Ledger::default(), None);
        assert_eq!(follow(&mut ledger, &mut focus, None, &looked_at), Change::Began);
        for _ in 0..2 {
            assert_eq!(follow(&mut ledger, &mut focus, None, &looked_at), Change::None);
            assert_eq!(focus.as_deref(), Some("ecs-svc/2"));
        }
    }

    /// Medic came while the rollout was failing, and never saw the version before it as the wanted one.
    #[test]
    fn an_older_primary_is_the_way_back() {
        let created_at = Timestamp::from_second(1_800_003_600).ok();
        let earlier = deployment("ecs-svc/1", "PRIMARY", "web:1", "COMPLETED");
        let failing = Deployment { created_at, ..deployment("ecs-svc/2", "PRIMARY", "web:2", "IN_PROGRESS") };
        let (mut ledger, mut focus) = (Ledger::default(), None);
        follow(&mut ledger, &mut focus, None, &known(vec![failing]));
        let back = known(vec![earlier]);
        assert_eq!(follow(&mut ledger, &mut focus, None, &back), Change::Undone);
        assert_eq!(follow(&mut ledger, &mut focus, None, &back), Change::None);
        assert_eq!(focus.as_deref(), Some("ecs-svc/2"));
        assert!(ledger.is_way_back("ecs-svc/2", "ecs-svc/1"));
    }

    #[test]
    fn a_deployment_that_is_undone_when_medic_comes_is_the_one_that_is_recorded() {
        let (mut ledger, mut focus) = (Ledger::default(), None);
        let mut back = deployment("ecs-svc/3", "PRIMARY", "web:1", "IN_PROGRESS");
        back.rollout_state_reason =
            Some("ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.".to_owned());
        let back = known(vec![back, deployment("ecs-svc/2", "ACTIVE", "web:2", "FAILED")]);
        assert_eq!(follow(&mut ledger, &mut focus, None, &back), Change::Began);
        assert_eq!(focus.as_deref(), Some("ecs-svc/2"));
        assert_eq!(follow(&mut ledger, &mut focus, None, &back), Change::None);
        let settled = known(vec![deployment("ecs-svc/3", "PRIMARY", "web:1", "COMPLETED")]);
        assert_eq!(follow(&mut ledger, &mut focus, None, &settled), Change::None);
        assert!(ended(None, "ecs-svc/2", &ledger, &settled).is_some());
    }
}
