"""What a learner leaves in the state file, so that a restart does not begin with CPU time."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from wattribute.core.records import WorkloadKey
from wattribute.node.attribution.learned.curve import CURVE_SIZE, NOISE_LOADS
from wattribute.node.attribution.learned.filters import LEAST_WEIGHT, MEMBERS

LEAST_DELTA: Final = LEAST_WEIGHT - 1
MOST_DELTA: Final = 20.0
"""A workload costs 0.15 to 21 times the mean; between two tidyings a filter may think otherwise."""


@dataclass(frozen=True, slots=True)
class SavedWorkload:
    """One workload's coefficient."""

    key: WorkloadKey
    delta: float
    deviation: float
    use: float
    """Busy threads, a mean of 10 minutes."""


@dataclass(frozen=True, slots=True)
class SavedLearner:
    """A learner without its correlations: about 0.9 kB of JSON for 20 workloads."""

    curve: list[float]
    """(CURVE_SIZE,) coefficients of ln f."""
    gamma: float
    betas: list[float]
    nats: list[float]
    """(members,) evidence less that of the best."""
    noise: list[float]
    """(loads,) standard deviation as a part of power."""
    power_w: float
    workloads: list[SavedWorkload]
    """The largest by use."""

    def problem(self, features: int) -> str:
        """Return why this cannot be used; "" if it can.

        Args:
            features: how many features a workload has, its own load included.
        """
        tables: tuple[tuple[str, list[float], int], ...] = (
            ("curve", self.curve, CURVE_SIZE),
            ("betas", self.betas, features),
            ("nats", self.nats, MEMBERS),
            ("noise", self.noise, NOISE_LOADS),
        )
        for name, values, size in tables:
            if len(values) != size:
                return f"{name} of {len(values)} numbers, not {size}"
        rows = [n for w in self.workloads for n in (w.delta, w.deviation, w.use)]
        numbers = [self.gamma, self.power_w, *rows, *(n for _, table, _ in tables for n in table)]
        if not np.isfinite(numbers).all():
            return "a number that is not finite"
        if self.power_w <= 0 or min(self.noise) <= 0:
            return "power or noise that is not above 0"
        deltas = [w.delta for w in self.workloads]
        if any(not LEAST_DELTA <= delta <= MOST_DELTA for delta in deltas) or any(
            w.deviation <= 0 or w.use < 0 for w in self.workloads
        ):
            return "a workload whose numbers are impossible"
        if len({w.key for w in self.workloads}) != len(self.workloads):
            return "a workload that comes twice"
        return ""
