//! `medic iam-policy`: the least that Medic needs to be allowed, from the table of its calls.

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;

use super::HEALTHY;
use super::watched::Watched;
use crate::aws::Place;
use crate::aws::calls::{ALL, Call, Policy};
use crate::config::SourceConfig;
use crate::sources;

/// Prints the IAM policy that Medic needs; what is not named stays `*` in the resources.
#[derive(Debug, Args)]
pub struct IamPolicy {
    /// What the policy is for
    #[arg(value_enum)]
    policy: PolicyArgument,

    #[command(flatten)]
    watched: Watched,

    /// The account
    #[arg(long, value_name = "ID")]
    account: Option<String>,

    /// Log groups that are read; without any, all
    #[arg(long, value_name = "NAME")]
    log_group: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PolicyArgument {
    /// Recording and diagnosing
    Read,
    /// Looking at what a deployment needs, before it is made
    Preflight,
    /// Carrying out remedies that were approved
    Remediate,
}

impl IamPolicy {
    pub fn run(self) -> Result<u8> {
        let config = self.watched.read()?;
        let mut log_groups = self.log_group;
        let mut queue = None;
        for source in &config.sources {
            match source {
                SourceConfig::CloudwatchLogs { groups, .. } => log_groups.extend(groups.iter().cloned()),
                SourceConfig::EventbridgeSqs { queue_url, .. } => {
                    queue = queue_url.rsplit('/').next().map(str::to_owned);
                }
                _ => {}
            }
        }
        let mut place = Place { account: self.account, queue, ..sources::place(&config) };
        place.region = region(&place, |name| std::env::var(name).ok());
        let policy = match self.policy {
            PolicyArgument::Read => Policy::Read,
            PolicyArgument::Preflight => Policy::Preflight,
            PolicyArgument::Remediate => Policy::Remediate,
        };
        let mut out = anstream::stdout().lock();
        writeln!(out, "{:#}", document(policy, &place, &log_groups))?;
        Ok(HEALTHY)
    }
}

/// Returns the region: the one that is configured, or of an ARN, or of the environment; empty where none says it.
fn region(place: &Place, variable: impl Fn(&str) -> Option<String>) -> String {
    if !place.region.is_empty() {
        return place.region.clone();
    }
    if let Some(region) = place.region_in_arns() {
        return region.to_owned();
    }
    let said = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().filter_map(variable);
    said.map(|region| region.trim().to_owned()).find(|region| !region.is_empty()).unwrap_or_default()
}

/// Returns the policy document. Calls with the same resources share a statement.
pub fn document(policy: Policy, place: &Place, log_groups: &[String]) -> Value {
    let mut statements: BTreeMap<(Vec<String>, Option<String>), Vec<&Call>> = BTreeMap::new();
    for call in ALL.iter().filter(|call| call.policy == policy) {
        let condition = call.condition(place).map(|condition| condition.to_string());
        statements.entry((resources(call, place, log_groups), condition)).or_default().push(call);
    }
    let mut written: Vec<Value> = Vec::new();
    for ((resources, _), calls) in &statements {
        let mut actions: Vec<String> = calls.iter().map(|call| call.action()).collect();
        actions.sort();
        let mut statement = json!({"Effect": "Allow", "Action": actions, "Resource": resources});
        let condition = calls.first().and_then(|call| call.condition(place));
        if let (Some(condition), Some(object)) = (condition, statement.as_object_mut()) {
            object.insert("Condition".to_owned(), condition);
        }
        written.push(statement);
    }
    json!({"Version": "2012-10-17", "Statement": written})
}

/// Returns the ARNs that a call is allowed on: one for each log group, where groups are named.
fn resources(call: &Call, place: &Place, log_groups: &[String]) -> Vec<String> {
    if !call.resource.contains("{log-group}") || log_groups.is_empty() {
        return vec![place.fill(call.resource)];
    }
    let of_group =
        |group: &String| Place { log_group: Some(group.clone()), ..place.clone() }.fill(call.resource);
    log_groups.iter().map(of_group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::calls;
    use std::collections::BTreeSet;

    fn place() -> Place {
        Place {
            region: "eu-west-1".to_owned(),
            account: Some("111122223333".to_owned()),
            cluster: Some("shop".to_owned()),
            service: Some("web".to_owned()),
            stack: Some("web".to_owned()),
            ..Place::default()
        }
    }

    fn statements(policy: Policy) -> Vec<Value> {
        document(policy, &place(), &["/ecs/web".to_owned()])["Statement"].as_array().unwrap().clone()
    }

    #[test]
    fn each_call_stands_in_its_policy_and_no_action_is_a_pattern() {
        for policy in [Policy::Read, Policy::Preflight, Policy::Remediate] {
            let allowed: Vec<String> = statements(policy)
                .iter()
                .flat_map(|statement| statement["Action"].as_array().unwrap().clone())
                .map(|action| action.as_str().unwrap().to_owned())
                .collect();
            assert!(allowed.iter().all(|action| !action.contains('*')), "{allowed:?}");
            let wanted: BTreeSet<String> =
                ALL.iter().filter(|call| call.policy == policy).map(|call| call.action()).collect();
            assert_eq!(allowed.len(), wanted.len());
            assert_eq!(allowed.into_iter().collect::<BTreeSet<_>>(), wanted);
        }
    }

    #[test]
    fn the_read_policy_changes_nothing_but_its_queue() {
        for call in ALL.iter().filter(|call| call.policy == Policy::Read) {
            let reads = ["Describe", "List", "Get", "Filter", "Receive"];
            let is_reading = reads.iter().any(|verb| call.operation.starts_with(verb));
            // A session of Live Tail shows lines as they arrive.
            let is_known = [calls::DELETE_MESSAGE, calls::START_LIVE_TAIL].contains(call);
            assert!(is_reading || is_known, "{}", call.action());
        }
    }

    #[test]
    fn the_region_is_the_nearest_that_is_named() {
        let check = |place: &Place, set: &[(&str, &str)], expected: &str| {
            let value = |name: &str| {
                let found = set.iter().find(|(variable, _)| *variable == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(region(place, value), expected);
        };
        let both = [("AWS_REGION", "us-east-1"), ("AWS_DEFAULT_REGION", "us-west-2")];
        let nowhere = Place::default();
        check(&nowhere, &both, "us-east-1");
        check(&nowhere, &both[1..], "us-west-2");
        check(&nowhere, &[("AWS_REGION", " "), both[1]], "us-west-2");
        check(&nowhere, &[], "");
        check(&place(), &both, "eu-west-1");
        let cluster = Some("arn:aws:ecs:eu-central-1:111122223333:cluster/shop".to_owned());
        check(&Place { cluster, ..Place::default() }, &both, "eu-central-1");
    }

    #[test]
    fn what_is_named_bounds_the_resources() {
        let logs = statements(Policy::Read)
            .into_iter()
            .find(|statement| statement["Action"] == json!(["logs:FilterLogEvents", "logs:StartLiveTail"]))
            .unwrap();
        assert_eq!(logs["Resource"], json!(["arn:aws:logs:eu-west-1:111122223333:log-group:/ecs/web:*"]));
        let tasks = statements(Policy::Read)
            .into_iter()
            .find(|statement| statement["Action"] == json!(["ecs:ListTasks"]))
            .unwrap();
        assert_eq!(
            tasks["Condition"],
            json!({"ArnLike": {"ecs:cluster": "arn:aws:ecs:eu-west-1:111122223333:cluster/shop"}})
        );
    }
}
