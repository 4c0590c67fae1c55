"""All totals together: one attribution is booked in every table, or in none."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from wattribute.core.errors import Unbalanced
from wattribute.core.records import REWEIGHED, Cgroups, Mode
from wattribute.core.sums import sum_by
from wattribute.core.units import Nanoseconds
from wattribute.node.monitor.containers import ContainerBook
from wattribute.node.monitor.groups import KERNEL, SYSTEM, Groups
from wattribute.node.monitor.node import NodeBook
from wattribute.node.monitor.processes import ProcessBook
from wattribute.node.monitor.reweighed import book_sums, note_ratios
from wattribute.node.monitor.rows import UsageRows
from wattribute.node.monitor.vms import VmBook
from wattribute.node.sharing.gpu_shares import GpuShare
from wattribute.node.sharing.sharer import Share


class Books:
    """Cumulative totals of the node, its containers, processes and VMs."""

    def __init__(self) -> None:
        """Start with totals of nothing."""
        self.node = NodeBook()
        self.containers = ContainerBook()
        self.processes = ProcessBook()
        self.vms = VmBook()
        self.reweighed = False
        """Whether any energy was shared by weights that are uncertain, or that have a rival."""

    def begin_tick(self) -> None:
        """Set what is kept per tick to 0."""
        self.containers.begin_tick()
        self.processes.begin_tick()
        self.vms.columns["tick_uj"][:] = 0

    def book_use(
        self,
        rows: UsageRows,
        groups: Groups,
        cgroups: Cgroups,
        *,
        now_ns: Nanoseconds,
        elapsed_ns: int,
        hold_until_ns: int,
    ) -> None:
        """Book who ran, and how much memory was held, before any energy."""
        slot_of = self._container_slots(rows, groups, now_ns, hold_until_ns)
        vm_slot_of = np.array(
            [self.vms.slot(vm, now_ns, hold_until_ns) for vm in rows.vm_ids], np.int64
        )
        container = slot_of[rows.group]
        vm = np.full(len(rows.vm), -1, np.int64)
        in_vm = rows.vm >= 0
        vm[in_vm] = vm_slot_of[rows.vm[in_vm]]
        self.processes.book(rows, container, vm, now_ns, hold_until_ns)
        self.vms.see(self.processes.columns, now_ns)

        columns = self.containers.columns
        columns["tick_ns"][:] = sum_by(container, rows.cpu_ns.sum(axis=1), columns.size)
        columns["cpu_ns"][:] += columns["tick_ns"]
        columns["memory_bytes"][:] = 0
        top = groups.top_cgroup
        has_memory = (top >= 0) & (slot_of >= 0)
        memory_bytes = np.maximum(cgroups.memory_bytes[top[has_memory]], 0)
        columns["memory_bytes"][slot_of[has_memory]] = memory_bytes
        columns["memory_byte_ns"][:] += columns["memory_bytes"].astype(np.float64) * elapsed_ns
        present = [
            group
            for group, row in zip(groups.groups, top, strict=True)
            if row >= 0 and cgroups.alive[row]
        ]
        self.containers.end_missing(present, now_ns)

    def book_gpus(self, shares: Iterable[GpuShare], now_ns: Nanoseconds) -> None:
        """Book who used GPUs, before any energy of theirs."""
        for share in shares:
            slots = self.processes.see(share.keys, now_ns)
            container = self.processes.columns["container"][slots]
            columns = self.containers.columns
            columns["gpu_ns"][:] += sum_by(container, share.busy_ns, columns.size)

    def _container_slots(
        self, rows: UsageRows, groups: Groups, now_ns: Nanoseconds, hold_until_ns: int
    ) -> NDArray[np.int64]:
        """Index into groups -> slot; a pod's ``ended`` row is made when it first has time."""
        ran = np.zeros(len(groups.groups), np.bool_)
        ran[rows.group] = True
        slots = np.full(len(groups.groups), -1, np.int64)
        for index, group in enumerate(groups.groups):
            if group.kind == "container" or ran[index] or group in (SYSTEM, KERNEL):
                slots[index] = self.containers.slot(group, now_ns, hold_until_ns)
        self.containers.note_present(slots[slots >= 0])
        return slots

    def book(self, share: Share) -> None:
        """Book one attribution, its floor paid, everywhere.

        Raises:
            Unbalanced: a row is of a process that has been dropped (our bug: what may
                still be shared is kept for longer than it may wait).
        """
        attribution = share.attribution
        zone = attribution.interval.zone
        channel = self.node.channel(zone, attribution.interval.origin)
        self._widen(len(self.node.channels))
        slots = self.processes.find(share.keys)
        if (slots < 0).any():
            raise Unbalanced(f"{zone}: energy for processes that are no longer in the book")
        columns = self.processes.columns
        dynamic_uj = attribution.dynamic_uj
        self.node.book(attribution, channel)
        self.processes.credit(slots, channel, dynamic_uj)
        if zone.component not in (None, "other"):
            np.add.at(columns["window_uj"], slots, dynamic_uj)

        containers = self.containers.columns
        gained = sum_by(columns["container"][slots], dynamic_uj, containers.size)
        for name in ("energy_uj", "tick_uj"):
            containers[name][:, channel, Mode.DYNAMIC] += gained
            if len(attribution.floor_uj):
                containers[name][:, channel, Mode.IDLE] += attribution.floor_uj
        self.reweighed |= share.deviation is not None or share.time_uj is not None
        book_sums(containers, share, columns["container"][slots], gained, channel)
        vms = self.vms.columns
        if vms.size:
            vm_gained = sum_by(columns["vm"][slots], dynamic_uj, vms.size)
            vms["energy_uj"][:, channel, Mode.DYNAMIC] += vm_gained
            vms["tick_uj"][:, channel] += vm_gained

    def other_weights(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Keys of processes, and their dynamic energy in the other components.

        Since the last ``other`` interval; that window ends here.
        """
        columns = self.processes.columns
        weights = columns["window_uj"].copy()
        columns["window_uj"][:] = 0
        return columns["key"].copy(), weights

    def end_tick(self) -> None:
        """Keep what the whole tick says of each container."""
        note_ratios(self.containers.columns)

    def drop_ended(self, now_ns: Nanoseconds, linger_ns: int, process_linger_ns: int) -> None:
        """Drop what has lingered long enough; keep the tables' references right."""
        self.processes.drop_ended(now_ns, process_linger_ns)
        moved = self.containers.drop_ended(now_ns, linger_ns)
        if moved is not None:
            self.processes.move_containers(moved)
        moved = self.vms.drop_ended(Nanoseconds(now_ns - linger_ns))
        if moved is not None:
            vm = self.processes.columns["vm"]
            vm[vm >= 0] = moved[vm[vm >= 0]]

    def widen(self) -> None:
        """Make room for the channels that a state file brought."""
        self._widen(len(self.node.channels))

    def _widen(self, channels: int) -> None:
        for columns in (self.containers.columns, self.processes.columns, self.vms.columns):
            columns.widen("energy_uj", channels)
            columns.widen("tick_uj", channels)
        for name in REWEIGHED:
            self.containers.columns.widen(name, channels)
