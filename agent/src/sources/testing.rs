//! A collector for tests: it stores what sources hand over, as the index does.

use analyzer::snapshot::Snapshot;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{Arrival, Outlet};

/// What a collector has stored, each record once, and the cursor that belongs to it.
#[derive(Debug, Default)]
pub struct Store {
    ids: BTreeSet<u64>,
    pub arrivals: Vec<Arrival>,
    pub cursor: Option<Value>,
    pub snapshot: Snapshot,
    pub gaps: Vec<analyzer::diagnosis::Gap>,
    /// How many records came that were stored already.
    pub repeated: usize,
}

#[derive(Clone, Default)]
pub struct Fake {
    pub store: Arc<Mutex<Store>>,
}

impl Fake {
    /// Starts collecting; the outlet is for one source. Collecting ends with the outlet.
    pub fn collect(&self) -> (Outlet, CancellationToken) {
        let (queue, mut deliveries) = mpsc::channel(2);
        let (_, known) = watch::channel(Arc::new(Snapshot::default()));
        let stop = CancellationToken::new();
        let store = self.store.clone();
        tokio::spawn(async move {
            while let Some((_, delivery)) = deliveries.recv().await {
                let delivery: super::Delivery = delivery;
                let mut store = store.lock().unwrap();
                for arrival in delivery.records {
                    if store.ids.insert(arrival.id) {
                        store.arrivals.push(arrival);
                    } else {
                        store.repeated += 1;
                    }
                }
                store.snapshot.merge(delivery.snapshot);
                if let Some(gaps) = delivery.gaps {
                    store.gaps = gaps;
                }
                if let Some(cursor) = delivery.cursor {
                    store.cursor = Some(cursor);
                }
                if let Some(stored) = delivery.stored {
                    let _ = stored.send(());
                }
            }
        });
        (Outlet::new("test", queue, known, stop.clone()), stop)
    }

    pub fn cursor(&self) -> Option<Value> {
        self.store.lock().unwrap().cursor.clone()
    }

    /// Returns the texts, each stream in its order.
    pub fn texts(&self) -> Vec<String> {
        self.by_stream().into_values().flatten().collect()
    }

    pub fn by_stream(&self) -> BTreeMap<String, Vec<String>> {
        let store = self.store.lock().unwrap();
        let mut sorted: Vec<&Arrival> = store.arrivals.iter().collect();
        sorted.sort_by_key(|arrival| (&arrival.record.stream.name, arrival.record.seq));
        let mut streams: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for arrival in sorted {
            streams.entry(arrival.record.stream.name.clone()).or_default().push(arrival.record.text.clone());
        }
        streams
    }

    /// Waits until so many records are stored.
    pub async fn wait_for(&self, records: usize) {
        for _ in 0..1000 {
            if self.store.lock().unwrap().arrivals.len() >= records {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{records} records did not come: {:?}", self.store.lock().unwrap().arrivals.len());
    }
}
