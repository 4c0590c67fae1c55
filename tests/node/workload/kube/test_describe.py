"""Pod JSON -> workloads."""

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.core.records import Workload
from wattribute.node.workload.kube.describe import Described, describe
from wattribute.node.workload.kube.node import facts_of
from wattribute.node.workload.kube.shapes import NODE, POD
from wattribute_testing.kube import Json, container_id, node, pod, static_pod

HASH = "0123456789abcdef0123456789abcdef"


def read(made: Json) -> Described:
    return describe(POD.decode(json.dumps(made).encode()))


def test_a_container_gets_everything_that_its_pod_says() -> None:
    made = pod(
        "web-7d9c5b8f6c-x2x7k",
        "shop",
        containers={"app": container_id("one")},
        requests={"cpu": "250m", "memory": "64Mi", "nvidia.com/gpu": "1"},
        limits={"cpu": "1", "memory": "128Mi", "nvidia.com/gpu": "1"},
        labels={"app": "web", "pod-template-hash": "7d9c5b8f6c"},
        owner=("ReplicaSet", "web-7d9c5b8f6c"),
    )

    described = read(made)

    assert described.containers[container_id("one")] == Workload(
        pod_uid=made["metadata"]["uid"],
        namespace="shop",
        pod="web-7d9c5b8f6c-x2x7k",
        container="app",
        labels={"app": "web", "pod-template-hash": "7d9c5b8f6c"},
        owner_kind="Deployment",
        owner_name="web",
        qos="Burstable",
        requests={"cpu_mcore": 250, "memory_bytes": 64 << 20, "gpu": 1},
        limits={"cpu_mcore": 1000, "memory_bytes": 128 << 20, "gpu": 1},
        runtime="containerd",
    )
    assert described.uids == (made["metadata"]["uid"],)
    assert described.pod.container == ""
    assert described.pod.requests == {}


@pytest.mark.parametrize(
    ("owner", "labels", "found"),
    [
        (("ReplicaSet", "web-abc"), {"pod-template-hash": "abc"}, ("Deployment", "web")),
        (("ReplicaSet", "web-abc"), {}, ("ReplicaSet", "web-abc")),
        (("ReplicaSet", "web"), {"pod-template-hash": "abc"}, ("ReplicaSet", "web")),
        (("ReplicaSet", "-abc"), {"pod-template-hash": "abc"}, ("ReplicaSet", "-abc")),
        (("ReplicaSet", "web-abc"), {"rollouts-pod-template-hash": "abc"}, ("Rollout", "web")),
        (("StatefulSet", "db"), {}, ("StatefulSet", "db")),
        (("DaemonSet", "agent"), {}, ("DaemonSet", "agent")),
        (("Job", "import"), {}, ("Job", "import")),
        (("Job", "nightly-29383200"), {}, ("CronJob", "nightly")),
        (("Job", "import-20260131"), {}, ("Job", "import-20260131")),  # a date, not minutes
        (("Job", "-29383200"), {}, ("Job", "-29383200")),
        (("Workflow", "train"), {}, ("Workflow", "train")),
        (None, {}, ("", "")),
    ],
)
def test_the_owner_is_told_by_names_and_hash(
    owner: tuple[str, str] | None, labels: dict[str, str], found: tuple[str, str]
) -> None:
    described = read(pod("p", labels=labels, owner=owner))

    assert (described.pod.owner_kind, described.pod.owner_name) == found


def test_who_does_not_control_the_pod_is_not_its_owner() -> None:
    made = pod("p", owner=("ReplicaSet", "web-abc"))
    made["metadata"]["ownerReferences"][0]["controller"] = False

    assert read(made).pod.owner_kind == ""


def test_init_and_ephemeral_containers_are_named_too() -> None:
    described = read(
        pod(
            "web",
            containers={"app": container_id("app")},
            init_containers={"migrate": container_id("migrate")},
            ephemeral_containers={"debugger": container_id("debugger")},
            requests={"cpu": "1"},
        )
    )

    names = {i: workload.container for i, workload in described.containers.items()}
    assert names == {container_id(name): name for name in ("app", "migrate", "debugger")}
    assert described.containers[container_id("migrate")].requests == {"cpu_mcore": 1000}
    assert described.containers[container_id("debugger")].requests == {}


def test_a_container_that_restarted_is_known_by_its_old_id_too() -> None:
    made = pod("web", containers={"app": container_id("new")})
    made["status"]["containerStatuses"][0]["lastState"] = {
        "terminated": {"exitCode": 137, "containerID": f"containerd://{container_id('old')}"}
    }

    described = read(made)

    assert set(described.containers) == {container_id("new"), container_id("old")}
    assert described.containers[container_id("old")].container == "app"


def test_a_static_pod_is_known_by_its_mirror_and_by_the_hash_of_its_file() -> None:
    mirror = static_pod("etcd-node-1", HASH, containers={"etcd": container_id("etcd")})
    described = read(mirror)

    assert described.uids == (mirror["metadata"]["uid"], HASH)
    assert described.pod.pod_uid == mirror["metadata"]["uid"]
    assert described.pod.owner_kind == "Node"
    assert described.containers[container_id("etcd")].container == "etcd"
    assert read(static_pod("etcd-node-1", HASH, mirror=False)).uids == (HASH,)


@pytest.mark.parametrize("missing", ["status", "spec", "metadata.labels", "status.qosClass"])
def test_a_pod_may_lack_nearly_everything(missing: str) -> None:
    made = pod("web")
    part, _, field = missing.partition(".")
    if field:
        del made[part][field]
    else:
        del made[part]

    described = read(made)

    assert described.pod.pod == "web"
    assert bool(described.containers) == (missing != "status")


def test_lists_may_be_null() -> None:
    made = pod("web")
    made["spec"] = {"containers": None, "initContainers": None}
    made["status"] = {"containerStatuses": None, "qosClass": "BestEffort"}
    made["metadata"] |= {"labels": None, "annotations": None, "ownerReferences": None}

    assert read(made).containers == {}


def test_a_container_that_is_not_created_yet_has_no_id() -> None:
    assert read(pod("web", containers={"app": ""})).containers == {}


def test_a_limit_without_request_is_the_request() -> None:
    described = read(pod("web", limits={"cpu": "500m", "memory": "1Gi"}))

    (workload,) = described.containers.values()
    assert workload.requests == {"cpu_mcore": 500, "memory_bytes": 1 << 30}


def test_a_quantity_that_is_none_costs_only_itself() -> None:
    made = pod("web", requests={"cpu": "lots", "memory": "64Mi"})
    made["spec"]["containers"][0]["resources"]["limits"] = {"cpu": 2, "memory": 6.4e7}

    (workload,) = read(made).containers.values()

    assert workload.requests == {"cpu_mcore": 2000, "memory_bytes": 64 << 20}
    assert workload.limits == {"cpu_mcore": 2000, "memory_bytes": 64_000_000}


@pytest.mark.parametrize(
    ("resources", "count"),
    [
        ({"nvidia.com/gpu": "2"}, 2),
        ({"amd.com/gpu": "1"}, 1),
        ({"nvidia.com/mig-1g.5gb": "1", "nvidia.com/mig-2g.10gb": "2"}, 3),
        ({"gpu.intel.com/i915": "1"}, 1),
        ({"gpu.intel.com/xe": "1", "gpu.intel.com/memory.max": "8Gi"}, 1),
        ({"gpu.intel.com/i915_monitoring": "1"}, None),
        ({"example.com/fpga": "1"}, None),
    ],
)
def test_gpus_are_counted_whoever_made_them(resources: dict[str, str], count: int | None) -> None:
    (workload,) = read(pod("train", limits=resources)).containers.values()

    assert workload.requests.get("gpu") == count


@pytest.mark.parametrize(
    ("requests", "limits", "quality"),
    [
        ({}, {}, "BestEffort"),
        ({"cpu": "1"}, {}, "Burstable"),
        ({"cpu": "1", "memory": "1Gi"}, {"cpu": "1", "memory": "1Gi"}, "Guaranteed"),
        ({}, {"cpu": "1", "memory": "1Gi"}, "Guaranteed"),
        ({"cpu": "1", "memory": "1Gi"}, {"cpu": "2", "memory": "1Gi"}, "Burstable"),
        ({"cpu": "1"}, {"cpu": "1"}, "Burstable"),
    ],
)
def test_the_class_of_service_is_derived_where_the_status_does_not_say(
    requests: dict[str, str], limits: dict[str, str], quality: str
) -> None:
    made = pod("web", requests=requests, limits=limits, qos="")

    assert read(made).pod.qos == quality


def test_names_may_be_anything() -> None:
    hostile = 'a"b\\c\nd\x00e<script>\u2028'
    described = read(pod(hostile, hostile, containers={hostile: container_id("x")}))

    assert described.containers[container_id("x")].container == hostile


def test_a_node_tells_what_it_is() -> None:
    made = node(
        provider_id="aws:///eu-west-1a/i-0123",
        labels={
            "node.kubernetes.io/instance-type": "m7i.large",
            "beta.kubernetes.io/instance-type": "old",
            "failure-domain.beta.kubernetes.io/region": "eu-west-1",
        },
        capacity={"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "4", "pods": "110"},
    )

    facts = facts_of(NODE.decode(json.dumps(made).encode()))

    assert facts.provider_id == "aws:///eu-west-1a/i-0123"
    assert facts.instance_type == "m7i.large"
    assert facts.region == "eu-west-1"
    assert facts.capacity == {"cpu_mcore": 8000, "memory_bytes": 32 << 30, "gpu": 4}


def test_a_node_may_say_nothing() -> None:
    assert facts_of(NODE.decode(b"{}")).capacity == {}


scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += paths(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += paths(inner, (*path, index))
    return found


FULL = pod(
    "web",
    init_containers={"init": container_id("init")},
    ephemeral_containers={"debug": container_id("debug")},
    requests={"cpu": "1"},
    limits={"memory": "1Gi"},
    labels={"a": "b"},
    owner=("ReplicaSet", "web-1"),
)


@given(st.sampled_from(paths(FULL)), anything)
def test_a_pod_with_anything_anywhere_is_described_or_refused(
    path: tuple[Any, ...], value: Any
) -> None:
    made = json.loads(json.dumps(FULL))
    inner = made
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value

    try:
        described = read(made)
    except msgspec.ValidationError:
        return
    for container, workload in described.containers.items():
        assert isinstance(container, str)
        assert workload.pod_uid == described.pod.pod_uid
        assert all(amount >= 0 for amount in workload.requests.values())


@given(st.binary(max_size=200))
def test_any_bytes_are_a_pod_or_refused(body: bytes) -> None:
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        describe(POD.decode(body))
