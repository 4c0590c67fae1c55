"""A cluster for tests: its state, an API server and a kubelet that serve it, and a made CA."""

from wattribute_testing.kube.api import FakeApiServer
from wattribute_testing.kube.authority import Authority
from wattribute_testing.kube.cluster import FakeCluster
from wattribute_testing.kube.faults import Faults, Seen
from wattribute_testing.kube.kubelet import FakeKubelet
from wattribute_testing.kube.objects import (
    Json,
    container_id,
    node,
    pod,
    pod_of_real_size,
    static_pod,
)
from wattribute_testing.kube.server import FakeServer

__all__ = [
    "Authority",
    "FakeApiServer",
    "FakeCluster",
    "FakeKubelet",
    "FakeServer",
    "Faults",
    "Json",
    "Seen",
    "container_id",
    "node",
    "pod",
    "pod_of_real_size",
    "static_pod",
]
