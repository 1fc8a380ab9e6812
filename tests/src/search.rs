//! A search finds exactly what is there: words, numbers, ids and runs of them.

use analyzer::record::{Level, Record, Source, Stream};
use analyzer::snapshot::Snapshot;
use jiff::Timestamp;
use medic::config::Retention;
use medic::index::{Entry, Filter, Question, Reader, Writer};
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

use crate::given::cases;

proptest! {
    #![proptest_config(cases(64))]

    /// Feature: deployment-infrastructure-reliability, Property 22: Search Exactness. For any records and any word, number,
    /// id or run of them, the records that a search finds are those that hold it.
    #[test]
    fn what_is_found_is_what_is_there(
        texts in prop::collection::vec(prop::collection::vec(word(), 1..6), 1..24),
        sought in prop::collection::vec(word(), 1..3),
        commit_every in 1usize..9,
        most in 1usize..6,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        store(folder.path(), &texts, commit_every);
        let reader = Reader::open(folder.path()).expect("readable");
        let held = |words: &Vec<String>| words.windows(sought.len()).any(|run| run == sought);
        let expected: Vec<usize> = (0..texts.len()).filter(|&at| held(&texts[at])).collect();
        finds(&reader, format!("\"{}\"", sought.join(" ")), &expected, most)?;
    }

    /// Feature: deployment-infrastructure-reliability, Property 30: Search Exactness. What programs say again and again,
    /// with other numbers each time, is found as well.
    #[test]
    fn what_is_said_again_and_again_is_found(
        templates in prop::collection::vec(prop::collection::vec("(task|of|web|#)", 1..6), 1..5),
        said in prop::collection::vec((0usize..5, 0u32..200_000), 1..120),
        any in prop::collection::vec("(task|of|web)", 2..4),
        own in prop::option::of((0usize..120, 0usize..5, 2usize..5)),
        commit_every in 1usize..90,
        most in 1usize..6,
    ) {
        let texts: Vec<Vec<String>> = said
            .iter()
            .map(|(template, number)| {
                let words = &templates[template % templates.len()];
                words.iter().map(|word| word.replace('#', &number.to_string())).collect()
            })
            .collect();
        // What one of the records says, or any words.
        let sought = own.map_or(any, |(at, from, most)| {
            let text = &texts[at % texts.len()];
            text.iter().skip(from % text.len()).take(most).cloned().collect()
        });
        let folder = tempfile::tempdir().expect("a folder");
        store(folder.path(), &texts, commit_every);
        let reader = Reader::open(folder.path()).expect("readable");
        let held = |words: &Vec<String>| words.windows(sought.len()).any(|run| run == sought);
        let expected: Vec<usize> = (0..texts.len()).filter(|&at| held(&texts[at])).collect();
        finds(&reader, format!("\"{}\"", sought.join(" ")), &expected, most)?;
    }

    /// Feature: deployment-infrastructure-reliability, Property 32: Search Exactness. The words of times that stand in
    /// texts are found like any other words.
    #[test]
    fn words_of_times_are_found(
        texts in prop::collection::vec(prop::collection::vec(word_or_time(), 1..5), 1..60),
        any in prop::collection::vec("(05|10|26|2026|05t10|10t05|task)", 1..4),
        own in prop::option::of((0usize..60, 0usize..24, 1usize..8)),
        commit_every in 1usize..90,
        most in 1usize..6,
    ) {
        let texts: Vec<String> = texts.iter().map(|parts| parts.join(" ")).collect();
        let words_of = |text: &String| -> Vec<String> {
            let words = text.split(|sign: char| !sign.is_alphanumeric()).filter(|word| !word.is_empty());
            words.map(str::to_lowercase).collect()
        };
        let words: Vec<Vec<String>> = texts.iter().map(words_of).collect();
        // What one of the records says, or any words.
        let sought = own.map_or(any, |(at, from, most)| {
            let text = &words[at % words.len()];
            text.iter().skip(from % text.len()).take(most).cloned().collect()
        });
        let folder = tempfile::tempdir().expect("a folder");
        let texts: Vec<Vec<String>> = texts.into_iter().map(|text| vec![text]).collect();
        store(folder.path(), &texts, commit_every);
        let reader = Reader::open(folder.path()).expect("readable");
        let held = |words: &Vec<String>| words.windows(sought.len()).any(|run| run == sought);
        let expected: Vec<usize> = (0..texts.len()).filter(|&at| held(&words[at])).collect();
        let others: Vec<usize> = (0..texts.len()).filter(|at| !expected.contains(at)).collect();
        finds(&reader, format!("\"{}\"", sought.join(" ")), &expected, most)?;
        finds(&reader, format!("NOT \"{}\"", sought.join(" ")), &others, most)?;
    }

    /// Feature: deployment-infrastructure-reliability, Property 31: Search Exactness. What holds for one word holds for
    /// words that are joined.
    #[test]
    fn joined_words_find_what_holds_them(
        texts in prop::collection::vec(prop::collection::vec(word(), 1..6), 1..24),
        (one, other) in (word(), word()),
        commit_every in 1usize..9,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        store(folder.path(), &texts, commit_every);
        let reader = Reader::open(folder.path()).expect("readable");
        let held = |at: &usize, word: &String| texts[*at].contains(word);
        type Holds<'h> = Box<dyn Fn(&usize) -> bool + 'h>;
        let joined: [(String, Holds<'_>); 5] = [
            (format!("{one} {other}"), Box::new(|at| held(at, &one) && held(at, &other))),
            (format!("{one} OR {other}"), Box::new(|at| held(at, &one) || held(at, &other))),
            (format!("{one} NOT {other}"), Box::new(|at| held(at, &one) && !held(at, &other))),
            (format!("NOT {one}"), Box::new(|at| !held(at, &one))),
            (format!("IN [{one} {other}] severity:info"), Box::new(|at| held(at, &one) || held(at, &other))),
        ];
        for (words, holds) in joined {
            let expected = (0..texts.len()).filter(|at| holds(at)).count() as u64;
            let question = Question { words, filter: Filter::default() };
            prop_assert_eq!(reader.count(&question).expect("counted"), expected, "{:?}", question);
        }
    }
}

/// A word that is too long to be kept whole is found by its beginning, and its digits may be behind that.
#[test]
fn a_word_that_is_cut_is_found_in_a_phrase() {
    let folder = tempfile::tempdir().expect("a folder");
    let blob = format!("{}1", "x".repeat(120));
    store(folder.path(), &vec![vec!["task".to_owned(), blob.clone(), "ended".to_owned()]; 40], 100);
    let reader = Reader::open(folder.path()).expect("readable");
    let question = Question { words: format!("\"task {blob} ended\""), filter: Filter::default() };
    assert_eq!(reader.count(&question).expect("counted"), 40);
}

/// What was described is kept beside the records, and no search takes it for one.
#[test]
fn described_states_are_no_records() {
    let folder = tempfile::tempdir().expect("a folder");
    store(folder.path(), &vec![vec!["task".to_owned()]; 30], 7);
    let mut writer = Writer::open(folder.path(), &Retention::default()).expect("opened");
    let newer = Timestamp::from_second(1_790_000_000).expect("a time");
    for _ in 0..25 {
        writer.add_state("test", newer, &Default::default()).expect("added");
    }
    writer.commit(Timestamp::UNIX_EPOCH, |_| ()).expect("committed");
    let reader = Reader::open(folder.path()).expect("readable");
    let of_test = Filter { deployments: vec!["test".to_owned()], ..Filter::default() };
    let late = Filter { since: Timestamp::from_second(1_780_000_010).ok(), ..Filter::default() };
    let times = "time:[2026-01-01T00:00:00Z TO 2027-01-01T00:00:00Z]";
    for (words, filter, count) in [
        ("", Filter::default(), 30),
        ("", of_test.clone(), 30),
        ("", late, 20),
        (times, Filter::default(), 30),
        ("task", of_test, 30),
    ] {
        let question = Question { words: words.to_owned(), filter };
        assert_eq!(reader.count(&question).expect("counted"), count, "{question:?}");
        assert_eq!(reader.newest(&question, 20).expect("found").len(), 20, "{question:?}");
        let columns = reader.histogram(&question, |first, last| (last - first) / 4 + 1).expect("counted");
        assert_eq!(columns.iter().map(|column| column.count).sum::<u64>(), count, "{question:?}");
    }
    assert!(reader.state_of(&["test".to_owned()]).is_ok());
}

/// An index that was written in another way is neither read as if it were this one, nor changed.
#[test]
fn an_index_of_another_version_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let part = folder.path().join("parts/00000001");
    std::fs::create_dir_all(&part).expect("a part");
    let mut schema = tantivy::schema::Schema::builder();
    schema.add_text_field("text", tantivy::schema::TEXT);
    tantivy::Index::create_in_dir(&part, schema.build()).expect("an index");
    let before = std::fs::read(part.join("meta.json")).expect("its description");
    let read = Reader::open(folder.path()).err().expect("it is not read").to_string();
    let written = Writer::open(folder.path(), &Retention::default()).err().expect("nor written").to_string();
    for error in [read, written] {
        assert!(error.contains("was written by another version of Medic"), "{error}");
        assert!(error.contains("or choose another --state"), "{error}");
    }
    assert_eq!(std::fs::read(part.join("meta.json")).expect("still there"), before);
}

/// Records happen a second apart, from 20:26:40 on.
#[test]
fn times_are_asked_for_in_many_ways() {
    let folder = tempfile::tempdir().expect("a folder");
    store(folder.path(), &vec![vec!["task".to_owned()]; 300], 70);
    let reader = Reader::open(folder.path()).expect("readable");
    let count = |words: &str| reader.count(&Question { words: words.to_owned(), filter: Filter::default() });
    for (words, expected) in [
        ("time:[2026-05-28T20:26:45Z TO 2026-05-28T20:26:50Z]", 6),
        ("time:{2026-05-28T20:26:45Z TO 2026-05-28T20:26:50Z}", 4),
        ("time:[* TO 2026-05-28T20:26:49.5Z]", 10),
        ("time:[2026-05-28T22:26:45+02:00 TO *}", 295),
        ("task time:[2026-05-28T20:29:00Z TO 2026-05-28T20:29:09Z]", 10),
        ("NOT time:[2026-05-28T20:26:45Z TO 2026-05-28T20:26:50Z]", 294),
        ("time:\"2026-05-28T20:26:41Z\"", 1),
        ("time:\"2026-05-28T20:26:41.5Z\"", 0),
        ("time: IN [\"2026-05-28T20:26:41Z\" \"2026-05-28T20:28:41Z\"]", 2),
        ("time:*", 300),
        ("time:[2026-05-28 TO 2026-05-29]", 300),
        ("time:[2026-05-29 TO *]", 0),
        ("time:[2026-05-28T20:26:45 TO 2026-05-28T20:26:50]", 6),
        ("time:[\"2026-05-28T20:26:45Z\" TO \"2026-05-28T20:26:50Z\"]", 6),
        ("Time:[2026-05-28T20:26:45Z TO 2026-05-28T20:26:50Z]", 6),
        ("time:[2030-01-01T00:00:00Z TO 2031-01-01T00:00:00Z]", 0),
    ] {
        assert_eq!(count(words).expect(words), expected, "{words}");
    }
    for words in ["time:[yesterday TO *]", "time:noon", "time: IN [noon]"] {
        let error = count(words).expect_err(words).to_string();
        assert!(error.contains("is no time: write it as `2026-05-01T10:00:00Z`"), "{words}: {error}");
    }
}

/// A reason may repeat what the failing thing was given.
#[test]
fn a_described_state_is_stored_without_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = Writer::open(folder.path(), &Retention::default()).expect("opened");
    let reason = "Received response status [FAILED]: cannot reach postgres://shop:hunter22@db.internal/shop";
    let stack = format!(
        r#"{{"StackName": "shop", "StackStatus": "ROLLBACK_COMPLETE", "StackStatusReason": "{reason}"}}"#
    );
    let state: Snapshot =
        serde_json::from_str(&format!(r#"{{"stacks": {{"known": [{stack}]}}}}"#)).expect("a state");
    writer.add_state("test", Timestamp::UNIX_EPOCH, &state).expect("added");
    writer.commit(Timestamp::UNIX_EPOCH, |_| ()).expect("committed");
    let stored = Reader::open(folder.path()).expect("readable").state_of(&["test".to_owned()]).expect("read");
    let stored = stored.stacks.items()[0].stack_status_reason.clone().unwrap_or_default();
    assert!(stored.contains("postgres://shop:[redacted:"), "{stored}");
    assert!(!stored.contains("hunter22"), "{stored}");
}

/// A record is found by what it shares with others, whatever stands in the names.
#[test]
fn records_are_found_by_their_context() {
    let folder = tempfile::tempdir().expect("a folder");
    store(folder.path(), &vec![vec!["started".to_owned()]; 12], 5);
    let mut writer = Writer::open(folder.path(), &Retention::default()).expect("opened");
    let stream = Arc::new(Stream { name: r"C:\logs\u web".to_owned(), source: Source::Other });
    let record = Record {
        stream: stream.clone(),
        seq: 1,
        time: None,
        source: Source::EcsServiceEvent,
        level: Level::Error,
        text: "stopped".to_owned(),
        body: None,
        line: 1,
        entity: Some(Arc::from("task/ab12")),
        deployment: Some(Arc::from("ecs-svc/7")),
    };
    let entry = Entry { id: 99, further: vec![98], arrived: Timestamp::UNIX_EPOCH, deployment: "other" };
    let row = writer.row(&record, entry);
    writer.add(Arc::new(vec![record.clone()]), vec![row]).expect("added");
    writer.commit(Timestamp::UNIX_EPOCH, |_| ()).expect("committed");
    let reader = Reader::open(folder.path()).expect("readable");
    for (words, count) in [
        ("deployment:test", 12),
        ("deployment:other", 1),
        ("severity:error", 1),
        ("Severity:error", 1),
        ("TEXT:stopped", 1),
        ("NOT severity:error", 12),
        ("source:ecs-service-event OR source:container-log", 13),
        ("source: IN [ecs-service-event metric]", 1),
        ("entity:\"task/ab12\"", 1),
        ("entity:\"task\"*", 1),
        ("entity:/task.*2/", 1),
        ("entity:/task/", 0),
        ("entity:*", 1),
        ("stream:test AND started", 12),
        (r"stream:'C:\\logs\\u web'", 1),
        ("deployment:ecs-svc", 0),
    ] {
        let question = Question { words: words.to_owned(), filter: Filter::default() };
        assert_eq!(reader.count(&question).expect("counted"), count, "{words}");
    }
    let question = Question { words: "stopped".to_owned(), filter: Filter::default() };
    let hits = reader.newest(&question, 2).expect("found");
    assert_eq!(hits.len(), 1);
    assert_eq!((&hits[0].record, hits[0].deployment.as_deref()), (&record, Some("other")));
    for words in ["severity:[error TO fatal]", "\"4f9a2b7c1\"*", "nothing:here", "entity:/(/"] {
        let question = Question { words: words.to_owned(), filter: Filter::default() };
        let error = reader.count(&question).expect_err(words).to_string();
        assert!(error.contains("is no query") && error.contains("write words"), "{error}");
    }
}

/// What people write elsewhere means the same here; what would find nothing is refused.
#[test]
fn signs_of_other_searches_are_read_or_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let texts =
        ["error refused", "error timeout", "warn refused", "接続が拒否されました error", "日本語テスト"];
    store(folder.path(), &texts.map(|text| text.split(' ').map(str::to_owned).collect::<Vec<_>>()), 2);
    let reader = Reader::open(folder.path()).expect("readable");
    let count = |words: &str| reader.count(&Question { words: words.to_owned(), filter: Filter::default() });
    for (words, expected) in [
        ("error", 3),
        ("!error", 2),
        ("error !refused", 2),
        ("error && refused", 1),
        ("error&&refused", 1),
        ("refused || timeout", 3),
        ("error && !(refused || timeout)", 1),
        ("!severity:info", 0),
        ("deployment:te*", 5),
        ("deployment:*est", 5),
        ("deployment:t*t", 5),
        ("deployment:x*", 0),
        ("deployment: IN [no* te*]", 5),
        ("stream:te* AND warn", 1),
        ("severity:inf*", 5),
        ("source:container-*", 5),
        ("日本語", 1),
        ("本語", 1),
        ("テスト", 1),
        ("語本", 0),
        ("拒否", 1),
        ("拒否 error", 1),
        ("\"ました error\"", 1),
        ("\"refused error\"~1", 0),
        ("\"refused error\"~2", 1),
        ("\"error refused\"~9", 1),
    ] {
        assert_eq!(count(words).expect(words), expected, "{words}");
    }
    let (brackets, nots) = ("(".repeat(10_000), "NOT ".repeat(2_000));
    for (words, because) in [
        ("ref*", "only the beginning"),
        ("*fused", "only the end"),
        ("re*ed", "leaves a part of one open"),
        ("refused~1", "asks for similar ones"),
        ("stream:test~1", "asks for similar ones"),
        ("severity:zzz*", "is no severity"),
        ("deployment:!test", "named before its field"),
        ("error != refused", "no word in `!=`"),
        ("\"--\"", "no word"),
        ("IN [ref* error]", "only the beginning"),
        ("\"error ref\"*", "a part of one"),
        ("/err.*/", "the value of a field"),
        ("[a TO f]", "only `time:`"),
        ("Nothing:here", "does not exist: 'Nothing'"),
        (brackets.as_str(), "too many"),
        (nots.as_str(), "too many"),
    ] {
        let error = count(words).expect_err(words).to_string();
        assert!(error.contains(because) && error.contains("write words"), "{words}: {error}");
    }
}

/// More shapes than a segment has numbers for.
#[test]
fn no_number_of_shapes_is_too_many() {
    const SHAPES: u64 = 70_000;
    let folder = tempfile::tempdir().expect("a folder");
    // Without a digit, so that each is of a shape of its own.
    let letters = |mut number: u64| {
        let mut word = String::new();
        for _ in 0..5 {
            word.push((b'a' + (number % 26) as u8) as char);
            number /= 26;
        }
        word
    };
    let texts: Vec<Vec<String>> =
        (0..SHAPES).map(|at| vec!["said".to_owned(), "again".to_owned(), letters(at)]).collect();
    let mut all = texts.clone();
    all.push(texts[3].clone());
    store(folder.path(), &all, usize::MAX);
    let reader = Reader::open(folder.path()).expect("readable");
    for (words, expected) in [
        ("\"said again\"".to_owned(), SHAPES + 1),
        (format!("\"again {}\"", letters(3)), 2),
        (format!("\"again {}\"", letters(69_999)), 1),
        ("\"again said\"".to_owned(), 0),
    ] {
        let question = Question { words: words.clone(), filter: Filter::default() };
        assert_eq!(reader.count(&question).expect("counted"), expected, "{words}");
    }
}

#[test]
fn a_view_is_opened_with_all_its_files_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    store(folder.path(), &[vec!["said".to_owned(), "again".to_owned()]], usize::MAX);
    assert!(Reader::open(folder.path()).is_ok());
    let part = folder.path().join("parts/00000001");
    let files = std::fs::read_dir(part).expect("a part").flatten().map(|file| file.path());
    let positions: Vec<_> = files.filter(|path| path.extension().is_some_and(|of| of == "pos")).collect();
    assert_eq!(positions.len(), 1);
    std::fs::remove_file(&positions[0]).expect("it can be removed");
    // As while a merge takes files away: without them a search for a phrase would fail.
    assert!(Reader::open(folder.path()).is_err());
}

/// Whether a search finds these records, counted and newest first.
fn finds(reader: &Reader, words: String, expected: &[usize], most: usize) -> Result<(), TestCaseError> {
    let question = Question { words, filter: Filter::default() };
    prop_assert_eq!(reader.count(&question).expect("counted"), expected.len() as u64);
    let newest = reader.newest(&question, most).expect("found");
    let newest: Vec<u64> = newest.iter().map(|hit| hit.record.seq).collect();
    let wanted: Vec<u64> = expected.iter().rev().take(most).map(|&at| at as u64).collect();
    prop_assert_eq!(newest, wanted);
    Ok(())
}

/// Words, times, and what looks like a part of a time.
fn word_or_time() -> impl Strategy<Value = String> {
    prop_oneof![
        "(task|web|of)",
        "(05|10|26|2026|0505|05t10|10t05|1234567)",
        "(2026|0505)-(05|10)-(05|10)[T ](05|10):(05|26):(05|10|26)(|Z|x|/|,123|\\.5Z|é| UTC)",
        "(2026|0505)[-/](05|10)-(05|10)[Tt](05|10)[:-](05|26)",
    ]
}

/// Words that share their beginnings, middles and ends.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "(task|abc|ab1|4f9|a2b|1234|56)",
        "(4f9|a2b|abc|12)(4f9|a2b|7c)(4f9|a2b|7c)?",
        "(1234|5678|12)(1234|56)",
        "[0-9]{4,10}",
        "[0-9a-f]{4,16}",
    ]
}

fn store(folder: &Path, texts: &[Vec<String>], commit_every: usize) {
    let mut writer = Writer::open(folder, &Retention::default()).expect("opened");
    let stream = Arc::new(Stream { name: "test".to_owned(), source: Source::ContainerLog });
    for (at, words) in texts.iter().enumerate() {
        let record = Record {
            stream: stream.clone(),
            seq: at as u64,
            time: Timestamp::from_second(1_780_000_000 + at as i64).ok(),
            source: Source::ContainerLog,
            level: Level::Info,
            text: words.join(" "),
            body: None,
            line: at as u64 + 1,
            entity: None,
            deployment: None,
        };
        let arrived = Timestamp::UNIX_EPOCH;
        let row =
            writer.row(&record, Entry { id: at as u64, further: Vec::new(), arrived, deployment: "test" });
        writer.add(Arc::new(vec![record]), vec![row]).expect("added");
        if commit_every < usize::MAX && at % commit_every == 0 {
            writer.commit(arrived, |_| ()).expect("committed");
        }
    }
    writer.commit(Timestamp::UNIX_EPOCH, |_| ()).expect("committed");
}
