"""What a way of sharing energy is given at each tick, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from bench.accuracy.worlds.world import Array


@dataclass(frozen=True, slots=True)
class EventRates:
    """Hardware events per second of the n workloads that ran in a tick; each (n,)."""

    cycles: Array
    instructions: Array
    misses: Array


@dataclass(frozen=True, slots=True)
class Tick:
    """One interval as an agent sees it: n workloads that ran, and one meter."""

    tick_s: float
    owners: Sequence[int]
    """(n,) who owns each; replicas have the same number."""
    use: Array
    """(n,) threads kept busy, > 0."""
    threads: float
    power_watts: float
    floor_watts: float
    clock: float | None
    """Mean clock of busy threads relative to nominal; None: not readable."""
    events: EventRates | None
    """None: no hardware counters."""
    limit_watts: float | None

    @property
    def dynamic_watts(self) -> float:
        """Power above the floor, at least 0."""
        return max(self.power_watts - self.floor_watts, 0.0)

    @property
    def idle_watts(self) -> float:
        """Power up to the floor."""
        return min(self.power_watts, self.floor_watts)


@dataclass(frozen=True, slots=True)
class Split:
    """What a method reports of one tick."""

    watts: Array
    """(n,) given to the workloads."""
    idle_watts: float
    """Reported beside them: idle power, or the node's own."""
    deviation: Array | None = None
    """(n,) relative standard deviation of ``watts``; None: the method says nothing of it."""


class Method(Protocol):
    """A way of sharing a node's energy; an object keeps what it learns on one machine."""

    name: ClassVar[str]
    needs_counters: ClassVar[bool]
    """Whether it cannot work without hardware counters."""

    def __init__(self, counters: bool) -> None:  # noqa: FBT001 - a fact of the machine
        """Start with nothing known; ``counters``: whether the machine has them."""
        ...

    def split(self, tick: Tick) -> Split:
        """Share one tick's power out; there is at least one workload."""
        ...


def in_proportion(watts: float, amounts: Array) -> Array:
    """Return ``watts`` divided in proportion to ``amounts``; all 0 where nothing was used."""
    total = float(amounts.sum())
    return amounts * (watts / total) if total > 0 else amounts * 0.0
