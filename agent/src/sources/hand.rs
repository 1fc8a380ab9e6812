//! Lets a thread read and hand over, so that reading and folding never hold up what is asynchronous.

use std::time::Duration;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{Closed, Delivery, Outlet};

/// What a thread that reads hands over with.
pub struct Hand {
    pub outlet: Outlet,
    runtime: Handle,
    /// Cancelled when nobody waits for the thread any more.
    abandoned: CancellationToken,
}

/// Runs `read` on a thread of its own; the thread ends when this future is dropped.
pub async fn work(
    outlet: Outlet,
    read: impl FnOnce(Hand) -> Result<(), Closed> + Send + 'static,
) -> Result<(), Closed> {
    let abandoned = CancellationToken::new();
    let _guard = abandoned.clone().drop_guard();
    let hand = Hand { outlet, runtime: Handle::current(), abandoned };
    match tokio::task::spawn_blocking(move || read(hand)).await {
        Ok(outcome) => outcome,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(Closed),
    }
}

impl Hand {
    /// Hands over; waits while the queue is full.
    pub fn deliver(&self, delivery: Delivery) -> Result<(), Closed> {
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.abandoned.cancelled() => Err(Closed),
                outcome = self.outlet.deliver(delivery) => outcome,
            }
        })
    }

    /// Fails once nobody waits for the thread.
    pub fn check(&self) -> Result<(), Closed> {
        if self.abandoned.is_cancelled() { Err(Closed) } else { Ok(()) }
    }

    /// Waits for so long, or until Medic stops.
    pub fn rest(&self, time: Duration) -> Result<(), Closed> {
        self.runtime.block_on(async {
            tokio::select! {
                () = self.abandoned.cancelled() => {}
                () = self.outlet.stop.cancelled() => {}
                () = tokio::time::sleep(time) => {}
            }
        });
        self.check()
    }
}
