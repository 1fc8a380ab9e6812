//! Matches all expressions of all patterns in one pass over the bytes.
//!
//! A filter on four-byte grams of required literals finds the few places where an expression can match;
//! only there, and only on that line, the expression itself runs.

mod filter;
mod literals;

pub use filter::{Filter, Gram, choose_grams};
pub use literals::{LiteralError, Required, required_literals};

use memchr::{memchr, memrchr};
use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::OnceLock;

/// The shortest literal that the filter can find: any alignment of its stride must meet a whole gram.
pub const SHORTEST_LITERAL: usize = 6;
const STRIDE: usize = SHORTEST_LITERAL - 3;
/// An expression whose program is larger than this is refused.
const EXPRESSION_SIZE_LIMIT: usize = 1 << 20;

/// All expressions, ready to scan text.
pub struct Matcher {
    filter: Filter<STRIDE>,
    expressions: Vec<Expression>,
    besides: Vec<Vec<Vec<u8>>>,
}

struct Expression {
    source: String,
    compiled: OnceLock<Option<Regex>>,
}

/// Everything that takes time to work out about a list of expressions, so that it can be stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prepared {
    pub expressions: Vec<String>,
    pub grams: Vec<Gram>,
    pub literals: Vec<Literal>,
    /// What must stand on the line besides, for each expression; empty where nothing is known.
    pub besides: Vec<Vec<Vec<u8>>>,
}

/// A case-folded literal and the expressions that need it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Literal {
    pub bytes: Vec<u8>,
    pub expressions: Vec<u32>,
}

/// A line on which an expression matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    pub line: Range<usize>,
    pub expression: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// Which expression of the list.
    pub index: usize,
    pub message: String,
}

impl Prepared {
    /// Works out the literals of each expression; `typical` is text whose grams are common and make poor filters.
    pub fn new(expressions: Vec<String>, typical: &[u8]) -> Result<Prepared, ExpressionError> {
        let ordinary = typical.to_ascii_lowercase();
        let commonness = |literal: &[u8]| memchr::memmem::find_iter(&ordinary, literal).count();
        let mut besides = Vec::with_capacity(expressions.len());
        let mut by_bytes = std::collections::BTreeMap::<Vec<u8>, Vec<u32>>::new();
        for (index, expression) in expressions.iter().enumerate() {
            let required = required_literals(expression, commonness)
                .map_err(|error| ExpressionError { index, message: error.to_string() })?;
            besides.push(required.besides);
            for literal in required.sought {
                let users = by_bytes.entry(literal).or_default();
                if users.last() != Some(&(index as u32)) {
                    users.push(index as u32);
                }
            }
        }
        let literals: Vec<Literal> =
            by_bytes.into_iter().map(|(bytes, expressions)| Literal { bytes, expressions }).collect();
        let grams = choose_grams::<STRIDE>(literals.iter().map(|literal| &literal.bytes[..]), typical);
        Ok(Prepared { expressions, grams, literals, besides })
    }
}

impl Matcher {
    pub fn new(prepared: Prepared) -> Matcher {
        let Prepared { expressions, grams, literals, besides } = prepared;
        let expressions =
            expressions.into_iter().map(|source| Expression { source, compiled: OnceLock::new() });
        Matcher { filter: Filter::new(grams, literals), expressions: expressions.collect(), besides }
    }

    /// Calls `found` for each line and expression that match, each pair once, in the order of lines.
    pub fn scan(&self, text: &[u8], mut found: impl FnMut(Hit)) {
        let mut line = 0..0;
        let mut tried: Vec<u32> = Vec::new();
        let mut hits: Vec<u32> = Vec::new();
        self.filter.scan(text, |place, literal| {
            if place.start >= line.end || line.is_empty() {
                flush(&line, &mut hits, &mut found);
                line = line_around(text, place.start);
                tried.clear();
            }
            if place.end > line.end {
                return;
            }
            for expression in &literal.expressions {
                if tried.contains(expression) {
                    continue;
                }
                tried.push(*expression);
                if self.is_match(*expression as usize, &text[line.clone()]) {
                    hits.push(*expression);
                }
            }
        });
        flush(&line, &mut hits, &mut found);
    }

    /// Calls `found` with the position of each required literal and the expressions that it speaks for.
    pub fn candidates(&self, text: &[u8], mut found: impl FnMut(usize, &[u32])) {
        self.filter.scan(text, |place, literal| found(place.start, &literal.expressions));
    }

    /// Whether a line has what any match of the expression has besides the literal that was sought.
    pub fn may_match(&self, index: usize, line: &[u8]) -> bool {
        let besides = &self.besides[index];
        besides.is_empty() || besides.iter().any(|literal| contains_folded(line, literal))
    }

    /// Returns the compiled expression.
    pub fn expression(&self, index: usize) -> Option<&Regex> {
        let expression = &self.expressions[index];
        expression.compiled.get_or_init(|| compile(&expression.source).ok()).as_ref()
    }

    pub fn source(&self, index: usize) -> &str {
        &self.expressions[index].source
    }

    pub fn len(&self) -> usize {
        self.expressions.len()
    }

    pub fn is_empty(&self) -> bool {
        self.expressions.is_empty()
    }

    fn is_match(&self, index: usize, line: &[u8]) -> bool {
        self.may_match(index, line)
            && self.expression(index).is_some_and(|expression| expression.is_match(line))
    }
}

/// Compiles an expression the way that Medic matches: bytes, one line, no Unicode classes.
pub fn compile(expression: &str) -> Result<Regex, String> {
    RegexBuilder::new(expression)
        .unicode(false)
        .size_limit(EXPRESSION_SIZE_LIMIT)
        .build()
        .map_err(|error| error.to_string().lines().last().unwrap_or_default().trim().to_owned())
}

fn flush(line: &Range<usize>, hits: &mut Vec<u32>, found: &mut impl FnMut(Hit)) {
    hits.sort_unstable();
    for expression in hits.drain(..) {
        found(Hit { line: line.clone(), expression: expression as usize });
    }
}

/// Whether a line contains a lower-case literal, case aside.
fn contains_folded(line: &[u8], literal: &[u8]) -> bool {
    let first = literal[0];
    let last_start = match line.len().checked_sub(literal.len()) {
        Some(last_start) => last_start,
        None => return false,
    };
    memchr::memchr2_iter(first, first.to_ascii_uppercase(), &line[..=last_start])
        .any(|at| line[at..at + literal.len()].eq_ignore_ascii_case(literal))
}

fn line_around(text: &[u8], place: usize) -> Range<usize> {
    let start = memrchr(b'\n', &text[..place]).map_or(0, |newline| newline + 1);
    let end = memchr(b'\n', &text[place..]).map_or(text.len(), |newline| place + newline);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(expressions: &[&str], text: &str) -> Vec<(usize, String)> {
        let list = expressions.iter().map(|&expression| expression.to_owned()).collect();
        let matcher = Matcher::new(Prepared::new(list, b"").expect("expressions compile"));
        let mut hits = Vec::new();
        matcher.scan(text.as_bytes(), |hit| hits.push((hit.expression, text[hit.line].to_owned())));
        hits
    }

    #[test]
    fn finds_an_expression_at_any_alignment() {
        for padding in 0..9 {
            let text = format!("{}listen EADDRINUSE: 3000\nother", " ".repeat(padding));
            assert_eq!(hits(&["EADDRINUSE: (?<port>\\d+)"], &text).len(), 1, "{text:?}");
        }
    }

    #[test]
    fn a_match_does_not_cross_lines() {
        assert!(hits(&["connection[^x]*refused"], "connection\nrefused").is_empty());
    }

    #[test]
    fn each_line_and_expression_is_reported_once() {
        let text = "exec format error exec format error\nexec format error";
        assert_eq!(hits(&["exec format error", "format error$"], text).len(), 4);
    }

    #[test]
    fn case_is_ignored_only_where_asked() {
        assert_eq!(hits(&["(?i)out of memory", "OutOfMemory"], "OUT OF MEMORY outofmemory").len(), 1);
    }

    #[test]
    fn an_expression_without_a_literal_is_refused() {
        let error = Prepared::new(vec![r"\d+ \w+".to_owned()], b"").expect_err("no literal");
        assert!(error.message.contains("six"), "{}", error.message);
    }
}
