//! Each property has a number of its own, and its tests carry its text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::architecture::{root, sources};

/// The properties of the design document, in its words.
const DESIGNED: [&str; 11] = [
    "For any ECS service deployment with valid configuration, the service should start successfully within the specified timeout period and pass all health checks.",
    "For any container deployment, if the allocated resources meet the minimum requirements, the container should start successfully and maintain stable operation.",
    "For any deployed service with configured health checks, the health check endpoint should return successful responses when the service is operational.",
    "For any CloudFormation stack in ROLLBACK_FAILED state, the automated recovery process should successfully clean up resources and enable retry deployment.",
    "For any deployment failure due to transient issues, the retry mechanism should successfully complete the deployment with exponential backoff.",
    "For any application requiring database access, the deployment should verify database connectivity before marking the service as healthy.",
    "For any deployed service, the security groups should allow required traffic while blocking unauthorized access.",
    "For any service deployment, the allocated resources should be sufficient for stable operation without significant over-provisioning.",
    "For any completed deployment, the validation tests should confirm that all critical functionality is working correctly.",
    "For any deployment process, all relevant logs should be collected and made available for troubleshooting.",
    "For any CDK infrastructure code, all parameters used in constructs should be compatible with the target CDK version and not cause deployment failures.",
];
/// What Medic does not do yet cannot be tested; see ARCHITECTURE.md.
const UNTESTED: [usize; 3] = [4, 5, 7];

#[test]
fn a_number_stands_for_one_property() {
    let mut texts: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for (number, text) in tags() {
        texts.entry(number).or_default().insert(text);
    }
    for (number, texts) in &texts {
        assert_eq!(texts.len(), 1, "property {number} has several texts: {texts:#?}");
        if let Some(designed) = DESIGNED.get(number - 1) {
            assert!(texts.contains(*designed), "property {number} is in the design document: {texts:?}");
        }
    }
    let untested: Vec<usize> = (1..=DESIGNED.len()).filter(|number| !texts.contains_key(number)).collect();
    assert_eq!(untested, UNTESTED);
}

/// Returns the number and the text of every tag.
fn tags() -> Vec<(usize, String)> {
    let mark = concat!("/// Feature: deployment-infrastructure-", "reliability, Property ");
    let mut tags = Vec::new();
    for folder in ["agent", "analyzer", "patterns", "reports", "tests"] {
        for file in sources(&root().join(folder)) {
            let text = fs::read_to_string(&file).expect("a source file can be read");
            for (_, rest) in text.match_indices(mark).map(|(at, _)| text.split_at(at + mark.len())) {
                let lines = rest.lines().map(str::trim_start);
                let comment = lines.enumerate().map_while(|(index, line)| match index {
                    0 => Some(line),
                    _ => line.strip_prefix("///").map(str::trim),
                });
                let tag = comment.collect::<Vec<_>>().join(" ");
                let (number, text) = tag.split_once(": ").expect("a number and a text");
                tags.push((number.parse().expect("a number"), text.to_owned()));
            }
        }
    }
    tags
}
