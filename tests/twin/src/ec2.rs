//! EC2: its own query protocol, version 2016-11-15. The network around the service, as it is described.

use crate::ecs::{security_group, subnet};
use crate::elb::vpc;
use crate::page;
use crate::wire::{Answer, ApiError, time};
use crate::world::{HOUR, World};
use serde_json::{Value, json};

pub const NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

/// Answers a call.
pub fn answer(world: &World, action: &str, params: &Value) -> Answer {
    let (member, key, id, unknown, items) = match action {
        "DescribeSubnets" => {
            ("subnetSet", "SubnetId", "subnetId", "InvalidSubnetID.NotFound", subnets(world))
        }
        "DescribeSecurityGroups" => {
            ("securityGroupInfo", "GroupId", "groupId", "InvalidGroup.NotFound", security_groups(world))
        }
        "DescribeRouteTables" => (
            "routeTableSet",
            "RouteTableId",
            "routeTableId",
            "InvalidRouteTableID.NotFound",
            route_tables(world),
        ),
        "DescribeVpcEndpoints" => (
            "vpcEndpointSet",
            "VpcEndpointId",
            "vpcEndpointId",
            "InvalidVpcEndpointId.NotFound",
            endpoints(world),
        ),
        _ => return Err(page::unknown_action(action)),
    };
    let named = page::texts(params, key);
    if let Some(name) = named.iter().find(|name| items.iter().all(|item| item[id] != name.as_str())) {
        return Err(ApiError::new(unknown, format!("The ID '{name}' does not exist")));
    }
    let found: Vec<Value> = items
        .into_iter()
        .filter(|item| named.is_empty() || named.iter().any(|name| item[id] == name.as_str()))
        .filter(|item| passes(item, &params["Filter"]))
        .collect();
    Ok(json!({ member: found }))
}

/// Says whether an item passes the filters that the twin knows; others let everything pass.
fn passes(item: &Value, filters: &Value) -> bool {
    filters.as_array().into_iter().flatten().all(|filter| {
        let values = page::texts(filter, "Value");
        let has = |given: &Value| values.iter().any(|value| given == value.as_str());
        match filter["Name"].as_str().unwrap_or_default() {
            "vpc-id" => has(&item["vpcId"]),
            "subnet-id" => has(&item["subnetId"]),
            "group-id" => has(&item["groupId"]),
            "service-name" => has(&item["serviceName"]),
            "association.subnet-id" => item["associationSet"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|association| has(&association["subnetId"])),
            _ => true,
        }
    })
}

fn subnets(world: &World) -> Vec<Value> {
    let account = &world.scenario.account;
    let subnet_of = |number: u64| {
        let id = subnet(world, number);
        json!({
            "availabilityZone": format!("{}{}", account.region, if number == 0 { 'a' } else { 'b' }),
            "availabilityZoneId": format!("euc1-az{}", number + 1),
            "availableIpAddressCount": 240,
            "cidrBlock": format!("10.0.{}.0/24", 10 + number),
            "defaultForAz": false,
            "mapPublicIpOnLaunch": false,
            "state": "available",
            "subnetArn": world.arn("ec2", &format!("subnet/{id}")),
            "subnetId": id,
            "vpcId": vpc(world),
            "ownerId": account.id,
            "tagSet": [],
        })
    };
    (0..2).map(subnet_of).collect()
}

fn security_groups(world: &World) -> Vec<Value> {
    let id = security_group(world);
    let account = &world.scenario.account.id;
    let port = world.scenario.service.port;
    vec![json!({
        "groupId": id,
        "groupName": "web",
        "groupDescription": "tasks and load balancer of the shop",
        "ownerId": account,
        "vpcId": vpc(world),
        "securityGroupArn": world.arn("ec2", &format!("security-group/{id}")),
        "ipPermissions": [{
            "ipProtocol": "tcp",
            "fromPort": port,
            "toPort": port,
            "groups": [{ "groupId": id, "userId": account }],
            "ipRanges": [],
            "ipv6Ranges": [],
            "prefixListIds": [],
        }],
        "ipPermissionsEgress": [{
            "ipProtocol": "-1",
            "groups": [],
            "ipRanges": [{ "cidrIp": "0.0.0.0/0" }],
            "ipv6Ranges": [],
            "prefixListIds": [],
        }],
        "tagSet": [],
    })]
}

fn route_tables(world: &World) -> Vec<Value> {
    let id = format!("rtb-{:017x}", world.draw("route-table", 0) >> 4);
    let associations: Vec<Value> = (0..2)
        .map(|number| {
            json!({
                "main": false,
                "routeTableAssociationId": format!("rtbassoc-{:017x}", world.draw("association", number) >> 4),
                "routeTableId": id,
                "subnetId": subnet(world, number),
                "associationState": { "state": "associated" },
            })
        })
        .collect();
    let nat = format!("nat-{:017x}", world.draw("nat", 0) >> 4);
    vec![json!({
        "routeTableId": id,
        "vpcId": vpc(world),
        "ownerId": world.scenario.account.id,
        "associationSet": associations,
        "propagatingVgwSet": [],
        "routeSet": [
            { "destinationCidrBlock": "10.0.0.0/16", "gatewayId": "local", "origin": "CreateRouteTable", "state": "active" },
            { "destinationCidrBlock": "0.0.0.0/0", "natGatewayId": nat, "origin": "CreateRoute", "state": "active" },
        ],
        "tagSet": [],
    })]
}

fn endpoints(world: &World) -> Vec<Value> {
    let region = &world.scenario.account.region;
    vec![json!({
        "vpcEndpointId": format!("vpce-{:017x}", world.draw("endpoint", 0) >> 4),
        "vpcEndpointType": "Gateway",
        "vpcId": vpc(world),
        "serviceName": format!("com.amazonaws.{region}.s3"),
        // AWS writes small letters where its model has a capital one.
        "state": "available",
        "routeTableIdSet": [format!("rtb-{:017x}", world.draw("route-table", 0) >> 4)],
        "subnetIdSet": [],
        "groupSet": [],
        "privateDnsEnabled": false,
        "requesterManaged": false,
        "networkInterfaceIdSet": [],
        "dnsEntrySet": [],
        "creationTimestamp": time(world.begin - 30 * 24 * HOUR),
        "ownerId": world.scenario.account.id,
        "tagSet": [],
    })]
}
