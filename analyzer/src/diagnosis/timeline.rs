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
    for finding in findings {
        for evidence in finding.evidence.iter().filter(|evidence| evidence.line_number > 0) {
            let found = entries
                .values_mut()
                .find(|entry| entry.stream == evidence.stream && entry.text == clip(&evidence.line));
            match found {
                Some(entry) => {
                    entry.cause.get_or_insert_with(|| finding.cause.clone());
                    entry.count = entry.count.max(evidence.count);
                }
                None => {
                    let place =
                        Place { time: evidence.time, stream: evidence.stream.clone(), seq: evidence.seq };
                    let cause = Some(finding.cause.clone());
                    let entry =
                        entry(&place, evidence.source, evidence.level, &evidence.line, cause, evidence.count);
                    entries.entry(place).or_insert(entry);
                }
            }
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
    let mut timeline: Vec<TimelineEntry> = entries.into_values().collect();
    while timeline.len() > MOST_TIMELINE {
        // What is evidence stays; of the rest the middle goes first.
        let middle = timeline.len() / 2;
        let idle = (0..timeline.len()).filter(|&index| timeline[index].cause.is_none());
        let Some(index) = idle.min_by_key(|index| index.abs_diff(middle)) else { break };
        timeline.remove(index);
    }
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
