//! The agent against software that other people wrote. It is installed first, so these tests run when they are asked for.

use std::path::Path;
use std::process::Command;

/// Runs the tests of a counterpart, and shows what they print.
fn run(name: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/counterparts/run.sh");
    let mut command = Command::new("bash");
    command.arg(script).arg(name).env("MEDIC", env!("CARGO_BIN_EXE_medic"));
    let status = command.status().expect("bash runs");
    assert!(status.success(), "{name}: {status}");
}

#[test]
#[ignore = "installs moto from PyPI: tests/counterparts/run.sh moto"]
fn moto() {
    run("moto");
}

#[test]
#[ignore = "installs ministack from PyPI: tests/counterparts/run.sh ministack"]
fn ministack() {
    run("ministack");
}

#[test]
#[ignore = "installs clients of OpenTelemetry and Fluent from PyPI and npm: tests/counterparts/run.sh senders"]
fn senders() {
    run("senders");
}

#[test]
#[ignore = "needs root, and installs podman and ministack: tests/counterparts/run.sh containers"]
fn containers() {
    run("containers");
}
