"""Books -> snapshot: frozen copies of everything that readers may see."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import ContainerTable, ProcessTable, VmTable
from wattribute.core.units import NANOSECONDS_PER_SECOND, Nanoseconds
from wattribute.node.monitor.books import Books
from wattribute.node.monitor.columns import Columns
from wattribute.node.monitor.reweighed import SUMS

_LITTLE_KNOWN: Final = 1.33
"""A band that reaches so many times the ratio is half as wide as that of a workload of which
nothing is known: standard deviations of 0.175 and 0.35."""


class Publisher:
    """Makes the tables of a snapshot; one per tick."""

    def __init__(self, books: Books, now_ns: Nanoseconds, elapsed_ns: int) -> None:
        """``elapsed_ns``: length of the last interval, > 0."""
        self._books = books
        self._now_ns = now_ns
        self._elapsed_ns = elapsed_ns
        self._channels = len(books.node.channels)
        self._parts = np.array([c.component is not None for c in books.node.channels], np.bool_)

    def containers(self, *, gpus: bool = False) -> ContainerTable:
        """Containers and special rows; ``gpus``: some are measured."""
        columns = self._books.containers.columns
        tick_uj = columns["tick_uj"][:, : self._channels]
        return ContainerTable(
            consumers=tuple(self._books.containers.consumers),
            energy_uj=_frozen(columns["energy_uj"][:, : self._channels]),
            power_uw=self._power(tick_uj[:, self._parts].sum(axis=(1, 2))),
            cpu_ns=_frozen(columns["cpu_ns"]),
            memory_byte_ns=_frozen(columns["memory_byte_ns"]),
            cpu_ratio=_frozen(columns["tick_ns"] / self._elapsed_ns),
            held=self._held(columns),
            alive=_frozen(columns["ended_ns"] == 0),
            dynamic_uw=self._power(tick_uj[:, :, 0]),
            gpu_ns=_frozen(columns["gpu_ns"]) if gpus else None,
            **self._reweighed(columns),
        )

    def _reweighed(self, columns: Columns) -> dict[str, NDArray[Any]]:
        """Return what weights leave uncertain; nothing where none are."""
        if not self._books.reweighed:
            return {}
        sums = {name: _frozen(columns[name][:, : self._channels]) for name in SUMS}
        ratios = columns["watts_per_core"]
        has_ratio = ratios[:, :1] > 0
        middle, high = np.maximum(ratios[:, 0], 1e-9), ratios[:, 2]
        return sums | {
            "watts_per_core": _frozen(np.where(has_ratio, ratios, np.nan)),
            "learning": _frozen(has_ratio[:, 0] & (high > _LITTLE_KNOWN * middle)),
        }

    def processes(self) -> ProcessTable:
        """Build the table of processes."""
        columns = self._books.processes.columns
        tick_uj = columns["tick_uj"][:, : self._channels]
        return ProcessTable(
            key=_frozen(columns["key"]),
            pid=_frozen(columns["pid"]),
            comm=_frozen(columns["comm"]),
            consumer=_frozen(columns["container"]),
            vm=_frozen(columns["vm"]),
            energy_uj=_frozen(columns["energy_uj"][:, : self._channels]),
            power_uw=self._power(tick_uj[:, self._parts].sum(axis=1)),
            cpu_ns=_frozen(columns["cpu_ns"]),
            cpu_ratio=_frozen(columns["tick_ns"] / self._elapsed_ns),
            alive=_frozen(columns["alive"]),
            held=self._held(columns),
            dynamic_uw=self._power(tick_uj),
        )

    def vms(self) -> VmTable:
        """Build the table of virtual machines."""
        columns = self._books.vms.columns
        return VmTable(
            ids=tuple(self._books.vms.ids),
            energy_uj=_frozen(columns["energy_uj"][:, : self._channels]),
            alive=_frozen(columns["seen_ns"] == self._now_ns),
            held=self._held(columns),
            dynamic_uw=self._power(columns["tick_uj"][:, : self._channels]),
        )

    def birth_held(self, containers: ContainerTable) -> NDArray[np.int64]:
        """(channels, 2) energy of the container rows that are published as 0."""
        return _frozen(containers.energy_uj[containers.held].sum(axis=0))

    def retired(self) -> Mapping[str, NDArray[np.int64]]:
        """Energy of dropped rows by pod, as wide as the channels are now."""
        wide = {}
        for pod_uid, energy_uj in self._books.containers.retired_uj.items():
            wide[pod_uid] = np.zeros((self._channels, 2), np.int64)
            energy_of = energy_uj[: self._channels]
            wide[pod_uid][: len(energy_of)] = energy_of
        return wide

    def _held(self, columns: Columns) -> NDArray[np.bool_]:
        return _frozen(columns["hold_until_ns"] > self._now_ns)

    def _power(self, energy_uj: NDArray[np.int64]) -> NDArray[np.int64]:
        power = energy_uj * (NANOSECONDS_PER_SECOND / self._elapsed_ns)
        return _frozen(power.astype(np.int64))


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    copy = array.copy()
    copy.flags.writeable = False
    return copy
