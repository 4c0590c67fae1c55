"""What is known of workloads that have no slot now: learned here before, or on other nodes."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import WorkloadKey
from wattribute.node.attribution.learned.filters import ALL_EQUAL, SIGMA

Floats = NDArray[np.float64]
Belief = tuple[Floats, Floats]
"""(members,) mean and variance of a delta."""

_MOST: Final = 2048


class Memory:
    """Mean and variance of deltas, by workload; the oldest are forgotten first."""

    def __init__(self, priors: Mapping[WorkloadKey, tuple[float, float]]) -> None:
        """Start with what other nodes know: delta and its standard deviation."""
        self._priors = priors
        self._beliefs: dict[WorkloadKey, Belief] = {}

    def recall(self, key: WorkloadKey) -> Belief:
        """Return, and forget, what is known; if nothing, what holds for any workload.

        The first member, for which all are equal, takes no prior's word.
        """
        belief = self._beliefs.pop(key, None)
        if belief is not None:
            return belief
        delta, deviation = self._priors.get(_without_image(key), (0.0, np.inf))
        mean = np.where(ALL_EQUAL, 0.0, delta)
        return mean, np.minimum(SIGMA, deviation) ** 2

    def keep(self, key: WorkloadKey, belief: Belief) -> None:
        """Keep what was learned of a workload that loses its slot."""
        self._beliefs[key] = belief
        while len(self._beliefs) > _MOST:
            del self._beliefs[next(iter(self._beliefs))]

    def rename(self, old: WorkloadKey, new: WorkloadKey) -> bool:
        """Move what is known under an old key; False if something is known of the new one."""
        if new in self._beliefs or _without_image(new) in self._priors:
            return False
        if old in self._beliefs:
            self._beliefs[new] = self._beliefs.pop(old)
        return True


def _without_image(key: WorkloadKey) -> WorkloadKey:
    """Return the key as other nodes' ledgers know it."""
    return key._replace(image="")
