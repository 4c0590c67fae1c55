"""What names cost: CPU time of a full list, memory of a node's pods."""

import json
import subprocess
import sys
import time
from typing import Any

import pytest

from wattribute.testing.kube import Json, container_id, pod

LIST_CPU_S = 0.5  # of 500 pods; 60 ms on a quiet machine, and tests share theirs
MEMORY_BYTES = 10 << 20  # of 200 pods


def real_size(name: str) -> Json:
    """A pod of 12 KB, as one with a sidecar and probes is, with managed fields."""
    made = pod(
        name,
        f"team-{len(name)}",
        containers={"app": container_id(f"{name}/app"), "proxy": container_id(f"{name}/proxy")},
        init_containers={"init": container_id(f"{name}/init")},
        requests={"cpu": "100m", "memory": "128Mi"},
        limits={"cpu": "2", "memory": "1Gi"},
        labels={
            f"app.kubernetes.io/{key}": f"{name}-{key}" for key in ("name", "part-of", "version")
        }
        | {"pod-template-hash": "7d9c5b8f6c"},
        owner=("ReplicaSet", f"{name}-7d9c5b8f6c"),
    )
    for container in made["spec"]["containers"]:
        container["env"] = [{"name": f"VARIABLE_{n}", "value": "x" * 30} for n in range(25)]
        container["volumeMounts"] = [{"name": f"v-{n}", "mountPath": f"/v/{n}"} for n in range(6)]
    made["metadata"]["managedFields"] = [
        {"manager": "kubelet", "fieldsV1": {f"f:field-{n}": {f"f:{m}": {}}}}
        for n in range(20)
        for m in range(5)
    ]
    return made


def test_the_made_pods_are_as_large_as_real_ones() -> None:
    assert 10_000 < len(json.dumps(real_size("web-1"), separators=(",", ":"))) < 16_000


def test_a_full_list_of_500_pods_is_cheap(rig: Any) -> None:
    for number in range(500):
        rig.cluster.put_pod(real_size(f"web-{number}"))
    from wattribute.workload.kube.apiserver import ApiServer
    from wattribute.workload.kube.node import NodeWatch

    source = ApiServer(
        rig.endpoint(rig.api().url), NodeWatch(None, "node-1", shared=True), "node-1"
    )
    source._list()  # whatever is done once
    costs_s = []
    for _ in range(3):
        began_s = time.thread_time()
        source._list()
        costs_s.append(time.thread_time() - began_s)

    assert source.health().pods == 500
    assert min(costs_s) < LIST_CPU_S, costs_s


MEASURE = """
import gc, sys
import wattribute.agent
from wattribute.settings import Workload
from wattribute.workload.kube.choose import open_cluster

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096

before = resident()
source = open_cluster(Workload(kube_url=sys.argv[1], node_name="node-1"), {})
source.wait(30)
assert source.health().pods == int(sys.argv[2]), source.health()
gc.collect()
print(resident() - before)
"""


@pytest.mark.parametrize(("pods", "most"), [(200, MEMORY_BYTES)])
def test_200_pods_add_under_10_mib_libraries_included(rig: Any, pods: int, most: int) -> None:
    for number in range(pods):
        rig.cluster.put_pod(real_size(f"web-{number}"))
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, rig.api().url, str(pods)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert int(done.stdout) < most
