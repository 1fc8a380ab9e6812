//! `medic collect`: the agent, as a sidecar, a standing service or a scheduled task.

use anyhow::{Context, Result, bail};
use clap::Args;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::signals::Signals;
use super::watched::Watched;
use super::{HEALTHY, MESSAGES, knowledge, state, thrift};
use crate::collect::{Live, Recording};
use crate::config::SourceConfig;
use crate::sources::files;
use crate::telemetry;

/// Records what the configured sources deliver, until it is told to stop.
#[derive(Debug, Args)]
pub struct Collect {
    #[command(flatten)]
    watched: Watched,

    #[command(flatten)]
    state: state::StateArgument,

    /// The deployment that records belong to while the account names none
    #[arg(long, value_name = "ID", env = "MEDIC_DEPLOYMENT")]
    deployment: Option<String>,

    /// Read what there is, store it, and end; sources that others send to are left out
    #[arg(long)]
    once: bool,

    /// Files to record besides the configured sources
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
}

impl Collect {
    pub fn run(self) -> Result<u8> {
        if !self.once {
            thrift::give_back_memory();
        }
        thrift::open_many_files();
        let files = match self.paths.is_empty() {
            true => Vec::new(),
            false => vec![SourceConfig::Files { name: None, paths: self.paths, holds: None }],
        };
        let config = self.watched.configuration(files, "record")?;
        if self.once && config.sources.iter().all(SourceConfig::listens) {
            bail!(
                "--once reads what there is, and all configured sources wait for others to send: \
                 leave out --once, or name files"
            );
        }
        if self.once {
            check_files(&config.sources)?;
        }
        let runtime = runtime()?;
        let _telemetry = telemetry::begin(MESSAGES, &config, runtime.handle());
        let state = self.state.or(config.state.clone());
        let patterns = Box::leak(Box::new(knowledge::load(config.patterns.as_deref())?));
        let (live, _) = watch::channel(Arc::new(Live::default()));
        let stop = CancellationToken::new();
        let may_end = self.once || config.sources.iter().any(SourceConfig::comes_to_an_end);
        let recording = Recording {
            config,
            patterns,
            once: self.once,
            deployment: self.deployment,
            stop: stop.clone(),
            live,
        };
        info!(state = %state.display(), "recording");
        runtime.block_on(async {
            tokio::spawn(stop_on_signal(stop.clone()));
            recording.run(&state).await
        })?;
        if !may_end && !stop.is_cancelled() {
            bail!("no source delivers any more: the warnings above say why, and `medic check` what to do");
        }
        Ok(HEALTHY)
    }
}

/// Refuses to read once where there is nothing but paths, and none of them leads to anything.
fn check_files(sources: &[SourceConfig]) -> Result<()> {
    let mut missing = Vec::new();
    for source in sources.iter().filter(|source| !source.listens()) {
        let SourceConfig::Files { paths, .. } = source else { return Ok(()) };
        if !paths.iter().all(|path| leads_nowhere(path)) {
            return Ok(());
        }
        missing.extend(paths.iter().map(String::as_str));
    }
    bail!("there is nothing to record: there is no such file yet: {}; check the path", missing.join(", "))
}

/// Whether neither a file, a folder nor a glob is there; what cannot be looked into is told by the source.
fn leads_nowhere(path: &str) -> bool {
    let is_absent =
        |path: &Path| path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound);
    is_absent(Path::new(path)) && files::expand(path).is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// Returns the runtime of the agent: small, for most of what it does is wait.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().context("cannot start the runtime")
}

/// Cancels on SIGTERM and on Ctrl-C.
async fn stop_on_signal(stop: CancellationToken) {
    let Some(mut signals) = Signals::heard() else { return };
    signals.next().await;
    info!("stopping: storing what was received");
    stop.cancel();
}
