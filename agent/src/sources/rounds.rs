//! What sources share that ask again and again: they ask in rounds, and hand over only what changed, in an order that lasts.

use analyzer::diagnosis::Gap;
use analyzer::record::Record;
use analyzer::snapshot::Snapshot;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

use super::{Arrival, Closed, Delivery, Outlet};
#[cfg(feature = "aws")]
use crate::aws::{Asking, Aws, Place};
#[cfg(feature = "aws")]
use tracing::{Instrument, debug_span};

/// How long a single run waits for what other sources describe.
#[cfg(feature = "aws")]
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// A source that asks an account again and again.
#[cfg(feature = "aws")]
pub trait Rounded {
    type Client;

    /// Whether a single run waits until the service is described, which names what the source asks for.
    const ASKS_BY_SERVICE: bool = false;

    /// Asks, and returns the records that are new.
    fn round(
        &mut self,
        client: &Self::Client,
        asking: &mut Asking<'_>,
        known: &Snapshot,
    ) -> impl Future<Output = Vec<Arrival>> + Send;

    /// Returns the state that the last answers describe.
    fn snapshot(&self) -> Snapshot;

    /// Returns where the source goes on.
    fn cursor(&self) -> Option<Value>;
}

/// Asks in rounds until Medic stops, or once.
#[cfg(feature = "aws")]
pub async fn run<S: Rounded>(
    mut source: S,
    client: S::Client,
    (every, once): (Duration, bool),
    aws: &Aws,
    place: Place,
    outlet: &Outlet,
) -> Result<(), Closed> {
    let mut asking = Asking::new(aws, place);
    let mut rounds = Rounds::default();
    if once && S::ASKS_BY_SERVICE {
        wait_for(outlet, LONGEST_WAIT, |known| !known.services.items().is_empty()).await;
    }
    loop {
        let known = outlet.known.borrow().clone();
        let span = debug_span!("medic.round", medic.source = %outlet.name);
        let records = source.round(&client, &mut asking, &known).instrument(span).await;
        let (snapshot, cursor) = (source.snapshot(), source.cursor());
        rounds.end(outlet, records, &snapshot, asking.gaps(), cursor).await?;
        if once {
            return Ok(());
        }
        rounds.rest(every, outlet).await;
    }
}

/// A source that had nothing to say for so long asks half as often, until something happens.
const CALM: Duration = Duration::from_secs(60);

/// Remembers what a source handed over last, and when.
#[derive(Debug, Default)]
pub struct Rounds {
    snapshot: Snapshot,
    gaps: Option<Vec<Gap>>,
    heard: Option<Instant>,
}

impl Rounds {
    /// Waits for the next round. In calm times the wait is twice as long; what any source finds out ends it.
    pub async fn rest(&mut self, every: Duration, outlet: &Outlet) {
        let heard = *self.heard.get_or_insert_with(Instant::now);
        if heard.elapsed() < CALM {
            return tokio::time::sleep(every).await;
        }
        let mut known = outlet.known.clone();
        known.mark_unchanged();
        tokio::select! {
            () = tokio::time::sleep(every * 2) => {}
            Ok(()) = known.changed() => self.heard = Some(Instant::now()),
        }
    }

    /// Hands over the outcome of a round, where it is not as before. The first round always tells its gaps:
    /// it says that the source has been read once.
    pub async fn end(
        &mut self,
        outlet: &Outlet,
        records: Vec<Arrival>,
        snapshot: &Snapshot,
        gaps: Vec<Gap>,
        cursor: Option<Value>,
    ) -> Result<(), Closed> {
        outlet.pulse.beat(|_| {});
        let changed = *snapshot != self.snapshot;
        let gaps = (self.gaps.as_ref() != Some(&gaps)).then_some(gaps);
        if records.is_empty() && !changed && gaps.is_none() {
            return Ok(());
        }
        if changed || !records.is_empty() {
            self.heard = Some(Instant::now());
        }
        if changed {
            self.snapshot = snapshot.clone();
        }
        if gaps.is_some() {
            self.gaps = gaps.clone();
        }
        let snapshot = if changed { snapshot.clone() } else { Snapshot::default() };
        outlet.deliver(Delivery { records, snapshot, gaps, cursor, stored: None }).await
    }
}

/// Numbers the records of a source: by their time, and within a millisecond by their arrival,
/// so that the order holds over restarts.
#[derive(Clone, Debug, Default)]
pub struct Order {
    last: u64,
}

impl Order {
    pub fn next(&mut self, time: Option<Timestamp>) -> u64 {
        let millisecond = time.and_then(|time| u64::try_from(time.as_millisecond()).ok()).unwrap_or(0);
        self.last = (self.last + 1).max(millisecond.saturating_mul(1000));
        self.last
    }
}

/// The identities of what was handed over last, as many as are worth remembering.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<u64>", into = "Vec<u64>")]
pub struct Seen {
    ids: BTreeSet<u64>,
    order: VecDeque<u64>,
}

impl Seen {
    const MOST: usize = 1000;

    /// Whether it is seen for the first time.
    pub fn is_new(&mut self, id: u64) -> bool {
        if !self.ids.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > Seen::MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

impl From<Vec<u64>> for Seen {
    fn from(ids: Vec<u64>) -> Seen {
        let mut seen = Seen::default();
        for id in ids {
            seen.is_new(id);
        }
        seen
    }
}

impl From<Seen> for Vec<u64> {
    fn from(seen: Seen) -> Vec<u64> {
        seen.order.into()
    }
}

/// Waits until other sources have described what a source builds on, but not for long.
pub async fn wait_for(outlet: &Outlet, longest: Duration, is_there: impl Fn(&Snapshot) -> bool) {
    let mut known = outlet.known.clone();
    // Where nobody describes anything any more there is nothing to wait for.
    let _ = tokio::time::timeout(longest, known.wait_for(|known| is_there(known))).await;
}

/// Returns an arrival of one part.
pub fn arrival(id: u64, record: Record) -> Arrival {
    Arrival { id, further: Vec::new(), record }
}

/// Returns the present, which only the agent knows.
pub fn now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_keep_their_order_over_restarts() {
        let at = |millisecond: i64| Timestamp::from_millisecond(millisecond).ok();
        let mut before = Order::default();
        let numbers: Vec<u64> = [at(5), at(5), at(4), None, at(6)].map(|time| before.next(time)).to_vec();
        assert_eq!(numbers, [5000, 5001, 5002, 5003, 6000]);
        assert!(Order::default().next(at(7)) > before.last);
    }

    #[tokio::test]
    async fn a_calm_source_asks_less_often_until_something_happens() {
        let (queue, _arrivals) = tokio::sync::mpsc::channel(1);
        let (publish, known) = tokio::sync::watch::channel(Default::default());
        let outlet = Outlet::new("test", queue, known, Default::default());
        let calm = Instant::now().checked_sub(CALM);
        let mut rounds = Rounds { heard: calm, ..Rounds::default() };
        let begun = Instant::now();
        rounds.rest(Duration::from_millis(20), &outlet).await;
        assert!(begun.elapsed() >= Duration::from_millis(40));
        assert_eq!(rounds.heard, calm);

        let tell = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            publish.send_replace(Default::default());
        };
        let rest = rounds.rest(Duration::from_secs(3600), &outlet);
        let outcome = tokio::time::timeout(Duration::from_secs(60), async { tokio::join!(rest, tell) }).await;
        assert!(outcome.is_ok() && rounds.heard > calm);
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let mut seen = Seen::default();
        assert!((0..1001).all(|id| seen.is_new(id)));
        assert!(!seen.is_new(1000) && seen.is_new(0));
        let kept: Seen = serde_json::from_value(serde_json::to_value(&seen).unwrap()).unwrap();
        assert_eq!((kept.ids, kept.order), (seen.ids, seen.order));
    }
}
