//! Tests of the real binary: it is killed, pointed at a simulated account, and fed by real files.

mod account;
mod counterparts;
mod delivery;
mod disk;
mod doors;
mod health;
mod killed;
mod once;
mod simulated;
mod sources;
mod tail;
#[cfg(feature = "telemetry")]
mod telemetry;

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// Returns the command `medic` in a clean environment.
fn medic() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_medic"));
    command.env_clear().env("MEDIC_LOG", "warn");
    for name in ["PATH", "HOME", "TMPDIR", "LLVM_PROFILE_FILE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// Counts what was recorded.
fn count(state: &Path, query: &str) -> u64 {
    let output =
        medic().args(["search", query, "--count", "--state"]).arg(state).output().expect("medic runs");
    text(&output).trim().parse().unwrap_or_else(|_| panic!("no count: {}", errors(&output)))
}

/// Diagnoses the deployment that was recorded last.
fn diagnose(state: &Path) -> Value {
    let output = medic()
        .args(["diagnose", "--deployment", "latest", "--format", "json", "--state"])
        .arg(state)
        .output();
    let output = output.expect("medic runs");
    serde_json::from_str(&text(&output)).unwrap_or_else(|_| panic!("no report: {}", errors(&output)))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
