//! Hand-made scenes.

use analyzer::diagnosis::Study;
use analyzer::pattern::Patterns;
use analyzer::record::Source;
use analyzer::snapshot::Snapshot;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

use super::{Event, Scene, Target};
use crate::collect::Live;
use crate::formats::read_text;
use crate::index::DeploymentEntry;

pub const BEGAN: i64 = 1_795_082_400;

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(BEGAN + second).unwrap()
}

pub fn book() -> &'static Patterns {
    static BOOK: LazyLock<Patterns> = LazyLock::new(|| Patterns::new(patterns::built_in().unwrap()));
    &BOOK
}

pub fn snapshot(parts: Value) -> Snapshot {
    let parts = parts.as_object().unwrap().iter();
    let whole = parts.map(|(name, items)| (name.clone(), json!({ "known": items }))).collect();
    serde_json::from_value(Value::Object(whole)).unwrap()
}

/// Returns a scene so many seconds after the start; records are texts with their source.
pub fn scene(second: i64, parts: Value, records: &[(Source, &str)]) -> Scene {
    let known = snapshot(parts);
    let mut study = Study::new(book());
    for (number, (source, text)) in records.iter().enumerate() {
        let read = read_text(&format!("{number}.{}.log", source.as_str()), Some(*source), text);
        study.observe(&read.records);
    }
    let entry = DeploymentEntry {
        id: "ecs-svc/2".to_owned(),
        service: Some("web".to_owned()),
        task_definition: Some("arn:aws:ecs:eu-west-1:111122223333:task-definition/web:42".to_owned()),
        from: Some(at(0)),
        ..DeploymentEntry::default()
    };
    let diagnosis = study.conclude(&known, Vec::new());
    let live = Live {
        known: Arc::new(known),
        deployment: Some(entry.clone()),
        deployments: vec![entry],
        diagnosis: Some(Arc::new(diagnosis)),
        ..Live::default()
    };
    let target = Target {
        cluster: Some("prod".to_owned()),
        service: Some("web".to_owned()),
        stack: Some("shop-web".to_owned()),
    };
    let mut scene = Scene::new(target, None, at(0));
    scene.take(Arc::new(live));
    scene.now = at(second);
    scene
}

/// A deployment whose image tag does not exist, two minutes after its start.
pub fn tag_missing() -> Scene {
    let reason = "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref 111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:9.9.9: 111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:9.9.9: not found";
    let stopped = |id: &str, second: i64| {
        json!({"taskArn": format!("arn:aws:ecs:eu-west-1:111122223333:task/prod/{id}"), "startedBy": "ecs-svc/2",
            "lastStatus": "STOPPED", "desiredStatus": "STOPPED", "stopCode": "TaskFailedToStart",
            "stoppedReason": reason, "createdAt": BEGAN + second - 30, "stoppedAt": BEGAN + second,
            "containers": [{"name": "app", "lastStatus": "STOPPED", "reason": reason}]})
    };
    let parts = json!({
        "services": services(json!([
            {"id": "ecs-svc/2", "status": "PRIMARY", "rolloutState": "IN_PROGRESS", "desiredCount": 2, "runningCount": 0,
                "pendingCount": 1, "failedTasks": 3, "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:42",
                "createdAt": BEGAN, "updatedAt": BEGAN + 100},
            {"id": "ecs-svc/1", "status": "ACTIVE", "rolloutState": "COMPLETED", "desiredCount": 2, "runningCount": 2,
                "pendingCount": 0, "failedTasks": 0, "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:41",
                "createdAt": BEGAN - 90_000, "updatedAt": BEGAN - 89_000},
        ])),
        "tasks": [
            stopped("8f0c12ab44de4a1f9a0d7c55e2b1f3a1", 40),
            stopped("77d1e0aa0b6c4c0e8d92b6f8a1d0c9e2", 70),
            stopped("1c2d3e4f5a6b4798a1b2c3d4e5f60718", 100),
            {"taskArn": "arn:aws:ecs:eu-west-1:111122223333:task/prod/90ab12cd34ef4567890123456789abcd",
                "startedBy": "ecs-svc/2", "lastStatus": "PENDING", "desiredStatus": "RUNNING",
                "createdAt": BEGAN + 110, "pullStartedAt": BEGAN + 118},
        ],
        "targetHealth": [
            {"TargetGroupArn": "tg/web", "Target": {"Id": "10.0.1.5", "Port": 8080}, "TargetHealth": {"State": "healthy"}},
            {"TargetGroupArn": "tg/web", "Target": {"Id": "10.0.2.7", "Port": 8080}, "TargetHealth": {"State": "healthy"}},
        ],
        "serviceDeployments": [{"serviceDeploymentArn": "arn/d", "status": "IN_PROGRESS", "createdAt": BEGAN,
            "deploymentCircuitBreaker": {"status": "MONITORING", "failureCount": 3, "threshold": 10},
            "alarms": {"alarmNames": ["web-5xx", "web-latency"], "triggeredAlarmNames": []}}],
        "stacks": [{"StackName": "shop-web", "StackStatus": "UPDATE_IN_PROGRESS", "LastUpdatedTime": BEGAN - 60}],
    });
    let event = "(service web) was unable to place a task. Reason: CannotPullContainerError";
    let mut scene = scene(125, parts, &[(Source::EcsStoppedTask, reason)]);
    scene.earlier = [230, 250, 270].map(jiff::SignedDuration::from_secs).to_vec();
    scene.events = vec![
        Event { time: Some(at(102)), text: format!("{event} (task 1c2d3e4f)"), count: 3 },
        Event {
            time: Some(at(20)),
            text: "UPDATE_IN_PROGRESS \u{1b}[31mhostile\u{1b}[0m".to_owned(),
            count: 1,
        },
    ];
    scene
}

/// A deployment that goes well, at a time.
pub fn going_well(second: i64, state: &str) -> Scene {
    let runs = second > 60;
    let running = if runs { 2 } else { 0 };
    let lives = |id: &str| {
        json!({"taskArn": format!("arn:aws:ecs:eu-west-1:111122223333:task/prod/{id}"), "startedBy": "ecs-svc/2",
            "lastStatus": if runs { "RUNNING" } else { "PENDING" }, "desiredStatus": "RUNNING", "createdAt": BEGAN + 3,
            "pullStartedAt": BEGAN + 10, "containers": [{"name": "app", "lastStatus": if runs { "RUNNING" } else { "PENDING" }}]})
    };
    let parts = json!({
        "services": services(json!([{"id": "ecs-svc/2", "status": "PRIMARY", "rolloutState": state, "desiredCount": 2,
            "runningCount": running, "pendingCount": 2 - running, "failedTasks": 0, "taskDefinition": "task-definition/web:42",
            "createdAt": BEGAN, "updatedAt": BEGAN + second}])),
        "tasks": [lives("8f0c12ab44de4a1f9a0d7c55e2b1f3a1"), lives("77d1e0aa0b6c4c0e8d92b6f8a1d0c9e2")],
    });
    let mut scene = scene(second, parts, &[]);
    scene.earlier = vec![jiff::SignedDuration::from_secs(250)];
    scene
}

/// ECS went back to the old version.
pub fn rolled_back() -> Scene {
    let parts = json!({
        "services": services(json!([
            {"id": "ecs-svc/3", "status": "PRIMARY", "rolloutState": "COMPLETED", "desiredCount": 2, "runningCount": 2,
                "pendingCount": 0, "failedTasks": 0, "taskDefinition": "task-definition/web:41", "createdAt": BEGAN + 200,
                "updatedAt": BEGAN + 260},
            {"id": "ecs-svc/2", "status": "INACTIVE", "rolloutState": "FAILED", "desiredCount": 0, "runningCount": 0,
                "pendingCount": 0, "failedTasks": 4, "taskDefinition": "task-definition/web:42", "createdAt": BEGAN,
                "rolloutStateReason": "ECS deployment circuit breaker: tasks failed to start.", "updatedAt": BEGAN + 200},
        ])),
    });
    let crash = "psycopg2.OperationalError: connection to server at \"db.internal\" (10.0.0.7), port 5432 failed: Connection refused";
    let mut scene = scene(270, parts, &[(Source::ContainerLog, crash)]);
    scene.job = Some(analyzer::deployment::Job::Succeeded);
    scene
}

fn services(deployments: Value) -> Value {
    json!([{"serviceArn": "arn:aws:ecs:eu-west-1:111122223333:service/prod/web", "serviceName": "web", "desiredCount": 2,
        "loadBalancers": [{"targetGroupArn": "tg/web"}], "deployments": deployments}])
}
