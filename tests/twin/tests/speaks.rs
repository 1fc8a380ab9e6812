//! Talks to the twin over HTTP: protocols, faults, and what a test can prove from the calls.

use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use twin::{Clock, Millis, Scenario, Twin, wire};

const BEGIN: Millis = 1_780_000_000_000;

#[tokio::test]
async fn json_calls_are_told_from_each_other_by_their_target() {
    let twin = start("healthy", "").await;
    let answer = json(&twin, ECS, "ListServices", json!({ "cluster": "shop" })).await;
    assert_eq!(answer.status, 200);
    let arns = &answer.json()["serviceArns"];
    assert_eq!(arns, &json!(["arn:aws:ecs:eu-central-1:111122223333:service/shop/web"]));
    assert_eq!(answer.header("content-type"), Some("application/x-amz-json-1.1"));
    let answer = json(&twin, "AmazonSQS", "ReceiveMessage", json!({ "QueueUrl": "x/medic-events" })).await;
    assert_eq!(answer.header("content-type"), Some("application/x-amz-json-1.0"));
}

#[tokio::test]
async fn query_calls_are_told_from_each_other_by_their_version() {
    let twin = start("healthy", "").await;
    let answer = query(&twin, "Action=DescribeStacks&Version=2010-05-15&StackName=shop-web").await;
    assert!(answer.text().contains("<DescribeStacksResult><Stacks><member>"), "{}", answer.text());
    let answer = query(&twin, "Action=GetCallerIdentity&Version=2011-06-15").await;
    assert!(answer.text().contains("<Account>111122223333</Account>"), "{}", answer.text());
}

#[tokio::test]
async fn cloudwatch_is_spoken_in_cbor() {
    let twin = start("healthy", "").await;
    let body = wire::cbor_body(&json!({ "Namespace": "AWS/ECS" }));
    let answer = cbor(&twin, "ListMetrics", &body).await;
    assert_eq!(answer.header("smithy-protocol"), Some("rpc-v2-cbor"));
    let metrics = wire::from_cbor(&answer.body).unwrap();
    assert_eq!(metrics["Metrics"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn errors_look_as_each_protocol_wants_them() {
    let twin = start("healthy", "").await;
    let answer = json(&twin, ECS, "ListServices", json!({ "cluster": "none" })).await;
    assert_eq!((answer.status, &answer.json()["__type"]), (400, &json!("ClusterNotFoundException")));
    let answer = query(&twin, "Action=DescribeStacks&Version=2010-05-15&StackName=none").await;
    assert!(answer.text().contains("<Code>ValidationError</Code>"), "{}", answer.text());
    let bad = wire::cbor_body(&json!({ "StartTime": 2, "EndTime": 1, "MetricDataQueries": [] }));
    let answer = cbor(&twin, "GetMetricData", &bad).await;
    let kind = wire::from_cbor(&answer.body).unwrap()["__type"].clone();
    assert_eq!((answer.status, kind), (400, json!("com.amazonaws.cloudwatch#ValidationError")));
}

#[tokio::test]
async fn what_is_no_call_is_refused() {
    let twin = start("healthy", "").await;
    assert_eq!(request(&twin, "/", &[("x-amz-target", "Nothing.Known")], b"{}").await.status, 400);
    assert_eq!(request(&twin, "/", &[("x-amz-target", "no dot")], b"{}").await.status, 400);
    assert_eq!(request(&twin, "/", &[], b"\xff\xfe").await.status, 400);
    let path = "/service/GraniteServiceVersion20100801/operation/ListMetrics";
    assert_eq!(request(&twin, path, &[], b"\xff\xff").await.status, 400);
    assert_eq!(json(&twin, ECS, "DeleteCluster", json!({ "cluster": "shop" })).await.status, 400);
}

#[tokio::test]
async fn the_first_calls_of_an_action_can_be_throttled() {
    let twin =
        start("healthy", "[[fault]]\nkind = \"throttle\"\naction = \"ecs:ListServices\"\nfirst = 2").await;
    for expected in [400, 400, 200] {
        let answer = json(&twin, ECS, "ListServices", json!({ "cluster": "shop" })).await;
        assert_eq!(answer.status, expected);
    }
    assert_eq!(json(&twin, ECS, "ListTasks", json!({ "cluster": "shop" })).await.status, 200);
    let errors: Vec<Option<String>> = twin.calls().into_iter().map(|call| call.error).collect();
    assert_eq!(errors[0].as_deref(), Some("ThrottlingException"));
    assert_eq!(errors[3], None);
}

#[tokio::test]
async fn a_share_of_calls_is_the_same_with_the_same_seed() {
    let fault = "[[fault]]\nkind = \"server-error\"\nstatus = 503\nshare = 0.5";
    let (one, other) = (statuses(fault).await, statuses(fault).await);
    assert_eq!(one, other);
    assert!(one.contains(&503) && one.contains(&200), "{one:?}");
}

async fn statuses(fault: &str) -> Vec<u16> {
    let twin = start("healthy", fault).await;
    let mut statuses = Vec::new();
    for _ in 0..20 {
        statuses.push(json(&twin, ECS, "ListServices", json!({ "cluster": "shop" })).await.status);
    }
    statuses
}

#[tokio::test]
async fn credentials_expire_at_a_time() {
    let twin = start("healthy", "[[fault]]\nkind = \"expire\"\nfrom = \"1m\"").await;
    assert_eq!(json(&twin, ECS, "ListServices", json!({ "cluster": "shop" })).await.status, 200);
    twin.advance(Duration::from_secs(60));
    let answer = json(&twin, ECS, "ListServices", json!({ "cluster": "shop" })).await;
    assert_eq!(answer.json()["__type"], "ExpiredTokenException");
}

#[tokio::test]
async fn a_denied_action_is_named_in_the_message() {
    let twin = start("healthy", "[[fault]]\nkind = \"deny\"\naction = \"logs:*\"").await;
    let answer = json(&twin, LOGS, "FilterLogEvents", json!({ "logGroupName": "/ecs/web" })).await;
    assert_eq!(answer.json()["__type"], "AccessDeniedException");
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("is not authorized to perform: logs:FilterLogEvents"), "{message}");
}

#[tokio::test]
async fn an_empty_page_still_carries_a_token() {
    let twin = start("healthy", "[[fault]]\nkind = \"empty-page\"\nfirst = 1").await;
    twin.advance(Duration::from_secs(30));
    let first = json(&twin, LOGS, "FilterLogEvents", json!({ "logGroupName": "/ecs/web" })).await.json();
    assert_eq!(first["events"], json!([]));
    let params = json!({ "logGroupName": "/ecs/web", "nextToken": first["nextToken"] });
    let second = json(&twin, LOGS, "FilterLogEvents", params).await.json();
    assert!(!second["events"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn an_event_can_come_on_two_pages() {
    let twin = start("healthy", "[[fault]]\nkind = \"repeat-logs\"").await;
    twin.advance(Duration::from_secs(30));
    let first = json(&twin, LOGS, "FilterLogEvents", json!({ "logGroupName": "/ecs/web", "limit": 3 })).await;
    let first = first.json();
    let params = json!({ "logGroupName": "/ecs/web", "limit": 3, "nextToken": first["nextToken"] });
    let second = json(&twin, LOGS, "FilterLogEvents", params).await.json();
    assert_eq!(first["events"][2]["eventId"], second["events"][0]["eventId"]);
}

#[tokio::test]
async fn late_events_are_not_seen_before_they_are_ingested() {
    let twin = start("healthy", "[[fault]]\nkind = \"late-logs\"\nby = \"2m\"").await;
    twin.advance(Duration::from_secs(60));
    let recent = json!({ "logGroupName": "/ecs/web", "startTime": BEGIN });
    let now = json(&twin, LOGS, "FilterLogEvents", recent.clone()).await.json();
    assert_eq!(now["events"], json!([]));
    twin.advance(Duration::from_secs(130));
    let later = json(&twin, LOGS, "FilterLogEvents", recent).await.json();
    let event = &later["events"][0];
    assert!(event["ingestionTime"].as_i64().unwrap() - event["timestamp"].as_i64().unwrap() > 120_000);
}

#[tokio::test]
async fn a_truncated_body_is_shorter_than_it_promises() {
    let twin = start("healthy", "[[fault]]\nkind = \"truncate\"").await;
    let answer = json(&twin, ECS, "ListServices", json!({ "cluster": "shop" })).await;
    let promised: usize = answer.header("content-length").unwrap().parse().unwrap();
    assert!(answer.body.len() < promised, "{} of {promised}", answer.body.len());
}

#[tokio::test]
async fn a_slow_answer_takes_its_time() {
    let twin = start("healthy", "[[fault]]\nkind = \"slow\"\nby = \"80ms\"").await;
    let before = std::time::Instant::now();
    assert_eq!(json(&twin, ECS, "ListServices", json!({ "cluster": "shop" })).await.status, 200);
    assert!(before.elapsed() >= Duration::from_millis(80));
}

#[tokio::test]
async fn live_tail_streams_lines_as_they_are_ingested() {
    let twin = start("healthy", "").await;
    let group = "arn:aws:logs:eu-central-1:111122223333:log-group:/ecs/web";
    let mut stream = open(&twin, "/", &[("x-amz-target", "Logs_20140328.StartLiveTail")]).await;
    let body = json!({ "logGroupIdentifiers": [group] }).to_string();
    stream.write_all(format!("content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("sessionStart") {
        assert!(stream.read_buf(&mut seen).await.unwrap() > 0);
    }
    twin.advance(Duration::from_secs(30));
    while !String::from_utf8_lossy(&seen).contains("GET /health 200") {
        assert!(stream.read_buf(&mut seen).await.unwrap() > 0);
    }
    twin.stop();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
}

#[tokio::test]
async fn a_stopped_twin_takes_no_more_calls() {
    let twin = start("healthy", "").await;
    assert_eq!(json(&twin, ECS, "ListServices", json!({ "cluster": "shop" })).await.status, 200);
    twin.stop();
    let address = twin.url().trim_start_matches("http://").to_owned();
    for _ in 0..100 {
        if TcpStream::connect(&address).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it still listens");
}

#[tokio::test]
async fn a_running_clock_plays_by_itself() {
    let scenario = Scenario::built_in("healthy").unwrap();
    let twin = Twin::start(scenario, Clock::running(BEGIN, 1_000.0)).await.unwrap();
    for _ in 0..200 {
        if twin.look(|world| world.stack.as_ref().unwrap().status == "UPDATE_COMPLETE") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the stack is not updated");
}

#[tokio::test]
async fn the_metadata_endpoint_of_a_task_tells_its_state_and_its_use() {
    let twin = start("healthy", "").await;
    let task = twin.look(|world| world.tasks[0].id.clone());
    let told = request(&twin, &format!("/v4/{task}/task"), &[], b"").await.json();
    assert!(told["TaskARN"].as_str().unwrap().ends_with(&task));
    assert_eq!((&told["KnownStatus"], &told["Containers"][0]["Name"]), (&json!("RUNNING"), &json!("web")));
    let container = told["Containers"][0]["DockerId"].as_str().unwrap().to_owned();
    let stats = request(&twin, &format!("/v4/{task}/task/stats"), &[], b"").await.json();
    assert!(stats[&container]["memory_stats"]["usage"].as_u64().unwrap() > 0);
    assert_eq!(request(&twin, "/v4/none/task", &[], b"").await.status, 404);
}

#[tokio::test]
async fn the_log_of_a_job_is_there_once_the_job_has_ended_for_who_has_a_token() {
    let twin = start("job-green-rolled-back", "").await;
    let jobs = "/github/repos/shop/web/actions/runs/7001/jobs";
    let log = "/github/repos/shop/web/actions/jobs/700100/logs";
    let token = [("authorization", "Bearer token")];
    assert_eq!(request(&twin, jobs, &[], b"").await.json()["jobs"][0]["status"], "queued");
    assert_eq!(request(&twin, log, &token, b"").await.status, 404);
    twin.advance(Duration::from_secs(20));
    assert_eq!(request(&twin, jobs, &[], b"").await.json()["jobs"][0]["conclusion"], "success");
    assert_eq!(request(&twin, log, &[], b"").await.status, 403);
    let moved = request(&twin, log, &token, b"").await;
    assert_eq!(moved.status, 302);
    let text = request(&twin, moved.header("location").unwrap(), &[], b"").await.text();
    assert!(text.contains("0000Z ##[group]Run docker build"), "{text}");
}

const ECS: &str = "AmazonEC2ContainerServiceV20141113";
const LOGS: &str = "Logs_20140328";

struct Answered {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answered {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Starts a twin that plays a built-in scenario with faults, on a clock that stands still.
async fn start(name: &str, faults: &str) -> Twin {
    let mut scenario = Scenario::built_in(name).unwrap();
    if !faults.is_empty() {
        scenario.faults = Scenario::parse(&format!("{faults}\n[[version]]")).unwrap().faults;
    }
    Twin::start(scenario, Clock::manual(BEGIN)).await.unwrap()
}

async fn json(twin: &Twin, prefix: &str, action: &str, params: Value) -> Answered {
    let target = format!("{prefix}.{action}");
    request(twin, "/", &[("x-amz-target", target.as_str())], params.to_string().as_bytes()).await
}

async fn query(twin: &Twin, form: &str) -> Answered {
    request(twin, "/", &[("content-type", "application/x-www-form-urlencoded")], form.as_bytes()).await
}

async fn cbor(twin: &Twin, action: &str, body: &[u8]) -> Answered {
    let path = format!("/service/GraniteServiceVersion20100801/operation/{action}");
    request(twin, &path, &[("smithy-protocol", "rpc-v2-cbor")], body).await
}

async fn request(twin: &Twin, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answered {
    let mut stream = open(twin, path, headers).await;
    stream.write_all(format!("content-length: {}\r\n\r\n", body.len()).as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    // A truncated answer ends with an error of the connection, which is what its test is about.
    let _ = stream.read_to_end(&mut answer).await;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    Answered { status, headers, body: answer[end + 4..].to_vec() }
}

async fn open(twin: &Twin, path: &str, headers: &[(&str, &str)]) -> TcpStream {
    let mut stream = TcpStream::connect(twin.url().trim_start_matches("http://")).await.unwrap();
    let mut head = format!("POST {path} HTTP/1.1\r\nhost: twin\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}
