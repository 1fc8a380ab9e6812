//! Answers questions: how many, which are the newest, how they spread over time, and all in order.

use analyzer::record::Record;
use analyzer::snapshot::Snapshot;
use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BinaryHeap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tantivy::directory::error::OpenReadError;
use tantivy::index::{SegmentComponent, SegmentId};
use tantivy::query::{EnableScoring, Query, Weight};
use tantivy::{
    DocId, DocSet, Index, IndexReader, ReloadPolicy, Searcher, SegmentReader, TERMINATED, TantivyError,
};

use super::directory::Access;
use super::fields::{self, Fields};
use super::identities::IdentityCache;
use super::ledger::Ledger;
use super::parts;
use super::query::{Question, states_of};
use super::rows::{Rows, rows_of};
use super::stored::StoredSegment;
use super::tables::Tables;
use super::zones::{RUN, ZoneCache};

/// A view of the index as it was when it was opened.
pub struct Reader {
    fields: Fields,
    parts: Vec<Part>,
    ledger: Ledger,
    zones: ZoneCache,
}

struct Part {
    index: Index,
    searcher: Searcher,
    tables: Tables,
}

/// A record that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// When it happened, or when it arrived.
    pub time: Option<Timestamp>,
    /// The recorded deployment that it belongs to.
    pub deployment: Option<Arc<str>>,
    pub record: Record,
}

/// A column of a histogram.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bucket {
    pub from: Timestamp,
    pub count: u64,
}

/// The newest run alone is looked at first. Where times are out of order, more and more runs follow in one go: to find
/// the first match in a run anew costs more than to go on.
const MORE: usize = 4;
/// How often a view is tried to be opened.
const MOST_TRIES: u64 = 40;
/// Up to this many matches, reading all of a segment costs less than finding them anew in each of its runs.
const FEW: u32 = 1000;

impl Reader {
    /// Opens what was committed last. Parts that retention takes away meanwhile are left out.
    pub fn open(state: &Path) -> Result<Reader> {
        let numbers = parts::list(state)?;
        let mut reader = Reader {
            fields: fields::schema().1,
            parts: Vec::new(),
            ledger: Ledger::default(),
            zones: ZoneCache::default(),
        };
        for number in numbers {
            match parts::open(state, number, Access::Read).and_then(|index| reader.add(index)) {
                Ok(()) => {}
                Err(_) if !parts::path(state, number).join("meta.json").exists() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(reader)
    }

    /// Opens parts that are open already.
    pub(super) fn of<'i>(indexes: impl Iterator<Item = &'i Index>) -> Result<Reader> {
        let mut reader = Reader {
            fields: fields::schema().1,
            parts: Vec::new(),
            ledger: Ledger::default(),
            zones: ZoneCache::default(),
        };
        for index in indexes {
            reader.add(index.clone())?;
        }
        Ok(reader)
    }

    fn add(&mut self, index: Index) -> Result<()> {
        let (searcher, tables) = opened(&index).context("cannot read the index")?;
        if let Some(ledger) = parts::ledger(&index)?
            && ledger.commit >= self.ledger.commit
        {
            self.ledger = ledger;
        }
        self.parts.push(Part { searcher, tables, index });
        Ok(())
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Returns how many documents there are.
    pub fn documents(&self) -> u64 {
        self.parts.iter().map(|part| part.searcher.num_docs()).sum()
    }

    /// Counts the records that match.
    pub fn count(&self, question: &Question) -> Result<u64> {
        let (from, to) = question.span();
        let mut count = 0;
        self.each_segment(question, |_, segment, rows, weight| {
            let zones = self.zones.of(segment.segment_id(), rows);
            let is_whole = zones.spans.iter().all(|(first, last)| *first >= from && *last <= to);
            if is_whole && !question.is_everything() {
                count += u64::from(weight.count(segment)?);
                return Ok(());
            }
            if is_whole {
                // Described states are documents too, but no records.
                count += u64::from(rows.records());
                return Ok(());
            }
            let runs = zones.newest_first(from, to);
            let mut runs: Vec<u32> = runs.into_iter().map(|(_, run)| run).collect();
            runs.sort_unstable();
            if runs.is_empty() {
                return Ok(());
            }
            let mut scorer = weight.scorer(segment, 1.0)?;
            for run in runs {
                let whole = zones.is_within(run, from, to);
                each_of_run(&mut *scorer, run, |document| {
                    count += u64::from(whole || within(rows, document, from, to).is_some());
                });
            }
            Ok(())
        })?;
        Ok(count)
    }

    /// Returns the newest records that match, newest first.
    pub fn newest(&self, question: &Question, most: usize) -> Result<Vec<Hit>> {
        let (from, to) = question.span();
        let mut best = Newest { most, heap: BinaryHeap::new() };
        let mut weights: BTreeMap<usize, Box<dyn Weight>> = BTreeMap::new();
        for (last, place) in self.segments_newest_first()? {
            if last < from || best.is_too_old(last) {
                break;
            }
            let part = &self.parts[place.0];
            let segment = part.searcher.segment_reader(place.1 as u32);
            let rows = rows_of(&part.tables.rows, segment)?;
            let zones = self.zones.of(segment.segment_id(), rows);
            let runs = zones.newest_first(from, to);
            if runs.is_empty() {
                continue;
            }
            let is_most = runs.len() * MORE >= zones.spans.len();
            let weight = match weights.entry(place.0) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    let query = question.query(&part.index.schema(), &self.fields, &part.tables)?;
                    entry.insert(query.weight(EnableScoring::disabled_from_searcher(&part.searcher))?)
                }
            };
            let scorer = weight.scorer(segment, 1.0)?;
            if is_most && scorer.size_hint() <= FEW {
                best.take_all(place, scorer, rows, (from, to));
                continue;
            }
            drop(scorer);
            let (mut left, mut many) = (runs.as_slice(), 1);
            while let Some((newest, _)) = left.first()
                && !best.is_too_old(*newest)
            {
                let (next, rest) = left.split_at(many.min(left.len()));
                let mut next: Vec<u32> = next.iter().map(|(_, run)| *run).collect();
                next.sort_unstable();
                let mut scorer = weight.scorer(segment, 1.0)?;
                for run in next {
                    each_of_run(&mut *scorer, run, |document| {
                        if let Some(time) = within(rows, document, from, to) {
                            best.offer(time, place, document);
                        }
                    });
                }
                (left, many) = (rest, many * MORE);
            }
        }
        let mut hits = Vec::new();
        let mut open: BTreeMap<Place, StoredSegment> = BTreeMap::new();
        for (_, place, document) in best.sorted() {
            let segment = self.stored(&mut open, place)?;
            if let Some((record, deployment)) = segment.record(document)? {
                hits.push(Hit { time: segment.time(document), deployment: Some(deployment), record });
            }
        }
        Ok(hits)
    }

    /// Counts the records that match in each of some spans of equal length, which begin at multiples of it;
    /// `width` chooses it, in microseconds, by the first and the last time.
    pub fn histogram(&self, question: &Question, width: impl Fn(i64, i64) -> i64) -> Result<Vec<Bucket>> {
        let mut found: Vec<i64> = Vec::new();
        let (from, to) = question.span();
        self.each_segment(question, |_, segment, rows, weight| {
            let mut scorer = weight.scorer(segment, 1.0)?;
            let mut document = scorer.doc();
            while document != TERMINATED {
                found.extend(within(rows, document, from, to));
                document = scorer.advance();
            }
            Ok(())
        })?;
        let (Some(&first), Some(&last)) = (found.iter().min(), found.iter().max()) else {
            return Ok(Vec::new());
        };
        let width = width(first, last).max(1);
        let begin = first.div_euclid(width) * width;
        let mut counts = vec![0u64; ((last - begin) / width + 1) as usize];
        for time in found {
            counts[((time - begin) / width) as usize] += 1;
        }
        let buckets = counts.into_iter().enumerate().filter_map(|(row, count)| {
            Some(Bucket { from: Timestamp::from_microsecond(begin + row as i64 * width).ok()?, count })
        });
        Ok(buckets.collect())
    }

    /// Hands out all records that match, in the order of their arrival, batch by batch.
    pub fn each(&self, question: &Question, mut batch: impl FnMut(&[Record])) -> Result<()> {
        const BATCH: usize = 4096;
        let (from, to) = question.span();
        let mut places: Vec<(u64, (usize, usize), DocId)> = Vec::new();
        self.each_segment(question, |place, segment, rows, weight| {
            let mut scorer = weight.scorer(segment, 1.0)?;
            let mut document = scorer.doc();
            while document != TERMINATED {
                if within(rows, document, from, to).is_some() {
                    places.push((rows.seq(document), place, document));
                }
                document = scorer.advance();
            }
            Ok(())
        })?;
        places.sort_unstable();
        let mut open: BTreeMap<Place, StoredSegment> = BTreeMap::new();
        let mut records = Vec::with_capacity(BATCH);
        for (_, place, document) in places {
            let found = self.stored(&mut open, place)?.record(document)?;
            records.extend(found.map(|(record, _)| record));
            if records.len() == BATCH {
                batch(&records);
                records.clear();
            }
        }
        batch(&records);
        Ok(())
    }

    /// Returns the state that was described while one of these deployments was under way.
    pub fn state_of(&self, deployments: &[String]) -> Result<Snapshot> {
        let mut states: Vec<(u64, String)> = Vec::new();
        self.each_segment_of(
            |_| Ok(states_of(deployments, &self.fields)),
            |_, segment, rows, weight| {
                let stored = StoredSegment::open(segment, rows, self.fields)?;
                let mut scorer = weight.scorer(segment, 1.0)?;
                let mut document = scorer.doc();
                while document != TERMINATED {
                    let state = stored.state(document)?;
                    states.extend(state.map(|state| (rows.seq(document), state)));
                    document = scorer.advance();
                }
                Ok(())
            },
        )?;
        states.sort();
        let mut whole = Snapshot::default();
        for (_, state) in states {
            whole.update(serde_json::from_str(&state).context("a described state cannot be read back")?);
        }
        Ok(whole)
    }

    /// Whether a record with that time and identity is stored.
    pub fn contains(&self, time: Timestamp, id: u64, cache: &IdentityCache) -> Result<bool> {
        let time = time.as_microsecond();
        for (segment, rows) in self.segments() {
            let (name, rows) = (segment.segment_id(), rows?);
            let zones = self.zones.of(name, rows);
            let is_then = |run: &(i64, i64)| run.0 <= time && run.1 >= time;
            if !zones.spans.iter().any(is_then) || !cache.of(name, rows).may_hold(id) {
                continue;
            }
            for (_, run) in zones.newest_first(time, time) {
                let documents = run * RUN..((run + 1) * RUN).min(segment.max_doc());
                if rows.holds(documents, time, id) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Forgets what is known of segments that are no longer there.
    pub fn trim(&self, cache: &IdentityCache) {
        let segments = self.parts.iter().flat_map(|part| part.searcher.segment_readers());
        let there: HashSet<SegmentId> = segments.map(|segment| segment.segment_id()).collect();
        cache.keep(|segment| there.contains(segment));
    }

    /// Returns the newest time that is stored.
    pub fn newest_time(&self) -> Result<Option<Timestamp>> {
        let mut newest = None;
        for (segment, rows) in self.segments() {
            let last = self.zones.of(segment.segment_id(), rows?).spans.iter().map(|(_, last)| *last).max();
            // A time is kept to the nanosecond, and its zone to the microsecond.
            newest = newest.max(last.and_then(|last| Timestamp::from_microsecond(last + 1).ok()));
        }
        Ok(newest)
    }

    /// Hands out the identities of stored records, newest first, while they are taken.
    pub fn identities(&self, mut take: impl FnMut(u64) -> bool) -> Result<()> {
        for part in self.parts.iter().rev() {
            let mut segments: Vec<(u64, &Rows)> = Vec::new();
            for segment in part.searcher.segment_readers() {
                let rows = rows_of(&part.tables.rows, segment)?;
                segments.push((rows.newest(), rows));
            }
            segments.sort_by_key(|(newest, _)| Reverse(*newest));
            for (_, rows) in segments {
                for document in (0..rows.documents()).rev() {
                    for id in rows.identities(document) {
                        if !take(id) {
                            return Ok(());
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns the places of all segments with their last times, the newest first.
    fn segments_newest_first(&self) -> Result<Vec<(i64, Place)>> {
        let mut segments = Vec::new();
        for (number, part) in self.parts.iter().enumerate() {
            for (ord, segment) in part.searcher.segment_readers().iter().enumerate() {
                let rows = rows_of(&part.tables.rows, segment)?;
                let zones = self.zones.of(segment.segment_id(), rows);
                let last = zones.spans.iter().map(|(_, last)| *last).max();
                segments.push((last.unwrap_or(i64::MIN), (number, ord)));
            }
        }
        segments.sort_unstable_by(|a, b| b.cmp(a));
        Ok(segments)
    }

    /// Returns all segments, with their rows.
    fn segments(&self) -> impl Iterator<Item = (&SegmentReader, tantivy::Result<&Rows>)> {
        self.parts.iter().flat_map(|part| {
            let segments = part.searcher.segment_readers().iter();
            segments.map(|segment| (segment, rows_of(&part.tables.rows, segment)))
        })
    }

    /// Returns the stored values of a segment, opened once.
    fn stored<'o>(
        &self,
        open: &'o mut BTreeMap<Place, StoredSegment>,
        place: Place,
    ) -> Result<&'o mut StoredSegment> {
        match open.entry(place) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let part = &self.parts[place.0];
                let segment = part.searcher.segment_reader(place.1 as u32);
                let rows = rows_of(&part.tables.rows, segment)?;
                Ok(entry.insert(StoredSegment::open(segment, rows, self.fields)?))
            }
        }
    }

    /// Visits the segments with what a question asks for, those of newer parts first.
    fn each_segment(
        &self,
        question: &Question,
        visit: impl FnMut(Place, &SegmentReader, &Rows, &dyn Weight) -> Result<()>,
    ) -> Result<()> {
        self.each_segment_of(|part| question.query(&part.index.schema(), &self.fields, &part.tables), visit)
    }

    fn each_segment_of(
        &self,
        query: impl Fn(&Part) -> Result<Box<dyn Query>>,
        mut visit: impl FnMut(Place, &SegmentReader, &Rows, &dyn Weight) -> Result<()>,
    ) -> Result<()> {
        for (number, part) in self.parts.iter().enumerate().rev() {
            let weight = query(part)?.weight(EnableScoring::disabled_from_searcher(&part.searcher))?;
            for (ord, segment) in part.searcher.segment_readers().iter().enumerate() {
                visit((number, ord), segment, rows_of(&part.tables.rows, segment)?, &*weight)?;
            }
        }
        Ok(())
    }
}

/// Opens a view with its tables. Readers lock nothing, and a merge that ends meanwhile takes files away: so there is
/// another try.
fn opened(index: &Index) -> tantivy::Result<(Searcher, Tables)> {
    let open = || -> tantivy::Result<(Searcher, Tables)> {
        let view: IndexReader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let searcher = view.searcher();
        let tables = Tables::open(&searcher)?;
        // Tantivy passes over positions that were taken away meanwhile, and misses them when it searches. Those that are
        // there still were there then.
        for segment in searcher.segment_readers() {
            segment.open_read(SegmentComponent::Positions)?;
        }
        Ok((searcher, tables))
    };
    let mut tries = 0;
    loop {
        match open() {
            Err(TantivyError::OpenReadError(OpenReadError::FileDoesNotExist(_))) if tries < MOST_TRIES => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(tries));
            }
            outcome => return outcome,
        }
    }
}

/// Visits the matches of one run.
fn each_of_run(scorer: &mut dyn tantivy::query::Scorer, run: u32, mut visit: impl FnMut(DocId)) {
    let (start, end) = (run * RUN, (run + 1) * RUN);
    let mut document = scorer.doc();
    if document < start {
        document = scorer.seek(start);
    }
    while document < end {
        visit(document);
        document = scorer.advance();
    }
}

fn within(rows: &Rows, document: DocId, from: i64, to: i64) -> Option<i64> {
    let time = rows.micros(document);
    (from <= time && time <= to).then_some(time)
}

type Place = (usize, usize);

/// Keeps the newest of what is offered.
struct Newest {
    most: usize,
    heap: BinaryHeap<Reverse<(i64, Place, DocId)>>,
}

impl Newest {
    fn is_too_old(&self, time: i64) -> bool {
        self.heap.len() >= self.most && self.heap.peek().is_none_or(|Reverse((oldest, ..))| time < *oldest)
    }

    fn offer(&mut self, time: i64, place: Place, document: DocId) {
        if self.is_too_old(time) {
            return;
        }
        self.heap.push(Reverse((time, place, document)));
        if self.heap.len() > self.most {
            self.heap.pop();
        }
    }

    fn take_all(
        &mut self,
        place: Place,
        mut scorer: Box<dyn tantivy::query::Scorer>,
        rows: &Rows,
        (from, to): (i64, i64),
    ) {
        let mut document = scorer.doc();
        while document != TERMINATED {
            if let Some(time) = within(rows, document, from, to) {
                self.offer(time, place, document);
            }
            document = scorer.advance();
        }
    }

    fn sorted(self) -> Vec<(i64, Place, DocId)> {
        let mut found: Vec<(i64, Place, DocId)> = self.heap.into_iter().map(|Reverse(found)| found).collect();
        found.sort_unstable_by(|a, b| b.cmp(a));
        found
    }
}
