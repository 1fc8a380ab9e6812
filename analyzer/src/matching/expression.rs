//! Expressions the way that Medic matches them: bytes, one line, no Unicode classes.

use regex_automata::meta::{Builder, Config, Regex};
use regex_automata::util::captures::Captures;
use regex_automata::util::primitives::PatternID;
use regex_automata::util::syntax;
use std::ops::Range;

/// An expression whose program is larger than this is refused.
const SIZE_LIMIT: usize = 1 << 20;

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Expression(Regex);

/// Compiles an expression, or says what is wrong with it.
pub fn compile(text: &str) -> Result<Expression, String> {
    // The filter has found the literals already: to prepare a search for them would cost more than all the rest,
    // and most expressions run on few lines.
    let config =
        Config::new().auto_prefilter(false).onepass(false).utf8_empty(false).nfa_size_limit(Some(SIZE_LIMIT));
    let syntax = syntax::Config::new().unicode(false).utf8(false);
    let built = Builder::new().configure(config).syntax(syntax).build(text);
    built.map(Expression).map_err(|error| match error.syntax_error() {
        Some(error) => error.to_string().lines().last().unwrap_or_default().trim().to_owned(),
        None => format!("{error}: an expression may take {SIZE_LIMIT} bytes when it is compiled"),
    })
}

impl Expression {
    pub fn is_match(&self, line: &[u8]) -> bool {
        self.0.is_match(line)
    }

    /// Returns where the first match stands.
    pub fn find(&self, line: &[u8]) -> Option<Range<usize>> {
        self.0.find(line).map(|found| found.range())
    }

    /// Returns the names of the groups.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.group_info().pattern_names(PatternID::ZERO).flatten()
    }

    /// Returns what the named groups of the first match hold.
    pub fn values<'t>(&self, line: &'t [u8]) -> Vec<(&str, &'t [u8])> {
        if self.names().next().is_none() {
            return Vec::new();
        }
        let mut captures = Captures::all(self.0.group_info().clone());
        self.0.captures(line, &mut captures);
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
    fn what_is_wrong_is_said() {
        assert_eq!(compile("(a").expect_err("a group is open"), "error: unclosed group");
        assert!(compile(r"[a-z]{5000}{5000}").expect_err("too large").contains("bytes when it is compiled"));
    }
}
