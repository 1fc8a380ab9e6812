//! The knowledge of Medic: the built-in pages, and a user's folder of pages.

pub mod compile;
pub mod parse;
pub mod train;

use analyzer::diagnosis::noise;
use analyzer::matching::{ORDINARY, Prepared};
use analyzer::pattern::{Book, Patterns, expressions};
use parse::{Page, PageError};
use std::sync::OnceLock;

static BOOK: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/book.bin"));
static PAGES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/pages.bin"));
static TYPICAL: &[u8] = include_bytes!("../typical.log");

/// Returns the built-in patterns as they were prepared when Medic was built.
pub fn built_in() -> Result<Book, postcard::Error> {
    postcard::from_bytes(BOOK)
}

/// Returns the text of all built-in pages with their ids.
pub fn page_texts() -> &'static [(String, String)] {
    static TEXTS: OnceLock<Vec<(String, String)>> = OnceLock::new();
    TEXTS.get_or_init(|| postcard::from_bytes(PAGES).unwrap_or_default())
}

/// Returns the built-in pages, parsed.
pub fn pages() -> Result<Vec<Page>, PageError> {
    page_texts().iter().map(|(id, text)| parse::parse(&format!("{id}.md"), text)).collect()
}

/// Adds a user's pages to a book. A page with the id of another replaces it.
pub fn extend(book: Book, pages: &[Page]) -> Result<Book, PageError> {
    let mut patterns = book.patterns;
    for page in pages {
        let pattern = compile::compile(page)?;
        patterns.retain(|other| other.id != pattern.id);
        patterns.push(pattern);
    }
    patterns.sort_by(|a, b| a.id.cmp(&b.id));
    let prepared = Prepared::new(expressions(&patterns), &[(TYPICAL, ORDINARY)])
        .map_err(|error| PageError { file: "patterns".to_owned(), line: 1, message: error.to_string() })?;
    Ok(Book { patterns, prepared, noise: book.noise, model: book.model })
}

/// Compiles pages into a book of their own, with a model of their own.
pub fn book(pages: &[Page]) -> Result<Book, PageError> {
    let empty = Book {
        patterns: Vec::new(),
        prepared: Prepared::default(),
        noise: noise::literals(),
        model: train::train(pages.iter()),
    };
    extend(empty, pages)
}

/// Loads the built-in patterns, ready to match.
pub fn load() -> Result<Patterns, postcard::Error> {
    built_in().map(Patterns::new)
}
