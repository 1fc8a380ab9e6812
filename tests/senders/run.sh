#!/usr/bin/env bash
# Sends with clients of OpenTelemetry and Fluent to a running Medic, and counts what it stored.
# usage: tests/senders/run.sh [MEDIC]      needs python3, and the packages of requirements.txt or a way to get them
set -euo pipefail

medic=${1:-target/release/medic}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
python=$work/venv/bin/python
count=500
collector=

finish() {
    if [[ -n $collector ]]; then kill "$collector" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap finish EXIT

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

wait_for_port() {
    for _ in $(seq 100); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return; fi
        sleep 0.1
    done
    echo "nothing listens on port $1" >&2
    exit 1
}

expect() {
    local found
    found=$("$medic" search --state "$work/state" --count "$1")
    if [[ $found != "$2" ]]; then
        echo "\`$1\`: $found records are stored, $2 were sent" >&2
        exit 1
    fi
    echo "\`$1\`: $found"
}

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --requirement "$here/requirements.txt"

fluent=$(free_port) grpc=$(free_port) http=$(free_port)
cat >"$work/medic.toml" <<TOML
state = "$work/state"

[[source]]
kind = "fluent-forward"
listen = "127.0.0.1:$fluent"

[[source]]
kind = "otlp"
grpc = "127.0.0.1:$grpc"
http = "127.0.0.1:$http"
TOML
"$medic" collect --config "$work/medic.toml" &
collector=$!
for port in "$fluent" "$grpc" "$http"; do wait_for_port "$port"; done

"$python" "$here/send_fluent.py" "$fluent" "$count" falcon
"$python" "$here/send_otlp.py" grpc "$grpc" "$count" heron
"$python" "$here/send_otlp.py" http "$http" "$count" kestrel

kill -TERM "$collector"
wait "$collector"
collector=

expect falcon "$count"
expect heron "$count"
expect kestrel "$count"
# Each sender exports its counter when it is flushed, and again when it ends.
found=$("$medic" search --state "$work/state" --count orders)
if ((found < 2)); then
    echo "\`orders\`: $found data points are stored, at least 2 were sent" >&2
    exit 1
fi
echo "\`orders\`: $found"
