//! Sources: where records come from, a source a file.
//!
//! A source runs until it is stopped or its input ends. It hands over deliveries: records, described state,
//! and the cursor from which it goes on once these records are stored. It starts from the cursor that was stored last,
//! so it may read again what was in flight when Medic stopped: the ids of records tell what is stored already.

mod account;
#[cfg(feature = "cloudformation")]
mod cloudformation;
#[cfg(feature = "cloudwatch-logs")]
mod cloudwatch_logs;
#[cfg(feature = "cloudwatch-metrics")]
mod cloudwatch_metrics;
mod doors;
#[cfg(feature = "ecs")]
mod ecs;
#[cfg_attr(
    not(any(feature = "cloudwatch-logs", feature = "eventbridge-sqs")),
    allow(dead_code, reason = "other sources take only the identity of a task from it")
)]
mod ecs_event;
#[cfg(feature = "eventbridge-sqs")]
mod eventbridge_sqs;
pub mod files;
pub mod fluent;
#[cfg(feature = "github-actions")]
mod github_actions;
mod hand;
mod lines;
mod members;
pub mod otlp;
mod pulse;
#[cfg_attr(
    not(all(feature = "cloudwatch-metrics", feature = "ecs")),
    allow(dead_code, reason = "these two take all of it, other sources only a part")
)]
mod rounds;
pub mod stdin;
#[cfg(feature = "target-health")]
mod target_health;
#[cfg(feature = "task-metadata")]
mod task_metadata;
#[cfg(test)]
mod testing;

#[cfg(feature = "cloudwatch-logs")]
pub use account::connection;
pub use account::{place, usual};
#[cfg(feature = "cloudwatch-logs")]
pub use cloudwatch_logs::log_groups;
pub use doors::try_all as try_doors;
pub use pulse::{Felt, Pulse};

use analyzer::diagnosis::Gap;
use analyzer::record::Record;
use analyzer::snapshot::Snapshot;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::error;
use xxhash_rust::xxh3::xxh3_64;

use crate::config::{Config, SourceConfig};
use crate::telemetry::{self, Measure};

/// What a source hands over at a time.
#[derive(Debug, Default)]
pub struct Delivery {
    pub records: Vec<Arrival>,
    /// State that was described; it is merged with what is known.
    pub snapshot: Snapshot,
    /// What the source cannot see at present; replaces what it said before. `None`: as before.
    pub gaps: Option<Vec<Gap>>,
    /// Where the source goes on once these records are stored; it is stored in the same commit as they are.
    pub cursor: Option<Value>,
    /// Told once the records are stored.
    pub stored: Option<oneshot::Sender<()>>,
}

/// A record with its identity: what was read twice has the same ids twice, and is stored once.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The identity of the record, or of its first line; see [`id`].
    pub id: u64,
    /// The identities of further lines or events that are folded into the record.
    pub further: Vec<u64>,
    pub record: Record,
}

/// Returns the identity of something that a source names by these parts. It is stored: it never changes.
pub fn id(parts: &[&str]) -> u64 {
    let Some((last, first)) = parts.split_last() else { return xxh3_64(&[]) };
    Identities::new(first).with(last)
}

/// The identities of things whose first parts are the same.
pub struct Identities {
    parts: Vec<u8>,
    first: usize,
}

impl Identities {
    pub fn new(first: &[&str]) -> Identities {
        let mut identities = Identities { parts: Vec::new(), first: 0 };
        first.iter().for_each(|part| identities.push(part));
        identities.first = identities.parts.len();
        identities
    }

    /// Returns the identity of what is told apart by its last part.
    pub fn with(&mut self, last: &str) -> u64 {
        self.parts.truncate(self.first);
        self.push(last);
        xxh3_64(&self.parts)
    }

    fn push(&mut self, part: &str) {
        self.parts.extend((part.len() as u64).to_le_bytes());
        self.parts.extend(part.as_bytes());
    }
}

/// Returns the identity of a record that has no id of its own: what it says, when, and about what.
pub fn id_of(source: &str, record: &Record) -> u64 {
    let time = record.time.map(|time| time.as_nanosecond().to_string()).unwrap_or_default();
    let entity = record.entity.as_deref().unwrap_or_default();
    let deployment = record.deployment.as_deref().unwrap_or_default();
    id(&[source, &record.stream.name, record.source.as_str(), &time, entity, deployment, &record.text])
}

/// Gives the records of an answer their identities. What it says is known by its words, and by how often
/// it says so: the same answer, read again, says nothing new.
fn answered(source: &str, records: Vec<Record>) -> Vec<Arrival> {
    let mut times: BTreeMap<u64, u64> = BTreeMap::new();
    let identified = records.into_iter().map(|record| {
        let said = id_of(source, &record);
        let nth = times.entry(said).and_modify(|nth| *nth += 1).or_insert(0);
        Arrival { id: said.wrapping_add(*nth), further: Vec::new(), record }
    });
    identified.collect()
}

/// Where a source hands over what it has read. The queue is bounded: a source that is faster than the index waits.
#[derive(Clone, Debug)]
pub struct Outlet {
    /// The name of the source; its cursor and its gaps are kept under it.
    pub name: Arc<str>,
    queue: mpsc::Sender<(Arc<str>, Delivery)>,
    /// The state that all sources have described so far: a source of logs finds its log groups in it.
    pub known: watch::Receiver<Arc<Snapshot>>,
    /// Cancelled when Medic stops: hand over what was received, and return.
    pub stop: CancellationToken,
    /// How the source fares.
    pub pulse: Arc<Felt>,
}

/// The collector is gone; there is nobody to hand over to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the collector has stopped")]
pub struct Closed;

impl Outlet {
    pub fn new(
        name: &str,
        queue: mpsc::Sender<(Arc<str>, Delivery)>,
        known: watch::Receiver<Arc<Snapshot>>,
        stop: CancellationToken,
    ) -> Outlet {
        Outlet { name: Arc::from(name), queue, known, stop, pulse: Arc::default() }
    }

    /// Hands over; waits while the queue is full.
    pub async fn deliver(&self, delivery: Delivery) -> Result<(), Closed> {
        self.measure(&delivery);
        self.pulse.beat(|pulse| pulse.waits_since = Some(Instant::now()));
        let sent = self.queue.send((self.name.clone(), delivery)).await.map_err(|_| Closed);
        self.pulse.beat(|pulse| pulse.waits_since = None);
        sent
    }

    /// Hands over, and returns once the records are stored: only then may a sender be told that they arrived.
    pub async fn store(&self, mut delivery: Delivery) -> Result<(), Closed> {
        let (tell, told) = oneshot::channel();
        delivery.stored = Some(tell);
        self.deliver(delivery).await?;
        told.await.map_err(|_| Closed)
    }

    /// Counts what is handed over.
    fn measure(&self, delivery: &Delivery) {
        let newest = delivery.records.iter().filter_map(|arrival| arrival.record.time).max();
        let lag = newest.map(|newest| Timestamp::now().duration_since(newest).as_secs().max(0));
        let (records, gaps) = (delivery.records.len(), delivery.gaps.as_ref().map(Vec::len));
        self.pulse.beat(|pulse| {
            pulse.records += records as u64;
            pulse.deliveries += 1;
            pulse.lag = lag.map(|lag| (lag, Instant::now())).or(pulse.lag);
            pulse.gaps = gaps.unwrap_or(pulse.gaps);
        });
        if telemetry::is_on() {
            let bytes = delivery.records.iter().map(|arrival| arrival.record.text.len() as u64).sum();
            telemetry::note(Measure::HandedOver { source: &self.name, bytes, lag, gaps });
        }
    }

    /// Hands over what the source cannot see.
    pub async fn say_gaps(&self, gaps: Vec<Gap>) -> Result<(), Closed> {
        self.deliver(Delivery { gaps: Some(gaps), ..Delivery::default() }).await
    }
}

/// Starts a source.
pub fn spawn(
    source: SourceConfig,
    config: &Config,
    cursor: Option<Value>,
    once: bool,
    outlet: Outlet,
) -> JoinHandle<Result<(), Closed>> {
    let place = place(config);
    watched(outlet.clone(), async move {
        match source {
            SourceConfig::Files { paths, holds, .. } => {
                files::run(paths, holds.and_then(|name| name.parse().ok()), cursor, once, outlet).await
            }
            SourceConfig::Stdin { holds, .. } => {
                stdin::run(holds.and_then(|name| name.parse().ok()), outlet).await
            }
            SourceConfig::FluentForward { listen, shared_key_variable, .. } => {
                fluent::run(listen, shared_key_variable, outlet).await
            }
            SourceConfig::Otlp { grpc, http, .. } => otlp::run(grpc, http, outlet).await,
            source => account::run(source, place, cursor, once, outlet).await,
        }
    })
}

/// Runs a source, and takes note of its end; one that panics leaves a gap, and the others go on.
fn watched(
    outlet: Outlet,
    source: impl Future<Output = Result<(), Closed>> + Send + 'static,
) -> JoinHandle<Result<(), Closed>> {
    tokio::spawn(async move {
        // Whoever ends this task ends the source.
        let outcome = AbortOnDropHandle::new(tokio::spawn(source)).await;
        outlet.pulse.beat(|pulse| pulse.has_ended = true);
        let error = match outcome {
            Ok(outcome) => return outcome,
            Err(error) => error,
        };
        error!(source = &*outlet.name, %error, "source ended unexpectedly");
        let gap = Gap {
            what: format!("source {}", outlet.name),
            because: format!("it ended unexpectedly: {error}"),
            remedy: Some(
                "start Medic again: it goes on from what is stored. This is a fault of Medic: report it"
                    .to_owned(),
            ),
        };
        outlet.say_gaps(vec![gap]).await
    })
}

#[cfg(test)]
mod tests {
    use super::testing::Fake;
    use super::*;

    /// Identities are stored: what is read again after another version of Medic is known again.
    #[test]
    fn identities_stay_what_they_are() {
        assert_eq!(id(&[]), 0x2d06_8005_38d3_94c2);
        assert_eq!(id(&["files", "12:34:0:0", "4096"]), 0xbe84_6680_42ca_5446);
        let mut identities = Identities::new(&["files", "12:34:0:0"]);
        assert_eq!(identities.with("1"), id(&["files", "12:34:0:0", "1"]));
        assert_eq!(identities.with("4096"), id(&["files", "12:34:0:0", "4096"]));
    }

    #[tokio::test]
    async fn a_source_that_panics_leaves_a_gap() {
        let fake = Fake::default();
        let (outlet, _stop) = fake.collect();
        let pulse = outlet.pulse.clone();
        watched(outlet, async { panic!("no such part") }).await.unwrap().unwrap();
        fake.ended().await;
        let gaps = fake.store.lock().unwrap().gaps.clone();
        assert!(gaps[0].because.contains("no such part"), "{gaps:?}");
        assert!(pulse.now().has_ended && pulse.now().gaps == 1);
    }

    #[tokio::test]
    async fn a_source_ends_with_its_task() {
        let fake = Fake::default();
        let (outlet, _stop) = fake.collect();
        let inner = outlet.clone();
        let running = watched(outlet, async move {
            let () = std::future::pending().await;
            inner.say_gaps(Vec::new()).await
        });
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
        let ended = tokio::time::timeout(std::time::Duration::from_secs(20), fake.ended());
        assert!(ended.await.is_ok(), "the source still runs");
    }
}
