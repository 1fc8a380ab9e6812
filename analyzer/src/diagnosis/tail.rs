//! The last records of each stream: whether an application went on after what went wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::kept::Group;
use super::markers::Marker;
use crate::record::{Level, Record, Source, Stream};

/// So many records of a stream are remembered, from its end.
const MOST: usize = 64;

/// The last records of each log, newest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Tails(BTreeMap<String, Vec<Last>>);

#[derive(Clone, Debug)]
struct Last {
    seq: u64,
    entity: Option<Arc<str>>,
    mood: Mood,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Calm,
    Loud,
    /// It speaks of the end of the process.
    Ending,
}

impl Tails {
    /// Remembers the end of a batch; `marked` are its markers, in order.
    pub fn keep(&mut self, records: &[Record], marked: &[(u32, Marker)]) {
        let mut fresh: BTreeMap<&str, Vec<Last>> = BTreeMap::new();
        let mut full: Option<&Arc<Stream>> = None;
        for (index, record) in records.iter().enumerate().rev() {
            if full.is_some_and(|stream| Arc::ptr_eq(stream, &record.stream)) {
                continue;
            }
            if !matches!(record.source, Source::ContainerLog | Source::Other) {
                full = Some(&record.stream);
                continue;
            }
            let tail = fresh.entry(&record.stream.name).or_default();
            if tail.len() >= MOST {
                full = Some(&record.stream);
                continue;
            }
            let from = marked.partition_point(|(at, _)| (*at as usize) < index);
            let is_told = marked[from..]
                .iter()
                .take_while(|(at, _)| *at as usize == index)
                .any(|(_, marker)| matches!(marker, Marker::Telling | Marker::Shutdown));
            let mood = mood_of(record, is_told);
            tail.push(Last { seq: record.seq, entity: record.entity.clone(), mood });
        }
        for (name, last) in fresh {
            let tail = self.0.entry(name.to_owned()).or_default();
            tail.extend(last);
            tail.sort_by(|a, b| b.seq.cmp(&a.seq));
            tail.dedup_by_key(|last| last.seq);
            tail.truncate(MOST);
        }
    }

    /// Whether at least so many calm records follow a group, which then did not come back as often as it did before,
    /// and nothing says that the process ended.
    pub fn goes_on(&self, group: &Group, least: u64) -> bool {
        let Some(tail) = self.0.get(&group.first.place.stream) else { return false };
        let after =
            || tail.iter().filter(|last| last.seq > group.last.seq && last.entity == group.first.entity);
        let calm = after().filter(|last| last.mood == Mood::Calm).count() as u64;
        let is_last_calm = after().next().is_some_and(|last| last.mood == Mood::Calm);
        let usual_gap = match group.count {
            0..=2 => 0,
            count => (group.last.seq - group.first.place.seq) / (count - 1),
        };
        let silence = after().next().map_or(0, |last| last.seq - group.last.seq);
        is_last_calm
            && calm >= least
            && silence > 2 * usual_gap
            && after().all(|last| last.mood != Mood::Ending)
    }
}

fn mood_of(record: &Record, is_told: bool) -> Mood {
    let said = record.said();
    let head: String = said.chars().take(300).collect::<String>().to_ascii_lowercase();
    if ENDINGS.iter().any(|word| head.contains(word)) {
        return Mood::Ending;
    }
    match record.level {
        Level::Warn | Level::Error | Level::Fatal => Mood::Loud,
        Level::Info | Level::Debug | Level::Trace => Mood::Calm,
        Level::Unknown if is_told || said.trim().is_empty() => Mood::Loud,
        Level::Unknown => Mood::Calm,
    }
}

const ENDINGS: [&str; 16] = [
    "shutdown",
    "shutting down",
    "stopping",
    "stopped",
    "exiting",
    "exited",
    "exit code",
    "terminat",
    "closing jpa",
    "goodbye",
    "killed",
    "crash",
    "abort",
    "node.js v",
    "restarting",
    "core dumped",
];
