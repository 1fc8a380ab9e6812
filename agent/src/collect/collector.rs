//! The collector: one thread that takes deliveries in, and stores them.

use analyzer::changes::{self, Remembered};
use analyzer::diagnosis::{Diagnosis, Gap, Study, Verdict};
use analyzer::pattern::Patterns;
use analyzer::record::{Level, Record, Source};
use analyzer::redact::{Redactions, redact};
use analyzer::snapshot::Snapshot;
use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tracing::{debug_span, info, warn};

use super::attribution::{self, Change};
use super::case::{self, Case};
use super::names::Names;
use super::pending::Pending;
use super::telling::Telling;
use crate::config::Config;
use crate::index::{
    DeploymentEntry, Entry, Filter, IdentityCache, Ledger, Question, Reader, Row, Seen, Writer,
};
use crate::input::Span;
use crate::sources::{Arrival, Delivery};
use crate::telemetry::{self, Measure};

/// The deployment that records belong to while nothing names one.
pub const UNNAMED: &str = "unnamed";

/// What is known while a deployment is recorded.
#[derive(Clone, Debug, Default)]
pub struct Live {
    pub records: u64,
    pub duplicates: u64,
    pub commits: u64,
    pub known: Arc<Snapshot>,
    pub deployment: Option<DeploymentEntry>,
    pub deployments: Vec<DeploymentEntry>,
    pub diagnosis: Option<Arc<Diagnosis>>,
}

/// Stores what sources hand over.
pub struct Collector {
    patterns: &'static Patterns,
    writer: Writer,
    ledger: Ledger,
    seen: Seen,
    /// A view for what [`Seen`] forgot; renewed when it is needed after a commit.
    view: Option<Reader>,
    identities: IdentityCache,
    service: Option<String>,
    stack: Option<String>,
    focus: Option<String>,
    /// Whether a person named the deployment: then the account does not.
    fixed: bool,
    study: Study<'static>,
    /// What was said on standard error that sources cannot see.
    said: BTreeMap<String, Vec<Gap>>,
    names: Names,
    known: Arc<Snapshot>,
    publish: watch::Sender<Arc<Snapshot>>,
    live: watch::Sender<Arc<Live>>,
    telling: Telling,
    changed: bool,
    /// Whether a task failed since the last verdict: after its end, too, that changes what became of a deployment.
    has_fallen: bool,
    records: u64,
    duplicates: u64,
    pending: Pending,
}

impl Collector {
    /// Takes up where the last collector stopped.
    pub fn open(
        writer: Writer,
        patterns: &'static Patterns,
        config: &Config,
        deployment: Option<String>,
        live: watch::Sender<Arc<Live>>,
    ) -> Result<Collector> {
        let reader = writer.reader()?;
        let ledger = writer.ledger().clone();
        let mut seen = Seen::default();
        let mut newest = Vec::new();
        reader.identities(|id| {
            newest.push(id);
            newest.len() < Seen::MOST
        })?;
        let remembers_all = newest.len() < Seen::MOST;
        seen.restore(newest.into_iter().rev(), reader.newest_time()?, remembers_all);
        let mut entries = ledger.deployments.iter();
        let newest = entries.rfind(|entry| entry.rolls_back.is_none() && entry.id != UNNAMED);
        let fixed = deployment.is_some();
        let focus = deployment.or_else(|| newest.map(|entry| entry.id.clone()));
        let current = focus.as_deref().unwrap_or(UNNAMED);
        let mut study = Study::new(patterns);
        reader.each(&of_deployment(&ledger, current), |records| study.observe(records))?;
        let known = Arc::new(reader.state_of(&ledger.names_of(current))?);
        let (publish, _) = watch::channel(known.clone());
        Ok(Collector {
            patterns,
            writer,
            ledger,
            seen,
            view: None,
            identities: IdentityCache::default(),
            service: config.service.clone(),
            stack: config.stack.clone(),
            focus,
            fixed,
            study,
            said: BTreeMap::new(),
            names: Names::default(),
            known,
            publish,
            live,
            telling: Telling::default(),
            changed: true,
            has_fallen: false,
            records: 0,
            duplicates: 0,
            pending: Pending::default(),
        })
    }

    /// Returns where a source goes on.
    pub fn cursor(&self, source: &str) -> Option<Value> {
        self.ledger.cursors.get(source).cloned()
    }

    /// Returns what tells sources which state is known.
    pub fn known(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.publish.subscribe()
    }

    /// Takes deliveries in until all sources have ended.
    pub fn run(mut self, mut arrivals: mpsc::Receiver<(Arc<str>, Delivery)>) -> Result<()> {
        let runtime = tokio::runtime::Handle::current();
        let collected = self.collect(&mut arrivals, &runtime);
        // What is being concluded is told before anything that is known later, also by another collector.
        self.telling.finish(&runtime);
        collected?;
        self.conclude();
        self.commit()?;
        let live = self.live_without_diagnosis();
        let diagnosis = (self.live.receiver_count() > 0).then(|| Arc::new(self.case().concluded()));
        self.live.send_replace(Arc::new(Live { diagnosis, ..live }));
        Ok(())
    }

    fn collect(
        &mut self,
        arrivals: &mut mpsc::Receiver<(Arc<str>, Delivery)>,
        runtime: &tokio::runtime::Handle,
    ) -> Result<()> {
        loop {
            let wait = self.wait();
            match runtime.block_on(async { tokio::time::timeout(wait, arrivals.recv()).await }) {
                Ok(Some((source, delivery))) => self.take(&source, delivery)?,
                Ok(None) => return Ok(()),
                Err(_) => {}
            }
            if self.pending.is_due(!arrivals.is_empty(), self.live.receiver_count() > 0) {
                self.commit()?;
            }
            if self.changed && self.live.receiver_count() > 0 && self.telling.wait().is_zero() {
                self.changed = false;
                let (begun, case, live) = (Instant::now(), self.case(), self.live_without_diagnosis());
                self.telling.tell(runtime, begun, case, live, self.live.clone());
            }
        }
    }

    fn wait(&mut self) -> Duration {
        let watched = self.live.receiver_count() > 0;
        match self.pending.wait(watched) {
            Some(wait) => wait,
            None if self.changed && watched => self.telling.wait(),
            None => self.pending.wait_moved(),
        }
    }

    /// Takes in what a source hands over.
    pub fn take(&mut self, source: &str, delivery: Delivery) -> Result<()> {
        let now = Timestamp::now();
        if delivery.snapshot != Snapshot::default() {
            self.learn(delivery.snapshot, now)?;
        }
        let mut arrivals = delivery.records;
        let handed = arrivals.len() as u64;
        // To ask for all of them in a row takes the memory far less time than to ask for each when its turn comes.
        let remembered = arrivals.iter().filter(|arrival| self.seen.contains(arrival.id)).count();
        let mut rows = Vec::with_capacity(arrivals.len() - remembered);
        let mut stored = Vec::with_capacity(remembered);
        for (at, arrival) in arrivals.iter_mut().enumerate() {
            let mut removed = Redactions::new();
            self.names.clean(&mut arrival.record, &mut removed);
            match self.is_stored(arrival)? {
                true => stored.push(at),
                false => rows.push(self.prepare(arrival, removed, now)),
            }
        }
        self.duplicates += stored.len() as u64;
        let mut stored = stored.into_iter().peekable();
        let new = arrivals.into_iter().enumerate().filter(|(at, _)| stored.next_if_eq(at).is_none());
        let mut records = Vec::with_capacity(rows.len());
        records.extend(new.map(|(_, arrival)| arrival.record));
        let records = Arc::new(records);
        self.writer.add(records.clone(), rows).context("cannot add to the index")?;
        self.study.observe(&records);
        let (new, known) = (records.len() as u64, handed - records.len() as u64);
        telemetry::note(Measure::Taken { source, new, known });
        self.changed |= !records.is_empty();
        self.pending.alone |= !records.is_empty() && delivery.cursor.is_none();
        if let Some(cursor) = delivery.cursor {
            self.ledger.cursors.insert(source.to_owned(), cursor);
        }
        let mut is_news = !records.is_empty() || delivery.stored.is_some();
        if let Some(gaps) = &delivery.gaps {
            self.say(source, gaps);
        }
        if let Some(gaps) = delivery.gaps
            && self.ledger.gaps.get(source).map_or(!gaps.is_empty(), |known| *known != gaps)
        {
            is_news = true;
            self.changed = true;
            self.ledger.gaps.insert(source.to_owned(), gaps);
        }
        self.pending.records += records.len() as u64;
        self.pending.moved.get_or_insert_with(Instant::now);
        if is_news {
            self.pending.since.get_or_insert_with(Instant::now);
        }
        self.pending.waiting.extend(delivery.stored);
        Ok(())
    }

    /// Tells whoever runs Medic what a source cannot see, when that begins and when it ends; a live view shows it itself.
    fn say(&mut self, source: &str, gaps: &[Gap]) {
        if self.live.receiver_count() > 0 {
            return;
        }
        let said = self.said.insert(source.to_owned(), gaps.to_vec()).unwrap_or_default();
        for Gap { what, because, remedy } in gaps.iter().filter(|gap| !said.contains(gap)) {
            let remedy = remedy.as_deref().unwrap_or_default();
            warn!(source, what, because, remedy, "gap");
        }
        for Gap { what, .. } in said.iter().filter(|gap| !gaps.iter().any(|other| other.what == gap.what)) {
            info!(source, what, "gap closed");
        }
    }

    /// Whether the record is stored already: what is read twice is stored once.
    fn is_stored(&mut self, arrival: &Arrival) -> Result<bool> {
        if self.seen.contains(arrival.id) {
            return Ok(true);
        }
        let Some(time) = arrival.record.time.filter(|_| self.seen.may_have_forgotten(&arrival.record)) else {
            return Ok(false);
        };
        if self.view.is_none() {
            let view = self.writer.reader()?;
            view.trim(&self.identities);
            self.view = Some(view);
        }
        self.view.as_ref().map_or(Ok(false), |view| view.contains(time, arrival.id, &self.identities))
    }

    /// Takes secrets out of a record, and remembers it; returns what is stored with it.
    fn prepare(&mut self, arrival: &mut Arrival, mut removed: Redactions, now: Timestamp) -> Row {
        let Arrival { id, further, record } = arrival;
        let (id, further) = (*id, std::mem::take(further));
        if let std::borrow::Cow::Owned(clean) = redact(&record.text, &mut removed) {
            record.text = clean;
        }
        if let Some(body) = &record.body
            && let std::borrow::Cow::Owned(clean) = redact(body, &mut Redactions::new())
        {
            record.body = Some(clean);
        }
        let deployment = deployment_of(record, self.focus.as_deref(), self.fixed, &self.ledger);
        self.has_fallen |= record.source == Source::EcsStoppedTask && record.level == Level::Error;
        self.seen.insert(id, record);
        further.iter().for_each(|id| self.seen.insert(*id, record));
        self.records += 1;
        let row = self.writer.row(record, Entry { id, further, arrived: now, deployment });
        if !removed.is_empty() {
            let deployment = deployment.to_owned();
            let counts = self.ledger.redactions.entry(deployment).or_default();
            for (kind, count) in removed {
                *counts.entry(kind).or_default() += count;
            }
        }
        row
    }

    /// Takes in described state: it may say that another deployment began.
    fn learn(&mut self, described: Snapshot, now: Timestamp) -> Result<()> {
        if case::is_known(&described, &self.known) {
            return Ok(());
        }
        let mut known = (*self.known).clone();
        known.update(described.clone());
        if known == *self.known {
            return Ok(());
        }
        let former = self.focus.clone();
        let change = match self.fixed {
            true => Change::None,
            false => attribution::follow(&mut self.ledger, &mut self.focus, self.service.as_deref(), &known),
        };
        let mut described = described;
        if let (Change::Began, Some(focus)) = (change, self.focus.clone()) {
            self.ledger.deployment_mut(&focus).stack = self.stack.clone();
            match former {
                Some(former) => {
                    // The verdict on the deployment before is reached on what was known of it.
                    self.conclude_as(&former);
                    self.study = Study::new(self.patterns);
                }
                // What was recorded before the deployment was known belongs to it.
                None => self.ledger.deployment_mut(&focus).also = vec![UNNAMED.to_owned()],
            }
            // What was described earlier holds for the new deployment too.
            described = known.clone();
        }
        self.known = Arc::new(known);
        self.changed = true;
        self.publish.send_replace(self.known.clone());
        let current = self.focus.as_deref().unwrap_or(UNNAMED).to_owned();
        self.writer.add_state(&current, now, &described)?;
        self.pending.since.get_or_insert_with(Instant::now);
        Ok(())
    }

    /// Stores what was taken in.
    pub fn commit(&mut self) -> Result<()> {
        let ended = self
            .focus
            .as_deref()
            .and_then(|focus| attribution::ended(self.service.as_deref(), focus, &self.ledger, &self.known));
        if let (Some(focus), Some(ended)) = (self.focus.clone(), ended) {
            let entry = self.ledger.deployment_mut(&focus);
            let has_fallen = std::mem::take(&mut self.has_fallen);
            if entry.ended.is_none() || has_fallen {
                entry.ended = entry.ended.or(Some(ended));
                self.conclude_as(&focus);
            }
        }
        let begun = Instant::now();
        let _span = debug_span!("medic.commit", medic.records = self.pending.records).entered();
        let ledger = std::mem::take(&mut self.ledger);
        self.writer.commit(Timestamp::now(), |stored| {
            let (commit, next_seq) = (stored.commit, stored.next_seq);
            *stored = Ledger { commit, next_seq, ..ledger };
        })?;
        self.ledger = self.writer.ledger().clone();
        telemetry::note(Measure::Committed { took: begun.elapsed() });
        self.view = None;
        for waiting in self.pending.waiting.drain(..) {
            // A sender that has gone away no longer wants to know.
            let _ = waiting.send(());
        }
        // Whoever watches reads the records once they are stored.
        self.changed |= self.pending.records > 0;
        self.pending = Pending::default();
        Ok(())
    }

    /// Writes the verdict on the deployment under way into the ledger, for it has ended or Medic ends.
    fn conclude(&mut self) {
        let current = self.focus.clone().unwrap_or_else(|| UNNAMED.to_owned());
        let has_something = self.records > 0 || *self.known != Snapshot::default();
        if has_something || self.ledger.deployment(&current).is_some() {
            self.conclude_as(&current);
        }
    }

    fn conclude_as(&mut self, id: &str) {
        let diagnosis = self.case().concluded();
        let entry = self.ledger.deployment_mut(id);
        entry.from = entry.from.or(diagnosis.deployment.started);
        let before = entry.verdict.replace(diagnosis.verdict);
        let root = diagnosis.root_cause().filter(|_| diagnosis.verdict != Verdict::Healthy);
        entry.cause = root.map(|root| root.cause.clone());
        entry.class = root.map(|root| root.class);
        entry.confidence = root.map(|root| root.confidence);
        entry.summary = root.map(|root| root.title.clone());
        if before != Some(diagnosis.verdict) {
            telemetry::note(Measure::Concluded { verdict: diagnosis.verdict, class: entry.class });
        }
    }

    fn case(&self) -> Case {
        let current = self.focus.as_deref().unwrap_or(UNNAMED);
        Case::of(self.study.clone(), self.known.clone(), &self.ledger, current)
    }

    fn live_without_diagnosis(&self) -> Live {
        Live {
            records: self.records,
            duplicates: self.duplicates,
            commits: self.ledger.commit,
            known: self.known.clone(),
            deployment: self.focus.as_deref().and_then(|focus| self.ledger.deployment(focus)).cloned(),
            deployments: self.ledger.deployments.clone(),
            diagnosis: None,
        }
    }
}

/// Returns the deployment under whose name a record is found: the one that it names, where that was recorded,
/// else the one that was under way when it happened. `fixed`: a person named the one in focus.
fn deployment_of<'n>(record: &Record, focus: Option<&'n str>, fixed: bool, ledger: &'n Ledger) -> &'n str {
    let current = match focus {
        Some(focus) if !fixed => focus,
        focus => return focus.unwrap_or(UNNAMED),
    };
    let named = record.deployment.as_deref().and_then(|id| ledger.owner(id, record.time));
    let entry = named.or_else(|| record.time.and_then(|time| ledger.at(time)));
    entry.map_or(current, |entry| &entry.id)
}

/// Returns the question for all that belongs to a deployment.
pub fn of_deployment(ledger: &Ledger, id: &str) -> Question {
    let filter = Filter { deployments: ledger.names_of(id), ..Filter::default() };
    Question { words: String::new(), filter }
}

/// Diagnoses a deployment from what is stored of it.
pub fn diagnose_stored(reader: &Reader, patterns: &Patterns, id: &str, span: Span) -> Result<Diagnosis> {
    let mut study = Study::new(patterns);
    let mut question = of_deployment(reader.ledger(), id);
    (question.filter.since, question.filter.until) = (span.since, span.until);
    reader.each(&question, |records| study.observe(records))?;
    let known = reader.state_of(&reader.ledger().names_of(id))?;
    let mut diagnosis = study.conclude(&known, reader.ledger().all_gaps());
    let redactions: &BTreeMap<String, Redactions> = &reader.ledger().redactions;
    diagnosis.redactions = redactions.get(id).cloned().unwrap_or_default();
    diagnosis.changes = changes::since_last_good(&known, remembered(reader.ledger(), id));
    Ok(diagnosis)
}

/// Returns what a deployment ran, and what the last one before it ran that ended well.
pub fn remembered<'l>(ledger: &'l Ledger, id: &str) -> Remembered<'l> {
    let Some(at) = ledger.deployments.iter().position(|entry| entry.id == id) else {
        return Remembered::default();
    };
    let own = &ledger.deployments[at];
    let is_good = |other: &&DeploymentEntry| {
        let same = other.service == own.service && other.cluster == own.cluster;
        same && other.verdict == Some(Verdict::Healthy) && other.rolls_back.is_none()
    };
    let good = ledger.deployments[..at].iter().rev().filter(is_good);
    Remembered {
        deployed: own.task_definition.as_deref(),
        good: good.filter_map(|entry| entry.task_definition.as_deref()).next(),
    }
}
