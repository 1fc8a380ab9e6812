//! How ECS shows what it has: tasks, services, deployments, task definitions.

use crate::wire::{maybe_time, present, time};
use crate::world::service::Rollout;
use crate::world::task::{Health, Task, TaskStatus};
use crate::world::{Deployment, RolloutState, Service, World};
use serde_json::{Value, json};

/// Returns a task as DescribeTasks and EventBridge show it.
pub fn task_json(world: &World, task: &Task) -> Value {
    let behaviour = world.behaviour(task.definition);
    let definition = &world.definitions[task.definition];
    let scenario = &world.scenario;
    let attachment = world.uuid("attachment", task.number);
    let pending = task.status < TaskStatus::Activating;
    let attached = match task.status {
        TaskStatus::Provisioning => "PRECREATED",
        TaskStatus::Stopped => "DELETED",
        _ => "ATTACHED",
    };
    let arn = world.task_arn(task);
    let health = health_word(task.health);
    let container_status = match task.status {
        TaskStatus::Provisioning | TaskStatus::Pending | TaskStatus::Activating => "PENDING",
        TaskStatus::Running | TaskStatus::Deactivating | TaskStatus::Stopping
            if task.execution_stopped.is_none() =>
        {
            "RUNNING"
        }
        _ => "STOPPED",
    };
    present(json!({
        "attachments": [{
            "id": attachment,
            "type": "ElasticNetworkInterface",
            "status": attached,
            "details": [
                { "name": "subnetId", "value": subnet(world, task.number) },
                { "name": "networkInterfaceId", "value": format!("eni-{:017x}", world.draw("eni", task.number) >> 4) },
                { "name": "privateIPv4Address", "value": task.ip() },
            ],
        }],
        "attributes": [{ "name": "ecs.cpu-architecture", "value": if behaviour.architecture == "ARM64" { "arm64" } else { "x86_64" } }],
        "availabilityZone": task.zone(world),
        "clusterArn": world.cluster_arn(),
        "connectivity": (!pending).then_some("CONNECTED"),
        "connectivityAt": maybe_time(task.pull_started.filter(|_| !pending)),
        "containers": [{
            "containerArn": world.arn("ecs", &format!("container/{}/{}/{}", scenario.account.cluster, task.id, world.uuid("container", task.number))),
            "taskArn": arn,
            "name": scenario.service.container,
            "image": definition.image,
            "imageDigest": task.started.map(|_| digest(world, task.definition)),
            "runtimeId": task.started.map(|_| runtime_id(world, task)),
            "lastStatus": container_status,
            "exitCode": task.exit_code,
            "reason": task.container_reason,
            "networkBindings": [],
            "networkInterfaces": [{ "attachmentId": attachment, "privateIpv4Address": task.ip() }],
            "healthStatus": health,
            "cpu": "0",
        }],
        "cpu": behaviour.cpu.to_string(),
        "createdAt": time(task.created),
        "desiredStatus": if task.wanted { "RUNNING" } else { "STOPPED" },
        "enableExecuteCommand": false,
        "executionStoppedAt": maybe_time(task.execution_stopped),
        "group": format!("service:{}", scenario.service.name),
        "healthStatus": health,
        "lastStatus": task.status.word(),
        "launchType": "FARGATE",
        "memory": behaviour.memory.to_string(),
        "overrides": { "containerOverrides": [{ "name": scenario.service.container }], "inferenceAcceleratorOverrides": [] },
        "platformVersion": "1.4.0",
        "platformFamily": "Linux",
        "pullStartedAt": maybe_time(task.pull_started),
        "pullStoppedAt": maybe_time(task.pull_stopped),
        "startedAt": maybe_time(task.started),
        "startedBy": format!("ecs-svc/{}", task.deployment),
        "stopCode": task.stop_code,
        "stoppedAt": maybe_time(task.stopped),
        "stoppedReason": task.stopped_reason,
        "stoppingAt": maybe_time(task.stopping),
        "tags": [],
        "taskArn": arn,
        "taskDefinitionArn": world.definition_arn(task.definition),
        "version": task.version,
        "ephemeralStorage": { "sizeInGiB": 20 },
        "fargateEphemeralStorage": { "sizeInGiB": 20 },
    }))
}

/// Returns the id that the container runtime gave to a task's container.
pub fn runtime_id(world: &World, task: &Task) -> String {
    format!("{}-{}", task.id, world.draw("runtime", task.number) % 10_000_000_000)
}

/// Returns the digest of the image of a task definition.
pub fn digest(world: &World, definition: usize) -> String {
    image_digest(world, &world.definitions[definition].image)
}

/// Returns the digest of an image.
pub fn image_digest(world: &World, image: &str) -> String {
    (0..4).fold("sha256:".to_owned(), |text, part| format!("{text}{:016x}", world.draw(image, part)))
}

/// Returns the subnet in which tasks with even or odd numbers run.
pub fn subnet(world: &World, number: u64) -> String {
    format!("subnet-{:017x}", world.draw("subnet", number % 2) >> 4)
}

/// Returns the security group of tasks and load balancer.
pub fn security_group(world: &World) -> String {
    format!("sg-{:017x}", world.draw("security-group", 0) >> 4)
}

/// Returns the service as DescribeServices shows it.
pub fn service_json(world: &World, service: &Service) -> Value {
    let scenario = &world.scenario;
    let definition = service
        .primary()
        .map(|known| known.definition)
        .or(service.revisions.last().map(|revision| revision.definition))
        .unwrap_or_default();
    // ECS keeps the latest hundred, newest first.
    let events: Vec<Value> = service
        .events
        .iter()
        .rev()
        .take(100)
        .map(|event| json!({ "id": event.id, "createdAt": time(event.at), "message": event.text }))
        .collect();
    present(json!({
        "serviceArn": world.service_arn(),
        "serviceName": scenario.service.name,
        "clusterArn": world.cluster_arn(),
        "loadBalancers": load_balancers(world),
        "serviceRegistries": [],
        "status": service.status,
        "desiredCount": service.desired,
        "runningCount": running(world, None),
        "pendingCount": pending(world, None),
        "launchType": "FARGATE",
        "platformVersion": "LATEST",
        "platformFamily": "Linux",
        "taskDefinition": world.definition_arn(definition),
        "deploymentConfiguration": configuration(world),
        "deployments": service.deployments.iter().enumerate().map(|(at, known)| deployment_json(world, service, at, known)).collect::<Vec<_>>(),
        "roleArn": format!("arn:aws:iam::{}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS", scenario.account.id),
        "events": events,
        "createdAt": time(service.created),
        "currentServiceDeployment": service.rollouts.last().filter(|rollout| rollout.finished.is_none()).map(|rollout| rollout_arn(world, rollout)),
        "currentServiceRevisions": service.deployments.iter().map(|known| json!({
            "arn": revision_arn(world, known.revision),
            "requestedTaskCount": wanted(world, service, known),
            "runningTaskCount": running(world, Some(known.id)),
            "pendingTaskCount": pending(world, Some(known.id)),
        })).collect::<Vec<_>>(),
        "placementConstraints": [],
        "placementStrategy": [],
        "networkConfiguration": network(world),
        "healthCheckGracePeriodSeconds": scenario.service.grace_period / 1000,
        "schedulingStrategy": "REPLICA",
        "deploymentController": { "type": "ECS" },
        "createdBy": format!("arn:aws:iam::{}:role/deployer", scenario.account.id),
        "enableECSManagedTags": false,
        "propagateTags": "NONE",
        "enableExecuteCommand": false,
        "availabilityZoneRebalancing": "DISABLED",
    }))
}

fn deployment_json(world: &World, service: &Service, at: usize, known: &Deployment) -> Value {
    json!({
        "id": format!("ecs-svc/{}", known.id),
        "status": if at == 0 { "PRIMARY" } else { "ACTIVE" },
        "taskDefinition": world.definition_arn(known.definition),
        "desiredCount": wanted(world, service, known),
        "pendingCount": pending(world, Some(known.id)),
        "runningCount": running(world, Some(known.id)),
        "failedTasks": known.failed,
        "createdAt": time(known.created),
        "updatedAt": time(known.updated),
        "launchType": "FARGATE",
        "platformVersion": "1.4.0",
        "platformFamily": "Linux",
        "networkConfiguration": network(world),
        "rolloutState": match known.state {
            RolloutState::InProgress => "IN_PROGRESS",
            RolloutState::Completed => "COMPLETED",
            RolloutState::Failed => "FAILED",
        },
        "rolloutStateReason": known.reason,
    })
}

/// Returns a revision of the task definition as it is described.
pub fn definition_json(world: &World, index: usize) -> Value {
    let definition = &world.definitions[index];
    let scenario = &world.scenario;
    let behaviour = world.behaviour(index);
    let pairs = |pairs: &std::collections::BTreeMap<String, String>, key: &str| -> Vec<Value> {
        pairs.iter().map(|(name, value)| json!({ "name": name, key: value })).collect()
    };
    let check = behaviour.health_check.as_ref().map(|check| {
        json!({
            "command": ["CMD-SHELL", check.command],
            "interval": check.interval / 1000,
            "timeout": check.timeout / 1000,
            "retries": check.retries,
            "startPeriod": (check.start_period > 0).then_some(check.start_period / 1000),
        })
    });
    let containers = json!([{
        "name": scenario.service.container,
        "image": definition.image,
        "cpu": 0,
        "portMappings": [{ "containerPort": scenario.service.port, "hostPort": scenario.service.port, "protocol": "tcp" }],
        "essential": true,
        "environment": pairs(&behaviour.environment, "value"),
        "secrets": pairs(&behaviour.secrets, "valueFrom"),
        "mountPoints": [],
        "volumesFrom": [],
        "systemControls": [],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": scenario.service.log_group,
                "awslogs-region": scenario.account.region,
                "awslogs-stream-prefix": scenario.service.name,
            },
        },
        "healthCheck": check,
    }]);
    let given = definition.given.as_ref();
    let own = |name: &str, otherwise: Value| {
        given.map_or(otherwise.clone(), |given| match &given[name] {
            Value::Null => otherwise,
            value => value.clone(),
        })
    };
    let role =
        |name: &str| json!(format!("arn:aws:iam::{}:role/{}-{name}", scenario.account.id, definition.family));
    present(json!({
        "taskDefinitionArn": world.definition_arn(index),
        "containerDefinitions": own("containerDefinitions", containers),
        "family": definition.family,
        "taskRoleArn": own("taskRoleArn", role("task")),
        "executionRoleArn": own("executionRoleArn", role("execution")),
        "networkMode": own("networkMode", json!("awsvpc")),
        "revision": definition.revision,
        "volumes": own("volumes", json!([])),
        "status": "ACTIVE",
        "requiresAttributes": [{ "name": "com.amazonaws.ecs.capability.logging-driver.awslogs" }, { "name": "ecs.capability.task-eni" }],
        "placementConstraints": [],
        "compatibilities": ["EC2", "FARGATE"],
        "runtimePlatform": own("runtimePlatform", json!({ "cpuArchitecture": behaviour.architecture, "operatingSystemFamily": "LINUX" })),
        "requiresCompatibilities": own("requiresCompatibilities", json!(["FARGATE"])),
        "cpu": own("cpu", json!(behaviour.cpu.to_string())),
        "memory": own("memory", json!(behaviour.memory.to_string())),
        "registeredAt": time(definition.registered),
        "registeredBy": format!("arn:aws:sts::{}:assumed-role/deployer/ci", scenario.account.id),
    }))
}

/// Returns a service deployment as it is described.
pub fn rollout_json(world: &World, service: &Service, rollout: &Rollout) -> Value {
    let counts = |revision: u64| {
        let of = |count: fn(&World, Option<u64>) -> usize| -> usize {
            let ids = service.deployments.iter().filter(|known| known.revision == revision);
            ids.map(|known| count(world, Some(known.id))).sum()
        };
        let requested: u32 = service
            .deployments
            .iter()
            .filter(|known| known.revision == revision)
            .map(|known| wanted(world, service, known))
            .sum();
        json!({
            "arn": revision_arn(world, revision),
            "requestedTaskCount": requested,
            "runningTaskCount": of(running),
            "pendingTaskCount": of(pending),
        })
    };
    let stage = if rollout.finished.is_none() { Some("SCALE_UP") } else { None };
    present(json!({
        "serviceDeploymentArn": rollout_arn(world, rollout),
        "serviceArn": world.service_arn(),
        "clusterArn": world.cluster_arn(),
        "createdAt": time(rollout.created),
        "startedAt": time(rollout.created),
        "finishedAt": maybe_time(rollout.finished),
        "stoppedAt": maybe_time(rollout.stopped),
        "updatedAt": time(rollout.updated),
        "sourceServiceRevisions": rollout.source.map(counts).into_iter().collect::<Vec<_>>(),
        "targetServiceRevision": counts(rollout.revision),
        "status": rollout.status,
        "statusReason": rollout.reason,
        "lifecycleStage": stage,
        "deploymentConfiguration": configuration(world),
        "rollback": rollout.rollback.as_ref().map(|rollback| json!({
            "reason": rollback.reason,
            "startedAt": time(rollback.at),
            "serviceRevisionArn": revision_arn(world, rollback.revision),
        })),
        "deploymentCircuitBreaker": {
            "status": rollout.breaker,
            "failureCount": rollout.failures,
            "threshold": rollout.threshold,
        },
        "alarms": world.scenario.service.alarms.as_ref().map(|watch| json!({
            "status": match rollout.finished {
                _ if !rollout.alarms.is_empty() => "TRIGGERED",
                None => "MONITORING",
                Some(_) => "MONITORING_COMPLETE",
            },
            "alarmNames": watch.names,
            "triggeredAlarmNames": rollout.alarms,
        })),
    }))
}

fn configuration(world: &World) -> Value {
    let service = &world.scenario.service;
    let breaker = &service.circuit_breaker;
    present(json!({
        "deploymentCircuitBreaker": { "enable": breaker.enable, "rollback": breaker.rollback },
        "maximumPercent": service.maximum_percent,
        "minimumHealthyPercent": service.minimum_healthy_percent,
        "alarms": service.alarms.as_ref().map(|watch| json!({
            "alarmNames": watch.names,
            "enable": true,
            "rollback": watch.rollback,
        })),
        "strategy": "ROLLING",
    }))
}

/// Counts the tasks that run, of a deployment or of all.
pub fn running(world: &World, deployment: Option<u64>) -> usize {
    let of = |task: &&Task| deployment.is_none_or(|id| task.deployment == id);
    world.tasks.iter().filter(of).filter(|task| task.wanted && task.status == TaskStatus::Running).count()
}

/// Counts the tasks that do not run yet, of a deployment or of all.
pub fn pending(world: &World, deployment: Option<u64>) -> usize {
    let of = |task: &&Task| deployment.is_none_or(|id| task.deployment == id);
    world.tasks.iter().filter(of).filter(|task| task.wanted && task.status < TaskStatus::Running).count()
}

/// Returns how many tasks a deployment is meant to have now.
fn wanted(world: &World, service: &Service, deployment: &Deployment) -> u32 {
    if service.primary().is_some_and(|primary| primary.id == deployment.id) {
        return service.desired;
    }
    world.tasks.iter().filter(|task| task.wanted && task.deployment == deployment.id).count() as u32
}

fn health_word(health: Health) -> &'static str {
    match health {
        Health::Unknown => "UNKNOWN",
        Health::Healthy => "HEALTHY",
        Health::Unhealthy => "UNHEALTHY",
    }
}

/// Returns the target group as a service refers to it.
pub fn load_balancers(world: &World) -> Vec<Value> {
    let service = &world.scenario.service;
    if !world.scenario.load_balancer.enabled {
        return Vec::new();
    }
    vec![json!({
        "targetGroupArn": world.target_group_arn(),
        "containerName": service.container,
        "containerPort": service.port,
    })]
}

/// Returns where tasks are placed.
pub fn network(world: &World) -> Value {
    json!({ "awsvpcConfiguration": {
        "subnets": [subnet(world, 0), subnet(world, 1)],
        "securityGroups": [security_group(world)],
        "assignPublicIp": "DISABLED",
    } })
}

/// Returns the ARN of a service deployment.
pub fn rollout_arn(world: &World, rollout: &Rollout) -> String {
    let (cluster, service) = (&world.scenario.account.cluster, &world.scenario.service.name);
    world.arn("ecs", &format!("service-deployment/{cluster}/{service}/{}", rollout.id))
}

/// Returns the ARN of a service revision.
pub fn revision_arn(world: &World, revision: u64) -> String {
    let (cluster, service) = (&world.scenario.account.cluster, &world.scenario.service.name);
    world.arn("ecs", &format!("service-revision/{cluster}/{service}/{revision}"))
}
