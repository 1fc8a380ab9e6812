//! Slack is played by a server on the loopback interface that answers what it is told to.

use super::*;
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const FAST: Pace = Pace {
    between: Duration::from_millis(1),
    first_retry: Duration::from_millis(1),
    longest_retry: Duration::from_millis(1500),
    retries: 4,
};

/// Answers each request with the next status; returns the address and the bodies that arrived.
async fn server(answers: &'static [(u16, &'static str)]) -> (reqwest::Url, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let arrived = bodies.clone();
    tokio::spawn(async move {
        for (status, headers) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            let body = loop {
                let mut buffer = [0; 4096];
                let read = stream.read(&mut buffer).await.unwrap();
                request.extend_from_slice(&buffer[..read]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| {
                    line.to_ascii_lowercase()
                        .strip_prefix("content-length:")
                        .map(|number| number.trim().parse::<usize>().unwrap())
                });
                if body.len() >= length.unwrap_or(0) {
                    break body.to_owned();
                }
            };
            arrived.lock().unwrap().push(body);
            if *status == 0 {
                // The answer is lost: the connection ends without one.
                continue;
            }
            let answer =
                format!("HTTP/1.1 {status} x\r\n{headers}content-length: 4\r\nconnection: close\r\n\r\nword");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (format!("http://{address}/services/T0/B0/secret").parse().unwrap(), bodies)
}

fn outbox() -> (tempfile::TempDir, Outbox) {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::new(folder.path().join("slack"));
    (folder, outbox)
}

fn files(folder: &tempfile::TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path().join("slack")).unwrap();
    let mut ends: Vec<String> = entries
        .map(|entry| entry.unwrap().path().extension().unwrap().to_string_lossy().into_owned())
        .collect();
    ends.sort();
    ends
}

#[tokio::test]
async fn a_busy_and_a_broken_slack_are_asked_again() {
    let (address, bodies) = server(&[(429, "retry-after: 1\r\n"), (500, ""), (503, ""), (200, "")]).await;
    let (folder, outbox) = outbox();
    let slack = Slack::new(address, FAST).unwrap();
    let before = std::time::Instant::now();
    slack.post(&outbox, &json!({"text": "hello"})).await.unwrap();
    assert!(before.elapsed() >= Duration::from_secs(1), "the answer asked to wait for a second");
    assert_eq!(*bodies.lock().unwrap(), vec![r#"{"text":"hello"}"#; 4]);
    assert!(files(&folder).is_empty(), "{:?}", files(&folder));
}

#[tokio::test]
async fn what_could_not_be_sent_is_sent_the_next_time_and_once() {
    let (address, _) = server(&[(500, ""); 5]).await;
    let (folder, outbox) = outbox();
    let error = Slack::new(address, FAST).unwrap().post(&outbox, &json!({"text": "one"})).await.unwrap_err();
    assert!(error.to_string().contains("500"), "{error}");
    assert_eq!(files(&folder), ["json"]);
    let (address, bodies) = server(&[(200, ""), (200, "")]).await;
    let slack = Slack::new(address, FAST).unwrap();
    slack.post(&outbox, &json!({"text": "two"})).await.unwrap();
    assert_eq!(*bodies.lock().unwrap(), [r#"{"text":"one"}"#, r#"{"text":"two"}"#]);
    slack.send_waiting(&outbox).await.unwrap();
    assert_eq!(bodies.lock().unwrap().len(), 2);
    assert!(files(&folder).is_empty());
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_left_to_the_next_time() {
    let (address, bodies) = server(&[(429, "retry-after: 3600\r\n"), (200, "")]).await;
    let (folder, outbox) = outbox();
    Slack::new(address, FAST).unwrap().post(&outbox, &json!({"text": "one"})).await.unwrap_err();
    assert_eq!(bodies.lock().unwrap().len(), 1);
    assert_eq!(files(&folder), ["json"]);
}

#[tokio::test]
async fn a_refusal_is_final() {
    let (address, bodies) = server(&[(404, ""), (200, "")]).await;
    let (folder, outbox) = outbox();
    let error = Slack::new(address, FAST).unwrap().post(&outbox, &json!({"text": "one"})).await.unwrap_err();
    assert_eq!(error.to_string(), "slack answered 404 word");
    assert_eq!(bodies.lock().unwrap().len(), 1);
    assert_eq!(files(&folder), ["refused"]);
}

#[tokio::test]
async fn a_lost_answer_sends_nothing_twice() {
    let (address, bodies) = server(&[(0, ""), (200, "")]).await;
    let (folder, outbox) = outbox();
    let slack = Slack::new(address, FAST).unwrap();
    slack.post(&outbox, &json!({"text": "one"})).await.unwrap_err();
    slack.post(&outbox, &json!({"text": "two"})).await.unwrap();
    assert_eq!(*bodies.lock().unwrap(), [r#"{"text":"one"}"#, r#"{"text":"two"}"#]);
    assert_eq!(files(&folder), ["unknown"]);
}

#[tokio::test]
async fn the_address_is_in_no_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (folder, outbox) = outbox();
    let webhook = format!("http://{address}/services/T0/B0/secret").parse().unwrap();
    let slack = Slack::new(webhook, Pace { retries: 1, ..FAST }).unwrap();
    let error = format!("{:#}", slack.post(&outbox, &json!({"text": "one"})).await.unwrap_err());
    assert!(!error.contains("secret") && !error.contains("/services/"), "{error}");
    assert_eq!(files(&folder), ["json"]);
}

#[tokio::test]
async fn hostile_text_arrives_as_text() {
    let (address, bodies) = server(&[(200, "")]).await;
    let (_folder, outbox) = outbox();
    let hostile = "<!channel> <https://evil.example|click> \"}],\"x\":[{\" \u{1b}[31m";
    let payload = json!({"text": reports::escape::slack(hostile), "blocks": []});
    Slack::new(address, FAST).unwrap().post(&outbox, &payload).await.unwrap();
    let body: Value = serde_json::from_str(&bodies.lock().unwrap()[0]).unwrap();
    assert_eq!(body, payload);
    let text = body["text"].as_str().unwrap();
    assert!(!text.contains(['<', '>', '\u{1b}']), "{text}");
}
