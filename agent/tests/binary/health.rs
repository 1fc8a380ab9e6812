//! `medic health` of a collector that runs, is killed, and is told to stop.

use serde_json::Value;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use crate::{errors, medic, text};

fn health(state: &Path, more: &[&str]) -> Output {
    medic().arg("health").args(more).arg("--state").arg(state).output().expect("medic runs")
}

fn said(state: &Path) -> (Option<i32>, Value) {
    let output = health(state, &["--format", "json"]);
    let value =
        serde_json::from_str(&text(&output)).unwrap_or_else(|_| panic!("no JSON: {}", errors(&output)));
    (output.status.code(), value)
}

#[test]
fn a_collector_is_healthy_while_it_records() {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, state) = (folder.path().join("web.container-log.log"), folder.path().join("state"));
    std::fs::write(&log, "2026-05-01T10:00:00Z ERROR refused\n").expect("written");
    let none = health(&state, &[]);
    assert_eq!(none.status.code(), Some(1));
    assert!(text(&none).starts_with("unhealthy: no collector records here"), "{}", text(&none));

    let mut agent = medic();
    agent.arg("collect").arg(&log).arg("--state").arg(&state).stdout(Stdio::null()).stderr(Stdio::null());
    let mut agent = agent.spawn().expect("medic starts");
    let begun = Instant::now();
    // The second heartbeat tells of the record.
    let (code, value) = loop {
        let (code, value) = said(&state);
        let records = value["heartbeat"]["sources"]["files"]["records"].as_u64();
        if records == Some(1) || begun.elapsed() > Duration::from_secs(30) {
            break (code, value);
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    assert_eq!((code, value["status"].as_str()), (Some(0), Some("healthy")), "{value:#}");
    assert_eq!(value["heartbeat"]["sources"]["files"]["records"], 1);
    assert_eq!(value["heartbeat"]["pid"], agent.id());
    assert!(value["last_commit_age_seconds"].as_i64().is_some_and(|age| age < 60), "{value:#}");
    let line = text(&health(&state, &[]));
    assert!(line.starts_with("healthy: last commit ") && line.lines().count() == 1, "{line}");

    let id = agent.id().to_string();
    let told = std::process::Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
    assert!(told.success() && agent.wait().expect("it ended").success());
    let (code, value) = said(&state);
    assert_eq!((code, value["status"].as_str()), (Some(1), Some("unhealthy")), "it has stopped: {value:#}");
}

#[test]
fn a_heartbeat_that_a_killed_collector_left_grows_old() {
    let state = tempfile::tempdir().expect("a folder");
    let old = r#"{"pid": 7, "written": "2026-05-01T10:00:00Z"}"#;
    std::fs::write(state.path().join("heartbeat.json"), old).expect("written");
    let output = health(state.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).starts_with("unhealthy: the collector was last heard of "), "{}", text(&output));
}

#[test]
fn what_medic_cannot_find_out_is_no_other_code() {
    let state = tempfile::tempdir().expect("a folder");
    std::fs::write(state.path().join("heartbeat.json"), "{").expect("written");
    let (code, value) = said(state.path());
    assert_eq!((code, value["status"].as_str()), (Some(1), Some("unknown")));
    // Docker keeps the code 2 for itself.
    assert_eq!(health(state.path(), &["--no-such-flag"]).status.code(), Some(1));
}
