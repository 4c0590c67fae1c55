"""JSON of pods and nodes, with the fields that a real API server sends."""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]
"""An object as it is sent."""


def container_id(name: str) -> str:
    """An id of 64 hex digits, the same for the same name."""
    return hashlib.sha256(name.encode()).hexdigest()


def uid(name: str) -> str:
    """A uid, the same for the same name."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def pod(
    name: str,
    namespace: str = "default",
    *,
    node_name: str = "node-1",
    pod_uid: str | None = None,
    containers: Mapping[str, str] | None = None,
    init_containers: Mapping[str, str] | None = None,
    ephemeral_containers: Mapping[str, str] | None = None,
    requests: Mapping[str, str] | None = None,
    limits: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    owner: tuple[str, str] | None = None,
    qos: str = "Burstable",
    runtime: str = "containerd",
) -> Json:
    """A running pod.

    Args:
        name: of the pod.
        namespace: of the pod.
        node_name: where it runs.
        pod_uid: made from the name if not given.
        containers: id by name; one named ``app`` if not given. An id of "": not created yet.
        init_containers: the same, of those that have ended.
        ephemeral_containers: the same.
        requests: of each container, init containers too.
        limits: the same.
        labels: of the pod.
        owner: kind and name of the controller.
        qos: class of service.
        runtime: scheme of container ids.
    """
    if containers is None:
        containers = {"app": container_id(f"{namespace}/{name}/app")}
    resources = {"requests": dict(requests or {}), "limits": dict(limits or {})}
    metadata: Json = {
        "name": name,
        "namespace": namespace,
        "uid": uid(f"{namespace}/{name}") if pod_uid is None else pod_uid,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": dict(labels or {}),
        "annotations": {"example.com/note": "not read"},
        "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:status": {"f:phase": {}}}}],
    }
    if owner is not None:
        kind, owner_name = owner
        metadata["ownerReferences"] = [_controller(kind, owner_name)]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            "nodeName": node_name,
            "containers": _specified(containers, resources),
            "initContainers": _specified(init_containers or {}, resources),
            "ephemeralContainers": _specified(ephemeral_containers or {}, {}),
        },
        "status": {
            "phase": "Running",
            "qosClass": qos,
            "containerStatuses": _running(containers, runtime),
            "initContainerStatuses": _ended(init_containers or {}, runtime),
            "ephemeralContainerStatuses": _running(ephemeral_containers or {}, runtime),
        },
    }


def _controller(kind: str, name: str) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "name": name,
        "uid": uid(name),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _ended(containers: Mapping[str, str], runtime: str) -> list[Json]:
    """Return the states of init containers, which have ended."""
    return [
        {
            "name": container,
            "containerID": f"{runtime}://{i}",
            "state": {"terminated": {"exitCode": 0, "containerID": f"{runtime}://{i}"}},
            "lastState": {},
        }
        for container, i in containers.items()
    ]


def pod_of_real_size(name: str) -> Json:
    """A pod of 12 kB, as one with a sidecar, environment, mounts and managed fields is."""
    namespace = f"team-{len(name)}"
    document = pod(
        name,
        namespace,
        containers={
            container: container_id(f"{namespace}/{name}/{container}")
            for container in ("app", "proxy")
        },
        init_containers={"init": container_id(f"{namespace}/{name}/init")},
        requests={"cpu": "100m", "memory": "128Mi"},
        limits={"cpu": "2", "memory": "1Gi"},
        labels={
            f"app.kubernetes.io/{key}": f"{name}-{key}" for key in ("name", "part-of", "version")
        }
        | {"pod-template-hash": "7d9c5b8f6c"},
        owner=("ReplicaSet", f"{name}-7d9c5b8f6c"),
    )
    for container in document["spec"]["containers"]:
        container["env"] = [{"name": f"VARIABLE_{n}", "value": "x" * 30} for n in range(25)]
        container["volumeMounts"] = [{"name": f"v-{n}", "mountPath": f"/v/{n}"} for n in range(6)]
    document["metadata"]["managedFields"] = [
        {"manager": "kubelet", "fieldsV1": {f"f:field-{n}": {f"f:{m}": {}}}}
        for n in range(20)
        for m in range(5)
    ]
    return document


def static_pod(name: str, config_hash: str, *, mirror: bool = True, **given: Any) -> Json:  # noqa: ANN401
    """A pod from a file on the node.

    Args:
        name: with the node's name at its end.
        config_hash: 32 hex digits; what the cgroup path calls the pod.
        mirror: as the API server shows it, under a uid of its own; else as the kubelet does.
        given: as for ``pod``.
    """
    document = pod(name, "kube-system", pod_uid=None if mirror else config_hash, **given)
    annotations = {"kubernetes.io/config.hash": config_hash, "kubernetes.io/config.source": "file"}
    if mirror:
        annotations["kubernetes.io/config.mirror"] = config_hash
        document["metadata"]["ownerReferences"] = [
            {"apiVersion": "v1", "kind": "Node", "name": document["spec"]["nodeName"], "uid": "n",
             "controller": True}
        ]  # fmt: skip
    document["metadata"]["annotations"] = annotations
    return document


def node(
    name: str = "node-1",
    *,
    provider_id: str = "",
    labels: Mapping[str, str] | None = None,
    capacity: Mapping[str, str] | None = None,
) -> Json:
    """Return a Node object."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "uid": uid(name), "labels": dict(labels or {})},
        "spec": {"providerID": provider_id} if provider_id else {},
        "status": {
            "capacity": dict(capacity or {"cpu": "4", "memory": "16Gi", "pods": "110"}),
            "nodeInfo": {"kernelVersion": "6.1.0", "kubeletVersion": "v1.32.0"},
        },
    }


def _specified(containers: Mapping[str, str], resources: Json) -> list[Json]:
    return [{"name": name, "image": "x", "resources": resources} for name in containers]


def _running(containers: Mapping[str, str], runtime: str) -> list[Json]:
    return [
        {"name": name, "ready": True, "restartCount": 0, "lastState": {}, "image": "x"}
        | (
            {"containerID": f"{runtime}://{i}", "state": {"running": {}}}
            if i
            else {"state": {"waiting": {"reason": "ContainerCreating"}}}
        )
        for name, i in containers.items()
    ]


def fields_of(document: Json) -> dict[str, str]:
    """What a field selector of pods can name."""
    return {
        "metadata.name": document["metadata"]["name"],
        "metadata.namespace": document["metadata"].get("namespace", ""),
        "spec.nodeName": document.get("spec", {}).get("nodeName", ""),
    }


def matches(document: Json, selector: Sequence[tuple[str, str]]) -> bool:
    """Whether an object has these fields."""
    fields = fields_of(document)
    return all(fields[key] == value for key, value in selector)
