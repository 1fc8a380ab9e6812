//! What changed since the last good deployment is in every report, and no value that may be secret is.

use analyzer::diagnosis::{Diagnosis, Verdict};
use analyzer::snapshot::Snapshot;
use reports::{Format, Guide};

use crate::given::{book, renderings};

const SERVICE: &str = r#"{"services": [{"serviceName": "web", "clusterArn": "arn:aws:ecs:eu-west-1:111122223333:cluster/prod",
    "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:12", "desiredCount": 2, "runningCount": 2,
    "deployments": [
        {"id": "ecs-svc/2", "status": "PRIMARY", "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:12",
         "rolloutState": "IN_PROGRESS", "desiredCount": 2, "runningCount": 0, "failedTasks": 4},
        {"id": "ecs-svc/1", "status": "ACTIVE", "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:11",
         "rolloutState": "COMPLETED", "desiredCount": 2, "runningCount": 2}]}]}"#;

fn definition(revision: u32, tag: &str, host: &str, token: &str) -> String {
    format!(
        r#"{{"taskDefinition": {{"taskDefinitionArn": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:{revision}",
            "family": "web", "revision": {revision}, "memory": "512", "containerDefinitions": [{{"name": "app", "image": "shop/web:{tag}",
            "command": ["serve", "--db-host", "{host}"],
            "environment": [{{"name": "DB_HOST", "value": "{host}"}}, {{"name": "API_TOKEN", "value": "{token}"}}]}}]}}}}"#
    )
}

const LOG: &str = "2026-05-01T10:00:00Z ERROR Error: getaddrinfo ENOTFOUND db-2.internal\n";

fn diagnosed(files: &[(&str, &str)]) -> Diagnosis {
    let mut study = analyzer::Study::new(book());
    let mut snapshot = Snapshot::default();
    for (name, text) in files {
        let read = medic::formats::read_text(name, None, text);
        study.observe(&read.records);
        snapshot.merge(read.snapshot);
    }
    study.conclude(&snapshot, Vec::new())
}

#[test]
fn every_report_says_what_changed_and_none_what_is_secret() {
    let old = definition(11, "1.4.0", "db-1.internal", "firstvalue77");
    let new = definition(12, "1.5.0", "db-2.internal", "othervalue88");
    let files =
        [("services.json", SERVICE), ("old.json", &old), ("new.json", &new), ("web.container-log.log", LOG)];
    let diagnosis = diagnosed(&files);
    for (format, text) in renderings(&diagnosis) {
        let text = text.replace(['\u{2060}', '\\'], "");
        assert!(text.contains("What changed") || format == Format::Json, "{format:?}: {text}");
        for word in ["1.4.0", "1.5.0", "web:11", "web:12"] {
            assert!(text.contains(word), "{format:?} says nothing of {word}: {text}");
        }
        assert!(!text.contains("firstvalue77") && !text.contains("othervalue88"), "{format:?}: {text}");
    }
    let guide = Guide::new(&diagnosis, book());
    let changes = guide.changes.expect("two revisions are known");
    let lines: Vec<String> = changes.items.iter().map(reports::guide::ChangedField::line).collect();
    let expected = [
        "app: image tag 1.4.0 → 1.5.0",
        "app: command serve --db-host db-1.internal → serve --db-host db-2.internal",
        "app: environment variable DB_HOST has another value",
    ];
    assert_eq!(lines, expected);
    let named: Vec<bool> = changes.items.iter().map(|item| item.is_named).collect();
    assert_eq!(named, [false, true, false], "the root cause names the host");
}

#[test]
fn a_healthy_deployment_has_nothing_to_compare_and_one_revision_neither() {
    let old = definition(11, "1.4.0", "db-1.internal", "x");
    let diagnosis = diagnosed(&[("old.json", &old), ("web.container-log.log", LOG)]);
    assert_eq!(Guide::new(&diagnosis, book()).changes, None);
    let new = definition(12, "1.5.0", "db-2.internal", "x");
    let settled = r#"{"services": [{"serviceName": "web", "desiredCount": 1, "runningCount": 1, "deployments": [
        {"id": "ecs-svc/2", "status": "PRIMARY", "taskDefinition": "web:12", "rolloutState": "COMPLETED"}], "events": [
        {"id": "e", "createdAt": "2026-05-01T10:00:00Z", "message": "(service web) has reached a steady state."}]}]}"#;
    let diagnosis = diagnosed(&[("old.json", &old), ("new.json", &new), ("services.json", settled)]);
    assert_eq!(diagnosis.verdict, Verdict::Healthy);
    assert_eq!(Guide::new(&diagnosis, book()).changes, None);
}

#[test]
fn commands_are_completed_with_what_is_known() {
    let diagnosis = diagnosed(&[("services.json", SERVICE), ("web.container-log.log", LOG)]);
    let guide = Guide::new(&diagnosis, book());
    let verify: Vec<&str> = guide.remedies.iter().filter_map(|remedy| remedy.verify.as_deref()).collect();
    assert!(verify.contains(&"medic watch --cluster prod --service web"), "{verify:?}");
}
