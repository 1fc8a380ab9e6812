//! Finds literals that any match of an expression must contain.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::SHORTEST_LITERAL;

/// More alternatives than this make a poor filter.
const MOST_ALTERNATIVES: usize = 48;
/// More alternatives than this are not worth looking for on a line, and no more sets than that.
const MOST_BESIDES: usize = 24;
const MOST_SETS_BESIDES: usize = 2;
/// What must stand on a line besides may be short: it is looked for on few lines.
const SHORTEST_BESIDES: usize = 2;
/// Longer literals filter no better.
const LONGEST: usize = 48;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LiteralError {
    #[error("{0}")]
    Syntax(String),
    #[error("every alternative needs a literal of six or more bytes in a row, so that one pass can find it")]
    TooShort,
}

/// Literals of which any match of an expression contains one of each set, case folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Required {
    /// What the filter looks for: long enough, and rare.
    pub sought: Vec<Vec<u8>>,
    /// What must stand on the same line besides, one of each set; empty where nothing else is certain.
    pub besides: Vec<Vec<Vec<u8>>>,
}

/// Returns literals that any match contains; `commonness` says how often ordinary text has a literal.
pub fn required_literals(
    expression: &str,
    commonness: impl Fn(&[u8]) -> usize,
) -> Result<Required, LiteralError> {
    let hir = ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .build()
        .parse(expression)
        .map_err(|error| LiteralError::Syntax(error.to_string()))?;
    let mut sets = study(&hir).sets();
    sets.retain(|set| shortest(set) >= SHORTEST_BESIDES);
    let cost = |set: &[Vec<u8>]| -> usize { set.iter().map(|literal| commonness(literal)).sum() };
    let order = |set: &Vec<Vec<u8>>| (cost(set), std::cmp::Reverse(worth(set)));
    sets.sort_by_cached_key(|set| order(set));
    let sought =
        sets.iter().position(|set| shortest(set) >= SHORTEST_LITERAL).ok_or(LiteralError::TooShort)?;
    let sought = sets.remove(sought);
    let mut besides: Vec<Vec<Vec<u8>>> = Vec::new();
    for set in sets {
        let is_new = set != sought && !besides.contains(&set);
        if is_new && set.len() <= MOST_BESIDES && besides.len() < MOST_SETS_BESIDES {
            besides.push(set);
        }
    }
    Ok(Required { sought, besides })
}

/// What is known about the texts that a part of an expression matches.
struct Facts {
    /// All texts, where they are few.
    exact: Option<Vec<Vec<u8>>>,
    /// Sets of which each has a member in any match.
    required: Vec<Vec<Vec<u8>>>,
}

impl Facts {
    fn exact(texts: Vec<Vec<u8>>) -> Facts {
        Facts { exact: Some(texts), required: Vec::new() }
    }

    fn unknown() -> Facts {
        Facts { exact: None, required: Vec::new() }
    }

    /// Returns all sets of which any match contains a member.
    fn sets(self) -> Vec<Vec<Vec<u8>>> {
        self.required.into_iter().chain(self.exact).collect()
    }

    fn best(self) -> Option<Vec<Vec<u8>>> {
        self.sets().into_iter().max_by_key(|set| worth(set))
    }
}

fn study(hir: &Hir) -> Facts {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Facts::exact(vec![Vec::new()]),
        HirKind::Literal(literal) => Facts::exact(vec![literal.0.to_ascii_lowercase()]),
        HirKind::Class(class) => members(class).map_or_else(Facts::unknown, Facts::exact),
        HirKind::Capture(capture) => study(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min == 0 => Facts::unknown(),
        HirKind::Repetition(repetition) => repeated(study(&repetition.sub), repetition.min, repetition.max),
        HirKind::Concat(parts) => in_a_row(parts),
        HirKind::Alternation(branches) => one_of(branches),
    }
}

fn members(class: &Class) -> Option<Vec<Vec<u8>>> {
    let Class::Bytes(class) = class else { return None };
    let mut bytes: Vec<u8> = Vec::new();
    for range in class.ranges() {
        if bytes.len() + range.len() > 16 {
            return None;
        }
        bytes.extend((range.start()..=range.end()).map(|byte| byte.to_ascii_lowercase()));
    }
    bytes.sort_unstable();
    bytes.dedup();
    (bytes.len() <= 4).then(|| bytes.into_iter().map(|byte| vec![byte]).collect())
}

fn repeated(facts: Facts, min: u32, max: Option<u32>) -> Facts {
    if min == 1 && max == Some(1) {
        return facts;
    }
    // One turn is certain, so what one turn contains is contained in the whole.
    let required = facts.required.into_iter().chain(facts.exact).collect();
    Facts { exact: None, required }
}

fn in_a_row(parts: &[Hir]) -> Facts {
    let mut required = Vec::new();
    let mut run: Vec<Vec<u8>> = vec![Vec::new()];
    let mut whole = true;
    for part in parts {
        let facts = study(part);
        match facts.exact.and_then(|texts| {
            crossed(&run, &texts).ok_or(texts).map_or_else(|texts| Some(Err(texts)), |run| Some(Ok(run)))
        }) {
            Some(Ok(longer)) => run = longer,
            Some(Err(texts)) => {
                whole = false;
                required.push(std::mem::replace(&mut run, texts));
            }
            None => {
                whole = false;
                required.push(std::mem::replace(&mut run, vec![Vec::new()]));
            }
        }
        required.extend(facts.required);
    }
    if whole {
        return Facts { exact: Some(run), required };
    }
    required.push(run);
    required.retain(|set| shortest(set) > 0);
    Facts { exact: None, required }
}

fn crossed(left: &[Vec<u8>], right: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    let fits = left.len() * right.len() <= MOST_ALTERNATIVES / 4
        && left.iter().map(Vec::len).max().unwrap_or(0) + right.iter().map(Vec::len).max().unwrap_or(0)
            <= LONGEST;
    fits.then(|| {
        let pairs = left.iter().flat_map(|a| right.iter().map(move |b| [&a[..], &b[..]].concat()));
        pairs.collect()
    })
}

fn one_of(branches: &[Hir]) -> Facts {
    let facts: Vec<Facts> = branches.iter().map(study).collect();
    if facts.iter().all(|branch| branch.exact.is_some() && branch.required.is_empty()) {
        let texts: Vec<Vec<u8>> = facts.into_iter().filter_map(|branch| branch.exact).flatten().collect();
        return if texts.len() <= MOST_ALTERNATIVES { Facts::exact(texts) } else { Facts::unknown() };
    }
    let bests: Option<Vec<_>> = facts.into_iter().map(Facts::best).collect();
    let union: Option<Vec<Vec<u8>>> = bests.map(|sets| sets.into_iter().flatten().collect());
    let required = union.filter(|set| set.len() <= MOST_ALTERNATIVES && shortest(set) > 0);
    Facts { exact: None, required: required.into_iter().collect() }
}

fn shortest(set: &[Vec<u8>]) -> usize {
    set.iter().map(Vec::len).min().unwrap_or(0)
}

/// Long enough first, then few, then long.
fn worth(set: &[Vec<u8>]) -> (bool, i64) {
    let length = shortest(set);
    (length >= SHORTEST_LITERAL, length.min(20) as i64 * 2 - set.len() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expression: &str, expected: &[&str]) {
        let found = required_literals(expression, |_| 0).expect("has literals").sought;
        let found: Vec<String> =
            found.into_iter().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
        assert_eq!(found, expected, "{expression}");
    }

    #[test]
    fn takes_the_longest_certain_literal() {
        check(r"port (?<port>\d+) failed: Connection refused", &[" failed: connection refused"]);
        check(r"(?i)Out Of Memory", &["out of memory"]);
        check(r"tasks? were stopped", &[" were stopped"]);
        check(
            r"(?:refused|timed out) by (?:peer|server)",
            &["refused by peer", "refused by server", "timed out by peer", "timed out by server"],
        );
    }

    #[test]
    fn takes_one_literal_per_alternative() {
        check(r"EADDRINUSE.*\d|already in use \w+", &["eaddrinuse", "already in use "]);
    }

    #[test]
    fn takes_what_ordinary_text_does_not_have() {
        let common = |literal: &[u8]| usize::from(literal == b"connection ");
        let found = required_literals(r"connection \d+ exhausted", common).expect("has literals");
        assert_eq!(
            (found.sought, found.besides),
            (vec![b" exhausted".to_vec()], vec![vec![b"connection ".to_vec()]])
        );
    }

    #[test]
    fn short_literals_are_refused() {
        assert_eq!(required_literals(r"\bport\b \d+", |_| 0), Err(LiteralError::TooShort));
        assert_eq!(required_literals(r"connection refused|\d+", |_| 0), Err(LiteralError::TooShort));
    }
}
