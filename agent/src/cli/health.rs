//! `medic health`: for health checks of containers.

use anyhow::Result;
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{FAILURE, HEALTHY, state};
use crate::collect::heartbeat;
use crate::config::Config;
use crate::health::{Health, Seen, Status, judge};
use crate::index;

/// Tells whether the collector records, in one line: from its heartbeat, the last commit and the disk.
///
/// It ends with 0 while the collector records, else with 1, also where Medic cannot find out:
/// health checks of containers know no other code.
#[derive(Debug, Args)]
pub struct HealthCommand {
    #[command(flatten)]
    state: state::StateArgument,

    /// The configuration file, which may name the state directory
    #[arg(long, value_name = "FILE", env = "MEDIC_CONFIG")]
    config: Option<PathBuf>,

    /// End with 1 also when the collector is degraded: it records, but not all, or not for long
    #[arg(long)]
    strict: bool,

    /// How it is told
    #[arg(long, value_enum, default_value_t = HealthFormat::Text)]
    format: HealthFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum HealthFormat {
    Text,
    Json,
}

impl HealthCommand {
    pub fn run(self) -> Result<u8> {
        let health = self.health().unwrap_or_else(|error| Health::unknown(format!("{error:#}")));
        let line = match self.format {
            HealthFormat::Text => health.line(),
            HealthFormat::Json => serde_json::to_string(&health)?,
        };
        // A reader that has gone changes nothing about the health.
        let _ = writeln!(anstream::stdout(), "{}", reports::escape::printable(&line));
        let is_well = health.status == Status::Healthy || health.status == Status::Degraded && !self.strict;
        Ok(if is_well { HEALTHY } else { FAILURE })
    }

    fn health(&self) -> Result<Health> {
        let configured = match &self.config {
            Some(path) => Config::read(path)?.state,
            None => None,
        };
        let state = self.state.or(configured);
        Ok(judge(seen(&state)?, Timestamp::now()))
    }
}

fn seen(state: &Path) -> Result<Seen> {
    Ok(Seen {
        heartbeat: heartbeat::read(state)?,
        last_commit: index::last_commit(state),
        free: index::free_space(state),
    })
}
