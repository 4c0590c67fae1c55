"""By what the energy of each zone is shared in one tick, and rows that wait for a silent meter."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import Zone
from wattribute.node.attribution.weight import Weight
from wattribute.node.sharing.cpu_use import CpuUse
from wattribute.node.sharing.gpu_shares import GpuShare


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """Who takes part in an interval, and with which weight."""

    keys: NDArray[np.uint64]
    """(n,) as CpuUse.keys; one may come twice."""
    weights: NDArray[np.int64]
    """(n,) >= 0; only their ratios matter."""


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

    def weigh(self, zone: Zone) -> Weighed:
        """Return by what the zone's energy above its floor is shared."""
        if zone.kind == "gpu":  # time on the CPU says nothing of a GPU
            share = self._gpus.get(zone.id)
            return Weighed(share.keys, share.weights) if share else NOBODY
        kind = "dram" if zone.kind == "dram" else "package"
        table = self._tables.get(kind)
        if table is None:
            table = self._weight.weigh(self._use.cpu_ns, self._use.counters, kind)
            self._tables[kind] = table
        column = self._column_of.get(zone.package) if zone.package is not None else None
        weights = table.sum(axis=1) if column is None else table[:, column]
        return Weighed(self._use.keys, weights)


@dataclass(slots=True)
class WaitingRows:
    """Rows of ticks in which one zone told nothing new, until it does."""

    starts_ns: list[int] = field(default_factory=list)
    """When each of those ticks began."""
    weighed: list[Weighed] = field(default_factory=list)

    def add(self, start_ns: int, weighed: Weighed) -> None:
        """Keep the rows of a tick that began at ``start_ns``."""
        self.starts_ns.append(start_ns)
        self.weighed.append(weighed)

    def drop_before(self, start_ns: int) -> None:
        """Drop ticks that began before ``start_ns``: what the zone used then stays unknown."""
        old = bisect_left(self.starts_ns, start_ns)
        del self.starts_ns[:old], self.weighed[:old]

    def with_rows(self, weighed: Weighed) -> Weighed:
        """Return the waiting rows and those of the tick in which the zone was read again."""
        if not self.weighed:
            return weighed
        together = (*self.weighed, weighed)
        return Weighed(
            np.concatenate([rows.keys for rows in together]),
            np.concatenate([rows.weights for rows in together]),
        )
