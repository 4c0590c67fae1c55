"""Snapshot -> the JSON of /api/v1/snapshot, in joules, watts and seconds."""

from wattribute.core.records import FloorState, Mode, Snapshot, ZoneTotal, ZoneWeight
from wattribute.core.units import MILLICORES_PER_CORE, joules, seconds, watts
from wattribute.node.exporter.api.rows import container_rows, process_rows, vm_rows
from wattribute.node.exporter.api.shapes import (
    SCHEMA,
    Component,
    Document,
    GpuRow,
    HealthDocument,
    MeterRow,
    NodeDocument,
    WorkloadWeight,
    ZoneRow,
)
from wattribute.node.exporter.labels import printable
from wattribute.node.exporter.scene import NodeLabels


def document(
    snapshot: Snapshot,
    node: NodeLabels,
    version: str,
    *,
    age_s: float,
    stale: bool,
    processes: int | None,
) -> Document:
    """Return the answer to a request.

    Args:
        snapshot: what the monitor published last.
        node: what the node is called.
        version: of the agent.
        age_s: seconds since the snapshot's tick.
        stale: whether the snapshot is too old to be news.
        processes: how many rows of processes at most; None shows none at all.
    """
    machine = snapshot.machine
    return Document(
        schema=SCHEMA,
        version=version,
        sequence=snapshot.sequence,
        time_s=seconds(snapshot.wall_ns),
        age_s=age_s,
        stale=stale,
        elapsed_s=seconds(snapshot.elapsed_ns),
        interval_s=seconds(snapshot.interval_ns),
        policy=snapshot.policy,
        node=NodeDocument(
            name=node.name,
            cpu=printable(machine.cpu_name),
            virtual=bool(machine.hypervisor),
            cpus=snapshot.capacity.get("cpu_mcore", 0) // MILLICORES_PER_CORE,
            memory_bytes=snapshot.capacity.get("memory_bytes", 0),
        ),
        components=_components(snapshot),
        zones=_zones(snapshot),
        containers=container_rows(snapshot),
        processes=None if processes is None else process_rows(snapshot, processes),
        process_count=int(snapshot.processes.alive.sum()),
        vms=vm_rows(snapshot),
        health=_health(snapshot),
        gpus=_gpus(snapshot),
        weights=_weights(snapshot),
    )


def _components(snapshot: Snapshot) -> list[Component]:
    columns: dict[tuple[str, str], list[int]] = {}
    for column, channel in enumerate(snapshot.channels):
        if channel.component:
            columns.setdefault((channel.component, str(channel.origin)), []).append(column)
    floors = {floor.zone: floor.power_uw for floor in snapshot.floors}
    components = []
    for (component, origin), group in columns.items():
        zones = [
            total
            for total in snapshot.node.zones
            if total.up and (total.zone.component, str(total.origin)) == (component, origin)
        ]
        power_uw = sum(total.power_uw for total in zones)
        energy = snapshot.node.energy_uj[group].sum(axis=0)
        components.append(
            Component(
                component=component,
                origin=origin,
                sources=list(dict.fromkeys(snapshot.channels[column].source for column in group)),
                watts=watts(power_uw),
                low_watts=watts(sum(_either(total.low_uw, total.power_uw) for total in zones)),
                high_watts=watts(sum(_either(total.high_uw, total.power_uw) for total in zones)),
                floor_watts=watts(sum(floors.get(total.zone, 0) for total in zones)),
                dynamic_joules=joules(int(energy[Mode.DYNAMIC])),
                idle_joules=joules(int(energy[Mode.IDLE])),
                unpaid_idle_joules=joules(int(snapshot.node.idle_uj[group].sum())),
                unattributed_joules=joules(int(snapshot.node.unattributed_uj[group].sum())),
            )
        )
    return components


def _zones(snapshot: Snapshot) -> list[ZoneRow]:
    floors = {floor.zone: floor for floor in snapshot.floors}
    weights = {weight.zone: weight for weight in snapshot.weights}
    return [
        _zone(total, floors.get(total.zone), weights.get(total.zone))
        for total in snapshot.node.zones
    ]


def _zone(total: ZoneTotal, floor: FloorState | None, weight: ZoneWeight | None) -> ZoneRow:
    return ZoneRow(
        zone=total.zone.name,
        kind=total.zone.kind,
        component=total.zone.component,
        source=total.zone.source,
        origin=str(total.origin),
        up=total.up,
        watts=watts(total.power_uw),
        low_watts=None if total.low_uw is None else watts(total.low_uw),
        high_watts=None if total.high_uw is None else watts(total.high_uw),
        floor_watts=None if floor is None else watts(floor.power_uw),
        floor_basis=None if floor is None else floor.basis,
        dynamic_joules=joules(total.dynamic_uj),
        idle_joules=joules(total.idle_uj),
        shared_by=None if weight is None else weight.shared_by,
        shared_why=None if weight is None else weight.reason,
    )


def _weights(snapshot: Snapshot) -> list[WorkloadWeight]:
    return [
        WorkloadWeight(
            zone=weight.zone.name,
            owner_kind=printable(key.owner_kind),
            owner_name=printable(key.owner_name),
            namespace=printable(key.namespace),
            container_name=printable(key.container_name),
            image=key.image,
            ratio=ratio,
            ratio_low=low,
            ratio_high=high,
            learning=learning,
        )
        for weight in snapshot.weights
        if (learned := weight.learned) is not None
        for key, ratio, low, high, learning in zip(
            learned.keys,
            learned.ratio.tolist(),
            learned.low.tolist(),
            learned.high.tolist(),
            learned.learning.tolist(),
            strict=True,
        )
    ]


def _gpus(snapshot: Snapshot) -> list[GpuRow]:
    names = {total.zone.id: total.zone.name for total in snapshot.node.zones}
    return [
        GpuRow(
            gpu_uuid=printable(gpu.device),
            zone=names.get(gpu.device, f"gpu-{gpu.device}"),
            index=gpu.index,
            name=printable(gpu.name),
            vendor=gpu.vendor,
            energy=gpu.energy,
            activity=gpu.activity,
            busy=gpu.utilisation,
            memory_used_bytes=gpu.memory_used_bytes,
            memory_bytes=gpu.memory_total_bytes,
            instances=gpu.instances,
            failures=gpu.failures,
            message=printable(gpu.message),
        )
        for gpu in snapshot.gpus
    ]


def _health(snapshot: Snapshot) -> HealthDocument:
    health = snapshot.health
    return HealthDocument(
        meters=[
            MeterRow(meter.name, meter.up, meter.failures, printable(meter.message))
            for meter in health.meters
        ],
        activity=health.activity,
        activity_failures=health.activity_failures,
        dropped_records=health.dropped_records,
        dropped_intervals=dict(health.dropped_intervals),
        ticks=health.ticks,
        skew_s=seconds(health.skew_ns),
        tick_cpu_s=seconds(health.tick_cpu_ns),
        tick_s=seconds(health.tick_wall_ns),
        misfit=health.misfit,
        coverage=health.coverage,
        bpf_run_s=None if health.bpf_run_ns is None else seconds(health.bpf_run_ns),
        state_failures=health.state_failures,
    )


def _either(value: int | None, other: int) -> int:
    return other if value is None else value
