//! What is searched for: words, phrases, fields, and filters beside them.

use analyzer::record::Level;
use anyhow::{Result, anyhow};
use jiff::Timestamp;
use tantivy::query::{BooleanQuery, Occur, Query, TermSetQuery};
use tantivy::schema::{Schema, Term};

use super::context::Part;
use super::context_query::{ContextQuery, Wanted};
use super::fields::Fields;
use super::phrasing::Phrasing;
use super::rows::RowTables;
use super::tables::Tables;

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
    /// Words, `"phrases"`, `field:value`, `AND`, `OR`, `NOT` (or `&&`, `||`, `!`), `( )`, `time:[A TO B]`; empty: everything.
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
    pub(super) fn query(&self, schema: &Schema, fields: &Fields, tables: &Tables) -> Result<Box<dyn Query>> {
        let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        let any = |part, values| -> Box<dyn Query> {
            Box::new(ContextQuery::new(part, Wanted::AnyOf(values), tables.rows.clone()))
        };
        if !matches!(self.words.trim(), "" | "*") {
            let query = Phrasing::new(schema, fields, tables.clone()).read(&self.words).map_err(|reason| {
                anyhow!(
                    "`{}` is no query: {reason}; write words, \"phrases\", field:value (source, stream, entity, severity, deployment), AND, OR, NOT and brackets, and put text with signs in quotes",
                    beginning(&self.words),
                )
            })?;
            clauses.push((Occur::Must, query));
        }
        if !self.filter.deployments.is_empty() {
            clauses.push((Occur::Must, any(Part::Deployment, self.filter.deployments.clone())));
        }
        if !self.filter.sources.is_empty() {
            clauses.push((Occur::Must, any(Part::Source, self.filter.sources.clone())));
        }
        if let Some(least) = self.filter.severity {
            let levels = Level::ALL.into_iter().filter(|level| *level >= least);
            let levels = levels.map(|level| level.as_str().to_owned()).collect();
            clauses.push((Occur::Must, any(Part::Severity, levels)));
        }
        // Described states have a time, but no context. Whatever asks for more than a time finds none of them.
        if clauses.is_empty() || self.words.to_ascii_lowercase().contains("time:") {
            clauses.push((Occur::Must, all_records(&tables.rows)));
        }
        Ok(all_of(clauses))
    }
}

/// Returns the beginning of a query, for messages: `…` says that it goes on.
fn beginning(words: &str) -> String {
    const MOST: usize = 500;
    match words.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words.to_owned(),
    }
}

/// Returns the query for the states that were described while one of these deployments was the wanted one.
pub(super) fn states_of(deployments: &[String], fields: &Fields) -> Box<dyn Query> {
    let terms = deployments.iter().map(|id| Term::from_field_text(fields.wanted, id));
    Box::new(TermSetQuery::new(terms))
}

/// Returns the query for every record, and for no described state.
pub(super) fn all_records(tables: &RowTables) -> Box<dyn Query> {
    Box::new(ContextQuery::new(Part::Source, Wanted::Anything, tables.clone()))
}

/// Joins clauses; one that stands alone stays as it is.
pub(super) fn all_of(mut clauses: Vec<(Occur, Box<dyn Query>)>) -> Box<dyn Query> {
    match clauses.as_slice() {
        [(Occur::Must | Occur::Should, _)] => clauses.swap_remove(0).1,
        _ => Box::new(BooleanQuery::new(clauses)),
    }
}
