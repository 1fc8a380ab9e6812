//! GitHub shows ten errors and ten warnings of a step, and a summary of up to one mebibyte.

use proptest::prelude::*;
use proptest::sample::Index;
use reports::{Guide, github};

use crate::given::{book, cases, diagnosed, matches};
use crate::{hostile, huge};

proptest! {
    #![proptest_config(cases(64))]

    /// Feature: deployment-infrastructure-reliability, Property 15: GitHub shows everything that Medic annotates
    #[test]
    fn annotations_and_summary_are_within_the_limits(
        sample in any::<Index>(),
        texts in prop::collection::vec(prop_oneof![hostile::text(), huge::text()], 1..6),
        copies in 0usize..200,
    ) {
        let (_, sample) = sample.get(matches());
        let mut diagnosis = diagnosed(sample.source, &sample.text);
        huge::grow(&mut diagnosis, copies);
        hostile::fill(&mut diagnosis, &texts);
        is_within_limits(&Guide::new(&diagnosis, book()))?;
    }
}

/// Feature: deployment-infrastructure-reliability, Property 15: GitHub shows everything that Medic annotates
#[test]
fn a_huge_summary_is_cut() {
    let (_, sample) = matches()[0];
    let mut diagnosis = diagnosed(sample.source, &sample.text);
    huge::grow(&mut diagnosis, 20_000);
    let guide = Guide::new(&diagnosis, book());
    is_within_limits(&guide).unwrap_or_else(|error| panic!("{error}"));
    let summary = github::summary(&guide).expect("a summary");
    assert!(summary.ends_with("the full report is in the job's artifacts.\n"), "{} bytes", summary.len());
}

fn is_within_limits(guide: &Guide) -> Result<(), TestCaseError> {
    let annotations = github::annotations(guide);
    let count = |command: &str| annotations.lines().filter(|line| line.starts_with(command)).count();
    prop_assert!(count("::error ") <= 10, "{} errors", count("::error "));
    prop_assert!(count("::warning ") <= 10, "{} warnings", count("::warning "));
    prop_assert!(count("::") >= 1, "no annotation");
    let summary = github::summary(guide).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert!(summary.len() <= 1 << 20, "{} bytes", summary.len());
    Ok(())
}
