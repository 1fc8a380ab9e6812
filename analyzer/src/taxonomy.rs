//! The twelve classes of failures, how severe they are, and what can be done about them.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A class of root causes: `domain/area`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    #[serde(rename = "infrastructure/stack-failure")]
    StackFailure,
    #[serde(rename = "infrastructure/service-startup")]
    ServiceStartup,
    #[serde(rename = "infrastructure/network")]
    Network,
    #[serde(rename = "infrastructure/capacity")]
    Capacity,
    #[serde(rename = "application/startup-health")]
    StartupHealth,
    #[serde(rename = "application/database")]
    Database,
    #[serde(rename = "application/configuration")]
    Configuration,
    #[serde(rename = "application/port-binding")]
    PortBinding,
    #[serde(rename = "pipeline/image")]
    Image,
    #[serde(rename = "pipeline/workflow")]
    Workflow,
    #[serde(rename = "pipeline/cdk")]
    Cdk,
    #[serde(rename = "pipeline/credentials")]
    Credentials,
}

impl Class {
    pub const ALL: [Class; 12] = [
        Class::StackFailure,
        Class::ServiceStartup,
        Class::Network,
        Class::Capacity,
        Class::StartupHealth,
        Class::Database,
        Class::Configuration,
        Class::PortBinding,
        Class::Image,
        Class::Workflow,
        Class::Cdk,
        Class::Credentials,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Class::StackFailure => "infrastructure/stack-failure",
            Class::ServiceStartup => "infrastructure/service-startup",
            Class::Network => "infrastructure/network",
            Class::Capacity => "infrastructure/capacity",
            Class::StartupHealth => "application/startup-health",
            Class::Database => "application/database",
            Class::Configuration => "application/configuration",
            Class::PortBinding => "application/port-binding",
            Class::Image => "pipeline/image",
            Class::Workflow => "pipeline/workflow",
            Class::Cdk => "pipeline/cdk",
            Class::Credentials => "pipeline/credentials",
        }
    }

    pub fn index(self) -> usize {
        self as usize
    }

    /// Returns the class in words, as the subject of a sentence.
    pub fn in_words(self) -> &'static str {
        match self {
            Class::StackFailure => "a CloudFormation stack operation failed",
            Class::ServiceStartup => "the ECS service did not start its tasks",
            Class::Network => "a network path is missing or blocked",
            Class::Capacity => "there is not enough capacity",
            Class::StartupHealth => "the application crashes or is not healthy",
            Class::Database => "the application cannot use its database",
            Class::Configuration => "a setting is missing or wrong",
            Class::PortBinding => "a port cannot be bound or does not match",
            Class::Image => "the image cannot be built or pulled",
            Class::Workflow => "a step of the pipeline failed",
            Class::Cdk => "the CDK app cannot be synthesised or deployed",
            Class::Credentials => "credentials or permissions are missing",
        }
    }

    /// Returns who has to act, for the line that says whose move it is.
    pub fn blame(self) -> Blame {
        match self {
            Class::StartupHealth | Class::Database | Class::Configuration | Class::PortBinding => {
                Blame::Change
            }
            Class::Capacity => Blame::Capacity,
            Class::Network | Class::StackFailure | Class::ServiceStartup => Blame::Environment,
            Class::Image | Class::Workflow | Class::Cdk | Class::Credentials => Blame::Pipeline,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Class {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Class::ALL
            .into_iter()
            .find(|class| class.as_str() == text)
            .ok_or_else(|| UnknownName { what: "class", name: text.to_owned() })
    }
}

/// Where the boundary of blame runs: what has to change before the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blame {
    Change,
    Capacity,
    Environment,
    Pipeline,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

/// How much a remedy can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Safety {
    /// Changes nothing that runs.
    Safe,
    /// Running tasks are replaced or moved; can be undone.
    Disruptive,
    /// Cannot be undone.
    Irreversible,
    /// A person changes code, configuration or permissions.
    Manual,
}

impl Safety {
    pub fn as_str(self) -> &'static str {
        match self {
            Safety::Safe => "safe",
            Safety::Disruptive => "disruptive",
            Safety::Irreversible => "irreversible",
            Safety::Manual => "manual",
        }
    }

    /// Says it as reports do.
    pub fn in_words(self) -> &'static str {
        match self {
            Safety::Manual => "by hand",
            other => other.as_str(),
        }
    }
}

macro_rules! remedies {
    ($($variant:ident $name:literal $safety:ident $automatable:literal $minutes:literal $title:literal $undo:literal,)*) => {
        /// What a cause asks for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Remedy { $(#[serde(rename = $name)] $variant,)* }

        impl Remedy {
            pub const ALL: &'static [Remedy] = &[$(Remedy::$variant,)*];

            pub fn as_str(self) -> &'static str {
                match self { $(Remedy::$variant => $name,)* }
            }

            pub fn facts(self) -> RemedyFacts {
                match self {
                    $(Remedy::$variant => RemedyFacts {
                        title: $title, safety: Safety::$safety, automatable: $automatable,
                        estimated_minutes: $minutes, undo: $undo,
                    },)*
                }
            }
        }
    };
}

/// What is known about a remedy before it is planned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RemedyFacts {
    pub title: &'static str,
    pub safety: Safety,
    pub automatable: bool,
    pub estimated_minutes: u32,
    /// How it is undone, empty where there is nothing to undo.
    pub undo: &'static str,
}

remedies! {
    RetryDeployment "retry-deployment" Safe true 10 "Wait, then deploy again with back-off" "",
    ScaleService "scale-service" Disruptive true 5 "Change the number of tasks" "set the desired count back",
    IncreaseTaskSize "increase-task-size" Disruptive true 10 "Give the task the next valid CPU and memory size" "deploy the previous revision",
    RestartTasks "restart-tasks" Disruptive true 5 "Force a new deployment of the same revision" "",
    RollBack "roll-back" Disruptive true 10 "Go back to the last good revision" "deploy the newer revision again",
    DeleteFailedStack "delete-failed-stack" Irreversible true 15 "Delete the failed stack, then deploy again" "",
    ContinueUpdateRollback "continue-update-rollback" Disruptive true 15 "Continue the rollback of the stack" "",
    RollBackStack "roll-back-stack" Disruptive true 15 "Roll the stack back to its last stable state" "deploy the change again",
    Wait "wait" Safe true 15 "Wait until the other operation has finished, then deploy again" "",
    CreateLogGroup "create-log-group" Safe true 1 "Create the missing log group" "delete the log group",
    StopDeployment "stop-deployment" Disruptive true 5 "Stop the running deployment and roll it back" "start the deployment again",
    RebuildImage "rebuild-image" Safe false 15 "Build and push the image again" "",
    RaiseQuota "raise-quota" Manual false 1440 "Ask for a higher quota" "",
    FixConfiguration "fix-configuration" Manual false 20 "Correct the configuration" "",
    FixCode "fix-code" Manual false 60 "Correct the code" "",
    FixTemplate "fix-template" Manual false 30 "Correct the template" "",
    FixPermissions "fix-permissions" Manual false 30 "Grant the missing permission" "",
    FixNetwork "fix-network" Manual false 45 "Open the network path" "",
    FixWorkflow "fix-workflow" Manual false 30 "Correct the pipeline" "",
    FixDatabase "fix-database" Manual false 45 "Repair the database" "",
    BootstrapEnvironment "bootstrap-environment" Disruptive false 5 "Bootstrap the environment for the CDK" "",
    RenewCredentials "renew-credentials" Safe false 5 "Renew the credentials and run again" "",
}

impl FromStr for Remedy {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Remedy::ALL.iter().copied().find(|remedy| remedy.as_str() == text);
        found.ok_or_else(|| UnknownName { what: "remedy", name: text.to_owned() })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{name}`")]
pub struct UnknownName {
    pub what: &'static str,
    pub name: String,
}
