"""Our own families of energy, ``wattribute_*``: always shown.

Rules, dashboards and the ledger read these and Kepler's container families, no more.

No label here is job, instance, namespace, pod, service, container or endpoint: an
operator's target labels have those names (design section 9, rule 9).
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import Consumer, GpuState, PlatformFit, Zone
from wattribute.core.units import NANOSECONDS_PER_MICROSECOND, NANOSECONDS_PER_SECOND
from wattribute.node.exporter.family import Family, Samples, counter, gauge, listed
from wattribute.node.exporter.kepler_09 import container_id_of
from wattribute.node.exporter.labels import block, label_name
from wattribute.node.exporter.scene import MODES, Scene


def zone_name(zone: Zone) -> str:
    """``package-0``, ``dram-0``: as in ``--idle-watts``."""
    return f"{zone.kind}-{zone.id}" if zone.id else zone.kind


def id_style(consumer: Consumer, _alive: bool) -> str:  # noqa: FBT001 - a column's value
    """The container's id alone, as Kepler's families write it."""
    return block((("container_id", container_id_of(consumer)),))


def _node_joules(scene: Scene) -> Samples | None:
    sums = scene.by_component(scene.snapshot.node.energy_uj, scene.live_channels)
    return listed(
        ({"component": component, "mode": word, "origin": origin}, int(energy[mode]))
        for (component, origin), energy in sums.items()
        for mode, word in MODES
    )


def _by_origin(pick: Callable[[Scene], NDArray[np.int64]]) -> Callable[[Scene], Samples | None]:
    def samples(scene: Scene) -> Samples | None:
        sums = scene.by_component(pick(scene), scene.live_channels)
        return listed(
            ({"component": component, "origin": origin}, int(energy))
            for (component, origin), energy in sums.items()
        )

    return samples


def _birth_held(scene: Scene) -> Samples | None:
    sums: dict[str, NDArray[np.int64]] = {}
    by_origin = scene.by_component(scene.snapshot.birth_held_uj, scene.component_columns)
    for (component, _), energy in by_origin.items():
        sums[component] = sums[component] + energy if component in sums else energy
    return listed(
        ({"component": component, "mode": word}, int(energy[mode]))
        for component, energy in sums.items()
        for mode, word in MODES
    )


def _container_info(scene: Scene) -> Samples | None:
    shown = scene.containers(id_style)
    consumers = [scene.snapshot.containers.consumers[row] for row in shown.rows.tolist()]
    return Samples(
        np.ones(len(consumers), np.int64),
        lambda: [_info_block(consumer) for consumer in consumers],
        shown.key,
    )


def _info_block(consumer: Consumer) -> str:
    return block(
        (
            ("container_id", container_id_of(consumer)),
            ("pod_uid", consumer.pod_uid),
            ("pod_name", consumer.pod_name),
            ("container_namespace", consumer.namespace),
            ("container_name", consumer.container_name),
            ("owner_kind", consumer.owner_kind),
            ("owner_name", consumer.owner_name),
            ("runtime", consumer.runtime),
        )
    )


def _pod_labels(scene: Scene) -> Samples | None:
    """One series per pod, of the newest row that has labels."""
    newest: dict[str, Consumer] = {}
    for consumer in scene.snapshot.containers.consumers:
        if consumer.pod_uid and consumer.labels:
            other = newest.get(consumer.pod_uid)
            if other is None or other.uid < consumer.uid:
                newest[consumer.pod_uid] = consumer
    return listed(
        (
            {
                "pod_uid": uid,
                "container_namespace": consumer.namespace,
                **allowed_labels(consumer, scene.pod_labels),
            },
            1,
        )
        for uid, consumer in newest.items()
    )


def allowed_labels(consumer: Consumer, allowed: Sequence[str]) -> dict[str, str]:
    """The pod's labels that the allow-list names.

    Two keys may make one label name (``a.b`` and ``a/b``): the later ones get
    ``_conflict1`` and so on, as kube-state-metrics has it.
    """
    exact = {pattern for pattern in allowed if not pattern.endswith("*")}
    prefixes = tuple(pattern[:-1] for pattern in allowed if pattern.endswith("*"))
    found: dict[str, str] = {}
    for key in sorted(consumer.labels):
        if key in exact or (prefixes and key.startswith(prefixes)):
            name = base = f"label_{label_name(key)}"
            number = 0
            while name in found:
                number += 1
                name = f"{base}_conflict{number}"
            found[name] = consumer.labels[key]
    return found


def _requests(scene: Scene) -> Samples | None:
    table = scene.snapshot.containers
    shown = scene.containers(id_style)
    return listed(
        ({"container_id": container_id_of(consumer), "resource": resource}, amount)
        for row in shown.rows.tolist()
        if table.alive[row]
        for consumer in (table.consumers[row],)
        for resource, amount in sorted(consumer.requests.items())
    )


def _capacity(scene: Scene) -> Samples | None:
    return listed(
        ({"resource": resource}, amount)
        for resource, amount in sorted(scene.snapshot.capacity.items())
    )


def _cpu_seconds(scene: Scene) -> Samples | None:
    table = scene.snapshot.containers
    shown = scene.containers(id_style)
    cpu_ns = np.where(table.held, 0, table.cpu_ns)[shown.rows]
    return Samples(cpu_ns // NANOSECONDS_PER_MICROSECOND, lambda: shown.labels, shown.key)


def _gpu_seconds(scene: Scene) -> Samples | None:
    table = scene.snapshot.containers
    if table.gpu_ns is None:
        return None
    shown = scene.containers(id_style)
    gpu_ns = np.where(table.held, 0, table.gpu_ns)[shown.rows]
    return Samples(gpu_ns // NANOSECONDS_PER_MICROSECOND, lambda: shown.labels, shown.key)


def _gpu_info(scene: Scene) -> Samples | None:
    return listed(
        (
            {
                "gpu_uuid": gpu.device,
                "gpu": str(gpu.index),
                "gpu_name": gpu.name,
                "vendor": gpu.vendor,
                "energy": gpu.energy,
                "activity": gpu.activity,
            },
            1,
        )
        for gpu in scene.snapshot.gpus
    )


def _gpus(pick: Callable[[GpuState], int | None]) -> Callable[[Scene], Samples | None]:
    """``pick`` chooses a value, or None where the device does not tell it."""
    return lambda scene: listed(
        ({"gpu_uuid": gpu.device}, value)
        for gpu in scene.snapshot.gpus
        if (value := pick(gpu)) is not None
    )


def _busy_millionths(gpu: GpuState) -> int | None:
    return None if gpu.utilisation is None else round(gpu.utilisation * 1e6)


def _memory_byte_seconds(scene: Scene) -> Samples | None:
    table = scene.snapshot.containers
    shown = scene.containers(id_style)
    byte_ns = np.where(table.held, 0.0, table.memory_byte_ns)[shown.rows]
    whole = (byte_ns / NANOSECONDS_PER_SECOND).astype(np.int64)
    return Samples(whole, lambda: shown.labels, shown.key)


def _node_info(scene: Scene) -> Samples | None:
    node, machine, facts = scene.node, scene.snapshot.machine, scene.snapshot.node_facts
    labels = {
        "node": node.name,
        "provider_id": facts.provider_id or node.provider_id,
        "instance_type": facts.instance_type or node.instance_type,
        "region": facts.region or node.region,
        "cluster": node.cluster,
        "virtual": str(bool(machine.hypervisor)).lower(),
        "nested": str(node.nested).lower(),
    }
    return listed([(labels, 1)])


def _estimator_info(scene: Scene) -> Samples | None:
    info = scene.snapshot.estimator
    if info is None:
        return None
    labels = {
        "model": info.model,
        "version": info.version,
        "basis": info.basis,
        "profile": info.profile,
        "cpu": info.cpu,
        "microarchitecture": info.microarchitecture,
        "calibrated": str(info.calibrated).lower(),
        "wide_because": "; ".join(info.why_wide),
    }
    return listed([(labels, 1)])


def _floors(scene: Scene) -> Samples | None:
    up = {total.zone for total in scene.zones}
    return listed(
        ({"zone": zone_name(floor.zone), "basis": floor.basis}, floor.power_uw)
        for floor in scene.snapshot.floors
        if floor.zone in up
    )


def _platform_fit(pick: Callable[[PlatformFit], int]) -> Callable[[Scene], Samples | None]:
    def samples(scene: Scene) -> Samples | None:
        fit = scene.snapshot.platform_fit
        return None if fit is None else listed([({"source": fit.source}, pick(fit))])

    return samples


def _zone_joules(scene: Scene) -> Samples | None:
    return listed(
        ({**_zone_labels(scene, index), "mode": word}, energy)
        for index, total in enumerate(scene.zones)
        for word, energy in (("dynamic", total.dynamic_uj), ("idle", total.idle_uj))
    )


def _zone_watts(scene: Scene) -> Samples | None:
    return listed(
        (_zone_labels(scene, index), total.power_uw) for index, total in enumerate(scene.zones)
    )


def _zone_low(scene: Scene) -> Samples | None:
    return listed(
        (_zone_labels(scene, index), total.low_uw)
        for index, total in enumerate(scene.zones)
        if total.low_uw is not None
    )


def _zone_high(scene: Scene) -> Samples | None:
    return listed(
        (_zone_labels(scene, index), total.high_uw)
        for index, total in enumerate(scene.zones)
        if total.high_uw is not None
    )


def _zone_labels(scene: Scene, index: int) -> dict[str, str]:
    total = scene.zones[index]
    return {
        "zone": zone_name(total.zone),
        "component": total.zone.component or "",
        "source": total.zone.source,
        "origin": str(total.origin),
    }


_ZONE: Final = ("zone", "component", "source", "origin")

FAMILIES: Final[tuple[Family, ...]] = (
    counter("wattribute_node_joules_total",
            "Energy of this node by component; components do not overlap.",
            ("component", "mode", "origin"), _node_joules),
    counter("wattribute_idle_joules_total", "The part of the floor that no container pays.",
            ("component", "origin"), _by_origin(lambda scene: scene.snapshot.node.idle_uj)),
    counter("wattribute_unattributed_joules_total", "Energy above the floor while nobody ran.",
            ("component", "origin"), _by_origin(lambda scene: scene.snapshot.node.unattributed_uj)),
    gauge("wattribute_birth_held_joules",
          "Energy of new containers still published as 0, so that rate() sees all of it later.",
          ("component", "mode"), _birth_held),
    counter("wattribute_zone_joules_total",
            "Energy of one zone. Zones overlap where component is empty: do not add those.",
            (*_ZONE, "mode"), _zone_joules),
    gauge("wattribute_zone_power_watts", "Power of a zone in the last tick.", _ZONE, _zone_watts),
    gauge("wattribute_zone_power_low_watts",
          "Lower end of the band around an estimated zone's power, made for 90 of 100 cases.",
          _ZONE, _zone_low),
    gauge("wattribute_zone_power_high_watts",
          "Upper end of the band around an estimated zone's power, made for 90 of 100 cases.",
          _ZONE, _zone_high),
    gauge("wattribute_floor_watts", "Idle power of a zone as it is used now, and how it is known.",
          ("zone", "basis"), _floors),
    gauge("wattribute_platform_fit_slope",
          "Watts of the platform for a watt more of packages, DRAM and GPUs, by the line through "
          "recent windows of the platform meter.",
          ("source",), _platform_fit(lambda fit: round(fit.slope * 1e6))),
    gauge("wattribute_platform_fit_intercept_watts",
          "Power of the platform with packages, DRAM and GPUs at 0, by the same line.",
          ("source",), _platform_fit(lambda fit: fit.intercept_uw)),
    gauge("wattribute_platform_fit_residual_watts",
          "How far windows are off that line: a robust standard deviation.",
          ("source",), _platform_fit(lambda fit: fit.residual_uw)),
    gauge("wattribute_container_info", "Who a container is: 1.",
          ("container_id", "pod_uid", "pod_name", "container_namespace", "container_name",
           "owner_kind", "owner_name", "runtime"), _container_info, decimals=0),
    gauge("wattribute_pod_labels", "Labels of a pod, as far as exporter.pod_labels allows: 1.",
          ("pod_uid", "container_namespace", "label_*"), _pod_labels, decimals=0),
    gauge("wattribute_container_requests",
          "What a running container has reserved; the resource's name says the unit.",
          ("container_id", "resource"), _requests, decimals=0),
    gauge("wattribute_node_capacity", "What this node has; the resource's name says the unit.",
          ("resource",), _capacity, decimals=0),
    counter("wattribute_container_cpu_seconds_total", "CPU time of a container.",
            ("container_id",), _cpu_seconds),
    counter("wattribute_container_memory_byte_seconds_total",
            "Memory of a container times time; 0 where memory is not known.",
            ("container_id",), _memory_byte_seconds, decimals=0),
    counter("wattribute_container_gpu_seconds_total",
            "Time of a container on GPUs' processors; a whole GPU for a second is 1.",
            ("container_id",), _gpu_seconds),
    gauge("wattribute_gpu_info",
          "A GPU, how its energy is known (counter, average or power) and by what it is shared "
          "(sm, gpm, dcgm, engine, memory, unseen or none): 1. Its energy is in wattribute_zone_*.",
          ("gpu_uuid", "gpu", "gpu_name", "vendor", "energy", "activity"), _gpu_info, decimals=0),
    gauge("wattribute_gpu_busy_ratio", "Part of the last tick in which a GPU was busy.",
          ("gpu_uuid",), _gpus(_busy_millionths)),
    gauge("wattribute_gpu_memory_used_bytes", "Memory in use on a GPU.", ("gpu_uuid",),
          _gpus(lambda gpu: gpu.memory_used_bytes if gpu.memory_total_bytes else None),
          decimals=0),
    gauge("wattribute_gpu_memory_bytes", "Memory of a GPU.", ("gpu_uuid",),
          _gpus(lambda gpu: gpu.memory_total_bytes or None), decimals=0),
    gauge("wattribute_gpu_instances", "MIG instances of a GPU; 0: MIG mode is off.",
          ("gpu_uuid",), _gpus(lambda gpu: gpu.instances), decimals=0),
    counter("wattribute_gpu_failures_total", "Questions to a GPU that it did not answer.",
            ("gpu_uuid",), _gpus(lambda gpu: gpu.failures), decimals=0),
    gauge("wattribute_estimator_info",
          "The model that estimates, what it knows of this machine, and why its band is wide: 1.",
          ("model", "version", "basis", "profile", "cpu", "microarchitecture", "calibrated",
           "wide_because"), _estimator_info, decimals=0),
    gauge("wattribute_node_info", "What this node is: 1. instance_type and the rest as told.",
          ("node", "provider_id", "instance_type", "region", "cluster", "virtual", "nested"),
          _node_info, decimals=0),
)  # fmt: skip
