//! Records as the documents of tantivy: it reads them where they are, and nothing is copied.

use analyzer::record::Record;
use jiff::Timestamp;
use std::iter::Empty;
use std::sync::Arc;
use tantivy::schema::Field;
use tantivy::schema::document::{Document, ReferenceValue, ReferenceValueLeaf, Value};

use super::backlog::Queued;
use super::fields::Fields;

/// Records that are stored together.
pub struct Batch {
    pub fields: Fields,
    pub records: Arc<Vec<Record>>,
    /// What is stored of each besides, in [`super::rows`].
    pub rows: Vec<Row>,
    /// Dropped once all of them are in the index.
    pub _queued: Queued,
}

pub struct Row {
    /// When it happened, or when it arrived; in nanoseconds.
    pub time: i64,
    pub seq: u64,
    pub id: u64,
    pub further: Vec<u64>,
    pub context: Arc<[u8]>,
}

/// A described state.
pub struct State {
    pub fields: Fields,
    pub time: i64,
    pub seq: u64,
    /// The deployment that was wanted then.
    pub wanted: String,
    pub json: String,
}

/// What tantivy stores.
pub enum Item {
    Record { batch: Arc<Batch>, at: usize },
    State(Box<State>),
}

impl Document for Item {
    type Value<'a> = Leaf<'a>;
    type FieldsValuesIter<'a> = Values<'a>;

    fn iter_fields_and_values(&self) -> Values<'_> {
        Values { item: self, step: 0 }
    }
}

/// The texts of an item, field by field.
pub struct Values<'a> {
    item: &'a Item,
    step: usize,
}

impl<'a> Iterator for Values<'a> {
    type Item = (Field, Leaf<'a>);

    fn next(&mut self) -> Option<(Field, Leaf<'a>)> {
        let step = self.step;
        self.step += 1;
        match (self.item, step) {
            (Item::Record { batch, at }, 0) => {
                batch.records.get(*at).map(|record| (batch.fields.text, Leaf(&record.text)))
            }
            (Item::State(state), 0) => Some((state.fields.wanted, Leaf(&state.wanted))),
            (Item::State(state), 1) => Some((state.fields.state, Leaf(&state.json))),
            _ => None,
        }
    }
}

/// A text of an item.
#[derive(Clone, Copy, Debug)]
pub struct Leaf<'a>(&'a str);

impl<'a> Value<'a> for Leaf<'a> {
    type ArrayIter = Empty<Leaf<'a>>;
    type ObjectIter = Empty<(&'a str, Leaf<'a>)>;

    fn as_value(&self) -> ReferenceValue<'a, Self> {
        ReferenceValue::Leaf(ReferenceValueLeaf::Str(self.0))
    }
}

/// Returns a time as it is stored: in nanoseconds, and as far as 64 bits reach (years 1678 to 2262).
pub fn stored_time(time: Timestamp) -> i64 {
    time.as_nanosecond().clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}
