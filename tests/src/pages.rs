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
