"""Clients of OpenTelemetry and Fluent that other people wrote send to the receivers."""

import os
import shutil
import subprocess
import sys
import time

import pytest
from conftest import HERE, answers, free_port, wait_for

COUNT = 500
KEY = "falcon-and-heron"
MODES = ["Message", "Forward", "PackedForward", "CompressedPackedForward"]


class Receiver:
    """A running agent with receivers."""

    def __init__(self, medic, key_variable: str | None = None):
        self.medic = medic
        self.fluent, self.grpc, self.http = free_port(), free_port(), free_port()
        key = f'shared_key_variable = "{key_variable}"\n' if key_variable else ""
        config = medic.config(
            f'[[source]]\nkind = "fluent-forward"\nlisten = "127.0.0.1:{self.fluent}"\n{key}'
            f'[[source]]\nkind = "otlp"\ngrpc = "127.0.0.1:{self.grpc}"\nhttp = "127.0.0.1:{self.http}"\n'
        )
        self.agent = medic.start("collect", "--config", config)
        for port in (self.fluent, self.grpc, self.http):
            wait_for(f"port {port}", answers(port))

    def stop(self) -> None:
        self.medic.stop(self.agent)


@pytest.fixture
def receiver(medic):
    receiver = Receiver(medic)
    yield receiver
    receiver.agent.kill()


def send(program: str, *args, expect=0) -> None:
    done = subprocess.run([sys.executable, HERE / program, *map(str, args)], capture_output=True, text=True)
    assert done.returncode == expect, done.stderr


def send_with_node(program: str, *args, expect=0) -> None:
    if not shutil.which("node") or not os.environ.get("NODE_PATH"):
        pytest.skip("node is missing, or its packages: tests/counterparts/run.sh senders installs them")
    command = ["node", HERE / "node" / program, *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == expect, done.stderr


def test_logs_of_fluent_are_stored_once(receiver, medic):
    send("send_fluent.py", receiver.fluent, COUNT, "falcon")
    receiver.stop()
    assert medic.count("falcon") == COUNT
    assert medic.count("falcon entity:0123 severity:error source:container-log") == COUNT


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_of_fluent_is_acknowledged_once_it_is_stored(receiver, medic, mode):
    send_with_node("send_fluent.js", receiver.fluent, COUNT, "merlin", mode)
    # The sender has heard that all of it is stored, so it is, even if the agent is killed now.
    receiver.agent.kill()
    receiver.agent.wait()
    assert medic.count("merlin") == COUNT


def test_only_senders_that_know_the_key_are_heard(medic):
    medic.environment["FLUENT_KEY"] = KEY
    receiver = Receiver(medic, "FLUENT_KEY")
    try:
        send_with_node("send_fluent.js", receiver.fluent, COUNT, "merlin", "PackedForward", KEY)
        send_with_node("send_fluent.js", receiver.fluent, 1, "stranger", "PackedForward", "another", expect=1)
        receiver.stop()
    finally:
        receiver.agent.kill()
    assert (medic.count("merlin"), medic.count("stranger")) == (COUNT, 0)


def test_a_line_that_the_log_driver_cut_is_one_record(receiver, medic):
    send("send_fluent.py", receiver.fluent, 20, "osprey", "cut")
    receiver.stop()
    found = medic.found("osprey")
    assert len(found) == 20
    assert all(len(record["text"]) > 40_000 and record["text"].endswith(" end") for record in found)


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_logs_of_opentelemetry_are_stored_once(receiver, medic, protocol):
    send("send_otlp.py", protocol, getattr(receiver, protocol), COUNT, "heron")
    receiver.stop()
    assert medic.count("heron") == COUNT
    assert medic.count("heron entity:0123 severity:error") == COUNT
    # The exception is part of the record that tells of it.
    assert medic.count('heron "no such table"') == 1
    # The counter is exported when it is flushed, and again when the sender ends.
    assert medic.count("orders", "--source", "metric") >= 1
    assert any("3" in record["text"] and "north" in record["text"] for record in medic.found("orders"))


def test_logs_of_opentelemetry_in_json_are_stored_once(receiver, medic):
    send_with_node("send_otlp.js", receiver.http, COUNT, "harrier")
    receiver.stop()
    assert medic.count("harrier severity:error") == COUNT


def test_a_sender_that_sends_again_after_a_restart_loses_nothing(medic):
    """The agent is away while the sender sends, and comes back."""
    receiver = Receiver(medic)
    sender = subprocess.Popen([sys.executable, HERE / "send_otlp.py", "http", str(receiver.http), "300", "kestrel", "slowly"])
    wait_for("the first records", lambda: medic.counted("kestrel") > 20)
    receiver.agent.kill()
    receiver.agent.wait()
    time.sleep(1)
    receiver.agent = medic.start("collect", "--config", medic.state.with_suffix(".toml"))
    assert sender.wait(timeout=90) == 0
    receiver.stop()
    assert medic.count("kestrel") == 300
