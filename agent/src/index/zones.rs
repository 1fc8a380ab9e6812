//! The span of time of each run of documents: records arrive nearly in order, so a search for the newest looks at few runs.

use anyhow::Result;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tantivy::columnar::ColumnValues;
use tantivy::index::SegmentId;
use tantivy::{DateTime, SegmentReader};

/// How many documents a run has.
pub const RUN: u32 = 4096;

/// The first and the last time of each run of a segment, in microseconds.
#[derive(Debug)]
pub struct Zones {
    pub spans: Vec<(i64, i64)>,
}

impl Zones {
    /// Returns the runs that may hold times of a span, newest first.
    pub fn newest_first(&self, from: i64, to: i64) -> Vec<(i64, u32)> {
        let mut runs: Vec<(i64, u32)> = self
            .spans
            .iter()
            .enumerate()
            .filter(|(_, (first, last))| *first <= to && *last >= from)
            .map(|(run, (_, last))| (*last, run as u32))
            .collect();
        runs.sort_unstable_by(|a, b| b.cmp(a));
        runs
    }

    pub fn is_within(&self, run: u32, from: i64, to: i64) -> bool {
        self.spans.get(run as usize).is_some_and(|(first, last)| *first >= from && *last <= to)
    }
}

/// Zones of segments, worked out when they are first needed. Segments never change.
#[derive(Debug, Default)]
pub struct ZoneCache {
    known: Mutex<HashMap<SegmentId, Arc<Zones>>>,
}

impl ZoneCache {
    pub fn of(&self, segment: &SegmentReader) -> Result<Arc<Zones>> {
        let id = segment.segment_id();
        if let Some(zones) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Ok(zones.clone());
        }
        let zones = Arc::new(Zones { spans: spans(&*times(segment)?, segment.max_doc()) });
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(id, zones.clone());
        Ok(zones)
    }
}

/// Returns the times of the documents of a segment.
pub fn times(segment: &SegmentReader) -> Result<Arc<dyn ColumnValues<DateTime>>> {
    Ok(segment.fast_fields().date("time")?.first_or_default_col(DateTime::MIN))
}

fn spans(times: &dyn ColumnValues<DateTime>, documents: u32) -> Vec<(i64, i64)> {
    let mut spans = Vec::with_capacity(documents.div_ceil(RUN) as usize);
    let mut buffer = vec![DateTime::MIN; RUN as usize];
    let mut start = 0;
    while start < documents {
        let run = &mut buffer[..RUN.min(documents - start) as usize];
        times.get_range(u64::from(start), run);
        let micros = run.iter().map(|time| time.into_timestamp_micros());
        let (first, last) =
            micros.fold((i64::MAX, i64::MIN), |(low, high), time| (low.min(time), high.max(time)));
        spans.push((first, last));
        start += RUN;
    }
    spans
}
