//! Watches one deployment: records it, shows how it stands, and knows when there is nothing more to wait for.
//!
//! What is shown and when watching ends is decided by pure functions over a [`Scene`]; [`session`] feeds them.

mod changes;
mod end;
#[cfg_attr(not(feature = "cloudwatch-logs"), allow(dead_code, reason = "only Live Tail tells it something"))]
mod follow;
mod records;
mod screen;
mod session;
mod summary;
#[cfg(feature = "cloudwatch-logs")]
mod tail;
mod view;

pub use changes::{Told, changes};
pub use end::{End, Limits, Settling, verdict_of_watch};
pub use records::{Event, LogLine};
pub use screen::Screen;
pub use session::{Ended, Session, run};
pub use summary::{exit_code, guide, last_line, status_line};
pub use view::{Line, Piece, Tone, view};

use analyzer::deployment::{self, Counts, Job, Outcome, ResourceMetrics, Rollout, STAND, State};
use analyzer::diagnosis::{Diagnosis, Gap, Verdict};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

use crate::collect::Live;
use crate::index::DeploymentEntry;

/// What is watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    pub cluster: Option<String>,
    pub service: Option<String>,
    pub stack: Option<String>,
}

/// What is known at a time: all that a view shows, and all that decides whether watching ends.
#[derive(Clone, Debug)]
pub struct Scene {
    pub target: Target,
    pub live: Arc<Live>,
    /// The deployment that is watched.
    pub deployment: Option<DeploymentEntry>,
    /// The latest events that tell of a failure, the newest first.
    pub events: Vec<Event>,
    pub counts: Counts,
    pub resources: Option<ResourceMetrics>,
    /// How long earlier deployments of the service took that ended well.
    pub earlier: Vec<SignedDuration>,
    /// What watching itself cannot see, beside what the sources cannot.
    pub gaps: Vec<Gap>,
    /// What the pipeline says of its own steps.
    pub job: Option<Job>,
    /// Whether the deployment had ended when watching began.
    pub was_over: bool,
    /// Since when ECS refuses the credentials.
    pub refused_since: Option<Timestamp>,
    /// How long a task that no health check speaks for has to run.
    pub stand: SignedDuration,
    pub watching_since: Timestamp,
    pub now: Timestamp,
}

impl Scene {
    pub fn new(target: Target, job: Option<Job>, now: Timestamp) -> Scene {
        Scene {
            target,
            live: Arc::default(),
            deployment: None,
            events: Vec::new(),
            counts: Counts::default(),
            resources: None,
            earlier: Vec::new(),
            gaps: Vec::new(),
            job,
            was_over: false,
            refused_since: None,
            stand: STAND,
            watching_since: now,
            now,
        }
    }

    /// Takes in what the collector tells. The deployment that is seen first stays the one that is watched,
    /// unless it was over when watching began: then the next one is what the reader waits for.
    pub fn take(&mut self, live: Arc<Live>) {
        let is_next = self.was_over
            && live
                .deployment
                .as_ref()
                .is_some_and(|focus| self.deployment.as_ref().is_some_and(|own| own.id != focus.id));
        if is_next {
            self.deployment = None;
            self.was_over = false;
        }
        let pinned = self.deployment.as_ref().map(|entry| entry.id.clone());
        let of_pinned = live.deployments.iter().find(|entry| Some(&entry.id) == pinned.as_ref());
        match of_pinned {
            Some(entry) => self.deployment = Some(entry.clone()),
            None if pinned.is_none() => self.deployment = live.deployment.clone(),
            None => {}
        }
        self.earlier = earlier(&live.deployments, self.deployment.as_ref());
        self.live = live;
        let is_refused = self.refusal().is_some();
        self.refused_since = is_refused.then_some(self.refused_since.unwrap_or(self.now));
    }

    /// Returns what says that ECS refuses the credentials: what was described before says nothing about the present.
    pub fn refusal(&self) -> Option<&Gap> {
        self.gaps().find(|gap| {
            gap.because.starts_with("ecs:") && gap.because.contains("was refused for its credentials")
        })
    }

    pub fn rollout(&self) -> Rollout<'_> {
        let id = self.deployment.as_ref().map_or("", |entry| entry.id.as_str());
        let rolls_back = self.live.deployments.iter().find(|entry| entry.rolls_back.as_deref() == Some(id));
        let own = self.live.deployments.iter().find(|entry| entry.id == id);
        let way_back = own.and_then(|entry| entry.way_back.as_ref());
        Rollout {
            known: &self.live.known,
            service: self.target.service.as_deref(),
            id,
            began: self.deployment.as_ref().and_then(|entry| entry.created.or(entry.from)),
            undone_by: way_back.map(|way| way.id.as_str()).or(rolls_back.map(|entry| entry.id.as_str())),
            stack: self.target.stack.as_deref(),
            job: self.job,
            diagnosis: self.diagnosis(),
            earlier: &self.earlier,
            stand: self.stand,
            now: self.now,
        }
    }

    /// Whether ECS called the deployment complete, and nothing but the running of its tasks speaks for it so far.
    pub fn has_to_stand(&self, outcome: &Outcome) -> bool {
        outcome.state == State::Succeeded && !deployment::stands(&self.rollout())
    }

    /// Whether the records say that something failed.
    pub fn has_failed(&self) -> bool {
        self.diagnosis().is_some_and(|diagnosis| diagnosis.verdict == Verdict::Failed)
    }

    /// Returns what cannot be seen at present.
    pub fn gaps(&self) -> impl Iterator<Item = &Gap> {
        let of_sources = self.live.diagnosis.iter().flat_map(|diagnosis| &diagnosis.gaps);
        self.gaps.iter().chain(of_sources)
    }

    /// Returns the diagnosis, as long as it is that of the deployment that is watched.
    pub fn diagnosis(&self) -> Option<&Diagnosis> {
        let is_own = match (&self.deployment, &self.live.deployment) {
            (Some(own), Some(focus)) => own.id == focus.id,
            (own, _) => own.is_none(),
        };
        self.live.diagnosis.as_deref().filter(|_| is_own)
    }
}

/// Returns how long deployments of the same service took that ended well.
fn earlier(deployments: &[DeploymentEntry], own: Option<&DeploymentEntry>) -> Vec<SignedDuration> {
    let Some(own) = own else { return Vec::new() };
    let others = deployments.iter().filter(|entry| {
        entry.id != own.id
            && entry.service == own.service
            && entry.rolls_back.is_none()
            && entry.verdict == Some(Verdict::Healthy)
    });
    let took = others.filter_map(|entry| Some(entry.ended?.duration_since(entry.created.or(entry.from)?)));
    took.filter(|took| took.is_positive()).collect()
}

/// Returns text from outside as part of one line: control characters neither steer the terminal nor break the line.
pub(crate) fn one_line(text: &str) -> String {
    let text = reports::escape::printable(text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the first characters of an id, as many as tell tasks apart.
pub(crate) fn short_id(id: &str) -> String {
    one_line(id).chars().take(8).collect()
}

/// Returns a span of time in one or two units.
pub(crate) fn span(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ ..60 => format!("{seconds} s"),
        seconds @ ..3600 if seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds @ ..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds @ ..172_800 if seconds % 3600 < 60 => format!("{} h", seconds / 3600),
        seconds @ ..172_800 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        seconds if seconds % 86_400 < 3600 => format!("{} d", seconds / 86_400),
        seconds => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
pub(crate) mod given;
#[cfg(test)]
mod tests;
