"""The agent's snapshot document -> what ``top`` shows."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from wattribute.cli.top.view import ComponentPower, ConsumerRow, Gpu, Picture
from wattribute.node.exporter.api.shapes import (
    Component,
    ContainerRow,
    Document,
    GpuRow,
    ProcessRow,
    ZoneRow,
)

_SPECIAL: Final = frozenset({"system", "kernel"})
_GIB: Final = 1 << 30
_NOWHERE: Final = ConsumerRow(watts=0.0, joules=0.0, cpu_percent=0.0)


def picture_of(document: Document, where: str) -> Picture:
    """One picture; ``where`` says to the user whose numbers these are."""
    by_uid = {row.uid: row for row in document.containers}
    processes = document.processes
    return Picture(
        node=document.node.name,
        where=where,
        activity=document.health.activity,
        policy=document.policy,
        time_s=document.time_s,
        age_s=document.age_s,
        interval_s=document.interval_s,
        parts=tuple(map(_part, document.components)),
        containers=tuple(map(_container, document.containers)),
        processes=None if processes is None else tuple(_process(row, by_uid) for row in processes),
        gpus=_gpus(document),
    )


def _part(component: Component) -> ComponentPower:
    estimated = component.origin == "estimated"
    return ComponentPower(
        component=component.component,
        origin=component.origin,
        watts=component.watts,
        low_watts=component.low_watts if estimated else None,
        high_watts=component.high_watts if estimated else None,
        joules=component.dynamic_joules + component.idle_joules,
    )


def _container(row: ContainerRow) -> ConsumerRow:
    return replace(
        _place(row),
        watts=row.watts,
        joules=row.dynamic_joules + row.idle_joules,
        cpu_percent=row.cpus * 100,
        alive=row.alive,
        gpu_watts=row.gpu_watts,
        gpu_joules=row.joules.get("gpu", 0.0),
        watts_per_core=row.watts_per_core,
        watts_per_core_low=row.watts_per_core_low,
        watts_per_core_high=row.watts_per_core_high,
        learning=row.learning,
    )


def _gpus(document: Document) -> tuple[Gpu, ...]:
    """Every GPU that answers, with the energy of its zone."""
    zones = {zone.zone: zone for zone in document.zones}
    return tuple(_gpu(gpu, zones[gpu.zone]) for gpu in document.gpus if gpu.zone in zones)


def _gpu(gpu: GpuRow, zone: ZoneRow) -> Gpu:
    used, there = (round(amount / _GIB, 1) for amount in (gpu.memory_used_bytes, gpu.memory_bytes))
    mig = f", {gpu.instances} MIG instances" if gpu.instances else ""
    return Gpu(
        watts=zone.watts,
        joules=zone.dynamic_joules + zone.idle_joules,
        cpu_percent=100 * (gpu.busy or 0.0),
        index=gpu.index,
        memory=f"{used:g} of {there:g} GiB" if there else "",
        name=gpu.name,
        uuid=gpu.gpu_uuid,
        how=gpu.message or f"{gpu.energy}, by {gpu.activity}{mig}",
    )


def _process(row: ProcessRow, containers: Mapping[int, ContainerRow]) -> ConsumerRow:
    owner = containers.get(row.container)
    return replace(
        _place(owner) if owner else _NOWHERE,
        watts=row.watts,
        joules=row.joules,
        cpu_percent=row.cpus * 100,
        command=row.comm if row.pid else "(processes not known)",
        pid=row.pid,
        alive=row.alive,
        gpu_watts=row.gpu_watts,
        gpu_joules=row.gpu_joules,
    )


def _place(row: ContainerRow) -> ConsumerRow:
    """Names alone. The special rows repeat theirs as id and pod, for Kepler's dashboards."""
    if row.kind in _SPECIAL:
        return replace(_NOWHERE, container=row.container_name, namespace=row.namespace)
    return replace(
        _NOWHERE,
        container=row.container_name or row.container_id[:12],
        container_id=row.container_id,
        pod=row.pod_name,
        pod_uid=row.pod_uid,
        namespace=row.namespace,
    )
