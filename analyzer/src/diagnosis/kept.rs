//! What is kept of a record, and of records that say the same: without secrets, and bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::record::{Level, Place, Record, Source};

/// How many different texts are kept for one condition.
const MOST_GROUPS: usize = 48;
/// Records with more lines than this are cut in the middle.
const MOST_LINES: usize = 60;
const LONGEST_LINE: usize = 4000;

/// A stream, or the part of it that is about one container or task.
pub(super) type Lane = (String, Option<String>);

/// Stream and shape: records that say the same.
pub(super) type GroupKey = (Lane, u64);

/// Records of one stream that say the same.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub first: Kept,
    pub last: Place,
    pub count: u64,
    pub score: i32,
    /// Patterns that met the same record.
    pub company: BTreeSet<usize>,
}

/// What is kept of a record: without secrets, and bounded.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub place: Place,
    pub source: Source,
    pub level: Level,
    pub text: String,
    /// What it says once it is decoded, where that differs.
    pub said: Option<String>,
    /// The line that tells, and its number in the record.
    pub line: String,
    pub line_index: usize,
    pub line_number: u64,
    pub entity: Option<Arc<str>>,
    pub deployment: Option<Arc<str>>,
    pub values: BTreeMap<String, String>,
}

impl Kept {
    pub fn lane(&self) -> Lane {
        (self.place.stream.clone(), self.entity.as_deref().map(str::to_owned))
    }
}

pub(super) fn add(
    groups: &mut BTreeMap<GroupKey, Group>,
    key: GroupKey,
    place: Place,
    company: &BTreeSet<usize>,
    kept: impl FnOnce() -> Kept,
) {
    match groups.get_mut(&key) {
        Some(group) => {
            group.count += 1;
            if place < group.first.place {
                group.first = kept();
            }
            group.last = group.last.clone().max(place);
            group.company.extend(company);
        }
        None => {
            groups.insert(
                key,
                Group { last: place, first: kept(), count: 1, score: 0, company: company.clone() },
            );
            if groups.len() > MOST_GROUPS {
                let latest = groups
                    .iter()
                    .max_by(|a, b| a.1.first.place.cmp(&b.1.first.place))
                    .map(|(key, _)| key.clone());
                latest.and_then(|key| groups.remove(&key));
            }
        }
    }
}

pub(super) fn keep(
    record: &Record,
    text: &str,
    lines: &[&str],
    line: usize,
    values: BTreeMap<String, String>,
) -> Kept {
    let text = cut_lines(text, line);
    let said = record.body.is_some().then(|| cut_lines(&lines.join("\n"), line));
    Kept {
        place: record.place(),
        source: record.source,
        level: record.level,
        said: said.filter(|said| *said != text),
        text,
        line: told_line(lines, line),
        line_index: line,
        line_number: record.line,
        entity: record.entity.clone(),
        deployment: record.deployment.clone(),
        values,
    }
}

pub(super) fn told_line(lines: &[&str], line: usize) -> String {
    cut_line(lines.get(line).copied().unwrap_or_default().trim_end())
}

/// Cuts long traces: the head, the causes, what stands around the line that tells, the tail.
fn cut_lines(text: &str, telling: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    if lines.len() <= MOST_LINES {
        return lines.iter().map(|line| cut_line(line)).collect::<Vec<_>>().join("\n");
    }
    let mut cut = String::new();
    let mut left_out = 0;
    for (index, line) in lines.iter().enumerate() {
        let near = index.abs_diff(telling) <= 3 || index < 6 || index + 4 >= lines.len();
        if near || line.trim_start().starts_with("Caused by:") {
            if left_out > 0 {
                cut.push_str(&format!("… {left_out} lines …\n"));
                left_out = 0;
            }
            cut.push_str(&cut_line(line));
            cut.push('\n');
        } else {
            left_out += 1;
        }
    }
    cut.trim_end().to_owned()
}

fn cut_line(line: &str) -> String {
    match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
