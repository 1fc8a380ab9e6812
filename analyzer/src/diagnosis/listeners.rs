//! Where the programs of a task say that they listen, and which of them the load balancer asks.

use std::collections::{BTreeMap, BTreeSet};

use super::kept::{Group, Kept};
use super::markers::{Marker, Scope};
use crate::record::{Record, Source};
use crate::snapshot::Snapshot;

/// So many are remembered of a task.
const MOST: usize = 48;
/// So many lines of a record are read.
const MOST_LINES: usize = 40;

/// A port on which a program listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Listener {
    pub port: u16,
    pub reach: Reach,
}

/// Who can connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Programs of the same task alone.
    Loopback,
    /// Others, too.
    All,
}

/// What listens in each task, or in each log that names no task.
#[derive(Clone, Debug, Default)]
pub(super) struct Listeners(BTreeMap<String, BTreeSet<Listener>>);

impl Listeners {
    /// Remembers what the records of a batch say; `marked` are their markers, in order.
    pub fn keep(&mut self, records: &[Record], marked: &[(u32, Marker)]) {
        let mut last = None;
        for (index, marker) in marked {
            if *marker != Marker::Success(Scope::Application) || last == Some(index) {
                continue;
            }
            last = Some(index);
            let Some(record) = records.get(*index as usize) else { continue };
            if !matches!(record.source, Source::ContainerLog | Source::Other) {
                continue;
            }
            let task = task_of(&record.stream.name, record.entity.as_deref());
            for line in record.said().lines().take(MOST_LINES) {
                let found = listeners_in(line);
                if found.is_empty() {
                    continue;
                }
                let known = self.0.entry(task.clone()).or_default();
                known.extend(found);
                while known.len() > MOST {
                    known.pop_last();
                }
            }
        }
    }

    fn of(&self, kept: &Kept) -> impl Iterator<Item = Listener> + '_ {
        let task = task_of(&kept.place.stream, kept.entity.as_deref());
        self.0.get(&task).into_iter().flatten().copied()
    }

    /// Returns why a line about a port on which a program listens does not explain that a load balancer gets no answer:
    /// it is about another program than the one that is asked, or that one listens where it is asked, too.
    /// `is_about_reach` says that the port may be the right one, and only out of reach.
    pub fn is_beside(&self, group: &Group, asked: &BTreeSet<u16>, is_about_reach: bool) -> Option<String> {
        let line = &group.first.line;
        let said = listeners_in(line);
        if is_datagram(line) {
            return Some("it is about datagrams, which no load balancer sends to check health".to_owned());
        }
        let is_asked = said.iter().any(|own| asked.contains(&own.port));
        if is_for_operators(line) && !is_asked {
            return Some("it is about a port for operators beside the one of the application".to_owned());
        }
        let is_own = |other: &Listener| said.iter().any(|own| own.port == other.port);
        let mut others = self.of(&group.first).filter(|other| match is_about_reach {
            true => other.reach == Reach::All,
            // A server on all addresses may print that of the loopback interface.
            false => !is_own(other),
        });
        let answer = match asked.is_empty() {
            // It is not known which port is asked: what others can reach may be what is asked.
            true => others.find(|_| is_about_reach),
            false => others.find(|other| asked.contains(&other.port)),
        };
        if let Some(other) = answer {
            return Some(format!(
                "the same task listens on port {}, too, where others can reach it",
                other.port
            ));
        }
        // Of several programs nobody knows which one was to listen on the port that is asked.
        let rival = self.of(&group.first).find(|other| other.reach == Reach::All && !is_own(other));
        match rival {
            Some(other) if is_about_reach && !said.is_empty() && !is_asked => Some(format!(
                "the same task also listens on port {}, and neither is the port that the load balancer asks",
                other.port
            )),
            _ => None,
        }
    }
}

/// Returns the ports that load balancers ask: of what is described, and of what records say.
pub(super) fn asked_ports(snapshot: &Snapshot, told: &[&Group]) -> BTreeSet<u16> {
    let port = |number: i64| u16::try_from(number).ok().filter(|port| *port > 0);
    let mut asked = BTreeSet::new();
    for service in snapshot.services.items().iter().filter(|service| service.is_active()) {
        asked.extend(service.load_balancers.iter().filter_map(|one| one.container_port).filter_map(port));
        let groups = snapshot.target_groups.items().iter();
        let served = groups.filter(|group| {
            service.load_balancers.iter().any(|balancer| balancer.serves(&group.target_group_arn))
        });
        asked.extend(served.filter_map(|group| group.health_check_port.as_deref()?.parse::<u16>().ok()));
    }
    for target in snapshot.target_health.items().iter().filter(|target| !target.is_leaving()) {
        asked.extend(target.target.port.and_then(port));
        asked.extend(target.health_check_port.as_deref().and_then(|port| port.parse::<u16>().ok()));
    }
    for group in told {
        asked.extend(group.first.values.get("expected").and_then(|port| port.parse::<u16>().ok()));
        asked.extend(told_port(&group.first.line));
    }
    asked
}

/// Whether a line about a target says that it answered, be it with an error.
pub(super) fn has_answered(line: &str) -> bool {
    line.contains("with these codes") || line.contains("ResponseCodeMismatch")
}

/// Returns the port of a target: `(port 3000) is unhealthy`, `10.0.1.5:3000 unhealthy`.
fn told_port(line: &str) -> Option<u16> {
    let digits = |rest: &str| {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse::<u16>().ok()
    };
    if let Some((_, rest)) = line.split_once("(port ") {
        return digits(rest);
    }
    let mut words = line.split_whitespace();
    let address = words.next()?;
    let is_state = words.any(|word| word == "unhealthy");
    let (_, port) = address.rsplit_once(':')?;
    digits(port).filter(|_| is_state)
}

/// Names the task that a record is of; where none is known, its stream and container.
fn task_of(stream: &str, entity: Option<&str>) -> String {
    match task_id(stream, entity) {
        Some(task) => task.to_owned(),
        None => format!("{stream} {}", entity.unwrap_or_default()),
    }
}

/// Returns the id of the task that a record or its stream names.
pub(super) fn task_id<'a>(stream: &'a str, entity: Option<&'a str>) -> Option<&'a str> {
    let is_task = |id: &&str| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    entity.filter(is_task).or_else(|| stream.rsplit('/').next().filter(is_task))
}

/// Returns where a line says that something listens.
pub(super) fn listeners_in(line: &str) -> BTreeSet<Listener> {
    const SAYS: [&str; 14] = [
        "listen",
        "running",
        "started",
        "serving",
        "bound",
        "available",
        "ready",
        "launched",
        "initialized",
        "exposed",
        "accepting",
        "starting",
        "local:",
        "network:",
    ];
    const DENIES: [&str; 14] = [
        "in use",
        "not ",
        "n't ",
        "fail",
        "cannot",
        "error",
        "refused",
        "unable",
        "denied",
        "nothing",
        "no longer",
        "that's listening",
        "must ",
        "connect to",
    ];
    let lower = line.to_ascii_lowercase();
    if !SAYS.iter().any(|word| lower.contains(word)) || DENIES.iter().any(|word| lower.contains(word)) {
        return BTreeSet::new();
    }
    let mut found = BTreeSet::new();
    let is_between = |c: char| c.is_whitespace() || "`,;()=<>{}|".contains(c);
    let mut before = "";
    for word in lower.split(is_between).filter(|word| !word.is_empty()) {
        found.extend(address(word, before));
        before = word;
    }
    let is_local = LOOPBACK.iter().any(|host| lower.contains(host)) && !lower.contains("0.0.0.0");
    let reach = if is_local { Reach::Loopback } else { Reach::All };
    for port in named_ports(&lower) {
        if !found.iter().any(|listener: &Listener| listener.port == port) {
            found.insert(Listener { port, reach });
        }
    }
    found
}

const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Reads `0.0.0.0:3000`, `:3000`, `[::]:3000`, `*:3000`, `tcp://0.0.0.0:3000`, `http://localhost:3000/app`.
fn address(word: &str, before: &str) -> Option<Listener> {
    let (scheme, rest) = word.split_once("://").map_or((None, word), |(scheme, rest)| (Some(scheme), rest));
    let rest = rest.split('/').next().unwrap_or(rest).trim_end_matches(['.', ']', '"', '\'', '\\']);
    let (host, port) = rest.rsplit_once(':')?;
    // In JSON a number follows a name in quotes, and an address may stand in quotes after one.
    if host.ends_with(['"', '\'']) {
        return None;
    }
    let host = host.rsplit(['"', '\'']).next().unwrap_or(host);
    let port = port.parse::<u16>().ok().filter(|port| *port > 0)?;
    let is_introduced =
        matches!(before.trim_end_matches(':'), "on" | "at" | "to" | "addr" | "address" | "bind" | "host");
    let is_number = || host.split('.').count() == 4 && host.split('.').all(|part| part.parse::<u8>().is_ok());
    let reach = match host {
        "127.0.0.1" | "localhost" | "[::1]" | "::1" => Reach::Loopback,
        "" | "*" | "+" | "0.0.0.0" | "[::]" | "::" | "[::0]" => Reach::All,
        _ if scheme.is_some_and(|scheme| scheme.starts_with("http") || scheme == "tcp") => Reach::All,
        _ if is_introduced && is_number() => Reach::All,
        _ => return None,
    };
    Some(Listener { port, reach })
}

/// Reads `port 3000`, `port: 3000`, `port(s): 3000 (http)`, `ports (8080`, `port=3000`.
fn named_ports(lower: &str) -> Vec<u16> {
    let is_word = |at: usize| !lower[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
    let mut ports = Vec::new();
    for (at, name) in lower.match_indices("port").filter(|(at, _)| is_word(*at)) {
        let rest = lower[at + name.len()..].trim_start_matches('s');
        let rest =
            rest.strip_prefix("(s)").unwrap_or(rest).trim_start_matches([' ', ':', '=', '(', '"', '\'']);
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        ports.extend(rest[..end].parse::<u16>().ok().filter(|port| *port > 0));
    }
    ports
}

fn is_datagram(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    lower
        .split(|c: char| !c.is_ascii_alphanumeric())
        .any(|word| word == "udp" || word == "udp4" || word == "udp6")
}

/// Whether a line is about a listener for those who look after the program.
fn is_for_operators(line: &str) -> bool {
    const WORDS: [&str; 17] = [
        "metrics",
        "prometheus",
        "admin",
        "inspector",
        "management",
        "actuator",
        "statsd",
        "jmx",
        "profil",
        "pprof",
        "telemetry",
        "otel",
        "dt_socket",
        "debugger",
        "debug server",
        "debug port",
        "debug endpoint",
    ];
    let lower = line.to_ascii_lowercase();
    WORDS.iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &[(u16, Reach)]) {
        let found: Vec<(u16, Reach)> =
            listeners_in(line).into_iter().map(|listener| (listener.port, listener.reach)).collect();
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn servers_say_where_they_listen() {
        use Reach::{All, Loopback};
        check("HTTP server listening on :3000", &[(3000, All)]);
        check("2026/05/12 09:14:26 listening addr=[::]:3000", &[(3000, All)]);
        check("Listening on tcp://0.0.0.0:3000", &[(3000, All)]);
        check(
            "ready started server on 0.0.0.0:3000, url: http://localhost:3000",
            &[(3000, Loopback), (3000, All)],
        );
        check("Now listening on: http://localhost:5000", &[(5000, Loopback)]);
        check("Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)", &[(8000, Loopback)]);
        check("Tomcat started on port(s): 8081 (http) with context path ''", &[(8081, All)]);
        check("Tomcat started on ports 8080 (http), 8443 (https)", &[(8080, All)]);
        check(r#"{"msg":"server started","port":3000,"host":"127.0.0.1"}"#, &[(3000, Loopback)]);
        check(r#"{"level":"info","pid":1234,"addr":"0.0.0.0:3000","msg":"listening"}"#, &[(3000, All)]);
        check(r#"{"msg":"server listening on :3000","status":200}"#, &[(3000, All)]);
        check("{'event': 'listening', 'url': 'http://127.0.0.1:3000'}", &[(3000, Loopback)]);
        check(r#"listening on "0.0.0.0:3000""#, &[(3000, All)]);
        check("server listening on 10.0.1.5:3000", &[(3000, All)]);
        check("listening on *:8080 at 09:14:26", &[(8080, All)]);
        check("serving GET /orders for 10.0.0.4:51234", &[]);
        check("Listening for transport dt_socket at address: 5005", &[]);
        check("failed to listen on 0.0.0.0:3000: address already in use", &[]);
        check("connected to db:5432", &[]);
    }

    #[test]
    fn a_target_names_its_port() {
        assert_eq!(told_port("10.0.1.5:3000 unhealthy Target.Timeout Request timed out"), Some(3000));
        assert_eq!(told_port("(service web) (port 8080) is unhealthy in (target-group x)"), Some(8080));
        assert_eq!(told_port("2026-05-12T09:14:26Z connect to localhost port 80 refused"), None);
    }
}
