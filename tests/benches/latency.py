#!/usr/bin/env python3
"""How long a record takes from being available in the account to the verdict on the screen, with the usual polling.

    cargo build --release --workspace
    python3 tests/benches/latency.py [ROUNDS]

The twin plays a service whose database refuses connections, at 20 times its speed. This script asks for the telling
line every 20 ms as Medic does, and reads what `medic watch --format json` says meanwhile.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

TARGET = os.path.join(os.environ.get("CARGO_TARGET_DIR", "target"), "release")
CAUSE = "application/database/connection-refused"
GROUP = "/ecs/web"


def main(rounds):
    waits = sorted(round_trip() for _ in range(rounds))
    print("seconds from the line being available to the verdict:", " ".join(f"{wait:.2f}" for wait in waits))
    print(f"median {waits[len(waits) // 2]:.2f} s, longest {waits[-1]:.2f} s")


def round_trip():
    with tempfile.TemporaryDirectory() as state:
        twin = subprocess.Popen(
            [f"{TARGET}/twin", "--scenario", "database-refused", "--speed", "20"], stdout=subprocess.PIPE, text=True
        )
        url = next(word for word in twin.stdout.readline().split() if word.startswith("http"))
        settings = {"AWS_ENDPOINT_URL": url, "AWS_REGION": "eu-central-1"}
        settings |= {"AWS_ACCESS_KEY_ID": "twin", "AWS_SECRET_ACCESS_KEY": "twin"}
        medic = subprocess.Popen(
            [f"{TARGET}/medic", "watch", "--cluster", "shop", "--service", "web", "--state", state, "--format", "json"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ | settings,
        )
        said = {}
        reader = threading.Thread(target=read, args=(medic.stdout, said), daemon=True)
        reader.start()
        try:
            available = None
            while available is None:
                if is_available(url):
                    available = time.monotonic()
                time.sleep(0.02)
            reader.join(timeout=60)
            return said["at"] - available
        finally:
            medic.kill()
            twin.kill()


def read(lines, said):
    for line in lines:
        if CAUSE in json.dumps(json.loads(line).get("verdict")):
            said["at"] = time.monotonic()
            return


def is_available(url):
    body = json.dumps({"logGroupName": GROUP, "filterPattern": "Connection refused"}).encode()
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Logs_20140328.FilterLogEvents"}
    request = urllib.request.Request(url, body, headers)
    with urllib.request.urlopen(request) as answer:
        return any("Connection refused" in event["message"] for event in json.load(answer)["events"])


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
