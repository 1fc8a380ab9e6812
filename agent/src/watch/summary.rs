//! What is said when watching ends, and on each line of the JSON stream.

use analyzer::deployment::{self, Outcome, State};
use analyzer::diagnosis::{Diagnosis, Verdict};
use analyzer::pattern::Patterns;
use reports::Guide;
use reports::status::{self, Ending, StatusLine};

use super::{End, Scene};
use crate::cli::{CANNOT_TELL, FAILURE, HEALTHY};

/// Returns the exit code: what became of the deployment decides, and what the records say where nothing did.
pub fn exit_code(end: &End, verdict: Verdict) -> u8 {
    match (end, verdict) {
        (End::Succeeded, _) => HEALTHY,
        (End::Failed | End::FailsFast { .. }, _) | (_, Verdict::Failed) => FAILURE,
        _ => CANNOT_TELL,
    }
}

/// Returns the guide in line with what the deployment came to: a root cause is told only of what failed.
pub fn guide(mut diagnosis: Diagnosis, outcome: &Outcome, end: &End, patterns: &Patterns) -> Guide {
    match end {
        End::Succeeded => {
            diagnosis.verdict = Verdict::Healthy;
            diagnosis.has_root_cause = false;
        }
        End::Failed | End::FailsFast { .. } => diagnosis.verdict = Verdict::Failed,
        // What is still under way has not become well because nothing failed so far.
        _ if diagnosis.verdict == Verdict::Healthy => diagnosis.verdict = Verdict::CannotTell,
        _ => {}
    }
    let has_cause = diagnosis.root_cause().is_some();
    let in_the_way =
        diagnosis.findings.first().filter(|_| !has_cause && diagnosis.verdict == Verdict::CannotTell);
    let so_far =
        in_the_way.map(|finding| format!("In the way so far: {}.", finding.title.trim_end_matches('.')));
    let mut guide = Guide::new(&diagnosis, patterns);
    let truth = sentence(&outcome.says);
    let is_told = outcome.state != State::Unknown || outcome.stack.is_some();
    if is_told && !has_cause {
        guide.headline = truth;
    } else if is_told {
        guide.happened.insert(0, truth);
    }
    guide.happened.extend(so_far);
    guide
}

/// Returns a line of the JSON stream; its time is the scene's.
pub fn status_line(scene: &Scene, outcome: &Outcome) -> StatusLine {
    let rollout = scene.rollout();
    let metrics = deployment::metrics(&rollout, scene.counts, scene.resources.clone());
    StatusLine {
        version: status::VERSION,
        time: scene.now,
        cluster: scene.target.cluster.clone(),
        service: rollout
            .described_service()
            .map(|service| service.name().to_owned())
            .or(scene.target.service.clone()),
        deployment_status: metrics.status.clone(),
        health_status: deployment::health(&rollout),
        deployment_metrics: metrics,
        outcome: outcome.clone(),
        verdict: status::verdict(scene.diagnosis()),
        end: None,
        report: None,
    }
}

/// Returns the last line of the JSON stream.
pub fn last_line(scene: &Scene, outcome: &Outcome, end: &End, exit_code: u8, guide: &Guide) -> StatusLine {
    let says = end.says(scene, outcome);
    StatusLine {
        end: Some(Ending { because: end.as_str().to_owned(), says, exit_code }),
        report: Some(status::report(guide)),
        ..status_line(scene, outcome)
    }
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    // The name of a service stays as it is; an ordinary first word gets its capital.
    let is_word = ["another ", "stack ", "the "].iter().any(|word| text.starts_with(word));
    let text = match characters.next() {
        Some(first) if is_word => format!("{}{}", first.to_uppercase(), characters.as_str()),
        _ => text.to_owned(),
    };
    if text.ends_with('.') { text } else { format!("{text}.") }
}
