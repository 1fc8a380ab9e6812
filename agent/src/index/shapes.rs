//! What shape each document has: its words in their order, with those that have digits left open, and in ASCII text also
//! what stands between them.
//!
//! Programs say the same again and again, so a segment has few shapes. Words without digits are indexed once for each
//! shape, with the first document that has it: what they find there holds for all documents of the shape. A document
//! whose shape no other one has is of no shape, and is indexed whole.

use std::any::Any;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::ops::Range;
use std::sync::Arc;
use tantivy::directory::OwnedBytes;
use tantivy::index::{Segment, SegmentId};
use tantivy::indexer::doc_id_mapping::DocIdMapping;
use tantivy::plugin::{PluginMergeContext, PluginWriter, PluginWriterContext, SegmentPlugin};
use tantivy::schema::Schema;
use tantivy::schema::document::ErasedDocument;
use tantivy::{DocId, SegmentReader, TantivyError};

use super::beside::{self, number};
use super::seen::AsIs;
use super::tokens::Aside;

const EXTENSION: &str = "shapes";
/// So many shapes of a segment are known while it is written.
const MOST: usize = u16::MAX as usize;
/// How many shapes there are.
const HEAD: usize = 4;
/// The mark of a shape, and where its documents begin in the list of all.
const SHAPE: usize = 12;
/// Stands for the place of no shape.
const NONE: u32 = u32::MAX;
/// A document in the list.
const DOCUMENT: usize = 4;

/// The shapes of the segments of a view.
pub type ShapeTables = Arc<HashMap<SegmentId, ShapeTable>>;

/// The shapes of one segment: each with its mark, the number of the shape of each document, and the documents of each
/// shape in their order.
#[derive(Clone)]
pub struct ShapeTable {
    bytes: OwnedBytes,
    shapes: usize,
    documents: u32,
    /// How many bytes the number of a shape takes.
    width: usize,
}

impl ShapeTable {
    pub fn open(segment: &SegmentReader) -> tantivy::Result<ShapeTable> {
        let bytes = beside::open(segment, EXTENSION)?;
        let documents = segment.max_doc();
        let shapes = if bytes.len() < HEAD { 0 } else { number(&bytes, 0) as usize };
        let table = ShapeTable { bytes, shapes, documents, width: width(shapes) };
        let list = table.list_at();
        let is_whole =
            table.bytes.len() >= list && table.bytes.len() == list + table.begin(shapes + 1) * DOCUMENT;
        match is_whole {
            true => Ok(table),
            false => Err(TantivyError::InternalError("the table of shapes is damaged".to_owned())),
        }
    }

    /// Returns how many shapes there are; they are numbered from 1.
    pub fn len(&self) -> usize {
        self.shapes
    }

    /// Returns the number of the shape of a document; 0 where it is of none.
    pub fn of(&self, document: DocId) -> usize {
        let at = self.numbers_at() + document as usize * self.width;
        match self.width {
            2 => usize::from(u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]])),
            _ => number(&self.bytes, at) as usize,
        }
    }

    /// Returns the places in the list of the documents of a shape.
    pub fn places(&self, shape: usize) -> Range<usize> {
        self.begin(shape)..self.begin(shape + 1)
    }

    /// Returns the document in a place of the list.
    pub fn document(&self, place: usize) -> DocId {
        number(&self.bytes, self.list_at() + place * DOCUMENT)
    }

    fn mark(&self, shape: usize) -> u64 {
        let at = HEAD + (shape - 1) * SHAPE;
        u64::from(number(&self.bytes, at)) | u64::from(number(&self.bytes, at + 4)) << 32
    }

    /// Returns where the documents of a shape begin in the list; of the number behind the last, the length of the list.
    fn begin(&self, shape: usize) -> usize {
        match shape <= self.shapes {
            true => number(&self.bytes, HEAD + (shape - 1) * SHAPE + 8) as usize,
            false => self.bytes.len().saturating_sub(self.list_at()) / DOCUMENT,
        }
    }

    fn numbers_at(&self) -> usize {
        HEAD + self.shapes * SHAPE
    }

    fn list_at(&self) -> usize {
        self.numbers_at() + self.documents as usize * self.width
    }
}

/// Returns how many bytes the numbers of so many shapes take.
fn width(shapes: usize) -> usize {
    if shapes <= MOST { 2 } else { 4 }
}

/// Keeps the table of each segment while segments are written and merged.
pub struct ShapesPlugin {
    aside: Aside,
}

impl ShapesPlugin {
    /// Takes what the tokenizer of the same index puts aside.
    pub fn new(aside: Aside) -> ShapesPlugin {
        ShapesPlugin { aside }
    }
}

impl SegmentPlugin for ShapesPlugin {
    fn extensions(&self) -> &[&str] {
        &[EXTENSION]
    }

    fn create_writer(&self, _: &PluginWriterContext<'_>) -> tantivy::Result<Box<dyn PluginWriter>> {
        self.aside.begin();
        Ok(Box::new(ShapesWriter { aside: self.aside.clone() }))
    }

    fn merge(&self, merge: PluginMergeContext<'_>) -> tantivy::Result<()> {
        beside::check_merge(&merge)?;
        let mut shapes = Shapes { most: usize::MAX, ..Shapes::default() };
        for segment in merge.readers {
            let table = ShapeTable::open(segment)?;
            let places: Vec<Option<u32>> =
                (1..=table.len()).map(|shape| shapes.place(table.mark(shape)).0).collect();
            for document in 0..segment.max_doc() {
                let shape = table.of(document);
                shapes.add(if shape == 0 { None } else { places[shape - 1] });
            }
        }
        shapes.write(merge.target_segment)
    }
}

struct ShapesWriter {
    aside: Aside,
}

impl PluginWriter for ShapesWriter {
    fn add_document(&mut self, _: DocId, _: &dyn ErasedDocument, _: &Schema) -> tantivy::Result<()> {
        self.aside.keep_shape();
        Ok(())
    }

    fn serialize(self: Box<Self>, segment: &Segment, order_of: Option<&DocIdMapping>) -> tantivy::Result<()> {
        beside::check_order(order_of)?;
        self.aside.take_shapes().write(segment)
    }

    fn mem_usage(&self) -> usize {
        self.aside.size_of_shapes()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// The shapes of documents, in the order in which they were first seen.
#[derive(Debug)]
pub struct Shapes {
    /// No more of them are known than this.
    most: usize,
    /// The mark of each, and how many documents have it.
    seen: Vec<(u64, u32)>,
    places: HashMap<u64, u32, BuildHasherDefault<AsIs>>,
    /// The place of the shape of each document, or [`NONE`].
    documents: Vec<u32>,
}

impl Default for Shapes {
    fn default() -> Shapes {
        Shapes { most: MOST, seen: Vec::new(), places: HashMap::default(), documents: Vec::new() }
    }
}

impl Shapes {
    /// Returns the place of a shape, and whether it was not seen before; no place where there are too many.
    pub fn place(&mut self, mark: u64) -> (Option<u32>, bool) {
        if let Some(place) = self.places.get(&mark) {
            return (Some(*place), false);
        }
        let place = self.seen.len() as u32;
        if self.seen.len() >= self.most {
            return (None, true);
        }
        self.seen.push((mark, 0));
        self.places.insert(mark, place);
        (Some(place), true)
    }

    /// Adds a document by the place of its shape.
    pub fn add(&mut self, place: Option<u32>) {
        if let Some(place) = place {
            self.seen[place as usize].1 += 1;
        }
        self.documents.push(place.unwrap_or(NONE));
    }

    pub fn size(&self) -> usize {
        self.documents.capacity() * size_of::<u32>()
            + self.seen.capacity() * size_of::<(u64, u32)>()
            + self.places.capacity() * size_of::<(u64, u32)>()
    }

    fn write(&self, segment: &Segment) -> tantivy::Result<()> {
        // What no other document has is indexed whole, and needs no shape.
        let kept: Vec<usize> = (0..self.seen.len()).filter(|place| self.seen[*place].1 > 1).collect();
        let mut numbers = vec![0u32; self.seen.len()];
        let mut begins = Vec::with_capacity(kept.len());
        let mut length = 0;
        for (number, place) in (1..).zip(&kept) {
            numbers[*place] = number;
            begins.push(length);
            length += self.seen[*place].1;
        }
        let of = |place: &u32| numbers.get(*place as usize).copied().unwrap_or(0);
        let mut list = vec![0; length as usize];
        let mut next = begins.clone();
        for (document, place) in (0..).zip(&self.documents) {
            if let Some(at) = (of(place) as usize).checked_sub(1) {
                list[next[at] as usize] = document;
                next[at] += 1;
            }
        }
        beside::write(segment, EXTENSION, |file| {
            file.write_all(&(kept.len() as u32).to_le_bytes())?;
            for (place, begin) in kept.iter().zip(&begins) {
                file.write_all(&self.seen[*place].0.to_le_bytes())?;
                file.write_all(&begin.to_le_bytes())?;
            }
            for place in &self.documents {
                let number = of(place).to_le_bytes();
                file.write_all(&number[..width(kept.len())])?;
            }
            list.iter().try_for_each(|document: &DocId| file.write_all(&document.to_le_bytes()))
        })
    }
}
