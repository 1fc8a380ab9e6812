//! Sends metrics and traces: OTLP over HTTP, protobuf, with the variables of OpenTelemetry.

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{KeyValue, metrics::MeterProvider};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tracing::debug;
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::instruments;
use crate::config::Config;

/// The name of the scope that metrics and traces stand under.
const SCOPE: &str = "medic";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// How long one request may take, and how long Medic waits at its end.
const LONGEST: Duration = Duration::from_secs(10);
const FAREWELL: Duration = Duration::from_secs(3);
/// A collector answers in a few bytes.
const LARGEST_ANSWER: usize = 1 << 20;

/// What sends; it ends when it is dropped.
pub struct Export {
    metrics: Option<SdkMeterProvider>,
    traces: Option<SdkTracerProvider>,
}

/// Begins to send, where an endpoint is named.
pub fn start(config: &Config, runtime: &Handle) -> Result<Option<Export>> {
    let configured = config.telemetry.endpoint.as_deref();
    let wants = |signal: &str| wants(signal, variable, configured);
    let (wants_metrics, wants_traces) = (wants("METRICS"), wants("TRACES"));
    if !(wants_metrics || wants_traces) {
        return Ok(None);
    }
    check_protocol()?;
    let client = reqwest::Client::builder().timeout(LONGEST).build().context("cannot make requests")?;
    let client: Arc<dyn HttpClient> = Arc::new(Client { client, runtime: runtime.clone() });
    let resource = resource(config);
    let traces = wants_traces.then(|| traces(client.clone(), resource.clone(), configured)).transpose()?;
    let metrics = wants_metrics.then(|| metrics(client, resource, config)).transpose()?;
    if let Some(metrics) = &metrics {
        instruments::install(&metrics.meter(SCOPE));
    }
    Ok(Some(Export { metrics, traces }))
}

impl Export {
    /// Begins to write messages, and to follow Medic's own spans. Messages are not sent: what they say may be text of a record.
    pub fn log_and_trace(&self, messages: EnvFilter) {
        let written = tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_target(false)
            // What cannot be written on standard error cannot be complained about there.
            .log_internal_errors(false);
        let written = match super::is_json() {
            true => written.json().boxed(),
            false => written.with_ansi(false).boxed(),
        };
        let sent = self.traces.as_ref().map(|traces| {
            let layer = tracing_opentelemetry::layer().with_tracer(traces.tracer(SCOPE));
            let layer = layer.with_location(false).with_threads(false).with_tracked_inactivity(false);
            layer.with_filter(filter_fn(|about| about.is_span() && about.target().starts_with("medic")))
        });
        let subscriber = tracing_subscriber::registry().with(written.with_filter(messages)).with(sent);
        // Another subscriber is there only in tests.
        let _ = subscriber.try_init();
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        let traces = self.traces.take().map(|traces| traces.shutdown_with_timeout(FAREWELL));
        let metrics = self.metrics.take().map(|metrics| metrics.shutdown_with_timeout(FAREWELL));
        for outcome in [traces, metrics].into_iter().flatten() {
            if let Err(error) = outcome {
                debug!(error = error.to_string(), "the last metrics and traces were not sent");
            }
        }
    }
}

fn metrics(client: Arc<dyn HttpClient>, resource: Resource, config: &Config) -> Result<SdkMeterProvider> {
    let exporter = MetricExporter::builder().with_http().with_shared_http_client(client);
    let exporter = match address(config.telemetry.endpoint.as_deref(), "METRICS", "v1/metrics") {
        Some(address) => exporter.with_endpoint(address),
        None => exporter,
    };
    let exporter = exporter.build().context("cannot send metrics")?;
    let mut reader = PeriodicReader::builder(exporter);
    if variable("OTEL_METRIC_EXPORT_INTERVAL").is_none() {
        reader = reader.with_interval(config.telemetry.every.0);
    }
    Ok(SdkMeterProvider::builder().with_reader(reader.build()).with_resource(resource).build())
}

fn traces(
    client: Arc<dyn HttpClient>,
    resource: Resource,
    configured: Option<&str>,
) -> Result<SdkTracerProvider> {
    let exporter = SpanExporter::builder().with_http().with_shared_http_client(client);
    let exporter = match address(configured, "TRACES", "v1/traces") {
        Some(address) => exporter.with_endpoint(address),
        None => exporter,
    };
    let exporter = exporter.build().context("cannot send traces")?;
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

/// Says who sends; `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win.
fn resource(config: &Config) -> Resource {
    let mut own = vec![KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))];
    let watched = [("medic.cluster", &config.cluster), ("medic.service", &config.service)];
    for (name, value) in watched {
        own.extend(value.clone().map(|value| KeyValue::new(name, value)));
    }
    if variable("OTEL_SERVICE_NAME").is_none() {
        own.push(KeyValue::new("service.name", "medic"));
    }
    Resource::builder().with_attributes(own).build()
}

/// Whether a signal is to be sent.
fn wants(signal: &str, variable: impl Fn(&str) -> Option<String>, configured: Option<&str>) -> bool {
    let is = |name: &str, value: &str| variable(name).is_some_and(|set| set.eq_ignore_ascii_case(value));
    if is("OTEL_SDK_DISABLED", "true") || is(&format!("OTEL_{signal}_EXPORTER"), "none") {
        return false;
    }
    let own = format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT");
    configured.is_some() || variable(ENDPOINT).is_some() || variable(&own).is_some()
}

/// Returns the configured address of a signal, where no variable names another.
fn address(configured: Option<&str>, signal: &str, path: &str) -> Option<String> {
    let own = format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT");
    if variable(ENDPOINT).is_some() || variable(&own).is_some() {
        return None;
    }
    configured.map(|endpoint| format!("{}/{path}", endpoint.trim_end_matches('/')))
}

fn check_protocol() -> Result<()> {
    for name in ["", "METRICS_", "TRACES_"].map(|signal| format!("OTEL_EXPORTER_OTLP_{signal}PROTOCOL")) {
        if let Some(protocol) = variable(&name)
            && protocol != "http/protobuf"
        {
            bail!(
                "{name} is {protocol}, and Medic sends http/protobuf: \
                 set it so, with an endpoint that speaks it (usually port 4318)"
            );
        }
    }
    Ok(())
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Sends requests on Medic's runtime: the threads of the SDK have none.
#[derive(Debug)]
struct Client {
    client: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let client = self.client.clone();
        let answered = self.runtime.spawn(async move {
            let mut answer = client.execute(request).await?;
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = answer.status();
            std::mem::swap(response.headers_mut(), answer.headers_mut());
            let mut body = Vec::new();
            while let Some(chunk) = answer.chunk().await? {
                if body.len() + chunk.len() > LARGEST_ANSWER {
                    return Err(HttpError::from("the answer is too large"));
                }
                body.extend_from_slice(&chunk);
            }
            *response.body_mut() = body.into();
            Ok(response)
        });
        answered.await?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], configured: Option<&str>, metrics: bool, traces: bool) {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let wanted = ["METRICS", "TRACES"].map(|signal| wants(signal, variable, configured));
        assert_eq!(wanted, [metrics, traces], "{variables:?} {configured:?}");
    }

    #[test]
    fn nothing_is_sent_unless_an_endpoint_is_named() {
        let endpoint = "http://127.0.0.1:4318";
        check(&[], None, false, false);
        check(&[], Some(endpoint), true, true);
        check(&[(ENDPOINT, endpoint)], None, true, true);
        check(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint)], None, false, true);
        check(&[("OTEL_METRICS_EXPORTER", "none")], Some(endpoint), false, true);
        check(&[("OTEL_SDK_DISABLED", "true")], Some(endpoint), false, false);
    }
}
