//! Takes in records, batch by batch, and keeps of them what a diagnosis needs: bounded, and without secrets.

use jiff::Timestamp;
use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::answered::Answered;
use super::described::told_by;
use super::foreign::{self, Foreign};
use super::kept::{Group, GroupKey, Groups, Kept, Lane, bound, keep, told_line};
use super::last_words::LastWords;
use super::markers::{Marker, Markers, Scope};
use super::measured::Measured;
use super::noise::{Noise, is_command};
use super::not_found::NotFound;
use super::operations::Operations;
use super::steps::{Steps, build_step};
use super::success::succeeds;
use super::supervised::Supervised;
use super::tail::Tails;
use super::telling;
use super::{Diagnosis, Gap, Seen, conclude, findings, settled};
use crate::checks::Running;
use crate::pattern::{Owner, Patterns};
use crate::record::{Level, Place, Record, Signal, Source};
use crate::redact::{Redactions, redact};
use crate::snapshot::Snapshot;
use crate::templates::shape_hash;

/// How many different texts are kept for one condition.
const MOST_GROUPS: usize = 48;
/// How many telling records of one stream are kept.
const MOST_TELLING: usize = 24;
const MOST_EVENTS: usize = 400;
const MOST_OUTCOMES: usize = 2000;
/// So many requests answered well after a record show that the application lives.
pub(super) const ENOUGH_SERVED: usize = 3;

/// A diagnosis in the making. A clone of it can be concluded while it goes on.
#[derive(Clone)]
pub struct Study<'p> {
    pub(super) patterns: &'p Patterns,
    meeting: BTreeMap<Owner, Groups<GroupKey>>,
    told: BTreeMap<String, Groups<(Reverse<i32>, u64)>>,
    measured: Measured,
    /// What met each condition, and what tells most of each stream; known when all is taken in.
    pub(super) met: BTreeMap<Owner, BTreeMap<GroupKey, Group>>,
    pub(super) telling: BTreeMap<String, BTreeMap<TellingKey, Group>>,
    pub(super) successes: BTreeMap<Lane, BTreeMap<Scope, Success>>,
    /// Where and when deployments were undone, and where and when deployments completed.
    pub(super) undone: BTreeMap<Place, Source>,
    pub(super) completed: BTreeMap<Place, Option<String>>,
    /// Deployments that others were rolled back to.
    pub(super) returned: BTreeSet<String>,
    /// How each log ends.
    pub(super) tails: Tails,
    /// Since when the service is steady; this and what follows is known when all is taken in.
    pub(super) settled: Option<Timestamp>,
    /// Whether all services are described as deployed, with all their tasks running.
    pub(super) stands: bool,
    /// Described tasks that are not the deployment's.
    pub(super) foreign: Foreign,
    /// When a service deployment last succeeded.
    pub(super) redeployed: Option<Timestamp>,
    /// Whether something outside of the containers failed.
    pub(super) fails_outside: bool,
    /// Whether the events of the services, which have no times, end with a steady state.
    pub(super) ends_steady: bool,
    /// Whether tasks failed again and again after ECS had completed the deployment: that the service is steady shows nothing.
    pub(super) falls_again: bool,
    /// When each stream begins.
    pub(super) began: BTreeMap<String, Timestamp>,
    pub(super) last_words: LastWords,
    /// Streams that are the output of a job.
    pub(super) jobs: BTreeSet<String>,
    /// Jobs whose log is whole, and jobs and builds that say that they failed.
    pub(super) ended: BTreeSet<String>,
    pub(super) failed: BTreeSet<String>,
    pub(super) phase_failed: BTreeSet<String>,
    /// Where a tool of a pipeline last said that it gave up.
    pub(super) faltered: BTreeMap<String, u64>,
    /// Where applications were last told to stop, and their last requests that were answered well.
    pub(super) shutdowns: BTreeMap<Lane, u64>,
    pub(super) served: BTreeMap<Lane, Vec<u64>>,
    pub(super) answered: Answered,
    pub(super) supervised: Supervised,
    /// Where steps begin, and where they fail.
    pub(super) steps: BTreeMap<String, Steps>,
    pub(super) operations: Operations,
    pub(super) not_found: NotFound,
    /// Steps of builds that look for a cache, by stream and number.
    pub(super) cache_imports: BTreeSet<(String, String)>,
    pub(super) events: BTreeMap<Place, Kept>,
    pub(super) redactions: Redactions,
    pub(super) streams: BTreeMap<String, Source>,
    pub(super) seen: Seen,
    pub(super) span: Option<(Timestamp, Timestamp)>,
}

/// Ordered so that what tells most comes first.
pub(super) type TellingKey = (Reverse<i32>, Place, u64);

#[derive(Clone, Debug)]
pub(super) struct Success {
    /// The first and the last place.
    pub first: u64,
    pub seq: u64,
    pub time: Option<Timestamp>,
    pub line: String,
}

impl Success {
    fn of(record: &Record, said: &str) -> Success {
        let line = said.lines().next().unwrap_or_default().chars().take(300).collect();
        Success { first: record.seq, seq: record.seq, time: record.time, line }
    }
}

impl<'p> Study<'p> {
    pub fn new(patterns: &'p Patterns) -> Study<'p> {
        Study {
            patterns,
            meeting: BTreeMap::new(),
            told: BTreeMap::new(),
            measured: Measured::default(),
            met: BTreeMap::new(),
            telling: BTreeMap::new(),
            successes: BTreeMap::new(),
            undone: BTreeMap::new(),
            completed: BTreeMap::new(),
            returned: BTreeSet::new(),
            tails: Tails::default(),
            settled: None,
            stands: false,
            foreign: Foreign::new(),
            redeployed: None,
            fails_outside: false,
            ends_steady: false,
            falls_again: false,
            began: BTreeMap::new(),
            last_words: LastWords::default(),
            jobs: BTreeSet::new(),
            ended: BTreeSet::new(),
            failed: BTreeSet::new(),
            phase_failed: BTreeSet::new(),
            faltered: BTreeMap::new(),
            shutdowns: BTreeMap::new(),
            served: BTreeMap::new(),
            answered: Answered::default(),
            supervised: Supervised::default(),
            steps: BTreeMap::new(),
            operations: Operations::default(),
            not_found: NotFound::default(),
            cache_imports: BTreeSet::new(),
            events: BTreeMap::new(),
            redactions: Redactions::new(),
            streams: BTreeMap::new(),
            seen: Seen::default(),
            span: None,
        }
    }

    /// Takes in a batch of records; the batches of a study may come in any order.
    pub fn observe(&mut self, records: &[Record]) {
        let (text, starts) = joined(records);
        let patterns = self.patterns;
        let mut candidates: Vec<(u32, u32)> = Vec::new();
        let last = Cell::new(0);
        let place_of = |line: &Range<usize>| {
            last.set(index_of(&starts, last.get(), line.start));
            last.get()
        };
        patterns.matcher().candidates(
            text.as_bytes(),
            |line, expression| patterns.admits(expression, records[place_of(line)].source),
            |line, expression| candidates.push((place_of(line) as u32, expression as u32)),
        );
        let mut marked: Vec<(u32, Marker)> = Vec::new();
        let mut at = 0;
        Markers::all().scan(text.as_bytes(), |place, marker| {
            at = index_of(&starts, at, place);
            if marked.last() != Some(&(at as u32, marker)) {
                marked.push((at as u32, marker));
            }
        });
        candidates.sort_unstable();
        candidates.dedup();
        marked.sort_unstable();
        marked.dedup();
        self.tails.keep(records, &marked);
        let (mut candidates, mut marked) = (&candidates[..], &marked[..]);
        let mut events = Vec::new();
        let mut stream = None;
        let mut began = None;
        let mut counted: BTreeSet<usize> = BTreeSet::new();
        for (index, record) in records.iter().enumerate() {
            let expressions = take(&mut candidates, index, |(at, _)| *at);
            let markers = take(&mut marked, index, |(at, _)| *at);
            if !stream.is_some_and(|known| Arc::ptr_eq(known, &record.stream)) {
                stream = Some(&record.stream);
                self.streams.entry(record.stream.name.clone()).or_insert(record.stream.source);
                began = self.began.get(&record.stream.name).copied();
            }
            if let Some(time) = record.time.filter(|time| began.is_none_or(|began| *time < began)) {
                began = Some(time);
                self.began.insert(record.stream.name.clone(), time);
            }
            self.count(record);
            if record.source == Source::Metric {
                self.measure(record);
            }
            let is_event = is_event(record);
            if is_event {
                events.push(record);
            }
            if expressions.is_empty() && markers.is_empty() && record.level < Level::Error && !is_event {
                continue;
            }
            let only_served = markers.iter().all(|(_, marker)| *marker == Marker::Served);
            if expressions.is_empty() && only_served && record.level < Level::Error && !is_event {
                self.serve(record);
                continue;
            }
            if self.take_in(record, expressions, markers) {
                counted.insert(index);
            }
        }
        self.keep_events(events);
        self.last_words.keep(records, &counted);
    }

    /// Weighs what was taken in.
    pub fn conclude(mut self, snapshot: &Snapshot, gaps: Vec<Gap>) -> Diagnosis {
        self.observe(&told_by(snapshot));
        self.settle();
        for (pattern, page) in self.patterns.list().iter().enumerate() {
            for (condition, asked) in page.conditions.iter().enumerate() {
                let met = self.measured.meet(&asked.test);
                met.and_then(|met| self.met.insert(Owner { pattern, condition }, met));
            }
        }
        for (stream, success) in self.operations.complete_stacks(&self.undone) {
            self.succeed((stream, None), Scope::Stack, success);
        }
        self.forget_earlier(snapshot);
        self.foreign = foreign::foreign(snapshot, findings::was_undone(&self));
        self.falls_again = settled::falls_again(&self);
        self.settled = settled::settled(&self);
        let running = Running::of(snapshot, self.settled.is_some());
        self.stands = running.is_all();
        self.fails_outside = findings::fails_outside(&self, snapshot);
        self.ends_steady = settled::ends_steady(&self);
        conclude::conclude(self, snapshot, &running, gaps)
    }

    fn settle(&mut self) {
        self.operations.settle();
        for (owner, groups) in std::mem::take(&mut self.meeting) {
            self.met.insert(owner, groups.into_groups().map(|(key, group, _)| (key, group)).collect());
        }
        for (stream, groups) in std::mem::take(&mut self.told) {
            let keyed = groups.into_groups().map(|((score, shape), group, company)| {
                ((score, group.first.place.clone(), shape), Group { company, ..group })
            });
            self.telling.insert(stream, keyed.collect());
        }
    }

    /// A steady state from before the deployment began is that of the version before.
    fn forget_earlier(&mut self, snapshot: &Snapshot) {
        let [service] = snapshot.services.items() else { return };
        let Some(began) = service.primary().and_then(|primary| primary.created_at) else { return };
        for scopes in self.successes.values_mut() {
            let is_earlier = |success: &Success| success.time.is_some_and(|time| time < began);
            scopes.retain(|scope, success| *scope != Scope::Service || !is_earlier(success));
        }
    }

    /// Keeps a sample of a metric that a condition asks for.
    fn measure(&mut self, record: &Record) {
        let Some((name, value)) = record.sample() else { return };
        if let Some(time) = record.time
            && self.patterns.measures(name)
        {
            let text = redact(&record.text, &mut self.redactions).into_owned();
            let kept = keep(record, &text, &[&text], 0, BTreeMap::new());
            self.measured.add(name, time, value, kept);
        }
    }

    fn count(&mut self, record: &Record) {
        self.seen.records += 1;
        self.seen.bytes += record.text.len() as u64 + 1;
        if let Some(time) = record.time {
            let (first, last) = self.span.unwrap_or((time, time));
            self.span = Some((first.min(time), last.max(time)));
        }
    }

    /// Returns what succeeded in a stream, for each of its lanes.
    pub(super) fn successes_of(&self, stream: &str) -> impl Iterator<Item = &BTreeMap<Scope, Success>> {
        self.lanes_of(stream).map(|(_, scopes)| scopes)
    }

    fn lanes_of(&self, stream: &str) -> impl Iterator<Item = (&Lane, &BTreeMap<Scope, Success>)> {
        let first: Lane = (stream.to_owned(), None);
        self.successes.range(first.clone()..).take_while(move |(lane, _)| lane.0 == first.0)
    }

    /// Whether a database server of a stream of several containers says after some place that it is ready.
    pub(super) fn database_is_ready(&self, stream: &str, after: u64) -> bool {
        let is_named = |(lane, _): &(&Lane, &BTreeMap<Scope, Success>)| lane.1.is_some();
        let of_stream = self.lanes_of(stream).filter(is_named);
        let mut starts = of_stream.filter_map(|(_, scopes)| scopes.get(&Scope::Application));
        starts.any(|start| {
            start.seq > after && start.line.to_ascii_lowercase().contains("ready to accept connections")
        })
    }

    /// Remembers the last requests of a lane that were answered well.
    fn serve(&mut self, record: &Record) {
        let lane = lane(record);
        self.answered.keep(&lane, record.said(), record.seq);
        let places = self.served.entry(lane).or_default();
        places.push(record.seq);
        places.sort_unstable_by(|a, b| b.cmp(a));
        places.truncate(ENOUGH_SERVED);
    }

    /// Takes in a record; tells whether it is kept, and the secrets in it counted.
    fn take_in(&mut self, record: &Record, expressions: &[(u32, u32)], markers: &[(u32, Marker)]) -> bool {
        let mut redactions = Redactions::new();
        let said = redact(record.said(), &mut redactions);
        let is_changed = matches!(said, Cow::Owned(_));
        let lines: Vec<&str> = said.lines().collect();
        // What a JSON line says besides its message can show that only a request was wrong;
        // and what is folded below a line of noise goes on with it.
        let noise = Noises {
            noise: self.patterns.noise(),
            source: record.source,
            lines: &lines,
            known: Cell::default(),
        };
        let is_stranger = record.body.is_some() && self.patterns.noise().has(&record.text, record.source)
            || lines.len() > 1 && noise.has(0);
        let hits = match is_stranger {
            true => Vec::new(),
            false => self.hits(record, &lines, is_changed, expressions, &noise),
        };
        let is_telling = !self.not_found.keep(record, &said)
            && (record.level >= Level::Error || markers.iter().any(|(_, marker)| *marker == Marker::Telling));
        let known = |index: usize| {
            hits.iter().any(|hit| hit.line == index && self.patterns.list()[hit.owner.pattern].symptom)
                || lines.get(index).is_some_and(|line| is_command(line) || noise.has(index))
        };
        let told = if is_telling && !is_stranger { telling::key_line(record, &said, known) } else { None };
        self.mark(record, &said, markers);
        if hits.is_empty() && told.is_none() && !is_event(record) {
            return false;
        }
        let text = match &record.body {
            // What is said stands first in the text, and once more as it was printed: a secret in both is one secret.
            Some(body) if record.text.starts_with(body.as_str()) => {
                redact(&record.text, &mut Redactions::new())
            }
            Some(_) => {
                // The body says what the text says: a secret in both is one secret.
                redactions.clear();
                redact(&record.text, &mut redactions)
            }
            None => Cow::Borrowed(&*said),
        };
        for (kind, count) in redactions {
            *self.redactions.entry(kind).or_default() += count;
        }
        let company: BTreeSet<usize> = hits.iter().map(|hit| hit.owner.pattern).collect();
        for hit in hits {
            let key = (lane(record), shape_hash(lines.get(hit.line).copied().unwrap_or_default()));
            let groups = self.meeting.entry(hit.owner).or_insert_with(|| Groups::new(MOST_GROUPS));
            groups
                .add(key, 0, record.place(), &company, || keep(record, &text, &lines, hit.line, hit.values));
        }
        if let Some((line, _, score)) = told {
            let shape = shape_hash(&told_line(&lines, line));
            let of_stream = self.told.entry(record.stream.name.clone());
            let groups = of_stream.or_insert_with(|| Groups::new(MOST_TELLING));
            groups.add((Reverse(score), shape), score, record.place(), &company, || {
                keep(record, &text, &lines, line, BTreeMap::new())
            });
        }
        self.operations.follow(record, &text, &lines);
        true
    }

    fn hits(
        &self,
        record: &Record,
        lines: &[&str],
        is_changed: bool,
        expressions: &[(u32, u32)],
        noise: &Noises<'_>,
    ) -> Vec<LineHit> {
        let mut hits: Vec<LineHit> = Vec::new();
        for &(_, expression) in expressions {
            let owner = self.patterns.owner(expression as usize);
            if hits.iter().any(|hit| hit.owner == owner) {
                continue;
            }
            let matcher = self.patterns.matcher();
            let may_match = |line: &&str| matcher.may_match(expression as usize, line.as_bytes());
            // What was redacted may be what made the expression a candidate.
            if is_changed && !lines.iter().any(may_match) {
                continue;
            }
            let Some(compiled) = matcher.expression(expression as usize) else { continue };
            let found = lines.iter().enumerate().filter(|(_, line)| compiled.is_match(line.as_bytes()));
            // Of nested causes the innermost tells; elsewhere the first that is not the code which throws it.
            let nested = |line: &str| line.trim_start().starts_with("Caused by:");
            let is_code = |line: &str| {
                ["throw ", "raise ", "return "].iter().any(|word| line.trim_start().starts_with(word))
            };
            let best =
                found.reduce(
                    |best, next| {
                        if nested(next.1) || is_code(best.1) && !is_code(next.1) { next } else { best }
                    },
                );
            let Some((line, text)) = best else { continue };
            let values = compiled.values(text.as_bytes()).into_iter();
            let values = values
                .map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned()))
                .collect();
            hits.push(LineHit { owner, line, values });
        }
        hits.retain(|hit| !self.patterns.excludes(hit.owner.pattern, record, lines));
        hits.retain(|hit| {
            let class = self.patterns.list()[hit.owner.pattern].class;
            let about_pipeline = class.as_str().starts_with("pipeline/");
            !lines
                .get(hit.line)
                .is_some_and(|line| noise.has(hit.line) || !about_pipeline && is_command(line))
        });
        hits
    }

    fn mark(&mut self, record: &Record, said: &str, markers: &[(u32, Marker)]) {
        for (_, marker) in markers {
            match marker {
                Marker::Success(Scope::Target) if record.source != Source::AlbTargetHealth => {}
                // A task that stopped succeeded at nothing: its agent is connected, its image is there.
                Marker::Success(_) if record.source == Source::EcsStoppedTask => {}
                Marker::Success(scope) if record.level < Level::Error && succeeds(*scope, said) => {
                    self.succeed(lane(record), *scope, Success::of(record, said));
                }
                // What an application rolls back are its transactions.
                Marker::RolledBack if record.source == Source::ContainerLog => {}
                Marker::RolledBack => {
                    self.undone.insert(record.place(), record.source);
                    keep_last(&mut self.undone);
                    if let Some((before, after)) = said.split_once("rolling back to deployment") {
                        self.returned.extend(deployment_in(after));
                        // The description of a deployment that goes back names itself first.
                        self.returned.extend(deployment_in(before));
                        bound(&mut self.returned, MOST_OUTCOMES);
                    }
                }
                Marker::Completed => {
                    let named =
                        record.deployment.as_deref().map(str::to_owned).or_else(|| deployment_in(said));
                    self.completed.insert(record.place(), named);
                    keep_last(&mut self.completed);
                }
                Marker::ServiceDeployment if said.split_whitespace().nth(3) == Some("SUCCESSFUL") => {
                    self.redeployed = self.redeployed.max(record.time);
                    self.succeed(lane(record), Scope::Service, Success::of(record, said));
                }
                Marker::StepDone if record.source == Source::DockerBuild && said.starts_with('#') => {
                    self.succeed(lane(record), Scope::Step, Success::of(record, said));
                }
                Marker::Job => {
                    self.jobs.insert(record.stream.name.clone());
                }
                Marker::JobEnded => {
                    self.ended.insert(record.stream.name.clone());
                }
                Marker::JobFailed => {
                    self.failed.insert(record.stream.name.clone());
                    if record.source == Source::GithubActions {
                        let steps = self.steps.entry(record.stream.name.clone()).or_default();
                        steps.last_error = steps.last_error.max(Some(record.seq));
                    }
                }
                // Jest says so of a worker that it had to end after the tests.
                Marker::Faltered if said.contains("failed to exit gracefully") => {}
                Marker::Faltered => {
                    let place = self.faltered.entry(record.stream.name.clone()).or_default();
                    *place = record.seq.max(*place);
                }
                Marker::Shutdown => {
                    let place = self.shutdowns.entry(lane(record)).or_default();
                    *place = record.seq.max(*place);
                }
                Marker::PhaseFailed => {
                    self.phase_failed.insert(record.stream.name.clone());
                }
                Marker::Supervised => self.supervised.note(record, said),
                Marker::CacheImport => {
                    let steps = said.lines().filter(|line| line.contains("importing cache manifest"));
                    let steps = steps.filter_map(|line| Some(build_step(line)?.0.to_owned()));
                    self.cache_imports.extend(steps.map(|step| (record.stream.name.clone(), step)));
                    bound(&mut self.cache_imports, MOST_OUTCOMES);
                }
                Marker::Served if record.level < Level::Error => self.serve(record),
                Marker::StepBegins => {
                    self.steps.entry(record.stream.name.clone()).or_default().begins(record.seq, said);
                }
                Marker::StepFailed if record.level >= Level::Error => {
                    self.steps.entry(record.stream.name.clone()).or_default().fails(record.seq);
                    self.failed.insert(record.stream.name.clone());
                }
                _ => {}
            }
        }
    }

    /// Remembers the first place and the last of a kind of success.
    fn succeed(&mut self, lane: Lane, scope: Scope, success: Success) {
        let best = self.successes.entry(lane).or_default().entry(scope).or_insert_with(|| success.clone());
        let first = best.first.min(success.first);
        if best.seq < success.seq {
            *best = success;
        }
        best.first = first;
    }

    /// Keeps the first and the last events; of a batch, only those are worth a copy.
    fn keep_events(&mut self, mut events: Vec<&Record>) {
        let order = |a: &&Record, b: &&Record| -> Ordering {
            (a.time, &a.stream.name, a.seq).cmp(&(b.time, &b.stream.name, b.seq))
        };
        // Of two in one place, the later one counts.
        events.reverse();
        events.sort_by(order);
        events.dedup_by(|a, b| order(a, b).is_eq());
        if events.len() > MOST_EVENTS {
            events.drain(MOST_EVENTS / 2..events.len() - MOST_EVENTS / 2);
        }
        for record in events {
            let mut counted = Redactions::new();
            let said = redact(record.said(), &mut counted);
            let text = match &record.body {
                Some(_) => redact(&record.text, &mut counted),
                None => Cow::Borrowed(&*said),
            };
            let lines: Vec<&str> = said.lines().collect();
            let kept = keep(record, &text, &lines, 0, BTreeMap::new());
            self.events.insert(kept.place.clone(), kept);
            thin_out(&mut self.events);
        }
    }
}

/// Returns the first deployment that a text names: `ecs-svc/123`.
fn deployment_in(text: &str) -> Option<String> {
    let id = &text[text.find("ecs-svc/")?..];
    let end = id.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '/')).unwrap_or(id.len());
    Some(id[..end].to_owned())
}

fn is_event(record: &Record) -> bool {
    record.source.signal() == Signal::Event || record.source == Source::Cdk
}

fn lane(record: &Record) -> Lane {
    (record.stream.name.clone(), record.entity.as_deref().map(str::to_owned))
}

/// Which lines of a record are noise; the last answer is known.
struct Noises<'a> {
    noise: &'a Noise,
    source: Source,
    lines: &'a [&'a str],
    known: Cell<Option<(usize, bool)>>,
}

impl Noises<'_> {
    fn has(&self, index: usize) -> bool {
        if let Some((_, is_noise)) = self.known.get().filter(|(known, _)| *known == index) {
            return is_noise;
        }
        let is_noise = self.lines.get(index).is_some_and(|line| self.noise.has(line, self.source));
        self.known.set(Some((index, is_noise)));
        is_noise
    }
}

struct LineHit {
    owner: Owner,
    line: usize,
    values: BTreeMap<String, String>,
}

/// Keeps the first and the last events.
fn thin_out(events: &mut BTreeMap<Place, Kept>) {
    if events.len() > MOST_EVENTS {
        let middle = events.keys().nth(MOST_EVENTS / 2).cloned();
        middle.and_then(|place| events.remove(&place));
    }
}

/// Keeps the last outcomes: what came of a service is what came of it last.
fn keep_last<V>(outcomes: &mut BTreeMap<Place, V>) {
    while outcomes.len() > MOST_OUTCOMES {
        outcomes.pop_first();
    }
}

fn joined(records: &[Record]) -> (String, Vec<usize>) {
    let mut text = String::with_capacity(records.iter().map(|record| record.said().len() + 1).sum());
    let mut starts = Vec::with_capacity(records.len());
    for record in records {
        starts.push(text.len());
        text.push_str(record.said());
        text.push('\n');
    }
    (text, starts)
}

/// Returns the record that a place is in; places come nearly in order.
fn index_of(starts: &[usize], mut at: usize, place: usize) -> usize {
    while at + 1 < starts.len() && starts[at + 1] <= place {
        at += 1;
    }
    while at > 0 && starts[at] > place {
        at -= 1;
    }
    at
}

/// Splits off the leading items of that record.
fn take<'s, T>(items: &mut &'s [T], index: usize, of: impl Fn(&T) -> u32) -> &'s [T] {
    let end = items.iter().position(|item| of(item) as usize != index).unwrap_or(items.len());
    let (taken, rest) = items.split_at(end);
    *items = rest;
    taken
}
