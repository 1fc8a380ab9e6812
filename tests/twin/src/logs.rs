//! CloudWatch Logs: JSON 1.1, `Logs_20140328`.

use crate::clock::Millis;
use crate::faults;
use crate::page::{self, texts, whole};
use crate::wire::{Answer, ApiError};
use crate::world::World;
use crate::world::task::Task;
use serde_json::{Value, json};

/// An event of the log group.
#[derive(Debug, Clone)]
pub struct LogEvent {
    pub at: Millis,
    pub ingested: Millis,
    pub stream: String,
    pub text: String,
    key: u64,
}

/// What a call asks to see.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    from: Millis,
    to: Millis,
    streams: Vec<String>,
    prefix: Option<String>,
    pattern: Pattern,
}

/// The plain part of the pattern language: terms, phrases, and alternatives with `?`.
#[derive(Debug, Clone, Default)]
struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

/// How long an event takes to be ingested, without faults.
const FASTEST: Millis = 300;
const SLOWEST: Millis = 1_500;

/// Answers a call; `empty` and `repeat` are faults of paging.
pub fn answer(world: &World, action: &str, params: &Value, empty: bool, repeat: bool) -> Answer {
    match action {
        "FilterLogEvents" => filter(world, params, empty, repeat),
        "GetLogEvents" => get(world, params),
        "DescribeLogGroups" => describe_groups(world, params),
        "DescribeLogStreams" => describe_streams(world, params),
        _ => Err(page::unknown_action(action)),
    }
}

/// Reads what StartLiveTail asks for.
pub fn tail_selection(world: &World, params: &Value) -> Result<Selection, ApiError> {
    let groups = texts(params, "logGroupIdentifiers");
    if groups.is_empty() || groups.iter().any(|group| !is_group(world, group)) {
        return Err(no_group());
    }
    Ok(Selection {
        from: Millis::MIN,
        to: Millis::MAX,
        streams: texts(params, "logStreamNames"),
        prefix: texts(params, "logStreamNamePrefixes").into_iter().next(),
        pattern: pattern(params["logEventFilterPattern"].as_str().unwrap_or_default()),
    })
}

/// Returns the events that were ingested after one time and until another.
pub fn ingested(world: &World, selection: &Selection, after: Millis, until: Millis) -> Vec<LogEvent> {
    let mut selection = selection.clone();
    selection.from = after - SLOWEST - faults::latest_logs(&world.scenario);
    selection.to = until + 1;
    let events = events(world, &selection).into_iter();
    events.filter(|event| event.ingested > after && event.ingested <= until).collect()
}

pub fn group_arn(world: &World) -> String {
    world.arn("logs", &format!("log-group:{}", world.scenario.service.log_group))
}

fn filter(world: &World, params: &Value, empty: bool, repeat: bool) -> Answer {
    check_group(world, params)?;
    let selection = selection(world, params)?;
    let limit = whole(params, "limit").map_or(10_000, |limit| limit.clamp(1, 10_000) as usize);
    let after = match params["nextToken"].as_str() {
        None => None,
        Some(token) => Some(cursor(token).ok_or_else(|| {
            ApiError::new("InvalidParameterException", "The specified nextToken is invalid.")
        })?),
    };
    if empty {
        let token = params["nextToken"].as_str().map_or_else(|| token((Millis::MIN / 2, 0)), str::to_owned);
        return Ok(json!({ "events": [], "searchedLogStreams": [], "nextToken": token }));
    }
    let events = events(world, &selection);
    let mut from = match after {
        None => 0,
        Some(after) => events.partition_point(|event| (event.at, event.key) <= after),
    };
    if repeat && after.is_some() {
        from = from.saturating_sub(1);
    }
    let (mut page, mut bytes) = (Vec::new(), 0);
    for event in events[from..].iter().take(limit) {
        bytes += event.text.len() + 26;
        if bytes > 1_000_000 && !page.is_empty() {
            break;
        }
        page.push(json!({
            "logStreamName": event.stream,
            "timestamp": event.at,
            "message": event.text,
            "ingestionTime": event.ingested,
            "eventId": format!("3{:020}{:020}{:015}", event.at, event.key, 0),
        }));
    }
    let next = from + page.len();
    let mut answer = json!({ "events": page, "searchedLogStreams": [] });
    if next < events.len() && next > 0 {
        answer["nextToken"] = json!(token((events[next - 1].at, events[next - 1].key)));
    }
    Ok(answer)
}

fn get(world: &World, params: &Value) -> Answer {
    check_group(world, params)?;
    let stream = params["logStreamName"].as_str().unwrap_or_default().to_owned();
    if !streams(world).any(|task| task.stream(world) == stream) {
        return Err(ApiError::new("ResourceNotFoundException", "The specified log stream does not exist."));
    }
    let mut selection = selection(world, params)?;
    selection.streams = vec![stream];
    // Unlike FilterLogEvents, the end itself is left out.
    selection.to = whole(params, "endTime").unwrap_or(Millis::MAX);
    let events = events(world, &selection);
    let limit = whole(params, "limit").map_or(10_000, |limit| limit.clamp(1, 10_000) as usize);
    let head = params["startFromHead"].as_bool() == Some(true);
    let wrong = || ApiError::new("InvalidParameterException", "The specified nextToken is invalid.");
    let range = match params["nextToken"].as_str() {
        None if head => 0..limit.min(events.len()),
        None => events.len().saturating_sub(limit)..events.len(),
        Some(token) => {
            match token.split_once('/').and_then(|(way, place)| Some((way, page::place(place)?))) {
                Some(("f", place)) => place.min(events.len())..(place + limit).min(events.len()),
                Some(("b", place)) => place.min(events.len()).saturating_sub(limit)..place.min(events.len()),
                _ => return Err(wrong()),
            }
        }
    };
    let page: Vec<Value> = events[range.clone()]
        .iter()
        .map(|event| json!({ "timestamp": event.at, "message": event.text, "ingestionTime": event.ingested }))
        .collect();
    Ok(json!({
        "events": page,
        "nextForwardToken": format!("f/{}", page::token_of(range.end)),
        "nextBackwardToken": format!("b/{}", page::token_of(range.start)),
    }))
}

fn describe_groups(world: &World, params: &Value) -> Answer {
    let name = &world.scenario.service.log_group;
    let starts = params["logGroupNamePrefix"].as_str().is_none_or(|prefix| name.starts_with(prefix));
    let contains = params["logGroupNamePattern"].as_str().is_none_or(|pattern| name.contains(pattern));
    let named = texts(params, "logGroupIdentifiers");
    let meant = named.is_empty() || named.iter().any(|group| is_group(world, group));
    let mut groups = Vec::new();
    if starts && contains && meant {
        groups.push(json!({
            "logGroupName": name,
            "creationTime": world.begin - 30 * 24 * crate::world::HOUR,
            "retentionInDays": 30,
            "metricFilterCount": 0,
            "arn": format!("{}:*", group_arn(world)),
            "storedBytes": 0,
            "logGroupClass": "STANDARD",
            "logGroupArn": group_arn(world),
        }));
    }
    page::answer("logGroups", groups, params, "nextToken", "limit", 50)
}

fn describe_streams(world: &World, params: &Value) -> Answer {
    check_group(world, params)?;
    let prefix = params["logStreamNamePrefix"].as_str();
    let mut found: Vec<(String, Millis, Value)> = Vec::new();
    for task in streams(world) {
        let stream = task.stream(world);
        if prefix.is_some_and(|prefix| !stream.starts_with(prefix)) {
            continue;
        }
        let (first, last) = span(world, task);
        let arn = format!("{}:log-stream:{stream}", group_arn(world));
        let value = json!({
            "logStreamName": stream,
            "creationTime": task.started,
            "firstEventTimestamp": first,
            "lastEventTimestamp": last,
            "lastIngestionTime": last.map(|last| last + SLOWEST),
            "arn": arn,
            "storedBytes": 0,
        });
        found.push((stream, last.unwrap_or_default(), crate::wire::present(value)));
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    if params["orderBy"].as_str() == Some("LastEventTime") {
        found.sort_by_key(|(_, last, _)| *last);
    }
    if params["descending"].as_bool() == Some(true) {
        found.reverse();
    }
    let values = found.into_iter().map(|(_, _, value)| value).collect();
    page::answer("logStreams", values, params, "nextToken", "limit", 50)
}

fn check_group(world: &World, params: &Value) -> Result<(), ApiError> {
    let named = params["logGroupName"].as_str().or_else(|| params["logGroupIdentifier"].as_str());
    if named.is_some_and(|named| is_group(world, named)) { Ok(()) } else { Err(no_group()) }
}

fn is_group(world: &World, named: &str) -> bool {
    let arn = group_arn(world);
    named == world.scenario.service.log_group || named == arn || named.strip_suffix(":*") == Some(&arn)
}

fn no_group() -> ApiError {
    ApiError::new("ResourceNotFoundException", "The specified log group does not exist.")
}

fn selection(world: &World, params: &Value) -> Result<Selection, ApiError> {
    let streams = texts(params, "logStreamNames");
    let prefix = params["logStreamNamePrefix"].as_str().map(str::to_owned);
    if !streams.is_empty() && prefix.is_some() {
        return Err(ApiError::new(
            "InvalidParameterException",
            "You cannot specify both logStreamNames and logStreamNamePrefix.",
        ));
    }
    for stream in &streams {
        if !self::streams(world).any(|task| task.stream(world) == *stream) {
            return Err(ApiError::new(
                "ResourceNotFoundException",
                "The specified log stream does not exist.",
            ));
        }
    }
    Ok(Selection {
        from: whole(params, "startTime").unwrap_or(Millis::MIN),
        to: whole(params, "endTime").map_or(Millis::MAX, |end| end.saturating_add(1)),
        streams,
        prefix,
        pattern: pattern(params["filterPattern"].as_str().unwrap_or_default()),
    })
}

/// Returns the tasks that have written something.
fn streams(world: &World) -> impl Iterator<Item = &Task> {
    world.tasks.iter().filter(|task| task.started.is_some())
}

/// Returns the times of the first and the last event of a task.
fn span(world: &World, task: &Task) -> (Option<Millis>, Option<Millis>) {
    let Some(started) = task.started else { return (None, None) };
    let end = task.execution_stopped.unwrap_or(world.now).min(world.now - SLOWEST);
    let behaviour = world.behaviour(task.definition);
    let mut times = Vec::new();
    for line in &behaviour.log {
        let first = started + line.at;
        if first <= end {
            times.push(first);
            times.extend(line.every.map(|every| first + (end - first) / every * every));
        }
    }
    (times.iter().min().copied(), times.iter().max().copied())
}

/// Returns what is selected and ingested by now, in order of time.
fn events(world: &World, selection: &Selection) -> Vec<LogEvent> {
    let mut out = Vec::new();
    for task in streams(world) {
        let stream = task.stream(world);
        let named = selection.streams.is_empty() || selection.streams.contains(&stream);
        if named && selection.prefix.as_ref().is_none_or(|prefix| stream.starts_with(prefix)) {
            events_of(world, task, selection, &mut out);
        }
    }
    out.retain(|event| event.ingested <= world.now && selection.pattern.matches(&event.text));
    out.sort_by_key(|event| (event.at, event.key));
    out
}

fn events_of(world: &World, task: &Task, selection: &Selection, out: &mut Vec<LogEvent>) {
    let Some(started) = task.started else { return };
    let end = task.execution_stopped.unwrap_or(world.now).min(world.now).min(selection.to.saturating_sub(1));
    let behaviour = world.behaviour(task.definition);
    for (line, log) in behaviour.log.iter().enumerate() {
        let mut at = started + log.at;
        let mut round = 0;
        if let Some(every) = log.every
            && at < selection.from
        {
            round = (selection.from - at) / every;
            at += round * every;
        }
        while at <= end {
            if at >= selection.from {
                out.push(event(world, task, line as u64, round as u64, at, &log.text));
            }
            match log.every {
                Some(every) => at += every,
                None => break,
            }
            round += 1;
        }
    }
}

fn event(world: &World, task: &Task, line: u64, round: u64, at: Millis, text: &str) -> LogEvent {
    let key = world.draw("log", (task.number << 40) ^ (line << 32) ^ round);
    let lag =
        FASTEST + (key % (SLOWEST - FASTEST) as u64) as Millis + faults::late_logs(&world.scenario, key >> 8);
    let text = if text.contains('{') { fill(world, task, text, at, round) } else { text.to_owned() };
    LogEvent { at, ingested: at + lag, stream: task.stream(world), text, key }
}

fn fill(world: &World, task: &Task, text: &str, at: Millis, round: u64) -> String {
    text.replace("{task}", &task.id)
        .replace("{ip}", &task.ip())
        .replace("{image}", &world.definitions[task.definition].image)
        .replace("{time}", &crate::wire::iso(at))
        .replace("{number}", &round.to_string())
}

impl Pattern {
    fn matches(&self, text: &str) -> bool {
        self.all.iter().all(|term| text.contains(term.as_str()))
            && (self.any.is_empty() || self.any.iter().any(|term| text.contains(term.as_str())))
            && !self.none.iter().any(|term| text.contains(term.as_str()))
    }
}

fn pattern(text: &str) -> Pattern {
    let mut found = Pattern::default();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (list, after): (&mut Vec<String>, &str) = match rest.as_bytes()[0] {
            b'?' => (&mut found.any, &rest[1..]),
            b'-' => (&mut found.none, &rest[1..]),
            _ => (&mut found.all, rest),
        };
        let (term, left) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(' ').unwrap_or((after, "")),
        };
        if !term.is_empty() {
            list.push(term.to_owned());
        }
        rest = left.trim_start();
    }
    found
}

fn token((at, key): (Millis, u64)) -> String {
    format!("twin/{at}/{key}")
}

fn cursor(token: &str) -> Option<(Millis, u64)> {
    let (at, key) = token.strip_prefix("twin/")?.split_once('/')?;
    Some((at.parse().ok()?, key.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_know_terms_phrases_alternatives_and_exclusions() {
        check("refused", "connect refused", true);
        check("\"not found\"", "was not found", true);
        check("\"not found\"", "found not", false);
        check("?ERROR ?WARN", "WARN slow", true);
        check("?ERROR ?WARN", "INFO fine", false);
        check("web -health", "GET /health web", false);
    }

    fn check(given: &str, text: &str, expected: bool) {
        assert_eq!(pattern(given).matches(text), expected, "{given} on {text}");
    }
}
