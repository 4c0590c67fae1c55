"""By what the energy of each zone is shared in one tick, and rows that wait for a silent meter."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    deviation: NDArray[np.float64] | None = None
    """(n,) relative standard deviation of each row's share, where weights were learned."""
    unused: NDArray[np.int64] | None = None
    """(n,) the weights that are not used, for those who compare."""
    unused_name: str = ""
    """``time`` or ``learned``."""


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
        self._use = use
        self._column_of = column_of
        self._gpus = gpus
        self._tables: dict[str, NDArray[np.int64]] = {}

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
        keys = self._use.keys
        time_ns = self._of_zone(zone, self._use.cpu_ns)
        table = self._of_zone(zone, self.table(zone.kind))
        if choice is None or (choice.shared_by == TIME and learned is None):
            return Weighed(keys, table)
        if learned is None or self._use.workload is None:
            scale = _SCALE if choice.learned else 1
            return Weighed(keys, table * scale, unused=time_ns, unused_name="time")
        ratio = learned.ratio[self._use.workload]
        weights = np.rint(table * (ratio * _SCALE)).astype(np.int64)
        if not choice.learned:
            return Weighed(keys, table, unused=weights, unused_name="learned")
        deviation = learned.deviation[self._use.workload]
        return Weighed(keys, weights, deviation, unused=time_ns, unused_name="time")

    def table(self, zone_kind: str) -> NDArray[np.int64]:
        """(n, packages) what a row counts where nothing is learned.

        Learned weights multiply it.
        """
        kind = "dram" if zone_kind == "dram" else "package"
        table = self._tables.get(kind)
        if table is None:
            table = self._weight.weigh(self._use.cpu_ns, self._use.counters, kind)
            self._tables[kind] = table
        return table

    def _of_zone(self, zone: Zone, table: NDArray[np.int64]) -> NDArray[np.int64]:
        column = self._column_of.get(zone.package) if zone.package is not None else None
        return table.sum(axis=1) if column is None else table[:, column]


@dataclass(slots=True)
class WaitingRows:
    """Rows of ticks in which one zone told nothing new, until it does."""

    uses: list[CpuUse] = field(default_factory=list)
    """Who ran in each of those ticks."""
    weighed: list[Weighed] = field(default_factory=list)

    @property
    def starts_ns(self) -> list[int]:
        """When each of those ticks began."""
        return [use.start_ns for use in self.uses]

    def add(self, use: CpuUse, weighed: Weighed) -> None:
        """Keep the rows of a tick."""
        self.uses.append(use)
        self.weighed.append(weighed)

    def drop_before(self, start_ns: int) -> None:
        """Drop ticks that began before ``start_ns``: what the zone used then stays unknown."""
        old = bisect_left(self.starts_ns, start_ns)
        del self.uses[:old], self.weighed[:old]

    def with_rows(self, weighed: Weighed) -> Weighed:
        """Return the waiting rows and those of the tick in which the zone was read again."""
        if not self.weighed:
            return weighed
        together = (*self.weighed, weighed)
        return Weighed(
            np.concatenate([rows.keys for rows in together]),
            np.concatenate([rows.weights for rows in together]),
            _joined([rows.deviation for rows in together]),
            _joined([rows.unused for rows in together]),
            weighed.unused_name,
        )


def _joined(parts: Sequence[NDArray[_Number] | None]) -> NDArray[_Number] | None:
    """Return the parts as one; None if one of them is missing."""
    present = [part for part in parts if part is not None]
    return np.concatenate(present) if len(present) == len(parts) else None
