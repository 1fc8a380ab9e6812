//! Whether a segment may hold an identity: to look at all its records for each that is asked for takes far too long.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tantivy::index::SegmentId;

use super::rows::Rows;

/// With so many bits for each identity, and so many of them set, one in some thousand that is not there seems to be: each of
/// these is looked for among all records of its time.
const BITS: usize = 16;
const SET: u64 = 8;

/// The identities of a segment, each as a few bits (a Bloom filter).
#[derive(Debug)]
pub struct Identities {
    bits: Vec<u64>,
}

impl Identities {
    fn new(count: usize) -> Identities {
        Identities { bits: vec![0; (count * BITS).div_ceil(64).max(1)] }
    }

    fn insert(&mut self, id: u64) {
        let length = self.bits.len();
        places(id, length).for_each(|(word, bit)| self.bits[word] |= bit);
    }

    /// Whether an identity may be there; where it is not, none is missed.
    pub fn may_hold(&self, id: u64) -> bool {
        places(id, self.bits.len()).all(|(word, bit)| self.bits[word] & bit != 0)
    }
}

/// Identities of segments, read when they are first needed. Segments never change.
#[derive(Debug, Default)]
pub struct IdentityCache {
    known: Mutex<HashMap<SegmentId, Arc<Identities>>>,
}

impl IdentityCache {
    pub fn of(&self, name: SegmentId, rows: &Rows) -> Arc<Identities> {
        if let Some(identities) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&name) {
            return identities.clone();
        }
        let mut identities = Identities::new(rows.count_identities());
        for document in 0..rows.documents() {
            rows.identities(document).for_each(|id| identities.insert(id));
        }
        let identities = Arc::new(identities);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(name, identities.clone());
        identities
    }

    /// Forgets segments that are no longer there.
    pub fn keep(&self, is_there: impl Fn(&SegmentId) -> bool) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).retain(|name, _| is_there(name));
    }
}

/// Identities are hashes already: their halves make as many places as are wanted.
fn places(id: u64, words: usize) -> impl Iterator<Item = (usize, u64)> {
    let bits = words as u64 * 64;
    let (first, step) = (id, id.rotate_left(32) | 1);
    (0..SET).map(move |number| {
        let place = first.wrapping_add(step.wrapping_mul(number)) % bits;
        ((place / 64) as usize, 1 << (place % 64))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::xxh3_64;

    #[test]
    fn what_was_put_in_is_found_and_little_else() {
        let id = |number: u64| xxh3_64(&number.to_le_bytes());
        let mut identities = Identities::new(10_000);
        (0..10_000).for_each(|number| identities.insert(id(number)));
        assert!((0..10_000).all(|number| identities.may_hold(id(number))));
        let wrong = (10_000..110_000).filter(|number| identities.may_hold(id(*number))).count();
        assert!(wrong < 200, "{wrong} of 100000");
    }
}
