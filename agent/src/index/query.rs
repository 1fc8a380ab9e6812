//! What is searched for: words, phrases, fields, and filters beside them.

use analyzer::record::Level;
use anyhow::{Result, anyhow};
use jiff::Timestamp;
use tantivy::Index;
use tantivy::query::{BooleanQuery, ConstScoreQuery, ExistsQuery, Occur, Query, QueryParser, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, Term};

use super::fields::Fields;

/// Filters beside the words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Any of these; empty: all.
    pub deployments: Vec<String>,
    /// Any of these; empty: all.
    pub sources: Vec<String>,
    /// At least so severe.
    pub severity: Option<Level>,
}

/// A question to the index.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Question {
    /// Words, `"phrases"`, `field:value`, `AND`, `OR`, `NOT`, `( )`, `time:[A TO B]`; empty: everything.
    pub words: String,
    pub filter: Filter,
}

impl Question {
    /// Returns the span of time in microseconds, both ends within it.
    pub(super) fn span(&self) -> (i64, i64) {
        let since = self.filter.since.map_or(i64::MIN, Timestamp::as_microsecond);
        let until = self.filter.until.map_or(i64::MAX, Timestamp::as_microsecond);
        (since, until)
    }

    /// Whether it asks for all records of a span.
    pub(super) fn is_everything(&self) -> bool {
        matches!(self.words.trim(), "" | "*")
            && self.filter.deployments.is_empty()
            && self.filter.sources.is_empty()
            && self.filter.severity.is_none()
    }

    /// Returns the query without its span of time.
    pub(super) fn query(&self, index: &Index, fields: &Fields) -> Result<Box<dyn Query>> {
        let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        if !matches!(self.words.trim(), "" | "*") {
            let mut parser = QueryParser::for_index(index, vec![fields.text]);
            parser.set_conjunction_by_default();
            let query = parser.parse_query(&self.words).map_err(|error| {
                anyhow!(
                    "`{}` is no query: {}; write words, \"phrases\", field:value (source, stream, entity, severity, deployment), AND, OR, NOT and brackets, and put text with signs in quotes",
                    self.words,
                    error.to_string().to_lowercase()
                )
            })?;
            clauses.push((Occur::Must, query));
        }
        if !self.filter.deployments.is_empty() {
            let ids = self.filter.deployments.iter().map(String::as_str);
            clauses.push((Occur::Must, any(fields.deployment, ids)));
        }
        if !self.filter.sources.is_empty() {
            clauses.push((Occur::Must, any(fields.source, self.filter.sources.iter().map(String::as_str))));
        }
        if let Some(least) = self.filter.severity {
            let levels = Level::ALL.into_iter().filter(|level| *level >= least);
            clauses.push((Occur::Must, any(fields.severity, levels.map(Level::as_str))));
        }
        // Described states have a time, but no source. Whatever asks for more than a time finds none of them.
        if clauses.is_empty() || self.words.contains("time:") {
            clauses.push((Occur::Must, Box::new(ExistsQuery::new("source".to_owned(), false))));
        }
        Ok(match clauses.len() {
            1 => clauses.swap_remove(0).1,
            _ => Box::new(BooleanQuery::new(clauses)),
        })
    }
}

/// Returns the query for the states that were described while one of these deployments was the wanted one.
pub(super) fn states_of(deployments: &[String], fields: &Fields) -> Box<dyn Query> {
    any(fields.wanted, deployments.iter().map(String::as_str))
}

fn term(field: Field, value: &str) -> Box<dyn Query> {
    Box::new(TermQuery::new(Term::from_field_text(field, value), IndexRecordOption::Basic))
}

fn any<'v>(field: Field, values: impl Iterator<Item = &'v str>) -> Box<dyn Query> {
    let any = BooleanQuery::new(values.map(|value| (Occur::Should, term(field, value))).collect());
    Box::new(ConstScoreQuery::new(Box::new(any), 1.0))
}
