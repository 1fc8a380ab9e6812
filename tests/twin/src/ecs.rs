//! ECS: JSON 1.1, `AmazonEC2ContainerServiceV20141113`.

pub mod show;

use crate::page::{self, whole};
use crate::wire::{Answer, ApiError, maybe_time, present, time};
use crate::world::scheduler;
use crate::world::service;
use crate::world::task::{self, Task};
use crate::world::{HOUR, Service, World};
use serde_json::{Value, json};
use show::{definition_json, digest, load_balancers, network, pending, revision_arn, rollout_arn};
use show::{rollout_json, running, service_json, task_json};

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
        _ => scheduler::look_in(world, 2_000),
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
    scheduler::look_in(world, 2_000);
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
