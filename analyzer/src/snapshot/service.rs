//! Services and their deployments.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::last_segment;
use super::lenient::{number, or_default, time};

/// An ECS service (describe-services).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Service {
    #[serde(deserialize_with = "or_default")]
    pub service_arn: String,
    #[serde(deserialize_with = "or_default")]
    pub service_name: String,
    #[serde(deserialize_with = "or_default")]
    pub cluster_arn: String,
    pub status: Option<String>,
    #[serde(deserialize_with = "number")]
    pub desired_count: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub running_count: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub pending_count: Option<i64>,
    pub launch_type: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub capacity_provider_strategy: Vec<CapacityProvider>,
    pub platform_version: Option<String>,
    pub scheduling_strategy: Option<String>,
    pub deployment_controller: Option<DeploymentController>,
    /// The ARN of the task definition, or its family and revision.
    pub task_definition: Option<String>,
    pub deployment_configuration: Option<DeploymentConfiguration>,
    #[serde(deserialize_with = "or_default")]
    pub deployments: Vec<Deployment>,
    #[serde(deserialize_with = "or_default")]
    pub load_balancers: Vec<LoadBalancer>,
    pub network_configuration: Option<NetworkConfiguration>,
    #[serde(deserialize_with = "number")]
    pub health_check_grace_period_seconds: Option<i64>,
    #[serde(deserialize_with = "time")]
    pub created_at: Option<Timestamp>,
}

impl Service {
    /// Returns the deployment that the service wants to reach.
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.status.as_deref() == Some("PRIMARY"))
    }

    /// Returns the name, which is in the ARN where it is nowhere else.
    pub fn name(&self) -> &str {
        if self.service_name.is_empty() { last_segment(&self.service_arn) } else { &self.service_name }
    }

    /// Whether all is here that ECS prints of a service, so that what is absent is not set.
    /// Of an excerpt (`--query`) nobody knows what was left out.
    pub fn is_whole(&self) -> bool {
        let names = [&self.service_arn, &self.service_name, &self.cluster_arn];
        let counts = [self.desired_count, self.running_count, self.pending_count];
        let runs_on_something = self.launch_type.is_some() || !self.capacity_provider_strategy.is_empty();
        names.into_iter().all(|name| !name.is_empty())
            && counts.iter().all(Option::is_some)
            && self.status.is_some()
            && runs_on_something
            && !self.deployments.is_empty()
    }

    /// Whether ECS itself replaces the tasks step by step.
    pub fn is_rolling(&self) -> bool {
        let controller =
            self.deployment_controller.as_ref().and_then(|controller| controller.r#type.as_deref());
        let strategy = self
            .deployment_configuration
            .as_ref()
            .and_then(|configuration| configuration.strategy.as_deref());
        matches!(controller, None | Some("ECS")) && matches!(strategy, None | Some("ROLLING"))
    }

    pub fn is_daemon(&self) -> bool {
        self.scheduling_strategy.as_deref() == Some("DAEMON")
    }

    /// Whether the service is meant to run: it is neither deleted nor being deleted.
    pub fn is_active(&self) -> bool {
        matches!(self.status.as_deref(), None | Some("ACTIVE"))
    }

    pub fn runs_on_fargate(&self) -> bool {
        let mut providers =
            self.capacity_provider_strategy.iter().map(|item| item.capacity_provider.as_str());
        self.launch_type.as_deref() == Some("FARGATE") || providers.any(|name| name.starts_with("FARGATE"))
    }

    /// Returns the ARN, family and revision, or family of the task definition that the service is to run.
    pub fn wanted_task_definition(&self) -> Option<&str> {
        let of_primary = self.primary().and_then(|primary| primary.task_definition.as_deref());
        self.task_definition.as_deref().or(of_primary)
    }

    pub(super) fn key(&self) -> (String, String, String) {
        (self.service_arn.clone(), self.cluster_arn.clone(), self.service_name.clone())
    }

    pub(super) fn changed_at(&self) -> Option<Timestamp> {
        self.deployments
            .iter()
            .map(|deployment| deployment.updated_at.max(deployment.created_at))
            .max()
            .flatten()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CapacityProvider {
    #[serde(deserialize_with = "or_default")]
    pub capacity_provider: String,
    #[serde(deserialize_with = "number")]
    pub weight: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub base: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeploymentController {
    pub r#type: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeploymentConfiguration {
    #[serde(deserialize_with = "number")]
    pub maximum_percent: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub minimum_healthy_percent: Option<i64>,
    pub strategy: Option<String>,
    pub deployment_circuit_breaker: Option<CircuitBreakerSetting>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CircuitBreakerSetting {
    pub enable: Option<bool>,
    pub rollback: Option<bool>,
}

/// One rollout as the service shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Deployment {
    /// `ecs-svc/123`.
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    pub status: Option<String>,
    pub task_definition: Option<String>,
    #[serde(deserialize_with = "number")]
    pub desired_count: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub running_count: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub pending_count: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub failed_tasks: Option<i64>,
    pub rollout_state: Option<String>,
    pub rollout_state_reason: Option<String>,
    #[serde(deserialize_with = "time")]
    pub created_at: Option<Timestamp>,
    #[serde(deserialize_with = "time")]
    pub updated_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LoadBalancer {
    pub target_group_arn: Option<String>,
    pub load_balancer_name: Option<String>,
    pub container_name: Option<String>,
    #[serde(deserialize_with = "number")]
    pub container_port: Option<i64>,
    pub advanced_configuration: Option<AdvancedConfiguration>,
}

impl LoadBalancer {
    /// Whether targets of that group are tasks behind this load balancer.
    pub fn serves(&self, target_group_arn: &str) -> bool {
        let alternate = self.advanced_configuration.as_ref();
        let alternate =
            alternate.and_then(|configuration| configuration.alternate_target_group_arn.as_deref());
        self.target_group_arn.as_deref() == Some(target_group_arn) || alternate == Some(target_group_arn)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AdvancedConfiguration {
    pub alternate_target_group_arn: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkConfiguration {
    pub awsvpc_configuration: Option<AwsvpcConfiguration>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AwsvpcConfiguration {
    #[serde(deserialize_with = "or_default")]
    pub subnets: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub security_groups: Vec<String>,
    pub assign_public_ip: Option<String>,
}

/// One rollout with its outcome (describe-service-deployments).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceDeployment {
    #[serde(deserialize_with = "or_default")]
    pub service_deployment_arn: String,
    #[serde(deserialize_with = "or_default")]
    pub service_arn: String,
    #[serde(deserialize_with = "or_default")]
    pub cluster_arn: String,
    pub status: Option<String>,
    pub status_reason: Option<String>,
    pub lifecycle_stage: Option<String>,
    pub deployment_circuit_breaker: Option<CircuitBreaker>,
    pub alarms: Option<Alarms>,
    pub rollback: Option<Rollback>,
    pub target_service_revision: Option<ServiceRevision>,
    #[serde(deserialize_with = "or_default")]
    pub source_service_revisions: Vec<ServiceRevision>,
    #[serde(deserialize_with = "time")]
    pub created_at: Option<Timestamp>,
    #[serde(deserialize_with = "time")]
    pub started_at: Option<Timestamp>,
    #[serde(deserialize_with = "time")]
    pub updated_at: Option<Timestamp>,
    #[serde(deserialize_with = "time")]
    pub stopped_at: Option<Timestamp>,
    #[serde(deserialize_with = "time")]
    pub finished_at: Option<Timestamp>,
}

impl ServiceDeployment {
    pub fn id(&self) -> &str {
        last_segment(&self.service_deployment_arn)
    }

    /// Returns when anything last happened to the deployment.
    pub fn changed_at(&self) -> Option<Timestamp> {
        let times = [self.created_at, self.started_at, self.updated_at, self.stopped_at, self.finished_at];
        times.into_iter().max().flatten()
    }
}

/// What the circuit breaker counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CircuitBreaker {
    pub status: Option<String>,
    #[serde(deserialize_with = "number")]
    pub failure_count: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub threshold: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Alarms {
    pub status: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub alarm_names: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub triggered_alarm_names: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rollback {
    pub reason: Option<String>,
    pub service_revision_arn: Option<String>,
    #[serde(deserialize_with = "time")]
    pub started_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceRevision {
    #[serde(deserialize_with = "or_default")]
    pub arn: String,
    #[serde(deserialize_with = "number")]
    pub requested_task_count: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub running_task_count: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub pending_task_count: Option<i64>,
}
