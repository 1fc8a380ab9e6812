//! Remedies as a reader is told them: what each may break, the command that previews it, does it, shows that it
//! worked, and undoes it.

use analyzer::diagnosis::DeploymentFacts;
use analyzer::taxonomy::{Class, Remedy, Safety};
use serde::Serialize;

use crate::commands::plain;
use crate::stack::{self, Fit, Operation};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Treatment {
    pub remedy: Remedy,
    pub title: String,
    pub safety: Safety,
    pub automatable: bool,
    pub estimated_minutes: u32,
    /// When it must not be done, or what it costs.
    pub caution: Option<String>,
    /// The command that previews it, without changing anything.
    pub preview: Option<String>,
    /// The command that does it; a person runs it.
    pub apply: Option<String>,
    /// The command that tells whether it worked.
    pub verify: Option<String>,
    pub undo: Option<String>,
    pub undo_command: Option<String>,
}

/// What commands are completed with; what is not known stands as a word in capitals.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    pub deployment: &'a DeploymentFacts,
    /// The class of the cause.
    pub class: Class,
    /// The revision of the last good deployment.
    pub good: Option<&'a str>,
    /// The log group that the cause names.
    pub log_group: Option<&'a str>,
}

/// Describes a remedy for a deployment; nothing where the state of the deployment does not admit it.
pub fn treatment(remedy: Remedy, known: &Known<'_>) -> Option<Treatment> {
    let facts = remedy.facts();
    let operation = Operation::of(remedy);
    let fit = operation.map_or(Fit::Fits, |operation| operation.fit(known.deployment));
    let scale = (remedy == Remedy::ScaleService).then(|| Scale::of(known));
    if fit == Fit::Refused || scale == Some(None) {
        return None;
    }
    let scale = scale.flatten();
    let mut commands = commands(remedy, known);
    if fit == Fit::NotKnown {
        commands.preview = Some(state_of_stack(known.deployment));
    }
    let changes_service = commands.apply.as_deref().is_some_and(|apply| apply.contains(" update-service "));
    let caution = match operation.filter(|_| fit == Fit::NotKnown) {
        Some(operation) => Some(operation.only_in()),
        None => stack::drift(known.deployment).filter(|_| changes_service),
    };
    Some(Treatment {
        remedy,
        title: scale.map_or(facts.title, Scale::title).to_owned(),
        safety: facts.safety,
        automatable: facts.automatable,
        estimated_minutes: facts.estimated_minutes,
        caution,
        preview: commands.preview,
        apply: commands.apply,
        verify: commands.verify.or_else(|| watch(known.deployment)),
        undo: (!facts.undo.is_empty()).then(|| facts.undo.to_owned()),
        undo_command: commands.undo,
    })
}

/// Which way the number of tasks is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Start,
    Fewer,
    Stop,
}

impl Scale {
    /// Returns what helps against a class of causes; nothing where no other number of tasks does.
    fn of(known: &Known<'_>) -> Option<Scale> {
        let (desired, running) = (known.deployment.desired, known.deployment.running);
        match known.class {
            Class::Configuration => desired.is_none_or(|desired| desired == 0).then_some(Scale::Start),
            // One task fewer than one is none.
            Class::Capacity | Class::Database | Class::PortBinding | Class::Network => {
                desired.is_none_or(|desired| desired > 1).then_some(Scale::Fewer)
            }
            // Tasks that run are not stopped to stop those that fail.
            _ => (running == Some(0)).then_some(Scale::Stop),
        }
    }

    fn title(self) -> &'static str {
        match self {
            Scale::Start => "Ask for at least one task",
            Scale::Fewer => "Run fewer tasks, which frees room until the cause is mended",
            Scale::Stop => "Run no tasks until the cause is mended, so that none fails again and again",
        }
    }

    fn count(self) -> &'static str {
        match self {
            Scale::Start => "1",
            Scale::Fewer => "COUNT",
            Scale::Stop => "0",
        }
    }
}

/// Leaves out what tells whether a remedy worked where the one before says the same.
pub fn told_once(remedies: &[Treatment]) -> Vec<Treatment> {
    let mut told: Vec<Treatment> = Vec::with_capacity(remedies.len());
    for remedy in remedies {
        let mut remedy = remedy.clone();
        let is_told = |verify: &String| told.iter().any(|other| other.verify.as_ref() == Some(verify));
        remedy.verify = remedy.verify.filter(|verify| !is_told(verify));
        told.push(remedy);
    }
    told
}

#[derive(Default)]
struct Commands {
    preview: Option<String>,
    apply: Option<String>,
    verify: Option<String>,
    undo: Option<String>,
}

fn commands(remedy: Remedy, known: &Known<'_>) -> Commands {
    let facts = known.deployment;
    let cluster = facts.cluster.as_deref().and_then(plain).unwrap_or("CLUSTER");
    let service = facts.service.as_deref().and_then(plain).unwrap_or("SERVICE");
    let stack = facts.stack.as_deref().and_then(plain).unwrap_or("STACK");
    let revision = facts.task_definition.as_deref().and_then(plain).unwrap_or("TASK_DEFINITION");
    let good = known.good.and_then(plain);
    let group = known.log_group.and_then(plain).unwrap_or("LOG_GROUP");
    let update =
        |what: &str| format!("aws ecs update-service --cluster {cluster} --service {service} {what}");
    let describe = |query: &str| {
        format!("aws ecs describe-services --cluster {cluster} --services {service} --query '{query}'")
    };
    let stable = format!("aws ecs wait services-stable --cluster {cluster} --services {service}");
    let of_stack = |what: &str| format!("aws cloudformation {what} --stack-name {stack}");
    let deployments =
        "services[].deployments[].[taskDefinition,rolloutState,desiredCount,runningCount,failedTasks]";
    match remedy {
        Remedy::RetryDeployment => Commands { preview: Some(describe(deployments)), ..Commands::default() },
        Remedy::RestartTasks => Commands {
            preview: Some(describe(deployments)),
            apply: Some(update("--force-new-deployment")),
            verify: Some(stable),
            undo: None,
        },
        Remedy::ScaleService => Commands {
            preview: Some(describe("services[].[desiredCount,runningCount,pendingCount]")),
            apply: Scale::of(known).map(|scale| update(&format!("--desired-count {}", scale.count()))),
            verify: Some(stable),
            undo: facts.desired.map(|desired| update(&format!("--desired-count {desired}"))),
        },
        Remedy::RollBack => Commands {
            preview: Some(match good {
                Some(good) => format!(
                    "aws ecs describe-task-definition --task-definition {good} --query 'taskDefinition.[status,containerDefinitions[].image]'"
                ),
                // The deployments name revisions of the service, and these the task definitions.
                None => format!(
                    "aws ecs list-service-deployments --cluster {cluster} --service {service} --status SUCCESSFUL --query 'serviceDeployments[].targetServiceRevisionArn' --output text | xargs aws ecs describe-service-revisions --query 'serviceRevisions[].[createdAt,taskDefinition]' --service-revision-arns"
                ),
            }),
            apply: Some(update(&format!("--task-definition {}", good.unwrap_or("LAST_GOOD_REVISION")))),
            verify: Some(stable),
            undo: Some(update(&format!("--task-definition {revision}"))),
        },
        Remedy::IncreaseTaskSize => Commands {
            preview: Some(format!(
                "aws ecs describe-task-definition --task-definition {revision} --query 'taskDefinition.[cpu,memory]'"
            )),
            undo: good.map(|good| update(&format!("--task-definition {good}"))),
            ..Commands::default()
        },
        Remedy::StopDeployment => Commands {
            preview: Some(format!(
                "aws ecs list-service-deployments --cluster {cluster} --service {service} --status IN_PROGRESS --query 'serviceDeployments[].serviceDeploymentArn'"
            )),
            apply: Some(
                "aws ecs stop-service-deployment --service-deployment-arn SERVICE_DEPLOYMENT_ARN --stop-type ROLLBACK"
                    .to_owned(),
            ),
            verify: Some(stable),
            undo: None,
        },
        Remedy::DeleteFailedStack => Commands {
            preview: Some(of_stack("list-stack-resources")),
            apply: Some(of_stack("delete-stack")),
            verify: Some(of_stack("wait stack-delete-complete")),
            undo: None,
        },
        Remedy::ContinueUpdateRollback => Commands {
            preview: Some(format!(
                "{} --query \"StackResources[?ResourceStatus=='UPDATE_FAILED']\"",
                of_stack("describe-stack-resources")
            )),
            apply: Some(of_stack("continue-update-rollback")),
            verify: Some(of_stack("wait stack-rollback-complete")),
            undo: None,
        },
        Remedy::RollBackStack => Commands {
            preview: Some(state_of_stack(facts)),
            apply: Some(of_stack("rollback-stack")),
            // The waiter takes `UPDATE_ROLLBACK_COMPLETE` alone for the end; a creation ends in `ROLLBACK_COMPLETE`.
            verify: Some(match facts.stack_status.as_deref() {
                Some("UPDATE_FAILED") => of_stack("wait stack-rollback-complete"),
                _ => state_of_stack(facts),
            }),
            undo: None,
        },
        Remedy::Wait => Commands {
            preview: Some(state_of_stack(facts)),
            ..Commands::default()
        },
        Remedy::CreateLogGroup => Commands {
            preview: Some(format!("aws logs describe-log-groups --log-group-name-prefix {group}")),
            apply: Some(format!("aws logs create-log-group --log-group-name {group}")),
            verify: None,
            undo: Some(format!("aws logs delete-log-group --log-group-name {group}")),
        },
        Remedy::RenewCredentials => Commands {
            preview: Some("aws sts get-caller-identity".to_owned()),
            verify: Some("aws sts get-caller-identity".to_owned()),
            ..Commands::default()
        },
        Remedy::RebuildImage
        | Remedy::RaiseQuota
        | Remedy::FixConfiguration
        | Remedy::FixCode
        | Remedy::FixTemplate
        | Remedy::FixPermissions
        | Remedy::FixNetwork
        | Remedy::FixWorkflow
        | Remedy::FixDatabase
        | Remedy::BootstrapEnvironment => Commands::default(),
    }
}

/// Returns the command that shows the state of the stack.
fn state_of_stack(known: &DeploymentFacts) -> String {
    let stack = known.stack.as_deref().and_then(plain).unwrap_or("STACK");
    format!("aws cloudformation describe-stacks --stack-name {stack} --query 'Stacks[].StackStatus'")
}

/// What a person repairs shows with the next deployment.
fn watch(known: &DeploymentFacts) -> Option<String> {
    let (cluster, service) = (plain(known.cluster.as_deref()?)?, plain(known.service.as_deref()?)?);
    Some(format!("medic watch --cluster {cluster} --service {service}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(
        remedy: Remedy,
        class: Class,
        deployment: &DeploymentFacts,
        good: Option<&str>,
    ) -> Option<Treatment> {
        treatment(remedy, &Known { deployment, class, good, log_group: None })
    }

    fn stack(status: Option<&str>) -> DeploymentFacts {
        DeploymentFacts {
            stack: Some("shop".to_owned()),
            stack_status: status.map(str::to_owned),
            ..DeploymentFacts::default()
        }
    }

    #[track_caller]
    fn of_stack(remedy: Remedy, status: Option<&str>, verify: Option<&str>) {
        let told = told(remedy, Class::StackFailure, &stack(status), None);
        assert_eq!(told.and_then(|told| told.verify).as_deref(), verify, "{remedy:?} in {status:?}");
    }

    #[test]
    fn a_stack_is_treated_only_where_its_state_admits_it() {
        let state =
            Some("aws cloudformation describe-stacks --stack-name shop --query 'Stacks[].StackStatus'");
        let rolled_back = Some("aws cloudformation wait stack-rollback-complete --stack-name shop");
        of_stack(Remedy::RollBackStack, Some("UPDATE_FAILED"), rolled_back);
        of_stack(Remedy::RollBackStack, Some("CREATE_FAILED"), state);
        of_stack(Remedy::RollBackStack, Some("UPDATE_ROLLBACK_COMPLETE"), None);
        of_stack(Remedy::ContinueUpdateRollback, Some("UPDATE_ROLLBACK_FAILED"), rolled_back);
        of_stack(Remedy::ContinueUpdateRollback, Some("UPDATE_COMPLETE"), None);
        of_stack(Remedy::DeleteFailedStack, Some("UPDATE_ROLLBACK_FAILED"), None);
        let unknown = told(Remedy::RollBackStack, Class::StackFailure, &stack(None), None).unwrap();
        assert_eq!(unknown.preview.as_deref(), state);
        assert_eq!(
            unknown.caution.as_deref(),
            Some("only if the stack is in CREATE_FAILED or UPDATE_FAILED")
        );
    }

    #[test]
    fn the_number_of_tasks_changes_where_that_helps() {
        let with = |desired, running| DeploymentFacts { desired, running, ..DeploymentFacts::default() };
        let apply = |class, desired, running| {
            let told = told(Remedy::ScaleService, class, &with(desired, running), None);
            told.and_then(|told| told.apply).and_then(|apply| apply.split(' ').next_back().map(str::to_owned))
        };
        assert_eq!(apply(Class::Configuration, Some(0), Some(0)).as_deref(), Some("1"));
        assert_eq!(apply(Class::Configuration, Some(2), Some(0)), None);
        assert_eq!(apply(Class::Database, Some(4), Some(2)).as_deref(), Some("COUNT"));
        assert_eq!(apply(Class::Capacity, Some(1), Some(0)), None);
        assert_eq!(apply(Class::ServiceStartup, Some(2), Some(2)), None);
        assert_eq!(apply(Class::ServiceStartup, Some(2), Some(0)).as_deref(), Some("0"));
    }

    #[test]
    fn a_service_of_a_stack_is_changed_with_care() {
        let of_stack = DeploymentFacts { is_in_stack: true, ..stack(Some("UPDATE_ROLLBACK_COMPLETE")) };
        let rolled_back = told(Remedy::RollBack, Class::Image, &of_stack, Some("web:41")).unwrap();
        assert!(rolled_back.caution.is_some_and(|caution| caution.contains("drift")));
        assert!(rolled_back.apply.is_some_and(|apply| apply.ends_with("--task-definition web:41")));
        let by_hand = told(Remedy::RollBack, Class::Image, &stack(None), None).unwrap();
        assert_eq!(by_hand.caution, None);
        assert!(by_hand.preview.is_some_and(|preview| preview.contains("describe-service-revisions")));
    }
}
