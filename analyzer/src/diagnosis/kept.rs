//! What is kept of a record, and of records that say the same: without secrets, and bounded.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::record::{Level, Place, Record, Source};

/// So many different texts of one condition or one log are counted; of most logs, all.
const MOST_COUNTED: usize = 4096;
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

impl Group {
    /// A record by itself.
    pub fn of(kept: &Kept) -> Group {
        Group { first: kept.clone(), last: kept.place.clone(), count: 1, score: 0, company: BTreeSet::new() }
    }
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

/// Records that say the same, by what they say: the first ones are kept, and all are counted.
///
/// What a bound leaves depends on the records and not on the order in which they come: the groups are kept that begin
/// first, and those are counted whose keys are the smallest, so that one that is left out never comes back.
#[derive(Clone, Debug)]
pub(super) struct Groups<K> {
    most: usize,
    firsts: BTreeMap<K, First>,
    counts: BTreeMap<K, Count>,
}

/// The first record of a group, ordered so that what tells most comes first.
#[derive(Clone, Debug)]
struct First {
    rank: (Reverse<i32>, Place),
    kept: Kept,
    company: BTreeSet<usize>,
}

#[derive(Clone, Debug)]
struct Count {
    count: u64,
    last: Place,
    company: BTreeSet<usize>,
}

impl<K: Ord + Clone> Groups<K> {
    pub fn new(most: usize) -> Groups<K> {
        Groups { most, firsts: BTreeMap::new(), counts: BTreeMap::new() }
    }

    pub fn add(
        &mut self,
        key: K,
        score: i32,
        place: Place,
        company: &BTreeSet<usize>,
        kept: impl FnOnce() -> Kept,
    ) {
        self.count(&key, &place, company);
        let rank = (Reverse(score), place);
        let is_first = match self.firsts.get(&key) {
            Some(first) => rank < first.rank,
            None => {
                self.firsts.len() < self.most
                    || self.latest().is_some_and(|(latest, of)| (&rank, &key) < (&latest.rank, of))
            }
        };
        if !is_first {
            return;
        }
        self.firsts.insert(key, First { rank, kept: kept(), company: company.clone() });
        if self.firsts.len() > self.most {
            let latest = self.latest().map(|(_, key)| key.clone());
            latest.and_then(|key| self.firsts.remove(&key));
        }
    }

    /// Returns the groups, each with the company of its first record.
    pub fn into_groups(mut self) -> impl Iterator<Item = (K, Group, BTreeSet<usize>)> {
        self.firsts.into_iter().map(move |(key, First { rank: (Reverse(score), place), kept, company })| {
            let counted = self.counts.remove(&key);
            let all = counted.unwrap_or_else(|| Count { count: 1, last: place, company: company.clone() });
            let group = Group { first: kept, last: all.last, count: all.count, score, company: all.company };
            (key, group, company)
        })
    }

    fn count(&mut self, key: &K, place: &Place, company: &BTreeSet<usize>) {
        if let Some(known) = self.counts.get_mut(key) {
            known.count += 1;
            if known.last < *place {
                known.last = place.clone();
            }
            known.company.extend(company);
            return;
        }
        let is_full = self.counts.len() >= MOST_COUNTED;
        if is_full && self.counts.last_key_value().is_some_and(|(last, _)| last < key) {
            return;
        }
        self.counts.insert(key.clone(), Count { count: 1, last: place.clone(), company: company.clone() });
        if is_full {
            self.counts.pop_last();
        }
    }

    fn latest(&self) -> Option<(&First, &K)> {
        let firsts = self.firsts.iter().map(|(key, first)| (first, key));
        firsts.max_by(|a, b| (&a.0.rank, a.1).cmp(&(&b.0.rank, b.1)))
    }
}

/// Keeps the smallest of many: one that is left out never comes back.
pub(super) fn bound<T: Ord>(smallest: &mut BTreeSet<T>, most: usize) {
    while smallest.len() > most {
        smallest.pop_last();
    }
}

/// Keeps those with the smallest keys.
pub(super) fn bound_keys<K: Ord, V>(smallest: &mut BTreeMap<K, V>, most: usize) {
    while smallest.len() > most {
        smallest.pop_last();
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
