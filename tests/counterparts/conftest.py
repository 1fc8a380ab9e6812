"""Starts counterparts, and runs the real `medic` against them."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REGION = "us-east-1"


class Medic:
    """The binary, with a state directory of its own."""

    def __init__(self, state: Path, endpoint: str | None):
        self.binary = Path(os.environ["MEDIC"]).resolve()
        self.state = state
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        self.environment = {**kept, "MEDIC_LOG": "warn", "MEDIC_STATE": str(state)}
        if endpoint:
            account = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION}
            self.environment |= {"AWS_ENDPOINT_URL": endpoint, **account}

    def config(self, text: str) -> Path:
        path = self.state.with_suffix(".toml")
        path.write_text(text)
        return path

    def run(self, *args, expect=(0,), timeout=120) -> subprocess.CompletedProcess:
        command = [self.binary, *map(str, args)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=timeout)
        assert done.returncode in expect, f"{args} ended with {done.returncode}\n{done.stderr}\n{done.stdout}"
        return done

    def start(self, *args) -> subprocess.Popen:
        return subprocess.Popen([self.binary, *map(str, args)], env=self.environment)

    def stop(self, process: subprocess.Popen) -> None:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0

    def count(self, query: str, *more) -> int:
        return int(self.run("search", query, "--count", *more).stdout)

    def counted(self, query: str) -> int:
        """Counts while the agent may have stored nothing yet."""
        done = self.run("search", query, "--count", expect=(0, 2))
        return int(done.stdout) if done.returncode == 0 else 0

    def found(self, query: str, *more) -> list[dict]:
        lines = self.run("search", query, "--format", "json", "--limit", 1000, *more).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def report(self, deployment="latest") -> dict:
        done = self.run("diagnose", "--deployment", deployment, "--format", "json", expect=(0, 1, 3))
        return json.loads(done.stdout)


@pytest.fixture
def medic(tmp_path, request) -> Medic:
    endpoint = request.getfixturevalue("endpoint") if "endpoint" in request.fixturenames else None
    return Medic(tmp_path / "state", endpoint)


@pytest.fixture
def client(endpoint):
    # The senders know nothing of AWS.
    import boto3

    def make(service: str):
        return boto3.client(
            service,
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    return make


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tool(name: str) -> str:
    """Returns the path of a program of the environment that runs the tests."""
    return str(Path(sys.executable).parent / name)


def wait_for(what: str, is_there, seconds=30.0):
    """Waits until it is there, and returns it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = is_there()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what}: not there after {seconds:.0f} s")


def answers(port: int):
    def ask():
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        except OSError:
            return False

    return ask


def serve(command: list[str], port: int, log: Path, environment: dict | None = None):
    """Runs a server until the fixture that asked for it ends."""
    with log.open("w") as out:
        server = subprocess.Popen(
            command, env={**os.environ, **(environment or {})}, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        wait_for(f"{command[0]} on port {port} (see {log})", answers(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=20)


def plain(text: str) -> str:
    """Removes what colours a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
