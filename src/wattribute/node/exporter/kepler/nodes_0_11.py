"""Kepler's families of the node, from 0.10 on: its zones, its GPUs, its CPUs.

``zone`` is the zone's kind. Zones overlap, as they do in Kepler.
"""

from collections.abc import Callable
from typing import Final

from wattribute.core.units import MILLICORES_PER_CORE
from wattribute.node.exporter.family import Family, Samples, counter, gauge, listed, millionths
from wattribute.node.exporter.scene import Scene

_GPU: Final = ("gpu", "gpu_uuid", "gpu_name", "vendor", "node_name")


def _node_joules(
    pick: Callable[[int, int], int], *, gpu: bool
) -> Callable[[Scene], Samples | None]:
    """Return the energy of each zone, of GPUs or of the rest; ``pick`` takes (dynamic, idle)."""
    return lambda scene: listed(
        (_zone_labels(scene, total.zone.kind, total.zone.source, total.zone.id),
         pick(total.dynamic_uj, total.idle_uj))
        for total in scene.zones
        if (total.zone.kind == "gpu") is gpu
    )  # fmt: skip


def _node_watts(pick: Callable[[int, int], int], *, gpu: bool) -> Callable[[Scene], Samples | None]:
    """Return the power of each zone in the last tick; ``pick`` takes (dynamic, idle)."""

    def samples(scene: Scene) -> Samples | None:
        floors = {floor.zone: floor.power_uw for floor in scene.snapshot.floors}
        powers = []
        for total in scene.zones:
            if (total.zone.kind == "gpu") is gpu:
                idle = min(floors.get(total.zone, 0), total.power_uw)
                labels = _zone_labels(scene, total.zone.kind, total.zone.source, total.zone.id)
                powers.append((labels, pick(total.power_uw - idle, idle)))
        return listed(powers)

    return samples


def _zone_labels(scene: Scene, kind: str, source: str, zone: str) -> dict[str, str]:
    if kind == "gpu":
        return {**_gpu_labels(scene, zone), "node_name": scene.node.name}
    return {"zone": kind, "path": f"{source}/{kind}-{zone}", "node_name": scene.node.name}


def _gpu_labels(scene: Scene, uuid: str) -> dict[str, str]:
    device = next((gpu for gpu in scene.snapshot.gpus if gpu.device == uuid), None)
    return {
        "gpu": str(device.index) if device else "",
        "gpu_uuid": uuid,
        "gpu_name": device.name if device else "",
        "vendor": device.vendor if device else "",
    }


def _gpu_info(scene: Scene) -> Samples | None:
    return listed(
        ({**_gpu_labels(scene, gpu.device), "node_name": scene.node.name}, 1)
        for gpu in scene.snapshot.gpus
    )


def _usage_ratio(scene: Scene) -> Samples | None:
    cpus = scene.snapshot.capacity.get("cpu_mcore", 0) / MILLICORES_PER_CORE
    coverage = scene.snapshot.health.coverage
    if not cpus or coverage <= 0:
        return None
    busy = float(scene.snapshot.containers.cpu_ratio.sum()) / coverage
    return listed([({"node_name": scene.node.name}, millionths(min(busy / cpus, 1.0)))])


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


def _node(device: str, labels: tuple[str, ...], *, gpu: bool) -> tuple[Family, ...]:
    families: list[Family] = []
    picks: tuple[tuple[str, str, Callable[[int, int], int]], ...] = (
        ("", "", lambda dynamic, idle: dynamic + idle),
        ("active_", " above the floor", lambda dynamic, _: dynamic),
        ("idle_", " at the floor", lambda _, idle: idle),
    )
    for prefix, words, pick in picks:
        families.append(
            counter(f"kepler_node_{device}_{prefix}joules_total",
                    f"Energy of this node's zones{words}.", labels, _node_joules(pick, gpu=gpu))
        )  # fmt: skip
        families.append(
            gauge(f"kepler_node_{device}_{prefix}watts",
                  f"Power of this node's zones{words} in the last tick.", labels,
                  _node_watts(pick, gpu=gpu))
        )  # fmt: skip
    return tuple(families)


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
