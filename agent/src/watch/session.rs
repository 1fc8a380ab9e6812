//! Runs a recording and watches it until there is nothing more to wait for.

use analyzer::deployment::{self, Job, Outcome, State};
use analyzer::diagnosis::{Diagnosis, Verdict};
use analyzer::pattern::Patterns;
use analyzer::taxonomy::{Class, Remedy};
use anyhow::{Context, Result};
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::follow::{Follow, Shown};
use super::screen::of_log;
use super::view::Tone;
use super::{End, Limits, Line, Scene, Screen, Settling, Target, changes, records, verdict_of_watch, view};
use crate::collect::{Live, Recording, diagnose_stored};
use crate::config::Config;
use crate::index::Reader;

/// How often the view is drawn again though nothing changed: times pass.
const TICK: Duration = Duration::from_secs(1);

/// What to watch, and how.
pub struct Session {
    pub config: Config,
    pub patterns: &'static Patterns,
    pub state: PathBuf,
    pub limits: Limits,
    /// Whether lines of logs are shown as they arrive.
    pub follow: bool,
    pub job: Option<Job>,
    /// Cancelled by whoever wants watching to end.
    pub interrupt: CancellationToken,
}

/// How watching ended.
pub struct Ended {
    pub end: End,
    pub scene: Scene,
    pub outcome: Outcome,
    pub diagnosis: Diagnosis,
}

/// Watches until the end; `screen` is where the view goes, `tell` is given each scene.
pub async fn run(
    session: Session,
    mut screen: Option<Screen>,
    mut tell: impl FnMut(&Scene, &Outcome) -> Result<()>,
) -> Result<Ended> {
    let target = Target {
        cluster: session.config.cluster.clone(),
        service: session.config.service.clone(),
        stack: session.config.stack.clone(),
    };
    let mut scene = Scene::new(target, session.job, Timestamp::now());
    scene.stand = session.limits.stand;
    let mut settling = Settling::new(scene.now);
    let mut told = super::Told::default();
    let mut shown = records::last_stored(&session.state);
    let mut commits = None;
    let mut is_joined = false;
    let (live, mut news) = watch::channel(Arc::new(Live::default()));
    let stop = CancellationToken::new();
    // Lines are shown where there is a view.
    let (mut follow, _tailing) = match session.follow && screen.is_some() {
        true => tail(&session.config, &news),
        false => (Follow::default(), None),
    };
    let mut recording = record(&session, live, stop.clone());
    let mut tick = tokio::time::interval(TICK);
    let end = loop {
        let mut is_over = false;
        let mut is_interrupted = false;
        tokio::select! {
            _ = tick.tick() => {}
            changed = news.changed(), if !recording.is_finished() => is_over = changed.is_err(),
            told = follow.next() => print_tailed(follow.take(told), &mut scene, &mut screen)?,
            () = session.interrupt.cancelled() => is_interrupted = true,
            outcome = &mut recording => {
                is_joined = true;
                is_over = true;
                outcome.context("recording ended unexpectedly")??;
            }
        }
        let live = news.borrow_and_update().clone();
        let before = scene.deployment.as_ref().map(|entry| entry.id.clone());
        scene.now = Timestamp::now();
        if !Arc::ptr_eq(&live, &scene.live) {
            scene.take(live);
        }
        if commits != Some(scene.live.commits) {
            commits = Some(scene.live.commits);
            shown = look_up(&session, &mut scene, &mut screen, &follow, shown).await?;
        }
        let outcome = deployment::outcome(&scene.rollout());
        let seen = scene.deployment.as_ref().map(|entry| &entry.id);
        if seen.is_some() && seen != before.as_ref() {
            // A stack may be on its way to a deployment that ECS does not know of yet.
            scene.was_over = matches!(outcome.ecs.state, State::Succeeded | State::Failed);
        }
        settling.look(&scene, &outcome);
        show(&mut screen, &scene, &mut told)?;
        tell(&scene, &outcome)?;
        if is_interrupted {
            break End::Interrupted;
        }
        if let Some(end) = verdict_of_watch(&scene, &outcome, settling.since, &session.limits) {
            break end;
        }
        if is_over {
            break End::SourcesEnded;
        }
    };
    stop.cancel();
    if !is_joined {
        recording.await.context("recording ended unexpectedly")??;
    }
    let last = news.borrow().clone();
    scene.take(last);
    look_up(&session, &mut scene, &mut screen, &follow, shown).await?;
    show(&mut screen, &scene, &mut told)?;
    conclude(&session, scene, end)
}

/// Starts to record.
fn record(
    session: &Session,
    live: watch::Sender<Arc<Live>>,
    stop: CancellationToken,
) -> JoinHandle<Result<()>> {
    let recording = Recording {
        config: session.config.clone(),
        patterns: session.patterns,
        once: false,
        deployment: None,
        stop,
        live,
    };
    let state = session.state.clone();
    tokio::spawn(async move { recording.run(&state).await })
}

/// Reads what the last commit stored; returns the number of the last line that was shown.
async fn look_up(
    session: &Session,
    scene: &mut Scene,
    screen: &mut Option<Screen>,
    follow: &Follow,
    shown: u64,
) -> Result<u64> {
    let id = scene.deployment.as_ref().map(|entry| entry.id.clone());
    let (state, follows) = (session.state.clone(), session.follow);
    let read = tokio::task::spawn_blocking(move || records::read(&state, id.as_deref(), follows, shown));
    // Before the first commit there is nothing to read.
    let Ok(found) = read.await.context("cannot read the index")? else { return Ok(shown) };
    scene.events = found.events;
    scene.counts = found.counts;
    scene.resources = found.resources;
    let mut lines: Vec<Line> =
        found.lines.iter().filter(|line| follow.shows_stored(line)).map(of_log).collect();
    if !lines.is_empty() {
        if found.left_out {
            lines.insert(0, Line::of("… earlier lines are left out; `medic search` finds them", Tone::Quiet));
        }
        put(screen, |screen| screen.print(&lines))?;
    }
    Ok(found.shown)
}

/// Starts Live Tail; what it brings is shown, and never stored.
#[cfg(feature = "cloudwatch-logs")]
fn tail(config: &Config, news: &watch::Receiver<Arc<Live>>) -> (Follow, Option<AbortOnDropHandle<()>>) {
    let (tell, told) = tokio::sync::mpsc::channel(64);
    let tailing = tokio::spawn(super::tail::run(config.clone(), news.clone(), tell));
    (Follow::new(told), Some(AbortOnDropHandle::new(tailing)))
}

#[cfg(not(feature = "cloudwatch-logs"))]
fn tail(_: &Config, _: &watch::Receiver<Arc<Live>>) -> (Follow, Option<AbortOnDropHandle<()>>) {
    (Follow::default(), None)
}

fn print_tailed(shown: Shown, scene: &mut Scene, screen: &mut Option<Screen>) -> Result<()> {
    let lines: Vec<Line> = match shown {
        Shown::Lines(lines) => lines.iter().map(of_log).collect(),
        Shown::Note(note) => vec![Line::of(note, Tone::Quiet)],
        Shown::Gap(gap) => {
            scene.gaps.push(gap);
            Vec::new()
        }
        Shown::Nothing => Vec::new(),
    };
    if lines.is_empty() { Ok(()) } else { put(screen, |screen| screen.print(&lines)) }
}

fn show(screen: &mut Option<Screen>, scene: &Scene, told: &mut super::Told) -> Result<()> {
    if screen.as_ref().is_some_and(Screen::redraws) {
        return put(screen, |screen| {
            let (width, height) = screen.size();
            screen.draw(&view(scene, width.saturating_sub(1)), height)
        });
    }
    let time = scene.now.strftime("%H:%M:%S").to_string();
    let lines: Vec<Line> = changes(told, scene)
        .into_iter()
        .map(|line| Line::of(format!("{time} "), Tone::Quiet).with(line, Tone::Plain))
        .collect();
    if lines.is_empty() { Ok(()) } else { put(screen, |screen| screen.print(&lines)) }
}

/// Writes on the screen; one that nobody reads is not written to again, and watching goes on.
fn put(screen: &mut Option<Screen>, write: impl FnOnce(&mut Screen) -> std::io::Result<()>) -> Result<()> {
    let Some(open) = screen else { return Ok(()) };
    match write(open) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => *screen = None,
        other => other.context("cannot write the view")?,
    }
    Ok(())
}

/// Takes the diagnosis of the deployment that was watched.
fn conclude(session: &Session, scene: Scene, end: End) -> Result<Ended> {
    let outcome = deployment::outcome(&scene.rollout());
    let mut diagnosis = match scene.diagnosis() {
        Some(diagnosis) => diagnosis.clone(),
        None => stored_diagnosis(&session.state, session.patterns, &scene)?,
    };
    if outcome.state == State::Running && may_come_to_be(&diagnosis) {
        diagnosis.verdict = Verdict::CannotTell;
        diagnosis.has_root_cause = false;
    }
    Ok(Ended { end, scene, outcome, diagnosis })
}

/// Whether nothing is in the way of what is under way but that it had not ended, or that there was no capacity yet.
pub(super) fn may_come_to_be(diagnosis: &Diagnosis) -> bool {
    diagnosis.root_cause().is_some_and(|root| {
        let is_only_unfinished = !root.known && root.remedies == [Remedy::Wait];
        is_only_unfinished || root.class == Class::Capacity
    })
}

/// Diagnoses from what is stored: another deployment has come into focus meanwhile.
fn stored_diagnosis(state: &Path, patterns: &Patterns, scene: &Scene) -> Result<Diagnosis> {
    let reader = Reader::open(state)?;
    let id = scene.deployment.as_ref().map_or(crate::collect::UNNAMED, |entry| entry.id.as_str());
    diagnose_stored(&reader, patterns, id, crate::input::Span::default())
}
