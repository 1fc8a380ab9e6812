//! A service on Fargate behind a load balancer, as the AWS CLI describes it.

use analyzer::checks::{Check, CheckResult, Outcome};
use analyzer::diagnosis::Diagnosis;
use analyzer::record::Source;
use medic::formats::{Collected, Sink, read_text};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::given::{book, stream};

/// What differs from service to service.
#[derive(Clone, Debug)]
pub struct World {
    pub name: String,
    pub desired: i64,
    pub port: i64,
    pub cpu: i64,
    pub memory: i64,
    /// Of the container.
    pub container_memory: i64,
    pub interval: i64,
    pub timeout: i64,
    pub retries: i64,
    pub start_period: i64,
}

/// Services that are set up soundly.
pub fn valid() -> impl Strategy<Value = World> {
    let size = prop::sample::select(sizes());
    let health = (10i64..=300, 2i64..=10, 1i64..=10, 0i64..=300);
    ("[a-z][a-z0-9]{2,11}", 1i64..=6, 1024i64..=65_535, size, 1i64..=100, health).prop_map(
        |(name, desired, port, (cpu, memory), share, (interval, timeout, retries, start_period))| World {
            name,
            desired,
            port,
            cpu,
            memory,
            container_memory: (memory * share / 100).max(6),
            interval,
            timeout,
            retries,
            start_period,
        },
    )
}

/// The sizes that Fargate documents, in CPU units and MiB.
pub fn sizes() -> Vec<(i64, i64)> {
    let gigabytes = |cpu: i64, from: i64, to: i64, step: i64| {
        (from..=to).step_by(step as usize).map(move |gigabytes| (cpu, gigabytes * 1024))
    };
    let small = [(256, 512), (256, 1024), (256, 2048)].into_iter();
    small
        .chain(gigabytes(512, 1, 4, 1))
        .chain(gigabytes(1024, 2, 8, 1))
        .chain(gigabytes(2048, 4, 16, 1))
        .chain(gigabytes(4096, 8, 30, 1))
        .chain(gigabytes(8192, 16, 60, 4))
        .chain(gigabytes(16_384, 32, 120, 8))
        .collect()
}

/// The answers of describe-services, describe-task-definition, describe-target-groups and describe-target-health.
#[derive(Clone, Debug)]
pub struct Answers {
    pub services: Value,
    pub task_definition: Value,
    pub target_groups: Value,
    pub target_health: Value,
}

impl World {
    pub fn answers(&self) -> Answers {
        let World { name, desired, port, .. } = self;
        let arn = |service: &str, rest: &str| format!("arn:aws:{service}:eu-west-1:111122223333:{rest}");
        let group = arn("elasticloadbalancing", &format!("targetgroup/{name}/73e2d6bc24d8a067"));
        let definition = arn("ecs", &format!("task-definition/{name}:7"));
        let target = |number| {
            json!({
                "Target": {"Id": format!("10.0.12.{}", 10 + number), "Port": port},
                "HealthCheckPort": port.to_string(),
                "TargetHealth": {"State": "healthy"},
            })
        };
        Answers {
            services: json!({"failures": [], "services": [{
                "serviceArn": arn("ecs", &format!("service/prod/{name}")),
                "serviceName": name,
                "clusterArn": arn("ecs", "cluster/prod"),
                "status": "ACTIVE",
                "desiredCount": desired, "runningCount": desired, "pendingCount": 0,
                "launchType": "FARGATE",
                "taskDefinition": definition,
                "loadBalancers": [{"targetGroupArn": group, "containerName": "app", "containerPort": port}],
                "deploymentConfiguration": {
                    "deploymentCircuitBreaker": {"enable": true, "rollback": true},
                    "maximumPercent": 200, "minimumHealthyPercent": 100,
                },
                "deployments": [{
                    "id": "ecs-svc/8203946571120493857", "status": "PRIMARY", "taskDefinition": definition,
                    "desiredCount": desired, "runningCount": desired, "pendingCount": 0, "failedTasks": 0,
                    "createdAt": "2026-05-12T09:13:58+00:00", "updatedAt": "2026-05-12T09:17:40+00:00",
                    "rolloutState": "COMPLETED",
                    "rolloutStateReason": "ECS deployment ecs-svc/8203946571120493857 completed.",
                }],
                "events": [
                    {"id": "2", "createdAt": "2026-05-12T09:17:40+00:00",
                     "message": format!("(service {name}) has reached a steady state.")},
                    {"id": "1", "createdAt": "2026-05-12T09:14:02+00:00",
                     "message": format!("(service {name}) has started {desired} tasks: (task c3a95e7f106b4d28a4f7129be8d0635c).")},
                ],
                "networkConfiguration": {"awsvpcConfiguration": {
                    "subnets": ["subnet-0c41a7e2b95f3d816"], "securityGroups": ["sg-0e5b7a92c4d1f3680"],
                    "assignPublicIp": "DISABLED",
                }},
                "healthCheckGracePeriodSeconds": self.start_period,
            }]}),
            task_definition: json!({"taskDefinition": {
                "taskDefinitionArn": definition, "family": name, "revision": 7, "status": "ACTIVE",
                "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "compatibilities": ["EC2", "FARGATE"],
                "cpu": self.cpu.to_string(), "memory": self.memory.to_string(),
                "executionRoleArn": "arn:aws:iam::111122223333:role/execution",
                "containerDefinitions": [{
                    "name": "app", "essential": true, "cpu": 0, "memory": self.container_memory,
                    "image": format!("111122223333.dkr.ecr.eu-west-1.amazonaws.com/{name}:1.4.0"),
                    "portMappings": [{"containerPort": port, "hostPort": port, "protocol": "tcp"}],
                    "healthCheck": {
                        "command": ["CMD-SHELL", "curl -f http://localhost/ || exit 1"],
                        "interval": self.interval, "timeout": self.timeout,
                        "retries": self.retries, "startPeriod": self.start_period,
                    },
                    "logConfiguration": {"logDriver": "awslogs", "options": {
                        "awslogs-group": format!("/ecs/{name}"), "awslogs-region": "eu-west-1",
                        "awslogs-stream-prefix": "app",
                    }},
                }],
            }}),
            target_groups: json!({"TargetGroups": [{
                "TargetGroupArn": group, "TargetGroupName": name, "Protocol": "HTTP", "Port": port,
                "TargetType": "ip", "HealthCheckEnabled": true, "HealthCheckProtocol": "HTTP",
                "HealthCheckPort": "traffic-port", "HealthCheckPath": "/health",
                "HealthCheckIntervalSeconds": 30, "HealthCheckTimeoutSeconds": 5,
                "HealthyThresholdCount": 5, "UnhealthyThresholdCount": 2, "Matcher": {"HttpCode": "200"},
            }]}),
            target_health: json!({"TargetHealthDescriptions": (0..*desired).map(target).collect::<Vec<_>>()}),
        }
    }
}

impl Answers {
    pub fn collected(&self) -> Collected {
        let mut collected = Collected::default();
        for (name, answer) in [
            ("services.json", &self.services),
            ("task-definition.json", &self.task_definition),
            ("target-groups.json", &self.target_groups),
            ("target-health.json", &self.target_health),
        ] {
            let mut read = read_text(name, None, &answer.to_string());
            collected.records(&mut read.records);
            collected.snapshot(read.snapshot);
        }
        collected
    }

    pub fn diagnosis(&self) -> Diagnosis {
        self.diagnosis_with("")
    }

    /// Diagnoses what is described, and what the container said.
    pub fn diagnosis_with(&self, log: &str) -> Diagnosis {
        let mut collected = self.collected();
        collected.records(&mut stream("app", Source::ContainerLog, log).records);
        analyzer::diagnose(book(), &collected.records, &collected.snapshot, Vec::new())
    }

    pub fn results(&self, check: Check) -> Vec<CheckResult> {
        check.run(&self.collected().snapshot)
    }

    /// Whether the check was decided for at least one subject, and holds for all.
    pub fn holds(&self, check: Check) -> bool {
        let results = self.results(check);
        !results.is_empty() && results.iter().all(|result| result.outcome == Outcome::Holds)
    }

    pub fn violates(&self, check: Check) -> bool {
        self.results(check).iter().any(CheckResult::is_violated)
    }

    pub fn service(&mut self) -> &mut Value {
        &mut self.services["services"][0]
    }

    pub fn container(&mut self) -> &mut Value {
        &mut self.task_definition["taskDefinition"]["containerDefinitions"][0]
    }

    pub fn target(&mut self) -> &mut Value {
        &mut self.target_health["TargetHealthDescriptions"][0]
    }
}
