//! Metrics: the samples that conditions ask for, and whether they stayed beyond a bound for long enough.

use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

use super::kept::{Group, GroupKey, Kept, Lane};
use crate::pattern::Test;
use crate::templates::shape_hash;

/// So many of the newest samples of one metric of one service, task or load balancer are kept.
const MOST_SAMPLES: usize = 1500;
/// What a sample stands for when it has no neighbour: metrics are counted by the minute.
const USUAL_PERIOD: i64 = 60;

/// The samples of the metrics that conditions ask for.
#[derive(Clone, Debug, Default)]
pub(super) struct Measured {
    of: BTreeMap<(String, Lane), BTreeMap<Timestamp, Sample>>,
}

#[derive(Clone, Debug)]
struct Sample {
    value: f64,
    kept: Kept,
}

impl Measured {
    pub fn add(&mut self, name: &str, time: Timestamp, value: f64, kept: Kept) {
        let samples = self.of.entry((name.to_owned(), kept.lane())).or_default();
        // Of two at one time, the one that stands last.
        if samples.get(&time).is_none_or(|known| known.kept.place <= kept.place) {
            samples.insert(time, Sample { value, kept });
        }
        if samples.len() > MOST_SAMPLES {
            samples.pop_first();
        }
    }

    /// Returns the samples that meet a condition, as records that say the same; `None` for other conditions.
    pub fn meet(&self, test: &Test) -> Option<BTreeMap<GroupKey, Group>> {
        let Test::Metric { name, above, below, for_seconds } = test else { return None };
        let is_beyond =
            |value: f64| above.is_some_and(|bound| value > bound) || below.is_some_and(|bound| value < bound);
        let of_metric = self.of.iter().filter(|((metric, _), _)| metric == name);
        let groups = of_metric.filter_map(|((_, lane), samples)| {
            let (first, last, count) = longest(samples, is_beyond, i64::try_from(*for_seconds).ok()?)?;
            let group = Group {
                first: first.clone(),
                last: last.place.clone(),
                count,
                score: 0,
                company: BTreeSet::new(),
            };
            Some(((lane.clone(), shape_hash(&first.line)), group))
        });
        Some(groups.collect())
    }
}

/// Returns the first and the last sample of the longest time beyond the bound, where it is long enough.
fn longest(
    samples: &BTreeMap<Timestamp, Sample>,
    is_beyond: impl Fn(f64) -> bool,
    seconds: i64,
) -> Option<(&Kept, &Kept, u64)> {
    let all: Vec<(&Timestamp, &Sample)> = samples.iter().collect();
    let runs = all.chunk_by(|a, b| is_beyond(a.1.value) == is_beyond(b.1.value));
    let beyond = runs.filter(|run| is_beyond(run[0].1.value)).filter_map(|run| {
        let (first, last) = (run.first()?, run.last()?);
        let period = run.get(1).map_or(USUAL_PERIOD, |next| between(*first.0, *next.0));
        let lasted = between(*first.0, *last.0) + period;
        (lasted >= seconds).then_some((lasted, &first.1.kept, &last.1.kept, run.len() as u64))
    });
    // Of two that lasted as long, the first.
    let best = beyond.reduce(|best, next| if next.0 > best.0 { next } else { best })?;
    Some((best.1, best.2, best.3))
}

fn between(from: Timestamp, to: Timestamp) -> i64 {
    to.as_second() - from.as_second()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Level, Place, Source};

    fn kept(second: i64) -> Kept {
        Kept {
            place: Place {
                time: Timestamp::from_second(second).ok(),
                stream: "m".to_owned(),
                seq: second as u64,
            },
            source: Source::Metric,
            level: Level::Info,
            text: String::new(),
            said: None,
            line: String::new(),
            line_index: 0,
            line_number: 1,
            entity: None,
            deployment: None,
            values: BTreeMap::new(),
        }
    }

    fn met(values: &[f64], above: Option<f64>, below: Option<f64>, for_seconds: u64) -> Option<u64> {
        let mut measured = Measured::default();
        for (minute, value) in values.iter().enumerate().rev() {
            let second = 60 * minute as i64;
            measured.add("CPU", Timestamp::from_second(second).unwrap(), *value, kept(second));
        }
        let test = Test::Metric { name: "CPU".to_owned(), above, below, for_seconds };
        measured.meet(&test).unwrap().into_values().next().map(|group| group.first.place.seq / 60)
    }

    #[test]
    fn a_metric_must_stay_beyond_the_bound_for_long_enough() {
        assert_eq!(met(&[99.0, 20.0, 96.0, 97.0, 98.0, 30.0], Some(95.0), None, 180), Some(2));
        assert_eq!(met(&[99.0, 20.0, 96.0, 97.0, 30.0, 98.0], Some(95.0), None, 180), None);
        assert_eq!(met(&[3.0, 0.0, 2.0], None, Some(1.0), 0), Some(1));
        assert_eq!(met(&[95.0], Some(95.0), None, 0), None);
    }
}
