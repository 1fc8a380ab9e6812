//! Turns what is stored back into records.

use analyzer::record::Record;
use anyhow::Result;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use tantivy::schema::Value;
use tantivy::store::StoreReader;
use tantivy::{DocId, SegmentReader, TantivyDocument};

use super::context::Context;
use super::fields::Fields;
use super::rows::Rows;
use crate::formats;

/// The stored values of one segment.
pub struct StoredSegment {
    fields: Fields,
    store: StoreReader,
    rows: Rows,
    /// The contexts that were read, by their number.
    known: HashMap<usize, Option<Context>>,
}

impl StoredSegment {
    pub fn open(segment: &SegmentReader, rows: &Rows, fields: Fields) -> Result<StoredSegment> {
        let store = segment.get_store_reader(8)?;
        Ok(StoredSegment { fields, store, rows: rows.clone(), known: HashMap::new() })
    }

    /// Returns the record of a document, and the recorded deployment that it belongs to; `None` for documents that
    /// are not records.
    pub fn record(&mut self, document: DocId) -> Result<Option<(Record, Arc<str>)>> {
        let Some(context) = self.context(document) else { return Ok(None) };
        let stored: TantivyDocument = self.store.get(document)?;
        let text = stored.get_first(self.fields.text).and_then(|value| value.as_str()).unwrap_or_default();
        let time = self.time(document).filter(|_| self.rows.is_timed(document));
        let record = formats::restored(Record {
            stream: context.stream,
            seq: self.rows.place(document),
            time,
            source: context.source,
            level: context.level,
            text: text.to_owned(),
            body: None,
            line: self.rows.line(document),
            entity: context.entity,
            deployment: context.named,
        });
        Ok(Some((record, context.deployment)))
    }

    fn context(&mut self, document: DocId) -> Option<Context> {
        let number = self.rows.context(document)?;
        let read = || Context::read(std::str::from_utf8(self.rows.written(number)).ok()?);
        self.known.entry(number).or_insert_with(read).clone()
    }

    /// Returns the time of a document: when it happened, or when it arrived.
    pub fn time(&self, document: DocId) -> Option<Timestamp> {
        Timestamp::from_nanosecond(i128::from(self.rows.time(document))).ok()
    }

    /// Returns the described state of a document.
    pub fn state(&self, document: DocId) -> Result<Option<String>> {
        let stored: TantivyDocument = self.store.get(document)?;
        Ok(stored.get_first(self.fields.state).and_then(|value| value.as_str()).map(str::to_owned))
    }
}
