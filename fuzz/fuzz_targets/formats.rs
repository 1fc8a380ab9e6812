//! Any bytes: they are read, folded, diagnosed and rendered without a panic.
#![no_main]

use analyzer::diagnosis::diagnose;
use analyzer::pattern::Patterns;
use libfuzzer_sys::fuzz_target;
use medic::formats::{Collected, read};
use reports::{Format, Guide, Screen};
use std::sync::OnceLock;

static PATTERNS: OnceLock<Patterns> = OnceLock::new();

fuzz_target!(|bytes: &[u8]| {
    let patterns = PATTERNS.get_or_init(|| patterns::load().expect("the built-in patterns load"));
    let mut collected = Collected::default();
    read("fuzz", None, bytes, &mut collected).expect("reading from memory does not fail");
    let diagnosis = diagnose(patterns, &collected.records, &collected.snapshot, Vec::new());
    let guide = Guide::new(&diagnosis, patterns);
    for format in Format::ALL {
        reports::render(&guide, format, Screen { width: 80, hyperlinks: true }).expect("every guide renders");
    }
});
