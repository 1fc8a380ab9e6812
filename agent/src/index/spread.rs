//! The query that spreads what holds for one document of a shape to all documents of that shape.

use std::fmt;
use tantivy::query::{EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::{DocId, Score, SegmentReader, TERMINATED, TantivyError};

use super::id_query::explain;
use super::passed::{Listed, Passed};
use super::shapes::{ShapeTable, ShapeTables};

/// Where fewer than one document in so many is found, they are listed; else all documents are passed.
const FEW: usize = 64;

/// Finds the documents whose shape one of the documents of another query has, and those of none that it finds.
pub struct SpreadQuery {
    among: Box<dyn Query>,
    tables: ShapeTables,
}

impl SpreadQuery {
    /// Takes a query for words without digits.
    pub fn new(among: Box<dyn Query>, tables: ShapeTables) -> SpreadQuery {
        SpreadQuery { among, tables }
    }
}

impl Clone for SpreadQuery {
    fn clone(&self) -> SpreadQuery {
        SpreadQuery { among: self.among.box_clone(), tables: self.tables.clone() }
    }
}

impl fmt::Debug for SpreadQuery {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "shapes of {:?}", self.among)
    }
}

impl Query for SpreadQuery {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(SpreadWeight { among: self.among.weight(scoring)?, tables: self.tables.clone() }))
    }
}

struct SpreadWeight {
    among: Box<dyn Weight>,
    tables: ShapeTables,
}

/// Returns the shapes of a segment.
pub fn table_of(tables: &ShapeTables, segment: &SegmentReader) -> tantivy::Result<ShapeTable> {
    tables.get(&segment.segment_id()).cloned().ok_or_else(|| {
        TantivyError::InternalError(format!("the shapes of {:?} are not open", segment.segment_id()))
    })
}

impl SpreadWeight {
    fn found(&self, segment: &SegmentReader) -> tantivy::Result<Found> {
        let table = table_of(&self.tables, segment)?;
        let mut found = Found {
            is_in: vec![false; table.len() + 1],
            shapes: Vec::new(),
            loose: Vec::new(),
            count: 0,
            table,
        };
        let mut among = self.among.scorer(segment, 1.0)?;
        while among.doc() != TERMINATED {
            found.add(among.doc());
            among.advance();
        }
        Ok(found)
    }
}

impl Weight for SpreadWeight {
    fn scorer(&self, segment: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        if table_of(&self.tables, segment)?.len() == 0 {
            return self.among.scorer(segment, boost);
        }
        let found = self.found(segment)?;
        if found.count < segment.max_doc() as usize / FEW {
            return Ok(Box::new(Listed::new(found.listed())));
        }
        let (count, most, mut next_loose) = (found.count as u32, segment.max_doc(), 0);
        Ok(Passed::begin(count, move |from| found.next(from, most, &mut next_loose)))
    }

    fn count(&self, segment: &SegmentReader) -> tantivy::Result<u32> {
        Ok(self.found(segment)?.count as u32)
    }

    fn explain(&self, segment: &SegmentReader, document: DocId) -> tantivy::Result<Explanation> {
        explain(self, segment, document)
    }
}

/// What is found in a segment.
struct Found {
    table: ShapeTable,
    /// Whether a shape is found, by its number.
    is_in: Vec<bool>,
    shapes: Vec<usize>,
    /// Documents of no shape, in their order.
    loose: Vec<DocId>,
    /// How many documents all of these are.
    count: usize,
}

impl Found {
    fn add(&mut self, document: DocId) {
        let shape = self.table.of(document);
        if shape == 0 {
            self.loose.push(document);
            self.count += 1;
        } else if !std::mem::replace(&mut self.is_in[shape], true) {
            self.shapes.push(shape);
            self.count += self.table.places(shape).len();
        }
    }

    /// Returns the first document at or after a place; `next_loose`: how many loose ones were passed.
    fn next(&self, from: DocId, most: u32, next_loose: &mut usize) -> Option<DocId> {
        let Found { table, is_in, loose, .. } = self;
        if loose.get(*next_loose).is_some_and(|next| *next < from) {
            *next_loose += loose[*next_loose..].partition_point(|next| *next < from);
        }
        // None is of the shape 0, so only those before the next loose one are asked for their shapes.
        let next_loose = loose.get(*next_loose).copied();
        let of_shapes = (from..next_loose.unwrap_or(most)).find(|document| is_in[table.of(*document)]);
        of_shapes.or(next_loose)
    }

    fn listed(self) -> Vec<DocId> {
        let Found { table, shapes, loose, .. } = self;
        let of_shapes = shapes.iter().flat_map(|shape| table.places(*shape));
        let mut listed: Vec<DocId> = of_shapes.map(|place| table.document(place)).chain(loose).collect();
        listed.sort_unstable();
        listed
    }
}
