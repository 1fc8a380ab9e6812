//! CloudFormation: the query protocol, version 2010-05-15.

use crate::wire::{Answer, ApiError, maybe_time, present, time};
use crate::world::World;
use crate::world::stack::{self, Stack};
use crate::{change_sets, page};
use serde_json::{Value, json};

pub const NAMESPACE: &str = "http://cloudformation.amazonaws.com/doc/2010-05-15/";

/// The parameter of the stack that holds the image tag.
pub const TAG_PARAMETER: &str = "ImageTag";

/// Answers a call.
pub fn answer(world: &mut World, action: &str, params: &Value) -> Answer {
    match action {
        "DescribeStacks" => describe_stacks(world, params),
        "DescribeStackEvents" => describe_stack_events(world, params),
        "DescribeEvents" => describe_events(world, params),
        "ListStackResources" => list_stack_resources(world, params),
        "CreateStack" => create_stack(world, params),
        "UpdateStack" => update_stack(world, params),
        "DeleteStack" => delete_stack(world, params),
        "ContinueUpdateRollback" => continue_update_rollback(world, params),
        "RollbackStack" => rollback_stack(world, params),
        _ if action.contains("ChangeSet") => change_sets::answer(world, action, params),
        _ => Err(page::unknown_action(action)),
    }
}

fn describe_stacks(world: &World, params: &Value) -> Answer {
    let stacks: Vec<Value> = match params["StackName"].as_str() {
        Some(name) => vec![stack_json(world, named(world, name, "Stack with id")?)],
        None => world
            .stack
            .iter()
            .chain(&world.nested)
            .filter(|stack| stack.status != "DELETE_COMPLETE")
            .map(|stack| stack_json(world, stack))
            .collect(),
    };
    page::answer("Stacks", stacks, params, "NextToken", "", 100)
}

fn stack_json(world: &World, stack: &Stack) -> Value {
    let operations: Vec<Value> = stack
        .operations
        .iter()
        .rev()
        .take(1)
        .map(|operation| json!({ "OperationType": operation.kind, "OperationId": operation.id }))
        .collect();
    let outer = world.stack.as_ref().filter(|_| stack.is_nested(world)).map(|outer| &outer.id);
    let parameters = match outer {
        Some(_) => json!([]),
        None => json!([{ "ParameterKey": TAG_PARAMETER, "ParameterValue": stack.tag }]),
    };
    present(json!({
        "StackId": stack.id,
        "StackName": stack.name,
        "ParentId": outer,
        "RootId": outer,
        "Description": world.scenario.title,
        "Parameters": parameters,
        "CreationTime": time(stack.created),
        "DeletionTime": maybe_time(stack.deleted),
        "LastUpdatedTime": maybe_time(stack.updated),
        "RollbackConfiguration": {},
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
        "DisableRollback": stack.disable_rollback,
        "NotificationARNs": [],
        "Capabilities": ["CAPABILITY_IAM"],
        "Outputs": [],
        "Tags": [],
        "EnableTerminationProtection": false,
        "DriftInformation": { "StackDriftStatus": "NOT_CHECKED" },
        "LastOperations": operations,
    }))
}

fn describe_stack_events(world: &World, params: &Value) -> Answer {
    let name = params["StackName"].as_str().unwrap_or_default();
    let stack = named(world, name, "Stack")?;
    let events = stack
        .events
        .iter()
        .rev()
        .map(|event| {
            present(json!({
                "StackId": stack.id,
                "EventId": event.id,
                "StackName": stack.name,
                "OperationId": stack.operations.get(event.operation).map(|operation| &operation.id),
                "LogicalResourceId": event.logical,
                "PhysicalResourceId": event.physical,
                "ResourceType": event.kind,
                "Timestamp": time(event.at),
                "ResourceStatus": event.status,
                "ResourceStatusReason": event.reason,
                "ClientRequestToken": event.token,
                "HookType": event.hook.as_ref().map(|(kind, _)| kind),
                "HookStatus": event.hook.as_ref().map(|_| "HOOK_COMPLETE_FAILED"),
                "HookStatusReason": event.hook.as_ref().map(|(_, reason)| reason),
                "HookInvocationPoint": event.hook.as_ref().map(|_| "PRE_PROVISION"),
                "HookFailureMode": event.hook.as_ref().map(|_| "FAIL"),
            }))
        })
        .collect();
    page::answer("StackEvents", events, params, "NextToken", "", 100)
}

fn describe_events(world: &World, params: &Value) -> Answer {
    let Some(name) = params["StackName"].as_str() else {
        return Err(ApiError::new(
            "ValidationError",
            "The twin describes events of a stack: StackName is missing.",
        ));
    };
    let stack = named(world, name, "Stack")?;
    let only_failed = params["Filters"]["FailedEvents"].as_str() == Some("true");
    let wanted = params["OperationId"].as_str();
    let mut events = Vec::new();
    for event in stack.events.iter().rev() {
        let Some(operation) = stack.operations.get(event.operation) else { continue };
        let failed = event.status.ends_with("_FAILED") || event.hook.is_some();
        if only_failed && !failed || wanted.is_some_and(|wanted| wanted != operation.id) {
            continue;
        }
        let of_stack = event.physical == stack.id;
        events.push(present(json!({
            "EventId": event.id,
            "StackId": stack.id,
            "OperationId": operation.id,
            "OperationType": operation.kind,
            "OperationStatus": of_stack.then_some(operation.status),
            "EventType": match event.hook {
                Some(_) => "HOOK_INVOCATION_ERROR",
                None if failed && !of_stack => "PROVISIONING_ERROR",
                None => "STACK_EVENT",
            },
            "HookType": event.hook.as_ref().map(|(kind, _)| kind),
            "HookStatus": event.hook.as_ref().map(|_| "HOOK_COMPLETE_FAILED"),
            "HookStatusReason": event.hook.as_ref().map(|(_, reason)| reason),
            "HookInvocationPoint": event.hook.as_ref().map(|_| "PRE_PROVISION"),
            "HookFailureMode": event.hook.as_ref().map(|_| "FAIL"),
            "LogicalResourceId": event.logical,
            "PhysicalResourceId": event.physical,
            "ResourceType": event.kind,
            "Timestamp": time(event.at),
            "ResourceStatus": event.status,
            "ResourceStatusReason": event.reason,
            "ClientRequestToken": event.token,
        })));
    }
    page::answer("OperationEvents", events, params, "NextToken", "", 100)
}

fn list_stack_resources(world: &World, params: &Value) -> Answer {
    let stack = named(world, params["StackName"].as_str().unwrap_or_default(), "Stack")?;
    let resources = stack
        .resources
        .iter()
        .map(|resource| {
            present(json!({
                "LogicalResourceId": resource.logical,
                "PhysicalResourceId": resource.physical,
                "ResourceType": resource.kind,
                "LastUpdatedTimestamp": time(resource.updated),
                "ResourceStatus": resource.status,
                "ResourceStatusReason": resource.reason,
                "DriftInformation": { "StackResourceDriftStatus": "NOT_CHECKED" },
            }))
        })
        .collect();
    page::answer("StackResourceSummaries", resources, params, "NextToken", "", 100)
}

fn create_stack(world: &mut World, params: &Value) -> Answer {
    let name = params["StackName"].as_str().unwrap_or_default().to_owned();
    if world.stack.as_ref().is_some_and(|stack| stack.name == name && stack.status != "DELETE_COMPLETE") {
        let message = format!("Stack [{name}] already exists");
        return Err(ApiError::new("AlreadyExistsException", message));
    }
    let planned = world.scenario.stack.as_ref().is_some_and(|plan| plan.name == name);
    let exists = world.service.as_ref().is_some_and(|service| service.status == "ACTIVE");
    if !planned || exists {
        let message =
            "the twin creates the stack that its scenario names, and only while the service does not exist";
        return Err(ApiError::new("ValidationError", message));
    }
    let tag = tag(params).unwrap_or_else(|| world.scenario.versions[0].image.clone());
    stack::operate(world, &tag, token(params));
    if let (Some(stack), Some(choice)) = (&mut world.stack, disables_rollback(params)) {
        stack.disable_rollback = choice;
    }
    stack_id(world)
}

fn update_stack(world: &mut World, params: &Value) -> Answer {
    let stack = named(world, params["StackName"].as_str().unwrap_or_default(), "Stack")?;
    let (id, status, held) = (stack.id.clone(), stack.status, stack.tag.clone());
    if !matches!(
        status,
        "CREATE_COMPLETE"
            | "UPDATE_COMPLETE"
            | "UPDATE_ROLLBACK_COMPLETE"
            | "UPDATE_FAILED"
            | "CREATE_FAILED"
    ) {
        let message = format!("Stack:{id} is in {status} state and can not be updated.");
        return Err(ApiError::new("ValidationError", message));
    }
    match tag(params).filter(|tag| *tag != held) {
        None => Err(ApiError::new("ValidationError", "No updates are to be performed.")),
        Some(tag) => {
            stack::operate(world, &tag, token(params));
            if let (Some(stack), Some(choice)) = (&mut world.stack, disables_rollback(params)) {
                stack.disable_rollback = choice;
            }
            stack_id(world)
        }
    }
}

fn delete_stack(world: &mut World, params: &Value) -> Answer {
    let Ok(stack) = named(world, params["StackName"].as_str().unwrap_or_default(), "Stack") else {
        // Deleting what is not there succeeds.
        return Ok(json!({}));
    };
    let (id, status) = (stack.id.clone(), stack.status);
    if status == "DELETE_COMPLETE" {
        return Ok(json!({}));
    }
    if status.ends_with("IN_PROGRESS") {
        let message = format!("Stack [{id}] cannot be deleted while in status {status}");
        return Err(ApiError::new("ValidationError", message));
    }
    stack::delete(world, token(params));
    Ok(json!({}))
}

fn continue_update_rollback(world: &mut World, params: &Value) -> Answer {
    let stack = named(world, params["StackName"].as_str().unwrap_or_default(), "Stack")?;
    if stack.status != "UPDATE_ROLLBACK_FAILED" {
        let message = format!(
            "Stack:{} is in {} state and can not continue an update rollback.",
            stack.id, stack.status
        );
        return Err(ApiError::new("ValidationError", message));
    }
    let skips = page::texts(params, "ResourcesToSkip");
    stack::roll_back(world, "CONTINUE_ROLLBACK", skips, token(params));
    Ok(json!({}))
}

fn rollback_stack(world: &mut World, params: &Value) -> Answer {
    let stack = named(world, params["StackName"].as_str().unwrap_or_default(), "Stack")?;
    if !matches!(stack.status, "CREATE_FAILED" | "UPDATE_FAILED") {
        let message = format!("Stack:{} is in {} state and can not be rolled back.", stack.id, stack.status);
        return Err(ApiError::new("ValidationError", message));
    }
    stack::roll_back(world, "ROLLBACK", Vec::new(), token(params));
    stack_id(world)
}

fn stack_id(world: &World) -> Answer {
    let operation = world.stack.as_ref().and_then(|stack| stack.operations.last());
    Ok(present(json!({
        "StackId": world.stack.as_ref().map(|stack| &stack.id),
        "OperationId": operation.map(|operation| &operation.id),
    })))
}

/// Finds the stack by name or id; a deleted one is found by its id only.
pub fn named<'a>(world: &'a World, name: &str, words: &str) -> Result<&'a Stack, ApiError> {
    let found = world
        .stack
        .iter()
        .chain(&world.nested)
        .find(|stack| stack.id == name || stack.name == name && stack.status != "DELETE_COMPLETE");
    found.ok_or_else(|| {
        let message = if words == "Stack" {
            format!("Stack [{name}] does not exist")
        } else {
            format!("{words} {name} does not exist")
        };
        ApiError::new("ValidationError", message)
    })
}

pub fn tag(params: &Value) -> Option<String> {
    let given = params["Parameters"].as_array()?;
    let found = given.iter().find(|parameter| parameter["ParameterKey"].as_str() == Some(TAG_PARAMETER))?;
    found["ParameterValue"].as_str().map(str::to_owned)
}

fn token(params: &Value) -> Option<String> {
    params["ClientRequestToken"].as_str().map(str::to_owned)
}

fn disables_rollback(params: &Value) -> Option<bool> {
    params["DisableRollback"].as_str().map(|text| text == "true")
}
