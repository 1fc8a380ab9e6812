//! Signs that a job or an application went on as if nothing had happened.

use super::findings::is_scale_in;
use super::kept::{Group, Kept};
use super::markers::Scope;
use super::steps::{Steps, build_step};
use super::study::{ENOUGH_SERVED, Study};
use crate::pattern::Owner;
use crate::record::{Level, Source, without_transport};
use crate::taxonomy::Class;

/// Records this close behind the signal to stop belong to the stopping.
const AFTER_SHUTDOWN: u64 = 40;
/// So many requests answered well show that an application which had started before still lives.
const ENOUGH_SERVED_SINCE: usize = 2;
/// So many calm records at the end show that an application went on.
const ENOUGH_CALM: u64 = 2;
const ENOUGH_CALM_ALONE: u64 = 6;

/// Returns what shows that the job or the application went on as if nothing had happened.
pub(super) fn outlived(study: &Study<'_>, group: &Group, class: Option<Class>) -> Option<&'static str> {
    let (stream, lane, last) = (&group.first.place.stream, group.first.lane(), group.last.seq);
    // Where the runner's marks were not copied, `Error: ` is what it says of a step that failed, and then it only cleans up.
    let says_error = without_transport(group.first.line.trim_start()).trim_start().starts_with("Error: ");
    let goes_on = |steps: &Steps| {
        let next = if says_error && !steps.marked { &steps.plain } else { &steps.begin };
        next.range(last + 1..).next().is_some()
    };
    // An image is built without a cache as well, and the first build of a tag finds none.
    let is_cache = |(step, said): (&str, &str)| {
        let step = (stream.clone(), step.to_owned());
        let is_missing = said.starts_with("ERROR") && said.ends_with("not found");
        is_missing && group.count == 1 && study.cache_imports.contains(&step)
    };
    if build_step(&group.first.line).is_some_and(is_cache) {
        return Some("it is about the cache of a build, which goes on without it");
    }
    match group.first.source {
        // A step that fails says so, and then no other step runs.
        Source::GithubActions
            if !study.failed.contains(stream) && study.steps.get(stream).is_some_and(goes_on) =>
        {
            Some("the job went on with its next step")
        }
        Source::EcsStoppedTask if only_scaled_in(study, stream) => {
            Some("its tasks were stopped by scaling in, not by a failure")
        }
        Source::ContainerLog => {
            let stopped = study
                .shutdowns
                .get(&lane)
                .copied()
                .filter(|at| (*at + 1..=*at + AFTER_SHUTDOWN).contains(&group.first.place.seq));
            let is_end = matches!(class, None | Some(Class::Database | Class::Network));
            if stopped.is_some() && is_end {
                return Some("it happened while the application was told to stop");
            }
            let served =
                study.served.get(&lane).map_or(0, |places| places.iter().filter(|at| **at > last).count());
            let serves = study.successes.get(&lane).and_then(|scopes| scopes.get(&Scope::Application));
            let before = serves.is_some_and(|success| success.first < group.first.place.seq);
            // What had started before, and answers after it, lives.
            let enough = if before { ENOUGH_SERVED_SINCE } else { ENOUGH_SERVED };
            let about_serving = matches!(
                class,
                None | Some(
                    Class::Network | Class::PortBinding | Class::StartupHealth | Class::Configuration
                )
            );
            if served >= enough && about_serving {
                return Some("the application went on to answer requests");
            }
            if about_serving && study.answered.answers_since(&lane, &group.first.line, last) {
                return Some("the same request was answered later");
            }
            // What happens to one request or one client does not end an application. Where its start was not seen,
            // more must follow, and an error of the data or of the settings stays one.
            let started = before || is_retried(study, group);
            let once = group.count == 1 && group.first.level < Level::Fatal;
            let least = match started {
                true if class.is_none() || once && before => 1,
                true => ENOUGH_CALM,
                false => ENOUGH_CALM_ALONE,
            };
            let passes = started || matches!(class, None | Some(Class::Network));
            if !study.fails_outside && study.tails.came_further(group) {
                return Some("the application was started again and came further");
            }
            let alone = !study.fails_outside && passes;
            // A database that says itself when it is ready had not started yet.
            let too_early = class == Some(Class::Database) && study.database_is_ready(stream, last);
            let least = if too_early { 1 } else { least };
            let alone = alone || too_early && !study.fails_outside;
            if alone && study.tails.goes_on(group, least) {
                return Some("the application went on after it");
            }
            let of_code = matches!(class, None | Some(Class::StartupHealth));
            let in_request = of_code && !study.fails_outside && is_below_a_request(&group.first.text);
            if before && (class.is_none() && is_about_a_request(&group.first.line) || in_request) {
                return Some("it is about one request, and the application had started");
            }
            let only_warns = class.is_none() && group.first.level == Level::Warn;
            (before && only_warns).then_some("the application serves and only warns")
        }
        _ => None,
    }
}

/// Whether a line comes from a thread that answers a request, or says how one was answered.
fn is_about_a_request(line: &str) -> bool {
    let thread =
        line.contains("-exec-") && (line.contains("nio-") || line.contains("http-") || line.contains("ajp-"));
    let answer = ["returning 4", "returned 4", "responding with 4", "responded with 4", "answered 4"];
    let is_code = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_digit());
    thread || answer.iter().any(|words| line.split_once(words).is_some_and(|(_, rest)| is_code(rest)))
}

/// Whether a stack trace has a frame of what answers requests.
fn is_below_a_request(text: &str) -> bool {
    const FRAMES: [&str; 16] = [
        "/body-parser/",
        "/raw-body/",
        "/express/lib/router",
        "/finalhandler/",
        "/koa-router/",
        "/fastify/lib/handleRequest",
        "/django/core/handlers/",
        "in full_dispatch_request",
        "/starlette/routing.py",
        "/uvicorn/protocols/http/",
        "servlet.http.HttpServlet.service",
        "servlet.DispatcherServlet.do",
        "action_dispatch/",
        "net/http.(*conn).serve",
        "Microsoft.AspNetCore.Routing.",
        "Microsoft.AspNetCore.Mvc.",
    ];
    text.lines().skip(1).any(|line| FRAMES.iter().any(|frame| line.contains(frame)))
}

/// Whether a record says that there is another attempt, or another one of the same log that a page knows as the same.
fn is_retried(study: &Study<'_>, group: &Group) -> bool {
    let is_plain = |other: &Group| {
        let lower = other.first.line.to_ascii_lowercase();
        other.first.lane() == group.first.lane() && lower.contains("retrying")
    };
    let known_as_same = group.company.iter().flat_map(|&pattern| {
        let of_page = Owner { pattern, condition: 0 }..Owner { pattern: pattern + 1, condition: 0 };
        study.met.range(of_page).flat_map(|(_, groups)| groups.values())
    });
    says_that_it_retries(&group.first.line) || known_as_same.into_iter().any(is_plain)
}

fn says_that_it_retries(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    ["attempt", "retry", "retri", "trying again", "try again in", "reconnect"]
        .iter()
        .any(|word| lower.contains(word))
}

/// Whether all that a stream of stopped tasks gives as a reason is scaling in.
fn only_scaled_in(study: &Study<'_>, stream: &str) -> bool {
    let reasons =
        || study.events.values().filter(|kept| kept.place.stream == *stream && kept.text.contains("eason"));
    let harmless = |kept: &Kept| is_scale_in(&kept.text) || kept.text.contains("reason=None");
    reasons().any(|kept| is_scale_in(&kept.text)) && reasons().all(harmless)
}
