//! Each format of one large diagnosis.
//!
//! `cargo bench -p tests --bench render`; `MEDIC_BENCH_MB` sets the size of the log that is diagnosed.

use analyzer::diagnosis::{Study, diagnose};
use analyzer::snapshot::Snapshot;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use medic::formats::{Collected, read};
use reports::{Format, Guide, Screen};
use std::time::Duration;
use tests::generator;

fn render(criterion: &mut Criterion) {
    let megabytes = std::env::var("MEDIC_BENCH_MB").ok().and_then(|size| size.parse().ok()).unwrap_or(4);
    let patterns = patterns::load().expect("the built-in patterns load");
    let mut collected = Collected::default();
    let log = generator::log(7, megabytes << 20);
    read("bench.container-log.log", None, &log[..], &mut collected)
        .expect("reading from memory does not fail");
    let diagnosis = diagnose(&patterns, &collected.records, &Snapshot::default(), Vec::new());
    println!("{} findings, {} entries in the timeline", diagnosis.findings.len(), diagnosis.timeline.len());

    let mut group = criterion.benchmark_group("render");
    group.sample_size(20).measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(300));
    group.bench_function("conclude", |bench| {
        bench.iter_batched(
            || {
                let mut study = Study::new(&patterns);
                study.observe(&collected.records[..collected.records.len().min(2000)]);
                study
            },
            |study| study.conclude(&Snapshot::default(), Vec::new()),
            criterion::BatchSize::LargeInput,
        );
    });
    group.bench_function("guide", |bench| bench.iter(|| Guide::new(&diagnosis, &patterns)));
    let guide = Guide::new(&diagnosis, &patterns);
    for format in Format::ALL {
        group.bench_function(BenchmarkId::new("format", format!("{format:?}").to_lowercase()), |bench| {
            bench.iter(|| reports::render(&guide, format, Screen { width: 100, hyperlinks: false }));
        });
    }
    group.finish();
}

criterion_group!(benches, render);
criterion_main!(benches);
