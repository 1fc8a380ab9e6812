use super::*;
use crate::aws::calls;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::config::{Credentials, SharedCredentialsProvider};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const THROTTLED: &str = r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#;
const DENIED: &str = r#"{"__type":"AccessDeniedException","message":"no"}"#;

/// An endpoint that gives these answers, one after the other, and then the last one again and again.
struct Endpoint {
    url: String,
    calls: Arc<AtomicUsize>,
}

async fn answering(answers: &'static [(u16, &'static str)]) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let number = counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(answer(socket, answers[number.min(answers.len() - 1)]));
        }
    });
    Endpoint { url, calls }
}

async fn answer(mut socket: TcpStream, (status, body): (u16, &'static str)) {
    let mut request = Vec::new();
    loop {
        if let Some(head) = request.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&request[..head]).to_ascii_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            if request.len() >= head + 4 + length {
                break;
            }
        }
        if socket.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let head = format!(
        "HTTP/1.1 {status} x\r\ncontent-type: application/x-amz-json-1.1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let _ = socket.write_all(format!("{head}{body}").as_bytes()).await;
}

fn connected(endpoint: &Endpoint, region: &'static str) -> Aws {
    let credentials = Credentials::new("key", "secret", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .endpoint_url(&endpoint.url)
        .credentials_provider(SharedCredentialsProvider::new(credentials));
    Aws::new(config.build())
}

/// Whether a call is answered, and how often it was made.
async fn ask(answers: &'static [(u16, &'static str)]) -> (bool, usize) {
    let endpoint = answering(answers).await;
    let aws = connected(&endpoint, "us-east-1");
    let mut asking = Asking::new(&aws, Place::default());
    let call = Client::new(&aws.config).filter_log_events().log_group_name("/ecs/web");
    let answered = asking.ask(calls::FILTER_LOG_EVENTS, "log group", || call.clone().send()).await;
    (answered.is_some(), endpoint.calls.load(Ordering::SeqCst))
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    assert_eq!(ask(&[(502, "<html>"), (400, THROTTLED), (200, "{}")]).await, (true, 3));
}

#[tokio::test]
async fn what_does_not_pass_is_not_tried_again() {
    assert_eq!(ask(&[(400, DENIED), (200, "{}")]).await, (false, 1));
}

/// Asks about many things at once for a while; no attempt passes the budget by.
async fn check_budget(answers: &'static [(u16, &'static str)]) {
    const SECONDS: usize = 4;
    let endpoint = answering(answers).await;
    // The account may ask five times a second there, and Medic takes a quarter of it.
    let aws = Arc::new(connected(&endpoint, "eu-central-1"));
    let client = Client::new(&aws.config);
    let mut running = tokio::task::JoinSet::new();
    for number in 0..8 {
        let (aws, client) = (aws.clone(), client.clone());
        running.spawn(async move {
            let mut asking = Asking::new(&aws, Place::default());
            let what = format!("log group {number}");
            let call = client.filter_log_events().log_group_name(&what);
            loop {
                asking.ask(calls::FILTER_LOG_EVENTS, &what, || call.clone().send()).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
    }
    tokio::time::sleep(Duration::from_secs(SECONDS as u64)).await;
    let made = endpoint.calls.load(Ordering::SeqCst);
    assert!((2..=SECONDS * 5 / 4 + 2).contains(&made), "{made} attempts in {SECONDS} s");
}

#[tokio::test]
async fn attempts_that_are_throttled_keep_the_budget() {
    check_budget(&[(400, THROTTLED)]).await;
}

#[tokio::test]
async fn attempts_that_a_gateway_refuses_keep_the_budget() {
    check_budget(&[(502, "<html>Bad gateway</html>")]).await;
}
