//! Checks: pure functions over a snapshot that hold, are violated, or cannot be decided.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

use crate::snapshot::Snapshot;
use crate::taxonomy::UnknownName;

macro_rules! checks {
    ($($variant:ident $name:literal $room:ident $function:ident $permission:literal $says:literal,)*) => {
        /// A question to the described state.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Check { $(#[serde(rename = $name)] $variant,)* }

        impl Check {
            pub const ALL: &'static [Check] = &[$(Check::$variant,)*];

            pub fn as_str(self) -> &'static str {
                match self { $(Check::$variant => $name,)* }
            }

            /// The call that describes what the check reads.
            pub fn permission(self) -> &'static str {
                match self { $(Check::$variant => $permission,)* }
            }

            /// What holds when the check holds.
            pub fn says(self) -> &'static str {
                match self { $(Check::$variant => $says,)* }
            }

            /// Runs the check over everything in the snapshot that it applies to.
            pub fn run(self, snapshot: &Snapshot) -> Vec<CheckResult> {
                match self { $(Check::$variant => $room::$function(snapshot),)* }
            }
        }
    };
}

impl Check {
    /// Whether the check reports how things are rather than how they are set.
    pub fn is_state(self) -> bool {
        matches!(
            self,
            Check::CircuitBreakerState
                | Check::TargetHealth
                | Check::TasksRunning
                | Check::StackStatus
                | Check::TaskDefinitionActive
        )
    }

    /// Whether a cause can be ruled out because the check holds. Most checks only look at what is set:
    /// a valid setting does not prove that it was the one that failed.
    pub fn can_refute(self) -> bool {
        matches!(self, Check::ImageExists | Check::ImageArchitectureMatches | Check::DesiredCountPositive)
    }
}

mod balancers;
mod deployment;
#[cfg(test)]
mod excerpts;
mod health;
mod image;
mod logging;
mod places;
mod platform;
mod ports;
mod references;
mod running;
mod scope;
mod sizes;
mod task_definition;

pub(crate) use image::{is_pinned, is_same_image};
pub use running::Running;
pub(crate) use running::had_tasks;
pub(crate) use scope::services_behind;

checks! {
    TargetPortMatchesContainer "target-port-matches-container" ports target_port_matches_container "elasticloadbalancing:DescribeTargetHealth"
        "targets are registered on a port that a container exposes",
    HealthCheckPortExposed "health-check-port-exposed" ports health_check_port_exposed "elasticloadbalancing:DescribeTargetGroups"
        "the health check of the target group uses a port that a container exposes",
    HealthCheckTiming "health-check-timing" health health_check_timing "ecs:DescribeTaskDefinition"
        "the container health check can succeed before its retries are used up",
    GracePeriodCoversStartup "grace-period-covers-startup" health grace_period_covers_startup "ecs:DescribeServices"
        "the grace period covers the start of the container",
    FargateSizeValid "fargate-size-valid" sizes fargate_size_valid "ecs:DescribeTaskDefinition"
        "Fargate knows the combination of CPU and memory",
    ContainerMemoryFits "container-memory-fits" sizes container_memory_fits "ecs:DescribeTaskDefinition"
        "the containers fit into the memory of the task",
    LogGroupConfigured "log-group-configured" logging log_group_configured "ecs:DescribeTaskDefinition"
        "every awslogs configuration names a group and a region",
    LogDriverBlocking "log-driver-blocking" logging log_driver_blocking "ecs:DescribeTaskDefinition"
        "no container hangs on a log driver in blocking mode",
    ImageReferenceValid "image-reference-valid" image image_reference_valid "ecs:DescribeTaskDefinition"
        "every image reference is well formed",
    ImageExists "image-exists" image image_exists "ecr:DescribeImages"
        "the images of the task definition are among those described in the repository",
    ImageArchitectureMatches "image-architecture-matches" platform image_architecture_matches "ecs:DescribeTasks"
        "the tasks could run the images on the platform of the task definition",
    SecretReferencesValid "secret-references-valid" references secret_references_valid "ecs:DescribeTaskDefinition"
        "every secret reference is well formed",
    ExecutionRolePresent "execution-role-present" references execution_role_present "ecs:DescribeTaskDefinition"
        "an execution role is set where one is needed",
    EssentialContainerPresent "essential-container-present" task_definition essential_container_present "ecs:DescribeTaskDefinition"
        "at least one container is essential",
    NetworkModeFits "network-mode-fits" task_definition network_mode_fits "ecs:DescribeTaskDefinition"
        "the network mode fits the launch type and the service",
    HostPortMatches "host-port-matches" ports host_port_matches "ecs:DescribeTaskDefinition"
        "host ports equal container ports in awsvpc mode, and no two containers share one",
    LoadBalancerContainerExists "load-balancer-container-exists" balancers load_balancer_container_exists "ecs:DescribeServices"
        "the container and port of each load balancer are in the task definition",
    CircuitBreakerState "circuit-breaker-state" deployment circuit_breaker_state "ecs:DescribeServices"
        "no deployment failed or was rolled back",
    DesiredCountPositive "desired-count-positive" deployment desired_count_positive "ecs:DescribeServices"
        "the service is asked to run at least one task",
    DeploymentPercentagesLeaveRoom "deployment-percentages-leave-room" deployment deployment_percentages_leave_room "ecs:DescribeServices"
        "the deployment percentages leave room to start or stop a task",
    TargetHealth "target-health" deployment target_health "elasticloadbalancing:DescribeTargetHealth"
        "the targets are healthy",
    TasksRunning "tasks-running" deployment tasks_running "ecs:DescribeServices"
        "as many tasks run as are desired",
    StackStatus "stack-status" deployment stack_status "cloudformation:DescribeStacks"
        "no stack is in a failed state",
    TaskDefinitionActive "task-definition-active" task_definition task_definition_active "ecs:DescribeTaskDefinition"
        "the task definition is active",
    DependencyOrderAcyclic "dependency-order-acyclic" task_definition dependency_order_acyclic "ecs:DescribeTaskDefinition"
        "containers do not wait for each other in a circle, and only for containers that exist",
}

/// What a check found out about one subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CheckResult {
    pub check: Check,
    /// What was looked at: `service web`, `task definition web:12, container app`.
    pub subject: String,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Outcome {
    Holds,
    /// `field` had `value`, and that is wrong because of what `because` says in a sentence.
    Violated {
        field: String,
        value: String,
        because: String,
    },
    /// What was not described, so that the check cannot be decided.
    Unknown {
        missing: String,
    },
}

impl CheckResult {
    pub fn is_violated(&self) -> bool {
        matches!(self.outcome, Outcome::Violated { .. })
    }

    /// Returns the call that describes what is missing: it need not be the one that describes what is checked.
    pub fn permission(&self) -> &'static str {
        const CALLS: [(&str, &str); 8] = [
            ("task definition", "ecs:DescribeTaskDefinition"),
            ("tasks", "ecs:DescribeTasks"),
            ("service", "ecs:DescribeServices"),
            ("deployment", "ecs:DescribeServices"),
            ("image", "ecr:DescribeImages"),
            ("target group", "elasticloadbalancing:DescribeTargetGroups"),
            ("target health", "elasticloadbalancing:DescribeTargetHealth"),
            ("stack", "cloudformation:DescribeStacks"),
        ];
        let Outcome::Unknown { missing } = &self.outcome else { return self.check.permission() };
        let call = CALLS.iter().find(|(part, _)| missing.starts_with(part));
        call.map_or_else(|| self.check.permission(), |(_, call)| *call)
    }

    /// Says what was not provided, and the call that provides it; nothing where the check was decided.
    pub fn not_provided(&self) -> Option<String> {
        Some(format!("{} ({})", self.missing()?, self.permission()))
    }

    /// Says what was not provided.
    pub fn missing(&self) -> Option<String> {
        let Outcome::Unknown { missing } = &self.outcome else { return None };
        Some(match missing.strip_suffix(": not described") {
            Some("target health") => "target health was not provided".to_owned(),
            Some(parts) => format!("{parts} were not provided"),
            // A name, or a part with the reason why it could not be read.
            None if missing.contains(": ") => missing.clone(),
            None => format!("{missing} was not provided"),
        })
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Check {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Check::ALL.iter().copied().find(|check| check.as_str() == text);
        found.ok_or_else(|| UnknownName { what: "check", name: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_has_its_own_permission() {
        let ask = |check: Check, parts: &str| {
            let snapshot: Snapshot = serde_json::from_str(parts).unwrap();
            check.run(&snapshot).iter().map(CheckResult::permission).collect::<Vec<_>>()
        };
        let definition = r#"{"taskDefinitions": {"known": [{"family": "web"}]}}"#;
        let tasks = r#"{"tasks": {"known": []}}"#;
        let health = r#"{"targetHealth": {"known": []}}"#;
        assert_eq!(ask(Check::ImageArchitectureMatches, definition), ["ecs:DescribeTasks"]);
        assert_eq!(ask(Check::ImageArchitectureMatches, tasks), ["ecs:DescribeTaskDefinition"]);
        assert_eq!(ask(Check::TargetPortMatchesContainer, health), ["ecs:DescribeServices"]);
        assert_eq!(ask(Check::ImageExists, definition), ["ecr:DescribeImages"]);
    }
}
