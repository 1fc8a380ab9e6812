//! Live Tail of CloudWatch Logs: lines within a second, for display alone. It leaves lines out where there are many,
//! so what is stored comes from reading the groups.

use analyzer::diagnosis::Gap;
use analyzer::redact::{Redactions, redact};
use analyzer::snapshot::Snapshot;
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::config::{Builder, StalledStreamProtectionConfig};
use aws_sdk_cloudwatchlogs::operation::start_live_tail::StartLiveTailOutput;
use aws_sdk_cloudwatchlogs::types::{LiveTailSessionUpdate, StartLiveTailResponseStream};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::follow::Tailed;
use super::records;
use crate::aws::{Asking, Aws, Kind, Place, PlainHost, calls};
use crate::collect::Live;
use crate::config::{Config, SourceConfig};
use crate::sources;

/// A session takes this many log groups.
const MOST_GROUPS: usize = 10;
/// How often a session is tried, and how long between.
const TRIES: usize = 4;
const PAUSE: Duration = Duration::from_secs(3);
/// A session that lasted so long was well; it ends after three hours.
const LASTED: Duration = Duration::from_secs(60);

/// The log groups of a session, each with what the names of its streams begin with.
type Groups = BTreeMap<String, Option<String>>;

/// Follows the log groups of the service until there is nobody to tell, or it cannot.
pub async fn run(config: Config, mut live: watch::Receiver<Arc<Live>>, told: mpsc::Sender<Tailed>) {
    let (aws, place) = sources::connection(sources::place(&config)).await;
    let mut asking = Asking::new(&aws, place);
    let client = client(&aws);
    let mut tries = 0;
    while tries < TRIES {
        let ready = live.wait_for(|live| wanted(&config, &live.known, &aws).is_some()).await;
        let Some((groups, arns)) = ready.ok().and_then(|live| wanted(&config, &live.known, &aws)) else {
            return;
        };
        let begun = Instant::now();
        match start(&groups, &arns, &client, &mut asking).await {
            Some(session) => {
                let is_current = || {
                    let now = wanted(&config, &live.borrow().known, &aws);
                    now.is_none_or(|(now, _)| now == groups)
                };
                match follow(session, &groups, is_current, &told).await {
                    Went::NobodyListens => return,
                    // The next session begins where this one ends.
                    Went::GroupsChanged => continue,
                    Went::Ended if begun.elapsed() >= LASTED => {
                        tries = 0;
                        continue;
                    }
                    Went::Ended => tries += 1,
                }
            }
            None if is_final(&asking) => break,
            None => tries += 1,
        }
        tokio::time::sleep(PAUSE).await;
    }
    // Who no longer listens needs no reason.
    let _ = told.send(Tailed::Ended(gap(&asking))).await;
}

enum Went {
    NobodyListens,
    GroupsChanged,
    Ended,
}

fn client(aws: &Aws) -> Client {
    let config = Builder::from(&aws.config)
        .interceptor(PlainHost)
        // A log may be quiet for as long as it likes.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    Client::from_conf(config.build())
}

/// Returns the groups to follow and their ARNs, once they and the account are known.
fn wanted(config: &Config, known: &Snapshot, aws: &Aws) -> Option<(Groups, Vec<String>)> {
    let account = aws.account()?;
    let mut groups = Groups::new();
    for source in &config.sources {
        if let SourceConfig::CloudwatchLogs { groups: configured, .. } = source {
            groups.extend(sources::log_groups(configured, known, aws.region()).groups);
        }
    }
    let groups: Groups = groups.into_iter().take(MOST_GROUPS).collect();
    let place =
        Place { region: aws.region().to_owned(), account: Some(account.to_owned()), ..Place::default() };
    let arn = |name: &String| {
        let place = Place { log_group: Some(name.clone()), ..place.clone() };
        place.fill("arn:{partition}:logs:{region}:{account}:log-group:{log-group}")
    };
    let arns: Vec<String> = groups.keys().map(arn).collect();
    (!groups.is_empty()).then_some((groups, arns))
}

async fn start(
    groups: &Groups,
    arns: &[String],
    client: &Client,
    asking: &mut Asking<'_>,
) -> Option<StartLiveTailOutput> {
    let mut call = client.start_live_tail().set_log_group_identifiers(Some(arns.to_vec()));
    // Only of a single group streams can be chosen.
    if let (1, Some(Some(prefix))) = (groups.len(), groups.values().next()) {
        call = call.log_stream_name_prefixes(prefix);
    }
    asking.place.log_group = groups.keys().next().cloned();
    asking.ask(calls::START_LIVE_TAIL, WHAT, || call.clone().send()).await
}

/// Tells what a session brings.
async fn follow(
    mut session: StartLiveTailOutput,
    groups: &Groups,
    is_current: impl Fn() -> bool,
    told: &mpsc::Sender<Tailed>,
) -> Went {
    if told.send(Tailed::Groups(groups.keys().cloned().collect())).await.is_err() {
        return Went::NobodyListens;
    }
    // An update comes each second, also when there are no lines.
    while let Ok(Some(event)) = session.response_stream.recv().await {
        let StartLiveTailResponseStream::SessionUpdate(update) = event else { continue };
        let sampled = update.session_metadata().is_some_and(|metadata| metadata.sampled());
        if sampled && told.send(Tailed::Sampled).await.is_err() {
            return Went::NobodyListens;
        }
        if !update.session_results().is_empty() && told.send(lines(&update)).await.is_err() {
            return Went::NobodyListens;
        }
        if told.is_closed() {
            return Went::NobodyListens;
        }
        if !is_current() {
            return Went::GroupsChanged;
        }
    }
    Went::Ended
}

fn lines(update: &LiveTailSessionUpdate) -> Tailed {
    let moment = |milliseconds: Option<i64>| milliseconds.and_then(|at| Timestamp::from_millisecond(at).ok());
    let events = update.session_results();
    let taken_in = events.iter().filter_map(|event| moment(event.ingestion_time())).min();
    let lines = events.iter().flat_map(|event| {
        let clean = redact(event.message().unwrap_or_default(), &mut Redactions::new()).into_owned();
        let stream = event.log_stream_name().unwrap_or_default();
        let group = event.log_group_identifier().and_then(|group| group.split(':').next_back());
        let of_group = format!("{}#{stream}", group.unwrap_or_default());
        records::lines(stream, &of_group, moment(event.timestamp()), &clean)
    });
    Tailed::Lines(lines.collect(), taken_in)
}

const WHAT: &str = "Live Tail of the logs";

/// Whether it helps nothing to try again.
fn is_final(asking: &Asking<'_>) -> bool {
    let trouble = asking.trouble(calls::START_LIVE_TAIL, WHAT);
    matches!(trouble, Some(Kind::Denied | Kind::Credentials | Kind::NotOffered))
}

fn gap(asking: &Asking<'_>) -> Gap {
    let instead = "lines are shown once they are stored, some seconds later";
    match asking.gaps().into_iter().next() {
        Some(gap) => Gap { because: format!("{}; {instead}", gap.because), ..gap },
        None => Gap {
            what: WHAT.to_owned(),
            because: format!("its sessions end again and again; {instead}"),
            remedy: None,
        },
    }
}
