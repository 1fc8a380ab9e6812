//! How sure a finding is, and why.
//!
//! The numbers are shares of right answers that were measured on labelled failures: see the table in the README.

use super::{Finding, Proof};

/// Sets the confidence of the root cause; `rivals` are findings that nothing explains either.
pub(super) fn settle(finding: &mut Finding, rivals: usize, probability: Option<f64>) {
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
                if judged > 0.0 { 0.15 + 0.8 * judged } else { 0.3 },
                "no page knows this message; its class was judged by its words and source",
            )
        }
    };
    match finding.proof {
        Proof::Confirmed => {
            confidence += (1.0 - confidence) * 0.7;
            because.push("the described state confirms it".to_owned());
        }
        Proof::Unchecked => because.push("the described state was not available to check it".to_owned()),
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

fn because_of(because: &mut Vec<String>, confidence: f64, reason: &str) -> f64 {
    because.push(reason.to_owned());
    confidence
}
