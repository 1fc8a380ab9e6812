//! What the index tells beside the live state: failure events, counts, metrics, and the lines of logs.

use analyzer::deployment::{Counts, ResourceMetrics, utilization};
use analyzer::record::{Level, Record, Source};
use anyhow::Result;
use jiff::Timestamp;
use std::path::Path;

use super::short_id;
use crate::index::{Filter, Question, Reader};
use crate::sources::id;

/// An event that tells of a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub time: Option<Timestamp>,
    pub text: String,
    pub count: u64,
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub time: Option<Timestamp>,
    /// The name of the stream; of CloudWatch Logs with its group (`/ecs/web#web/app/0123`).
    pub stream: String,
    /// The short id of the task, or the name of the stream.
    pub task: String,
    /// Without anything that could steer a terminal.
    pub text: String,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Told {
    pub events: Vec<Event>,
    pub counts: Counts,
    pub resources: Option<ResourceMetrics>,
    pub lines: Vec<LogLine>,
    /// Whether there were more lines than are shown.
    pub left_out: bool,
    /// The number of the last record that was shown.
    pub shown: u64,
}

const MOST_EVENTS: usize = 5;
/// So many events are looked at to find some that differ.
const LOOKED_AT: usize = 60;
/// A view cannot follow more lines than this between two commits.
const MOST_LINES: usize = 500;

/// Returns the number of the last record that is stored.
pub fn last_stored(state: &Path) -> u64 {
    Reader::open(state).map_or(0, |reader| reader.ledger().next_seq)
}

/// Reads what belongs to a deployment, and the lines of logs after the record `shown` where they are followed.
pub fn read(state: &Path, deployment: Option<&str>, follow: bool, shown: u64) -> Result<Told> {
    let reader = Reader::open(state)?;
    let question = |sources: &[Source], severity: Option<Level>| Question {
        words: String::new(),
        filter: Filter {
            deployments: deployment.map(str::to_owned).into_iter().collect(),
            sources: sources.iter().map(|source| source.as_str().to_owned()).collect(),
            severity,
            ..Filter::default()
        },
    };
    let events = [Source::EcsServiceEvent, Source::CfnStackEvent];
    let found = reader.newest(&question(&events, Some(Level::Warn)), LOOKED_AT)?;
    let errors = reader.count(&question(&[], Some(Level::Error)))?;
    let alarming = reader.count(&question(&[], Some(Level::Warn)))?;
    let samples = reader.newest(&question(&[Source::Metric], None), 200)?;
    let samples: Vec<Record> = samples.into_iter().map(|hit| hit.record).collect();
    let mut told = Told {
        events: newest_that_differ(found.into_iter().map(|hit| hit.record)),
        counts: Counts { errors, warnings: alarming.saturating_sub(errors) },
        resources: utilization(&samples),
        shown,
        ..Told::default()
    };
    if follow {
        let mut lines = reader.newest(&question(&[Source::ContainerLog], None), MOST_LINES)?;
        lines.retain(|hit| hit.record.seq > shown);
        told.left_out = lines.len() == MOST_LINES;
        lines.reverse();
        told.shown = lines.iter().map(|hit| hit.record.seq).max().unwrap_or(shown);
        told.lines = lines.iter().flat_map(|hit| of_record(&hit.record)).collect();
    }
    Ok(told)
}

/// Returns the newest events; what says the same but for numbers is one with a count.
fn newest_that_differ(records: impl Iterator<Item = Record>) -> Vec<Event> {
    let mut events: Vec<(u64, Event)> = Vec::new();
    for record in records {
        let shape = id(&[&analyzer::templates::shape(&record.text)]);
        match events.iter_mut().find(|(known, _)| *known == shape) {
            Some((_, event)) => event.count += 1,
            None => {
                let text = record.text.lines().next().unwrap_or_default().to_owned();
                events.push((shape, Event { time: record.time, text, count: 1 }));
            }
        }
    }
    events.into_iter().map(|(_, event)| event).take(MOST_EVENTS).collect()
}

fn of_record(record: &Record) -> Vec<LogLine> {
    let stream = &record.stream.name;
    lines(record.entity.as_deref().unwrap_or(stream), stream, record.time, &record.text)
}

/// Returns the lines of a text that a task or a stream wrote.
pub fn lines(name: &str, stream: &str, time: Option<Timestamp>, text: &str) -> Vec<LogLine> {
    let last = name.rsplit('/').next().unwrap_or(name);
    let is_id = last.len() >= 32 && last.bytes().all(|byte| byte.is_ascii_hexdigit());
    let task = if is_id { short_id(last) } else { super::one_line(last).chars().take(24).collect() };
    let said = text.lines().map(|line| {
        let line = analyzer::record::without_transport(line);
        let (stream, task) = (stream.to_owned(), task.clone());
        LogLine { time, stream, task, text: reports::escape::printable(line).replace('\t', "    ") }
    });
    said.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use analyzer::record::Stream;
    use std::sync::Arc;

    fn record(text: &str) -> Record {
        Record {
            stream: Arc::new(Stream {
                name: "web/app/0123456789abcdef0123456789abcdef".to_owned(),
                source: Source::ContainerLog,
            }),
            seq: 1,
            time: None,
            source: Source::ContainerLog,
            level: Level::Unknown,
            text: text.to_owned(),
            body: None,
            line: 1,
            entity: None,
            deployment: None,
        }
    }

    #[test]
    fn lines_are_text_behind_their_task() {
        let lines = of_record(&record("a\u{1b}[2Jb\tc\nsecond\u{7}"));
        let shown: Vec<(&str, &str)> =
            lines.iter().map(|line| (line.task.as_str(), line.text.as_str())).collect();
        assert_eq!(shown, [("01234567", "a[2Jb    c"), ("01234567", "second")]);
    }

    #[test]
    fn events_that_say_the_same_are_one() {
        let records = ["(task 1a2b) failed", "(task 3c4d) failed", "another"].map(record);
        let events = newest_that_differ(records.into_iter());
        let told: Vec<(&str, u64)> = events.iter().map(|event| (event.text.as_str(), event.count)).collect();
        assert_eq!(told, [("(task 1a2b) failed", 2), ("another", 1)]);
    }
}
