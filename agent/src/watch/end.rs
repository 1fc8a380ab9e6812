//! When watching ends.

use analyzer::deployment::{Outcome, State, is_deterministic};
use analyzer::diagnosis::Gap;
use jiff::{SignedDuration, Timestamp};

use super::Scene;

/// Why watching ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Succeeded,
    Failed,
    /// A cause was found that no waiting repairs.
    FailsFast {
        cause: String,
    },
    /// The deployment has no outcome any more: another one took its place.
    Unclear,
    TimedOut,
    Interrupted,
    /// Nothing of the service can be seen.
    Blind {
        because: String,
    },
    /// No source delivers any more.
    SourcesEnded,
}

impl End {
    pub fn as_str(&self) -> &'static str {
        match self {
            End::Succeeded => "succeeded",
            End::Failed => "failed",
            End::FailsFast { .. } => "fails-fast",
            End::Unclear => "unclear",
            End::TimedOut => "timed-out",
            End::Interrupted => "interrupted",
            End::Blind { .. } => "blind",
            End::SourcesEnded => "sources-ended",
        }
    }

    /// Says why watching ended, and what may go on.
    pub fn says(&self, scene: &Scene, outcome: &Outcome) -> String {
        let over = match (scene.was_over, self) {
            (true, End::Succeeded | End::Failed) => "The deployment had ended before watching began: ",
            _ => "",
        };
        let waited = super::span(scene.now.duration_since(scene.watching_since).as_secs());
        match self {
            End::Succeeded | End::Failed | End::Unclear => format!("{over}{}.", outcome.says),
            End::FailsFast { cause } => format!(
                "Medic stops waiting: {cause} does not go away by itself. ECS may go on starting tasks until its circuit breaker or a person stops it."
            ),
            End::TimedOut => format!("Medic stops waiting after {waited}: {}. ECS goes on.", outcome.says),
            End::Interrupted => format!("Watching was interrupted: {}. ECS goes on.", outcome.says),
            End::Blind { because } => format!("Medic cannot see the service: {because}"),
            End::SourcesEnded => format!("No source delivers any more: {}.", outcome.says),
        }
    }
}

/// How long to wait, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub timeout: SignedDuration,
    /// How long an outcome must stand: about two polls of the sources.
    pub settle: SignedDuration,
    /// How long Medic looks whether tasks keep running that no health check speaks for.
    pub stand: SignedDuration,
    /// How long the service may stay unseen while sources say that they cannot read.
    pub blind: SignedDuration,
}

/// A failure without a convincing cause is given this many times longer: the log of the last task may be on its way.
const PATIENCE: i32 = 3;
/// From this confidence on a cause convinces.
const CONVINCING: f64 = 0.6;

/// Since when what would end watching has been the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settling {
    what: (State, Option<String>),
    pub since: Timestamp,
}

impl Settling {
    pub fn new(now: Timestamp) -> Settling {
        Settling { what: (State::Unknown, None), since: now }
    }

    /// Looks at the present; what changed has to settle again.
    pub fn look(&mut self, scene: &Scene, outcome: &Outcome) {
        let what = (outcome.state, fails_fast(scene, outcome));
        if self.what != what {
            *self = Settling { what, since: scene.now };
        }
    }
}

/// Tells whether watching ends, and why; `since` is when what would end it came up.
pub fn verdict_of_watch(scene: &Scene, outcome: &Outcome, since: Timestamp, limits: &Limits) -> Option<End> {
    let stood = scene.now.duration_since(since);
    let watched = scene.now.duration_since(scene.watching_since);
    let has_settled = stood >= limits.settle;
    // The service alone does not speak for a stack that nobody has seen yet.
    let awaits_stack = scene.target.stack.is_some() && outcome.stack.is_none() && watched < limits.blind;
    let gaps = scene.live.diagnosis.as_ref().map_or(&[][..], |diagnosis| &diagnosis.gaps);
    if let (Some(stack), None) = (&scene.target.stack, &outcome.stack)
        && watched >= limits.blind
        && let Some(gap) = gaps.iter().find(|gap| gap.what.contains(stack.as_str()) && is_not_there(gap))
    {
        return Some(End::Blind { because: told(gap) });
    }
    match outcome.state {
        State::Succeeded
            if has_settled && !awaits_stack && is_seen_to_stand(scene, outcome, stood, limits) =>
        {
            // Nothing was deployed, and the records say why.
            let came_to_nothing = scene.was_over && scene.has_failed() && is_explained(scene);
            return Some(if came_to_nothing { End::Failed } else { End::Succeeded });
        }
        State::Failed if has_settled => {
            let patience = limits.settle.checked_mul(PATIENCE).unwrap_or(limits.settle);
            if is_explained(scene) || stood >= patience {
                return Some(End::Failed);
            }
        }
        State::Unknown if has_settled && is_superseded(scene, outcome) => return Some(End::Unclear),
        State::Running if has_settled => {
            if let Some(cause) = fails_fast(scene, outcome) {
                return Some(End::FailsFast { cause });
            }
        }
        _ => {}
    }
    if let (Some(since), Some(gap)) = (scene.refused_since, scene.refusal())
        && scene.now.duration_since(since) >= limits.blind
    {
        return Some(End::Blind { because: told(gap) });
    }
    if watched >= limits.timeout {
        return Some(End::TimedOut);
    }
    // That nothing is known of the tasks follows from what is not seen of their service.
    let is_about = |gap: &Gap| {
        let named = [&scene.target.service, &scene.target.cluster, &scene.target.stack];
        named.into_iter().flatten().any(|name| gap.what.contains(name.as_str()))
    };
    let nearest = gaps.iter().find(|gap| is_about(gap)).or(gaps.first());
    if watched >= limits.blind
        && scene.rollout().described_service().is_none()
        && outcome.stack.is_none()
        && let Some(gap) = nearest
    {
        return Some(End::Blind { because: told(gap) });
    }
    None
}

fn is_not_there(gap: &Gap) -> bool {
    gap.because.starts_with("it does not exist")
}

fn told(gap: &Gap) -> String {
    let remedy = gap.remedy.as_ref().map(|remedy| format!("; {remedy}")).unwrap_or_default();
    format!("{}: {}{remedy}", gap.what, gap.because)
}

/// Whether a success holds: tasks that nothing but their running speaks for are looked at for a while, until they have run long enough.
fn is_seen_to_stand(scene: &Scene, outcome: &Outcome, stood: SignedDuration, limits: &Limits) -> bool {
    stood >= limits.stand || !scene.has_to_stand(outcome)
}

/// Returns the cause that no waiting repairs. Only while ECS goes on: what ends by itself is waited for.
fn fails_fast(scene: &Scene, outcome: &Outcome) -> Option<String> {
    let root = scene.diagnosis()?.root_cause()?;
    let goes_on = outcome.state == State::Running && outcome.ecs.state == State::Running;
    let is_undone = scene.rollout().undone_by.is_some();
    (goes_on && !is_undone && is_deterministic(root)).then(|| root.cause.clone())
}

fn is_explained(scene: &Scene) -> bool {
    let root = scene.diagnosis().and_then(|diagnosis| diagnosis.root_cause());
    root.is_some_and(|root| !root.symptom && root.confidence >= CONVINCING)
}

fn is_superseded(scene: &Scene, outcome: &Outcome) -> bool {
    scene.deployment.is_some()
        && outcome.stack.as_ref().is_none_or(|stack| stack.state != State::Running)
        && scene
            .rollout()
            .described_service()
            .is_some_and(|service| service.primary().is_some_and(|primary| primary.id != scene.rollout().id))
}
