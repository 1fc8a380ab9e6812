//! The stack inside the stack: it holds the database, and is updated before the service.

use super::stack::{self, Operation, Resource, STACK_KIND, Stack};
use super::{SECOND, World};

/// What the outer stack calls it.
pub const LOGICAL: &str = "Database";
const INSTANCE: &str = "Instance";
const INSTANCE_KIND: &str = "AWS::RDS::DBInstance";

/// What comes next for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Begin,
    Change,
    End,
    Fail,
    /// The outer stack rolls back.
    Back,
    IsBack,
}

/// Puts it into the account, where the scenario has it.
pub fn found(world: &mut World) {
    let Some(plan) = world.scenario.stack.as_ref().filter(|plan| plan.nested.is_some()) else { return };
    let name = format!("{}-{LOGICAL}-{:012X}", plan.name, world.draw("nested", 0) >> 16);
    let mut inner = stack::new(world, name, String::new(), false);
    inner.id = inner.id.replace(&world.uuid("stack", 0), &world.uuid("nested-stack", 0));
    let (id, started) = (world.uuid("nested-operation", 0), world.now);
    let (kind, status) = ("CREATE_STACK", "CREATE_COMPLETE");
    inner.operations.push(Operation { id, kind, status: "SUCCEEDED", started, ended: Some(started) });
    let (physical, updated) = ("shop-orders".to_owned(), world.now);
    inner.resources.push(Resource {
        logical: INSTANCE,
        physical,
        kind: INSTANCE_KIND,
        status,
        reason: None,
        updated,
    });
    let id = inner.id.clone();
    world.nested = Some(inner);
    tell_stack(world, status, None);
    if let Some(outer) = &mut world.stack {
        outer.resources.push(Resource {
            logical: LOGICAL,
            physical: id,
            kind: STACK_KIND,
            status,
            reason: None,
            updated,
        });
    }
}

/// Plays what comes next.
pub fn turn(world: &mut World, turn: Turn) {
    match turn {
        Turn::Begin => {
            stack::tell(world, LOGICAL, "UPDATE_IN_PROGRESS", None);
            let started = world.now;
            let id = world.uuid("nested-operation", started as u64);
            if let Some(inner) = &mut world.nested {
                let (kind, status) = ("UPDATE_STACK", "IN_PROGRESS");
                inner.operations.push(Operation { id, kind, status, started, ended: None });
                inner.updated = Some(started);
            }
            tell_stack(world, "UPDATE_IN_PROGRESS", Some("User Initiated"));
            next(world, 2, Turn::Change);
        }
        Turn::Change => {
            tell(world, "UPDATE_IN_PROGRESS", None);
            let fails = error(world).is_some();
            next(world, 6, if fails { Turn::Fail } else { Turn::End });
        }
        Turn::End => {
            tell(world, "UPDATE_COMPLETE", None);
            end(world, "UPDATE_COMPLETE", "SUCCEEDED");
            stack::tell(world, LOGICAL, "UPDATE_COMPLETE", None);
            stack::next(world, SECOND, stack::Turn::Define);
        }
        Turn::Fail => {
            let error = error(world).unwrap_or_default();
            tell(world, "UPDATE_FAILED", Some(&error));
            let summary = format!("The following resource(s) failed to update: [{INSTANCE}]. ");
            tell_stack(world, "UPDATE_ROLLBACK_IN_PROGRESS", Some(&summary));
            let id = world.nested.as_ref().map(|inner| inner.id.clone()).unwrap_or_default();
            let reason = format!(
                "Embedded stack {id} was not successfully updated. Currently in UPDATE_ROLLBACK_IN_PROGRESS with reason: {summary}"
            );
            stack::resource_fails(world, LOGICAL, &reason);
        }
        Turn::Back => {
            stack::tell(world, LOGICAL, "UPDATE_IN_PROGRESS", None);
            tell(world, "UPDATE_COMPLETE", None);
            next(world, 3, Turn::IsBack);
        }
        Turn::IsBack => {
            end(world, "UPDATE_ROLLBACK_COMPLETE", "FAILED");
            stack::tell(world, LOGICAL, "UPDATE_COMPLETE", None);
            stack::next(world, SECOND, stack::Turn::Done);
        }
    }
}

fn error(world: &World) -> Option<String> {
    world.scenario.stack.as_ref()?.nested.as_ref()?.error.clone()
}

fn next(world: &mut World, seconds: i64, turn: Turn) {
    stack::next(world, seconds * SECOND, stack::Turn::Nested(turn));
}

fn end(world: &mut World, status: &'static str, outcome: &'static str) {
    tell_stack(world, status, None);
    let now = world.now;
    if let Some(operation) = world.nested.as_mut().and_then(|inner| inner.operations.last_mut()) {
        operation.status = outcome;
        operation.ended = Some(now);
    }
}

fn tell_stack(world: &mut World, status: &'static str, reason: Option<&str>) {
    let (seed, now) = (world.seed, world.now);
    let Some(inner) = &mut world.nested else { return };
    inner.status = status;
    inner.reason = reason.map(str::to_owned);
    let about = [inner.name.clone(), inner.id.clone(), STACK_KIND.to_owned()];
    inner.append(seed, now, about, status, reason);
}

fn tell(world: &mut World, status: &'static str, reason: Option<&str>) {
    let (seed, now) = (world.seed, world.now);
    let Some(inner) = &mut world.nested else { return };
    let Some(resource) = inner.resources.first_mut() else { return };
    resource.status = status;
    resource.reason = reason.map(str::to_owned);
    resource.updated = now;
    let about = [resource.logical.to_owned(), resource.physical.clone(), resource.kind.to_owned()];
    inner.append(seed, now, about, status, reason);
}

impl Stack {
    /// Whether it is the one inside the other.
    pub fn is_nested(&self, world: &World) -> bool {
        world.nested.as_ref().is_some_and(|inner| inner.id == self.id)
    }
}
