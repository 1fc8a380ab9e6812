//! A receiver whose address is taken: it says so when that begins, and `medic check` tells beforehand.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::Stdio;

use crate::{errors, medic, text};

#[test]
fn an_address_that_is_taken_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let (config, state) = (folder.path().join("medic.toml"), folder.path().join("state"));
    let held = TcpListener::bind("127.0.0.1:0").expect("an address");
    let address = held.local_addr().expect("an address");
    let source = format!("[[source]]\nkind = \"fluent-forward\"\nlisten = \"{address}\"\n");
    std::fs::write(&config, source).expect("written");
    let check = || {
        let mut command = medic();
        command.args(["check", "--config"]).arg(&config).arg("--state").arg(&state);
        command.output().expect("medic runs")
    };
    let busy = check();
    assert_eq!(busy.status.code(), Some(1), "{}", errors(&busy));
    assert!(text(&busy).contains(&format!("cannot listen on {address}")), "{}", text(&busy));

    let mut agent = medic();
    agent.args(["collect", "--config"]).arg(&config).arg("--state").arg(&state);
    let mut agent = agent.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("medic starts");
    let mut said = BufReader::new(agent.stderr.take().expect("standard error")).lines().map_while(Result::ok);
    let warning = said.find(|line| line.contains("gap")).expect("a warning");
    assert!(warning.contains("WARN") && warning.contains(&address.to_string()), "{warning}");
    assert!(warning.contains("configure another address with `listen`"), "{warning}");
    drop(held);
    assert!(said.any(|line| line.contains("gap closed")), "it listens once the address is free");
    // The heartbeat tells of it some seconds later.
    let listens = || text(&check()).contains("a collector with this state directory listens");
    let is_told = (0..60).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(500));
        listens()
    });
    assert!(is_told, "{}", text(&check()));
    agent.kill().expect("it was running");
    agent.wait().expect("it ended");
    std::fs::remove_dir_all(&state).expect("what the killed collector left");
    let free = check();
    assert!(text(&free).contains("free to listen on"), "{}", text(&free));
}
