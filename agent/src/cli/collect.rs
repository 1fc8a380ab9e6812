//! `medic collect`: the agent, as a sidecar, a standing service or a scheduled task.

use anyhow::{Context, Result, bail};
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{HEALTHY, knowledge, state};
use crate::collect::{Live, Recording};
use crate::config::{Config, SourceConfig};
use crate::sources;

/// Records what the configured sources deliver, until it is told to stop.
#[derive(Debug, Args)]
pub struct Collect {
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "MEDIC_CONFIG")]
    config: Option<PathBuf>,

    #[command(flatten)]
    state: state::StateArgument,

    /// The cluster of the service
    #[arg(long, value_name = "NAME", env = "MEDIC_CLUSTER")]
    cluster: Option<String>,

    /// The service whose deployments are recorded
    #[arg(long, value_name = "NAME", env = "MEDIC_SERVICE")]
    service: Option<String>,

    /// The CloudFormation stack that deploys the service
    #[arg(long, value_name = "NAME", env = "MEDIC_STACK")]
    stack: Option<String>,

    /// The deployment that records belong to while the account names none
    #[arg(long, value_name = "ID", env = "MEDIC_DEPLOYMENT")]
    deployment: Option<String>,

    /// Read what there is, store it, and end
    #[arg(long)]
    once: bool,

    /// Files to record besides the configured sources
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
}

impl Collect {
    pub fn run(self) -> Result<u8> {
        let mut config = match &self.config {
            Some(path) => Config::read(path)?,
            None => Config::default(),
        };
        config.cluster = self.cluster.or(config.cluster);
        config.service = self.service.or(config.service);
        config.stack = self.stack.or(config.stack);
        if !self.paths.is_empty() {
            config.sources.push(SourceConfig::Files { name: None, paths: self.paths, holds: None });
        }
        if config.sources.is_empty() {
            config.sources = sources::usual(&config);
        }
        if config.sources.is_empty() {
            bail!(
                "there is nothing to record: name --cluster and --service, files, or a --config with a [[source]]"
            );
        }
        let state = self.state.or(config.state.clone());
        let patterns = Box::leak(Box::new(knowledge::load(config.patterns.as_deref())?));
        let (live, _) = watch::channel(Arc::new(Live::default()));
        let stop = CancellationToken::new();
        let recording = Recording {
            config,
            patterns,
            once: self.once,
            deployment: self.deployment,
            stop: stop.clone(),
            live,
        };
        let runtime = runtime()?;
        info!(state = %state.display(), "recording");
        runtime.block_on(async {
            tokio::spawn(stop_on_signal(stop));
            recording.run(&state).await
        })?;
        Ok(HEALTHY)
    }
}

/// Returns the runtime of the agent: small, for most of what it does is wait.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().context("cannot start the runtime")
}

/// Cancels on SIGTERM and on Ctrl-C.
pub async fn stop_on_signal(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
    info!("stopping: storing what was received");
    stop.cancel();
}
