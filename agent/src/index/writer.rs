//! Writes records and the ledger, commits them together, and keeps the whole within its bounds.

use analyzer::record::Record;
use analyzer::redact::{Redactions, redact};
use analyzer::snapshot::{self, Snapshot};
use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde_json::Value;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tantivy::indexer::{IndexWriterOptions, UserOperation};
use tantivy::{Index, IndexWriter};
use tracing::warn;

use super::backlog::Backlog;
use super::clock::Clock;
use super::context::Contexts;
use super::directory::{self, Access};
use super::documents::{Batch, Item, Row, State, stored_time};
use super::fields::{self, Fields};
use super::glance::free_space;
use super::ledger::Ledger;
use super::parts;
use super::reader::Reader;
use crate::config::Retention;

/// What the writer of a part may hold before it writes a segment.
const MEMORY: usize = 64 << 20;
/// So many documents are held back at most: the table into which tantivy puts the first one takes megabytes, which an
/// agent that records a line now and then need not hold between its commits.
const MOST_HELD: usize = 1000;
/// A part is closed after so much of the time for which it is kept, so that it can go when that is over.
const PARTS_IN_AN_AGE: u32 = 8;
/// A part with more records than this is closed.
const MOST_DOCUMENTS: u64 = 2_000_000;

/// The one writer of a state directory.
pub struct Writer {
    state: PathBuf,
    fields: Fields,
    retention: Retention,
    closed: Vec<ClosedPart>,
    open: OpenPart,
    ledger: Ledger,
    contexts: Contexts,
    clock: Clock,
    backlog: Backlog,
    opened: Instant,
    /// Whether it was told that what stays takes more than it may.
    told_too_large: bool,
    /// Held as long as this writer lives.
    _lock: File,
}

struct ClosedPart {
    number: u64,
    index: Index,
    /// When something was last recorded into it.
    last: Option<Timestamp>,
}

struct OpenPart {
    number: u64,
    index: Index,
    writer: IndexWriter<Item>,
    /// What is added before the next commit.
    held: Vec<Item>,
    documents: u64,
    bytes: u64,
}

/// What is known of a record on its way into the index besides the record.
#[derive(Clone, Debug)]
pub struct Entry<'r> {
    pub id: u64,
    /// The identities of what is folded into it.
    pub further: Vec<u64>,
    /// Stored in place of a time that the record does not have.
    pub arrived: Timestamp,
    /// The recorded deployment under whose name it is found.
    pub deployment: &'r str,
}

impl Writer {
    /// Opens a state directory for writing; there is one writer at a time.
    pub fn open(state: &Path, retention: &Retention) -> Result<Writer> {
        directory::create_folder(&parts::folder(state))
            .with_context(|| format!("cannot create {}", state.display()))?;
        let lock = lock(state)?;
        parts::clean(state)?;
        let mut closed = Vec::new();
        let mut ledger = Ledger::default();
        let mut last = 0;
        for number in parts::list(state)? {
            last = number;
            if !parts::path(state, number).join("meta.json").exists() {
                // Medic was stopped while it created this part: nothing is in it.
                parts::remove(state, number)?;
                continue;
            }
            let index = parts::open(state, number, Access::Write)?;
            let found = parts::ledger(&index)?;
            let last = found.as_ref().and_then(|found| found.at);
            if let Some(found) = found.filter(|found| found.commit >= ledger.commit) {
                ledger = found;
            }
            closed.push(ClosedPart { number, index, last });
        }
        let open = match closed.pop() {
            Some(ClosedPart { number, index, .. }) => OpenPart::reopen(state, number, index)?,
            None => OpenPart::create(state, last + 1)?,
        };
        let mut writer = Writer {
            state: state.to_owned(),
            fields: fields::schema().1,
            retention: retention.clone(),
            closed,
            open,
            ledger,
            contexts: Contexts::default(),
            clock: Clock::new(retention.age.0),
            backlog: Backlog::default(),
            opened: Instant::now(),
            told_too_large: false,
            _lock: lock,
        };
        // On a disk that is full nothing could be committed, and so nothing be removed either.
        if writer.lacks_space() {
            writer.retain(None)?;
        }
        Ok(writer)
    }

    /// Returns the ledger of the last commit.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Returns what is stored with a record; records are added in the order in which this is asked.
    pub fn row(&mut self, record: &Record, entry: Entry<'_>) -> Row {
        Row {
            time: stored_time(record.time.unwrap_or(entry.arrived)),
            seq: self.next_seq(),
            id: entry.id,
            further: entry.further,
            context: self.contexts.of(record, entry.deployment),
        }
    }

    /// Adds records, with the row of each; they are stored with the next commit. Secrets are gone from them.
    pub fn add(&mut self, records: Arc<Vec<Record>>, rows: Vec<Row>) -> Result<()> {
        let bytes = records.iter().map(|record| record.text.len()).sum::<usize>();
        self.open.bytes += bytes as u64;
        let count = rows.len();
        let size = bytes + count * (size_of::<Record>() + size_of::<Row>());
        if !self.backlog.fits(size) {
            // What is held back here is on its way, too.
            self.open.hand_over()?;
        }
        let _queued = self.backlog.take(size);
        let batch = Arc::new(Batch { fields: self.fields, records, rows, _queued });
        self.open.add((0..count).map(|at| Item::Record { batch: batch.clone(), at }))
    }

    /// Adds what was described while a deployment was the wanted one; secrets in its reasons are removed.
    pub fn add_state(&mut self, deployment: &str, time: Timestamp, state: &Snapshot) -> Result<()> {
        let state = State {
            fields: self.fields,
            time: stored_time(time),
            seq: self.next_seq(),
            wanted: deployment.to_owned(),
            json: without_secrets(serde_json::to_value(state)?).to_string(),
        };
        self.open.add(std::iter::once(Item::State(Box::new(state))))
    }

    fn next_seq(&mut self) -> u64 {
        self.ledger.next_seq += 1;
        self.ledger.next_seq
    }

    /// Stores what was added together with the ledger that `change` makes of the last one: all of it, or nothing.
    pub fn commit(&mut self, now: Timestamp, change: impl FnOnce(&mut Ledger)) -> Result<()> {
        self.commit_after(self.opened.elapsed(), now, change)
    }

    /// Commits after the writer was open for so long, by a clock that nobody sets.
    pub fn commit_after(
        &mut self,
        ran: Duration,
        clock: Timestamp,
        change: impl FnOnce(&mut Ledger),
    ) -> Result<()> {
        if self.lacks_space() {
            self.retain(None)?;
        }
        change(&mut self.ledger);
        let now = self.clock.time(self.ledger.at, &mut self.ledger.doubt, clock, ran);
        self.ledger.commit += 1;
        self.ledger.at = Some(now);
        let began = *self.ledger.part_began.get_or_insert(now);
        let payload = serde_json::to_string(&self.ledger)?;
        self.open.hand_over()?;
        let mut prepared = self.open.writer.prepare_commit().context("cannot write the index")?;
        prepared.set_payload(&payload);
        prepared.commit().context("cannot commit to the index")?;
        let full = self.open.documents >= MOST_DOCUMENTS || self.open.bytes >= self.largest_part();
        let is_old = self.open.documents > 0 && began < ago(now, self.retention.age.0 / PARTS_IN_AN_AGE);
        if full || is_old {
            self.ledger.part_began = Some(now);
            self.rotate(&serde_json::to_string(&self.ledger)?)?;
        }
        self.retain(Some(now))
    }

    /// Returns a view of what is committed.
    pub fn reader(&self) -> Result<Reader> {
        Reader::of(self.closed.iter().map(|part| &part.index).chain(std::iter::once(&self.open.index)))
    }

    fn largest_part(&self) -> u64 {
        (self.retention.size.0 / 8).clamp(4 << 20, 512 << 20)
    }

    /// Closes the open part and begins the next one, with the same ledger.
    fn rotate(&mut self, payload: &str) -> Result<()> {
        let mut next = OpenPart::create(&self.state, self.open.number + 1)?;
        let mut prepared = next.writer.prepare_commit()?;
        prepared.set_payload(payload);
        prepared.commit()?;
        let old = std::mem::replace(&mut self.open, next);
        self.closed.push(ClosedPart { number: old.number, index: old.index, last: self.ledger.at });
        // Merges that go on are left to end; what they have not merged stays as it is.
        std::thread::spawn(move || old.writer.wait_merging_threads());
        Ok(())
    }

    fn lacks_space(&self) -> bool {
        free_space(&self.state).is_some_and(|free| free < self.retention.free.0)
    }

    /// Removes the oldest closed parts while they are too old, all are too large, or the disk is too full.
    /// Parts are as old as the last of what was recorded into them: an old log that is read today is kept like any other.
    /// The newest closed part stays however large it is, and on a full disk too as long as nothing newer is recorded.
    fn retain(&mut self, now: Option<Timestamp>) -> Result<()> {
        let oldest_kept = now.map_or(Timestamp::MIN, |now| ago(now, self.retention.age.0));
        let limit = self.retention.size.0;
        let mut bytes = self.size();
        while let Some((oldest, newer)) = self.closed.split_first() {
            let part = oldest.number;
            let is_newest = newer.is_empty();
            let too_old = oldest.last.is_some_and(|last| last < oldest_kept);
            let too_large = !is_newest && bytes > limit;
            let too_full = !(is_newest && self.open.documents == 0) && self.lacks_space();
            if !(too_large || too_full || too_old) {
                break;
            }
            parts::remove(&self.state, part)?;
            self.closed.remove(0);
            if too_large && !too_old {
                warn!(part, bytes, limit, "the oldest records are removed: there are more than may be kept");
            } else if too_full && !too_old {
                warn!(part, "the oldest records are removed: the disk has too little space");
            }
            bytes = self.size();
        }
        let too_large = bytes > limit;
        if too_large && !self.told_too_large {
            warn!(bytes, limit, "the newest records alone take more than may be kept");
        }
        self.told_too_large = too_large;
        Ok(())
    }

    /// Returns how many bytes all parts take.
    fn size(&self) -> u64 {
        let closed: u64 = self.closed.iter().map(|part| parts::size(&self.state, part.number)).sum();
        closed + parts::size(&self.state, self.open.number)
    }
}

impl OpenPart {
    fn create(state: &Path, number: u64) -> Result<OpenPart> {
        let index = parts::create(state, number)?;
        OpenPart::reopen(state, number, index)
    }

    fn reopen(state: &Path, number: u64, index: Index) -> Result<OpenPart> {
        // A recording is slow: one thread to write and one to merge keep up with it, and each takes memory.
        let options = IndexWriterOptions::builder()
            .num_worker_threads(1)
            .num_merge_threads(1)
            .memory_budget_per_thread(MEMORY)
            .build();
        let writer = index
            .writer_with_options(options)
            .with_context(|| format!("cannot write to {}", parts::path(state, number).display()))?;
        let documents =
            index.load_metas()?.segments.iter().map(|segment| u64::from(segment.num_docs())).sum();
        let bytes = parts::size(state, number);
        Ok(OpenPart { number, index, writer, held: Vec::new(), documents, bytes })
    }

    fn add(&mut self, items: impl Iterator<Item = Item>) -> Result<()> {
        let held = self.held.len();
        self.held.extend(items);
        self.documents += (self.held.len() - held) as u64;
        if self.held.len() > MOST_HELD { self.hand_over() } else { Ok(()) }
    }

    /// Hands over to tantivy what was held back.
    fn hand_over(&mut self) -> Result<()> {
        if !self.held.is_empty() {
            self.writer.run(self.held.drain(..).map(UserOperation::Add).collect::<Vec<_>>())?;
        }
        Ok(())
    }
}

/// Reasons are told by whatever failed, and may repeat what it was given. What has a name and a value may be a secret by
/// its name.
fn without_secrets(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(redact(&text, &mut Redactions::new()).into_owned()),
        Value::Array(items) => items.into_iter().map(without_secrets).collect(),
        Value::Object(mut fields) => {
            let name = fields.get("name").and_then(Value::as_str).map(str::to_owned);
            if let (Some(name), Some(Value::String(value))) = (name, fields.get_mut("value")) {
                *value = snapshot::without_secret(&name, value);
            }
            fields.into_iter().map(|(name, value)| (name, without_secrets(value))).collect()
        }
        value => value,
    }
}

fn lock(state: &Path) -> Result<File> {
    let path = state.join("lock");
    let file = directory::own_file().create(true).truncate(false).open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another medic records into {}: stop it, or choose another --state", state.display())
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

fn ago(now: Timestamp, span: Duration) -> Timestamp {
    now.checked_sub(span).unwrap_or(Timestamp::MIN)
}
