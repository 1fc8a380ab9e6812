//! CloudWatch: smithy-rpc-v2-cbor, and JSON 1.0.

use crate::clock::Millis;
use crate::elb;
use crate::page;
use crate::scenario::{Alarm, Answer as Reply, CompositeAlarm};
use crate::wire::{Answer, ApiError, present, time};
use crate::world::target;
use crate::world::task::Task;
use crate::world::{HOUR, MINUTE, World};
use serde_json::{Value, json};

const ECS: &str = "AWS/ECS";
const ALB: &str = "AWS/ApplicationELB";
const METRICS: [(&str, &str); 8] = [
    (ECS, "CPUUtilization"),
    (ECS, "MemoryUtilization"),
    (ALB, "HealthyHostCount"),
    (ALB, "UnHealthyHostCount"),
    (ALB, "HTTPCode_Target_5XX_Count"),
    (ALB, "HTTPCode_Target_4XX_Count"),
    (ALB, "RequestCount"),
    (ALB, "TargetResponseTime"),
];

/// Answers a call.
pub fn answer(world: &World, action: &str, params: &Value) -> Answer {
    match action {
        "GetMetricData" => get_metric_data(world, params),
        "ListMetrics" => list_metrics(world, params),
        "DescribeAlarms" => describe_alarms(world, params),
        _ => Err(page::unknown_action(action)),
    }
}

fn get_metric_data(world: &World, params: &Value) -> Answer {
    let (Some(from), Some(to)) = (seconds(&params["StartTime"]), seconds(&params["EndTime"])) else {
        return Err(ApiError::new("MissingParameter", "StartTime and EndTime are required."));
    };
    if from >= to {
        return Err(ApiError::new(
            "ValidationError",
            "The parameter StartTime must be less than the parameter EndTime.",
        ));
    }
    let ascending = params["ScanBy"].as_str() == Some("TimestampAscending");
    let mut results = Vec::new();
    for query in params["MetricDataQueries"].as_array().into_iter().flatten() {
        if query["ReturnData"].as_bool() == Some(false) {
            continue;
        }
        let stat = &query["MetricStat"];
        let name = stat["Metric"]["MetricName"].as_str().unwrap_or_default();
        let known = METRICS.iter().find(|(namespace, metric)| {
            stat["Metric"]["Namespace"].as_str() == Some(namespace) && *metric == name
        });
        let period = page::whole(stat, "Period").unwrap_or(60).max(60) * 1000;
        let mut points = Vec::new();
        if let Some((namespace, metric)) = known
            && is_meant(world, namespace, &stat["Metric"]["Dimensions"])
        {
            let how = stat["Stat"].as_str().unwrap_or("Average");
            points = series(world, metric, how, from, to, period);
        }
        if !ascending {
            points.reverse();
        }
        results.push(json!({
            "Id": query["Id"],
            "Label": query["Label"].as_str().unwrap_or(name),
            "Timestamps": points.iter().map(|(at, _)| time(*at)).collect::<Vec<_>>(),
            "Values": points.iter().map(|(_, value)| json!(value)).collect::<Vec<_>>(),
            "StatusCode": "Complete",
        }));
    }
    Ok(json!({ "MetricDataResults": results, "Messages": [] }))
}

fn list_metrics(world: &World, params: &Value) -> Answer {
    let metrics = METRICS
        .iter()
        .filter(|(namespace, _)| *namespace != ALB || world.scenario.load_balancer.enabled)
        .filter(|(namespace, _)| params["Namespace"].as_str().is_none_or(|asked| asked == *namespace))
        .filter(|(_, name)| params["MetricName"].as_str().is_none_or(|asked| asked == *name))
        .map(|(namespace, name)| {
            json!({ "Namespace": namespace, "MetricName": name, "Dimensions": dimensions(world, namespace) })
        })
        .collect();
    page::answer("Metrics", metrics, params, "NextToken", "", 500)
}

fn describe_alarms(world: &World, params: &Value) -> Answer {
    let named = page::texts(params, "AlarmNames");
    let prefix = params["AlarmNamePrefix"].as_str();
    let state = params["StateValue"].as_str();
    let alarms: Vec<Value> = world
        .scenario
        .alarms
        .iter()
        .filter(|alarm| named.is_empty() || named.contains(&alarm.name))
        .filter(|alarm| prefix.is_none_or(|prefix| alarm.name.starts_with(prefix)))
        .map(|alarm| alarm_json(world, alarm))
        .filter(|alarm| state.is_none_or(|state| alarm["StateValue"] == state))
        .collect();
    let mut answer = page::answer("MetricAlarms", alarms, params, "NextToken", "MaxRecords", 100)?;
    let composite = world
        .scenario
        .composite_alarms
        .iter()
        // Who does not ask for them is told of none.
        .filter(|_| page::texts(params, "AlarmTypes").iter().any(|kind| kind == "CompositeAlarm"))
        .filter(|alarm| named.is_empty() || named.contains(&alarm.name))
        .filter(|alarm| prefix.is_none_or(|prefix| alarm.name.starts_with(prefix)))
        .map(|alarm| composite_json(world, alarm))
        .filter(|alarm| state.is_none_or(|state| alarm["StateValue"] == state));
    answer["CompositeAlarms"] = composite.collect();
    Ok(answer)
}

/// Says whether an alarm is in alarm.
pub fn is_in_alarm(world: &World, name: &str) -> bool {
    let alarm = world.scenario.alarms.iter().find(|alarm| alarm.name == name);
    let is_on = |alarm| state_of(alarm, &points_of(world, alarm), 0).0 == "ALARM";
    let composite = world.scenario.composite_alarms.iter().find(|alarm| alarm.name == name);
    alarm.is_some_and(is_on)
        || composite.is_some_and(|alarm| alarm.any_of.iter().any(|name| is_in_alarm(world, name)))
}

fn points_of(world: &World, alarm: &Alarm) -> Vec<(Millis, f64)> {
    let from = world.begin.max(world.now - 3 * HOUR);
    series(world, &alarm.metric, "Average", from, world.now, MINUTE)
}

/// Returns the state of an alarm, and since when it holds: since the value last crossed the threshold.
fn state_of(alarm: &Alarm, points: &[(Millis, f64)], from: Millis) -> (&'static str, Millis) {
    let (mut state, mut since) = ("INSUFFICIENT_DATA", from);
    for (at, value) in points {
        let next = if *value > alarm.above { "ALARM" } else { "OK" };
        if next != state {
            (state, since) = (next, *at + MINUTE);
        }
    }
    (state, since)
}

fn alarm_json(world: &World, alarm: &Alarm) -> Value {
    let namespace =
        METRICS.iter().find(|(_, metric)| *metric == alarm.metric).map_or(ECS, |(namespace, _)| namespace);
    let points = points_of(world, alarm);
    let (state, since) = state_of(alarm, &points, world.begin.max(world.now - 3 * HOUR));
    let reason = match points.last() {
        None => "Unchecked: Initial alarm creation".to_owned(),
        Some((_, value)) if state == "ALARM" => {
            format!(
                "Threshold Crossed: 1 datapoint [{value}] was greater than the threshold ({}).",
                alarm.above
            )
        }
        Some((_, value)) => {
            format!(
                "Threshold Crossed: 1 datapoint [{value}] was not greater than the threshold ({}).",
                alarm.above
            )
        }
    };
    present(json!({
        "AlarmName": alarm.name,
        "AlarmArn": world.arn("cloudwatch", &format!("alarm:{}", alarm.name)),
        "AlarmConfigurationUpdatedTimestamp": time(world.begin - 24 * HOUR),
        "ActionsEnabled": true,
        "OKActions": [],
        "AlarmActions": [],
        "InsufficientDataActions": [],
        "StateValue": state,
        "StateReason": reason,
        "StateUpdatedTimestamp": time(since),
        "StateTransitionedTimestamp": time(since),
        "MetricName": alarm.metric,
        "Namespace": namespace,
        "Statistic": "Average",
        "Dimensions": dimensions(world, namespace),
        "Period": 60,
        "EvaluationPeriods": 1,
        "DatapointsToAlarm": 1,
        "Threshold": alarm.above,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "missing",
    }))
}

fn composite_json(world: &World, alarm: &CompositeAlarm) -> Value {
    let state = if is_in_alarm(world, &alarm.name) { "ALARM" } else { "OK" };
    let parts: Vec<String> = alarm.any_of.iter().map(|name| format!("ALARM(\"{name}\")")).collect();
    json!({
        "AlarmName": alarm.name,
        "AlarmArn": world.arn("cloudwatch", &format!("alarm:{}", alarm.name)),
        "AlarmRule": parts.join(" OR "),
        "ActionsEnabled": true,
        "StateValue": state,
        "StateReason": format!("{} changed its state", alarm.any_of.join(", ")),
        "StateUpdatedTimestamp": time(world.begin),
    })
}

/// Returns the points of whole periods that have passed; a period without data has no point.
fn series(
    world: &World,
    metric: &str,
    how: &str,
    from: Millis,
    to: Millis,
    period: Millis,
) -> Vec<(Millis, f64)> {
    let earliest = world.begin - 2 * HOUR;
    let mut at = from.max(earliest).div_euclid(period) * period;
    let end = to.min(world.now - period + 1);
    let mut points = Vec::new();
    while at < end && points.len() < 100_800 {
        let minutes: Vec<f64> = (0..period / MINUTE)
            .filter_map(|minute| value(world, metric, how, at + minute * MINUTE))
            .collect();
        if at >= from.div_euclid(period) * period && !minutes.is_empty() {
            points.push((at, merge(how, &minutes)));
        }
        at += period;
    }
    points
}

fn merge(how: &str, values: &[f64]) -> f64 {
    let merged = match how {
        "Sum" | "SampleCount" => values.iter().sum(),
        "Maximum" => values.iter().copied().fold(f64::MIN, f64::max),
        "Minimum" => values.iter().copied().fold(f64::MAX, f64::min),
        _ => values.iter().sum::<f64>() / values.len() as f64,
    };
    (merged * 10_000.0).round() / 10_000.0
}

/// Returns the value of a metric in the minute that begins at a time.
fn value(world: &World, metric: &str, how: &str, minute: Millis) -> Option<f64> {
    let end = minute + MINUTE - 1;
    let noise = |name: &str, number: u64| (world.draw(name, number ^ minute as u64) % 1_000) as f64 / 1_000.0;
    let ran = || world.tasks.iter().filter(move |task| runs_between(task, minute, end));
    let count = |state: &str| {
        world
            .tasks
            .iter()
            .filter(|task| target::state(task, end).is_some_and(|now| now.words().0 == state))
            .count() as f64
    };
    let served = |code: fn(u16) -> bool| -> f64 {
        let bad = ran().filter(|task| match world.behaviour(task.definition).answers {
            Reply::Code(given) => code(given),
            Reply::Word(_) => false,
        });
        bad.count() as f64 * 6.0
    };
    match metric {
        "CPUUtilization" => {
            let values: Vec<f64> = ran()
                .map(|task| {
                    let starts = task.started.is_some_and(|started| started >= minute);
                    let base = world.behaviour(task.definition).cpu_percent;
                    (base + if starts { 35.0 } else { 0.0 } + 4.0 * noise("cpu", task.number)).min(100.0)
                })
                .collect();
            (!values.is_empty()).then(|| merge(how, &values))
        }
        "MemoryUtilization" => {
            let values: Vec<f64> = ran()
                .map(|task| {
                    let behaviour = world.behaviour(task.definition);
                    let until = task.execution_stopped.unwrap_or(end).min(end);
                    let age = (until - task.started.unwrap_or(minute)).max(0) as f64 / MINUTE as f64;
                    let grown = behaviour.memory_percent + behaviour.memory_growth * age;
                    (grown + noise("memory", task.number)).min(100.0)
                })
                .collect();
            (!values.is_empty()).then(|| merge(how, &values))
        }
        "HealthyHostCount" => Some(count("healthy")),
        "UnHealthyHostCount" => Some(count("unhealthy")),
        "RequestCount" => {
            let healthy = count("healthy");
            (healthy > 0.0).then(|| (healthy * (110.0 + 20.0 * noise("requests", 0))).round())
        }
        "TargetResponseTime" => (count("healthy") > 0.0).then(|| 0.02 + 0.03 * noise("latency", 0)),
        // Counts of codes have no point in a minute without such answers.
        "HTTPCode_Target_5XX_Count" => Some(served(|code| code >= 500)).filter(|count| *count > 0.0),
        "HTTPCode_Target_4XX_Count" => {
            Some(served(|code| (400..500).contains(&code))).filter(|count| *count > 0.0)
        }
        _ => None,
    }
}

fn runs_between(task: &Task, from: Millis, to: Millis) -> bool {
    task.started.is_some_and(|started| started <= to)
        && task.execution_stopped.is_none_or(|stopped| stopped >= from)
}

fn dimensions(world: &World, namespace: &str) -> Value {
    let (one, other) = if namespace == ECS {
        (
            ("ClusterName", world.scenario.account.cluster.clone()),
            ("ServiceName", world.scenario.service.name.clone()),
        )
    } else {
        let group = world.target_group_arn();
        let group = group.rsplit_once(':').map_or(String::new(), |(_, name)| name.to_owned());
        (("LoadBalancer", elb::balancer_name(world)), ("TargetGroup", group))
    };
    json!([{ "Name": one.0, "Value": one.1 }, { "Name": other.0, "Value": other.1 }])
}

/// Says whether dimensions name what the account has; those of the load balancer alone will do.
fn is_meant(world: &World, namespace: &str, given: &Value) -> bool {
    if namespace == ALB && !world.scenario.load_balancer.enabled {
        return false;
    }
    let own = dimensions(world, namespace);
    let own = own.as_array().map(Vec::as_slice).unwrap_or_default();
    let given = given.as_array().map(Vec::as_slice).unwrap_or_default();
    !given.is_empty() && given.iter().all(|dimension| own.contains(dimension))
}

fn seconds(value: &Value) -> Option<Millis> {
    if let Some(text) = value.as_str() {
        return text.parse::<jiff::Timestamp>().ok().map(|at| at.as_millisecond());
    }
    value.as_f64().map(|at| (at * 1000.0) as Millis)
}
