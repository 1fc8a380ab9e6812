//! The heartbeat: while Medic records, it writes every few seconds how it fares into `STATE/heartbeat.json`.

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use crate::config::{Config, SourceConfig};
use crate::index;
use crate::sources::{Felt, Pulse};

/// How often it is written.
pub const EVERY: Duration = Duration::from_secs(5);
/// How old the age of the newest record may be to tell anything.
const LAG_HOLDS: Duration = Duration::from_secs(60);

/// How the collector fares.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Heartbeat {
    pub pid: u32,
    pub version: String,
    pub started: Timestamp,
    pub written: Timestamp,
    /// Why nothing can be stored at present.
    pub failing: Option<String>,
    /// How long records have waited for their commit.
    pub uncommitted_seconds: u64,
    /// How much of the disk is to stay free.
    pub keep_free: u64,
    pub sources: BTreeMap<String, Fares>,
}

/// How a source fares.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fares {
    pub kind: String,
    pub records: u64,
    pub gaps: usize,
    pub has_ended: bool,
    /// How often it asks; `None`: it waits for what comes.
    pub every_seconds: Option<u64>,
    /// For how long it has given no sign of life.
    pub silent_seconds: u64,
    /// For how long it has waited to hand over.
    pub waits_seconds: u64,
    /// How old its newest record was, where it handed some over of late.
    pub lag_seconds: Option<i64>,
}

/// Returns the place of the heartbeat in a state directory.
pub fn path(state: &Path) -> PathBuf {
    state.join("heartbeat.json")
}

/// Reads the heartbeat of a state directory; `None` where no collector runs.
pub fn read(state: &Path) -> Result<Option<Heartbeat>> {
    let path = path(state);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let read = serde_json::from_str(&text);
    read.with_context(|| format!("{} is no heartbeat", path.display())).map(Some)
}

/// The heart of a collector: it beats until it is dropped, and leaves no heartbeat behind.
pub struct Heart {
    vitals: Arc<Vitals>,
    _beating: AbortOnDropHandle<()>,
}

/// What the heartbeat tells of.
struct Vitals {
    state: PathBuf,
    started: Timestamp,
    keep_free: u64,
    now: Mutex<Now>,
    /// Told when there is something that should not wait.
    news: Notify,
}

#[derive(Default)]
struct Now {
    failing: Option<String>,
    sources: Vec<(String, SourceConfig, Arc<Felt>)>,
    owed: Owed,
    has_ended: bool,
}

impl Heart {
    /// Starts to beat; the state directory belongs to this process.
    pub fn start(state: &Path, config: &Config) -> Heart {
        let vitals = Arc::new(Vitals {
            state: state.to_owned(),
            started: Timestamp::now(),
            keep_free: config.retention.free.0,
            now: Mutex::default(),
            news: Notify::new(),
        });
        let _beating = AbortOnDropHandle::new(tokio::spawn(beat(vitals.clone())));
        Heart { vitals, _beating }
    }

    /// Takes note of an attempt to record with these sources.
    pub fn begins(&self, sources: Vec<(String, SourceConfig, Arc<Felt>)>) {
        let mut now = self.vitals.lock();
        now.failing = None;
        now.sources = sources;
        now.owed = Owed::default();
        self.vitals.news.notify_one();
    }

    /// Takes note that nothing can be stored at present.
    pub fn fails(&self, because: String) {
        self.vitals.lock().failing = Some(because);
        self.vitals.news.notify_one();
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        let mut now = self.vitals.lock();
        now.has_ended = true;
        // What cannot be removed grows old, and is taken for what it is.
        let _ = std::fs::remove_file(path(&self.vitals.state));
    }
}

async fn beat(vitals: Arc<Vitals>) {
    let mut ticks = tokio::time::interval(EVERY);
    let mut is_told = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = vitals.news.notified() => {}
        }
        let vitals = vitals.clone();
        let written = tokio::task::spawn_blocking(move || vitals.write()).await;
        let Ok(Err(error)) = written else { continue };
        if !std::mem::replace(&mut is_told, true) {
            warn!(error = format!("{error:#}"), "the heartbeat cannot be written");
        }
    }
}

impl Vitals {
    fn lock(&self) -> std::sync::MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> Result<()> {
        let commit = index::last_commit(&self.state);
        // Held until the file is written: nothing is written once the heart has stopped.
        let mut now = self.lock();
        if now.has_ended {
            return Ok(());
        }
        let text = serde_json::to_string(&self.told(&mut now, commit, Instant::now()))?;
        let path = path(&self.state);
        let beside = path.with_extension("json.new");
        let written = index::own_file()
            .create(true)
            .truncate(true)
            .open(&beside)
            .and_then(|mut file| file.write_all(text.as_bytes()));
        written.with_context(|| format!("cannot write {}", beside.display()))?;
        std::fs::rename(&beside, &path).with_context(|| format!("cannot write {}", path.display()))
    }

    fn told(&self, now: &mut Now, commit: Option<Timestamp>, moment: Instant) -> Heartbeat {
        let pulses: Vec<Pulse> = now.sources.iter().map(|(_, _, felt)| felt.now()).collect();
        let deliveries = pulses.iter().map(|pulse| pulse.deliveries).sum();
        let uncommitted = now.owed.look(commit, deliveries, moment);
        let fares = now
            .sources
            .iter()
            .zip(pulses)
            .map(|((name, source, _), pulse)| (name.clone(), fares(source, pulse, moment)));
        Heartbeat {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            written: Timestamp::now(),
            failing: now.failing.clone(),
            uncommitted_seconds: uncommitted.as_secs(),
            keep_free: self.keep_free,
            sources: fares.collect(),
        }
    }
}

fn fares(source: &SourceConfig, pulse: Pulse, moment: Instant) -> Fares {
    let since =
        |then: Option<Instant>| then.map_or(0, |then| moment.saturating_duration_since(then).as_secs());
    let lag = pulse.lag.filter(|(_, then)| moment.saturating_duration_since(*then) < LAG_HOLDS);
    Fares {
        kind: source.kind().to_owned(),
        records: pulse.records,
        gaps: pulse.gaps,
        has_ended: pulse.has_ended,
        every_seconds: source.every().map(|every| every.as_secs()),
        silent_seconds: since(pulse.heard),
        waits_seconds: since(pulse.waits_since),
        lag_seconds: lag.map(|(lag, _)| lag),
    }
}

/// Whether something was handed over since the last commit, and when that was first seen.
#[derive(Debug, Default)]
struct Owed {
    commit: Option<Timestamp>,
    /// How often something had been handed over when the last commit was seen.
    deliveries: u64,
    since: Option<Instant>,
}

impl Owed {
    /// Returns for how long something has waited for its commit.
    fn look(&mut self, commit: Option<Timestamp>, deliveries: u64, moment: Instant) -> Duration {
        if commit != self.commit {
            *self = Owed { commit, deliveries, since: None };
        } else if deliveries > self.deliveries {
            self.since.get_or_insert(moment);
        }
        self.since.map_or(Duration::ZERO, |since| moment.saturating_duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_over_and_not_committed_is_owed() {
        let begun = Instant::now();
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        let commit = |second: i64| Timestamp::from_second(second).ok();
        let mut owed = Owed::default();
        assert_eq!(owed.look(commit(1), 0, at(0)), Duration::ZERO);
        assert_eq!(owed.look(commit(1), 0, at(3600)), Duration::ZERO, "a quiet hour owes nothing");
        assert_eq!(owed.look(commit(1), 2, at(3605)), Duration::ZERO);
        assert_eq!(owed.look(commit(1), 9, at(3665)), Duration::from_secs(60));
        assert_eq!(owed.look(commit(2), 9, at(3670)), Duration::ZERO, "it was committed");
    }

    #[test]
    fn how_a_source_fares_is_told_in_seconds() {
        let begun = Instant::now();
        let moment = begun + Duration::from_secs(50);
        let source = SourceConfig::Stdin { name: None, holds: None };
        let pulse = Pulse {
            heard: Some(begun),
            waits_since: Some(begun + Duration::from_secs(20)),
            lag: Some((7, begun)),
            ..Pulse::default()
        };
        let now = fares(&source, pulse, moment);
        assert_eq!((now.silent_seconds, now.waits_seconds, now.lag_seconds), (50, 30, Some(7)));
        let later = fares(&source, pulse, moment + LAG_HOLDS);
        assert_eq!(later.lag_seconds, None, "what was measured long ago tells nothing");
    }
}
