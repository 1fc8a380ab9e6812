//! Doors: the addresses on which a receiver listens.

use analyzer::diagnosis::Gap;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;

use super::{Closed, Outlet, fluent};
use crate::config::SourceConfig;

/// How often a door that is shut is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// An address on which a receiver listens.
#[derive(Clone, Copy, Debug)]
pub struct Door<'a> {
    /// The key of the address in the configuration.
    pub key: &'static str,
    pub address: &'a str,
    /// What is spoken there.
    pub what: &'static str,
}

/// The doors of one receiver, and what keeps them shut.
#[derive(Debug, Default)]
pub struct Doors {
    shut: Mutex<BTreeMap<&'static str, Gap>>,
}

impl Doors {
    /// Listens at a door; while that fails, it is a gap. `None` once Medic stops.
    pub async fn open(&self, door: &Door<'_>, outlet: &Outlet) -> Result<Option<TcpListener>, Closed> {
        loop {
            let tried = TcpListener::bind(door.address).await;
            let shut = tried.as_ref().err().map(|error| gap(door, error));
            if let Some(gaps) = self.note(door.key, shut) {
                outlet.say_gaps(gaps).await?;
            }
            if let Ok(listener) = tried {
                return Ok(Some(listener));
            }
            tokio::select! {
                () = outlet.stop.cancelled() => return Ok(None),
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    }

    /// Notes how a door is; returns what is to be said, unless it was said. That a door is open is said
    /// at first too: it may have been shut when Medic ran before.
    fn note(&self, key: &'static str, now: Option<Gap>) -> Option<Vec<Gap>> {
        let mut shut = self.shut.lock().unwrap_or_else(PoisonError::into_inner);
        if now.is_some() && shut.get(key) == now.as_ref() {
            return None;
        }
        match now {
            Some(gap) => drop(shut.insert(key, gap)),
            None => drop(shut.remove(key)),
        }
        Some(shut.values().cloned().collect())
    }
}

/// Tries all doors of a source that listens, and shuts them again; returns what keeps them shut. A source whose key is
/// not set opens none.
pub async fn try_all(source: &SourceConfig) -> Vec<Gap> {
    if let SourceConfig::FluentForward { shared_key_variable, .. } = source
        && let Err(gap) = fluent::key_of(shared_key_variable.as_deref())
    {
        return vec![gap];
    }
    let mut gaps = Vec::new();
    for door in of(source) {
        if let Err(error) = TcpListener::bind(door.address).await {
            gaps.push(gap(&door, &error));
        }
    }
    gaps
}

/// Returns the doors of a source.
fn of(source: &SourceConfig) -> Vec<Door<'_>> {
    let what: fn(&str) -> &'static str = match source {
        SourceConfig::FluentForward { .. } => |_| FLUENT,
        _ => |key| if key == "grpc" { OTLP_GRPC } else { OTLP_HTTP },
    };
    let doors = source.addresses().into_iter();
    doors.map(|(key, address)| Door { key, address, what: what(key) }).collect()
}

pub const FLUENT: &str = "the Fluent forward protocol";
pub const OTLP_GRPC: &str = "OpenTelemetry over gRPC";
pub const OTLP_HTTP: &str = "OpenTelemetry over HTTP";

fn gap(door: &Door<'_>, error: &io::Error) -> Gap {
    let Door { key, address, what } = *door;
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("end what listens there (`ss -ltnp` names it), or configure another address with `{key}`")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("configure an address of this machine with `{key}`; 0.0.0.0 stands for all of them")
        }
        io::ErrorKind::PermissionDenied => format!("configure a port above 1023 with `{key}`"),
        _ => format!("configure an address such as 127.0.0.1:24224 with `{key}`"),
    };
    Gap {
        what: what.to_owned(),
        because: format!("cannot listen on {address}: {error}"),
        remedy: Some(remedy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::Fake;

    async fn busy() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        (listener, address)
    }

    fn otlp(grpc: &str, http: &str) -> SourceConfig {
        SourceConfig::Otlp { name: None, grpc: Some(grpc.to_owned()), http: Some(http.to_owned()) }
    }

    #[tokio::test]
    async fn a_door_that_is_shut_does_not_hide_another_one() {
        let fake = Fake::default();
        let (outlet, stop) = fake.collect();
        let ((_one, grpc), (_two, http)) = (busy().await, busy().await);
        let doors = Doors::default();
        let door = |key, address| Door { key, address, what: "x" };
        let (grpc, http) = (door("grpc", grpc.as_str()), door("http", http.as_str()));
        let tell = async {
            while fake.store.lock().unwrap().gaps.len() < 2 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            stop.cancel();
        };
        let both = async { tokio::join!(doors.open(&grpc, &outlet), doors.open(&http, &outlet), tell) };
        let (one, two, ()) = tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
        assert!(one.unwrap().is_none() && two.unwrap().is_none());
        let remedy = fake.store.lock().unwrap().gaps[1].remedy.clone().unwrap();
        assert!(remedy.contains("another address with `http`"), "{remedy}");
    }

    #[tokio::test]
    async fn a_door_that_opens_takes_back_what_was_said_before() {
        let doors = Doors::default();
        let shut = Gap { what: "x".to_owned(), because: "busy".to_owned(), remedy: None };
        assert_eq!(doors.note("grpc", Some(shut.clone())), Some(vec![shut.clone()]));
        assert_eq!(doors.note("grpc", Some(shut.clone())), None, "said once");
        assert_eq!(doors.note("http", None), Some(vec![shut]));
        assert_eq!(doors.note("grpc", None), Some(Vec::new()));
    }

    #[tokio::test]
    async fn doors_are_tried() {
        let (_held, address) = busy().await;
        let gaps = try_all(&otlp(&address, "127.0.0.1:0")).await;
        assert_eq!(gaps.len(), 1);
        assert!(gaps[0].because.starts_with(&format!("cannot listen on {address}: ")), "{gaps:?}");
        assert!(try_all(&otlp("127.0.0.1:0", "127.0.0.1:0")).await.is_empty());
    }
}
