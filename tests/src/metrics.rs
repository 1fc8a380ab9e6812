//! Metrics beside the records: they support what the records show, and prove nothing by themselves.

use analyzer::diagnosis::{Diagnosis, Finding, Verdict};
use analyzer::record::Source;

use crate::given::{book, stream};

const STOPPED: &str = "2026-05-01T10:06:00Z Essential container in task exited\n\
    2026-05-01T10:06:00Z container web: exitCode 137, reason OutOfMemoryError: Container killed due to memory usage\n";

fn metric(name: &str, values: &[f64]) -> String {
    let line = |(minute, value)| {
        format!("2026-05-01T10:{minute:02}:00Z {name} {value} Percent AWS/ECS ServiceName=web\n")
    };
    values.iter().enumerate().map(line).collect()
}

fn diagnosed(stopped: &str, metrics: &str) -> Diagnosis {
    let mut records = stream("tasks", Source::EcsStoppedTask, stopped).records;
    records.extend(stream("cloudwatch", Source::Metric, metrics).records);
    analyzer::diagnose(book(), &records, &Default::default(), Vec::new())
}

fn root(diagnosis: &Diagnosis) -> &Finding {
    diagnosis.root_cause().expect("a root cause")
}

#[test]
fn a_metric_beyond_its_bound_is_shown_beside_a_cause() {
    let without = diagnosed(STOPPED, "");
    let with = diagnosed(STOPPED, &metric("MemoryUtilization", &[60.0, 92.5, 97.0, 98.5]));
    let calm = diagnosed(STOPPED, &metric("MemoryUtilization", &[60.0, 62.5, 61.0, 60.5]));
    for diagnosis in [&without, &with, &calm] {
        assert_eq!(root(diagnosis).cause, "infrastructure/capacity/container-out-of-memory");
    }
    let shows_metric = |diagnosis: &Diagnosis| {
        root(diagnosis).evidence.iter().any(|evidence| evidence.text.contains("MemoryUtilization 92.5"))
    };
    assert!(shows_metric(&with));
    assert!(!shows_metric(&calm));
    // Records that support a cause are shown, and change no confidence.
    assert_eq!(root(&with).confidence, root(&without).confidence);
}

#[test]
fn a_busy_deployment_is_no_failed_one() {
    let diagnosis = diagnosed("", &metric("CPUUtilization", &[99.0, 99.5, 99.9, 100.0, 99.0]));
    assert_ne!(diagnosis.verdict, Verdict::Failed);
    assert_eq!(diagnosis.root_cause(), None);
}
