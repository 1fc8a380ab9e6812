//! Budgets: at most a quarter of the account's rate, because the deployer needs the rest. Calls that are throttled
//! all the same rest for longer and longer.

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

use super::calls::{ALL, Bucket, Limit};

/// What Medic takes of an account's rate.
pub const SHARE: f64 = 0.25;

/// How long calls of a bucket rest after one of them was throttled, and at most.
const FIRST_REST: Duration = Duration::from_millis(300);
const LONGEST_REST: Duration = Duration::from_secs(10);

/// One budget for each bucket of calls.
#[derive(Debug)]
pub struct Budgets {
    limiters: BTreeMap<Bucket, DefaultDirectRateLimiter>,
    rests: Mutex<BTreeMap<Bucket, Rest>>,
    clock: DefaultClock,
}

/// How the calls of a bucket rest that were throttled.
#[derive(Clone, Copy, Debug)]
struct Rest {
    until: Instant,
    length: Duration,
}

impl Budgets {
    pub fn new(region: &str) -> Budgets {
        let buckets = ALL.iter().map(|call| call.bucket);
        let limiters =
            buckets.map(|bucket| (bucket, RateLimiter::direct(quota(bucket.limit(region))))).collect();
        Budgets { limiters, rests: Mutex::default(), clock: DefaultClock::default() }
    }

    /// Waits until a call may be made.
    pub async fn take(&self, bucket: Bucket) {
        let Some(limiter) = self.limiters.get(&bucket) else { return };
        loop {
            let until = self.rests().get(&bucket).map(|rest| rest.until);
            if let Some(until) = until.filter(|until| *until > Instant::now()) {
                tokio::time::sleep_until(until).await;
                continue;
            }
            let wait = match limiter.check() {
                Ok(()) => return,
                Err(not_yet) => not_yet.wait_time_from(self.clock.now()),
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Lets the calls of a bucket rest, for one of them was throttled: the account's rate is used up by others.
    pub fn slow_down(&self, bucket: Bucket) {
        let now = Instant::now();
        let mut rests = self.rests();
        let rest = rests.entry(bucket).or_insert(Rest { until: now, length: Duration::ZERO });
        // Several calls that were under way at once are throttled for the same reason.
        if rest.until <= now {
            rest.length = (rest.length * 2).clamp(FIRST_REST, LONGEST_REST);
            rest.until = now + rest.length;
        }
    }

    /// Ends the rests of a bucket: one of its calls was answered.
    pub fn go_on(&self, bucket: Bucket) {
        self.rests().remove(&bucket);
    }

    fn rests(&self) -> MutexGuard<'_, BTreeMap<Bucket, Rest>> {
        self.rests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn quota(limit: Limit) -> Quota {
    let burst = NonZeroU32::new((f64::from(limit.burst) * SHARE) as u32).unwrap_or(NonZeroU32::MIN);
    let period = Duration::from_secs_f64(1.0 / (limit.per_second * SHARE).max(0.01));
    // A period of zero does not come out of a limit; if it did, one call a second is on the safe side.
    Quota::with_period(period).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(burst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bucket: Bucket, region: &str, per_minute: u64, burst: u32) {
        let quota = quota(bucket.limit(region));
        let in_a_minute = 60_000 / quota.replenish_interval().as_millis() as u64;
        assert_eq!((in_a_minute, quota.burst_size().get()), (per_minute, burst), "{bucket:?} in {region}");
    }

    #[test]
    fn a_budget_is_a_quarter_of_the_limit() {
        check(Bucket::LogEvents, "us-east-1", 375, 6);
        check(Bucket::LogEvents, "eu-central-1", 75, 1);
        check(Bucket::EcsTasks, "eu-west-1", 300, 25);
        check(Bucket::EcsServiceDeployments, "eu-west-1", 300, 12);
    }

    #[tokio::test]
    async fn calls_that_are_throttled_rest_longer_and_longer() {
        let budgets = Budgets::new("us-east-1");
        let mut rests = Vec::new();
        for _ in 0..7 {
            budgets.slow_down(Bucket::EcsTasks);
            let rest = budgets.rests()[&Bucket::EcsTasks];
            budgets.slow_down(Bucket::EcsTasks);
            assert_eq!(budgets.rests()[&Bucket::EcsTasks].length, rest.length, "throttled at once");
            rests.push(rest.length.as_millis() as u64);
            budgets.rests().insert(Bucket::EcsTasks, Rest { until: Instant::now(), ..rest });
        }
        assert_eq!(rests, [300, 600, 1200, 2400, 4800, 9600, 10_000]);
        budgets.go_on(Bucket::EcsTasks);
        let begun = Instant::now();
        budgets.slow_down(Bucket::EcsTasks);
        budgets.take(Bucket::Alarms).await;
        assert!(begun.elapsed() < FIRST_REST, "other calls do not rest");
        budgets.take(Bucket::EcsTasks).await;
        assert!(begun.elapsed() >= FIRST_REST);
    }

    #[test]
    fn every_bucket_has_its_limit_documented_or_low() {
        for call in ALL {
            let limit = call.bucket.limit("eu-west-1");
            assert!(limit.per_second >= 1.0 && f64::from(limit.burst) >= 1.0, "{call:?}");
        }
    }
}
