//! The query for an identifier, and the one for a run of words that has identifiers or leaves room between its words.

use std::fmt;
use tantivy::query::{EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::schema::{Field, Value};
use tantivy::store::StoreReader;
use tantivy::{DocId, DocSet, Score, SegmentReader, TERMINATED, TantivyDocument, TantivyError};

use super::ids::{IdTable, IdTables};
use super::tokens::{Word, mark, words};

/// Finds the documents with an identifier.
#[derive(Clone)]
pub struct IdQuery {
    mark: u64,
    tables: IdTables,
}

impl IdQuery {
    pub fn new(id: &str, tables: IdTables) -> IdQuery {
        IdQuery { mark: mark(id), tables }
    }

    /// Returns the table of a segment, and where the identifier stands in it.
    fn places(&self, segment: &SegmentReader) -> tantivy::Result<(IdTable, usize, usize)> {
        let table = self.tables.get(&segment.segment_id()).cloned().ok_or_else(|| {
            TantivyError::InternalError(format!("the identifiers of {:?} are not open", segment.segment_id()))
        })?;
        let (at, end) = table.find(self.mark);
        Ok((table, at, end))
    }
}

impl fmt::Debug for IdQuery {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "identifier {:016x}", self.mark)
    }
}

impl Query for IdQuery {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for IdQuery {
    fn scorer(&self, segment: &SegmentReader, _: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let (table, at, end) = self.places(segment)?;
        Ok(Box::new(IdScorer { table, at, end }))
    }

    fn count(&self, segment: &SegmentReader) -> tantivy::Result<u32> {
        let (_, at, end) = self.places(segment)?;
        Ok((end - at) as u32)
    }

    fn explain(&self, segment: &SegmentReader, document: DocId) -> tantivy::Result<Explanation> {
        explain(self, segment, document)
    }
}

struct IdScorer {
    table: IdTable,
    at: usize,
    end: usize,
}

impl DocSet for IdScorer {
    fn advance(&mut self) -> DocId {
        self.at = (self.at + 1).min(self.end);
        self.doc()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        self.at = self.table.first(self.at, self.end, |entry| self.table.document(entry) >= target);
        self.doc()
    }

    fn doc(&self) -> DocId {
        if self.at < self.end { self.table.document(self.at) } else { TERMINATED }
    }

    fn size_hint(&self) -> u32 {
        (self.end - self.at) as u32
    }
}

impl Scorer for IdScorer {
    fn score(&mut self) -> Score {
        1.0
    }
}

/// Finds, among the documents of another query, those whose text holds a run of words.
#[derive(Debug)]
pub struct RunQuery {
    among: Box<dyn Query>,
    text: Field,
    run: Vec<Word>,
    /// So far may the words be from their places.
    slop: u32,
}

impl Clone for RunQuery {
    fn clone(&self) -> RunQuery {
        RunQuery { among: self.among.box_clone(), text: self.text, run: self.run.clone(), slop: self.slop }
    }
}

impl RunQuery {
    pub fn new(among: Box<dyn Query>, text: Field, run: Vec<Word>, slop: u32) -> RunQuery {
        RunQuery { among, text, run, slop }
    }
}

impl Query for RunQuery {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        let (text, run, slop) = (self.text, self.run.clone(), self.slop);
        Ok(Box::new(RunWeight { among: self.among.weight(scoring)?, text, run, slop }))
    }
}

struct RunWeight {
    among: Box<dyn Weight>,
    text: Field,
    run: Vec<Word>,
    slop: u32,
}

impl Weight for RunWeight {
    fn scorer(&self, segment: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let among = self.among.scorer(segment, boost)?;
        let store = segment.get_store_reader(8)?;
        let (text, run, slop) = (self.text, self.run.clone(), self.slop);
        let mut scorer = RunScorer { among, store, text, run, slop };
        scorer.go_on(scorer.among.doc());
        Ok(Box::new(scorer))
    }

    fn explain(&self, segment: &SegmentReader, document: DocId) -> tantivy::Result<Explanation> {
        explain(self, segment, document)
    }
}

struct RunScorer {
    among: Box<dyn Scorer>,
    store: StoreReader,
    text: Field,
    run: Vec<Word>,
    slop: u32,
}

impl RunScorer {
    /// Passes over documents without the run.
    fn go_on(&mut self, mut document: DocId) -> DocId {
        while document != TERMINATED && !self.holds(document) {
            document = self.among.advance();
        }
        document
    }

    fn holds(&self, document: DocId) -> bool {
        // What cannot be read is told where the record is shown, and not left out.
        let Ok(stored) = self.store.get::<TantivyDocument>(document) else { return true };
        let text = stored.get_first(self.text).and_then(|value| value.as_str()).unwrap_or_default();
        holds(&words(text), &self.run, self.slop as usize)
    }
}

impl DocSet for RunScorer {
    fn advance(&mut self) -> DocId {
        let document = self.among.advance();
        self.go_on(document)
    }

    fn seek(&mut self, target: DocId) -> DocId {
        let document = self.among.seek(target);
        self.go_on(document)
    }

    fn doc(&self) -> DocId {
        self.among.doc()
    }

    fn size_hint(&self) -> u32 {
        self.among.size_hint()
    }
}

impl Scorer for RunScorer {
    fn score(&mut self) -> Score {
        1.0
    }
}

/// Whether words stand in a text, each no farther from its place in the run than `slop`.
fn holds(text: &[Word], run: &[Word], slop: usize) -> bool {
    if slop == 0 {
        return text.windows(run.len()).any(|words| words == run);
    }
    // Where the run would begin, were it for each word alone.
    let begins: Vec<Vec<usize>> = (run.iter().enumerate())
        .map(|(place, word)| {
            let stands = text.iter().enumerate().filter(|(_, found)| *found == word);
            stands.map(|(at, _)| at + run.len() - place).collect()
        })
        .collect();
    begins.iter().flatten().any(|first| {
        begins.iter().all(|of_word| {
            let next = of_word.get(of_word.partition_point(|begin| begin < first));
            next.is_some_and(|begin| *begin <= first + slop)
        })
    })
}

/// Says whether a document matches; none matches better than another.
pub fn explain(
    weight: &dyn Weight,
    segment: &SegmentReader,
    document: DocId,
) -> tantivy::Result<Explanation> {
    match weight.scorer(segment, 1.0)?.seek(document) == document {
        true => Ok(Explanation::new("it matches", 1.0)),
        false => Err(TantivyError::InvalidArgument(format!("document {document} does not match"))),
    }
}
