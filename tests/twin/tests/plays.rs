//! Plays the built-in scenarios on a clock that is moved by hand.

use serde_json::{Value, json};
use twin::world::{MINUTE, SECOND};
use twin::{Millis, Scenario, World};

const BEGIN: Millis = 1_780_000_000_000;

#[test]
fn before_the_deployment_the_old_version_serves() {
    for name in Scenario::names() {
        let world = at(name, 10 * SECOND);
        let service = service(&world);
        assert_eq!(service["runningCount"], 2, "{name}");
        assert_eq!(service["deployments"].as_array().unwrap().len(), 1, "{name}");
        assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED", "{name}");
        assert!(events(&world)[0].ends_with("has reached a steady state."), "{name}");
    }
}

#[test]
fn a_healthy_deployment_replaces_the_old_tasks() {
    let world = at("healthy", 5 * MINUTE);
    let service = service(&world);
    assert_eq!(service["deployments"].as_array().unwrap().len(), 1);
    assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED");
    assert!(service["taskDefinition"].as_str().unwrap().ends_with("web:2"));
    assert_eq!(rollout(&world)["status"], "SUCCESSFUL");
    assert_eq!(stack_status(&world), "UPDATE_COMPLETE");
    let told = events(&world);
    assert!(told[0].ends_with("has reached a steady state."), "{told:#?}");
    assert!(told[1].ends_with("deployment completed."), "{told:#?}");
    assert!(told.iter().any(|text| text.contains("has begun draining connections on")), "{told:#?}");
}

#[test]
fn tasks_that_exit_trip_the_breaker_and_the_stack_rolls_back() {
    let world = at("database-refused", 10 * MINUTE);
    let failed =
        stopped(&world).into_iter().find(|task| task["stopCode"] == "EssentialContainerExited").unwrap();
    assert_eq!(failed["containers"][0]["exitCode"], 1);
    assert_eq!(failed["stoppedReason"], "Essential container in task exited");
    let told = events(&world);
    assert!(told.iter().any(|text| text.contains("deployment failed: tasks failed to start.")), "{told:#?}");
    assert!(told.iter().any(|text| text.contains("rolling back to deployment ecs-svc/")), "{told:#?}");
    let rollout = rollout(&world);
    assert_eq!(rollout["status"], "ROLLBACK_SUCCESSFUL");
    assert_eq!(rollout["deploymentCircuitBreaker"]["status"], "TRIGGERED");
    assert_eq!(rollout["deploymentCircuitBreaker"]["failureCount"], 3);
    let service = service(&world);
    assert!(service["taskDefinition"].as_str().unwrap().ends_with("web:1"));
    assert_eq!(service["deployments"].as_array().unwrap().len(), 1);
    assert_eq!(stack_status(&world), "UPDATE_ROLLBACK_COMPLETE");
    let reasons: Vec<&str> =
        world.stack.as_ref().unwrap().events.iter().filter_map(|event| event.reason.as_deref()).collect();
    assert!(reasons.iter().any(|reason| reason.contains("Circuit Breaker was triggered")), "{reasons:#?}");
}

#[test]
fn a_completed_deployment_whose_tasks_exit_stays_completed() {
    let world = at("crashes-once-completed", 4 * MINUTE);
    assert_eq!(service(&world)["deployments"][0]["rolloutState"], "COMPLETED");
    assert_eq!(service(&world)["deployments"][0]["failedTasks"], 0);
    assert_eq!(rollout(&world)["status"], "SUCCESSFUL");
    let failed = stopped(&world).into_iter().filter(|task| task["stopCode"] == "EssentialContainerExited");
    assert!(failed.count() >= 4);
    let steady = events(&world).iter().filter(|text| text.ends_with("has reached a steady state.")).count();
    assert!(steady >= 3, "{steady}");
}

#[test]
fn a_rollback_makes_the_earlier_deployment_the_primary_one_again() {
    let mut world = at("job-green-rolled-back", 10 * SECOND);
    let before = service(&world)["deployments"].clone();
    let is_first = |deployment: &&Value| deployment["taskDefinition"].as_str().unwrap().ends_with("web:1");
    let first = before.as_array().unwrap().iter().find(is_first).unwrap()["id"].clone();
    world.run(BEGIN + 6 * MINUTE);
    let last = service(&world)["deployments"][0].clone();
    assert_eq!(last["id"], first);
    assert_eq!(last["rolloutState"], "COMPLETED");
    assert!(last["taskDefinition"].as_str().unwrap().ends_with("web:1"));
    assert!(world.stack.is_none());
}

#[test]
fn what_keeps_tasks_from_starting_is_their_stopped_reason() {
    check_stopped("image-missing", "TaskFailedToStart", "CannotPullContainerError: ");
    check_stopped("secret-missing", "TaskFailedToStart", "ResourceInitializationError: ");
    check_stopped("oom", "EssentialContainerExited", "Essential container in task exited");
    check_stopped("health-check-404", "ServiceSchedulerInitiated", "Task failed ELB health checks in");
    check_stopped("slow-start", "ServiceSchedulerInitiated", "Task failed container health checks");
    check_stopped("exec-format", "EssentialContainerExited", "Essential container in task exited");
}

fn check_stopped(name: &str, code: &str, reason: &str) {
    let world = at(name, 12 * MINUTE);
    let tasks = stopped(&world);
    let found = tasks.iter().any(|task| {
        task["stopCode"] == code
            && task["stoppedReason"].as_str().is_some_and(|text| text.starts_with(reason))
    });
    assert!(found, "{name}: {tasks:#?}");
    assert_eq!(rollout(&world)["status"], "ROLLBACK_SUCCESSFUL", "{name}");
    assert_eq!(stack_status(&world), "UPDATE_ROLLBACK_COMPLETE", "{name}");
}

#[test]
fn an_out_of_memory_kill_says_so_at_the_container() {
    let world = at("oom", 12 * MINUTE);
    let killed = stopped(&world).into_iter().find(|task| task["containers"][0]["exitCode"] == 137).unwrap();
    assert_eq!(killed["containers"][0]["reason"], "OutOfMemoryError: Container killed due to memory usage");
}

#[test]
fn a_container_that_ignores_sigterm_is_killed_after_thirty_seconds() {
    let mut scenario = Scenario::built_in("healthy").unwrap();
    scenario.versions[0].ignores_sigterm = true;
    let mut world = World::new(scenario, 1, BEGIN);
    world.run(BEGIN + 5 * MINUTE);
    let old = stopped(&world);
    assert!(!old.is_empty() && old.iter().all(|task| task["containers"][0]["exitCode"] == 137), "{old:#?}");
}

#[test]
fn draining_hides_why_a_target_is_unhealthy() {
    let mut world = at("health-check-404", 0);
    let mut seen = Vec::new();
    for second in 1..240 {
        world.run(BEGIN + second * SECOND);
        let params = json!({ "TargetGroupArn": world.target_group_arn() });
        let health = twin::elb::answer(&world, "DescribeTargetHealth", &params).unwrap();
        for target in health["TargetHealthDescriptions"].as_array().unwrap() {
            let reason = target["TargetHealth"]["Reason"].as_str().unwrap_or("healthy").to_owned();
            if !seen.contains(&reason) {
                seen.push(reason);
            }
        }
    }
    assert!(seen.contains(&"Target.ResponseCodeMismatch".to_owned()), "{seen:?}");
    assert!(seen.contains(&"Target.DeregistrationInProgress".to_owned()), "{seen:?}");
    let told = events(&world);
    assert!(
        told.iter().any(|text| text.contains("due to (reason Health checks failed with these codes: [404])")),
        "{told:#?}"
    );
}

#[test]
fn a_silent_target_times_out_and_a_closed_port_fails() {
    check_reason("answers = \"timeout\"", "Target.Timeout");
    check_reason("answers = \"refused\"", "Target.FailedHealthChecks");
    check_reason("answers = 503", "Target.ResponseCodeMismatch");
    check_reason("start = \"90s\"", "Target.FailedHealthChecks");
}

/// Looks at the targets every second and expects a reason among them.
fn check_reason(version: &str, expected: &str) {
    let text = format!(
        "[deploy]\nat = \"1s\"\nimage = \"2\"\n[[version]]\nimage = \"1\"\n[[version]]\nimage = \"2\"\n{version}"
    );
    let mut world = World::new(Scenario::parse(&text).unwrap(), 1, BEGIN);
    let group = json!({ "TargetGroupArn": world.target_group_arn() });
    for second in 0..180 {
        world.run(BEGIN + second * SECOND);
        let health = twin::elb::answer(&world, "DescribeTargetHealth", &group).unwrap();
        if health.to_string().contains(expected) {
            return;
        }
    }
    panic!("{version}: no target was {expected}");
}

#[test]
fn a_grace_period_lets_slow_targets_live() {
    let mut scenario = Scenario::built_in("healthy").unwrap();
    scenario.versions[1].start = 90 * SECOND;
    let mut world = World::new(scenario.clone(), 1, BEGIN);
    world.run(BEGIN + 10 * MINUTE);
    assert_eq!(rollout(&world)["status"], "ROLLBACK_SUCCESSFUL");
    scenario.service.grace_period = 2 * MINUTE;
    let mut world = World::new(scenario, 1, BEGIN);
    world.run(BEGIN + 10 * MINUTE);
    assert_eq!(rollout(&world)["status"], "SUCCESSFUL");
}

#[test]
fn a_stopped_task_is_replaced_and_a_larger_count_is_reached() {
    let mut world = at("healthy", 5 * MINUTE);
    let task = ask(&world, "ListTasks", json!({ "cluster": "shop" }))["taskArns"][0].clone();
    let params = json!({ "cluster": "shop", "task": task, "reason": "tried" });
    twin::ecs::answer(&mut world, "StopTask", &params).unwrap();
    world.run(BEGIN + 7 * MINUTE);
    let stopped = stopped(&world);
    assert!(
        stopped.iter().any(|task| task["stopCode"] == "UserInitiated" && task["stoppedReason"] == "tried")
    );
    assert_eq!(service(&world)["runningCount"], 2);
    let params = json!({ "cluster": "shop", "service": "web", "desiredCount": 3 });
    twin::ecs::answer(&mut world, "UpdateService", &params).unwrap();
    world.run(BEGIN + 9 * MINUTE);
    assert_eq!(service(&world)["runningCount"], 3);
    let params = json!({ "cluster": "shop", "service": "web", "desiredCount": 1 });
    twin::ecs::answer(&mut world, "UpdateService", &params).unwrap();
    world.run(BEGIN + 11 * MINUTE);
    assert_eq!(service(&world)["runningCount"], 1);
}

#[test]
fn without_capacity_nothing_fails_and_nothing_starts_until_there_is_some() {
    let world = at("no-capacity", 8 * MINUTE);
    assert_eq!(service(&world)["deployments"][0]["rolloutState"], "IN_PROGRESS");
    assert_eq!(service(&world)["deployments"][0]["failedTasks"], 0);
    let told = events(&world);
    let unplaced = told.iter().filter(|text| text.contains("was unable to place a task")).count();
    assert_eq!(unplaced, 1, "repeats are suppressed: {told:#?}");
    let world = at("no-capacity", 18 * MINUTE);
    assert_eq!(service(&world)["deployments"][0]["rolloutState"], "COMPLETED");
    assert_eq!(stack_status(&world), "UPDATE_COMPLETE");
}

#[test]
fn the_stack_times_out_although_the_service_gets_steady() {
    let world = at("stack-times-out-service-steady", 20 * MINUTE);
    assert_eq!(stack_status(&world), "UPDATE_FAILED");
    let stack = world.stack.as_ref().unwrap();
    let failed = stack.events.iter().find(|event| event.status == "UPDATE_FAILED").unwrap();
    assert!(failed.reason.as_ref().unwrap().contains("Exceeded attempts to wait"), "{failed:?}");
    assert_eq!(rollout(&world)["status"], "SUCCESSFUL");
}

#[test]
fn a_create_that_fails_takes_the_service_down() {
    let mut scenario = Scenario::built_in("database-refused").unwrap();
    scenario.service.exists = false;
    let mut world = World::new(scenario, 1, BEGIN);
    world.run(BEGIN + 10 * MINUTE);
    assert_eq!(stack_status(&world), "ROLLBACK_COMPLETE");
    assert_eq!(service(&world)["status"], "INACTIVE");
}

#[test]
fn a_rollback_that_fails_can_be_continued_by_skipping() {
    let mut scenario = Scenario::built_in("database-refused").unwrap();
    let plan = scenario.stack.as_mut().unwrap();
    plan.rollback_error = Some(
        "Resource handler returned message: \"Rate exceeded\" (HandlerErrorCode: Throttling)".to_owned(),
    );
    let mut world = World::new(scenario, 1, BEGIN);
    world.run(BEGIN + 10 * MINUTE);
    assert_eq!(stack_status(&world), "UPDATE_ROLLBACK_FAILED");
    let params = json!({ "StackName": "shop-web", "ResourcesToSkip": ["Service"] });
    twin::cloudformation::answer(&mut world, "ContinueUpdateRollback", &params).unwrap();
    world.run(BEGIN + 12 * MINUTE);
    assert_eq!(stack_status(&world), "UPDATE_ROLLBACK_COMPLETE");
    let again = twin::cloudformation::answer(&mut world, "ContinueUpdateRollback", &params).unwrap_err();
    assert_eq!(again.code, "ValidationError");
}

#[test]
fn a_failed_create_whose_rollback_fails_stays_there() {
    let mut scenario = Scenario::built_in("database-refused").unwrap();
    scenario.service.exists = false;
    scenario.stack.as_mut().unwrap().rollback_error = Some("the service cannot be deleted".to_owned());
    let mut world = World::new(scenario, 1, BEGIN);
    world.run(BEGIN + 10 * MINUTE);
    assert_eq!(stack_status(&world), "ROLLBACK_FAILED");
}

#[test]
fn stopped_tasks_are_forgotten_after_an_hour() {
    let mut world = at("job-green-rolled-back", 8 * MINUTE);
    assert!(!stopped(&world).is_empty());
    world.run(BEGIN + 90 * MINUTE);
    assert!(stopped(&world).is_empty());
}

#[test]
fn update_service_changes_what_is_played() {
    let mut scenario = Scenario::built_in("job-green-rolled-back").unwrap();
    scenario.deploy = None;
    let mut world = World::new(scenario, 1, BEGIN);
    world.run(BEGIN + MINUTE);
    let params = json!({ "cluster": "shop", "service": "web", "taskDefinition": "web:2" });
    let answer = twin::ecs::answer(&mut world, "UpdateService", &params).unwrap();
    assert_eq!(answer["service"]["deployments"][0]["rolloutState"], "IN_PROGRESS");
    world.run(BEGIN + 8 * MINUTE);
    assert_eq!(rollout(&world)["status"], "ROLLBACK_SUCCESSFUL");
}

#[test]
fn an_unknown_image_cannot_be_pulled() {
    let mut world = at("job-green-rolled-back", 8 * MINUTE);
    let params = json!({ "family": "web", "containerDefinitions": [{ "name": "web", "image": "shop/web:never-built" }] });
    let answer = twin::ecs::answer(&mut world, "RegisterTaskDefinition", &params).unwrap();
    let arn = answer["taskDefinition"]["taskDefinitionArn"].clone();
    let params = json!({ "cluster": "shop", "service": "web", "taskDefinition": arn });
    twin::ecs::answer(&mut world, "UpdateService", &params).unwrap();
    world.run(BEGIN + 10 * MINUTE);
    let tasks = stopped(&world);
    assert!(tasks.iter().any(|task| task["stopCode"] == "TaskFailedToStart"), "{tasks:#?}");
}

#[test]
fn a_deployment_can_be_stopped_with_a_rollback() {
    let mut world = at("no-capacity", 5 * MINUTE);
    let arn = rollout(&world)["serviceDeploymentArn"].clone();
    let params = json!({ "serviceDeploymentArn": arn, "stopType": "ROLLBACK" });
    twin::ecs::answer(&mut world, "StopServiceDeployment", &params).unwrap();
    world.run(BEGIN + 8 * MINUTE);
    assert_eq!(rollout(&world)["status"], "ROLLBACK_SUCCESSFUL");
}

#[test]
fn no_update_is_refused_as_no_update() {
    let mut world = at("healthy", 5 * MINUTE);
    let params = json!({ "StackName": "shop-web", "Parameters": [{ "ParameterKey": "ImageTag", "ParameterValue": "1.42.0" }] });
    let error = twin::cloudformation::answer(&mut world, "UpdateStack", &params).unwrap_err();
    assert_eq!(error.message, "No updates are to be performed.");
}

#[test]
fn a_deleted_stack_takes_the_service_with_it() {
    let mut world = at("healthy", 5 * MINUTE);
    twin::cloudformation::answer(&mut world, "DeleteStack", &json!({ "StackName": "shop-web" })).unwrap();
    world.run(BEGIN + 8 * MINUTE);
    assert_eq!(stack_status(&world), "DELETE_COMPLETE");
    assert_eq!(service(&world)["status"], "INACTIVE");
    let error =
        twin::cloudformation::answer(&mut world, "DescribeStacks", &json!({ "StackName": "shop-web" }))
            .unwrap_err();
    assert_eq!(error.message, "Stack with id shop-web does not exist");
}

#[test]
fn the_same_seed_gives_the_same_bytes_however_often_one_looks() {
    for name in Scenario::names() {
        let straight = at(name, 9 * MINUTE);
        let mut halting = at(name, 0);
        for second in 0..9 * 60 {
            halting.run(BEGIN + second * SECOND);
            let _ = service(&halting);
        }
        halting.run(BEGIN + 9 * MINUTE);
        assert_eq!(picture(&straight), picture(&halting), "{name}");
    }
}

#[test]
fn another_seed_gives_other_tasks() {
    let scenario = Scenario::built_in("healthy").unwrap();
    let (one, other) = (World::new(scenario.clone(), 1, BEGIN), World::new(scenario, 2, BEGIN));
    assert_ne!(one.tasks[0].id, other.tasks[0].id);
}

#[test]
fn log_events_are_seen_after_they_are_ingested_and_page_by_page() {
    let world = at("database-refused", 10 * MINUTE);
    let everything = filter(&world, json!({ "logGroupName": "/ecs/web" }));
    let mut paged = Vec::new();
    let mut token = Value::Null;
    loop {
        let mut params = json!({ "logGroupName": "/ecs/web", "limit": 7 });
        if !token.is_null() {
            params["nextToken"] = token;
        }
        let page = filter(&world, params);
        paged.extend(page["events"].as_array().unwrap().clone());
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(everything["events"].as_array().unwrap(), &paged);
    assert!(paged.iter().all(|event| event["ingestionTime"].as_i64() > event["timestamp"].as_i64()));
    assert!(paged.iter().all(|event| event["ingestionTime"].as_i64().unwrap() <= world.now));
    let refused =
        filter(&world, json!({ "logGroupName": "/ecs/web", "filterPattern": "\"Connection refused\"" }));
    assert_eq!(refused["events"].as_array().unwrap().len(), tasks_of_second_revision(&world));
}

#[test]
fn event_identifiers_are_unique() {
    let world = at("oom", 10 * MINUTE);
    let events = filter(&world, json!({ "logGroupName": "/ecs/web" }))["events"].as_array().unwrap().clone();
    let mut ids: Vec<&str> = events.iter().filter_map(|event| event["eventId"].as_str()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
}

#[test]
fn memory_shows_before_the_kernel_kills() {
    let world = at("oom", 5 * MINUTE);
    let params = json!({
        "StartTime": (BEGIN as f64) / 1000.0,
        "EndTime": (BEGIN + 5 * MINUTE) as f64 / 1000.0,
        "ScanBy": "TimestampAscending",
        "MetricDataQueries": [{ "Id": "m", "MetricStat": { "Period": 60, "Stat": "Maximum", "Metric": {
            "Namespace": "AWS/ECS", "MetricName": "MemoryUtilization",
            "Dimensions": [{ "Name": "ClusterName", "Value": "shop" }, { "Name": "ServiceName", "Value": "web" }],
        } } }],
    });
    let answer = twin::metrics::answer(&world, "GetMetricData", &params).unwrap();
    let values: Vec<f64> = answer["MetricDataResults"][0]["Values"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_f64)
        .collect();
    assert!(values[0] < 50.0 && values.iter().any(|value| *value > 90.0), "{values:?}");
}

#[test]
fn messages_come_at_least_once_and_some_twice() {
    let mut world = at("database-refused", 5 * MINUTE);
    let url = twin::sqs::queue_url(&world);
    let mut bodies = Vec::new();
    loop {
        let params = json!({ "QueueUrl": url, "MaxNumberOfMessages": 10 });
        let answer = twin::sqs::answer(&mut world, "ReceiveMessage", &params).unwrap();
        let Some(messages) = answer["Messages"].as_array() else { break };
        for message in messages {
            bodies.push(message["Body"].as_str().unwrap().to_owned());
            let params = json!({ "QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"] });
            twin::sqs::answer(&mut world, "DeleteMessage", &params).unwrap();
        }
    }
    let mut unique = bodies.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), world.notices.len());
    assert!(unique.len() < bodies.len(), "nothing came twice");
    assert!(bodies.iter().any(|body| body.contains("SERVICE_DEPLOYMENT_FAILED")));
}

#[test]
fn a_message_that_is_not_deleted_comes_again() {
    let mut world = at("healthy", 5 * MINUTE);
    let params = json!({ "QueueUrl": twin::sqs::queue_url(&world), "VisibilityTimeout": 30 });
    let first = twin::sqs::answer(&mut world, "ReceiveMessage", &params).unwrap();
    let next = twin::sqs::answer(&mut world, "ReceiveMessage", &params).unwrap();
    assert_ne!(first["Messages"][0]["MessageId"], next["Messages"][0]["MessageId"]);
    world.run(world.now + 31 * SECOND);
    let again = twin::sqs::answer(&mut world, "ReceiveMessage", &params).unwrap();
    assert_eq!(first["Messages"][0]["MessageId"], again["Messages"][0]["MessageId"]);
}

#[test]
fn wrong_scenarios_say_what_is_wrong() {
    check_wrong("", "a scenario needs at least one [[version]]");
    check_wrong("[[version]]\npull = \"soon\"", "`soon` is no duration; write 500ms, 30s, 5m or 1h");
    check_wrong(
        "[deploy]\nat = \"1s\"\nimage = \"2\"\n[[version]]\nimage = \"1\"",
        "deploy.image `2` is the image of no version",
    );
    check_wrong("[[version]]\nimgae = \"1\"", "unknown field `imgae`");
}

fn check_wrong(text: &str, expected: &str) {
    let error = Scenario::parse(text).unwrap_err();
    assert!(error.contains(expected), "{error}");
}

fn at(name: &str, after: Millis) -> World {
    let scenario = Scenario::built_in(name).unwrap();
    let mut world = World::new(scenario, 1, BEGIN);
    world.run(BEGIN + after);
    world
}

fn ask(world: &World, action: &str, params: Value) -> Value {
    // The calls below only read, but share their entry with those that change.
    twin::ecs::answer(&mut world.clone(), action, &params).unwrap()
}

fn service(world: &World) -> Value {
    ask(world, "DescribeServices", json!({ "cluster": "shop", "services": ["web"] }))["services"][0].clone()
}

fn events(world: &World) -> Vec<String> {
    let service = service(world);
    let events = service["events"].as_array().unwrap();
    events.iter().map(|event| event["message"].as_str().unwrap().to_owned()).collect()
}

fn rollout(world: &World) -> Value {
    let listed = ask(world, "ListServiceDeployments", json!({ "cluster": "shop", "service": "web" }));
    let arn = listed["serviceDeployments"][0]["serviceDeploymentArn"].clone();
    let described = ask(world, "DescribeServiceDeployments", json!({ "serviceDeploymentArns": [arn] }));
    described["serviceDeployments"][0].clone()
}

fn stopped(world: &World) -> Vec<Value> {
    let listed = ask(world, "ListTasks", json!({ "cluster": "shop", "desiredStatus": "STOPPED" }));
    let arns = listed["taskArns"].as_array().unwrap();
    if arns.is_empty() {
        return Vec::new();
    }
    let described = ask(world, "DescribeTasks", json!({ "cluster": "shop", "tasks": arns }));
    described["tasks"].as_array().unwrap().clone()
}

fn stack_status(world: &World) -> &'static str {
    world.stack.as_ref().map_or("none", |stack| stack.status)
}

fn filter(world: &World, params: Value) -> Value {
    twin::logs::answer(world, "FilterLogEvents", &params, false, false).unwrap()
}

fn tasks_of_second_revision(world: &World) -> usize {
    world.tasks.iter().filter(|task| task.definition == 1 && task.exit_code == Some(1)).count()
}

fn picture(world: &World) -> String {
    let logs = filter(world, json!({ "logGroupName": "/ecs/web" }));
    let stack = format!("{:?}", world.stack);
    format!("{}{:?}{logs}{stack}{:?}", service(world), stopped(world), world.notices)
}
