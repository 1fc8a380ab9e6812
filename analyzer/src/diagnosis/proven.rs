//! What the described state proves of what pages met, and what it does not.

use serde_json::{Value, json};
use std::sync::Arc;

use super::*;
use crate::matching::Prepared;
use crate::pattern::{Book, Condition, Pattern, Role, Test, expressions};
use crate::record::{Level, Record, Source, Stream};
use crate::words::Model;

const TASK: &str = "c3a95e7f106b4d28a4f7129be8d0635c";
const NEXT: &str = "0d7b42c8e9f1436ab5e80c64f17d92a3";
const WEB: &str = "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:12";
const IMAGE: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:v1";
/// When the deployment began; times of records are seconds after it.
const BEGAN: i64 = 1_800_000_000;

fn page(id: &str, finds: &[&[&str]], confirm: &[&str]) -> Pattern {
    let condition = |find: &&[&str]| Condition {
        role: Role::Required,
        signal: None,
        sources: Vec::new(),
        test: Test::Find(find.iter().map(|one| (*one).to_owned()).collect()),
        within: None,
        after: false,
    };
    let class = id.rsplit_once('/').unwrap().0;
    Pattern {
        id: id.to_owned(),
        class: class.parse().unwrap(),
        title: id.to_owned(),
        severity: Severity::High,
        remedies: Vec::new(),
        explains: Vec::new(),
        confirm: confirm.iter().map(|check| check.parse().unwrap()).collect(),
        symptom: false,
        generic: false,
        elsewhere: false,
        differ: None,
        conditions: finds.iter().map(condition).collect(),
        variables: Vec::new(),
        what_happened: String::new(),
        what_to_do: String::new(),
    }
}

fn said(source: Source, stream: &str, second: i64, text: &str) -> Record {
    let task = text.split_whitespace().nth(1).filter(|_| source == Source::EcsStoppedTask);
    Record {
        stream: Arc::new(Stream { name: stream.to_owned(), source }),
        seq: (second + 1_000_000) as u64,
        time: Timestamp::from_second(BEGAN + second).ok(),
        source,
        level: if source == Source::ContainerLog { Level::Info } else { Level::Error },
        text: text.to_owned(),
        body: None,
        line: 1,
        entity: task.map(Arc::from),
        deployment: None,
    }
}

fn service(name: &str) -> Value {
    json!({
        "serviceArn": format!("arn:aws:ecs:eu-west-1:111122223333:service/prod/{name}"), "serviceName": name,
        "clusterArn": "arn:aws:ecs:eu-west-1:111122223333:cluster/prod", "status": "ACTIVE",
        "desiredCount": 2, "runningCount": 0, "pendingCount": 0, "launchType": "FARGATE",
        "taskDefinition": WEB.replace("web", name),
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
        "loadBalancers": [{"targetGroupArn": format!("tg/{name}/1"), "containerName": "app", "containerPort": 3000}],
        "deployments": [{"id": format!("ecs-svc/{name}"), "status": "PRIMARY", "desiredCount": 2, "runningCount": 0,
            "taskDefinition": WEB.replace("web", name), "rolloutState": "IN_PROGRESS", "createdAt": BEGAN}],
    })
}

fn definition(name: &str, image: &str) -> Value {
    json!({
        "taskDefinitionArn": WEB.replace("web", name), "family": name, "revision": 12, "status": "ACTIVE",
        "cpu": "512", "memory": "1024", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "compatibilities": ["EC2", "FARGATE"], "executionRoleArn": "arn:aws:iam::111122223333:role/exec",
        "containerDefinitions": [{"name": "app", "essential": true, "cpu": 0, "image": image,
            "portMappings": [{"containerPort": 3000, "hostPort": 3000, "protocol": "tcp"}]}],
    })
}

fn task(id: &str, more: Value) -> Value {
    let mut task = json!({
        "taskArn": format!("arn:aws:ecs:eu-west-1:111122223333:task/prod/{id}"), "taskDefinitionArn": WEB,
        "group": "service:web", "startedBy": "ecs-svc/web", "launchType": "FARGATE", "createdAt": BEGAN + 1,
    });
    task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    task
}

fn image(tag: &str, pushed: i64) -> Value {
    json!({"registryId": "111122223333", "repositoryName": "web", "imageTags": [tag], "ofWholeList": true,
        "imageDigest": format!("sha256:{tag}"), "imagePushedAt": BEGAN + pushed})
}

fn target(id: &str, group: &str, reason: &str) -> Value {
    json!({"TargetGroupArn": group, "Target": {"Id": id, "Port": 3000}, "HealthCheckPort": "3000",
        "TargetHealth": {"State": "unhealthy", "Reason": reason, "Description": "Health checks failed"}})
}

fn diagnosed(pages: &[Pattern], records: &[Record], parts: Value) -> Diagnosis {
    let patterns = Patterns::new(Book {
        prepared: Prepared::new(expressions(pages), &[]).unwrap(),
        patterns: pages.to_vec(),
        noise: Vec::new(),
        model: Model::default(),
    });
    let known: serde_json::Map<String, Value> = parts
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, items)| (name.clone(), json!({ "known": items })))
        .collect();
    let snapshot = serde_json::from_value(Value::Object(known)).unwrap();
    diagnose(&patterns, records, &snapshot, Vec::new())
}

/// Returns what became of a cause: its proof, or `ruled out`.
fn fate(diagnosis: &Diagnosis, cause: &str) -> String {
    if let Some(finding) = diagnosis.findings.iter().find(|finding| finding.cause == cause) {
        return format!("{:?}", finding.proof).to_lowercase();
    }
    let out = diagnosis.ruled_out.iter().any(|out| out.cause == cause);
    if out { "ruled out" } else { "not met" }.to_owned()
}

const TAG: &str = "pipeline/image/tag-not-found";
const PULL: &str = "pipeline/image/image-pull-failed";

/// Shows what ECS says of a task that could not pull, beside what is described.
#[track_caller]
fn check_pull(reason: &str, image_of_task: &str, parts: Value, expected: [&str; 2]) -> Diagnosis {
    let pages = [
        page(TAG, &[&["failed to resolve ref .{0,300}: not found"]], &["image-exists"]),
        page(PULL, &[&["CannotPullContainerError"]], &["image-exists", "image-reference-valid"]),
    ];
    let text = format!("task {TASK} STOPPED TaskFailedToStart: CannotPullContainerError: {reason}");
    let record = said(Source::EcsStoppedTask, "tasks.json", 120, &text);
    let mut known = json!({
        "services": [service("web")], "taskDefinitions": [definition("web", image_of_task)],
        "tasks": [task(TASK, json!({"lastStatus": "STOPPED", "stoppedAt": BEGAN + 120}))],
    });
    known.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
    let diagnosis = diagnosed(&pages, &[record], known);
    assert_eq!([fate(&diagnosis, TAG), fate(&diagnosis, PULL)], expected, "{:#?}", diagnosis.findings);
    diagnosis
}

fn not_found(image: &str) -> String {
    format!("failed to resolve ref {image}: {image}: not found")
}

#[test]
fn what_ecs_could_not_pull_was_not_there_whatever_is_listed_now() {
    // It was pushed too late, which says that ECS was right.
    let late = check_pull(
        &not_found(IMAGE),
        IMAGE,
        json!({"images": [image("v1", 1800)]}),
        ["confirmed", "confirmed"],
    );
    let told = format!("{:?}", late.findings[0].proof_checks);
    assert!(told.contains("imagePushedAt") && told.contains("was pushed after it was not found"), "{told}");
    assert!(late.blockers.is_empty(), "{:?}", late.blockers);
    // A tag may be given to an image that has been there for long.
    check_pull(&not_found(IMAGE), IMAGE, json!({"images": [image("v1", -9000)]}), ["unchecked", "unchecked"]);
    check_pull("something odd", IMAGE, json!({"images": [image("v1", -9000)]}), ["not met", "unchecked"]);
    check_pull(&not_found(IMAGE), IMAGE, json!({"images": [image("v2", 0)]}), ["confirmed", "confirmed"]);
    check_pull(&not_found(IMAGE), IMAGE, json!({}), ["unchecked", "unchecked"]);
    // Another image than the one of the task definition, and another region.
    let other = IMAGE.replace("web:v1", "side:v7");
    check_pull(&not_found(&other), IMAGE, json!({"images": [image("v2", 0)]}), ["unchecked", "unchecked"]);
    let far = IMAGE.replace("eu-west-1", "us-east-1");
    check_pull(&not_found(&far), &far, json!({"images": [image("v2", 0)]}), ["unchecked", "unchecked"]);
    check_pull(&not_found(&far), &far, json!({"images": [image("v1", 1800)]}), ["unchecked", "unchecked"]);
    // A tag is there, and the digest that it was resolved to is not.
    let pinned = format!("{}@sha256:{}", IMAGE.trim_end_matches(":v1"), "0a".repeat(32));
    check_pull(
        &not_found(&pinned),
        IMAGE,
        json!({"images": [image("v1", 1800)]}),
        ["unchecked", "unchecked"],
    );
}

#[test]
fn a_task_that_pulled_the_image_since_shows_that_it_is_there() {
    let started = |second: i64, definition: &str| {
        let stopped = task(TASK, json!({"lastStatus": "STOPPED", "stoppedAt": BEGAN + 120}));
        let next = task(NEXT, json!({"startedAt": BEGAN + second, "taskDefinitionArn": definition}));
        json!({"images": [image("v1", 200)], "tasks": [stopped, next]})
    };
    let is_out = check_pull(&not_found(IMAGE), IMAGE, started(300, WEB), ["ruled out", "ruled out"]);
    assert!(
        is_out.ruled_out.iter().all(|out| out.because.contains("could pull them since")),
        "{:?}",
        is_out.ruled_out
    );
    check_pull(&not_found(IMAGE), IMAGE, started(60, WEB), ["confirmed", "confirmed"]);
    check_pull(&not_found(IMAGE), IMAGE, started(300, &WEB.replace("12", "11")), ["confirmed", "confirmed"]);
}

#[test]
fn a_task_that_ran_refutes_for_tasks_that_are_described() {
    const FORMAT: &str = "application/startup-health/exec-format-error";
    let pages = [page(FORMAT, &[&["exec format error"]], &["image-architecture-matches"])];
    let line = said(Source::ContainerLog, &format!("ecs/app/{NEXT}"), 90, "exec /app: exec format error");
    let line = Record { level: Level::Error, ..line };
    let ran = |digest: &str, more: Value| {
        let mut container = json!({"name": "app", "imageDigest": digest});
        container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"containers": [container]})
    };
    let healthy = task(TASK, ran("sha256:1", json!({"healthStatus": "HEALTHY"})));
    let failed = |digest: &str| task(NEXT, ran(digest, json!({"exitCode": 255})));
    for (tasks, expected) in [
        (vec![healthy.clone(), failed("sha256:2")], "unchecked"),
        (vec![healthy.clone(), failed("sha256:1")], "ruled out"),
        (vec![healthy.clone()], "unchecked"),
    ] {
        let parts = json!({
            "services": [service("web")], "taskDefinitions": [definition("web", IMAGE)], "tasks": tasks,
        });
        let diagnosis = diagnosed(&pages, std::slice::from_ref(&line), parts);
        assert_eq!(fate(&diagnosis, FORMAT), expected, "{tasks:?}");
    }
}

#[test]
fn a_service_that_was_scaled_to_none_failed_for_another_reason() {
    let zero = |more: Value, tasks: Value| {
        let mut zero = service("web");
        zero["desiredCount"] = 0.into();
        zero["deployments"][0]["desiredCount"] = 0.into();
        zero["deployments"][0].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let steady = "(service web) has reached a steady state.";
        let steady =
            Record { level: Level::Info, ..said(Source::EcsServiceEvent, "services.json", 900, steady) };
        let parts =
            json!({"services": [zero], "taskDefinitions": [definition("web", IMAGE)], "tasks": tasks});
        let diagnosis = diagnosed(&[], &[steady], parts);
        let next: Vec<&str> = diagnosis.blockers.iter().map(|blocker| blocker.class.as_str()).collect();
        (diagnosis.verdict, next.join(" "))
    };
    let completed = json!({"rolloutState": "COMPLETED", "updatedAt": BEGAN + 4});
    let ran = json!([task(
        TASK,
        json!({"stoppedReason": "Scaling activity initiated by (deployment ecs-svc/web)"})
    )]);
    assert_eq!(zero(completed.clone(), json!([])), (Verdict::Failed, String::new()));
    assert_eq!(zero(completed, ran), (Verdict::Healthy, "application/configuration".to_owned()));
    let later = json!({"rolloutState": "COMPLETED", "updatedAt": BEGAN + 300});
    assert_eq!(zero(later, json!([])), (Verdict::Healthy, "application/configuration".to_owned()));
}

const LOCAL: &str = "application/port-binding/listens-on-localhost";
const OTHER: &str = "application/port-binding/listens-on-another-port";
const UNHEALTHY: &str =
    "(service web) (port 3000) is unhealthy in (target-group tg/web/1) due to (reason Health checks failed)";

/// Shows lines of a task, and an event of the service; asks what became of the page about the loopback interface,
/// and of that about another port.
#[track_caller]
fn check_listens(lines: &[&str], expected: [&str; 2]) {
    let records = lines
        .iter()
        .zip(10..)
        .map(|(line, second)| said(Source::ContainerLog, &format!("ecs/app/{TASK}"), second, line));
    check_listening(records.collect(), UNHEALTHY, expected);
}

#[track_caller]
fn check_listening(mut records: Vec<Record>, event: &str, expected: [&str; 2]) {
    let unhealthy = "is unhealthy in";
    let pages = [
        page(
            LOCAL,
            &[&["(?i)listening on.{0,20}(?:127\\.0\\.0\\.1|localhost):\\d+"], &[unhealthy]],
            &["target-health"],
        ),
        page(OTHER, &[&["(?i)listening on.{0,20}8080"], &[unhealthy]], &["target-health"]),
    ];
    records.push(said(Source::EcsServiceEvent, "services.json", 540, event));
    let parts = json!({
        "services": [service("web")], "taskDefinitions": [definition("web", IMAGE)],
        "targetHealth": [target("10.0.1.5", "tg/web/1", "Target.FailedHealthChecks")],
    });
    let diagnosis = diagnosed(&pages, &records, parts);
    assert_eq!([fate(&diagnosis, LOCAL), fate(&diagnosis, OTHER)], expected, "{:?}", diagnosis.ruled_out);
}

#[test]
fn a_server_on_the_loopback_interface_is_the_one_that_is_asked_or_the_only_one() {
    check_listens(&["listening on 127.0.0.1:3000"], ["confirmed", "not met"]);
    check_listens(&["listening on http://localhost:5000"], ["confirmed", "not met"]);
    check_listens(
        &["listening on 127.0.0.1:3000", "worker listening on 0.0.0.0:4000"],
        ["confirmed", "not met"],
    );
    check_listens(&["metrics listening on 127.0.0.1:9100"], ["ruled out", "not met"]);
    check_listens(&["admin listening on 127.0.0.1:3000"], ["confirmed", "not met"]);
    check_listens(&["statsd agent listening on 127.0.0.1:8125/udp"], ["ruled out", "not met"]);
    check_listens(&["syslog listening on udp 127.0.0.1:3000"], ["ruled out", "not met"]);
    check_listens(
        &["worker listening on 127.0.0.1:9100", "server listening on :4000"],
        ["ruled out", "not met"],
    );
    for line in [
        "listening on 0.0.0.0:3000",
        "HTTP server listening on :3000",
        "Server listening on [::]:3000",
        "listening on *:3000",
        "Listening on tcp://0.0.0.0:3000",
        "server listening on port 3000",
        "Listening on http://10.0.1.5:3000",
        "Tomcat started on port(s): 3000 (http)",
    ] {
        check_listens(&["worker listening on 127.0.0.1:9100", line], ["ruled out", "not met"]);
        check_listens(&["listening on 127.0.0.1:3000", line], ["ruled out", "not met"]);
    }
}

#[test]
fn another_port_explains_silence_only_where_nothing_listens_on_the_one_that_is_asked() {
    check_listens(&["Server listening on port 8080"], ["not met", "confirmed"]);
    check_listens(&["Server listening on port 8080", "listening on :4000"], ["not met", "confirmed"]);
    check_listens(&["admin server listening on port 8080"], ["not met", "ruled out"]);
    for line in
        ["HTTP server listening on :3000", "Netty started on port 3000", "listening on http://localhost:3000"]
    {
        let mut expected = ["not met", "ruled out"];
        // What only programs of the task can reach is on the right port, at least.
        if line.contains("localhost") {
            expected[0] = "confirmed";
        }
        check_listens(&["Server listening on port 8080", line], expected);
    }
    // A target that answers with an error is not silent.
    let line = said(Source::ContainerLog, "web.log", 10, "Server listening on port 8080");
    let code = UNHEALTHY.replace("failed)", "failed with these codes: [503])");
    check_listening(vec![line], &code, ["not met", "ruled out"]);
}

#[test]
fn a_log_of_a_task_before_the_deployment_says_nothing_about_it() {
    let line = |stream: &str, second: i64| {
        vec![said(Source::ContainerLog, stream, second, "Server listening on port 8080")]
    };
    let of_task = format!("ecs/app/{NEXT}");
    check_listening(line(&of_task, 20), UNHEALTHY, ["not met", "confirmed"]);
    check_listening(line(&of_task, -100_800), UNHEALTHY, ["not met", "ruled out"]);
    check_listening(line("web.log", -100_800), UNHEALTHY, ["not met", "ruled out"]);
    // Without a name of a task, the time may be that of another zone.
    check_listening(line("web.log", -36_000), UNHEALTHY, ["not met", "confirmed"]);
}

#[test]
fn a_target_of_another_service_or_ill_for_another_reason_confirms_nothing() {
    const CODE: &str = "application/startup-health/health-check-server-error";
    let pages = [page(CODE, &[&["failed with these codes"]], &["target-health"])];
    let event = UNHEALTHY.replace("failed)", "failed with these codes: [503])");
    let event = said(Source::EcsServiceEvent, "services.json", 540, &event);
    let code = "Target.ResponseCodeMismatch";
    for (group, reason, record, expected) in [
        ("tg/web/1", code, event.clone(), "confirmed"),
        ("tg/api/1", code, event.clone(), "unchecked"),
        ("tg/web/1", "Target.Timeout", event.clone(), "unchecked"),
        (
            "tg/web/1",
            code,
            Record { time: Timestamp::from_second(BEGAN - 9000).ok(), ..event.clone() },
            "unchecked",
        ),
    ] {
        let parts = json!({
            "services": [service("web"), service("api")], "targetHealth": [target("10.0.1.5", group, reason)],
        });
        assert_eq!(fate(&diagnosed(&pages, &[record], parts), CODE), expected, "{group} {reason}");
    }
}

#[test]
fn a_check_of_another_revision_than_that_of_the_task_confirms_nothing() {
    const MEMORY: &str = "infrastructure/capacity/container-out-of-memory";
    let pages = [page(MEMORY, &[&["OutOfMemoryError"]], &["container-memory-fits"])];
    let text = format!("task {TASK} STOPPED EssentialContainerExited: OutOfMemoryError: Container killed");
    let record = said(Source::EcsStoppedTask, "tasks.json", 120, &text);
    for (revision, expected) in [("12", "confirmed"), ("11", "unchecked")] {
        let mut big = definition("web", IMAGE);
        big["containerDefinitions"][0]["memory"] = 4096.into();
        let of_revision = task(TASK, json!({"taskDefinitionArn": WEB.replace("12", revision)}));
        let parts = json!({"services": [service("web")], "taskDefinitions": [big], "tasks": [of_revision]});
        assert_eq!(
            fate(&diagnosed(&pages, std::slice::from_ref(&record), parts), MEMORY),
            expected,
            "{revision}"
        );
    }
}
