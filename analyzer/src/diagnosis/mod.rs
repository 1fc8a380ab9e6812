//! The diagnosis: findings with the root cause first, what each explains, what comes next, what was not seen.

mod answered;
mod conclude;
mod confidence;
mod described;
mod facts;
mod findings;
mod finished;
mod foreign;
mod kept;
mod last_words;
mod listeners;
mod markers;
mod measured;
mod names;
pub mod noise;
mod not_found;
mod operations;
mod outlived;
mod proof;
#[cfg(test)]
mod proven;
mod rank;
mod settled;
mod stalled;
mod steps;
mod study;
mod success;
mod supervised;
mod tail;
mod telling;
#[cfg(test)]
mod tests;
mod timeline;
mod under_way;
mod unknown;

pub use study::Study;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::changes::Changes;
use crate::checks::CheckResult;
use crate::pattern::Patterns;
use crate::record::{Level, Record, Source};
use crate::redact::Redactions;
use crate::snapshot::Snapshot;
use crate::taxonomy::{Class, Remedy, Severity};

/// Returns what went wrong according to records and the described state.
pub fn diagnose(patterns: &Patterns, records: &[Record], snapshot: &Snapshot, gaps: Vec<Gap>) -> Diagnosis {
    let mut study = Study::new(patterns);
    study.observe(records);
    study.conclude(snapshot, gaps)
}

#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    pub verdict: Verdict,
    /// Whether something was still in progress, so that the records cannot tell how it ended.
    pub under_way: bool,
    /// The root cause first, then what it explains, then the rest.
    pub findings: Vec<Finding>,
    /// Whether the first finding is the root cause.
    pub has_root_cause: bool,
    pub blockers: Vec<Blocker>,
    pub ruled_out: Vec<RuledOut>,
    pub timeline: Vec<TimelineEntry>,
    pub gaps: Vec<Gap>,
    pub redactions: Redactions,
    pub checks: Vec<CheckResult>,
    pub deployment: DeploymentFacts,
    /// What changed since the last good deployment, where two revisions are known.
    pub changes: Option<Changes>,
    pub seen: Seen,
}

impl Diagnosis {
    pub fn root_cause(&self) -> Option<&Finding> {
        self.findings.first().filter(|_| self.has_root_cause)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Healthy,
    Failed,
    CannotTell,
}

/// A pattern whose evidence was met, or a failure that no pattern knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub cause: String,
    pub class: Class,
    pub title: String,
    pub severity: Severity,
    /// Whether a page knows it; otherwise its class was judged by words and source.
    pub known: bool,
    pub symptom: bool,
    pub generic: bool,
    pub proof: Proof,
    /// How the described state bears on it.
    pub proof_checks: Vec<CheckResult>,
    pub confidence: f64,
    /// Why the confidence is what it is.
    pub confidence_because: Vec<String>,
    pub evidence: Vec<Evidence>,
    pub values: BTreeMap<String, String>,
    /// The causes of other findings that this one makes understandable.
    pub explains: Vec<String>,
    pub explained_by: Vec<String>,
    pub remedies: Vec<Remedy>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    Refuted,
    Unchecked,
    Confirmed,
}

/// A record or a violated check that met a condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The record as it stands in the input, without secrets; long traces are cut.
    pub text: String,
    /// What it says once it is decoded, where that differs.
    pub said: Option<String>,
    /// The line of it that tells.
    pub line: String,
    pub source: Source,
    pub stream: String,
    /// The number of that record's first line in its stream, from 1; 0 for checks.
    pub line_number: u64,
    /// The position of the record in its stream; 0 for checks.
    pub seq: u64,
    pub time: Option<Timestamp>,
    pub level: Level,
    pub entity: Option<String>,
    /// How many records say the same.
    pub count: u64,
}

/// What would fail next: once the root cause is repaired, or with the next deployment of what runs now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    pub class: Class,
    pub cause: Option<String>,
    pub title: String,
    pub because: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuledOut {
    pub cause: String,
    pub because: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimelineEntry {
    pub time: Option<Timestamp>,
    pub stream: String,
    pub seq: u64,
    pub source: Source,
    pub level: Level,
    pub text: String,
    /// The cause that the record is evidence of.
    pub cause: Option<String>,
    pub count: u64,
}

/// Something Medic could not see, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    pub what: String,
    pub because: String,
    /// What closes the gap: a command, or the permission that is missing.
    pub remedy: Option<String>,
}

/// What the records and the snapshot say about the deployment itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentFacts {
    pub id: Option<String>,
    pub cluster: Option<String>,
    pub service: Option<String>,
    pub task_definition: Option<String>,
    pub stack: Option<String>,
    /// The last known status of the stack: `UPDATE_ROLLBACK_FAILED`.
    pub stack_status: Option<String>,
    /// Whether CloudFormation manages the service.
    #[serde(default)]
    pub is_in_stack: bool,
    pub region: Option<String>,
    pub account: Option<String>,
    /// The revision that ran before, or that the service went back to: `web:41`.
    pub good: Option<String>,
    pub desired: Option<i64>,
    pub running: Option<i64>,
    /// How many of them are of this deployment, while another has tasks too.
    pub running_new: Option<i64>,
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    /// When ECS called the deployment completed; what failed later is no failure of deploying.
    #[serde(default)]
    pub completed: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub records: u64,
    pub streams: u64,
    pub bytes: u64,
}
