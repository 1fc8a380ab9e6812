//! The Fluent forward protocol, which FireLens, Fluent Bit and the `fluentd` log driver speak.
//!
//! A chunk that asks for it is acknowledged once it is stored. So that it can be stored, its records are taken
//! as complete at its end; without acknowledgement a record may go on until its stream is quiet.

mod streams;
mod wire;

use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{debug, warn};

use self::streams::Streams;
use self::wire::{Refused, Scan};
use super::{Arrival, Closed, Delivery, Outlet};

const MOST_CONNECTIONS: usize = 512;
const READ: usize = 64 << 10;
const LOOK: Duration = Duration::from_millis(500);

/// Listens until Medic stops.
pub async fn run(listen: String, outlet: Outlet) -> Result<(), Closed> {
    match super::listen(&listen, "the Fluent forward protocol", &outlet).await? {
        Some(listener) => serve(listener, outlet).await,
        None => Ok(()),
    }
}

async fn serve(listener: TcpListener, outlet: Outlet) -> Result<(), Closed> {
    let streams = Arc::new(Streams::new());
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut look = tokio::time::interval(LOOK);
    let mut number = 0;
    loop {
        tokio::select! {
            () = outlet.stop.cancelled() => break,
            _ = look.tick() => deliver(&outlet, streams.settle_quiet()).await?,
            Some(ended) = connections.join_next() => {
                if let Ok(Err(Closed)) = ended {
                    return Err(Closed);
                }
            }
            accepted = listener.accept() => match (accepted, places.clone().try_acquire_owned()) {
                (Ok((socket, _)), Ok(place)) => {
                    number += 1;
                    let connection = Connection { number, position: 0, streams: streams.clone(), outlet: outlet.clone() };
                    connections.spawn(async move {
                        let _place = place;
                        connection.serve(socket).await
                    });
                }
                (Ok((_, peer)), Err(_)) => warn!(%peer, "too many connections, one was refused"),
                (Err(error), _) => {
                    warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
    while connections.join_next().await.is_some() {}
    deliver(&outlet, streams.settle_all()).await
}

struct Connection {
    number: u64,
    /// How many entries came before, over this connection.
    position: u64,
    streams: Arc<Streams>,
    outlet: Outlet,
}

impl Connection {
    async fn serve(mut self, mut socket: TcpStream) -> Result<(), Closed> {
        let mut bytes = Vec::new();
        let mut scan = Scan::default();
        loop {
            let (ends, mut refused) = whole_messages(&mut scan, &bytes);
            if let Some(end) = ends.last() {
                let rest = bytes.split_off(*end);
                let whole = std::mem::replace(&mut bytes, rest);
                let taken = self.take(whole, ends).await?;
                if socket.write_all(&taken.acknowledgements).await.is_err() {
                    return Ok(());
                }
                refused = taken.refused.or(refused);
            }
            if let Some(refused) = refused {
                return self.refuse(refused);
            }
            bytes.reserve(READ);
            let got = tokio::select! {
                () = self.outlet.stop.cancelled() => return Ok(()),
                got = socket.read_buf(&mut bytes) => got,
            };
            match got {
                Ok(0) if bytes.is_empty() => return Ok(()),
                Ok(0) => return self.refuse(Refused::Malformed),
                Ok(_) => {}
                Err(error) => {
                    debug!(connection = self.number, %error, "a connection broke");
                    return Ok(());
                }
            }
        }
    }

    /// Takes messages; returns once those that ask for an acknowledgement are stored.
    async fn take(&mut self, bytes: Vec<u8>, ends: Vec<usize>) -> Result<Taken, Closed> {
        let (streams, connection, position) = (self.streams.clone(), self.number, self.position);
        // Unpacking and folding is work; it must not hold up other connections.
        let folding = move || fold(&bytes, &ends, &streams, connection, position);
        let Ok(folded) = tokio::task::spawn_blocking(folding).await else {
            return Ok(Taken { acknowledgements: Vec::new(), refused: Some(Refused::Malformed) });
        };
        self.position += folded.entries;
        if folded.chunks.is_empty() {
            deliver(&self.outlet, folded.arrivals).await?;
        } else {
            self.outlet.store(Delivery { records: folded.arrivals, ..Delivery::default() }).await?;
        }
        let acknowledgements = folded.chunks.iter().flat_map(|chunk| wire::acknowledgement(chunk)).collect();
        Ok(Taken { acknowledgements, refused: folded.refused })
    }

    fn refuse(&self, refused: Refused) -> Result<(), Closed> {
        warn!(connection = self.number, %refused, "a connection was closed");
        Ok(())
    }
}

/// What a sender is told of messages that were taken.
struct Taken {
    acknowledgements: Vec<u8>,
    refused: Option<Refused>,
}

/// What messages were turned into.
#[derive(Default)]
struct Folded {
    entries: u64,
    chunks: Vec<String>,
    arrivals: Vec<Arrival>,
    refused: Option<Refused>,
}

/// Returns where messages end that have come whole.
fn whole_messages(scan: &mut Scan, bytes: &[u8]) -> (Vec<usize>, Option<Refused>) {
    let mut ends = Vec::new();
    let mut start = 0;
    loop {
        match scan.end(&bytes[start..]) {
            Ok(Some(length)) => {
                start += length;
                ends.push(start);
                *scan = Scan::default();
            }
            Ok(None) => return (ends, None),
            Err(refused) => return (ends, Some(refused)),
        }
    }
}

fn fold(bytes: &[u8], ends: &[usize], streams: &Streams, connection: u64, position: u64) -> Folded {
    let mut folded = Folded::default();
    let mut start = 0;
    for end in ends {
        match wire::message(&bytes[start..*end]) {
            Ok(Some(message)) => {
                folded.arrivals.extend(streams.take(&message, connection, position + folded.entries));
                folded.entries += message.entries.len() as u64;
                folded.chunks.extend(message.chunk);
            }
            Ok(None) => {}
            Err(refused) => {
                folded.refused = Some(refused);
                break;
            }
        }
        start = *end;
    }
    folded
}

async fn deliver(outlet: &Outlet, records: Vec<Arrival>) -> Result<(), Closed> {
    if records.is_empty() {
        return Ok(());
    }
    outlet.deliver(Delivery { records, ..Delivery::default() }).await
}

#[cfg(test)]
mod tests;
