//! What was taken in since the last commit, and when the next one is due.

use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long records wait for their commit, and how many.
const COMMIT_AFTER: Duration = Duration::from_millis(700);
const COMMIT_WHEN_BUSY: Duration = Duration::from_secs(2);
const COMMIT_RECORDS: u64 = 200_000;
/// The same while more waits already, nobody watches, and sources could hand all of it over again: each commit writes a
/// segment, and all of them are merged again later.
const COMMIT_WHEN_BEHIND: Duration = Duration::from_secs(10);
const COMMIT_RECORDS_BEHIND: u64 = 1_000_000;
/// While nobody watches, few records that their source could hand over again wait longer: each commit has its price.
const COMMIT_WHEN_CALM: Duration = Duration::from_secs(4);
const FEW_RECORDS: u64 = 500;
/// How long sources that have moved on, and handed nothing over, wait: what they read again would be known.
const COMMIT_CURSORS: Duration = Duration::from_secs(30);
/// A sender that waits for the commit waits at least this long, so that others share it.
const COMMIT_FOR_SENDER: Duration = Duration::from_millis(60);

/// What the next commit stores.
#[derive(Default)]
pub struct Pending {
    pub since: Option<Instant>,
    /// Since when a source has moved on.
    pub moved: Option<Instant>,
    pub records: u64,
    /// Whether some of them are with Medic alone.
    pub alone: bool,
    pub waiting: Vec<oneshot::Sender<()>>,
}

impl Pending {
    /// Returns how long to wait for more before the commit is due; nothing where there is nothing to commit.
    pub fn wait(&self, watched: bool) -> Option<Duration> {
        let since = self.since?;
        let longest = if self.waiting.is_empty() { self.longest(watched) } else { COMMIT_FOR_SENDER };
        Some(longest.saturating_sub(since.elapsed()))
    }

    /// Returns how long to wait for more while sources have only moved on.
    pub fn wait_moved(&self) -> Duration {
        self.moved.map_or(Duration::from_secs(3600), |moved| COMMIT_CURSORS.saturating_sub(moved.elapsed()))
    }

    /// Whether it is time to commit. While more waits already, fewer and larger commits get through it sooner.
    pub fn is_due(&self, more_waits: bool, watched: bool) -> bool {
        let Some(since) = self.since else {
            return self.moved.is_some_and(|moved| moved.elapsed() >= COMMIT_CURSORS);
        };
        let waits = !self.waiting.is_empty() && since.elapsed() >= COMMIT_FOR_SENDER;
        let (after, most) = match (more_waits, self.may_wait(watched)) {
            (true, true) => (COMMIT_WHEN_BEHIND, COMMIT_RECORDS_BEHIND),
            (true, false) => (COMMIT_WHEN_BUSY, COMMIT_RECORDS),
            (false, _) => (self.longest(watched), COMMIT_RECORDS),
        };
        waits || since.elapsed() >= after || self.records >= most
    }

    /// Whether nobody waits for what was taken in, and all of it could be read again.
    fn may_wait(&self, watched: bool) -> bool {
        !watched && !self.alone && self.waiting.is_empty()
    }

    /// Returns how long what was taken in may wait for its commit.
    fn longest(&self, watched: bool) -> Duration {
        let is_calm = self.may_wait(watched) && self.records < FEW_RECORDS;
        if is_calm { COMMIT_WHEN_CALM } else { COMMIT_AFTER }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(records: u64) -> Pending {
        Pending { since: Some(Instant::now()), records, ..Pending::default() }
    }

    #[test]
    fn what_can_be_read_again_may_wait_while_more_comes() {
        let many = pending(COMMIT_RECORDS);
        assert!(!many.is_due(true, false));
        assert!(many.is_due(true, true) && many.is_due(false, false));
        assert!(Pending { alone: true, ..pending(COMMIT_RECORDS) }.is_due(true, false));
        assert!(pending(COMMIT_RECORDS_BEHIND).is_due(true, false));
        let (waiting, _waits) = oneshot::channel();
        assert!(Pending { waiting: vec![waiting], ..pending(COMMIT_RECORDS) }.is_due(true, false));
    }

    #[test]
    fn who_waits_for_the_commit_waits_a_short_time() {
        let (waiting, _waits) = oneshot::channel();
        let asked = Pending { waiting: vec![waiting], ..pending(1) };
        assert!(asked.wait(false).is_some_and(|wait| wait <= COMMIT_FOR_SENDER));
        assert!(pending(1).wait(true).is_some_and(|wait| wait <= COMMIT_AFTER));
        assert!(pending(1).wait(false).is_some_and(|wait| wait > COMMIT_AFTER));
        assert_eq!(Pending::default().wait(false), None);
        assert!(!Pending::default().is_due(true, true));
    }
}
