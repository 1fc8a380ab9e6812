//! `medic watch --follow-logs`: lines come from Live Tail, and from the index where it is not allowed.

use std::process::Output;
use twin::Scenario;

use crate::account::SPEED;
use crate::errors;
use crate::simulated::Account;

const SCENARIO: &str = include_str!("../../../tests/twin/scenarios/database-refused.toml");

/// Watches `database-refused` with its logs; returns what was said, and how often the account was asked for Live Tail.
fn follow(logs: &str, faults: &str) -> (Output, usize) {
    let scenario = Scenario::parse(&format!("{SCENARIO}\n{faults}")).expect("a scenario");
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("medic.toml");
    let configured = format!(
        "cluster = \"shop\"\nservice = \"web\"\n[watch]\ntimeout = \"15s\"\nsettle = \"2s\"\n\
         [[source]]\nkind = \"ecs\"\nevery = \"150ms\"\n[[source]]\nkind = \"cloudwatch-logs\"\n{logs}"
    );
    std::fs::write(&config, configured).expect("written");
    let account = Account::running_own(scenario, SPEED);
    let mut command = account.medic();
    command.args(["watch", "--follow-logs", "--exit-zero", "--config"]).arg(&config);
    command.arg("--state").arg(folder.path().join("state"));
    let output = command.output().expect("medic runs");
    (output, account.times("StartLiveTail"))
}

#[test]
fn lines_come_from_live_tail() {
    // The source reads once, before it knows the log group: what is shown is what Live Tail brought.
    let (output, sessions) = follow("every = \"1h\"\n", "");
    let said = errors(&output);
    assert!(sessions > 0, "{said}");
    assert!(said.contains(" │ ") && said.contains("Connection refused"), "{said}");
    assert!(!said.contains("not seen: Live Tail"), "{said}");
}

#[test]
fn where_live_tail_is_not_allowed_lines_come_from_the_index() {
    let denied = "[[fault]]\nkind = \"deny\"\naction = \"logs:StartLiveTail\"\n";
    let (output, sessions) = follow("every = \"150ms\"\n", denied);
    let said = errors(&output);
    assert_eq!(sessions, 1, "it is not asked again: {said}");
    let because = "not seen: Live Tail of the logs: access denied for logs:StartLiveTail; \
                   lines are shown once they are stored";
    assert!(said.contains(because), "{said}");
    assert!(said.contains(" │ ") && said.contains("Connection refused"), "{said}");
}
