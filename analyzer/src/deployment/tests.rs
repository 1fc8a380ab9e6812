//! Hand-made snapshots, as ECS and CloudFormation describe them.

use serde_json::{Value, json};

use super::*;
use crate::record::{Level, Record, Stream};

const NOW: i64 = 1_800_000_600;
const BEGAN: i64 = 1_800_000_000;

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(super) fn snapshot(parts: Value) -> Snapshot {
    let mut whole = serde_json::Map::new();
    for (name, items) in parts.as_object().unwrap() {
        whole.insert(name.clone(), json!({ "known": items }));
    }
    serde_json::from_value(Value::Object(whole)).unwrap()
}

fn service(deployments: Value) -> Value {
    json!([{"serviceArn": "arn:aws:ecs:eu-west-1:111122223333:service/prod/web", "serviceName": "web",
        "desiredCount": 2, "loadBalancers": [{"targetGroupArn": "tg/web"}], "deployments": deployments}])
}

fn deployment(id: u8, status: &str, state: &str, running: i64, failed: i64) -> Value {
    json!({"id": format!("ecs-svc/{id}"), "status": status, "rolloutState": state, "desiredCount": 2,
        "taskDefinition": format!("web:{id}"), "runningCount": running, "pendingCount": 0, "failedTasks": failed,
        "createdAt": BEGAN, "updatedAt": BEGAN + 300})
}

fn task(id: &str, status: &str, more: Value) -> Value {
    let mut task = json!({"taskArn": format!("arn/task/prod/{id}"), "startedBy": "ecs-svc/2", "lastStatus": status,
        "desiredStatus": "RUNNING", "createdAt": BEGAN + 5, "containers": [{"name": "app", "lastStatus": status}]});
    task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    task
}

pub(super) fn rollout(known: &Snapshot) -> Rollout<'_> {
    Rollout {
        known,
        service: Some("web"),
        id: "ecs-svc/2",
        began: Some(at(BEGAN)),
        undone_by: None,
        stack: None,
        job: None,
        diagnosis: None,
        earlier: &[],
        stand: STAND,
        now: at(NOW),
    }
}

fn stack(status: &str, reason: &str) -> Value {
    json!([{"StackName": "shop", "StackStatus": status, "StackStatusReason": reason, "LastUpdatedTime": BEGAN - 60}])
}

#[track_caller]
fn check(parts: Value, stack: Option<&str>, job: Option<Job>, state: State, phase: Phase, says: &str) {
    let known = snapshot(parts);
    let rollout = Rollout { stack, job, ..rollout(&known) };
    let outcome = outcome(&rollout);
    assert_eq!(outcome.state, state, "{outcome:?}");
    assert_eq!(status(&rollout).phase, phase);
    assert!(outcome.says.contains(says), "{}", outcome.says);
}

#[test]
fn ecs_alone_tells_what_it_did() {
    let primary = |state: &str| json!({"services": service(json!([deployment(2, "PRIMARY", state, 2, 0)]))});
    check(
        primary("COMPLETED"),
        None,
        None,
        State::Succeeded,
        Phase::Completed,
        "ECS completed the deployment of web",
    );
    check(primary("IN_PROGRESS"), None, None, State::Running, Phase::Stabilising, "still deploying web");
    check(primary("FAILED"), None, None, State::Failed, Phase::Failed, "ECS failed the deployment");
    check(json!({}), None, None, State::Unknown, Phase::Unknown, "not described");
}

/// Two tasks are wanted; ECS completed the deployment at 300, and it is 600 now.
#[track_caller]
fn check_stands(service: Value, tasks: Value, now: i64, state: State, stands: bool) {
    let definition = json!([{"taskDefinitionArn": "web:2", "containerDefinitions": [{"name": "app"}]}]);
    let parts = json!({"services": service, "tasks": tasks, "taskDefinitions": definition});
    let known = snapshot(parts);
    let rollout = Rollout { now: at(BEGAN + now), ..rollout(&known) };
    let outcome = outcome(&rollout);
    assert_eq!((outcome.state, super::stands(&rollout)), (state, stands), "{outcome:?}");
}

#[test]
fn what_ecs_completed_has_to_stand() {
    let own = || json!([deployment(2, "PRIMARY", "COMPLETED", 2, 0)]);
    let balanced = || service(own());
    let bare = || {
        let mut bare = service(own());
        bare[0]["loadBalancers"] = json!([]);
        bare
    };
    let runs = |id: &str, second: i64| task(id, "RUNNING", json!({"startedAt": BEGAN + second}));
    let stopped = |id: &str, code: &str, second: i64| {
        let containers = json!([{"name": "app", "lastStatus": "STOPPED", "exitCode": 1}]);
        let more = json!({"stopCode": code, "stoppedReason": "Essential container in task exited",
            "desiredStatus": "STOPPED", "stoppedAt": BEGAN + second, "containers": containers});
        task(id, "STOPPED", more)
    };
    let exits = |id: &str, second: i64| stopped(id, "EssentialContainerExited", second);
    use State::*;
    // Tasks that nothing speaks for have to run for a while; those behind a load balancer were healthy.
    let young = || json!([runs("a", 280), runs("b", 290)]);
    check_stands(bare(), young(), 310, Succeeded, false);
    check_stands(bare(), young(), 320, Succeeded, true);
    check_stands(balanced(), young(), 310, Succeeded, true);
    // Where tasks cannot be described, nothing says that they stand.
    check_stands(bare(), json!([]), 600, Succeeded, false);
    // A failure after the completion counts, with its reason, whoever spoke for the tasks.
    let falls = || json!([exits("a", 304), runs("b", 280), runs("c", 312)]);
    check_stands(bare(), falls(), 320, Failed, false);
    check_stands(balanced(), falls(), 320, Failed, true);
    // Not any more once all that are wanted have stood since; and not what was over before ECS completed it.
    check_stands(bare(), falls(), 342, Succeeded, true);
    check_stands(bare(), json!([exits("a", 290), runs("b", 280), runs("c", 295)]), 310, Succeeded, false);
    // What AWS takes back or a person stops is no failure of what was deployed.
    for code in ["SpotInterruption", "UserInitiated"] {
        let mut tasks = json!([stopped("a", code, 304), runs("b", 280), runs("c", 312)]);
        tasks[0]["stoppedReason"] = json!("Task stopped");
        check_stands(bare(), tasks, 320, Succeeded, false);
    }
    let mut idle = bare();
    idle[0]["deployments"][0]["runningCount"] = json!(0);
    let known = snapshot(json!({"services": idle, "tasks": [exits("a", 304)]}));
    let none = status(&Rollout { now: at(BEGAN + 320), ..rollout(&known) });
    assert!(none.progress == 0.0 && none.progress.is_sign_positive(), "{none:?}");
    let known = snapshot(json!({"services": bare(), "tasks": falls()}));
    let rollout = Rollout { now: at(BEGAN + 320), ..rollout(&known) };
    let says = "ECS completed the deployment of web, but its tasks have stopped since: Essential container in task exited (app: exit 1)";
    assert_eq!((outcome(&rollout).says.as_str(), status(&rollout).phase), (says, Phase::Failing));
}

#[test]
fn a_health_check_of_a_container_speaks_for_its_task() {
    let check = json!({"command": ["CMD", "check"]});
    let definition = json!([{"taskDefinitionArn": "web:2", "containerDefinitions": [{"name": "app", "healthCheck": check}]}]);
    let mut bare = service(json!([deployment(2, "PRIMARY", "COMPLETED", 2, 0)]));
    bare[0]["loadBalancers"] = json!([]);
    let known = snapshot(json!({"services": bare, "tasks": [], "taskDefinitions": definition}));
    assert!(stands(&rollout(&known)));
}

#[test]
fn a_job_that_is_green_does_not_hide_a_roll_back() {
    let mut back = deployment(3, "PRIMARY", "COMPLETED", 2, 0);
    back["rolloutStateReason"] = json!("ECS deployment ecs-svc/3 completed.");
    let mut own = deployment(2, "ACTIVE", "FAILED", 0, 4);
    own["rolloutStateReason"] = json!("ECS deployment circuit breaker: tasks failed to start.");
    let parts = json!({"services": service(json!([back, own]))});
    let says = "the job is green, but ECS rolled web back, the old version runs: ECS deployment circuit breaker: tasks failed to start";
    check(parts, None, Some(Job::Succeeded), State::Failed, Phase::RolledBack, says);
}

#[test]
fn a_roll_back_that_ended_before_anybody_looked_is_known_from_the_account_of_ecs() {
    let mut back = deployment(2, "PRIMARY", "COMPLETED", 2, 0);
    back["rolloutStateReason"] = json!("ECS deployment ecs-svc/2 completed.");
    let account = json!([{"serviceDeploymentArn": "arn/1", "status": "ROLLBACK_SUCCESSFUL", "createdAt": BEGAN - 400,
        "statusReason": "Service deployment rolled back because the circuit breaker threshold was exceeded.",
        "rollback": {"startedAt": BEGAN - 1, "reason": "circuit breaker"}}]);
    let parts = json!({"services": service(json!([back])), "serviceDeployments": account});
    check(parts.clone(), None, None, State::Failed, Phase::RolledBack, "threshold was exceeded");
    // An account of another time says nothing about this deployment.
    let mut old = parts;
    old["serviceDeployments"][0]["rollback"]["startedAt"] = json!(BEGAN - 5000);
    old["serviceDeployments"][0]["createdAt"] = json!(BEGAN - 6000);
    check(old, None, None, State::Succeeded, Phase::Completed, "and its tasks run");
}

#[test]
fn going_back_is_told_while_it_lasts() {
    let mut back = deployment(3, "PRIMARY", "IN_PROGRESS", 1, 0);
    back["rolloutStateReason"] =
        json!("ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.");
    let parts = json!({"services": service(json!([back]))});
    check(parts, None, None, State::Running, Phase::RollingBack, "rolling web back");
}

#[test]
fn another_deployment_is_no_failure_of_this_one() {
    let parts = json!({"services": service(json!([deployment(3, "PRIMARY", "IN_PROGRESS", 1, 0)]))});
    check(parts, None, None, State::Unknown, Phase::Superseded, "took the place");
}

#[test]
fn a_stack_and_its_service_are_told_apart() {
    let stable = service(json!([deployment(2, "PRIMARY", "COMPLETED", 2, 0)]));
    let with = |status: &str, reason: &str| json!({"services": stable, "stacks": stack(status, reason)});
    let shop = Some("shop");
    check(
        with("UPDATE_FAILED", "Resource handler returned message: \"Exceeded attempts to wait\""),
        shop,
        None,
        State::Failed,
        Phase::Completed,
        "CloudFormation timed out on stack shop",
    );
    check(
        with("UPDATE_ROLLBACK_FAILED", "The queue is in use"),
        shop,
        None,
        State::Failed,
        Phase::Completed,
        "stack shop failed (UPDATE_ROLLBACK_FAILED: The queue is in use), although ECS completed",
    );
    check(
        with("UPDATE_IN_PROGRESS", ""),
        shop,
        None,
        State::Running,
        Phase::Completed,
        "is still UPDATE_IN_PROGRESS",
    );
    check(with("UPDATE_COMPLETE", ""), shop, None, State::Succeeded, Phase::Completed, "and its tasks run");
    let failed = service(json!([deployment(2, "PRIMARY", "FAILED", 0, 3)]));
    let parts = json!({"services": failed, "stacks": stack("UPDATE_COMPLETE", "")});
    check(parts, shop, None, State::Failed, Phase::Failed, "stack shop says UPDATE_COMPLETE, but ECS failed");
}

#[test]
fn an_operation_of_yesterday_says_nothing_about_today() {
    let mut old = stack("UPDATE_ROLLBACK_COMPLETE", "");
    old[0]["LastUpdatedTime"] = json!(BEGAN - 86_400);
    let stable = service(json!([deployment(2, "PRIMARY", "COMPLETED", 2, 0)]));
    let parts = json!({"services": stable, "stacks": old});
    check(parts, Some("shop"), None, State::Succeeded, Phase::Completed, "and its tasks run");
}

#[test]
fn a_job_that_timed_out_does_not_hide_a_success() {
    let parts = json!({"services": service(json!([deployment(2, "PRIMARY", "COMPLETED", 2, 0)]))});
    check(
        parts,
        None,
        Some(Job::TimedOut),
        State::Succeeded,
        Phase::Completed,
        "the job timed out, but ECS completed",
    );
}

#[track_caller]
fn check_phase(tasks: Value, own: Value, phase: Phase, progress: f64) {
    let known = snapshot(json!({"services": service(own), "tasks": tasks}));
    let status = status(&rollout(&known));
    assert_eq!((status.phase, status.progress), (phase, progress));
}

#[test]
fn the_slowest_task_gives_the_phase() {
    let own = || json!([deployment(2, "PRIMARY", "IN_PROGRESS", 0, 0)]);
    let none = json!({});
    let pulls = json!({"pullStartedAt": BEGAN + 20});
    let starts = json!({"pullStartedAt": BEGAN + 20, "pullStoppedAt": BEGAN + 50});
    let healthy =
        json!({"containers": [{"name": "app", "lastStatus": "RUNNING", "healthStatus": "HEALTHY"}]});
    let ill = json!({"containers": [{"name": "app", "lastStatus": "RUNNING", "healthStatus": "UNHEALTHY"}]});
    check_phase(json!([]), own(), Phase::Pending, 0.0);
    check_phase(json!([task("a", "PROVISIONING", none.clone())]), own(), Phase::Provisioning, 0.05);
    let both = json!([task("a", "PENDING", pulls.clone()), task("b", "PENDING", starts.clone())]);
    check_phase(both, own(), Phase::Pulling, 0.325);
    let both = json!([task("a", "PENDING", starts), task("b", "RUNNING", healthy.clone())]);
    check_phase(both, own(), Phase::Starting, 0.625);
    let both = json!([task("a", "RUNNING", ill), task("b", "RUNNING", healthy.clone())]);
    check_phase(both, own(), Phase::HealthChecking, 0.725);
    let both = json!([task("a", "RUNNING", healthy.clone()), task("b", "RUNNING", healthy)]);
    let drains =
        json!([deployment(2, "PRIMARY", "IN_PROGRESS", 2, 0), deployment(1, "ACTIVE", "COMPLETED", 1, 0)]);
    check_phase(both.clone(), drains, Phase::Draining, 0.92);
    check_phase(both, own(), Phase::Stabilising, 0.99);
}

#[test]
fn tasks_that_stop_make_the_deployment_fail_until_enough_are_ready() {
    let stopped = json!({"stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited",
        "stoppedAt": BEGAN + 90, "containers": [{"name": "app", "exitCode": 1}]});
    let own = json!([deployment(2, "PRIMARY", "IN_PROGRESS", 0, 1)]);
    let tasks = json!([task("a", "STOPPED", stopped), task("b", "PENDING", json!({}))]);
    check_phase(tasks, own, Phase::Failing, 0.05);
}

#[test]
fn stopped_tasks_are_grouped_by_reason() {
    let ended = |code: &str, reason: &str, exit: Option<i64>, second: i64| {
        json!({"stopCode": code, "stoppedReason": reason, "stoppedAt": BEGAN + second,
            "containers": [{"name": "app", "exitCode": exit}]})
    };
    let essential = "Essential container in task exited";
    let pull = |id: &str| {
        format!(
            "CannotPullContainerError: pull image manifest has been retried 7 time(s): request {id}: not found"
        )
    };
    let known = snapshot(json!({"tasks": [
        task("1a", "STOPPED", ended("EssentialContainerExited", essential, Some(1), 10)),
        task("2b", "STOPPED", ended("EssentialContainerExited", essential, Some(1), 20)),
        task("3c", "STOPPED", ended("EssentialContainerExited", essential, Some(137), 30)),
        task("4d", "STOPPED", ended("TaskFailedToStart", &pull("a1b2"), None, 40)),
        task("5e", "STOPPED", ended("TaskFailedToStart", &pull("c3d4"), None, 50)),
        task("6f", "STOPPED", ended("ServiceSchedulerInitiated", "Scaling activity initiated by (deployment ecs-svc/3)", None, 60)),
        task("7g", "RUNNING", json!({})),
    ]}));
    let groups = stopped(&known, "ecs-svc/2");
    let seen: Vec<(bool, Vec<&str>)> =
        groups.iter().map(|group| (group.failed, group.tasks.iter().map(String::as_str).collect())).collect();
    assert_eq!(
        seen,
        [(true, vec!["5e", "4d"]), (true, vec!["2b", "1a"]), (true, vec!["3c"]), (false, vec!["6f"])]
    );
    assert_eq!(groups[1].reason, "Essential container in task exited (app: exit 1)");
}

#[test]
fn the_estimate_is_the_median_of_what_ended_well() {
    let known =
        snapshot(json!({"services": service(json!([deployment(2, "PRIMARY", "IN_PROGRESS", 0, 0)]))}));
    let earlier = [300, 900, 700, 800].map(SignedDuration::from_secs);
    let estimate =
        |earlier: &[SignedDuration]| status(&Rollout { earlier, ..rollout(&known) }).estimated_completion;
    assert_eq!(estimate(&[]), None);
    assert_eq!(estimate(&earlier), Some(at(BEGAN + 750)));
    assert_eq!(estimate(&earlier[..1]), None, "that time has passed");
}

#[test]
fn health_counts_the_targets_that_stay() {
    let target = |address: &str, state: &str| {
        json!({"TargetGroupArn": "tg/web", "Target": {"Id": address, "Port": 80},
            "TargetHealth": {"State": state, "Reason": "Target.Timeout", "Description": "Request timed out"}})
    };
    let lives = |address: &str| {
        json!({"containers": [{"name": "app", "lastStatus": "RUNNING", "healthStatus": "HEALTHY",
            "networkInterfaces": [{"privateIpv4Address": address}]}]})
    };
    let health_with = |first: &str, second: &str| {
        let known = snapshot(json!({
            "services": service(json!([deployment(2, "PRIMARY", "COMPLETED", 2, 0)])),
            "tasks": [task("a", "RUNNING", lives("10.0.0.1")), task("b", "RUNNING", lives("10.0.0.2"))],
            "targetHealth": [target("10.0.0.1", first), target("10.0.0.2", second), target("10.0.0.9", "draining")],
        }));
        health(&rollout(&known))
    };
    assert_eq!(health_with("healthy", "healthy").overall, HealthState::Healthy);
    assert_eq!(health_with("healthy", "initial").overall, HealthState::Starting);
    assert_eq!(health_with("healthy", "unhealthy").overall, HealthState::Degraded);
    let ill = health_with("unhealthy", "unhealthy");
    assert_eq!((ill.overall, ill.load_balancer.unhealthy), (HealthState::Unhealthy, 2));
    assert_eq!(ill.load_balancer.targets[0].because().as_deref(), Some("Target.Timeout: Request timed out"));
}

#[test]
fn dependencies_are_known_only_where_evidence_says_so() {
    let definition = json!([{"taskDefinitionArn": "web:2", "family": "web", "containerDefinitions": [
        {"name": "app", "secrets": [{"name": "TOKEN", "valueFrom": "arn"}], "environment": [{"name": "DATABASE_URL"}]}]}]);
    let states = |tasks: Value| {
        let known =
            snapshot(json!({"services": service(json!([deployment(2, "PRIMARY", "IN_PROGRESS", 0, 0)])),
            "tasks": tasks, "taskDefinitions": definition}));
        let found = health(&rollout(&known)).dependencies;
        found.into_iter().map(|dependency| (dependency.kind, dependency.state)).collect::<Vec<_>>()
    };
    use DependencyKind::*;
    use HealthState::*;
    assert_eq!(states(json!([])), [(Registry, Unknown), (Secrets, Unknown), (Database, Unknown)]);
    let ran = json!({"pullStoppedAt": BEGAN + 20, "startedAt": BEGAN + 30});
    let tasks = json!([task("a", "RUNNING", ran)]);
    assert_eq!(states(tasks), [(Registry, Healthy), (Secrets, Healthy), (Database, Unknown)]);
}

#[test]
fn metrics_tell_when_phases_were_reached() {
    let first = json!({"pullStartedAt": BEGAN + 20, "pullStoppedAt": BEGAN + 50, "startedAt": BEGAN + 55});
    let known = snapshot(json!({
        "services": service(json!([deployment(2, "PRIMARY", "COMPLETED", 2, 0)])),
        "tasks": [task("a", "RUNNING", first), task("b", "RUNNING", json!({"createdAt": BEGAN + 8}))],
    }));
    let metrics = metrics(&rollout(&known), Counts { errors: 3, warnings: 4 }, None);
    let reached: Vec<(Phase, i64)> =
        metrics.phases.iter().map(|time| (time.phase, time.start_time.as_second() - BEGAN)).collect();
    use Phase::*;
    assert_eq!(
        reached,
        [
            (Pending, 0),
            (Provisioning, 5),
            (Pulling, 20),
            (Starting, 50),
            (HealthChecking, 55),
            (Completed, 300)
        ]
    );
    assert_eq!((metrics.duration, metrics.error_count, metrics.warning_count), (Some(300.0), 3, 4));
    let json = serde_json::to_value(&metrics).unwrap();
    for name in [
        "deploymentId",
        "startTime",
        "endTime",
        "duration",
        "status",
        "phases",
        "resourceUtilization",
        "errorCount",
    ] {
        assert!(json.get(name).is_some(), "{name} in {json}");
    }
    for name in ["phase", "progress", "estimatedCompletion", "issues"] {
        assert!(json["status"].get(name).is_some(), "{name} in {json}");
    }
}

#[test]
fn the_latest_sample_of_a_metric_counts() {
    let sample = |second: i64, text: &str| Record {
        stream: std::sync::Arc::new(Stream {
            name: "metrics".to_owned(),
            source: crate::record::Source::Metric,
        }),
        seq: 1,
        time: Some(at(second)),
        source: crate::record::Source::Metric,
        level: Level::Info,
        text: text.to_owned(),
        body: None,
        line: 1,
        entity: None,
        deployment: None,
    };
    let samples = [
        sample(20, "CPUUtilization 93.5 Percent (service web)"),
        sample(10, "CPUUtilization 12 Percent"),
        sample(10, "AWS/ECS MemoryUtilization=40.25"),
    ];
    let found = utilization(&samples).unwrap();
    assert_eq!((found.cpu_utilization, found.memory_utilization), (Some(93.5), Some(40.25)));
    assert_eq!(utilization(&[]), None);
}

#[test]
fn nothing_about_capacity_ends_early() {
    for cause in DETERMINISTIC {
        assert!(!cause.starts_with("infrastructure/") && !cause.contains("/credentials/"), "{cause}");
    }
}
