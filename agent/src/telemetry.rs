//! What Medic tells of itself: messages on standard error, and metrics and traces through OpenTelemetry.
//!
//! Nothing is measured or sent unless an endpoint is named, and no text of a record ever is.

#[cfg(feature = "telemetry")]
mod export;
#[cfg(feature = "telemetry")]
mod instruments;

use analyzer::diagnosis::Verdict;
use analyzer::taxonomy::Class;
use std::time::Duration;
use tokio::runtime::Handle;
use tracing_subscriber::EnvFilter;

use crate::config::Config;

/// Something that Medic did.
#[derive(Clone, Copy, Debug)]
pub enum Measure<'m> {
    /// A source handed records over: so many bytes, its newest record so many seconds old; it cannot see so much.
    HandedOver { source: &'m str, bytes: u64, lag: Option<i64>, gaps: Option<usize> },
    /// So many records of a source were new, and so many were stored already.
    Taken { source: &'m str, new: u64, known: u64 },
    /// A call to AWS ended; `error` says what kind of trouble there was.
    Called { service: &'m str, operation: &'m str, error: Option<&'m str>, took: Duration },
    /// A call waited for its budget.
    Waited { service: &'m str, operation: &'m str, took: Duration },
    /// Records were committed.
    Committed { took: Duration },
    /// The index failed, and recording begins again.
    Failed,
    /// A verdict was reached.
    Concluded { verdict: Verdict, class: Option<Class> },
}

/// Counts what Medic did, where somebody wants to know.
pub fn note(measure: Measure<'_>) {
    #[cfg(feature = "telemetry")]
    if let Some(instruments) = instruments::installed() {
        instruments.note(measure);
    }
    #[cfg(not(feature = "telemetry"))]
    let _ = measure;
}

/// Whether somebody wants to know.
pub fn is_on() -> bool {
    #[cfg(feature = "telemetry")]
    return instruments::installed().is_some();
    #[cfg(not(feature = "telemetry"))]
    false
}

/// Ends the sending when it is dropped, and sends what is left.
#[must_use]
pub struct Telemetry {
    #[cfg(feature = "telemetry")]
    _export: Option<export::Export>,
}

/// Begins to write messages, and to send metrics and traces where an endpoint is named.
/// What cannot be sent never keeps Medic from its work.
pub fn begin(usual: &str, config: &Config, runtime: &Handle) -> Telemetry {
    #[cfg(feature = "telemetry")]
    {
        let export = export::start(config, runtime);
        match &export {
            Ok(Some(export)) => export.log_and_trace(messages(usual)),
            _ => log(usual),
        }
        let export = export.unwrap_or_else(|error| {
            tracing::warn!(error = format!("{error:#}"), "metrics and traces are not sent");
            None
        });
        Telemetry { _export: export }
    }
    #[cfg(not(feature = "telemetry"))]
    {
        let _ = runtime;
        log(usual);
        if config.telemetry.endpoint.is_some() {
            tracing::warn!("this build of Medic sends no telemetry: build it with the feature `telemetry`");
        }
        Telemetry {}
    }
}

/// Begins to write messages to standard error: as text for people, as JSON lines where `MEDIC_LOG_FORMAT=json` asks for it.
pub fn log(usual: &str) {
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(messages(usual))
        .with_writer(std::io::stderr)
        .with_target(false)
        // What cannot be written on standard error cannot be complained about there.
        .log_internal_errors(false);
    // Another subscriber is there only in tests.
    let _ = if is_json() { subscriber.json().try_init() } else { subscriber.with_ansi(false).try_init() };
}

fn messages(usual: &str) -> EnvFilter {
    EnvFilter::try_from_env("MEDIC_LOG").unwrap_or_else(|_| EnvFilter::new(usual))
}

fn is_json() -> bool {
    std::env::var("MEDIC_LOG_FORMAT").is_ok_and(|format| format == "json")
}
