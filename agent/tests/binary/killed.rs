//! The agent is killed at any point, many times, while a source produces: nothing is lost, nothing is double.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::{count, medic};

/// How many times it is killed.
const KILLS: u64 = 12;
/// How many lines a batch has; every third line belongs to the record before it.
const LINES: u64 = 300;

/// Feature: deployment-infrastructure-reliability, Property 21: a killed agent loses nothing and stores nothing twice
#[test]
fn an_agent_that_is_killed_stores_every_line_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, state) = (folder.path().join("web.container-log.log"), folder.path().join("state"));
    let written = std::sync::atomic::AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let from = written.load(Ordering::Relaxed);
                append(&log, from);
                written.store(from + LINES, Ordering::Relaxed);
                // The file is rotated now and then.
                if (from / LINES) % 40 == 39 {
                    std::fs::rename(&log, folder.path().join(format!("old-{from}.container-log.log")))
                        .expect("renamed");
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let mut chance = 7u64;
        for _ in 0..KILLS {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut agent = collect(folder.path(), &state, &[]);
            std::thread::sleep(Duration::from_millis(80 + (chance >> 33) % 1700));
            agent.kill().expect("killed");
            agent.wait().expect("it ended");
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let mut last = collect(folder.path(), &state, &["--once"]);
    assert!(last.wait().expect("it ended").success());
    let lines = written.load(Ordering::Relaxed);
    assert!(lines > 10 * LINES, "only {lines} lines were written");
    assert_eq!(count(&state, ""), lines - lines / 3, "as many records as lines that begin one");
    for number in [0, 1, LINES - 1, lines / 2, lines - 1] {
        assert_eq!(count(&state, &format!("\"number{number}\"")), 1, "line {number} of {lines}");
    }
}

/// Appends lines; the last one of a batch is written in two pieces.
fn append(log: &Path, from: u64) {
    let mut file = OpenOptions::new().create(true).append(true).open(log).expect("the log opens");
    for number in from..from + LINES {
        let line = match number % 3 {
            2 => format!("    at step number{number} (step.js:1:1)\n"),
            _ => format!("2026-05-01T10:00:00Z ERROR request failed number{number}\n"),
        };
        let (first, rest) = line.as_bytes().split_at(line.len() / 2);
        file.write_all(first).expect("written");
        file.write_all(rest).expect("written");
    }
}

fn collect(logs: &Path, state: &Path, more: &[&str]) -> Child {
    let mut command = medic();
    command.arg("collect").arg(logs.join("*.log")).arg("--state").arg(state).args(more);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("medic starts")
}

#[test]
fn an_agent_that_is_told_to_stop_stores_what_it_received() {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, state) = (folder.path().join("web.container-log.log"), folder.path().join("state"));
    append(&log, 0);
    let mut agent = collect(folder.path(), &state, &[]);
    std::thread::sleep(Duration::from_millis(1500));
    append(&log, LINES);
    let id = agent.id().to_string();
    let told = std::process::Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
    assert!(told.success());
    assert!(agent.wait().expect("it ended").success(), "it ends well");
    assert_eq!(count(&state, ""), 2 * LINES - 2 * LINES / 3);
}
