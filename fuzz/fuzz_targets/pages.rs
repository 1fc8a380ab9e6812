//! Any text as a page: it is refused with a line, or it compiles; it never panics.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(page) = patterns::parse::parse("application/database/fuzz.md", text) {
        let _ = patterns::compile::compile(&page);
    }
});
