#!/usr/bin/env bash
# Checks that the twin is honest: boto3 reads every call, and each body is compared with botocore's models.
# Needs Python 3 with venv, and PyPI for the first run.
set -euo pipefail
cd "$(dirname "$0")/../../.."
target=${CARGO_TARGET_DIR:-target}
venv=$target/honest
if ! cmp -s tests/twin/honest/requirements.txt "$venv/installed.txt"; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --requirement tests/twin/honest/requirements.txt
    cp tests/twin/honest/requirements.txt "$venv/installed.txt"
fi
cargo build --quiet -p twin
exec "$venv/bin/python" tests/twin/honest/check.py "$target/debug/twin"
