//! Questions to an index of two million records, warm.
//!
//! `cargo bench -p tests --bench search`; `MEDIC_BENCH_RECORDS` sets how many records. Building the index takes a while.
//! `MEDIC_BENCH_OUT=DIR` also writes the records to `DIR/records.tsv`, for `tests/benches/clickhouse.py` and for ripgrep.

use analyzer::record::{Level, Record};
use analyzer::snapshot::Snapshot;
use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use medic::config::Retention;
use medic::formats::{Sink, read};
use medic::index::{Entry, Filter, Question, Reader, Writer};
use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tests::generator;

const NAME: &str = "bench.container-log.log";
/// The agent commits at least so often.
const COMMIT: u64 = 200_000;
const NEWEST: usize = 20;

fn search(criterion: &mut Criterion) {
    let wanted = std::env::var("MEDIC_BENCH_RECORDS").ok().and_then(|count| count.parse().ok());
    let wanted: u64 = wanted.unwrap_or(2_000_000);
    let state = TempDir::new().expect("a folder for the index");
    let (records, middle) = build(&state, wanted);
    let reader = Reader::open(state.path()).expect("the index opens");
    println!("{records} records");

    let quarter = |words: &str, severity: Option<Level>| {
        let since = Some(middle);
        let until = middle.checked_add(jiff::SignedDuration::from_mins(15)).ok();
        Question { words: words.to_owned(), filter: Filter { since, until, severity, ..Filter::default() } }
    };
    let always = |words: &str| Question { words: words.to_owned(), filter: Filter::default() };
    let questions = [
        ("common term", always("info")),
        ("rare term", always("parquet")),
        ("two terms and 15 minutes", quarter("order payment", None)),
        ("either term and 15 minutes", quarter("order OR payment", None)),
        ("rare phrase", always("\"opened for user ledger\"")),
        ("phrase", always("\"session opened for user\"")),
        ("phrase and 15 minutes", quarter("\"session opened for user\"", None)),
        ("severity and 15 minutes", quarter("", Some(Level::Warn))),
        ("everything", always("")),
    ];
    let mut group = criterion.benchmark_group("search");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(300));
    for (name, question) in &questions {
        let count = reader.count(question).expect("the question is answered");
        println!("{name}: {count}");
        group.bench_function(format!("{name}, count"), |bench| {
            bench.iter(|| reader.count(black_box(question)));
        });
        group.bench_function(format!("{name}, newest {NEWEST}"), |bench| {
            bench.iter(|| reader.newest(black_box(question), NEWEST));
        });
    }
    group.finish();
}

/// Builds the index as the agent does, and returns how many records it has and the time in their middle.
fn build(state: &TempDir, wanted: u64) -> (u64, Timestamp) {
    let writer = Writer::open(state.path(), &Retention::default()).expect("the index opens");
    let table = generator::out_folder().map(|folder| {
        let file = File::create(folder.join("records.tsv")).expect("the records can be written");
        BufWriter::new(file)
    });
    let mut store = Store {
        writer,
        table,
        wanted,
        count: 0,
        uncommitted: 0,
        last: Timestamp::MIN,
        middle: Timestamp::MIN,
    };
    // A record of this log has about 120 bytes; what is too much is not stored.
    for seed in 7.. {
        if store.count >= wanted {
            break;
        }
        let log = generator::log(seed, (wanted - store.count).max(10_000) as usize * 125);
        read(NAME, None, &log[..], &mut store).expect("reading from memory does not fail");
    }
    store.writer.commit(Timestamp::UNIX_EPOCH, |_| ()).expect("the index commits");
    (store.count, store.middle)
}

struct Store {
    writer: Writer,
    table: Option<BufWriter<File>>,
    wanted: u64,
    count: u64,
    uncommitted: u64,
    last: Timestamp,
    middle: Timestamp,
}

impl Sink for Store {
    fn records(&mut self, records: &mut Vec<Record>) {
        let room = (self.wanted - self.count).min(records.len() as u64) as usize;
        records.truncate(room);
        let mut rows = Vec::with_capacity(room);
        for record in &*records {
            self.count += 1;
            // Lines whose times have no year are read as of another one.
            self.last = record.time.unwrap_or(self.last);
            if self.count == self.wanted / 2 {
                self.middle = self.last;
            }
            let (id, arrived) = (self.count, self.last);
            rows.push(
                self.writer.row(record, Entry { id, further: Vec::new(), arrived, deployment: "bench" }),
            );
            if let Some(table) = &mut self.table {
                table
                    .write_all(generator::table_line(record).as_bytes())
                    .expect("the records can be written");
            }
        }
        self.writer.add(Arc::new(std::mem::take(records)), rows).expect("the index takes records");
        self.uncommitted += room as u64;
        if self.uncommitted >= COMMIT {
            self.uncommitted = 0;
            self.writer.commit(Timestamp::UNIX_EPOCH, |_| ()).expect("the index commits");
        }
    }

    fn snapshot(&mut self, _: Snapshot) {}
}

criterion_group!(benches, search);
criterion_main!(benches);
