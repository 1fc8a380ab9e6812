//! How a source fares: its outlet keeps count, and the heartbeat tells.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// How a source fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// How many records it handed over, and how often it handed something over.
    pub records: u64,
    pub deliveries: u64,
    /// When it last gave a sign of life: it handed over, or ended a round.
    pub heard: Option<Instant>,
    /// Since when it waits to hand over, for the index is slower than it.
    pub waits_since: Option<Instant>,
    /// How many seconds old its newest record was when it last handed some over, and when that was.
    pub lag: Option<(i64, Instant)>,
    /// How much it cannot see.
    pub gaps: usize,
    pub has_ended: bool,
}

/// The pulse of a source, shared by those who feel it.
#[derive(Debug, Default)]
pub struct Felt(Mutex<Pulse>);

impl Felt {
    pub fn now(&self) -> Pulse {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn beat(&self, change: impl FnOnce(&mut Pulse)) {
        let mut pulse = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pulse.heard = Some(Instant::now());
        change(&mut pulse);
    }
}
