//! Log groups of CloudWatch Logs.
//!
//! Events arrive late, so what was read is read again: the last seconds at every turn, the configured overlap
//! twice a minute, the last hour four times an hour. Ids tell what was read before.

mod find;
mod group;

use analyzer::diagnosis::Gap;
use analyzer::snapshot::Snapshot;
use aws_sdk_cloudwatchlogs::Client;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{Instrument, debug_span};

use super::rounds::{Rounds, now, wait_for};
use super::{Arrival, Closed, Delivery, Outlet};
use crate::aws::{Asking, Aws, Pages, Place, calls};
use find::Found;
use group::{Event, Group};

/// How much is read again at every turn.
const SHORT: Duration = Duration::from_secs(15);
const OVERLAP_EVERY: Duration = Duration::from_secs(30);
const DEEP: Duration = Duration::from_secs(3600);
const DEEP_EVERY: Duration = Duration::from_secs(900);
/// Without a cursor this much of the past is read, or from shortly before the deployment began.
const PAST: Duration = Duration::from_secs(600);
const MOST_PAST: Duration = Duration::from_secs(6 * 3600);
/// Where nothing is logged, the window does not grow beyond this.
const LONGEST_QUIET: Duration = Duration::from_secs(900);
/// How long a single run waits for a task definition to name its log groups.
const WAIT_FOR_GROUPS: Duration = Duration::from_secs(20);

/// What is read, and how often.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The configured log groups; without any, those of the task definitions.
    pub groups: Vec<String>,
    pub every: Duration,
    pub overlap: Duration,
    pub once: bool,
}

/// Reads until Medic stops, or once.
pub async fn run(
    reading: Reading,
    aws: &Aws,
    place: Place,
    cursor: Option<Value>,
    outlet: &Outlet,
) -> Result<(), Closed> {
    let mut logs = Logs {
        groups: BTreeMap::new(),
        stored: cursor.unwrap_or_default(),
        gaps: Vec::new(),
        rounds: Rounds::default(),
    };
    let mut asking = Asking::new(aws, place);
    tokio::select! {
        () = outlet.stop.cancelled() => {}
        outcome = logs.read(&reading, &mut asking, outlet) => outcome?,
    }
    // What may still go on is handed over too: the cursor passes it, and what follows stands for itself.
    let records: Vec<Arrival> = logs.groups.values_mut().flat_map(Group::finish).collect();
    if records.is_empty() {
        return Ok(());
    }
    let cursor = Some(logs.cursor());
    outlet.deliver(Delivery { records, cursor, ..Delivery::default() }).await
}

/// Returns the log groups of a source: those that are configured, else those of the task definitions.
pub fn log_groups(configured: &[String], known: &Snapshot, region: &str) -> Found {
    match configured.is_empty() {
        true => find::in_task_definitions(known, region),
        false => Found::configured(configured),
    }
}

struct Logs {
    groups: BTreeMap<String, Group>,
    /// Where the groups go on that were not found yet.
    stored: Value,
    /// What the task definitions do not tell.
    gaps: Vec<Gap>,
    rounds: Rounds,
}

impl Logs {
    async fn read(
        &mut self,
        reading: &Reading,
        asking: &mut Asking<'_>,
        outlet: &Outlet,
    ) -> Result<(), Closed> {
        let client = Client::new(&asking.aws.config);
        let region = asking.aws.region().to_owned();
        if reading.once {
            let names_some =
                |known: &Snapshot| !log_groups(&reading.groups, known, &region).groups.is_empty();
            wait_for(outlet, WAIT_FOR_GROUPS, names_some).await;
        }
        loop {
            let known = outlet.known.borrow().clone();
            let found = log_groups(&reading.groups, &known, &region);
            self.gaps = found.gaps;
            for (name, prefix) in &found.groups {
                if !self.groups.contains_key(name) {
                    let from = first_moment(&known, now());
                    let mut group = Group::new(name, self.stored.get(name), from, now().as_millisecond());
                    group.cluster = asking.place.cluster.clone();
                    group.service = asking.place.service.clone();
                    self.groups.insert(name.clone(), group);
                    // From here on nothing is left out, even if Medic stops before the first page is there.
                    outlet.deliver(Delivery { cursor: Some(self.cursor()), ..Delivery::default() }).await?;
                }
                let Some(group) = self.groups.get_mut(name) else { continue };
                group.prefix = prefix.clone();
                let span = debug_span!("medic.round", medic.source = %outlet.name);
                self.read_group(name, reading, &client, asking, outlet).instrument(span).await?;
            }
            self.end(Vec::new(), Snapshot::default(), asking, outlet).await?;
            if reading.once {
                return Ok(());
            }
            // What nothing followed is complete, and a verdict on it need not wait for the next turn.
            let quiet = group::QUIET.min(reading.every);
            tokio::time::sleep(quiet).await;
            let now = Instant::now();
            let complete: Vec<Arrival> =
                self.groups.values_mut().flat_map(|group| group.close_quiet(now)).collect();
            if !complete.is_empty() {
                self.end(complete, Snapshot::default(), asking, outlet).await?;
            }
            self.rounds.rest(reading.every - quiet, outlet).await;
        }
    }

    /// Reads a group to the end of what there is.
    async fn read_group(
        &mut self,
        name: &str,
        reading: &Reading,
        client: &Client,
        asking: &mut Asking<'_>,
        outlet: &Outlet,
    ) -> Result<(), Closed> {
        let Some(group) = self.groups.get(name) else { return Ok(()) };
        let turn = Turn::of(group, reading, Instant::now());
        let what = format!("log group {name}");
        let place = Place { log_group: Some(name.to_owned()), ..asking.place.clone() };
        asking.place = place;
        let mut pages = Pages::default();
        loop {
            let prefix = self.groups.get(name).and_then(|group| group.prefix.clone());
            let call = client
                .filter_log_events()
                .log_group_name(name)
                .set_log_stream_name_prefix(prefix)
                .start_time(turn.from)
                .set_next_token(pages.token());
            let Some(page) = asking.ask(calls::FILTER_LOG_EVENTS, &what, || call.clone().send()).await else {
                return Ok(());
            };
            let Some(group) = self.groups.get_mut(name) else { return Ok(()) };
            let events = page.events().iter().map(|event| Event {
                id: event.event_id().unwrap_or_default(),
                stream: event.log_stream_name().unwrap_or_default(),
                time: event.timestamp().unwrap_or_default(),
                message: event.message().unwrap_or_default(),
            });
            let (records, snapshot) = group.take(events.collect(), Instant::now());
            // Pages without events are usual: what tells the end is that there is no token.
            let goes_on = pages.turn(page.next_token(), &what);
            if !goes_on {
                group.has_read(turn.is_wide, turn.is_deep, Instant::now(), now());
            }
            self.end(records, snapshot, asking, outlet).await?;
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    async fn end(
        &mut self,
        records: Vec<Arrival>,
        snapshot: Snapshot,
        asking: &Asking<'_>,
        outlet: &Outlet,
    ) -> Result<(), Closed> {
        let mut gaps = asking.gaps();
        gaps.extend_from_slice(&self.gaps);
        let cursor = Some(self.cursor());
        self.rounds.end(outlet, records, &snapshot, gaps, cursor).await
    }

    /// Returns where reading goes on in all groups, also in those that are not found at present.
    fn cursor(&self) -> Value {
        let mut cursor = self.stored.as_object().cloned().unwrap_or_default();
        for (name, group) in &self.groups {
            cursor.insert(name.clone(), group.cursor());
        }
        Value::Object(cursor)
    }
}

/// What one turn reads again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn {
    from: i64,
    is_wide: bool,
    is_deep: bool,
}

impl Turn {
    fn of(group: &Group, reading: &Reading, now: Instant) -> Turn {
        let is_due = |last: Option<Instant>, every: Duration| last.is_none_or(|last| now - last >= every);
        let milliseconds = |span: Duration| span.as_millis() as i64;
        if !group.has_caught_up() {
            return Turn {
                from: group.safe() - milliseconds(reading.overlap),
                is_wide: true,
                is_deep: false,
            };
        }
        let is_deep = is_due(group.deep_at, DEEP_EVERY);
        let is_wide = is_deep || is_due(group.wide_at, OVERLAP_EVERY);
        let again = match (is_deep, is_wide) {
            (true, _) => DEEP.max(reading.overlap),
            (_, true) => reading.overlap,
            _ => SHORT.min(reading.overlap),
        };
        // What came before the last turn was read by then, unless it came late.
        let quiet_from = group.read_at.saturating_sub(milliseconds(LONGEST_QUIET.max(again)));
        let from = (group.safe() - milliseconds(again)).max(quiet_from);
        Turn { from: if is_deep { from.max(group.remembers_from()) } else { from }, is_wide, is_deep }
    }
}

/// Returns from when on the logs are read for the first time.
fn first_moment(known: &Snapshot, now: Timestamp) -> i64 {
    let now = now.as_millisecond();
    let begun = known.services.items().iter().filter_map(|service| service.primary()?.created_at);
    let begun = begun.map(|time| time.as_millisecond() - 60_000).min().unwrap_or(now);
    begun.min(now - PAST.as_millis() as i64).max(now - MOST_PAST.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reading() -> Reading {
        Reading {
            groups: Vec::new(),
            every: Duration::from_secs(2),
            overlap: Duration::from_secs(300),
            once: false,
        }
    }

    /// A group that has read up to `newest` milliseconds.
    fn group(newest: i64, at: Instant, clock: i64) -> Group {
        let mut group = Group::new("/ecs/web", None, newest, i64::MAX);
        group.has_read(true, true, at, Timestamp::from_millisecond(clock).unwrap());
        group
    }

    #[test]
    fn a_turn_reads_the_last_seconds_again_and_now_and_then_more() {
        let begun = Instant::now();
        let newest = 1_800_000_000_000;
        let group = group(newest, begun, newest + 1000);
        let at = |seconds: u64| Turn::of(&group, &reading(), begun + Duration::from_secs(seconds));
        assert_eq!(at(1), Turn { from: newest - 15_000, is_wide: false, is_deep: false });
        assert_eq!(at(31), Turn { from: newest - 300_000, is_wide: true, is_deep: false });
        let deep = at(901);
        assert!(deep.is_deep && deep.is_wide);
    }

    #[test]
    fn after_a_restart_everything_since_the_cursor_is_read() {
        let newest = 1_800_000_000_000;
        let cursor = json!({"newest": newest, "streams": {}});
        let group = Group::new("/ecs/web", Some(&cursor), 0, i64::MAX);
        let turn = Turn::of(&group, &reading(), Instant::now());
        assert_eq!(turn.from, newest - 300_000);
    }

    #[test]
    fn an_event_ahead_of_the_clock_does_not_hide_what_comes_before_it() {
        let begun = Instant::now();
        let clock = 1_800_000_000_000;
        let mut group = group(clock - 60_000, begun, clock - 50_000);
        let ahead = Event { id: "1", stream: "web", time: clock + 90 * 60_000, message: "from the future" };
        group.take(vec![ahead], begun);
        group.has_read(true, true, begun, Timestamp::from_millisecond(clock).unwrap());
        group.close_quiet(begun + Duration::from_secs(5));
        let turn = Turn::of(&group, &reading(), begun + Duration::from_secs(1));
        assert_eq!(turn.from, clock - 15_000);
        // A cursor that was written by a clock which was wrong is corrected as well.
        let cursor = json!({"newest": clock + 90 * 60_000, "streams": {}});
        let restarted = Group::new("/ecs/web", Some(&cursor), 0, clock);
        assert_eq!(Turn::of(&restarted, &reading(), begun).from, clock - 300_000);
    }

    #[test]
    fn where_nothing_is_logged_the_window_does_not_grow() {
        let begun = Instant::now();
        let clock = 1_800_000_000_000;
        let turn = Turn::of(&group(1_790_000_000_000, begun, clock), &reading(), begun);
        assert_eq!(turn.from, clock - 900_000);
    }
}
