//! Collects: takes what sources hand over, stores each record once, and diagnoses while it does.
//!
//! Crash-only: what goes wrong in the index ends the collector, and the sources start again from what is committed.

mod attribution;
mod case;
mod collector;
pub mod heartbeat;
mod names;
mod pending;
mod telling;

pub use attribution::{Change, follow};
pub use collector::{Collector, Live, UNNAMED, diagnose_stored, of_deployment, remembered};

use analyzer::pattern::Patterns;
use anyhow::{Context, Result};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::Config;
use crate::index::{self, Writer};
use crate::sources::{self, Outlet};
use crate::telemetry::{self, Measure};
use heartbeat::Heart;

/// How many deliveries wait for the index before sources wait.
const QUEUE: usize = 16;
/// How long the collector waits before it begins again after the index failed.
const PAUSE: Duration = Duration::from_secs(2);
/// How long sources may take to hand over what they received when Medic stops.
const FAREWELL: Duration = Duration::from_secs(15);

/// How a recording goes.
pub struct Recording {
    pub config: Config,
    pub patterns: &'static Patterns,
    /// Read what is there, store it, and end.
    pub once: bool,
    /// The deployment that records belong to while the account names none.
    pub deployment: Option<String>,
    pub stop: CancellationToken,
    /// What is known at present, for a live view.
    pub live: watch::Sender<Arc<Live>>,
}

impl Recording {
    /// Records until all sources have ended or Medic is told to stop.
    pub async fn run(self, state: &Path) -> Result<()> {
        // A directory that cannot be written is the user's to repair; what fails later is tried again.
        let mut writer = Some(Writer::open(state, &self.config.retention)?);
        let heart = Heart::start(state, &self.config);
        loop {
            let open = match writer.take() {
                Some(open) => open,
                None => match Writer::open(state, &self.config.retention) {
                    Ok(open) => open,
                    Err(error) => {
                        warn!(error = format!("{error:#}"), "the index cannot be opened");
                        heart.fails(format!("{error:#}"));
                        self.pause().await;
                        if self.stop.is_cancelled() {
                            return Err(error);
                        }
                        continue;
                    }
                },
            };
            match self.attempt(open, &heart).await {
                Ok(()) => return Ok(()),
                Err(error) if self.stop.is_cancelled() || self.once => return Err(error),
                Err(error) => {
                    // What the index says of a full disk does not name it.
                    let free_bytes = index::free_space(state);
                    warn!(
                        error = format!("{error:#}"),
                        free_bytes, "the index failed; sources begin again from what is stored"
                    );
                    telemetry::note(Measure::Failed);
                    heart.fails(format!("{error:#}"));
                    self.pause().await;
                }
            }
        }
    }

    async fn pause(&self) {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = self.stop.cancelled() => {}
        }
    }

    async fn attempt(&self, writer: Writer, heart: &Heart) -> Result<()> {
        let (queue, arrivals) = mpsc::channel(QUEUE);
        let collector =
            Collector::open(writer, self.patterns, &self.config, self.deployment.clone(), self.live.clone())?;
        let known = collector.known();
        // Sources of this attempt stop with it.
        let stop = self.stop.child_token();
        let (mut running, mut felt) = (Vec::new(), Vec::new());
        for (name, source) in self.config.source_names().into_iter().zip(&self.config.sources) {
            if self.once && source.listens() {
                warn!(
                    source = name,
                    kind = source.kind(),
                    "source is left out: it waits for others to send, and --once does not wait"
                );
                continue;
            }
            let cursor = collector.cursor(&name);
            let outlet = Outlet::new(&name, queue.clone(), known.clone(), stop.clone());
            info!(source = name, kind = source.kind(), resumes = cursor.is_some(), "source starts");
            felt.push((name.clone(), source.clone(), outlet.pulse.clone()));
            running.push((name, sources::spawn(source.clone(), &self.config, cursor, self.once, outlet)));
        }
        drop(queue);
        heart.begins(felt);
        let mut collecting = tokio::task::spawn_blocking(move || collector.run(arrivals));
        let outcome = tokio::select! {
            outcome = &mut collecting => outcome,
            () = async {
                self.stop.cancelled().await;
                tokio::time::sleep(FAREWELL).await;
            } => {
                // A source that does not let go must not keep what others handed over from being stored.
                for (name, source) in &running {
                    if !source.is_finished() {
                        warn!(source = name, "source did not stop in time");
                        source.abort();
                    }
                }
                collecting.await
            }
        };
        stop.cancel();
        outcome.context("the collector ended unexpectedly")?
    }
}
