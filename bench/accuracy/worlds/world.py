"""What a method may see of a machine, and what was true in it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Counters:
    """Hardware events of each workload, in events per second of wall time; each (ticks, n)."""

    cycles: Array
    instructions: Array
    misses: Array


@dataclass(frozen=True, slots=True)
class World:
    """One machine over time: n workloads, readings at equal intervals (ticks)."""

    tick_s: float
    threads: float
    """Hardware threads of the machine."""
    use: Array
    """(ticks, n) threads kept busy, mean over the tick."""
    true_watts: Array
    """(ticks, n) what each workload really added to the power."""
    power_watts: Array
    """(ticks,) what the meter showed."""
    floor_watts: float
    """Idle power that the agent assumes."""
    owners: NDArray[np.int64]
    """(n,) replicas of one owner share a number."""
    clock: Array | None = None
    """(ticks,) mean clock of busy threads relative to nominal; None: not readable."""
    counters: Counters | None = None
    """None: no hardware counters."""
    limit_watts: float | None = None
    """Power limit of the package; None: not readable."""

    @property
    def ticks(self) -> int:
        """Number of readings."""
        return len(self.power_watts)
