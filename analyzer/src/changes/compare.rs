//! Compares two task definitions field by field.

use std::collections::BTreeMap;

use super::{Change, Kind};
use crate::redact::{Redactions, redact};
use crate::snapshot::{ContainerDefinition, HealthCheck, PortMapping, TaskDefinition, Variable};

/// A value is told up to here.
const LONGEST: usize = 160;

/// Returns the differences; what starts the container comes first, what surrounds it last.
pub(super) fn differences(from: &TaskDefinition, to: &TaskDefinition) -> Vec<Change> {
    let mut found = Found::default();
    let (before, after) = (by_name(from), by_name(to));
    let image =
        |container: &ContainerDefinition| Some(container.image.clone()).filter(|image| !has_user(image));
    for (name, container) in &after {
        found.container = Some((*name).to_owned());
        match before.get(name) {
            Some(old) => found.of_container(old, container),
            None => found.told("container", Kind::Added, None, image(container)),
        }
    }
    for (name, container) in &before {
        if !after.contains_key(name) {
            found.container = Some((*name).to_owned());
            found.told("container", Kind::Removed, image(container), None);
        }
    }
    found.container = None;
    found.of_task(from, to);
    found.changes
}

fn by_name(definition: &TaskDefinition) -> BTreeMap<&str, &ContainerDefinition> {
    let containers = definition.container_definitions.iter();
    containers.map(|container| (container.name.as_str(), container)).collect()
}

#[derive(Default)]
struct Found {
    container: Option<String>,
    changes: Vec<Change>,
}

impl Found {
    fn of_container(&mut self, old: &ContainerDefinition, new: &ContainerDefinition) {
        self.image(&old.image, &new.image);
        self.value("entry point", words(&old.entry_point), words(&new.entry_point));
        self.value("command", words(&old.command), words(&new.command));
        self.environment(&old.environment, &new.environment);
        let references = |container: &ContainerDefinition| {
            let secrets = container.secrets.iter();
            secrets.map(|secret| (secret.name.clone(), secret.value_from.clone())).collect()
        };
        self.each("secret ", &references(old), &references(new), |_, reference| is_reference(reference));
        self.value("port mappings", ports(&old.port_mappings), ports(&new.port_mappings));
        self.health_check(old.health_check.as_ref(), new.health_check.as_ref());
        self.value("memory", number(old.memory), number(new.memory));
        self.value("memory reservation", number(old.memory_reservation), number(new.memory_reservation));
        self.value("cpu", number(old.cpu), number(new.cpu));
        self.value("essential", Some(old.is_essential().to_string()), Some(new.is_essential().to_string()));
        self.value("start timeout", number(old.start_timeout), number(new.start_timeout));
        self.value("stop timeout", number(old.stop_timeout), number(new.stop_timeout));
        let dependencies = |container: &ContainerDefinition| {
            let all = container.depends_on.iter();
            let all: Vec<String> = all
                .map(|on| format!("{} {}", on.container_name, on.condition.as_deref().unwrap_or("START")))
                .collect();
            (!all.is_empty()).then(|| all.join(", "))
        };
        self.value("depends on", dependencies(old), dependencies(new));
        let logging = |container: &ContainerDefinition| {
            let configuration = container.log_configuration.clone().unwrap_or_default();
            let driver = configuration.log_driver.map(|driver| ("driver".to_owned(), driver));
            configuration.options.into_iter().chain(driver).collect()
        };
        self.each("log option ", &logging(old), &logging(new), |name, _| is_plain_option(name));
        let registry = |container: &ContainerDefinition| {
            container.repository_credentials.as_ref().map(|found| found.credentials_parameter.clone())
        };
        self.value("registry credentials", registry(old), registry(new));
    }

    fn of_task(&mut self, from: &TaskDefinition, to: &TaskDefinition) {
        self.value("task memory", from.memory.clone(), to.memory.clone());
        self.value("task cpu", from.cpu.clone(), to.cpu.clone());
        self.value("task role", from.task_role_arn.clone(), to.task_role_arn.clone());
        self.value("execution role", from.execution_role_arn.clone(), to.execution_role_arn.clone());
        self.value("network mode", from.network_mode.clone(), to.network_mode.clone());
        let platform = |definition: &TaskDefinition| definition.runtime_platform.clone().unwrap_or_default();
        let (old, new) = (platform(from), platform(to));
        self.value("processor", old.cpu_architecture, new.cpu_architecture);
        self.value("operating system", old.operating_system_family, new.operating_system_family);
        self.value(
            "compatibilities",
            words(&from.requires_compatibilities),
            words(&to.requires_compatibilities),
        );
    }

    /// Of two tags of one repository only the tags are told.
    fn image(&mut self, old: &str, new: &str) {
        if has_user(old) || has_user(new) {
            let tell = |image: &str| (!has_user(image)).then(|| image.to_owned());
            if old != new {
                self.told("image", Kind::Changed, tell(old), tell(new));
            }
            return;
        }
        let parts = |image: &str| {
            let (rest, mark) = match image.split_once('@') {
                Some((name, digest)) => (name.to_owned(), Some(digest.to_owned())),
                None => (image.to_owned(), None),
            };
            match rest.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
                Some((name, tag)) => (name.to_owned(), mark.unwrap_or_else(|| tag.to_owned())),
                None => (rest, mark.unwrap_or_else(|| "latest".to_owned())),
            }
        };
        let ((old_name, old_mark), (new_name, new_mark)) = (parts(old), parts(new));
        if old_name != new_name {
            return self.value("image", Some(old.to_owned()), Some(new.to_owned()));
        }
        let what = if new_mark.contains(':') { "image digest" } else { "image tag" };
        self.value(what, Some(old_mark), Some(new_mark));
    }

    fn environment(&mut self, old: &[Variable], new: &[Variable]) {
        let by_name = |variables: &[Variable]| -> BTreeMap<String, Variable> {
            variables.iter().map(|variable| (variable.name.clone(), variable.clone())).collect()
        };
        let (old, new) = (by_name(old), by_name(new));
        for (name, variable) in &new {
            let what = format!("environment variable {name}");
            match old.get(name) {
                None => self.told(&what, Kind::Added, None, variable.plain.clone()),
                Some(before) if before.plain != variable.plain || before.mark != variable.mark => {
                    // One side alone would tell half.
                    let both = before.plain.is_some() && variable.plain.is_some();
                    let tell = |variable: &Variable| variable.plain.clone().filter(|_| both);
                    self.told(&what, Kind::Changed, tell(before), tell(variable));
                }
                Some(_) => {}
            }
        }
        for (name, variable) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
            self.told(&format!("environment variable {name}"), Kind::Removed, variable.plain.clone(), None);
        }
    }

    fn health_check(&mut self, old: Option<&HealthCheck>, new: Option<&HealthCheck>) {
        let command = |check: Option<&HealthCheck>| check.and_then(|check| words(&check.command));
        self.value("health check", command(old), command(new));
        let (Some(old), Some(new)) = (old, new) else { return };
        let seconds = |number: Option<i64>| number.map(|number| format!("{number} s"));
        self.value("health check interval", seconds(old.interval), seconds(new.interval));
        self.value("health check timeout", seconds(old.timeout), seconds(new.timeout));
        self.value("health check retries", number(old.retries), number(new.retries));
        self.value("health check start period", seconds(old.start_period), seconds(new.start_period));
    }

    /// Takes in what differs between two tables; a value is told where it cannot be secret.
    fn each(
        &mut self,
        kind: &str,
        old: &BTreeMap<String, String>,
        new: &BTreeMap<String, String>,
        is_told: impl Fn(&str, &str) -> bool,
    ) {
        let told = |name: &str, value: Option<&String>| value.filter(|value| is_told(name, value)).cloned();
        for (name, value) in new {
            let what = format!("{kind}{name}");
            match old.get(name) {
                None => self.told(&what, Kind::Added, None, told(name, Some(value))),
                Some(before) if before != value => {
                    self.told(&what, Kind::Changed, told(name, Some(before)), told(name, Some(value)));
                }
                Some(_) => {}
            }
        }
        for (name, value) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
            self.told(&format!("{kind}{name}"), Kind::Removed, told(name, Some(value)), None);
        }
    }

    /// Takes a difference in, where there is one.
    fn value(&mut self, what: &str, before: Option<String>, after: Option<String>) {
        let kind = match (&before, &after) {
            (None, None) => return,
            (None, Some(_)) => Kind::Added,
            (Some(_), None) => Kind::Removed,
            (Some(before), Some(after)) if before == after => return,
            _ => Kind::Changed,
        };
        self.told(what, kind, before, after);
    }

    fn told(&mut self, what: &str, kind: Kind, before: Option<String>, after: Option<String>) {
        let tell = |value: Option<String>| value.map(|value| clean(&value));
        let (before, after) = (tell(before), tell(after));
        self.changes.push(Change {
            container: self.container.as_deref().map(clean),
            what: clean(what),
            kind,
            before,
            after,
        });
    }
}

/// Whether what names a secret is a name, and not a secret that was put in the wrong place.
fn is_reference(reference: &str) -> bool {
    reference.starts_with("arn:") || reference.starts_with(['$', '{', '/'])
}

/// Whether an option of a log driver says where logs go and how; of all others nobody knows what they hold:
/// `splunk-token`, `License_Key`, a `URI` with a key in its path.
fn is_plain_option(name: &str) -> bool {
    const OPTIONS: [&str; 19] = [
        "bucket",
        "delivery_stream",
        "driver",
        "host",
        "log_group_name",
        "log_stream_name",
        "log_stream_prefix",
        "max-buffer-size",
        "max-file",
        "max-size",
        "mode",
        "name",
        "port",
        "region",
        "splunk-index",
        "stream",
        "syslog-facility",
        "tag",
        "tls",
    ];
    let name = name.to_ascii_lowercase();
    name.starts_with("awslogs-") || OPTIONS.contains(&name.as_str())
}

/// Whether an image names who may pull it: `user:password@registry/web`. A digest stands there otherwise.
fn has_user(image: &str) -> bool {
    let behind = image.split_once('@').map(|(_, behind)| behind);
    behind.is_some_and(|behind| {
        !behind.split_once(':').is_some_and(|(kind, hash)| !kind.contains(['.', '/']) && !hash.contains('/'))
    })
}

/// Removes secrets once more, and cuts: a field may hold what nobody expects there.
fn clean(value: &str) -> String {
    let value = redact(value, &mut Redactions::new()).into_owned();
    match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value,
    }
}

fn number(number: Option<i64>) -> Option<String> {
    number.map(|number| number.to_string())
}

fn words(words: &[String]) -> Option<String> {
    (!words.is_empty()).then(|| words.join(" "))
}

fn ports(mappings: &[PortMapping]) -> Option<String> {
    let mut all: Vec<String> = mappings
        .iter()
        .map(|mapping| {
            let container = mapping.container_port.map(|port| port.to_string());
            let container = container.or(mapping.container_port_range.clone()).unwrap_or_default();
            let host = mapping.host_port.filter(|&host| host != 0 && Some(host) != mapping.container_port);
            let host = host.map(|host| format!("{host}:")).unwrap_or_default();
            format!("{host}{container}/{}", mapping.protocol.as_deref().unwrap_or("tcp"))
        })
        .collect();
    all.sort();
    all.dedup();
    words(&all)
}
