"""Hours of a made cluster as OpenMetrics text, for Prometheus' own backfill.

Every node's containers add up to the node's counters, so that what is collected can be checked.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_COMPONENTS = ("cpu", "dram", "gpu", "other")
SERIES_PER_CONTAINER = 11


@dataclass(frozen=True, slots=True)
class Shape:
    """How large the cluster is, and for how long."""

    nodes: int
    containers: int
    """Of one node."""
    start_s: int
    hours: int
    step_s: int = 30

    @property
    def series_hours(self) -> int:
        """Container series x hours."""
        return self.nodes * self.containers * SERIES_PER_CONTAINER * self.hours

    @property
    def node_hour_uj(self) -> int:
        """Dynamic energy of one node in one hour."""
        return sum(_milliwatts(n) for n in range(self.containers)) * 1000 * 3600 * len(_COMPONENTS)


def _milliwatts(container: int) -> int:
    return 100 + container


def write(shape: Shape, path: Path) -> None:
    """Write it all; family by family, as OpenMetrics wants it."""
    begin_s = shape.start_s - 2 * shape.step_s
    times = range(begin_s, shape.start_s + shape.hours * 3600 + 1, shape.step_s)
    with path.open("w", encoding="utf-8") as out:
        for name, labels, first, step, decimals in _series(shape):
            head = f"{name}{{{labels}}} "
            if decimals:
                out.writelines(f"{head}{first + k * step / 1000:.6f} {t}\n"
                               for k, t in enumerate(times))  # fmt: skip
            else:
                out.writelines(f"{head}{first} {t}\n" for t in times)
        out.write("# EOF\n")


def json_lines(shape: Shape) -> Iterator[bytes]:
    """The same series in VictoriaMetrics' format for import, one by one."""
    begin_s = shape.start_s - 2 * shape.step_s
    times = range(begin_s, shape.start_s + shape.hours * 3600 + 1, shape.step_s)
    at_ms = json.dumps([t * 1000 for t in times])
    for name, labels, first, step, _ in _series(shape):
        metric = json.dumps({"__name__": name, **dict(_LABEL.findall(labels))})
        values = ",".join(f"{first + k * step / 1000:.6f}" for k in range(len(times)))
        yield f'{{"metric":{metric},"values":[{values}],"timestamps":{at_ms}}}\n'.encode()


_LABEL = re.compile(r'(\w+)="([^"]*)"')
_Nodes = list[tuple[int, str]]
_Made = Iterator[tuple[str, str, int, int, bool]]
"""Name, labels, first value, rise per step in thousandths, whether it is a fraction."""


def _series(shape: Shape) -> _Made:
    nodes = [(n, f'instance="10.0.0.{n}:9102",job="wattribute"') for n in range(shape.nodes)]
    yield from _of_nodes(shape, nodes)
    yield from _energy(shape, nodes)
    yield from _identity(shape, nodes)
    yield from _use(shape, nodes)


def _of_nodes(shape: Shape, nodes: _Nodes) -> _Made:
    for n, target in nodes:
        yield "wattribute_node_info", f'node="node-{n}",nested="false",{target}', 1, 0, False
    whole = sum(_milliwatts(c) for c in range(shape.containers))
    for mode, milliwatts in (("dynamic", whole), ("idle", 50_000)):
        for _, target in nodes:
            for component in _COMPONENTS:
                labels = f'component="{component}",mode="{mode}",origin="measured",{target}'
                rise = milliwatts * shape.step_s
                yield "wattribute_node_joules_total", labels, 1000, rise, True
    for _, target in nodes:
        for component in _COMPONENTS:
            labels = f'zone="{component}",component="{component}",source="rapl-sysfs",{target}'
            yield "wattribute_zone_power_watts", f'{labels},origin="measured"', 100, 0, True


def _energy(shape: Shape, nodes: _Nodes) -> _Made:
    for component in _COMPONENTS:
        for n, c, target in _containers(shape, nodes):
            names = f'container_id="{_id(n, c)}",pod_name="pod-{n}-{c}"'
            labels = f'{names},container_name="main",container_namespace="ns-{c % 20}"'
            tail = f'component="{component}",mode="dynamic",origin="measured",{target}'
            rise = _milliwatts(c) * shape.step_s
            yield "wattribute_container_joules_total", f"{labels},{tail}", 5, rise, True


def _id(node: int, container: int) -> str:
    """Return a container's id; the first row of each node is the one that every agent shows."""
    return f"{node:032x}{container:032x}" if container else "system_processes"


def _identity(shape: Shape, nodes: _Nodes) -> _Made:
    for n, c, target in _containers(shape, nodes):
        labels = f'container_id="{_id(n, c)}",pod_uid="{n}-{c}",pod_name="pod-{n}-{c}"'
        more = f'container_namespace="ns-{c % 20}",container_name="main",owner_kind="Deployment"'
        owner = f'owner_name="app-{c % 40}",runtime="containerd"'
        yield "wattribute_container_info", f"{labels},{more},{owner},{target}", 1, 0, False
    for n, c, target in _containers(shape, nodes):
        labels = f'pod_uid="{n}-{c}",container_namespace="ns-{c % 20}",label_app="app-{c % 40}"'
        yield "wattribute_pod_labels", f"{labels},{target}", 1, 0, False


def _use(shape: Shape, nodes: _Nodes) -> _Made:
    for resource, amount in (("cpu_mcore", 250), ("memory_bytes", 1 << 27)):
        for n, c, target in _containers(shape, nodes):
            labels = f'container_id="{_id(n, c)}",resource="{resource}",{target}'
            yield "wattribute_container_requests", labels, amount, 0, False
    for name in ("cpu_seconds", "memory_byte_seconds", "gpu_seconds"):
        for n, c, target in _containers(shape, nodes):
            labels = f'container_id="{_id(n, c)}",{target}'
            yield f"wattribute_container_{name}_total", labels, 7, 300 * shape.step_s, True


def _containers(shape: Shape, nodes: _Nodes) -> Iterator[tuple[int, int, str]]:
    for n, target in nodes:
        for c in range(shape.containers):
            yield n, c, target
