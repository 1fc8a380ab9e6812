//! The task metadata endpoint v4, as a container of a task sees it: `/v4/{task}` stands for its address.

use crate::ecs::show::{digest, runtime_id};
use crate::wire::{iso, present};
use crate::world::task::{Health, TaskStatus};
use crate::world::{MINUTE, Task, World};
use serde_json::{Value, json};

const MEBIBYTE: f64 = 1_048_576.0;

/// Answers a request; `None` where no task that runs has this address.
pub fn answer(world: &World, path: &str) -> Option<Value> {
    let rest = path.strip_prefix("/v4/")?;
    let (id, what) = rest.split_once('/').unwrap_or((rest, ""));
    let task = world.tasks.iter().find(|task| task.id == id && task.status != TaskStatus::Stopped)?;
    let docker_id = runtime_id(world, task);
    match what {
        "" => Some(container(world, task)),
        "task" | "taskWithTags" => Some(task_json(world, task)),
        "stats" => Some(stats(world, task)),
        "task/stats" => Some(json!({ docker_id: stats(world, task) })),
        _ => None,
    }
}

fn task_json(world: &World, task: &Task) -> Value {
    let definition = &world.definitions[task.definition];
    let behaviour = world.behaviour(task.definition);
    present(json!({
        "Cluster": world.cluster_arn(),
        "TaskARN": world.task_arn(task),
        "Family": definition.family,
        "Revision": definition.revision.to_string(),
        "ServiceName": world.scenario.service.name,
        "DesiredStatus": if task.wanted { "RUNNING" } else { "STOPPED" },
        "KnownStatus": task.status.word(),
        "Limits": { "CPU": f64::from(behaviour.cpu) / 1024.0, "Memory": behaviour.memory },
        "PullStartedAt": task.pull_started.map(iso),
        "PullStoppedAt": task.pull_stopped.map(iso),
        "ExecutionStoppedAt": task.execution_stopped.map(iso),
        "AvailabilityZone": task.zone(world),
        "LaunchType": "FARGATE",
        "Containers": [container(world, task)],
        "ClockDrift": { "ClockErrorBound": 0.4, "ReferenceTimestamp": iso(world.now), "ClockSynchronizationStatus": "SYNCHRONIZED" },
        "EphemeralStorageMetrics": { "Utilized": 261, "Reserved": 20496 },
    }))
}

fn container(world: &World, task: &Task) -> Value {
    let behaviour = world.behaviour(task.definition);
    let service = &world.scenario.service;
    let runs = task.status == TaskStatus::Running && task.execution_stopped.is_none();
    let health = behaviour.health_check.as_ref().filter(|_| task.started.is_some()).map(|_| {
        let (status, code, output) = match task.health {
            Health::Healthy => ("HEALTHY", Some(0), "ok\n"),
            Health::Unhealthy => ("UNHEALTHY", Some(1), "curl: (22) The requested URL returned error: 503\n"),
            Health::Unknown => ("UNKNOWN", None, ""),
        };
        present(json!({ "status": status, "statusSince": task.started.map(iso), "exitCode": code, "output": output }))
    });
    present(json!({
        "DockerId": runtime_id(world, task),
        "Name": service.container,
        "DockerName": service.container,
        "Image": world.definitions[task.definition].image,
        "ImageID": digest(world, task.definition),
        "Labels": { "com.amazonaws.ecs.task-arn": world.task_arn(task) },
        "DesiredStatus": if task.wanted { "RUNNING" } else { "STOPPED" },
        "KnownStatus": if runs { "RUNNING" } else if task.started.is_some() { "STOPPED" } else { "PENDING" },
        "ExitCode": task.exit_code,
        "Limits": { "CPU": 2 },
        "CreatedAt": task.started.map(iso),
        "StartedAt": task.started.map(iso),
        "Type": "NORMAL",
        "Health": health,
        "LogDriver": "awslogs",
        "LogOptions": { "awslogs-group": service.log_group, "awslogs-region": world.scenario.account.region, "awslogs-stream": task.stream(world) },
        "ContainerARN": world.arn("ecs", &format!("container/{}/{}/{}", world.scenario.account.cluster, task.id, world.uuid("container", task.number))),
        "Networks": [{ "NetworkMode": "awsvpc", "IPv4Addresses": [task.ip()] }],
    }))
}

/// Shows the last second, as the Docker API does.
fn stats(world: &World, task: &Task) -> Value {
    let behaviour = world.behaviour(task.definition);
    let minutes = task.started.map_or(0.0, |started| (world.now - started) as f64 / MINUTE as f64);
    let percent = (behaviour.memory_percent + behaviour.memory_growth * minutes).min(100.0);
    let limit = f64::from(behaviour.memory) * MEBIBYTE;
    let idle = 4.0 * MEBIBYTE;
    let second = 1_000_000_000_u64;
    let before = 60 * second;
    let used = (behaviour.cpu_percent / 100.0 * second as f64) as u64;
    json!({
        "read": iso(world.now),
        "preread": iso(world.now - 1000),
        "cpu_stats": {
            "cpu_usage": { "total_usage": before + used },
            "system_cpu_usage": 2 * (before + second),
            "online_cpus": 2,
        },
        "precpu_stats": { "cpu_usage": { "total_usage": before }, "system_cpu_usage": 2 * before, "online_cpus": 2 },
        "memory_stats": {
            "usage": (limit * percent / 100.0 + idle) as u64,
            "limit": limit as u64,
            "stats": { "inactive_file": idle as u64 },
        },
    })
}
