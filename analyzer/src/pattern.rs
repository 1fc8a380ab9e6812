//! Patterns: what a page about one cause says, compiled to plain data.

use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::OnceLock;

use crate::checks::Check;
use crate::diagnosis::noise::Noise;
use crate::matching::{self, Expression, Matcher, Prepared};
use crate::record::{Record, Signal, Source};
use crate::taxonomy::{Class, Remedy, Severity};
use crate::words::Model;

/// One page about one cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pattern {
    /// `application/database/connection-refused`.
    pub id: String,
    pub class: Class,
    pub title: String,
    pub severity: Severity,
    pub remedies: Vec<Remedy>,
    pub explains: Vec<String>,
    pub confirm: Vec<Check>,
    /// Never a root cause.
    pub symptom: bool,
    /// Yields to any page that is not generic on the same record.
    pub generic: bool,
    /// Another program does not answer: what that program itself says explains it.
    pub elsewhere: bool,
    /// Two groups whose values have to differ; records in which they agree are no evidence.
    pub differ: Option<(String, String)>,
    pub conditions: Vec<Condition>,
    /// Names of all groups of all expressions, sorted.
    pub variables: Vec<String>,
    /// Handlebars over the variables.
    pub what_happened: String,
    pub what_to_do: String,
}

impl Pattern {
    /// Whether the page says that it explains that cause or its class.
    pub fn names_as_explained(&self, cause: &str, class: Class) -> bool {
        self.explains.iter().any(|name| name == cause || name == class.as_str())
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    pub role: Role,
    pub signal: Option<Signal>,
    /// Empty: from anywhere.
    pub sources: Vec<Source>,
    pub test: Test,
    pub within: Option<Within>,
    pub after: bool,
}

impl Condition {
    pub fn expressions(&self) -> &[String] {
        match &self.test {
            Test::Find(expressions) => expressions,
            _ => &[],
        }
    }

    /// Whether the one pass over all text looks for it.
    pub fn is_sought(&self) -> bool {
        self.role != Role::Excluding
    }

    /// Whether a record of this kind can meet the condition at all.
    fn admits(&self, source: Source) -> bool {
        // What a metric is called says nothing about its value.
        let signal = source.signal();
        let signal_fits = self.signal.map_or(signal != Signal::Metric, |wanted| wanted == signal);
        let source_fits = self.sources.is_empty() || self.sources.contains(&source);
        signal_fits && source_fits
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Test {
    /// Expressions of which one must match a line.
    Find(Vec<String>),
    /// A check that must be violated.
    Check(Check),
    /// A metric beyond a bound for some time.
    Metric { name: String, above: Option<f64>, below: Option<f64>, for_seconds: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    Required,
    Supporting,
    Excluding,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Within {
    Seconds(u64),
    Lines(u64),
}

/// All patterns, as they are stored: everything that start-up cannot afford is worked out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
pub struct Book {
    pub patterns: Vec<Pattern>,
    pub prepared: Prepared,
    /// What lines of noise have.
    pub noise: Vec<Vec<Vec<u8>>>,
    pub model: Model,
}

/// All patterns, ready to match.
pub struct Patterns {
    list: Vec<Pattern>,
    matcher: Matcher,
    /// The pattern and condition that each expression belongs to.
    owners: Vec<Owner>,
    /// The kinds of records that can meet the condition of each expression, a bit for each.
    admitted: Vec<u16>,
    /// The compiled expressions of excluding conditions, by pattern; compiled when they are first needed.
    exclusions: Vec<OnceLock<Vec<Exclusion>>>,
    noise: Noise,
    model: Model,
    /// The metrics that conditions ask for.
    metrics: BTreeSet<String>,
}

struct Exclusion {
    condition: usize,
    /// What a match has, lower case; none where nothing is certain.
    literals: Vec<Finder<'static>>,
    source: String,
    compiled: OnceLock<Option<Expression>>,
}

impl Exclusion {
    /// Whether a line, in lower case, has what any match has: to look for it costs far less than to compile the expression.
    fn may_match(&self, lines: &[String]) -> bool {
        let has = |line: &String| self.literals.iter().any(|literal| literal.find(line.as_bytes()).is_some());
        self.literals.is_empty() || lines.iter().any(has)
    }

    fn expression(&self) -> Option<&Expression> {
        self.compiled.get_or_init(|| matching::compile(&self.source).ok()).as_ref()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    pub pattern: usize,
    pub condition: usize,
}

impl Patterns {
    pub fn new(book: Book) -> Patterns {
        let owners = owners(&book.patterns);
        let conditions = book.patterns.iter().flat_map(|pattern| &pattern.conditions);
        let metrics = conditions.filter_map(|condition| match &condition.test {
            Test::Metric { name, .. } => Some(name.clone()),
            _ => None,
        });
        let admitted_by = |owner: &Owner| {
            let condition = &book.patterns[owner.pattern].conditions[owner.condition];
            let admitted = Source::ALL.iter().filter(|source| condition.admits(**source));
            admitted.fold(0, |bits, source| bits | bit_of(*source))
        };
        Patterns {
            metrics: metrics.collect(),
            admitted: owners.iter().map(admitted_by).collect(),
            owners,
            exclusions: book.patterns.iter().map(|_| OnceLock::new()).collect(),
            matcher: Matcher::new(book.prepared),
            noise: Noise::new(&book.noise),
            model: book.model,
            list: book.patterns,
        }
    }

    /// Whether a record meets an excluding condition of a pattern. Only records that met the pattern are asked,
    /// so these expressions are not part of the one pass over all text.
    pub fn excludes(&self, pattern: usize, record: &Record, lines: &[&str]) -> bool {
        let page = &self.list[pattern];
        let exclusions = self.exclusions[pattern].get_or_init(|| compiled_exclusions(page));
        if exclusions.is_empty() {
            return false;
        }
        let lower: Vec<String> = lines.iter().map(|line| line.to_ascii_lowercase()).collect();
        exclusions.iter().any(|exclusion| {
            page.conditions[exclusion.condition].admits(record.source)
                && exclusion.may_match(&lower)
                && exclusion
                    .expression()
                    .is_some_and(|expression| lines.iter().any(|line| expression.is_match(line.as_bytes())))
        })
    }

    pub fn list(&self) -> &[Pattern] {
        &self.list
    }

    pub fn get(&self, id: &str) -> Option<&Pattern> {
        self.list.iter().find(|pattern| pattern.id == id)
    }

    pub fn matcher(&self) -> &Matcher {
        &self.matcher
    }

    /// Whether a record of a kind can meet the condition that an expression belongs to.
    pub fn admits(&self, expression: usize, source: Source) -> bool {
        self.admitted[expression] & bit_of(source) != 0
    }

    pub fn owner(&self, expression: usize) -> Owner {
        self.owners[expression]
    }

    pub fn condition(&self, owner: Owner) -> &Condition {
        &self.list[owner.pattern].conditions[owner.condition]
    }

    /// Returns where in a line a cause was recognised; the first condition that matches counts.
    pub fn told(&self, cause: &str, line: &str) -> Option<Range<usize>> {
        let pattern = self.list.iter().position(|pattern| pattern.id == cause)?;
        let first = self.owners.partition_point(|owner| owner.pattern < pattern);
        let own = self.owners[first..].iter().take_while(|owner| owner.pattern == pattern);
        let mut found = (first..).zip(own).filter_map(|(expression, _)| {
            // What cannot match need not be compiled.
            let is_possible = self.matcher.may_match(expression, line.as_bytes());
            let compiled = is_possible.then(|| self.matcher.expression(expression)).flatten()?;
            compiled.find(line.as_bytes())
        });
        found.next()
    }

    /// Whether a condition asks for a metric.
    pub fn measures(&self, metric: &str) -> bool {
        self.metrics.contains(metric)
    }

    pub fn noise(&self) -> &Noise {
        &self.noise
    }

    pub fn model(&self) -> &Model {
        &self.model
    }
}

/// Returns the expressions that the one pass looks for, in the order of their owners.
pub fn expressions(patterns: &[Pattern]) -> Vec<String> {
    let conditions =
        patterns.iter().flat_map(|pattern| &pattern.conditions).filter(|condition| condition.is_sought());
    conditions.flat_map(|condition| condition.expressions()).cloned().collect()
}

fn bit_of(source: Source) -> u16 {
    1 << source as u16
}

fn owners(patterns: &[Pattern]) -> Vec<Owner> {
    let mut owners = Vec::new();
    for (pattern, page) in patterns.iter().enumerate() {
        for (condition, test) in
            page.conditions.iter().enumerate().filter(|(_, condition)| condition.is_sought())
        {
            owners.extend(test.expressions().iter().map(|_| Owner { pattern, condition }));
        }
    }
    owners
}

fn compiled_exclusions(page: &Pattern) -> Vec<Exclusion> {
    let excluding =
        page.conditions.iter().enumerate().filter(|(_, condition)| condition.role == Role::Excluding);
    let sources = excluding
        .flat_map(|(condition, test)| test.expressions().iter().map(move |source| (condition, source)));
    sources
        .map(|(condition, source)| Exclusion {
            condition,
            literals: matching::required_literals(source, |_| 0)
                .map(|found| found.sought.iter().map(|literal| Finder::new(literal).into_owned()).collect())
                .unwrap_or_default(),
            source: source.clone(),
            compiled: OnceLock::new(),
        })
        .collect()
}
