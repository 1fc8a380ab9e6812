//! `medic diagnose`: from files and standard input to a diagnosis.

use analyzer::diagnosis::{Diagnosis, Study, Verdict};
use analyzer::pattern::Patterns;
use analyzer::snapshot::Snapshot;
use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use reports::{Format, Guide, Screen};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use super::{CANNOT_TELL, FAILURE, HEALTHY, knowledge};
use crate::formats;
use crate::input::{Feed, Span, read_all};

/// Names the root cause of a failed deployment from logs, events and API answers.
#[derive(Debug, Args)]
pub struct Diagnose {
    /// Files and folders (also .gz and .zst); `-` reads standard input
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// How the guide is written
    #[arg(long, value_enum, default_value_t = FormatArgument::Text)]
    format: FormatArgument,

    /// A folder with pattern pages of your own; they win over the built-in ones
    #[arg(long, value_name = "DIR")]
    patterns: Option<PathBuf>,

    /// Leave out records before this time (`2026-05-01T10:00:00Z`, or `90m` before now)
    #[arg(long, value_name = "T", value_parser = time)]
    since: Option<Timestamp>,

    /// Leave out records after this time
    #[arg(long, value_name = "T", value_parser = time)]
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
        let patterns = knowledge::load(self.patterns.as_deref())?;
        let mut study = Study::new(&patterns);
        let mut gaps = Vec::new();
        let span = Span { since: self.since, until: self.until };
        let mut feed = Feed { study: &mut study, snapshot: Snapshot::default(), span };
        let read = read_all(&self.paths, &mut feed, &mut gaps);
        if read == 0 {
            let because: Vec<String> =
                gaps.iter().map(|gap| format!("{}: {}", gap.what, gap.because)).collect();
            let because =
                if because.is_empty() { "the folder holds no files".to_owned() } else { because.join("; ") };
            bail!("there is nothing to read: {because}");
        }
        let snapshot = feed.snapshot;
        let diagnosis = study.conclude(&snapshot, gaps);
        show(&diagnosis, &patterns, self.format.format())?;
        Ok(code(diagnosis.verdict))
    }
}

/// Prints a diagnosis.
pub fn show(diagnosis: &Diagnosis, patterns: &Patterns, format: Format) -> anyhow::Result<()> {
    let guide = Guide::new(diagnosis, patterns);
    let out = reports::render(&guide, format, screen()).context("cannot write the guide")?;
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(out.as_bytes())?;
    stdout.flush()?;
    Ok(())
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

fn screen() -> Screen {
    let stdout = std::io::stdout();
    let is_terminal = stdout.is_terminal();
    let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)).filter(|_| is_terminal);
    Screen { width: width.unwrap_or(100), hyperlinks: is_terminal }
}

/// Reads a time, or a span before now.
fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let wrong = || {
        format!(
            "`{text}` is neither a time (`2026-05-01T10:00:00Z`) nor a span before now (`90m`, `2h`, `1d`)"
        )
    };
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number: i64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    let seconds = match unit {
        's' => number,
        'm' => number.saturating_mul(60),
        'h' => number.saturating_mul(3600),
        'd' => number.saturating_mul(86_400),
        _ => return Err(wrong()),
    };
    let now = Timestamp::now().as_second();
    Timestamp::from_second(now.saturating_sub(seconds)).map_err(|_| wrong())
}
