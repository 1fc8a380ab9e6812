//! Tasks and their containers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::last_segment;
use super::lenient::{number, or_default, text, time};

/// A task (describe-tasks, or the detail of a task state change).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Task {
    #[serde(deserialize_with = "or_default")]
    pub task_arn: String,
    #[serde(deserialize_with = "number")]
    pub version: Option<i64>,
    #[serde(deserialize_with = "or_default")]
    pub cluster_arn: String,
    pub task_definition_arn: Option<String>,
    /// `service:web`.
    pub group: Option<String>,
    /// The deployment (`ecs-svc/123`), or whoever ran the task.
    pub started_by: Option<String>,
    pub last_status: Option<String>,
    pub desired_status: Option<String>,
    pub health_status: Option<String>,
    pub launch_type: Option<String>,
    pub stop_code: Option<String>,
    pub stopped_reason: Option<String>,
    pub availability_zone: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub containers: Vec<Container>,
    #[serde(deserialize_with = "or_default")]
    pub attributes: Vec<Attribute>,
    #[serde(deserialize_with = "time")]
    pub created_at: Option<Timestamp>,
    #[serde(deserialize_with = "time")]
    pub pull_started_at: Option<Timestamp>,
    #[serde(deserialize_with = "time")]
    pub pull_stopped_at: Option<Timestamp>,
    #[serde(deserialize_with = "time")]
    pub started_at: Option<Timestamp>,
    #[serde(deserialize_with = "time")]
    pub execution_stopped_at: Option<Timestamp>,
    #[serde(deserialize_with = "time")]
    pub stopping_at: Option<Timestamp>,
    #[serde(deserialize_with = "time")]
    pub stopped_at: Option<Timestamp>,
}

impl Task {
    pub fn id(&self) -> &str {
        last_segment(&self.task_arn)
    }

    pub(super) fn age(&self) -> (Option<i64>, Option<Timestamp>) {
        let times =
            [self.created_at, self.started_at, self.execution_stopped_at, self.stopping_at, self.stopped_at];
        (self.version, times.into_iter().max().flatten())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    pub image: Option<String>,
    pub image_digest: Option<String>,
    pub last_status: Option<String>,
    pub health_status: Option<String>,
    #[serde(deserialize_with = "number")]
    pub exit_code: Option<i64>,
    pub reason: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub network_interfaces: Vec<NetworkInterface>,
    #[serde(deserialize_with = "or_default")]
    pub network_bindings: Vec<NetworkBinding>,
    #[serde(deserialize_with = "or_default")]
    pub managed_agents: Vec<ManagedAgent>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkInterface {
    pub private_ipv4_address: Option<String>,
    pub ipv6_address: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkBinding {
    #[serde(deserialize_with = "number")]
    pub container_port: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub host_port: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ManagedAgent {
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    pub last_status: Option<String>,
    pub reason: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Attribute {
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    #[serde(deserialize_with = "text")]
    pub value: Option<String>,
}
