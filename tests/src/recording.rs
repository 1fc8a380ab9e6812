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
use std::time::Duration;
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
            if fields.contains_key("said") && fields.get("said") == fields.get("text") {
                fields.insert("said".to_owned(), serde_json::Value::Null);
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
        let (header, replayed) = medic::bundle::open(&bundle[..], book()).expect("opened");
        assert!(header.is_checked());
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
    let mut named = arrival(&Event { second: 1_790_000_001, visible: 0, text: "it starts".to_owned() });
    let name = "web?token=hunter2secret".to_owned();
    named.record.stream = Arc::new(Stream { name, source: Source::ContainerLog });
    named.record.entity = Some(Arc::from("https://u:hunter2secret@registry.internal/"));
    let options = json!({"Name": "datadog", "apikey": "hunter2secret"});
    let container =
        json!({"name": "web", "logConfiguration": {"logDriver": "awsfirelens", "options": options}});
    let definition = json!({"family": "web", "containerDefinitions": [container]});
    let snapshot =
        serde_json::from_value(json!({"taskDefinitions": {"known": [definition]}})).expect("a snapshot");
    let records = vec![arrival(&event), named];
    collector.take("source", Delivery { records, snapshot, ..Delivery::default() }).expect("taken");
    collector.commit().expect("committed");
    drop(collector);
    let reader = Reader::open(folder.path()).expect("readable");
    for words in ["hunter2secret", "stream:*hunter2secret*", "entity:*hunter2secret*"] {
        assert_eq!(reader.count(&question(words)).expect("counted"), 0, "{words}");
    }
    for words in ["redacted", "stream:\"web?token=[redacted\"*", "entity:*@registry.internal/"] {
        assert_eq!(reader.count(&question(words)).expect("counted"), 1, "{words}");
    }
    let state = reader.state_of(&[medic::collect::UNNAMED.to_owned()]).expect("described");
    let stored = serde_json::to_string(&state).expect("written");
    assert!(stored.contains("datadog") && !stored.contains("hunter2secret"), "{stored}");
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
    for from in (0..60_000).step_by(5000) {
        commit_many(&mut writer, from..from + 5000);
    }
    drop(writer);
    let reader = Reader::open(folder.path()).expect("readable");
    assert_eq!(reader.count(&question("number59999")).expect("counted"), 1, "the newest stays");
    assert_eq!(reader.count(&question("number0")).expect("counted"), 0, "the oldest goes");
    assert!(reader.documents() < 60_000);
}

/// One commit may hold more than all that may be kept.
#[test]
fn the_newest_part_stays_however_large_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let retention = Retention {
        size: "1MB".parse().expect("a size"),
        free: "0".parse().expect("a size"),
        ..Retention::default()
    };
    let mut writer = Writer::open(folder.path(), &retention).expect("the state opens");
    commit_many(&mut writer, 0..30_000);
    assert_eq!(kept(folder.path(), 0..2), [0, 1], "nothing newer is recorded");
    commit_many(&mut writer, 30_000..60_000);
    assert!(kept(folder.path(), 0..2).is_empty(), "the oldest goes");
    assert_eq!(kept(folder.path(), 59_998..60_000), [59_998, 59_999]);
}

/// Adds records whose words do not compress, so that their size is what it says, and commits them at once.
fn commit_many(writer: &mut Writer, numbers: std::ops::Range<u64>) {
    let now = Timestamp::from_second(1_790_000_000).expect("a time");
    for number in numbers {
        let noise: String =
            (0..12).map(|word| format!("{:016x} ", id(&[&number.to_string(), &word.to_string()]))).collect();
        let record = record(1_790_000_000 + number as i64, &format!("number{number} {noise}"));
        let entry = medic::index::Entry { id: number, further: Vec::new(), arrived: now, deployment: "x" };
        let row = writer.row(&record, entry);
        writer.add(Arc::new(vec![record]), vec![row]).expect("added");
    }
    writer.commit(now, |_| {}).expect("committed");
}

/// Adds a record and commits it as if it were that second, so many seconds after the writer was opened.
fn commit_after(writer: &mut Writer, ran: u64, number: u64, now: i64) {
    let arrived = Timestamp::from_second(now).expect("a time");
    let entry = medic::index::Entry { id: number, further: Vec::new(), arrived, deployment: "x" };
    let record = record(now, &format!("number{number} is said"));
    let row = writer.row(&record, entry);
    writer.add(Arc::new(vec![record]), vec![row]).expect("added");
    writer.commit_after(Duration::from_secs(ran), arrived, |_| {}).expect("committed");
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
    let hours = |hours: u64| hours * HOUR as u64;
    commit_after(&mut writer, hours(5), 1, today + 5 * HOUR);
    commit_after(&mut writer, hours(9), 2, today + 9 * HOUR);
    assert_eq!(kept(folder.path(), 0..3), [0, 1, 2]);
    // Little is said, and it goes all the same; after a restart too.
    drop(writer);
    let mut writer = Writer::open(folder.path(), &retention).expect("the state opens");
    commit_after(&mut writer, hours(6), 3, today + 16 * HOUR);
    assert_eq!(kept(folder.path(), 0..4), [2, 3]);
    commit_after(&mut writer, hours(50), 4, today + 60 * HOUR);
    assert_eq!(kept(folder.path(), 0..5), [4]);
}

/// Nothing goes because the clock was set, within a run or between two; it goes once the clock has stood by it.
#[test]
fn a_clock_that_is_set_removes_nothing_at_once() {
    const HOUR: i64 = 3600;
    let (today, ahead) = (1_790_000_000, 20 * 24 * HOUR);
    let folder = tempfile::tempdir().expect("a folder");
    let retention = Retention { free: "0".parse().expect("a size"), ..Retention::default() };
    let mut writer = Writer::open(folder.path(), &retention).expect("the state opens");
    commit_after(&mut writer, 0, 0, today);
    // Its part is closed here.
    commit_after(&mut writer, 48 * 3600, 1, today + 48 * HOUR);
    commit_after(&mut writer, 48 * 3600 + 1, 2, today + 48 * HOUR + ahead);
    assert_eq!(kept(folder.path(), 0..3), [0, 1, 2], "the clock is set within a run");
    drop(writer);
    let mut writer = Writer::open(folder.path(), &retention).expect("the state opens");
    commit_after(&mut writer, 1, 3, today + 49 * HOUR + ahead);
    commit_after(&mut writer, 60, 4, today + 49 * HOUR + ahead + 59);
    assert_eq!(kept(folder.path(), 0..5), [0, 1, 2, 3, 4], "the clock was set before a start");
    commit_after(&mut writer, 120, 5, today + 50 * HOUR);
    commit_after(&mut writer, 130, 6, today + 50 * HOUR - ahead);
    assert_eq!(kept(folder.path(), 0..7), [0, 1, 2, 3, 4, 5, 6], "the clock is set back");
    commit_after(&mut writer, 140, 7, today + 50 * HOUR + ahead);
    commit_after(&mut writer, 4000, 8, today + 51 * HOUR + ahead + 260);
    assert_eq!(kept(folder.path(), 0..9), [2, 3, 4, 5, 6, 7, 8], "it has stood for an hour");
}

/// What may be read by its owner alone; who reads it needs to write nothing.
#[test]
fn a_state_is_its_owners_and_is_read_without_writing() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let mut writer = Writer::open(&state, &Retention::default()).expect("the state opens");
    commit_one(&mut writer, 0, 1_790_000_000, 1_790_000_000);
    drop(writer);
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    for path in [state.clone(), state.join("parts"), state.join("parts/00000001")] {
        assert_eq!(mode(&path), 0o700, "{}", path.display());
    }
    for file in walk(&state) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        if file.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".lock")) {
            std::fs::remove_file(&file).expect("removed");
        }
    }
    let before = walk(&state);
    assert_eq!(kept(&state, 0..1), [0]);
    assert_eq!(walk(&state), before, "a reader leaves no file behind, nor a lock");
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
