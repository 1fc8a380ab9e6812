//! The query for words that follow each other.

use std::fmt;
use tantivy::query::{
    BooleanQuery, EnableScoring, Explanation, Occur, PhraseQuery, Query, Scorer, TermQuery, Weight,
};
use tantivy::schema::{IndexRecordOption, Term};
use tantivy::{DocId, DocSet, Score, SeekDangerResult, SegmentReader, TERMINATED, TantivyError};

use super::id_query::explain;
use super::shapes::{ShapeTable, ShapeTables};
use super::tokens::{LONGEST, Shape};

/// Fewer documents with the rarest word than shapes by this are visited; else each shape that may have the phrase is asked.
const FEWER: usize = 32;

/// Finds the documents with words that follow each other, each with its place in the phrase.
#[derive(Clone)]
pub struct WordPhrase {
    words: Vec<(usize, Term)>,
    /// Whether the shape of a document tells; words with digits are in no shape.
    shape_tells: bool,
    tables: ShapeTables,
}

impl WordPhrase {
    pub fn new(words: Vec<(usize, Term)>, tables: ShapeTables) -> WordPhrase {
        // A word that was cut may have digits where it was cut off.
        let may_have_digit = |word| {
            let text = text_of(word).unwrap_or_default();
            text.is_empty() || text.len() >= LONGEST || text.bytes().any(|byte| byte.is_ascii_digit())
        };
        let shape_tells = !words.iter().any(|(_, word)| may_have_digit(word));
        WordPhrase { words, shape_tells, tables }
    }
}

fn text_of(word: &Term) -> Option<&str> {
    std::str::from_utf8(word.serialized_value_bytes()).ok()
}

impl fmt::Debug for WordPhrase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "phrase {:?}", self.words)
    }
}

impl Query for WordPhrase {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        let phrase = PhraseQuery::new_with_offset(self.words.clone()).weight(scoring)?;
        if !self.shape_tells {
            return Ok(phrase);
        }
        let all = self.words.iter().map(|(_, word)| -> (Occur, Box<dyn Query>) {
            (Occur::Must, Box::new(TermQuery::new(word.clone(), IndexRecordOption::Basic)))
        });
        let all = BooleanQuery::new(all.collect()).weight(scoring)?;
        let words = self.words.iter().map(|(_, word)| word.clone()).collect();
        let placed = self.words.iter().filter_map(|(place, word)| Some((*place, text_of(word)?)));
        let pairs = Shape::pairs_of(placed);
        Ok(Box::new(WordPhraseWeight { words, pairs, all, phrase, tables: self.tables.clone() }))
    }
}

struct WordPhraseWeight {
    words: Vec<Term>,
    /// Which pairs of them follow each other.
    pairs: u128,
    /// All words, wherever they stand.
    all: Box<dyn Weight>,
    phrase: Box<dyn Weight>,
    tables: ShapeTables,
}

impl WordPhraseWeight {
    fn table(&self, segment: &SegmentReader) -> tantivy::Result<ShapeTable> {
        self.tables.get(&segment.segment_id()).cloned().ok_or_else(|| {
            TantivyError::InternalError(format!("the shapes of {:?} are not open", segment.segment_id()))
        })
    }

    /// Returns how many documents have the rarest of the words.
    fn rarest(&self, segment: &SegmentReader) -> tantivy::Result<usize> {
        let mut rarest = segment.max_doc();
        for word in &self.words {
            rarest = rarest.min(segment.inverted_index(word.field())?.doc_freq(word)?);
        }
        Ok(rarest as usize)
    }
}

impl Weight for WordPhraseWeight {
    fn scorer(&self, segment: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let table = self.table(segment)?;
        let mut scorer = WordPhraseScorer {
            all: self.all.scorer(segment, boost)?,
            phrase: Phrase::new(self.phrase.scorer(segment, boost)?),
            known: vec![None; table.len() + 1],
            pairs: self.pairs,
            table,
        };
        scorer.go_on(scorer.all.doc());
        Ok(Box::new(scorer))
    }

    fn count(&self, segment: &SegmentReader) -> tantivy::Result<u32> {
        let table = self.table(segment)?;
        if self.rarest(segment)? < table.len() / FEWER + table.loose() {
            let mut scorer = self.scorer(segment, 1.0)?;
            return Ok(scorer.count_including_deleted());
        }
        let mut phrase = Phrase::new(self.phrase.scorer(segment, 1.0)?);
        let samples = table.samples(self.pairs).into_iter();
        Ok(samples.filter(|(document, _)| phrase.is_in(*document)).map(|(_, count)| count).sum())
    }

    fn explain(&self, segment: &SegmentReader, document: DocId) -> tantivy::Result<Explanation> {
        explain(self, segment, document)
    }
}

/// The places of the words, asked of single documents in their order.
struct Phrase {
    places: Box<dyn Scorer>,
    /// Documents before this one are known to be without the phrase, or were asked before.
    next: DocId,
}

impl Phrase {
    fn new(places: Box<dyn Scorer>) -> Phrase {
        Phrase { next: places.doc(), places }
    }

    fn is_in(&mut self, document: DocId) -> bool {
        if document < self.next {
            return false;
        }
        match self.places.seek_danger(document) {
            SeekDangerResult::Found => {
                self.next = document + 1;
                true
            }
            SeekDangerResult::SeekLowerBound(next) => {
                self.next = next.max(document + 1);
                false
            }
        }
    }
}

struct WordPhraseScorer {
    all: Box<dyn Scorer>,
    /// Asked only of documents whose shape was not met before.
    phrase: Phrase,
    /// Whether the phrase stands in each shape.
    known: Vec<Option<bool>>,
    pairs: u128,
    table: ShapeTable,
}

impl WordPhraseScorer {
    /// Passes over documents without the phrase.
    fn go_on(&mut self, mut document: DocId) -> DocId {
        while document != TERMINATED && !self.holds(document) {
            document = self.all.advance();
        }
        document
    }

    fn holds(&mut self, document: DocId) -> bool {
        let shape = self.table.of(document);
        if let Some(known) = self.known[shape] {
            return known;
        }
        if shape == 0 {
            return self.phrase.is_in(document);
        }
        let holds = self.table.may_have(shape, self.pairs) && self.phrase.is_in(document);
        self.known[shape] = Some(holds);
        holds
    }
}

impl DocSet for WordPhraseScorer {
    fn advance(&mut self) -> DocId {
        let document = self.all.advance();
        self.go_on(document)
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if self.doc() >= target {
            return self.doc();
        }
        let document = self.all.seek(target);
        self.go_on(document)
    }

    fn doc(&self) -> DocId {
        self.all.doc()
    }

    fn size_hint(&self) -> u32 {
        self.all.size_hint()
    }
}

impl Scorer for WordPhraseScorer {
    fn score(&mut self) -> Score {
        1.0
    }
}
