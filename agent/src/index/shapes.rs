//! What shape each document has: its words in their order, with those that have digits left open.
//!
//! Programs say the same again and again, so a segment has few shapes. Whether words without digits follow each other in
//! a text depends on its shape alone: it is read once for each shape, and not once for each document.

use std::any::Any;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;
use tantivy::directory::OwnedBytes;
use tantivy::index::{Segment, SegmentComponent, SegmentId};
use tantivy::indexer::doc_id_mapping::DocIdMapping;
use tantivy::plugin::{PluginMergeContext, PluginWriter, PluginWriterContext, SegmentPlugin};
use tantivy::schema::Schema;
use tantivy::schema::document::ErasedDocument;
use tantivy::{DocId, SegmentReader, TantivyError};

use super::ids;
use super::seen::AsIs;
use super::tokens::Aside;

const EXTENSION: &str = "shapes";
/// So many shapes of a segment are kept, those of the most documents.
const MOST: usize = u16::MAX as usize;
/// How many shapes there are, and how many documents are of none of them.
const HEAD: usize = 8;
/// The mark of a shape, how many documents have it, the first of them, and its pairs of words.
const SHAPE: usize = 32;
/// The number of the shape of a document, from 1; 0 where it is not kept.
const NUMBER: usize = 2;

/// The shapes of the segments of a view.
pub type ShapeTables = Arc<HashMap<SegmentId, ShapeTable>>;

/// The shapes of one segment.
#[derive(Clone)]
pub struct ShapeTable {
    bytes: OwnedBytes,
    shapes: usize,
    documents: u32,
}

impl ShapeTable {
    pub fn open(segment: &SegmentReader) -> tantivy::Result<ShapeTable> {
        let bytes = segment.open_read(component())?.read_bytes()?;
        let shapes = if bytes.len() < HEAD { 0 } else { number(&bytes, 0) as usize };
        let documents = segment.max_doc();
        match bytes.len() == HEAD + shapes * SHAPE + documents as usize * NUMBER {
            true => Ok(ShapeTable { bytes, shapes, documents }),
            false => Err(TantivyError::InternalError("the table of shapes is damaged".to_owned())),
        }
    }

    /// Returns how many shapes are kept.
    pub fn len(&self) -> usize {
        self.shapes
    }

    /// Returns how many documents are of no shape that is kept.
    pub fn loose(&self) -> usize {
        number(&self.bytes, 4) as usize
    }

    /// Returns the number of the shape of a document, from 1; 0 where it is not kept.
    pub fn of(&self, document: DocId) -> usize {
        let at = HEAD + self.shapes * SHAPE + document as usize * NUMBER;
        usize::from(u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]]))
    }

    /// Whether a shape may have all of some pairs of words.
    pub fn may_have(&self, shape: usize, pairs: u128) -> bool {
        self.pairs(shape) & pairs == pairs
    }

    /// Returns one document of each shape that may have these pairs of words, with how many it stands for,
    /// and each document of no shape, in their order.
    pub fn samples(&self, pairs: u128) -> Vec<(DocId, u32)> {
        let shapes = (1..=self.shapes).filter(|shape| self.may_have(*shape, pairs));
        let mut samples: Vec<(DocId, u32)> =
            shapes.map(|shape| (self.field(shape, 12), self.field(shape, 8))).collect();
        if self.loose() > 0 {
            let loose = (0..self.documents).filter(|document| self.of(*document) == 0);
            samples.extend(loose.map(|document| (document, 1)));
        }
        samples.sort_unstable();
        samples
    }

    fn mark(&self, shape: usize) -> u64 {
        u64::from(self.field(shape, 0)) | u64::from(self.field(shape, 4)) << 32
    }

    fn pairs(&self, shape: usize) -> u128 {
        let parts = (16..SHAPE).step_by(4).rev();
        parts.fold(0, |pairs, at| pairs << 32 | u128::from(self.field(shape, at)))
    }

    fn field(&self, shape: usize, at: usize) -> u32 {
        number(&self.bytes, HEAD + (shape - 1) * SHAPE + at)
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

/// Keeps the table of each segment while segments are written and merged.
pub struct Shapes {
    aside: Aside,
}

impl Shapes {
    /// Takes what the tokenizer of the same index puts aside.
    pub fn new(aside: Aside) -> Shapes {
        Shapes { aside }
    }
}

impl SegmentPlugin for Shapes {
    fn extensions(&self) -> &[&str] {
        &[EXTENSION]
    }

    fn create_writer(&self, _: &PluginWriterContext<'_>) -> tantivy::Result<Box<dyn PluginWriter>> {
        Ok(Box::new(ShapesWriter { aside: self.aside.clone(), seen: Seen::default() }))
    }

    fn merge(&self, merge: PluginMergeContext<'_>) -> tantivy::Result<()> {
        let mut shapes = Seen::default();
        for segment in merge.readers {
            let table = ShapeTable::open(segment)?;
            let mut places: Vec<Option<u32>> = vec![None; table.len() + 1];
            for document in 0..segment.max_doc() {
                let shape = table.of(document);
                let mut place = || shapes.place(table.mark(shape), table.pairs(shape));
                let place = (shape != 0).then(|| *places[shape].get_or_insert_with(&mut place));
                shapes.add(place);
            }
        }
        shapes.write(merge.target_segment)
    }
}

struct ShapesWriter {
    aside: Aside,
    seen: Seen,
}

impl PluginWriter for ShapesWriter {
    fn add_document(&mut self, _: DocId, _: &dyn ErasedDocument, _: &Schema) -> tantivy::Result<()> {
        let place = self.aside.take_shape().map(|shape| self.seen.place(shape.mark, shape.pairs));
        self.seen.add(place);
        Ok(())
    }

    fn serialize(self: Box<Self>, segment: &Segment, _: Option<&DocIdMapping>) -> tantivy::Result<()> {
        self.seen.write(segment)
    }

    fn mem_usage(&self) -> usize {
        self.seen.documents.capacity() * size_of::<Option<u32>>()
            + self.seen.shapes.capacity() * size_of::<ShapeSeen>() * 2
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// The shapes of documents, in the order in which they were first seen.
#[derive(Default)]
struct Seen {
    shapes: Vec<ShapeSeen>,
    places: HashMap<u64, u32, BuildHasherDefault<AsIs>>,
    /// The place of the shape of each document; none for what has no text.
    documents: Vec<Option<u32>>,
}

struct ShapeSeen {
    mark: u64,
    pairs: u128,
    count: u32,
    first: DocId,
}

impl Seen {
    /// Returns the place of a shape; a new one begins with the document that is added next.
    fn place(&mut self, mark: u64, pairs: u128) -> u32 {
        *self.places.entry(mark).or_insert_with(|| {
            self.shapes.push(ShapeSeen { mark, pairs, count: 0, first: self.documents.len() as DocId });
            self.shapes.len() as u32 - 1
        })
    }

    /// Adds a document by the place of its shape.
    fn add(&mut self, place: Option<u32>) {
        if let Some(place) = place {
            self.shapes[place as usize].count += 1;
        }
        self.documents.push(place);
    }

    fn write(&self, segment: &Segment) -> tantivy::Result<()> {
        let mut kept: Vec<u32> = (0..self.shapes.len() as u32).collect();
        kept.sort_by_key(|place| Reverse(self.shapes[*place as usize].count));
        kept.truncate(MOST);
        let mut numbers = vec![0u16; self.shapes.len()];
        for (number, place) in (1..=u16::MAX).zip(&kept) {
            numbers[*place as usize] = number;
        }
        let of_none = |place: &Option<u32>| place.is_none_or(|place| numbers[place as usize] == 0);
        let loose = self.documents.iter().filter(|place| of_none(place)).count();
        ids::write(segment, component(), |file| {
            file.write_all(&(kept.len() as u32).to_le_bytes())?;
            file.write_all(&(loose as u32).to_le_bytes())?;
            for place in &kept {
                let shape = &self.shapes[*place as usize];
                file.write_all(&shape.mark.to_le_bytes())?;
                file.write_all(&shape.count.to_le_bytes())?;
                file.write_all(&shape.first.to_le_bytes())?;
                file.write_all(&shape.pairs.to_le_bytes())?;
            }
            self.documents.iter().try_for_each(|place| {
                let number = place.map_or(0, |place| numbers[place as usize]);
                file.write_all(&number.to_le_bytes())
            })
        })
    }
}

fn component() -> SegmentComponent {
    SegmentComponent::Custom(EXTENSION.to_owned())
}
