//! Turns what is stored back into records.

use analyzer::record::{Level, Record, Source, Stream};
use anyhow::Result;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use tantivy::columnar::{Column, ColumnValues, StrColumn};
use tantivy::schema::Value;
use tantivy::store::StoreReader;
use tantivy::{DateTime, DocId, SegmentReader, TantivyDocument};

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
    source: Names,
    origin: Names,
    stream: Names,
    entity: Names,
    severity: Names,
    named: Names,
    deployment: Names,
}

/// A column of names, each read from the dictionary once.
struct Names {
    column: Option<StrColumn>,
    known: HashMap<u64, Arc<str>>,
}

impl Names {
    fn of(segment: &SegmentReader, field: &str) -> Result<Names> {
        Ok(Names { column: segment.fast_fields().str(field)?, known: HashMap::new() })
    }

    fn get(&mut self, document: DocId) -> Option<Arc<str>> {
        let column = self.column.as_ref()?;
        let ord = column.ords().first(document)?;
        if let Some(name) = self.known.get(&ord) {
            return Some(name.clone());
        }
        let mut name = String::new();
        column.ord_to_str(ord, &mut name).ok()?;
        let name: Arc<str> = Arc::from(name);
        self.known.insert(ord, name.clone());
        Some(name)
    }
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
            source: Names::of(segment, "source")?,
            origin: Names::of(segment, "origin")?,
            stream: Names::of(segment, "stream")?,
            entity: Names::of(segment, "entity")?,
            severity: Names::of(segment, "severity")?,
            named: Names::of(segment, "named")?,
            deployment: Names::of(segment, "deployment")?,
        })
    }

    /// Returns the record of a document; `None` for documents that are not records.
    pub fn record(&mut self, document: DocId) -> Result<Option<Record>> {
        let Some(source) = self.source.get(document).and_then(|name| name.parse::<Source>().ok()) else {
            return Ok(None);
        };
        let origin = self.origin.get(document).and_then(|name| name.parse().ok()).unwrap_or(source);
        let stored: TantivyDocument = self.store.get(document)?;
        let text = stored.get_first(self.fields.text).and_then(|value| value.as_str()).unwrap_or_default();
        let name = self.stream.get(document).unwrap_or_default();
        let level = self.severity.get(document).and_then(|name| Level::named(&name)).unwrap_or_default();
        let is_timed = self.timed.first(document).unwrap_or(true);
        Ok(Some(formats::restored(Record {
            stream: Arc::new(Stream { name: name.to_string(), source: origin }),
            seq: self.place.first(document).unwrap_or_default(),
            time: if is_timed { self.time(document) } else { None },
            source,
            level,
            text: text.to_owned(),
            body: None,
            line: self.line.first(document).unwrap_or_default(),
            entity: self.entity.get(document),
            deployment: self.named.get(document),
        })))
    }

    /// Returns the recorded deployment that a document belongs to.
    pub fn deployment(&mut self, document: DocId) -> Option<Arc<str>> {
        self.deployment.get(document)
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
