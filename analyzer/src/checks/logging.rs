//! Checks of log configurations.

use super::scope::{Scope, per_container, unknown, violated};
use super::{Check, CheckResult, Outcome};
use crate::snapshot::{ContainerDefinition, LogConfiguration, Snapshot};

pub fn log_group_configured(snapshot: &Snapshot) -> Vec<CheckResult> {
    per_container(Check::LogGroupConfigured, snapshot, |scope, container| {
        let configuration = container.log_configuration.as_ref()?;
        (configuration.log_driver.as_deref() == Some("awslogs"))
            .then(|| awslogs_is_complete(scope, container, configuration))
    })
}

fn awslogs_is_complete(
    scope: &Scope<'_>,
    container: &ContainerDefinition,
    configuration: &LogConfiguration,
) -> Outcome {
    // The agent of an EC2 instance knows its region and needs no prefix.
    let needed: &[&str] = match scope.starts_on_fargate() {
        true => &["awslogs-group", "awslogs-region", "awslogs-stream-prefix"],
        false => &["awslogs-group"],
    };
    let is_empty =
        |option: &&&str| configuration.options.get(**option).is_none_or(|value| value.trim().is_empty());
    match needed.iter().find(is_empty) {
        None => Outcome::Holds,
        Some(_) if configuration.options.is_empty() && !scope.definition.has_whole(container) => {
            unknown(format!("log options of container {}", container.name))
        }
        Some(option) => violated(
            format!("logConfiguration.options.{option}"),
            "not set",
            format!("without {option} the log driver cannot start container {}", container.name),
        ),
    }
}

pub fn log_driver_blocking(snapshot: &Snapshot) -> Vec<CheckResult> {
    per_container(Check::LogDriverBlocking, snapshot, |_, container| {
        let configuration = container.log_configuration.as_ref()?;
        if configuration.options.get("mode").map(String::as_str) != Some("blocking") {
            return Some(Outcome::Holds);
        }
        let because =
            format!("container {} hangs on its output while its logs cannot be delivered", container.name);
        Some(violated("logConfiguration.options.mode", "blocking", because))
    })
}
