//! The agent watches deployments of a simulated account, over HTTP and with the real SDK.

use serde_json::Value;
use std::path::Path;
use std::process::Output;

use crate::simulated::{Account, assert_within_policy};
use crate::{count, errors, text};

/// So much faster than ours the account's clock runs.
pub const SPEED: f64 = 40.0;
pub const CONFIG: &str = r#"
cluster = "shop"
service = "web"
[watch]
timeout = "45s"
settle = "2s"
[[source]]
kind = "ecs"
every = "150ms"
[[source]]
kind = "cloudwatch-logs"
every = "150ms"
[[source]]
kind = "target-health"
every = "150ms"
"#;

struct Watched {
    output: Output,
    report: Value,
    state: tempfile::TempDir,
}

/// Watches a scenario to its end; the calls that it makes are those of the policy.
fn watch(scenario: &str) -> Watched {
    let account = Account::running(scenario, SPEED);
    let state = tempfile::tempdir().expect("a folder");
    let config = state.path().join("medic.toml");
    let mut text_of_config = CONFIG.to_owned();
    if let Some(stack) = &account.scenario.stack {
        let source = "[[source]]\nkind = \"cloudformation\"\nevery = \"150ms\"\n";
        // Calls to CloudFormation have a small budget, so what they tell may be some seconds old.
        let patient = CONFIG.replace("settle = \"2s\"", "settle = \"6s\"");
        text_of_config = format!("stack = \"{}\"\n{patient}{source}", stack.name);
    }
    std::fs::write(&config, text_of_config).expect("written");
    let mut command = account.medic();
    command.args(["watch", "--format", "json", "--config"]).arg(&config).arg("--state").arg(state.path());
    let output = command.output().expect("medic runs");
    assert_within_policy(scenario, &account.calls());
    let last = text(&output).lines().last().unwrap_or_default().to_owned();
    let report = serde_json::from_str(&last).unwrap_or(Value::Null);
    Watched { output, report, state }
}

#[track_caller]
fn check(scenario: &str, exit: i32, class: &str) -> Watched {
    let watched = watch(scenario);
    let said = errors(&watched.output);
    let report = crate::diagnose(watched.state.path());
    let found = report["root_cause"]["class"].as_str().unwrap_or("none");
    assert_eq!(
        found, class,
        "{scenario}: {} {said}\n{:#}",
        report["headline"], report["root_cause"]["evidence"]
    );
    assert_eq!(watched.output.status.code(), Some(exit), "{scenario}: {said}");
    assert_ne!(watched.report, Value::Null, "the last line is JSON: {said}");
    watched
}

#[test]
fn a_database_that_refuses_is_found_behind_the_roll_back() {
    let watched = check("database-refused", 1, "application/database");
    assert!(count(watched.state.path(), "\"Connection refused\" source:container-log") > 0);
}

#[test]
fn a_healthy_deployment_is_healthy() {
    check("healthy", 0, "none");
}

#[test]
fn an_image_that_is_missing_ends_watching_early() {
    check("image-missing", 1, "pipeline/image");
}

#[test]
fn memory_that_is_exhausted_is_capacity() {
    check("oom", 1, "infrastructure/capacity");
}

#[test]
fn an_image_for_another_processor_is_found() {
    check("exec-format", 1, "application/startup-health");
}

#[test]
fn the_resource_that_failed_is_found_in_the_stack_inside_the_stack() {
    let watched = check("nested-stack-fails", 1, "infrastructure/stack-failure");
    assert_eq!(count(watched.state.path(), "UPDATE_FAILED entity:Instance"), 1);
    assert_evidence(watched.state.path(), "16.99");
}

#[test]
fn a_hook_that_refuses_is_found() {
    let watched = check("hook-refuses", 1, "infrastructure/stack-failure");
    assert_evidence(watched.state.path(), "Private::Guard::Tags");
}

#[track_caller]
fn assert_evidence(state: &Path, words: &str) {
    let report = crate::diagnose(state);
    let evidence = report["root_cause"]["evidence"].to_string();
    assert!(evidence.contains(words), "{words} is not in {evidence}");
}
