//! Writes records and the ledger, commits them together, and keeps the whole within its bounds.

use analyzer::record::Record;
use analyzer::snapshot::Snapshot;
use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use tantivy::indexer::UserOperation;
use tantivy::{DateTime, Index, IndexWriter, TantivyDocument};

use super::fields::{self, Fields};
use super::glance::free_space;
use super::ledger::Ledger;
use super::parts;
use super::reader::Reader;
use crate::config::Retention;

/// What the writer of a part may hold before it writes a segment.
const MEMORY: usize = 64 << 20;
/// A part with more records than this is closed.
const MOST_DOCUMENTS: u64 = 2_000_000;
/// So many documents are handed to the writing thread at a time.
const BATCH: usize = 256;

/// The one writer of a state directory.
pub struct Writer {
    state: PathBuf,
    fields: Fields,
    retention: Retention,
    closed: Vec<(u64, Index)>,
    open: OpenPart,
    ledger: Ledger,
    /// Held as long as this writer lives.
    _lock: File,
}

struct OpenPart {
    number: u64,
    index: Index,
    writer: IndexWriter,
    /// What is on its way to the writer.
    batch: Vec<UserOperation<TantivyDocument>>,
    documents: u64,
    bytes: u64,
}

/// A record on its way into the index; secrets are gone from it.
#[derive(Clone, Debug)]
pub struct Entry<'r> {
    pub id: u64,
    pub further: &'r [u64],
    pub record: &'r Record,
    /// Stored in place of a time that the record does not have.
    pub arrived: Timestamp,
    /// The recorded deployment under whose name it is found.
    pub deployment: &'r str,
}

impl Writer {
    /// Opens a state directory for writing; there is one writer at a time.
    pub fn open(state: &Path, retention: &Retention) -> Result<Writer> {
        fs::create_dir_all(parts::folder(state))
            .with_context(|| format!("cannot create {}", state.display()))?;
        let lock = lock(state)?;
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
            let index = parts::open(state, number)?;
            if let Some(found) = parts::ledger(&index)?
                && found.commit >= ledger.commit
            {
                ledger = found;
            }
            closed.push((number, index));
        }
        let open = match closed.pop() {
            Some((number, index)) => OpenPart::reopen(state, number, index)?,
            None => OpenPart::create(state, last + 1)?,
        };
        Ok(Writer {
            state: state.to_owned(),
            fields: fields::schema().1,
            retention: retention.clone(),
            closed,
            open,
            ledger,
            _lock: lock,
        })
    }

    /// Returns the ledger of the last commit.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Adds a record; it is stored with the next commit.
    pub fn add(&mut self, entry: &Entry<'_>) -> Result<()> {
        let record = entry.record;
        let mut document = TantivyDocument::new();
        let time = record.time.unwrap_or(entry.arrived);
        document.add_date(self.fields.time, stored_time(time));
        if record.time.is_none() {
            document.add_bool(self.fields.timed, false);
        }
        document.add_u64(self.fields.seq, self.next_seq());
        document.add_u64(self.fields.place, record.seq);
        document.add_u64(self.fields.line, record.line);
        document.add_u64(self.fields.id, entry.id);
        for further in entry.further {
            document.add_u64(self.fields.id, *further);
        }
        document.add_text(self.fields.text, &record.text);
        document.add_text(self.fields.source, record.source.as_str());
        if record.stream.source != record.source {
            document.add_text(self.fields.origin, record.stream.source.as_str());
        }
        document.add_text(self.fields.stream, &record.stream.name);
        document.add_text(self.fields.severity, record.level.as_str());
        if let Some(entity) = record.entity.as_deref() {
            document.add_text(self.fields.entity, entity);
        }
        if let Some(named) = record.deployment.as_deref() {
            document.add_text(self.fields.named, named);
        }
        document.add_text(self.fields.deployment, entry.deployment);
        self.open.bytes += record.text.len() as u64;
        self.open.add(document)
    }

    /// Adds what was described while a deployment was the wanted one.
    pub fn add_state(&mut self, deployment: &str, time: Timestamp, state: &Snapshot) -> Result<()> {
        let mut document = TantivyDocument::new();
        document.add_date(self.fields.time, stored_time(time));
        document.add_u64(self.fields.seq, self.next_seq());
        document.add_text(self.fields.wanted, deployment);
        document.add_text(self.fields.state, serde_json::to_string(state)?);
        self.open.add(document)
    }

    fn next_seq(&mut self) -> u64 {
        self.ledger.next_seq += 1;
        self.ledger.next_seq
    }

    /// Stores what was added together with the ledger that `change` makes of the last one: all of it, or nothing.
    pub fn commit(&mut self, now: Timestamp, change: impl FnOnce(&mut Ledger)) -> Result<()> {
        change(&mut self.ledger);
        self.ledger.commit += 1;
        let payload = serde_json::to_string(&self.ledger)?;
        self.open.flush()?;
        let mut prepared = self.open.writer.prepare_commit().context("cannot write the index")?;
        prepared.set_payload(&payload);
        prepared.commit().context("cannot commit to the index")?;
        let full = self.open.documents >= MOST_DOCUMENTS || self.open.bytes >= self.largest_part();
        if full {
            self.rotate(&payload)?;
        }
        self.retain(now)
    }

    /// Returns a view of what is committed.
    pub fn reader(&self) -> Result<Reader> {
        Reader::of(self.closed.iter().map(|(_, index)| index).chain(std::iter::once(&self.open.index)))
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
        self.closed.push((old.number, old.index));
        // Merges that go on are left to end; what they have not merged stays as it is.
        std::thread::spawn(move || old.writer.wait_merging_threads());
        Ok(())
    }

    /// Removes the oldest closed parts while they are too old, all are too large, or the disk is too full.
    fn retain(&mut self, now: Timestamp) -> Result<()> {
        let oldest_kept = now.checked_sub(self.retention.age.0).unwrap_or(Timestamp::MIN);
        while let Some((number, index)) = self.closed.first() {
            let sizes: u64 = self.closed.iter().map(|(number, _)| parts::size(&self.state, *number)).sum();
            let too_large = sizes + parts::size(&self.state, self.open.number) > self.retention.size.0;
            let too_full = free_space(&self.state).is_some_and(|free| free < self.retention.free.0);
            let too_old = newest_in(index)?.is_some_and(|newest| newest < oldest_kept);
            if !(too_large || too_full || too_old) {
                break;
            }
            parts::remove(&self.state, *number)?;
            self.closed.remove(0);
        }
        Ok(())
    }
}

impl OpenPart {
    fn create(state: &Path, number: u64) -> Result<OpenPart> {
        let index = parts::create(state, number)?;
        OpenPart::reopen(state, number, index)
    }

    fn reopen(state: &Path, number: u64, index: Index) -> Result<OpenPart> {
        let writer = index
            .writer_with_num_threads(1, MEMORY)
            .with_context(|| format!("cannot write to {}", parts::path(state, number).display()))?;
        let documents =
            index.load_metas()?.segments.iter().map(|segment| u64::from(segment.num_docs())).sum();
        let bytes = parts::size(state, number);
        Ok(OpenPart { number, index, writer, batch: Vec::new(), documents, bytes })
    }

    fn add(&mut self, document: TantivyDocument) -> Result<()> {
        self.documents += 1;
        self.batch.push(UserOperation::Add(document));
        if self.batch.len() < BATCH { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<()> {
        let more = Vec::with_capacity(BATCH);
        self.writer.run(std::mem::replace(&mut self.batch, more))?;
        Ok(())
    }
}

/// Returns a time as it is stored: to the nanosecond, and as far as 64 bits reach (years 1678 to 2262).
fn stored_time(time: Timestamp) -> DateTime {
    let nanoseconds = time.as_nanosecond().clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    DateTime::from_timestamp_nanos(nanoseconds as i64)
}

fn lock(state: &Path) -> Result<File> {
    let path = state.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
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

/// Returns the time of the newest document of a part.
fn newest_in(index: &Index) -> Result<Option<Timestamp>> {
    let reader: tantivy::IndexReader =
        index.reader_builder().reload_policy(tantivy::ReloadPolicy::Manual).try_into()?;
    let mut newest = None;
    for segment in reader.searcher().segment_readers() {
        let last = segment.fast_fields().date("time")?.max_value();
        newest = newest.max(Timestamp::from_microsecond(last.into_timestamp_micros()).ok());
    }
    Ok(newest)
}
