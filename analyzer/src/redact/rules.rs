//! Applies rules: expressions for secrets that are known by their form, and for those that commands take.

use regex::{Captures, Regex, RegexBuilder};
use std::borrow::Cow;
use std::sync::{LazyLock, OnceLock};

use super::encoded::is_pair;
use super::telling::{Rigour, hides, looks_random, says_nothing};
use super::values::value_at;
use super::{Secret, commands, forms, without};

pub struct Rule {
    pub kind: &'static str,
    /// One of these stands in whatever the expression matches; compared without case.
    pub words: &'static [&'static str],
    /// One of these stands in any text that the rule changes; compared without case. None where the words tell enough.
    hints: &'static [&'static str],
    source: Cow<'static, str>,
    secret: Where,
    compiled: OnceLock<Option<Regex>>,
}

/// Where the secret is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// In the group of that name.
    Captured,
    /// There, where it is no word that a person chose.
    CapturedRandom,
    /// It is the value that begins where the match ends.
    Next,
    /// It is in that value behind a colon: `user:password`.
    BehindColon,
    /// It is that value where it is both of these in Base64.
    Encoded,
}

pub static RULES: LazyLock<Vec<Rule>> =
    LazyLock::new(|| forms::rules().into_iter().chain(commands::rules()).collect());

/// What links a name to its value, and what opens the value.
pub const LINK: &str = r#"(?:\\*["'])?\s*(?:=>|[=:])\s*(?:\\*["'])?"#;

impl Rule {
    pub fn new(
        secret: Where,
        kind: &'static str,
        words: &'static [&'static str],
        hints: &'static [&'static str],
        source: impl Into<Cow<'static, str>>,
    ) -> Rule {
        Rule { kind, words, hints, source: source.into(), secret, compiled: OnceLock::new() }
    }

    /// Returns a text without what the rule finds, and how much that was; nothing where it finds nothing.
    pub fn apply(&self, text: &str) -> Option<(String, u64)> {
        if !self.hints.is_empty() && !self.hints.iter().any(|hint| contains_ignoring_case(text, hint)) {
            return None;
        }
        let expression = self.expression()?;
        if !matches!(self.secret, Where::Captured | Where::CapturedRandom) {
            let found =
                expression.find_iter(text).filter_map(|found| self.secret_at(text.as_bytes(), found.end()));
            return without(text, found.collect(), self.kind);
        }
        let mut count = 0;
        let replaced = expression.replace_all(text, |found: &Captures<'_>| {
            let secret = found.name("secret").or(found.name("other"));
            let is_other = |secret: &[u8]| {
                hides(secret) || self.secret == Where::CapturedRandom && !looks_random(secret, Rigour::Strict)
            };
            if secret.is_none_or(|secret| is_other(secret.as_str().as_bytes())) {
                return found[0].to_owned();
            }
            count += 1;
            let part = |name: &str| found.name(name).map_or("", |part| part.as_str());
            format!("{}[redacted:{}]{}", part("before"), self.kind, part("after"))
        });
        (count > 0).then(|| (replaced.into_owned(), count))
    }

    fn secret_at(&self, text: &[u8], at: usize) -> Option<Secret> {
        let mut range = value_at(text, at)?.range;
        let is_number = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
        if self.secret == Where::BehindColon {
            let value = &text[range.clone()];
            let said = memchr::memmem::find(value, b"[redacted:").unwrap_or(value.len());
            let colon = memchr::memchr(b':', &value[..said])?;
            let user = range.start..range.start + colon;
            range.start = user.end + 1;
            if text[range.clone()].starts_with(b"//") {
                return None;
            }
            // A user and a group of a container are numbers.
            if !user.is_empty() && is_number(&text[user]) && is_number(&text[range.clone()]) {
                return None;
            }
        }
        let value = &text[range.clone()];
        let is_port = value.split(|byte| *byte == b':').all(|part| part.len() <= 5 && is_number(part));
        let is_kept = is_port && self.secret == Where::Next
            || self.secret == Where::Encoded && !is_pair(value)
            || says_nothing(value)
            || value.starts_with(b"-")
            || value.starts_with(b"Object(");
        (!is_kept).then_some(Secret { range, quotes: None })
    }

    /// Compiles the expression when it is first needed: most runs need few.
    fn expression(&self) -> Option<&Regex> {
        let compile = || RegexBuilder::new(&self.source).size_limit(1 << 22).build().ok();
        self.compiled.get_or_init(compile).as_ref()
    }
}

fn contains_ignoring_case(text: &str, hint: &str) -> bool {
    let first = hint.as_bytes()[0];
    let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    let bytes = text.as_bytes();
    memchr::memchr2_iter(lower, upper, bytes).any(|at| {
        bytes.get(at..at + hint.len()).is_some_and(|part| part.eq_ignore_ascii_case(hint.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_expressions_compile() {
        assert!(RULES.len() <= 64, "a bit a rule");
        for rule in RULES.iter() {
            assert!(rule.expression().is_some(), "{}", rule.source);
        }
    }
}
