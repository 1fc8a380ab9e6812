//! Records as the documents of tantivy: it reads them where they are, and nothing is copied.

use analyzer::record::Record;
use jiff::Timestamp;
use std::iter::Empty;
use std::sync::Arc;
use tantivy::DateTime;
use tantivy::schema::Field;
use tantivy::schema::document::{Document, ReferenceValue, ReferenceValueLeaf, Value};

use super::backlog::Queued;
use super::fields::Fields;

/// Records that are stored together.
pub struct Batch {
    pub fields: Fields,
    pub records: Arc<Vec<Record>>,
    /// What is stored of each besides.
    pub rows: Vec<Row>,
    /// Dropped once all of them are in the index.
    pub _queued: Queued,
}

pub struct Row {
    pub time: Timestamp,
    pub seq: u64,
    pub id: u64,
    pub further: Vec<u64>,
    pub context: Arc<[u8]>,
}

/// A described state.
pub struct State {
    pub fields: Fields,
    pub time: Timestamp,
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

/// The values of an item, field by field.
pub struct Values<'a> {
    item: &'a Item,
    step: usize,
}

impl<'a> Iterator for Values<'a> {
    type Item = (Field, Leaf<'a>);

    fn next(&mut self) -> Option<(Field, Leaf<'a>)> {
        loop {
            let step = self.step;
            self.step += 1;
            match self.item {
                Item::State(state) => return of_state(state, step),
                Item::Record { batch, at } => {
                    let (record, row) = (batch.records.get(*at)?, batch.rows.get(*at)?);
                    // A record without a time is stored with the time of its arrival, and says so.
                    if step != 0 || record.time.is_none() {
                        return of_record(&batch.fields, record, row, step);
                    }
                }
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let values = match self.item {
            Item::State(_) => OF_STATE,
            Item::Record { batch, at } => batch.rows.get(*at).map_or(0, |row| OF_RECORD + row.further.len()),
        };
        // The first step gives nothing where the record says when it happened.
        (values.saturating_sub(self.step.max(1)), Some(values.saturating_sub(self.step)))
    }
}

/// Steps through the values of a state, and of a record whose identity is its only one.
const OF_STATE: usize = 4;
const OF_RECORD: usize = 8;

fn of_record<'a>(
    fields: &Fields,
    record: &'a Record,
    row: &'a Row,
    step: usize,
) -> Option<(Field, Leaf<'a>)> {
    Some(match step {
        0 => (fields.timed, Leaf::Truth(false)),
        1 => (fields.time, Leaf::Time(row.time)),
        2 => (fields.seq, Leaf::Number(row.seq)),
        3 => (fields.place, Leaf::Number(record.seq)),
        4 => (fields.line, Leaf::Number(record.line)),
        5 => (fields.text, Leaf::Text(&record.text)),
        6 => (fields.context, Leaf::Bytes(&row.context)),
        7 => (fields.id, Leaf::Number(row.id)),
        _ => (fields.id, Leaf::Number(*row.further.get(step - 8)?)),
    })
}

fn of_state(state: &State, step: usize) -> Option<(Field, Leaf<'_>)> {
    Some(match step {
        0 => (state.fields.time, Leaf::Time(state.time)),
        1 => (state.fields.seq, Leaf::Number(state.seq)),
        2 => (state.fields.wanted, Leaf::Text(&state.wanted)),
        3 => (state.fields.state, Leaf::Text(&state.json)),
        _ => return None,
    })
}

/// A value of an item.
#[derive(Clone, Copy, Debug)]
pub enum Leaf<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
    Number(u64),
    Time(Timestamp),
    Truth(bool),
}

impl<'a> Value<'a> for Leaf<'a> {
    type ArrayIter = Empty<Leaf<'a>>;
    type ObjectIter = Empty<(&'a str, Leaf<'a>)>;

    fn as_value(&self) -> ReferenceValue<'a, Self> {
        ReferenceValue::Leaf(match *self {
            Leaf::Text(text) => ReferenceValueLeaf::Str(text),
            Leaf::Bytes(bytes) => ReferenceValueLeaf::Bytes(bytes),
            Leaf::Number(number) => ReferenceValueLeaf::U64(number),
            Leaf::Time(time) => ReferenceValueLeaf::Date(stored_time(time)),
            Leaf::Truth(truth) => ReferenceValueLeaf::Bool(truth),
        })
    }
}

/// Returns a time as it is stored: to the nanosecond, and as far as 64 bits reach (years 1678 to 2262).
fn stored_time(time: Timestamp) -> DateTime {
    let nanoseconds = time.as_nanosecond().clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    DateTime::from_timestamp_nanos(nanoseconds as i64)
}
