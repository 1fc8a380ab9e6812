//! The last records of each stream: whether an application went on after what went wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::kept::Group;
use super::listeners::Listeners;
use super::markers::Marker;
use crate::record::{Level, Record, Source, Stream};

/// So many records of a stream are remembered, from its end.
const MOST: usize = 64;

/// The last records of each log, newest first; and where its programs listen.
#[derive(Clone, Debug, Default)]
pub(super) struct Tails {
    last: BTreeMap<String, Vec<Last>>,
    pub listeners: Listeners,
}

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
    /// It tells neither.
    Silent,
    /// It speaks of the end of the process.
    Ending,
}

impl Tails {
    /// Remembers the last records of each log of a batch; `marked` are its markers, in order.
    pub fn keep(&mut self, records: &[Record], marked: &[(u32, Marker)]) {
        self.listeners.keep(records, marked);
        let mut fresh: BTreeMap<&str, BTreeMap<u64, Last>> = BTreeMap::new();
        // The stream at hand, and the place from which on its records are worth a look.
        let mut known: Option<(&Arc<Stream>, u64)> = None;
        for (index, record) in records.iter().enumerate().rev() {
            if known.is_some_and(|(stream, from)| Arc::ptr_eq(stream, &record.stream) && record.seq < from) {
                continue;
            }
            if !matches!(record.source, Source::ContainerLog | Source::Other) {
                known = Some((&record.stream, u64::MAX));
                continue;
            }
            let tail = fresh.entry(&record.stream.name).or_default();
            if tail.len() >= MOST
                && let Some((first, _)) = tail.first_key_value()
                && record.seq < *first
            {
                known = Some((&record.stream, *first));
                continue;
            }
            let from = marked.partition_point(|(at, _)| (*at as usize) < index);
            let markers = marked[from..].iter().take_while(|(at, _)| *at as usize == index);
            let mood = mood_of(record, markers.map(|(_, marker)| *marker));
            tail.insert(record.seq, Last { seq: record.seq, entity: record.entity.clone(), mood });
            if tail.len() > MOST {
                tail.pop_first();
            }
        }
        for (name, last) in fresh {
            let tail = self.last.entry(name.to_owned()).or_default();
            tail.extend(last.into_values());
            tail.sort_by_key(|last| std::cmp::Reverse(last.seq));
            tail.dedup_by_key(|last| last.seq);
            tail.truncate(MOST);
        }
    }

    /// Whether at least so many calm records follow a group, which then did not come back as often as it did before,
    /// and nothing says that the process ended.
    pub fn goes_on(&self, group: &Group, least: u64) -> bool {
        let Some(tail) = self.last.get(&group.first.place.stream) else { return false };
        let after =
            || tail.iter().filter(|last| last.seq > group.last.seq && last.entity == group.first.entity);
        let calm = after().filter(|last| last.mood == Mood::Calm).count() as u64;
        let is_last_calm =
            after().find(|last| last.mood != Mood::Silent).is_some_and(|last| last.mood == Mood::Calm);
        let usual_gap = match group.count {
            0..=1 => 0,
            // Where clocks step, the first of a group in time may stand behind the last.
            count => group.last.seq.abs_diff(group.first.place.seq) / (count - 1),
        };
        let silence = after().next().map_or(0, |last| last.seq - group.last.seq);
        is_last_calm
            && calm >= least
            && silence > 2 * usual_gap
            && after().all(|last| last.mood != Mood::Ending)
    }

    /// Whether nothing calm follows a group: it is how the log ends, as far as it was seen.
    pub fn ends_with(&self, group: &Group) -> bool {
        let Some(tail) = self.last.get(&group.first.place.stream) else { return false };
        tail.iter()
            .filter(|last| last.seq > group.last.seq && last.entity == group.first.entity)
            .all(|last| last.mood != Mood::Calm)
    }

    /// Whether the process ended after a group, started again, and has since said more, calmly, than it ever had before.
    pub fn came_further(&self, group: &Group) -> bool {
        let Some(tail) = self.last.get(&group.first.place.stream) else { return false };
        let after =
            || tail.iter().filter(|last| last.seq > group.last.seq && last.entity == group.first.entity);
        let Some(ending) = after().find(|last| last.mood == Mood::Ending) else { return false };
        let since = || after().filter(|last| last.seq > ending.seq);
        let calm = since().filter(|last| last.mood == Mood::Calm).count() as u64;
        let newest = since().next().map_or(0, |last| last.seq - ending.seq);
        calm >= ENOUGH_SINCE_RESTART
            && since().all(|last| matches!(last.mood, Mood::Calm | Mood::Silent))
            && newest > group.last.seq + 1
    }
}

/// So many calm records show that a process which was started again is well.
const ENOUGH_SINCE_RESTART: u64 = 6;

/// A line without a level may go on with what an error says; only a request that was answered shows life.
fn mood_of(record: &Record, mut markers: impl Iterator<Item = Marker>) -> Mood {
    let head: String = record.said().chars().take(300).collect::<String>().to_ascii_lowercase();
    if ENDINGS.iter().any(|word| head.contains(word)) {
        return Mood::Ending;
    }
    match record.level {
        Level::Warn | Level::Error | Level::Fatal => Mood::Loud,
        Level::Info | Level::Debug | Level::Trace => Mood::Calm,
        Level::Unknown if answers_well(&head) || markers.any(|marker| marker == Marker::Served) => Mood::Calm,
        Level::Unknown => Mood::Silent,
    }
}

/// Whether a line tells of a request and of its answer: `GET /about 200 2ms`.
pub(super) fn answers_well(lower: &str) -> bool {
    let request = ["get /", "post /", "put /", "head /"].iter().any(|verb| lower.contains(verb));
    request && [" 200", " 204", " 304"].iter().any(|code| lower.contains(code))
}

const ENDINGS: [&str; 21] = [
    "run failed",
    "build failure",
    "shutdown",
    "shutting down",
    "stopping",
    "stopped",
    "exiting",
    "exited",
    "exit code",
    "exit status",
    "exit 1",
    "exit(1",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Stream;

    fn record(stream: &Arc<Stream>, seq: u64, text: &str) -> Record {
        let level = match text.split(' ').next() {
            Some("ERROR") => Level::Error,
            Some("INFO") => Level::Info,
            _ => Level::Unknown,
        };
        Record {
            stream: stream.clone(),
            seq,
            time: None,
            source: Source::ContainerLog,
            level,
            text: text.to_owned(),
            body: None,
            line: seq + 1,
            entity: None,
            deployment: None,
        }
    }

    /// Checks whether the application goes on after the records that begin with `ERROR`.
    #[track_caller]
    fn check(lines: &[&str], least: u64, goes_on: bool) {
        let stream = Arc::new(Stream { name: "web".to_owned(), source: Source::ContainerLog });
        let records: Vec<Record> =
            lines.iter().enumerate().map(|(seq, text)| record(&stream, seq as u64, text)).collect();
        let errors: Vec<&Record> = records.iter().filter(|record| record.level == Level::Error).collect();
        let kept = super::super::kept::keep(errors[0], "", &[], 0, BTreeMap::new());
        let group = Group {
            first: kept,
            last: errors[errors.len() - 1].place(),
            count: errors.len() as u64,
            score: 0,
            company: Default::default(),
        };
        let mut whole = Tails::default();
        whole.keep(&records, &[]);
        assert_eq!(whole.goes_on(&group, least), goes_on, "{lines:?}");
        // The end of a stream is the same in whatever pieces it comes.
        let mut pieces = Tails::default();
        for piece in records.chunks(2).rev() {
            pieces.keep(piece, &[]);
        }
        assert_eq!(pieces.goes_on(&group, least), goes_on, "{lines:?} in pieces");
    }

    #[test]
    fn calm_records_after_an_error_are_a_sign_of_life() {
        check(&["INFO a", "ERROR b", "INFO c", "INFO d"], 2, true);
        check(&["INFO a", "ERROR b", "INFO c"], 2, false);
        check(&["INFO a", "ERROR b"], 1, false);
        check(&["INFO a", "ERROR b", "GET /about 200 2ms"], 1, true);
    }

    #[test]
    fn the_end_of_a_process_is_no_sign_of_life() {
        check(&["ERROR b", "INFO c", "INFO shutting down", "INFO d"], 1, false);
        check(&["ERROR b", "Node.js v20.11.1"], 1, false);
        check(&["ERROR b", "{ errno: -111,", "code: 'ECONNREFUSED' }"], 1, false);
    }

    /// Checks whether the application that ended after the records that begin with `ERROR` came further the next time.
    #[track_caller]
    fn check_further(before: usize, since: usize, last: &str, further: bool) {
        let mut lines = vec!["INFO a"; before];
        lines.extend(["ERROR b", "INFO shutting down"]);
        lines.extend(vec!["INFO c"; since]);
        lines.push(last);
        let stream = Arc::new(Stream { name: "web".to_owned(), source: Source::ContainerLog });
        let records: Vec<Record> =
            lines.iter().enumerate().map(|(seq, text)| record(&stream, seq as u64, text)).collect();
        let mut tails = Tails::default();
        tails.keep(&records, &[]);
        let error = &records[before];
        let kept = super::super::kept::keep(error, "", &[], 0, BTreeMap::new());
        let group =
            Group { first: kept, last: error.place(), count: 1, score: 0, company: Default::default() };
        assert_eq!(tails.came_further(&group), further, "{lines:?}");
    }

    #[test]
    fn an_application_that_came_further_after_its_restart_has_overcome_the_error() {
        check_further(5, 8, "INFO ready", true);
        check_further(5, 4, "INFO ready", false);
        check_further(20, 8, "INFO ready", false);
        check_further(5, 8, "ERROR c", false);
    }

    #[test]
    fn an_error_that_comes_again_and_again_has_not_ended_yet() {
        check(
            &["ERROR b", "INFO c", "INFO c", "ERROR b", "INFO c", "INFO c", "ERROR b", "INFO c", "INFO c"],
            2,
            false,
        );
    }
}
