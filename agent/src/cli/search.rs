//! `medic search`: finds records in what was recorded.

use analyzer::record::{Level, Source};
use anyhow::{Result, anyhow};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;
use std::io::{IsTerminal, Write};

use super::{HEALTHY, histogram, state, time};
use crate::index::{Bucket, Filter, Hit, Question, Reader};

/// Searches what was recorded: words, "phrases", AND, OR, NOT, brackets, field:value, time:[A TO B].
#[derive(Debug, Args)]
#[command(
    after_help = "Fields: source, stream, entity (task, container, resource), severity, deployment; `*` leaves a part of \
    their values open.\n`&&`, `||` and `!` mean AND, OR and NOT.\n\
    Examples:\n  medic search 'connection refused'\n  medic search '\"exit code 137\" AND entity:web' --since 1h\n  \
    medic search 'severity:error NOT timeout' --histogram"
)]
pub struct Search {
    /// What to find; nothing finds everything
    #[arg(value_name = "QUERY", default_value = "")]
    query: Vec<String>,

    #[command(flatten)]
    state: state::StateArgument,

    /// Only records since this time (`2026-05-01T10:00:00Z`, or `90m` before now)
    #[arg(long, value_name = "T", value_parser = time::parse)]
    since: Option<Timestamp>,

    /// Only records until this time
    #[arg(long, value_name = "T", value_parser = time::parse)]
    until: Option<Timestamp>,

    /// Only records of this deployment (`medic deployments` lists them; `latest` is the newest)
    #[arg(long, value_name = "ID")]
    deployment: Option<String>,

    /// Only records of this kind (`container-log`, `ecs-service-event` …); may be repeated
    #[arg(long, value_name = "KIND")]
    source: Vec<String>,

    /// Only records at least so severe (`warn`, `error` …)
    #[arg(long, value_name = "LEVEL")]
    severity: Option<String>,

    /// How many records are shown, the newest
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    limit: usize,

    #[arg(long, value_enum, default_value_t = SearchFormat::Text)]
    format: SearchFormat,

    /// Print the number of records alone
    #[arg(long, conflicts_with = "histogram")]
    count: bool,

    /// Show how the records spread over time
    #[arg(long)]
    histogram: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SearchFormat {
    Text,
    /// One JSON object a line
    Json,
}

/// A found record, as JSON.
#[derive(Serialize)]
struct Found<'h> {
    time: Option<Timestamp>,
    severity: &'static str,
    source: &'static str,
    stream: &'h str,
    entity: Option<&'h str>,
    deployment: Option<&'h str>,
    text: &'h str,
}

impl Search {
    pub fn run(self) -> Result<u8> {
        time::check_order(self.since, self.until)?;
        let reader = Reader::open(&self.state.existing()?)?;
        let question = Question { words: self.query.join(" "), filter: self.filter(&reader)? };
        let mut out = anstream::stdout().lock();
        if self.count {
            writeln!(out, "{}", reader.count(&question)?)?;
        } else if self.histogram {
            self.show_histogram(&mut out, &reader.histogram(&question, histogram::round_width)?)?;
        } else {
            let hits = reader.newest(&question, self.limit)?;
            // The newest are found; they read best in the order in which they happened.
            for hit in hits.iter().rev() {
                self.show(&mut out, hit)?;
            }
        }
        Ok(HEALTHY)
    }

    /// Returns the names under which the records of the deployment are found.
    fn deployments(&self, reader: &Reader) -> Result<Vec<String>> {
        let Some(id) = &self.deployment else { return Ok(Vec::new()) };
        let ledger = reader.ledger();
        // Records from before their deployment had its name are found under the one that they have.
        if ledger.deployments.iter().any(|entry| entry.also.contains(id)) {
            return Ok(vec![id.clone()]);
        }
        Ok(ledger.names_of(&super::diagnose::recorded(reader, Some(id.clone()))?))
    }

    fn filter(&self, reader: &Reader) -> Result<Filter> {
        for source in &self.source {
            source.parse::<Source>().map_err(|_| {
                let known: Vec<&str> = Source::ALL.iter().map(|source| source.as_str()).collect();
                anyhow!("no records are of the kind `{source}`; the kinds are {}", known.join(", "))
            })?;
        }
        let severity = self.severity.as_deref().map(|name| {
            Level::named(name).ok_or_else(|| {
                anyhow!("`{name}` is no severity; write trace, debug, info, warn, error or fatal")
            })
        });
        Ok(Filter {
            since: self.since,
            until: self.until,
            deployments: self.deployments(reader)?,
            sources: self.source.clone(),
            severity: severity.transpose()?,
        })
    }

    fn show(&self, out: &mut impl Write, hit: &Hit) -> Result<()> {
        let record = &hit.record;
        if self.format == SearchFormat::Json {
            let found = Found {
                time: hit.time,
                severity: record.level.as_str(),
                source: record.source.as_str(),
                stream: &record.stream.name,
                entity: record.entity.as_deref(),
                deployment: hit.deployment.as_deref(),
                text: &record.text,
            };
            serde_json::to_writer(&mut *out, &found)?;
            writeln!(out)?;
            return Ok(());
        }
        let time =
            hit.time.map(|time| time.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()).unwrap_or_default();
        let style = match record.level {
            Level::Error | Level::Fatal => anstyle::AnsiColor::Red.on_default(),
            Level::Warn => anstyle::AnsiColor::Yellow.on_default(),
            _ => anstyle::Style::new(),
        };
        let about = record.entity.as_deref().unwrap_or(&record.stream.name);
        let about = reports::escape::printable(&end_of(about, 24));
        let text = reports::escape::printable(&record.text);
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        writeln!(out, "{time}  {:<17} {about:<24}  {style}{first}{style:#}", record.source.as_str())?;
        for line in lines {
            writeln!(out, "{:70}{style}{line}{style:#}", "")?;
        }
        Ok(())
    }

    fn show_histogram(&self, out: &mut impl Write, buckets: &[Bucket]) -> Result<()> {
        if self.format == SearchFormat::Json {
            for bucket in buckets {
                serde_json::to_writer(&mut *out, bucket)?;
                writeln!(out)?;
            }
            return Ok(());
        }
        let columns = histogram::columns_of_terminal();
        let bar = if std::io::stdout().is_terminal() { '█' } else { '#' };
        for line in histogram::lines(buckets, columns, bar) {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }
}

/// Returns the end of a name, for its beginning is what many have in common; `…` says that it was cut.
fn end_of(name: &str, most: usize) -> String {
    let length = name.chars().count();
    if length <= most {
        return name.to_owned();
    }
    std::iter::once('…').chain(name.chars().skip(length + 1 - most)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_cut_says_so() {
        assert_eq!(end_of("fluent:web-firelens-1/web", 24), "…uent:web-firelens-1/web");
        assert_eq!(end_of("luent:web-firelens-1/web", 24), "luent:web-firelens-1/web");
        assert_eq!(end_of("größe/ü", 3), "…/ü");
        assert_eq!(end_of("", 3), "");
    }
}
