//! One log group: which events are new, which lines belong together, and where reading goes on.

use analyzer::record::{Record, Source, Stream};
use analyzer::snapshot::Snapshot;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

use crate::formats::describe;
use crate::sources::lines::{Lines, Placed};
use crate::sources::rounds::{Order, arrival};
use crate::sources::{Arrival, ecs_event, id};

/// A record may go on until its stream has been quiet for this long.
pub const QUIET: Duration = Duration::from_millis(700);
/// How many events a group remembers; what is forgotten is not read again.
const MOST_SEEN: usize = 100_000;
/// How long a stream without open records is remembered, in milliseconds of event time.
const STREAM_MEMORY: i64 = 3_600_000;

/// An event as FilterLogEvents gives it.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    pub id: &'a str,
    pub stream: &'a str,
    pub time: i64,
    pub message: &'a str,
}

/// What is known of a log group.
pub struct Group {
    name: String,
    /// What the names of its streams begin with.
    pub prefix: Option<String>,
    /// What is deployed: events of ECS about other clusters and services are left out.
    pub cluster: Option<String>,
    pub service: Option<String>,
    /// The time of the newest event of the turns that were read to their end.
    newest: i64,
    /// The same with the turn that is under way.
    newest_of_turn: i64,
    seen: BTreeSet<(i64, u64)>,
    streams: BTreeMap<String, Tail>,
    /// Up to when the lines of each stream were stored before Medic started.
    stored: BTreeMap<String, i64>,
    stored_until: i64,
    order: Order,
    /// When a turn was last read to its end, in milliseconds.
    pub read_at: i64,
    pub wide_at: Option<Instant>,
    pub deep_at: Option<Instant>,
}

/// The end of a stream.
struct Tail {
    stream: Arc<Stream>,
    task: Option<Arc<str>>,
    lines: Lines,
    /// The times of lines whose records may go on.
    times: BTreeMap<u64, i64>,
    last: i64,
    heard: Instant,
}

impl Group {
    /// Takes up from a cursor, or begins at a time in milliseconds.
    /// No event is newer than the clock, whatever it says: CloudWatch Logs takes events of the next two hours.
    pub fn new(name: &str, cursor: Option<&Value>, from: i64, clock: i64) -> Group {
        let newest = cursor.and_then(|cursor| cursor["newest"].as_i64()).map(|newest| newest.min(clock));
        let stored = cursor.and_then(|cursor| serde_json::from_value(cursor["streams"].clone()).ok());
        Group {
            name: name.to_owned(),
            prefix: None,
            cluster: None,
            service: None,
            newest: newest.unwrap_or(from),
            newest_of_turn: newest.unwrap_or(from),
            seen: BTreeSet::new(),
            streams: BTreeMap::new(),
            stored: stored.unwrap_or_default(),
            stored_until: newest.unwrap_or(i64::MIN),
            order: Order::default(),
            read_at: i64::MIN,
            wide_at: None,
            deep_at: None,
        }
    }

    /// Takes a page in; gives out records that are complete.
    pub fn take(&mut self, mut events: Vec<Event<'_>>, now: Instant) -> (Vec<Arrival>, Snapshot) {
        events.sort_by_key(|event| event.time);
        let mut arrivals = Vec::new();
        let mut snapshot = Snapshot::default();
        for event in events {
            let key = id(&["logs", &self.name, event.id]);
            if !self.seen.insert((event.time, key)) {
                continue;
            }
            self.newest_of_turn = self.newest_of_turn.max(event.time);
            match self.ecs_event(&event) {
                Some((found, described)) => {
                    arrivals.extend(found);
                    snapshot.merge(described);
                }
                None => self.lines(&event, key, now, &mut arrivals),
            }
        }
        while self.seen.len() > MOST_SEEN {
            self.seen.pop_first();
        }
        (arrivals, snapshot)
    }

    /// Notes that a turn was read to its end.
    pub fn has_read(&mut self, is_wide: bool, is_deep: bool, now: Instant, clock: Timestamp) {
        // What is written ahead of the clock comes again until its time has come; its neighbours are not passed over.
        self.newest_of_turn = self.newest_of_turn.min(clock.as_millisecond());
        self.newest = self.newest_of_turn;
        self.read_at = clock.as_millisecond();
        let first = self.wide_at.is_none();
        self.wide_at = if is_wide { Some(now) } else { self.wide_at };
        self.deep_at = if is_deep || first { Some(now) } else { self.deep_at };
        let forgotten = self.newest - STREAM_MEMORY;
        self.streams.retain(|_, tail| !tail.lines.open.is_empty() || tail.last >= forgotten);
    }

    pub fn has_caught_up(&self) -> bool {
        self.wide_at.is_some()
    }

    /// Gives out records of streams that have been quiet for a while.
    pub fn close_quiet(&mut self, now: Instant) -> Vec<Arrival> {
        self.close(|tail| now - tail.heard >= QUIET)
    }

    /// Gives out what may still go on.
    pub fn finish(&mut self) -> Vec<Arrival> {
        self.close(|_| true)
    }

    /// Returns up to when everything was read and handed over.
    pub fn safe(&self) -> i64 {
        let open = self.streams.values().filter_map(Tail::open_since).min();
        open.map_or(self.newest, |open| self.newest.min(open - 1))
    }

    /// Returns from when on all events that were read are remembered.
    pub fn remembers_from(&self) -> i64 {
        self.seen.first().map_or(self.newest, |(time, _)| *time)
    }

    /// Returns where reading goes on; it does not pass a record that may still go on.
    pub fn cursor(&self) -> Value {
        let mut streams = self.stored.clone();
        for (name, tail) in &self.streams {
            let until = tail.open_since().map_or(tail.last, |open| open - 1);
            let known = streams.entry(name.clone()).or_insert(until);
            *known = until.max(*known);
        }
        let safe = self.safe();
        streams.retain(|_, until| *until >= safe - STREAM_MEMORY);
        json!({"newest": safe, "streams": streams})
    }

    /// Reads an event of ECS that EventBridge wrote into the group.
    fn ecs_event(&mut self, event: &Event<'_>) -> Option<(Vec<Arrival>, Snapshot)> {
        let value = describe::event_in(event.message)?;
        if !ecs_event::may_be_about(&value, self.cluster.as_deref(), self.service.as_deref()) {
            return Some(Default::default());
        }
        let stream = self.stream(event.stream);
        let (records, snapshot) = ecs_event::read(&value, &stream)?;
        let numbered = records.into_iter().map(|(id, mut record)| {
            record.seq = self.order.next(record.time);
            arrival(id, record)
        });
        Some((numbered.collect(), snapshot))
    }

    fn lines(&mut self, event: &Event<'_>, key: u64, now: Instant, arrivals: &mut Vec<Arrival>) {
        let stored = match self.stored.get(event.stream) {
            Some(until) => *until,
            None => self.stored_until,
        };
        let stream = self.stream(event.stream);
        let tail =
            self.streams.entry(event.stream.to_owned()).or_insert_with(|| Tail::new(stream, event, now));
        let number =
            |at: usize| if at == 0 { key } else { id(&["logs", &self.name, event.id, &at.to_string()]) };
        let mut done = Vec::new();
        let is_late = event.time < tail.last || event.time <= stored;
        if is_late {
            // It stands alone: its neighbours are stored already, and so may it be.
            let mut alone = Lines::keeping_further(tail.stream.clone());
            for (at, raw) in lines_of(event.message).enumerate() {
                alone.push(raw, number(at), &mut done);
            }
            alone.finish(&mut done);
            arrivals
                .extend(done.into_iter().map(|placed| complete(placed, event.time, tail, &mut self.order)));
            return;
        }
        for (at, raw) in lines_of(event.message).enumerate() {
            tail.times.insert(number(at), event.time);
            tail.lines.push(raw, number(at), &mut done);
        }
        tail.last = event.time;
        tail.heard = now;
        arrivals.extend(tail.completed(done, &mut self.order));
    }

    fn close(&mut self, which: impl Fn(&Tail) -> bool) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        for tail in self.streams.values_mut().filter(|tail| !tail.lines.open.is_empty() && which(tail)) {
            let mut done = Vec::new();
            tail.lines.finish(&mut done);
            arrivals.extend(tail.completed(done, &mut self.order));
        }
        arrivals
    }

    fn stream(&self, name: &str) -> Arc<Stream> {
        match self.streams.get(name) {
            Some(tail) => tail.stream.clone(),
            None => {
                let name = format!("{}#{name}", self.name);
                Arc::new(Stream { name, source: Source::ContainerLog })
            }
        }
    }
}

impl Tail {
    fn new(stream: Arc<Stream>, event: &Event<'_>, now: Instant) -> Tail {
        Tail {
            lines: Lines::keeping_further(stream.clone()),
            stream,
            task: describe::task_of_log_stream(event.stream).map(Arc::from),
            times: BTreeMap::new(),
            last: event.time,
            heard: now,
        }
    }

    /// Returns when the first record began that may still go on.
    fn open_since(&self) -> Option<i64> {
        self.lines.open.iter().filter_map(|open| self.times.get(&open.offset).copied()).min()
    }

    fn completed(&mut self, done: Vec<Placed>, order: &mut Order) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        for placed in done {
            let time = self.times.get(&placed.offset).copied().unwrap_or(self.last);
            arrivals.push(complete(placed, time, self, order));
        }
        let open: BTreeSet<u64> = self.lines.open.iter().map(|open| open.offset).collect();
        self.times.retain(|line, _| open.contains(line));
        arrivals
    }
}

/// Completes a record with what its event and its stream say.
fn complete(placed: Placed, time: i64, tail: &Tail, order: &mut Order) -> Arrival {
    let time = Timestamp::from_millisecond(time).ok();
    let entity = tail.task.clone().or(placed.record.entity.clone());
    let time = time.or(placed.record.time);
    let record = Record { time, entity, line: 1, seq: order.next(time), ..placed.record };
    Arrival { id: placed.offset, further: placed.further, record }
}

fn lines_of(message: &str) -> impl Iterator<Item = &str> {
    message.split(['\n', '\r']).filter(|raw| !raw.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "web/app/0123456789abcdef0123456789abcdef";

    fn event<'a>(id: &'a str, time: i64, message: &'a str) -> Event<'a> {
        Event { id, stream: STREAM, time, message }
    }

    fn texts(arrivals: &[Arrival]) -> Vec<&str> {
        arrivals.iter().map(|arrival| arrival.record.text.as_str()).collect()
    }

    const TRACE: [&str; 4] =
        ["Traceback (most recent call last):", "  File \"a.py\", line 1", "KeyError: 'A'", "next"];

    fn trace() -> Vec<Event<'static>> {
        TRACE
            .iter()
            .zip(["a", "b", "c", "d"])
            .zip(1000..)
            .map(|((text, id), time)| event(id, time, text))
            .collect()
    }

    #[test]
    fn a_trace_that_spans_events_is_one_record() {
        let now = Instant::now();
        let mut group = Group::new("/ecs/web", None, 0, i64::MAX);
        let (done, _) = group.take(trace(), now);
        assert_eq!(
            texts(&done),
            ["Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'A'"]
        );
        assert_eq!(done[0].id, id(&["logs", "/ecs/web", "a"]));
        assert_eq!(done[0].further, [id(&["logs", "/ecs/web", "b"]), id(&["logs", "/ecs/web", "c"])]);
        assert_eq!(done[0].record.entity.as_deref(), Some("0123456789abcdef0123456789abcdef"));
        assert_eq!(done[0].record.stream.name, format!("/ecs/web#{STREAM}"));
        assert!(group.close_quiet(now).is_empty(), "the last line may go on");
        assert_eq!(texts(&group.close_quiet(now + QUIET)), ["next"]);
    }

    #[test]
    fn what_is_read_again_is_known() {
        let now = Instant::now();
        let mut group = Group::new("/ecs/web", None, 0, i64::MAX);
        let mut found = group.take(trace(), now).0;
        for _ in 0..3 {
            found.extend(group.take(trace(), now).0);
        }
        found.extend(group.finish());
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn pages_may_break_anywhere() {
        let now = Instant::now();
        for at in 0..=TRACE.len() {
            let mut group = Group::new("/ecs/web", None, 0, i64::MAX);
            let events = trace();
            let mut found = group.take(events[..at].to_vec(), now).0;
            found.extend(group.take(events[at..].to_vec(), now).0);
            found.extend(group.finish());
            assert_eq!(found.len(), 2, "broken at {at}");
        }
    }

    #[test]
    fn the_cursor_does_not_pass_a_record_that_may_go_on() {
        let now = Instant::now();
        let mut group = Group::new("/ecs/web", None, 0, i64::MAX);
        group.take(trace()[..2].to_vec(), now);
        group.has_read(true, false, now, Timestamp::MAX);
        assert_eq!(group.cursor(), json!({"newest": 999, "streams": {STREAM: 999}}));
        group.take(trace()[2..].to_vec(), now);
        group.finish();
        assert_eq!(group.cursor()["newest"], 1001, "the turn has not ended");
        group.has_read(true, false, now, Timestamp::MAX);
        assert_eq!(group.cursor(), json!({"newest": 1003, "streams": {STREAM: 1003}}));
    }

    /// Wherever Medic stops, all lines are handed over, and none twice.
    #[test]
    fn a_restart_loses_nothing_and_doubles_nothing() {
        let now = Instant::now();
        for at in 0..=TRACE.len() {
            let mut first = Group::new("/ecs/web", None, 0, i64::MAX);
            let mut stored: Vec<Arrival> = first.take(trace()[..at].to_vec(), now).0;
            first.has_read(true, false, now, Timestamp::MAX);
            let mut second = Group::new("/ecs/web", Some(&first.cursor()), 0, i64::MAX);
            let mut again = second.take(trace(), now).0;
            again.extend(second.finish());
            for arrival in again {
                let ids: BTreeSet<u64> =
                    stored.iter().flat_map(|one| [one.id].into_iter().chain(one.further.clone())).collect();
                if !ids.contains(&arrival.id) {
                    assert!(arrival.further.iter().all(|id| !ids.contains(id)), "stopped at {at}: doubled");
                    stored.push(arrival);
                }
            }
            let lines: usize = stored.iter().map(|arrival| arrival.record.text.lines().count()).sum();
            assert_eq!((stored.len(), lines), (2, 4), "stopped at {at}");
        }
    }

    #[test]
    fn a_late_event_stands_alone() {
        let now = Instant::now();
        let mut group = Group::new("/ecs/web", None, 0, i64::MAX);
        group.take(trace(), now);
        let (late, _) = group.take(vec![event("z", 1001, "late\n  detail")], now);
        assert_eq!(texts(&late), ["late\n  detail"]);
        assert_eq!(late[0].further.len(), 1);
    }

    #[test]
    fn an_event_of_ecs_in_a_log_group_is_an_event() {
        let message = r#"{"id":"1","source":"aws.ecs","detail-type":"ECS Task State Change","detail":{"taskArn":"task/shop/1","lastStatus":"STOPPED","stopCode":"TaskFailedToStart"}}"#;
        let mut group = Group::new("/aws/events/ecs", None, 0, i64::MAX);
        let (found, snapshot) = group.take(vec![event("a", 1000, message)], Instant::now());
        assert_eq!(texts(&found), ["task 1 STOPPED TaskFailedToStart"]);
        assert_eq!(snapshot.tasks.items().len(), 1);
    }

    #[test]
    fn events_about_other_services_are_left_out() {
        let of = |service: &str| {
            let group = format!("service:{service}");
            json!({"source": "aws.ecs", "detail-type": "ECS Task State Change",
                "detail": {"taskArn": format!("task/shop/{service}"), "group": group, "lastStatus": "STOPPED"}})
            .to_string()
        };
        let (ours, others) = (of("web"), of("billing"));
        let mut group = Group::new("/aws/events/ecs", None, 0, i64::MAX);
        group.service = Some("web".to_owned());
        let (found, snapshot) =
            group.take(vec![event("a", 1000, &ours), event("b", 1000, &others)], Instant::now());
        assert_eq!(texts(&found), ["task web STOPPED"]);
        assert_eq!(snapshot.tasks.items().len(), 1);
    }
}
