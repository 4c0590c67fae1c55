"""Cumulative energy of virtual machines on this host: a second view of the same joules."""

import numpy as np
from numpy.typing import NDArray

from wattribute.core.units import Nanoseconds
from wattribute.node.monitor.columns import Columns


class VmBook:
    """One slot per virtual machine."""

    def __init__(self) -> None:
        """An empty book."""
        self.columns = Columns(
            {
                "seen_ns": (np.int64, ()),
                "hold_until_ns": (np.int64, ()),
                "energy_uj": (np.int64, (1, 2)),
                "tick_uj": (np.int64, (1,)),
            }
        )
        self.ids: list[str] = []

    def slot(self, vm_id: str, now_ns: Nanoseconds, hold_until_ns: int) -> int:
        """The slot of a VM that is there now."""
        if vm_id in self.ids:
            slot = self.ids.index(vm_id)
        else:
            slot = self.columns.append(1).start
            self.columns["hold_until_ns"][slot] = hold_until_ns
            self.ids.append(vm_id)
        self.columns["seen_ns"][slot] = now_ns
        return slot

    def see(self, processes: Columns, now_ns: Nanoseconds) -> None:
        """VMs of processes that live are there, also those that did not run."""
        if self.columns.size:
            vm = processes["vm"][processes["alive"]]
            self.columns["seen_ns"][vm[vm >= 0]] = now_ns

    def drop_ended(self, before_ns: Nanoseconds) -> NDArray[np.int64] | None:
        """Drop VMs last seen before an instant; old slot -> new slot, None if nothing changed."""
        keep = self.columns["seen_ns"] >= before_ns
        if keep.all():
            return None
        self.ids = [vm for vm, stays in zip(self.ids, keep, strict=True) if stays]
        return self.columns.keep(keep)
