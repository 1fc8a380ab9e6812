//! Medic's own metrics and traces: a collector takes what the real binary sends.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::Uri;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data, number_data_point};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::simulated::Account;
use crate::{count, errors, medic};

/// What stands in each line of the log, and must not leave the machine.
const TEXT: &str = "xylophone";
const LINES: u64 = 40;

/// A collector that keeps what it is sent, by path.
#[derive(Clone, Default)]
struct Taken(Arc<Mutex<Vec<(String, Bytes)>>>);

impl Taken {
    fn metrics(&self) -> Vec<ExportMetricsServiceRequest> {
        self.at("/v1/metrics").iter().map(|body| Message::decode(body.clone()).expect("metrics")).collect()
    }

    fn traces(&self) -> Vec<ExportTraceServiceRequest> {
        self.at("/v1/traces").iter().map(|body| Message::decode(body.clone()).expect("traces")).collect()
    }

    fn at(&self, path: &str) -> Vec<Bytes> {
        let taken = self.0.lock().expect("a list");
        taken.iter().filter(|(at, _)| at == path).map(|(_, body)| body.clone()).collect()
    }
}

/// Runs `act` while a collector listens; it is given the address.
fn with_collector(act: impl FnOnce(&str)) -> Taken {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let taken = Taken::default();
    let take = |State(taken): State<Taken>, uri: Uri, body: Bytes| async move {
        taken.0.lock().expect("a list").push((uri.path().to_owned(), body));
    };
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let service = Router::new().fallback(take).with_state(taken.clone());
    runtime.spawn(async move { axum::serve(listener, service).await });
    act(&address);
    taken
}

/// Records a log once.
fn collect(folder: &Path, set: impl FnOnce(&mut Command)) {
    let log = folder.join("web.container-log.log");
    let lines: String =
        (0..LINES).map(|number| format!("2026-05-01T10:00:00Z ERROR {TEXT} {number}\n")).collect();
    std::fs::write(&log, lines).expect("written");
    let mut command = medic();
    command.args(["collect", "--once"]).arg(&log).arg("--state").arg(folder.join("state"));
    set(&mut command);
    let output = command.output().expect("medic runs");
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(count(&folder.join("state"), ""), LINES);
}

#[test]
fn metrics_and_traces_go_to_the_endpoint_of_the_environment() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = with_collector(|address| {
        collect(folder.path(), |command| {
            command.env("OTEL_EXPORTER_OTLP_ENDPOINT", address);
        });
    });
    let sent = taken.metrics();
    let records = metric(&sent, "medic.records").expect("records are counted");
    assert_eq!((records.unit.as_str(), sum(records)), ("{record}", LINES as i64));
    let commits = metric(&sent, "medic.commit.duration").expect("commits are measured");
    assert_eq!(commits.unit, "s");
    let Some(Data::Histogram(histogram)) = &commits.data else { panic!("no histogram: {commits:?}") };
    assert!(histogram.data_points.iter().map(|point| point.count).sum::<u64>() > 0);
    let resource = sent[0].resource_metrics[0].resource.as_ref().expect("a resource");
    assert_eq!(attribute(&resource.attributes, "service.name"), Some("medic"));
    let traces = taken.traces();
    let names: Vec<&str> = spans(&traces).iter().map(|span| span.name.as_str()).collect();
    assert!(names.contains(&"medic.commit") && names.contains(&"medic.diagnose"), "{names:?}");
    assert!(names.iter().all(|name| name.starts_with("medic.")), "only own spans are sent: {names:?}");
    for (path, body) in taken.0.lock().expect("a list").iter() {
        let has_text = body.windows(TEXT.len()).any(|window| window == TEXT.as_bytes());
        assert!(!has_text, "text of a log was sent to {path}");
    }
}

#[test]
fn the_endpoint_may_be_configured_and_traces_switched_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = with_collector(|address| {
        let config = folder.path().join("medic.toml");
        std::fs::write(&config, format!("[telemetry]\nendpoint = \"{address}\"\n")).expect("written");
        collect(folder.path(), |command| {
            command.arg("--config").arg(&config).env("OTEL_TRACES_EXPORTER", "none");
            command.env("OTEL_SERVICE_NAME", "medic-of-shop");
        });
    });
    let sent = taken.metrics();
    assert!(metric(&sent, "medic.records").is_some());
    let resource = sent[0].resource_metrics[0].resource.as_ref().expect("a resource");
    assert_eq!(attribute(&resource.attributes, "service.name"), Some("medic-of-shop"));
    assert!(taken.traces().is_empty());
}

#[test]
fn calls_to_the_account_are_counted_and_traced() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("medic.toml");
    let ecs = "cluster = \"shop\"\nservice = \"web\"\n[[source]]\nkind = \"ecs\"\n";
    std::fs::write(&config, ecs).expect("written");
    let mut calls = 0;
    let taken = with_collector(|address| {
        let account = Account::standing("healthy");
        account.advance(120);
        let mut command = account.medic();
        command.args(["collect", "--once", "--config"]).arg(&config);
        command.arg("--state").arg(folder.path().join("state")).env("OTEL_EXPORTER_OTLP_ENDPOINT", address);
        let output = command.output().expect("medic runs");
        assert!(output.status.success(), "{}", errors(&output));
        calls = account.called();
    });
    let sent = taken.metrics();
    assert!(calls > 3, "{calls} calls");
    assert_eq!(sum(metric(&sent, "medic.api.calls").expect("calls are counted")), calls as i64);
    let traces = taken.traces();
    let spans = spans(&traces);
    let round = spans.iter().find(|span| span.name == "medic.round").expect("a round");
    assert_eq!(attribute(&round.attributes, "medic.source"), Some("ecs"));
    let own = spans.iter().filter(|span| span.name == "medic.call" && span.parent_span_id == round.span_id);
    let methods: Vec<Option<&str>> = own.map(|span| attribute(&span.attributes, "rpc.method")).collect();
    assert_eq!(methods.len(), calls, "{methods:?}");
    assert!(methods.contains(&Some("DescribeServices")), "{methods:?}");
}

#[test]
fn medic_receives_what_medic_sends() {
    let folder = tempfile::tempdir().expect("a folder");
    let (config, received) = (folder.path().join("receiver.toml"), folder.path().join("received"));
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").port()
    };
    let receiver =
        format!("[[source]]\nkind = \"otlp\"\ngrpc = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:{port}\"\n");
    std::fs::write(&config, receiver).expect("written");
    let mut agent = medic();
    agent.args(["collect", "--config"]).arg(&config).arg("--state").arg(&received);
    let mut agent = agent.stderr(std::process::Stdio::null()).spawn().expect("medic starts");
    for _ in 0..100 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    collect(folder.path(), |command| {
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{port}"));
        command.env("OTEL_TRACES_EXPORTER", "none");
    });
    let id = agent.id().to_string();
    let told = Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
    assert!(told.success() && agent.wait().expect("it ended").success());
    assert!(count(&received, "\"medic.records\" source:metric") > 0);
    assert_eq!(count(&received, TEXT), 0, "no text of a log is sent");
}

#[test]
fn a_collector_that_is_not_there_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    // Nothing listens on the port of a listener that is gone.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", gone.local_addr().expect("an address"));
    drop(gone);
    collect(folder.path(), |command| {
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", address);
    });
}

fn metric<'s>(sent: &'s [ExportMetricsServiceRequest], name: &str) -> Option<&'s Metric> {
    let scopes =
        sent.iter().flat_map(|sent| &sent.resource_metrics).flat_map(|resource| &resource.scope_metrics);
    scopes.flat_map(|scope| &scope.metrics).rfind(|metric| metric.name == name)
}

fn spans(sent: &[ExportTraceServiceRequest]) -> Vec<&Span> {
    let scopes = sent.iter().flat_map(|sent| &sent.resource_spans).flat_map(|resource| &resource.scope_spans);
    scopes.flat_map(|scope| &scope.spans).collect()
}

fn sum(metric: &Metric) -> i64 {
    let Some(Data::Sum(sum)) = &metric.data else { panic!("no sum: {metric:?}") };
    let values = sum.data_points.iter().map(|point| match point.value {
        Some(number_data_point::Value::AsInt(value)) => value,
        _ => 0,
    });
    values.sum()
}

fn attribute<'a>(attributes: &'a [KeyValue], name: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}
