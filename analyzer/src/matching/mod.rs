//! Matches all expressions of all patterns in one pass over the bytes.
//!
//! A filter on grams of required literals finds the few places where an expression can match;
//! only there, and only on that line, the expression itself runs.

mod common;
mod expression;
mod filter;
mod literals;
mod tables;

pub use common::COMMON;
pub use expression::{Expression, compile};
pub use filter::{Filter, NARROW, ORDINARY, Typical, choose_grams};
pub use literals::{LiteralError, Required, required_literals};
pub use tables::{Lists, Numbers, Strings};

use memchr::{memchr, memrchr};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

/// The shortest literal that the filter can find: any alignment of its stride must meet a whole gram.
pub const SHORTEST_LITERAL: usize = 6;
const STRIDE: usize = SHORTEST_LITERAL + 1 - NARROW;

/// All expressions, ready to scan text.
pub struct Matcher {
    filter: Filter<STRIDE, NARROW, true>,
    /// The expressions that need each literal.
    users: Lists,
    sources: Strings,
    compiled: Vec<OnceLock<Option<Expression>>>,
    besides: Strings,
    /// The place of the rarest byte of each of them.
    anchors: Vec<u8>,
    besides_of: [Lists; 2],
}

/// Everything that takes time to work out about a list of expressions, so that it can be stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
pub struct Prepared {
    pub expressions: Strings,
    /// Case-folded literals that are sought, the expressions that need each, and where its grams begin.
    pub literals: Strings,
    pub users: Lists,
    pub grams: Numbers,
    /// What must stand on the line besides, and which of it for each expression; none where nothing is known.
    pub besides: Strings,
    pub besides_of: Lists,
    /// The same once more, where two sets are known.
    pub more_besides_of: Lists,
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
    /// Works out the literals of each expression; `typical` is text whose words and grams make poor filters.
    pub fn new(expressions: Vec<String>, typical: &[Typical<'_>]) -> Result<Prepared, ExpressionError> {
        let lower: Vec<(Vec<u8>, usize)> =
            typical.iter().map(|(text, weight)| (text.to_ascii_lowercase(), *weight)).collect();
        let commonness = |literal: &[u8]| {
            let counts =
                lower.iter().map(|(text, weight)| memchr::memmem::find_iter(text, literal).count() * weight);
            counts.sum::<usize>() + unseen(literal)
        };
        let mut prepared = Prepared::default();
        let mut by_bytes = BTreeMap::<Vec<u8>, Vec<u32>>::new();
        let mut numbers = BTreeMap::<Vec<u8>, u32>::new();
        for (index, expression) in expressions.iter().enumerate() {
            let required = required_literals(expression, commonness)
                .map_err(|error| ExpressionError { index, message: error.to_string() })?;
            let mut number_of = |literal: Vec<u8>| {
                *numbers.entry(literal).or_insert_with_key(|literal| {
                    prepared.besides.push(literal);
                    prepared.besides.len() as u32 - 1
                })
            };
            let mut sets = required.besides.into_iter();
            let mut next_set =
                || sets.next().unwrap_or_default().into_iter().map(&mut number_of).collect::<Vec<u32>>();
            let (first, second) = (next_set(), next_set());
            prepared.besides_of.push(first);
            prepared.more_besides_of.push(second);
            for literal in required.sought {
                let users = by_bytes.entry(literal).or_default();
                if users.last() != Some(&(index as u32)) {
                    users.push(index as u32);
                }
            }
            prepared.expressions.push(expression.as_bytes());
        }
        for (literal, users) in by_bytes {
            prepared.literals.push(&literal);
            prepared.users.push(users);
        }
        prepared.grams = choose_grams::<STRIDE, NARROW, true>(&prepared.literals, typical);
        Ok(prepared)
    }
}

/// Returns how common a literal may be although typical text does not have it: a short word may well be one of those
/// that an application uses all the time, and what has several words is not.
fn unseen(literal: &[u8]) -> usize {
    let word = match literal.len() {
        0..=6 => 300,
        7 => 220,
        8 => 160,
        9 => 120,
        10 => 80,
        11 => 50,
        12 => 30,
        _ => 15,
    };
    let inner = literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default();
    if inner.iter().all(u8::is_ascii_alphanumeric) { word } else { word / 8 }
}

impl Matcher {
    pub fn new(prepared: Prepared) -> Matcher {
        let Prepared { expressions, literals, users, grams, besides, besides_of, more_besides_of } = prepared;
        Matcher {
            filter: Filter::new(&literals, &grams),
            users,
            compiled: (0..expressions.len()).map(|_| OnceLock::new()).collect(),
            sources: expressions,
            anchors: besides.iter().map(anchor).collect(),
            besides,
            besides_of: [besides_of, more_besides_of],
        }
    }

    /// Calls `found` for each line and expression that match, each pair once, in the order of lines.
    pub fn scan(&self, text: &[u8], mut found: impl FnMut(Hit)) {
        let mut line = 0..0;
        let mut hits: Vec<usize> = Vec::new();
        self.candidates(
            text,
            |_, _| true,
            |place, expression| {
                if *place != line {
                    flush(&line, &mut hits, &mut found);
                    line = place.clone();
                }
                if self.expression(expression).is_some_and(|compiled| compiled.is_match(&text[line.clone()]))
                {
                    hits.push(expression);
                }
            },
        );
        flush(&line, &mut hits, &mut found);
    }

    /// Calls `found` for each line and expression that may match on it: it is `admitted` there, and the line has what any
    /// match has.
    pub fn candidates(
        &self,
        text: &[u8],
        mut admitted: impl FnMut(&Range<usize>, usize) -> bool,
        mut found: impl FnMut(&Range<usize>, usize),
    ) {
        let mut line = 0..0;
        let mut tried: Vec<u32> = Vec::new();
        let mut pairs = Pairs::default();
        self.filter.scan(text, |place, literal| {
            if place.start >= line.end || line.is_empty() {
                line = line_around(text, place.start);
                tried.clear();
                pairs = Pairs::default();
            }
            if place.end > line.end {
                return;
            }
            for expression in self.users.get(literal) {
                if !admitted(&line, expression as usize) || tried.contains(&expression) {
                    continue;
                }
                tried.push(expression);
                if self.has_besides(expression as usize, &text[line.clone()], &mut pairs) {
                    found(&line, expression as usize);
                }
            }
        });
    }

    /// Whether a line has what any match of the expression has besides the literal that was sought.
    pub fn may_match(&self, index: usize, line: &[u8]) -> bool {
        self.has_besides(index, line, &mut Pairs::default())
    }

    fn has_besides(&self, index: usize, line: &[u8], pairs: &mut Pairs) -> bool {
        self.besides_of.iter().all(|sets| self.has_one(sets, index, line, pairs))
    }

    /// Whether a line has one literal of a set, or nothing is known of it.
    fn has_one(&self, sets: &Lists, index: usize, line: &[u8], pairs: &mut Pairs) -> bool {
        let mut known = false;
        for number in sets.get(index) {
            known = true;
            let number = number as usize;
            let literal = self.besides.get(number);
            if pairs.may_contain(line, literal)
                && contains_folded(line, literal, usize::from(self.anchors[number]))
            {
                return true;
            }
        }
        !known
    }

    /// Returns the compiled expression.
    pub fn expression(&self, index: usize) -> Option<&Expression> {
        self.compiled[index].get_or_init(|| compile(self.source(index)).ok()).as_ref()
    }

    pub fn source(&self, index: usize) -> &str {
        std::str::from_utf8(self.sources.get(index)).unwrap_or_default()
    }

    pub fn len(&self) -> usize {
        self.sources.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }
}

/// Which pairs of neighbouring bytes a line has, case aside; worked out once a line is asked often.
#[derive(Default)]
struct Pairs {
    asked: u8,
    /// A row for the first byte, a bit for the second; of both, the lowest five bits count.
    rows: [u32; 32],
}

impl Pairs {
    const PATIENCE: u8 = 2;

    /// Whether a line may contain a literal; false is certain.
    fn may_contain(&mut self, line: &[u8], literal: &[u8]) -> bool {
        if self.asked <= Pairs::PATIENCE {
            self.asked += 1;
            if self.asked <= Pairs::PATIENCE {
                return true;
            }
            for (first, second) in line.iter().zip(line.iter().skip(1)) {
                self.rows[usize::from(first & 31)] |= 1 << (second & 31);
            }
        }
        literal.windows(2).all(|pair| self.rows[usize::from(pair[0] & 31)] & 1 << (pair[1] & 31) != 0)
    }
}

fn flush(line: &Range<usize>, hits: &mut Vec<usize>, found: &mut impl FnMut(Hit)) {
    hits.sort_unstable();
    for expression in hits.drain(..) {
        found(Hit { line: line.clone(), expression });
    }
}

/// Whether a line contains a lower-case literal, case aside; it is looked for by one of its bytes.
fn contains_folded(line: &[u8], literal: &[u8], anchor: usize) -> bool {
    let Some(last_start) = line.len().checked_sub(literal.len()) else { return false };
    let Some(&byte) = literal.get(anchor) else { return true };
    memchr::memchr2_iter(byte, byte.to_ascii_uppercase(), &line[anchor..=last_start + anchor])
        .any(|at| line[at..at + literal.len()].eq_ignore_ascii_case(literal))
}

/// Returns the place of the byte of a literal that is rarest in logs.
fn anchor(literal: &[u8]) -> u8 {
    const COMMON_FIRST: &[u8] = b" etaonirsldcpm0u1g2fh.:-b3/54v6987w=ky\"'_x()[],qjz";
    let rarity =
        |byte: &u8| COMMON_FIRST.iter().position(|common| common == byte).unwrap_or(COMMON_FIRST.len());
    let rarest = literal.iter().take(255).enumerate().max_by_key(|(_, byte)| rarity(byte));
    rarest.map_or(0, |(at, _)| at as u8)
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
        let matcher = Matcher::new(Prepared::new(list, &[]).expect("expressions compile"));
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
        let error = Prepared::new(vec![r"\d+ \w+".to_owned()], &[]).expect_err("no literal");
        assert!(error.message.contains("six"), "{}", error.message);
    }
}
