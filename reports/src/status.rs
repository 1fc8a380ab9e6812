//! The lines of `medic watch --format json`: a public format with a version and a schema.

use analyzer::deployment::{DeploymentMetrics, DeploymentStatus, HealthStatus, Outcome};
use analyzer::diagnosis::Diagnosis;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::Guide;
use crate::json::{self, Report, visible, word};

/// Raised when a field changes its meaning or goes; new fields do not raise it.
pub const VERSION: u32 = 1;

/// One line: how the deployment stands at a time. The last line says how watching ended, and holds the report.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusLine {
    pub version: u32,
    /// RFC 3339.
    #[schemars(with = "String")]
    pub time: Timestamp,
    pub cluster: Option<String>,
    pub service: Option<String>,
    pub deployment_status: DeploymentStatus,
    pub health_status: HealthStatus,
    pub deployment_metrics: DeploymentMetrics,
    /// What the deployment came to, across ECS, CloudFormation and the pipeline.
    pub outcome: Outcome,
    pub verdict: PresentVerdict,
    /// How watching ended; on the last line only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Ending>,
    /// What `medic diagnose --format json` prints; on the last line only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
}

/// The root cause as it is seen at present.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PresentVerdict {
    /// `healthy`, `failed` or `cannot-tell`.
    pub verdict: String,
    pub cause: Option<String>,
    pub class: Option<String>,
    pub title: Option<String>,
    pub confidence: Option<f64>,
    /// `confirmed`, `refuted` or `unchecked`.
    pub proof: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ending {
    /// `succeeded`, `failed`, `fails-fast`, `unclear`, `timed-out`, `interrupted`, `blind` or `sources-ended`.
    pub because: String,
    pub says: String,
    pub exit_code: u8,
}

/// Returns what a diagnosis says at present.
pub fn verdict(diagnosis: Option<&Diagnosis>) -> PresentVerdict {
    let Some(diagnosis) = diagnosis else {
        return PresentVerdict { verdict: "cannot-tell".to_owned(), ..PresentVerdict::default() };
    };
    let root = diagnosis.root_cause();
    PresentVerdict {
        verdict: word(&diagnosis.verdict),
        cause: root.map(|root| root.cause.clone()),
        class: root.map(|root| root.class.to_string()),
        title: root.map(|root| root.title.clone()),
        confidence: root.map(|root| root.confidence),
        proof: root.map(|root| word(&root.proof)),
    }
}

/// Returns the report as the last line holds it.
pub fn report(guide: &Guide) -> Report {
    json::report(guide)
}

/// Renders a line, with its end.
pub fn render(line: &StatusLine) -> Result<String, serde_json::Error> {
    Ok(visible(&serde_json::to_string(line)?) + "\n")
}

/// Returns the schema of a line.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(StatusLine).to_value()
}
