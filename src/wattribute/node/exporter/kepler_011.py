"""The families that Kepler from 0.10 on has. Workloads have dynamic energy only.

``zone`` is the zone's kind. Zones overlap (core is in package, platform holds
all), as they do in Kepler: a sum over zones counts energy twice.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import Consumer, Mode
from wattribute.core.units import NANOSECONDS_PER_MICROSECOND
from wattribute.node.exporter.family import Family, Samples, counter, gauge, listed
from wattribute.node.exporter.kepler_09 import container_id_of
from wattribute.node.exporter.labels import block
from wattribute.node.exporter.layout import Shown, last_of_each
from wattribute.node.exporter.scene import Scene

_CONTAINER_KINDS: Final = frozenset({"container", "ended"})
_CONTAINER: Final = ("container_id", "container_name", "runtime", "pod_id", "state")
_PROCESS: Final = ("pid", "comm", "exe", "type", "container_id", "vm_id", "state")
_VM: Final = ("vm_id", "vm_name", "hypervisor", "state")
_GPU: Final = ("gpu", "gpu_uuid", "gpu_name", "vendor", "node_name")
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

    shown: Shown
    energy_uj: NDArray[np.int64]
    """(rows shown, channels)"""
    power_uw: NDArray[np.int64] | None
    """The same shape."""


def _containers(scene: Scene) -> _Subject:
    shown = scene.containers(container_style, _CONTAINER_KINDS)
    power = scene.snapshot.containers.dynamic_uw
    return _Subject(
        shown,
        scene.container_uj[shown.rows, :, Mode.DYNAMIC],
        None if power is None else power[shown.rows],
    )


def _processes(scene: Scene) -> _Subject:
    shown = scene.processes(process_style)
    power = scene.snapshot.processes.dynamic_uw
    return _Subject(
        shown, scene.process_uj[shown.rows], None if power is None else power[shown.rows]
    )


def _vms(scene: Scene) -> _Subject:
    table = scene.snapshot.vms
    shown = last_of_each(
        block((("vm_id", vm), ("vm_name", vm), ("hypervisor", ""), ("state", _state(alive))))
        for vm, alive in zip(table.ids, table.alive.tolist(), strict=True)
    )
    power = table.dynamic_uw
    return _Subject(
        shown,
        scene.vm_uj[shown.rows, :, Mode.DYNAMIC],
        None if power is None else power[shown.rows],
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
    return _Subject(Shown(tuple(labels), np.arange(len(labels)), labels), energy, power)


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
        tails = [f",{_tail(scene, kind)}" for kind, _ in kinds]
        return _table(subject.shown, tails, [values[:, c].sum(axis=1) for _, c in kinds])

    return samples


def _gpu(subjects: _Subjects, *, power: bool) -> Callable[[Scene], Samples | None]:
    def samples(scene: Scene) -> Samples | None:
        columns = dict(scene.kinds()).get("gpu")
        subject = scene.once(subjects)
        values = subject.power_uw if power else subject.energy_uj
        if columns is None or values is None:
            return None
        tail = f",{block((('node_name', scene.node.name),))}"
        return _table(subject.shown, [tail], [values[:, columns].sum(axis=1)])

    return samples


def _tail(scene: Scene, kind: str) -> str:
    return block((("zone", kind), ("node_name", scene.node.name)))


def _table(shown: Shown, tails: Sequence[str], values: list[NDArray[np.int64]]) -> Samples:
    return Samples(
        np.concatenate(values),
        lambda: [labels + tail for tail in tails for labels in shown.labels],
        (shown.key, tuple(tails)),
    )


def _container_seconds(scene: Scene) -> Samples | None:
    shown = scene.containers(container_style, _CONTAINER_KINDS)
    table = scene.snapshot.containers
    cpu_ns = np.where(table.held, 0, table.cpu_ns)[shown.rows]
    return _seconds(scene, shown, cpu_ns)


def _process_seconds(scene: Scene) -> Samples | None:
    shown = scene.processes(process_style)
    table = scene.snapshot.processes
    return _seconds(scene, shown, np.where(table.held, 0, table.cpu_ns)[shown.rows])


def _seconds(scene: Scene, shown: Shown, cpu_ns: NDArray[np.int64]) -> Samples:
    tail = f",{block((('node_name', scene.node.name),))}"
    return _table(shown, [tail], [cpu_ns // NANOSECONDS_PER_MICROSECOND])


def _node_joules(
    pick: Callable[[int, int], int], *, gpu: bool
) -> Callable[[Scene], Samples | None]:
    """``pick`` chooses from (dynamic, idle) energy of a zone."""
    return lambda scene: listed(
        (_zone_labels(scene, total.zone.kind, total.zone.source, total.zone.id),
         pick(total.dynamic_uj, total.idle_uj))
        for total in scene.zones
        if (total.zone.kind == "gpu") is gpu
    )  # fmt: skip


def _node_watts(pick: Callable[[int, int], int], *, gpu: bool) -> Callable[[Scene], Samples | None]:
    """``pick`` chooses from (dynamic, idle) power of a zone in the last tick."""

    def samples(scene: Scene) -> Samples | None:
        floors = {floor.zone: floor.power_uw for floor in scene.snapshot.floors}
        found = []
        for total in scene.zones:
            if (total.zone.kind == "gpu") is gpu:
                idle = min(floors.get(total.zone, 0), total.power_uw)
                labels = _zone_labels(scene, total.zone.kind, total.zone.source, total.zone.id)
                found.append((labels, pick(total.power_uw - idle, idle)))
        return listed(found)

    return samples


def _zone_labels(scene: Scene, kind: str, source: str, zone: str) -> dict[str, str]:
    if kind == "gpu":
        return {**_gpu_labels(scene, zone), "node_name": scene.node.name}
    return {"zone": kind, "path": f"{source}/{kind}-{zone}", "node_name": scene.node.name}


def _gpu_labels(scene: Scene, uuid: str) -> dict[str, str]:
    found = next((gpu for gpu in scene.snapshot.gpus if gpu.device == uuid), None)
    return {
        "gpu": str(found.index) if found else "",
        "gpu_uuid": uuid,
        "gpu_name": found.name if found else "",
        "vendor": found.vendor if found else "",
    }


def _gpu_info(scene: Scene) -> Samples | None:
    return listed(
        ({**_gpu_labels(scene, gpu.device), "node_name": scene.node.name}, 1)
        for gpu in scene.snapshot.gpus
    )


def _usage_ratio(scene: Scene) -> Samples | None:
    cpus = scene.snapshot.capacity.get("cpu_mcore", 0) / 1000
    coverage = scene.snapshot.health.coverage
    if not cpus or coverage <= 0:
        return None
    busy = float(scene.snapshot.containers.cpu_ratio.sum()) / coverage
    return listed([({"node_name": scene.node.name}, round(min(busy / cpus, 1.0) * 1e6))])


def _cpu_info(scene: Scene) -> Samples | None:
    machine = scene.snapshot.machine
    return listed([({"vendor_id": machine.vendor, "model_name": machine.cpu_name}, 1)])


def _platform_watts(scene: Scene) -> Samples | None:
    return listed(
        (
            {
                "source": total.zone.source,
                "source_id": total.zone.id,
                "node_name": scene.node.name,
            },
            total.power_uw,
        )
        for total in scene.zones
        if total.zone.kind == "platform"
    )


def _build_info(scene: Scene) -> Samples | None:
    return listed(
        [({"arch": scene.snapshot.machine.architecture, "version": scene.node.version}, 1)]
    )


def _workload(
    subject: str, subjects: _Subjects, labels: tuple[str, ...], *, whose: str
) -> tuple[Family, ...]:
    cpu = (*labels, "zone", "node_name")
    gpu = (*labels, "node_name")
    name = f"kepler_{subject}"
    return (
        counter(f"{name}_cpu_joules_total", f"Dynamic energy of {whose}, by zone.", cpu,
                _cpu(subjects, power=False)),
        gauge(f"{name}_cpu_watts", f"Dynamic power of {whose} in the last tick, by zone.", cpu,
              _cpu(subjects, power=True)),
        counter(f"{name}_gpu_joules_total", f"Dynamic energy of {whose} on GPUs.", gpu,
                _gpu(subjects, power=False)),
        gauge(f"{name}_gpu_watts", f"Dynamic power of {whose} on GPUs in the last tick.", gpu,
              _gpu(subjects, power=True)),
    )  # fmt: skip


def _node(device: str, labels: tuple[str, ...], *, gpu: bool) -> tuple[Family, ...]:
    found: list[Family] = []
    picks: tuple[tuple[str, str, Callable[[int, int], int]], ...] = (
        ("", "", lambda dynamic, idle: dynamic + idle),
        ("active_", " above the floor", lambda dynamic, _: dynamic),
        ("idle_", " at the floor", lambda _, idle: idle),
    )
    for prefix, words, pick in picks:
        found.append(
            counter(f"kepler_node_{device}_{prefix}joules_total",
                    f"Energy of this node's zones{words}.", labels, _node_joules(pick, gpu=gpu))
        )  # fmt: skip
        found.append(
            gauge(f"kepler_node_{device}_{prefix}watts",
                  f"Power of this node's zones{words} in the last tick.", labels,
                  _node_watts(pick, gpu=gpu))
        )  # fmt: skip
    return tuple(found)


NODE: Final = (
    *_node("cpu", ("zone", "path", "node_name"), gpu=False),
    *_node("gpu", _GPU, gpu=True),
    gauge("kepler_node_gpu_info", "What a GPU is: 1.", _GPU, _gpu_info, decimals=0),
    gauge("kepler_node_cpu_usage_ratio", "Part of the CPUs that was busy in the last tick.",
          ("node_name",), _usage_ratio),
    gauge("kepler_node_cpu_info", "What the CPUs are: 1.", ("vendor_id", "model_name"),
          _cpu_info, decimals=0),
    gauge("kepler_platform_watts", "Power at a platform meter.",
          ("source", "source_id", "node_name"), _platform_watts),
)  # fmt: skip
BUILD_INFO: Final = gauge(
    "kepler_build_info", "Version of the exporter: 1.", ("arch", "version"), _build_info, decimals=0
)
CONTAINERS: Final = (
    *_workload("container", _containers, _CONTAINER, whose="a container"),
    counter("kepler_container_cpu_seconds_total", "CPU time of a container.",
            (*_CONTAINER, "node_name"), _container_seconds),
)  # fmt: skip
PODS: Final = _workload("pod", _pods, _POD, whose="a pod")
VMS: Final = _workload("vm", _vms, _VM, whose="a virtual machine on this host")
PROCESSES: Final = (
    *_workload("process", _processes, _PROCESS, whose="a process"),
    counter("kepler_process_cpu_seconds_total", "CPU time of a process.",
            (*_PROCESS, "node_name"), _process_seconds),
)  # fmt: skip
