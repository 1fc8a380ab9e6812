//! `medic diagnose`: from files and standard input to a diagnosis.

use analyzer::diagnosis::{Diagnosis, Study, Verdict};
use analyzer::pattern::Patterns;
use analyzer::snapshot::Snapshot;
use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use reports::{Format, Guide, Screen};
use std::io::IsTerminal;
use std::mem::ManuallyDrop;
use std::path::PathBuf;

use super::{CANNOT_TELL, FAILURE, HEALTHY, knowledge, state, time};
use crate::collect::diagnose_stored;
use crate::deliver::github;
use crate::formats;
use crate::index::Reader;
use crate::input::{Feed, Span, read_all};

/// Names the root cause of a failed deployment from logs, events and API answers.
#[derive(Debug, Args)]
pub struct Diagnose {
    /// Files and folders (also .gz and .zst); `-` reads standard input
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// A deployment that was recorded, instead of files (`medic deployments` lists them; `latest` is the newest)
    #[arg(long, value_name = "ID", conflicts_with = "paths")]
    deployment: Option<String>,

    #[command(flatten)]
    state: state::StateArgument,

    /// How the guide is written
    #[arg(long, value_enum, default_value_t = FormatArgument::Text)]
    format: FormatArgument,

    /// A folder with pattern pages of your own; they win over the built-in ones
    #[arg(long, value_name = "DIR")]
    patterns: Option<PathBuf>,

    /// Leave out records before this time (`2026-05-01T10:00:00Z`, or `90m` before now)
    #[arg(long, value_name = "T", value_parser = time::parse)]
    since: Option<Timestamp>,

    /// Leave out records after this time
    #[arg(long, value_name = "T", value_parser = time::parse)]
    until: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatArgument {
    Text,
    Markdown,
    Html,
    Slack,
    Github,
    Json,
}

impl FormatArgument {
    pub fn format(self) -> Format {
        match self {
            FormatArgument::Text => Format::Text,
            FormatArgument::Markdown => Format::Markdown,
            FormatArgument::Html => Format::Html,
            FormatArgument::Slack => Format::Slack,
            FormatArgument::Github => Format::Github,
            FormatArgument::Json => Format::Json,
        }
    }
}

impl Diagnose {
    pub fn run(self) -> anyhow::Result<u8> {
        time::check_order(self.since, self.until)?;
        // The process ends with this command: nothing is gained by taking thousands of pages apart.
        let patterns = ManuallyDrop::new(knowledge::load(self.patterns.as_deref())?);
        if self.deployment.is_some() || self.paths.is_empty() && self.state.is_given() {
            return self.run_recorded(&patterns);
        }
        if self.paths.is_empty() {
            bail!("there is nothing to diagnose: name files, folders or `-`, or a recorded --deployment");
        }
        let mut study = Study::new(&patterns);
        let mut gaps = Vec::new();
        let span = Span { since: self.since, until: self.until };
        let mut feed = Feed::new(&mut study, span);
        let read = read_all(&self.paths, &mut feed, &mut gaps);
        if read == 0 {
            let because: Vec<String> =
                gaps.iter().map(|gap| format!("{}: {}", gap.what, gap.because)).collect();
            let because =
                if because.is_empty() { "the folder holds no files".to_owned() } else { because.join("; ") };
            bail!("there is nothing to read: {because}");
        }
        gaps.extend(feed.outside_gap());
        let snapshot = feed.snapshot;
        let diagnosis = study.conclude(&snapshot, gaps);
        show(&diagnosis, &patterns, self.format.format())?;
        Ok(code(diagnosis.verdict))
    }

    fn run_recorded(&self, patterns: &Patterns) -> anyhow::Result<u8> {
        let reader = Reader::open(&self.state.existing()?)?;
        let id = recorded(&reader, self.deployment.clone())?;
        let span = Span { since: self.since, until: self.until };
        let diagnosis = diagnose_stored(&reader, patterns, &id, span)?;
        show(&diagnosis, patterns, self.format.format())?;
        Ok(code(diagnosis.verdict))
    }
}

/// Returns the id of a recorded deployment; without one, and as `latest`, the newest that undoes no other.
pub fn recorded(reader: &Reader, id: Option<String>) -> anyhow::Result<String> {
    let entries = &reader.ledger().deployments;
    let newest = entries.iter().rfind(|entry| entry.rolls_back.is_none());
    let Some(id) = id.filter(|id| id != "latest") else {
        return match newest {
            Some(newest) => Ok(newest.id.clone()),
            None => bail!("no deployment was recorded yet: record with `medic collect` or `medic watch`"),
        };
    };
    let found = entries.iter().find(|entry| entry.id == id || entry.id == format!("ecs-svc/{id}"));
    match found {
        Some(entry) => Ok(entry.rolls_back.clone().unwrap_or_else(|| entry.id.clone())),
        None => {
            let known: Vec<&str> = entries.iter().rev().take(10).map(|entry| entry.id.as_str()).collect();
            bail!("no deployment `{id}` was recorded; recorded are: {}", known.join(", "))
        }
    }
}

/// Prints a diagnosis.
pub fn show(diagnosis: &Diagnosis, patterns: &Patterns, format: Format) -> anyhow::Result<()> {
    print(&Guide::new(diagnosis, patterns), format)
}

/// Prints a guide. In a step of GitHub Actions the summary goes into the step's file, and only annotations are printed:
/// a summary in the log is read by nobody.
pub fn print(guide: &Guide, format: Format) -> anyhow::Result<()> {
    let summary = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()).map(PathBuf::from);
    if let (Format::Github, Some(summary)) = (format, summary) {
        let mut annotations = Vec::new();
        // What cannot be posted takes nothing from the verdict.
        if let Err(error) = github::post(guide, Some(&summary), &mut annotations) {
            super::say(&format!("medic: {error:#}"));
        }
        return super::print(&String::from_utf8_lossy(&annotations)).context("cannot write the guide");
    }
    let out = reports::render(guide, format, screen()).context("cannot write the guide")?;
    super::print(&out).context("cannot write the guide")
}

pub fn code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Healthy => HEALTHY,
        Verdict::Failed => FAILURE,
        Verdict::CannotTell => CANNOT_TELL,
    }
}

/// Diagnoses texts that are at hand, each under its file name.
pub fn of_texts<'t>(texts: impl Iterator<Item = (&'t str, &'t str)>, patterns: &Patterns) -> Diagnosis {
    let mut study = Study::new(patterns);
    let mut snapshot = Snapshot::default();
    for (name, text) in texts {
        let collected = formats::read_text(name, None, text);
        study.observe(&collected.records);
        snapshot.merge(collected.snapshot);
    }
    study.conclude(&snapshot, Vec::new())
}

/// Returns what standard output can show.
pub fn screen() -> Screen {
    let stdout = std::io::stdout();
    let is_terminal = stdout.is_terminal();
    let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)).filter(|_| is_terminal);
    // A terminal that does not say how wide it is is seldom wide.
    Screen { width: width.unwrap_or(if is_terminal { 80 } else { 100 }), hyperlinks: is_terminal }
}
