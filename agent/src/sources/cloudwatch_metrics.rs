//! Metrics of the service and its target groups, and the alarms that watch its deployments.

mod wanted;

use analyzer::record::{Level, Record, Source, Stream};
use analyzer::snapshot::Snapshot;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricAlarm, MetricDataQuery, MetricStat};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

use super::rounds::{Order, Rounded, Seen, arrival, now};
use super::{Arrival, id};
use crate::aws::{Asking, Place, calls};
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
            let mut token = None;
            loop {
                let call = client
                    .get_metric_data()
                    .set_metric_data_queries(Some(queries(batch)))
                    .start_time(DateTime::from_secs(from))
                    .end_time(DateTime::from_secs(now.as_second()))
                    .set_next_token(token);
                let what = "metrics of the service";
                let Some(page) = asking.ask(calls::GET_METRIC_DATA, what, call.send()).await else { break };
                for result in page.metric_data_results() {
                    let at = result.id().and_then(|id| id.strip_prefix('m')?.parse::<usize>().ok());
                    let Some(wanted) = at.and_then(|at| batch.get(at)) else { continue };
                    let samples =
                        result.timestamps().iter().map(DateTime::secs).zip(result.values().iter().copied());
                    arrivals.extend(self.samples(wanted, samples, now.as_second()));
                }
                token = page.next_token().map(str::to_owned);
                if token.is_none() {
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
        let names = alarm_names(known);
        if names.is_empty() {
            return Vec::new();
        }
        let call = client.describe_alarms().set_alarm_names(Some(names.into_iter().collect()));
        let what = "alarms of the deployments";
        let Some(answer) = asking.ask(calls::DESCRIBE_ALARMS, what, call.send()).await else {
            return Vec::new();
        };
        let alarms: Vec<Alarm> = answer.metric_alarms().iter().map(Alarm::of).collect();
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
        let level = if alarm.state == "ALARM" { Level::Error } else { Level::Info };
        let text = format!("alarm {} {} {}", alarm.name, alarm.state, alarm.reason).trim_end().to_owned();
        let since = alarm.since.map(|time| time.to_string()).unwrap_or_default();
        let key = id(&["alarm", &alarm.name, &alarm.state, &since]);
        let mut record = self.record(alarm.since, level, text, &alarm.name);
        record.seq = self.order.next(record.time);
        self.seen.is_new(key).then(|| arrival(key, record))
    }

    /// Tells which alarms ended a deployment, and what they watch: an alarm is a symptom, what it watches leads to the cause.
    fn ended_by(&mut self, alarms: &[Alarm], known: &Snapshot) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        for deployment in known.service_deployments.items() {
            let triggered =
                deployment.alarms.as_ref().map_or(&[][..], |alarms| &alarms.triggered_alarm_names);
            for alarm in alarms.iter().filter(|alarm| triggered.contains(&alarm.name)) {
                let key = id(&["ended", &deployment.service_deployment_arn, &alarm.name]);
                if !self.seen.is_new(key) {
                    continue;
                }
                // By now it may have gone back to OK, and then its reason is that of going back.
                let is_on = alarm.state == "ALARM";
                let time = alarm.since.filter(|_| is_on).or(deployment.changed_at());
                let reason = if is_on { format!(": {}", alarm.reason) } else { String::new() };
                let metric = alarm.metric.as_deref().unwrap_or("several metrics");
                let text = format!("alarm {} ended the deployment, it watches {metric}{reason}", alarm.name);
                let mut record = self.record(time, Level::Error, text, &alarm.name);
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

/// The state of an alarm.
#[derive(Clone, Debug, PartialEq)]
struct Alarm {
    name: String,
    state: String,
    reason: String,
    /// None where it watches an expression over several.
    metric: Option<String>,
    since: Option<Timestamp>,
}

impl Alarm {
    fn of(alarm: &MetricAlarm) -> Alarm {
        let since = alarm.state_updated_timestamp().and_then(|time| Timestamp::from_second(time.secs()).ok());
        Alarm {
            name: alarm.alarm_name().unwrap_or_default().to_owned(),
            state: alarm.state_value().map(|state| state.as_str()).unwrap_or_default().to_owned(),
            reason: alarm.state_reason().unwrap_or_default().to_owned(),
            metric: alarm.metric_name().map(str::to_owned),
            since,
        }
    }
}

/// Returns the alarms that watch deployments of the service.
fn alarm_names(known: &Snapshot) -> BTreeSet<String> {
    let alarms = known.service_deployments.items().iter().filter_map(|deployment| deployment.alarms.as_ref());
    alarms
        .flat_map(|alarms| alarms.alarm_names.iter().chain(&alarms.triggered_alarm_names))
        .cloned()
        .collect()
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
            name: "web-5xx".to_owned(),
            state: state.to_owned(),
            reason: "Threshold Crossed".to_owned(),
            metric: Some("HTTPCode_Target_5XX_Count".to_owned()),
            since: Timestamp::from_second(1_800_000_000 + second).ok(),
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
            name: name.to_owned(),
            state: "ALARM".to_owned(),
            reason: "Threshold Crossed".to_owned(),
            metric: Some("CPUUtilization".to_owned()),
            since: None,
        };
        let told = metrics.ended_by(&[alarm("a"), alarm("b")], &known);
        let texts: Vec<&str> = told.iter().map(|arrival| arrival.record.text.as_str()).collect();
        assert_eq!(texts, ["alarm a ended the deployment, it watches CPUUtilization: Threshold Crossed"]);
        assert!(metrics.ended_by(&[alarm("a")], &known).is_empty());
    }
}
