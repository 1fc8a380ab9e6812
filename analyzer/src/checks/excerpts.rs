//! An excerpt of an answer, such as `--query` prints, proves nothing by what it leaves out.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::task_definition::tests::{SENSIBLE, changed, check};
use super::{Check, CheckResult};
use crate::snapshot::Snapshot;

/// Returns the sensible state, changed by hand.
fn sensible(from: &str, to: &str) -> Value {
    let parts = changed(from, to);
    let known = parts.iter().map(|(name, items)| format!(r#""{name}": {{"known": {items}}}"#));
    serde_json::from_str(&format!("{{{}}}", known.collect::<Vec<_>>().join(","))).unwrap()
}

/// Leaves members out, whichever the bits say, and everything in `always`.
fn leave_out(object: &mut Map<String, Value>, bits: u64, always: &[&str]) {
    let mut number = 0;
    object.retain(|name, _| {
        number += 1;
        !always.contains(&name.as_str()) && bits & (1 << number) == 0
    });
}

fn objects(value: &mut Value) -> Vec<&mut Map<String, Value>> {
    value.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut).collect()
}

fn violated(state: Value) -> Vec<CheckResult> {
    let snapshot: Snapshot = serde_json::from_value(state).unwrap();
    // That a target is ill is no setting.
    let results = Check::ALL.iter().flat_map(|check| check.run(&snapshot));
    results.filter(|result| result.is_violated() && !result.check.is_state()).collect()
}

proptest! {
    #[test]
    fn nothing_is_violated_by_what_an_excerpt_leaves_out(
        of_service in any::<u64>(), of_definition in any::<u64>(), of_container in any::<u64>(), of_parts in any::<u64>(),
        side in any::<bool>(),
    ) {
        let mut state = sensible(
            r#"[{"name": "app", "essential": true, "cpu": 0,"#,
            r#"[{"name": "db", "image": "postgres:17", "cpu": 0, "essential": false, "portMappings": [],
                "healthCheck": {"command": ["CMD", "true"], "interval": 30, "timeout": 5, "retries": 3}},
                {"name": "app", "dependsOn": [{"containerName": "db", "condition": "HEALTHY"}],
                "memory": 256, "essential": true, "cpu": 0,"#,
        );
        state["targetGroups"]["known"][0]["HealthCheckPort"] = "8080".into();
        state["targetHealth"] = json!({"known": [
            {"TargetGroupArn": "tg/web/1", "Target": {"Id": "10.0.1.5", "Port": 8080}, "TargetHealth": {"State": "unhealthy"}},
        ]});
        for service in objects(&mut state["services"]["known"]) {
            leave_out(service, of_service, &["clusterArn"]);
        }
        let definition = &mut state["taskDefinitions"]["known"][0];
        for container in objects(&mut definition["containerDefinitions"]) {
            for part in ["portMappings", "secrets"] {
                container.get_mut(part).map(objects).into_iter().flatten().for_each(|one| leave_out(one, of_parts, &[]));
            }
            for part in ["healthCheck", "logConfiguration"] {
                let part = container.get_mut(part).and_then(Value::as_object_mut);
                part.into_iter().for_each(|part| leave_out(part, of_parts, &[]));
            }
            leave_out(container, of_container, &["cpu"]);
        }
        let containers = definition["containerDefinitions"].as_array_mut().unwrap();
        if side {
            containers.pop();
        }
        leave_out(definition.as_object_mut().unwrap(), of_definition, &["compatibilities"]);
        // Without both it would be a file.
        definition["revision"] = 12.into();
        let found = violated(state.clone());
        prop_assert!(found.is_empty(), "{found:?} in {state}");
    }
}

#[test]
fn of_a_service_printed_without_its_network_nobody_knows_the_subnets() {
    let [_, definitions, _] = SENSIBLE;
    let excerpt = r#"[{"serviceName": "web", "desiredCount": 2, "runningCount": 2, "launchType": "FARGATE",
        "status": "ACTIVE", "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:12"}]"#;
    let expected = ["service web: no subnets of service web", "task definition web:12: holds"];
    check(Check::NetworkModeFits, &[("services", excerpt), definitions], &expected);
}

#[test]
fn of_a_whole_service_without_a_network_there_is_none() {
    let [services, definitions, _] = SENSIBLE;
    let network = r#""networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},"#;
    let services = services.1.replace(network, "");
    let subnets = "service web: networkConfiguration.awsvpcConfiguration.subnets = not set";
    check(
        Check::NetworkModeFits,
        &[("services", &services), definitions],
        &[subnets, "task definition web:12: holds"],
    );
}

#[test]
fn a_revision_that_is_printed_whole_says_what_is_not_set() {
    let web = "task definition web:12";
    let app = "task definition web:12, container app";
    let role = r#" "executionRoleArn": "arn:aws:iam::111122223333:role/exec","#;
    let cases = [
        (Check::NetworkModeFits, r#" "networkMode": "awsvpc","#, format!("{web}: networkMode = not set")),
        (Check::FargateSizeValid, r#" "cpu": "512","#, format!("{web}: cpu = not set")),
        (Check::ExecutionRolePresent, role, format!("{web}: executionRoleArn = not set")),
        (
            Check::LogGroupConfigured,
            r#""awslogs-group": "/ecs/web","#,
            format!("{app}: logConfiguration.options.awslogs-group = not set"),
        ),
    ];
    for (which, member, expected) in cases {
        let [_, definitions, _] = SENSIBLE;
        let role = r#"
                "executionRoleArn": "arn:aws:iam::111122223333:role/exec","#;
        let definitions =
            definitions.1.replace(role, " \"executionRoleArn\": \"arn:aws:iam::111122223333:role/exec\",");
        assert!(definitions.contains(member), "{member}");
        let without = definitions.replace(member, "");
        check(which, &[("taskDefinitions", &without)], &[&expected]);
        let excerpt = without.replace(r#""compatibilities": ["EC2", "FARGATE"],"#, "");
        let violates = Check::run(which, &read(&excerpt)).iter().any(CheckResult::is_violated);
        assert_eq!(violates, which == Check::LogGroupConfigured, "{which} of an excerpt");
    }
}

fn read(definitions: &str) -> Snapshot {
    serde_json::from_str(&format!(r#"{{"taskDefinitions": {{"known": {definitions}}}}}"#)).unwrap()
}
