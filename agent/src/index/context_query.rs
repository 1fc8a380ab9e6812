//! The queries for what records have besides their text: a part of their context, and a time.

use regex::Regex;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use tantivy::query::{EmptyScorer, EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::{DocId, DocSet, Score, SegmentReader, TERMINATED};

use super::context::Part;
use super::id_query::explain;
use super::rows::{RowTables, Rows, rows_of};
use super::spread::Listed;

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
        let is_wanted = move |rows: &Rows, document| {
            rows.context(document).and_then(|context| is_in.get(context)).is_some_and(|is_in| *is_in)
        };
        let next = move |rows: &Rows, from| (from..rows.documents()).find(|at| is_wanted(rows, *at));
        let count = found.iter().map(|context| rows.count(*context)).sum();
        Ok(Passed::begin(rows, next, count))
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
        let rows = rows_of(&self.tables, segment)?;
        Ok(Passed::begin(
            rows,
            move |rows: &Rows, from| rows.next_within(from..rows.documents(), &span),
            rows.documents(),
        ))
    }

    fn explain(&self, segment: &SegmentReader, document: DocId) -> tantivy::Result<Explanation> {
        explain(self, segment, document)
    }
}

/// Documents that are found by passing over those that are not wanted.
struct Passed<N> {
    rows: Rows,
    /// Returns the first wanted document at or after a place.
    next: N,
    document: DocId,
    most: u32,
}

impl<N: Fn(&Rows, DocId) -> Option<DocId> + Send + Sync + 'static> Passed<N> {
    /// Begins with the first document; there are `most` at most.
    fn begin(rows: &Rows, next: N, most: u32) -> Box<dyn Scorer> {
        let mut passed = Passed { rows: rows.clone(), next, document: 0, most };
        passed.go_on(0);
        Box::new(passed)
    }

    fn go_on(&mut self, from: DocId) -> DocId {
        self.document = (self.next)(&self.rows, from).unwrap_or(TERMINATED);
        self.document
    }
}

impl<N: Fn(&Rows, DocId) -> Option<DocId> + Send + Sync + 'static> DocSet for Passed<N> {
    fn advance(&mut self) -> DocId {
        match self.document {
            TERMINATED => TERMINATED,
            document => self.go_on(document + 1),
        }
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if self.document >= target { self.document } else { self.go_on(target) }
    }

    fn doc(&self) -> DocId {
        self.document
    }

    fn size_hint(&self) -> u32 {
        self.most
    }
}

impl<N: Fn(&Rows, DocId) -> Option<DocId> + Send + Sync + 'static> Scorer for Passed<N> {
    fn score(&mut self) -> Score {
        1.0
    }
}
