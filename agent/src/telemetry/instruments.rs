//! The instruments: what is measured, under which name, in which unit.

use analyzer::diagnosis::Verdict;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};
use std::sync::OnceLock;

use super::Measure;

static INSTALLED: OnceLock<Instruments> = OnceLock::new();

/// Calls and commits take from milliseconds to a minute.
const SECONDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

pub struct Instruments {
    records: Counter<u64>,
    bytes: Counter<u64>,
    lag: Gauge<i64>,
    gaps: Gauge<u64>,
    calls: Counter<u64>,
    throttles: Counter<u64>,
    call_duration: Histogram<f64>,
    budget_wait: Histogram<f64>,
    commit_duration: Histogram<f64>,
    failures: Counter<u64>,
    verdicts: Counter<u64>,
}

/// Returns the instruments, where Medic measures.
pub fn installed() -> Option<&'static Instruments> {
    INSTALLED.get()
}

/// Begins to measure.
pub fn install(meter: &Meter) {
    let seconds = |name: &'static str, description: &'static str| {
        let histogram = meter.f64_histogram(name).with_unit("s").with_description(description);
        histogram.with_boundaries(SECONDS.to_vec()).build()
    };
    let counter = |name: &'static str, unit: &'static str, description: &'static str| {
        meter.u64_counter(name).with_unit(unit).with_description(description).build()
    };
    let instruments = Instruments {
        records: counter("medic.records", "{record}", "Records that sources handed over"),
        bytes: counter("medic.records.size", "By", "Text of the records that sources handed over"),
        lag: meter
            .i64_gauge("medic.source.lag")
            .with_unit("s")
            .with_description("Age of the newest record when it was handed over")
            .build(),
        gaps: meter
            .u64_gauge("medic.source.gaps")
            .with_unit("{gap}")
            .with_description("What a source cannot see")
            .build(),
        calls: counter("medic.api.calls", "{call}", "Calls to AWS"),
        throttles: counter("medic.api.throttles", "{call}", "Calls to AWS that stayed throttled"),
        call_duration: seconds("medic.api.call.duration", "How long calls to AWS took, with repeats"),
        budget_wait: seconds("medic.api.budget.wait", "How long calls to AWS waited for their budget"),
        commit_duration: seconds("medic.commit.duration", "How long commits to the index took"),
        failures: counter("medic.index.failures", "{failure}", "How often the index failed"),
        verdicts: counter("medic.verdicts", "{verdict}", "Verdicts on deployments"),
    };
    // It is installed once in a process.
    let _ = INSTALLED.set(instruments);
}

impl Instruments {
    pub fn note(&self, measure: Measure<'_>) {
        match measure {
            Measure::HandedOver { source, bytes, lag, gaps } => {
                let of_source = [text("medic.source", source)];
                self.bytes.add(bytes, &of_source);
                if let Some(lag) = lag {
                    self.lag.record(lag, &of_source);
                }
                if let Some(gaps) = gaps {
                    self.gaps.record(gaps as u64, &of_source);
                }
            }
            Measure::Taken { source, new, known } => {
                for (outcome, records) in [("stored", new), ("duplicate", known)] {
                    if records > 0 {
                        let taken = [text("medic.source", source), text("medic.outcome", outcome)];
                        self.records.add(records, &taken);
                    }
                }
            }
            Measure::Called { service, operation, error, took } => {
                let mut called = of_call(service, operation).to_vec();
                called.extend(error.map(|error| text("error.type", error)));
                self.calls.add(1, &called);
                self.call_duration.record(took.as_secs_f64(), &called);
                if error == Some("throttled") {
                    self.throttles.add(1, &of_call(service, operation));
                }
            }
            Measure::Waited { service, operation, took } => {
                self.budget_wait.record(took.as_secs_f64(), &of_call(service, operation));
            }
            Measure::Committed { took } => self.commit_duration.record(took.as_secs_f64(), &[]),
            Measure::Failed => self.failures.add(1, &[]),
            Measure::Concluded { verdict, class } => {
                let word = match verdict {
                    Verdict::Healthy => "healthy",
                    Verdict::Failed => "failed",
                    Verdict::CannotTell => "cannot-tell",
                };
                let mut concluded = vec![text("medic.verdict", word)];
                concluded.extend(class.map(|class| text("medic.class", class.as_str())));
                self.verdicts.add(1, &concluded);
            }
        }
    }
}

/// Names a call as the semantic conventions for AWS do.
fn of_call(service: &str, operation: &str) -> [KeyValue; 3] {
    [text("rpc.system", "aws-api"), text("rpc.service", service), text("rpc.method", operation)]
}

fn text(name: &'static str, value: &str) -> KeyValue {
    KeyValue::new(name, value.to_owned())
}
