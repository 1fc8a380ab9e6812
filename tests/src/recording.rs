//! What is collected is stored exactly once, whatever happens meanwhile.

use analyzer::diagnosis::Diagnosis;
use analyzer::record::{Level, Record, Source, Stream};
use jiff::Timestamp;
use medic::collect::{Collector, Live, Recording, diagnose_stored};
use medic::config::{Config, Retention, SourceConfig};
use medic::index::{Filter, Question, Reader, Writer};
use medic::input::Span;
use medic::sources::{Arrival, Delivery, id};
use proptest::prelude::*;
use reports::{Format, Guide};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::given::{SCREEN, book, cases};

/// What befalls a recording.
#[derive(Clone, Debug)]
enum Fate {
    /// A page is read and handed over.
    Page,
    /// A page is handed over twice, as after an answer that got lost.
    PageTwice,
    /// What was handed over is committed.
    Commit,
    /// The process is killed: what is not committed is gone.
    Kill,
    /// More events become visible, some of them earlier than what was read.
    Time(u8),
}

/// An event of a simulated source.
#[derive(Clone, Debug)]
struct Event {
    second: i64,
    /// When it can be read, in ticks.
    visible: u32,
    text: String,
}

proptest! {
    #![proptest_config(cases(64))]

    /// Feature: deployment-infrastructure-reliability, Property 10: For any deployment process, all relevant logs should
    /// be collected and made available for troubleshooting.
    #[test]
    fn every_event_is_stored_once(events in events(), fates in prop::collection::vec(fate(), 1..40), page in 1usize..9) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut recording = Some(open(folder.path()));
        let mut tick = 0;
        for fate in fates.iter().chain([&Fate::Time(u8::MAX), &Fate::Page, &Fate::Commit]) {
            match fate {
                Fate::Time(ticks) => tick += u32::from(*ticks),
                Fate::Kill => {
                    drop(recording.take());
                    recording = Some(open(folder.path()));
                }
                Fate::Commit => recording.as_mut().expect("open").commit().expect("committed"),
                Fate::Page | Fate::PageTwice => {
                    let collector = recording.as_mut().expect("open");
                    for delivery in deliveries(&events, tick, collector, page) {
                        if matches!(fate, Fate::PageTwice) {
                            collector.take("source", copy(&delivery)).expect("taken");
                        }
                        collector.take("source", delivery).expect("taken");
                    }
                }
            }
        }
        drop(recording);
        let mut expected: BTreeMap<String, usize> = BTreeMap::new();
        events.iter().for_each(|event| *expected.entry(event.text.clone()).or_default() += 1);
        let reader = Reader::open(folder.path()).expect("readable");
        let mut stored: BTreeMap<String, usize> = BTreeMap::new();
        reader.each(&Question::default(), |records| {
            records.iter().for_each(|record| *stored.entry(record.text.clone()).or_default() += 1);
        }).expect("read");
        prop_assert_eq!(&stored, &expected);
        for event in events.iter().take(3) {
            let words = event.text.split(' ').next_back().expect("a word");
            prop_assert_eq!(reader.count(&question(words)).expect("counted"), 1, "{} is found", words);
        }
    }
}

/// The source is read from so many seconds before its newest event on: what comes later than that is lost.
const OVERLAP: i64 = 60;

fn events() -> impl Strategy<Value = Vec<Event>> {
    // Clocks step: an event may be older than the one before it.
    prop::collection::vec((-30i64..60, 0u32..200), 1..60).prop_map(|steps| {
        let mut second = 1_790_000_000;
        let made = steps.into_iter().enumerate().map(|(number, (step, visible))| {
            second += step;
            Event { second, visible, text: format!("request served number{number}") }
        });
        within_the_overlap(made.collect())
    })
}

/// Makes each event visible no later than any that is newer by more than the overlap.
fn within_the_overlap(events: Vec<Event>) -> Vec<Event> {
    let mut bound = events.clone();
    for event in &mut bound {
        let newer = events.iter().filter(|other| other.second > event.second + OVERLAP);
        event.visible = newer.map(|other| other.visible).fold(event.visible, u32::min);
    }
    bound
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Page),
        1 => Just(Fate::PageTwice),
        2 => Just(Fate::Commit),
        1 => Just(Fate::Kill),
        3 => (1u8..60).prop_map(Fate::Time),
    ]
}

/// Reads all that is visible from a minute before the cursor on, page by page.
fn deliveries(events: &[Event], tick: u32, collector: &Collector, page: usize) -> Vec<Delivery> {
    let newest = collector.cursor("source").and_then(|cursor| cursor["newest"].as_i64());
    let since = newest.map_or(i64::MIN, |newest| newest - OVERLAP);
    let mut visible: Vec<&Event> =
        events.iter().filter(|event| event.visible <= tick && event.second >= since).collect();
    visible.sort_by_key(|event| event.second);
    let mut newest = newest.unwrap_or(i64::MIN);
    let mut pages = Vec::new();
    for events in visible.chunks(page) {
        newest = events.iter().map(|event| event.second).fold(newest, i64::max);
        pages.push(Delivery {
            records: events.iter().map(|event| arrival(event)).collect(),
            cursor: Some(json!({ "newest": newest })),
            ..Delivery::default()
        });
    }
    pages
}

fn copy(delivery: &Delivery) -> Delivery {
    Delivery { records: delivery.records.clone(), cursor: delivery.cursor.clone(), ..Delivery::default() }
}

fn arrival(event: &Event) -> Arrival {
    Arrival { id: id(&["test", &event.text]), further: Vec::new(), record: record(event.second, &event.text) }
}

fn record(second: i64, text: &str) -> Record {
    Record {
        stream: Arc::new(Stream { name: "web".to_owned(), source: Source::ContainerLog }),
        seq: 0,
        time: Timestamp::from_second(second).ok(),
        source: Source::ContainerLog,
        level: Level::Info,
        text: text.to_owned(),
        body: None,
        line: 1,
        entity: None,
        deployment: None,
    }
}

fn open(state: &Path) -> Collector {
    let writer = Writer::open(state, &Retention::default()).expect("the state opens");
    let (live, _) = watch::channel(Arc::new(Live::default()));
    Collector::open(writer, book(), &Config::default(), None, live).expect("the collector opens")
}

fn question(words: &str) -> Question {
    Question { words: words.to_owned(), filter: Filter::default() }
}

/// Records a folder as `medic collect --once` does.
fn record_folder(folder: &Path, state: &Path) {
    let files = SourceConfig::Files { name: None, paths: vec![folder.display().to_string()], holds: None };
    let (live, _) = watch::channel(Arc::new(Live::default()));
    let recording = Recording {
        config: Config { sources: vec![files], ..Config::default() },
        patterns: book(),
        once: true,
        deployment: Some("recorded".to_owned()),
        stop: CancellationToken::new(),
        live,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(recording.run(state)).expect("recorded");
}

fn report(diagnosis: &Diagnosis) -> serde_json::Value {
    let text = reports::render(&Guide::new(diagnosis, book()), Format::Json, SCREEN).expect("a report");
    let mut report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    // From files, what was removed is counted where it is shown; the index counts all that it removed.
    report["redactions"] = serde_json::Value::Null;
    // A removed secret has another length.
    report["input"]["bytes"] = serde_json::Value::Null;
    quote_what_is_said(&mut report);
    report
}

/// A record of a printed answer is followed by its line as it stands there; what was recorded has no file.
fn quote_what_is_said(report: &mut serde_json::Value) {
    match report {
        serde_json::Value::Object(fields) => {
            if let Some(serde_json::Value::String(text)) = fields.get_mut("text")
                && let Some((said, line)) = text.rsplit_once('\n')
                && (line.starts_with('"') || line.starts_with("{\""))
            {
                *text = said.to_owned();
            }
            fields.values_mut().for_each(quote_what_is_said);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(quote_what_is_said),
        _ => {}
    }
}

/// Feature: deployment-infrastructure-reliability, Property 20: what was recorded gives the report that its files give
#[test]
fn the_index_gives_the_report_of_the_files() {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut compared = 0;
    for entry in std::fs::read_dir(scenarios).expect("scenarios") {
        let input = entry.expect("a scenario").path().join("input");
        let state = tempfile::tempdir().expect("a folder");
        record_folder(&input, state.path());
        let reader = Reader::open(state.path()).expect("readable");
        let stored = diagnose_stored(&reader, book(), "recorded", Span::default()).expect("diagnosed");
        let expected = crate::diagnose_folder(&input, book());
        assert_eq!(report(&stored), report(&expected), "{}", input.display());
        let mut bundle = Vec::new();
        medic::bundle::export(&reader, "recorded", &mut bundle).expect("exported");
        let (_, replayed) = medic::bundle::open(&bundle[..], book()).expect("opened");
        assert_eq!(report(&replayed), report(&expected), "the bundle of {}", input.display());
        compared += 1;
    }
    assert!(compared >= 95, "{compared} scenarios");
}

#[test]
fn one_directory_has_one_writer() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = open(folder.path());
    let Err(error) = Writer::open(folder.path(), &Retention::default()) else { panic!("two writers") };
    assert!(error.to_string().contains("another medic records into"), "{error}");
    drop(first);
    drop(open(folder.path()));
}

#[test]
fn secrets_are_gone_before_anything_is_stored() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut collector = open(folder.path());
    let event =
        Event { second: 1_790_000_000, visible: 0, text: "DB_PASSWORD=hunter2secret starts".to_owned() };
    collector
        .take("source", Delivery { records: vec![arrival(&event)], ..Delivery::default() })
        .expect("taken");
    collector.commit().expect("committed");
    drop(collector);
    let reader = Reader::open(folder.path()).expect("readable");
    assert_eq!(reader.count(&question("hunter2secret")).expect("counted"), 0);
    assert_eq!(reader.count(&question("redacted")).expect("counted"), 1);
    for file in walk(folder.path()) {
        let bytes = std::fs::read(&file).expect("a file");
        let found = bytes.windows(13).any(|window| window == b"hunter2secret");
        assert!(!found, "{} holds the secret", file.display());
    }
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn the_oldest_parts_go_first_when_there_is_too_much() {
    let folder = tempfile::tempdir().expect("a folder");
    let retention = Retention {
        size: "12MB".parse().expect("a size"),
        free: "0".parse().expect("a size"),
        ..Retention::default()
    };
    let mut writer = Writer::open(folder.path(), &retention).expect("the state opens");
    let now = Timestamp::from_second(1_790_000_000).expect("a time");
    for number in 0..60_000u64 {
        // Words that do not compress, so that the size is what it says.
        let noise: String =
            (0..12).map(|word| format!("{:016x} ", id(&[&number.to_string(), &word.to_string()]))).collect();
        let record = record(1_790_000_000 + number as i64, &format!("number{number} {noise}"));
        let entry = medic::index::Entry { id: number, further: Vec::new(), arrived: now, deployment: "x" };
        let row = writer.row(&record, entry);
        writer.add(Arc::new(vec![record]), vec![row]).expect("added");
        if number % 5000 == 4999 {
            writer.commit(now, |_| {}).expect("committed");
        }
    }
    drop(writer);
    let reader = Reader::open(folder.path()).expect("readable");
    assert_eq!(reader.count(&question("number59999")).expect("counted"), 1, "the newest stays");
    assert_eq!(reader.count(&question("number0")).expect("counted"), 0, "the oldest goes");
    assert!(reader.documents() < 60_000);
}

/// Adds a record and commits it as if it were that second.
fn commit_one(writer: &mut Writer, number: u64, said_at: i64, now: i64) {
    let arrived = Timestamp::from_second(now).expect("a time");
    let entry = medic::index::Entry { id: number, further: Vec::new(), arrived, deployment: "x" };
    let record = record(said_at, &format!("number{number} is said"));
    let row = writer.row(&record, entry);
    writer.add(Arc::new(vec![record]), vec![row]).expect("added");
    writer.commit(arrived, |_| {}).expect("committed");
}

fn kept(state: &Path, numbers: std::ops::Range<u64>) -> Vec<u64> {
    let reader = Reader::open(state).expect("readable");
    numbers
        .filter(|number| reader.count(&question(&format!("number{number}"))).expect("counted") == 1)
        .collect()
}

#[test]
fn records_are_kept_for_a_time_from_when_they_were_recorded() {
    const HOUR: i64 = 3600;
    let (today, long_ago) = (1_790_000_000, 1_580_000_000);
    let folder = tempfile::tempdir().expect("a folder");
    let retention = Retention {
        age: "10h".parse().expect("a span"),
        free: "0".parse().expect("a size"),
        ..Retention::default()
    };
    let mut writer = Writer::open(folder.path(), &retention).expect("the state opens");
    // An old log that is read today is recorded today.
    commit_one(&mut writer, 0, long_ago, today);
    commit_one(&mut writer, 1, today + 5 * HOUR, today + 5 * HOUR);
    commit_one(&mut writer, 2, today + 9 * HOUR, today + 9 * HOUR);
    assert_eq!(kept(folder.path(), 0..3), [0, 1, 2]);
    // Little is said, and it goes all the same; after a restart too.
    drop(writer);
    let mut writer = Writer::open(folder.path(), &retention).expect("the state opens");
    commit_one(&mut writer, 3, today + 16 * HOUR, today + 16 * HOUR);
    assert_eq!(kept(folder.path(), 0..4), [2, 3]);
    commit_one(&mut writer, 4, today + 60 * HOUR, today + 60 * HOUR);
    assert_eq!(kept(folder.path(), 0..5), [4]);
}

#[test]
fn what_is_left_of_a_part_that_was_being_removed_is_no_part() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = Writer::open(folder.path(), &Retention::default()).expect("the state opens");
    commit_one(&mut writer, 0, 1_790_000_000, 1_790_000_000);
    drop(writer);
    let parts = folder.path().join("parts");
    let left = parts.join("00000000.removed");
    std::fs::create_dir(&left).expect("a folder");
    std::fs::write(left.join("meta.json"), "{").expect("a file");
    assert_eq!(kept(folder.path(), 0..1), [0], "a reader does not mind");
    drop(Writer::open(folder.path(), &Retention::default()).expect("the state opens"));
    assert!(!left.exists(), "a writer clears it away");
}
