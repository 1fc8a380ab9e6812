//! What can be done to a stack, and in which state of it.

use analyzer::diagnosis::DeploymentFacts;
use analyzer::taxonomy::Remedy;

use crate::commands::plain;

/// An operation on a stack that CloudFormation refuses in all but some states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    RollBack,
    ContinueRollback,
    Delete,
    Cancel,
}

/// Whether the last known state of a stack admits an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    Fits,
    Refused,
    NotKnown,
}

use Operation::{Cancel, ContinueRollback, Delete, RollBack};

impl Operation {
    const ALL: [Operation; 4] = [RollBack, ContinueRollback, Delete, Cancel];

    /// Returns what a remedy does to a stack.
    pub fn of(remedy: Remedy) -> Option<Operation> {
        match remedy {
            Remedy::RollBackStack => Some(RollBack),
            Remedy::ContinueUpdateRollback => Some(ContinueRollback),
            Remedy::DeleteFailedStack => Some(Delete),
            _ => None,
        }
    }

    /// Returns what a command does to a stack.
    pub fn in_command(command: &str) -> Option<Operation> {
        let rest = command.strip_prefix("aws cloudformation ")?;
        let verb = rest.split(' ').next()?;
        Operation::ALL.into_iter().find(|operation| operation.verb() == verb)
    }

    fn verb(self) -> &'static str {
        match self {
            RollBack => "rollback-stack",
            ContinueRollback => "continue-update-rollback",
            Delete => "delete-stack",
            Cancel => "cancel-update-stack",
        }
    }

    /// Returns the states in which it is accepted, and does what it is meant for.
    pub fn states(self) -> &'static [&'static str] {
        match self {
            RollBack => &["CREATE_FAILED", "UPDATE_FAILED"],
            ContinueRollback => &["UPDATE_ROLLBACK_FAILED"],
            Delete => &[
                "ROLLBACK_COMPLETE",
                "ROLLBACK_FAILED",
                "CREATE_FAILED",
                "DELETE_FAILED",
                "REVIEW_IN_PROGRESS",
            ],
            Cancel => &["UPDATE_IN_PROGRESS"],
        }
    }

    /// Tells whether a deployment's stack is in one of these states.
    pub fn fit(self, known: &DeploymentFacts) -> Fit {
        match known.stack_status.as_deref() {
            Some(status) if self.states().contains(&status) => Fit::Fits,
            Some(_) => Fit::Refused,
            // To delete the stack of a service that runs is never meant.
            None if self == Delete && known.running.is_some_and(|running| running > 0) => Fit::Refused,
            None => Fit::NotKnown,
        }
    }

    /// Says the states in words.
    pub fn only_in(self) -> String {
        let states = self.states();
        match states.split_last() {
            Some((last, [])) => format!("only if the stack is in {last}"),
            Some((last, rest)) => format!("only if the stack is in {} or {last}", rest.join(", ")),
            None => String::new(),
        }
    }
}

/// Returns what stands behind a command of a page: the states that it needs, unless the line says them.
pub fn note(command: &str, line: &str, known: &DeploymentFacts) -> Option<String> {
    let operation = Operation::in_command(command)?;
    if operation.states().iter().any(|state| line.contains(state)) {
        return None;
    }
    let status = known.stack_status.as_deref().and_then(plain);
    match (operation.fit(known), status) {
        (Fit::Fits, _) => None,
        (Fit::Refused, Some(status)) => Some(format!(" ({}; it is in {status})", operation.only_in())),
        _ => Some(format!(" ({})", operation.only_in())),
    }
}

/// Whether the stack accepts no other deployment before its rollback has ended.
pub fn blocks(known: &DeploymentFacts) -> bool {
    known.stack_status.as_deref() == Some("UPDATE_ROLLBACK_FAILED")
}

/// Adds what a stack needs before any other deployment, whatever the root cause is.
pub fn with_next_step(to_do: String, known: &DeploymentFacts) -> String {
    if !blocks(known) || to_do.contains("aws cloudformation continue-update-rollback") {
        return to_do;
    }
    let starts_item = |line: &&str| {
        let number = line.split(". ").next().unwrap_or_default();
        line.contains(". ") && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    let steps = to_do.lines().filter(starts_item).count();
    let stack = known.stack.as_deref().and_then(plain).unwrap_or("STACK");
    let step = format!(
        "{}. The stack is in `UPDATE_ROLLBACK_FAILED`, which blocks the next deployment: mend what the rollback failed on, then run `aws cloudformation continue-update-rollback --stack-name {stack}`.",
        steps + 1
    );
    format!("{}\n{step}", to_do.trim_end()).trim_start().to_owned()
}

/// Warns of changing by hand what CloudFormation manages.
pub fn drift(known: &DeploymentFacts) -> Option<String> {
    if !known.is_in_stack {
        return None;
    }
    let stack = known.stack.as_deref().and_then(plain).map(|name| format!(" {name}")).unwrap_or_default();
    let is_busy = known.stack_status.as_deref().is_some_and(|status| status.ends_with("_IN_PROGRESS"));
    Some(match is_busy {
        true => format!(
            "the stack{stack}, which manages this service, was busy when the records end: not before it has finished"
        ),
        false => format!(
            "the stack{stack} manages this service: a change by hand is drift that its next update takes back; not while the stack is busy"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_state(status: &str) -> DeploymentFacts {
        DeploymentFacts {
            stack: Some("shop".to_owned()),
            stack_status: Some(status.to_owned()).filter(|status| !status.is_empty()),
            ..DeploymentFacts::default()
        }
    }

    #[test]
    fn an_operation_fits_in_its_states_only() {
        let fits = |operation: Operation, status: &str| operation.fit(&in_state(status));
        assert_eq!(fits(RollBack, "UPDATE_FAILED"), Fit::Fits);
        assert_eq!(fits(RollBack, "UPDATE_ROLLBACK_COMPLETE"), Fit::Refused);
        assert_eq!(fits(ContinueRollback, "UPDATE_ROLLBACK_FAILED"), Fit::Fits);
        assert_eq!(fits(ContinueRollback, "ROLLBACK_FAILED"), Fit::Refused);
        assert_eq!(fits(Delete, "ROLLBACK_COMPLETE"), Fit::Fits);
        assert_eq!(fits(Delete, "UPDATE_ROLLBACK_COMPLETE"), Fit::Refused);
        assert_eq!(fits(Cancel, "UPDATE_ROLLBACK_IN_PROGRESS"), Fit::Refused);
        assert_eq!(fits(Cancel, ""), Fit::NotKnown);
        let live = DeploymentFacts { running: Some(2), ..in_state("") };
        assert_eq!(Delete.fit(&live), Fit::Refused);
    }

    #[track_caller]
    fn noted(command: &str, line: &str, status: &str, expected: Option<&str>) {
        assert_eq!(note(command, line, &in_state(status)).as_deref(), expected);
    }

    #[test]
    fn a_command_of_a_page_says_which_state_it_needs() {
        let cancel = "aws cloudformation cancel-update-stack";
        noted(cancel, "If it hangs:", "", Some(" (only if the stack is in UPDATE_IN_PROGRESS)"));
        noted(
            cancel,
            "If it hangs:",
            "UPDATE_FAILED",
            Some(" (only if the stack is in UPDATE_IN_PROGRESS; it is in UPDATE_FAILED)"),
        );
        noted(cancel, "If it hangs:", "UPDATE_IN_PROGRESS", None);
        noted(cancel, "In UPDATE_IN_PROGRESS:", "", None);
        noted("aws cloudformation describe-stacks", "See:", "", None);
    }

    #[test]
    fn a_stack_that_blocks_the_next_deployment_is_named() {
        let told =
            with_next_step("1. Mend it.\n\n2. Deploy.\n".to_owned(), &in_state("UPDATE_ROLLBACK_FAILED"));
        assert!(told.contains("\n3. The stack is in `UPDATE_ROLLBACK_FAILED`"), "{told}");
        assert!(told.contains("continue-update-rollback --stack-name shop"), "{told}");
        assert_eq!(with_next_step(told.clone(), &in_state("UPDATE_ROLLBACK_FAILED")), told);
        assert_eq!(with_next_step("1. Mend it.".to_owned(), &in_state("UPDATE_FAILED")), "1. Mend it.");
    }

    #[test]
    fn a_service_of_a_stack_is_not_changed_by_hand_without_a_warning() {
        assert_eq!(drift(&in_state("UPDATE_IN_PROGRESS")), None);
        let of_stack = DeploymentFacts { is_in_stack: true, ..in_state("UPDATE_IN_PROGRESS") };
        assert!(drift(&of_stack).is_some_and(|said| said.contains("was busy")));
        let of_stack = DeploymentFacts { is_in_stack: true, ..in_state("UPDATE_ROLLBACK_COMPLETE") };
        assert!(drift(&of_stack).is_some_and(|said| said.contains("drift")));
    }
}
