//! The configuration: one TOML file, overridden by environment variables and flags.

mod quantity;

pub use quantity::{Size, Span};

use analyzer::record::Source;
use anyhow::{Context, anyhow, bail};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything that can be configured. With a cluster and a service, all else has a value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where records are kept.
    pub state: Option<PathBuf>,
    pub cluster: Option<String>,
    pub service: Option<String>,
    /// The CloudFormation stack that deploys the service.
    pub stack: Option<String>,
    pub region: Option<String>,
    /// The profile of the AWS tools that gives credentials and region.
    pub profile: Option<String>,
    /// A folder with pattern pages of your own.
    pub patterns: Option<PathBuf>,
    pub retention: Retention,
    /// Where records come from. Without any: what the cluster, the service and the stack tell.
    #[serde(rename = "source")]
    pub sources: Vec<SourceConfig>,
    pub watch: Watching,
    pub deliver: Deliver,
    pub telemetry: Telemetry,
}

/// What is kept. The oldest parts go first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// How long records are kept (`14d`).
    pub age: Span,
    /// How large all records may become (`2GB`).
    pub size: Size,
    /// How much of the disk stays free (`256MB`).
    pub free: Size,
}

impl Retention {
    /// What is kept for less would be gone before anyone asks for it.
    pub const SHORTEST: Span = Span(Duration::from_secs(3600));
    /// With less, little of what was just recorded would stay: parts are closed from four megabytes on.
    pub const SMALLEST: Size = Size(32_000_000);
}

impl Default for Retention {
    fn default() -> Retention {
        Retention {
            age: Span(Duration::from_secs(14 * 86_400)),
            size: Size(2_000_000_000),
            free: Size(256_000_000),
        }
    }
}

/// How long `medic watch` waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Watching {
    /// How long it waits for an outcome (`30m`).
    pub timeout: Span,
    /// How long an outcome must stand before it counts (`8s`): about two polls of the slowest source that matters.
    pub settle: Span,
    /// How long tasks have to run that neither a load balancer nor a health check speaks for, before a completed deployment
    /// counts as a success (`30s`); those that have run so long by then cost no time.
    pub stand: Span,
}

impl Default for Watching {
    fn default() -> Watching {
        Watching {
            timeout: Span(Duration::from_secs(1800)),
            settle: Span(Duration::from_secs(8)),
            stand: Span(Duration::from_secs(30)),
        }
    }
}

/// Where guides are sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deliver {
    /// The environment variable that holds the address of an incoming webhook of Slack. The address itself is a secret
    /// and does not belong into a file.
    pub slack_webhook_variable: String,
}

impl Default for Deliver {
    fn default() -> Deliver {
        Deliver { slack_webhook_variable: "MEDIC_SLACK_WEBHOOK".to_owned() }
    }
}

/// Where Medic's own metrics and traces go. OpenTelemetry's environment variables win.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// An endpoint of OTLP over HTTP (`http://127.0.0.1:4318`). Without any, nothing is measured.
    pub endpoint: Option<String>,
    /// How often metrics are sent (`60s`).
    pub every: Span,
}

impl Default for Telemetry {
    fn default() -> Telemetry {
        Telemetry { endpoint: None, every: one_minute() }
    }
}

/// One source of records. `name` is the key under which its cursor is kept; without it, the kind and its place in the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SourceConfig {
    /// Log files, with rotation; globs are allowed.
    Files {
        #[serde(default)]
        name: Option<String>,
        paths: Vec<String>,
        /// What the files hold (`container-log`, `docker-build` …); without it their names and lines tell.
        #[serde(default)]
        holds: Option<String>,
    },
    /// Standard input.
    Stdin {
        #[serde(default)]
        name: Option<String>,
        #[serde(default)]
        holds: Option<String>,
    },
    /// The Fluent forward protocol, which FireLens, Fluent Bit and the `fluentd` log driver speak.
    FluentForward {
        #[serde(default)]
        name: Option<String>,
        #[serde(default = "fluent_address")]
        listen: String,
        /// The environment variable with the key that senders must know; without it, whoever reaches the port may send.
        #[serde(default)]
        shared_key_variable: Option<String>,
    },
    /// OpenTelemetry logs and metrics over gRPC and HTTP.
    Otlp {
        #[serde(default)]
        name: Option<String>,
        #[serde(default = "otlp_grpc_address")]
        grpc: Option<String>,
        #[serde(default = "otlp_http_address")]
        http: Option<String>,
    },
    /// The task metadata endpoint, where Medic is a sidecar.
    TaskMetadata {
        #[serde(default)]
        name: Option<String>,
        #[serde(default = "ten_seconds")]
        every: Span,
    },
    /// Service events, deployments and tasks.
    Ecs {
        #[serde(default)]
        name: Option<String>,
        #[serde(default = "three_seconds")]
        every: Span,
    },
    /// Log groups; without any, those of the task definitions.
    CloudwatchLogs {
        #[serde(default)]
        name: Option<String>,
        #[serde(default)]
        groups: Vec<String>,
        #[serde(default = "a_second_and_a_half")]
        every: Span,
        /// How much is read again, because events arrive late.
        #[serde(default = "five_minutes")]
        overlap: Span,
    },
    /// Events of the stack, its nested stacks, hooks and change sets.
    Cloudformation {
        #[serde(default)]
        name: Option<String>,
        #[serde(default)]
        stack: Option<String>,
        #[serde(default = "three_seconds")]
        every: Span,
    },
    /// The health of the targets of the service's target groups, with reasons.
    TargetHealth {
        #[serde(default)]
        name: Option<String>,
        #[serde(default = "three_seconds")]
        every: Span,
    },
    /// CPU, memory, healthy hosts, 5xx, response time, and alarms.
    CloudwatchMetrics {
        #[serde(default)]
        name: Option<String>,
        #[serde(default = "one_minute")]
        every: Span,
    },
    /// Events of ECS that EventBridge sends to a queue.
    EventbridgeSqs {
        #[serde(default)]
        name: Option<String>,
        queue_url: String,
    },
    /// The log of a job of GitHub Actions.
    GithubActions {
        #[serde(default)]
        name: Option<String>,
        /// `owner/name`.
        repository: String,
        run: u64,
        /// The environment variable that holds the token.
        #[serde(default = "github_token")]
        token_variable: String,
    },
}

impl SourceConfig {
    pub fn kind(&self) -> &'static str {
        match self {
            SourceConfig::Files { .. } => "files",
            SourceConfig::Stdin { .. } => "stdin",
            SourceConfig::FluentForward { .. } => "fluent-forward",
            SourceConfig::Otlp { .. } => "otlp",
            SourceConfig::TaskMetadata { .. } => "task-metadata",
            SourceConfig::Ecs { .. } => "ecs",
            SourceConfig::CloudwatchLogs { .. } => "cloudwatch-logs",
            SourceConfig::Cloudformation { .. } => "cloudformation",
            SourceConfig::TargetHealth { .. } => "target-health",
            SourceConfig::CloudwatchMetrics { .. } => "cloudwatch-metrics",
            SourceConfig::EventbridgeSqs { .. } => "eventbridge-sqs",
            SourceConfig::GithubActions { .. } => "github-actions",
        }
    }

    /// Returns how often the source asks, where it does.
    pub fn every(&self) -> Option<Duration> {
        match self {
            SourceConfig::TaskMetadata { every, .. }
            | SourceConfig::Ecs { every, .. }
            | SourceConfig::CloudwatchLogs { every, .. }
            | SourceConfig::Cloudformation { every, .. }
            | SourceConfig::TargetHealth { every, .. }
            | SourceConfig::CloudwatchMetrics { every, .. } => Some(every.0),
            _ => None,
        }
    }

    /// Returns the addresses on which the source listens, each with its key.
    pub fn addresses(&self) -> Vec<(&'static str, &str)> {
        match self {
            SourceConfig::FluentForward { listen, .. } => vec![("listen", listen.as_str())],
            SourceConfig::Otlp { grpc, http, .. } => {
                let both = [("grpc", grpc.as_deref()), ("http", http.as_deref())];
                both.into_iter().filter_map(|(key, address)| Some((key, address?))).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether the source waits for others to send: then it holds nothing that could be read, and never ends.
    pub fn listens(&self) -> bool {
        matches!(self, SourceConfig::FluentForward { .. } | SourceConfig::Otlp { .. })
    }

    /// Whether the source ends by itself once it has delivered all.
    pub fn comes_to_an_end(&self) -> bool {
        matches!(self, SourceConfig::Stdin { .. } | SourceConfig::GithubActions { .. })
    }

    /// Returns the stack that the source is about, where it names one itself.
    pub fn stack(&self) -> Option<&str> {
        match self {
            SourceConfig::Cloudformation { stack, .. } => stack.as_deref(),
            _ => None,
        }
    }

    /// Returns what a person says that a source holds.
    pub fn holds(&self) -> Option<&str> {
        match self {
            SourceConfig::Files { holds, .. } | SourceConfig::Stdin { holds, .. } => holds.as_deref(),
            _ => None,
        }
    }

    /// Returns the name of the source, where it was given one.
    pub fn given_name(&self) -> Option<&str> {
        match self {
            SourceConfig::Files { name, .. }
            | SourceConfig::Stdin { name, .. }
            | SourceConfig::FluentForward { name, .. }
            | SourceConfig::Otlp { name, .. }
            | SourceConfig::TaskMetadata { name, .. }
            | SourceConfig::Ecs { name, .. }
            | SourceConfig::CloudwatchLogs { name, .. }
            | SourceConfig::Cloudformation { name, .. }
            | SourceConfig::TargetHealth { name, .. }
            | SourceConfig::CloudwatchMetrics { name, .. }
            | SourceConfig::EventbridgeSqs { name, .. }
            | SourceConfig::GithubActions { name, .. } => name.as_deref(),
        }
    }
}

fn fluent_address() -> String {
    "127.0.0.1:24224".to_owned()
}

fn otlp_grpc_address() -> Option<String> {
    Some("127.0.0.1:4317".to_owned())
}

fn otlp_http_address() -> Option<String> {
    Some("127.0.0.1:4318".to_owned())
}

fn github_token() -> String {
    "GITHUB_TOKEN".to_owned()
}

fn a_second_and_a_half() -> Span {
    Span(Duration::from_millis(1500))
}

fn three_seconds() -> Span {
    Span(Duration::from_secs(3))
}

fn ten_seconds() -> Span {
    Span(Duration::from_secs(10))
}

fn one_minute() -> Span {
    Span(Duration::from_secs(60))
}

fn five_minutes() -> Span {
    Span(Duration::from_secs(300))
}

impl Config {
    /// Reads a configuration file.
    pub fn read(path: &Path) -> anyhow::Result<Config> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Config::parse(&text).with_context(|| format!("{} is no configuration", path.display()))
    }

    pub fn parse(text: &str) -> anyhow::Result<Config> {
        let config: Config =
            toml::from_str(text).map_err(|error| anyhow!("{}", with_nearest(&error.to_string())))?;
        config.check_values()?;
        let names = config.source_names();
        let mut seen = BTreeSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(*name)) {
            bail!("two sources are called `{twice}`: give each a `name` of its own");
        }
        for (name, source) in names.iter().zip(&config.sources) {
            if source.every().is_some_and(|every| every.is_zero()) {
                bail!("source `{name}` would never rest: give it an `every` above zero, such as \"5s\"");
            }
            if let Some(kind) = source.holds().filter(|kind| kind.parse::<Source>().is_err()) {
                let known: Vec<&str> = Source::ALL.iter().map(|source| source.as_str()).collect();
                bail!("source `{name}` cannot hold `{kind}`: write one of {}", known.join(", "));
            }
            if let Some((key, address)) = source.addresses().iter().find(|(_, address)| !is_address(address))
            {
                bail!(
                    "source `{name}` cannot listen on `{address}`: write a host and a port, such as `{key} = \"127.0.0.1:24224\"`"
                );
            }
            if let SourceConfig::Files { paths, .. } = source
                && paths.iter().all(|path| path.trim().is_empty())
            {
                bail!(
                    "source `{name}` has no paths: write `paths = [\"/var/log/app\"]`, with files, folders or globs"
                );
            }
        }
        Ok(config)
    }

    /// Refuses what is empty, and bounds within which nothing could be kept.
    fn check_values(&self) -> anyhow::Result<()> {
        let text = |value: &Option<String>| value.as_ref().is_some_and(|value| value.trim().is_empty());
        let path = |value: &Option<PathBuf>| value.as_ref().is_some_and(|path| path.as_os_str().is_empty());
        let empty = [
            ("state", path(&self.state)),
            ("patterns", path(&self.patterns)),
            ("cluster", text(&self.cluster)),
            ("service", text(&self.service)),
            ("stack", text(&self.stack)),
            ("region", text(&self.region)),
            ("profile", text(&self.profile)),
        ];
        if let Some((name, _)) = empty.iter().find(|(_, is_empty)| *is_empty) {
            bail!("`{name}` is empty: give it a value, or leave it out");
        }
        if self.retention.age < Retention::SHORTEST {
            bail!("[retention] `age` is {}: write {} or more", self.retention.age, Retention::SHORTEST);
        }
        if self.retention.size < Retention::SMALLEST {
            bail!("[retention] `size` is {}: write {} or more", self.retention.size, Retention::SMALLEST);
        }
        let stdins = self.sources.iter().filter(|source| matches!(source, SourceConfig::Stdin { .. }));
        if stdins.count() > 1 {
            bail!("two sources are standard input, and there is only one: leave one of them out");
        }
        Ok(())
    }

    /// Returns the names of the sources, in their order.
    pub fn source_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for source in &self.sources {
            let of_kind = self.sources.iter().filter(|other| other.kind() == source.kind()).count();
            let name = match source.given_name() {
                Some(name) => name.to_owned(),
                None if of_kind == 1 => source.kind().to_owned(),
                None => format!("{}-{}", source.kind(), names.len() + 1),
            };
            names.push(name);
        }
        names
    }
}

/// Whether this may be an address to listen on: a host, or an address in brackets, and a port.
fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let is_host = |host: &str| {
        !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
    };
    port.parse::<u16>().is_ok() && (is_host(host) || text.parse::<std::net::SocketAddr>().is_ok())
}

/// Adds the known name that is nearest to an unknown one.
fn with_nearest(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let is_unknown = message.contains("unknown field `") || message.contains("unknown variant `");
    // The snippet of the file stands before the message, and may hold such quotes too.
    let known_from = message.find("unknown ").unwrap_or(0);
    let mut names = message[known_from..].split('`').skip(1).step_by(2);
    let Some(unknown) = names.next().or_else(|| quoted.next()) else { return message.to_owned() };
    let nearest = names
        .map(|name| (strsim::damerau_levenshtein(unknown, name), name))
        .filter(|(distance, name)| *distance <= name.len().max(unknown.len()) / 2)
        .min();
    match nearest {
        Some((_, name)) if is_unknown => format!("{}; did you mean `{name}`?", message.trim_end()),
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_and_a_service_are_enough() {
        let config = Config::parse("cluster = \"shop\"\nservice = \"web\"\n").unwrap();
        assert_eq!(config.cluster.as_deref(), Some("shop"));
        assert_eq!(config.retention.age, Span(Duration::from_secs(14 * 86_400)));
    }

    #[test]
    fn sources_are_named_after_their_kind() {
        let config = Config::parse(
            "[[source]]\nkind = \"files\"\npaths = [\"/a\"]\n[[source]]\nkind = \"files\"\npaths = [\"/b\"]\n[[source]]\nkind = \"otlp\"\n",
        )
        .unwrap();
        assert_eq!(config.source_names(), ["files-1", "files-2", "otlp"]);
    }

    #[track_caller]
    fn check_refused(text: &str, because: &str) {
        let error = Config::parse(text).unwrap_err().to_string();
        assert!(error.contains(because), "{error}");
    }

    #[test]
    fn unknown_keys_are_refused_with_the_nearest_known_one() {
        check_refused("clutser = \"shop\"\n", "did you mean `cluster`?");
        check_refused("[[source]]\nkind = \"cloudwatch-logs\"\ngruops = []\n", "did you mean `groups`?");
        check_refused("[[source]]\nkind = \"cloudwatch-log\"\n", "did you mean `cloudwatch-logs`?");
        check_refused("[retention]\nage = \"two weeks\"\n", "two weeks");
    }

    #[test]
    fn files_are_named() {
        for paths in ["[]", "[\"\"]", "[\" \", \"\"]"] {
            let text = format!("[[source]]\nkind = \"files\"\npaths = {paths}\n");
            check_refused(&text, "source `files` has no paths: write `paths = [");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for address in
            ["nonsense", "", ":24224", "127.0.0.1", "127.0.0.1:70000", "http://127.0.0.1:4318", "::1:4318"]
        {
            for (kind, key) in [("fluent-forward", "listen"), ("otlp", "grpc"), ("otlp", "http")] {
                let text = format!("[[source]]\nkind = \"{kind}\"\n{key} = \"{address}\"\n");
                check_refused(
                    &text,
                    &format!("source `{kind}` cannot listen on `{address}`: write a host and a port"),
                );
            }
        }
        for address in ["127.0.0.1:0", "0.0.0.0:24224", "[::1]:4318", "localhost:24224", "my-host_1.local:80"]
        {
            let text = format!("[[source]]\nkind = \"fluent-forward\"\nlisten = \"{address}\"\n");
            assert!(Config::parse(&text).is_ok(), "{address}");
        }
    }

    #[test]
    fn what_is_empty_is_refused() {
        for name in ["state", "patterns", "cluster", "service", "stack", "region", "profile"] {
            check_refused(&format!("{name} = \"\"\n"), &format!("`{name}` is empty"));
        }
    }

    #[test]
    fn bounds_within_which_nothing_is_kept_are_refused() {
        check_refused("[retention]\nage = \"0s\"\n", "`age` is 0ms: write 1h or more");
        check_refused("[retention]\nage = \"59m\"\n", "write 1h or more");
        check_refused("[retention]\nsize = \"0\"\n", "`size` is 0: write 32MB or more");
        check_refused("[retention]\nsize = \"31MB\"\n", "write 32MB or more");
        assert!(Config::parse("[retention]\nage = \"1h\"\nsize = \"32MB\"\nfree = \"0\"\n").is_ok());
    }

    #[test]
    fn there_is_one_standard_input() {
        let stdin = |name: &str| format!("[[source]]\nkind = \"stdin\"\nname = \"{name}\"\n");
        check_refused(&format!("{}{}", stdin("a"), stdin("b")), "two sources are standard input");
        assert!(Config::parse(&stdin("a")).is_ok());
    }

    #[test]
    fn names_are_given_once() {
        check_refused(
            "[[source]]\nkind = \"otlp\"\nname = \"a\"\n[[source]]\nkind = \"stdin\"\nname = \"a\"\n",
            "two sources are called `a`",
        );
    }
}
