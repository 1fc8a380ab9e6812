"""ministack: stacks that really roll back, nested stacks, and services whose deployments end."""

import json
import time

import pytest
from conftest import free_port, serve, tool, wait_for

# The custom resource asks this function; it fails when it is told to, with the reason that it is told.
HANDLER = """
import json
import urllib.request

def handler(event, context):
    asked = event["ResourceProperties"]
    fails = asked.get("FailOn") == event["RequestType"]
    answer = {
        "Status": "FAILED" if fails else "SUCCESS",
        "Reason": asked.get("Reason", "fine"),
        "PhysicalResourceId": event.get("PhysicalResourceId", "migration-1"),
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }
    body = json.dumps(answer).encode()
    request = urllib.request.Request(event["ResponseURL"], data=body, method="PUT")
    urllib.request.urlopen(request)
"""
GROUP = "/ecs/web"
MIGRATION_FAILED = 'migration 0042 failed: relation "orders" does not exist'


@pytest.fixture
def endpoint(tmp_path):
    port = free_port()
    # Without these it listens on all addresses, and keeps files where it was started.
    settings = {
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "S3_DATA_DIR": str(tmp_path / "s3"),
        "DOCKER_HOST": f"unix://{tmp_path}/no-engine.sock",
    }
    yield from serve([tool("ministack")], port, tmp_path / "ministack.log", settings)


def template(fail_on="", reason="fine", more=None) -> str:
    resources = {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "lambda.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ],
                }
            },
        },
        "Migrate": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.12",
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": HANDLER},
            },
        },
        "Migration": {
            "Type": "Custom::Migration",
            "Properties": {
                "ServiceToken": {"Fn::GetAtt": ["Migrate", "Arn"]},
                "FailOn": fail_on,
                "Reason": reason,
            },
        },
    }
    return json.dumps({"Resources": {**resources, **(more or {})}})


def status(cloudformation, name: str) -> str:
    return cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]


def settled(cloudformation, name: str) -> str:
    def ask():
        found = status(cloudformation, name)
        return "" if found.endswith("_IN_PROGRESS") else found

    return wait_for(f"the end of the operation on {name}", ask)


def events(cloudformation, name: str) -> list[dict]:
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
    return [event for page in pages for event in page["StackEvents"]]


def test_a_stack_that_rolls_back_is_recorded_and_explained(medic, client):
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName="web", TemplateBody=template("Create", MIGRATION_FAILED))
    assert settled(cloudformation, "web") == "ROLLBACK_COMPLETE"
    medic.run("collect", "--once", "--stack", "web")
    recorded = len(events(cloudformation, "web"))
    assert medic.count("source:cfn-stack-event") == recorded
    # Nothing is told twice when it is read again.
    medic.run("collect", "--once", "--stack", "web")
    assert medic.count("source:cfn-stack-event") == recorded
    assert_migration_failed(medic)


def test_only_the_last_operation_of_a_stack_is_told(medic, client):
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName="web", TemplateBody=template())
    assert settled(cloudformation, "web") == "CREATE_COMPLETE"
    before = len(events(cloudformation, "web"))
    cloudformation.update_stack(StackName="web", TemplateBody=template("Update", MIGRATION_FAILED))
    assert settled(cloudformation, "web") == "UPDATE_ROLLBACK_COMPLETE"
    medic.run("collect", "--once", "--stack", "web")
    assert medic.count("") == len(events(cloudformation, "web")) - before
    assert medic.count("CREATE_COMPLETE") == 0
    assert_migration_failed(medic)


def test_a_stack_whose_way_back_fails_is_told(medic, client):
    cloudformation = client("cloudformation")
    # What it is updated to fails, and what it is taken back to fails on an update too.
    cloudformation.create_stack(StackName="web", TemplateBody=template("Update", "the lock is held"))
    assert settled(cloudformation, "web") == "CREATE_COMPLETE"
    cloudformation.update_stack(StackName="web", TemplateBody=template("Update", MIGRATION_FAILED))
    assert settled(cloudformation, "web") == "UPDATE_ROLLBACK_FAILED"
    medic.run("collect", "--once", "--stack", "web")
    assert medic.count('"UPDATE_ROLLBACK_FAILED"') == 1
    assert_migration_failed(medic)


def test_a_nested_stack_is_followed(medic, client, endpoint):
    cloudformation, s3 = client("cloudformation"), client("s3")
    s3.create_bucket(Bucket="templates")
    s3.put_object(Bucket="templates", Key="db.json", Body=template().encode())
    url = f"{endpoint}/templates/db.json"
    nested = {"Db": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}}
    cloudformation.create_stack(StackName="web", TemplateBody=json.dumps({"Resources": nested}))
    assert settled(cloudformation, "web") == "CREATE_COMPLETE"
    medic.run("collect", "--once", "--stack", "web")
    stacks = cloudformation.list_stacks()["StackSummaries"]
    inner = next(stack for stack in stacks if stack["StackName"].startswith("web-Db"))
    told = medic.count("", "--source", "cfn-stack-event")
    assert told == len(events(cloudformation, "web")) + len(events(cloudformation, inner["StackId"]))


def test_a_stack_that_is_deleted_is_read_to_its_end(medic, client):
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName="web", TemplateBody=template())
    assert settled(cloudformation, "web") == "CREATE_COMPLETE"
    agent = medic.start("collect", "--stack", "web")
    wait_for("the first events", lambda: medic.counted("CREATE_COMPLETE entity:web") == 1)
    cloudformation.delete_stack(StackName="web")
    wait_for("the end of the stack", lambda: medic.counted("DELETE_COMPLETE entity:web") == 1)
    medic.stop(agent)


def test_a_change_set_without_changes_is_no_failure(medic, client):
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName="web", TemplateBody=template())
    assert settled(cloudformation, "web") == "CREATE_COMPLETE"
    change_set = {"StackName": "web", "ChangeSetName": "same"}
    cloudformation.create_change_set(**change_set, TemplateBody=template(), ChangeSetType="UPDATE")

    def has_failed() -> bool:
        return cloudformation.describe_change_set(**change_set)["Status"] == "FAILED"

    wait_for("the change set", has_failed)
    medic.run("collect", "--once", "--stack", "web")
    assert medic.count("same") == 0
    assert medic.report()["root_cause"] is None


def test_a_service_that_is_steady_is_healthy(medic, client):
    create_service(client)
    watched = medic.run("watch", "--cluster", "shop", "--service", "web", "--timeout", "60s", "--format", "json")
    report = json.loads(watched.stdout.splitlines()[-1])
    assert report.get("report", report)["root_cause"] is None


def create_service(client, command=None, image="web:1") -> None:
    ecs, logs = client("ecs"), client("logs")
    ecs.create_cluster(clusterName="shop")
    logs.create_log_group(logGroupName=GROUP)
    ecs.register_task_definition(**task_definition(image, command))
    ecs.create_service(cluster="shop", serviceName="web", taskDefinition="web:1", desiredCount=1)


def task_definition(image: str, command=None) -> dict:
    options = {"awslogs-group": GROUP, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "app"}
    container = {
        "name": "app",
        "image": image,
        "memory": 256,
        "essential": True,
        "logConfiguration": {"logDriver": "awslogs", "options": options},
    }
    if command:
        container["command"] = command
    return {"family": "web", "networkMode": "host", "containerDefinitions": [container]}


def assert_migration_failed(medic) -> None:
    report = medic.report()
    assert report["root_cause"]["class"] == "application/database", report["headline"]
    assert MIGRATION_FAILED in str(report["root_cause"]["evidence"])
