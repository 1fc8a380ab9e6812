//! Bounds what is on its way into the index: whoever adds more waits until some of it has arrived.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// So many bytes may be on their way, or more of what comes in one piece.
const MOST: usize = 32 << 20;
/// Where nothing arrives for so long, whoever waits goes on: the index will say what is wrong with it.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much is on its way.
#[derive(Clone, Debug, Default)]
pub struct Backlog(Arc<Taken>);

#[derive(Debug, Default)]
struct Taken {
    bytes: Mutex<usize>,
    arrived: Condvar,
}

/// Something on its way, until it is dropped.
#[derive(Debug)]
pub struct Queued {
    backlog: Backlog,
    bytes: usize,
}

impl Backlog {
    /// Whether so many bytes fit in.
    pub fn fits(&self, bytes: usize) -> bool {
        let taken = *self.0.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        fits(taken, bytes)
    }

    /// Takes in so many bytes; waits while they do not fit in.
    pub fn take(&self, bytes: usize) -> Queued {
        let taken = self.0.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.arrived.wait_timeout_while(taken, PATIENCE, |taken| !fits(*taken, bytes));
        let (mut taken, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *taken += bytes;
        Queued { backlog: self.clone(), bytes }
    }
}

fn fits(taken: usize, bytes: usize) -> bool {
    taken == 0 || taken + bytes <= MOST
}

impl Drop for Queued {
    fn drop(&mut self) {
        let Taken { bytes, arrived } = &*self.backlog.0;
        *bytes.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes;
        arrived.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{RecvTimeoutError, channel};

    #[test]
    fn what_does_not_fit_in_waits() {
        let backlog = Backlog::default();
        let queued = [backlog.take(MOST / 2), backlog.take(MOST / 2)];
        let (tell, told) = channel();
        let other = backlog.clone();
        let waiting = std::thread::spawn(move || {
            let queued = other.take(1);
            tell.send(()).expect("somebody listens");
            drop(queued);
        });
        assert_eq!(told.recv_timeout(Duration::from_millis(50)), Err(RecvTimeoutError::Timeout));
        drop(queued);
        assert_eq!(told.recv(), Ok(()));
        waiting.join().expect("the other ends");
        assert_eq!(*backlog.0.bytes.lock().expect("nobody failed"), 0);
    }

    #[test]
    fn what_comes_in_one_piece_fits_in_by_itself() {
        drop(Backlog::default().take(3 * MOST));
    }
}
