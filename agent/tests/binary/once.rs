//! `medic collect --once` beside sources that never end.

use std::path::Path;

use crate::{count, errors, medic};

#[test]
fn once_leaves_out_what_waits_for_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let (config, log) = (folder.path().join("medic.toml"), folder.path().join("web.container-log.log"));
    std::fs::write(&log, "2026-05-01T10:00:00Z ERROR refused\n").expect("written");
    let receiver = "[[source]]\nkind = \"fluent-forward\"\nlisten = \"127.0.0.1:0\"\n";
    std::fs::write(&config, receiver).expect("written");
    let state = folder.path().join("state");
    let once = |files: &[&Path]| {
        let mut command = medic();
        command.args(["collect", "--once", "--config"]).arg(&config).arg("--state").arg(&state);
        command.args(files).output().expect("medic runs")
    };
    let output = once(&[&log]);
    assert!(output.status.success(), "{}", errors(&output));
    assert!(errors(&output).contains("source is left out"), "{}", errors(&output));
    assert_eq!(count(&state, "refused"), 1);
    let refused = once(&[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(errors(&refused).contains("leave out --once, or name files"), "{}", errors(&refused));
}

#[test]
fn once_says_which_paths_are_not_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let (missing, glob) = (folder.path().join("missing.log"), folder.path().join("none").join("*.log"));
    let mut command = medic();
    command.args(["collect", "--once", "--state"]).arg(folder.path().join("state")).arg(&missing).arg(&glob);
    let output = command.output().expect("medic runs");
    let said = errors(&output);
    for path in [missing, glob] {
        assert!(said.contains(&*path.to_string_lossy()), "{said}");
    }
    assert!(said.contains("there is no such file yet") && said.contains("check the path"), "{said}");
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(!folder.path().join("state").exists(), "nothing is recorded of it");
}

/// In task definitions and pipelines a variable is unset by leaving it empty.
#[test]
fn variables_that_are_empty_say_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let unset =
        ["MEDIC_CLUSTER", "MEDIC_SERVICE", "MEDIC_STACK", "MEDIC_CONFIG", "MEDIC_STATE", "MEDIC_DEPLOYMENT"];
    let run = |words: &[&str]| {
        let mut command = medic();
        command.args(words).envs(unset.map(|name| (name, ""))).env("XDG_STATE_HOME", folder.path());
        command.output().expect("medic runs")
    };
    let output = run(&["collect"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("there is nothing to record: name --cluster"), "{}", errors(&output));
    let log = folder.path().join("web.container-log.log");
    std::fs::write(&log, "2026-05-01T10:00:00Z ERROR refused\n").expect("written");
    let output = run(&["collect", "--once", &log.to_string_lossy()]);
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(count(&folder.path().join("medic"), "refused"), 1, "it is kept where it is usually kept");
    let output = run(&["search", "--count", "--deployment", "latest", "refused"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "1", "{}", errors(&output));
}
