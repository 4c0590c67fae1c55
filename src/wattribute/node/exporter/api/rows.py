"""The rows of containers, processes and VMs in /api/v1/snapshot, hungriest first."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import ContainerTable, Mode, Snapshot
from wattribute.core.units import (
    MICROJOULES_PER_JOULE,
    MICROWATTS_PER_WATT,
    NANOSECONDS_PER_SECOND,
    joules,
    seconds,
    watts,
)
from wattribute.node.exporter.api.shapes import ContainerRow, ProcessRow, Vm
from wattribute.node.exporter.identity import container_id_of
from wattribute.node.exporter.labels import printable, text_of

_LEAST_CORES: Final = 1e-3
"""Of less use, watts per core are a quotient of two roundings."""


def _on_gpus(snapshot: Snapshot, values: NDArray[np.int64] | None, rows: int) -> NDArray[np.int64]:
    """Return (rows,) what a table with one column per channel has on GPUs; 0 without a table."""
    columns = [n for n, channel in enumerate(snapshot.channels) if channel.kind == "gpu"]
    if values is None or not columns:
        return np.zeros(rows, np.int64)
    on_gpus: NDArray[np.int64] = values[:, columns].sum(axis=1)
    return on_gpus


def _mean_per_core(snapshot: Snapshot) -> float:
    """Return the node's dynamic watts in the CPU component for each core in use; 0 if none is."""
    table = snapshot.containers
    columns = [n for n, channel in enumerate(snapshot.channels) if channel.component == "cpu"]
    cores = float(table.cpu_ratio.sum())
    if table.dynamic_uw is None or cores <= 0:
        return 0.0
    return float(table.dynamic_uw[:, columns].sum()) / MICROWATTS_PER_WATT / cores


def _per_core(table: ContainerTable, row: int, mean_w: float) -> dict[str, Any]:
    """Return watts per core of a row and their band; nothing where all cores count the same.

    Args:
        table: containers.
        row: one of them.
        mean_w: the node's watts per core in the last tick.
    """
    is_idle = float(table.cpu_ratio[row]) < _LEAST_CORES or mean_w <= 0
    if table.watts_per_core is None or table.learning is None or is_idle:
        return {}
    ratio, low, high = table.watts_per_core[row].tolist()
    if not ratio > 0:
        return {}
    return {
        "watts_per_core": mean_w * ratio,
        "watts_per_core_low": mean_w * low,
        "watts_per_core_high": mean_w * high,
        "watts_per_core_ratio": ratio,
        "learning": bool(table.learning[row]),
    }


def container_rows(snapshot: Snapshot) -> list[ContainerRow]:
    """Return all container rows, those with the most watts first."""
    table = snapshot.containers
    gpu_uw = _on_gpus(snapshot, table.dynamic_uw, len(table.consumers))
    columns: dict[str, list[int]] = {}
    for column, channel in enumerate(snapshot.channels):
        if channel.component:
            columns.setdefault(channel.component, []).append(column)
    parts = [column for group in columns.values() for column in group]
    by_mode = (table.energy_uj[:, parts].sum(axis=1) / MICROJOULES_PER_JOULE).tolist()
    energy = np.stack(
        [table.energy_uj[:, group].sum(axis=(1, 2)) for group in columns.values()]
        or [np.zeros(len(table.consumers), np.int64)],
        axis=1,
    )
    by_component = (energy / MICROJOULES_PER_JOULE).tolist()
    mean_w = _mean_per_core(snapshot)
    rows = []
    for row in np.argsort(-table.power_uw, kind="stable").tolist():
        consumer = table.consumers[row]
        rows.append(
            ContainerRow(
                uid=consumer.uid,
                kind=consumer.kind,
                container_id=printable(container_id_of(consumer)),
                pod_uid=printable(consumer.pod_uid),
                pod_name=printable(consumer.pod_name),
                container_name=printable(consumer.container_name),
                namespace=printable(consumer.namespace),
                runtime=consumer.runtime,
                owner_kind=consumer.owner_kind,
                owner_name=printable(consumer.owner_name),
                watts=watts(int(table.power_uw[row])),
                cpus=round(float(table.cpu_ratio[row]), 6),
                cpu_seconds=seconds(int(table.cpu_ns[row])),
                dynamic_joules=by_mode[row][0],
                idle_joules=by_mode[row][1],
                joules=dict(zip(columns, by_component[row], strict=False)),
                alive=bool(table.alive[row]),
                held=bool(table.held[row]),
                gpu_watts=watts(int(gpu_uw[row])),
                gpu_seconds=0.0 if table.gpu_ns is None else seconds(int(table.gpu_ns[row])),
                **_per_core(table, row, mean_w),
            )
        )
    return rows


def process_rows(snapshot: Snapshot, most: int) -> list[ProcessRow]:
    """Return the ``most`` processes with the most watts."""
    table = snapshot.processes
    parts = [column for column, channel in enumerate(snapshot.channels) if channel.component]
    rows = np.argsort(-table.power_uw, kind="stable")[:most]
    uids = [consumer.uid for consumer in snapshot.containers.consumers]
    vm_ids = snapshot.vms.ids
    columns = (
        table.pid[rows],
        table.comm[rows],
        table.consumer[rows],
        table.vm[rows],
        table.power_uw[rows] / MICROWATTS_PER_WATT,
        table.cpu_ratio[rows],
        table.cpu_ns[rows] / NANOSECONDS_PER_SECOND,
        table.energy_uj[rows][:, parts].sum(axis=1) / MICROJOULES_PER_JOULE,
        table.alive[rows],
        _on_gpus(snapshot, table.dynamic_uw, len(table.pid))[rows] / MICROWATTS_PER_WATT,
        _on_gpus(snapshot, table.energy_uj, len(table.pid))[rows] / MICROJOULES_PER_JOULE,
    )
    return [
        ProcessRow(
            pid=pid,
            comm=printable(text_of(comm)),
            container=uids[consumer],
            vm=vm_ids[vm] if vm >= 0 else "",
            watts=power_w,
            cpus=round(cpus, 6),
            cpu_seconds=cpu_s,
            joules=energy_j,
            alive=alive,
            gpu_watts=gpu_w,
            gpu_joules=gpu_j,
        )
        for pid, comm, consumer, vm, power_w, cpus, cpu_s, energy_j, alive, gpu_w, gpu_j in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ]


def vm_rows(snapshot: Snapshot) -> list[Vm]:
    """Return all virtual machines."""
    table = snapshot.vms
    parts = [column for column, channel in enumerate(snapshot.channels) if channel.component]
    energy = table.energy_uj[:, parts].sum(axis=1)
    return [
        Vm(
            id=printable(vm),
            dynamic_joules=joules(int(energy[row, Mode.DYNAMIC])),
            idle_joules=joules(int(energy[row, Mode.IDLE])),
            alive=bool(table.alive[row]),
        )
        for row, vm in enumerate(table.ids)
    ]
