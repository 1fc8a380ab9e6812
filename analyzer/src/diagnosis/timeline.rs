//! The timeline: the events of the deployment, and the evidence of the findings among them.

use std::collections::BTreeMap;

use super::study::Study;
use super::{Finding, TimelineEntry};
use crate::record::{Level, Place, Source};

const MOST_TIMELINE: usize = 60;

/// Returns what happened, in the order in which it happened.
pub(super) fn timeline(study: &Study<'_>, findings: &[Finding]) -> Vec<TimelineEntry> {
    let mut entries: BTreeMap<Place, TimelineEntry> = BTreeMap::new();
    for (place, kept) in &study.events {
        entries.insert(place.clone(), entry(place, kept.source, kept.level, &kept.line, None, 1));
    }
    let mut places: BTreeMap<(String, String), Place> = BTreeMap::new();
    for (place, entry) in &entries {
        places.entry((entry.stream.clone(), entry.text.clone())).or_insert_with(|| place.clone());
    }
    for finding in findings {
        for evidence in finding.evidence.iter().filter(|evidence| evidence.line_number > 0) {
            let said = (evidence.stream.clone(), clip(&evidence.line));
            if let Some(entry) = places.get(&said).and_then(|place| entries.get_mut(place)) {
                entry.cause.get_or_insert_with(|| finding.cause.clone());
                entry.count = entry.count.max(evidence.count);
                continue;
            }
            let place = Place { time: evidence.time, stream: evidence.stream.clone(), seq: evidence.seq };
            let cause = Some(finding.cause.clone());
            let entry = entry(&place, evidence.source, evidence.level, &evidence.line, cause, evidence.count);
            entries.entry(place.clone()).or_insert(entry);
            places.insert(said, place);
        }
    }
    for ((stream, _), scopes) in &study.successes {
        for success in scopes.values() {
            let place = Place { time: success.time, stream: stream.clone(), seq: success.seq };
            let source = study.streams.get(stream).copied().unwrap_or(Source::Other);
            let entry = entry(&place, source, Level::Info, &success.line, None, 1);
            entries.entry(place).or_insert(entry);
        }
    }
    shortened(entries.into_values().collect())
}

/// Leaves out what a long timeline has too much: evidence stays, of the rest the middle goes.
fn shortened(timeline: Vec<TimelineEntry>) -> Vec<TimelineEntry> {
    let idle = timeline.iter().filter(|entry| entry.cause.is_none()).count();
    let room = MOST_TIMELINE.saturating_sub(timeline.len() - idle).min(idle);
    let (head, tail) = (room.div_ceil(2), room / 2);
    let mut passed = 0;
    let stays = |entry: &TimelineEntry| {
        passed += usize::from(entry.cause.is_none());
        entry.cause.is_some() || passed <= head || passed > idle - tail
    };
    let mut timeline: Vec<TimelineEntry> = timeline.into_iter().filter(stays).collect();
    timeline.truncate(MOST_TIMELINE);
    timeline
}

fn entry(
    place: &Place,
    source: Source,
    level: Level,
    text: &str,
    cause: Option<String>,
    count: u64,
) -> TimelineEntry {
    TimelineEntry {
        time: place.time,
        stream: place.stream.clone(),
        seq: place.seq,
        source,
        level,
        text: clip(text),
        cause,
        count,
    }
}

fn clip(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    match line.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
