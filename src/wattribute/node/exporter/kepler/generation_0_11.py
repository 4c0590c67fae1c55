"""The families that Kepler from 0.10 on has, as a view of the snapshot.

Workloads have dynamic energy only.

``zone`` is the zone's kind. Zones overlap (core is in package, platform holds
all), as they do in Kepler: a sum over zones counts energy twice.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import Consumer, Mode
from wattribute.core.units import NANOSECONDS_PER_MICROSECOND
from wattribute.node.exporter.family import Family, Samples, counter, crossed, gauge
from wattribute.node.exporter.identity import container_id_of
from wattribute.node.exporter.kepler.nodes_0_11 import BUILD_INFO, NODE
from wattribute.node.exporter.labels import block
from wattribute.node.exporter.layout import SeriesRows, last_of_each
from wattribute.node.exporter.scene import Scene

_CONTAINER_KINDS: Final = frozenset({"container", "ended"})
_CONTAINER: Final = ("container_id", "container_name", "runtime", "pod_id", "state")
_PROCESS: Final = ("pid", "comm", "exe", "type", "container_id", "vm_id", "state")
_VM: Final = ("vm_id", "vm_name", "hypervisor", "state")
_POD: Final = ("pod_id", "pod_name", "pod_namespace", "state")


def _state(alive: bool) -> str:  # noqa: FBT001 - a column's value
    return "running" if alive else "terminated"


def container_style(consumer: Consumer, alive: bool) -> str:  # noqa: FBT001
    """Kepler 0.11's labels of a container."""
    return block(
        (
            ("container_id", container_id_of(consumer)),
            ("container_name", consumer.container_name),
            ("runtime", consumer.runtime),
            ("pod_id", consumer.pod_uid),
            ("state", _state(alive)),
        )
    )


def process_style(pid: str, command: str, consumer: Consumer, vm: str, alive: bool) -> str:  # noqa: FBT001
    """Kepler 0.11's labels of a process; ``exe`` is empty, paths and arguments stay private."""
    in_container = consumer.kind in _CONTAINER_KINDS
    return block(
        (
            ("pid", pid),
            ("comm", command),
            ("exe", ""),
            ("type", "vm" if vm else "container" if in_container else "regular"),
            ("container_id", container_id_of(consumer) if in_container else ""),
            ("vm_id", vm),
            ("state", _state(alive)),
        )
    )


class _Subject(NamedTuple):
    """Rows of one kind of workload."""

    series: SeriesRows
    energy_uj: NDArray[np.int64]
    """(rows shown, channels)"""
    power_uw: NDArray[np.int64] | None
    """The same shape."""


def _containers(scene: Scene) -> _Subject:
    series = scene.containers(container_style, _CONTAINER_KINDS)
    power = scene.snapshot.containers.dynamic_uw
    return _Subject(
        series,
        scene.container_uj[series.rows, :, Mode.DYNAMIC],
        None if power is None else power[series.rows],
    )


def _processes(scene: Scene) -> _Subject:
    series = scene.processes(process_style)
    power = scene.snapshot.processes.dynamic_uw
    return _Subject(
        series, scene.process_uj[series.rows], None if power is None else power[series.rows]
    )


def _vms(scene: Scene) -> _Subject:
    table = scene.snapshot.vms
    series = last_of_each(
        block((("vm_id", vm), ("vm_name", vm), ("hypervisor", ""), ("state", _state(alive))))
        for vm, alive in zip(table.ids, table.alive.tolist(), strict=True)
    )
    power = table.dynamic_uw
    return _Subject(
        series,
        scene.vm_uj[series.rows, :, Mode.DYNAMIC],
        None if power is None else power[series.rows],
    )


def _pods(scene: Scene) -> _Subject:
    """Container rows summed by pod uid, with what rows that are gone have left."""
    table = scene.snapshot.containers
    rows_of: dict[str, list[int]] = {}
    for row, consumer in enumerate(table.consumers):
        if consumer.pod_uid:
            rows_of.setdefault(consumer.pod_uid, []).append(row)
    labels = []
    shape = (len(rows_of), len(scene.snapshot.channels))
    energy = np.zeros(shape, np.int64)
    power = None if table.dynamic_uw is None else np.zeros(shape, np.int64)
    for pod, (uid, rows) in enumerate(rows_of.items()):
        newest = max((table.consumers[row] for row in rows), key=_named_late)
        alive = bool(table.alive[rows].any())
        labels.append(
            block(
                (
                    ("pod_id", uid),
                    ("pod_name", newest.pod_name),
                    ("pod_namespace", newest.namespace),
                    ("state", _state(alive)),
                )
            )
        )
        energy[pod] = scene.container_uj[rows, :, Mode.DYNAMIC].sum(axis=0)
        if uid in scene.snapshot.retired_uj:
            energy[pod] += scene.snapshot.retired_uj[uid][:, Mode.DYNAMIC]
        if power is not None and table.dynamic_uw is not None:
            power[pod] = table.dynamic_uw[rows].sum(axis=0)
    return _Subject(SeriesRows(tuple(labels), np.arange(len(labels)), labels), energy, power)


def _named_late(consumer: Consumer) -> tuple[bool, int]:
    return bool(consumer.pod_name), consumer.uid


_Subjects = Callable[[Scene], _Subject]


def _cpu(subjects: _Subjects, *, power: bool) -> Callable[[Scene], Samples | None]:
    def samples(scene: Scene) -> Samples | None:
        subject = scene.once(subjects)
        values = subject.power_uw if power else subject.energy_uj
        kinds = [(kind, columns) for kind, columns in scene.kinds() if kind != "gpu"]
        if values is None or not kinds:
            return None
        tails = [block((("zone", kind), ("node_name", scene.node.name))) for kind, _ in kinds]
        return crossed(subject.series, tails, [values[:, c].sum(axis=1) for _, c in kinds])

    return samples


def _gpu(subjects: _Subjects, *, power: bool) -> Callable[[Scene], Samples | None]:
    def samples(scene: Scene) -> Samples | None:
        columns = dict(scene.kinds()).get("gpu")
        subject = scene.once(subjects)
        values = subject.power_uw if power else subject.energy_uj
        if columns is None or values is None:
            return None
        return crossed(subject.series, [_node_name(scene)], [values[:, columns].sum(axis=1)])

    return samples


def _node_name(scene: Scene) -> str:
    return block((("node_name", scene.node.name),))


def _container_seconds(scene: Scene) -> Samples | None:
    series = scene.containers(container_style, _CONTAINER_KINDS)
    table = scene.snapshot.containers
    cpu_ns = np.where(table.held, 0, table.cpu_ns)[series.rows]
    return _seconds(scene, series, cpu_ns)


def _process_seconds(scene: Scene) -> Samples | None:
    series = scene.processes(process_style)
    table = scene.snapshot.processes
    return _seconds(scene, series, np.where(table.held, 0, table.cpu_ns)[series.rows])


def _seconds(scene: Scene, series: SeriesRows, cpu_ns: NDArray[np.int64]) -> Samples:
    return crossed(series, [_node_name(scene)], [cpu_ns // NANOSECONDS_PER_MICROSECOND])


def _workload(
    subject: str, subjects: _Subjects, labels: tuple[str, ...], *, owner: str
) -> tuple[Family, ...]:
    cpu = (*labels, "zone", "node_name")
    gpu = (*labels, "node_name")
    name = f"kepler_{subject}"
    return (
        counter(f"{name}_cpu_joules_total", f"Dynamic energy of {owner}, by zone.", cpu,
                _cpu(subjects, power=False)),
        gauge(f"{name}_cpu_watts", f"Dynamic power of {owner} in the last tick, by zone.", cpu,
              _cpu(subjects, power=True)),
        counter(f"{name}_gpu_joules_total", f"Dynamic energy of {owner} on GPUs.", gpu,
                _gpu(subjects, power=False)),
        gauge(f"{name}_gpu_watts", f"Dynamic power of {owner} on GPUs in the last tick.", gpu,
              _gpu(subjects, power=True)),
    )  # fmt: skip


CONTAINERS: Final = (
    *_workload("container", _containers, _CONTAINER, owner="a container"),
    counter("kepler_container_cpu_seconds_total", "CPU time of a container.",
            (*_CONTAINER, "node_name"), _container_seconds),
)  # fmt: skip
PODS: Final = _workload("pod", _pods, _POD, owner="a pod")
VMS: Final = _workload("vm", _vms, _VM, owner="a virtual machine on this host")
PROCESSES: Final = (
    *_workload("process", _processes, _PROCESS, owner="a process"),
    counter("kepler_process_cpu_seconds_total", "CPU time of a process.",
            (*_PROCESS, "node_name"), _process_seconds),
)  # fmt: skip


def families(*, processes: bool) -> tuple[Family, ...]:
    """Return the families of this generation; ``processes``: with one series per process."""
    always = (BUILD_INFO, *NODE, *CONTAINERS, *PODS, *VMS)
    return (*always, *PROCESSES) if processes else always
