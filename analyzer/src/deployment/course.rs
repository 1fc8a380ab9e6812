//! What a deployment came to: in ECS, in the stack, in the pipeline, and in truth.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Rollout, standing};
use crate::record::Source;
use crate::snapshot::{Deployment, Service, ServiceDeployment};

/// The course that a deployment takes in ECS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    NotDescribed,
    Running,
    Completed,
    /// ECS completed it, and its tasks stop since.
    Falling,
    Failed,
    RollingBack,
    RolledBack,
    /// Somebody stopped it.
    Stopped,
    /// Another deployment that does not undo it took its place.
    Superseded,
    /// The service is deleted.
    Removed,
}

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Running,
    Succeeded,
    Failed,
    Unknown,
}

/// What a pipeline says of its own steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Job {
    Succeeded,
    Failed,
    Cancelled,
    TimedOut,
}

/// What one layer says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Layer {
    pub state: State,
    /// In the layer's own word: `COMPLETED`, `UPDATE_ROLLBACK_COMPLETE`.
    pub status: String,
    pub reason: Option<String>,
}

/// What the deployment came to, across layers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    pub state: State,
    pub ecs: Layer,
    /// The stack, where one is watched and its latest operation can be the one that deploys.
    pub stack: Option<Layer>,
    /// What the pipeline says of its own steps, where Medic was told.
    pub job: Option<Job>,
    /// The truth in one sentence.
    pub says: String,
    /// Whether the layers say different things.
    pub layers_disagree: bool,
}

/// Tells what a deployment came to. ECS decides whether the new version runs; a stack that failed needs a repair all the same.
pub fn outcome(rollout: &Rollout<'_>) -> Outcome {
    let (course, reason) = course(rollout);
    let ecs = Layer { state: course.state(), status: status_word(rollout, course), reason };
    let stack = stack(rollout);
    let of_stack = stack.as_ref().map(|stack| stack.state);
    let state = match (course.state(), of_stack) {
        (State::Succeeded, Some(State::Running)) => State::Running,
        (State::Succeeded, Some(State::Failed)) => State::Failed,
        (State::Unknown, Some(of_stack))
            if course == Course::NotDescribed && of_stack != State::Succeeded =>
        {
            of_stack
        }
        (state, _) => state,
    };
    let job = rollout.job;
    let of_job = job.map(|job| if job == Job::Succeeded { State::Succeeded } else { State::Failed });
    let ended = |state: State| matches!(state, State::Succeeded | State::Failed);
    let layers_disagree = ended(ecs.state)
        && [of_stack, of_job].into_iter().flatten().any(|other| ended(other) && other != ecs.state);
    let mut says = in_ecs(rollout, course, &ecs);
    if let Some(stack) = &stack {
        says = with_stack(rollout, says, course, stack);
    }
    if let Some(job) = job {
        says = with_job(says, course, job);
    }
    Outcome { state, ecs, stack, job, says, layers_disagree }
}

impl Course {
    pub fn state(self) -> State {
        match self {
            Course::Running | Course::RollingBack => State::Running,
            Course::Completed => State::Succeeded,
            Course::Falling | Course::Failed | Course::RolledBack | Course::Stopped | Course::Removed => {
                State::Failed
            }
            Course::NotDescribed | Course::Superseded => State::Unknown,
        }
    }
}

/// Returns the course in ECS, and what ECS gives as its reason.
pub(super) fn course(rollout: &Rollout<'_>) -> (Course, Option<String>) {
    let (course, reason) = told(rollout);
    match standing::fell(rollout).filter(|_| course == Course::Completed) {
        Some(why) => (Course::Falling, Some(why)),
        None => (course, reason),
    }
}

/// Returns the course as ECS tells it.
fn told(rollout: &Rollout<'_>) -> (Course, Option<String>) {
    let Some(service) = rollout.described_service().filter(|_| !rollout.id.is_empty()) else {
        return (Course::NotDescribed, None);
    };
    if !service.is_active() {
        return (Course::Removed, None);
    }
    if let Some(account) = rollout.account()
        && let Some(course) = told_by(account)
    {
        return (course, reason_in(account).or_else(|| reason_of(rollout.own())));
    }
    let Some(primary) = service.primary() else { return (Course::NotDescribed, None) };
    if primary.id == rollout.id {
        return (course_of_primary(service, primary), reason_of(Some(primary)));
    }
    let own = rollout.own();
    let is_undone = rollout.undone_by == Some(primary.id.as_str())
        || goes_back(primary)
        || own.is_some_and(|own| own.rollout_state.as_deref() == Some("FAILED"))
        || rollout.described_stack().and_then(|stack| stack.stack_status.as_deref()).is_some_and(is_undoing);
    if !is_undone {
        return (Course::Superseded, None);
    }
    let is_back = primary.rollout_state.as_deref() == Some("COMPLETED");
    let course = if is_back { Course::RolledBack } else { Course::RollingBack };
    (course, reason_of(own).or_else(|| reason_of(Some(primary)).filter(|_| !is_back)))
}

fn course_of_primary(service: &Service, primary: &Deployment) -> Course {
    match primary.rollout_state.as_deref() {
        Some("COMPLETED") => Course::Completed,
        Some("FAILED") => Course::Failed,
        _ if goes_back(primary) => Course::RollingBack,
        Some(_) => Course::Running,
        // Where ECS tells no state (another controller deploys), the counts tell.
        None => {
            let is_alone = service.deployments.len() == 1 && primary.pending_count.unwrap_or(0) == 0;
            let runs = primary.running_count.is_some() && primary.running_count >= primary.desired_count;
            if is_alone && runs { Course::Completed } else { Course::Running }
        }
    }
}

/// Returns the course that ECS's own account tells, where it tells more than the service does.
fn told_by(account: &ServiceDeployment) -> Option<Course> {
    match account.status.as_deref()? {
        "ROLLBACK_SUCCESSFUL" => Some(Course::RolledBack),
        "ROLLBACK_FAILED" => Some(Course::Failed),
        "ROLLBACK_REQUESTED" | "ROLLBACK_IN_PROGRESS" => Some(Course::RollingBack),
        "STOPPED" => Some(Course::Stopped),
        _ => None,
    }
}

fn reason_in(account: &ServiceDeployment) -> Option<String> {
    let rollback = account.rollback.as_ref().and_then(|rollback| rollback.reason.clone());
    account.status_reason.clone().or(rollback).filter(|reason| !reason.is_empty())
}

fn reason_of(deployment: Option<&Deployment>) -> Option<String> {
    deployment?.rollout_state_reason.clone().filter(|reason| !reason.is_empty())
}

fn goes_back(deployment: &Deployment) -> bool {
    let reason = deployment.rollout_state_reason.as_deref().unwrap_or_default().to_ascii_lowercase();
    reason.contains("rolling back") || reason.contains("rolled back")
}

fn is_undoing(status: &str) -> bool {
    status.contains("ROLLBACK")
}

fn status_word(rollout: &Rollout<'_>, course: Course) -> String {
    let account = rollout.account().and_then(|account| account.status.clone());
    let own = rollout.own().and_then(|own| own.rollout_state.clone());
    match course {
        Course::RollingBack | Course::RolledBack | Course::Stopped => account.or(own),
        _ => own.or(account),
    }
    .unwrap_or_default()
}

/// Returns what the stack says.
fn stack(rollout: &Rollout<'_>) -> Option<Layer> {
    let stack = rollout.described_stack()?;
    let status = stack.stack_status.clone()?;
    let state = match status.as_str() {
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" => State::Succeeded,
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS" => State::Failed,
        status if status.ends_with("_IN_PROGRESS") => State::Running,
        status if status.ends_with("_FAILED") || is_undoing(status) || status.starts_with("DELETE") => {
            State::Failed
        }
        status if status.ends_with("_COMPLETE") => State::Succeeded,
        _ => State::Unknown,
    };
    let reason = stack.stack_status_reason.clone().filter(|reason| !reason.is_empty());
    Some(Layer { state, status, reason })
}

/// Whether CloudFormation gave up waiting, by its own words.
fn stack_timed_out(rollout: &Rollout<'_>) -> bool {
    const SIGNS: [&str; 5] =
        ["exceeded attempts to wait", "did not stabilize", "timed out", "timeout", "time out"];
    let of_stack = rollout.described_stack().and_then(|stack| stack.stack_status_reason.as_deref());
    let of_events = rollout.diagnosis.into_iter().flat_map(|diagnosis| {
        let events = diagnosis.timeline.iter().filter(|entry| entry.source == Source::CfnStackEvent);
        events.map(|entry| entry.text.as_str())
    });
    of_stack.into_iter().chain(of_events).any(|text| {
        let text = text.to_ascii_lowercase();
        SIGNS.iter().any(|sign| text.contains(sign))
    })
}

fn in_ecs(rollout: &Rollout<'_>, course: Course, ecs: &Layer) -> String {
    let service = rollout.described_service().map(Service::name).or(rollout.service).unwrap_or("the service");
    let because = |text: &str| match &ecs.reason {
        Some(reason) => format!("{text}: {}", reason.trim_end_matches('.')),
        None => text.to_owned(),
    };
    match course {
        Course::NotDescribed => format!("ECS has not described {service} yet"),
        Course::Running => format!("ECS is still deploying {service}"),
        Course::Completed => format!("ECS completed the deployment of {service}, and its tasks run"),
        Course::Falling => {
            because(&format!("ECS completed the deployment of {service}, but its tasks have stopped since"))
        }
        Course::Failed => because(&format!("ECS failed the deployment of {service}")),
        Course::RollingBack => because(&format!("ECS is rolling {service} back")),
        Course::RolledBack => because(&format!("ECS rolled {service} back, the old version runs")),
        Course::Stopped => because(&format!("the deployment of {service} was stopped")),
        Course::Superseded => {
            format!("another deployment of {service} took the place of this one before it ended")
        }
        Course::Removed => format!("{service} was deleted"),
    }
}

fn with_stack(rollout: &Rollout<'_>, ecs: String, course: Course, stack: &Layer) -> String {
    let name = rollout.stack.unwrap_or("the stack");
    let said = match &stack.reason {
        Some(reason) => format!("{}: {}", stack.status, reason.trim_end_matches('.')),
        None => stack.status.clone(),
    };
    match (course.state(), stack.state) {
        (State::Succeeded, State::Failed) if stack_timed_out(rollout) => {
            format!("CloudFormation timed out on stack {name} ({said}), but the service is stable: {ecs}")
        }
        (State::Succeeded, State::Failed) => format!("stack {name} failed ({said}), although {ecs}"),
        (State::Succeeded, State::Running) => format!("{ecs}; stack {name} is still {said}"),
        (State::Failed, State::Succeeded) => {
            format!("stack {name} says {}, but {ecs}", stack.status)
        }
        (State::Failed, State::Running) => format!("{ecs}; stack {name} is still {said}"),
        (State::Failed, State::Failed) => format!("{ecs}; stack {name} is {}", stack.status),
        (State::Running, State::Failed) => format!("stack {name} failed ({said}), while {ecs}"),
        (State::Unknown, _) => format!("stack {name} is {said}; {ecs}"),
        _ => ecs,
    }
}

fn with_job(truth: String, course: Course, job: Job) -> String {
    match (course.state(), job) {
        (State::Failed, Job::Succeeded) => format!("the job is green, but {truth}"),
        (State::Succeeded, Job::Failed) => format!("the job failed, but {truth}"),
        (State::Succeeded, Job::Cancelled) => format!("the job was cancelled, but {truth}"),
        (State::Succeeded, Job::TimedOut) => format!("the job timed out, but {truth}"),
        _ => truth,
    }
}
