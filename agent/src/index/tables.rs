//! What a view has beside the words of its segments.

use std::collections::HashMap;
use std::sync::Arc;
use tantivy::Searcher;

use super::ids::{IdTable, IdTables};
use super::rows::{RowTables, Rows};
use super::shapes::{ShapeTable, ShapeTables};

/// The tables of all segments of a view. They are opened with it: a merge removes the files of segments that a view
/// still reads.
#[derive(Clone)]
pub struct Tables {
    pub ids: IdTables,
    pub shapes: ShapeTables,
    pub rows: RowTables,
}

impl Tables {
    pub fn open(view: &Searcher) -> tantivy::Result<Tables> {
        let (mut ids, mut shapes, mut rows) = (HashMap::new(), HashMap::new(), HashMap::new());
        for segment in view.segment_readers() {
            ids.insert(segment.segment_id(), IdTable::open(segment)?);
            shapes.insert(segment.segment_id(), ShapeTable::open(segment)?);
            rows.insert(segment.segment_id(), Rows::open(segment)?);
        }
        Ok(Tables { ids: Arc::new(ids), shapes: Arc::new(shapes), rows: Arc::new(rows) })
    }
}
