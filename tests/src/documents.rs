//! What the documents count is what there is.

use std::fs;
use std::path::Path;

use crate::given::pages;

/// Each document, the words around a count, and what is counted.
const COUNTS: [(&str, &str, &str, Counted); 2] = [
    ("README.md", "Medic ships ", " pages.", Counted::Pages),
    ("README.md", "the tests run all ", " samples against all pages", Counted::Samples),
];

#[derive(Clone, Copy)]
enum Counted {
    Pages,
    Samples,
}

#[test]
fn the_documents_count_what_there_is() {
    for (document, before, after, counted) in COUNTS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(document);
        let text = fs::read_to_string(path).expect("a document can be read");
        let rest =
            text.split_once(before).unwrap_or_else(|| panic!("{document} says nothing after `{before}`")).1;
        let said = rest.split_once(after).unwrap_or_else(|| panic!("{document} does not say `{after}`")).0;
        let there_are = match counted {
            Counted::Pages => pages().len(),
            Counted::Samples => pages().iter().map(|page| page.samples.len()).sum(),
        };
        assert_eq!(said, in_thousands(there_are), "{document} says `{before}{said}{after}`");
    }
}

/// Writes a number as documents do: `4,218`.
fn in_thousands(number: usize) -> String {
    match (number / 1000, number % 1000) {
        (0, rest) => rest.to_string(),
        (thousands, rest) => format!("{},{rest:03}", in_thousands(thousands)),
    }
}
