//! Remembers which records are stored, so that what is read twice is stored once.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

/// The newest identities.
#[derive(Debug, Default)]
pub struct Seen {
    known: HashSet<u64, BuildHasherDefault<AsIs>>,
    order: VecDeque<u64>,
    forgot: bool,
}

impl Seen {
    /// How many identities are remembered; older ones are looked up in the index.
    pub const MOST: usize = 1 << 19;

    pub fn contains(&self, id: u64) -> bool {
        self.known.contains(&id)
    }

    pub fn insert(&mut self, id: u64) {
        if !self.known.insert(id) {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > Seen::MOST {
            self.forgot = true;
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }

    /// Whether an identity that is not remembered may be stored all the same.
    pub fn is_forgetful(&self) -> bool {
        self.forgot
    }

    /// Says that more is stored than is remembered.
    pub fn forget_rest(&mut self) {
        self.forgot = true;
    }
}

/// Identities are hashes already.
#[derive(Default)]
struct AsIs(u64);

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
