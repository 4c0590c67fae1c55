"""The fields that are read from the API's JSON; all others are skipped without being built.

Source of the fields: Kubernetes API v1 (Pod, Node, Status, WatchEvent). Each field has a
default, because a pod may lack any of them. Lists may be null.
"""

from typing import Any, Final

import msgspec


class OwnerReference(msgspec.Struct, frozen=True, gc=False):
    """A reference to an owner of the object (OwnerReference)."""

    kind: str = ""
    name: str = ""
    controller: bool | None = None


class Annotations(msgspec.Struct, frozen=True, gc=False):
    """The annotations that identify a pod."""

    config_hash: str = msgspec.field(name="kubernetes.io/config.hash", default="")
    """For a static pod: its uid in the kubelet and in the cgroup path."""


class Metadata(msgspec.Struct, frozen=True):
    """The metadata of an object (ObjectMeta)."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    version: str = msgspec.field(name="resourceVersion", default="")
    labels: dict[str, str] | None = None
    annotations: Annotations | None = None
    owners: list[OwnerReference] | None = msgspec.field(name="ownerReferences", default=None)


class Resources(msgspec.Struct, frozen=True):
    """Quantities by resource name; a quantity is a number if it was written without quotes."""

    requests: dict[str, str | int | float] | None = None
    limits: dict[str, str | int | float] | None = None


class Container(msgspec.Struct, frozen=True):
    """A container as the pod's spec describes it."""

    name: str = ""
    resources: Resources | None = None


class Terminated(msgspec.Struct, frozen=True, gc=False):
    """The end of a container's instance."""

    container_id: str = msgspec.field(name="containerID", default="")


class ContainerInstanceState(msgspec.Struct, frozen=True, gc=False):
    """The state of a container's instance; only its end is read."""

    terminated: Terminated | None = None


class ContainerStatus(msgspec.Struct, frozen=True):
    """The current status of a container."""

    name: str = ""
    container_id: str = msgspec.field(name="containerID", default="")
    """``containerd://ID``; "" until the container is created."""
    image_id: str = msgspec.field(name="imageID", default="")
    """``NAME@sha256:DIGITS``, or the digest alone; "" until the image is there."""
    state: ContainerInstanceState | None = None
    last_state: ContainerInstanceState | None = msgspec.field(name="lastState", default=None)


class PodSpec(msgspec.Struct, frozen=True, rename="camel"):
    """The containers that a pod's spec lists."""

    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    ephemeral_containers: list[Container] | None = None


class PodStatus(msgspec.Struct, frozen=True, rename="camel"):
    """The pod's status as the kubelet last reported it."""

    qos_class: str = ""
    container_statuses: list[ContainerStatus] | None = None
    init_container_statuses: list[ContainerStatus] | None = None
    ephemeral_container_statuses: list[ContainerStatus] | None = None


class Pod(msgspec.Struct, frozen=True):
    """A pod, as far as it is read."""

    metadata: Metadata = Metadata()
    spec: PodSpec | None = None
    status: PodStatus | None = None


class ListMetadata(msgspec.Struct, frozen=True):
    """The metadata of a list (ListMeta)."""

    version: str = msgspec.field(name="resourceVersion", default="")


class PodList(msgspec.Struct, frozen=True):
    """A list of pods; each item is decoded separately, so that a malformed pod affects no other."""

    items: list[msgspec.Raw] | None
    metadata: ListMetadata = ListMetadata()
    kind: str = ""


class NodeSpec(msgspec.Struct, frozen=True):
    """The node's spec, which the cloud provider fills in."""

    provider_id: str = msgspec.field(name="providerID", default="")


class NodeStatus(msgspec.Struct, frozen=True):
    """The node's status as the kubelet reported it."""

    capacity: dict[str, str | int | float] | None = None


class KubeNode(msgspec.Struct, frozen=True):
    """A node, as far as it is read."""

    metadata: Metadata = Metadata()
    spec: NodeSpec | None = None
    status: NodeStatus | None = None


class WatchEvent(msgspec.Struct, frozen=True):
    """One line of a watch."""

    type: str
    object: msgspec.Raw


class Status(msgspec.Struct, frozen=True):
    """An error as the API server describes it."""

    message: str = ""
    code: int = 0


POD: Final = msgspec.json.Decoder(Pod)
POD_LIST: Final = msgspec.json.Decoder(PodList)
NODE: Final = msgspec.json.Decoder(KubeNode)
EVENT: Final = msgspec.json.Decoder(WatchEvent)
STATUS: Final = msgspec.json.Decoder(Status)

Decoder = msgspec.json.Decoder[Any]
