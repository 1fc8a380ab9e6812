#!/usr/bin/env bash
# A container engine without a Docker daemon: podman's API, for tests, with a store of its own.
# usage: engine.sh install                  installs podman and crun where they are missing (Debian, root)
#        engine.sh serve FOLDER             serves on FOLDER/podman.sock until it is ended
#        engine.sh image FOLDER FILES NAME  makes an image of a folder of files
set -euo pipefail

store() {
    cat >"$1/containers.conf" <<'TOML'
[containers]
# Machines for tests often lack the capability to raise limits.
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
cgroups = "disabled"
netns = "host"
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
TOML
    # No registry is searched or asked.
    printf 'unqualified-search-registries = []\n[[registry]]\nlocation = "docker.io"\nblocked = true\n' >"$1/registries.conf"
    export CONTAINERS_CONF=$1/containers.conf CONTAINERS_REGISTRIES_CONF=$1/registries.conf
    podman=(podman --root "$1/root" --runroot "$1/run" --tmpdir "$1/state" --storage-driver "${MEDIC_TEST_STORAGE:-overlay}")
}

case ${1:-} in
    install)
        missing=()
        for program in podman crun; do command -v "$program" >/dev/null || missing+=("$program"); done
        if ((${#missing[@]} == 0)); then exit 0; fi
        if ! command -v apt-get >/dev/null || [[ $(id -u) != 0 ]]; then
            echo "missing: ${missing[*]}; install podman and crun, and run as root" >&2
            exit 1
        fi
        apt-get update --quiet >/dev/null
        apt-get install --quiet --yes --no-install-recommends podman crun >/dev/null
        ;;
    serve)
        folder=$(realpath "$2")
        store "$folder"
        # In a mount namespace of its own, since crun does not work with hybrid control groups; the host's stay as they are.
        exec unshare --mount bash -c '
            set -e
            mount --make-rprivate /
            umount --lazy /sys/fs/cgroup
            mount -t cgroup2 none /sys/fs/cgroup
            exec "$@"' serve "${podman[@]}" system service --time=0 "unix://$folder/podman.sock"
        ;;
    image)
        folder=$(realpath "$2")
        store "$folder"
        tar -C "$3" -c . | "${podman[@]}" import --quiet - "$4" >/dev/null
        ;;
    *)
        sed -n '2,5p' "$0" >&2
        exit 2
        ;;
esac
