//! The outcome that the service itself tells last: once it is steady, what went before did not keep it from that.

use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

use super::findings;
use super::kept::{Group, Kept};
use super::study::Study;
use crate::record::{Level, Source};
use crate::taxonomy::Class;

/// Returns since when the service is steady: nothing was undone, the last event of each service says that it is steady,
/// and nothing outside of the containers failed since.
pub(super) fn settled(study: &Study<'_>) -> Option<Timestamp> {
    if findings::was_undone(study) {
        return None;
    }
    let last = last_events(study, true);
    if last.is_empty() || !last.values().all(|event| is_steady(&event.line)) {
        return None;
    }
    let since = last.values().filter_map(|event| event.place.time).max()?;
    let fails_since = study.met.values().flat_map(|groups| groups.values()).any(|group| {
        let is_task = matches!(group.first.source, Source::EcsStoppedTask | Source::AlbTargetHealth);
        is_task && group.last.time.is_some_and(|time| time > since)
    });
    (!fails_since && !study.falls_again).then_some(since)
}

/// Whether tasks failed again and again after ECS had completed the deployment: each new one makes the service steady,
/// where no health check speaks for it, until it fails as well. Where none has failed for much longer than they used to
/// take, it is over.
pub(super) fn falls_again(study: &Study<'_>) -> bool {
    const AGAIN: usize = 2;
    const OVER: SignedDuration = SignedDuration::from_mins(10);
    let of_services = study.events.values().filter(|event| event.source == Source::EcsServiceEvent);
    let completed =
        of_services.filter(|event| is_completed(&event.line)).filter_map(|event| event.place.time).max();
    let stopped = study.events.values().filter(|event| event.source == Source::EcsStoppedTask);
    let failed: BTreeMap<&str, Timestamp> = stopped
        .filter(|event| event.level == Level::Error)
        .filter_map(|event| Some((task_of(&event.line)?, event.place.time?)))
        .filter(|(_, time)| completed.is_some_and(|completed| *time > completed))
        .collect();
    let mut times: Vec<Timestamp> = failed.into_values().collect();
    times.sort_unstable();
    let gaps = times.windows(2).map(|pair| pair[1].duration_since(pair[0]));
    let usual = gaps.max().unwrap_or_default();
    let since = times.last().zip(study.span).map(|(last, (_, newest))| newest.duration_since(*last));
    times.len() >= AGAIN && since.is_some_and(|since| since < OVER.max(usual.saturating_mul(2)))
}

/// Returns the id of the task that a record describes.
fn task_of(line: &str) -> Option<&str> {
    line.strip_prefix("task ")?.split(' ').next()
}

/// Returns the last event of each service, of those that have a time or of those that have none.
fn last_events<'s>(study: &'s Study<'_>, with_times: bool) -> BTreeMap<&'s str, &'s Kept> {
    let mut last: BTreeMap<&str, &Kept> = BTreeMap::new();
    let events = study.events.values().filter(|kept| kept.source == Source::EcsServiceEvent);
    for event in events.filter(|event| event.place.time.is_some() == with_times) {
        let Some(service) = service_of(&event.line, event.entity.as_deref()) else { continue };
        let latest = last.entry(service).or_insert(event);
        if latest.place.time <= event.place.time {
            *latest = event;
        }
    }
    last
}

/// Whether the service is steady as its events end, which have no times: of logs, that tells of those that go on calmly.
pub(super) fn ends_steady(study: &Study<'_>) -> bool {
    let last = last_events(study, false);
    let is_alone =
        last_events(study, true).is_empty() && !study.fails_outside && !findings::was_undone(study);
    is_alone && !last.is_empty() && last.values().all(|event| is_steady(&event.line))
}

/// Whether records are about what became steady.
pub(super) fn is_settled(study: &Study<'_>, group: &Group) -> bool {
    let Some(since) = study.settled else {
        let is_log = group.first.source == Source::ContainerLog;
        return study.ends_steady && is_log && !study.tails.ends_with(group);
    };
    let last = group.last.time;
    match group.first.source {
        // A task that has stopped is described without a time by some tools.
        Source::EcsStoppedTask | Source::AlbTargetHealth | Source::EcsServiceEvent => {
            last.is_none_or(|time| time <= since)
        }
        Source::EcsAgentLog | Source::Other => last.is_some_and(|time| time <= since),
        // A log that begins later is another task's, of which the events do not tell.
        // One without times speaks of them if it goes on calmly.
        Source::ContainerLog => match study.began.get(&group.first.place.stream) {
            Some(began) => *began <= since,
            None => !study.tails.ends_with(group),
        },
        _ => false,
    }
}

/// Whether an application goes on to ask for its database in vain since its service is steady. That its tasks run, and
/// answer a health check, does not show that they ever reached the database.
pub(super) fn lacks_database(study: &Study<'_>, group: &Group, class: Option<Class>) -> bool {
    class == Some(Class::Database)
        && group.first.source == Source::ContainerLog
        && group.count > 1
        && group.last.time.zip(study.settled).is_some_and(|(last, since)| last > since)
}

/// Whether the service started tasks after it could not place one. Where it did not, it is steady without that task:
/// fewer were wanted, and the next deployment will meet the same.
pub(super) fn was_placed(study: &Study<'_>, group: &Group) -> bool {
    let is_unplaced =
        group.first.source == Source::EcsServiceEvent && group.first.line.contains("unable to place a task");
    let events = study.events.values().filter(|event| event.source == Source::EcsServiceEvent);
    let mut started = events.filter(|event| event.line.contains("has started ") && event.place > group.last);
    !is_unplaced || started.next().is_some()
}

/// Returns the service that an event is about: it names it (`(service web) has reached a steady state.`),
/// or is the described state of one of its deployments. A container instance is no service.
fn service_of<'e>(text: &'e str, entity: Option<&'e str>) -> Option<&'e str> {
    if let Some((_, rest)) = text.split_once("(service ") {
        return rest.split([')', ',']).next();
    }
    let is_deployment = text.starts_with("deployment ") || text.starts_with("service deployment ");
    entity.filter(|_| is_deployment)
}

fn is_steady(text: &str) -> bool {
    text.contains("has reached a steady state") || is_completed(text)
}

fn is_completed(text: &str) -> bool {
    const WORDS: [&str; 3] = ["deployment completed", "rolloutState=COMPLETED", " SUCCESSFUL"];
    WORDS.iter().any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_names_its_service() {
        let named = |text| service_of(text, Some("entity"));
        assert_eq!(named("2026-05-01T10:00:00Z (service web) has reached a steady state."), Some("web"));
        assert_eq!(named("(service web, taskSet ecs-svc/1) has begun draining connections"), Some("web"));
        assert_eq!(named("deployment ecs-svc/1 PRIMARY rolloutState=COMPLETED desired=2"), Some("entity"));
        assert_eq!(named("container instance i-0abc ACTIVE agentConnected=false"), None);
    }
}
