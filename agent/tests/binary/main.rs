//! Tests of the real binary: it is killed, pointed at a simulated account, and fed by real files.

mod account;
mod health;
mod killed;
mod once;
mod tail;
#[cfg(feature = "telemetry")]
mod telemetry;

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

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
