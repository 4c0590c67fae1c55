"""Identity: pid -> cgroup -> container -> pod."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from wattribute.core.records import Allocation, IdentityHealth, NodeFacts, Workload


class Identity(Protocol):
    """Names of containers, from a Kubernetes source or a container engine."""

    name: str

    def lookup(self, container_ids: Iterable[str]) -> Mapping[str, Workload]:
        """What is known now of these containers; unknown ones are left out.

        Never blocks: its own thread refreshes. What has not changed is the same object.
        """
        ...

    def close(self) -> None:
        """Stop its thread."""
        ...


class Cluster(Identity, Protocol):
    """What Kubernetes knows of this node, its pods and their containers. Never blocks."""

    def pods(self, uids: Iterable[str]) -> Mapping[str, Workload]:
        """What is known now of these pods, by uid as cgroup paths have it; no container is named.

        What has not changed is the same object.
        """
        ...

    def node(self) -> NodeFacts:
        """What is known of this node."""
        ...

    def health(self) -> IdentityHealth:
        """How the source is doing."""
        ...


class Allocations(Protocol):
    """Who was given which device. Never blocks: its own thread asks."""

    def held(self) -> tuple[Allocation, ...]:
        """What was told last; empty before that."""
        ...

    def health(self) -> IdentityHealth:
        """How it is doing; ``pods``: those that hold a device."""
        ...

    def close(self) -> None:
        """Stop its thread."""
        ...
