"""The families that Kepler up to 0.9 had, as a view of the snapshot.

Energy by workload, zone kind, mode and source. The names are Kepler's, so they stay as they are;
our own families are in ``own/``.
"""

from collections.abc import Callable, Sequence
from typing import Final

from wattribute.core.records import Consumer
from wattribute.node.estimator.microarchitectures import microarchitecture_of
from wattribute.node.exporter.family import Family, Samples, counter, crossed, gauge, listed
from wattribute.node.exporter.identity import container_id_of, named_container_style
from wattribute.node.exporter.labels import block
from wattribute.node.exporter.layout import last_of_each
from wattribute.node.exporter.scene import MODES, Scene

ALWAYS: Final = ("package", "dram", "other", "gpu")
"""Kinds whose container series always exist, 0 without a meter: dashboards add them up."""
KINDS: Final = {
    "package": "CPU packages",
    "core": "CPU cores (inside package)",
    "uncore": "CPU uncore (inside package)",
    "dram": "memory",
    "other": "the rest of the platform: platform less packages, memory and GPUs",
    "gpu": "GPUs",
    "platform": "the whole platform (contains all the others)",
}
_WORKLOAD: Final = ("container_id", "pod_name", "container_name", "container_namespace")


_Sources = Sequence[tuple[str, list[int]]]
"""Sources of a kind of zone, and the columns of each."""


def process_style(pid: str, command: str, consumer: Consumer, vm: str, _alive: bool) -> str:  # noqa: FBT001
    """Kepler 0.9's labels of a process."""
    return block(
        (
            ("pid", pid),
            ("container_id", container_id_of(consumer)),
            ("vm_id", vm),
            ("command", command),
        )
    )


def _containers(scene: Scene, sources: _Sources) -> Samples:
    series = scene.containers(named_container_style)
    energy = scene.container_uj[series.rows]
    values = [energy[:, columns, mode].sum(axis=1) for _, columns in sources for mode, _ in MODES]
    return crossed(series, _tails(sources, [word for _, word in MODES]), values)


def _processes(scene: Scene, sources: _Sources) -> Samples:
    series = scene.processes(process_style)
    energy = scene.process_uj[series.rows]
    values = [energy[:, columns].sum(axis=1) for _, columns in sources]
    return crossed(series, _tails(sources, ["dynamic"]), values)


def _vms(scene: Scene, sources: _Sources) -> Samples:
    series = last_of_each(block((("vm_id", vm),)) for vm in scene.snapshot.vms.ids)
    energy = scene.vm_uj[series.rows]
    values = [energy[:, columns, mode].sum(axis=1) for _, columns in sources for mode, _ in MODES]
    return crossed(series, _tails(sources, [word for _, word in MODES]), values)


def _tails(sources: _Sources, modes: Sequence[str]) -> list[str]:
    return [block((("mode", mode), ("source", source))) for source, _ in sources for mode in modes]


_Rows = Callable[[Scene, _Sources], Samples]


def _of_kind(rows: _Rows, kind: str) -> Callable[[Scene], Samples | None]:
    def samples(scene: Scene) -> Samples | None:
        sources = scene.sources(kind)
        if not sources and kind not in ALWAYS:
            return None
        return rows(scene, sources or [("", [])])

    return samples


def _aggregate(rows: _Rows) -> Callable[[Scene], Samples | None]:
    return lambda scene: rows(scene, [("", scene.component_columns)])


def _nodes(kind: str) -> Callable[[Scene], Samples | None]:
    def samples(scene: Scene) -> Samples | None:
        sums: dict[tuple[str, str, str], int] = {}
        for total in scene.zones:
            if total.zone.kind == kind:
                for mode, energy in (("dynamic", total.dynamic_uj), ("idle", total.idle_uj)):
                    key = (total.zone.id, mode, total.zone.source)
                    sums[key] = sums.get(key, 0) + energy
        return listed(
            (
                {"package": zone, "instance": scene.node.name, "mode": mode, "source": source},
                energy,
            )
            for (zone, mode, source), energy in sums.items()
        )

    return samples


def _node_info(scene: Scene) -> Samples | None:
    def power_source(*kinds: str) -> str:
        sources = [zone.zone.source for zone in scene.zones if zone.zone.kind in kinds]
        return sources[0] if sources else "none"

    labels = {
        # Kepler means the generation here, and says "unknown" where it cannot tell.
        "cpu_architecture": microarchitecture_of(scene.snapshot.machine) or "unknown",
        "components_power_source": power_source("package", "dram"),
        "platform_power_source": power_source("platform"),
        "source": "os",
    }
    return listed([(labels, 1)])


def _build_info(scene: Scene) -> Samples | None:
    arch = scene.snapshot.machine.architecture
    labels = {
        "branch": "",
        "revision": "",
        "version": scene.node.version,
        "os": "linux",
        "arch": arch,
    }
    return listed([(labels, 1)])


def _energy(
    subject: str, rows: _Rows, labels: tuple[str, ...], *, owner: str
) -> tuple[Family, ...]:
    aggregate = counter(
        f"kepler_{subject}_joules_total",
        f"Energy of {owner}: package, dram, other and gpu together.",
        (*labels, "mode", "source"),
        _aggregate(rows),
    )
    by_kind = (
        counter(
            f"kepler_{subject}_{kind}_joules_total",
            f"Energy of {owner} in {words}.",
            (*labels, "mode", "source"),
            _of_kind(rows, kind),
        )
        for kind, words in KINDS.items()
    )
    return (aggregate, *by_kind)


CONTAINERS: Final = _energy("container", _containers, _WORKLOAD, owner="a container")
PROCESSES: Final = _energy(
    "process",
    _processes,
    ("pid", "container_id", "vm_id", "command"),
    owner="a process (dynamic only: the floor is paid by containers)",
)
VMS: Final = _energy("vm", _vms, ("vm_id",), owner="a virtual machine on this host")
NODE: Final = (
    *(
        counter(
            f"kepler_node_{kind}_joules_total",
            f"Energy of this node in {words}, by zone.",
            ("package", "instance", "mode", "source"),
            _nodes(kind),
        )
        for kind, words in KINDS.items()
    ),
    gauge(
        "kepler_node_info",
        "What measures this node: 1.",
        ("cpu_architecture", "components_power_source", "platform_power_source", "source"),
        _node_info,
        decimals=0,
    ),
    gauge(
        "kepler_exporter_build_info",
        "Version of the exporter: 1.",
        ("branch", "revision", "version", "os", "arch"),
        _build_info,
        decimals=0,
    ),
)


def families(*, processes: bool) -> tuple[Family, ...]:
    """Return the families of this generation; ``processes``: with one series per process."""
    return (*CONTAINERS, *NODE, *VMS, *(PROCESSES if processes else ()))
