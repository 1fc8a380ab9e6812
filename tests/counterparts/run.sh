#!/usr/bin/env bash
# Runs the real `medic` against software that other people wrote, on the loopback interface.
# usage: tests/counterparts/run.sh [moto] [ministack] [senders] [containers]      without names: the first three
# Needs Python 3 with venv, PyPI for the first run (npm for the senders); containers need root, and podman or Debian's packages.
# MEDIC names the binary; without it, it is built.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=tests/counterparts
target=${CARGO_TARGET_DIR:-target}
if (($# == 0)); then set -- moto ministack senders; fi

if [[ -z ${MEDIC:-} ]]; then
    cargo build --quiet --workspace
    MEDIC=$target/debug/medic
fi
MEDIC=$(realpath "$MEDIC")
export MEDIC

# Installs what a counterpart needs, once for each state of its list.
install() {
    local name=$1 venv=$target/counterparts/$1 wanted=$here/requirements-$1.txt
    if ! cmp -s "$wanted" "$venv/installed.txt"; then
        echo "installing $name into $venv" >&2
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
        cp "$wanted" "$venv/installed.txt"
    fi
}

# Installs the senders for Node.js, as their lock file has them.
install_node() {
    local folder=$target/counterparts/node
    if ! command -v npm >/dev/null; then return; fi
    if ! cmp -s "$here/node/package-lock.json" "$folder/installed.json"; then
        mkdir -p "$folder"
        cp "$here"/node/package*.json "$folder"
        npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --silent
        cp "$here/node/package-lock.json" "$folder/installed.json"
    fi
    NODE_PATH=$(realpath "$folder/node_modules")
    export NODE_PATH
}

failed=()
for name in "$@"; do
    case $name in
        moto | ministack | senders) environment=$name ;;
        containers) environment=ministack ;;
        *) echo "no counterpart is called $name; there are moto, ministack, senders and containers" >&2 && exit 2 ;;
    esac
    install "$environment"
    if [[ $name == senders ]]; then install_node; fi
    if [[ $name == containers ]]; then "$here/engine.sh" install; fi
    "$target/counterparts/$environment/bin/python" -m pytest -p no:cacheprovider -rs --quiet "$here/test_$name.py" || failed+=("$name")
done
if ((${#failed[@]})); then
    echo "failed: ${failed[*]}" >&2
    exit 1
fi
