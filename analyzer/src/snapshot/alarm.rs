//! Alarms of CloudWatch, and what those that ended a deployment watch.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

use super::Snapshot;
use super::lenient::{or_default, time};

/// How deep composite alarms are followed into those that they watch; rules may go round in a circle.
const DEEPEST: usize = 4;

/// An alarm, over a metric, an expression of metrics, or other alarms (describe-alarms).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Alarm {
    #[serde(deserialize_with = "or_default")]
    pub alarm_name: String,
    #[serde(deserialize_with = "or_default")]
    pub state_value: String,
    #[serde(deserialize_with = "or_default")]
    pub state_reason: String,
    #[serde(deserialize_with = "time")]
    pub state_updated_timestamp: Option<Timestamp>,
    pub metric_name: Option<String>,
    /// The parts of an expression.
    #[serde(deserialize_with = "or_default")]
    pub metrics: Vec<MetricQuery>,
    /// What a composite alarm asks of others.
    pub alarm_rule: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MetricQuery {
    #[serde(deserialize_with = "or_default")]
    pub metric_stat: MetricStat,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MetricStat {
    #[serde(deserialize_with = "or_default")]
    pub metric: Metric,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Metric {
    #[serde(deserialize_with = "or_default")]
    pub metric_name: String,
}

/// What an alarm that ended a deployment watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub service_deployment: String,
    pub alarm: String,
    pub metric: String,
    pub time: Option<Timestamp>,
    pub text: String,
}

impl Alarm {
    pub fn is_on(&self) -> bool {
        self.state_value == "ALARM"
    }

    /// Returns the alarms that its rule names.
    pub fn children(&self) -> Vec<String> {
        self.alarm_rule.as_deref().map(in_rule).unwrap_or_default()
    }

    /// Returns the metrics that it watches by itself or in an expression.
    fn watched(&self) -> impl Iterator<Item = &str> {
        let in_expression = self.metrics.iter().map(|query| query.metric_stat.metric.metric_name.as_str());
        self.metric_name.as_deref().into_iter().chain(in_expression).filter(|name| !name.is_empty())
    }
}

/// Tells which alarms ended a deployment, and what they watch: an alarm is a symptom, what it watches leads to the cause.
pub fn ended_by_alarms(alarms: &[Alarm], known: &Snapshot) -> Vec<Ended> {
    let mut told = Vec::new();
    for deployment in known.service_deployments.items() {
        let triggered = deployment.alarms.as_ref().map_or(&[][..], |alarms| &alarms.triggered_alarm_names);
        for alarm in alarms.iter().filter(|alarm| triggered.contains(&alarm.alarm_name)) {
            // By now it may have gone back to OK, and then its reason is that of going back.
            let time = alarm.state_updated_timestamp.filter(|_| alarm.is_on()).or(deployment.changed_at());
            let reason = if alarm.is_on() { format!(": {}", alarm.state_reason) } else { String::new() };
            let name = &alarm.alarm_name;
            let mut metrics = BTreeSet::new();
            add_watched(alarm, alarms, DEEPEST, &mut metrics);
            told.extend(metrics.into_iter().map(|metric| Ended {
                service_deployment: deployment.service_deployment_arn.clone(),
                alarm: name.clone(),
                metric: metric.to_owned(),
                time,
                text: format!("alarm {name} ended the deployment, it watches {metric}{reason}"),
            }));
        }
    }
    told
}

/// Adds the metrics that an alarm watches. Of the alarms that a composite one names, those that are on tell more;
/// where they went back, it is the one that changed last.
fn add_watched<'a>(alarm: &'a Alarm, all: &'a [Alarm], depth: usize, metrics: &mut BTreeSet<&'a str>) {
    metrics.extend(alarm.watched());
    if depth == 0 {
        return;
    }
    let names = alarm.children();
    let mut children: Vec<&Alarm> = all.iter().filter(|one| names.contains(&one.alarm_name)).collect();
    if children.iter().any(|child| child.is_on()) {
        children.retain(|child| child.is_on());
    } else {
        let last = children.iter().map(|child| child.state_updated_timestamp).max().flatten();
        children.retain(|child| child.state_updated_timestamp == last);
    }
    for child in children {
        add_watched(child, all, depth - 1, metrics);
    }
}

/// Returns the alarms that a rule names: `ALARM("web-5xx") OR NOT OK(arn:…:alarm:web-slow)`.
fn in_rule(rule: &str) -> Vec<String> {
    const STATES: [&str; 3] = ["ALARM(", "OK(", "INSUFFICIENT_DATA("];
    let mut names = BTreeSet::new();
    for state in STATES {
        for (at, _) in rule.match_indices(state) {
            let rest = rule[at + state.len()..].trim_start();
            let name = match rest.chars().next() {
                Some(quote @ ('"' | '\'')) => rest[1..].split(quote).next(),
                _ => rest.split(')').next(),
            };
            let name = name.unwrap_or_default().trim();
            let name = name.rsplit_once(":alarm:").map_or(name, |(_, name)| name);
            if !name.is_empty() {
                names.insert(name.to_owned());
            }
        }
    }
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn metric(name: &str, state: &str, metric: &str) -> Alarm {
        alarm(
            json!({"AlarmName": name, "StateValue": state, "StateReason": "Threshold Crossed", "MetricName": metric}),
        )
    }

    fn composite(name: &str, rule: &str) -> Alarm {
        alarm(
            json!({"AlarmName": name, "StateValue": "ALARM", "StateReason": "its rule holds", "AlarmRule": rule}),
        )
    }

    fn alarm(value: serde_json::Value) -> Alarm {
        serde_json::from_value(value).unwrap()
    }

    fn texts(alarms: &[Alarm], triggered: &str) -> Vec<String> {
        let known = json!({"serviceDeployments": {"known": [
            {"serviceDeploymentArn": "arn/1", "alarms": {"alarmNames": ["a", "b"], "triggeredAlarmNames": [triggered]}},
        ]}});
        let known: Snapshot = serde_json::from_value(known).unwrap();
        ended_by_alarms(alarms, &known).into_iter().map(|ended| ended.text).collect()
    }

    #[test]
    fn the_alarm_that_ended_a_deployment_says_what_it_watches() {
        let alarms = [metric("a", "ALARM", "CPUUtilization"), metric("b", "ALARM", "Errors")];
        let told = texts(&alarms, "a");
        assert_eq!(told, ["alarm a ended the deployment, it watches CPUUtilization: Threshold Crossed"]);
    }

    #[test]
    fn of_an_alarm_that_went_back_the_reason_is_left_out() {
        let told = texts(&[metric("a", "OK", "CPUUtilization")], "a");
        assert_eq!(told, ["alarm a ended the deployment, it watches CPUUtilization"]);
    }

    #[test]
    fn an_expression_watches_all_its_metrics() {
        let of =
            |name: &str| json!({"Id": "m", "MetricStat": {"Metric": {"MetricName": name}, "Period": 60}});
        let rate = alarm(json!({"AlarmName": "a", "StateValue": "OK", "Metrics": [
            {"Id": "rate", "Expression": "100 * errors / all"}, of("RequestCount"), of("HTTPCode_Target_5XX_Count")]}));
        let told = texts(&[rate], "a");
        let watches = |metric: &str| format!("alarm a ended the deployment, it watches {metric}");
        assert_eq!(told, [watches("HTTPCode_Target_5XX_Count"), watches("RequestCount")]);
    }

    #[test]
    fn a_composite_alarm_watches_what_the_alarms_of_its_rule_watch() {
        let slow = metric("slow", "OK", "TargetResponseTime");
        let broken = |state| metric("broken", state, "HTTPCode_Target_5XX_Count");
        let both = composite("both", "ALARM(slow) OR ALARM(\"broken\")");
        let one = texts(&[both.clone(), slow.clone(), broken("ALARM")], "both");
        assert_eq!(
            one,
            ["alarm both ended the deployment, it watches HTTPCode_Target_5XX_Count: its rule holds"]
        );
        let at = |alarm: Alarm, second: i64| Alarm {
            state_updated_timestamp: Timestamp::from_second(second).ok(),
            ..alarm
        };
        let went_back = texts(&[both, at(slow, 100), at(broken("OK"), 900)], "both");
        assert_eq!(went_back, one);
    }

    #[test]
    fn rules_that_go_round_in_a_circle_end() {
        let alarms =
            [composite("a", "ALARM(b)"), composite("b", "ALARM(a) OR ALARM(c)"), metric("c", "ALARM", "CPU")];
        assert_eq!(texts(&alarms, "a").len(), 1);
    }

    #[test]
    fn a_rule_names_alarms_in_any_of_its_ways() {
        let rule = r#"(ALARM("web 5xx (prod)") OR ALARM(web-slow)) AND NOT OK('web-hosts')
            AND NOT INSUFFICIENT_DATA(arn:aws:cloudwatch:eu-west-1:111122223333:alarm:web-cpu)"#;
        assert_eq!(in_rule(rule), ["web 5xx (prod)", "web-cpu", "web-hosts", "web-slow"]);
        assert!(in_rule("TRUE").is_empty());
        assert!(in_rule("ALARM(").is_empty());
    }
}
