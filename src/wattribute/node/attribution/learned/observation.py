"""What a learner is told of one interval of its zone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import WorkloadKey

Floats = NDArray[np.float64]

_SHORTEST_S, _LONGEST_S = 0.01, 600.0
_MOST_THREAD_W: Final = 1000.0
_MOST_USE: Final = 4.0
_CLOCKS: Final = (0.01, 100.0)
"""Beyond these a reading is no reading: watts per thread, threads in use per thread there is, clock
over nominal clock."""


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """One interval of one zone; n rows of workloads that ran."""

    keys: Sequence[WorkloadKey]
    """(n,) who: owner and image, so that replicas and restarts are one. A key may come twice."""
    use: Floats
    """(n,) busy threads in this zone (CPU seconds per second), >= 0."""
    threads: float
    """Hardware threads that the zone feeds, > 0."""
    above_w: float
    """Power above the floor."""
    power_w: float
    """Power of the whole zone."""
    elapsed_s: float
    clock_ratio: float | None = None
    """Mean clock of busy CPUs over the nominal one; None: not known."""
    counters: Floats | None = None
    """(n, f) features from hardware counters: logarithms of rates."""
    limit_w: float | None = None
    """The zone's power limit; None: not known."""

    @property
    def possible(self) -> bool:
        """Whether this can be learned from at all; what is not a number fails every comparison."""
        return (
            0 < self.power_w < _MOST_THREAD_W * (1 + self.threads)
            and abs(self.above_w) <= self.power_w
            and _SHORTEST_S <= self.elapsed_s <= _LONGEST_S
            and (self.clock_ratio is None or _CLOCKS[0] < self.clock_ratio < _CLOCKS[1])
            and (self.counters is None or bool(np.isfinite(self.counters).all()))
        )

    def sanitized(self) -> "Observation":
        """Return what of this may be worked with; it is not ``possible`` either if this is not.

        Use that is below 0, not a number, or far more than there is counts as none.
        """
        sane = (self.use > 0) & (self.use < _MOST_USE * self.threads)
        if self.possible and sane.all():
            return self
        elapsed_s = min(max(self.elapsed_s, _SHORTEST_S), _LONGEST_S)
        return replace(
            self,
            use=np.where(sane, self.use, 0.0),
            elapsed_s=elapsed_s if np.isfinite(elapsed_s) else 1.0,
            power_w=self.power_w if self.possible else 0.0,
            counters=self.counters if self.possible else None,
        )
