"""By what the energy of each zone is shared in one tick."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import Zone
from wattribute.node.attribution.weight import Weight
from wattribute.node.sharing.cpu_use import CpuUse
from wattribute.node.sharing.gpu_shares import GpuShare
from wattribute.node.sharing.weight_choice import TIME, WeightChoice
from wattribute.node.sharing.zone_learners import WorkloadWeights

_Number = TypeVar("_Number", bound=np.number)

_SCALE: Final = 1024
"""Weights are whole numbers; a nanosecond times this keeps three digits of a ratio."""


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """Who takes part in an interval, and with which weight."""

    keys: NDArray[np.uint64]
    """(n,) as CpuUse.keys; one may come twice."""
    weights: NDArray[np.int64]
    """(n,) >= 0; only their ratios matter."""
    time: NDArray[np.int64] | None = None
    """(n,) the weights if CPU time were used; None: it is."""
    learned: NDArray[np.int64] | None = None
    """(n,) the weights if learned ones were used; None: they are, or there are none."""
    deviation: NDArray[np.float64] | None = None
    """(n,) relative standard deviation of each row's share by learned weights; None: there are
    none."""


NOBODY: Final = Weighed(np.zeros(0, np.uint64), np.zeros(0, np.int64))


class ZoneWeights:
    """Weights of the rows of one tick, by zone; the table of each kind is computed once."""

    def __init__(
        self,
        weight: Weight,
        use: CpuUse,
        column_of: Mapping[str, int],
        gpus: Mapping[str, GpuShare],
    ) -> None:
        """Take the tick.

        Args:
            weight: what a second of a row costs.
            use: who used the CPUs.
            column_of: from the id of a package to its column in ``use``.
            gpus: who used each GPU, by the id of its zone.
        """
        self._weight = weight
        self.use = use
        self._column_of = column_of
        self._gpus = gpus
        self._tables: dict[str, NDArray[np.int64]] = {}

    def counting(self, names: frozenset[str]) -> "ZoneWeights":
        """Return the same with these counters alone."""
        if names == self.use.counters.keys():
            return self
        counters = {name: counted for name, counted in self.use.counters.items() if name in names}
        use = replace(self.use, counters=counters)
        return ZoneWeights(self._weight, use, self._column_of, self._gpus)

    def weigh(
        self, zone: Zone, choice: WeightChoice | None = None, learned: WorkloadWeights | None = None
    ) -> Weighed:
        """Return by what the zone's energy above its floor is shared.

        Args:
            zone: the zone.
            choice: by what it is shared; None: by what a second of a row costs.
            learned: weights of the tick's workloads in this zone; None: there are none.
        """
        if zone.kind == "gpu":  # time on the CPU says nothing of a GPU
            share = self._gpus.get(zone.id)
            return Weighed(share.keys, share.weights) if share else NOBODY
        keys = self.use.keys
        table = self._of_zone(zone, self.table(zone.kind))
        if choice is None:
            return Weighed(keys, table)
        time_ns = None if choice.shared_by == TIME else self._of_zone(zone, self.use.cpu_ns)
        if not choice.learns:
            return Weighed(keys, table, time_ns)
        ratio: NDArray[np.float64] | float = 1.0
        deviation = None
        if learned is not None and self.use.workload is not None:
            ratio = learned.ratio[self.use.workload]
            deviation = learned.deviation[self.use.workload]
        weights = np.rint(table * (ratio * _SCALE)).astype(np.int64)
        if choice.learned:
            return Weighed(keys, weights, time_ns, None, deviation)
        return Weighed(keys, table, time_ns, weights, deviation)

    def table(self, zone_kind: str) -> NDArray[np.int64]:
        """(n, packages) what a row counts where nothing is learned.

        Learned weights multiply it.
        """
        kind = "dram" if zone_kind == "dram" else "package"
        table = self._tables.get(kind)
        if table is None:
            table = self._weight.weigh(self.use.cpu_ns, self.use.counters, kind)
            self._tables[kind] = table
        return table

    def _of_zone(self, zone: Zone, table: NDArray[np.int64]) -> NDArray[np.int64]:
        column = self._column_of.get(zone.package) if zone.package is not None else None
        return table.sum(axis=1) if column is None else table[:, column]


def together(parts: Sequence[Weighed]) -> Weighed:
    """Return the rows of several ticks as one; all must be weighed in the same way."""
    if len(parts) == 1:
        return parts[0]
    return Weighed(
        np.concatenate([part.keys for part in parts]),
        np.concatenate([part.weights for part in parts]),
        _joined([part.time for part in parts], [part.weights for part in parts]),
        _joined([part.learned for part in parts], [part.weights for part in parts]),
        _joined([part.deviation for part in parts], [np.zeros(len(p.keys)) for p in parts]),
    )


def _joined(
    tables: Sequence[NDArray[_Number] | None], otherwise: Sequence[NDArray[_Number]]
) -> NDArray[_Number] | None:
    """Return all tables as one, others in place of those that are missing; None: all are."""
    if all(table is None for table in tables):
        return None
    return np.concatenate(
        [
            instead if table is None else table
            for table, instead in zip(tables, otherwise, strict=True)
        ]
    )
