//! The query for records by a part of their context.

use regex::Regex;
use std::fmt;
use std::sync::Arc;
use tantivy::query::{BooleanQuery, EnableScoring, Explanation, Query, Scorer, TermQuery, Weight};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, Score, SegmentReader, Term};

use super::context::Part;
use super::id_query::explain;

/// What a part of a context has to be.
#[derive(Clone, Debug)]
pub enum Wanted {
    AnyOf(Vec<String>),
    BeginsWith(String),
    Matches(Regex),
    Something,
}

impl Wanted {
    fn accepts(&self, part: &str) -> bool {
        match self {
            Wanted::AnyOf(values) => values.iter().any(|value| value == part),
            Wanted::BeginsWith(prefix) => part.starts_with(prefix),
            Wanted::Matches(expression) => expression.is_match(part),
            Wanted::Something => !part.is_empty(),
        }
    }
}

/// Finds the records whose context has a part that is wanted.
#[derive(Clone)]
pub struct ContextQuery {
    field: Field,
    part: Part,
    wanted: Arc<Wanted>,
}

impl ContextQuery {
    pub fn new(field: Field, part: Part, wanted: Wanted) -> ContextQuery {
        ContextQuery { field, part, wanted: Arc::new(wanted) }
    }

    /// Visits the contexts of a segment that are wanted, with the number of their documents.
    fn each(&self, segment: &SegmentReader, mut visit: impl FnMut(&[u8], u32)) -> tantivy::Result<()> {
        let index = segment.inverted_index(self.field)?;
        let mut terms = index.terms().stream()?;
        while let Some((written, found)) = terms.next() {
            if self.wanted.accepts(&self.part.of(&String::from_utf8_lossy(written))) {
                visit(written, found.doc_freq);
            }
        }
        Ok(())
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
    fn scorer(&self, segment: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let mut found: Vec<Box<dyn Query>> = Vec::new();
        self.each(segment, |written, _| {
            let term = Term::from_field_bytes(self.field, written);
            found.push(Box::new(TermQuery::new(term, IndexRecordOption::Basic)));
        })?;
        let query =
            if found.len() == 1 { found.swap_remove(0) } else { Box::new(BooleanQuery::union(found)) };
        query.weight(EnableScoring::disabled_from_schema(segment.schema()))?.scorer(segment, boost)
    }

    fn count(&self, segment: &SegmentReader) -> tantivy::Result<u32> {
        let mut count = 0;
        // A document has one context.
        self.each(segment, |_, documents| count += documents)?;
        Ok(count)
    }

    fn explain(&self, segment: &SegmentReader, document: DocId) -> tantivy::Result<Explanation> {
        explain(self, segment, document)
    }
}
