#!/usr/bin/env bash
# What the agent takes while nothing happens: resident memory and share of a core, against a healthy simulated service,
# with all sources of an account polled as usual; or as a sidecar, which listens and follows a file.
# usage: cargo build --release --workspace; tests/benches/idle.sh [SECONDS] [SCENARIO|sidecar]
set -euo pipefail

seconds=${1:-60}
scenario=${2:-healthy}
target=${CARGO_TARGET_DIR:-target}/release
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$folder"' EXIT

if [ "$scenario" = sidecar ]; then
  touch "$folder/app.log"
  printf '[[source]]\nkind = "%s"\n' fluent-forward otlp > "$folder/medic.toml"
  printf '[[source]]\nkind = "files"\npaths = ["%s"]\n' "$folder/app.log" >> "$folder/medic.toml"
  "$target/medic" collect --config "$folder/medic.toml" --state "$folder/state" 2> "$folder/medic.log" &
  agent=$!
else
  "$target/twin" --scenario "$scenario" --listen 127.0.0.1:4599 --speed 1 > "$folder/twin.log" &
  sleep 1
  export AWS_ENDPOINT_URL=http://127.0.0.1:4599 AWS_REGION=eu-central-1 AWS_ACCESS_KEY_ID=twin AWS_SECRET_ACCESS_KEY=twin
  "$target/medic" collect --cluster shop --service web --state "$folder/state" 2> "$folder/medic.log" &
  agent=$!
fi

used() { awk '{ print $14 + $15 }' "/proc/$agent/stat"; }
sleep 80 # what it does at its start is not idle
before=$(used)
sleep "$seconds"
after=$(used)
grep -E 'VmRSS|VmHWM|RssAnon' "/proc/$agent/status"
awk -v ticks=$((after - before)) -v hertz="$(getconf CLK_TCK)" -v seconds="$seconds" \
  'BEGIN { printf "%.2f %% of a core over %d s\n", 100 * ticks / hertz / seconds, seconds }'
