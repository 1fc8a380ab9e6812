//! Expressions the way that Medic matches them: bytes, one line, no Unicode classes.

use regex_automata::meta::{Builder, Config, Regex};
use regex_automata::util::captures::Captures;
use regex_automata::util::primitives::PatternID;
use regex_automata::util::syntax;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// An expression whose program is larger than this is refused.
const SIZE_LIMIT: usize = 1 << 20;

/// So often an expression runs by steps before an automaton is built for it: most run on few lines, and the automaton
/// of each takes longer to build than they take, and memory for good.
const PATIENCE: u32 = 32;
/// On longer lines steps take too long.
const LONGEST_BY_STEPS: usize = 512;

/// A compiled expression.
#[derive(Debug)]
pub struct Expression {
    text: Box<str>,
    by_steps: Regex,
    /// How often it ran by steps.
    runs: AtomicU32,
    automaton: OnceLock<Option<Regex>>,
}

/// Compiles an expression, or says what is wrong with it.
pub fn compile(text: &str) -> Result<Expression, String> {
    let by_steps = build(text, false)?;
    Ok(Expression { text: text.into(), by_steps, runs: AtomicU32::new(0), automaton: OnceLock::new() })
}

fn build(text: &str, with_automaton: bool) -> Result<Regex, String> {
    // The filter has found the literals already: to prepare a search for them would cost more than all the rest.
    let config = Config::new()
        .auto_prefilter(false)
        .onepass(false)
        .hybrid(with_automaton)
        .utf8_empty(false)
        .nfa_size_limit(Some(SIZE_LIMIT));
    let syntax = syntax::Config::new().unicode(false).utf8(false);
    Builder::new().configure(config).syntax(syntax).build(text).map_err(|error| match error.syntax_error() {
        Some(error) => error.to_string().lines().last().unwrap_or_default().trim().to_owned(),
        None => format!("{error}: an expression may take {SIZE_LIMIT} bytes when it is compiled"),
    })
}

impl Expression {
    pub fn is_match(&self, line: &[u8]) -> bool {
        match self.automaton_for(line) {
            Some(automaton) => automaton.is_match(line),
            // To ask only whether there is a match, the engine takes a slower way.
            None => self.by_steps.find(line).is_some(),
        }
    }

    /// Returns where the first match stands.
    pub fn find(&self, line: &[u8]) -> Option<Range<usize>> {
        self.automaton_for(line).unwrap_or(&self.by_steps).find(line).map(|found| found.range())
    }

    /// Returns the automaton, where it is worth its price.
    fn automaton_for(&self, line: &[u8]) -> Option<&Regex> {
        if line.len() <= LONGEST_BY_STEPS && self.runs.load(Relaxed) < PATIENCE {
            self.runs.fetch_add(1, Relaxed);
            return None;
        }
        self.automaton.get_or_init(|| build(&self.text, true).ok()).as_ref()
    }

    /// Returns the names of the groups.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_steps.group_info().pattern_names(PatternID::ZERO).flatten()
    }

    /// Returns what the named groups of the first match hold.
    pub fn values<'t>(&self, line: &'t [u8]) -> Vec<(&str, &'t [u8])> {
        if self.names().next().is_none() {
            return Vec::new();
        }
        let engine = self.automaton_for(line).unwrap_or(&self.by_steps);
        let mut captures = Captures::all(engine.group_info().clone());
        engine.captures(line, &mut captures);
        let values = self
            .names()
            .filter_map(|name| Some((name, line.get(captures.get_group_by_name(name)?.range())?)));
        values.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_groups_have_values() {
        let expression = compile(r"host (?<host>\w+)(?: port (?<port>\d+))?").expect("compiles");
        assert_eq!(expression.names().collect::<Vec<_>>(), ["host", "port"]);
        assert_eq!(
            expression.values(b"at host db port 1 and host x"),
            [("host", &b"db"[..]), ("port", b"1")]
        );
        assert_eq!(expression.values(b"host db"), [("host", &b"db"[..])]);
        assert!(expression.values(b"nothing").is_empty());
        assert_eq!(expression.find(b"at host db and"), Some(3..10));
        assert_eq!(expression.find(b"nothing"), None);
    }

    #[test]
    fn an_expression_that_runs_often_finds_the_same() {
        let expression = compile(r"(?i)cannot (?<what>\w+)\b.{0,300}port (?<port>\d+)").expect("compiles");
        let long = format!("cannot bind {} port 80", "x".repeat(LONGEST_BY_STEPS));
        for _ in 0..3 * PATIENCE {
            let line = b"it CANNOT bind to port 8080";
            assert!(expression.is_match(line) && !expression.is_match(b"it can bind to port 8080"));
            assert_eq!(expression.find(line), Some(3..27));
            assert_eq!(expression.values(line), [("what", &b"bind"[..]), ("port", b"8080")]);
            assert!(!expression.is_match(long.as_bytes()));
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(compile("(a").expect_err("a group is open"), "error: unclosed group");
        assert!(compile(r"[a-z]{5000}{5000}").expect_err("too large").contains("bytes when it is compiled"));
    }
}
