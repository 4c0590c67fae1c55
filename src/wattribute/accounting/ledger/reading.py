"""What a source gives to the ledger: who was there in an hour, and what each did."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from wattribute.core.records import NodeHour


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """A node that a source knows in an hour."""

    cluster: str
    node: str
    instances: tuple[str, ...]
    """The addresses at which it was scraped; a spool has none."""


@dataclass(frozen=True, slots=True)
class HourReading:
    """One node's hour, and what must be said of how it was read."""

    hour: NodeHour
    gaps: tuple[tuple[int, int], ...]
    """Parts of the hour that are not known, [start, end) in Unix milliseconds."""
    problems: list[str] = field(default_factory=list)


class Reader(Protocol):
    """Where hours are read: Prometheus, or a spool."""

    def nodes(self, hour_s: int) -> Sequence[NodeAddress]:
        """Return who was there in the hour that starts at ``hour_s`` (Unix seconds)."""

    def read(self, hour_s: int, nodes: Sequence[NodeAddress]) -> Iterator[Sequence[HourReading]]:
        """Yield the hours of these nodes, a few nodes at a time."""
