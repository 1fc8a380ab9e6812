//! The task metadata endpoint, where Medic is a sidecar: the state of the containers, what their health checks
//! print, and how much of CPU and memory they take.

use analyzer::diagnosis::Gap;
use analyzer::record::{Level, Record, Source, Stream};
use analyzer::snapshot::{Snapshot, last_segment};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

use super::ecs_event::task_id;
use super::rounds::{Order, Rounds, arrival, now};
use super::{Arrival, Closed, Outlet, id};
use crate::formats::{self, describe};

const VARIABLE: &str = "ECS_CONTAINER_METADATA_URI_V4";
/// How often the use of CPU and memory becomes a record, unless memory is nearly used up.
const MEASURE_EVERY: Duration = Duration::from_secs(60);
const NEARLY_USED_UP: f64 = 90.0;

/// Reads until Medic stops, or once.
pub async fn run(every: Duration, once: bool, outlet: &Outlet) -> Result<(), Closed> {
    let Ok(endpoint) = std::env::var(VARIABLE) else {
        return outlet
            .say_gaps(vec![Gap {
                remedy: Some(
                    "run Medic as a container of the task, on platform version 1.4.0 or later, or remove the source"
                        .to_owned(),
                ),
                ..gap(format!("{VARIABLE} is not set: Medic does not run in a task of ECS"))
            }])
            .await;
    };
    let client = reqwest::Client::builder().timeout(Duration::from_secs(4)).no_proxy().build();
    let client = match client {
        Ok(client) => client,
        Err(error) => return outlet.say_gaps(vec![gap(format!("cannot make requests: {error}"))]).await,
    };
    let mut watched = Watched::default();
    let mut rounds = Rounds::default();
    let mut measured: Option<Instant> = None;
    loop {
        let mut gaps = Vec::new();
        let mut records = Vec::new();
        match get(&client, &format!("{endpoint}/task")).await {
            Ok(task) => records.extend(watched.task(&task)),
            Err(because) => gaps.push(gap(because)),
        }
        match get(&client, &format!("{endpoint}/task/stats")).await {
            Ok(stats) => {
                let is_due = measured.is_none_or(|last| last.elapsed() >= MEASURE_EVERY);
                records.extend(watched.stats(&stats, is_due));
                measured = if is_due { Some(Instant::now()) } else { measured };
            }
            Err(because) => gaps.push(gap(because)),
        }
        rounds.end(outlet, records, &watched.snapshot, gaps, None).await?;
        if once {
            return Ok(());
        }
        tokio::time::sleep(every).await;
    }
}

fn gap(because: String) -> Gap {
    Gap { what: "task metadata".to_owned(), because, remedy: None }
}

async fn get(client: &reqwest::Client, url: &str) -> Result<Value, String> {
    let answer = client.get(url).send().await.and_then(reqwest::Response::error_for_status);
    let bytes = match answer {
        Ok(answer) => answer.bytes().await,
        Err(error) => Err(error),
    };
    let bytes = bytes.map_err(|error| format!("the endpoint gave no answer: {error}"))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("the endpoint answered what is no JSON: {error}"))
}

/// What was told of the task.
#[derive(Default)]
struct Watched {
    stream: Option<Arc<Stream>>,
    task: String,
    snapshot: Snapshot,
    /// What each container's health check said last.
    health: BTreeMap<String, String>,
    /// The names of the containers, by their Docker id.
    names: BTreeMap<String, String>,
    said: Option<u64>,
    order: Order,
}

impl Watched {
    fn task(&mut self, task: &Value) -> Vec<Arrival> {
        let value = as_described(task);
        let arn = text(&value, "taskArn").to_owned();
        self.task = last_segment(&arn).to_owned();
        let name = format!("task-metadata:{}", self.task);
        let stream = self
            .stream
            .get_or_insert_with(|| Arc::new(Stream { name, source: Source::EcsStoppedTask }))
            .clone();
        let mut found: Vec<(u64, Record)> = Vec::new();
        if let Some(described) = describe::read(&value, &stream) {
            self.snapshot = described.snapshot;
            for record in described.records {
                let key = task_id(&arn, &record);
                if self.said.replace(key) != Some(key) {
                    found.push((key, Record { time: record.time.or_else(|| Some(now())), ..record }));
                }
            }
        }
        for container in elements(task, "Containers") {
            let (name, docker_id) = (text(container, "Name"), text(container, "DockerId"));
            self.names.insert(docker_id.to_owned(), name.to_owned());
            found.extend(self.health_check(container, name, &stream));
        }
        self.numbered(found)
    }

    /// Tells what a health check printed, where it changed.
    fn health_check(&mut self, container: &Value, name: &str, stream: &Arc<Stream>) -> Option<(u64, Record)> {
        let health = container.get("Health")?;
        let (status, output) = (text(health, "status"), text(health, "output").trim());
        let code = health.get("exitCode").and_then(Value::as_i64).map(|code| format!(" exitCode={code}"));
        let said = format!("container {name} health={status}{} {output}", code.unwrap_or_default());
        let said = said.trim_end().to_owned();
        if self.health.insert(name.to_owned(), said.clone()).as_ref() == Some(&said) {
            return None;
        }
        let time = health.get("statusSince").and_then(formats::time_of).or_else(|| Some(now()));
        let level = if status == "UNHEALTHY" { Level::Error } else { Level::Info };
        let since = time.map(|time| time.to_string()).unwrap_or_default();
        let key = id(&["container-health", &self.task, name, &since, &said]);
        Some((key, self.record(stream, Source::EcsStoppedTask, level, said, time, name)))
    }

    /// Tells how much of CPU and memory each container takes.
    fn stats(&mut self, stats: &Value, is_due: bool) -> Vec<Arrival> {
        let Some(stream) = self.stream.clone() else { return Vec::new() };
        let mut found = Vec::new();
        for (docker_id, stats) in stats.as_object().into_iter().flatten() {
            let Some(name) = self.names.get(docker_id).cloned() else { continue };
            let time = stats.get("read").and_then(formats::time_of).or_else(|| Some(now()));
            let memory = memory_percent(stats);
            let samples = [("CPUUtilization", cpu_percent(stats)), ("MemoryUtilization", memory)];
            let is_urgent = memory.is_some_and(|percent| percent >= NEARLY_USED_UP);
            for (metric, percent) in samples {
                let Some(percent) = percent.filter(|_| is_due || is_urgent) else { continue };
                let percent = (percent * 10.0).round() / 10.0;
                let said = format!(
                    "{metric} {percent} Percent task-metadata TaskId={} ContainerName={name}",
                    self.task
                );
                let at = time.map(|time| time.to_string()).unwrap_or_default();
                let key = id(&["task-stats", &self.task, &name, metric, &at]);
                found.push((key, self.record(&stream, Source::Metric, Level::Info, said, time, &name)));
            }
        }
        self.numbered(found)
    }

    fn numbered(&mut self, found: Vec<(u64, Record)>) -> Vec<Arrival> {
        let numbered = found.into_iter().map(|(key, mut record)| {
            record.seq = self.order.next(record.time);
            arrival(key, record)
        });
        numbered.collect()
    }

    fn record(
        &self,
        stream: &Arc<Stream>,
        source: Source,
        level: Level,
        text: String,
        time: Option<jiff::Timestamp>,
        entity: &str,
    ) -> Record {
        Record {
            stream: stream.clone(),
            seq: 0,
            time,
            source,
            level,
            text,
            body: None,
            line: 1,
            entity: Some(Arc::from(entity)),
            deployment: None,
        }
    }
}

/// Writes the answer of the endpoint as DescribeTasks does.
fn as_described(task: &Value) -> Value {
    let containers: Vec<Value> = elements(task, "Containers")
        .iter()
        .map(|container| {
            json!({
                "name": container["Name"],
                "image": container["Image"],
                "imageDigest": container["ImageID"],
                "lastStatus": container["KnownStatus"],
                "exitCode": container["ExitCode"],
                "healthStatus": container["Health"]["status"],
            })
        })
        .collect();
    json!({
        "taskArn": task["TaskARN"],
        "clusterArn": task["Cluster"],
        "group": task["ServiceName"].as_str().map(|name| format!("service:{name}")),
        "lastStatus": task["KnownStatus"],
        "desiredStatus": task["DesiredStatus"],
        "launchType": task["LaunchType"],
        "availabilityZone": task["AvailabilityZone"],
        "pullStartedAt": task["PullStartedAt"],
        "pullStoppedAt": task["PullStoppedAt"],
        "executionStoppedAt": task["ExecutionStoppedAt"],
        "containers": containers,
    })
}

fn cpu_percent(stats: &Value) -> Option<f64> {
    let number = |path: &str| stats.pointer(path).and_then(Value::as_f64);
    let used = number("/cpu_stats/cpu_usage/total_usage")? - number("/precpu_stats/cpu_usage/total_usage")?;
    let of = number("/cpu_stats/system_cpu_usage")? - number("/precpu_stats/system_cpu_usage")?;
    let processors = number("/cpu_stats/online_cpus").unwrap_or(1.0);
    (of > 0.0 && used >= 0.0).then(|| used / of * processors * 100.0)
}

fn memory_percent(stats: &Value) -> Option<f64> {
    let number = |path: &str| stats.pointer(path).and_then(Value::as_f64);
    // What the kernel can take back at once does not count, as `docker stats` does not count it.
    let idle = number("/memory_stats/stats/inactive_file")
        .or_else(|| number("/memory_stats/stats/total_inactive_file"));
    let used = number("/memory_stats/usage")? - idle.unwrap_or(0.0);
    let limit = number("/memory_stats/limit")?;
    (limit > 0.0).then(|| used.max(0.0) / limit * 100.0)
}

fn elements<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(status: &str, health: &str) -> Value {
        json!({"Cluster": "shop", "TaskARN": "arn:aws:ecs:eu-west-1:111122223333:task/shop/a1", "Family": "web",
            "ServiceName": "web", "DesiredStatus": "RUNNING", "KnownStatus": status, "Containers": [
            {"DockerId": "d1", "Name": "app", "Image": "web:1", "KnownStatus": status,
                "Health": {"status": health, "statusSince": "2026-11-01T10:00:00.5Z", "exitCode": 22,
                    "output": "curl: (22) The requested URL returned error: 404\n"}}]})
    }

    fn texts(arrivals: &[Arrival]) -> Vec<&str> {
        arrivals.iter().map(|arrival| arrival.record.text.as_str()).collect()
    }

    #[test]
    fn what_a_health_check_prints_is_told_when_it_changes() {
        let mut watched = Watched::default();
        let told = watched.task(&task("RUNNING", "UNHEALTHY"));
        assert_eq!(
            texts(&told),
            [
                "task a1 RUNNING UNHEALTHY\ncontainer app RUNNING health=UNHEALTHY",
                "container app health=UNHEALTHY exitCode=22 curl: (22) The requested URL returned error: 404"
            ]
        );
        assert!(watched.task(&task("RUNNING", "UNHEALTHY")).is_empty());
        assert_eq!(watched.snapshot.tasks.items().len(), 1);
    }

    #[test]
    fn use_is_told_when_it_is_due_or_nearly_all() {
        let stats = |usage: f64| {
            json!({"d1": {"read": "2026-11-01T10:00:01Z",
            "cpu_stats": {"cpu_usage": {"total_usage": 300}, "system_cpu_usage": 2000, "online_cpus": 2},
            "precpu_stats": {"cpu_usage": {"total_usage": 100}, "system_cpu_usage": 1000},
            "memory_stats": {"usage": usage, "limit": 1000, "stats": {"inactive_file": 100}}}})
        };
        let mut watched = Watched::default();
        watched.task(&task("RUNNING", "HEALTHY"));
        assert_eq!(
            texts(&watched.stats(&stats(600.0), true)),
            [
                "CPUUtilization 40 Percent task-metadata TaskId=a1 ContainerName=app",
                "MemoryUtilization 50 Percent task-metadata TaskId=a1 ContainerName=app"
            ]
        );
        assert!(watched.stats(&stats(600.0), false).is_empty());
        assert_eq!(watched.stats(&stats(1060.0), false).len(), 2);
    }
}
