//! Diagnoses of hand-made state, without any page.

use serde_json::{Value, json};
use std::sync::Arc;

use super::*;
use crate::matching::Prepared;
use crate::pattern::Book;
use crate::record::{Level, Record, Source, Stream};
use crate::words::Model;

const WEB: &str = "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:12";

fn without_pages() -> Patterns {
    Patterns::new(Book {
        patterns: Vec::new(),
        prepared: Prepared::default(),
        noise: Vec::new(),
        model: Model::default(),
    })
}

fn said(source: Source, level: Level, texts: &[&str]) -> Vec<Record> {
    let stream = Arc::new(Stream { name: "answers.json".to_owned(), source });
    let record = |(text, second): (&&str, i64)| Record {
        stream: stream.clone(),
        seq: second as u64,
        time: Timestamp::from_second(1_800_000_000 + second).ok(),
        source,
        level,
        text: (*text).to_owned(),
        body: None,
        line: 1,
        entity: None,
        deployment: None,
    };
    texts.iter().zip(1..).map(record).collect()
}

fn diagnosed(records: &[Record], parts: Value) -> Diagnosis {
    let mut known = serde_json::Map::new();
    for (name, items) in parts.as_object().unwrap() {
        known.insert(name.clone(), json!({ "known": items }));
    }
    let snapshot = serde_json::from_value(Value::Object(known)).unwrap();
    diagnose(&without_pages(), records, &snapshot, Vec::new())
}

/// A service whose two tasks run after a completed deployment.
fn service() -> Value {
    json!({
        "serviceArn": "arn:aws:ecs:eu-west-1:111122223333:service/prod/web", "serviceName": "web",
        "clusterArn": "arn:aws:ecs:eu-west-1:111122223333:cluster/prod", "status": "ACTIVE",
        "desiredCount": 2, "runningCount": 2, "pendingCount": 0, "launchType": "FARGATE", "taskDefinition": WEB,
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
        "deployments": [{"id": "ecs-svc/2", "status": "PRIMARY", "desiredCount": 2, "runningCount": 2,
            "taskDefinition": WEB, "rolloutState": "COMPLETED"}],
    })
}

fn definition() -> Value {
    json!({
        "taskDefinitionArn": WEB, "family": "web", "revision": 12, "status": "ACTIVE", "cpu": "512", "memory": "1024",
        "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "compatibilities": ["EC2", "FARGATE"],
        "executionRoleArn": "arn:aws:iam::111122223333:role/exec",
        "containerDefinitions": [{"name": "app", "essential": true, "cpu": 0,
            "image": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:v1"}],
    })
}

fn images(is_whole: bool) -> Value {
    json!([{"registryId": "111122223333", "repositoryName": "web", "imageTags": ["v2"], "ofWholeList": is_whole}])
}

const STEADY: &str = "(service web) has reached a steady state.";

/// Diagnoses a service of which something is changed; compares the verdict, the cause and the classes of the blockers.
#[track_caller]
fn check(
    change: impl Fn(&mut Value, &mut Value),
    events: &[&str],
    verdict: Verdict,
    cause: &str,
    blockers: &[&str],
) {
    let (mut service, mut definition) = (service(), definition());
    change(&mut service, &mut definition);
    let parts = json!({"services": [service], "taskDefinitions": [definition], "images": images(true)});
    let diagnosis = diagnosed(&said(Source::EcsServiceEvent, Level::Info, events), parts);
    let found = diagnosis.root_cause().map_or("", |root| root.cause.as_str());
    let next: Vec<&str> = diagnosis.blockers.iter().map(|blocker| blocker.class.as_str()).collect();
    assert_eq!((diagnosis.verdict, found, &next[..]), (verdict, cause, blockers), "{:?}", diagnosis.checks);
}

#[test]
fn what_runs_is_healthy_and_what_the_next_deployment_meets_is_told() {
    let healthy = |change: fn(&mut Value, &mut Value), blockers: &[&str]| {
        check(change, &[STEADY], Verdict::Healthy, "", blockers);
    };
    healthy(|_, _| {}, &["pipeline/image"]);
    healthy(
        |_, definition| definition["status"] = "INACTIVE".into(),
        &["application/configuration", "pipeline/image"],
    );
    healthy(
        |service, _| {
            service["deploymentConfiguration"] = json!({"maximumPercent": 100, "minimumHealthyPercent": 100})
        },
        &["infrastructure/service-startup", "pipeline/image"],
    );
    healthy(
        |service, _| service["networkConfiguration"] = Value::Null,
        &["application/configuration", "pipeline/image"],
    );
    healthy(|_, definition| definition["containerDefinitions"][0]["image"] = "web:v1".into(), &[]);
}

#[test]
fn without_deployments_in_the_answer_the_last_event_tells_that_it_runs() {
    let excerpt = |service: &mut Value, _: &mut Value| {
        service.as_object_mut().unwrap().remove("deployments");
        service["networkConfiguration"] = Value::Null;
    };
    check(excerpt, &[STEADY], Verdict::Healthy, "", &["pipeline/image"]);
    let failing = "(service web) was unable to place a task.";
    check(excerpt, &[STEADY, failing], Verdict::Failed, "pipeline/image/image-exists", &[]);
}

#[test]
fn what_does_not_run_is_not_refuted() {
    let fails = |change: fn(&mut Value, &mut Value), cause: &str, blockers: &[&str]| {
        check(change, &[STEADY], Verdict::Failed, cause, blockers);
    };
    let image = "pipeline/image/image-exists";
    fails(|service, _| service["deployments"][0]["runningCount"] = 1.into(), image, &[]);
    fails(|service, _| service["deployments"][0]["rolloutState"] = "IN_PROGRESS".into(), image, &[]);
    fails(
        |service, _| {
            service["desiredCount"] = 0.into();
            service["runningCount"] = 0.into();
            service["deployments"][0]["desiredCount"] = 0.into();
            service["deployments"][0]["runningCount"] = 0.into();
        },
        "application/configuration/desired-count-positive",
        &["pipeline/image"],
    );
    // A file that is still to be registered is no revision that runs.
    fails(
        |_, definition| {
            for name in ["taskDefinitionArn", "revision", "status", "compatibilities"] {
                definition.as_object_mut().unwrap().remove(name);
            }
        },
        image,
        &[],
    );
}

#[test]
fn a_list_of_images_that_was_cut_proves_nothing() {
    let parts = json!({"services": [service()], "taskDefinitions": [definition()], "images": images(false)});
    let diagnosis = diagnosed(&said(Source::EcsServiceEvent, Level::Info, &[STEADY]), parts.clone());
    assert_eq!((diagnosis.verdict, diagnosis.blockers), (Verdict::Healthy, Vec::new()));
    assert_eq!(diagnosed(&[], parts).verdict, Verdict::CannotTell);
}

#[test]
fn what_aws_did_not_find_is_a_gap() {
    let missing = "failure MISSING arn:aws:ecs:eu-west-1:111122223333:task/prod/0f9d";
    let records = said(Source::EcsServiceEvent, Level::Warn, &[missing]);
    let diagnosis = diagnosed(&records, json!({"tasks": []}));
    assert_eq!((diagnosis.verdict, diagnosis.findings), (Verdict::CannotTell, Vec::new()));
    let gaps: Vec<&str> = diagnosis.gaps.iter().map(|gap| gap.what.as_str()).collect();
    assert_eq!(gaps, ["task prod/0f9d"]);
    let full =
        said(Source::EcsServiceEvent, Level::Error, &["failure RESOURCE:MEMORY container-instance/prod/1"]);
    let diagnosis = diagnosed(&full, json!({"tasks": []}));
    assert_eq!((diagnosis.verdict, diagnosis.gaps.len()), (Verdict::Failed, 1), "{:?}", diagnosis.gaps);
}

#[test]
fn a_task_of_no_service_may_come_to_its_end() {
    let head = "task 0f9d STOPPED EssentialContainerExited: Essential container in task exited";
    let ended = |level: Level, containers: &str| {
        let text = format!("{head}\n{containers}");
        diagnosed(&said(Source::EcsStoppedTask, level, &[&text]), json!({})).verdict
    };
    assert_eq!(ended(Level::Info, "container job STOPPED exitCode=0"), Verdict::CannotTell);
    assert_eq!(ended(Level::Error, "container job STOPPED exitCode=0"), Verdict::Failed);
}

#[test]
fn what_evidence_counts_stands_once_in_the_timeline() {
    let refused = "(service web) was unable to place a task: error: the widget could not be placed";
    let records = said(Source::EcsServiceEvent, Level::Error, &[refused, "something else", refused, refused]);
    let diagnosis = diagnosed(&records, json!({}));
    let told: Vec<(&str, u64)> =
        diagnosis.timeline.iter().map(|entry| (entry.text.as_str(), entry.count)).collect();
    assert_eq!(told, [(refused, 3), ("something else", 1)]);
}

#[test]
fn what_a_stack_came_to_and_what_a_service_is_called_are_facts() {
    let events = [
        "UPDATE_IN_PROGRESS AWS::CloudFormation::Stack shop User Initiated",
        "UPDATE_FAILED AWS::ECS::Service Web Resource update cancelled",
        "UPDATE_ROLLBACK_IN_PROGRESS AWS::CloudFormation::Stack shop",
        "UPDATE_ROLLBACK_FAILED AWS::CloudFormation::Stack shop [Web]",
    ];
    let task = json!({
        "taskArn": "arn:aws:ecs:eu-west-1:111122223333:task/prod/0f9d", "taskDefinitionArn": WEB,
        "group": "service:web",
    });
    let records = said(Source::CfnStackEvent, Level::Info, &events);
    let facts = diagnosed(&records, json!({"tasks": [task]})).deployment;
    assert_eq!(facts.stack_status.as_deref(), Some("UPDATE_ROLLBACK_FAILED"));
    let names =
        [facts.cluster, facts.service, facts.task_definition, facts.stack, facts.region, facts.account];
    let names: Vec<&str> = names.iter().flatten().map(String::as_str).collect();
    assert_eq!(names, ["prod", "web", "web:12", "shop", "eu-west-1", "111122223333"]);
    assert!(facts.is_in_stack);
}

#[test]
fn the_revision_that_ran_before_is_known_though_it_is_not_described() {
    let mut failed = service();
    failed["deployments"] = json!([
        {"id": "ecs-svc/2", "status": "PRIMARY", "taskDefinition": WEB, "rolloutState": "FAILED"},
        {"id": "ecs-svc/1", "status": "ACTIVE", "taskDefinition": WEB.replace(":12", ":11"), "rolloutState": "COMPLETED"},
    ]);
    let diagnosis = diagnosed(&[], json!({"services": [failed]}));
    assert_eq!((diagnosis.changes, diagnosis.deployment.good.as_deref()), (None, Some("web:11")));
}
