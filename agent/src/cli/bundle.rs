//! `medic bundle`: a deployment in one file, to hand on.

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use tracing::warn;

use super::diagnose::{FormatArgument, code, show};
use super::{HEALTHY, knowledge, state};
use crate::bundle;
use crate::index::Reader;

/// Exports what was recorded of a deployment into one file, and opens such a file.
#[derive(Debug, Args)]
pub struct BundleCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Writes all that was recorded of a deployment, without secrets
    Export {
        /// The deployment (`medic deployments` lists them); the newest without it
        #[arg(long, value_name = "ID")]
        deployment: Option<String>,
        #[command(flatten)]
        state: state::StateArgument,
        /// The file to write
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Shows the report of a bundle
    Open {
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// How the guide is written
        #[arg(long, value_enum, default_value_t = FormatArgument::Text)]
        format: FormatArgument,
        /// A folder with pattern pages of your own
        #[arg(long, value_name = "DIR")]
        patterns: Option<PathBuf>,
    },
}

impl BundleCommand {
    pub fn run(self) -> Result<u8> {
        match self.action {
            Action::Export { deployment, state, file } => {
                let reader = Reader::open(&state.existing()?)?;
                let id = super::diagnose::recorded(&reader, deployment)?;
                let out = File::create(&file).with_context(|| format!("cannot write {}", file.display()))?;
                let count = bundle::export(&reader, &id, BufWriter::new(out))?;
                anstream::println!("wrote {count} records of {id} to {}", file.display());
                Ok(HEALTHY)
            }
            Action::Open { file, format, patterns } => {
                let patterns = knowledge::load(patterns.as_deref())?;
                let input = File::open(&file).with_context(|| format!("cannot read {}", file.display()))?;
                let opened = bundle::open(input, &patterns);
                let (header, diagnosis) =
                    opened.with_context(|| format!("cannot open {}", file.display()))?;
                if !header.is_checked() {
                    warn!(
                        "an older Medic exported this bundle, and nothing in it tells whether it is whole; export it anew if it matters"
                    );
                }
                show(&diagnosis, &patterns, format.format())?;
                Ok(code(diagnosis.verdict))
            }
        }
    }
}
