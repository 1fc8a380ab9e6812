//! Elastic Load Balancing v2: the query protocol, version 2015-12-01.

use crate::ecs::{security_group, subnet};
use crate::page::{self, texts};
use crate::wire::{Answer, ApiError, present, time};
use crate::world::target::{self, TargetState};
use crate::world::{HOUR, World};
use serde_json::{Value, json};

pub const NAMESPACE: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";

/// Answers a call.
pub fn answer(world: &World, action: &str, params: &Value) -> Answer {
    match action {
        "DescribeTargetGroups" => describe_target_groups(world, params),
        "DescribeTargetHealth" => describe_target_health(world, params),
        "DescribeLoadBalancers" => describe_load_balancers(world, params),
        "DescribeListeners" => describe_listeners(world, params),
        _ => Err(page::unknown_action(action)),
    }
}

pub fn balancer_arn(world: &World) -> String {
    world.arn("elasticloadbalancing", &format!("loadbalancer/{}", balancer_name(world)))
}

/// Returns the part of the ARN that metrics use as a dimension.
pub fn balancer_name(world: &World) -> String {
    format!("app/{}/{:016x}", world.scenario.account.cluster, world.draw("load-balancer", 0))
}

pub fn vpc(world: &World) -> String {
    format!("vpc-{:017x}", world.draw("vpc", 0) >> 4)
}

fn describe_target_groups(world: &World, params: &Value) -> Answer {
    let arn = world.target_group_arn();
    let name = &world.scenario.service.name;
    let enabled = world.scenario.load_balancer.enabled;
    let named_arns = texts(params, "TargetGroupArns");
    let named = texts(params, "Names");
    let unknown = named_arns.iter().any(|given| *given != arn || !enabled)
        || named.iter().any(|given| given != name || !enabled);
    if unknown {
        return Err(no_group());
    }
    let of_other = params["LoadBalancerArn"].as_str().is_some_and(|given| given != balancer_arn(world));
    let balancer = &world.scenario.load_balancer;
    let mut groups = Vec::new();
    if enabled && !of_other {
        groups.push(json!({
            "TargetGroupArn": arn,
            "TargetGroupName": name,
            "Protocol": "HTTP",
            "Port": world.scenario.service.port,
            "VpcId": vpc(world),
            "HealthCheckProtocol": "HTTP",
            "HealthCheckPort": "traffic-port",
            "HealthCheckEnabled": true,
            "HealthCheckIntervalSeconds": balancer.interval / 1000,
            "HealthCheckTimeoutSeconds": balancer.timeout / 1000,
            "HealthyThresholdCount": balancer.healthy_threshold,
            "UnhealthyThresholdCount": balancer.unhealthy_threshold,
            "HealthCheckPath": balancer.path,
            "Matcher": { "HttpCode": "200" },
            "LoadBalancerArns": [balancer_arn(world)],
            "TargetType": "ip",
            "ProtocolVersion": "HTTP1",
            "IpAddressType": "ipv4",
        }));
    }
    page::answer("TargetGroups", groups, params, "NextMarker", "PageSize", 400)
}

fn describe_target_health(world: &World, params: &Value) -> Answer {
    if !world.scenario.load_balancer.enabled
        || params["TargetGroupArn"].as_str() != Some(&world.target_group_arn())
    {
        return Err(no_group());
    }
    let port = world.scenario.service.port;
    let asked: Vec<String> = params["Targets"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|target| target["Id"].as_str().map(str::to_owned))
        .collect();
    let mut found = Vec::new();
    let mut seen = Vec::new();
    for task in &world.tasks {
        let Some(state) = target::state(task, world.now).filter(|state| *state != TargetState::Gone) else {
            continue;
        };
        let ip = task.ip();
        if !asked.is_empty() && !asked.contains(&ip) {
            continue;
        }
        found.push(health(&ip, port, Some(task.zone(world)), state));
        seen.push(ip);
    }
    for ip in asked.iter().filter(|ip| !seen.contains(ip)) {
        found.push(health(ip, port, None, TargetState::Gone));
    }
    Ok(json!({ "TargetHealthDescriptions": found }))
}

fn health(ip: &str, port: u16, zone: Option<String>, state: TargetState) -> Value {
    let (word, reason, description) = state.words();
    present(json!({
        "Target": { "Id": ip, "Port": port, "AvailabilityZone": zone },
        "HealthCheckPort": port.to_string(),
        "TargetHealth": { "State": word, "Reason": reason, "Description": description },
    }))
}

fn describe_load_balancers(world: &World, params: &Value) -> Answer {
    let (arn, name) = (balancer_arn(world), &world.scenario.account.cluster);
    let enabled = world.scenario.load_balancer.enabled;
    let unknown = texts(params, "LoadBalancerArns").iter().any(|given| *given != arn || !enabled)
        || texts(params, "Names").iter().any(|given| given != name || !enabled);
    if unknown {
        return Err(ApiError::new("LoadBalancerNotFound", "One or more load balancers not found"));
    }
    let region = &world.scenario.account.region;
    let zones: Vec<Value> = ["a", "b"]
        .into_iter()
        .zip(0..)
        .map(|(zone, number)| {
            json!({ "ZoneName": format!("{region}{zone}"), "SubnetId": subnet(world, number), "LoadBalancerAddresses": [] })
        })
        .collect();
    let mut balancers = Vec::new();
    if enabled {
        balancers.push(json!({
            "LoadBalancerArn": arn,
            "DNSName": format!("{name}-{}.{region}.elb.amazonaws.com", world.draw("dns", 0) % 1_000_000_000),
            "CanonicalHostedZoneId": "Z215JYRZR1TBD5",
            "CreatedTime": time(world.begin - 30 * 24 * HOUR),
            "LoadBalancerName": name,
            "Scheme": "internet-facing",
            "VpcId": vpc(world),
            "State": { "Code": "active" },
            "Type": "application",
            "AvailabilityZones": zones,
            "SecurityGroups": [security_group(world)],
            "IpAddressType": "ipv4",
        }));
    }
    page::answer("LoadBalancers", balancers, params, "NextMarker", "PageSize", 400)
}

fn describe_listeners(world: &World, params: &Value) -> Answer {
    let balancer = balancer_arn(world);
    let enabled = world.scenario.load_balancer.enabled;
    if params["LoadBalancerArn"].as_str().is_some_and(|given| given != balancer || !enabled) {
        return Err(ApiError::new("LoadBalancerNotFound", "One or more load balancers not found"));
    }
    let name = format!("listener/{}/{:016x}", balancer_name(world), world.draw("listener", 0));
    let arn = world.arn("elasticloadbalancing", &name);
    let group = world.target_group_arn();
    let mut listeners = Vec::new();
    if enabled {
        listeners.push(json!({
            "ListenerArn": arn,
            "LoadBalancerArn": balancer,
            "Port": 80,
            "Protocol": "HTTP",
            "DefaultActions": [{
                "Type": "forward",
                "TargetGroupArn": group,
                "ForwardConfig": {
                    "TargetGroups": [{ "TargetGroupArn": group, "Weight": 1 }],
                    "TargetGroupStickinessConfig": { "Enabled": false },
                },
            }],
        }));
    }
    page::answer("Listeners", listeners, params, "NextMarker", "PageSize", 400)
}

fn no_group() -> ApiError {
    ApiError::new("TargetGroupNotFound", "One or more target groups not found")
}
