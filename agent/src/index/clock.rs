//! The time by which the age of what is kept is measured.
//!
//! The clock of the machine may be set, and what is kept must not go because of that. So the time passes as long as Medic
//! runs, and never goes back; a step of the clock forward counts once the clock has stood by it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tracing::{info, warn};

/// What is no step of the clock within a run.
const STEP: Duration = Duration::from_secs(600);
/// How long the clock has to stand by a step before it counts.
const STANDS: Duration = Duration::from_secs(3600);
/// A start that finds the clock further on counts for so much of that at most: two more starts agree with the first.
const START: Duration = Duration::from_secs(1800);
/// Medic may have been stopped for this part of the time for which records are kept, without any doubt.
const PAUSES_IN_AN_AGE: u32 = 8;

/// A time that the clock says and that does not count yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// What the clock said last.
    pub clock: Timestamp,
    /// For how long it has stood by it.
    pub stood_ms: u64,
}

/// What is remembered of a run.
#[derive(Debug)]
pub struct Clock {
    /// How long records are kept.
    age: Duration,
    /// What the clock said last, and how long Medic had run then.
    last: Option<(Timestamp, Duration)>,
}

impl Clock {
    pub fn new(age: Duration) -> Clock {
        Clock { age, last: None }
    }

    /// Returns the time that counts. `before`: the one that counted last; `ran`: how long Medic has run, by a clock that
    /// nobody sets.
    pub fn time(
        &mut self,
        before: Option<Timestamp>,
        doubt: &mut Option<Doubt>,
        clock: Timestamp,
        ran: Duration,
    ) -> Timestamp {
        let last = self.last.replace((clock, ran));
        let Some(before) = before else { return clock };
        let passed = ran.saturating_sub(last.map_or(Duration::ZERO, |(_, ran)| ran));
        let least = later(before, passed);
        let is_start = last.is_none();
        // How long Medic was stopped is known from the clock alone. What was doubted then is doubted still.
        let may_have_paused = is_start && doubt.as_ref().is_none_or(|doubt| clock < doubt.clock);
        let step = if may_have_paused { (self.age / PAUSES_IN_AN_AGE).max(STANDS) } else { STEP };
        if clock <= later(least, step) {
            if last.is_some_and(|(said, _)| later(clock, STEP) < later(said, passed)) {
                warn!(%clock, "the clock was set back: what is kept is as old as before");
            }
            *doubt = None;
            return least.max(clock);
        }
        let stood = doubt.as_ref().and_then(|doubt| doubt.goes_on(clock, passed, is_start));
        let Some(stood) = stood else {
            warn!(
                %clock, expected = %least,
                "the clock was set forward: nothing is too old by that until it has stood by it for an hour"
            );
            *doubt = Some(Doubt { clock, stood_ms: 0 });
            return least;
        };
        if stood >= STANDS {
            info!(%clock, "the clock has stood by its new time: it counts now");
            *doubt = None;
            return clock;
        }
        *doubt = Some(Doubt { clock, stood_ms: stood.as_millis() as u64 });
        least
    }
}

impl Doubt {
    /// Returns for how long the clock stands by what it said; nothing where it has been set again.
    fn goes_on(&self, clock: Timestamp, passed: Duration, is_start: bool) -> Option<Duration> {
        let stood = Duration::from_millis(self.stood_ms);
        let since = || Duration::try_from(clock.duration_since(self.clock)).ok();
        if is_start {
            return Some(stood + since()?.min(START));
        }
        let expected = later(self.clock, passed);
        let is_near = clock <= later(expected, STEP) && expected <= later(clock, STEP);
        is_near.then_some(stood + passed)
    }
}

fn later(time: Timestamp, span: Duration) -> Timestamp {
    time.checked_add(span).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;
    const DAY: u64 = 24 * HOUR;
    const TODAY: i64 = 1_790_000_000;

    /// A recording that goes on through runs.
    struct Recording {
        clock: Clock,
        time: Option<Timestamp>,
        doubt: Option<Doubt>,
        ran: u64,
    }

    impl Recording {
        fn begun() -> Recording {
            let mut recording = Recording {
                clock: Clock::new(Duration::from_secs(14 * DAY)),
                time: None,
                doubt: None,
                ran: 0,
            };
            assert_eq!(recording.after(0, 0), 0);
            recording
        }

        /// Returns how many seconds count since the beginning, after so many more of this run, by what the clock says.
        fn after(&mut self, seconds: u64, clock: i64) -> i64 {
            self.ran += seconds;
            let said = Timestamp::from_second(TODAY + clock).unwrap();
            let time = self.clock.time(self.time, &mut self.doubt, said, Duration::from_secs(self.ran));
            self.time = Some(time);
            time.as_second() - TODAY
        }

        fn restart(&mut self) {
            self.clock = Clock::new(Duration::from_secs(14 * DAY));
            self.ran = 0;
        }
    }

    const AHEAD: i64 = 20 * DAY as i64;

    #[test]
    fn time_passes_as_the_clock_says() {
        let mut recording = Recording::begun();
        assert_eq!(recording.after(1, 1), 1);
        assert_eq!(recording.after(60, 65), 65);
        let later = 9 * DAY as i64 + 70;
        assert_eq!(recording.after(9 * DAY, later), later);
        recording.restart();
        assert_eq!(recording.after(2, 10 * DAY as i64), 10 * DAY as i64);
    }

    #[test]
    fn a_step_forward_counts_once_it_has_stood() {
        let mut recording = Recording::begun();
        assert_eq!(recording.after(1, AHEAD), 1);
        assert_eq!(recording.after(3000, AHEAD + 3000), 3001);
        assert_eq!(recording.after(700, AHEAD + 3700), AHEAD + 3700);
    }

    #[test]
    fn small_spans_of_standing_add_up() {
        let mut clock = Clock::new(Duration::from_secs(14 * DAY));
        let start = Timestamp::from_second(TODAY).unwrap();
        let (mut time, mut doubt) = (clock.time(None, &mut None, start, Duration::ZERO), None);
        let mut counted = Vec::new();
        for commit in 1..=6000 {
            let ran = Duration::from_millis(700) * commit;
            let ahead = start + Duration::from_secs(20 * DAY) + ran;
            time = clock.time(Some(time), &mut doubt, ahead, ran);
            counted.extend((time == ahead).then_some(commit));
        }
        assert_eq!(counted.first(), Some(&5144), "an hour after the first");
    }

    #[test]
    fn a_step_that_is_taken_back_never_counts() {
        let mut recording = Recording::begun();
        recording.after(1, AHEAD);
        recording.after(3000, AHEAD + 3000);
        assert_eq!(recording.after(10, 3011), 3011);
        assert_eq!(recording.after(3600, 6611), 6611);
    }

    #[test]
    fn a_clock_that_is_set_again_and_again_has_not_stood() {
        let mut recording = Recording::begun();
        for step in 1..9 {
            let passed = 2000 * step;
            assert_eq!(recording.after(2000, AHEAD * step + passed), passed, "{step}");
        }
    }

    #[test]
    fn a_step_back_makes_nothing_older_or_newer() {
        let mut recording = Recording::begun();
        assert_eq!(recording.after(10, -AHEAD), 10);
        assert_eq!(recording.after(90, -AHEAD + 90), 100);
        // It is set right again, as it is where a machine without a clock starts in 1970.
        assert_eq!(recording.after(100, 200), 200);
        recording.restart();
        assert_eq!(recording.after(5, -AHEAD), 205);
    }

    #[test]
    fn a_start_that_finds_the_clock_far_ahead_waits() {
        let mut recording = Recording::begun();
        recording.restart();
        assert_eq!(recording.after(1, AHEAD), 1);
        assert_eq!(recording.after(1800, AHEAD + 1800), 1801);
        recording.restart();
        // A restart loop brings it no further.
        assert_eq!(recording.after(1, AHEAD + 1802), 1802);
        assert_eq!(recording.after(1900, AHEAD + 3702), AHEAD + 3702);
    }

    #[test]
    fn short_runs_far_apart_agree_with_each_other() {
        let mut recording = Recording::begun();
        let counted: Vec<bool> = (1..=4)
            .map(|run| {
                recording.restart();
                let clock = AHEAD + run * 3 * DAY as i64;
                recording.after(1, clock) == clock
            })
            .collect();
        assert_eq!(counted, [false, false, true, false]);
    }
}
