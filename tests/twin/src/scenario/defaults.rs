//! What a scenario has where it says nothing.

use super::{
    Account, Answer, CircuitBreaker, HealthCheck, LoadBalancer, OnFailure, Pipeline, Scenario, Service,
    StackPlan, Version,
};
use std::collections::BTreeMap;

impl Default for Scenario {
    fn default() -> Self {
        Self {
            title: String::new(),
            seed: 1,
            account: Account::default(),
            service: Service::default(),
            load_balancer: LoadBalancer::default(),
            stack: None,
            deploy: None,
            versions: Vec::new(),
            faults: Vec::new(),
            alarms: Vec::new(),
            composite_alarms: Vec::new(),
            pipeline: None,
        }
    }
}

impl Default for Account {
    fn default() -> Self {
        Self {
            id: "111122223333".to_owned(),
            region: "eu-central-1".to_owned(),
            cluster: "shop".to_owned(),
            queue: "medic-events".to_owned(),
        }
    }
}

impl Default for Service {
    fn default() -> Self {
        Self {
            name: "web".to_owned(),
            desired: 2,
            container: "web".to_owned(),
            port: 8080,
            repository: "shop/web".to_owned(),
            log_group: "/ecs/web".to_owned(),
            minimum_healthy_percent: 100,
            maximum_percent: 200,
            grace_period: 0,
            circuit_breaker: CircuitBreaker::default(),
            alarms: None,
            exists: true,
        }
    }
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self { enable: true, rollback: true, threshold: None }
    }
}

impl Default for LoadBalancer {
    fn default() -> Self {
        Self {
            enabled: true,
            path: "/health".to_owned(),
            interval: 10_000,
            timeout: 5_000,
            healthy_threshold: 2,
            unhealthy_threshold: 2,
            deregistration_delay: 10_000,
        }
    }
}

impl Default for StackPlan {
    fn default() -> Self {
        Self {
            name: "shop-web".to_owned(),
            stabilize: 3 * 60 * 60 * 1000,
            on_failure: OnFailure::Rollback,
            rollback_error: None,
            change_set_error: None,
            nested: None,
            hook: None,
        }
    }
}

impl Default for Version {
    fn default() -> Self {
        Self {
            image: "latest".to_owned(),
            cpu: 256,
            memory: 512,
            pull: 6_000,
            pull_error: None,
            init_error: None,
            placement_error: None,
            placeable_from: None,
            start: 3_000,
            exit: None,
            answers: Answer::Code(200),
            health_check: None,
            sigterm_exit: 0,
            ignores_sigterm: false,
            log: Vec::new(),
            environment: BTreeMap::new(),
            secrets: BTreeMap::new(),
            cpu_percent: 12.0,
            memory_percent: 38.0,
            memory_growth: 0.0,
            architecture: "X86_64".to_owned(),
            in_registry: true,
        }
    }
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            command: "curl -fsS http://localhost:8080/health || exit 1".to_owned(),
            interval: 10_000,
            timeout: 5_000,
            retries: 3,
            start_period: 0,
            fails: false,
        }
    }
}

impl Default for Pipeline {
    fn default() -> Self {
        Self { repository: "shop/web".to_owned(), run: 7001, jobs: Vec::new() }
    }
}
