//! How sure a finding is, and why.
//!
//! The numbers are shares of right answers that were measured on labelled failures: see the table in the README.

use std::collections::BTreeSet;

use super::{Finding, Proof};
use crate::checks::{Check, CheckResult, Outcome};

/// However probable its class, what no page knows is less sure than what a page knows.
const MOST_UNKNOWN: f64 = 0.9;

/// Sets the confidence of a finding; `rivals` are findings that nothing explains either, `confirm` are the checks of its page.
pub(super) fn settle(
    finding: &mut Finding,
    confirm: &[Check],
    undone: bool,
    rivals: usize,
    probability: Option<f64>,
) {
    let told = std::mem::take(&mut finding.confidence_because);
    let mut because = Vec::new();
    let mut confidence = match (finding.known, finding.generic, finding.symptom) {
        (true, _, true) => {
            because_of(&mut because, 0.55, "only a consequence is visible, not what caused it")
        }
        (true, false, false) => because_of(&mut because, 0.93, "a page knows this message"),
        (true, true, false) => because_of(&mut because, 0.85, "a page knows this family of messages"),
        (false, _, true) => {
            because_of(&mut because, 0.6, "only a consequence is visible, not what caused it")
        }
        (false, _, false) => {
            // With the page of a sample left out, the words are about as often right as they are probable.
            let judged = probability.unwrap_or(0.0);
            because_of(
                &mut because,
                if judged > 0.0 { (0.15 + 0.8 * judged).min(MOST_UNKNOWN) } else { 0.3 },
                "no page knows this message; its class was judged by its words and source",
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

/// Says why no check decided: none could, something was not described, or what is described does not rule the cause out.
fn unchecked(confirm: &[Check], about: &[CheckResult], undone: bool) -> String {
    if confirm.is_empty() {
        return "no check of the described state can decide this cause".to_owned();
    }
    let missing: BTreeSet<String> = about
        .iter()
        .filter_map(|result| match &result.outcome {
            Outcome::Unknown { missing } => Some(format!("{missing} ({})", result.permission())),
            _ => None,
        })
        .collect();
    if !missing.is_empty() {
        let missing = missing.into_iter().collect::<Vec<_>>().join("; ");
        return format!("not all was described that would check it: {missing}");
    }
    if let Some(first) = about.first() {
        return format!("what is described does not rule it out, although {}", first.check.says());
    }
    if undone && confirm.iter().all(|check| check.is_state()) {
        return "the described state is that after the roll-back, so it cannot check this".to_owned();
    }
    let asks: BTreeSet<&str> = confirm.iter().map(|check| check.permission()).collect();
    let asks = asks.into_iter().collect::<Vec<_>>().join(", ");
    format!("nothing is described that would check it (the answer of {asks})")
}

fn because_of(because: &mut Vec<String>, confidence: f64, reason: &str) -> f64 {
    because.push(reason.to_owned());
    confidence
}

#[cfg(test)]
mod tests {
    use super::*;

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
        says(&[], &[], false, "no check of the described state can decide this cause");
        says(
            &[exists, Check::ImageReferenceValid],
            &[(exists, missing), (Check::ImageReferenceValid, Outcome::Holds)],
            false,
            "not all was described that would check it: images: not described (ecr:DescribeImages)",
        );
        says(
            &[Check::HealthCheckTiming],
            &[(Check::HealthCheckTiming, Outcome::Holds)],
            false,
            "what is described does not rule it out, although the container health check can succeed before its retries are used up",
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
            "nothing is described that would check it (the answer of ecs:DescribeTaskDefinition)",
        );
    }
}
