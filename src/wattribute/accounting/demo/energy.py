"""The demo's ledger: an hour's energy of every node, shared among its pods."""

import hashlib
from collections.abc import Iterator
from math import ceil
from typing import Final

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from wattribute.accounting.demo.cluster import (
    END_S,
    GIB,
    LOST_NODE,
    LOST_S,
    NODES,
    ROLLOUT_S,
    SERVICES,
    START_S,
    DemoNode,
    DemoService,
    labels_at,
)
from wattribute.accounting.ledger.entries import LedgerEntries
from wattribute.accounting.ledger.store import Store
from wattribute.core.shares import apportion
from wattribute.core.units import (
    DAY_S,
    HOUR_S,
    MICROJOULES_PER_JOULE,
    MICROSECONDS_PER_SECOND,
    MILLICORES_PER_CORE,
    NANOSECONDS_PER_SECOND,
)

_BAND: Final = {"cpu": (0.72, 1.35), "dram": (0.55, 1.60)}
"""What an estimate may be off, as parts of it."""
_STEADY_FACTOR: Final = 1.25
_VARYING_FACTOR: Final = 1.07
"""How many times larger, or smaller, energy may be by learned weights: of a load that never
changes, so that little is learned of it, and of one that does."""
_MODEL: Final = "wattribute-tdp-curve 1"
_WEIGHT_STEPS: Final = 1e9
"""Weights from 0 to 1 are made whole numbers of so many steps, for exact shares."""
_SPECIAL: Final = (("system", "system_processes", 0.012), ("kernel", "kernel_processes", 0.006))


def write_ledger(store: Store, seed: int, until_s: int = END_S) -> int:
    """Write the month, or its days before ``until_s``, and give the number of entries.

    Raises:
        LedgerFailed: it could not be written.
    """
    random = default_rng(seed)
    return sum(
        store.write(day_s, f"demo-{(day_s - START_S) // DAY_S + 1:02d}", _day(day_s, random))
        for day_s in range(START_S, until_s, DAY_S)
    )


def _day(day_s: int, random: Generator) -> Iterator[object]:
    entries = LedgerEntries()
    for hour_s in range(day_s, day_s + DAY_S, HOUR_S):
        for node in NODES:
            _node_hour(entries, node, hour_s, random)
    yield entries.table(f"demo-{(day_s - START_S) // DAY_S + 1:02d}")


def _node_hour(entries: LedgerEntries, node: DemoNode, hour_s: int, random: Generator) -> None:
    covered_s = 2700 if (node.name, hour_s) == (LOST_NODE, LOST_S) else HOUR_S
    pods = [(service, load) for service in SERVICES
            if node.name in service.nodes and (load := service.when(hour_s)) > 0]  # fmt: skip
    noise = random.lognormal(0, 0.06, len(pods) + len(_SPECIAL))
    cpu = [service.cpu * load for service, load in pods] + [share for *_, share in _SPECIAL]
    gpu = [service.gpu * load for service, load in pods] + [0.0 for _ in _SPECIAL]
    usage = {"cpu": np.array(cpu) * noise, "gpu": np.array(gpu) * noise}
    ratios = np.ones(len(noise))
    if node.learns:
        ratios[: len(pods)] = [service.watts_per_core for service, _ in pods]
    cpu_use = usage["cpu"] / ratios
    common = {
        "hour": hour_s * MICROSECONDS_PER_SECOND,
        "cluster": "demo",
        "node": node.name,
        "provider_id": node.provider_id,
        "instance_type": node.instance_type,
        "region": "us-east-1",
        "covered_s": covered_s,
    }
    for component, origin in node.origins.items():
        weights = usage["gpu" if component == "gpu" else "cpu"]
        drawn_uj = _microjoules(node.full_w[component] * min(float(weights.sum()), 1), covered_s)
        lost_uj = drawn_uj // 4000
        shares = _split(drawn_uj - lost_uj, weights)
        by_time = shares if component == "gpu" else _split(drawn_uj - lost_uj, cpu_use)
        row = {**common, "component": component, "origin": origin}
        first = component == "cpu"
        for (service, load), energy_uj, time_uj, use in zip(
            pods, shares, by_time, cpu_use, strict=False
        ):
            names = _pod(service, node, hour_s)
            amounts = _use(service, node, float(use), load, covered_s) if first else {}
            if first or energy_uj:
                energy = _energy(int(energy_uj), component, origin)
                shared = _shared(node, int(energy_uj), int(time_uj), component, _factor(service))
                entries.add(row | names | amounts | energy | shared)
        for (kind, name, _), energy_uj, time_uj in zip(
            _SPECIAL, shares[len(pods) :], by_time[len(pods) :], strict=True
        ):
            names = {"kind": kind, "namespace": kind, "pod": name, "container": name,
                     "container_id": name}  # fmt: skip
            energy = _energy(int(energy_uj), component, origin)
            shared = _shared(node, int(energy_uj), int(time_uj), component, _STEADY_FACTOR)
            entries.add(row | names | energy | shared)
        entries.add(row | {"kind": "unattributed"} | _energy(lost_uj, component, origin))
        floor_uj = _microjoules(node.idle_w[component], covered_s)
        capacity = _capacity(node, covered_s) if first else {}
        idle = {"kind": "idle", "floor_uj": floor_uj, **capacity}
        entries.add(row | idle | _energy(floor_uj, component, origin))


def _microjoules(power_w: float, time_s: int) -> int:
    return round(power_w * time_s * MICROJOULES_PER_JOULE)


def _energy(energy_uj: int, component: str, origin: str) -> dict[str, object]:
    low, high = _BAND[component] if origin == "estimated" else (1.0, 1.0)
    return {
        "energy_uj": energy_uj,
        "low_uj": round(energy_uj * low),
        "high_uj": round(energy_uj * high),
        "model": _MODEL if origin == "estimated" else "",
    }


def _split(total_uj: int, weights: NDArray[np.float64]) -> NDArray[np.int64]:
    return apportion(total_uj, (weights * _WEIGHT_STEPS).astype(np.int64))


def _factor(service: DemoService) -> float:
    return _STEADY_FACTOR if service.is_steady else _VARYING_FACTOR


def _shared(
    node: DemoNode, energy_uj: int, time_uj: int, component: str, factor: float
) -> dict[str, object]:
    """By what energy was shared, and the band of the weights where they are learned."""
    if component == "gpu":
        return {}
    if not node.learns:
        return {"shared_by": "time"}
    return {
        "shared_by": "learned-1",
        "time_uj": time_uj,
        "low_uj": int(energy_uj / factor),
        "high_uj": ceil(energy_uj * factor),
    }


def _pod(service: DemoService, node: DemoNode, hour_s: int) -> dict[str, object]:
    """Who it is: pods of a Deployment are new after the roll-out, a Job's are new every night."""
    generation = "b" if hour_s >= ROLLOUT_S else "a"
    if service.owner_kind == "Job":
        generation = f"{(hour_s - START_S) // DAY_S:02d}"
    elif service.owner_kind in ("StatefulSet", "DaemonSet", ""):
        generation = "a"
    digest = hashlib.sha256(f"{service.name} {node.name} {generation}".encode()).hexdigest()
    suffix = {"StatefulSet": "-0", "": ""}.get(service.owner_kind, f"-{digest[:9]}-{digest[9:14]}")
    return {
        "kind": "workload",
        "namespace": service.namespace,
        "pod_uid": f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}",
        "pod": f"{service.name}{suffix}",
        "container": service.name,
        "container_id": digest,
        "owner_kind": service.owner_kind,
        "owner_name": service.name if service.owner_kind else "",
        "labels": labels_at(service, hour_s),
    }


def _use(
    service: DemoService, node: DemoNode, share: float, load: float, covered_s: int
) -> dict[str, object]:
    cpu_s = share * node.cpu_mcore / MILLICORES_PER_CORE * covered_s
    gpu_s = service.gpu * load * node.gpus * covered_s
    return {
        "cpu_ns": round(cpu_s * NANOSECONDS_PER_SECOND),
        "memory_byte_s": round((service.request_gib or 1) * 0.7 * GIB) * covered_s,
        "gpu_sm_ns": round(gpu_s * NANOSECONDS_PER_SECOND),
        "alive_s": covered_s,
        "cpu_request_mcore_s": service.request_mcore * covered_s,
        "memory_request_byte_s": service.request_gib * GIB * covered_s,
        "gpu_request_s": service.request_gpu * covered_s,
    }


def _capacity(node: DemoNode, covered_s: int) -> dict[str, object]:
    return {
        "capacity_cpu_mcore_s": node.cpu_mcore * covered_s,
        "capacity_memory_byte_s": node.memory_gib * GIB * covered_s,
        "capacity_gpu_s": node.gpus * covered_s,
    }
