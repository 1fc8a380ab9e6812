"""ministack with a container engine: tasks are real processes, and what they print is what is diagnosed."""

import json
import os
import subprocess
from pathlib import Path

import image
import pytest
from conftest import HERE, free_port, serve, tool, wait_for
from test_ministack import GROUP, create_service, task_definition

IMAGE = "docker.io/library/shop:v1"
START = ["/python", "/app/shop.py"]
# ministack takes a service for steady whose task has run for a second; a busy machine needs longer to fail.
SLOWER = """
import ministack.services.ecs as ecs
from ministack.app import main

assert ecs._ECS_DEPLOYMENT_STEADY_DELAY
ecs._ECS_DEPLOYMENT_STEADY_DELAY = 6.0
main()
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("the container engine needs root; run as root: tests/counterparts/run.sh containers")
    # A path of a socket is short.
    folder = tmp_path_factory.mktemp("engine")
    image.make(folder / "files")
    script = str(HERE / "engine.sh")
    subprocess.run([script, "image", folder, folder / "files", IMAGE], check=True)
    with (folder / "engine.log").open("w") as log:
        server = subprocess.Popen([script, "serve", folder], stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for(f"the container engine (see {log.name})", (folder / "podman.sock").exists)
        yield folder / "podman.sock"
    finally:
        server.terminate()
        server.wait(timeout=20)


@pytest.fixture
def endpoint(tmp_path, engine):
    port = free_port()
    settings = {
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "S3_DATA_DIR": str(tmp_path / "s3"),
        "DOCKER_HOST": f"unix://{engine}",
    }
    yield from serve([tool("python"), "-c", SLOWER], port, tmp_path / "ministack.log", settings)


PLACE = ["--cluster", "shop", "--service", "web"]


def service_of(client) -> dict:
    return client("ecs").describe_services(cluster="shop", services=["web"])["services"][0]


def run_first_version(client) -> None:
    create_service(client, image=IMAGE, command=START)

    def is_steady() -> bool:
        service = service_of(client)
        return service["runningCount"] == 1 and service["deployments"][0]["rolloutState"] == "COMPLETED"

    wait_for("the first version", is_steady, seconds=90)


def update(client, **changes) -> None:
    """Updates the service to a version that is changed."""
    definition = task_definition(IMAGE, START)
    definition["containerDefinitions"][0] |= changes
    client("ecs").register_task_definition(**definition)
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    client("ecs").update_service(
        cluster="shop", service="web", taskDefinition="web:2", deploymentConfiguration=breaker
    )


def record_failure(client, medic, shown_by: str, **changes) -> dict:
    """Deploys a version that fails while the agent records; returns the report once ECS has rolled back and
    what shows the failure is recorded."""
    run_first_version(client)
    agent = medic.start("collect", *PLACE)
    wait_for("the first records", lambda: medic.counted("rolloutState=COMPLETED") > 0, seconds=90)
    update(client, **changes)

    def has_rolled_back() -> bool:
        return any("rolled back" in event["message"] for event in service_of(client)["events"])

    wait_for("the roll-back", has_rolled_back, seconds=120)
    wait_for("what was recorded of it", lambda: medic.counted('"rolled back"') > 0, seconds=60)
    wait_for("a stopped task", lambda: medic.counted("source:ecs-stopped-task") > 0, seconds=60)
    wait_for(f"{shown_by} in the records", lambda: medic.counted(shown_by) > 0, seconds=60)
    medic.stop(agent)
    medic.run("diagnose", "--deployment", "latest", expect=(1,))
    return medic.report()


def test_a_container_that_lacks_its_database_is_told(medic, client):
    settings = {"DATABASE_HOST": "127.0.0.1", "DATABASE_PORT": str(free_port())}
    environment = [{"name": name, "value": value} for name, value in settings.items()]
    report = record_failure(client, medic, "ConnectionRefusedError", environment=environment)
    assert report["root_cause"]["class"] == "application/database", json.dumps(report, indent=1)
    assert "refused" in str(report["root_cause"]["evidence"])
    # The driver's trace is one record, though each of its lines was an event.
    traces = medic.found("ConnectionRefusedError", "--source", "container-log")
    assert traces and all(trace["text"].count("\n") > 5 for trace in traces), traces


def test_a_container_whose_image_is_missing_is_told(medic, client):
    report = record_failure(client, medic, "CannotPullContainerError", image="docker.io/library/shop:v2")
    assert report["root_cause"]["class"] == "pipeline/image", json.dumps(report, indent=1)


def test_a_container_that_starts_is_healthy(medic, client):
    run_first_version(client)
    update(client, environment=[{"name": "COLOUR", "value": "green"}])
    medic.run("watch", *PLACE, "--timeout", "120s", expect=(0,), timeout=150)
    assert medic.report()["root_cause"] is None
