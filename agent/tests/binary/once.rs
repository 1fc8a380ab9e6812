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
}
