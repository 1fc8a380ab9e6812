//! What is known beside the records, and changes together with them.

use analyzer::diagnosis::{Gap, Verdict};
use analyzer::redact::Redactions;
use analyzer::taxonomy::Class;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

use super::clock::Doubt;

/// The ledger: the payload of a commit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    /// Counts the commits; the ledger with the highest number holds.
    pub commit: u64,
    /// When it was committed, by the time that counts for what is kept: what is recorded is kept from then on for as
    /// long as the configuration says.
    pub at: Option<Timestamp>,
    /// What the clock says and what does not count yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
    /// When the part began that it was committed to.
    pub part_began: Option<Timestamp>,
    /// The order number of the next record.
    pub next_seq: u64,
    /// Where each source goes on.
    pub cursors: BTreeMap<String, Value>,
    /// What each source could not see.
    pub gaps: BTreeMap<String, Vec<Gap>>,
    /// How many secrets of each kind were removed, by deployment.
    pub redactions: BTreeMap<String, Redactions>,
    /// The deployments that were seen, in the order of their start.
    pub deployments: Vec<DeploymentEntry>,
}

/// More deployments than this are not remembered.
pub const MOST_DEPLOYMENTS: usize = 500;

/// A deployment that was recorded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeploymentEntry {
    /// `ecs-svc/123`.
    pub id: String,
    pub cluster: Option<String>,
    pub service: Option<String>,
    pub stack: Option<String>,
    pub task_definition: Option<String>,
    /// When ECS began it; its records count from a little earlier.
    pub created: Option<Timestamp>,
    /// From when its records count.
    pub from: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    /// Under which other names records of the deployment are found: they were recorded before it had one.
    pub also: Vec<String>,
    /// The deployment that this one rolls back.
    pub rolls_back: Option<String>,
    /// The earlier deployment that ECS went back to when this one failed, and since when.
    pub way_back: Option<WayBack>,
    /// `None`: it has not ended.
    pub verdict: Option<Verdict>,
    pub cause: Option<String>,
    pub class: Option<Class>,
    pub confidence: Option<f64>,
    pub summary: Option<String>,
}

/// An earlier deployment that became the wanted one again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WayBack {
    pub id: String,
    pub since: Timestamp,
}

impl Ledger {
    pub fn deployment(&self, id: &str) -> Option<&DeploymentEntry> {
        self.deployments.iter().find(|entry| entry.id == id)
    }

    /// Returns the names under which the records of a deployment are found.
    pub fn names_of(&self, id: &str) -> Vec<String> {
        let also = self.deployment(id).map(|entry| entry.also.clone()).unwrap_or_default();
        also.into_iter().chain([id.to_owned()]).collect()
    }

    /// Returns the entry of a deployment, a new one where it is not known.
    pub fn deployment_mut(&mut self, id: &str) -> &mut DeploymentEntry {
        let at = match self.deployments.iter().position(|entry| entry.id == id) {
            Some(at) => at,
            None => {
                if self.deployments.len() >= MOST_DEPLOYMENTS {
                    let oldest = self.deployments.remove(0);
                    self.redactions.remove(&oldest.id);
                }
                self.deployments.push(DeploymentEntry { id: id.to_owned(), ..DeploymentEntry::default() });
                self.deployments.len() - 1
            }
        };
        &mut self.deployments[at]
    }

    /// Returns the deployment whose records are those of a time: the last that began before.
    /// What undoes a deployment belongs to the deployment that it undoes.
    pub fn at(&self, time: Timestamp) -> Option<&DeploymentEntry> {
        let mut own = self.deployments.iter().filter(|entry| entry.rolls_back.is_none());
        own.rfind(|entry| entry.from.is_none_or(|from| from <= time))
    }

    /// Returns the deployment that was recorded under a name, or the one that it undid at that time.
    pub fn owner(&self, named: &str, time: Option<Timestamp>) -> Option<&DeploymentEntry> {
        let goes_back = |entry: &&DeploymentEntry| {
            let since = entry.way_back.as_ref().filter(|way| way.id == named).map(|way| way.since);
            since.zip(time).is_some_and(|(since, time)| since <= time)
        };
        let undone = self.deployments.iter().rfind(goes_back);
        undone.or_else(|| {
            let entry = self.deployment(named)?;
            entry.rolls_back.as_deref().and_then(|undone| self.deployment(undone)).or(Some(entry))
        })
    }

    /// Whether ECS undid one deployment by going to the other.
    pub fn is_way_back(&self, undone: &str, to: &str) -> bool {
        let way = self.deployment(undone).and_then(|entry| entry.way_back.as_ref());
        let rolls_back = self.deployment(to).and_then(|entry| entry.rolls_back.as_deref());
        way.is_some_and(|way| way.id == to) || rolls_back == Some(undone)
    }

    /// Returns all gaps.
    pub fn all_gaps(&self) -> Vec<Gap> {
        self.gaps.values().flatten().cloned().collect()
    }
}
