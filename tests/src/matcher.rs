//! The matcher finds what running every expression on every line finds.

use proptest::prelude::*;
use proptest::sample::Index;
use regex::bytes::{Regex, RegexBuilder};
use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::given::{book, cases, matches};

proptest! {
    #![proptest_config(cases(96))]

    /// Feature: deployment-infrastructure-reliability, Property 18: the filter loses no match and adds none
    #[test]
    fn the_matcher_agrees_with_running_every_expression(text in texts()) {
        let mut found = BTreeSet::new();
        let mut twice = Vec::new();
        book().matcher().scan(&text, |hit| {
            if !found.insert((hit.line.start, hit.line.end, hit.expression)) {
                twice.push(hit);
            }
        });
        prop_assert!(twice.is_empty(), "{twice:?} is found twice");
        let expected = naive(&text);
        let differ: Vec<_> = found.symmetric_difference(&expected).map(|&(start, end, expression)| {
            let line = String::from_utf8_lossy(&text[start..end]).into_owned();
            (found.contains(&(start, end, expression)), book().matcher().source(expression), line)
        }).collect();
        prop_assert!(differ.is_empty(), "(found by the matcher, expression, line): {differ:#?}");
    }
}

fn naive(text: &[u8]) -> BTreeSet<(usize, usize, usize)> {
    static EXPRESSIONS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        let sources = (0..book().matcher().len()).map(|index| book().matcher().source(index));
        let compile =
            |source| RegexBuilder::new(source).unicode(false).build().expect("an expression compiles");
        sources.map(compile).collect()
    });
    let mut found = BTreeSet::new();
    let mut start = 0;
    for line in text.split(|byte| *byte == b'\n') {
        let end = start + line.len();
        for (number, expression) in EXPRESSIONS.iter().enumerate() {
            if expression.is_match(line) {
                found.insert((start, end, number));
            }
        }
        start = end + 1;
    }
    found
}

/// Samples, whole and cut, at any alignment, in any case, with noise between.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let part =
        (any::<Index>(), any::<Index>(), any::<Index>(), 0u8..5).prop_map(|(sample, from, to, how)| {
            let text = sample.get(matches()).1.text.as_bytes();
            let (from, to) = (from.index(text.len()), to.index(text.len()) + 1);
            match how {
                0 => text[from.min(to)..from.max(to)].to_vec(),
                1 => text.to_ascii_uppercase(),
                2 => text.to_ascii_lowercase(),
                _ => text.to_vec(),
            }
        });
    let noise = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..9),
        prop::sample::select(vec!["\n", "\r\n", "\n\n", " ", "\t"]).prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop::collection::vec((noise, part), 1..5)
        .prop_map(|parts| parts.into_iter().flat_map(|(noise, part)| [noise, part].concat()).collect())
}
