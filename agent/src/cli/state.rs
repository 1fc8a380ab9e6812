//! Where records are kept.

use anyhow::{Result, bail};
use clap::Args;
use std::path::{Path, PathBuf};

use crate::config::Config;

#[derive(Clone, Debug, Args)]
pub struct StateArgument {
    /// Where records are kept
    #[arg(long, value_name = "DIR", env = "MEDIC_STATE", global = true)]
    state: Option<PathBuf>,
}

impl StateArgument {
    /// Returns the directory that was named, else the configured one, else the usual one.
    pub fn or(&self, configured: Option<PathBuf>) -> PathBuf {
        self.state.clone().or(configured).unwrap_or_else(usual)
    }

    pub fn is_given(&self) -> bool {
        self.state.is_some()
    }

    /// Returns the directory; something must have been recorded in it.
    pub fn existing(&self) -> Result<PathBuf> {
        let state = self.or(configured()?);
        if !state.join("parts").is_dir() {
            bail!(
                "nothing was recorded in {}: record with `medic collect` or `medic watch`, or name the directory with --state",
                state.display()
            );
        }
        Ok(state)
    }
}

/// Returns the directory of the configuration that the environment names.
fn configured() -> Result<Option<PathBuf>> {
    let named = std::env::var_os("MEDIC_CONFIG").filter(|path| !path.is_empty());
    Ok(named.map(|path| Config::read(Path::new(&path))).transpose()?.and_then(|config| config.state))
}

/// Returns `$XDG_STATE_HOME/medic`, or `~/.local/state/medic`.
fn usual() -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let base = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    base.or_else(home).unwrap_or_else(|| PathBuf::from("/var/lib")).join("medic")
}
