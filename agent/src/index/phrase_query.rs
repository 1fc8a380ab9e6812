//! The query for words that follow each other, some of them with digits.

use std::collections::HashMap;
use std::fmt;
use tantivy::postings::{Postings, SegmentPostings};
use tantivy::query::{EmptyScorer, EnableScoring, Explanation, Query, Scorer, TermQuery, Weight};
use tantivy::schema::{IndexRecordOption, Term};
use tantivy::{DocId, DocSet, Score, SegmentReader, TERMINATED};

use super::id_query::explain;
use super::shapes::{ShapeTable, ShapeTables};
use super::spread::{SpreadQuery, table_of};
use super::tokens::is_open;

/// A word with its place in a phrase.
pub type Placed = (usize, Term);

/// Returns the query for words that follow each other, or for one word.
pub fn phrase(words: Vec<Placed>, tables: &ShapeTables) -> Box<dyn Query> {
    let (open, fixed): (Vec<Placed>, Vec<Placed>) =
        words.into_iter().partition(|(_, word)| text_of(word).is_none_or(is_open));
    match (open.len(), fixed.is_empty()) {
        // Words without digits stand in the first document of a shape, and in the same places of all others.
        (0, _) => Box::new(SpreadQuery::new(in_one(fixed, tables), tables.clone())),
        (_, true) => in_one(open, tables),
        _ => Box::new(Phrase { fixed, own: open, tables: tables.clone() }),
    }
}

fn text_of(word: &Term) -> Option<&str> {
    std::str::from_utf8(word.serialized_value_bytes()).ok()
}

/// Returns the query for words that are all indexed in the same documents. Tantivy's own for a phrase may not be what is
/// left out of others: it must not be asked for a document before the one where it stands.
fn in_one(words: Vec<Placed>, tables: &ShapeTables) -> Box<dyn Query> {
    match words.as_slice() {
        [(_, word)] => Box::new(TermQuery::new(word.clone(), IndexRecordOption::Basic)),
        _ => Box::new(Phrase { fixed: Vec::new(), own: words, tables: tables.clone() }),
    }
}

/// Finds the documents with words that follow each other.
#[derive(Clone)]
struct Phrase {
    /// What is indexed with each document that it finds.
    own: Vec<Placed>,
    /// What is indexed with the first document of each shape.
    fixed: Vec<Placed>,
    tables: ShapeTables,
}

impl fmt::Debug for Phrase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "phrase {:?} with {:?}", self.fixed, self.own)
    }
}

impl Query for Phrase {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for Phrase {
    fn scorer(&self, segment: &SegmentReader, _: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let Some(own) = Together::open(&self.own, segment)? else { return Ok(Box::new(EmptyScorer)) };
        let mut fixed = None;
        if !self.fixed.is_empty() {
            let Some(words) = Together::open(&self.fixed, segment)? else { return Ok(Box::new(EmptyScorer)) };
            fixed = Some(FixedWords::read(words, table_of(&self.tables, segment)?));
        }
        let mut scorer = PhraseScorer { own, fixed };
        scorer.pass();
        Ok(Box::new(scorer))
    }

    fn explain(&self, segment: &SegmentReader, document: DocId) -> tantivy::Result<Explanation> {
        explain(self, segment, document)
    }
}

/// Documents that have all of some words.
struct Together {
    words: Vec<(u32, SegmentPostings)>,
    document: DocId,
}

impl Together {
    /// Opens the documents of words; nothing where one of them stands nowhere.
    fn open(words: &[Placed], segment: &SegmentReader) -> tantivy::Result<Option<Together>> {
        let mut postings = Vec::new();
        for (place, word) in words {
            let index = segment.inverted_index(word.field())?;
            match index.read_postings(word, IndexRecordOption::WithFreqsAndPositions)? {
                Some(found) => postings.push((*place as u32, found)),
                None => return Ok(None),
            }
        }
        postings.sort_by_key(|(_, postings)| postings.doc_freq());
        let mut together = Together { words: postings, document: 0 };
        together.go_on(0);
        Ok(Some(together))
    }

    /// Goes to the first document at or after a place that has all words.
    fn go_on(&mut self, from: DocId) -> DocId {
        let mut wanted = from;
        'all: loop {
            for (_, postings) in &mut self.words {
                let found = if postings.doc() < wanted { postings.seek(wanted) } else { postings.doc() };
                if found == TERMINATED {
                    self.document = TERMINATED;
                    return TERMINATED;
                }
                if found > wanted {
                    wanted = found;
                    continue 'all;
                }
            }
            self.document = wanted;
            return wanted;
        }
    }

    /// Returns where the phrase begins in this document, by these words.
    fn begins(&mut self) -> Vec<u32> {
        let mut words = self.words.iter_mut();
        let Some((place, postings)) = words.next() else { return Vec::new() };
        let mut positions = Vec::new();
        postings.positions(&mut positions);
        let mut begins: Vec<u32> =
            positions.iter().filter_map(|position| position.checked_sub(*place)).collect();
        for (place, postings) in words {
            if begins.is_empty() {
                break;
            }
            postings.positions(&mut positions);
            begins.retain(|begin| positions.binary_search(&(begin + *place)).is_ok());
        }
        begins
    }
}

/// Where a phrase begins by its words without digits, in each shape and in documents of none.
struct FixedWords {
    of_shapes: HashMap<usize, Vec<u32>>,
    of_loose: HashMap<DocId, Vec<u32>>,
    table: ShapeTable,
}

impl FixedWords {
    fn read(mut words: Together, table: ShapeTable) -> FixedWords {
        let (mut of_shapes, mut of_loose) = (HashMap::new(), HashMap::new());
        while words.document != TERMINATED {
            let begins = words.begins();
            match table.of(words.document) {
                0 => of_loose.insert(words.document, begins),
                shape => of_shapes.insert(shape, begins),
            };
            words.go_on(words.document + 1);
        }
        FixedWords { of_shapes, of_loose, table }
    }

    fn begins(&self, document: DocId) -> &[u32] {
        let begins = match self.table.of(document) {
            0 => self.of_loose.get(&document),
            shape => self.of_shapes.get(&shape),
        };
        begins.map_or(&[], Vec::as_slice)
    }
}

struct PhraseScorer {
    own: Together,
    /// Nothing where there are no such words.
    fixed: Option<FixedWords>,
}

impl PhraseScorer {
    /// Passes over documents without the phrase.
    fn pass(&mut self) -> DocId {
        while self.own.document != TERMINATED && !self.holds() {
            self.own.go_on(self.own.document + 1);
        }
        self.own.document
    }

    fn holds(&mut self) -> bool {
        let Some(fixed) = &self.fixed else { return !self.own.begins().is_empty() };
        let begins = fixed.begins(self.own.document);
        !begins.is_empty() && self.own.begins().iter().any(|begin| begins.contains(begin))
    }
}

impl DocSet for PhraseScorer {
    fn advance(&mut self) -> DocId {
        if self.own.document != TERMINATED {
            self.own.go_on(self.own.document + 1);
        }
        self.pass()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if self.own.document < target {
            self.own.go_on(target);
        }
        self.pass()
    }

    fn doc(&self) -> DocId {
        self.own.document
    }

    fn size_hint(&self) -> u32 {
        self.own.words.first().map_or(0, |(_, postings)| postings.doc_freq())
    }
}

impl Scorer for PhraseScorer {
    fn score(&mut self) -> Score {
        1.0
    }
}
