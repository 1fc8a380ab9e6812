//! Metrics of the service and its target groups, and the alarms that watch its deployments.

mod wanted;

use analyzer::record::{Level, Record, Source, Stream};
use analyzer::snapshot::{self, Alarm, MetricQuery, MetricStat as Stat, Snapshot, ended_by_alarms};
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    AlarmType, CompositeAlarm, Dimension, Metric, MetricAlarm, MetricDataQuery, MetricStat,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

use super::rounds::{Order, Rounded, Seen, arrival, now};
use super::{Arrival, id};
use crate::aws::{Asking, Pages, Place, calls};
use crate::formats::describe::{level_of_alarm, text_of_alarm};
use wanted::Wanted;

/// The length of one sample; finer ones are not published.
const PERIOD: i64 = 60;
/// Samples are published some minutes late.
const PAST: i64 = 10 * PERIOD;
/// What was missed while Medic did not run is read up to here.
const MOST_PAST: i64 = 3 * 3600;
/// Until then a sample may still change.
const SETTLED_AFTER: i64 = 2 * PERIOD;
const QUERIES_A_CALL: usize = 500;
const NAMES_A_CALL: usize = 100;
/// Composite alarms are followed up to so many alarms.
const MOST_ALARMS: usize = 300;

/// Where reading the metrics of a service goes on.
pub struct Metrics {
    stream: Arc<Stream>,
    seen: Seen,
    /// The time of the newest sample, in seconds.
    until: Option<i64>,
    order: Order,
}

impl Rounded for Metrics {
    type Client = Client;

    const ASKS_BY_SERVICE: bool = true;

    async fn round(&mut self, client: &Client, asking: &mut Asking<'_>, known: &Snapshot) -> Vec<Arrival> {
        let mut records = self.ask_samples(known, now(), client, asking).await;
        records.extend(self.ask_alarms(known, client, asking).await);
        records
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::default()
    }

    fn cursor(&self) -> Option<Value> {
        Some(json!({"until": self.until, "seen": self.seen}))
    }
}

impl Metrics {
    pub fn new(place: &Place, cursor: Option<Value>) -> Metrics {
        let cursor = cursor.unwrap_or_default();
        let name = format!("metrics:{}", place.service.as_deref().unwrap_or("*"));
        Metrics {
            stream: Arc::new(Stream { name, source: Source::Metric }),
            seen: serde_json::from_value(cursor["seen"].clone()).unwrap_or_default(),
            until: cursor["until"].as_i64(),
            order: Order::default(),
        }
    }

    async fn ask_samples(
        &mut self,
        known: &Snapshot,
        now: Timestamp,
        client: &Client,
        asking: &mut Asking<'_>,
    ) -> Vec<Arrival> {
        let wanted = wanted::of_service(&asking.place, known);
        let from = self.beginning(now.as_second());
        let mut arrivals = Vec::new();
        for batch in wanted.chunks(QUERIES_A_CALL) {
            let mut pages = Pages::default();
            loop {
                let call = client
                    .get_metric_data()
                    .set_metric_data_queries(Some(queries(batch)))
                    .start_time(DateTime::from_secs(from))
                    .end_time(DateTime::from_secs(now.as_second()))
                    .set_next_token(pages.token());
                let what = "metrics of the service";
                let Some(page) = asking.ask(calls::GET_METRIC_DATA, what, || call.clone().send()).await
                else {
                    break;
                };
                for result in page.metric_data_results() {
                    let at = result.id().and_then(|id| id.strip_prefix('m')?.parse::<usize>().ok());
                    let Some(wanted) = at.and_then(|at| batch.get(at)) else { continue };
                    let samples =
                        result.timestamps().iter().map(DateTime::secs).zip(result.values().iter().copied());
                    arrivals.extend(self.samples(wanted, samples, now.as_second()));
                }
                if !pages.turn(page.next_token(), what) {
                    break;
                }
            }
        }
        arrivals.sort_by_key(|arrival| arrival.record.time);
        for arrival in &mut arrivals {
            arrival.record.seq = self.order.next(arrival.record.time);
        }
        arrivals
    }

    async fn ask_alarms(
        &mut self,
        known: &Snapshot,
        client: &Client,
        asking: &mut Asking<'_>,
    ) -> Vec<Arrival> {
        let mut alarms: Vec<Alarm> = Vec::new();
        let mut wanted = watching(known);
        // A composite alarm names others, which may name others again.
        while !wanted.is_empty() && alarms.len() < MOST_ALARMS {
            let names = wanted.into_iter().take(NAMES_A_CALL).collect();
            let call = client.describe_alarms().set_alarm_names(Some(names));
            let call = call.alarm_types(AlarmType::MetricAlarm).alarm_types(AlarmType::CompositeAlarm);
            let what = "alarms of the deployments";
            let Some(answer) = asking.ask(calls::DESCRIBE_ALARMS, what, || call.clone().send()).await else {
                break;
            };
            let before = alarms.len();
            alarms.extend(answer.metric_alarms().iter().map(of_metrics));
            alarms.extend(answer.composite_alarms().iter().map(of_alarms));
            let named = alarms[before..].iter().flat_map(Alarm::children);
            wanted = named.filter(|name| alarms.iter().all(|known| known.alarm_name != *name)).collect();
        }
        let mut arrivals: Vec<Arrival> = alarms.iter().filter_map(|alarm| self.alarm(alarm)).collect();
        arrivals.extend(self.ended_by(&alarms, known));
        arrivals
    }

    /// Returns from when on samples are asked for.
    fn beginning(&self, now: i64) -> i64 {
        let from = self.until.unwrap_or(now).min(now) - PAST;
        from.max(now - MOST_PAST) / PERIOD * PERIOD
    }

    /// Makes records of the samples that are new and no longer change.
    fn samples(
        &mut self,
        wanted: &Wanted,
        samples: impl Iterator<Item = (i64, f64)>,
        now: i64,
    ) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        for (second, value) in samples.filter(|(second, _)| second + SETTLED_AFTER <= now) {
            let text = wanted.text(value);
            let key = id(&["metric", &wanted.name(), &second.to_string()]);
            if !self.seen.is_new(key) {
                continue;
            }
            self.until = self.until.max(Some(second));
            let time = Timestamp::from_second(second).ok();
            arrivals.push(arrival(key, self.record(time, Level::Info, text, &wanted.entity)));
        }
        arrivals
    }

    fn alarm(&mut self, alarm: &Alarm) -> Option<Arrival> {
        let time = alarm.state_updated_timestamp;
        let since = time.map(|time| time.to_string()).unwrap_or_default();
        let key = id(&["alarm", &alarm.alarm_name, &alarm.state_value, &since]);
        let mut record = self.record(time, level_of_alarm(alarm), text_of_alarm(alarm), &alarm.alarm_name);
        record.seq = self.order.next(record.time);
        self.seen.is_new(key).then(|| arrival(key, record))
    }

    fn ended_by(&mut self, alarms: &[Alarm], known: &Snapshot) -> Vec<Arrival> {
        let (mut arrivals, mut now_told) = (Vec::new(), BTreeSet::new());
        for ended in ended_by_alarms(alarms, known) {
            // What an alarm watches is told once: later its parts are in other states, for other reasons.
            let whole = id(&["ended", &ended.service_deployment, &ended.alarm]);
            if self.seen.is_new(whole) || now_told.contains(&whole) {
                now_told.insert(whole);
                let key = id(&["ended", &ended.service_deployment, &ended.alarm, &ended.metric]);
                let mut record = self.record(ended.time, Level::Error, ended.text, &ended.alarm);
                record.seq = self.order.next(record.time);
                arrivals.push(arrival(key, record));
            }
        }
        arrivals
    }

    fn record(&self, time: Option<Timestamp>, level: Level, text: String, entity: &str) -> Record {
        Record {
            stream: self.stream.clone(),
            seq: 0,
            time,
            source: Source::Metric,
            level,
            text,
            body: None,
            line: 1,
            entity: Some(Arc::from(entity)),
            deployment: None,
        }
    }
}

/// Returns the alarms that watch deployments of the service.
fn watching(known: &Snapshot) -> BTreeSet<String> {
    let alarms = known.service_deployments.items().iter().filter_map(|deployment| deployment.alarms.as_ref());
    alarms
        .flat_map(|alarms| alarms.alarm_names.iter().chain(&alarms.triggered_alarm_names))
        .cloned()
        .collect()
}

fn of_metrics(alarm: &MetricAlarm) -> Alarm {
    let in_expression =
        alarm.metrics().iter().filter_map(|query| query.metric_stat()?.metric()?.metric_name());
    let query = |name: &str| MetricQuery {
        metric_stat: Stat { metric: snapshot::Metric { metric_name: name.to_owned() } },
    };
    Alarm {
        alarm_name: alarm.alarm_name().unwrap_or_default().to_owned(),
        state_value: alarm.state_value().map(|state| state.as_str()).unwrap_or_default().to_owned(),
        state_reason: alarm.state_reason().unwrap_or_default().to_owned(),
        state_updated_timestamp: time_of(alarm.state_updated_timestamp()),
        metric_name: alarm.metric_name().map(str::to_owned),
        metrics: in_expression.map(query).collect(),
        alarm_rule: None,
    }
}

fn of_alarms(alarm: &CompositeAlarm) -> Alarm {
    Alarm {
        alarm_name: alarm.alarm_name().unwrap_or_default().to_owned(),
        state_value: alarm.state_value().map(|state| state.as_str()).unwrap_or_default().to_owned(),
        state_reason: alarm.state_reason().unwrap_or_default().to_owned(),
        state_updated_timestamp: time_of(alarm.state_updated_timestamp()),
        alarm_rule: alarm.alarm_rule().map(str::to_owned),
        ..Alarm::default()
    }
}

fn time_of(time: Option<&DateTime>) -> Option<Timestamp> {
    time.and_then(|time| Timestamp::from_second(time.secs()).ok())
}

fn queries(wanted: &[Wanted]) -> Vec<MetricDataQuery> {
    let query = |(at, wanted): (usize, &Wanted)| {
        let dimensions = wanted
            .dimensions
            .iter()
            .map(|(name, value)| Dimension::builder().name(*name).value(value).build());
        let metric = Metric::builder()
            .namespace(wanted.namespace)
            .metric_name(wanted.metric)
            .set_dimensions(Some(dimensions.collect()))
            .build();
        let stat = MetricStat::builder().metric(metric).period(PERIOD as i32).stat(wanted.statistic).build();
        MetricDataQuery::builder().id(format!("m{at}")).metric_stat(stat).build()
    };
    wanted.iter().enumerate().map(query).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Metrics {
        Metrics::new(&Place { service: Some("web".to_owned()), ..Place::default() }, None)
    }

    fn cpu() -> Wanted {
        let place =
            Place { cluster: Some("shop".to_owned()), service: Some("web".to_owned()), ..Place::default() };
        wanted::of_service(&place, &Snapshot::default()).remove(0)
    }

    #[test]
    fn a_sample_is_handed_over_once_when_it_no_longer_changes() {
        let mut metrics = metrics();
        let now = 1_800_000_000;
        let samples = [(now - 180, 97.25), (now - 60, 12.0)];
        let told = metrics.samples(&cpu(), samples.into_iter(), now);
        let texts: Vec<&str> = told.iter().map(|arrival| arrival.record.text.as_str()).collect();
        assert_eq!(texts, ["CPUUtilization 97.25 Percent AWS/ECS ClusterName=shop ServiceName=web"]);
        assert!(metrics.samples(&cpu(), samples.into_iter(), now).is_empty());
        assert_eq!(metrics.samples(&cpu(), samples.into_iter(), now + 60).len(), 1);
    }

    #[test]
    fn what_was_missed_is_read_up_to_a_bound() {
        let mut metrics = metrics();
        let now = 1_800_000_000;
        assert_eq!(metrics.beginning(now), now - PAST);
        metrics.until = Some(now - 1200);
        assert_eq!(metrics.beginning(now), now - 1200 - PAST);
        metrics.until = Some(now - 1_000_000);
        assert_eq!(metrics.beginning(now), now - MOST_PAST);
    }

    #[test]
    fn an_alarm_tells_each_change_of_its_state() {
        let mut metrics = metrics();
        let alarm = |state: &str, second: i64| Alarm {
            alarm_name: "web-5xx".to_owned(),
            state_value: state.to_owned(),
            state_reason: "Threshold Crossed".to_owned(),
            state_updated_timestamp: Timestamp::from_second(1_800_000_000 + second).ok(),
            ..Alarm::default()
        };
        let first = metrics.alarm(&alarm("ALARM", 0)).unwrap();
        assert_eq!(
            (first.record.text.as_str(), first.record.level),
            ("alarm web-5xx ALARM Threshold Crossed", Level::Error)
        );
        assert!(metrics.alarm(&alarm("ALARM", 0)).is_none());
        assert!(metrics.alarm(&alarm("OK", 60)).is_some());
        assert!(metrics.alarm(&alarm("ALARM", 120)).is_some());
    }

    #[test]
    fn the_alarm_that_ended_a_deployment_says_what_it_watches_once() {
        let mut metrics = metrics();
        let known: Snapshot = serde_json::from_value(json!({"serviceDeployments": {"known": [
            {"serviceDeploymentArn": "arn/1", "alarms": {"alarmNames": ["a", "b"], "triggeredAlarmNames": ["a"]}},
        ]}}))
        .unwrap();
        let alarm = |name: &str| Alarm {
            alarm_name: name.to_owned(),
            state_value: "ALARM".to_owned(),
            state_reason: "Threshold Crossed".to_owned(),
            metric_name: Some("CPUUtilization".to_owned()),
            ..Alarm::default()
        };
        let told = metrics.ended_by(&[alarm("a"), alarm("b")], &known);
        let texts: Vec<&str> = told.iter().map(|arrival| arrival.record.text.as_str()).collect();
        assert_eq!(texts, ["alarm a ended the deployment, it watches CPUUtilization: Threshold Crossed"]);
        assert!(metrics.ended_by(&[alarm("a")], &known).is_empty());
    }
}
