use super::*;
use crate::sources::testing::Fake;
use analyzer::record::{Level, Source};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn value(text: &str) -> Option<AnyValue> {
    Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) })
}

fn attributes(of: &[(&str, &str)]) -> Vec<KeyValue> {
    of.iter()
        .map(|(key, text)| KeyValue { key: (*key).to_owned(), value: value(text), ..KeyValue::default() })
        .collect()
}

fn web() -> Option<Resource> {
    let attributes = attributes(&[
        ("service.name", "web"),
        ("aws.ecs.task.arn", "arn:aws:ecs:r:111122223333:task/shop/0123"),
    ]);
    Some(Resource { attributes, ..Resource::default() })
}

fn request(log_records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs { resource: web(), scope_logs, ..ResourceLogs::default() }],
    }
}

fn log(body: &str) -> LogRecord {
    LogRecord {
        time_unix_nano: 7_000_000_000,
        severity_number: 17,
        body: value(body),
        ..LogRecord::default()
    }
}

/// A log record is read to this text and level.
#[track_caller]
fn check(record: LogRecord, text: &str, level: Level) {
    let taken = logs::read(request(vec![record]));
    let record = &taken.arrivals[0].record;
    assert_eq!((record.text.as_str(), record.level), (text, level));
    assert_eq!((record.stream.name.as_str(), record.entity.as_deref()), ("otlp:web", Some("0123")));
}

#[test]
fn bodies_and_exceptions_are_read() {
    check(log("no route"), "no route", Level::Error);
    let stack = "java.lang.X: no\n\tat a.B.c(B.java:1)";
    let exception =
        [("exception.type", "java.lang.X"), ("exception.message", "no"), ("exception.stacktrace", stack)];
    check(
        LogRecord { attributes: attributes(&exception), ..log("failed") },
        "failed\njava.lang.X: no\n\tat a.B.c(B.java:1)",
        Level::Error,
    );
    check(
        LogRecord { attributes: attributes(&exception[..2]), ..log("failed") },
        "failed\njava.lang.X: no",
        Level::Error,
    );
    check(LogRecord { severity_number: 0, ..log("FATAL boom") }, "FATAL boom", Level::Fatal);
    check(LogRecord { body: None, event_name: "started".to_owned(), ..log("") }, "started", Level::Error);
}

/// A record with these attributes says this, and is stored with this text.
#[track_caller]
fn check_said(record: LogRecord, said: &str, text: &str) {
    let taken = logs::read(request(vec![record]));
    let record = &taken.arrivals[0].record;
    assert_eq!((record.said(), record.text.as_str(), record.level), (said, text, Level::Error));
}

#[test]
fn attributes_that_say_more_are_read() {
    let with = |named: &[(&str, &str)]| LogRecord { attributes: attributes(named), ..log("cannot start") };
    let refused = "cannot start\nport 5432 failed: Connection refused";
    let error = "port 5432 failed: Connection refused";
    check_said(
        with(&[("err", error)]),
        refused,
        r#"{"message":"cannot start","err":"port 5432 failed: Connection refused"}"#,
    );
    check_said(
        with(&[("error.message", error), ("n", "4")]),
        refused,
        r#"{"message":"cannot start","error.message":"port 5432 failed: Connection refused","n":"4"}"#,
    );
    check_said(
        with(&[("exception.message", error), ("n", "4")]),
        refused,
        r#"{"message":"cannot start\nport 5432 failed: Connection refused","n":"4"}"#,
    );
    check_said(
        with(&[("code.filepath", "a.py"), ("thread.name", "main"), ("log.iostream", "stderr")]),
        "cannot start",
        "cannot start",
    );
}

#[test]
fn a_structured_body_is_a_json_line() {
    let members = attributes(&[("msg", "cannot start"), ("error", "refused")]);
    let list = Value::KvlistValue(opentelemetry_proto::tonic::common::v1::KeyValueList { values: members });
    let record = LogRecord {
        body: Some(AnyValue { value: Some(list) }),
        attributes: attributes(&[("exception.stacktrace", "X: no\n\tat a.B.c(B.java:1)")]),
        ..log("")
    };
    check_said(
        record,
        "cannot start\nrefused\nX: no\n\tat a.B.c(B.java:1)",
        r#"{"msg":"cannot start","error":"refused","exception.stacktrace":"X: no\n\tat a.B.c(B.java:1)"}"#,
    );
    let printed = r#"{"msg":"cannot start","err":"refused"}"#;
    let record = LogRecord { attributes: attributes(&[("n", "4")]), ..log(printed) };
    check_said(record, "cannot start\nrefused", printed);
}

#[test]
fn what_is_sent_again_has_the_same_identity_and_what_is_said_twice_has_two() {
    let ids = |request| logs::read(request).arrivals.iter().map(|arrival| arrival.id).collect::<Vec<u64>>();
    let (first, again) =
        (ids(request(vec![log("a"), log("a"), log("b")])), ids(request(vec![log("a"), log("a"), log("b")])));
    assert_eq!(first, again);
    assert_ne!(first[0], first[1]);
    assert_ne!(ids(request(vec![LogRecord { time_unix_nano: 8, ..log("a") }])), ids(request(vec![log("a")])));
}

#[test]
fn what_says_nothing_is_refused() {
    let taken = logs::read(request(vec![LogRecord { body: None, ..log("") }, log("a")]));
    assert_eq!((taken.refused, taken.arrivals.len()), (1, 1));
}

fn gauge() -> ExportMetricsServiceRequest {
    let point = NumberDataPoint {
        attributes: attributes(&[("zone", "b"), ("az", "a")]),
        time_unix_nano: 7_000_000_000,
        value: Some(number_data_point::Value::AsDouble(0.5)),
        ..NumberDataPoint::default()
    };
    let metric = Metric {
        name: "process.cpu".to_owned(),
        unit: "s".to_owned(),
        data: Some(Data::Gauge(Gauge { data_points: vec![point] })),
        ..Metric::default()
    };
    let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() }];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: web(),
            scope_metrics,
            ..ResourceMetrics::default()
        }],
    }
}

#[test]
fn a_data_point_is_a_record() {
    let taken = metrics::read(gauge());
    let record = &taken.arrivals[0].record;
    assert_eq!((record.text.as_str(), record.source), ("process.cpu 0.5 s az=a zone=b", Source::Metric));
}

async fn started(fake: &Fake) -> (std::net::SocketAddr, std::net::SocketAddr, CancellationToken) {
    let (outlet, stop) = fake.collect();
    let receiver = Receiver::new(outlet);
    let grpc = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addresses = (grpc.local_addr().unwrap(), http.local_addr().unwrap(), stop);
    tokio::spawn(serve_grpc(grpc, receiver.clone()));
    tokio::spawn(serve_http(http, receiver));
    addresses
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_over_grpc_is_stored_when_it_succeeds() {
    let fake = Fake::default();
    let (grpc, _, _stop) = started(&fake).await;
    let mut client = LogsServiceClient::connect(format!("http://{grpc}")).await.unwrap();
    for _ in 0..2 {
        let answer =
            client.export(request(vec![log("a"), LogRecord { body: None, ..log("") }])).await.unwrap();
        assert_eq!(answer.into_inner().partial_success.unwrap().rejected_log_records, 1);
        assert_eq!(fake.texts(), ["a"]);
    }
    let too_large = client.export(request(vec![log(&"x".repeat(LARGEST_REQUEST))])).await;
    assert_eq!(too_large.unwrap_err().code(), tonic::Code::OutOfRange);
}

/// Posts a body; returns the status and the body of the answer.
async fn posted(address: std::net::SocketAddr, path: &str, headers: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: medic\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let _ = socket.write_all(body).await;
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer).await;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let status = String::from_utf8_lossy(&answer[9..12]).parse().unwrap();
    (status, answer[end + 4..].to_vec())
}

const PROTOBUF: &str = "content-type: application/x-protobuf\r\n";
const JSON: &str = "content-type: application/json; charset=utf-8\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_over_http_is_stored_when_it_succeeds() {
    let fake = Fake::default();
    let (_, http, _stop) = started(&fake).await;
    let body = request(vec![log("a")]).encode_to_vec();
    assert_eq!(posted(http, "/v1/logs", PROTOBUF, &body).await, (200, Vec::new()));
    assert_eq!(fake.texts(), ["a"]);
    let json = br#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"web"}}]},
        "scopeLogs":[{"scope":{},"logRecords":[{"timeUnixNano":"7000000000","severityNumber":17,"attributes":null,"traceId":null,
        "body":{"stringValue":"b"}}]}]}]}"#;
    let (status, answer) = posted(http, "/v1/logs", JSON, json).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    assert_eq!(fake.texts(), ["a", "b"]);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &gauge().encode_to_vec()).unwrap();
    let gzip = format!("{PROTOBUF}content-encoding: gzip\r\n");
    let (status, _) = posted(http, "/v1/metrics", &gzip, &encoder.finish().unwrap()).await;
    assert_eq!((status, fake.texts().len()), (200, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_that_json_writes_as_text_are_read() {
    let fake = Fake::default();
    let (_, http, _stop) = started(&fake).await;
    let json = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"7","body":{"stringValue":"a"},
        "attributes":[{"key":"x","value":{"doubleValue":"NaN"}},{"key":"y","value":{"doubleValue":"-Infinity"}},
        {"key":"z","value":{"arrayValue":{"values":[{"doubleValue":"1.5"},{"doubleValue":2}]}}}]},
        {"timeUnixNano":"8","body":{"doubleValue":"Infinity"}}]}]}]}"#;
    let (status, answer) = posted(http, "/v1/logs", JSON, json).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    assert_eq!(fake.texts(), [r#"{"message":"a","x":"NaN","y":"-Infinity","z":[1.5,2.0]}"#, "Infinity"]);
    let json = br#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[
        {"name":"a","gauge":{"dataPoints":[{"asDouble":"NaN"},{"asDouble":"0.5"},{"asDouble":7},{"asInt":"8"}]}},
        {"name":"b","histogram":{"dataPoints":[{"count":"2","sum":"Infinity","min":"0.5","bucketCounts":["1","1"],
            "explicitBounds":["1.5"]}]}},
        {"name":"c","summary":{"dataPoints":[{"count":"1","sum":"2.5","quantileValues":[{"quantile":"0.9","value":"NaN"}]}]}}
        ]}]}]}"#;
    let (status, answer) = posted(http, "/v1/metrics", JSON, json).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    let texts = &fake.texts()[2..];
    assert_eq!(texts, ["a 0.5", "a 7", "a 8", "b count=2 min=0.5", "c count=1 sum=2.5"]);
    let json = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"doubleValue":"many"}}]}]}]}"#;
    assert_eq!(posted(http, "/v1/logs", JSON, json).await.0, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_refused_with_a_reason() {
    let fake = Fake::default();
    let (_, http, _stop) = started(&fake).await;
    assert_eq!(posted(http, "/v1/logs", PROTOBUF, b"\xff\xff").await.0, 400);
    assert_eq!(posted(http, "/v1/logs", JSON, b"{").await.0, 400);
    assert_eq!(posted(http, "/v1/logs", "content-type: text/plain\r\n", b"").await.0, 415);
    assert_eq!(posted(http, "/v1/logs", &format!("{JSON}content-encoding: br\r\n"), b"").await.0, 415);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &vec![b' '; 2 * LARGEST_REQUEST]).unwrap();
    let bomb = encoder.finish().unwrap();
    let (status, answer) =
        posted(http, "/v1/logs", &format!("{JSON}content-encoding: gzip\r\n"), &bomb).await;
    assert_eq!(status, 413);
    assert!(String::from_utf8_lossy(&answer).contains("larger than"));
    assert!(fake.texts().is_empty());
}
