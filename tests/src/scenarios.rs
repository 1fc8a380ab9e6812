//! Runs every folder of `scenarios/`: what a team had at hand, and what the diagnosis must be.

use analyzer::diagnosis::{Diagnosis, Proof, Verdict};
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};

/// The expected diagnosis, written by hand.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    verdict: Verdict,
    cause: Option<String>,
    class: Option<String>,
    confirmed: Option<bool>,
    #[serde(default)]
    ruled_out: Vec<String>,
    blockers: Option<Vec<String>>,
    redactions: Option<u64>,
    /// A part of the first evidence.
    evidence: Option<String>,
    headline: Option<String>,
}

#[test]
fn every_scenario_gives_its_diagnosis() {
    let patterns = patterns::load().expect("the built-in patterns load");
    let mut wrong = Vec::new();
    let folders = folders();
    assert!(folders.len() >= 95, "only {} scenarios were found", folders.len());
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let expected =
            fs::read_to_string(folder.join("expected.toml")).expect("a scenario has expected.toml");
        let expected: Expected = toml::from_str(&expected).unwrap_or_else(|error| panic!("{name}: {error}"));
        let diagnosis = crate::diagnose_folder(&folder.join("input"), &patterns);
        wrong.extend(
            differences(&expected, &diagnosis).into_iter().map(|difference| format!("{name}: {difference}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let entries = fs::read_dir(root).expect("the scenarios can be read");
    let mut folders: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn differences(expected: &Expected, diagnosis: &Diagnosis) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, wanted: String, got: String| {
        if wanted != got {
            differences.push(format!("{what} is {got}, expected {wanted}"));
        }
    };
    let root = diagnosis.root_cause();
    compare("the verdict", format!("{:?}", expected.verdict), format!("{:?}", diagnosis.verdict));
    if let Some(cause) = &expected.cause {
        compare("the cause", cause.clone(), root.map(|root| root.cause.clone()).unwrap_or_default());
    }
    if let Some(class) = &expected.class {
        compare("the class", class.clone(), root.map(|root| root.class.to_string()).unwrap_or_default());
    }
    if let Some(confirmed) = expected.confirmed {
        compare(
            "confirmed",
            confirmed.to_string(),
            root.is_some_and(|root| root.proof == Proof::Confirmed).to_string(),
        );
    }
    for cause in &expected.ruled_out {
        let ruled = diagnosis.ruled_out.iter().any(|ruled| ruled.cause == *cause);
        compare("ruled out", cause.clone(), if ruled { cause.clone() } else { "nothing like it".to_owned() });
    }
    if let Some(blockers) = &expected.blockers {
        let got: Vec<String> = diagnosis.blockers.iter().map(|blocker| blocker.class.to_string()).collect();
        compare("blockers", format!("{blockers:?}"), format!("{got:?}"));
    }
    if let Some(redactions) = expected.redactions {
        compare("redactions", redactions.to_string(), diagnosis.redactions.values().sum::<u64>().to_string());
    }
    if let Some(headline) = &expected.headline {
        compare("the headline", headline.clone(), reports::headline(diagnosis));
    }
    if let Some(evidence) = &expected.evidence {
        let first = root
            .and_then(|root| root.evidence.first())
            .map(|evidence| evidence.text.clone())
            .unwrap_or_default();
        if !first.contains(evidence.as_str()) {
            compare("the first evidence", evidence.clone(), first);
        }
    }
    differences
}
