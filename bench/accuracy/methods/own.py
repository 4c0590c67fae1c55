"""Wattribute's own ways of sharing: by time, by cycles, and by learned watts per core."""

from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from bench.accuracy.methods.method import EventRates, Split, Tick, in_proportion
from bench.accuracy.worlds.world import Array
from wattribute.core.records import WorkloadKey
from wattribute.core.units import NANOSECONDS_PER_SECOND
from wattribute.node.attribution.learned import Learner, Observation
from wattribute.node.attribution.weight import CyclesWeight, TimeWeight

_CORUN_WEIGHT: Final = 1.0
"""No discount: the traces do not say how long SMT siblings were busy together."""
_LEAST_RATE: Final = 1e-6
"""Events per cycle that stand for none at all: a logarithm of 0 would teach nothing."""


class ByTime:
    """Power above the floor in proportion to CPU time: what most tools do."""

    name: ClassVar = "time"
    needs_counters: ClassVar = False

    def __init__(self, counters: bool) -> None:  # noqa: FBT001, ARG002 - of the protocol
        """Take nothing: there is nothing to learn."""
        self._weight = TimeWeight()

    def split(self, tick: Tick) -> Split:
        """Share by CPU time."""
        weights = self._weight.weigh(_column(tick.use * tick.tick_s), {}, "package")[:, 0]
        return Split(in_proportion(tick.dynamic_watts, weights.astype(float)), tick.idle_watts)


class ByCycles:
    """Power above the floor in proportion to CPU cycles."""

    name: ClassVar = "cycles"
    needs_counters: ClassVar = True

    def __init__(self, counters: bool) -> None:  # noqa: FBT001, ARG002 - of the protocol
        """Take nothing: there is nothing to learn."""
        self._weight = CyclesWeight(_CORUN_WEIGHT)

    def split(self, tick: Tick) -> Split:
        """Share by cycles."""
        if tick.events is None:
            raise ValueError("cycles are not counted in this trace")
        cycles = np.rint(tick.events.cycles * tick.tick_s).astype(np.int64)[:, None]
        weights = self._weight.weigh(
            _column(tick.use * tick.tick_s), {"cycles": cycles}, "package"
        )[:, 0]
        return Split(in_proportion(tick.dynamic_watts, weights.astype(float)), tick.idle_watts)


class ByLearned:
    """Power above the floor in proportion to CPU time x learned watts per core, as in the agent."""

    name: ClassVar = "learned"
    needs_counters: ClassVar = False
    features: ClassVar = 0
    """Hardware counters that the learner sees."""

    def __init__(self, counters: bool) -> None:  # noqa: FBT001, ARG002 - of the protocol
        """Start with nothing learned."""
        self._learner = Learner(counters=self.features)
        self._keys: dict[int, WorkloadKey] = {}

    def split(self, tick: Tick) -> Split:
        """Learn from the tick, and share it."""
        weights, deviation = self._learner.tick(
            Observation(
                keys=[self._key(owner) for owner in tick.owners],
                use=tick.use,
                threads=tick.threads,
                above_w=tick.power_watts - tick.floor_watts,
                power_w=tick.power_watts,
                elapsed_s=tick.tick_s,
                clock_ratio=tick.clock,
                counters=_features(tick.events) if self.features and tick.events else None,
                limit_w=tick.limit_watts,
            )
        )
        watts = in_proportion(tick.dynamic_watts, tick.use * weights)
        return Split(watts, tick.idle_watts, deviation)

    def _key(self, owner: int) -> WorkloadKey:
        if owner not in self._keys:
            self._keys[owner] = WorkloadKey(owner_kind="container", owner_name=str(owner))
        return self._keys[owner]


class ByLearnedWithCounters(ByLearned):
    """The same, with counters as features of workloads. The agent does not do this."""

    name: ClassVar = "learned + counters"
    needs_counters: ClassVar = True
    features: ClassVar = 2


def _column(cpu_s: Array) -> NDArray[np.int64]:
    return np.rint(cpu_s * NANOSECONDS_PER_SECOND).astype(np.int64)[:, None]


def _features(events: EventRates) -> Array:
    """Return (n, 2): logarithms of instructions per cycle and of misses per cycle."""
    rates = np.stack([events.instructions, events.misses], axis=1)
    rates = rates / np.maximum(events.cycles, 1.0)[:, None]
    return np.log(np.maximum(rates, _LEAST_RATE))
