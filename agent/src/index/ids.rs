//! Where identifiers stand: a table beside the words of each segment.
//!
//! In the dictionary of words each identifier would be an entry of its own, and they would take half of the time and
//! of the space of the whole index. Here an occurrence is twelve bytes, sorted by the mark of the identifier: eight of
//! the mark, four of the document.

use std::any::Any;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io::{self, Write};
use std::sync::Arc;
use tantivy::directory::OwnedBytes;
use tantivy::index::{Segment, SegmentId};
use tantivy::indexer::doc_id_mapping::DocIdMapping;
use tantivy::plugin::{PluginMergeContext, PluginWriter, PluginWriterContext, SegmentPlugin};
use tantivy::schema::Schema;
use tantivy::schema::document::ErasedDocument;
use tantivy::{DocId, SegmentReader};

use super::beside;
use super::tokens::Aside;

const EXTENSION: &str = "ids";
const ENTRY: usize = 12;

/// The tables of all segments of a view.
pub type IdTables = Arc<HashMap<SegmentId, IdTable>>;

/// The identifiers of one segment.
#[derive(Clone)]
pub struct IdTable {
    bytes: OwnedBytes,
}

impl IdTable {
    pub fn open(segment: &SegmentReader) -> tantivy::Result<IdTable> {
        Ok(IdTable { bytes: beside::open(segment, EXTENSION)? })
    }

    /// Returns where the occurrences of an identifier begin and end.
    pub fn find(&self, mark: u64) -> (usize, usize) {
        let first = self.first(0, self.len(), |entry| self.mark(entry) >= mark);
        (first, self.first(first, self.len(), |entry| self.mark(entry) > mark))
    }

    /// Returns the first of some entries, in their order, for which something holds; the end where there is none.
    pub fn first(&self, from: usize, to: usize, holds: impl Fn(usize) -> bool) -> usize {
        let (mut low, mut high) = (from, to);
        while low < high {
            let middle = low + (high - low) / 2;
            match holds(middle) {
                true => high = middle,
                false => low = middle + 1,
            }
        }
        low
    }

    pub fn document(&self, entry: usize) -> DocId {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.bytes[entry * ENTRY + 8..(entry + 1) * ENTRY]);
        DocId::from_le_bytes(bytes)
    }

    fn mark(&self, entry: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.bytes[entry * ENTRY..entry * ENTRY + 8]);
        u64::from_le_bytes(bytes)
    }

    fn len(&self) -> usize {
        self.bytes.len() / ENTRY
    }
}

/// Keeps the table of each segment while segments are written and merged.
pub struct Ids {
    aside: Aside,
}

impl Ids {
    /// Takes what the tokenizer of the same index puts aside.
    pub fn new(aside: Aside) -> Ids {
        Ids { aside }
    }
}

impl SegmentPlugin for Ids {
    fn extensions(&self) -> &[&str] {
        &[EXTENSION]
    }

    fn create_writer(&self, _: &PluginWriterContext<'_>) -> tantivy::Result<Box<dyn PluginWriter>> {
        Ok(Box::new(IdsWriter { aside: self.aside.clone(), entries: Vec::new() }))
    }

    fn merge(&self, merge: PluginMergeContext<'_>) -> tantivy::Result<()> {
        beside::check_merge(&merge)?;
        let mut tables = Vec::new();
        let mut before = 0;
        for segment in merge.readers {
            tables.push((IdTable::open(segment)?, before));
            before += segment.max_doc();
        }
        let entry_of = |table: usize, at: usize| {
            let (ids, before) = &tables[table];
            (at < ids.len()).then(|| Reverse((ids.mark(at), before + ids.document(at), table, at)))
        };
        let mut next: BinaryHeap<_> = (0..tables.len()).filter_map(|table| entry_of(table, 0)).collect();
        beside::write(merge.target_segment, EXTENSION, |file| {
            while let Some(Reverse((mark, document, table, at))) = next.pop() {
                write_entry(file, mark, document)?;
                next.extend(entry_of(table, at + 1));
            }
            Ok(())
        })
    }
}

struct IdsWriter {
    aside: Aside,
    entries: Vec<(u64, DocId)>,
}

impl PluginWriter for IdsWriter {
    fn add_document(&mut self, document: DocId, _: &dyn ErasedDocument, _: &Schema) -> tantivy::Result<()> {
        let entries = &mut self.entries;
        self.aside.take(|mark| entries.push((mark, document)));
        Ok(())
    }

    fn serialize(
        mut self: Box<Self>,
        segment: &Segment,
        order_of: Option<&DocIdMapping>,
    ) -> tantivy::Result<()> {
        beside::check_order(order_of)?;
        self.entries.sort_unstable();
        self.entries.dedup();
        beside::write(segment, EXTENSION, |file| {
            self.entries.iter().try_for_each(|(mark, document)| write_entry(file, *mark, *document))
        })
    }

    fn mem_usage(&self) -> usize {
        self.entries.capacity() * size_of::<(u64, DocId)>()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

fn write_entry(file: &mut dyn Write, mark: u64, document: DocId) -> io::Result<()> {
    let mut entry = [0; ENTRY];
    entry[..8].copy_from_slice(&mark.to_le_bytes());
    entry[8..].copy_from_slice(&document.to_le_bytes());
    file.write_all(&entry)
}
