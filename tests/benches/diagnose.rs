//! The way of a log through Medic on one core, as a whole and by its stages.
//!
//! `cargo bench -p tests --bench diagnose`; `MEDIC_BENCH_MB` sets the size of the generated log.
//! `ingest` is what an agent does with every record before it stores it: read, fold, redact, match.

use analyzer::diagnosis::Study;
use analyzer::pattern::Patterns;
use analyzer::record::Record;
use analyzer::redact::{Redactions, redact};
use analyzer::snapshot::Snapshot;
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use medic::formats::{Collected, Sink, read};
use medic::input::{Feed, Span};
use std::hint::black_box;
use std::time::Duration;
use tests::generator;

const NAME: &str = "bench.container-log.log";
const BATCH: usize = 2048;

fn diagnose(criterion: &mut Criterion) {
    let megabytes = std::env::var("MEDIC_BENCH_MB").ok().and_then(|size| size.parse().ok()).unwrap_or(16);
    let log = generator::log(7, megabytes << 20);
    let patterns = patterns::load().expect("the built-in patterns load");
    let mut collected = Collected::default();
    read(NAME, None, &log[..], &mut collected).expect("reading from memory does not fail");
    let records = collected.records;
    // Expressions are compiled when they are first needed: once for all rounds.
    whole(&patterns, &log);
    println!("{} MB, {} records", log.len() >> 20, records.len());

    let mut group = criterion.benchmark_group("diagnose");
    group
        .sample_size(10)
        .sampling_mode(SamplingMode::Flat)
        .measurement_time(Duration::from_secs(4))
        .warm_up_time(Duration::from_millis(500));
    group.throughput(Throughput::Bytes(log.len() as u64));
    group.bench_function("whole", |bench| bench.iter(|| whole(&patterns, black_box(&log))));
    group.bench_function("ingest", |bench| bench.iter(|| ingest(&patterns, black_box(&log))));
    group.bench_function("read and fold", |bench| {
        bench.iter(|| {
            let mut count = Count::default();
            read(NAME, None, black_box(&log[..]), &mut count).expect("reading from memory does not fail");
            count.records
        });
    });
    group.bench_function("redact", |bench| {
        bench.iter(|| {
            let mut redactions = Redactions::new();
            let texts = black_box(&records).iter().map(|record| redact(record.said(), &mut redactions).len());
            texts.sum::<usize>()
        });
    });
    group.bench_function("observe", |bench| {
        bench.iter(|| {
            let mut study = Study::new(&patterns);
            black_box(&records).chunks(BATCH).for_each(|batch| study.observe(batch));
            study
        });
    });
    group.finish();
}

fn whole(patterns: &Patterns, log: &[u8]) -> usize {
    let mut study = Study::new(patterns);
    let mut feed = Feed::new(&mut study, Span::default());
    read(NAME, None, log, &mut feed).expect("reading from memory does not fail");
    study.conclude(&Snapshot::default(), Vec::new()).findings.len()
}

fn ingest(patterns: &Patterns, log: &[u8]) -> usize {
    let mut ingest = Ingest { study: Study::new(patterns), redactions: Redactions::new(), bytes: 0 };
    read(NAME, None, log, &mut ingest).expect("reading from memory does not fail");
    ingest.bytes
}

/// Redacts every record and matches it; what it would store is counted.
struct Ingest<'p> {
    study: Study<'p>,
    redactions: Redactions,
    bytes: usize,
}

impl Sink for Ingest<'_> {
    fn records(&mut self, records: &mut Vec<Record>) {
        for record in &*records {
            self.bytes += redact(&record.text, &mut self.redactions).len();
        }
        self.study.observe(records);
    }

    fn snapshot(&mut self, _: Snapshot) {}
}

#[derive(Default)]
struct Count {
    records: usize,
}

impl Sink for Count {
    fn records(&mut self, records: &mut Vec<Record>) {
        self.records += records.len();
    }

    fn snapshot(&mut self, _: Snapshot) {}
}

criterion_group!(benches, diagnose);
criterion_main!(benches);
