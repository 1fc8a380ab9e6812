//! How sure a finding is, and why.
//!
//! The numbers are shares of right answers that were measured on labelled failures: see the table in the README.

use std::collections::BTreeSet;

use super::{Finding, Proof};
use crate::checks::{Check, CheckResult};

/// However probable its class, what no page knows is less sure than what a page knows.
const MOST_UNKNOWN: f64 = 0.9;

/// What speaks against a finding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubts {
    /// The deployment was undone: the described state is that of the version before.
    pub undone: bool,
    /// So many findings are explained by nothing either.
    pub rivals: usize,
    /// Its record says itself that nothing failed.
    pub quiet: bool,
}

/// Sets the confidence of a finding; `confirm` are the checks of its page.
pub(super) fn settle(finding: &mut Finding, confirm: &[Check], doubts: Doubts, probability: Option<f64>) {
    let Doubts { undone, rivals, quiet } = doubts;
    let told = std::mem::take(&mut finding.confidence_because);
    let mut because = Vec::new();
    let mut confidence = match (finding.known, finding.generic, finding.symptom) {
        (true, _, true) => {
            because_of(&mut because, 0.55, "only a consequence is visible, not what caused it")
        }
        (true, false, false) => because_of(&mut because, 0.93, "the message matches a known error exactly"),
        (true, true, false) => because_of(&mut because, 0.85, "the message is of a known kind"),
        (false, _, true) => {
            because_of(&mut because, 0.6, "only a consequence is visible, not what caused it")
        }
        (false, _, false) => {
            // With the page of a sample left out, the words are about as often right as they are probable.
            let judged = probability.unwrap_or(0.0);
            because_of(
                &mut because,
                if judged > 0.0 { (0.15 + 0.8 * judged).min(MOST_UNKNOWN) } else { 0.3 },
                "no known error matches; its class was judged by its words and source",
            )
        }
    };
    because.extend(told);
    match finding.proof {
        Proof::Confirmed => {
            confidence += (1.0 - confidence) * 0.7;
            because.push("the described state confirms it".to_owned());
        }
        Proof::Unchecked => because.push(unchecked(confirm, &finding.proof_checks, undone)),
        Proof::Refuted => confidence *= 0.3,
    }
    if quiet {
        confidence *= 0.6;
        because.push("its record has the level of a message that reports no failure".to_owned());
    }
    if rivals > 0 {
        confidence *= if rivals == 1 { 0.9 } else { 0.8 };
        because.push(format!(
            "{rivals} other finding{} could also be the cause",
            if rivals == 1 { "" } else { "s" }
        ));
    }
    finding.confidence = (confidence * 100.0).round() / 100.0;
    finding.confidence_because = because;
}

/// Says why no check decided: none could, something was not provided, or what is described does not rule the cause out.
fn unchecked(confirm: &[Check], about: &[CheckResult], undone: bool) -> String {
    if confirm.is_empty() {
        return "no described state could confirm it or rule it out".to_owned();
    }
    let missing: BTreeSet<String> = about.iter().filter_map(CheckResult::not_provided).collect();
    if !missing.is_empty() {
        let missing = missing.into_iter().collect::<Vec<_>>().join("; ");
        return format!("not verified: {missing}");
    }
    if let Some(first) = about.first() {
        return format!("{}, but that does not rule this out", first.check.says());
    }
    if undone && confirm.iter().all(|check| check.is_state()) {
        return "the described state is that after the roll-back, so it cannot check this".to_owned();
    }
    let asks: BTreeSet<&str> = confirm.iter().map(|check| check.permission()).collect();
    let asks = asks.into_iter().collect::<Vec<_>>().join(", ");
    format!("not verified: the answer of {asks} was not provided")
}

fn because_of(because: &mut Vec<String>, confidence: f64, reason: &str) -> f64 {
    because.push(reason.to_owned());
    confidence
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Outcome;

    #[track_caller]
    fn says(confirm: &[Check], about: &[(Check, Outcome)], undone: bool, expected: &str) {
        let about: Vec<CheckResult> = about
            .iter()
            .map(|(check, outcome)| CheckResult {
                check: *check,
                subject: "web".to_owned(),
                outcome: outcome.clone(),
            })
            .collect();
        assert_eq!(unchecked(confirm, &about, undone), expected);
    }

    #[test]
    fn what_was_missing_is_named() {
        let missing = Outcome::Unknown { missing: "images: not described".to_owned() };
        let exists = Check::ImageExists;
        says(&[], &[], false, "no described state could confirm it or rule it out");
        says(
            &[exists, Check::ImageReferenceValid],
            &[(exists, missing), (Check::ImageReferenceValid, Outcome::Holds)],
            false,
            "not verified: images were not provided (ecr:DescribeImages)",
        );
        says(
            &[Check::HealthCheckTiming],
            &[(Check::HealthCheckTiming, Outcome::Holds)],
            false,
            "the container health check can succeed before its retries are used up, but that does not rule this out",
        );
        says(
            &[Check::TargetHealth],
            &[],
            true,
            "the described state is that after the roll-back, so it cannot check this",
        );
        says(
            &[Check::FargateSizeValid],
            &[],
            false,
            "not verified: the answer of ecs:DescribeTaskDefinition was not provided",
        );
    }
}
