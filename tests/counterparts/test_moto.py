"""moto: the pages of FilterLogEvents, events that come late, and calls that the other side does not know."""

import time

import pytest
from conftest import free_port, serve, tool, wait_for

GROUP = "/ecs/web"
# moto gives at most 10,000 events a page.
EVENTS = 25_000
CONFIG = f"""
[[source]]
kind = "cloudwatch-logs"
groups = ["{GROUP}"]
every = "500ms"
"""
REFUSED = 'connection to server at "db.internal" (10.0.3.7), port 5432 failed: Connection refused'


@pytest.fixture
def endpoint(tmp_path):
    port = free_port()
    yield from serve([tool("moto_server"), "-H", "127.0.0.1", "-p", str(port)], port, tmp_path / "moto.log")


@pytest.fixture
def logs(client):
    logs = client("logs")
    logs.create_log_group(logGroupName=GROUP)
    return logs


def put(logs, stream: str, texts: list[str], first: int, step=1) -> None:
    """Puts events, `step` milliseconds apart."""
    streams = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=stream)["logStreams"]
    if not streams:
        logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    events = [{"timestamp": first + step * number, "message": text} for number, text in enumerate(texts)]
    for at in range(0, len(events), 5_000):
        logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events[at : at + 5_000])


def now() -> int:
    return int(time.time() * 1000)


def test_every_event_of_every_page_is_stored_once(medic, logs):
    for stream in range(5):
        share = EVENTS // 5
        texts = [f"INFO request served s{stream}n{number}" for number in range(share)]
        put(logs, f"app/app/{stream}", texts, now() - 300_000, step=10)
    config = medic.config(CONFIG)
    medic.run("collect", "--once", "--config", config)
    assert medic.count("") == EVENTS
    assert medic.count("s4n4999") == 1
    # All of it is read again, as the overlap covers it, and nothing is new.
    medic.run("collect", "--once", "--config", config)
    assert medic.count("") == EVENTS


def test_events_that_come_late_are_stored(medic, logs):
    put(logs, "app/app/1", [f"INFO early n{number}" for number in range(100)], now() - 60_000)
    config = medic.config(CONFIG)
    medic.run("collect", "--once", "--config", config)
    assert medic.count("early") == 100
    # They are older than what was read, and lie within the overlap.
    put(logs, "app/app/2", [f"INFO late n{number}" for number in range(40)], now() - 200_000)
    medic.run("collect", "--once", "--config", config)
    assert (medic.count("late"), medic.count("early")) == (40, 100)


def test_what_arrives_while_the_agent_runs_is_stored_once(medic, logs):
    agent = medic.start("collect", "--config", medic.config(CONFIG))
    sent = 0
    for batch in range(12):
        # Every fourth batch is older than the one before, in a stream of its own.
        is_late = batch % 4 == 3
        first = now() - (20_000 if is_late else 0)
        texts = [f"INFO request served b{batch}n{number}" for number in range(500)]
        put(logs, f"app/app/late{batch}" if is_late else "app/app/1", texts, first, step=0)
        sent += len(texts)
        time.sleep(0.4)
    # What is later than fifteen seconds is read twice a minute.
    wait_for(f"{sent} records", lambda: medic.counted("") == sent, seconds=75)
    medic.stop(agent)
    assert medic.count("") == sent


def test_a_cause_is_found_though_the_other_side_knows_half_of_the_calls(medic, logs, client):
    ecs = client("ecs")
    ecs.create_cluster(clusterName="shop")
    options = {"awslogs-group": GROUP, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "app"}
    container = {
        "name": "app",
        "image": "web:1",
        "memory": 256,
        "logConfiguration": {"logDriver": "awslogs", "options": options},
    }
    ecs.register_task_definition(family="web", containerDefinitions=[container])
    ecs.create_service(cluster="shop", serviceName="web", taskDefinition="web:1", desiredCount=1)
    put(logs, "app/app/0123", ["INFO web starts", f"FATAL {REFUSED}"], now() - 5_000)
    medic.run("collect", "--once", "--cluster", "shop", "--service", "web")
    report = medic.report()
    assert report["root_cause"]["class"] == "application/database"
    assert "db.internal" in str(report["root_cause"])
    # ListServiceDeployments is answered with 500: the report says so, and nothing else is lost.
    assert any("deployments" in gap["what"] for gap in report["gaps"]), report["gaps"]
