//! The built-in pages: their samples give what they say, and their texts can be read.

use analyzer::taxonomy::Class;
use reports::Guide;
use std::collections::BTreeSet;

use crate::given::{book, diagnosed, matches, pages};

#[test]
fn every_sample_gives_what_it_says() {
    let complaints: Vec<String> = pages().iter().flat_map(|page| medic::samples::run(page, book())).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn lint_has_nothing_to_say() {
    let errors: Vec<String> =
        patterns::compile::lint(pages()).iter().map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

#[test]
fn the_built_in_book_is_the_compiled_pages() {
    for page in pages() {
        let compiled = patterns::compile::compile(page).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(book().get(&page.id), Some(&compiled), "{}", page.id);
    }
    assert_eq!(book().list().len(), pages().len());
}

#[test]
fn every_class_has_causes() {
    let classes: BTreeSet<Class> = pages().iter().map(|page| page.class).collect();
    assert_eq!(classes.len(), Class::ALL.len(), "{classes:?}");
    assert!(pages().len() >= 950, "only {} causes", pages().len());
}

#[test]
fn texts_render_with_the_values_of_the_samples() {
    let mut wrong = Vec::new();
    for (page, sample) in matches() {
        let guide = Guide::new(&diagnosed(sample.source, &sample.text), book());
        let place = format!("{}.md:{}", page.id, sample.line);
        let causes = guide.root.iter().chain(&guide.others).filter(|cause| cause.id == page.id);
        let summaries = causes.map(|cause| &cause.summary);
        for text in summaries.chain([&guide.to_do, &guide.headline]) {
            // A value may hold braces; a variable of the page, a condition or a loop may not be left.
            let left = |name: &str| text.contains(&format!("{{{{{name}"));
            if ["#", "/", "else"].into_iter().chain(variables(&page.id)).any(left) {
                wrong.push(format!("{place}: not rendered: {text}"));
            }
        }
        if guide.root.is_some() && guide.to_do.trim().is_empty() {
            wrong.push(format!("{place}: nothing is said about what to do"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn variables(id: &str) -> impl Iterator<Item = &'static str> {
    book().get(id).into_iter().flat_map(|pattern| pattern.variables.iter().map(String::as_str))
}

/// Pages about `one is broken`, `two is broken` and so on, each with what it explains; returns what is said of a log that has them all.
fn causes_of_circle(explains: &[(&str, &str)]) -> (Option<String>, usize) {
    let page = |(name, explained): &(&str, &str)| {
        let text = format!(
            "# The {name} is broken\n\n```toml\nseverity = \"high\"\nexplains = [{explained}]\n\n[[evidence]]\nfind = 'the {name} is broken'\n```\n\n## What happened\n\nIt broke.\n\n## What to do\n\n1. Mend it.\n\n## Samples\n"
        );
        patterns::parse::parse(&format!("application/configuration/{name}.md"), &text).expect("a page")
    };
    let pages: Vec<patterns::parse::Page> = explains.iter().map(page).collect();
    let patterns = analyzer::pattern::Patterns::new(patterns::book(&pages).expect("the pages compile"));
    let log: String = explains.iter().map(|(name, _)| format!("ERROR the {name} is broken\n")).collect();
    let read = crate::given::stream("web", analyzer::record::Source::ContainerLog, &log);
    let diagnosis = analyzer::diagnose(&patterns, &read.records, &read.snapshot, Vec::new());
    (diagnosis.root_cause().map(|root| root.cause.clone()), diagnosis.findings.len())
}

#[test]
fn a_circle_of_causes_has_a_first_one() {
    let id = |name: &str| Some(format!("application/configuration/{name}"));
    let named = |name: &str| format!("\"application/configuration/{name}\"");
    let circle = [("hammer", named("saw")), ("saw", named("pliers")), ("pliers", named("hammer"))];
    let circle: Vec<(&str, &str)> =
        circle.iter().map(|(name, explains)| (*name, explains.as_str())).collect();
    assert_eq!(causes_of_circle(&circle), (id("hammer"), 3));
    // What explains one of them from outside explains all.
    let saw = named("saw");
    let explained: Vec<(&str, &str)> = circle.iter().copied().chain([("wrench", saw.as_str())]).collect();
    assert_eq!(causes_of_circle(&explained), (id("wrench"), 4));
}
