//! `medic deployments`: what was recorded, with verdicts.

use analyzer::diagnosis::Verdict;
use anyhow::Result;
use clap::{Args, ValueEnum};
use std::io::Write;

use super::{HEALTHY, state};
use crate::index::{DeploymentEntry, Reader};
use crate::watch::span;

/// Lists the deployments that were recorded, with verdicts, the newest first.
#[derive(Debug, Args)]
pub struct Deployments {
    #[command(flatten)]
    state: state::StateArgument,

    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    format: ListFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ListFormat {
    Text,
    /// One JSON object a line
    Json,
}

impl Deployments {
    pub fn run(self) -> Result<u8> {
        let reader = Reader::open(&self.state.existing()?)?;
        let mut out = anstream::stdout().lock();
        for entry in reader.ledger().deployments.iter().rev() {
            match self.format {
                ListFormat::Json => {
                    serde_json::to_writer(&mut out, entry)?;
                    writeln!(out)?;
                }
                ListFormat::Text => writeln!(out, "{}", line(entry))?,
            }
        }
        Ok(HEALTHY)
    }
}

fn line(entry: &DeploymentEntry) -> String {
    let verdict = match (entry.verdict, &entry.rolls_back) {
        (_, Some(_)) => "roll-back",
        (Some(Verdict::Healthy), None) => "healthy",
        (Some(Verdict::Failed), None) => "failed",
        (Some(Verdict::CannotTell), None) => "cannot tell",
        (None, None) => "under way",
    };
    // Its records count from a little earlier than ECS began it.
    let began = entry.created.or(entry.from);
    let time = began.map(|time| time.strftime("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default();
    let duration = match (began, entry.ended) {
        (Some(from), Some(ended)) => span(ended.duration_since(from).as_secs()),
        _ => String::new(),
    };
    let what = entry.service.as_deref().unwrap_or_default();
    let version = entry.task_definition.as_deref().map(analyzer::snapshot::last_segment).unwrap_or_default();
    let why = match (&entry.rolls_back, &entry.cause, entry.confidence) {
        (Some(undone), ..) => format!("undoes {undone}"),
        (None, Some(cause), Some(confidence)) => format!("{cause} ({:.0} %)", confidence * 100.0),
        _ => String::new(),
    };
    let line = format!("{time:<19}  {:<34} {verdict:<11} {what} {version} {duration:>11}  {why}", entry.id);
    reports::escape::printable(line.trim_end())
}
