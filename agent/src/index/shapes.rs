//! What shape each document has: its words in their order, with those that have digits left open.
//!
//! Programs say the same again and again, so a segment has few shapes. Whether words without digits follow each other in
//! a text depends on its shape alone: it is read once for each shape, and not once for each document.

use std::any::Any;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use tantivy::directory::OwnedBytes;
use tantivy::index::{Segment, SegmentComponent, SegmentId};
use tantivy::indexer::doc_id_mapping::DocIdMapping;
use tantivy::plugin::{PluginMergeContext, PluginWriter, PluginWriterContext, SegmentPlugin};
use tantivy::schema::Schema;
use tantivy::schema::document::ErasedDocument;
use tantivy::{DocId, SegmentReader, TantivyError};

use super::ids;
use super::tokens::Aside;

const EXTENSION: &str = "shapes";
/// So many shapes of a segment are kept, those of the most documents.
const MOST: usize = u16::MAX as usize;
/// How many shapes there are, and how many documents are of none of them.
const HEAD: usize = 8;
/// The mark of a shape, how many documents have it, and the first of them.
const SHAPE: usize = 16;
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

    /// Returns one document of each shape with how many it stands for, and each document of no shape, in their order.
    pub fn samples(&self) -> Vec<(DocId, u32)> {
        let mut samples: Vec<(DocId, u32)> =
            (1..=self.shapes).map(|shape| (self.field(shape, 12), self.field(shape, 8))).collect();
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
        Ok(Box::new(ShapesWriter { aside: self.aside.clone(), marks: Vec::new() }))
    }

    fn merge(&self, merge: PluginMergeContext<'_>) -> tantivy::Result<()> {
        let mut marks = Vec::new();
        for segment in merge.readers {
            let table = ShapeTable::open(segment)?;
            let known: Vec<Option<u64>> =
                std::iter::once(None).chain((1..=table.len()).map(|shape| Some(table.mark(shape)))).collect();
            let of = |document| known.get(table.of(document)).copied().flatten();
            marks.extend((0..segment.max_doc()).map(of));
        }
        write(merge.target_segment, &marks)
    }
}

struct ShapesWriter {
    aside: Aside,
    /// The mark of each document; none for what has no text.
    marks: Vec<Option<u64>>,
}

impl PluginWriter for ShapesWriter {
    fn add_document(&mut self, _: DocId, _: &dyn ErasedDocument, _: &Schema) -> tantivy::Result<()> {
        self.marks.push(self.aside.take_shape());
        Ok(())
    }

    fn serialize(self: Box<Self>, segment: &Segment, _: Option<&DocIdMapping>) -> tantivy::Result<()> {
        write(segment, &self.marks)
    }

    fn mem_usage(&self) -> usize {
        self.marks.capacity() * size_of::<Option<u64>>()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// Writes the table of documents with these marks.
fn write(segment: &Segment, marks: &[Option<u64>]) -> tantivy::Result<()> {
    // How many documents have a mark, and the first of them.
    let mut counts: HashMap<u64, (u32, DocId)> = HashMap::new();
    for (document, mark) in (0..).zip(marks) {
        if let Some(mark) = mark {
            counts.entry(*mark).or_insert((0, document)).0 += 1;
        }
    }
    let mut shapes: Vec<(Reverse<u32>, DocId, u64)> =
        counts.into_iter().map(|(mark, (count, first))| (Reverse(count), first, mark)).collect();
    shapes.sort_unstable();
    shapes.truncate(MOST);
    let numbers: HashMap<u64, u16> = (1..).zip(&shapes).map(|(number, (.., mark))| (*mark, number)).collect();
    let kept: usize = shapes.iter().map(|(Reverse(count), ..)| *count as usize).sum();
    ids::write(segment, component(), |file| {
        file.write_all(&(shapes.len() as u32).to_le_bytes())?;
        file.write_all(&((marks.len() - kept) as u32).to_le_bytes())?;
        for (Reverse(count), first, mark) in &shapes {
            file.write_all(&mark.to_le_bytes())?;
            file.write_all(&count.to_le_bytes())?;
            file.write_all(&first.to_le_bytes())?;
        }
        marks.iter().try_for_each(|mark| {
            let number = mark.and_then(|mark| numbers.get(&mark).copied()).unwrap_or_default();
            file.write_all(&number.to_le_bytes())
        })
    })
}

fn component() -> SegmentComponent {
    SegmentComponent::Custom(EXTENSION.to_owned())
}
