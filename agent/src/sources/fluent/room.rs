//! Room for what senders send: all connections of a receiver share it, however many they are.
//!
//! A connection has a little room of its own. For a larger message it takes room out of the common one; where that
//! is used up, it waits until it is its turn in the lane, which holds one message of any size. A connection that is
//! in the lane has to get on, so that it is free again within a bounded time.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::wire::LARGEST_MESSAGE;

/// What all connections may hold together besides their own room, and besides the one that is in the lane.
const COMMON: usize = 32 << 20;
/// What a connection may hold in any case.
pub const OWN: usize = 128 << 10;
/// Room is counted in units of this size.
const UNIT: usize = 1 << 10;
/// A connection waits for room so long.
const PATIENCE: Duration = Duration::from_secs(60);
/// A message that uses the lane is to be whole within this time.
const IN_LANE: Duration = Duration::from_secs(20);
/// A sender that stops within a larger message for so long gives its room back.
const STALLED: Duration = Duration::from_secs(30);

/// The room of a receiver.
pub struct Room {
    common: Arc<Semaphore>,
    lane: Arc<Semaphore>,
    /// What is being unpacked is several times as large; so that is done with one message at a time.
    unpacking: Arc<Semaphore>,
    patience: Duration,
    in_lane: Duration,
    stalled: Duration,
}

/// What one connection has taken.
#[derive(Default)]
pub struct Claim {
    taken: Vec<OwnedSemaphorePermit>,
    lane: Option<(OwnedSemaphorePermit, Instant)>,
}

impl Room {
    pub fn new() -> Room {
        Room::of(COMMON, PATIENCE, IN_LANE, STALLED)
    }

    pub fn of(common: usize, patience: Duration, in_lane: Duration, stalled: Duration) -> Room {
        Room {
            common: Arc::new(Semaphore::new(common / UNIT)),
            lane: Arc::new(Semaphore::new(1)),
            unpacking: Arc::new(Semaphore::new(1)),
            patience,
            in_lane,
            stalled,
        }
    }

    /// Makes a buffer larger that is full, and waits until there is room for that; false where there is none.
    pub async fn grow(&self, claim: &mut Claim, bytes: &mut Vec<u8>, by: usize) -> bool {
        if bytes.capacity() - bytes.len() >= by {
            return true;
        }
        // A buffer that is made larger by half each time is copied seldom, and wastes little.
        let wanted = (bytes.len() + by).max(bytes.len() * 3 / 2).min(LARGEST_MESSAGE + by);
        if !self.claim(claim, wanted.saturating_sub(OWN)).await {
            return false;
        }
        bytes.reserve_exact(wanted.saturating_sub(bytes.len()));
        true
    }

    async fn claim(&self, claim: &mut Claim, wanted: usize) -> bool {
        let has: usize = claim.taken.iter().map(OwnedSemaphorePermit::num_permits).sum();
        let missing = wanted.div_ceil(UNIT).saturating_sub(has);
        if missing == 0 || claim.lane.is_some() {
            return true;
        }
        let units = u32::try_from(missing).unwrap_or(u32::MAX);
        if let Ok(taken) = self.common.clone().try_acquire_many_owned(units) {
            claim.taken.push(taken);
            return true;
        }
        match timeout(self.patience, self.lane.clone().acquire_owned()).await {
            Ok(Ok(lane)) => {
                claim.lane = Some((lane, Instant::now() + self.in_lane));
                true
            }
            _ => false,
        }
    }

    /// Returns until when a connection may wait for its sender to go on.
    pub fn until(&self, claim: &Claim) -> Option<Instant> {
        let stalled = Instant::now() + self.stalled;
        match &claim.lane {
            Some((_, until)) => Some(stalled.min(*until)),
            None => (!claim.taken.is_empty()).then_some(stalled),
        }
    }

    /// Waits for the turn to unpack.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        self.unpacking.clone().acquire_owned().await.ok()
    }

    #[cfg(test)]
    pub fn left(&self) -> usize {
        self.common.available_permits() * UNIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(50);

    /// Fills a buffer up to a size; returns whether there was room.
    async fn fill(room: &Room, claim: &mut Claim, bytes: &mut Vec<u8>, size: usize) -> bool {
        while bytes.len() < size {
            if !room.grow(claim, bytes, 4 << 10).await {
                return false;
            }
            bytes.resize(bytes.len() + (4 << 10), 0);
        }
        true
    }

    #[tokio::test]
    async fn small_messages_need_no_room() {
        let room = Room::of(0, SOON, SOON, SOON);
        let mut claim = Claim::default();
        assert!(fill(&room, &mut claim, &mut Vec::new(), OWN / 2).await);
        assert!(room.until(&claim).is_none());
    }

    #[tokio::test]
    async fn what_all_hold_is_bounded_and_one_gets_on() {
        const SENDERS: usize = 40;
        let room = Room::of(1 << 20, Duration::from_millis(5), SOON, SOON);
        let mut held = Vec::new();
        let mut whole = 0;
        for _ in 0..SENDERS {
            let (mut claim, mut bytes) = (Claim::default(), Vec::new());
            whole += usize::from(fill(&room, &mut claim, &mut bytes, 1 << 20).await);
            held.push((claim, bytes));
        }
        let in_lane: Vec<&Claim> =
            held.iter().map(|(claim, _)| claim).filter(|claim| claim.lane.is_some()).collect();
        let capacity: usize = held.iter().map(|(_, bytes)| bytes.capacity()).sum();
        assert!(whole >= 1 && in_lane.len() == 1, "{whole} messages are whole");
        assert!(capacity <= (1 << 20) + (2 << 20) + SENDERS * OWN, "{capacity}");
        assert!(room.until(in_lane[0]).is_some_and(|until| until <= Instant::now() + SOON));
        held.clear();
        assert_eq!(room.left(), 1 << 20, "what is dropped gives its room back");
        assert!(fill(&room, &mut Claim::default(), &mut Vec::new(), LARGEST_MESSAGE).await);
    }
}
