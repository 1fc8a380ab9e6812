use super::*;
use crate::snapshot::{Snapshot, TaskDefinition};

/// Reads a snapshot: a service as JSON, and the containers of revisions.
fn snapshot(service: &str, definitions: &[(i64, &str)]) -> Snapshot {
    let mut snapshot: Snapshot = match service {
        "" => Snapshot::default(),
        service => serde_json::from_str(&format!(r#"{{"services": {{"known": [{service}]}}}}"#)).unwrap(),
    };
    let definitions = definitions.iter().map(|(revision, more)| definition(*revision, more)).collect();
    snapshot.task_definitions = crate::snapshot::Part::Known(definitions);
    snapshot
}

fn definition(revision: i64, more: &str) -> TaskDefinition {
    let comma = if more.is_empty() { "" } else { "," };
    let text = format!(
        r#"{{"taskDefinitionArn": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:{revision}", "family": "web",
            "revision": {revision}{comma}{more}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn lines(changes: &Changes) -> Vec<String> {
    let line = |change: &Change| {
        format!("{} {} {}", change.container.as_deref().unwrap_or("-"), change.what, change.values())
    };
    changes.items.iter().map(line).collect()
}

#[track_caller]
fn check(old: &str, new: &str, expected: &[&str]) {
    let changes = since_last_good(&snapshot("", &[(1, old), (2, new)]), Remembered::default()).unwrap();
    assert_eq!((changes.from.as_str(), changes.to.as_str()), ("web:1", "web:2"));
    assert_eq!(lines(&changes), expected);
}

fn container(more: &str) -> String {
    format!(r#""containerDefinitions": [{{"name": "app", "image": "shop/web:1"{more}}}]"#)
}

#[test]
fn what_a_task_is_made_of_is_compared() {
    check(r#""cpu": "256", "memory": 512"#, r#""cpu": 256, "memory": "1024""#, &["- task memory 512 → 1024"]);
    check(
        r#""containerDefinitions": [{"name": "app", "image": "r:5000/web:1"}]"#,
        r#""containerDefinitions": [{"name": "app", "image": "r:5000/web:2"}, {"name": "proxy", "image": "envoy"}]"#,
        &["app image tag 1 → 2", "proxy container added: envoy"],
    );
    check(
        &container(r#", "portMappings": [{"containerPort": 80}], "command": ["serve", "--port", "80"]"#),
        &container(r#", "portMappings": [{"containerPort": 8080, "hostPort": 0}], "command": ["serve"]"#),
        &["app command serve --port 80 → serve", "app port mappings 80/tcp → 8080/tcp"],
    );
    check(
        &container(r#", "healthCheck": {"command": ["CMD", "true"], "retries": 3}"#),
        &container(r#", "healthCheck": {"command": ["CMD", "true"], "retries": 1, "startPeriod": 5}"#),
        &["app health check retries 3 → 1", "app health check start period added: 5 s"],
    );
    check(
        &container(r#", "secrets": [{"name": "DB", "valueFrom": "arn:a"}]"#),
        &container(
            r#", "secrets": [{"name": "DB", "valueFrom": "arn:b"}, {"name": "KEY", "valueFrom": "arn:c"}]"#,
        ),
        &["app secret DB arn:a → arn:b", "app secret KEY added: arn:c"],
    );
    check(&container(""), &container(""), &[]);
}

#[track_caller]
fn check_environment(old: &str, new: &str, expected: &[&str]) {
    let environment = |variables: &str| container(&format!(r#", "environment": [{variables}]"#));
    check(&environment(old), &environment(new), expected);
}

#[test]
fn a_value_that_may_be_secret_is_never_told() {
    check_environment(
        r#"{"name": "PORT", "value": "80"}, {"name": "DEBUG", "value": "false"}"#,
        r#"{"name": "PORT", "value": "8080"}, {"name": "MODE", "value": "fast lane"}"#,
        &[
            "app environment variable MODE added",
            "app environment variable PORT 80 → 8080",
            "app environment variable DEBUG removed, was false",
        ],
    );
    check_environment(
        r#"{"name": "DB_HOST", "value": "db-1.internal"}"#,
        r#"{"name": "DB_HOST", "value": "db-2.internal"}"#,
        &["app environment variable DB_HOST has another value"],
    );
    // Neither the secret nor that it changed: a mark of it would tell something of it.
    for (name, old, new) in [
        ("DB_PASSWORD", "hunter2", "hunter3"),
        ("DOOR_PIN", "1234", "4321"),
        ("DATABASE_URL", "postgres://web:hunter2@db/shop", "postgres://web:hunter3@db/shop"),
    ] {
        let of = |value: &str| format!(r#"{{"name": "{name}", "value": "{value}"}}"#);
        check_environment(&of(old), &of(new), &[]);
    }
}

#[test]
fn what_may_hold_a_secret_is_not_told() {
    let secret =
        |value: &str| container(&format!(r#", "secrets": [{{"name": "DB", "valueFrom": "{value}"}}]"#));
    check(&secret("hunter2 one"), &secret("hunter2 two"), &["app secret DB has another value"]);
    check(&secret("hunter2"), &secret("arn:aws:ssm:x"), &["app secret DB has another value"]);
    check(&container(""), &secret("hunter2"), &["app secret DB added"]);
    check(&secret("hunter2"), &container(""), &["app secret DB removed"]);
    check(&secret("/prod/a"), &secret("/prod/b"), &["app secret DB /prod/a → /prod/b"]);
    let option = |name: &str, value: &str| {
        container(&format!(
            r#", "logConfiguration": {{"logDriver": "splunk", "options": {{"{name}": "{value}"}}}}"#
        ))
    };
    // What is called a secret is removed when it is read, so not even a change is seen.
    for name in ["splunk-token", "apikey", "License_Key", "http_Passwd"] {
        check(&option(name, "hunter2"), &option(name, "hunter3"), &[]);
    }
    for name in ["Header", "URI", "splunk-url"] {
        check(
            &option(name, "hunter2"),
            &option(name, "hunter3"),
            &[&format!("app log option {name} has another value")],
        );
    }
    check(
        &container(""),
        &option("splunk-token", "hunter2"),
        &["app log option driver added: splunk", "app log option splunk-token added"],
    );
    check(
        &option("awslogs-group", "/ecs/a"),
        &option("awslogs-group", "/ecs/b"),
        &["app log option awslogs-group /ecs/a → /ecs/b"],
    );
    let image = |image: &str| format!(r#""containerDefinitions": [{{"name": "app", "image": "{image}"}}]"#);
    check(
        &image("u:hunter2@r.internal/web:1"),
        &image("u:hunter3@r.internal/web:2"),
        &["app image has another value"],
    );
    check(&image("r/web@sha256:aa"), &image("r/web@sha256:bb"), &["app image digest sha256:aa → sha256:bb"]);
}

#[test]
fn a_secret_in_a_command_is_gone_when_it_is_read() {
    let with = |password: &str| container(&format!(r#", "command": ["run", "--db-password={password}"]"#));
    let read = snapshot("", &[(1, &with("hunter2aaa")), (2, &with("hunter2bbb"))]);
    assert!(!format!("{read:?}").contains("hunter2"), "{read:?}");
}

const ROLLED_BACK: &str = r#"{"serviceName": "web", "deployments": [
    {"id": "ecs-svc/3", "status": "PRIMARY", "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:1", "rolloutState": "IN_PROGRESS"},
    {"id": "ecs-svc/2", "status": "ACTIVE", "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:2", "rolloutState": "FAILED"}]}"#;
const UNDER_WAY: &str = r#"{"serviceName": "web", "deployments": [
    {"id": "ecs-svc/2", "status": "PRIMARY", "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:3", "rolloutState": "IN_PROGRESS"},
    {"id": "ecs-svc/1", "status": "ACTIVE", "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:1", "rolloutState": "COMPLETED"}]}"#;
const SETTLED: &str = r#"{"serviceName": "web", "deployments": [
    {"id": "ecs-svc/1", "status": "PRIMARY", "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:1", "rolloutState": "COMPLETED"}]}"#;

#[track_caller]
fn check_choice(
    service: &str,
    described: &[i64],
    remembered: Remembered<'_>,
    expected: Option<(&str, &str, Basis)>,
) {
    let definitions: Vec<(i64, &str)> = described.iter().map(|revision| (*revision, "")).collect();
    let changes = since_last_good(&snapshot(service, &definitions), remembered);
    let found = changes.as_ref().map(|changes| (changes.from.as_str(), changes.to.as_str(), changes.basis));
    assert_eq!(found, expected);
}

#[test]
fn the_two_revisions_are_those_of_the_deployment_and_of_the_one_before() {
    let unknown = Remembered::default();
    check_choice(ROLLED_BACK, &[1, 2], unknown, Some(("web:1", "web:2", Basis::WentBack)));
    check_choice(UNDER_WAY, &[1, 2, 3], unknown, Some(("web:1", "web:3", Basis::RanBefore)));
    check_choice(SETTLED, &[1, 2], unknown, Some(("web:1", "web:2", Basis::WentBack)));
    check_choice(SETTLED, &[1], unknown, None);
    check_choice("", &[4, 7], unknown, Some(("web:4", "web:7", Basis::RevisionBefore)));
    check_choice(UNDER_WAY, &[], unknown, None);
    let remembered = Remembered { deployed: Some("web:3"), good: Some("web:2") };
    check_choice(UNDER_WAY, &[2, 3], remembered, Some(("web:2", "web:3", Basis::Recorded)));
    let same = Remembered { deployed: Some("web:3"), good: Some("web:3") };
    check_choice(UNDER_WAY, &[3], same, Some(("web:3", "web:3", Basis::Recorded)));
}

#[test]
fn a_revision_that_is_not_described_is_named() {
    let changes = since_last_good(&snapshot(UNDER_WAY, &[(3, "")]), Remembered::default()).unwrap();
    assert_eq!(changes.not_described, ["web:1"]);
    assert!(changes.says().contains("`web:1` is not described"), "{}", changes.says());
}
