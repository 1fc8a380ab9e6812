//! The sources that an AWS account, a task and GitHub offer: which are usual, and how each is started.

use analyzer::diagnosis::Gap;
use analyzer::snapshot::Snapshot;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

#[cfg(feature = "aws")]
use super::rounds;
use super::{Closed, Outlet};
use crate::aws::Place;
use crate::config::{Config, SourceConfig, Span};

/// Returns the sources that a cluster, a service and a stack ask for.
pub fn usual(config: &Config) -> Vec<SourceConfig> {
    let seconds = |seconds| Span(Duration::from_secs(seconds));
    let mut sources = Vec::new();
    if config.service.is_some() {
        sources.push(SourceConfig::Ecs { name: None, every: seconds(3) });
        sources.push(SourceConfig::CloudwatchLogs {
            name: None,
            groups: Vec::new(),
            every: Span(Duration::from_millis(1500)),
            overlap: seconds(300),
        });
        sources.push(SourceConfig::TargetHealth { name: None, every: seconds(3) });
        sources.push(SourceConfig::CloudwatchMetrics { name: None, every: seconds(60) });
    }
    if config.stack.is_some() {
        sources.push(SourceConfig::Cloudformation { name: None, stack: None, every: seconds(3) });
    }
    sources
}

/// Returns what is watched, as far as it is configured.
pub fn place(config: &Config) -> Place {
    Place {
        region: config.region.clone().unwrap_or_default(),
        profile: config.profile.clone(),
        cluster: config.cluster.clone(),
        service: config.service.clone(),
        stack: config.stack.clone(),
        ..Place::default()
    }
}

/// Runs a source of an account, a task or GitHub.
pub async fn run(
    source: SourceConfig,
    place: Place,
    cursor: Option<Value>,
    once: bool,
    outlet: Outlet,
) -> Result<(), Closed> {
    if let Some(gap) = what_is_missing(&source, &place) {
        return outlet.say_gaps(vec![gap]).await;
    }
    if matches!(source, SourceConfig::CloudwatchLogs { .. }) {
        // It hands over what it holds back when Medic stops.
        return read(source, place, cursor, once, &outlet).await;
    }
    let stop = outlet.stop.clone();
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        outcome = read(source, place, cursor, once, &outlet) => outcome,
    }
}

/// Returns the target groups of a service.
#[cfg_attr(
    not(any(feature = "cloudwatch-metrics", feature = "target-health")),
    allow(dead_code, reason = "only these sources ask about them")
)]
pub fn target_groups_of(known: &Snapshot, service: Option<&str>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for described in known.services.items().iter().filter(|one| service.is_none_or(|name| one.name() == name))
    {
        for balancer in &described.load_balancers {
            let advanced = balancer.advanced_configuration.as_ref();
            let alternate = advanced.and_then(|advanced| advanced.alternate_target_group_arn.clone());
            found.extend(balancer.target_group_arn.clone());
            found.extend(alternate);
        }
    }
    found
}

/// Says what a source needs that is not configured.
fn what_is_missing(source: &SourceConfig, place: &Place) -> Option<Gap> {
    let key = match source {
        SourceConfig::Ecs { .. }
        | SourceConfig::TargetHealth { .. }
        | SourceConfig::CloudwatchMetrics { .. }
            if place.service.is_none() =>
        {
            "service"
        }
        SourceConfig::Cloudformation { stack: None, .. } if place.stack.is_none() => "stack",
        _ => return None,
    };
    Some(Gap {
        what: format!("source {}", source.kind()),
        because: format!("no {key} is configured"),
        remedy: Some(format!("set `{key}` in the configuration, or --{key}")),
    })
}

async fn read(
    source: SourceConfig,
    place: Place,
    cursor: Option<Value>,
    once: bool,
    outlet: &Outlet,
) -> Result<(), Closed> {
    match source {
        #[cfg(feature = "ecs")]
        SourceConfig::Ecs { every, .. } => {
            let (aws, place) = connection(place).await;
            let source = super::ecs::Ecs::new(&place, cursor);
            let client = aws_sdk_ecs::Client::new(&aws.config);
            rounds::run(source, client, (every.0, once), &aws, place, outlet).await
        }
        #[cfg(feature = "cloudwatch-logs")]
        SourceConfig::CloudwatchLogs { groups, every, overlap, .. } => {
            let (aws, place) = connection(place).await;
            let reading =
                super::cloudwatch_logs::Reading { groups, every: every.0, overlap: overlap.0, once };
            super::cloudwatch_logs::run(reading, &aws, place, cursor, outlet).await
        }
        #[cfg(feature = "cloudformation")]
        SourceConfig::Cloudformation { stack, every, .. } => {
            let (aws, mut place) = connection(place).await;
            place.stack = stack.or(place.stack);
            let source = super::cloudformation::Stacks::new(&place, cursor);
            let client = aws_sdk_cloudformation::Client::new(&aws.config);
            rounds::run(source, client, (every.0, once), &aws, place, outlet).await
        }
        #[cfg(feature = "target-health")]
        SourceConfig::TargetHealth { every, .. } => {
            let (aws, place) = connection(place).await;
            let source = super::target_health::Targets::new(&place, cursor);
            let client = aws_sdk_elasticloadbalancingv2::Client::new(&aws.config);
            rounds::run(source, client, (every.0, once), &aws, place, outlet).await
        }
        #[cfg(feature = "cloudwatch-metrics")]
        SourceConfig::CloudwatchMetrics { every, .. } => {
            let (aws, place) = connection(place).await;
            let source = super::cloudwatch_metrics::Metrics::new(&place, cursor);
            let client = aws_sdk_cloudwatch::Client::new(&aws.config);
            rounds::run(source, client, (every.0, once), &aws, place, outlet).await
        }
        #[cfg(feature = "eventbridge-sqs")]
        SourceConfig::EventbridgeSqs { queue_url, .. } => {
            let (aws, place) = connection(place).await;
            super::eventbridge_sqs::run(&queue_url, once, &aws, place, outlet).await
        }
        #[cfg(feature = "task-metadata")]
        SourceConfig::TaskMetadata { every, .. } => super::task_metadata::run(every.0, once, outlet).await,
        #[cfg(feature = "github-actions")]
        SourceConfig::GithubActions { repository, run, token_variable, .. } => {
            super::github_actions::run(&repository, run, &token_variable, once, cursor, outlet).await
        }
        other => {
            let _ = (place, cursor, once);
            let because = format!("this build of Medic has no source `{}`", other.kind());
            let remedy = Some(format!("build it with the feature `{}`", other.kind()));
            outlet.say_gaps(vec![Gap { what: format!("source {}", other.kind()), because, remedy }]).await
        }
    }
}

/// Returns the connection to the account, which all sources of a region and a profile share while one of them runs:
/// they share the account's limits.
#[cfg(feature = "aws")]
pub async fn connection(mut place: Place) -> (std::sync::Arc<crate::aws::Aws>, Place) {
    use crate::aws::Aws;
    use std::collections::BTreeMap;
    use std::sync::{Arc, Weak};
    use tokio::sync::Mutex;

    type Key = (String, Option<String>);
    static CONNECTIONS: Mutex<BTreeMap<Key, Weak<Aws>>> = Mutex::const_new(BTreeMap::new());
    let mut connections = CONNECTIONS.lock().await;
    let key = (place.region.clone(), place.profile.clone());
    let aws = match connections.get(&key).and_then(Weak::upgrade) {
        Some(aws) => aws,
        None => {
            let region = Some(place.region.as_str()).filter(|region| !region.is_empty());
            let aws = Arc::new(Aws::connect(region, place.profile.as_deref()).await);
            connections.insert(key, Arc::downgrade(&aws));
            aws
        }
    };
    place.region = aws.region().to_owned();
    (aws, place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_and_a_service_are_enough() {
        let kinds = |text: &str| -> Vec<&str> {
            usual(&Config::parse(text).unwrap()).iter().map(SourceConfig::kind).collect()
        };
        let of_service = ["ecs", "cloudwatch-logs", "target-health", "cloudwatch-metrics"];
        assert_eq!(kinds("cluster = \"shop\"\nservice = \"web\"\n"), of_service);
        assert_eq!(kinds("stack = \"web\"\n"), ["cloudformation"]);
        assert!(kinds("").is_empty());
    }

    #[test]
    fn what_is_not_configured_is_a_gap() {
        let ecs = SourceConfig::Ecs { name: None, every: Span(Duration::from_secs(3)) };
        let gap = what_is_missing(&ecs, &Place::default()).unwrap();
        assert_eq!(gap.because, "no service is configured");
    }
}
