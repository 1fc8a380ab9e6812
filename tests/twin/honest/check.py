"""Reads every call of the twin with boto3 and compares requests and raw answers with botocore's models.

botocore's own parsers ignore unknown members and wrong enum values, so the bodies are walked here,
before they are parsed.
"""

import datetime
import json
import os
import struct
import subprocess
import sys
import tempfile
import urllib.request
import xml.etree.ElementTree as ET

import boto3
import botocore.model
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

# Where the wire is known to differ from the model, with the reason.
# AWS shows these states of a stack as the status of the stack's own event; the model lists them for stacks only.
CLEAN_UP = ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
ALLOWED = {
    f"{path}.ResourceStatus is no known value: '{state}'"
    for path in ("DescribeStackEvents.StackEvents[]", "DescribeEvents.OperationEvents[]")
    for state in CLEAN_UP
}
# EC2 writes the state of an endpoint in small letters where the model has a capital one.
ALLOWED.add("DescribeVpcEndpoints.vpcEndpointSet[].state is no known value: 'available'")

# botocore prefers JSON for CloudWatch, the SDK for Rust speaks CBOR: the check speaks both.
JSON_FIRST = botocore.model.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS
CBOR_FIRST = ("smithy-rpc-v2-cbor",) + tuple(JSON_FIRST)

findings = []
seen = {}
errors_seen = {}


def main(binary):
    check_the_check()
    for name, minutes in [
        ("healthy", 6),
        ("database-refused", 10),
        ("image-missing", 8),
        ("secret-missing", 8),
        ("oom", 10),
        ("health-check-404", 10),
        ("no-capacity", 8),
        ("exec-format", 8),
        ("slow-start", 12),
        ("stack-times-out-service-steady", 12),
        ("job-green-rolled-back", 8),
        ("nested-stack-fails", 4),
        ("hook-refuses", 4),
        ("change-set-fails", 2),
        ("alarm-rolls-back", 12),
    ]:
        with Twin(binary, name) as twin:
            for minute in range(minutes * 2):
                twin.advance(30)
                read_all(twin)
    with Twin(binary, "healthy") as twin:
        change_everything(twin)
        refuse_everything(twin)
    meet_faults(binary)
    report()


class Twin:
    """A twin whose clock stands still until it is moved."""

    def __init__(self, binary, scenario):
        command = [binary, "--scenario", scenario, "--speed", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        self.clients = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def advance(self, seconds):
        with urllib.request.urlopen(f"{self.url}/_twin/advance?seconds={seconds}") as answer:
            self.now = json.load(answer)["now"] / 1000

    def client(self, service, cbor=False):
        key = (service, cbor)
        if key not in self.clients:
            botocore.model.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS = CBOR_FIRST if cbor else JSON_FIRST
            config = Config(retries={"max_attempts": 0}, inject_host_prefix=False, read_timeout=10)
            client = boto3.client(
                service,
                endpoint_url=self.url,
                region_name="eu-central-1",
                aws_access_key_id="twin",
                aws_secret_access_key="twin",
                config=config,
            )
            client.meta.events.register("before-parse", self.check_answer)
            client.meta.events.register("provide-client-params", self.check_request)
            # The protocol is found out once, when it is first asked for.
            assert ("cbor" in client.meta.service_model.resolved_protocol) == cbor
            botocore.model.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS = JSON_FIRST
            self.clients[key] = client
        return self.clients[key]

    @staticmethod
    def check_request(params, model, **_):
        found = ParamValidator().validate(params, model.input_shape) if model.input_shape else None
        if found is not None and found.has_errors():
            finding(model, "request", found.generate_report())

    @staticmethod
    def check_answer(operation_model, response_dict, **_):
        model, status = operation_model, response_dict["status_code"]
        protocol = model.service_model.resolved_protocol
        seen.setdefault((model.service_model.service_name, model.name), set()).add(protocol)
        if model.has_event_stream_output:
            return
        body = response_dict["body"]
        if status >= 300:
            check_error(model, protocol, body)
        elif protocol in ("query", "ec2"):
            root = ET.fromstring(body)
            wrapper = (model.output_shape.serialization if model.output_shape else {}).get("resultWrapper")
            if model.output_shape is not None:
                place = child(root, wrapper) if wrapper else root
                if place is None:
                    finding(model, "answer", f"{wrapper} is missing")
                else:
                    walk_xml(model, model.output_shape, place, model.name)
        elif protocol == "smithy-rpc-v2-cbor":
            if model.output_shape is not None:
                walk(model, model.output_shape, Cbor(body).read(), model.name, cbor=True)
        elif model.output_shape is not None:
            walk(model, model.output_shape, json.loads(body or b"{}"), model.name, cbor=False)


def finding(model, kind, text):
    item = (model.service_model.service_name, model.name, kind, text)
    if item not in findings and text not in ALLOWED:
        findings.append(item)


def check_error(model, protocol, body):
    if protocol == "ec2":
        code = child(child(child(ET.fromstring(body), "Errors"), "Error"), "Code").text
    elif protocol == "query":
        root = ET.fromstring(body)
        code = child(child(root, "Error"), "Code").text
    elif protocol == "smithy-rpc-v2-cbor":
        code = Cbor(body).read()["__type"].rsplit("#")[-1]
    else:
        code = json.loads(body)["__type"].rsplit("#")[-1]
    errors_seen.setdefault(code, set()).add(model.name)
    known = {shape.name for shape in model.error_shapes} | {shape.error_code for shape in model.error_shapes}
    known |= {shape.name.removesuffix("Exception") for shape in model.error_shapes}
    # Errors that every API has are modelled by none.
    common = {
        "ThrottlingException", "Throttling", "InternalFailure", "ServiceUnavailable", "AccessDeniedException",
        "AccessDenied", "ExpiredTokenException", "ExpiredToken", "ValidationError", "UnknownOperationException",
        # EC2 models no errors at all.
        "RequestLimitExceeded", "UnauthorizedOperation", "RequestExpired", "InvalidGroup.NotFound",
    }
    if code not in known | common:
        finding(model, "error", f"{code} is no error of this call: {sorted(known)}")


def walk(model, shape, value, path, cbor):
    """Compares a JSON or CBOR value with a shape."""
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            return finding(model, "answer", f"{path} is no structure")
        members = {m.serialization.get("name", n): (n, m) for n, m in shape.members.items()}
        for name in value:
            if name not in members:
                finding(model, "answer", f"{path}.{name} is unknown")
        for name, (member, inner) in members.items():
            if name in value:
                walk(model, inner, value[name], f"{path}.{name}", cbor)
            elif member in shape.required_members:
                finding(model, "answer", f"{path}.{name} is missing")
    elif kind == "list":
        if not isinstance(value, list):
            return finding(model, "answer", f"{path} is no list")
        for item in value:
            walk(model, shape.member, item, f"{path}[]", cbor)
    elif kind == "map":
        if not isinstance(value, dict):
            return finding(model, "answer", f"{path} is no map")
        for key, item in value.items():
            walk(model, shape.key, key, f"{path}<key>", cbor)
            walk(model, shape.value, item, f"{path}<value>", cbor)
    elif kind == "string":
        check_text(model, shape, value, path)
    elif kind in ("integer", "long"):
        if not isinstance(value, int) or isinstance(value, bool):
            finding(model, "answer", f"{path} is no whole number: {value!r}")
    elif kind in ("float", "double"):
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            finding(model, "answer", f"{path} is no number: {value!r}")
    elif kind == "boolean":
        if not isinstance(value, bool):
            finding(model, "answer", f"{path} is no boolean: {value!r}")
    elif kind == "timestamp":
        wanted = Tagged if cbor else (int, float)
        if shape.serialization.get("timestampFormat") == "iso8601" and not cbor:
            wanted = str
        if not isinstance(value, wanted) or isinstance(value, bool):
            finding(model, "answer", f"{path} is no timestamp: {value!r}")
    else:
        finding(model, "answer", f"{path}: the check does not know {kind}")


def walk_xml(model, shape, place, path):
    """Compares an XML element with a shape."""
    kind = shape.type_name
    if kind == "structure":
        members = {}
        for name, inner in shape.members.items():
            flat = inner.type_name == "list" and inner.serialization.get("flattened")
            wire = inner.serialization.get("name", name)
            if flat:
                wire = inner.member.serialization.get("name", wire)
            members[wire] = (name, inner, flat)
        names = [local(element) for element in place]
        for element in place:
            if local(element) not in members and local(element) not in ("ResponseMetadata", "requestId"):
                finding(model, "answer", f"{path}.{local(element)} is unknown")
        for wire, (name, inner, flat) in members.items():
            if names.count(wire) > 1 and not flat:
                finding(model, "answer", f"{path}.{wire} stands there {names.count(wire)} times")
            if wire not in names:
                if name in shape.required_members:
                    finding(model, "answer", f"{path}.{wire} is missing")
                continue
            for element in place:
                if local(element) == wire:
                    walk_xml(model, inner.member if flat else inner, element, f"{path}.{wire}")
    elif kind == "list":
        wire = shape.member.serialization.get("name", "member")
        if (place.text or "").strip():
            finding(model, "answer", f"{path} holds text, not a list")
        for element in place:
            if local(element) != wire:
                finding(model, "answer", f"{path} holds {local(element)}, not {wire}")
            walk_xml(model, shape.member, element, f"{path}[]")
    else:
        text = place.text or ""
        if len(place):
            finding(model, "answer", f"{path} holds elements, not a {kind}")
        if kind == "string":
            check_text(model, shape, text, path)
        elif kind == "boolean":
            if text not in ("true", "false"):
                finding(model, "answer", f"{path} is no boolean: {text!r}")
        elif kind == "timestamp":
            try:
                datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")
            except ValueError:
                finding(model, "answer", f"{path} is no timestamp: {text!r}")
        elif kind in ("integer", "long"):
            try:
                int(text)
            except ValueError:
                finding(model, "answer", f"{path} is no whole number: {text!r}")
        elif kind in ("float", "double"):
            try:
                float(text)
            except ValueError:
                finding(model, "answer", f"{path} is no number: {text!r}")
        else:
            finding(model, "answer", f"{path}: the check does not know {kind}")


def check_text(model, shape, value, path):
    if not isinstance(value, str):
        finding(model, "answer", f"{path} is no text: {value!r}")
    elif getattr(shape, "enum", None) and value not in shape.enum:
        finding(model, "answer", f"{path} is no known value: {value!r}")


def local(element):
    return element.tag.rsplit("}")[-1]


def child(element, name):
    return next((inner for inner in element if local(inner) == name), None)


class Tagged(float):
    """A number with CBOR's tag for points of time."""


class Cbor:
    """Reads CBOR, as far as AWS uses it."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        part = self.data[self.at : self.at + count]
        if len(part) < count:
            raise ValueError("the CBOR body ends early")
        self.at += count
        return part

    def read(self):
        first = self.take(1)[0]
        major, low = first >> 5, first & 31
        if major == 7:
            simple = {20: False, 21: True, 22: None}
            if low in simple:
                return simple[low]
            size, form = {25: (2, ">e"), 26: (4, ">f"), 27: (8, ">d")}[low]
            return struct.unpack(form, self.take(size))[0]
        size = low if low < 24 else int.from_bytes(self.take(1 << (low - 24)), "big")
        if major == 0:
            return size
        if major == 1:
            return -1 - size
        if major == 2:
            return self.take(size)
        if major == 3:
            return self.take(size).decode()
        if major == 4:
            return [self.read() for _ in range(size)]
        if major == 5:
            return {self.read(): self.read() for _ in range(size)}
        if size != 1:
            raise ValueError(f"tag {size} is not used by AWS")
        return Tagged(self.read())


def check_the_check():
    """Shows the check doctored answers; one that finds nothing in them would prove nothing."""
    session = boto3.session.Session(region_name="eu-central-1")
    ecs = session.client("ecs").meta.service_model.operation_model("DescribeServices")
    stacks = session.client("cloudformation").meta.service_model.operation_model("DescribeStacks")
    service = {"servceName": "web", "launchType": "MOON", "createdAt": "today", "desiredCount": "2"}
    walk(ecs, ecs.output_shape, {"services": [service]}, "X", cbor=False)
    breaker = {"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True}}}
    walk(ecs, ecs.output_shape, {"services": [breaker]}, "X", cbor=False)
    stack = "<R><Stacks><item><StackName>a</StackName><StackStatus>NEW</StackStatus><Extra/></item></Stacks></R>"
    walk_xml(stacks, stacks.output_shape, ET.fromstring(stack), "X")
    texts = "\n".join(text for *_, text in findings)
    expected = [
        "servceName is unknown", "launchType is no known value", "createdAt is no timestamp",
        "desiredCount is no whole number", "rollback is missing", "holds item, not member",
        "StackStatus is no known value", "CreationTime is missing", "Extra is unknown",
    ]
    missed = [text for text in expected if text not in texts]
    findings.clear()
    if missed or texts.count("\n") + 1 != len(expected):
        sys.exit(f"the check itself is wrong: missed {missed} in\n{texts}")


def read_all(twin):
    """Makes each reading call once, the way Medic does."""
    ecs, logs = twin.client("ecs"), twin.client("logs")
    ecs.describe_clusters(clusters=["shop", "nowhere"])
    ecs.list_services(cluster="shop")
    services = ecs.describe_services(cluster="shop", services=["web", "nothing"], include=["TAGS"])["services"]
    tasks = ecs.list_tasks(cluster="shop", serviceName="web")["taskArns"]
    tasks += ecs.list_tasks(cluster="shop", serviceName="web", desiredStatus="STOPPED", maxResults=2)["taskArns"]
    if tasks:
        ecs.describe_tasks(cluster="shop", tasks=tasks[:100], include=["TAGS"])
    if services:
        ecs.describe_task_definition(taskDefinition=services[0]["taskDefinition"], include=["TAGS"])
        rollouts = ecs.list_service_deployments(cluster="shop", service="web")["serviceDeployments"]
        arns = [rollout["serviceDeploymentArn"] for rollout in rollouts]
        ecs.describe_service_deployments(serviceDeploymentArns=arns)
        arns = [rollout["targetServiceRevisionArn"] for rollout in rollouts]
        ecs.describe_service_revisions(serviceRevisionArns=arns)
    logs.describe_log_groups(logGroupNamePrefix="/ecs/")
    streams = logs.describe_log_streams(logGroupName="/ecs/web", orderBy="LastEventTime", descending=True)
    end = int(twin.now * 1000)
    page = logs.filter_log_events(logGroupName="/ecs/web", startTime=end - 300_000, endTime=end, limit=5)
    while "nextToken" in page:
        token = page["nextToken"]
        page = logs.filter_log_events(
            logGroupName="/ecs/web", startTime=end - 300_000, endTime=end, limit=50, nextToken=token
        )
    for stream in streams["logStreams"][:2]:
        logs.get_log_events(logGroupName="/ecs/web", logStreamName=stream["logStreamName"], startFromHead=True)
    stacks = twin.client("cloudformation")
    for stack in stacks.describe_stacks()["Stacks"]:
        for paginator in ("describe_stack_events", "list_stack_resources"):
            for _ in stacks.get_paginator(paginator).paginate(StackName=stack["StackName"]):
                pass
        for change_set in stacks.list_change_sets(StackName=stack["StackName"])["Summaries"]:
            stacks.describe_change_set(ChangeSetName=change_set["ChangeSetName"], StackName=stack["StackName"])
        stacks.describe_events(StackName=stack["StackName"])
        stacks.describe_events(StackName=stack["StackId"], Filters={"FailedEvents": True})
    balancers = twin.client("elbv2")
    for group in balancers.describe_target_groups()["TargetGroups"]:
        balancers.describe_target_health(TargetGroupArn=group["TargetGroupArn"])
        balancers.describe_target_health(TargetGroupArn=group["TargetGroupArn"], Targets=[{"Id": "10.0.0.1"}])
    for balancer in balancers.describe_load_balancers()["LoadBalancers"]:
        balancers.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])
    read_metrics(twin.client("cloudwatch"), twin)
    read_metrics(twin.client("cloudwatch", cbor=True), twin)
    queue = twin.client("sqs")
    url = "https://sqs.eu-central-1.amazonaws.com/111122223333/medic-events"
    queue.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    handles = []
    for message in queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"]).get("Messages", []):
        check_envelope(json.loads(message["Body"]))
        handles.append({"Id": str(len(handles)), "ReceiptHandle": message["ReceiptHandle"]})
    if handles:
        queue.delete_message(QueueUrl=url, ReceiptHandle=handles[0]["ReceiptHandle"])
        queue.delete_message_batch(QueueUrl=url, Entries=handles)
    twin.client("ecr").describe_images(repositoryName="shop/web", imageIds=[{"imageTag": "1.41.0"}])
    twin.client("sts").get_caller_identity()
    read_network(twin.client("ec2"))


def read_network(ec2):
    subnets = ec2.describe_subnets()["Subnets"]
    ec2.describe_subnets(SubnetIds=[subnets[0]["SubnetId"]])
    ec2.describe_security_groups()
    routes = ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [subnets[1]["SubnetId"]]}])
    ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [subnets[0]["VpcId"]]}])
    if len(routes["RouteTables"]) != 1:
        findings.append(("ec2", "DescribeRouteTables", "answer", "the filter by subnet finds nothing"))


def read_metrics(cloudwatch, twin):
    now = datetime.datetime.fromtimestamp(twin.now, datetime.timezone.utc)
    metrics = cloudwatch.list_metrics(Namespace="AWS/ECS")["Metrics"]
    metrics += cloudwatch.list_metrics(Namespace="AWS/ApplicationELB")["Metrics"]
    queries = [
        {"Id": f"m{number}", "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}}
        for number, (metric, stat) in enumerate((m, s) for m in metrics for s in ("Average", "Maximum", "Sum"))
    ]
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=queries, StartTime=now - datetime.timedelta(minutes=10), EndTime=now
    )
    for result in answer["MetricDataResults"]:
        if len(result["Timestamps"]) != len(result["Values"]):
            findings.append(("cloudwatch", "GetMetricData", "answer", f"{result['Id']}: times and values differ"))
    cloudwatch.describe_alarms()


def check_envelope(envelope):
    """EventBridge has no model in botocore: the members of its envelope are few and known."""
    members = {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"}
    kinds = {"ECS Task State Change", "ECS Deployment State Change", "ECS Service Action"}
    if set(envelope) != members or envelope["detail-type"] not in kinds:
        findings.append(("events", "envelope", "answer", f"{sorted(envelope)} {envelope.get('detail-type')}"))


def change_everything(twin):
    """Makes each changing call once and reads after it."""
    ecs, stacks = twin.client("ecs"), twin.client("cloudformation")
    twin.advance(400)
    definition = ecs.register_task_definition(
        family="web",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "web", "image": "shop/web:1.41.0", "essential": True}],
    )["taskDefinition"]["taskDefinitionArn"]
    ecs.update_service(cluster="shop", service="web", taskDefinition=definition)
    twin.advance(20)
    read_all(twin)
    arn = ecs.list_service_deployments(cluster="shop", service="web")["serviceDeployments"][0]["serviceDeploymentArn"]
    ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    twin.advance(300)
    read_all(twin)
    task = ecs.list_tasks(cluster="shop", serviceName="web")["taskArns"][0]
    ecs.stop_task(cluster="shop", task=task, reason="tried by the check")
    twin.advance(120)
    parameters = [{"ParameterKey": "ImageTag", "ParameterValue": "1.41.0"}]
    stacks.update_stack(StackName="shop-web", UsePreviousTemplate=True, Parameters=parameters)
    twin.advance(5)
    read_all(twin)
    twin.advance(300)
    read_all(twin)
    for name, tag in [("same", "1.41.0"), ("newer", "1.42.0")]:
        parameters = [{"ParameterKey": "ImageTag", "ParameterValue": tag}]
        stacks.create_change_set(
            StackName="shop-web", ChangeSetName=name, UsePreviousTemplate=True, Parameters=parameters
        )
    read_all(twin)
    stacks.execute_change_set(StackName="shop-web", ChangeSetName="newer")
    stacks.delete_change_set(StackName="shop-web", ChangeSetName="same")
    twin.advance(300)
    read_all(twin)
    stacks.delete_stack(StackName="shop-web")
    twin.advance(200)
    read_all(twin)
    parameters = [{"ParameterKey": "ImageTag", "ParameterValue": "never-built"}]
    stacks.create_stack(StackName="shop-web", TemplateBody="{}", Parameters=parameters, DisableRollback=True)
    for _ in range(20):
        twin.advance(20)
        read_all(twin)
    stacks.rollback_stack(StackName="shop-web")
    twin.advance(200)
    read_all(twin)
    ecs.create_service(cluster="shop", serviceName="web", taskDefinition="web:1", desiredCount=1)
    twin.advance(200)
    read_all(twin)


def refuse_everything(twin):
    """Asks for what is not there: the errors must be those of the model."""
    ecs, logs, stacks = twin.client("ecs"), twin.client("logs"), twin.client("cloudformation")
    url = "https://sqs.eu-central-1.amazonaws.com/111122223333/no-such-queue"
    group = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:targetgroup/none/0123456789abcdef"
    revoked = "arn:aws:ecs:eu-central-1:111122223333:service-deployment/shop/web/none"
    refused = [
        lambda: ecs.describe_services(cluster="none", services=["web"]),
        lambda: ecs.update_service(cluster="shop", service="none"),
        lambda: ecs.list_tasks(cluster="shop", serviceName="none"),
        lambda: ecs.describe_task_definition(taskDefinition="none"),
        lambda: ecs.stop_task(cluster="shop", task="none"),
        lambda: ecs.stop_service_deployment(serviceDeploymentArn=revoked),
        lambda: logs.filter_log_events(logGroupName="/none"),
        lambda: logs.get_log_events(logGroupName="/ecs/web", logStreamName="none"),
        lambda: logs.filter_log_events(logGroupName="/ecs/web", nextToken="none"),
        lambda: stacks.describe_stacks(StackName="none"),
        lambda: stacks.describe_stack_events(StackName="none"),
        lambda: stacks.describe_change_set(StackName="shop-web", ChangeSetName="none"),
        lambda: stacks.execute_change_set(StackName="shop-web", ChangeSetName="none"),
        lambda: stacks.continue_update_rollback(StackName="shop-web"),
        lambda: stacks.rollback_stack(StackName="shop-web"),
        lambda: twin.client("elbv2").describe_target_health(TargetGroupArn=group),
        lambda: twin.client("elbv2").describe_load_balancers(Names=["none"]),
        lambda: twin.client("sqs").receive_message(QueueUrl=url),
        lambda: twin.client("ec2").describe_security_groups(GroupIds=["sg-0"]),
        lambda: twin.client("ecr").describe_images(repositoryName="none"),
        lambda: twin.client("ecr").describe_images(repositoryName="shop/web", imageIds=[{"imageTag": "none"}]),
    ]
    for cbor in (False, True):
        times = {"StartTime": datetime.datetime(2026, 1, 2), "EndTime": datetime.datetime(2026, 1, 1)}
        client = twin.client("cloudwatch", cbor)
        refused.append(lambda client=client, times=times: client.get_metric_data(MetricDataQueries=[], **times))
    for call in refused:
        try:
            call()
        except ClientError:
            continue
        findings.append(("twin", "refusals", "error", "a call that must fail went well"))


def meet_faults(binary):
    """Every service must be throttled, denied and broken in a way that boto3 understands."""
    kinds = {
        "throttle": ("ThrottlingException", "Throttling", "RequestLimitExceeded"),
        "deny": ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation"),
        "expire": ("ExpiredTokenException", "ExpiredToken", "RequestExpired"),
        "server-error": ("InternalFailure",),
    }
    for kind, codes in kinds.items():
        text = f'[[fault]]\nkind = "{kind}"\n\n[[version]]\nimage = "1"\n'
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(text)
            file.flush()
            with Twin(binary, file.name) as twin:
                url = "https://sqs.eu-central-1.amazonaws.com/111122223333/medic-events"
                for call in (
                    lambda: twin.client("ecs").list_services(cluster="shop"),
                    lambda: twin.client("logs").describe_log_groups(),
                    lambda: twin.client("cloudformation").describe_stacks(),
                    lambda: twin.client("elbv2").describe_target_groups(),
                    lambda: twin.client("cloudwatch").list_metrics(),
                    lambda: twin.client("cloudwatch", cbor=True).list_metrics(),
                    lambda: twin.client("sqs").receive_message(QueueUrl=url),
        lambda: twin.client("ec2").describe_security_groups(GroupIds=["sg-0"]),
                    lambda: twin.client("ecr").describe_images(repositoryName="shop/web"),
                    lambda: twin.client("sts").get_caller_identity(),
                    lambda: twin.client("ec2").describe_subnets(),
                ):
                    try:
                        call()
                        findings.append(("twin", "faults", "error", f"{kind} met nothing"))
                    except ClientError as error:
                        if error.response["Error"]["Code"] not in codes:
                            findings.append(("twin", "faults", "error", f"{kind}: {error}"))
    tail(binary)


def tail(binary):
    """Live Tail: boto3 checks the check sums of the event stream."""
    with Twin(binary, "healthy") as twin:
        twin.advance(1)
        group = "arn:aws:logs:eu-central-1:111122223333:log-group:/ecs/web"
        stream = twin.client("logs").start_live_tail(logGroupIdentifiers=[group])["responseStream"]
        results = 0
        for number, event in enumerate(stream):
            if "sessionStart" not in event and "sessionUpdate" not in event:
                findings.append(("logs", "StartLiveTail", "answer", f"unknown event {event}"))
            results += len(event.get("sessionUpdate", {}).get("sessionResults", []))
            if number >= 5:
                break
            twin.advance(10)
        if not results:
            findings.append(("logs", "StartLiveTail", "answer", "no line came"))


def report():
    calls = {}
    for (service, name), protocols in sorted(seen.items()):
        calls.setdefault(f"{service} ({', '.join(sorted(protocols))})", []).append(name)
    for service, names in calls.items():
        print(f"{service}: {' '.join(names)}")
    print(f"errors: {' '.join(sorted(errors_seen))}")
    for finding_ in findings:
        print("DISHONEST", *finding_)
    print(f"{len(seen)} calls checked, {len(findings)} findings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]))
