//! `medic check`: tells whether every configured source can be read, and what is missing.

use analyzer::diagnosis::Gap;
use analyzer::snapshot::Snapshot;
use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::watched::Watched;
use super::{FAILURE, HEALTHY, collect, state};
use crate::collect::heartbeat;
use crate::config::{Config, SourceConfig};
use crate::sources::{self, Outlet};

/// How long one source may take.
const LONGEST: Duration = Duration::from_secs(90);

/// Reads every configured source once, stores nothing, and tells what cannot be read and what closes the gap.
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    watched: Watched,

    #[command(flatten)]
    state: state::StateArgument,
}

impl Check {
    pub fn run(self) -> Result<u8> {
        let config = self.watched.configuration(Vec::new(), "check")?;
        let recording = recording(&self.state.or(config.state.clone()));
        let mut out = anstream::stdout().lock();
        let mut printed = Ok(());
        let tell = |outcome: &Outcome| {
            if printed.is_ok() {
                printed = writeln!(out, "{}", said(outcome));
            }
        };
        let outcomes = collect::runtime()?.block_on(all(&config, &recording, tell));
        printed?;
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

/// Returns the sources that the collector of a state directory records from at present.
fn recording(state: &Path) -> BTreeSet<String> {
    let Ok(Some(heartbeat)) = heartbeat::read(state) else { return BTreeSet::new() };
    let is_alive = Timestamp::now().duration_since(heartbeat.written).unsigned_abs() < 6 * heartbeat::EVERY;
    let records = |fares: &heartbeat::Fares| is_alive && !fares.has_ended && fares.gaps == 0;
    heartbeat.sources.into_iter().filter(|(_, fares)| records(fares)).map(|(name, _)| name).collect()
}

/// Reads all sources, those first that describe what the others look for; tells each outcome as it comes.
/// `recording`: from which sources a collector records.
async fn all(config: &Config, recording: &BTreeSet<String>, mut tell: impl FnMut(&Outcome)) -> Vec<Outcome> {
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
        let outcome = match (left_out(&source), not_named(&source, config, &known)) {
            _ if source.listens() && recording.contains(&name) => Outcome {
                name,
                left_out: Some("a collector with this state directory listens"),
                ..Outcome::default()
            },
            _ if source.listens() => {
                let gaps = sources::try_doors(&source).await;
                let left_out =
                    gaps.is_empty().then_some("others send to it; its addresses are free to listen on");
                Outcome { name, gaps, left_out, ..Outcome::default() }
            }
            (Some(because), _) => Outcome { name, left_out: Some(because), ..Outcome::default() },
            (None, Some(gap)) => Outcome { name, gaps: vec![gap], ..Outcome::default() },
            (None, None) => one(name, source, config, &mut known).await,
        };
        tell(&outcome);
        outcomes.push(outcome);
    }
    outcomes
}

/// Reads a source once.
async fn one(name: String, source: SourceConfig, config: &Config, known: &mut Snapshot) -> Outcome {
    let (queue, mut deliveries) = mpsc::channel(16);
    // Nothing more is described meanwhile: whoever looks for it need not wait.
    let (_, knows) = watch::channel(Arc::new(known.clone()));
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
        _ => None,
    }
}

/// Says what a source does not know where to look for. It would ask for nothing, and so miss nothing.
fn not_named(source: &SourceConfig, config: &Config, known: &Snapshot) -> Option<Gap> {
    let asks_by_service = matches!(source, SourceConfig::TargetHealth { .. }) && config.service.is_some();
    (asks_by_service && known.services.items().is_empty()).then(|| Gap {
        what: "target groups of the service".to_owned(),
        because: "the service is not described, which names them".to_owned(),
        remedy: Some("let the `ecs` source read the service".to_owned()),
    })
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
        let config = Config::parse("[[source]]\nkind = \"ecs\"\n[[source]]\nkind = \"stdin\"\n").unwrap();
        let outcomes = collect::runtime().unwrap().block_on(all(&config, &BTreeSet::new(), |_| {}));
        assert_eq!(outcomes[0].gaps[0].because, "no service is configured");
        assert!(outcomes[1].left_out.is_some());
    }

    #[test]
    fn addresses_that_others_listen_on_are_told() {
        let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = held.local_addr().unwrap();
        let text = format!("[[source]]\nkind = \"fluent-forward\"\nlisten = \"{address}\"\n");
        let config = Config::parse(&text).unwrap();
        let check = |recording: &[&str]| {
            let recording = recording.iter().map(|name| (*name).to_owned()).collect();
            said(&collect::runtime().unwrap().block_on(all(&config, &recording, |_| {}))[0])
        };
        let busy = check(&[]);
        assert!(busy.contains(&format!("cannot listen on {address}")) && busy.contains("`listen`"), "{busy}");
        assert_eq!(
            check(&["fluent-forward"]),
            "fluent-forward: not checked, a collector with this state directory listens"
        );
        drop(held);
        let free = check(&[]);
        assert!(free.contains("its addresses are free to listen on"), "{free}");
    }

    #[test]
    fn a_key_that_is_not_set_is_told() {
        let text = "[[source]]\nkind = \"fluent-forward\"\nlisten = \"127.0.0.1:0\"\n";
        let check = |variable: &str| {
            let config = Config::parse(&format!("{text}shared_key_variable = \"{variable}\"\n")).unwrap();
            collect::runtime().unwrap().block_on(all(&config, &BTreeSet::new(), |_| {})).remove(0)
        };
        let unset = check("MEDIC_KEY_THAT_NOBODY_SETS");
        assert_eq!(unset.gaps.len(), 1);
        assert!(said(&unset).contains("set MEDIC_KEY_THAT_NOBODY_SETS, or remove"), "{}", said(&unset));
        assert!(check("PATH").gaps.is_empty());
    }

    #[test]
    fn target_groups_that_nobody_names_are_not_read() {
        let config = Config::parse("service = \"web\"\n[[source]]\nkind = \"target-health\"\n").unwrap();
        let mut told = Vec::new();
        let nobody = BTreeSet::new();
        let read = all(&config, &nobody, |outcome| told.push(said(outcome)));
        assert_eq!(collect::runtime().unwrap().block_on(read).len(), 1);
        assert!(
            told[0].contains("cannot be read as a whole") && told[0].contains("which names them"),
            "{told:?}"
        );
    }
}
