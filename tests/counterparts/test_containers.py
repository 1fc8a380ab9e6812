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


def deploy(client, medic, **changes) -> tuple[dict, subprocess.CompletedProcess]:
    """Runs a version that works, updates the service to one that is changed, and watches; returns the report."""
    ecs = client("ecs")
    create_service(client, image=IMAGE, command=START)

    def running() -> bool:
        service = ecs.describe_services(cluster="shop", services=["web"])["services"][0]
        return service["runningCount"] == 1 and service["deployments"][0]["rolloutState"] == "COMPLETED"

    wait_for("the first version", running)
    definition = task_definition(IMAGE, START)
    definition["containerDefinitions"][0] |= changes
    ecs.register_task_definition(**definition)
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    ecs.update_service(cluster="shop", service="web", taskDefinition="web:2", deploymentConfiguration=breaker)
    place = ["--cluster", "shop", "--service", "web"]
    watched = medic.run("watch", *place, "--timeout", "90s", "--format", "json", expect=(0, 1, 3), timeout=150)
    return medic.report(), watched


def test_a_container_that_lacks_its_database_is_told(medic, client):
    port = free_port()
    settings = {"DATABASE_HOST": "127.0.0.1", "DATABASE_PORT": str(port)}
    environment = [{"name": name, "value": value} for name, value in settings.items()]
    report, watched = deploy(client, medic, environment=environment)
    assert report["root_cause"]["class"] == "application/database", json.dumps(report, indent=1)
    assert "refused" in str(report["root_cause"]["evidence"])
    assert watched.returncode == 1
    # The driver's trace is one record, though each of its lines was an event.
    traces = medic.found("ConnectionRefusedError", "--source", "container-log")
    assert traces and all(trace["text"].count("\n") > 5 for trace in traces), traces


def test_a_container_whose_image_is_missing_is_told(medic, client):
    report, watched = deploy(client, medic, image="docker.io/library/shop:v2")
    assert report["root_cause"]["class"] == "pipeline/image", json.dumps(report, indent=1)
    assert watched.returncode == 1


def test_a_container_that_starts_is_healthy(medic, client):
    report, watched = deploy(client, medic, environment=[{"name": "COLOUR", "value": "green"}])
    assert report["root_cause"] is None, json.dumps(report, indent=1)
    assert watched.returncode == 0


