//! What a service depends on and is part of: target groups, images, stacks.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::lenient::{number, or_default, text, time};

/// A target group of a load balancer (describe-target-groups).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TargetGroup {
    #[serde(deserialize_with = "or_default")]
    pub target_group_arn: String,
    #[serde(deserialize_with = "or_default")]
    pub target_group_name: String,
    pub protocol: Option<String>,
    #[serde(deserialize_with = "number")]
    pub port: Option<i64>,
    pub target_type: Option<String>,
    pub health_check_enabled: Option<bool>,
    pub health_check_protocol: Option<String>,
    /// A port, or `traffic-port`.
    #[serde(deserialize_with = "text")]
    pub health_check_port: Option<String>,
    pub health_check_path: Option<String>,
    #[serde(deserialize_with = "number")]
    pub health_check_interval_seconds: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub health_check_timeout_seconds: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub healthy_threshold_count: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub unhealthy_threshold_count: Option<i64>,
    pub matcher: Option<Matcher>,
    #[serde(deserialize_with = "or_default")]
    pub load_balancer_arns: Vec<String>,
}

impl TargetGroup {
    /// Returns how many seconds a new target may fail before it counts as unhealthy.
    pub fn seconds_until_unhealthy(&self) -> Option<i64> {
        Some(self.health_check_interval_seconds?.saturating_mul(self.unhealthy_threshold_count?))
    }

    pub fn name(&self) -> &str {
        if self.target_group_name.is_empty() { &self.target_group_arn } else { &self.target_group_name }
    }
}

/// The answers that count as healthy.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Matcher {
    #[serde(deserialize_with = "text")]
    pub http_code: Option<String>,
    #[serde(deserialize_with = "text")]
    pub grpc_code: Option<String>,
}

/// How a load balancer sees a target (describe-target-health).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TargetHealth {
    /// The group that was asked about; the answer of the CLI does not name it.
    pub target_group_arn: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub target: Target,
    #[serde(deserialize_with = "text")]
    pub health_check_port: Option<String>,
    #[serde(rename = "TargetHealth", deserialize_with = "or_default")]
    pub health: Health,
}

impl TargetHealth {
    /// Returns `10.0.1.5:3000`.
    pub fn address(&self) -> String {
        match self.target.port {
            Some(port) => format!("{}:{port}", self.target.id),
            None => self.target.id.clone(),
        }
    }

    /// Whether the target is being taken out, so that its state says nothing about the current tasks.
    pub fn is_leaving(&self) -> bool {
        matches!(self.health.state.as_deref(), Some("draining" | "unhealthy.draining"))
    }

    pub(super) fn key(&self) -> (Option<String>, String, Option<i64>) {
        (self.target_group_arn.clone(), self.target.id.clone(), self.target.port)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Target {
    /// An address or the id of an instance.
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    #[serde(deserialize_with = "number")]
    pub port: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Health {
    pub state: Option<String>,
    pub reason: Option<String>,
    pub description: Option<String>,
}

/// An image in a repository of ECR (ecr describe-images).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Image {
    /// Whether it stands in a list that was not cut: a tag that is in no such list may be on its next page.
    pub of_whole_list: bool,
    #[serde(deserialize_with = "or_default")]
    pub registry_id: String,
    #[serde(deserialize_with = "or_default")]
    pub repository_name: String,
    #[serde(deserialize_with = "or_default")]
    pub image_digest: String,
    #[serde(deserialize_with = "or_default")]
    pub image_tags: Vec<String>,
    #[serde(deserialize_with = "number")]
    pub image_size_in_bytes: Option<i64>,
    #[serde(deserialize_with = "time")]
    pub image_pushed_at: Option<Timestamp>,
}

impl Image {
    pub(super) fn key(&self) -> (String, String, String, Vec<String>) {
        let tags = if self.image_digest.is_empty() { self.image_tags.clone() } else { Vec::new() };
        (self.registry_id.clone(), self.repository_name.clone(), self.image_digest.clone(), tags)
    }
}

/// A CloudFormation stack (describe-stacks).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Stack {
    #[serde(deserialize_with = "or_default")]
    pub stack_id: String,
    #[serde(deserialize_with = "or_default")]
    pub stack_name: String,
    pub stack_status: Option<String>,
    pub stack_status_reason: Option<String>,
    pub disable_rollback: Option<bool>,
    #[serde(deserialize_with = "time")]
    pub creation_time: Option<Timestamp>,
    #[serde(deserialize_with = "time")]
    pub last_updated_time: Option<Timestamp>,
}

impl Stack {
    pub fn changed_at(&self) -> Option<Timestamp> {
        self.last_updated_time.max(self.creation_time)
    }

    pub(super) fn key(&self) -> (String, String) {
        (self.stack_id.clone(), self.stack_name.clone())
    }
}
