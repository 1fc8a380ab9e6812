//! The way of a log into the index, in time of one core, against plain tantivy on the same records in the same run.
//!
//! `cargo bench -p tests --bench ingest`; `MEDIC_BENCH_MB` sets the size of the generated log, `MEDIC_BENCH_OUT=DIR`
//! also writes the records for `tests/benches/clickhouse.py`. `taskset -c 1` in front binds all threads to one core, where
//! none waits actively for another. `medic collect` is the whole agent on a file: read, fold,
//! redact, match against all pages, index, commit. The rows below it take parts away. Tantivy gets its records parsed.

mod cpu;

use analyzer::diagnosis::Study;
use analyzer::pattern::Patterns;
use analyzer::record::Record;
use analyzer::redact::{Redactions, redact};
use analyzer::snapshot::Snapshot;
use criterion::{BatchSize, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use medic::collect::{Live, Recording};
use medic::config::{Config, Retention, SourceConfig};
use medic::formats::{Collected, Sink, read};
use medic::index::{Entry, Writer};
use std::borrow::Cow;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tantivy::indexer::UserOperation;
use tantivy::schema::{
    FAST, IndexRecordOption, STORED, STRING, Schema, TEXT, TextFieldIndexing, TextOptions,
};
use tantivy::{DateTime, Index, IndexSettings, TantivyDocument};
use tempfile::TempDir;
use tests::generator;
use tokio_util::sync::CancellationToken;

use cpu::CoreTime;

const NAME: &str = "bench.container-log.log";
/// The memory of the writer is that of Medic's index, and no bound for logs of this size.
const MEMORY: usize = 64 << 20;

fn ingest(criterion: &mut Criterion<CoreTime>) {
    let megabytes = std::env::var("MEDIC_BENCH_MB").ok().and_then(|size| size.parse().ok()).unwrap_or(64);
    let log = generator::log(7, megabytes << 20);
    let patterns: &'static Patterns =
        Box::leak(Box::new(patterns::load().expect("the built-in patterns load")));
    let mut collected = Collected::default();
    read(NAME, None, &log[..], &mut collected).expect("reading from memory does not fail");
    let records = collected.records;
    let batches: Vec<Arc<Vec<Record>>> =
        records.chunks(1024).map(|records| Arc::new(records.to_vec())).collect();
    let folder = TempDir::new().expect("a folder for the log");
    let path = folder.path().join(NAME);
    std::fs::write(&path, &log).expect("the log can be written");
    if let Some(out) = generator::out_folder() {
        let lines: String = records.iter().map(generator::table_line).collect();
        std::fs::write(out.join("records.tsv"), lines).expect("the records can be written");
    }
    let stages = Stages { patterns, redacts: true, matches: true };
    let size = collect(patterns, &path).map(|state| size_of(state.path())).unwrap_or_default();
    println!("{} MB, {} records, index {} MB", log.len() >> 20, records.len(), size >> 20);
    let plain = plain_tantivy(&records, false);
    println!("plain tantivy: index {} MB", size_of(plain.path()) >> 20);

    let mut group = criterion.benchmark_group("ingest");
    group
        .sample_size(10)
        .sampling_mode(SamplingMode::Flat)
        .measurement_time(Duration::from_secs(10))
        .warm_up_time(Duration::from_millis(100));
    group.throughput(Throughput::Bytes(log.len() as u64));
    // What a round leaves behind is removed outside of its time.
    group.bench_function("medic collect", |bench| {
        bench.iter_batched(|| (), |()| collect(patterns, black_box(&path)), BatchSize::PerIteration);
    });
    let mut staged = |name: &str, stages: Stages| {
        group.bench_function(name, |bench| {
            bench.iter_batched(|| (), |()| stages.store(black_box(&log)), BatchSize::PerIteration);
        });
    };
    staged("in memory: read, redact, match, index", stages);
    staged("without matching", Stages { matches: false, ..stages });
    staged("without redaction", Stages { redacts: false, ..stages });
    staged("without both", Stages { matches: false, redacts: false, ..stages });
    group.bench_function("index of parsed records", |bench| {
        bench.iter_batched(|| (), |()| stored(black_box(&batches)), BatchSize::PerIteration);
    });
    for (name, tuned) in [("plain tantivy, its defaults", false), ("plain tantivy, best settings", true)] {
        group.bench_function(name, |bench| {
            bench.iter_batched(
                || (),
                |()| plain_tantivy(black_box(&records), tuned),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// Runs the agent on a file, to the end.
fn collect(patterns: &'static Patterns, path: &Path) -> Option<TempDir> {
    let state = TempDir::new().ok()?;
    let paths = vec![path.to_string_lossy().into_owned()];
    let source = SourceConfig::Files { name: None, paths, holds: None };
    let recording = Recording {
        config: Config { sources: vec![source], ..Config::default() },
        patterns,
        once: true,
        deployment: Some("bench".to_owned()),
        stop: CancellationToken::new(),
        live: tokio::sync::watch::channel(Arc::new(Live::default())).0,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().ok()?;
    runtime.block_on(recording.run(state.path())).ok()?;
    Some(state)
}

/// What is done with records on their way into the index.
#[derive(Clone, Copy)]
struct Stages {
    patterns: &'static Patterns,
    redacts: bool,
    matches: bool,
}

impl Stages {
    fn store(self, log: &[u8]) -> Option<TempDir> {
        let state = TempDir::new().ok()?;
        let writer = Writer::open(state.path(), &Retention::default()).ok()?;
        let mut store = Store { stages: self, writer, study: Study::new(self.patterns), next: 0 };
        read(NAME, None, log, &mut store).ok()?;
        store.writer.commit(Timestamp::UNIX_EPOCH, |_| ()).ok()?;
        Some(state)
    }
}

/// Stores what is read; each record's number is its identity.
struct Store {
    stages: Stages,
    writer: Writer,
    study: Study<'static>,
    next: u64,
}

impl Sink for Store {
    fn records(&mut self, records: &mut Vec<Record>) {
        let mut records = std::mem::take(records);
        if self.stages.redacts {
            for record in &mut records {
                if let Cow::Owned(text) = redact(&record.text, &mut Redactions::new()) {
                    record.text = text;
                }
            }
        }
        let records = Arc::new(records);
        add(&mut self.writer, self.next, records.clone());
        self.next += records.len() as u64;
        if self.stages.matches {
            self.study.observe(&records);
        }
    }

    fn snapshot(&mut self, _: Snapshot) {}
}

fn add(writer: &mut Writer, first: u64, records: Arc<Vec<Record>>) {
    let arrived = Timestamp::UNIX_EPOCH;
    let row = |(record, id): (&Record, u64)| {
        writer.row(record, Entry { id, further: Vec::new(), arrived, deployment: "bench" })
    };
    let rows = records.iter().zip(first..).map(row).collect();
    writer.add(records, rows).expect("the index takes records");
}

/// Stores records that are parsed already.
fn stored(batches: &[Arc<Vec<Record>>]) -> Option<TempDir> {
    let state = TempDir::new().ok()?;
    let mut writer = Writer::open(state.path(), &Retention::default()).ok()?;
    let mut first = 0;
    for records in batches {
        add(&mut writer, first, records.clone());
        first += records.len() as u64;
    }
    writer.commit(Timestamp::UNIX_EPOCH, |_| ()).ok()?;
    Some(state)
}

/// Stores the same records with tantivy alone. `tuned`: what is known to be fastest there.
fn plain_tantivy(records: &[Record], tuned: bool) -> TempDir {
    let folder = TempDir::new().expect("a folder for the index");
    let mut schema = Schema::builder();
    let time = schema.add_date_field("time", FAST);
    let source = schema.add_text_field("source", STRING);
    let level = schema.add_text_field("level", STRING);
    let words = TextFieldIndexing::default()
        .set_tokenizer("default")
        .set_index_option(IndexRecordOption::WithFreqsAndPositions)
        .set_fieldnorms(false);
    let lean = TextOptions::default().set_indexing_options(words).set_stored();
    let message = match tuned {
        true => schema.add_text_field("message", lean),
        false => schema.add_text_field("message", TEXT | STORED),
    };
    let settings = match tuned {
        true => IndexSettings { docstore_blocksize: 64 << 10, ..IndexSettings::default() },
        false => IndexSettings::default(),
    };
    let index = Index::builder().schema(schema.build()).settings(settings).create_in_dir(folder.path());
    let index = index.expect("an index is created");
    let mut writer = index.writer_with_num_threads(1, MEMORY).expect("a writer opens");
    let document = |record: &Record| {
        let mut document = TantivyDocument::new();
        let at = record.time.unwrap_or_default().as_microsecond();
        document.add_date(time, DateTime::from_timestamp_micros(at));
        document.add_text(source, record.source.as_str());
        document.add_text(level, record.level.as_str());
        document.add_text(message, &record.text);
        document
    };
    let batch = if tuned { 256 } else { 1 };
    for records in records.chunks(batch) {
        let documents: Vec<_> = records.iter().map(|record| UserOperation::Add(document(record))).collect();
        writer.run(documents).expect("documents are taken");
    }
    writer.commit().expect("documents are committed");
    folder
}

fn size_of(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => size_of(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CoreTime);
    targets = ingest
}
criterion_main!(benches);
