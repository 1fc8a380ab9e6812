//! Remedies as a reader is told them: what each may break, the command that previews it, does it, shows that it
//! worked, and undoes it.

use analyzer::diagnosis::DeploymentFacts;
use analyzer::taxonomy::{Remedy, Safety};
use serde::Serialize;

use crate::commands::plain;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Treatment {
    pub remedy: Remedy,
    pub title: String,
    pub safety: Safety,
    pub automatable: bool,
    pub estimated_minutes: u32,
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
    /// The revision of the last good deployment.
    pub good: Option<&'a str>,
    /// The log group that the cause names.
    pub log_group: Option<&'a str>,
}

/// Describes a remedy for a deployment.
pub fn treatment(remedy: Remedy, known: &Known<'_>) -> Treatment {
    let facts = remedy.facts();
    let commands = commands(remedy, known);
    Treatment {
        remedy,
        title: facts.title.to_owned(),
        safety: facts.safety,
        automatable: facts.automatable,
        estimated_minutes: facts.estimated_minutes,
        preview: commands.preview,
        apply: commands.apply,
        verify: commands.verify.or_else(|| watch(known.deployment)),
        undo: (!facts.undo.is_empty()).then(|| facts.undo.to_owned()),
        undo_command: commands.undo,
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
            apply: Some(update("--desired-count COUNT")),
            verify: Some(stable),
            undo: facts.desired.map(|desired| update(&format!("--desired-count {desired}"))),
        },
        Remedy::RollBack => Commands {
            preview: Some(match good {
                Some(good) => format!(
                    "aws ecs describe-task-definition --task-definition {good} --query 'taskDefinition.[status,containerDefinitions[].image]'"
                ),
                None => format!(
                    "aws ecs list-service-deployments --cluster {cluster} --service {service} --status SUCCESSFUL --max-results 1"
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
                "aws ecs list-service-deployments --cluster {cluster} --service {service} --status IN_PROGRESS"
            )),
            apply: Some(
                "aws ecs stop-service-deployment --service-deployment-arn ARN --stop-type ROLLBACK"
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
            preview: Some(format!("{} --query 'Stacks[].StackStatus'", of_stack("describe-stacks"))),
            apply: Some(of_stack("rollback-stack")),
            verify: Some(of_stack("wait stack-rollback-complete")),
            undo: None,
        },
        Remedy::Wait => Commands {
            preview: Some(format!("{} --query 'Stacks[].StackStatus'", of_stack("describe-stacks"))),
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

/// What a person repairs shows with the next deployment.
fn watch(known: &DeploymentFacts) -> Option<String> {
    let (cluster, service) = (plain(known.cluster.as_deref()?)?, plain(known.service.as_deref()?)?);
    Some(format!("medic watch --cluster {cluster} --service {service}"))
}
