//! Properties of the design document, over deployments that are played from a valid configuration.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};

use super::tests::{at, rollout, snapshot};
use super::*;
use crate::checks::Check;

const BEGAN: i64 = 1_800_000_000;

/// A service, and how long each step takes.
#[derive(Clone, Debug)]
struct Plan {
    desired: i64,
    provision: i64,
    pull: i64,
    boot: i64,
    /// How long a container runs before its health check passes.
    warm: i64,
    drain: i64,
    has_check: bool,
    has_balancer: bool,
    cpu: i64,
    memory: i64,
    container_memory: i64,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// Every task exits soon after it started.
    Crashes,
    /// Containers run and never become healthy.
    NeverHealthy,
}

fn plans() -> impl Strategy<Value = Plan> {
    let sizes = prop::sample::select(vec![(256, 512), (256, 2048), (512, 1024), (1024, 8192), (4096, 8192)]);
    let times = (1i64..40, 1i64..120, 1i64..30, 1i64..200, 1i64..100);
    (1i64..=6, times, any::<bool>(), any::<bool>(), sizes, 1i64..=100).prop_map(
        |(desired, (provision, pull, boot, warm, drain), has_check, has_balancer, (cpu, memory), share)| {
            Plan {
                desired,
                provision,
                pull,
                boot,
                warm,
                drain,
                has_check,
                has_balancer,
                cpu,
                memory,
                container_memory: (memory * share / 100).max(6),
            }
        },
    )
}

impl Plan {
    fn started(&self) -> i64 {
        self.provision + self.pull + self.boot
    }

    fn healthy(&self) -> i64 {
        self.started() + self.warm
    }

    fn ends(&self) -> i64 {
        self.healthy() + self.drain
    }

    /// Returns what is described so many seconds after the start.
    fn seen(&self, second: i64, flaw: Flaw) -> Snapshot {
        let is_over = second >= self.ends() && flaw == Flaw::None;
        let runs = second >= self.started();
        let running = if runs && flaw != Flaw::Crashes { self.desired } else { 0 };
        let old = if second < self.ends() { self.desired } else { 0 };
        let failed = if runs && flaw == Flaw::Crashes { self.desired } else { 0 };
        let state = if is_over { "COMPLETED" } else { "IN_PROGRESS" };
        let mut deployments = vec![json!({"id": "ecs-svc/2", "status": "PRIMARY", "rolloutState": state,
            "taskDefinition": "web:2", "desiredCount": self.desired, "runningCount": running, "failedTasks": failed,
            "pendingCount": self.desired - running, "createdAt": BEGAN, "updatedAt": BEGAN + second})];
        if old > 0 || flaw != Flaw::None {
            deployments.push(json!({"id": "ecs-svc/1", "status": "ACTIVE", "rolloutState": "COMPLETED",
                "taskDefinition": "web:1", "desiredCount": self.desired, "runningCount": self.desired}));
        }
        let balancers = if self.has_balancer { json!([{"targetGroupArn": "tg/web"}]) } else { json!([]) };
        let tasks: Vec<Value> = (0..self.desired).map(|number| self.task(number, second, flaw)).collect();
        let targets: Vec<Value> = (0..self.desired)
            .filter(|_| runs && self.has_balancer)
            .map(|number| {
                let state = match flaw {
                    Flaw::None if second >= self.healthy() => "healthy",
                    Flaw::NeverHealthy if second >= self.healthy() => "unhealthy",
                    _ => "initial",
                };
                json!({"TargetGroupArn": "tg/web", "Target": {"Id": format!("10.0.0.{number}"), "Port": 80},
                    "TargetHealth": {"State": state}})
            })
            .collect();
        let check = json!({"command": ["CMD", "check"], "interval": 10, "timeout": 5, "retries": 3, "startPeriod": 60});
        snapshot(json!({
            "services": [{"serviceName": "web", "desiredCount": self.desired, "launchType": "FARGATE",
                "loadBalancers": balancers, "deployments": deployments}],
            "tasks": tasks,
            "targetHealth": targets,
            "taskDefinitions": [{"taskDefinitionArn": "web:2", "family": "web", "revision": 2, "networkMode": "awsvpc",
                "cpu": self.cpu, "memory": self.memory, "requiresCompatibilities": ["FARGATE"],
                "containerDefinitions": [{"name": "app", "memory": self.container_memory,
                    "healthCheck": if self.has_check { check } else { Value::Null }}]}],
        }))
    }

    fn task(&self, number: i64, second: i64, flaw: Flaw) -> Value {
        let at = |when: i64| if second >= when { json!(BEGAN + when) } else { Value::Null };
        let (pulls, pulled) = (self.provision, self.provision + self.pull);
        let crashed = flaw == Flaw::Crashes && second >= self.started();
        let status = match second {
            _ if crashed => "STOPPED",
            second if second < pulls => "PROVISIONING",
            second if second < self.started() => "PENDING",
            _ => "RUNNING",
        };
        let health = match flaw {
            _ if !self.has_check || second < self.healthy() => "UNKNOWN",
            Flaw::None => "HEALTHY",
            _ => "UNHEALTHY",
        };
        json!({"taskArn": format!("arn/task/prod/{number}"), "startedBy": "ecs-svc/2", "taskDefinitionArn": "web:2",
            "lastStatus": status, "desiredStatus": if crashed { "STOPPED" } else { "RUNNING" },
            "stopCode": if crashed { json!("EssentialContainerExited") } else { Value::Null },
            "createdAt": BEGAN, "pullStartedAt": at(pulls), "pullStoppedAt": at(pulled), "startedAt": at(self.started()),
            "stoppedAt": if crashed { at(self.started()) } else { Value::Null },
            "containers": [{"name": "app", "lastStatus": status, "healthStatus": health,
                "exitCode": if crashed { json!(1) } else { Value::Null },
                "networkInterfaces": [{"privateIpv4Address": format!("10.0.0.{number}")}]}]})
    }
}

fn asked(known: &Snapshot, second: i64) -> Rollout<'_> {
    Rollout { now: at(BEGAN + second), ..rollout(known) }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        rng_seed: RngSeed::Fixed(0x006d_6564_6963),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Feature: deployment-infrastructure-reliability, Property 1: For any ECS service deployment with valid
    /// configuration, the service should start successfully within the specified timeout period and pass all
    /// health checks.
    #[test]
    fn a_valid_deployment_that_starts_in_time_is_reported_as_succeeded(plan in plans(), steps in 3i64..40) {
        let mut before = 0.0;
        for step in 0..=steps {
            let second = plan.ends() * step / steps;
            let known = plan.seen(second, Flaw::None);
            let rollout = asked(&known, second);
            let status = status(&rollout);
            let outcome = outcome(&rollout);
            prop_assert!(status.progress >= before, "{} after {before} at {second}", status.progress);
            prop_assert!(status.issues.is_empty(), "{:?}", status.issues);
            before = status.progress;
            if second < plan.ends() {
                prop_assert_eq!(outcome.state, State::Running, "{}", second);
                prop_assert!(status.progress < 1.0 && !status.phase.is_final());
            }
        }
        let known = plan.seen(plan.ends(), Flaw::None);
        let rollout = asked(&known, plan.ends());
        prop_assert_eq!(outcome(&rollout).state, State::Succeeded);
        prop_assert_eq!(status(&rollout).phase, Phase::Completed);
        prop_assert_eq!(before, 1.0);
        let health = health(&rollout);
        prop_assert_eq!(health.overall, HealthState::Healthy, "{:?}", health);
        prop_assert!(health.containers.iter().all(|container| container.checked == plan.has_check));
        prop_assert_eq!(health.load_balancer.healthy, if plan.has_balancer { plan.desired as u64 } else { 0 });
        let took = metrics(&rollout, Counts::default(), None).duration;
        prop_assert_eq!(took, Some(plan.ends() as f64));
    }

    /// Feature: deployment-infrastructure-reliability, Property 1: For any ECS service deployment with valid
    /// configuration, the service should start successfully within the specified timeout period and pass all
    /// health checks.
    #[test]
    fn a_deployment_that_is_not_done_in_time_has_not_succeeded(
        plan in plans(),
        timeout in 60i64..3600,
        slow in 0usize..3,
        late in 1i64..900,
        later in 0i64..2000,
        gave_up in prop::sample::select(vec!["UPDATE_FAILED", "UPDATE_ROLLBACK_FAILED", "UPDATE_ROLLBACK_COMPLETE"]),
    ) {
        let mut plan = plan;
        let waits = [&mut plan.provision, &mut plan.pull, &mut plan.warm];
        *waits.into_iter().nth(slow).expect("one of three") += timeout;
        let known = plan.seen(timeout, Flaw::None);
        prop_assert_eq!(outcome(&asked(&known, timeout)).state, State::Running, "when the time is over");
        // CloudFormation stops waiting; that the service comes up all the same does not make the deployment a success.
        let second = timeout + late + later;
        let mut known = plan.seen(second, Flaw::None);
        known.merge(snapshot(json!({"stacks": [{
            "StackName": "shop", "StackStatus": gave_up, "LastUpdatedTime": BEGAN - 60,
            "StackStatusReason": "Resource handler returned message: \"Exceeded attempts to wait\"",
        }]})));
        let rollout = Rollout { stack: Some("shop"), ..asked(&known, second) };
        let told = outcome(&rollout);
        prop_assert_eq!(told.state, if second < plan.ends() { State::Running } else { State::Failed }, "{}", told.says);
        prop_assert!(second < plan.ends() || told.layers_disagree && told.says.contains("timed out"), "{}", told.says);
    }

    /// Feature: deployment-infrastructure-reliability, Property 2: For any container deployment, if the allocated
    /// resources meet the minimum requirements, the container should start successfully and maintain stable
    /// operation.
    #[test]
    fn with_enough_resources_tasks_start_and_a_crash_is_never_called_stable(plan in plans(), later in 0i64..900) {
        let second = plan.started() + later;
        let known = plan.seen(second, Flaw::None);
        for check in [Check::FargateSizeValid, Check::ContainerMemoryFits] {
            let results = check.run(&known);
            prop_assert!(!results.is_empty() && !results.iter().any(|result| result.is_violated()), "{results:?}");
        }
        let rollout = asked(&known, second);
        prop_assert!(stopped(&known, rollout.id).is_empty());
        prop_assert!(status(&rollout).phase >= Phase::HealthChecking && status(&rollout).phase <= Phase::Completed);
        let crashed = plan.seen(second, Flaw::Crashes);
        let rollout = asked(&crashed, second);
        let status = status(&rollout);
        prop_assert_eq!(status.phase, Phase::Failing);
        prop_assert!(outcome(&rollout).state != State::Succeeded);
        prop_assert_eq!(stopped(&crashed, rollout.id).first().map(|group| group.tasks.len() as i64), Some(plan.desired));
        prop_assert_eq!(health(&rollout).overall, HealthState::Unhealthy);
        prop_assert!(!status.issues.is_empty());
    }

    /// Feature: deployment-infrastructure-reliability, Property 3: For any deployed service with configured health
    /// checks, the health check endpoint should return successful responses when the service is operational.
    #[test]
    fn a_service_is_healthy_exactly_when_its_health_checks_pass(
        mut plan in plans(),
        checks in prop::sample::select(vec![(true, false), (false, true), (true, true)]),
        second in 0i64..1000,
        is_well in any::<bool>(),
    ) {
        (plan.has_check, plan.has_balancer) = checks;
        let known = plan.seen(second, if is_well { Flaw::None } else { Flaw::NeverHealthy });
        let rollout = asked(&known, second);
        let passes = is_well && second >= plan.healthy();
        let overall = health(&rollout).overall;
        prop_assert_eq!(overall == HealthState::Healthy, passes, "{:?} at {}", overall, second);
        prop_assert_eq!(overall == HealthState::Unhealthy, !is_well && second >= plan.healthy());
        prop_assert!(outcome(&rollout).state != State::Succeeded || passes);
    }
}
