//! Turns what is stored back into records.

use analyzer::record::Record;
use anyhow::Result;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use tantivy::columnar::{BytesColumn, Column, ColumnValues};
use tantivy::schema::Value;
use tantivy::store::StoreReader;
use tantivy::{DateTime, DocId, SegmentReader, TantivyDocument};

use super::context::Context;
use super::fields::Fields;
use super::zones::times;
use crate::formats;

/// The stored values of one segment.
pub struct StoredSegment {
    fields: Fields,
    store: StoreReader,
    times: Arc<dyn ColumnValues<DateTime>>,
    timed: Column<bool>,
    place: Column<u64>,
    line: Column<u64>,
    contexts: Option<BytesColumn>,
    /// The contexts that were read, by their number.
    known: HashMap<u64, Option<Context>>,
}

impl StoredSegment {
    pub fn open(segment: &SegmentReader, fields: Fields) -> Result<StoredSegment> {
        Ok(StoredSegment {
            fields,
            store: segment.get_store_reader(8)?,
            times: times(segment)?,
            timed: segment.fast_fields().bool("timed")?,
            place: segment.fast_fields().u64("place")?,
            line: segment.fast_fields().u64("line")?,
            contexts: segment.fast_fields().bytes("context")?,
            known: HashMap::new(),
        })
    }

    /// Returns the record of a document, and the recorded deployment that it belongs to; `None` for documents that
    /// are not records.
    pub fn record(&mut self, document: DocId) -> Result<Option<(Record, Arc<str>)>> {
        let Some(context) = self.context(document) else { return Ok(None) };
        let stored: TantivyDocument = self.store.get(document)?;
        let text = stored.get_first(self.fields.text).and_then(|value| value.as_str()).unwrap_or_default();
        let is_timed = self.timed.first(document).unwrap_or(true);
        let record = formats::restored(Record {
            stream: context.stream,
            seq: self.place.first(document).unwrap_or_default(),
            time: if is_timed { self.time(document) } else { None },
            source: context.source,
            level: context.level,
            text: text.to_owned(),
            body: None,
            line: self.line.first(document).unwrap_or_default(),
            entity: context.entity,
            deployment: context.named,
        });
        Ok(Some((record, context.deployment)))
    }

    fn context(&mut self, document: DocId) -> Option<Context> {
        let column = self.contexts.as_ref()?;
        let number = column.ords().first(document)?;
        let read = || {
            let mut written = Vec::new();
            column.ord_to_bytes(number, &mut written).ok()?;
            Context::read(std::str::from_utf8(&written).ok()?)
        };
        self.known.entry(number).or_insert_with(read).clone()
    }

    /// Returns the time of a document: when it happened, or when it arrived.
    pub fn time(&self, document: DocId) -> Option<Timestamp> {
        Timestamp::from_nanosecond(i128::from(self.times.get_val(document).into_timestamp_nanos())).ok()
    }

    /// Returns the described state of a document.
    pub fn state(&self, document: DocId) -> Result<Option<String>> {
        let stored: TantivyDocument = self.store.get(document)?;
        Ok(stored.get_first(self.fields.state).and_then(|value| value.as_str()).map(str::to_owned))
    }
}
