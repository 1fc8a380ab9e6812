//! Change sets of CloudFormation: made at once, or refused.

use crate::clock::Millis;
use crate::cloudformation;
use crate::page;
use crate::wire::{Answer, ApiError, present, time};
use crate::world::{World, stack};
use serde_json::{Value, json};

const SAME: &str =
    "The submitted information didn't contain changes. Submit different information to create a change set.";

#[derive(Debug, Clone)]
pub struct ChangeSet {
    pub name: String,
    pub id: String,
    pub status: &'static str,
    pub reason: Option<String>,
    pub execution: &'static str,
    pub created: Millis,
    pub tag: String,
}

/// Answers a call.
pub fn answer(world: &mut World, action: &str, params: &Value) -> Answer {
    let stack = cloudformation::named(world, params["StackName"].as_str().unwrap_or_default(), "Stack")?;
    let (stack_id, held) = (stack.id.clone(), stack.tag.clone());
    let name = params["ChangeSetName"].as_str().unwrap_or_default();
    match action {
        "CreateChangeSet" => {
            let tag = cloudformation::tag(params).unwrap_or(held);
            if world.change_sets.iter().any(|known| known.name == name) {
                let message = format!("ChangeSet {name} already exists");
                return Err(ApiError::new("AlreadyExistsException", message));
            }
            make(world, name, &tag);
            let id = world.change_sets.last().map(|made| made.id.clone());
            Ok(present(json!({ "Id": id, "StackId": stack_id })))
        }
        "ListChangeSets" => {
            let all = world.change_sets.iter().map(|known| summary(world, known)).collect();
            page::answer("Summaries", all, params, "NextToken", "", 100)
        }
        "DescribeChangeSet" => {
            let mut shown = summary(world, found(world, name)?);
            shown["NotificationARNs"] = json!([]);
            shown["Capabilities"] = json!(["CAPABILITY_IAM"]);
            shown["Changes"] = json!([]);
            Ok(shown)
        }
        "ExecuteChangeSet" => {
            let change_set = found(world, name)?;
            if change_set.execution != "AVAILABLE" {
                let message = format!(
                    "ChangeSet [{}] cannot be executed in its current execution status of [{}]",
                    change_set.id, change_set.execution
                );
                return Err(ApiError::new("InvalidChangeSetStatus", message));
            }
            let (id, tag) = (change_set.id.clone(), change_set.tag.clone());
            for known in &mut world.change_sets {
                known.execution = if known.id == id { "EXECUTE_COMPLETE" } else { "OBSOLETE" };
            }
            stack::operate(world, &tag, None);
            Ok(json!({}))
        }
        "DeleteChangeSet" => {
            world.change_sets.retain(|known| known.name != name && known.id != name);
            Ok(json!({}))
        }
        _ => Err(page::unknown_action(action)),
    }
}

/// Makes a change set; the scenario, or that nothing changes, may refuse it.
pub fn make(world: &mut World, name: &str, tag: &str) {
    let error = world.scenario.stack.as_ref().and_then(|plan| plan.change_set_error.clone());
    let is_same = world.stack.as_ref().is_some_and(|stack| stack.tag == tag);
    let reason = error.or_else(|| is_same.then(|| SAME.to_owned()));
    let number = world.change_sets.len() as u64;
    let id = world.arn("cloudformation", &format!("changeSet/{name}/{}", world.uuid("change-set", number)));
    world.change_sets.push(ChangeSet {
        name: name.to_owned(),
        id,
        status: if reason.is_some() { "FAILED" } else { "CREATE_COMPLETE" },
        execution: if reason.is_some() { "UNAVAILABLE" } else { "AVAILABLE" },
        reason,
        created: world.now,
        tag: tag.to_owned(),
    });
}

fn found<'a>(world: &'a World, name: &str) -> Result<&'a ChangeSet, ApiError> {
    let found = world.change_sets.iter().find(|known| known.name == name || known.id == name);
    found.ok_or_else(|| ApiError::new("ChangeSetNotFound", format!("ChangeSet [{name}] does not exist")))
}

fn summary(world: &World, change_set: &ChangeSet) -> Value {
    present(json!({
        "StackId": world.stack.as_ref().map(|stack| &stack.id),
        "StackName": world.stack.as_ref().map(|stack| &stack.name),
        "ChangeSetId": change_set.id,
        "ChangeSetName": change_set.name,
        "ExecutionStatus": change_set.execution,
        "Status": change_set.status,
        "StatusReason": change_set.reason,
        "CreationTime": time(change_set.created),
        "IncludeNestedStacks": false,
    }))
}
