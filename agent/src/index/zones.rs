//! The span of time of each run of documents: records arrive nearly in order, so a search for the newest looks at few runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tantivy::index::SegmentId;

use super::rows::Rows;

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
    pub fn of(&self, id: SegmentId, rows: &Rows) -> Arc<Zones> {
        if let Some(zones) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return zones.clone();
        }
        let runs = (0..rows.documents()).step_by(RUN as usize);
        let spans = runs.map(|start| rows.span(start..(start + RUN).min(rows.documents()))).collect();
        let zones = Arc::new(Zones { spans });
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(id, zones.clone());
        zones
    }
}
