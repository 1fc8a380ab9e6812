//! Whether the collector of a state directory is well: judged from its heartbeat, the last commit and the disk.

use jiff::Timestamp;
use serde::Serialize;

use crate::collect::heartbeat::{EVERY, Fares, Heartbeat};

/// A heartbeat that is older than this is that of a collector that hangs or is gone.
const LONGEST_PAUSE: u64 = 6 * EVERY.as_secs();
/// How long records may wait for their commit, and a source to hand over.
const LONGEST_WAIT: u64 = 60;
/// How long a source that asks may be silent besides its own pauses: an endpoint that does not answer takes minutes.
const LONGEST_SILENCE: u64 = 600;
/// A source whose newest record is older than this falls behind; metrics are published up to ten minutes late.
const BEHIND: i64 = 900;

/// What is seen of a state directory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    pub heartbeat: Option<Heartbeat>,
    pub last_commit: Option<Timestamp>,
    pub free: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Healthy,
    /// It records, but not all, or not for long.
    Degraded,
    /// It does not record; to start it again may help.
    Unhealthy,
    /// Medic failed to find out.
    Unknown,
}

/// How the collector is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Health {
    pub status: Status,
    /// Why it is not healthy, the gravest first.
    pub because: Vec<String>,
    pub heartbeat_age_seconds: Option<i64>,
    pub last_commit: Option<Timestamp>,
    pub last_commit_age_seconds: Option<i64>,
    pub free_bytes: Option<u64>,
    pub heartbeat: Option<Heartbeat>,
}

impl Health {
    /// Says that Medic failed to find out.
    pub fn unknown(because: String) -> Health {
        Health {
            status: Status::Unknown,
            because: vec![because],
            heartbeat_age_seconds: None,
            last_commit: None,
            last_commit_age_seconds: None,
            free_bytes: None,
            heartbeat: None,
        }
    }

    /// Returns one line.
    pub fn line(&self) -> String {
        let word = match self.status {
            Status::Healthy => "healthy",
            Status::Degraded => "degraded",
            Status::Unhealthy => "unhealthy",
            Status::Unknown => "unknown",
        };
        let mut said = self.because.clone();
        if self.status <= Status::Degraded {
            let commit = self.last_commit_age_seconds;
            said.push(
                commit.map_or("nothing committed yet".to_owned(), |age| format!("last commit {age} s ago")),
            );
            let sources = self.heartbeat.as_ref().map_or(0, |heartbeat| heartbeat.sources.len());
            said.push(format!("{sources} source{}", if sources == 1 { "" } else { "s" }));
            said.extend(self.free_bytes.map(|free| format!("{} MB free", free / 1_000_000)));
        }
        let line = format!("{word}: {}", said.join("; "));
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// Judges what is seen at a time.
pub fn judge(seen: Seen, now: Timestamp) -> Health {
    let age = |then: Timestamp| now.duration_since(then).as_secs().max(0);
    let (mut grave, mut light) = (Vec::new(), Vec::new());
    match &seen.heartbeat {
        None => grave.push("no collector records here: start `medic collect` with this --state".to_owned()),
        Some(heartbeat) => of_heartbeat(heartbeat, age(heartbeat.written), &mut grave, &mut light),
    }
    let keep_free = seen.heartbeat.as_ref().map_or(0, |heartbeat| heartbeat.keep_free);
    if let Some(free) = seen.free.filter(|free| *free < keep_free) {
        let mb = |bytes: u64| bytes / 1_000_000;
        light.push(format!(
            "the disk is nearly full: {} MB free, {} MB are to stay free",
            mb(free),
            mb(keep_free)
        ));
    }
    let status = match (grave.is_empty(), light.is_empty()) {
        (false, _) => Status::Unhealthy,
        (true, false) => Status::Degraded,
        (true, true) => Status::Healthy,
    };
    grave.extend(light);
    Health {
        status,
        because: grave,
        heartbeat_age_seconds: seen.heartbeat.as_ref().map(|heartbeat| age(heartbeat.written)),
        last_commit: seen.last_commit,
        last_commit_age_seconds: seen.last_commit.map(age),
        free_bytes: seen.free,
        heartbeat: seen.heartbeat,
    }
}

fn of_heartbeat(heartbeat: &Heartbeat, age: i64, grave: &mut Vec<String>, light: &mut Vec<String>) {
    if age > LONGEST_PAUSE as i64 {
        grave.push(format!(
            "the collector was last heard of {age} s ago: it tells every {} s how it fares",
            EVERY.as_secs()
        ));
        // What else it told no longer holds.
        return;
    }
    if let Some(because) = &heartbeat.failing {
        grave.push(format!("nothing can be stored: {because}"));
    }
    if heartbeat.uncommitted_seconds > LONGEST_WAIT {
        grave.push(format!("records have waited {} s for their commit", heartbeat.uncommitted_seconds));
    }
    for (name, fares) in &heartbeat.sources {
        of_source(name, fares, grave, light);
    }
}

fn of_source(name: &str, fares: &Fares, grave: &mut Vec<String>, light: &mut Vec<String>) {
    let longest = fares.every_seconds.map(|every| 3 * every + LONGEST_SILENCE);
    if !fares.has_ended && longest.is_some_and(|longest| fares.silent_seconds > longest) {
        grave.push(format!("source {name} has given no sign of life for {} s", fares.silent_seconds));
    }
    if fares.waits_seconds > LONGEST_WAIT {
        light.push(format!(
            "source {name} falls behind: it has waited {} s to hand over",
            fares.waits_seconds
        ));
    }
    if fares.every_seconds.is_some()
        && let Some(lag) = fares.lag_seconds.filter(|lag| *lag > BEHIND)
    {
        light.push(format!("source {name} falls behind: its newest record is {} min old", lag / 60));
    }
    if fares.gaps > 0 {
        light.push(format!("source {name} cannot see all ({}): `medic check` tells why", fares.gaps));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn beat(change: impl FnOnce(&mut Heartbeat)) -> Heartbeat {
        let ecs = Fares { kind: "ecs".to_owned(), every_seconds: Some(3), ..Fares::default() };
        let mut heartbeat = Heartbeat {
            written: Timestamp::from_second(NOW - 2).unwrap(),
            keep_free: 256_000_000,
            sources: [("ecs".to_owned(), ecs)].into(),
            ..Heartbeat::default()
        };
        change(&mut heartbeat);
        heartbeat
    }

    fn ecs(change: impl FnOnce(&mut Fares)) -> Heartbeat {
        beat(|heartbeat| change(heartbeat.sources.get_mut("ecs").unwrap()))
    }

    #[track_caller]
    fn check(heartbeat: Option<Heartbeat>, free: u64, line: &str) {
        let last_commit = Timestamp::from_second(NOW - 4).ok();
        let seen = Seen { heartbeat, last_commit, free: Some(free) };
        assert_eq!(judge(seen, Timestamp::from_second(NOW).unwrap()).line(), line);
    }

    const PLENTY: u64 = 9_000_000_000;

    #[test]
    fn a_collector_that_beats_is_healthy() {
        check(Some(beat(|_| {})), PLENTY, "healthy: last commit 4 s ago; 1 source; 9000 MB free");
        let silent = |fares: &mut Fares| (fares.silent_seconds, fares.has_ended) = (9_000, true);
        check(Some(ecs(silent)), PLENTY, "healthy: last commit 4 s ago; 1 source; 9000 MB free");
    }

    #[test]
    fn a_collector_that_is_gone_or_stuck_is_unhealthy() {
        check(None, PLENTY, "unhealthy: no collector records here: start `medic collect` with this --state");
        check(
            Some(beat(|heartbeat| heartbeat.written = Timestamp::from_second(NOW - 95).unwrap())),
            PLENTY,
            "unhealthy: the collector was last heard of 95 s ago: it tells every 5 s how it fares",
        );
        check(
            Some(beat(|heartbeat| heartbeat.failing = Some("cannot write the index".to_owned()))),
            PLENTY,
            "unhealthy: nothing can be stored: cannot write the index",
        );
        check(
            Some(beat(|heartbeat| heartbeat.uncommitted_seconds = 75)),
            PLENTY,
            "unhealthy: records have waited 75 s for their commit",
        );
        check(
            Some(ecs(|fares| fares.silent_seconds = 700)),
            PLENTY,
            "unhealthy: source ecs has given no sign of life for 700 s",
        );
    }

    #[test]
    fn what_a_restart_does_not_mend_is_degraded() {
        let rest = "last commit 4 s ago; 1 source; 9000 MB free";
        check(
            Some(ecs(|fares| fares.gaps = 2)),
            PLENTY,
            &format!("degraded: source ecs cannot see all (2): `medic check` tells why; {rest}"),
        );
        check(
            Some(ecs(|fares| fares.lag_seconds = Some(1800))),
            PLENTY,
            &format!("degraded: source ecs falls behind: its newest record is 30 min old; {rest}"),
        );
        check(
            Some(ecs(|fares| fares.waits_seconds = 61)),
            PLENTY,
            &format!("degraded: source ecs falls behind: it has waited 61 s to hand over; {rest}"),
        );
        check(
            Some(beat(|_| {})),
            200_000_000,
            "degraded: the disk is nearly full: 200 MB free, 256 MB are to stay free; last commit 4 s ago; 1 source; 200 MB free",
        );
    }

    #[test]
    fn a_clock_that_was_set_back_does_no_harm() {
        let future =
            |heartbeat: &mut Heartbeat| heartbeat.written = Timestamp::from_second(NOW + 9_000).unwrap();
        check(Some(beat(future)), PLENTY, "healthy: last commit 4 s ago; 1 source; 9000 MB free");
    }
}
