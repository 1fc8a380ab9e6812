//! What records have besides their text is found, and comes back as it was.

use analyzer::record::{Level, Record, Source, Stream};
use jiff::{SignedDuration, Timestamp};
use medic::config::Retention;
use medic::index::{Entry, Filter, Question, Reader, Writer};
use proptest::prelude::*;
use std::sync::Arc;

use crate::given::cases;

const BEGIN: i64 = 1_780_000_000;

proptest! {
    #![proptest_config(cases(64))]

    /// Feature: deployment-infrastructure-reliability, Property 33: Search Exactness. Records with any times, or none, and
    /// any context are found by both, counted, listed with the newest first, and come back as they were recorded.
    #[test]
    fn records_are_found_by_time_and_context(
        made in prop::collection::vec(made(), 1..600),
        commit_every in 1usize..400,
        (from, to) in (-40i64..700, -40i64..700),
        severity in prop::sample::select(&Level::ALL[..]),
        entity in 0u8..5,
        most in 1usize..30,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let arrived = at(300, 0);
        let records = store(folder.path(), &made, commit_every, arrived);
        let reader = Reader::open(folder.path()).expect("readable");
        let (since, until) = (at(from, 0), at(to, 0));
        let in_span = |record: &Record| (since..=until).contains(&record.time.unwrap_or(arrived));
        let of_entity = |record: &Record| record.entity.as_deref() == Some(&name(entity));
        let span = || Filter { since: Some(since), until: Some(until), ..Filter::default() };
        let severe = Filter { severity: Some(severity), ..span() };
        let of = format!("entity:{}", name(entity));
        let between = format!("time:[{since} TO {until}]");
        let is_severe = |record: &Record| record.level >= severity;
        check(&reader, &records, arrived, most, "", Filter::default(), |_| true)?;
        check(&reader, &records, arrived, most, "", span(), in_span)?;
        check(&reader, &records, arrived, most, &between, Filter::default(), in_span)?;
        check(&reader, &records, arrived, most, "", severe, |record| in_span(record) && is_severe(record))?;
        check(&reader, &records, arrived, most, &of, Filter::default(), of_entity)?;
        check(&reader, &records, arrived, most, &of, span(), |record| of_entity(record) && in_span(record))?;
        check(&reader, &records, arrived, most, &format!("NOT {of}"), Filter::default(), |record| !of_entity(record))?;
        check(&reader, &records, arrived, most, &format!("{of} OR {between}"), Filter::default(), |record| {
            of_entity(record) || in_span(record)
        })?;
    }
}

/// When a record happened, what it is about, and how severe it is.
type Made = (Option<(i64, u32)>, u8, Level);

/// Clocks of different grain, and records far from their neighbours.
fn made() -> impl Strategy<Value = Made> {
    let time = prop_oneof![
        6 => (0i64..600, Just(0)).prop_map(Some),
        6 => (0i64..600, (0u32..1000).prop_map(|millis| millis * 1_000_000)).prop_map(Some),
        1 => (0i64..600, 0u32..1_000_000_000).prop_map(Some),
        1 => (-1_000_000_000i64..1_000_000_000, Just(0)).prop_map(Some),
        1 => Just(None),
    ];
    // One is about most, and one about next to nothing.
    let entity = prop_oneof![60 => Just(0u8), 20 => 1u8..3, 1 => Just(4)];
    let level = prop_oneof![30 => Just(Level::Info), 1 => prop::sample::select(&Level::ALL[..])];
    (time, entity, level)
}

fn at(seconds: i64, nanoseconds: u32) -> Timestamp {
    let begin = Timestamp::from_second(BEGIN).expect("a time");
    begin.checked_add(SignedDuration::new(seconds, nanoseconds as i32)).expect("a time")
}

fn name(entity: u8) -> String {
    format!("task{entity}")
}

fn store(folder: &std::path::Path, made: &[Made], commit_every: usize, arrived: Timestamp) -> Vec<Record> {
    let mut writer = Writer::open(folder, &Retention::default()).expect("opened");
    let streams = ["api", "worker"]
        .map(|name| Arc::new(Stream { name: name.to_owned(), source: Source::ContainerLog }));
    let records: Vec<Record> = (0..)
        .zip(made)
        .map(|(number, (time, entity, level))| Record {
            stream: streams[number % 2].clone(),
            seq: number as u64 / 2,
            time: time.map(|(seconds, nanoseconds)| at(seconds, nanoseconds)),
            source: Source::ContainerLog,
            level: *level,
            text: format!("said by {number}"),
            body: None,
            line: number as u64 * 3 + 1,
            entity: (*entity < 4).then(|| Arc::from(name(*entity))),
            deployment: None,
        })
        .collect();
    for (number, batch) in records.chunks(commit_every).enumerate() {
        let first = number * commit_every;
        let rows = (first..).zip(batch).map(|(id, record)| {
            writer.row(record, Entry { id: id as u64, further: Vec::new(), arrived, deployment: "test" })
        });
        let rows = rows.collect();
        writer.add(Arc::new(batch.to_vec()), rows).expect("added");
        writer.commit(Timestamp::UNIX_EPOCH, |_| ()).expect("committed");
    }
    records
}

fn check(
    reader: &Reader,
    records: &[Record],
    arrived: Timestamp,
    most: usize,
    words: &str,
    filter: Filter,
    is_wanted: impl Fn(&Record) -> bool,
) -> Result<(), TestCaseError> {
    let question = Question { words: words.to_owned(), filter };
    let wanted: Vec<Record> = records.iter().filter(|record| is_wanted(record)).cloned().collect();
    prop_assert_eq!(reader.count(&question).expect("counted"), wanted.len() as u64, "{:?}", question);
    let mut found = Vec::new();
    reader.each(&question, |records| found.extend_from_slice(records)).expect("read");
    prop_assert_eq!(&found, &wanted, "{:?}", question);
    // Those of the same microsecond are in any order.
    let mut times: Vec<i64> =
        wanted.iter().map(|record| record.time.unwrap_or(arrived).as_microsecond()).collect();
    times.sort_unstable_by(|a, b| b.cmp(a));
    times.truncate(most);
    let newest = reader.newest(&question, most).expect("found");
    let newest: Vec<i64> = newest.iter().filter_map(|hit| Some(hit.time?.as_microsecond())).collect();
    prop_assert_eq!(newest, times, "{:?}", question);
    Ok(())
}
