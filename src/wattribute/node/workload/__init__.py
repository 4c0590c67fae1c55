"""Find out which container, pod or virtual machine a process belongs to."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from wattribute.core.records import DeviceAllocation, IdentityHealth, NodeFacts, Workload


class Identity(Protocol):
    """A source of container names: Kubernetes or a container engine."""

    name: str

    def lookup(self, container_ids: Iterable[str]) -> Mapping[str, Workload]:
        """Return what is known now about these containers; unknown ones are left out.

        The call never blocks: a thread of the source refreshes the names. A workload that has
        not changed is the same object as before.
        """
        ...

    def close(self) -> None:
        """Stop the source's thread."""
        ...


class Cluster(Identity, Protocol):
    """A source for this node, its pods and their containers in Kubernetes. It never blocks."""

    def pods(self, uids: Iterable[str]) -> Mapping[str, Workload]:
        """Return what is known now about these pods, by uid as in cgroup paths.

        The workloads name no container. One that has not changed is the same object as before.
        """
        ...

    def node(self) -> NodeFacts:
        """Return what is known about this node."""
        ...

    def health(self) -> IdentityHealth:
        """Return the health of the source."""
        ...


class Allocations(Protocol):
    """A source of device allocations to containers. It never blocks: its own thread asks."""

    def current(self) -> tuple[DeviceAllocation, ...]:
        """Return the allocations of the last answer; empty before the first answer."""
        ...

    def health(self) -> IdentityHealth:
        """Return the health of the source; its ``pods`` are the pods that hold a device."""
        ...

    def close(self) -> None:
        """Stop the source's thread."""
        ...
