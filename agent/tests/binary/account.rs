//! The agent watches deployments of a simulated account, over HTTP and with the real SDK.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};
use twin::{Clock, Scenario, Twin};

use crate::{count, errors, medic, text};

/// So much faster than ours the account's clock runs.
pub const SPEED: f64 = 40.0;
/// It begins so many seconds ago: sources look for logs of the last hours.
pub const LEAD: i64 = 600;

const CONFIG: &str = r#"
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
    calls: BTreeSet<(String, String)>,
}

/// Watches a scenario to its end.
fn watch(scenario: &str) -> Watched {
    let scenario = Scenario::built_in(scenario).expect("a built-in scenario");
    let state = tempfile::tempdir().expect("a folder");
    let config = state.path().join("medic.toml");
    let mut text_of_config = CONFIG.to_owned();
    if let Some(stack) = &scenario.stack {
        let source =
            format!("[[source]]\nkind = \"cloudformation\"\nstack = \"{}\"\nevery = \"150ms\"\n", stack.name);
        text_of_config.push_str(&source);
    }
    std::fs::write(&config, text_of_config).expect("written");
    let begin = (jiff::Timestamp::now().as_second() - LEAD) * 1000;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let account =
        runtime.block_on(Twin::start(scenario, Clock::running(begin, SPEED))).expect("the account starts");
    let mut command = pointed_at(&account.url());
    command.args(["watch", "--format", "json", "--config"]).arg(&config).arg("--state").arg(state.path());
    let output = command.output().expect("medic runs");
    let calls = account.calls().into_iter().map(|call| (call.service, call.action)).collect();
    account.stop();
    let last = text(&output).lines().last().unwrap_or_default().to_owned();
    let report = serde_json::from_str(&last).unwrap_or(Value::Null);
    Watched { output, report, state, calls }
}

pub fn pointed_at(url: &str) -> Command {
    let mut command = medic();
    command.env("AWS_ENDPOINT_URL", url).env("AWS_REGION", "eu-central-1");
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command
}

fn diagnose(state: &Path) -> Value {
    let output = medic()
        .args(["diagnose", "--deployment", "latest", "--format", "json", "--state"])
        .arg(state)
        .output();
    let output = output.expect("medic runs");
    serde_json::from_str(&text(&output)).unwrap_or_else(|_| panic!("no report: {}", errors(&output)))
}

#[track_caller]
fn check(scenario: &str, exit: i32, class: &str) -> Watched {
    let watched = watch(scenario);
    let said = errors(&watched.output);
    let report = diagnose(watched.state.path());
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
    let called: BTreeSet<&str> = watched.calls.iter().map(|(_, action)| action.as_str()).collect();
    let policy = medic().args(["iam-policy", "read"]).output().expect("medic runs");
    let policy = text(&policy);
    for action in called {
        assert!(policy.contains(&format!(":{action}\"")), "{action} lies outside of the policy");
    }
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
