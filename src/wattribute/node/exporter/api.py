"""The JSON of /api/v1/snapshot: the newest snapshot in joules, watts and seconds.

``schema`` is the version of the shape: keys are added, never renamed or taken away.
docs/reference/snapshot.md is made from the docstrings here.
"""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import FloorState, Snapshot, ZoneTotal
from wattribute.core.units import MICROJOULES_PER_JOULE, joules, seconds, watts
from wattribute.node.exporter.kepler_09 import container_id_of
from wattribute.node.exporter.labels import printable, text_of
from wattribute.node.exporter.own import zone_name
from wattribute.node.exporter.scene import NodeLabels

SCHEMA: Final = 1


class Node(msgspec.Struct, frozen=True):
    """The machine."""

    name: str
    cpu: str
    """CPU's name as the kernel shows it; "" when not known."""
    virtual: bool
    cpus: int
    """Online CPUs (hardware threads); 0 when not known."""
    memory_bytes: int


class Component(msgspec.Struct, frozen=True):
    """One part of the node's energy from one origin; components do not overlap."""

    component: str
    """cpu, dram, gpu or other."""
    origin: str
    """measured, integrated or estimated."""
    sources: list[str]
    watts: float
    """In the last tick."""
    low_watts: float
    high_watts: float
    """The band of an estimate; equal to watts for what is measured."""
    floor_watts: float
    dynamic_joules: float
    idle_joules: float
    """Cumulative, as are all joules here."""
    unpaid_idle_joules: float
    """The part of idle_joules that no container pays."""
    unattributed_joules: float
    """The part of dynamic_joules that was spent while nobody ran."""


class ZoneRow(msgspec.Struct, frozen=True):
    """One power zone. Zones overlap: core is in package, platform holds all."""

    zone: str
    kind: str
    component: str | None
    """None: it overlaps a component."""
    source: str
    origin: str
    up: bool
    """False: its meter has failed three ticks or more."""
    watts: float
    low_watts: float | None
    high_watts: float | None
    floor_watts: float | None
    """Idle power as it is used now."""
    floor_basis: str | None
    """given, learned, prior, model or none."""
    dynamic_joules: float
    idle_joules: float


class GpuRow(msgspec.Struct, frozen=True):
    """A GPU. Its energy is in its zone's row."""

    gpu_uuid: str
    zone: str
    """As in zones."""
    index: int
    name: str
    vendor: str
    energy: str
    """How its energy is known: counter, average (power over a second) or power (now)."""
    activity: str
    """By what it is shared: sm (time on its processors), gpm or dcgm (of MIG instances), memory
    (held), none."""
    busy: float | None
    """Part of the last tick in which it was busy; None: not told."""
    memory_used_bytes: int
    memory_bytes: int
    instances: int
    """MIG instances; 0: MIG mode is off."""
    failures: int
    message: str
    """What was wrong last."""


class ContainerRow(msgspec.Struct, frozen=True):
    """A container, or one of the special rows."""

    uid: int
    """Of this row, while the agent runs; processes refer to it."""
    kind: str
    """container, ended, system or kernel."""
    container_id: str
    pod_uid: str
    pod_name: str
    container_name: str
    namespace: str
    runtime: str
    owner_kind: str
    owner_name: str
    watts: float
    """In the last tick, both modes, all components."""
    cpus: float
    """CPUs used in the last tick."""
    cpu_seconds: float
    dynamic_joules: float
    idle_joules: float
    joules: dict[str, float]
    """By component, both modes."""
    alive: bool
    held: bool
    """Still published to Prometheus as 0."""
    gpu_watts: float = 0.0
    """Dynamic power on GPUs in the last tick; it is in watts too."""
    gpu_seconds: float = 0.0
    """Time on GPUs' processors."""


class ProcessRow(msgspec.Struct, frozen=True):
    """A process."""

    pid: int
    """0: time of its container whose process is not known."""
    comm: str
    container: int
    """uid of its container row."""
    vm: str
    watts: float
    cpus: float
    cpu_seconds: float
    joules: float
    """Dynamic energy; processes pay no floor."""
    alive: bool
    gpu_watts: float = 0.0
    """The part of watts that is on GPUs."""
    gpu_joules: float = 0.0
    """The part of joules that is on GPUs."""


class Vm(msgspec.Struct, frozen=True):
    """A virtual machine on this host; its energy is in container rows too."""

    id: str
    dynamic_joules: float
    idle_joules: float
    alive: bool


class MeterRow(msgspec.Struct, frozen=True):
    """A meter."""

    name: str
    up: bool
    failures: int
    message: str
    """What was wrong last."""


class HealthDocument(msgspec.Struct, frozen=True):
    """The agent itself."""

    meters: list[MeterRow]
    activity: str
    """cycles, tasks, cgroup or procfs."""
    activity_failures: int
    dropped_records: int
    dropped_intervals: dict[str, int]
    ticks: int
    skew_s: float
    tick_cpu_s: float
    tick_s: float
    misfit: float
    coverage: float
    bpf_run_s: float | None
    state_failures: int


class Document(msgspec.Struct, frozen=True):
    """The whole answer."""

    schema: int
    """1. Another number: another shape."""
    version: str
    """Of the agent."""
    sequence: int
    time_s: float
    """Unix time of the tick."""
    age_s: float
    """Time since the tick when this was answered first."""
    stale: bool
    """Older than three intervals (at least 30 s): nothing here is news."""
    elapsed_s: float
    """Length of the last interval."""
    interval_s: float
    policy: str
    """How the floor is shared."""
    node: Node
    components: list[Component]
    zones: list[ZoneRow]
    containers: list[ContainerRow]
    """By watts, greatest first."""
    processes: list[ProcessRow] | None
    """By watts, greatest first; with ``?processes=N`` the first N. None: not shown to clients that
    are not on this machine and have not shown who they are."""
    process_count: int
    vms: list[Vm]
    health: HealthDocument
    gpus: list[GpuRow] = []
    """GPUs that answered in the last tick."""


def document(
    snapshot: Snapshot,
    node: NodeLabels,
    version: str,
    *,
    age_s: float,
    stale: bool,
    processes: int | None,
) -> Document:
    """The answer; ``processes``: how many rows at most, None for none at all."""
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
        node=Node(
            name=node.name,
            cpu=printable(machine.cpu_name),
            virtual=bool(machine.hypervisor),
            cpus=snapshot.capacity.get("cpu_mcore", 0) // 1000,
            memory_bytes=snapshot.capacity.get("memory_bytes", 0),
        ),
        components=_components(snapshot),
        zones=_zones(snapshot),
        containers=_containers(snapshot),
        processes=None if processes is None else _processes(snapshot, processes),
        process_count=int(snapshot.processes.alive.sum()),
        vms=_vms(snapshot),
        health=_health(snapshot),
        gpus=_gpus(snapshot),
    )


def _components(snapshot: Snapshot) -> list[Component]:
    columns: dict[tuple[str, str], list[int]] = {}
    for column, channel in enumerate(snapshot.channels):
        if channel.component:
            columns.setdefault((channel.component, str(channel.origin)), []).append(column)
    floors = {floor.zone: floor.power_uw for floor in snapshot.floors}
    found = []
    for (component, origin), mine in columns.items():
        zones = [
            total
            for total in snapshot.node.zones
            if total.up and (total.zone.component, str(total.origin)) == (component, origin)
        ]
        power_uw = sum(total.power_uw for total in zones)
        energy = snapshot.node.energy_uj[mine].sum(axis=0)
        found.append(
            Component(
                component=component,
                origin=origin,
                sources=list(dict.fromkeys(snapshot.channels[column].source for column in mine)),
                watts=watts(power_uw),
                low_watts=watts(sum(_either(total.low_uw, total.power_uw) for total in zones)),
                high_watts=watts(sum(_either(total.high_uw, total.power_uw) for total in zones)),
                floor_watts=watts(sum(floors.get(total.zone, 0) for total in zones)),
                dynamic_joules=joules(int(energy[0])),
                idle_joules=joules(int(energy[1])),
                unpaid_idle_joules=joules(int(snapshot.node.idle_uj[mine].sum())),
                unattributed_joules=joules(int(snapshot.node.unattributed_uj[mine].sum())),
            )
        )
    return found


def _zones(snapshot: Snapshot) -> list[ZoneRow]:
    floors = {floor.zone: floor for floor in snapshot.floors}
    return [_zone(total, floors.get(total.zone)) for total in snapshot.node.zones]


def _zone(total: ZoneTotal, floor: FloorState | None) -> ZoneRow:
    return ZoneRow(
        zone=zone_name(total.zone),
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
    )


def _gpus(snapshot: Snapshot) -> list[GpuRow]:
    names = {total.zone.id: zone_name(total.zone) for total in snapshot.node.zones}
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


def _on_gpus(snapshot: Snapshot, values: NDArray[np.int64] | None, rows: int) -> NDArray[np.int64]:
    """(rows,) the part of a table with one column per channel that is of GPUs."""
    columns = [n for n, channel in enumerate(snapshot.channels) if channel.kind == "gpu"]
    if values is None or not columns:
        return np.zeros(rows, np.int64)
    found: NDArray[np.int64] = values[:, columns].sum(axis=1)
    return found


def _containers(snapshot: Snapshot) -> list[ContainerRow]:
    table = snapshot.containers
    gpu_uw = _on_gpus(snapshot, table.dynamic_uw, len(table.consumers))
    columns: dict[str, list[int]] = {}
    for column, channel in enumerate(snapshot.channels):
        if channel.component:
            columns.setdefault(channel.component, []).append(column)
    mine = [column for group in columns.values() for column in group]
    by_mode = (table.energy_uj[:, mine].sum(axis=1) / MICROJOULES_PER_JOULE).tolist()
    energy = np.stack(
        [table.energy_uj[:, group].sum(axis=(1, 2)) for group in columns.values()]
        or [np.zeros(len(table.consumers), np.int64)],
        axis=1,
    )
    by_component = (energy / MICROJOULES_PER_JOULE).tolist()
    found = []
    for row in np.argsort(-table.power_uw, kind="stable").tolist():
        consumer = table.consumers[row]
        found.append(
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
            )
        )
    return found


def _processes(snapshot: Snapshot, most: int) -> list[ProcessRow]:
    table = snapshot.processes
    columns = [column for column, channel in enumerate(snapshot.channels) if channel.component]
    rows = np.argsort(-table.power_uw, kind="stable")[:most]
    gpu_uw = _on_gpus(snapshot, table.dynamic_uw, len(table.pid))
    gpu_uj = _on_gpus(snapshot, table.energy_uj, len(table.pid))
    uids = [consumer.uid for consumer in snapshot.containers.consumers]
    vm_ids = snapshot.vms.ids
    return [
        ProcessRow(
            pid=pid,
            comm=printable(text_of(comm)),
            container=uids[consumer],
            vm=vm_ids[vm] if vm >= 0 else "",
            watts=power,
            cpus=round(cpus, 6),
            cpu_seconds=cpu_s,
            joules=energy,
            alive=alive,
            gpu_watts=gpu_power,
            gpu_joules=gpu_energy,
        )
        for (
            pid,
            comm,
            consumer,
            vm,
            power,
            cpus,
            cpu_s,
            energy,
            alive,
            gpu_power,
            gpu_energy,
        ) in zip(
            table.pid[rows].tolist(),
            table.comm[rows].tolist(),
            table.consumer[rows].tolist(),
            table.vm[rows].tolist(),
            (table.power_uw[rows] / 1e6).tolist(),
            table.cpu_ratio[rows].tolist(),
            (table.cpu_ns[rows] / 1e9).tolist(),
            (table.energy_uj[rows][:, columns].sum(axis=1) / MICROJOULES_PER_JOULE).tolist(),
            table.alive[rows].tolist(),
            (gpu_uw[rows] / 1e6).tolist(),
            (gpu_uj[rows] / MICROJOULES_PER_JOULE).tolist(),
            strict=True,
        )
    ]


def _vms(snapshot: Snapshot) -> list[Vm]:
    table = snapshot.vms
    columns = [column for column, channel in enumerate(snapshot.channels) if channel.component]
    energy = table.energy_uj[:, columns].sum(axis=1)
    return [
        Vm(printable(vm), joules(int(energy[row, 0])), joules(int(energy[row, 1])),
           bool(table.alive[row]))
        for row, vm in enumerate(table.ids)
    ]  # fmt: skip


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
