//! What a stack did to its resources: which operations began and did not end, and which ended well after all.

use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

use super::kept::{Group, Kept, bound, bound_keys, keep};
use super::study::Success;
use crate::record::{Place, Record, Source};

/// So many are followed: those with the smallest names, whatever came first.
const MOST: usize = 2000;
const VERBS: [&str; 5] = ["CREATE_", "UPDATE_", "DELETE_", "IMPORT_", "ROLLBACK_"];

/// The operations of all stacks, by stream and resource.
#[derive(Clone, Debug, Default)]
pub(super) struct Operations {
    /// Those that began and did not end, and under an empty name what a stream says of several; known when all is
    /// taken in.
    pub pending: BTreeMap<(String, String), Kept>,
    courses: BTreeMap<(String, String), Course>,
    /// What each stream says last of what is in progress.
    in_progress: BTreeMap<String, Kept>,
    /// The last deletion, and the last creation or update, of each that ended well.
    deleted: BTreeMap<(String, String), Done>,
    complete: BTreeMap<(String, String), Done>,
    /// What is a stack: somebody began to change it, or its type says so.
    stacks: BTreeSet<(String, String)>,
}

/// A line of a record.
type At = (Place, usize);

/// Where the operations on a resource began and ended.
#[derive(Clone, Debug, Default)]
struct Course {
    first_began: Option<At>,
    last_ended: Option<At>,
    /// The last one that began, unless one ended since.
    pending: Option<Kept>,
}

impl Course {
    fn begins(&mut self, kept: Kept) {
        let at = at(&kept);
        if self.first_began.as_ref().is_none_or(|first| at < *first) {
            self.first_began = Some(at.clone());
        }
        let is_newest = self.pending.as_ref().is_none_or(|known| self::at(known) < at);
        if is_newest && self.last_ended.as_ref().is_none_or(|ended| *ended < at) {
            self.pending = Some(kept);
        }
    }

    fn ends(&mut self, ended: At) {
        if self.pending.as_ref().is_some_and(|kept| at(kept) <= ended) {
            self.pending = None;
        }
        self.last_ended = self.last_ended.take().max(Some(ended));
    }

    /// Whether what began ended after a place.
    fn ended_after(&self, place: &At) -> bool {
        let began = self.first_began.as_ref();
        self.last_ended
            .as_ref()
            .is_some_and(|ended| ended > place && began.is_some_and(|began| began <= ended))
    }
}

fn at(kept: &Kept) -> At {
    (kept.place.clone(), kept.line_index)
}

#[derive(Clone, Debug)]
struct Done {
    seq: u64,
    time: Option<Timestamp>,
    line: String,
}

impl Operations {
    /// Follows the operations of a stack from their beginning to their end.
    pub fn follow(&mut self, record: &Record, text: &str, lines: &[&str]) {
        if !matches!(record.source, Source::CfnStackEvent | Source::Cdk | Source::DeployTool) {
            return;
        }
        let stream = &record.stream.name;
        for (index, line) in lines.iter().enumerate().take(40) {
            if line.contains("Currently in progress: ") {
                let kept = keep(record, text, lines, index, BTreeMap::new());
                let last = self.in_progress.entry(stream.clone()).or_insert_with(|| kept.clone());
                if at(last) < at(&kept) {
                    *last = kept;
                }
                continue;
            }
            let Some(operation) = Operation::read(line) else { continue };
            self.note(record, line, &operation);
            // A table without the types of resources shows no more than what ended.
            let Some(kind) = operation.kind else { continue };
            let course =
                self.courses.entry((stream.clone(), format!("{kind} {}", operation.name))).or_default();
            match operation.begins() {
                true => course.begins(keep(record, text, lines, index, BTreeMap::new())),
                false => course.ends((record.place(), index)),
            }
            bound_keys(&mut self.courses, MOST);
        }
    }

    /// Tells what is pending, when all is taken in.
    pub fn settle(&mut self) {
        for (stream, kept) in std::mem::take(&mut self.in_progress) {
            let place = at(&kept);
            let of_stream = self.courses.range((stream.clone(), String::new())..);
            let mut of_stream = of_stream.take_while(|((name, _), _)| *name == stream);
            if !of_stream.any(|(_, course)| course.ended_after(&place)) {
                self.pending.insert((stream, String::new()), kept);
            }
        }
        let pending = |(key, course): (_, Course)| Some((key, course.pending?));
        self.pending.extend(std::mem::take(&mut self.courses).into_iter().filter_map(pending));
    }

    /// Remembers what ended well, and which stack is changed.
    fn note(&mut self, record: &Record, line: &str, operation: &Operation<'_>) {
        let key = (record.stream.name.clone(), operation.name.to_owned());
        let done = match operation.status {
            "DELETE_COMPLETE" => &mut self.deleted,
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" => {
                if operation.kind == Some("AWS::CloudFormation::Stack") {
                    self.stacks.insert(key.clone());
                    bound(&mut self.stacks, MOST);
                }
                &mut self.complete
            }
            _ => {
                if line.contains("User Initiated") {
                    self.stacks.insert(key);
                    bound(&mut self.stacks, MOST);
                }
                return;
            }
        };
        if done.get(&key).is_none_or(|known| known.seq < record.seq) {
            let line = line.chars().take(300).collect();
            done.insert(key, Done { seq: record.seq, time: record.time, line });
            bound_keys(done, MOST);
        }
    }

    /// Returns the line that says that a resource which could not be deleted was deleted later.
    pub fn deleted_after(&self, group: &Group) -> Option<&str> {
        let operation = Operation::read(&group.first.line).filter(|known| known.status == "DELETE_FAILED")?;
        let done = self.deleted.get(&(group.first.place.stream.clone(), operation.name.to_owned()))?;
        (done.seq > group.last.seq).then_some(&*done.line)
    }

    /// Returns the streams with what says that their stack is complete, where nothing was undone since.
    pub fn complete_stacks(&self, undone: &BTreeMap<Place, Source>) -> Vec<(String, Success)> {
        let of = |key: &(String, String)| {
            let done = self.complete.get(key)?;
            if undone.keys().any(|place| place.stream == key.0 && place.seq > done.seq) {
                return None;
            }
            let Done { seq, time, line } = done.clone();
            Some((key.0.clone(), Success { first: seq, seq, time, line }))
        };
        self.stacks.iter().filter_map(of).collect()
    }
}

/// A line about an operation, in the order of columns of any tool.
pub(super) struct Operation<'l> {
    pub status: &'l str,
    pub kind: Option<&'l str>,
    pub name: &'l str,
}

impl<'l> Operation<'l> {
    /// Reads `UPDATE_IN_PROGRESS AWS::ECS::Service Web`, or `Web UPDATE_IN_PROGRESS` of a table without types.
    pub fn read(line: &'l str) -> Option<Operation<'l>> {
        let words = |text: &'l str| text.split([' ', '|', '\t']).filter(|word| !word.is_empty());
        let Some(at) = line.find("AWS::").or_else(|| line.find("Custom::")) else {
            let mut before = None;
            for word in words(line) {
                if is_status(word) {
                    let name =
                        before.filter(|name: &&str| name.starts_with(|c: char| c.is_ascii_alphabetic()))?;
                    return Some(Operation { status: word, kind: None, name });
                }
                before = Some(word);
            }
            return None;
        };
        let (head, tail) = (&line[..at], &line[at..]);
        let verb = VERBS.iter().filter_map(|verb| head.rfind(verb)).max()?;
        // `UPDATE_ROLLBACK_FAILED` is no `ROLLBACK_FAILED`.
        let is_other = |c: char| !(c.is_ascii_uppercase() || c == '_');
        let verb =
            head[..verb].char_indices().rfind(|(_, c)| is_other(*c)).map_or(0, |(at, c)| at + c.len_utf8());
        let status = head[verb..].split([' ', '|', '\t']).next()?;
        let mut words = words(tail);
        Some(Operation { status, kind: Some(words.next()?), name: words.next()? })
    }

    fn begins(&self) -> bool {
        self.status.ends_with("IN_PROGRESS") || self.status.contains("_IN_P")
    }
}

fn is_status(word: &str) -> bool {
    VERBS.iter().any(|verb| word.starts_with(verb))
        && ["_IN_PROGRESS", "_COMPLETE", "_FAILED"].iter().any(|end| word.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, status: &str, kind: Option<&str>, name: &str) {
        let read = Operation::read(line).unwrap();
        assert_eq!((read.status, read.kind, read.name), (status, kind, name), "{line}");
    }

    #[test]
    fn operations_are_read_in_any_order_of_columns() {
        check(
            "UPDATE_IN_PROGRESS AWS::ECS::Service Web",
            "UPDATE_IN_PROGRESS",
            Some("AWS::ECS::Service"),
            "Web",
        );
        check(
            "Shop | 3/9 | 10:00:01 | DELETE_FAILED | AWS::EC2::SecurityGroup | Sg (Sg1) in use",
            "DELETE_FAILED",
            Some("AWS::EC2::SecurityGroup"),
            "Sg",
        );
        check(
            "Shop | 3 | UPDATE_ROLLBACK_FAILED | AWS::CloudFormation::Stack | Shop",
            "UPDATE_ROLLBACK_FAILED",
            Some("AWS::CloudFormation::Stack"),
            "Shop",
        );
        check("2026-05-11 15:40 UTC+0200\tSg\tDELETE_COMPLETE\t-", "DELETE_COMPLETE", None, "Sg");
        assert!(Operation::read("2026-05-11 CREATE_COMPLETE").is_none());
        assert!(Operation::read("the stack is not CREATE_SOMETHING").is_none());
    }
}
