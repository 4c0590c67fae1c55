"""Identity: pid -> cgroup -> container -> pod."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from wattribute.records import Workload


class Identity(Protocol):
    """Names of containers, from a Kubernetes source or a container engine."""

    name: str

    def lookup(self, container_ids: Iterable[str]) -> Mapping[str, Workload]:
        """What is known now of these containers; unknown ones are left out.

        Never blocks: its own thread refreshes.
        """
        ...

    def close(self) -> None:
        """Stop its thread."""
        ...
