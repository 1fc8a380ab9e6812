//! What many tests start from: the built-in pages, records of samples, and every rendering of a diagnosis.

use analyzer::diagnosis::Diagnosis;
use analyzer::pattern::Patterns;
use analyzer::record::Source;
use medic::formats::{Collected, read_text};
use patterns::parse::{Page, Sample};
use proptest::test_runner::{Config, RngSeed};
use reports::{Format, Guide, Screen};
use std::sync::LazyLock;

/// Wide enough that the renderers do not break the words that tests look for.
pub const SCREEN: Screen = Screen { width: 120, hyperlinks: false };

/// Returns the built-in patterns.
pub fn book() -> &'static Patterns {
    static BOOK: LazyLock<Patterns> = LazyLock::new(|| patterns::load().expect("the built-in patterns load"));
    &BOOK
}

/// Returns the built-in pages as they are written.
pub fn pages() -> &'static [Page] {
    static PAGES: LazyLock<Vec<Page>> =
        LazyLock::new(|| patterns::pages().expect("the built-in pages parse"));
    &PAGES
}

/// Returns the samples that give their page, each with its page.
pub fn matches() -> &'static [(&'static Page, &'static Sample)] {
    static MATCHES: LazyLock<Vec<(&Page, &Sample)>> = LazyLock::new(|| {
        let samples = pages().iter().flat_map(|page| page.samples.iter().map(move |sample| (page, sample)));
        samples.filter(|(_, sample)| sample.expects_match).collect()
    });
    &MATCHES
}

/// Reads a text as a stream of that kind.
pub fn stream(name: &str, source: Source, text: &str) -> Collected {
    read_text(&format!("{name}.{}.log", source.as_str()), Some(source), text)
}

/// Diagnoses one text of that kind.
pub fn diagnosed(source: Source, text: &str) -> Diagnosis {
    let collected = stream("input", source, text);
    analyzer::diagnose(book(), &collected.records, &collected.snapshot, Vec::new())
}

/// Returns every rendering of a diagnosis, with its format.
pub fn renderings(diagnosis: &Diagnosis) -> Vec<(Format, String)> {
    Format::ALL.into_iter().map(|format| (format, rendered(diagnosis, format))).collect()
}

pub fn rendered(diagnosis: &Diagnosis, format: Format) -> String {
    let guide = Guide::new(diagnosis, book());
    reports::render(&guide, format, SCREEN).unwrap_or_else(|error| panic!("{format:?}: {error}"))
}

/// The same cases in every run.
pub fn cases(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(0x006d_6564_6963),
        failure_persistence: None,
        ..Config::default()
    }
}
