//! The diagnosis is a function of the set of records.

use analyzer::diagnosis::Study;
use analyzer::record::{Record, Source};
use analyzer::snapshot::Snapshot;
use proptest::prelude::*;
use proptest::sample::Index;
use reports::{Format, Guide};
use std::fmt::Write;

use crate::given::{SCREEN, book, cases, matches, stream};

proptest! {
    #![proptest_config(cases(96))]

    /// Feature: deployment-infrastructure-reliability, Property 12: the diagnosis depends on the set of records,
    /// not on their order or on how they are cut into batches
    #[test]
    fn the_diagnosis_does_not_depend_on_the_order_of_records(
        (world, shuffled) in worlds().prop_flat_map(|world| {
            let records = world.records.clone();
            (Just(world), Just(records).prop_shuffle())
        }),
        batch in 1usize..40,
    ) {
        let straight = json(&world, [&world.records[..]].into_iter());
        prop_assert_eq!(&json(&world, [&world.records[..]].into_iter()), &straight, "the same input, twice");
        prop_assert_eq!(&json(&world, world.records.chunks(batch)), &straight, "in batches of {}", batch);
        prop_assert_eq!(&json(&world, shuffled.chunks(batch)), &straight, "shuffled, in batches of {}", batch);
    }

    /// Feature: deployment-infrastructure-reliability, Property 12: the diagnosis depends on the set of records,
    /// not on their order or on how they are cut into batches
    #[test]
    fn what_is_left_out_does_not_depend_on_the_order_of_records(
        (world, shuffled) in crowds().prop_flat_map(|world| {
            let records = world.records.clone();
            (Just(world), Just(records).prop_shuffle())
        }),
        batch in 1usize..200,
    ) {
        let straight = json(&world, [&world.records[..]].into_iter());
        let backwards: Vec<Record> = world.records.iter().rev().cloned().collect();
        prop_assert_eq!(&json(&world, backwards.chunks(batch)), &straight, "backwards, in batches of {}", batch);
        prop_assert_eq!(&json(&world, [&shuffled[..]].into_iter()), &straight, "shuffled");
        prop_assert_eq!(&json(&world, shuffled.chunks(batch)), &straight, "shuffled, in batches of {}", batch);
    }
}

/// Feature: deployment-infrastructure-reliability, Property 12: the diagnosis depends on the set of records,
/// not on their order or on how they are cut into batches
#[test]
fn thousands_of_outcomes_operations_and_missing_things_come_in_any_order() {
    let clock =
        |minute: u64| format!("2026-05-{:02}T{:02}:{:02}", 1 + minute / 1440, minute / 60 % 24, minute % 60);
    let mut events = String::new();
    for minute in 0..2_500 {
        let at = clock(minute);
        let _ = writeln!(
            events,
            "{at}:00Z (service web) (deployment ecs-svc/{minute}) deployment failed: tasks failed to start; rolling back to deployment ecs-svc/1."
        );
        let _ = writeln!(events, "{at}:30Z (service web) (deployment ecs-svc/1) deployment completed.");
    }
    let finished = format!(
        "{events}{}:10Z (service web) (deployment ecs-svc/9001) deployment completed.\n{}:10Z (service web) (deployment ecs-svc/9002) deployment completed.\n",
        clock(2_600),
        clock(2_700)
    );
    let mut stack = String::new();
    for number in 0..2_500 {
        let _ = writeln!(stack, "{}:00Z UPDATE_IN_PROGRESS AWS::ECS::Service Web{number}", clock(number));
        if number % 7 != 3 {
            let _ = writeln!(stack, "{}:30Z UPDATE_COMPLETE AWS::ECS::Service Web{number}", clock(number));
        }
    }
    let missing: String = (0..1_500)
        .map(|number| {
            format!(
                "failure MISSING arn:aws:ecs:eu-west-1:111122223333:task/prod/{:04}\n",
                number * 7919 % 1_500
            )
        })
        .collect();
    let calm = |lines: std::ops::Range<u64>| -> String {
        lines.map(|number| format!("{}:00Z INFO order {number} is sent\n", clock(number))).collect()
    };
    let outlived = format!(
        "{}{}:30Z ERROR job 7 failed: widget lost\n{}",
        calm(0..2_400),
        clock(2_399),
        calm(2_400..2_412)
    );
    for (source, text) in [
        (Source::ContainerLog, outlived),
        (Source::EcsServiceEvent, events),
        (Source::EcsServiceEvent, finished),
        (Source::CfnStackEvent, stack),
        (Source::EcsServiceEvent, missing),
    ] {
        let collected = stream("s", source, &text);
        let mut records = collected.records;
        assert!(records.len() >= 1_500, "{} records of {}", records.len(), source.as_str());
        let world = World { records: records.clone(), snapshot: collected.snapshot };
        let straight = json(&world, [&world.records[..]].into_iter());
        for _ in 0..3 {
            // Every record goes far from where it was, and another way each time.
            records = (0..1_009).flat_map(|from| records.iter().skip(from).step_by(1_009)).cloned().collect();
            records.reverse();
            assert_eq!(json(&world, records.chunks(700)), straight, "{}", source.as_str());
        }
    }
}

#[derive(Clone, Debug)]
struct World {
    records: Vec<Record>,
    snapshot: Snapshot,
}

fn json<'r>(world: &World, batches: impl Iterator<Item = &'r [Record]>) -> String {
    let mut study = Study::new(book());
    batches.for_each(|batch| study.observe(batch));
    let diagnosis = study.conclude(&world.snapshot, Vec::new());
    reports::render(&Guide::new(&diagnosis, book()), Format::Json, SCREEN).expect("a report")
}

/// Several streams: samples of random pages, some of them again and again, with noise between.
fn worlds() -> impl Strategy<Value = World> {
    prop::collection::vec((any::<Index>(), 1usize..70, 0usize..5, any::<bool>()), 1..6).prop_map(|streams| {
        let mut world = World { records: Vec::new(), snapshot: Snapshot::default() };
        for (number, (sample, times, noise, timed)) in streams.iter().enumerate() {
            let (_, sample) = sample.get(matches());
            // Documents are read as a whole, so they are not repeated.
            let times = if sample.text.trim_start().starts_with(['{', '[']) { 1 } else { *times };
            let mut text = String::new();
            for round in 0..times {
                text.push_str(&sample.text);
                for line in 0..*noise {
                    let clock =
                        if *timed { format!("2026-05-01T10:{round:02}:{line:02}Z ") } else { String::new() };
                    text.push_str(&format!(
                        "{clock}ERROR job {} of {line} failed: widget lost\n",
                        words(round)
                    ));
                }
            }
            let collected = stream(&format!("s{number}"), sample.source, &text);
            world.records.extend(collected.records);
            world.snapshot.merge(collected.snapshot);
        }
        world
    })
}

/// Streams in which more says the same than is kept: many shapes of known failures, of unknown ones and of steps,
/// each again and again, with the others between.
fn crowds() -> impl Strategy<Value = World> {
    let shapes = (49usize..=81, 1usize..5, any::<bool>());
    let known = prop::sample::select(vec![
        (
            Source::ContainerLog,
            "ERROR connection to server at \"db.internal\" (10.0.0.9), port 5432 failed: Connection refused while the № asks",
        ),
        (Source::ContainerLog, "ERROR job № failed: widget lost"),
        (
            Source::EcsStoppedTask,
            "CannotPullContainerError: pull image manifest has been retried 5 time(s): registry.internal/№: not found",
        ),
        (Source::GithubActions, "##[error]the № is not what was expected"),
        (
            Source::CfnStackEvent,
            "CREATE_FAILED AWS::ECS::Service № Resource handler returned message: \"Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'.\"",
        ),
    ]);
    let streams = prop::collection::vec((known, shapes), 1..3);
    (streams, any::<u64>()).prop_map(|(streams, seed)| {
        let mut world = World { records: Vec::new(), snapshot: Snapshot::default() };
        for (number, ((source, line), (shapes, times, timed))) in streams.into_iter().enumerate() {
            let mut text = String::new();
            for turn in 0..shapes * times {
                // Each shape is said once, and then they come back as it happens.
                let again = (turn as u64).wrapping_mul(seed | 1) >> 7;
                let shape = if turn < shapes { turn } else { (again % shapes as u64) as usize };
                let clock = match timed {
                    true => format!("2026-05-01T10:{:02}:{:02}Z ", turn / 60 % 60, turn % 60),
                    false => String::new(),
                };
                let _ = writeln!(text, "{clock}{}", line.replace('№', &words(shape)));
            }
            let collected = stream(&format!("s{number}"), source, &text);
            world.records.extend(collected.records);
            world.snapshot.merge(collected.snapshot);
        }
        world
    })
}

/// Different words for different numbers, so that the shapes of lines differ.
fn words(number: usize) -> String {
    const WORDS: [&str; 9] = ["amber", "birch", "cedar", "dune", "elder", "fern", "grove", "heath", "iris"];
    format!("{}-{}", WORDS[number % 9], WORDS[number / 9 % 9])
}
