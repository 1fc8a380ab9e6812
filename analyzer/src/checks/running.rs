//! What runs refutes that it cannot start.

use jiff::SignedDuration;
use std::collections::BTreeSet;

use super::scope::{name_of, planned_definitions, subject_of};
use super::{Check, CheckResult};
use crate::snapshot::{Deployment, Service, Snapshot, Task, TaskDefinition};

/// What the tasks of completed deployments run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Services and task definitions, as results name them.
    subjects: BTreeSet<String>,
    /// Whether that is so of all services that are described, and there are some.
    is_all: bool,
    /// Services that ran tasks of their deployment before they were told to run none.
    scaled: BTreeSet<String>,
    /// Services of which no other deployment runs a task, so that nothing has to make room.
    alone: BTreeSet<String>,
}

/// What a violated check says that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Denies {
    /// The task cannot start, or the deployment cannot be completed.
    Start,
    /// The task cannot stay healthy.
    Health,
    /// Nothing that running tasks refute: how many are asked for, how things are.
    Nothing,
}

impl Running {
    /// Returns what runs as it is described. `is_steady` says that the events of the services end so,
    /// which counts where no deployment is described with its state.
    pub fn of(snapshot: &Snapshot, is_steady: bool) -> Running {
        let services: Vec<&Service> =
            snapshot.services.items().iter().filter(|service| service.is_active()).collect();
        let mut running = Running {
            subjects: BTreeSet::new(),
            is_all: !services.is_empty(),
            scaled: of_which(&services, |service| had_tasks(snapshot, service)),
            alone: of_which(&services, is_alone),
        };
        let mut others: BTreeSet<String> = BTreeSet::new();
        for service in services {
            let Some(reference) = run_by(service, is_steady) else {
                others.insert(subject_of(service));
                continue;
            };
            let is_run = |definition: &&TaskDefinition| definition.is(reference);
            let definitions = snapshot.task_definitions.items().iter().filter(is_run);
            running.subjects.extend(definitions.map(name_of));
            // A file that is to replace the revision does not run.
            let planned = planned_definitions(snapshot, service).unwrap_or_default();
            match planned.iter().all(is_run) {
                true => running.subjects.insert(subject_of(service)),
                false => others.insert(subject_of(service)),
            };
        }
        // Of tasks that no described service answers for, those tell that run.
        let of_no_service = snapshot.tasks.items().iter().filter(|_| snapshot.services.items().is_empty());
        for task in of_no_service.filter(|task| task.last_status.as_deref() == Some("RUNNING")) {
            let is_run = |definition: &&TaskDefinition| {
                task.task_definition_arn.as_deref().is_some_and(|reference| definition.is(reference))
            };
            running.subjects.extend(snapshot.task_definitions.items().iter().filter(is_run).map(name_of));
        }
        running.is_all &= others.is_empty();
        running.subjects.retain(|subject| !others.contains(subject));
        running
    }

    /// Whether all services that are described run what they were to run, in full.
    pub fn is_all(&self) -> bool {
        self.is_all
    }

    /// Whether a violated check is about what runs, and says that it cannot. `is_well` says that no task and no target failed.
    pub fn refutes(&self, result: &CheckResult, is_well: bool) -> bool {
        if result.is_violated() && self.is_state_of(result) {
            return true;
        }
        let is_denied = match denied_by(result.check) {
            Denies::Start => true,
            Denies::Health => is_well,
            Denies::Nothing => false,
        };
        result.is_violated() && is_denied && self.is_about(&result.subject)
    }

    /// Whether a violated check tells how things have become, and not what kept this deployment from starting.
    fn is_state_of(&self, result: &CheckResult) -> bool {
        match result.check {
            Check::DesiredCountPositive => self.scaled.contains(&result.subject),
            Check::DeploymentPercentagesLeaveRoom => self.alone.contains(&result.subject),
            _ => false,
        }
    }

    fn is_about(&self, subject: &str) -> bool {
        let whole = subject.split(", container ").next().unwrap_or(subject);
        self.subjects.contains(whole) || self.is_all && subject.starts_with("target ")
    }
}

fn denied_by(check: Check) -> Denies {
    use Check::*;
    match check {
        TaskDefinitionActive
        | FargateSizeValid
        | ContainerMemoryFits
        | EssentialContainerPresent
        | NetworkModeFits
        | DependencyOrderAcyclic
        | HostPortMatches
        | LoadBalancerContainerExists
        | DeploymentPercentagesLeaveRoom
        | ExecutionRolePresent
        | ImageReferenceValid
        | ImageExists
        | ImageArchitectureMatches
        | SecretReferencesValid
        | LogGroupConfigured => Denies::Start,
        TargetPortMatchesContainer
        | HealthCheckPortExposed
        | HealthCheckTiming
        | GracePeriodCoversStartup => Denies::Health,
        DesiredCountPositive | LogDriverBlocking | CircuitBreakerState | TargetHealth | TasksRunning
        | StackStatus => Denies::Nothing,
    }
}

/// Returns the subjects of the services of which that is so; of two services of one name, of both.
fn of_which(services: &[&Service], is_so: impl Fn(&Service) -> bool) -> BTreeSet<String> {
    let (so, other): (Vec<&Service>, Vec<&Service>) = services.iter().partition(|service| is_so(service));
    let mut subjects: BTreeSet<String> = so.into_iter().map(subject_of).collect();
    for service in other {
        subjects.remove(&subject_of(service));
    }
    subjects
}

/// A deployment of no task is complete as soon as it begins; whatever changes it later than that was something else.
const AT_ONCE: SignedDuration = SignedDuration::from_secs(120);

/// Whether the deployment that a service is at began with tasks: it was scaled to none later.
pub(crate) fn had_tasks(snapshot: &Snapshot, service: &Service) -> bool {
    let is_more = |count: Option<i64>| count.is_some_and(|count| count > 0);
    let Some(primary) = service.primary() else { return of_service(snapshot, service).next().is_some() };
    let counts = [primary.failed_tasks, primary.running_count, primary.pending_count, primary.desired_count];
    let began = primary.created_at;
    let was_changed = primary.rollout_state.as_deref() == Some("COMPLETED")
        && began.zip(primary.updated_at).is_some_and(|(from, to)| to.duration_since(from) > AT_ONCE);
    let was_started = of_service(snapshot, service).any(|task| match task.started_by.as_deref() {
        Some(by) if by.starts_with("ecs-svc/") => by == primary.id,
        _ => task.created_at.zip(began).is_some_and(|(created, began)| created >= began),
    });
    let asked_for_more = snapshot.service_deployments.items().iter().any(|account| {
        let is_same = account.service_arn == service.service_arn
            && account
                .created_at
                .zip(began)
                .is_some_and(|(one, other)| one.duration_since(other).abs() <= AT_ONCE);
        is_same && account.target_service_revision.iter().any(|target| is_more(target.requested_task_count))
    });
    counts.into_iter().any(is_more) || was_changed || was_started || asked_for_more
}

/// Returns the tasks of a service.
fn of_service<'a>(snapshot: &'a Snapshot, service: &'a Service) -> impl Iterator<Item = &'a Task> {
    let is_of = |task: &&Task| {
        let group = task.group.as_deref().and_then(|group| group.strip_prefix("service:"));
        let same_cluster = task.cluster_arn.is_empty()
            || service.cluster_arn.is_empty()
            || task.cluster_arn == service.cluster_arn;
        group == Some(service.name()) && same_cluster
    };
    snapshot.tasks.items().iter().filter(is_of)
}

/// Whether the primary deployment, which is still going on, is the only one that has tasks or wants some.
fn is_alone(service: &Service) -> bool {
    let Some(primary) = service.primary() else { return false };
    let is_none = |count: Option<i64>| count == Some(0);
    let has_none = |other: &Deployment| is_none(other.running_count) && is_none(other.pending_count);
    let mut others = service.deployments.iter().filter(|other| other.id != primary.id);
    primary.rollout_state.as_deref() == Some("IN_PROGRESS") && others.all(has_none)
}

/// Returns the task definition that as many tasks run as are wanted, and nothing else is deployed.
fn run_by(service: &Service, is_steady: bool) -> Option<&str> {
    let is_full = |running: Option<i64>, desired: Option<i64>| {
        running.zip(desired).is_some_and(|(running, desired)| desired > 0 && running >= desired)
    };
    let is_service_full = is_full(service.running_count, service.desired_count);
    let Some(primary) = service.primary() else {
        let stands = is_steady && is_service_full && service.deployments.is_empty();
        return service.task_definition.as_deref().filter(|_| stands);
    };
    let is_completed = primary.rollout_state.as_deref().map_or(is_steady, |state| state == "COMPLETED");
    let stands = match (primary.running_count, primary.desired_count) {
        (Some(_), Some(_)) => is_full(primary.running_count, primary.desired_count),
        _ => is_service_full && service.deployments.len() == 1,
    };
    let reference = primary.task_definition.as_deref().or(service.task_definition.as_deref());
    reference.filter(|_| is_completed && stands)
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::super::task_definition::tests::{SENSIBLE, changed};
    use super::*;
    use crate::snapshot::Part;

    const COMPLETED: (&str, &str) =
        (r#""status": "PRIMARY","#, r#""status": "PRIMARY", "rolloutState": "COMPLETED","#);

    fn state(services: &str, definitions: &str) -> Snapshot {
        let text = format!(
            r#"{{"services": {{"known": {services}}}, "taskDefinitions": {{"known": {definitions}}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    /// Changes the completed service, and asks which of two subjects is refuted: the task definition, the service.
    #[track_caller]
    fn check(from: &str, to: &str, is_steady: bool, refuted: [bool; 2]) {
        let [services, definitions, _] = SENSIBLE;
        let services = services.1.replace(COMPLETED.0, COMPLETED.1);
        assert!(services.contains(from), "{from}");
        let running = Running::of(&state(&services.replace(from, to), definitions.1), is_steady);
        let refutes = |check, subject| running.refutes(&violated(check, subject), true);
        let said = [
            refutes(Check::ImageExists, "task definition web:12, container app"),
            refutes(Check::NetworkModeFits, "service web"),
        ];
        assert_eq!(said, refuted, "{to}");
        assert!(!refutes(Check::ImageExists, "task definition web:11, container app"));
        assert!(!refutes(Check::LogDriverBlocking, "task definition web:12, container app"));
    }

    fn violated(check: Check, subject: &str) -> CheckResult {
        let outcome = Outcome::Violated {
            field: "image tag".to_owned(),
            value: "v1".to_owned(),
            because: "it is not there".to_owned(),
        };
        CheckResult { check, subject: subject.to_owned(), outcome }
    }

    #[test]
    fn only_a_completed_deployment_with_all_its_tasks_refutes() {
        check("COMPLETED", "COMPLETED", false, [true, true]);
        check("COMPLETED", "IN_PROGRESS", true, [false, false]);
        check("COMPLETED", "FAILED", true, [false, false]);
        check(r#""rolloutState": "COMPLETED","#, "", true, [true, true]);
        check(r#""rolloutState": "COMPLETED","#, "", false, [false, false]);
        check(
            r#""desiredCount": 2, "runningCount": 2,"#,
            r#""desiredCount": 2, "runningCount": 1,"#,
            true,
            [false, false],
        );
        check(
            r#""desiredCount": 2, "runningCount": 2,"#,
            r#""desiredCount": 0, "runningCount": 0,"#,
            true,
            [false, false],
        );
        check(r#""status": "ACTIVE""#, r#""status": "DRAINING""#, true, [false, false]);
        check(
            r#""deployments": [{"#,
            r#""deployments": [{"id": "ecs-svc/1", "status": "ACTIVE", "runningCount": 1}, {"#,
            true,
            [true, true],
        );
    }

    #[test]
    fn without_deployments_the_events_tell() {
        let [_, definitions, _] = SENSIBLE;
        let excerpt =
            r#"[{"serviceName": "web", "desiredCount": 2, "runningCount": 2, "taskDefinition": "web:12"}]"#;
        let definitions =
            definitions.1.replace("arn:aws:ecs:eu-west-1:111122223333:task-definition/web:12", "web:12");
        let image = violated(Check::ImageExists, "task definition web:12, container app");
        for is_steady in [false, true] {
            let running = Running::of(&state(excerpt, &definitions), is_steady);
            assert_eq!(running.refutes(&image, true), is_steady);
        }
    }

    #[test]
    fn without_a_service_its_tasks_tell() {
        let [services, definitions, _] = SENSIBLE;
        let image = violated(Check::ImageExists, "task definition web:12, container app");
        for (status, services, refuted) in
            [("RUNNING", None, true), ("PROVISIONING", None, false), ("RUNNING", Some(services.1), false)]
        {
            let mut known = state(services.unwrap_or("[]"), definitions.1);
            let task = format!(
                r#"[{{"taskArn": "t/1", "lastStatus": "{status}",
                    "taskDefinitionArn": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:12"}}]"#
            );
            known.tasks = Part::Known(serde_json::from_str(&task).unwrap());
            assert_eq!(Running::of(&known, false).refutes(&image, true), refuted, "{status}");
        }
    }

    #[test]
    fn a_file_that_is_still_to_be_deployed_does_not_run() {
        let [services, definitions, _] = SENSIBLE;
        let services = services.1.replace(COMPLETED.0, COMPLETED.1);
        let file = r#"[{"family": "web", "requiresCompatibilities": ["FARGATE"], "containerDefinitions": [{"name": "api"}]},"#;
        let running = Running::of(&state(&services, &definitions.1.replacen('[', file, 1)), true);
        assert!(!running.refutes(&violated(Check::LoadBalancerContainerExists, "service web"), true));
        assert!(!running.refutes(&violated(Check::FargateSizeValid, "task definition web"), true));
        assert!(!running.refutes(&violated(Check::HealthCheckPortExposed, "target group web"), true));
    }

    #[test]
    fn health_is_refuted_only_while_nothing_fails() {
        let parts = changed(COMPLETED.0, COMPLETED.1);
        let running = Running::of(&state(&parts[0].1, &parts[1].1), false);
        for (check, subject) in [
            (Check::HealthCheckTiming, "task definition web:12, container app"),
            (Check::GracePeriodCoversStartup, "service web"),
            (Check::HealthCheckPortExposed, "target group web"),
            (Check::TargetPortMatchesContainer, "target 10.0.1.5:8080"),
        ] {
            assert!(running.refutes(&violated(check, subject), true), "{check}");
            assert!(!running.refutes(&violated(check, subject), false), "{check}");
        }
        let holds = CheckResult {
            check: Check::ImageExists,
            subject: "service web".to_owned(),
            outcome: Outcome::Holds,
        };
        assert!(!running.refutes(&holds, true));
    }

    #[test]
    fn of_two_services_of_one_name_both_have_to_run() {
        let [services, definitions, _] = SENSIBLE;
        let one = services.1.replace(COMPLETED.0, COMPLETED.1);
        let other = services.1.replace("/prod", "/test").replace("service/prod", "service/test");
        let both = format!("{},{}", &one[..one.len() - 1], &other[1..]);
        let running = Running::of(&state(&both, definitions.1), false);
        assert!(!running.refutes(&violated(Check::DeploymentPercentagesLeaveRoom, "service web"), true));
        assert!(
            running.refutes(&violated(Check::ImageExists, "task definition web:12, container app"), true)
        );
        assert!(!running.refutes(&violated(Check::HealthCheckPortExposed, "target group web"), true));
    }

    /// Asks whether a service that is to run no task by now was told so only after its deployment had begun.
    #[track_caller]
    fn scaled(deployment: &str, tasks: &str, expected: bool) {
        let [_, definitions, _] = SENSIBLE;
        let services = format!(
            r#"[{{"serviceName": "web", "serviceArn": "s/web", "desiredCount": 0, "runningCount": 0, "deployments": [{{"id": "ecs-svc/2",
                "status": "PRIMARY", "desiredCount": 0, "runningCount": 0, "createdAt": 1000, {deployment}}}]}}]"#
        );
        let mut known = state(&services, definitions.1);
        known.tasks = Part::Known(serde_json::from_str(tasks).unwrap());
        let results = Check::DesiredCountPositive.run(&known);
        assert!(results.iter().all(CheckResult::is_violated) && results.len() == 1, "{results:?}");
        assert_eq!(Running::of(&known, true).refutes(&results[0], false), expected, "{deployment} {tasks}");
    }

    #[test]
    fn a_count_of_zero_keeps_a_deployment_from_starting_only_if_it_began_so() {
        scaled(r#""rolloutState": "COMPLETED", "updatedAt": 1004, "failedTasks": 0"#, "[]", false);
        scaled(r#""rolloutState": "IN_PROGRESS", "failedTasks": 0"#, "[]", false);
        scaled(r#""rolloutState": "IN_PROGRESS", "failedTasks": 5"#, "[]", true);
        scaled(r#""rolloutState": "COMPLETED", "updatedAt": 1300"#, "[]", true);
        let task = |group: &str, by: &str, created: &str| {
            format!(
                r#"[{{"taskArn": "t/1", "group": "service:{group}", "startedBy": "{by}", "createdAt": {created}}}]"#
            )
        };
        scaled(r#""failedTasks": 0"#, &task("web", "ecs-svc/2", "1010"), true);
        scaled(r#""failedTasks": 0"#, &task("web", "ecs-svc/1", "900"), false);
        scaled(r#""failedTasks": 0"#, &task("api", "ecs-svc/2", "1010"), false);
    }

    #[test]
    fn percentages_leave_room_where_nothing_has_to_make_any() {
        let [_, definitions, _] = SENSIBLE;
        let ask = |others: &str, expected: bool| {
            let services = format!(
                r#"[{{"serviceName": "web", "desiredCount": 1, "deploymentConfiguration": {{"maximumPercent": 100, "minimumHealthyPercent": 100}},
                    "deployments": [{others}{{"id": "ecs-svc/2", "status": "PRIMARY", "rolloutState": "IN_PROGRESS"}}]}}]"#
            );
            let known = state(&services, definitions.1);
            let results = Check::DeploymentPercentagesLeaveRoom.run(&known);
            assert!(results.iter().all(CheckResult::is_violated) && results.len() == 1, "{results:?}");
            assert_eq!(Running::of(&known, false).refutes(&results[0], false), expected, "{others}");
        };
        ask("", true);
        ask(r#"{"id": "ecs-svc/1", "status": "ACTIVE", "runningCount": 1, "pendingCount": 0},"#, false);
        ask(r#"{"id": "ecs-svc/1", "status": "ACTIVE", "runningCount": 0, "pendingCount": 0},"#, true);
    }
}
