#!/bin/sh
# The agent in a container that sees the machine: http://127.0.0.1:9102/metrics
#
#   WATTRIBUTE_IMAGE=localhost/wattribute:latest deploy/podman-run.sh [agent flags]
#   ENGINE=docker does the same with docker.
#
# uid 0 with two capabilities: neither podman nor Kubernetes makes added capabilities effective for
# another user, and RAPL's files are root's. The host's /sys and /proc are mounted beside the
# container's own, because container engines mask powercap in those. The seccomp profile is ours,
# because those of older engines (podman 4.3 of Debian 12) refuse bpf(2) even with CAP_BPF.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec "${ENGINE:-podman}" run --detach --name wattribute --restart on-failure \
    --pid host --network host \
    --user 0 --cap-drop ALL --cap-add BPF --cap-add PERFMON \
    --security-opt no-new-privileges --security-opt "seccomp=$here/seccomp.json" --read-only \
    --volume /sys:/host/sys:ro --volume /proc:/host/proc:ro \
    --volume wattribute-state:/var/lib/wattribute \
    "${WATTRIBUTE_IMAGE:-localhost/wattribute:latest}" \
    agent --sysfs /host/sys --procfs /host/proc --state /var/lib/wattribute/state.json "$@"
