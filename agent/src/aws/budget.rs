//! Budgets: at most a quarter of the account's rate, because the deployer needs the rest.

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use super::calls::{ALL, Bucket, Limit};

/// What Medic takes of an account's rate.
pub const SHARE: f64 = 0.25;

/// One budget for each bucket of calls.
#[derive(Debug)]
pub struct Budgets {
    limiters: BTreeMap<Bucket, DefaultDirectRateLimiter>,
    clock: DefaultClock,
}

impl Budgets {
    pub fn new(region: &str) -> Budgets {
        let buckets = ALL.iter().map(|call| call.bucket);
        let limiters =
            buckets.map(|bucket| (bucket, RateLimiter::direct(quota(bucket.limit(region))))).collect();
        Budgets { limiters, clock: DefaultClock::default() }
    }

    /// Waits until a call may be made.
    pub async fn take(&self, bucket: Bucket) {
        let Some(limiter) = self.limiters.get(&bucket) else { return };
        loop {
            let wait = match limiter.check() {
                Ok(()) => return,
                Err(not_yet) => not_yet.wait_time_from(self.clock.now()),
            };
            tokio::time::sleep(wait).await;
        }
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

    #[test]
    fn every_bucket_has_its_limit_documented_or_low() {
        for call in ALL {
            let limit = call.bucket.limit("eu-west-1");
            assert!(limit.per_second >= 1.0 && f64::from(limit.burst) >= 1.0, "{call:?}");
        }
    }
}
