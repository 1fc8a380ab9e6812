//! Chooses the two revisions that are compared.

use super::{Basis, Remembered};
use crate::snapshot::{Service, Snapshot, TaskDefinition, last_segment};

pub(super) struct Chosen {
    pub deployed: String,
    pub good: String,
    pub basis: Basis,
}

/// Returns what was deployed and what was good before; what is remembered knows better than what is described.
pub(super) fn revisions(snapshot: &Snapshot, remembered: Remembered<'_>) -> Option<Chosen> {
    let of_snapshot = match snapshot.services.items() {
        [service] => of_service(service, snapshot),
        [] => of_definitions(snapshot, None),
        // Of several services, the revisions of one say nothing about the others.
        _ => None,
    };
    let deployed = remembered.deployed.map(str::to_owned);
    if let Some(good) = remembered.good {
        let deployed = deployed.or(of_snapshot.map(|chosen| chosen.deployed))?;
        return same_family(&deployed, good).then(|| Chosen {
            deployed,
            good: good.to_owned(),
            basis: Basis::Recorded,
        });
    }
    of_snapshot.filter(|chosen| deployed.is_none_or(|deployed| deployed == chosen.deployed))
}

fn of_service(service: &Service, snapshot: &Snapshot) -> Option<Chosen> {
    let primary = service.primary()?;
    let current = primary.task_definition.clone()?;
    let is_over = primary.rollout_state.as_deref() == Some("COMPLETED");
    let others = || service.deployments.iter().filter(|other| other.id != primary.id);
    let failed = others().find(|other| other.rollout_state.as_deref() == Some("FAILED"));
    if let Some(deployed) = failed.and_then(|failed| failed.task_definition.clone()) {
        return Some(Chosen { deployed, good: current, basis: Basis::WentBack });
    }
    if !is_over && let Some(before) = others().find_map(|other| other.task_definition.clone()) {
        return Some(Chosen { deployed: current, good: before, basis: Basis::RanBefore });
    }
    // After a roll-back the service no longer shows what it went back from.
    let newest = newest_of_family(snapshot, family(&current)).into_iter().next();
    let newest = newest.filter(|newest| is_over && newest.revision > revision(&current));
    match newest {
        Some(newest) => Some(Chosen { deployed: name(newest), good: current, basis: Basis::WentBack }),
        None => of_definitions(snapshot, Some(&current)),
    }
}

/// Returns the newest two revisions of the one family that is described.
fn of_definitions(snapshot: &Snapshot, deployed: Option<&str>) -> Option<Chosen> {
    let definitions = snapshot.task_definitions.items();
    let first = definitions.iter().find(|definition| definition.is_registered())?;
    let wanted = deployed.map_or(first.family.as_str(), family);
    if deployed.is_none() && definitions.iter().any(|definition| definition.family != first.family) {
        return None;
    }
    let newest = newest_of_family(snapshot, wanted);
    let most = deployed.and_then(revision);
    let mut newest = newest.into_iter().filter(|definition| most.is_none() || definition.revision <= most);
    let (deployed, good) = (newest.next()?, newest.next()?);
    Some(Chosen { deployed: name(deployed), good: name(good), basis: Basis::RevisionBefore })
}

/// Returns the described revisions of a family, the newest first.
fn newest_of_family<'s>(snapshot: &'s Snapshot, family: &str) -> Vec<&'s TaskDefinition> {
    let definitions = snapshot.task_definitions.items().iter();
    let mut found: Vec<&TaskDefinition> = definitions
        .filter(|definition| definition.family == family && definition.revision.is_some())
        .collect();
    found.sort_by_key(|definition| std::cmp::Reverse(definition.revision));
    found
}

fn name(definition: &TaskDefinition) -> String {
    definition.task_definition_arn.clone().unwrap_or_else(|| definition.name())
}

fn same_family(left: &str, right: &str) -> bool {
    family(left) == family(right)
}

fn family(reference: &str) -> &str {
    let name = short(reference);
    name.rsplit_once(':').map_or(name, |(family, _)| family)
}

fn revision(reference: &str) -> Option<i64> {
    short(reference).rsplit_once(':')?.1.parse().ok()
}

/// Returns `family:revision` of an ARN.
pub(super) fn short(reference: &str) -> &str {
    last_segment(reference)
}
