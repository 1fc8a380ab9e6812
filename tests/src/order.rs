//! The diagnosis is a function of the set of records.

use analyzer::diagnosis::Study;
use analyzer::record::Record;
use analyzer::snapshot::Snapshot;
use proptest::prelude::*;
use proptest::sample::Index;
use reports::{Format, Guide};

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

/// Different words for different numbers, so that the shapes of lines differ.
fn words(number: usize) -> String {
    const WORDS: [&str; 9] = ["amber", "birch", "cedar", "dune", "elder", "fern", "grove", "heath", "iris"];
    format!("{}-{}", WORDS[number % 9], WORDS[number / 9 % 9])
}
