//! The timeline: the events of the deployment, and the evidence of the findings among them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::study::Study;
use super::{Evidence, Finding, TimelineEntry};
use crate::record::{Level, Place, Source};
use crate::templates::shape_hash;

const MOST_TIMELINE: usize = 60;

/// Returns what happened, in the order in which it happened.
pub(super) fn timeline(study: &Study<'_>, findings: &[Finding]) -> Vec<TimelineEntry> {
    let mut entries: BTreeMap<Place, TimelineEntry> = BTreeMap::new();
    for (place, kept) in &study.events {
        let text = told(kept.source, &kept.line, &kept.text);
        entries.insert(place.clone(), entry(place, kept.source, kept.level, &text, None, 1));
    }
    let mut places: BTreeMap<(String, String), Place> = BTreeMap::new();
    for (place, entry) in &entries {
        places.entry((entry.stream.clone(), entry.text.clone())).or_insert_with(|| place.clone());
    }
    // What each piece of evidence counts, by stream and shape.
    let mut counted: BTreeMap<(String, u64), Place> = BTreeMap::new();
    for finding in findings {
        for evidence in finding.evidence.iter().filter(|evidence| evidence.line_number > 0) {
            let text = told(evidence.source, &evidence.line, &evidence.text);
            let said = (evidence.stream.clone(), clip(&text));
            let own = place_of(evidence);
            let place = if entries.contains_key(&own) { Some(&own) } else { places.get(&said) };
            let place = place.unwrap_or(&own).clone();
            if evidence.count > 1 {
                counted.insert((evidence.stream.clone(), shape_hash(&clip(&text))), place.clone());
            }
            if let Some(entry) = entries.get_mut(&place) {
                entry.cause.get_or_insert_with(|| finding.cause.clone());
                entry.count = entry.count.max(evidence.count);
                continue;
            }
            let cause = Some(finding.cause.clone());
            let entry = entry(&place, evidence.source, evidence.level, &text, cause, evidence.count);
            entries.insert(place.clone(), entry);
            places.insert(said, place);
        }
    }
    leave_out_counted(&mut entries, &counted);
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

fn place_of(evidence: &Evidence) -> Place {
    Place { time: evidence.time, stream: evidence.stream.clone(), seq: evidence.seq }
}

/// Leaves out the events that evidence counts already.
fn leave_out_counted(entries: &mut BTreeMap<Place, TimelineEntry>, counted: &BTreeMap<(String, u64), Place>) {
    if counted.is_empty() {
        return;
    }
    let streams: BTreeSet<&String> = counted.keys().map(|(stream, _)| stream).collect();
    entries.retain(|place, entry| {
        entry.cause.is_some()
            || !streams.contains(&entry.stream)
            || counted
                .get(&(entry.stream.clone(), shape_hash(&entry.text)))
                .is_none_or(|first| first == place)
    });
}

/// Returns the line of a record that the timeline shows. Of a task that stopped it says what its containers ended with.
fn told<'t>(source: Source, line: &'t str, text: &'t str) -> Cow<'t, str> {
    const SAYS_NOTHING: &str = "Essential container in task exited";
    let Some(head) = text.lines().next().filter(|_| source == Source::EcsStoppedTask) else {
        return Cow::Borrowed(line);
    };
    let ended = text.lines().skip(1).filter(|line| {
        let is_good = line.contains("exitCode=0") && !line.contains("reason=");
        line.starts_with("container ") && (line.contains("exitCode=") || line.contains("reason=")) && !is_good
    });
    let ended: Vec<String> = ended.map(|line| line.replacen(" STOPPED ", " ", 1)).collect();
    if ended.is_empty() || !head.contains(" STOPPED") {
        return Cow::Borrowed(line);
    }
    let head = head.trim_end();
    let head = head.strip_suffix(SAYS_NOTHING).unwrap_or(head).trim_end().trim_end_matches([':', '.']);
    Cow::Owned(format!("{head}: {}", ended.join("; ")))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let first = text.lines().next().unwrap_or_default();
        assert_eq!(told(Source::EcsStoppedTask, first, text), expected);
    }

    #[test]
    fn a_stop_says_what_its_containers_ended_with() {
        check(
            "task 0f9d STOPPED EssentialContainerExited: Essential container in task exited\ncontainer web STOPPED exitCode=137 reason=OutOfMemoryError: killed\ncontainer logs STOPPED exitCode=0",
            "task 0f9d STOPPED EssentialContainerExited: container web exitCode=137 reason=OutOfMemoryError: killed",
        );
        check(
            "task 0f9d STOPPED TaskFailedToStart: CannotPullContainerError: no\ncontainer web STOPPED",
            "task 0f9d STOPPED TaskFailedToStart: CannotPullContainerError: no",
        );
    }
}
