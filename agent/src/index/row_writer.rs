//! Writes the rows of segments, and joins them where segments are merged.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use tantivy::index::Segment;
use tantivy::indexer::doc_id_mapping::DocIdMapping;
use tantivy::plugin::{PluginMergeContext, PluginWriter, PluginWriterContext, SegmentPlugin};
use tantivy::schema::Schema;
use tantivy::schema::document::ErasedDocument;
use tantivy::{DocId, TantivyError};

use super::beside;
use super::columns::{ColumnWriter, Kind};
use super::documents::Item;
use super::rows::{CONTEXT, EXTENSION, HEAD, Rows, width};

/// The documents of a context are listed where fewer than one in so many has it.
const LISTED: usize = 64;
/// So many hints tell which context was met last.
const HINTS: usize = 256;

/// Keeps the rows of each segment while segments are written and merged.
pub struct RowsPlugin;

impl SegmentPlugin for RowsPlugin {
    fn extensions(&self) -> &[&str] {
        &[EXTENSION]
    }

    fn create_writer(&self, _: &PluginWriterContext<'_>) -> tantivy::Result<Box<dyn PluginWriter>> {
        Ok(Box::new(RowsWriter::new()))
    }

    fn merge(&self, merge: PluginMergeContext<'_>) -> tantivy::Result<()> {
        beside::check_merge(&merge)?;
        let mut writer = RowsWriter::new();
        for segment in merge.readers {
            writer.add_all(&Rows::open(segment)?);
        }
        writer.write(merge.target_segment)
    }
}

/// What a document has besides its text.
struct Values {
    time: i64,
    seq: u64,
    record: Option<OfRecord>,
}

/// What only records have.
struct OfRecord {
    place: u64,
    line: u64,
    id: u64,
    context: u32,
    is_timed: bool,
}

struct RowsWriter {
    contexts: Contexts,
    kinds: Vec<u32>,
    times: ColumnWriter,
    seqs: ColumnWriter,
    places: ColumnWriter,
    lines: ColumnWriter,
    /// What would be the place and the line of the next record.
    next: (u64, u64),
    ids: Vec<u64>,
    further: Vec<(DocId, u64)>,
}

impl RowsWriter {
    fn new() -> RowsWriter {
        RowsWriter {
            contexts: Contexts::default(),
            kinds: Vec::new(),
            times: ColumnWriter::new(Kind::Times),
            seqs: ColumnWriter::new(Kind::Counted),
            places: ColumnWriter::new(Kind::Counted),
            lines: ColumnWriter::new(Kind::Counted),
            next: (0, 0),
            ids: Vec::new(),
            further: Vec::new(),
        }
    }

    fn add(&mut self, values: &Values) {
        self.times.push(values.time);
        self.seqs.push(values.seq as i64);
        // A document that is no record has numbers that cost nothing.
        let (mut place, mut line, mut id, mut kind) = (self.next.0, self.next.1, 0, 0);
        if let Some(record) = &values.record {
            (place, line, id) = (record.place, record.line, record.id);
            kind = (record.context + 1) << 1 | u32::from(!record.is_timed);
        }
        self.places.push(place as i64);
        self.lines.push(line as i64);
        self.next = (place.wrapping_add(1), line.wrapping_add(1));
        self.ids.push(id);
        self.kinds.push(kind);
    }

    /// Adds all documents of another table, in their order.
    fn add_all(&mut self, rows: &Rows) {
        let before = self.kinds.len() as DocId;
        let numbers: Vec<u32> =
            (0..rows.contexts()).map(|context| self.contexts.number_of(rows.written(context))).collect();
        for document in 0..rows.documents() {
            let context = rows.context(document).and_then(|context| numbers.get(context));
            let mut identities = rows.identities(document);
            let record = context.map(|context| {
                self.contexts.count(*context);
                OfRecord {
                    place: rows.place(document),
                    line: rows.line(document),
                    id: identities.next().unwrap_or_default(),
                    context: *context,
                    is_timed: rows.is_timed(document),
                }
            });
            self.further.extend(identities.map(|id| (before + document, id)));
            self.add(&Values { time: rows.time(document), seq: rows.seq(document), record });
        }
    }

    fn write(self, segment: &Segment) -> tantivy::Result<()> {
        let sections = self.sections();
        beside::write(segment, EXTENSION, |file| {
            sections.iter().try_for_each(|section| file.write_all(section))
        })
    }

    /// Returns the bytes of the file, in pieces.
    fn sections(self) -> Vec<Vec<u8>> {
        let documents = self.kinds.len();
        let (heads, texts, lists) = self.contexts.sections(&self.kinds);
        let width = width(self.contexts.known.len());
        let mut kinds = Vec::with_capacity(documents * width);
        self.kinds.iter().for_each(|kind| kinds.extend_from_slice(&kind.to_le_bytes()[..width]));
        let ids: Vec<u8> = self.ids.iter().flat_map(|id| id.to_le_bytes()).collect();
        let mut sections = vec![heads, texts, lists, kinds];
        for column in [self.times, self.seqs, self.places, self.lines] {
            let (heads, data) = column.finish();
            sections.extend([heads, data]);
        }
        let further = self
            .further
            .iter()
            .flat_map(|(document, id)| document.to_le_bytes().into_iter().chain(id.to_le_bytes()));
        sections.extend([ids, further.collect()]);
        let mut head = Vec::with_capacity(HEAD);
        let mut end = HEAD as u64;
        for section in &sections {
            end += section.len() as u64;
            head.extend_from_slice(&end.to_le_bytes());
        }
        sections.insert(0, head);
        sections
    }
}

impl PluginWriter for RowsWriter {
    fn add_document(
        &mut self,
        document: DocId,
        erased: &dyn ErasedDocument,
        _: &Schema,
    ) -> tantivy::Result<()> {
        let values = match erased.as_any().downcast_ref::<Item>() {
            Some(Item::Record { batch, at }) => {
                let (Some(record), Some(row)) = (batch.records.get(*at), batch.rows.get(*at)) else {
                    return Err(TantivyError::InternalError("a record has no row".to_owned()));
                };
                self.further.extend(row.further.iter().map(|id| (document, *id)));
                let context = self.contexts.number(&row.context);
                self.contexts.count(context);
                let is_timed = record.time.is_some();
                let of_record =
                    OfRecord { place: record.seq, line: record.line, id: row.id, context, is_timed };
                Values { time: row.time, seq: row.seq, record: Some(of_record) }
            }
            Some(Item::State(state)) => Values { time: state.time, seq: state.seq, record: None },
            None => return Err(TantivyError::InternalError("such documents have no rows".to_owned())),
        };
        self.add(&values);
        Ok(())
    }

    fn serialize(self: Box<Self>, segment: &Segment, order_of: Option<&DocIdMapping>) -> tantivy::Result<()> {
        beside::check_order(order_of)?;
        self.write(segment)
    }

    fn mem_usage(&self) -> usize {
        let columns = [&self.times, &self.seqs, &self.places, &self.lines];
        columns.iter().map(|column| column.size()).sum::<usize>()
            + self.kinds.capacity() * size_of::<u32>()
            + self.ids.capacity() * size_of::<u64>()
            + self.further.capacity() * size_of::<(DocId, u64)>()
            + self.contexts.size
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// The contexts of a segment, in the order in which they came.
#[derive(Default)]
struct Contexts {
    numbers: HashMap<Arc<[u8]>, u32>,
    /// Each with how many documents have it.
    known: Vec<(Arc<[u8]>, u32)>,
    /// Those met last, by where they are in memory.
    hints: Vec<Option<(Arc<[u8]>, u32)>>,
    size: usize,
}

impl Contexts {
    /// Returns the number of a context; most were met just before, and are the same in memory.
    fn number(&mut self, context: &Arc<[u8]>) -> u32 {
        self.hints.resize(HINTS, None);
        let place = Arc::as_ptr(context).addr();
        let hint = ((place >> 4) ^ (place >> 12)) % HINTS;
        if let Some((known, number)) = &self.hints[hint]
            && Arc::ptr_eq(known, context)
        {
            return *number;
        }
        let number = self.number_of(context);
        self.hints[hint] = Some((context.clone(), number));
        number
    }

    fn number_of(&mut self, context: &[u8]) -> u32 {
        if let Some(number) = self.numbers.get(context) {
            return *number;
        }
        let number = self.known.len() as u32;
        let context: Arc<[u8]> = Arc::from(context);
        self.size += context.len() + 2 * size_of::<(Arc<[u8]>, u32)>();
        self.numbers.insert(context.clone(), number);
        self.known.push((context, 0));
        number
    }

    fn count(&mut self, context: u32) {
        self.known[context as usize].1 += 1;
    }

    /// Returns the bytes of the heads, of the texts, and of the lists of documents.
    fn sections(&self, kinds: &[u32]) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let (mut heads, mut texts) = (Vec::with_capacity(self.known.len() * CONTEXT), Vec::new());
        let mut ends: Vec<Option<u32>> = Vec::with_capacity(self.known.len());
        let mut length = 0;
        for (text, count) in &self.known {
            let is_listed = (*count as usize) < kinds.len() / LISTED;
            ends.push(is_listed.then_some(length));
            length += if is_listed { *count } else { 0 };
            texts.extend_from_slice(text);
            for number in [texts.len() as u32, *count, length] {
                heads.extend_from_slice(&number.to_le_bytes());
            }
        }
        let mut lists = vec![0; length as usize * 4];
        for (document, kind) in kinds.iter().enumerate() {
            let context = (*kind as usize >> 1).checked_sub(1);
            if let Some(Some(at)) = context.and_then(|context| ends.get_mut(context)) {
                lists[*at as usize * 4..][..4].copy_from_slice(&(document as u32).to_le_bytes());
                *at += 1;
            }
        }
        (heads, texts, lists)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ops::Range;
    use tantivy::directory::OwnedBytes;

    fn read(writer: RowsWriter) -> Rows {
        let documents = writer.kinds.len() as u32;
        Rows::read(OwnedBytes::new(writer.sections().concat()), documents).expect("what is written is whole")
    }

    /// Adds documents of so many contexts; every seventh is no record.
    fn add(writer: &mut RowsWriter, contexts: u32, documents: u32) {
        for document in 0..documents {
            let number = u64::from(document);
            let record = (document % 7 != 3).then(|| {
                // Of the contexts, the first is by far the most common.
                let context = if document.is_multiple_of(2) { 0 } else { document % contexts };
                let context = writer.contexts.number(&Arc::from(context.to_string().as_bytes()));
                writer.contexts.count(context);
                let is_timed = !document.is_multiple_of(5);
                OfRecord { place: number * 3 % 1000, line: number, id: !number, context, is_timed }
            });
            if record.is_some() && document.is_multiple_of(11) {
                writer.further.extend([(document, 1), (document, 2)]);
            }
            writer.add(&Values { time: i64::from(document) * 1_000_000, seq: number + 9, record });
        }
    }

    #[track_caller]
    fn check(rows: &Rows, contexts: u32, documents: Range<u32>) {
        let before = documents.start;
        let mut met: HashMap<usize, Vec<DocId>> = HashMap::new();
        for at in documents.clone() {
            let document = at - before;
            let number = u64::from(document);
            assert_eq!((rows.time(at), rows.seq(at)), (i64::from(document) * 1_000_000, number + 9));
            let Some(context) = rows.context(at) else {
                assert_eq!(document % 7, 3, "{document}");
                assert_eq!(rows.identities(at).count(), 0);
                continue;
            };
            met.entry(context).or_default().push(at);
            let wanted = if document.is_multiple_of(2) { 0 } else { document % contexts };
            assert_eq!(rows.written(context), wanted.to_string().as_bytes());
            assert_eq!((rows.place(at), rows.line(at)), (number * 3 % 1000, number));
            assert_eq!(rows.is_timed(at), !document.is_multiple_of(5));
            let further: &[u64] = if document.is_multiple_of(11) { &[1, 2] } else { &[] };
            assert_eq!(rows.identities(at).collect::<Vec<_>>(), [&[!number], further].concat());
        }
        for (context, of_context) in met {
            let Some(listed) = rows.listed(context) else { continue };
            let here: Vec<DocId> = listed.filter(|at| documents.contains(at)).collect();
            assert_eq!(here, of_context, "{context}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for (contexts, documents, width) in [(1, 1, 1), (5, 1000, 1), (300, 3000, 2), (80_000, 160_000, 4)] {
            let mut writer = RowsWriter::new();
            add(&mut writer, contexts, documents);
            let rows = read(writer);
            assert_eq!(super::width(rows.contexts()), width, "{contexts}");
            check(&rows, contexts, 0..documents);
            let records = (0..documents).filter(|document| document % 7 != 3).count();
            assert_eq!(rows.records() as usize, records);
            assert_eq!(rows.newest(), u64::from(documents) + 8);
            assert_eq!(rows.span(0..documents), (0, i64::from(documents - 1) * 1000));
        }
    }

    #[test]
    fn tables_are_joined() {
        let (mut one, mut other) = (RowsWriter::new(), RowsWriter::new());
        add(&mut one, 3, 500);
        add(&mut other, 9, 700);
        let mut joined = RowsWriter::new();
        joined.add_all(&read(one));
        joined.add_all(&read(other));
        let joined = read(joined);
        assert_eq!(joined.contexts(), 9);
        check(&joined, 3, 0..500);
        check(&joined, 9, 500..1200);
    }

    #[test]
    fn times_are_found_block_by_block() {
        let mut writer = RowsWriter::new();
        add(&mut writer, 2, 1000);
        let rows = read(writer);
        let millis = |from: i64, to: i64| from * 1_000_000..=to * 1_000_000;
        assert_eq!(rows.next_within(0..1000, &millis(640, 641)), Some(640));
        assert_eq!(rows.next_within(641..1000, &millis(640, 641)), Some(641));
        assert_eq!(rows.next_within(642..1000, &millis(640, 641)), None);
        assert_eq!(rows.next_within(0..1000, &millis(-9, -1)), None);
        assert_eq!(rows.next_within(999..1000, &(i64::MIN..=i64::MAX)), Some(999));
        assert_eq!(rows.next_within(0..640, &millis(640, 641)), None);
        assert!(rows.holds(0..1000, 641_000, !641) && rows.holds(600..700, 660_000, 2));
        assert!(!rows.holds(0..1000, 641_000, !642) && !rows.holds(0..641, 641_000, !641));
        assert!(!rows.holds(0..1000, 641_001, !641));
    }

    #[test]
    fn a_damaged_table_is_refused_or_read_without_failing() {
        let mut writer = RowsWriter::new();
        add(&mut writer, 5, 300);
        let whole = writer.sections().concat();
        for at in (0..whole.len()).step_by(7) {
            assert!(Rows::read(OwnedBytes::new(whole[..at].to_vec()), 300).is_none(), "{at}");
            let mut damaged = whole.clone();
            damaged[at] ^= 0xFF;
            let Some(rows) = Rows::read(OwnedBytes::new(damaged), 300) else { continue };
            for document in 0..300 {
                _ = (rows.time(document), rows.seq(document), rows.place(document), rows.line(document));
                _ = rows.context(document).map(|context| (rows.written(context).len(), rows.count(context)));
                _ = rows.identities(document).count();
            }
        }
    }
}
