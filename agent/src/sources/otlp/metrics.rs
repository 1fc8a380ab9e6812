//! Data points of OpenTelemetry metrics become records, whose texts name metric, value, unit and attributes.

use analyzer::record::{Level, Record, Source, Stream};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use super::Taken;
use super::logs::time;
use super::values::{self, Identities, Sender};
use crate::sources::Arrival;

/// Reads a request; records are numbered later.
pub fn read(request: ExportMetricsServiceRequest) -> Taken {
    let mut taken = Taken::default();
    let mut identities = Identities::default();
    for part in request.resource_metrics {
        let sender = Sender::of(part.resource.as_ref());
        let stream = Arc::new(Stream { name: sender.stream.clone(), source: Source::Metric });
        for scope in part.scope_metrics {
            let mut points = Points {
                stream: &stream,
                sender: &sender,
                part: sender.part(scope.scope.as_ref()),
                identities: &mut identities,
                taken: &mut taken,
            };
            for metric in &scope.metrics {
                points.take(metric);
            }
        }
    }
    taken
}

struct Points<'a> {
    stream: &'a Arc<Stream>,
    sender: &'a Sender,
    part: u64,
    identities: &'a mut Identities,
    taken: &'a mut Taken,
}

impl Points<'_> {
    fn take(&mut self, metric: &Metric) {
        match &metric.data {
            Some(Data::Gauge(gauge)) => self.take_numbers(metric, &gauge.data_points),
            Some(Data::Sum(sum)) => self.take_numbers(metric, &sum.data_points),
            Some(Data::Histogram(histogram)) => {
                for point in &histogram.data_points {
                    let id = self.identities.of(self.part, &metric.name, point);
                    let said = summary(point.count, point.sum, point.min, point.max);
                    self.push(metric, id, point.time_unix_nano, &said, &point.attributes);
                }
            }
            Some(Data::ExponentialHistogram(histogram)) => {
                for point in &histogram.data_points {
                    let id = self.identities.of(self.part, &metric.name, point);
                    let said = summary(point.count, point.sum, point.min, point.max);
                    self.push(metric, id, point.time_unix_nano, &said, &point.attributes);
                }
            }
            Some(Data::Summary(summaries)) => {
                for point in &summaries.data_points {
                    let id = self.identities.of(self.part, &metric.name, point);
                    let said = summary(point.count, Some(point.sum), None, None);
                    self.push(metric, id, point.time_unix_nano, &said, &point.attributes);
                }
            }
            None => {}
        }
    }

    fn take_numbers(&mut self, metric: &Metric, points: &[NumberDataPoint]) {
        for point in points {
            let id = self.identities.of(self.part, &metric.name, point);
            // A point without a value says that there was none: nothing to keep, and nothing refused.
            let said = match point.value {
                Some(Value::AsDouble(value)) => value.to_string(),
                Some(Value::AsInt(value)) => value.to_string(),
                None => continue,
            };
            self.push(metric, id, point.time_unix_nano, &said, &point.attributes);
        }
    }

    fn push(&mut self, metric: &Metric, id: u64, at: u64, said: &str, attributes: &[KeyValue]) {
        if metric.name.is_empty() {
            self.taken.refused += 1;
            return;
        }
        let record = Record {
            stream: self.stream.clone(),
            seq: 0,
            time: time(at),
            source: Source::Metric,
            level: Level::Unknown,
            text: text(metric, said, attributes),
            body: None,
            line: 1,
            entity: self.sender.entity.clone(),
            deployment: None,
        };
        self.taken.arrivals.push(Arrival { id, further: Vec::new(), record });
    }
}

fn text(metric: &Metric, said: &str, attributes: &[KeyValue]) -> String {
    let mut text = format!("{} {said}", metric.name);
    if !metric.unit.is_empty() && metric.unit != "1" {
        text.push(' ');
        text.push_str(&metric.unit);
    }
    let sorted: BTreeMap<&str, String> = attributes
        .iter()
        .map(|attribute| {
            (attribute.key.as_str(), attribute.value.as_ref().and_then(values::said).unwrap_or_default())
        })
        .collect();
    for (key, value) in sorted {
        // Writing to a string does not fail.
        let _ = write!(text, " {key}={value}");
    }
    text
}

fn summary(count: u64, sum: Option<f64>, min: Option<f64>, max: Option<f64>) -> String {
    let mut said = format!("count={count}");
    for (name, value) in [("sum", sum), ("min", min), ("max", max)] {
        if let Some(value) = value {
            let _ = write!(said, " {name}={value}");
        }
    }
    said
}
