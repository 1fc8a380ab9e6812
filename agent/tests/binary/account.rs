//! The agent watches deployments of a simulated account, over HTTP and with the real SDK.

use serde_json::Value;
use std::io::BufRead;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

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
    if account.scenario.service.alarms.is_some() {
        text_of_config.push_str("[[source]]\nkind = \"cloudwatch-metrics\"\nevery = \"500ms\"\n");
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
    let known = described(watched.state.path());
    let wanted = &known["services"]["known"][0]["deployments"][0];
    let went_back = wanted["taskDefinition"].as_str().is_some_and(|version| version.ends_with("/web:1"));
    assert!(went_back, "the roll-back is part of what the deployment left: {known:#}");
}

/// Returns what is stored of the account's state while the last deployment was under way.
fn described(state: &Path) -> Value {
    let bundle = state.join("last.medic");
    let mut export = crate::medic();
    export.args(["bundle", "export"]).arg(&bundle).args(["--deployment", "latest", "--state"]).arg(state);
    let output = export.output().expect("medic runs");
    assert!(output.status.success(), "{}", errors(&output));
    let file = std::fs::File::open(&bundle).expect("a bundle");
    let mut lines = std::io::BufReader::new(flate2::read::MultiGzDecoder::new(file)).lines();
    let header = lines.next().expect("a header").expect("text");
    let mut header: Value = serde_json::from_str(&header).expect("JSON");
    header["snapshot"].take()
}

#[test]
fn a_healthy_deployment_is_healthy() {
    check("healthy", 0, "none");
}

#[test]
fn what_the_alarm_watches_that_ended_a_deployment_leads_to_its_cause() {
    let watched = check("alarm-rolls-back", 1, "infrastructure/capacity");
    assert_evidence(watched.state.path(), "it watches CPUUtilization");
}

/// Watching begins while the deployment is under way, and on a clock that does not lag behind ours:
/// so its tasks are as young as they look.
#[test]
fn tasks_that_exit_once_ecs_completed_their_deployment_are_a_failure() {
    let account = Account::begun("crashes-once-completed", 22, 5.0);
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("medic.toml");
    // Without the look for so long, the first outcome would stand.
    let text = CONFIG.replace("settle = \"2s\"", "settle = \"1s\"\nstand = \"20s\"");
    std::fs::write(&config, text).expect("written");
    let mut command = account.medic();
    command.args(["watch", "--format", "json", "--config"]).arg(&config);
    command.arg("--state").arg(folder.path().join("state"));
    let output = command.output().expect("medic runs");
    let said = crate::text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}{}", errors(&output));
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let first =
        lines.iter().position(|line| line["outcome"]["state"] == "succeeded").expect("ECS completed it");
    assert!(first + 1 < lines.len());
    let last = lines.last().expect("a last line");
    assert_eq!(last["end"]["because"], "failed");
    let says = last["end"]["says"].as_str().unwrap_or_default();
    assert!(
        says.starts_with("ECS completed the deployment of web, but its tasks have stopped since"),
        "{says}"
    );
    let cause = &last["report"]["root_cause"];
    assert_eq!(cause["class"], "application/configuration", "{:#}", last["report"]["headline"]);
    assert!(cause["evidence"].to_string().contains("QUEUE_URL"), "{:#}", cause["evidence"]);
}

/// What a standing collector says of a deployment follows what becomes of it after its end.
#[test]
fn tasks_that_exit_later_change_the_verdict_that_was_reached() {
    let account = Account::begun("crashes-once-completed", 22, 5.0);
    let folder = tempfile::tempdir().expect("a folder");
    let (config, state) = (folder.path().join("medic.toml"), folder.path().join("state"));
    std::fs::write(&config, CONFIG).expect("written");
    let mut collect = account.medic();
    collect.args(["collect", "--config"]).arg(&config).arg("--state").arg(&state);
    let mut running = collect.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("medic starts");
    let verdict = || {
        let mut deployments = account.medic();
        deployments.args(["deployments", "--format", "json", "--state"]).arg(&state);
        let said = text(&deployments.output().expect("medic runs"));
        let newest: Value = serde_json::from_str(said.lines().next()?).ok()?;
        Some(newest["verdict"].as_str().unwrap_or_default().to_owned())
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while verdict().as_deref() != Some("failed") {
        assert!(Instant::now() < deadline, "the verdict is {:?}", verdict());
        std::thread::sleep(Duration::from_millis(200));
    }
    running.kill().expect("killed");
    running.wait().expect("it ended");
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
