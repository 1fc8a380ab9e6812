//! Bounds what is on its way into the index: whoever adds more waits until some of it has arrived.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// So many bytes may be on their way, or more of what comes in one piece.
const MOST: usize = 32 << 20;
/// Where nothing arrives for so long, whoever waits goes on: the index will say what is wrong with it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The room for what is on its way.
#[derive(Clone, Debug, Default)]
pub struct Room(Arc<Taken>);

#[derive(Debug, Default)]
struct Taken {
    bytes: Mutex<usize>,
    arrived: Condvar,
}

/// A part of the room, until it is dropped.
#[derive(Debug)]
pub struct Place {
    room: Room,
    bytes: usize,
}

impl Room {
    /// Whether there is a place for so many bytes.
    pub fn has(&self, bytes: usize) -> bool {
        let taken = *self.0.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        fits(taken, bytes)
    }

    /// Takes a place for so many bytes; waits for it while there is none.
    pub fn take(&self, bytes: usize) -> Place {
        let taken = self.0.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.arrived.wait_timeout_while(taken, PATIENCE, |taken| !fits(*taken, bytes));
        let (mut taken, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *taken += bytes;
        Place { room: self.clone(), bytes }
    }
}

fn fits(taken: usize, bytes: usize) -> bool {
    taken == 0 || taken + bytes <= MOST
}

impl Drop for Place {
    fn drop(&mut self) {
        let Taken { bytes, arrived } = &*self.room.0;
        *bytes.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes;
        arrived.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{RecvTimeoutError, channel};

    #[test]
    fn who_finds_no_room_waits_for_some() {
        let room = Room::default();
        let places = [room.take(MOST / 2), room.take(MOST / 2)];
        let (tell, told) = channel();
        let other = room.clone();
        let waiting = std::thread::spawn(move || {
            let place = other.take(1);
            tell.send(()).expect("somebody listens");
            drop(place);
        });
        assert_eq!(told.recv_timeout(Duration::from_millis(50)), Err(RecvTimeoutError::Timeout));
        drop(places);
        assert_eq!(told.recv(), Ok(()));
        waiting.join().expect("the other ends");
        assert_eq!(*room.0.bytes.lock().expect("nobody failed"), 0);
    }

    #[test]
    fn what_comes_in_one_piece_has_room_by_itself() {
        drop(Room::default().take(3 * MOST));
    }
}
