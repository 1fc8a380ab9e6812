//! The Fluent forward protocol, which FireLens, Fluent Bit and the `fluentd` log driver speak.
//!
//! A chunk that asks for it is acknowledged once it is stored. So that it can be stored, its records are taken
//! as complete at its end; without acknowledgement a record may go on until its stream is quiet.
//! Where a key is configured, only senders that know it are listened to.

mod greeting;
mod partial;
mod room;
mod streams;
mod wire;

use analyzer::diagnosis::Gap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tracing::{debug, warn};

use self::greeting::Greeting;
use self::room::{Claim, Room};
use self::streams::Streams;
use self::wire::{Refused, Scan};
use super::doors::{Door, Doors, FLUENT};
use super::{Arrival, Closed, Delivery, Outlet};

const MOST_CONNECTIONS: usize = 512;
const READ: usize = 64 << 10;
/// What says more than this waits to be stored before more is unpacked.
const LARGE: usize = 4 << 20;
const LOOK: Duration = Duration::from_millis(500);
/// When Medic stops it still reads what is on its way, until a connection is quiet for so long.
const LULL: Duration = Duration::from_millis(100);
const FAREWELL: Duration = Duration::from_secs(5);

/// A sender has so long to prove that it knows the key.
const GREETING: Duration = Duration::from_secs(10);

/// Listens until Medic stops; `key_variable` names the environment variable with the key that senders must know.
pub async fn run(listen: String, key_variable: Option<String>, outlet: Outlet) -> Result<(), Closed> {
    let key = match key_of(key_variable.as_deref()) {
        Ok(key) => key,
        Err(gap) => return outlet.say_gaps(vec![gap]).await,
    };
    let door = Door { key: "listen", address: &listen, what: FLUENT };
    match Doors::default().open(&door, &outlet).await? {
        Some(listener) => serve(listener, Room::new(), key, outlet).await,
        None => Ok(()),
    }
}

/// Returns the key that senders must know, where one is configured, or says that it is not set.
pub fn key_of(variable: Option<&str>) -> Result<Option<String>, Gap> {
    let Some(name) = variable else { return Ok(None) };
    let key = std::env::var(name).ok().filter(|key| !key.is_empty());
    key.map(Some).ok_or_else(|| Gap {
        what: FLUENT.to_owned(),
        because: format!("the environment variable {name} with the key of the senders is not set"),
        remedy: Some(format!("set {name}, or remove `shared_key_variable` to listen to everybody")),
    })
}

async fn serve(listener: TcpListener, room: Room, key: Option<String>, outlet: Outlet) -> Result<(), Closed> {
    let streams = Arc::new(Streams::new());
    let mut connections = Connections {
        key: key.map(Arc::from),
        streams: streams.clone(),
        room: Arc::new(room),
        outlet: outlet.clone(),
        places: Arc::new(Semaphore::new(MOST_CONNECTIONS)),
        running: JoinSet::new(),
        number: 0,
    };
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = outlet.stop.cancelled() => break,
            _ = look.tick() => deliver(&outlet, streams.settle_quiet()).await?,
            Some(ended) = connections.running.join_next() => {
                if let Ok(Err(Closed)) = ended {
                    return Err(Closed);
                }
            }
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) => connections.begin(socket, peer),
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
    // Connections that wait to be accepted may have sent already.
    for _ in 0..MOST_CONNECTIONS {
        let Ok(Ok((socket, peer))) = timeout(LULL, listener.accept()).await else { break };
        connections.begin(socket, peer);
    }
    while connections.running.join_next().await.is_some() {}
    deliver(&outlet, streams.settle_all()).await
}

/// All connections of a receiver.
struct Connections {
    key: Option<Arc<str>>,
    streams: Arc<Streams>,
    room: Arc<Room>,
    outlet: Outlet,
    places: Arc<Semaphore>,
    running: JoinSet<Result<(), Closed>>,
    number: u64,
}

impl Connections {
    fn begin(&mut self, socket: TcpStream, peer: SocketAddr) {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            warn!(%peer, "too many connections, one was refused");
            return;
        };
        self.number += 1;
        let connection = Connection {
            number: self.number,
            position: 0,
            key: self.key.clone(),
            streams: self.streams.clone(),
            room: self.room.clone(),
            outlet: self.outlet.clone(),
        };
        self.running.spawn(async move {
            let _place = place;
            connection.serve(socket).await
        });
    }
}

struct Connection {
    number: u64,
    /// How many entries came before, over this connection.
    position: u64,
    /// What the sender has to know.
    key: Option<Arc<str>>,
    streams: Arc<Streams>,
    room: Arc<Room>,
    outlet: Outlet,
}

impl Connection {
    async fn serve(mut self, mut socket: TcpStream) -> Result<(), Closed> {
        let mut bytes = match self.key.clone() {
            None => Vec::new(),
            Some(key) => {
                let greeted = tokio::select! {
                    () = self.outlet.stop.cancelled() => return Ok(()),
                    greeted = timeout(GREETING, greet(&key, &mut socket)) => greeted,
                };
                match greeted {
                    Ok(Ok(rest)) => rest,
                    Ok(Err(refused)) => return self.refuse(refused),
                    Err(_) => return self.refuse(Refused::Stranger),
                }
            }
        };
        let (mut scan, mut claim) = (Scan::default(), Claim::default());
        let mut leaves_at: Option<Instant> = None;
        loop {
            let (ends, mut refused) = whole_messages(&mut scan, &bytes);
            if let Some(end) = ends.last() {
                let rest = bytes.split_off(*end);
                let whole = std::mem::replace(&mut bytes, rest);
                let taken = self.take(whole, ends).await?;
                // What is left is less than what is read at a time.
                claim = Claim::default();
                if socket.write_all(&taken.acknowledgements).await.is_err() {
                    return Ok(());
                }
                refused = taken.refused.or(refused);
            }
            if let Some(refused) = refused {
                return self.refuse(refused);
            }
            let room = self.room.clone();
            let has_room = tokio::select! {
                has_room = room.grow(&mut claim, &mut bytes, READ) => has_room,
                () = self.outlet.stop.cancelled(), if leaves_at.is_none() => {
                    leaves_at = Some(Instant::now() + FAREWELL);
                    continue;
                }
                () = until(leaves_at), if leaves_at.is_some() => return Ok(()),
            };
            if !has_room {
                return self.refuse(Refused::NoRoom);
            }
            let mut part = (&mut socket).take(READ as u64);
            let got = match leaves_at {
                None => tokio::select! {
                    () = self.outlet.stop.cancelled() => {
                        leaves_at = Some(Instant::now() + FAREWELL);
                        continue;
                    }
                    () = until(room.until(&claim)) => return self.refuse(Refused::Stalled),
                    got = part.read_buf(&mut bytes) => got,
                },
                // A sender that asks for no acknowledgement takes for received what the network has taken.
                Some(at) if Instant::now() < at => match timeout(LULL, part.read_buf(&mut bytes)).await {
                    Ok(got) => got,
                    Err(_) => return Ok(()),
                },
                Some(_) => return Ok(()),
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

    /// Takes messages; returns once those that are large or ask for an acknowledgement are stored.
    async fn take(&mut self, bytes: Vec<u8>, ends: Vec<usize>) -> Result<Taken, Closed> {
        let (streams, connection, position) = (self.streams.clone(), self.number, self.position);
        let mut turn = self.room.turn().await;
        // Unpacking and folding is work; it must not hold up other connections.
        let folding = move || fold(&bytes, &ends, &streams, connection, position);
        let Ok(folded) = tokio::task::spawn_blocking(folding).await else {
            return Ok(Taken { acknowledgements: Vec::new(), refused: Some(Refused::Malformed) });
        };
        self.position += folded.entries;
        let said: usize = folded.arrivals.iter().map(|arrival| arrival.record.text.len()).sum();
        if said < LARGE {
            turn = None;
        }
        if folded.chunks.is_empty() && turn.is_none() {
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

/// Waits until a time; for ever, where there is none.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Lets a sender prove that it knows the key; returns what it has sent since.
async fn greet(key: &str, socket: &mut TcpStream) -> Result<Vec<u8>, Refused> {
    let greeting = Greeting::new(key).ok_or(Refused::Stranger)?;
    socket.write_all(&greeting.hello()).await.map_err(|_| Refused::Stranger)?;
    let (mut bytes, mut scan) = (Vec::new(), Scan::default());
    let length = loop {
        match scan.end(&bytes)? {
            Some(length) => break length,
            None if bytes.len() > greeting::LARGEST_PING => return Err(Refused::TooLarge),
            None => {}
        }
        match socket.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return Err(Refused::Stranger),
            Ok(_) => {}
        }
    };
    let rest = bytes.split_off(length);
    let answer = greeting.answer(&bytes).map_err(|_| Refused::Stranger)?;
    socket.write_all(&answer.pong).await.map_err(|_| Refused::Stranger)?;
    if answer.is_welcome { Ok(rest) } else { Err(Refused::Stranger) }
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
