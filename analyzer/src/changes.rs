//! Compares the task definition of a deployment with that of the last good one.
//!
//! Values of environment variables are not in a snapshot: that one changed is told, what it was is not,
//! unless it is a number or a switch.

mod choose;
mod compare;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::snapshot::Snapshot;

/// What changed between two revisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// `family:revision` of the last good deployment.
    pub from: String,
    /// `family:revision` that was deployed.
    pub to: String,
    /// Why `from` is taken for the last good one.
    pub basis: Basis,
    /// The likeliest to matter first.
    pub items: Vec<Change>,
    /// Which of the two is not described, so that nothing could be compared.
    pub not_described: Vec<String>,
}

/// What says that a revision is the last good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// A deployment of it was recorded, and ended well.
    Recorded,
    /// The service went back to it.
    WentBack,
    /// It ran when the deployment began.
    RanBefore,
    /// It is the revision before; whether it was good is not known.
    RevisionBefore,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The container; none for the task as a whole.
    pub container: Option<String>,
    /// `image tag`, `environment variable PORT`, `memory` …
    pub what: String,
    pub kind: Kind,
    /// Not told where it may be secret.
    pub before: Option<String>,
    pub after: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Added,
    Removed,
    Changed,
}

/// What is known about the two revisions from elsewhere than a snapshot; ARNs or `family:revision`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remembered<'a> {
    /// What was deployed.
    pub deployed: Option<&'a str>,
    /// What the last recorded deployment that ended well ran.
    pub good: Option<&'a str>,
}

/// Returns what changed since the last good deployment; `None` where no two revisions can be named,
/// or neither of them is described.
pub fn since_last_good(snapshot: &Snapshot, remembered: Remembered<'_>) -> Option<Changes> {
    let chosen = choose::revisions(snapshot, remembered)?;
    let definitions = snapshot.task_definitions.items();
    let described = |name: &str| definitions.iter().find(|definition| definition.is(name));
    let (from, to) = (described(&chosen.good), described(&chosen.deployed));
    let mut changes = Changes {
        from: choose::short(&chosen.good).to_owned(),
        to: choose::short(&chosen.deployed).to_owned(),
        basis: chosen.basis,
        items: Vec::new(),
        not_described: Vec::new(),
    };
    match (from, to) {
        _ if chosen.good == chosen.deployed => {}
        (Some(from), Some(to)) => changes.items = compare::differences(from, to),
        (None, None) => return None,
        (None, _) => changes.not_described.push(changes.from.clone()),
        (_, None) => changes.not_described.push(changes.to.clone()),
    }
    Some(changes)
}

/// Returns `family:revision` of what ran before the deployment, or of what the service went back to.
pub fn last_good(snapshot: &Snapshot) -> Option<String> {
    let chosen = choose::revisions(snapshot, Remembered::default())?;
    let is_good = chosen.basis != Basis::RevisionBefore && chosen.good != chosen.deployed;
    is_good.then(|| choose::short(&chosen.good).to_owned())
}

impl Changes {
    /// Says which two revisions were compared, and why these.
    pub fn says(&self) -> String {
        let Changes { from, to, .. } = self;
        if from == to {
            return format!("`{to}` ran before, too: nothing in the task definition changed");
        }
        let because = match self.basis {
            Basis::Recorded => "the last deployment that was recorded and ended well".to_owned(),
            Basis::WentBack => "the service went back to it".to_owned(),
            Basis::RanBefore => "it ran when this deployment began".to_owned(),
            Basis::RevisionBefore => "the revision before; whether it was good is not known".to_owned(),
        };
        match (self.not_described.first(), self.items.is_empty()) {
            (Some(missing), _) => {
                format!(
                    "`{from}` → `{to}` ({because}); `{missing}` is not described, so they are not compared"
                )
            }
            (None, true) => format!("`{from}` → `{to}` ({because}): nothing that Medic compares"),
            (None, false) => format!("`{from}` → `{to}` ({because})"),
        }
    }
}

impl Change {
    /// Says what became of the field.
    pub fn values(&self) -> String {
        match (self.kind, &self.before, &self.after) {
            (Kind::Changed, Some(before), Some(after)) => format!("{before} → {after}"),
            (Kind::Changed, ..) => "has another value".to_owned(),
            (Kind::Added, _, Some(after)) => format!("added: {after}"),
            (Kind::Added, ..) => "added".to_owned(),
            (Kind::Removed, Some(before), _) => format!("removed, was {before}"),
            (Kind::Removed, ..) => "removed".to_owned(),
        }
    }
}
