"""The floor's payers: what each container row pays of an attribution's idle energy."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from wattribute.attribution.policy import FloorBasis, FloorPolicy, share_floor
from wattribute.attribution.rollup import sum_by
from wattribute.attribution.share import pay_floor
from wattribute.monitor.books import Books
from wattribute.monitor.gpus import GpuShare
from wattribute.monitor.sharing import Share
from wattribute.records import Consumer, Machine, Usage

GpuFloor = Literal["even", "memory"]

_NO_POD: Final = ("system", "kernel")
_MIB: Final = 1 << 20


class FloorPayer:
    """Applies one policy; collects what it goes by."""

    def __init__(self, policy: FloorPolicy, machine: Machine, gpu_floor: GpuFloor = "even") -> None:
        """Take the policy, and the machine whose capacity is reserved or used.

        ``gpu_floor``: how those who hold one GPU share its floor under ``reserved``.
        """
        self.policy = policy
        self._gpu_floor = gpu_floor
        self._usage: Usage | None = None
        self._table: FloorBasis | None = None
        self._machine = {
            "cpu_mcore": machine.threads * 1000,
            "memory_bytes": machine.memory_bytes,
        }
        self.capacity: Mapping[str, int] = self._machine

    def adopt(self, capacity: Mapping[str, int]) -> None:
        """Take what the cluster says that the node has, where the machine itself does not tell."""
        told = {resource: amount for resource, amount in self._machine.items() if amount}
        self.capacity = {**self._machine, **capacity, **told}

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
        if self.policy == "none" or component is None or not attribution.idle_uj:
            return share
        if self._table is None or self._usage is not usage:
            self._usage, self._table = usage, self._of_tick(usage, books)
        table, columns = self._table, books.processes.columns
        container = columns["container"][books.processes.find(share.keys)]
        dynamic_uj = sum_by(container, attribution.dynamic_uj, len(table.pod))
        basis = replace(table, dynamic_uj=dynamic_uj)
        if zone.kind == "gpu" and zone.id in gpus:
            basis = self._of_gpu(basis, gpus[zone.id], books)
        paid_uj, _ = share_floor(attribution.idle_uj, self.policy, component, basis)
        return Share(pay_floor(attribution, paid_uj), share.keys)

    def _of_gpu(self, table: FloorBasis, gpu: GpuShare, books: Books) -> FloorBasis:
        """One GPU: who used it, and who holds it; the special rows hold nothing.

        A device is held by those whose processes have it open. One that several hold is
        shared evenly, as a time-sliced device is requested, or by memory.
        """
        size = len(table.pod)
        container = books.processes.columns["container"][books.processes.find(gpu.keys)]
        held = np.zeros(size, np.int64)
        if self._gpu_floor == "memory" and gpu.memory_bytes.any():
            held = sum_by(container, gpu.memory_bytes // _MIB, size)
        else:
            held[container] = 1
        held[table.pod < 0] = 0
        whole = int(held.sum()) if self.policy == "reserved" else 1
        return replace(
            table,
            gpu_ns=sum_by(container, gpu.busy_ns, size),
            request_gpu=held,
            capacity_gpus=max(whole, 1),
        )

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
