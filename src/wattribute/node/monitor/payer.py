"""The floor's payers: what each container row pays of an attribution's idle energy."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from wattribute.core.floor import policy_named
from wattribute.core.records import Consumer, DeviceAllocation, GpuState, Machine, Usage
from wattribute.core.sums import sum_by
from wattribute.core.units import MILLICORES_PER_CORE
from wattribute.node.attribution.policy import FloorBasis, share_floor
from wattribute.node.attribution.share import pay_floor
from wattribute.node.monitor.books import Books
from wattribute.node.monitor.held import slots_held
from wattribute.node.sharing.gpu_shares import GpuShare
from wattribute.node.sharing.sharer import Share

GpuFloor = Literal["even", "memory"]

_NO_POD: Final = ("system", "kernel")
_MIB: Final = 1 << 20


class FloorPayer:
    """Applies one policy, and collects what the policy goes by."""

    def __init__(self, policy: str, machine: Machine, gpu_floor: GpuFloor = "even") -> None:
        """Take a policy by its name, and the machine whose capacity is reserved or used.

        ``gpu_floor``: how those who hold one GPU share its floor under ``reserved``.

        Raises:
            ConfigInvalid: there is no such policy.
        """
        self.policy = policy_named(policy)
        self._gpu_floor = gpu_floor
        self._usage: Usage | None = None
        self._table: FloorBasis | None = None
        self._machine = {
            "cpu_mcore": machine.threads * MILLICORES_PER_CORE,
            "memory_bytes": machine.memory_bytes,
        }
        self.capacity: Mapping[str, int] = self._machine
        self._states: Mapping[str, GpuState] = {}
        self._allocations: tuple[DeviceAllocation, ...] = ()

    def adopt(self, capacity: Mapping[str, int]) -> None:
        """Take what the cluster says that the node has, where the machine itself does not tell."""
        of_machine = {resource: amount for resource, amount in self._machine.items() if amount}
        self.capacity = {**self._machine, **capacity, **of_machine}

    def know_gpus(
        self, states: Iterable[GpuState], allocations: tuple[DeviceAllocation, ...]
    ) -> None:
        """Take what the GPUs are called now, and to whom the kubelet gave them."""
        self._states = {state.device: state for state in states}
        self._allocations = allocations

    def pay(
        self,
        share: Share,
        usage: Usage,
        books: Books,
        gpus: Mapping[str, GpuShare] = MappingProxyType({}),
    ) -> Share:
        """The same share, with its idle energy paid by the policy's payers.

        ``gpus``: by id of the zone, who used or held each GPU.
        """
        attribution = share.attribution
        zone = attribution.interval.zone
        component = zone.component
        if not self.policy.by or component is None or not attribution.idle_uj:
            return share
        if self._table is None or self._usage is not usage:
            self._usage, self._table = usage, self._of_tick(usage, books)
        table, columns = self._table, books.processes.columns
        container = columns["container"][books.processes.find(share.keys)]
        dynamic_uj = sum_by(container, attribution.dynamic_uj, len(table.pod))
        basis = replace(table, dynamic_uj=dynamic_uj)
        if zone.kind == "gpu":
            basis = self._of_gpu(basis, zone.id, gpus.get(zone.id), books)
        paid_uj, _ = share_floor(attribution.idle_uj, self.policy, component, basis)
        return replace(share, attribution=pay_floor(attribution, paid_uj))

    def _of_gpu(
        self, table: FloorBasis, device: str, gpu: GpuShare | None, books: Books
    ) -> FloorBasis:
        """One GPU: who used it, and who holds it; the special rows hold nothing.

        A device is held by those to whom the kubelet gave it, by the slots that each has;
        without such word by those whose processes have it open. One that several hold
        is shared evenly, as a time-sliced device is requested, or by memory.
        """
        size = len(table.pod)
        opened, used_ns, memory = (np.zeros(size, np.int64) for _ in range(3))
        if gpu is not None:
            container = books.processes.columns["container"][books.processes.find(gpu.keys)]
            opened[container] = 1
            used_ns = sum_by(container, gpu.busy_ns, size)
            memory = sum_by(container, gpu.memory_bytes // _MIB, size)
        held_slots, slots = self._given(device, table, books)
        if not held_slots.any():
            held_slots, slots = np.where(table.pod < 0, 0, opened), 1
        if self._gpu_floor == "memory" and memory[held_slots > 0].any():
            held_slots = np.where(held_slots > 0, memory, 0)
            slots = 1
        return replace(
            table,
            gpu_ns=used_ns,
            request_gpu=held_slots,
            capacity_gpus=max(int(held_slots.sum()), slots) if self.policy.by_reservation else 1,
        )

    def _given(self, device: str, table: FloorBasis, books: Books) -> tuple[NDArray[np.int64], int]:
        """Slots of a GPU by row, as the kubelet gave them, and how many it has."""
        state = self._states.get(device)
        if state is None or not self._allocations:
            return np.zeros(len(table.pod), np.int64), 1
        there = table.alive_ns > 0
        return slots_held(state, self._allocations, books.containers.consumers, there), state.slots

    def _of_tick(self, usage: Usage, books: Books) -> FloorBasis:
        """Requests, use and time alive of each container row; the same for all zones of a tick."""
        columns, consumers = books.containers.columns, books.containers.consumers
        elapsed_ns = usage.end_ns - usage.start_ns
        there = columns["ended_ns"] == 0
        age_ns = usage.end_ns - columns["born_ns"] + elapsed_ns

        def requested(resource: str) -> NDArray[np.int64]:
            return np.where(there, [c.requests.get(resource, 0) for c in consumers], 0)

        return FloorBasis(
            elapsed_ns=elapsed_ns,
            cpu_ns=columns["tick_ns"].copy(),
            memory_bytes=columns["memory_bytes"].copy(),
            gpu_ns=np.zeros(columns.size, np.int64),
            request_cpu_mcore=requested("cpu_mcore"),
            request_memory_bytes=requested("memory_bytes"),
            request_gpu=requested("gpu"),
            pod=_pods(consumers),
            alive_ns=np.where(there, np.minimum(age_ns, elapsed_ns), 0),
            dynamic_uj=np.zeros(columns.size, np.int64),
            capacity_cpu_mcore=self.capacity["cpu_mcore"],
            capacity_ns=int(usage.capacity_ns.sum()),
            capacity_memory_bytes=self.capacity["memory_bytes"],
            capacity_gpus=self.capacity.get("gpu", 0),
        )


def _pods(consumers: list[Consumer]) -> NDArray[np.int64]:
    """Number of each row's pod; a container outside Kubernetes is a pod of its own, -1: none."""
    numbers: dict[str, int] = {}
    return np.array(
        [
            -1
            if consumer.kind in _NO_POD
            else numbers.setdefault(consumer.pod_uid or consumer.container_id, len(numbers))
            for consumer in consumers
        ],
        np.int64,
    )
