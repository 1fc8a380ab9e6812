//! Finds the log groups of a service in its task definitions.

use analyzer::diagnosis::Gap;
use analyzer::snapshot::{ContainerDefinition, Snapshot};
use std::collections::BTreeMap;

/// The log groups, each with what the names of its streams begin with, and what is not to be found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    pub groups: BTreeMap<String, Option<String>>,
    pub gaps: Vec<Gap>,
}

impl Found {
    pub fn configured(groups: &[String]) -> Found {
        Found { groups: groups.iter().map(|name| (name.clone(), None)).collect(), gaps: Vec::new() }
    }
}

/// Finds the groups of all revisions that are described: the old one's logs tell what is different now.
pub fn in_task_definitions(known: &Snapshot, region: &str) -> Found {
    let mut found = Found::default();
    for definition in known.task_definitions.items() {
        for container in &definition.container_definitions {
            match place_of(container) {
                Some(place) if place.region.is_some_and(|other| other != region) => {
                    let what = format!("log group {}", place.group);
                    let because = format!("it is in region {}", place.region.unwrap_or_default());
                    let remedy = Some("run Medic with that region, or configure a source for it".to_owned());
                    found.gaps.push(Gap { what, because, remedy });
                }
                Some(place) => {
                    let known = found.groups.get(place.group).cloned();
                    // Streams of one prefix are read alone; where there are several, all of the group.
                    let prefix = match (known, place.prefix) {
                        (None, prefix) => prefix.map(str::to_owned),
                        (Some(Some(known)), Some(prefix)) if known == prefix => Some(known),
                        _ => None,
                    };
                    found.groups.insert(place.group.to_owned(), prefix);
                }
                None => found.gaps.push(without_group(container, &definition.name())),
            }
        }
    }
    for prefix in found.groups.values_mut() {
        *prefix = prefix.take().map(|prefix| format!("{prefix}/"));
    }
    if known.task_definitions.items().is_empty() {
        found.gaps.push(Gap {
            what: "log groups".to_owned(),
            because: "no task definition is described yet that names them".to_owned(),
            remedy: Some(
                "name them as `groups` of the source, or let the `ecs` source read the service".to_owned(),
            ),
        });
    }
    found.gaps.sort();
    found.gaps.dedup();
    found
}

struct LogPlace<'d> {
    group: &'d str,
    prefix: Option<&'d str>,
    region: Option<&'d str>,
}

fn place_of(container: &ContainerDefinition) -> Option<LogPlace<'_>> {
    let logs = container.log_configuration.as_ref()?;
    let option = |names: &[&str]| names.iter().find_map(|name| logs.options.get(*name)).map(String::as_str);
    match logs.log_driver.as_deref()? {
        "awslogs" => Some(LogPlace {
            group: option(&["awslogs-group"])?,
            prefix: option(&["awslogs-stream-prefix"]),
            region: option(&["awslogs-region"]),
        }),
        // FireLens with the output of Fluent Bit for CloudWatch.
        "awsfirelens" if option(&["Name"]).is_some_and(|name| name.starts_with("cloudwatch")) => {
            Some(LogPlace { group: option(&["log_group_name"])?, prefix: None, region: option(&["region"]) })
        }
        _ => None,
    }
}

fn without_group(container: &ContainerDefinition, definition: &str) -> Gap {
    let driver = container.log_configuration.as_ref().and_then(|logs| logs.log_driver.as_deref());
    let because = match driver {
        Some(driver) => format!("its log driver is {driver}, which does not say a log group"),
        None => "it has no log configuration".to_owned(),
    };
    Gap {
        what: format!("log of container {} of {definition}", container.name),
        because,
        remedy: Some("use the log driver awslogs, or send its log to Medic".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn known(containers: Value) -> Snapshot {
        let definition = json!({"family": "web", "revision": 2, "containerDefinitions": containers});
        serde_json::from_value(json!({"taskDefinitions": {"known": [definition]}})).unwrap()
    }

    fn container(group: &str, prefix: &str) -> Value {
        json!({"name": "app", "logConfiguration": {"logDriver": "awslogs",
            "options": {"awslogs-group": group, "awslogs-stream-prefix": prefix, "awslogs-region": "eu-west-1"}}})
    }

    fn groups(containers: Value) -> Vec<(String, Option<String>)> {
        in_task_definitions(&known(containers), "eu-west-1").groups.into_iter().collect()
    }

    #[test]
    fn streams_of_one_prefix_are_read_alone() {
        let one = ("/ecs/web".to_owned(), Some("web/".to_owned()));
        assert_eq!(groups(json!([container("/ecs/web", "web"), container("/ecs/web", "web")])), [one]);
        let all = ("/ecs/web".to_owned(), None);
        assert_eq!(groups(json!([container("/ecs/web", "web"), container("/ecs/web", "proxy")])), [all]);
    }

    #[test]
    fn what_is_logged_elsewhere_is_a_gap() {
        let found = in_task_definitions(
            &known(
                json!([container("/ecs/web", "web"), {"name": "proxy"}, {"name": "x", "logConfiguration": {"logDriver": "splunk"}}]),
            ),
            "eu-central-1",
        );
        assert!(found.groups.is_empty());
        let because: Vec<&str> = found.gaps.iter().map(|gap| gap.because.as_str()).collect();
        assert_eq!(
            because,
            [
                "it is in region eu-west-1",
                "it has no log configuration",
                "its log driver is splunk, which does not say a log group"
            ]
        );
    }

    #[test]
    fn without_a_task_definition_the_groups_are_not_known() {
        assert_eq!(in_task_definitions(&Snapshot::default(), "eu-west-1").gaps.len(), 1);
    }
}
