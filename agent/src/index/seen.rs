//! Remembers which records are stored, so that what is read twice is stored once.

use analyzer::record::Record;
use jiff::Timestamp;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use xxhash_rust::xxh3::xxh3_64;

/// The newest identities, and up to which time older ones were forgotten.
#[derive(Debug, Default)]
pub struct Seen {
    known: HashSet<u64, BuildHasherDefault<AsIs>>,
    order: VecDeque<u64>,
    /// The newest time of each stream, a map for each [`CHUNK`] of identities in their order.
    chunks: VecDeque<Times>,
    inserted: usize,
    forgotten: Times,
    forgotten_anywhere: Option<Timestamp>,
    /// The newest time of the identities whose own times are not known.
    restored_until: Option<Timestamp>,
}

type Times = HashMap<u64, Timestamp, BuildHasherDefault<AsIs>>;

const CHUNK: usize = 1 << 16;
/// Beyond so many streams, what was forgotten is no longer told apart by stream.
const MOST_STREAMS: usize = 4096;

impl Seen {
    /// How many identities are remembered; older ones are looked up in the index.
    pub const MOST: usize = 1 << 19;

    pub fn contains(&self, id: u64) -> bool {
        self.known.contains(&id)
    }

    pub fn insert(&mut self, id: u64, record: &Record) {
        self.remember(id, Some(record));
    }

    /// Takes back the newest identities of what was stored before, the oldest of them first. `until`: the newest
    /// time of all that was stored; `all`: whether these are all identities.
    pub fn restore(&mut self, ids: impl Iterator<Item = u64>, until: Option<Timestamp>, all: bool) {
        self.restored_until = until;
        ids.for_each(|id| self.remember(id, None));
        if !all {
            self.forgotten_anywhere = until;
        }
    }

    /// Whether such a record may be stored although its identity is not remembered.
    pub fn may_have_forgotten(&self, record: &Record) -> bool {
        let Some(time) = record.time else { return false };
        if self.forgotten.is_empty() && self.forgotten_anywhere.is_none() {
            return false;
        }
        let of_stream = self.forgotten.get(&stream(record));
        self.forgotten_anywhere.is_some_and(|until| time <= until)
            || of_stream.is_some_and(|until| time <= *until)
    }

    fn remember(&mut self, id: u64, record: Option<&Record>) {
        if !self.known.insert(id) {
            return;
        }
        if self.inserted.is_multiple_of(CHUNK) {
            self.chunks.push_back(Times::default());
        }
        self.inserted += 1;
        if let (Some(record), Some(times)) = (record, self.chunks.back_mut())
            && let Some(time) = record.time
        {
            let newest = times.entry(stream(record)).or_insert(time);
            *newest = time.max(*newest);
        }
        self.order.push_back(id);
        if self.order.len() > Seen::MOST {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.order.pop_front() {
            self.known.remove(&oldest);
        }
        self.forgotten_anywhere = self.forgotten_anywhere.max(self.restored_until.take());
        // The chunks reach back to the oldest identity that is known.
        if self.chunks.len() * CHUNK < Seen::MOST + CHUNK {
            return;
        }
        for (stream, time) in self.chunks.pop_front().into_iter().flatten() {
            let until = self.forgotten.entry(stream).or_insert(time);
            *until = time.max(*until);
        }
        if self.forgotten.len() > MOST_STREAMS {
            self.forgotten_anywhere = self.forgotten_anywhere.max(self.forgotten.values().max().copied());
            self.forgotten.clear();
        }
    }
}

fn stream(record: &Record) -> u64 {
    xxh3_64(record.stream.name.as_bytes())
}

/// Identities are hashes already.
#[derive(Default)]
pub(super) struct AsIs(u64);

impl Hasher for AsIs {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use analyzer::record::{Level, Source, Stream};
    use std::sync::Arc;

    fn record(stream: &str, second: i64) -> Record {
        Record {
            stream: Arc::new(Stream { name: stream.to_owned(), source: Source::ContainerLog }),
            seq: 1,
            time: Timestamp::from_second(second).ok(),
            source: Source::ContainerLog,
            level: Level::Unknown,
            text: String::new(),
            body: None,
            line: 1,
            entity: None,
            deployment: None,
        }
    }

    #[test]
    fn nothing_is_forgotten_while_there_is_room() {
        let mut seen = Seen::default();
        (0..Seen::MOST as u64).for_each(|id| seen.insert(id, &record("a", id as i64)));
        assert!(seen.contains(0));
        assert!(!seen.may_have_forgotten(&record("a", 0)));
    }

    /// Whatever is no longer remembered is looked up; what is newer than all of it, or of another stream, is not.
    #[test]
    fn what_is_forgotten_is_known_by_stream_and_time() {
        let mut seen = Seen::default();
        let all = Seen::MOST as u64 + 3 * CHUNK as u64 + 17;
        (0..all).for_each(|id| seen.insert(id, &record("a", id as i64)));
        let forgotten = (0..all).filter(|id| !seen.contains(*id)).collect::<Vec<u64>>();
        assert_eq!(forgotten.len(), all as usize - Seen::MOST);
        for id in forgotten {
            assert!(seen.may_have_forgotten(&record("a", id as i64)), "{id}");
        }
        assert!(!seen.may_have_forgotten(&record("a", all as i64)));
        assert!(!seen.may_have_forgotten(&record("b", 0)));
    }

    #[test]
    fn many_streams_are_forgotten_together() {
        let mut seen = Seen::default();
        let all = Seen::MOST as u64 + 2 * CHUNK as u64;
        (0..all).for_each(|id| seen.insert(id, &record(&format!("s{}", id % 10_000), id as i64)));
        assert!(seen.may_have_forgotten(&record("another", 1)));
        assert!(!seen.may_have_forgotten(&record("another", all as i64)));
    }

    #[test]
    fn what_was_stored_before_a_start_is_looked_up() {
        let newest = Timestamp::from_second(100).ok();
        let mut seen = Seen::default();
        seen.restore([1, 2].into_iter(), newest, false);
        assert!(seen.contains(2));
        assert!(seen.may_have_forgotten(&record("a", 100)));
        assert!(!seen.may_have_forgotten(&record("a", 101)));

        let mut seen = Seen::default();
        seen.restore([1, 2].into_iter(), newest, true);
        assert!(!seen.may_have_forgotten(&record("a", 100)));
        (3..=Seen::MOST as u64 + 1).for_each(|id| seen.insert(id, &record("b", 200)));
        assert!(!seen.contains(1));
        assert!(seen.may_have_forgotten(&record("a", 100)));
    }
}
