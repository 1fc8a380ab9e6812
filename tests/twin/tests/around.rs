//! Plays what is around the service: a stack inside the stack, a hook, change sets, alarms.

use serde_json::{Value, json};
use twin::world::{MINUTE, SECOND};
use twin::{Millis, Scenario, World};

const BEGIN: Millis = 1_780_000_000_000;

#[test]
fn a_stack_inside_the_stack_fails_and_all_of_it_goes_back() {
    let world = at("nested-stack-fails", 3 * MINUTE);
    let inner = world.nested.as_ref().unwrap();
    assert_eq!(inner.status, "UPDATE_ROLLBACK_COMPLETE");
    let outer = world.stack.as_ref().unwrap();
    assert_eq!(outer.status, "UPDATE_ROLLBACK_COMPLETE");
    let told = outer.events.iter().find(|event| event.status == "UPDATE_FAILED").unwrap();
    assert_eq!((told.logical.as_str(), &told.physical), ("Database", &inner.id));
    let reason = told.reason.as_deref().unwrap();
    assert!(
        reason.starts_with(&format!("Embedded stack {} was not successfully updated.", inner.id)),
        "{reason}"
    );
    let cause = inner.events.iter().find(|event| event.status == "UPDATE_FAILED").unwrap();
    assert!(cause.reason.as_deref().unwrap().contains("Cannot find version 16.99"));
    // The service was never touched.
    assert_eq!(world.service.as_ref().unwrap().deployments.len(), 1);
}

#[test]
fn a_stack_inside_the_stack_that_can_be_updated_comes_first() {
    let mut scenario = Scenario::built_in("nested-stack-fails").unwrap();
    scenario.stack.as_mut().unwrap().nested.as_mut().unwrap().error = None;
    let mut world = World::new(scenario, 1, BEGIN);
    world.run(BEGIN + 5 * MINUTE);
    assert_eq!(world.stack.as_ref().unwrap().status, "UPDATE_COMPLETE");
    assert_eq!(world.nested.as_ref().unwrap().status, "UPDATE_COMPLETE");
}

#[test]
fn a_nested_stack_is_described_by_name_and_id_and_names_its_parent() {
    let mut world = at("nested-stack-fails", 3 * MINUTE);
    let inner = world.nested.clone().unwrap();
    for name in [inner.name, inner.id] {
        let shown = stacks(&mut world, "DescribeStacks", json!({ "StackName": name }));
        assert_eq!(shown["Stacks"][0]["ParentId"], world.stack.as_ref().unwrap().id);
    }
    let all = stacks(&mut world, "DescribeStacks", json!({}));
    assert_eq!(all["Stacks"].as_array().unwrap().len(), 2);
}

#[test]
fn a_hook_refuses_before_the_service_is_changed() {
    let mut world = at("hook-refuses", 3 * MINUTE);
    let stack = world.stack.clone().unwrap();
    assert_eq!(stack.status, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(world.service.as_ref().unwrap().rollouts.len(), 1);
    let failed = json!({ "StackName": stack.name, "Filters": { "FailedEvents": "true" } });
    let shown = stacks(&mut world, "DescribeEvents", failed);
    let events = shown["OperationEvents"].as_array().unwrap();
    let hook = events.iter().find(|event| event["EventType"] == "HOOK_INVOCATION_ERROR").unwrap();
    assert_eq!(hook["HookType"], "Private::Guard::Tags");
    assert!(hook["HookStatusReason"].as_str().unwrap().contains("cost-center"));
}

#[test]
fn a_change_set_that_cannot_be_made_leaves_everything_as_it_was() {
    let mut world = at("change-set-fails", 3 * MINUTE);
    assert_eq!(world.stack.as_ref().unwrap().status, "CREATE_COMPLETE");
    let shown = stacks(&mut world, "ListChangeSets", json!({ "StackName": "shop-web" }));
    assert_eq!(shown["Summaries"][0]["Status"], "FAILED");
    assert_eq!(shown["Summaries"][0]["ExecutionStatus"], "UNAVAILABLE");
}

#[test]
fn a_change_set_is_made_and_carried_out() {
    let mut world = at("healthy", 5 * SECOND);
    let tag = |tag: &str| json!([{ "ParameterKey": "ImageTag", "ParameterValue": tag }]);
    let named = |name: &str| json!({ "StackName": "shop-web", "ChangeSetName": name });
    for (name, image, status) in [("same", "1.41.0", "FAILED"), ("newer", "1.42.0", "CREATE_COMPLETE")] {
        let mut params = named(name);
        params["Parameters"] = tag(image);
        stacks(&mut world, "CreateChangeSet", params);
        let shown = stacks(&mut world, "DescribeChangeSet", named(name));
        assert_eq!(shown["Status"], status, "{name}");
    }
    assert!(twin::cloudformation::answer(&mut world, "ExecuteChangeSet", &named("same")).is_err());
    stacks(&mut world, "ExecuteChangeSet", named("newer"));
    assert_eq!(world.stack.as_ref().unwrap().status, "UPDATE_IN_PROGRESS");
}

#[test]
fn an_alarm_ends_a_deployment_whose_tasks_are_all_healthy() {
    let mut world = at("alarm-rolls-back", 10 * MINUTE);
    let params = json!({ "cluster": "shop", "service": "web" });
    let shown = twin::ecs::answer(&mut world, "ListServiceDeployments", &params).unwrap();
    let arns: Vec<&Value> = shown["serviceDeployments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["serviceDeploymentArn"])
        .collect();
    let params = json!({ "serviceDeploymentArns": arns });
    let shown = twin::ecs::answer(&mut world, "DescribeServiceDeployments", &params).unwrap();
    let deployments = shown["serviceDeployments"].as_array().unwrap();
    let ended = deployments.iter().find(|one| one["alarms"]["status"] == "TRIGGERED").unwrap();
    assert_eq!(ended["alarms"]["triggeredAlarmNames"], json!(["web-cpu"]));
    assert_eq!(ended["status"], "ROLLBACK_SUCCESSFUL");
    let service = world.service.as_ref().unwrap();
    assert!(service.events.iter().any(|event| event.text.ends_with("deployment failed: alarm detected.")));
    assert!(world.tasks.iter().all(|task| task.exit_code.is_none_or(|code| code == 0)));
}

#[test]
fn alarms_that_watch_must_be_there() {
    let wrong = "[service]\nalarms = { names = [\"none\"], rollback = true, bake = \"1m\" }\n[[version]]\n";
    assert!(Scenario::parse(wrong).unwrap_err().contains("there is no [[alarm]] `none`"));
}

fn at(name: &str, after: Millis) -> World {
    let mut world = World::new(Scenario::built_in(name).unwrap(), 1, BEGIN);
    world.run(BEGIN + after);
    world
}

#[track_caller]
fn stacks(world: &mut World, action: &str, params: Value) -> Value {
    twin::cloudformation::answer(world, action, &params).unwrap()
}
