//! Folds what senders send, a stream for each tag, container and task, over whichever connection it comes.

use analyzer::record::{Level, Source, Stream};
use jiff::Timestamp;
use rmpv::Value;
use serde_json::Map;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::partial::Pieces;
use super::wire::{self, Entry, Message, member, text};
use crate::formats;
use crate::sources::lines::{Lines, Placed};
use crate::sources::{Arrival, id, members};

/// A stream that is quiet for so long has said all that it had to say.
const QUIET: Duration = Duration::from_secs(2);
/// A stream that is quiet for so long is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(3600);
/// With more streams than this, all are taken as complete.
const MOST_STREAMS: usize = 4096;

/// All streams of a receiver.
pub struct Streams {
    /// Tells what this run of Medic received from what others did.
    run: String,
    folds: Mutex<BTreeMap<Key, Fold>>,
}

/// What tells one stream from another.
type Key = (String, Option<Arc<str>>);

/// A stream that is being folded.
struct Fold {
    entity: Option<Arc<str>>,
    /// Lines of which only pieces have come.
    pieces: Pieces<Begin>,
    lines: Lines,
    /// What the sender says of the lines with which unfinished records began.
    said: BTreeMap<u64, Said>,
    /// Numbers the records of this run behind those of earlier ones.
    base: u64,
    changed: Instant,
}

/// What belongs to the entry with which a line begins.
struct Begin {
    identity: [String; 3],
    said: Said,
}

#[derive(Clone, Copy)]
struct Said {
    time: Option<Timestamp>,
    level: Level,
}

impl Streams {
    pub fn new() -> Streams {
        let run = format!("{}:{}", Timestamp::now().as_nanosecond(), std::process::id());
        Streams { run, folds: Mutex::new(BTreeMap::new()) }
    }

    /// Takes a message; returns the records that are complete. A message with a chunk is complete in itself.
    pub fn take(&self, message: &Message, connection: u64, position: u64) -> Vec<Arrival> {
        let mut folds = self.folds();
        let mut arrivals = Vec::new();
        if folds.len() > MOST_STREAMS {
            folds.values_mut().for_each(|fold| fold.settle(&mut arrivals));
            folds.clear();
        }
        let mut touched = Vec::new();
        for (index, entry) in message.entries.iter().enumerate() {
            let identity = match &message.chunk {
                Some(chunk) => [chunk.clone(), message.tag.clone(), index.to_string()],
                None => [self.run.clone(), connection.to_string(), (position + index as u64).to_string()],
            };
            let key = key(&message.tag, &entry.record);
            let fold = folds.entry(key.clone()).or_insert_with(|| Fold::new(&key, &message.tag));
            fold.take(entry, identity, &mut arrivals);
            if message.chunk.is_some() && !touched.contains(&key) {
                touched.push(key);
            }
        }
        for key in touched {
            if let Some(fold) = folds.get_mut(&key) {
                fold.settle(&mut arrivals);
            }
        }
        arrivals
    }

    /// Takes streams that are quiet as complete.
    pub fn settle_quiet(&self) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        let mut folds = self.folds();
        for fold in folds.values_mut().filter(|fold| fold.changed.elapsed() >= QUIET) {
            fold.settle(&mut arrivals);
        }
        folds.retain(|_, fold| fold.changed.elapsed() < FORGOTTEN);
        arrivals
    }

    pub fn settle_all(&self) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        self.folds().values_mut().for_each(|fold| fold.settle(&mut arrivals));
        arrivals
    }

    fn folds(&self) -> MutexGuard<'_, BTreeMap<Key, Fold>> {
        self.folds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fold {
    fn new(key: &Key, tag: &str) -> Fold {
        let source = formats::named_source(tag).unwrap_or(Source::ContainerLog);
        let lines = Lines::keeping_further(Arc::new(Stream { name: key.0.clone(), source }));
        let base = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or(0);
        let (pieces, said) = (Pieces::default(), BTreeMap::new());
        Fold { entity: key.1.clone(), pieces, lines, said, base, changed: Instant::now() }
    }

    fn take(&mut self, entry: &Entry, identity: [String; 3], arrivals: &mut Vec<Arrival>) {
        self.changed = Instant::now();
        let begin = Begin { identity, said: Said { time: entry.time, level: level(&entry.record) } };
        if let Some(line) = self.pieces.take(&entry.record, said_text(&entry.record), begin) {
            self.take_text(&line.text, &line.first, arrivals);
        }
    }

    fn take_text(&mut self, text: &str, begin: &Begin, arrivals: &mut Vec<Arrival>) {
        let Begin { identity, said } = begin;
        let mut done = Vec::new();
        for (nth, line) in formats::split(text.as_bytes()).enumerate() {
            let id = id(&["fluent", &identity[0], &identity[1], &identity[2], &nth.to_string()]);
            self.said.insert(id, *said);
            self.lines.push(text.get(line).unwrap_or_default(), id, &mut done);
            self.give_out(&mut done, arrivals);
            if !self.lines.open.iter().any(|open| open.offset == id) {
                // The line belongs to a record that began before, or says nothing.
                self.said.remove(&id);
            }
        }
    }

    fn settle(&mut self, arrivals: &mut Vec<Arrival>) {
        for line in self.pieces.finish() {
            self.take_text(&line.text, &line.first, arrivals);
        }
        let mut done = Vec::new();
        self.lines.finish(&mut done);
        self.give_out(&mut done, arrivals);
        self.said.clear();
    }

    fn give_out(&mut self, done: &mut Vec<Placed>, arrivals: &mut Vec<Arrival>) {
        for placed in done.drain(..) {
            let mut record = placed.record;
            record.seq += self.base;
            if let Some(said) = self.said.remove(&placed.offset) {
                record.time = said.time.or(record.time);
                if record.level == Level::Unknown {
                    record.level = said.level;
                }
            }
            record.entity = self.entity.clone().or(record.entity);
            arrivals.push(Arrival { id: placed.offset, further: placed.further, record });
        }
    }
}

fn key(tag: &str, record: &Value) -> Key {
    let said = |name: &str| member(record, name).and_then(text).filter(|said| !said.is_empty());
    let name = match said("container_name") {
        Some(container) => format!("fluent:{tag}/{}", container.trim_start_matches('/')),
        None => format!("fluent:{tag}"),
    };
    let task = said("ecs_task_arn").and_then(|arn| arn.rsplit('/').next().map(str::to_owned));
    (name, task.or_else(|| said("container_id")).map(Arc::from))
}

/// What FireLens, the log drivers and Fluent Bit write about a record: where it comes from, and not what it says.
const ABOUT: [&str; 15] = [
    "container_id",
    "container_name",
    "ecs_cluster",
    "ecs_task_arn",
    "ecs_task_definition",
    "ec2_instance_id",
    "ecs_container_name",
    "ecs_task_id",
    "docker",
    "kubernetes",
    "partial_message",
    "partial_id",
    "partial_ordinal",
    "partial_last",
    "_p",
];

/// Returns the line that a container printed; where a record says more than that, a JSON line of all that it says.
fn said_text(record: &Value) -> String {
    let named = ["log", "message"].into_iter().find_map(|name| Some((name, text(member(record, name)?)?)));
    if let Some((_, line)) = &named
        // A piece of a line; or a JSON line as it was printed, which the others repeat.
        && (member(record, "partial_message").is_some() || line.trim_start().starts_with('{'))
    {
        return line.clone();
    }
    let Value::Map(all) = record else { return wire::json(record).to_string() };
    let line = named.as_ref().map(|(line, _)| *line);
    let mut told = Map::new();
    for (name, value) in all {
        let name = text(name).unwrap_or_else(|| name.to_string());
        let is_output = name == "source" && matches!(value.as_str(), Some("stdout" | "stderr"));
        if !is_output && line != Some(name.as_str()) && !ABOUT.contains(&name.as_str()) {
            told.insert(name, wire::json(value));
        }
    }
    members::text(named, told)
}

fn level(record: &Value) -> Level {
    let named = ["level", "severity"].iter().find_map(|name| member(record, name)).and_then(text);
    named.and_then(|name| Level::named(&name)).unwrap_or_default()
}
