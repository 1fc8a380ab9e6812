//! Medic delivers what it found: to Slack, to the job of a pipeline, and to readers that go away early.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::account::{CONFIG, SPEED};
use crate::simulated::Account;
use crate::{errors, medic, text};

/// An account in which a deployment fails because its image does not exist, and the folder of the agent.
struct Failing {
    account: Account,
    folder: tempfile::TempDir,
}

impl Failing {
    fn start() -> Failing {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("medic.toml"), CONFIG).expect("written");
        Failing { account: Account::running("image-missing", SPEED), folder }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn watch(&self, more: &[&str]) -> Command {
        let mut command = self.account.medic();
        command.args(["watch", "--config"]).arg(self.folder.path().join("medic.toml"));
        command.arg("--state").arg(self.state()).args(more);
        command
    }

    /// Returns how the files in the outbox end, sorted.
    fn outbox(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.state().join("outbox/slack")) else { return Vec::new() };
        let names = entries.flatten().map(|entry| entry.path());
        let mut ends: Vec<String> =
            names.filter_map(|path| path.extension().map(|end| end.to_string_lossy().into_owned())).collect();
        ends.sort();
        ends
    }
}

/// A webhook on the loopback interface.
struct Webhook {
    url: String,
    arrived: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Webhook {
    /// Gives each request the next answer; further requests are taken.
    fn answering(answers: &'static [&'static str]) -> Webhook {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/services/T0/B0/s3cretword", listener.local_addr().expect("an address"));
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let seen = arrived.clone();
        std::thread::spawn(move || {
            let answers = answers.iter().copied().chain(std::iter::repeat("200 OK\r\n"));
            for (stream, answer) in listener.incoming().zip(answers) {
                let Ok(mut stream) = stream else { return };
                let Some(body) = read_body(&stream) else { continue };
                seen.lock().expect("held by nobody").push((Instant::now(), body));
                let answer = format!("HTTP/1.1 {answer}content-length: 2\r\nconnection: close\r\n\r\nok");
                // Whoever asked may be gone.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Webhook { url, arrived }
    }

    fn arrived(&self) -> Vec<(Instant, String)> {
        self.arrived.lock().expect("held by nobody").clone()
    }
}

fn read_body(stream: &std::net::TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(number) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = number.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    String::from_utf8(body).ok()
}

#[test]
fn a_busy_and_a_broken_slack_get_the_message_once() {
    let account = Failing::start();
    let webhook = Webhook::answering(&[
        "429 Too Many Requests\r\nretry-after: 2\r\n",
        "500 Internal Server Error\r\n",
        "200 OK\r\n",
    ]);
    let mut watch = account.watch(&["--post", "slack"]);
    let output = watch.env("MEDIC_SLACK_WEBHOOK", &webhook.url).output().expect("medic runs");
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let arrived = webhook.arrived();
    assert_eq!(arrived.len(), 3, "{said}");
    assert!(arrived.iter().all(|(_, body)| *body == arrived[0].1), "the same message each time");
    assert!(arrived[1].0 - arrived[0].0 >= Duration::from_secs(2), "it waits as long as it was asked to");
    assert_eq!(account.outbox(), Vec::<String>::new());
    let message: Value = serde_json::from_str(&arrived[0].1).expect("JSON");
    let notification = message["text"].as_str().expect("a text");
    assert!(notification.starts_with("✘ ") && notification.contains("First: "), "{notification}");
    assert!(!said.contains("s3cretword") && !text(&output).contains("s3cretword"), "the address is a secret");
}

#[test]
fn a_message_outlives_medic_and_arrives_once() {
    let account = Failing::start();
    let webhook = Webhook::answering(&["503 Service Unavailable\r\n"; 5]);
    let mut watch = account.watch(&["--post", "slack"]);
    watch.env("MEDIC_SLACK_WEBHOOK", &webhook.url).stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = watch.spawn().expect("medic starts");
    // It is killed while it waits for the next attempt.
    let deadline = Instant::now() + Duration::from_secs(60);
    while webhook.arrived().is_empty() || account.outbox() != ["json"] {
        assert!(Instant::now() < deadline, "no message waits: {:?}", account.outbox());
        std::thread::sleep(Duration::from_millis(5));
    }
    running.kill().expect("killed");
    running.wait().expect("it ended");
    let first = webhook.arrived()[0].1.clone();
    let webhook = Webhook::answering(&[]);
    let mut watch = account.watch(&["--post", "slack"]);
    let output = watch.env("MEDIC_SLACK_WEBHOOK", &webhook.url).output().expect("medic runs");
    let arrived = webhook.arrived();
    assert_eq!(arrived.len(), 2, "the message of before, and its own: {}", errors(&output));
    assert_eq!(arrived[0].1, first);
    assert!(arrived[1].0 - arrived[0].0 >= Duration::from_millis(900), "Slack takes one message a second");
    assert_eq!(account.outbox(), Vec::<String>::new());
}

#[test]
fn a_refused_message_changes_no_verdict() {
    let account = Failing::start();
    let webhook = Webhook::answering(&["404 Not Found\r\n"]);
    let mut watch = account.watch(&["--post", "slack"]);
    let output = watch.env("MEDIC_SLACK_WEBHOOK", &webhook.url).output().expect("medic runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("slack answered 404"), "{}", errors(&output));
    assert_eq!(webhook.arrived().len(), 1, "what is refused is not sent again");
    assert_eq!(account.outbox(), ["refused"]);
}

#[test]
fn a_job_gets_a_summary_and_annotations_and_nothing_else_is_a_command() {
    let account = Failing::start();
    let summary = account.folder.path().join("summary.md");
    let mut watch = account.watch(&["--post", "github", "--follow-logs"]);
    watch.env("GITHUB_ACTIONS", "true").env("CI", "true").env("GITHUB_STEP_SUMMARY", &summary);
    let output = watch.output().expect("medic runs");
    let (out, said) = (text(&output), errors(&output));
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(!said.contains('\u{1b}'), "plain lines in a job: {said}");
    let commands: Vec<&str> = said.lines().chain(out.lines()).filter(|line| line.starts_with("::")).collect();
    let token = commands[0].strip_prefix("::stop-commands::").expect("commands are off at first");
    assert_eq!(commands[1], format!("::{token}::"));
    assert!(commands[2].starts_with("::error ") && commands[2].contains("pipeline/image/"), "{commands:?}");
    assert!(!commands[2].contains("file="), "a stream of an account is no file: {commands:?}");
    let summary = std::fs::read_to_string(&summary).expect("a summary");
    assert!(summary.contains("# ✘ ") && summary.contains("## What to do now"), "{summary}");
}

#[test]
fn without_a_webhook_watching_does_not_begin() {
    let account = Failing::start();
    let output = account.watch(&["--post", "slack"]).output().expect("medic runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("set MEDIC_SLACK_WEBHOOK"), "{}", errors(&output));
    assert!(account.account.calls().is_empty());
}

/// A log of a task that cannot reach its database.
fn log(folder: &Path) -> PathBuf {
    let path = folder.join("web.container-log.log");
    let line = "2026-05-01T10:00:00Z ERROR connection to server at \"db.internal\" (10.0.0.7), port 5432 failed: Connection refused\n";
    std::fs::write(&path, line).expect("written");
    path
}

#[test]
fn a_diagnosis_in_a_step_of_a_job_goes_into_its_summary() {
    let folder = tempfile::tempdir().expect("a folder");
    let summary = folder.path().join("summary.md");
    let mut command = medic();
    command.args(["diagnose", "--format", "github"]).arg(log(folder.path()));
    let output = command.env("GITHUB_STEP_SUMMARY", &summary).output().expect("medic runs");
    let out = text(&output);
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    assert!(out.starts_with("::error ") && out.lines().all(|line| line.starts_with("::")), "{out}");
    let summary = std::fs::read_to_string(&summary).expect("a summary");
    assert!(summary.contains("# ✘ ") && summary.contains("## What to do now"), "{summary}");
}

#[test]
fn a_reader_that_goes_away_takes_nothing_from_the_verdict() {
    let folder = tempfile::tempdir().expect("a folder");
    for format in ["text", "html", "json", "markdown", "slack", "github"] {
        let mut command = medic();
        command.args(["diagnose", "--format", format]).arg(log(folder.path()));
        let mut running =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("medic starts");
        drop(running.stdout.take());
        let output = running.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(1), "{format}: {}", errors(&output));
        assert_eq!(errors(&output), "", "{format}");
    }
}

#[test]
fn a_live_view_that_nobody_reads_takes_nothing_from_the_verdict() {
    for format in ["text", "json"] {
        let account = Failing::start();
        let mut watch = account.watch(&["--format", format]);
        let mut running = watch.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("medic starts");
        let (out, view) = (running.stdout.take(), running.stderr.take());
        drop((out, view));
        let code = running.wait().expect("it ends").code();
        // The reader of a stream of JSON ends watching, so there may be no verdict yet; healthy it is not.
        let expected: &[i32] = if format == "json" { &[1, 3] } else { &[1] };
        assert!(expected.contains(&code.unwrap_or(-1)), "{format}: {code:?}");
    }
}
