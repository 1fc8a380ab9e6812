//! The queries for what records have besides their text: a part of their context, and a time.

use regex::Regex;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use tantivy::query::{EmptyScorer, EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::{DocId, Score, SegmentReader};

use super::context::Part;
use super::id_query::explain;
use super::passed::{Listed, Passed};
use super::rows::{RowTables, Rows, rows_of};

/// What a part of a context has to be.
#[derive(Clone, Debug)]
pub enum Wanted {
    AnyOf(Vec<String>),
    BeginsWith(String),
    Matches(Regex),
    Something,
    /// Whatever it is, and nothing too.
    Anything,
}

impl Wanted {
    fn accepts(&self, part: &str) -> bool {
        match self {
            Wanted::AnyOf(values) => values.iter().any(|value| value == part),
            Wanted::BeginsWith(prefix) => part.starts_with(prefix),
            Wanted::Matches(expression) => expression.is_match(part),
            Wanted::Something => !part.is_empty(),
            Wanted::Anything => true,
        }
    }
}

/// Finds the records whose context has a part that is wanted.
#[derive(Clone)]
pub struct ContextQuery {
    part: Part,
    wanted: Arc<Wanted>,
    tables: RowTables,
}

impl ContextQuery {
    pub fn new(part: Part, wanted: Wanted, tables: RowTables) -> ContextQuery {
        ContextQuery { part, wanted: Arc::new(wanted), tables }
    }

    /// Returns the contexts of a segment that are wanted.
    fn found(&self, rows: &Rows) -> Vec<usize> {
        let is_wanted = |context: &usize| {
            let written = String::from_utf8_lossy(rows.written(*context));
            self.wanted.accepts(&self.part.of(&written))
        };
        (0..rows.contexts()).filter(is_wanted).collect()
    }
}

impl fmt::Debug for ContextQuery {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {:?}", self.part, self.wanted)
    }
}

impl Query for ContextQuery {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for ContextQuery {
    fn scorer(&self, segment: &SegmentReader, _: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let rows = rows_of(&self.tables, segment)?;
        let found = self.found(rows);
        if found.is_empty() {
            return Ok(Box::new(EmptyScorer));
        }
        // Where all of them are rare, no other document is looked at.
        let lists: Option<Vec<_>> = found.iter().map(|context| rows.listed(*context)).collect();
        if let Some(lists) = lists {
            let mut documents: Vec<DocId> = lists.into_iter().flatten().collect();
            documents.sort_unstable();
            return Ok(Box::new(Listed::new(documents)));
        }
        let mut is_in = vec![false; rows.contexts()];
        found.iter().for_each(|context| is_in[*context] = true);
        let count = found.iter().map(|context| rows.count(*context)).sum();
        let rows = rows.clone();
        let is_wanted = move |rows: &Rows, document| {
            rows.context(document).and_then(|context| is_in.get(context)).is_some_and(|is_in| *is_in)
        };
        Ok(Passed::begin(count, move |from| (from..rows.documents()).find(|at| is_wanted(&rows, *at))))
    }

    fn count(&self, segment: &SegmentReader) -> tantivy::Result<u32> {
        let rows = rows_of(&self.tables, segment)?;
        // A record has one context.
        Ok(self.found(rows).into_iter().map(|context| rows.count(context)).sum())
    }

    fn explain(&self, segment: &SegmentReader, document: DocId) -> tantivy::Result<Explanation> {
        explain(self, segment, document)
    }
}

/// Finds the documents of a span of time.
#[derive(Clone)]
pub struct TimeQuery {
    /// In nanoseconds.
    span: RangeInclusive<i64>,
    tables: RowTables,
}

impl TimeQuery {
    pub fn new(span: RangeInclusive<i64>, tables: RowTables) -> TimeQuery {
        TimeQuery { span, tables }
    }
}

impl fmt::Debug for TimeQuery {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "time {:?}", self.span)
    }
}

impl Query for TimeQuery {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for TimeQuery {
    fn scorer(&self, segment: &SegmentReader, _: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let span = self.span.clone();
        let rows = rows_of(&self.tables, segment)?.clone();
        let most = rows.documents();
        Ok(Passed::begin(most, move |from| rows.next_within(from..most, &span)))
    }

    fn explain(&self, segment: &SegmentReader, document: DocId) -> tantivy::Result<Explanation> {
        explain(self, segment, document)
    }
}
