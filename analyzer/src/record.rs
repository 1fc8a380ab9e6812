//! Records: the items of evidence that sources deliver.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use std::sync::Arc;

use crate::taxonomy::UnknownName;

/// One log line (folded with its stack trace), AWS event or described fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub stream: Arc<Stream>,
    /// Position in the stream; records of a stream are in this order.
    pub seq: u64,
    pub time: Option<Timestamp>,
    pub source: Source,
    pub level: Level,
    /// The text as it stands in the input, without colour codes.
    pub text: String,
    /// What the text says once it is decoded, where that differs (the message of a JSON log line).
    pub body: Option<String>,
    /// The first line of the record in its file, from 1.
    pub line: u64,
    /// The task, container or resource that the record is about.
    pub entity: Option<Arc<str>>,
    /// The deployment that the record belongs to (`ecs-svc/123`), where it says so.
    pub deployment: Option<Arc<str>>,
}

impl Record {
    /// Returns what patterns are matched against.
    pub fn said(&self) -> &str {
        self.body.as_deref().unwrap_or(&self.text)
    }

    /// Reads a sample of a metric: `CPUUtilization 97.25 Percent …`, `CPUUtilization=97.25`, also behind a time.
    pub fn sample(&self) -> Option<(&str, f64)> {
        let words = self.said().split([' ', '\t', '=', '%', ',']).filter(|word| !word.is_empty());
        let mut words = words.take(4).peekable();
        while let Some(name) = words.next() {
            let value = words.peek().and_then(|word| word.parse::<f64>().ok());
            let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic());
            if let Some(value) = value.filter(|value| is_name && value.is_finite()) {
                return Some((name.trim_end_matches(':'), value));
            }
        }
        None
    }

    /// Returns the order of records: by time where both have one, else by stream and position.
    pub fn place(&self) -> Place {
        Place { time: self.time, stream: self.stream.name.clone(), seq: self.seq }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub time: Option<Timestamp>,
    pub stream: String,
    pub seq: u64,
}

/// A file, a log stream, a list of events.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stream {
    pub name: String,
    pub source: Source,
}

/// What kind of place a record comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    EcsServiceEvent,
    EcsStoppedTask,
    EcsAgentLog,
    ContainerLog,
    CfnStackEvent,
    AlbTargetHealth,
    DeployTool,
    GithubActions,
    DockerBuild,
    Cdk,
    Metric,
    Other,
}

impl Source {
    pub const ALL: [Source; 12] = [
        Source::EcsServiceEvent,
        Source::EcsStoppedTask,
        Source::EcsAgentLog,
        Source::ContainerLog,
        Source::CfnStackEvent,
        Source::AlbTargetHealth,
        Source::DeployTool,
        Source::GithubActions,
        Source::DockerBuild,
        Source::Cdk,
        Source::Metric,
        Source::Other,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Source::EcsServiceEvent => "ecs-service-event",
            Source::EcsStoppedTask => "ecs-stopped-task",
            Source::EcsAgentLog => "ecs-agent-log",
            Source::ContainerLog => "container-log",
            Source::CfnStackEvent => "cfn-stack-event",
            Source::AlbTargetHealth => "alb-target-health",
            Source::DeployTool => "deploy-tool",
            Source::GithubActions => "github-actions",
            Source::DockerBuild => "docker-build",
            Source::Cdk => "cdk",
            Source::Metric => "metric",
            Source::Other => "other",
        }
    }

    pub fn signal(self) -> Signal {
        match self {
            Source::Metric => Signal::Metric,
            Source::EcsServiceEvent
            | Source::EcsStoppedTask
            | Source::CfnStackEvent
            | Source::AlbTargetHealth => Signal::Event,
            _ => Signal::Log,
        }
    }

    /// Whether the stream is the output of a pipeline rather than of the system that is deployed.
    pub fn is_pipeline(self) -> bool {
        matches!(
            self,
            Source::DeployTool | Source::GithubActions | Source::DockerBuild | Source::Cdk | Source::Other
        )
    }
}

impl FromStr for Source {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Source::ALL.into_iter().find(|source| source.as_str() == text);
        found.ok_or_else(|| UnknownName { what: "source", name: text.to_owned() })
    }
}

/// A category of telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signal {
    Log,
    Event,
    Metric,
}

/// How severe a record says it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    #[default]
    Unknown,
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

impl Level {
    pub const ALL: [Level; 7] =
        [Level::Unknown, Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Fatal];

    pub fn as_str(self) -> &'static str {
        match self {
            Level::Unknown => "unknown",
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
            Level::Fatal => "fatal",
        }
    }

    /// Reads a level by one of its usual names.
    pub fn named(name: &str) -> Option<Level> {
        const NAMES: [(&str, Level); 33] = [
            ("trace", Level::Trace),
            ("trc", Level::Trace),
            ("trac", Level::Trace),
            ("verbose", Level::Trace),
            ("vrb", Level::Trace),
            ("debug", Level::Debug),
            ("dbug", Level::Debug),
            ("dbg", Level::Debug),
            ("debu", Level::Debug),
            ("info", Level::Info),
            ("inf", Level::Info),
            ("information", Level::Info),
            ("notice", Level::Info),
            ("warn", Level::Warn),
            ("wrn", Level::Warn),
            ("warning", Level::Warn),
            ("err", Level::Error),
            ("eror", Level::Error),
            ("erro", Level::Error),
            ("error", Level::Error),
            ("severe", Level::Error),
            ("fail", Level::Error),
            ("crit", Level::Fatal),
            ("critical", Level::Fatal),
            ("fatal", Level::Fatal),
            ("ftl", Level::Fatal),
            ("fata", Level::Fatal),
            ("pnc", Level::Fatal),
            ("pani", Level::Fatal),
            ("emerg", Level::Fatal),
            ("alert", Level::Fatal),
            ("panic", Level::Fatal),
            ("dpanic", Level::Fatal),
        ];
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, level)| *level)
    }
}

/// Leaves out the time stamps, stream names, jobs and hosts that transports put in front of a line; all are shown beside it.
pub fn without_transport(line: &str) -> &str {
    let mut rest = without_host(without_job(line));
    for _ in 0..3 {
        let Some((word, after)) = rest.split_once(' ') else { return rest };
        let id = word.rsplit('/').next().unwrap_or_default();
        let is_stream =
            word.contains('/') && id.len() >= 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !(is_time(word) || is_stream) || after.trim().is_empty() {
            return rest;
        }
        rest = after;
    }
    rest
}

fn is_time(word: &str) -> bool {
    word.len() >= 19 && word.as_bytes().get(4) == Some(&b'-') && word.as_bytes().get(10) == Some(&b'T')
}

/// Leaves out `job<TAB>step<TAB>` in front of a time, as `gh run view --log` prints it.
fn without_job(line: &str) -> &str {
    let mut parts = line.splitn(3, '\t');
    let said = parts.nth(2).filter(|said| said.split(' ').next().is_some_and(is_time));
    said.unwrap_or(line)
}

/// Leaves out `Nov  9 08:00:03 host program[7]: `, as syslog writes it.
fn without_host(line: &str) -> &str {
    const AT: usize = "Nov  9 08:00:03 ".len();
    let bytes = line.as_bytes();
    let is_time = bytes.len() > AT
        && bytes[..3].iter().all(u8::is_ascii_alphabetic)
        && [3, 6, 15].iter().all(|at| bytes[*at] == b' ')
        && [9, 12].iter().all(|at| bytes[*at] == b':')
        && [5, 7, 8, 10, 11, 13, 14].iter().all(|at| bytes[*at].is_ascii_digit());
    let Some((place, said)) = line.get(AT..).filter(|_| is_time).and_then(|rest| rest.split_once(": "))
    else {
        return line;
    };
    let names_both = place.split(' ').count() == 2 && place.ends_with(']');
    if names_both && !said.trim().is_empty() { said } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, sample: Option<(&str, f64)>) {
        let record = Record {
            stream: Arc::new(Stream { name: "metrics".to_owned(), source: Source::Metric }),
            seq: 1,
            time: None,
            source: Source::Metric,
            level: Level::Info,
            text: text.to_owned(),
            body: None,
            line: 1,
            entity: None,
            deployment: None,
        };
        assert_eq!(record.sample(), sample);
    }

    #[test]
    fn samples_are_read_as_sources_write_them() {
        check("CPUUtilization 97.25 Percent AWS/ECS ServiceName=web", Some(("CPUUtilization", 97.25)));
        check("2026-05-01T10:00:00Z MemoryUtilization=88%", Some(("MemoryUtilization", 88.0)));
        check("AWS/ECS MemoryUtilization=40.25", Some(("MemoryUtilization", 40.25)));
        check("alarm web-5xx ALARM Threshold Crossed", None);
        check("CPUUtilization NaN", None);
    }

    #[test]
    fn transports_are_left_out() {
        let line = "2026-05-12T09:14:28.951000+00:00 web/web/c3a95e7f106b4d28a4f7129be8d0635c 2026-05-12T09:14:28.951Z [error] no";
        assert_eq!(without_transport(line), "[error] no");
        for line in [
            "deploy\tRun the tests\t2026-05-12T09:14:28.9510000Z [error] no",
            "May  2 09:14:28 ip-10-0-1-7 dockerd[2101]: [error] no",
        ] {
            assert_eq!(without_transport(line), "[error] no");
        }
        for line in ["a\tb\tc", "May  2 09:14:28 it was: no", "May  2 09:14:28"] {
            assert_eq!(without_transport(line), line);
        }
    }
}
