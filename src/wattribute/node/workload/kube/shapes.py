"""What is read of the API's JSON: a few fields; the rest is skipped without being built.

Source of the fields: Kubernetes API v1 (Pod, Node, Status, WatchEvent). All have a default,
for a pod may lack any of them, and lists may be null.
"""

from typing import Any, Final

import msgspec


class OwnerReference(msgspec.Struct, frozen=True, gc=False):
    """Who made the object."""

    kind: str = ""
    name: str = ""
    controller: bool | None = None


class Annotations(msgspec.Struct, frozen=True, gc=False):
    """The annotations that say something of identity."""

    config_hash: str = msgspec.field(name="kubernetes.io/config.hash", default="")
    """Of a static pod: its uid as the kubelet and the cgroup path have it."""


class Metadata(msgspec.Struct, frozen=True):
    """ObjectMeta."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    version: str = msgspec.field(name="resourceVersion", default="")
    labels: dict[str, str] | None = None
    annotations: Annotations | None = None
    owners: list[OwnerReference] | None = msgspec.field(name="ownerReferences", default=None)


class Resources(msgspec.Struct, frozen=True):
    """Quantities by resource; numbers where someone did not quote them."""

    requests: dict[str, str | int | float] | None = None
    limits: dict[str, str | int | float] | None = None


class Container(msgspec.Struct, frozen=True):
    """As specified."""

    name: str = ""
    resources: Resources | None = None


class Terminated(msgspec.Struct, frozen=True, gc=False):
    """How an instance of a container ended."""

    container_id: str = msgspec.field(name="containerID", default="")


class State(msgspec.Struct, frozen=True, gc=False):
    """State of a container's instance; only the end of it is read."""

    terminated: Terminated | None = None


class ContainerStatus(msgspec.Struct, frozen=True):
    """What became of a container."""

    name: str = ""
    container_id: str = msgspec.field(name="containerID", default="")
    """``containerd://ID``; "" until it was created."""
    state: State | None = None
    last_state: State | None = msgspec.field(name="lastState", default=None)


class PodSpec(msgspec.Struct, frozen=True, rename="camel"):
    """As specified."""

    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    ephemeral_containers: list[Container] | None = None


class PodStatus(msgspec.Struct, frozen=True, rename="camel"):
    """As the kubelet last reported."""

    qos_class: str = ""
    container_statuses: list[ContainerStatus] | None = None
    init_container_statuses: list[ContainerStatus] | None = None
    ephemeral_container_statuses: list[ContainerStatus] | None = None


class Pod(msgspec.Struct, frozen=True):
    """A pod."""

    metadata: Metadata = Metadata()
    spec: PodSpec | None = None
    status: PodStatus | None = None


class ListMetadata(msgspec.Struct, frozen=True):
    """ListMeta."""

    version: str = msgspec.field(name="resourceVersion", default="")


class PodList(msgspec.Struct, frozen=True):
    """A list; each item is decoded for itself, so that a bad one costs only itself."""

    items: list[msgspec.Raw] | None
    metadata: ListMetadata = ListMetadata()
    kind: str = ""


class NodeSpec(msgspec.Struct, frozen=True):
    """As the cloud provider registered it."""

    provider_id: str = msgspec.field(name="providerID", default="")


class NodeStatus(msgspec.Struct, frozen=True):
    """What the kubelet reported."""

    capacity: dict[str, str | int | float] | None = None


class Node(msgspec.Struct, frozen=True):
    """A node."""

    metadata: Metadata = Metadata()
    spec: NodeSpec | None = None
    status: NodeStatus | None = None


class Event(msgspec.Struct, frozen=True):
    """One line of a watch."""

    type: str
    object: msgspec.Raw


class Status(msgspec.Struct, frozen=True):
    """An error as the API server words it."""

    message: str = ""
    code: int = 0


POD: Final = msgspec.json.Decoder(Pod)
POD_LIST: Final = msgspec.json.Decoder(PodList)
NODE: Final = msgspec.json.Decoder(Node)
EVENT: Final = msgspec.json.Decoder(Event)
STATUS: Final = msgspec.json.Decoder(Status)

Decoder = msgspec.json.Decoder[Any]
