use super::*;
use proptest::prelude::*;
use serde_json::json;

fn read_value(value: Value) -> Option<Described> {
    let stream = Arc::new(Stream { name: "answer.json".to_owned(), source: Source::Other });
    read(&value, &stream)
}

/// Compares the texts and levels of the records.
#[track_caller]
fn check(value: Value, expected: &[(&str, Level)]) -> Described {
    let described = read_value(value).expect("a known answer");
    let said: Vec<(&str, Level)> =
        described.records.iter().map(|one| (one.text.as_str(), one.level)).collect();
    assert_eq!(said, expected);
    let places: Vec<u64> = described.records.iter().map(|one| one.seq).collect();
    assert!(places.iter().copied().eq(1..=places.len() as u64), "{places:?}");
    described
}

#[track_caller]
fn check_task(fields: Value, text: &str, level: Level) {
    let mut task =
        json!({"taskArn": "arn:aws:ecs:eu-west-1:111122223333:task/prod/0123abcd", "lastStatus": "STOPPED"});
    for (name, value) in fields.as_object().expect("fields") {
        task[name] = value.clone();
    }
    check(json!({"tasks": [task], "failures": []}), &[(text, level)]);
}

#[test]
fn a_task_tells_who_ended_it() {
    check_task(
        json!({
            "stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited",
            "group": "service:web",
            "containers": [
                {"name": "app", "lastStatus": "STOPPED", "exitCode": 137, "reason": "OutOfMemoryError: Container killed"},
                {"name": "proxy", "lastStatus": "STOPPED", "exitCode": 0, "healthStatus": "UNKNOWN"},
            ],
        }),
        "task 0123abcd STOPPED EssentialContainerExited: Essential container in task exited\n\
         container app STOPPED exitCode=137 reason=OutOfMemoryError: Container killed\n\
         container proxy STOPPED exitCode=0",
        Level::Error,
    );
    let ended = |group: &str, code: i64| {
        json!({
            "stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited",
            "group": group,
            "containers": [
                {"name": "app", "lastStatus": "STOPPED", "exitCode": 0},
                {"name": "proxy", "lastStatus": "STOPPED", "exitCode": code},
            ],
        })
    };
    check_task(
        ended("family:job", 143),
        "task 0123abcd STOPPED EssentialContainerExited: Essential container in task exited\n\
         container app STOPPED exitCode=0\n\
         container proxy STOPPED exitCode=143\n\
         essential container exited with exit code 0: app",
        Level::Info,
    );
    check_task(
        ended("service:web", 0),
        "task 0123abcd STOPPED EssentialContainerExited: Essential container in task exited\n\
         container app STOPPED exitCode=0\n\
         container proxy STOPPED exitCode=0\n\
         essential container exited with exit code 0: app, proxy",
        Level::Error,
    );
    // What does not stop when it is told to is killed after a while; what is killed at once had not been told.
    let killed = |after: &str, more: &str, level: Level| {
        let mut fields = ended("family:job", 137);
        fields["stoppingAt"] = json!("2026-05-01T10:00:00Z");
        fields["executionStoppedAt"] = json!(after);
        let text = "task 0123abcd STOPPED EssentialContainerExited: Essential container in task exited\n\
             container app STOPPED exitCode=0\n\
             container proxy STOPPED exitCode=137";
        check_task(fields, &format!("{text}{more}"), level);
    };
    killed("2026-05-01T10:00:30Z", "\nessential container exited with exit code 0: app", Level::Info);
    killed("2026-05-01T10:00:01Z", "", Level::Error);
    check_task(
        ended("family:job", 1),
        "task 0123abcd STOPPED EssentialContainerExited: Essential container in task exited\n\
         container app STOPPED exitCode=0\n\
         container proxy STOPPED exitCode=1",
        Level::Error,
    );
    check_task(
        json!({"stopCode": "ServiceSchedulerInitiated", "stoppedReason": "Scaling activity initiated by (deployment ecs-svc/1)"}),
        "task 0123abcd STOPPED ServiceSchedulerInitiated: Scaling activity initiated by (deployment ecs-svc/1)",
        Level::Info,
    );
    check_task(
        json!({"stopCode": "ServiceSchedulerInitiated", "stoppedReason": "Task failed ELB health checks in (target-group tg)"}),
        "task 0123abcd STOPPED ServiceSchedulerInitiated: Task failed ELB health checks in (target-group tg)",
        Level::Error,
    );
    check_task(
        json!({"stopCode": "UserInitiated", "stoppedReason": "Task stopped by a person"}),
        "task 0123abcd STOPPED UserInitiated: Task stopped by a person",
        Level::Warn,
    );
}

#[test]
fn a_task_that_runs_well_says_nothing() {
    let task = json!({"taskArn": "task/prod/1", "lastStatus": "RUNNING", "startedBy": "ecs-svc/1",
        "containers": [{"name": "app", "lastStatus": "RUNNING", "healthStatus": "HEALTHY"}]});
    let described = check(json!([task]), &[]);
    assert_eq!(described.snapshot.tasks.items().len(), 1);
}

#[test]
fn a_service_tells_its_events_in_the_order_of_time() {
    let described = check(
        json!({"services": [{
            "serviceName": "error-reports", "serviceArn": "arn:aws:ecs:eu-west-1:111122223333:service/prod/error-reports",
            "deployments": [{"id": "ecs-svc/12", "status": "PRIMARY", "rolloutState": "FAILED", "desiredCount": 2,
                "runningCount": 0, "pendingCount": 0, "failedTasks": 3, "updatedAt": "2026-11-01T10:00:30.000000+00:00",
                "rolloutStateReason": "tasks failed to start"}],
            "events": [
                {"id": "b", "createdAt": 1793527220.5, "message": "(service error-reports) was unable to place a task."},
                {"id": "a", "createdAt": "2026-11-01T10:00:10Z", "message": "(service error-reports) has started 2 tasks: (task 1)."},
            ],
        }]}),
        &[
            ("(service error-reports) has started 2 tasks: (task 1).", Level::Info),
            ("(service error-reports) was unable to place a task.", Level::Error),
            (
                "deployment ecs-svc/12 PRIMARY rolloutState=FAILED desired=2 running=0 pending=0 failedTasks=3 tasks failed to start",
                Level::Error,
            ),
        ],
    );
    assert_eq!(described.records[2].deployment.as_deref(), Some("ecs-svc/12"));
    assert_eq!(described.records[0].entity.as_deref(), Some("error-reports"));
    assert_eq!(described.snapshot.deployment_ids(), ["ecs-svc/12"]);
}

#[test]
fn stack_events_are_turned_around() {
    let event = |id: &str, status: &str, reason: &str| {
        json!({"StackName": "web", "EventId": id, "LogicalResourceId": id, "ResourceType": "AWS::ECS::Service",
            "Timestamp": "2026-11-01T10:00:00Z", "ResourceStatus": status, "ResourceStatusReason": reason})
    };
    let events =
        json!([event("B", "ROLLBACK_IN_PROGRESS", ""), event("A", "CREATE_FAILED", "no such cluster")]);
    let expected = [
        ("CREATE_FAILED AWS::ECS::Service A no such cluster", Level::Error),
        ("ROLLBACK_IN_PROGRESS AWS::ECS::Service B", Level::Warn),
    ];
    check(json!({"StackEvents": events, "NextToken": null}), &expected);
    check(events, &expected);
}

#[test]
fn an_operation_tells_what_validation_found() {
    let event = json!({"EventId": "1", "StackId": "s", "OperationId": "o", "OperationType": "CREATE_CHANGESET",
        "EventType": "VALIDATION_ERROR", "LogicalResourceId": "Bucket", "ResourceType": "AWS::S3::Bucket",
        "ValidationStatus": "FAILED", "ValidationName": "NAME_CONFLICT_VALIDATION",
        "ValidationStatusReason": "the bucket exists", "ValidationPath": "/Resources/Bucket"});
    let text = "VALIDATION_ERROR FAILED AWS::S3::Bucket Bucket NAME_CONFLICT_VALIDATION the bucket exists at /Resources/Bucket";
    check(json!({"OperationEvents": [event]}), &[(text, Level::Error)]);
}

#[test]
fn a_scaling_activity_tells_once_why_it_failed() {
    let reason =
        "We currently do not have sufficient c7g.large capacity in the Availability Zone you requested.";
    let failed = json!({
        "ActivityId": "2", "AutoScalingGroupName": "workers", "StatusCode": "Failed", "StartTime": "2026-05-01T10:00:00Z",
        "Description": format!("Launching a new EC2 instance.  Status Reason: {reason}"), "StatusMessage": reason,
    });
    let cancelled = json!({
        "ActivityId": "1", "AutoScalingGroupName": "workers", "StatusCode": "Cancelled", "StartTime": "2026-05-01T09:00:00Z",
        "Description": "Launching a new EC2 instance", "StatusMessage": "Instance failed to complete user's Lifecycle Action",
    });
    let said = format!("scaling activity Failed Launching a new EC2 instance.  Status Reason: {reason}");
    check(
        json!({"Activities": [failed, cancelled]}),
        &[
            (
                "scaling activity Cancelled Launching a new EC2 instance Instance failed to complete user's Lifecycle Action",
                Level::Error,
            ),
            (&said, Level::Error),
        ],
    );
}

#[test]
fn a_target_tells_its_state() {
    let described = check(
        json!({"TargetHealthDescriptions": [{"Target": {"Id": "10.0.1.5", "Port": 3000}, "HealthCheckPort": "3000",
            "TargetHealth": {"State": "unhealthy", "Reason": "Target.Timeout", "Description": "Request timed out"}}]}),
        &[("10.0.1.5:3000 unhealthy Target.Timeout Request timed out", Level::Error)],
    );
    assert_eq!(described.records[0].source, Source::AlbTargetHealth);
}

#[test]
fn lines_of_a_log_group_keep_their_streams_and_times() {
    let event = |stream: &str, time: i64, message: &str| json!({"logStreamName": stream, "timestamp": time, "ingestionTime": time, "eventId": "1", "message": message});
    let first = "web/app/0123456789abcdef0123456789abcdef";
    let described = check(
        json!({"events": [event(first, 1793527202000, "ERROR: one\r\n  two\n"), event("other", 1793527201000, "zero")],
            "searchedLogStreams": []}),
        &[("zero", Level::Unknown), ("ERROR: one", Level::Error), ("  two", Level::Unknown)],
    );
    let record = &described.records[1];
    assert_eq!(record.stream.name, format!("answer.json#{first}"));
    assert_eq!(record.source, Source::ContainerLog);
    assert_eq!(record.entity.as_deref(), Some("0123456789abcdef0123456789abcdef"));
    assert_eq!(record.time.map(|time| time.to_string()).as_deref(), Some("2026-11-01T10:00:02Z"));
}

#[test]
fn events_are_told_once_and_tasks_by_their_last_version() {
    let task = |id: &str, version: i64, status: &str| {
        json!({"id": id, "source": "aws.ecs", "detail-type": "ECS Task State Change", "time": "2026-11-01T10:00:00Z",
            "detail": {"taskArn": "task/prod/1", "version": version, "lastStatus": status, "stopCode": "TaskFailedToStart"}})
    };
    let action = json!({"id": "x", "source": "aws.ecs", "detail-type": "ECS Service Action", "time": "2026-11-01T10:00:00Z",
        "resources": ["arn:aws:ecs:eu-west-1:111122223333:service/prod/web"],
        "detail": {"eventType": "ERROR", "eventName": "SERVICE_TASK_PLACEMENT_FAILURE", "reason": "RESOURCE:FARGATE"}});
    let failed = "(service web) SERVICE_TASK_PLACEMENT_FAILURE reason=RESOURCE:FARGATE";
    let events = json!([
        task("a", 6, "STOPPED"),
        action,
        task("b", 5, "DEPROVISIONING"),
        action,
        task("a", 6, "STOPPED")
    ]);
    check(events, &[(failed, Level::Error), ("task 1 STOPPED TaskFailedToStart", Level::Error)]);
}

#[test]
fn what_a_call_could_not_start_is_told() {
    let answer = json!({"tasks": [], "failures": [{"arn": "arn:aws:ecs:eu-west-1:111122223333:container-instance/a", "reason": "RESOURCE:MEMORY"}]});
    let text = "failure RESOURCE:MEMORY arn:aws:ecs:eu-west-1:111122223333:container-instance/a";
    let described = check(answer, &[(text, Level::Error)]);
    assert_eq!(described.snapshot.tasks, Part::Known(Vec::new()));
}

#[test]
fn only_a_list_of_images_that_was_not_cut_is_whole() {
    let image = json!({"registryId": "111122223333", "repositoryName": "web", "imageDigest": "sha256:0a", "imageTags": ["1.0"]});
    for (answer, is_whole) in [
        (json!({"imageDetails": [image]}), true),
        (json!({"imageDetails": [image], "nextToken": null}), true),
        (json!({"imageDetails": [image], "nextToken": "abc"}), false),
        (json!({"imageDetails": [image], "NextToken": "abc"}), false),
        (json!([image]), false),
        (image.clone(), false),
    ] {
        let described = check(answer.clone(), &[]);
        assert_eq!(described.snapshot.images.items()[0].of_whole_list, is_whole, "{answer}");
    }
}

#[test]
fn other_documents_are_not_known() {
    let others = [
        json!(null),
        json!([]),
        json!({}),
        json!({"message": "hello", "timestamp": 1793527202000_i64}),
        json!({"services": {"web": {"image": "nginx"}}}),
        json!({"tasks": [{"name": "install"}]}),
        json!({"tasks": [], "hosts": "all"}),
        json!({"events": []}),
        json!([{"taskArn": "task/prod/1", "lastStatus": "STOPPED"}, {"hello": 1}]),
        json!({"source": "aws.s3", "detail-type": "Object Created", "detail": {}}),
    ];
    for other in others {
        assert!(read_value(other.clone()).is_none(), "{other}");
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    const NAMES: [&str; 34] = [
        "services",
        "tasks",
        "taskDefinition",
        "containerDefinitions",
        "serviceDeployments",
        "StackEvents",
        "events",
        "TargetHealthDescriptions",
        "Target",
        "TargetHealth",
        "TargetGroupArn",
        "results",
        "failures",
        "serviceName",
        "serviceDeploymentArn",
        "taskArn",
        "lastStatus",
        "containers",
        "deployments",
        "id",
        "rolloutState",
        "message",
        "timestamp",
        "ingestionTime",
        "createdAt",
        "Timestamp",
        "LogicalResourceId",
        "ResourceStatus",
        "detail",
        "detail-type",
        "source",
        "StackName",
        "StackStatus",
        "field",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec![
            "",
            "aws.ecs",
            "ecs-svc/1",
            "(service",
            "é)",
            "ECS Task State Change",
            "1e400"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        let name = prop::sample::select(NAMES.to_vec()).prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..6).prop_map(|map| map.into_iter().collect::<Value>()),
        ]
    })
}

proptest! {
    #[test]
    fn no_document_makes_the_reader_panic(value in any_value()) {
        let _ = read_value(value);
    }
}
