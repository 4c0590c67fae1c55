"""Turn a pod's JSON into workloads by container id."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain

from wattribute.core.records import Workload
from wattribute.node.workload.image import image_digest
from wattribute.node.workload.kube.owner import owner_of
from wattribute.node.workload.kube.resources import quality, requests_and_limits
from wattribute.node.workload.kube.shapes import ContainerStatus, Pod, PodSpec, PodStatus


@dataclass(frozen=True, slots=True)
class Described:
    """The facts that are kept about a pod."""

    uids: tuple[str, ...]
    """Names of the pod in cgroup paths: its uid, and for a static pod the hash of its file."""
    pod: Workload
    """The pod as a whole, without container and requests."""
    containers: Mapping[str, Workload]
    """Workloads by container id, including instances from before a restart."""


def describe(pod: Pod) -> Described:
    """Name the containers of a pod.

    The cgroup path of a static pod contains the hash of its file
    (``kubernetes.io/config.hash``). The API server uses the uid of the pod's mirror instead.
    """
    metadata, spec, status = pod.metadata, pod.spec or PodSpec(), pod.status or PodStatus()
    config_hash = metadata.annotations.config_hash if metadata.annotations else ""
    owner_kind, owner_name = owner_of(metadata)
    specified = {
        container.name: requests_and_limits(container)
        for container in chain(spec.containers or (), spec.init_containers or ())
    }
    whole = Workload(
        pod_uid=metadata.uid or config_hash,
        namespace=metadata.namespace,
        pod=metadata.name,
        labels=metadata.labels or {},
        owner_kind=owner_kind,
        owner_name=owner_name,
        qos=status.qos_class or quality(specified.values()),
    )
    containers: dict[str, Workload] = {}
    for container_status in _statuses(status):
        requests, limits = specified.get(container_status.name, ({}, {}))
        workload = replace(
            whole,
            container=container_status.name,
            requests=requests,
            limits=limits,
            image=image_digest(container_status.image_id),
        )
        for runtime, container_id in _ids(container_status):
            containers[container_id] = replace(workload, runtime=runtime)
    uids = dict.fromkeys(uid for uid in (metadata.uid, config_hash) if uid)
    return Described(tuple(uids), whole, containers)


def _statuses(status: PodStatus) -> Iterator[ContainerStatus]:
    for part in (
        status.init_container_statuses,
        status.container_statuses,
        status.ephemeral_container_statuses,
    ):
        yield from part or ()


_RUNTIMES = {"containerd": "containerd", "cri-o": "cri-o", "docker": "docker"}


def _ids(status: ContainerStatus) -> Iterator[tuple[str, str]]:
    """Return runtime and id of each known instance: the current one and the one before."""
    urls = [status.container_id]
    urls += [
        state.terminated.container_id
        for state in (status.state, status.last_state)
        if state is not None and state.terminated is not None
    ]
    for url in dict.fromkeys(urls):
        scheme, _, container_id = url.rpartition("://")
        if container_id:
            yield _RUNTIMES.get(scheme, ""), container_id
