//! What tells Medic to end.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and Ctrl-C.
pub struct Signals {
    term: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to listen; from then on these signals end nothing by themselves. `None` where that cannot be.
    pub fn heard() -> Option<Signals> {
        let term = signal(SignalKind::terminate()).ok()?;
        let interrupt = signal(SignalKind::interrupt()).ok()?;
        Some(Signals { term, interrupt })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
