//! Task definitions and their containers.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

use super::last_segment;
use super::lenient::{number, or_default, text, time};
use crate::redact::{Redactions, redact};

/// A task definition: a registered revision, or a file that is still to be registered and has no ARN.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskDefinition {
    pub task_definition_arn: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub family: String,
    #[serde(deserialize_with = "number")]
    pub revision: Option<i64>,
    pub status: Option<String>,
    #[serde(deserialize_with = "text")]
    pub cpu: Option<String>,
    #[serde(deserialize_with = "text")]
    pub memory: Option<String>,
    pub network_mode: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub requires_compatibilities: Vec<String>,
    /// What ECS found it to run on; printed of every revision.
    #[serde(deserialize_with = "or_default")]
    pub compatibilities: Vec<String>,
    pub execution_role_arn: Option<String>,
    pub task_role_arn: Option<String>,
    pub runtime_platform: Option<RuntimePlatform>,
    #[serde(deserialize_with = "or_default")]
    pub container_definitions: Vec<ContainerDefinition>,
    #[serde(deserialize_with = "time")]
    pub registered_at: Option<Timestamp>,
    pub registered_by: Option<String>,
    #[serde(deserialize_with = "time")]
    pub deregistered_at: Option<Timestamp>,
}

impl TaskDefinition {
    /// Returns `family:revision`, or the family alone before it is registered.
    pub fn name(&self) -> String {
        match (&self.task_definition_arn, self.revision) {
            (Some(arn), _) => last_segment(arn).to_owned(),
            (None, Some(revision)) => format!("{}:{revision}", self.family),
            (None, None) if self.family.is_empty() => "without a name".to_owned(),
            (None, None) => self.family.clone(),
        }
    }

    /// Whether an ARN or `family:revision` means this revision.
    pub fn is(&self, reference: &str) -> bool {
        self.task_definition_arn.as_deref() == Some(reference)
            || !reference.starts_with("arn:") && self.is_registered() && self.name() == reference
    }

    pub fn is_registered(&self) -> bool {
        self.task_definition_arn.is_some() || self.revision.is_some()
    }

    /// Whether all is here that there is, so that what is absent is not set: what ECS prints of every revision,
    /// or a file that says what it is for. Of an excerpt (`--query`) nobody knows what was left out.
    pub fn is_whole(&self) -> bool {
        let is_printed = self.task_definition_arn.is_some()
            && self.revision.is_some()
            && self.status.is_some()
            && !self.compatibilities.is_empty();
        let is_file = !self.is_registered() && !self.requires_compatibilities.is_empty();
        (is_printed || is_file) && !self.family.is_empty() && !self.container_definitions.is_empty()
    }

    /// Whether all is here that there is of a container. Of a registered one ECS prints what it takes where nothing is set.
    pub fn has_whole(&self, container: &ContainerDefinition) -> bool {
        let is_printed = container.essential.is_some() && container.cpu.is_some();
        let is_named = !container.name.is_empty() && !container.image.is_empty();
        is_named && (is_printed || !self.is_registered())
    }

    pub fn container(&self, name: &str) -> Option<&ContainerDefinition> {
        self.container_definitions.iter().find(|container| container.name == name)
    }

    pub fn asks_for_fargate(&self) -> bool {
        self.requires_compatibilities.iter().any(|name| name == "FARGATE")
    }

    pub fn is_windows(&self) -> bool {
        let system =
            self.runtime_platform.as_ref().and_then(|platform| platform.operating_system_family.as_deref());
        system.is_some_and(|system| system.starts_with("WINDOWS"))
    }

    pub(super) fn key(&self) -> (Option<String>, String, Option<i64>) {
        let revision = if self.task_definition_arn.is_some() { None } else { self.revision };
        let family = if self.task_definition_arn.is_some() { String::new() } else { self.family.clone() };
        (self.task_definition_arn.clone(), family, revision)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuntimePlatform {
    pub cpu_architecture: Option<String>,
    pub operating_system_family: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerDefinition {
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    #[serde(deserialize_with = "or_default")]
    pub image: String,
    #[serde(deserialize_with = "number")]
    pub cpu: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub memory: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub memory_reservation: Option<i64>,
    pub essential: Option<bool>,
    #[serde(deserialize_with = "or_default")]
    pub port_mappings: Vec<PortMapping>,
    pub health_check: Option<HealthCheck>,
    pub log_configuration: Option<LogConfiguration>,
    #[serde(deserialize_with = "without_secrets")]
    pub entry_point: Vec<String>,
    #[serde(deserialize_with = "without_secrets")]
    pub command: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub environment: Vec<Variable>,
    #[serde(deserialize_with = "or_default")]
    pub secrets: Vec<Secret>,
    #[serde(deserialize_with = "or_default")]
    pub depends_on: Vec<Dependency>,
    #[serde(deserialize_with = "number")]
    pub start_timeout: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub stop_timeout: Option<i64>,
    pub repository_credentials: Option<RepositoryCredentials>,
}

impl ContainerDefinition {
    /// Whether the task stops when this container stops, which is so unless the definition says otherwise.
    pub fn is_essential(&self) -> bool {
        self.essential.unwrap_or(true)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PortMapping {
    #[serde(deserialize_with = "number")]
    pub container_port: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub host_port: Option<i64>,
    pub protocol: Option<String>,
    pub container_port_range: Option<String>,
}

/// The health check of a container; what is not set has the value that ECS documents as its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthCheck {
    #[serde(deserialize_with = "probe_without_secrets")]
    pub command: Vec<String>,
    #[serde(deserialize_with = "number")]
    pub interval: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub timeout: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub retries: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub start_period: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LogConfiguration {
    pub log_driver: Option<String>,
    /// The values of those that are secret by their name are removed.
    #[serde(deserialize_with = "without_secret_values")]
    pub options: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub secret_options: Vec<Secret>,
}

/// The name of an environment variable; of its value only what tells that it changed, and what cannot be secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, from = "Assigned")]
pub struct Variable {
    pub name: String,
    /// The value, where it is a short number, a switch or a level, and the name is not that of a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plain: Option<String>,
    /// Tells two values apart, secrets removed; too short to tell what they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<u16>,
}

/// A variable as it is described by AWS, or as it is kept.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Assigned {
    #[serde(deserialize_with = "or_default")]
    name: String,
    #[serde(deserialize_with = "text")]
    value: Option<String>,
    #[serde(deserialize_with = "text")]
    plain: Option<String>,
    mark: Option<u16>,
}

impl From<Assigned> for Variable {
    fn from(assigned: Assigned) -> Variable {
        let Assigned { name, value, plain, mark } = assigned;
        let Some(value) = value else {
            return Variable { name, plain: plain.filter(|plain| is_plain(plain)), mark };
        };
        let line = format!("{name}={value}");
        let mut removed = Redactions::new();
        let clean = redact(&line, &mut removed);
        let plain =
            Some(value.clone()).filter(|value| removed.is_empty() && !is_secret(&name) && is_plain(value));
        // Folded to sixteen bits, thousands of values share each mark.
        let hash = xxhash_rust::xxh3::xxh3_64(clean.as_bytes());
        let mark = (plain.is_none() && !is_secret(&name)).then(|| {
            hash.to_le_bytes().chunks(2).fold(0, |mark, pair| mark ^ u16::from_le_bytes([pair[0], pair[1]]))
        });
        Variable { name, plain, mark }
    }
}

/// Whether a value is a number of up to seven digits, a switch or a level.
fn is_plain(value: &str) -> bool {
    const WORDS: [&str; 20] = [
        "true",
        "false",
        "yes",
        "no",
        "on",
        "off",
        "enabled",
        "disabled",
        "trace",
        "debug",
        "info",
        "warn",
        "warning",
        "error",
        "production",
        "staging",
        "development",
        "test",
        "json",
        "text",
    ];
    let is_number = !value.is_empty()
        && value.len() <= 7
        && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    is_number || WORDS.contains(&value.to_ascii_lowercase().as_str())
}

/// Whether a name may be that of a secret.
fn is_secret(name: &str) -> bool {
    const PARTS: [&str; 14] = [
        "pass",
        "pwd",
        "secret",
        "token",
        "key",
        "credential",
        "auth",
        "private",
        "pin",
        "salt",
        "code",
        "cookie",
        "signature",
        "otp",
    ];
    let name = name.to_ascii_lowercase();
    PARTS.iter().any(|part| name.contains(part))
}

/// Stands for a value that is secret.
const REDACTED: &str = "[redacted:password]";

/// Returns the value of a name without what is secret in it: all of it, where the name is that of a secret.
pub fn without_secret(name: &str, value: &str) -> String {
    const SWITCHES: [&str; 8] = ["true", "false", "yes", "no", "on", "off", "enabled", "disabled"];
    let is_told = value.is_empty() || SWITCHES.contains(&value.to_ascii_lowercase().as_str());
    if is_secret(name) && !is_name_of_field(name) && !is_told {
        return REDACTED.to_owned();
    }
    match redact(&format!("{name}={value}"), &mut Redactions::new()) {
        std::borrow::Cow::Borrowed(_) => value.to_owned(),
        std::borrow::Cow::Owned(clean) => {
            let clean = clean.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
            clean.unwrap_or(REDACTED).to_owned()
        }
    }
}

/// Whether a name says under which key of a record something is found (`log_key`), and is not that of a secret.
fn is_name_of_field(name: &str) -> bool {
    const FIELDS: [&str; 14] = [
        "body",
        "date",
        "host",
        "hostname",
        "level",
        "log",
        "message",
        "partition",
        "record",
        "sort",
        "source",
        "tag",
        "time",
        "timestamp",
    ];
    let name = name.to_ascii_lowercase();
    name.strip_suffix("_key").is_some_and(|before| {
        !is_secret(before) && FIELDS.contains(&before.rsplit('_').next().unwrap_or_default())
    })
}

/// Reads values with their names; those that are secret are removed.
fn without_secret_values<'de, D: Deserializer<'de>>(input: D) -> Result<BTreeMap<String, String>, D::Error> {
    let values: BTreeMap<String, String> = or_default(input)?;
    let clean = values.into_iter().map(|(name, value)| {
        let value = without_secret(&name, &value);
        (name, value)
    });
    Ok(clean.collect())
}

/// Reads the command of a health check; a secret in it is removed, and what runs it stays by itself.
fn probe_without_secrets<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    let words: Vec<String> = or_default(input)?;
    let all = words.join(" ");
    let std::borrow::Cow::Owned(clean) = redact(&all, &mut Redactions::new()) else { return Ok(words) };
    let parts = if words.first().is_some_and(|first| first == "CMD") { usize::MAX } else { 2 };
    Ok(clean.splitn(parts, ' ').map(str::to_owned).collect())
}

/// Reads words of a command; a secret among them is removed.
fn without_secrets<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    let words: Vec<String> = or_default(input)?;
    let all = words.join(" ");
    match redact(&all, &mut Redactions::new()) {
        std::borrow::Cow::Borrowed(_) => Ok(words),
        std::borrow::Cow::Owned(clean) => Ok(vec![clean]),
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Secret {
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    #[serde(deserialize_with = "or_default")]
    pub value_from: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Dependency {
    #[serde(deserialize_with = "or_default")]
    pub container_name: String,
    pub condition: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RepositoryCredentials {
    #[serde(deserialize_with = "or_default")]
    pub credentials_parameter: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, value: &str, expected: &str) {
        assert_eq!(without_secret(name, value), expected, "{name}");
        assert_eq!(without_secret(name, expected), expected, "twice is once: {name}");
    }

    #[test]
    fn secrets_are_known_by_their_name() {
        for name in [
            "apikey",
            "apiKey",
            "api_key",
            "licenseKey",
            "Http_Passwd",
            "http_passwd",
            "splunk-token",
            "dd_api_key",
            "shared_key",
            "Shared_Key",
            "sasl.password",
            "rdkafka.sasl.password",
            "private_key",
            "Auth_Token",
            "aws_secret_access_key",
            "credential",
            "bearer_token",
        ] {
            check(name, "0123456789abcdef", REDACTED);
            check(name, "1234", REDACTED);
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for (name, value) in [
            ("Name", "datadog"),
            ("Host", "http-intake.logs.datadoghq.eu"),
            ("TLS", "on"),
            ("awslogs-group", "/ecs/web"),
            ("awslogs-stream-prefix", "web"),
            ("awslogs-region", "eu-central-1"),
            ("mode", "non-blocking"),
            ("max-buffer-size", "25m"),
            ("log_key", "log"),
            ("json_date_key", "timestamp"),
            ("AWS_Auth", "On"),
            ("splunk-url", "https://splunk.internal:8088"),
            ("token", ""),
        ] {
            check(name, value, value);
        }
    }

    #[test]
    fn a_secret_within_a_value_is_removed() {
        check(
            "Url",
            "https://shop:hunter22@logs.internal/in",
            "https://shop:[redacted:url-password]@logs.internal/in",
        );
        assert!(
            !without_secret("Header", "Authorization Bearer abcdefghijklmnop0123456789")
                .contains("abcdefghij")
        );
    }

    #[test]
    fn options_and_probes_are_read_without_secrets() {
        let container: ContainerDefinition = serde_json::from_value(serde_json::json!({
            "name": "web",
            "logConfiguration": {"logDriver": "awsfirelens", "options": {"Name": "datadog", "apikey": "0123456789abcdef"}},
            "healthCheck": {"command": ["CMD-SHELL", "curl -f --user admin:hunter22 http://localhost/health || exit 1"]},
        }))
        .unwrap();
        let options = container.log_configuration.unwrap().options;
        assert_eq!(options.into_values().collect::<Vec<_>>(), ["datadog", REDACTED]);
        let probe = container.health_check.unwrap().command;
        assert_eq!(probe.len(), 2, "{probe:?}");
        assert!(probe[0] == "CMD-SHELL" && !probe[1].contains("hunter22"), "{probe:?}");
        assert!(probe[1].ends_with("http://localhost/health || exit 1"), "{probe:?}");
    }
}
