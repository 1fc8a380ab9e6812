//! ECS: JSON 1.1, `AmazonEC2ContainerServiceV20141113`.

use crate::page::{self, whole};
use crate::wire::{Answer, ApiError, maybe_time, present, time};
use crate::world::service::{self, Rollout};
use crate::world::task::{self, Health, Task, TaskStatus};
use crate::world::{Deployment, HOUR, RolloutState, Service, World};
use serde_json::{Value, json};

/// Answers a call.
pub fn answer(world: &mut World, action: &str, params: &Value) -> Answer {
    if !matches!(action, "DescribeTaskDefinition" | "RegisterTaskDefinition" | "DescribeClusters") {
        check_cluster(world, params)?;
    }
    match action {
        "DescribeClusters" => describe_clusters(world, params),
        "ListServices" => list_services(world),
        "DescribeServices" => describe_services(world, params),
        "ListTasks" => list_tasks(world, params),
        "DescribeTasks" => describe_tasks(world, params),
        "DescribeTaskDefinition" => describe_task_definition(world, params),
        "ListServiceDeployments" => list_service_deployments(world, params),
        "DescribeServiceDeployments" => describe_service_deployments(world, params),
        "DescribeServiceRevisions" => describe_service_revisions(world, params),
        "RegisterTaskDefinition" => register_task_definition(world, params),
        "CreateService" => create_service(world, params),
        "UpdateService" => update_service(world, params),
        "StopTask" => stop_task(world, params),
        "StopServiceDeployment" => stop_service_deployment(world, params),
        _ => Err(page::unknown_action(action)),
    }
}

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
            "runtimeId": task.started.map(|_| format!("{}-{}", task.id, world.draw("runtime", task.number) % 10_000_000_000)),
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

pub fn security_group(world: &World) -> String {
    format!("sg-{:017x}", world.draw("security-group", 0) >> 4)
}

fn check_cluster(world: &World, params: &Value) -> Result<(), ApiError> {
    // Deployments and revisions are named by their ARN alone.
    let named = params["cluster"].as_str().or_else(|| {
        let by_arn = ["serviceDeploymentArns", "serviceRevisionArns", "serviceDeploymentArn"];
        by_arn.iter().any(|name| !params[name].is_null()).then_some(&world.scenario.account.cluster)
    });
    let named = named.unwrap_or("default");
    if named == world.scenario.account.cluster || named == world.cluster_arn() {
        return Ok(());
    }
    Err(ApiError::new("ClusterNotFoundException", "Cluster not found."))
}

fn describe_clusters(world: &World, params: &Value) -> Answer {
    let named = page::texts(params, "clusters");
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    let named = if named.is_empty() { vec!["default".to_owned()] } else { named };
    for name in named {
        if name != world.scenario.account.cluster && name != world.cluster_arn() {
            let arn =
                if name.starts_with("arn:") { name } else { world.arn("ecs", &format!("cluster/{name}")) };
            failures.push(json!({ "arn": arn, "reason": "MISSING" }));
            continue;
        }
        clusters.push(json!({
            "clusterArn": world.cluster_arn(),
            "clusterName": world.scenario.account.cluster,
            "status": "ACTIVE",
            "registeredContainerInstancesCount": 0,
            "runningTasksCount": running(world, None),
            "pendingTasksCount": pending(world, None),
            "activeServicesCount": u32::from(world.service.as_ref().is_some_and(|service| service.status == "ACTIVE")),
            "statistics": [],
            "tags": [],
            "settings": [],
            "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
            "defaultCapacityProviderStrategy": [],
        }));
    }
    Ok(json!({ "clusters": clusters, "failures": failures }))
}

fn list_services(world: &World) -> Answer {
    let listed = world.service.as_ref().filter(|service| service.status != "INACTIVE");
    let arns: Vec<String> = listed.map(|_| world.service_arn()).into_iter().collect();
    Ok(json!({ "serviceArns": arns }))
}

fn describe_services(world: &World, params: &Value) -> Answer {
    let named = page::texts(params, "services");
    if named.is_empty() || named.len() > 10 {
        return Err(ApiError::new("InvalidParameterException", "Services cannot be empty or more than 10."));
    }
    let (mut services, mut failures) = (Vec::new(), Vec::new());
    for name in named {
        match &world.service {
            Some(service) if is_service(world, &name) => services.push(service_json(world, service)),
            _ => {
                let arn = if name.starts_with("arn:") {
                    name
                } else {
                    world.arn("ecs", &format!("service/{}/{name}", world.scenario.account.cluster))
                };
                failures.push(json!({ "arn": arn, "reason": "MISSING" }));
            }
        }
    }
    Ok(json!({ "services": services, "failures": failures }))
}

fn service_json(world: &World, service: &Service) -> Value {
    let scenario = &world.scenario;
    let breaker = &scenario.service.circuit_breaker;
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
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": { "enable": breaker.enable, "rollback": breaker.rollback },
            "maximumPercent": scenario.service.maximum_percent,
            "minimumHealthyPercent": scenario.service.minimum_healthy_percent,
            "strategy": "ROLLING",
        },
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

fn list_tasks(world: &World, params: &Value) -> Answer {
    if let Some(name) = params["serviceName"].as_str()
        && !(is_service(world, name) && world.service.is_some())
    {
        return Err(service_not_found());
    }
    let stopped = params["desiredStatus"].as_str() == Some("STOPPED");
    let arns: Vec<Value> = world
        .tasks
        .iter()
        .filter(|task| task.wanted != stopped && is_remembered(world, task))
        .filter(|task| {
            params["family"].as_str().is_none_or(|family| world.definitions[task.definition].family == family)
        })
        .filter(|task| {
            params["startedBy"].as_str().is_none_or(|by| format!("ecs-svc/{}", task.deployment) == by)
        })
        .map(|task| json!(world.task_arn(task)))
        .collect();
    page::answer("taskArns", arns, params, "nextToken", "maxResults", 100)
}

fn describe_tasks(world: &World, params: &Value) -> Answer {
    let named = page::texts(params, "tasks");
    if named.is_empty() || named.len() > 100 {
        return Err(ApiError::new("InvalidParameterException", "Tasks cannot be empty or more than 100."));
    }
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for name in named {
        match find_task(world, &name) {
            Some(index) => tasks.push(task_json(world, &world.tasks[index])),
            None => {
                let arn = if name.starts_with("arn:") {
                    name
                } else {
                    world.arn("ecs", &format!("task/{}/{name}", world.scenario.account.cluster))
                };
                failures.push(json!({ "arn": arn, "reason": "MISSING" }));
            }
        }
    }
    Ok(json!({ "tasks": tasks, "failures": failures }))
}

fn describe_task_definition(world: &World, params: &Value) -> Answer {
    let index = find_definition(world, params["taskDefinition"].as_str().unwrap_or_default())?;
    Ok(json!({ "taskDefinition": definition_json(world, index), "tags": [] }))
}

fn definition_json(world: &World, index: usize) -> Value {
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

fn list_service_deployments(world: &World, params: &Value) -> Answer {
    let service = named_service(world, params)?;
    let statuses = page::texts(params, "status");
    let after = params["createdAt"]["after"].as_f64().map(|at| (at * 1000.0) as i64);
    let before = params["createdAt"]["before"].as_f64().map(|at| (at * 1000.0) as i64);
    let rollouts: Vec<Value> = service
        .rollouts
        .iter()
        .rev()
        .filter(|rollout| statuses.is_empty() || statuses.iter().any(|status| status == rollout.status))
        .filter(|rollout| after.is_none_or(|after| rollout.created >= after))
        .filter(|rollout| before.is_none_or(|before| rollout.created <= before))
        .map(|rollout| {
            present(json!({
                "serviceDeploymentArn": rollout_arn(world, rollout),
                "serviceArn": world.service_arn(),
                "clusterArn": world.cluster_arn(),
                "startedAt": time(rollout.created),
                "createdAt": time(rollout.created),
                "finishedAt": maybe_time(rollout.finished),
                "targetServiceRevisionArn": revision_arn(world, rollout.revision),
                "status": rollout.status,
                "statusReason": rollout.reason,
            }))
        })
        .collect();
    page::answer("serviceDeployments", rollouts, params, "nextToken", "maxResults", 100)
}

fn describe_service_deployments(world: &World, params: &Value) -> Answer {
    let named = page::texts(params, "serviceDeploymentArns");
    if named.is_empty() || named.len() > 20 {
        return Err(ApiError::new(
            "InvalidParameterException",
            "Provide between 1 and 20 service deployment ARNs.",
        ));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in named {
        let rollout = world
            .service
            .as_ref()
            .and_then(|service| service.rollouts.iter().find(|rollout| rollout_arn(world, rollout) == name));
        match (rollout, &world.service) {
            (Some(rollout), Some(service)) => found.push(rollout_json(world, service, rollout)),
            _ => failures.push(json!({ "arn": name, "reason": "MISSING" })),
        }
    }
    Ok(json!({ "serviceDeployments": found, "failures": failures }))
}

fn rollout_json(world: &World, service: &Service, rollout: &Rollout) -> Value {
    let breaker = &world.scenario.service.circuit_breaker;
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
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": { "enable": breaker.enable, "rollback": breaker.rollback },
            "maximumPercent": world.scenario.service.maximum_percent,
            "minimumHealthyPercent": world.scenario.service.minimum_healthy_percent,
            "strategy": "ROLLING",
        },
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
    }))
}

fn describe_service_revisions(world: &World, params: &Value) -> Answer {
    let named = page::texts(params, "serviceRevisionArns");
    if named.is_empty() || named.len() > 20 {
        return Err(ApiError::new(
            "InvalidParameterException",
            "Provide between 1 and 20 service revision ARNs.",
        ));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in named {
        let revision = world
            .service
            .as_ref()
            .and_then(|service| service.revisions.iter().find(|known| revision_arn(world, known.id) == name));
        let Some(revision) = revision else {
            failures.push(json!({ "arn": name, "reason": "MISSING" }));
            continue;
        };
        let pulled = world.behaviour(revision.definition).in_registry;
        found.push(present(json!({
            "serviceRevisionArn": name,
            "serviceArn": world.service_arn(),
            "clusterArn": world.cluster_arn(),
            "taskDefinition": world.definition_arn(revision.definition),
            "launchType": "FARGATE",
            "platformVersion": "1.4.0",
            "platformFamily": "Linux",
            "loadBalancers": load_balancers(world),
            "serviceRegistries": [],
            "networkConfiguration": network(world),
            "containerImages": [{
                "containerName": world.scenario.service.container,
                "imageDigest": pulled.then(|| digest(world, revision.definition)),
                "image": world.definitions[revision.definition].image,
            }],
            "guardDutyEnabled": false,
            "createdAt": time(revision.created),
        })));
    }
    Ok(json!({ "serviceRevisions": found, "failures": failures }))
}

fn register_task_definition(world: &mut World, params: &Value) -> Answer {
    let image = params["containerDefinitions"][0]["image"].as_str();
    let Some(image) = image.filter(|_| params["family"].is_string()) else {
        return Err(ApiError::new(
            "ClientException",
            "Family and at least one container definition with an image are required.",
        ));
    };
    let index = world.define(image.to_owned(), Some(params.clone()));
    Ok(json!({ "taskDefinition": definition_json(world, index), "tags": [] }))
}

fn create_service(world: &mut World, params: &Value) -> Answer {
    if world.service.as_ref().is_some_and(|service| service.status != "INACTIVE") {
        return Err(ApiError::new("InvalidParameterException", "Creation of service was not idempotent."));
    }
    if params["serviceName"].as_str() != Some(&world.scenario.service.name) {
        let message = format!("The twin plays one service: {}.", world.scenario.service.name);
        return Err(ApiError::new("InvalidParameterException", message));
    }
    let definition = find_definition(world, params["taskDefinition"].as_str().unwrap_or_default())?;
    service::create(world, definition, whole(params, "desiredCount").map(|count| count.clamp(0, 500) as u32));
    service_answer(world)
}

fn update_service(world: &mut World, params: &Value) -> Answer {
    let service = named_service(world, params)?;
    if service.status != "ACTIVE" {
        return Err(ApiError::new("ServiceNotActiveException", "Service was not ACTIVE."));
    }
    let primary = service.primary().map(|known| known.definition);
    let definition = match params["taskDefinition"].as_str() {
        Some(name) => Some(find_definition(world, name)?),
        None => None,
    };
    if let (Some(count), Some(service)) = (whole(params, "desiredCount"), &mut world.service) {
        service.desired = count.clamp(0, 500) as u32;
    }
    let forced = params["forceNewDeployment"].as_bool() == Some(true);
    match definition.or(primary) {
        Some(definition) if forced || Some(definition) != primary => {
            service::deploy(world, definition, false)
        }
        _ => service::look_in(world, 2_000),
    }
    service_answer(world)
}

fn service_answer(world: &World) -> Answer {
    let described = world.service.as_ref().map(|service| service_json(world, service));
    Ok(json!({ "service": described }))
}

fn stop_task(world: &mut World, params: &Value) -> Answer {
    let Some(index) = find_task(world, params["task"].as_str().unwrap_or_default()) else {
        return Err(ApiError::new("InvalidParameterException", "The referenced task was not found."));
    };
    let reason = params["reason"].as_str().unwrap_or("Task stopped by user").to_owned();
    task::stop(world, index, "UserInitiated", Some(reason));
    service::look_in(world, 2_000);
    Ok(json!({ "task": task_json(world, &world.tasks[index]) }))
}

fn stop_service_deployment(world: &mut World, params: &Value) -> Answer {
    let arn = params["serviceDeploymentArn"].as_str().unwrap_or_default().to_owned();
    let last = world.service.as_ref().and_then(|service| service.rollouts.last());
    if last.is_none_or(|rollout| rollout_arn(world, rollout) != arn) {
        return Err(ApiError::new("ServiceDeploymentNotFoundException", "Service deployment not found."));
    }
    if !service::abort(world, params["stopType"].as_str() != Some("ABORT")) {
        return Err(ApiError::new("ConflictException", "The service deployment has already finished."));
    }
    Ok(json!({ "serviceDeploymentArn": arn }))
}

fn named_service<'a>(world: &'a World, params: &Value) -> Result<&'a Service, ApiError> {
    match &world.service {
        Some(service) if is_service(world, params["service"].as_str().unwrap_or_default()) => Ok(service),
        _ => Err(service_not_found()),
    }
}

fn service_not_found() -> ApiError {
    ApiError::new("ServiceNotFoundException", "Service not found.")
}

fn is_service(world: &World, name: &str) -> bool {
    name == world.scenario.service.name || name == world.service_arn()
}

fn find_task(world: &World, name: &str) -> Option<usize> {
    world
        .tasks
        .iter()
        .position(|task| (task.id == name || world.task_arn(task) == name) && is_remembered(world, task))
}

/// Says whether ECS still describes a task: stopped ones are forgotten after an hour.
fn is_remembered(world: &World, task: &Task) -> bool {
    task.stopped.is_none_or(|stopped| world.now - stopped < HOUR)
}

fn find_definition(world: &World, name: &str) -> Result<usize, ApiError> {
    let short = name.rsplit_once("task-definition/").map_or(name, |(_, short)| short);
    let found = match short.split_once(':') {
        Some((family, revision)) => world
            .definitions
            .iter()
            .position(|known| known.family == family && known.revision.to_string() == revision),
        None => world.definitions.iter().rposition(|known| known.family == short),
    };
    found.ok_or_else(|| ApiError::new("ClientException", "Unable to describe task definition."))
}

fn running(world: &World, deployment: Option<u64>) -> usize {
    let of = |task: &&Task| deployment.is_none_or(|id| task.deployment == id);
    world.tasks.iter().filter(of).filter(|task| task.wanted && task.status == TaskStatus::Running).count()
}

fn pending(world: &World, deployment: Option<u64>) -> usize {
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

fn load_balancers(world: &World) -> Vec<Value> {
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

fn network(world: &World) -> Value {
    json!({ "awsvpcConfiguration": {
        "subnets": [subnet(world, 0), subnet(world, 1)],
        "securityGroups": [security_group(world)],
        "assignPublicIp": "DISABLED",
    } })
}

fn rollout_arn(world: &World, rollout: &Rollout) -> String {
    let (cluster, service) = (&world.scenario.account.cluster, &world.scenario.service.name);
    world.arn("ecs", &format!("service-deployment/{cluster}/{service}/{}", rollout.id))
}

fn revision_arn(world: &World, revision: u64) -> String {
    let (cluster, service) = (&world.scenario.account.cluster, &world.scenario.service.name);
    world.arn("ecs", &format!("service-revision/{cluster}/{service}/{revision}"))
}
