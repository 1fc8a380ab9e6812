//! What each document has besides its text, in a table beside the words of each segment: times, numbers, identities and
//! contexts.
//!
//! The columns of tantivy take values of any kind in any order, and keep a log of each until the segment is written: that
//! took as long as the words. Here all documents have the same values, which are known when a document comes.

use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;
use tantivy::directory::OwnedBytes;
use tantivy::index::SegmentId;
use tantivy::{DocId, SegmentReader, TantivyError};

use super::beside::{self, number};
use super::columns::{BLOCK, Column, Kind};

pub(super) const EXTENSION: &str = "rows";
/// Where each section of the file ends.
const SECTIONS: usize = 14;
pub(super) const HEAD: usize = SECTIONS * 8;
/// Of a context: where its text ends, how many documents have it, and where the list of these ends.
pub(super) const CONTEXT: usize = 12;
const ID: usize = 8;
/// An identity of what is folded into a record: the document, and the identity.
const FURTHER: usize = 12;

/// The rows of the segments of a view.
pub type RowTables = Arc<HashMap<SegmentId, Rows>>;

/// Returns the rows of a segment.
pub fn rows_of<'t>(tables: &'t RowTables, segment: &SegmentReader) -> tantivy::Result<&'t Rows> {
    tables.get(&segment.segment_id()).ok_or_else(|| {
        TantivyError::InternalError(format!("the rows of {:?} are not open", segment.segment_id()))
    })
}

/// The rows of one segment.
#[derive(Clone)]
pub struct Rows {
    bytes: OwnedBytes,
    documents: u32,
    contexts: Range<usize>,
    texts: Range<usize>,
    lists: Range<usize>,
    /// The context of each document, and whether its time is that of its arrival.
    kinds: Range<usize>,
    /// How many bytes each of these takes.
    width: usize,
    times: Column,
    seqs: Column,
    places: Column,
    lines: Column,
    ids: Range<usize>,
    further: Range<usize>,
}

impl Rows {
    pub fn open(segment: &SegmentReader) -> tantivy::Result<Rows> {
        Rows::read(beside::open(segment, EXTENSION)?, segment.max_doc())
            .ok_or_else(|| TantivyError::InternalError("the table of rows is damaged".to_owned()))
    }

    pub(super) fn read(bytes: OwnedBytes, documents: u32) -> Option<Rows> {
        let mut begin = HEAD;
        let mut sections = Vec::with_capacity(SECTIONS);
        for at in 0..SECTIONS {
            let end = usize::try_from(u64::from_le_bytes(*bytes.get(at * 8..)?.first_chunk()?)).ok()?;
            if end < begin {
                return None;
            }
            sections.push(begin..end);
            begin = end;
        }
        let [contexts, texts, lists, kinds, th, td, sh, sd, ph, pd, lh, ld, ids, further] =
            <[Range<usize>; SECTIONS]>::try_from(sections).ok()?;
        let count = documents as usize;
        let heads = Column::heads_of(count);
        let width = width(contexts.len() / CONTEXT);
        let is_whole = [&th, &sh, &ph, &lh].iter().all(|of_column| of_column.len() == heads)
            && kinds.len() == count * width
            && ids.len() == count * ID
            && contexts.len().is_multiple_of(CONTEXT)
            && bytes.len() == further.end
            && further.len().is_multiple_of(FURTHER);
        is_whole.then(|| Rows {
            documents,
            contexts,
            texts,
            lists,
            kinds,
            width,
            times: Column::new(Kind::Times, th, td),
            seqs: Column::new(Kind::Counted, sh, sd),
            places: Column::new(Kind::Counted, ph, pd),
            lines: Column::new(Kind::Counted, lh, ld),
            ids,
            further,
            bytes,
        })
    }

    /// Returns the time of a document in nanoseconds: when it happened, or when it arrived.
    pub fn time(&self, document: DocId) -> i64 {
        self.times.get(&self.bytes, document as usize)
    }

    /// Returns the time of a document in microseconds.
    pub fn micros(&self, document: DocId) -> i64 {
        self.time(document) / 1000
    }

    /// Returns the first and the last time of some documents, which begin with a block, in microseconds.
    pub fn span(&self, documents: Range<DocId>) -> (i64, i64) {
        let blocks = documents.start as usize / BLOCK..(documents.end as usize).div_ceil(BLOCK);
        let spans = blocks.filter_map(|block| self.times.span(&self.bytes, block));
        spans.fold((i64::MAX, i64::MIN), |(first, last), (low, high)| {
            (first.min(low / 1000), last.max(high / 1000))
        })
    }

    /// Returns the first of some documents whose time is within a span, in nanoseconds.
    pub fn next_within(&self, documents: Range<DocId>, span: &RangeInclusive<i64>) -> Option<DocId> {
        let mut document = documents.start;
        while document < documents.end {
            let end = (document - document % BLOCK as u32 + BLOCK as u32).min(documents.end);
            let of_block = self.times.span(&self.bytes, document as usize / BLOCK);
            if of_block.is_some_and(|(first, last)| first <= *span.end() && last >= *span.start())
                && let Some(found) = (document..end).find(|document| span.contains(&self.time(*document)))
            {
                return Some(found);
            }
            document = end;
        }
        None
    }

    /// Returns the place of a document in the order of arrival.
    pub fn seq(&self, document: DocId) -> u64 {
        self.seqs.get(&self.bytes, document as usize) as u64
    }

    /// Returns the position of a record in its stream.
    pub fn place(&self, document: DocId) -> u64 {
        self.places.get(&self.bytes, document as usize) as u64
    }

    /// Returns the number of a record's first line in its stream.
    pub fn line(&self, document: DocId) -> u64 {
        self.lines.get(&self.bytes, document as usize) as u64
    }

    /// Whether a record itself says when it happened.
    pub fn is_timed(&self, document: DocId) -> bool {
        self.kind(document) & 1 == 0
    }

    /// Returns the number of the context of a record; none where the document is no record.
    pub fn context(&self, document: DocId) -> Option<usize> {
        (self.kind(document) as usize >> 1).checked_sub(1)
    }

    /// Returns how many contexts there are.
    pub fn contexts(&self) -> usize {
        self.contexts.len() / CONTEXT
    }

    /// Returns a context as it is written.
    pub fn written(&self, context: usize) -> &[u8] {
        let range = self.texts.start + self.before(context, 0)..self.texts.start + self.until(context, 0);
        self.bytes.get(range).unwrap_or_default()
    }

    /// Returns how many records have a context.
    pub fn count(&self, context: usize) -> u32 {
        self.until(context, 4) as u32
    }

    /// Returns how many records there are.
    pub fn records(&self) -> u32 {
        (0..self.contexts()).map(|context| self.count(context)).sum()
    }

    /// Returns the records that have a context, where they are few enough to be listed.
    pub fn listed(&self, context: usize) -> Option<impl Iterator<Item = DocId> + '_> {
        let (from, to) = (self.before(context, 8), self.until(context, 8));
        let is_listed = from < to || self.count(context) == 0;
        let begin = self.lists.start;
        is_listed.then(|| (from..to).map(move |at| number(&self.bytes, begin + at * 4) as DocId))
    }

    /// Returns the identities of a record and of what is folded into it.
    pub fn identities(&self, document: DocId) -> impl Iterator<Item = u64> + '_ {
        let own = self.context(document).and_then(|_| self.id_at(self.ids.start + document as usize * ID));
        let count = self.further.len() / FURTHER;
        let owner = |at: usize| number(&self.bytes, self.further.start + at * FURTHER) as DocId;
        let first = match count {
            0 => 0,
            _ => partition_point(count, |at| owner(at) < document),
        };
        let further = (first..count).take_while(move |at| owner(*at) == document);
        own.into_iter().chain(further.filter_map(|at| self.id_at(self.further.start + at * FURTHER + 4)))
    }

    /// Whether one of some records has that time, in microseconds, and that identity.
    pub fn holds(&self, documents: Range<DocId>, micros: i64, id: u64) -> bool {
        let of = |document: DocId| self.ids.start + document as usize * ID;
        let ids = self.bytes.get(of(documents.start)..of(documents.end)).unwrap_or_default();
        // Identities differ, where many records may have one time: those are asked for first.
        let own =
            (documents.start..).zip(ids.as_chunks::<ID>().0).filter(|(_, known)| **known == id.to_le_bytes());
        let further = self.bytes.get(self.further.clone()).unwrap_or_default().as_chunks::<FURTHER>().0;
        let further = further.iter().filter(|entry| entry[4..] == id.to_le_bytes());
        let mut found = own.map(|(document, _)| document).chain(further.map(|entry| number(entry, 0)));
        found.any(|document| {
            documents.contains(&document)
                && self.micros(document) == micros
                && self.context(document).is_some()
        })
    }

    /// Returns how many identities there may be.
    pub fn count_identities(&self) -> usize {
        self.documents as usize + self.further.len() / FURTHER
    }

    pub fn documents(&self) -> u32 {
        self.documents
    }

    /// Returns the last place in the order of arrival.
    pub fn newest(&self) -> u64 {
        (0..self.documents).map(|document| self.seq(document)).max().unwrap_or_default()
    }

    fn id_at(&self, at: usize) -> Option<u64> {
        Some(u64::from_le_bytes(*self.bytes.get(at..)?.first_chunk()?))
    }

    fn kind(&self, document: DocId) -> u32 {
        let at = self.kinds.start + document as usize * self.width;
        match self.bytes.get(at..at + self.width) {
            Some(&[one]) => u32::from(one),
            Some(&[one, two]) => u32::from(u16::from_le_bytes([one, two])),
            Some(_) => number(&self.bytes, at),
            None => 0,
        }
    }

    /// Returns a number of a context, by its place among those that a context has.
    fn until(&self, context: usize, place: usize) -> usize {
        number(&self.bytes, self.contexts.start + context * CONTEXT + place) as usize
    }

    /// Returns that number of the context before.
    fn before(&self, context: usize, place: usize) -> usize {
        context.checked_sub(1).map_or(0, |before| self.until(before, place))
    }
}

/// Returns the first of so many places for which something does not hold.
fn partition_point(count: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

/// Returns how many bytes the kind of a document takes where there are so many contexts.
pub(super) fn width(contexts: usize) -> usize {
    match contexts << 1 | 1 {
        0..=0xFF => 1,
        0x100..=0xFFFF => 2,
        _ => 4,
    }
}
