//! The CloudFormation stack around the service.

use super::service::RolloutState;
use super::{MINUTE, SECOND, Step, World, nested, service, uuid};
use crate::clock::Millis;
use crate::scenario::OnFailure;

#[derive(Debug, Clone)]
pub struct Stack {
    pub name: String,
    pub id: String,
    pub status: &'static str,
    pub reason: Option<String>,
    pub created: Millis,
    pub updated: Option<Millis>,
    pub deleted: Option<Millis>,
    /// The image tag that the stack's parameter holds.
    pub tag: String,
    pub disable_rollback: bool,
    pub token: Option<String>,
    pub operations: Vec<Operation>,
    /// Oldest first.
    pub events: Vec<StackEvent>,
    pub resources: Vec<Resource>,
    /// The tag and the task definition to return to.
    pub(super) before: Option<(String, usize)>,
    definition: usize,
    /// The task definition that the clean-up takes away.
    discarded: usize,
    waiting: Option<Waiting>,
    pub(super) rolling_back: bool,
    skips: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Operation {
    pub id: String,
    pub kind: &'static str,
    pub status: &'static str,
    pub started: Millis,
    pub ended: Option<Millis>,
}

#[derive(Debug, Clone)]
pub struct StackEvent {
    pub id: String,
    pub at: Millis,
    pub operation: usize,
    pub logical: String,
    pub physical: String,
    pub kind: String,
    pub status: &'static str,
    pub reason: Option<String>,
    pub token: Option<String>,
    /// The hook that looked at the resource, and what it said.
    pub hook: Option<(String, String)>,
}

#[derive(Debug, Clone)]
pub struct Resource {
    pub logical: &'static str,
    pub physical: String,
    pub kind: &'static str,
    pub status: &'static str,
    pub reason: Option<String>,
    pub updated: Millis,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Deployment { until: Millis },
    Deletion,
}

/// What comes next for the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Nested(nested::Turn),
    Define,
    Defining,
    Defined,
    Service,
    Deadline(Millis),
    CleanUp,
    Cleaning,
    Done,
    RollBack,
    RollBackDefinition,
    DeleteService,
    DeleteDefinition,
    Deleted,
}

const DEFINITION: &str = "TaskDefinition";
const SERVICE: &str = "Service";
const DEFINITION_KIND: &str = "AWS::ECS::TaskDefinition";
const SERVICE_KIND: &str = "AWS::ECS::Service";
pub(super) const STACK_KIND: &str = "AWS::CloudFormation::Stack";

/// Puts the stack that was there before the scenario into the account.
pub fn found(world: &mut World) {
    let Some(plan) = world.scenario.stack.clone() else { return };
    if !world.scenario.service.exists {
        return;
    }
    let tag = world.scenario.versions[0].image.clone();
    let mut stack = new(world, plan.name, tag, plan.on_failure == OnFailure::Stop);
    stack.status = "CREATE_COMPLETE";
    let physical = [world.definition_arn(0), world.service_arn()];
    for ((logical, kind), physical) in
        [(DEFINITION, DEFINITION_KIND), (SERVICE, SERVICE_KIND)].into_iter().zip(physical)
    {
        let (status, updated) = ("CREATE_COMPLETE", world.now);
        stack.resources.push(Resource { logical, physical, kind, status, reason: None, updated });
    }
    let (id, kind, started) = (world.uuid("operation", 0), "CREATE_STACK", world.now);
    stack.operations.push(Operation { id, kind, status: "SUCCEEDED", started, ended: Some(started) });
    world.stack = Some(stack);
    nested::found(world);
    tell_stack(world, "CREATE_COMPLETE", None);
}

/// Creates or updates the stack with an image tag.
pub fn operate(world: &mut World, tag: &str, token: Option<String>) {
    let Some(plan) = world.scenario.stack.clone() else { return };
    let exists = world.stack.as_ref().is_some_and(|stack| stack.status != "DELETE_COMPLETE");
    if exists {
        begin(world, "UPDATE_STACK", token);
        let now = world.now;
        if let Some(stack) = &mut world.stack {
            stack.before = Some((stack.tag.clone(), stack.definition));
            stack.tag = tag.to_owned();
            stack.updated = Some(now);
        }
        tell_stack(world, "UPDATE_IN_PROGRESS", Some("User Initiated"));
    } else {
        let stack = new(world, plan.name, tag.to_owned(), plan.on_failure == OnFailure::Stop);
        world.stack = Some(stack);
        begin(world, "CREATE_STACK", token);
        tell_stack(world, "CREATE_IN_PROGRESS", Some("User Initiated"));
    }
    let first = if world.nested.is_some() { Turn::Nested(nested::Turn::Begin) } else { Turn::Define };
    next(world, 3 * SECOND, first);
}

/// Deletes the stack and the service in it.
pub fn delete(world: &mut World, token: Option<String>) {
    begin(world, "DELETE_STACK", token);
    tell_stack(world, "DELETE_IN_PROGRESS", Some("User Initiated"));
    next(world, 2 * SECOND, Turn::DeleteService);
}

/// Rolls back again, or for the first time when the failure was left standing.
pub fn roll_back(world: &mut World, kind: &'static str, skips: Vec<String>, token: Option<String>) {
    begin(world, kind, token);
    let Some(stack) = &mut world.stack else { return };
    stack.skips = skips;
    stack.rolling_back = true;
    if stack.status == "CREATE_FAILED" {
        tell_stack(world, "ROLLBACK_IN_PROGRESS", Some("User Initiated"));
        next(world, 2 * SECOND, Turn::DeleteService);
    } else {
        tell_stack(world, "UPDATE_ROLLBACK_IN_PROGRESS", Some("User Initiated"));
        next(world, 2 * SECOND, Turn::RollBack);
    }
}

/// Notices that what the stack waits for has come.
pub fn watch(world: &mut World) {
    let Some(stack) = &world.stack else { return };
    match stack.waiting {
        Some(Waiting::Deployment { .. }) => watch_deployment(world),
        Some(Waiting::Deletion)
            if world.service.as_ref().is_none_or(|service| service.status == "INACTIVE") =>
        {
            settle(world);
            tell(world, SERVICE, "DELETE_COMPLETE", None);
            next(world, SECOND, Turn::DeleteDefinition);
        }
        Some(Waiting::Deletion) | None => {}
    }
}

/// Plays what comes next for the stack.
pub fn turn(world: &mut World, turn: Turn) {
    let Some(stack) = &world.stack else { return };
    let creates = stack.before.is_none();
    let in_progress = if creates { "CREATE_IN_PROGRESS" } else { "UPDATE_IN_PROGRESS" };
    match turn {
        Turn::Nested(turn) => nested::turn(world, turn),
        Turn::Define => {
            let reason = (!creates).then_some(
                "Requested update requires the creation of a new physical resource; hence creating one.",
            );
            tell(world, DEFINITION, in_progress, reason);
            next(world, 2 * SECOND, Turn::Defining);
        }
        Turn::Defining => {
            let tag = stack.tag.clone();
            let definition = match world.scenario.version_of(&tag) {
                Some(definition) => definition,
                None => world.define(world.scenario.image(&tag), None),
            };
            let arn = world.definition_arn(definition);
            if let Some(stack) = &mut world.stack {
                stack.discarded = stack.definition;
                stack.definition = definition;
            }
            rename(world, DEFINITION, arn);
            tell(world, DEFINITION, in_progress, Some("Resource creation Initiated"));
            next(world, SECOND, Turn::Defined);
        }
        Turn::Defined => {
            tell(world, DEFINITION, if creates { "CREATE_COMPLETE" } else { "UPDATE_COMPLETE" }, None);
            next(world, 2 * SECOND, Turn::Service);
        }
        Turn::Service => {
            let definition = stack.definition;
            if let Some(hook) = world.scenario.stack.as_ref().and_then(|plan| plan.hook.clone()) {
                let refused = Some((hook.kind.clone(), hook.refuses));
                tell_with(world, SERVICE, in_progress, None, refused);
                let reason = format!("The following hook(s) failed: [{}]", hook.kind);
                resource_fails(world, SERVICE, &reason);
                return;
            }
            tell(world, SERVICE, in_progress, None);
            if creates {
                service::create(world, definition, None);
                let arn = world.service_arn();
                rename(world, SERVICE, arn);
                tell(world, SERVICE, in_progress, Some("Resource creation Initiated"));
            } else {
                service::deploy(world, definition, false);
            }
            wait_for_service(world);
        }
        Turn::Deadline(until) => {
            if stack.waiting == Some(Waiting::Deployment { until }) {
                service_fails(world, "Exceeded attempts to wait", "NotStabilized");
            }
        }
        Turn::CleanUp => {
            if stack.rolling_back {
                tell_stack(world, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", None);
            } else {
                tell_stack(world, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", None);
            }
            next(world, 2 * SECOND, Turn::Cleaning);
        }
        Turn::Cleaning => {
            let arn = world.definition_arn(stack.discarded);
            for status in ["DELETE_IN_PROGRESS", "DELETE_COMPLETE"] {
                push(world, DEFINITION.to_owned(), arn.clone(), DEFINITION_KIND.to_owned(), status, None);
            }
            next(world, SECOND, Turn::Done);
        }
        Turn::Done => {
            let status = match (creates, stack.rolling_back) {
                (true, _) => "CREATE_COMPLETE",
                (false, false) => "UPDATE_COMPLETE",
                (false, true) => "UPDATE_ROLLBACK_COMPLETE",
            };
            end(world, status, None);
        }
        Turn::RollBack => roll_service_back(world),
        Turn::RollBackDefinition => {
            let back = stack.before.clone();
            if let (Some((tag, definition)), Some(stack)) = (back, &mut world.stack) {
                stack.tag = tag;
                stack.discarded = stack.definition;
                stack.definition = definition;
                let arn = world.definition_arn(definition);
                rename(world, DEFINITION, arn);
            }
            tell(world, DEFINITION, "UPDATE_COMPLETE", None);
            next(world, SECOND, Turn::CleanUp);
        }
        Turn::DeleteService => delete_service(world),
        Turn::DeleteDefinition => {
            tell(world, DEFINITION, "DELETE_IN_PROGRESS", None);
            tell(world, DEFINITION, "DELETE_COMPLETE", None);
            next(world, SECOND, Turn::Deleted);
        }
        Turn::Deleted => {
            let status = if stack.rolling_back { "ROLLBACK_COMPLETE" } else { "DELETE_COMPLETE" };
            end(world, status, None);
        }
    }
}

fn watch_deployment(world: &mut World) {
    let Some(stack) = &world.stack else { return };
    let (creates, rolling_back) = (stack.before.is_none(), stack.rolling_back);
    let definition = match &stack.before {
        Some((_, before)) if rolling_back => *before,
        _ => stack.definition,
    };
    let Some(service) = &world.service else { return };
    let Some(primary) = service.primary() else { return };
    let meant = primary.definition == definition;
    if meant && primary.state == RolloutState::Completed {
        settle(world);
        let status = if creates { "CREATE_COMPLETE" } else { "UPDATE_COMPLETE" };
        tell(world, SERVICE, status, None);
        let after = match (creates, rolling_back) {
            (true, _) => Turn::Done,
            (false, true) => Turn::RollBackDefinition,
            (false, false) => Turn::CleanUp,
        };
        next(world, 2 * SECOND, after);
    } else if !rolling_back && (!meant || primary.state == RolloutState::Failed) {
        let message = "Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'.";
        service_fails(world, message, "GeneralServiceException");
    }
}

fn service_fails(world: &mut World, message: &str, code: &str) {
    settle(world);
    let request = world.uuid("request", world.stack.as_ref().map_or(0, |stack| stack.events.len()) as u64);
    let reason = format!(
        "Resource handler returned message: \"{message}\" (RequestToken: {request}, HandlerErrorCode: {code})"
    );
    resource_fails(world, SERVICE, &reason);
}

/// A resource cannot be created or updated, and what that means for the stack.
pub(super) fn resource_fails(world: &mut World, logical: &'static str, reason: &str) {
    let Some(stack) = &mut world.stack else { return };
    let (creates, stops, rolling_back) = (stack.before.is_none(), stack.disable_rollback, stack.rolling_back);
    tell(world, logical, if creates { "CREATE_FAILED" } else { "UPDATE_FAILED" }, Some(reason));
    let verb = if creates { "create" } else { "update" };
    let summary = format!("The following resource(s) failed to {verb}: [{logical}]. ");
    if rolling_back {
        end(world, "UPDATE_ROLLBACK_FAILED", Some(&summary));
    } else if stops {
        end(world, if creates { "CREATE_FAILED" } else { "UPDATE_FAILED" }, Some(&summary));
    } else {
        if let Some(stack) = &mut world.stack {
            stack.rolling_back = true;
        }
        if creates {
            let summary = format!("{summary}Rollback requested by user.");
            tell_stack(world, "ROLLBACK_IN_PROGRESS", Some(&summary));
            next(world, 3 * SECOND, Turn::DeleteService);
        } else {
            tell_stack(world, "UPDATE_ROLLBACK_IN_PROGRESS", Some(&summary));
            let back = match logical {
                nested::LOGICAL => Turn::Nested(nested::Turn::Back),
                _ => Turn::RollBack,
            };
            next(world, 3 * SECOND, back);
        }
    }
}

fn roll_service_back(world: &mut World) {
    let Some(stack) = &world.stack else { return };
    if stack.skips.iter().any(|skip| skip == SERVICE) {
        tell(world, SERVICE, "UPDATE_COMPLETE", Some("Resource rollback skipped by user"));
        next(world, SECOND, Turn::RollBackDefinition);
        return;
    }
    let Some((_, definition)) = stack.before.clone() else { return };
    // The error of the scenario meets the first try only, so that a second one can succeed.
    let first = stack.operations.last().is_some_and(|operation| operation.kind != "CONTINUE_ROLLBACK");
    let error = world.scenario.stack.as_ref().and_then(|plan| plan.rollback_error.clone());
    tell(world, SERVICE, "UPDATE_IN_PROGRESS", None);
    if let Some(error) = error.filter(|_| first) {
        tell(world, SERVICE, "UPDATE_FAILED", Some(&error));
        let summary = format!("The following resource(s) failed to update: [{SERVICE}]. ");
        end(world, "UPDATE_ROLLBACK_FAILED", Some(&summary));
        return;
    }
    let there = world
        .service
        .as_ref()
        .and_then(|service| service.primary())
        .is_some_and(|primary| primary.definition == definition && primary.state != RolloutState::Failed);
    if !there {
        service::deploy(world, definition, false);
    }
    wait_for_service(world);
}

fn delete_service(world: &mut World) {
    let error = world.scenario.stack.as_ref().and_then(|plan| plan.rollback_error.clone());
    let Some(stack) = &mut world.stack else { return };
    let rolls_back = stack.rolling_back && stack.status == "ROLLBACK_IN_PROGRESS";
    tell(world, SERVICE, "DELETE_IN_PROGRESS", None);
    if let Some(error) = error.filter(|_| rolls_back) {
        tell(world, SERVICE, "DELETE_FAILED", Some(&error));
        let summary = format!("The following resource(s) failed to delete: [{SERVICE}]. ");
        end(world, "ROLLBACK_FAILED", Some(&summary));
        return;
    }
    if let Some(stack) = &mut world.stack {
        stack.rolling_back = rolls_back;
        stack.waiting = Some(Waiting::Deletion);
    }
    service::delete(world);
}

fn wait_for_service(world: &mut World) {
    let stabilize = world.scenario.stack.as_ref().map_or(MINUTE, |plan| plan.stabilize);
    let until = world.now + stabilize;
    if let Some(stack) = &mut world.stack {
        stack.waiting = Some(Waiting::Deployment { until });
    }
    world.plan(until, Step::Stack(Turn::Deadline(until)));
}

fn settle(world: &mut World) {
    if let Some(stack) = &mut world.stack {
        stack.waiting = None;
    }
}

pub(super) fn next(world: &mut World, delay: Millis, turn: Turn) {
    world.plan_in(delay, Step::Stack(turn));
}

pub(super) fn new(world: &World, name: String, tag: String, disable_rollback: bool) -> Stack {
    let number = world.stack.as_ref().map_or(0, |stack| stack.events.len()) as u64;
    let id = world.arn("cloudformation", &format!("stack/{name}/{}", world.uuid("stack", number)));
    Stack {
        name,
        id,
        status: "CREATE_IN_PROGRESS",
        reason: None,
        created: world.now,
        updated: None,
        deleted: None,
        tag,
        disable_rollback,
        token: None,
        operations: Vec::new(),
        events: Vec::new(),
        resources: Vec::new(),
        before: None,
        definition: 0,
        discarded: 0,
        waiting: None,
        rolling_back: false,
        skips: Vec::new(),
    }
}

fn begin(world: &mut World, kind: &'static str, token: Option<String>) {
    let number = world.stack.as_ref().map_or(0, |stack| stack.operations.len()) as u64;
    let (id, started) = (world.uuid("operation", number), world.now);
    let Some(stack) = &mut world.stack else { return };
    stack.operations.push(Operation { id, kind, status: "IN_PROGRESS", started, ended: None });
    stack.token = token;
    stack.rolling_back = false;
    stack.skips.clear();
}

fn end(world: &mut World, status: &'static str, reason: Option<&str>) {
    tell_stack(world, status, reason);
    let now = world.now;
    let Some(stack) = &mut world.stack else { return };
    let went_well = matches!(status, "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "DELETE_COMPLETE");
    let kind = stack.operations.last().map_or("", |operation| operation.kind);
    let rolled_back = kind == "CONTINUE_ROLLBACK" || kind == "ROLLBACK";
    let well = went_well || rolled_back && status.ends_with("ROLLBACK_COMPLETE");
    if let Some(operation) = stack.operations.last_mut() {
        operation.status = if well { "SUCCEEDED" } else { "FAILED" };
        operation.ended = Some(now);
    }
    if status == "DELETE_COMPLETE" {
        stack.deleted = Some(now);
    }
}

fn tell_stack(world: &mut World, status: &'static str, reason: Option<&str>) {
    let Some(stack) = &mut world.stack else { return };
    stack.status = status;
    stack.reason = reason.map(str::to_owned);
    let (logical, physical) = (stack.name.clone(), stack.id.clone());
    push(world, logical, physical, STACK_KIND.to_owned(), status, reason);
}

pub(super) fn tell(world: &mut World, logical: &'static str, status: &'static str, reason: Option<&str>) {
    tell_with(world, logical, status, reason, None);
}

fn tell_with(
    world: &mut World,
    logical: &'static str,
    status: &'static str,
    reason: Option<&str>,
    hook: Option<(String, String)>,
) {
    let now = world.now;
    let nested = world.nested.as_ref().map(|nested| nested.id.clone());
    let Some(stack) = &mut world.stack else { return };
    let kind = match logical {
        SERVICE => SERVICE_KIND,
        nested::LOGICAL => STACK_KIND,
        _ => DEFINITION_KIND,
    };
    let index = stack.resources.iter().position(|known| known.logical == logical).unwrap_or_else(|| {
        let physical = nested.filter(|_| logical == nested::LOGICAL).unwrap_or_default();
        stack.resources.push(Resource { logical, physical, kind, status, reason: None, updated: now });
        stack.resources.len() - 1
    });
    let resource = &mut stack.resources[index];
    let physical = resource.physical.clone();
    resource.status = status;
    resource.reason = reason.map(str::to_owned);
    resource.updated = now;
    push(world, logical.to_owned(), physical, kind.to_owned(), status, reason);
    if let Some(event) = world.stack.as_mut().and_then(|stack| stack.events.last_mut()) {
        event.hook = hook;
    }
}

fn push(
    world: &mut World,
    logical: String,
    physical: String,
    kind: String,
    status: &'static str,
    reason: Option<&str>,
) {
    let (seed, now) = (world.seed, world.now);
    if let Some(stack) = &mut world.stack {
        stack.append(seed, now, [logical, physical, kind], status, reason);
    }
}

impl Stack {
    /// Appends an event about a resource: its name, its physical id and its type.
    pub(super) fn append(
        &mut self,
        seed: u64,
        now: Millis,
        [logical, physical, kind]: [String; 3],
        status: &'static str,
        reason: Option<&str>,
    ) {
        let drawn = uuid(seed, &format!("stack-event {}", self.name), self.events.len() as u64);
        // Two events have two times, so that sorting by time keeps their order.
        let at = self.events.last().map_or(now, |last| now.max(last.at + 1));
        let id = if kind.ends_with("::Stack") { drawn } else { format!("{logical}-{status}-{drawn}") };
        let (operation, token) = (self.operations.len().saturating_sub(1), self.token.clone());
        let reason = reason.map(str::to_owned);
        self.events.push(StackEvent {
            id,
            at,
            operation,
            logical,
            physical,
            kind,
            status,
            reason,
            token,
            hook: None,
        });
    }
}

fn rename(world: &mut World, logical: &str, physical: String) {
    let Some(stack) = &mut world.stack else { return };
    if let Some(resource) = stack.resources.iter_mut().find(|known| known.logical == logical) {
        resource.physical = physical;
    }
}
