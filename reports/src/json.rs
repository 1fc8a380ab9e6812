//! The JSON report: a public format with a version and a schema.

mod fill;

pub use fill::report;

use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

use crate::guide::Guide;

/// Raised when a field changes its meaning or goes; new fields do not raise it.
pub const VERSION: u32 = 1;

/// What `medic diagnose --format json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Report {
    pub version: u32,
    /// `healthy`, `failed` or `cannot-tell`.
    pub verdict: String,
    /// The verdict in one sentence.
    pub headline: String,
    pub root_cause: Option<RootCause>,
    pub findings: Vec<ReportFinding>,
    /// What would fail next, in order.
    pub blockers: Vec<ReportBlocker>,
    /// What changed since the last good deployment; null where no two revisions of a task definition are known.
    pub changes: Option<ReportChanges>,
    pub ruled_out: Vec<ReportRuledOut>,
    pub timeline: Vec<ReportMoment>,
    /// What could not be seen, and why.
    pub gaps: Vec<ReportGap>,
    /// How many secrets of each kind were removed.
    pub redactions: BTreeMap<String, u64>,
    pub deployment: ReportDeployment,
    pub analysis: FailureAnalysis,
    pub failures: Vec<FailureRecord>,
    pub guide: TroubleshootingGuide,
    pub input: ReportInput,
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RootCause {
    /// The id of the page, or `<class>/unknown`.
    pub cause: String,
    /// One of the twelve classes.
    pub class: String,
    /// From 0 to 1: the share of answers like this one that were right on labelled failures.
    pub confidence: f64,
    pub confidence_because: Vec<String>,
    /// `confirmed`, `refuted` or `unchecked`.
    pub proof: String,
    pub proof_says: Vec<String>,
    pub title: String,
    pub summary: String,
    pub severity: String,
    /// Whose move it is: `change`, `capacity`, `environment` or `pipeline`.
    pub blame: String,
    /// Best first.
    pub evidence: Vec<ReportEvidence>,
    /// Causes of other findings that this one makes understandable.
    pub explains: Vec<String>,
    pub values: BTreeMap<String, String>,
    pub auto_recoverable: bool,
    pub remedies: Vec<ResolutionAction>,
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ReportFinding {
    pub cause: String,
    pub class: String,
    pub title: String,
    pub severity: String,
    pub symptom: bool,
    pub proof: String,
    pub confidence: f64,
    pub evidence: Vec<ReportEvidence>,
    pub explained_by: Vec<String>,
    pub remedies: Vec<ResolutionAction>,
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ReportEvidence {
    /// The record as it stands in the input; a removed secret reads `[redacted:KIND]`.
    pub text: String,
    /// What the record says once it is decoded, where that differs: the messages of a JSON record, one a line.
    pub said: Option<String>,
    /// The line of the record that tells.
    pub line: String,
    pub source: String,
    /// RFC 3339, where the record has a time.
    pub time: Option<String>,
    pub location: Location,
    /// How many records say the same.
    pub count: u64,
    /// A command that shows the record; empty where there is none.
    pub show: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Location {
    /// The file or stream.
    pub stream: String,
    /// The first line of the record, from 1.
    pub line: u64,
    /// The task, container or resource.
    pub entity: Option<String>,
}

/// What can be done: the design's `ResolutionAction`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ResolutionAction {
    pub action: String,
    pub title: String,
    pub parameters: BTreeMap<String, String>,
    pub automatable: bool,
    /// `safe`, `disruptive`, `irreversible` or `manual`.
    pub safety: String,
    /// In seconds.
    pub estimated_time: u64,
    /// When it must not be done, or what it costs.
    pub caution: Option<String>,
    /// The confidence in the cause that it treats.
    pub success_probability: f64,
    pub undo: Option<String>,
    /// The command of `undo`, where it is one; a word in capitals stands for what is not known.
    pub undo_command: Option<String>,
    /// A command that shows what would change; it only reads.
    pub preview: Option<String>,
    /// The command that does it; Medic does not run it.
    pub apply: Option<String>,
    /// A command that tells whether it worked; it only reads.
    pub verify: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ReportBlocker {
    pub class: String,
    pub title: String,
    pub because: String,
}

/// Two revisions of a task definition, compared.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ReportChanges {
    /// `family:revision` of the last good deployment.
    pub from: String,
    /// `family:revision` that was deployed.
    pub to: String,
    /// Why `from` is taken for the last good one: `recorded`, `went-back`, `ran-before` or `revision-before`.
    pub basis: String,
    pub says: String,
    /// The likeliest to matter first.
    pub items: Vec<ReportChange>,
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ReportChange {
    /// The container; null for the task as a whole.
    pub container: Option<String>,
    /// `image tag`, `environment variable PORT`, `task memory` …
    pub what: String,
    /// `added`, `removed` or `changed`.
    pub kind: String,
    /// Null where there was none, and where it may be secret.
    pub before: Option<String>,
    pub after: Option<String>,
    /// Whether the root cause names it, or what stands in it.
    pub named_by_cause: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ReportRuledOut {
    pub cause: String,
    pub because: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ReportMoment {
    pub time: Option<String>,
    pub source: String,
    pub stream: String,
    pub level: String,
    pub text: String,
    pub cause: Option<String>,
    pub count: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ReportGap {
    pub what: String,
    pub because: String,
    pub remedy: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ReportDeployment {
    pub id: Option<String>,
    pub cluster: Option<String>,
    pub service: Option<String>,
    pub task_definition: Option<String>,
    pub stack: Option<String>,
    pub desired: Option<i64>,
    pub running: Option<i64>,
    pub started: Option<String>,
    pub ended: Option<String>,
}

/// The design's `FailureAnalysis`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FailureAnalysis {
    pub failed_resources: Vec<ResourceFailure>,
    pub root_cause: Option<String>,
    pub recommended_actions: Vec<String>,
    pub can_auto_recover: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ResourceFailure {
    pub resource: String,
    pub source: String,
    pub reason: String,
    pub time: Option<String>,
}

/// The design's `FailureRecord`: one per finding.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FailureRecord {
    pub id: String,
    pub deployment_id: Option<String>,
    pub timestamp: Option<String>,
    pub component: String,
    /// The class.
    pub error_type: String,
    pub error_message: String,
    pub stack_trace: Option<String>,
    pub context: BTreeMap<String, String>,
    pub resolution: Option<ResolutionAction>,
}

/// The design's `TroubleshootingGuide`: what a person does, in order.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TroubleshootingGuide {
    pub title: String,
    pub what_happened: Vec<String>,
    /// Markdown.
    pub what_to_do: String,
    pub causal_chain: Vec<String>,
    pub would_fail_next: Vec<String>,
    pub what_changed: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ReportInput {
    pub records: u64,
    pub streams: u64,
    pub bytes: u64,
}

/// Renders a guide as pretty JSON.
pub fn render(guide: &Guide) -> Result<String, serde_json::Error> {
    Ok(visible(&serde_json::to_string_pretty(&report(guide))?) + "\n")
}

/// Writes as an escape what JSON allows as it is and could still steer a terminal.
pub(crate) fn visible(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        if c != '\n' && crate::escape::is_invisible(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

/// Returns the schema of the report.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Report).to_value()
}

/// Returns the name that serde gives to a plain variant.
pub(crate) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
