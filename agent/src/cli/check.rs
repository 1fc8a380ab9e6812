//! `medic check`: tells whether every configured source can be read, and what is missing.

use analyzer::diagnosis::Gap;
use analyzer::snapshot::Snapshot;
use anyhow::Result;
use clap::Args;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::watched::Watched;
use super::{FAILURE, HEALTHY, collect};
use crate::config::{Config, SourceConfig};
use crate::sources::{self, Outlet};

/// How long one source may take.
const LONGEST: Duration = Duration::from_secs(90);

/// Reads every configured source once, stores nothing, and tells what cannot be read and what closes the gap.
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    watched: Watched,
}

impl Check {
    pub fn run(self) -> Result<u8> {
        let config = self.watched.configuration(Vec::new(), "check")?;
        let outcomes = collect::runtime()?.block_on(all(&config));
        let mut out = anstream::stdout().lock();
        for outcome in &outcomes {
            writeln!(out, "{}", said(outcome))?;
        }
        let is_whole = outcomes.iter().all(|outcome| outcome.gaps.is_empty());
        Ok(if is_whole { HEALTHY } else { FAILURE })
    }
}

/// What came of reading a source once.
#[derive(Clone, Debug, Default)]
struct Outcome {
    name: String,
    records: usize,
    gaps: Vec<Gap>,
    /// Why the source was not read here.
    left_out: Option<&'static str>,
}

/// Reads all sources, those first that describe what the others look for.
async fn all(config: &Config) -> Vec<Outcome> {
    let mut known = Snapshot::default();
    let mut sources: Vec<(String, SourceConfig)> =
        config.source_names().into_iter().zip(config.sources.iter().cloned()).collect();
    sources.sort_by_key(|(_, source)| match source {
        SourceConfig::Ecs { .. } => 0,
        SourceConfig::TargetHealth { .. } => 1,
        _ => 2,
    });
    let mut outcomes = Vec::new();
    for (name, source) in sources {
        let outcome = match left_out(&source) {
            Some(because) => Outcome { name, left_out: Some(because), ..Outcome::default() },
            None => one(name, source, config, &mut known).await,
        };
        outcomes.push(outcome);
    }
    outcomes
}

/// Reads a source once.
async fn one(name: String, source: SourceConfig, config: &Config, known: &mut Snapshot) -> Outcome {
    let (queue, mut deliveries) = mpsc::channel(16);
    let (tell, knows) = watch::channel(Arc::new(known.clone()));
    let stop = CancellationToken::new();
    let outlet = Outlet::new(&name, queue, knows, stop.clone());
    let mut outcome = Outcome { name, ..Outcome::default() };
    let started = sources::spawn(source, config, None, true, outlet);
    let read = async {
        while let Some((_, delivery)) = deliveries.recv().await {
            let delivery: sources::Delivery = delivery;
            outcome.records += delivery.records.len();
            if let Some(gaps) = delivery.gaps {
                outcome.gaps = gaps;
            }
            if delivery.snapshot != Snapshot::default() {
                known.merge(delivery.snapshot);
                tell.send_replace(Arc::new(known.clone()));
            }
            // Who waits for its records to be stored is not answered: nothing is stored here.
            if delivery.stored.is_some() {
                break;
            }
        }
    };
    if tokio::time::timeout(LONGEST, read).await.is_err() {
        let because = format!("it gave no answer within {} s", LONGEST.as_secs());
        outcome.gaps.push(Gap { what: outcome.name.clone(), because, remedy: None });
    }
    stop.cancel();
    drop(deliveries);
    // The source ends now, for nobody takes what it hands over.
    let _ = started.await;
    outcome
}

/// Says why a source is not read by a check.
fn left_out(source: &SourceConfig) -> Option<&'static str> {
    match source {
        SourceConfig::Files { .. } | SourceConfig::Stdin { .. } => Some("read when it is recorded"),
        source if source.listens() => Some("others send to it"),
        _ => None,
    }
}

fn said(outcome: &Outcome) -> String {
    let name = &outcome.name;
    if let Some(because) = outcome.left_out {
        return format!("{name}: not checked, {because}");
    }
    if outcome.gaps.is_empty() {
        return format!("{name}: can be read ({} records)", outcome.records);
    }
    let mut lines = vec![format!("{name}: cannot be read as a whole ({} records)", outcome.records)];
    for gap in &outcome.gaps {
        lines.push(format!("  {}: {}", gap.what, gap.because));
        lines.extend(gap.remedy.iter().map(|remedy| format!("    {remedy}")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_what_closes_it() {
        let gap = Gap {
            what: "log group /ecs/web".to_owned(),
            because: "access denied for logs:FilterLogEvents".to_owned(),
            remedy: Some("allow it: {}".to_owned()),
        };
        let outcome = Outcome { name: "cloudwatch-logs".to_owned(), gaps: vec![gap], ..Outcome::default() };
        assert_eq!(
            said(&outcome),
            "cloudwatch-logs: cannot be read as a whole (0 records)\n  log group /ecs/web: access denied for logs:FilterLogEvents\n    allow it: {}"
        );
        let whole = Outcome { name: "ecs".to_owned(), records: 7, ..Outcome::default() };
        assert_eq!(said(&whole), "ecs: can be read (7 records)");
    }

    #[test]
    fn a_source_that_lacks_its_service_is_told() {
        let config = Config::parse("[[source]]\nkind = \"ecs\"\n[[source]]\nkind = \"otlp\"\n").unwrap();
        let outcomes = collect::runtime().unwrap().block_on(all(&config));
        assert_eq!(outcomes[0].gaps[0].because, "no service is configured");
        assert!(outcomes[1].left_out.is_some());
    }
}
