"""A node's hour -> entries that add up to what the node's counters rose by."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from wattribute.accounting.ledger.entries import LedgerEntries
from wattribute.accounting.ledger.schema import COMPONENTS
from wattribute.core.records import ConsumerHour, NodeHour
from wattribute.core.units import (
    HOUR_S,
    MICROJOULES_PER_JOULE,
    MICROSECONDS_PER_SECOND,
    NANOSECONDS_PER_MICROSECOND,
)

_TOLERANCE_UJ: Final = 1000
"""What rounding can make of a node's sums above 8.6e9 J, where a double holds no microjoule."""
_KINDS: Final = {"system_processes": "system", "kernel_processes": "kernel"}
_NO_METER: Final = "measured"
"""The origin of 0 J where nothing was measured."""

_ByOrigin = dict[str, dict[str, int]]
"""Microjoules by component, then origin."""


def add_entries(hour: NodeHour, entries: LedgerEntries) -> list[str]:
    """Add the entries of a node's hour.

    Per component they add up to the rise of the node's counters less the rise of what is held at
    birth. What the containers' counters do not account for (rounding, a container whose whole
    life fell between two scrapes) is ``unattributed``.

    Returns:
        What does not add up by more than rounding, in words.
    """
    dynamic = _by_origin(hour, [energy.dynamic_uj for energy in hour.node_uj])
    idle = _by_origin(hour, [energy.idle_uj for energy in hour.node_uj])
    unattributed = _by_origin(hour, hour.unattributed_uj)
    main = {
        component: max(origins, key=origins.__getitem__) for component, origins in dynamic.items()
    }
    writer = _EntryWriter(hour, entries)
    shown_uj: dict[str, int] = defaultdict(int)
    for consumer in hour.consumers:
        energies = _consumer_energies(hour, consumer, main.get("cpu", _NO_METER))
        writer.add_consumer(consumer, energies)
        for (component, _), energy_uj in energies.items():
            shown_uj[component] += energy_uj
    problems: list[str] = []
    for component in sorted({*dynamic, *shown_uj}, key=COMPONENTS.index):
        node_uj = sum(dynamic[component].values())
        nobodys = unattributed[component]
        rest_uj = node_uj - shown_uj[component] - hour.held_uj.get(component, 0)
        rest_uj -= sum(nobodys.values())
        problems += _judged(component, rest_uj, node_uj)
        origin = main.get(component, _NO_METER)
        nobodys[origin] = nobodys.get(origin, 0) + rest_uj
        writer.add_unattributed(component, nobodys)
        writer.add_idle(component, idle[component] or {origin: 0})
    return problems


def _by_origin(hour: NodeHour, values: Sequence[int]) -> _ByOrigin:
    sums: _ByOrigin = defaultdict(dict)
    for component, origin, value in hour.by_component(values):
        sums[component][origin] = sums[component].get(origin, 0) + value
    return sums


def _consumer_energies(
    hour: NodeHour, consumer: ConsumerHour, cpu_origin: str
) -> dict[tuple[str, str], int]:
    """Return a consumer's microjoules by component and origin.

    What was used beside energy stands on the row of the CPU, so there is one if anything was used.
    """
    energies: dict[tuple[str, str], int] = {}
    for component, origin, energy_uj in hour.by_component(consumer.energy_uj):
        if energy_uj:
            key = (component, origin)
            energies[key] = energies.get(key, 0) + energy_uj
    if any(_use(consumer).values()) and not any(component == "cpu" for component, _ in energies):
        energies["cpu", cpu_origin] = 0
    return energies


def _use(consumer: ConsumerHour) -> dict[str, int]:
    request_s = consumer.request_s
    return {
        "cpu_ns": _whole_microseconds(consumer.cpu_ns),
        "memory_byte_s": consumer.memory_byte_s,
        "gpu_sm_ns": _whole_microseconds(consumer.gpu_ns),
        "alive_s": min(round(consumer.alive_s), HOUR_S),
        "cpu_request_mcore_s": round(request_s.get("cpu_mcore", 0.0)),
        "memory_request_byte_s": round(request_s.get("memory_bytes", 0.0)),
        "gpu_request_s": round(request_s.get("gpu", 0.0)),
    }


def _whole_microseconds(time_ns: int) -> int:
    """Round down to what scrapes have, so that an hour is the same wherever it was read."""
    return time_ns - time_ns % NANOSECONDS_PER_MICROSECOND


class _EntryWriter:
    """Writes the entries of one node's hour, which share the node and the band of its estimates."""

    def __init__(self, hour: NodeHour, entries: LedgerEntries) -> None:
        self._hour = hour
        self._entries = entries
        self._common = {
            "hour": hour.hour_s * MICROSECONDS_PER_SECOND,
            "cluster": hour.cluster,
            "node": hour.node,
            "provider_id": hour.provider_id,
            "instance_type": hour.instance_type,
            "region": hour.region,
            "covered_s": min(round(hour.covered_s), HOUR_S),
        }

    def add_consumer(self, consumer: ConsumerHour, energies: Mapping[tuple[str, str], int]) -> None:
        names = {
            "kind": _KINDS.get(consumer.container_id, "workload"),
            "namespace": consumer.namespace,
            "pod_uid": consumer.pod_uid,
            "pod": consumer.pod,
            "container": consumer.container,
            "container_id": consumer.container_id,
            "owner_kind": consumer.owner_kind,
            "owner_name": consumer.owner_name,
            "labels": consumer.labels,
            "annotations": consumer.annotations,
        }
        use = _use(consumer)
        for (component, origin), energy_uj in sorted(energies.items()):
            self._add(names, component, origin, energy_uj, use if component == "cpu" else {})
            if component == "cpu":
                use = {}

    def add_unattributed(self, component: str, energies: Mapping[str, int]) -> None:
        for origin, energy_uj in energies.items():
            if energy_uj:
                self._add({"kind": "unattributed"}, component, origin, energy_uj, {})

    def add_idle(self, component: str, floors: Mapping[str, int]) -> None:
        """Add the whole floor of a component; the node's capacity stands on the CPU's first."""
        capacity: dict[str, int] = {}
        if component == "cpu":
            capacity_s = self._hour.capacity_s
            capacity = {
                "capacity_cpu_mcore_s": round(capacity_s.get("cpu_mcore", 0)),
                "capacity_memory_byte_s": round(capacity_s.get("memory_bytes", 0)),
                "capacity_gpu_s": round(capacity_s.get("gpu", 0)),
            }
        for origin, floor_uj in floors.items():
            amounts = {"floor_uj": floor_uj} | capacity
            self._add({"kind": "idle"}, component, origin, floor_uj, amounts)
            capacity = {}

    def _add(
        self,
        names: Mapping[str, object],
        component: str,
        origin: str,
        energy_uj: int,
        amounts: Mapping[str, int],
    ) -> None:
        """Add an entry; an estimate's band is as wide as that of its power was."""
        low_uj, high_uj = self._band_uj(component, origin, energy_uj)
        self._entries.add(
            {
                **self._common,
                **names,
                "component": component,
                "energy_uj": energy_uj,
                "low_uj": low_uj,
                "high_uj": high_uj,
                "origin": origin,
                "model": self._hour.model if origin == "estimated" else "",
                **amounts,
            }
        )

    def _band_uj(self, component: str, origin: str, energy_uj: int) -> tuple[int, int]:
        """Return the ends of the band around an energy; what is no estimate has none."""
        band = self._hour.band_uj.get(component)
        if origin != "estimated" or band is None or band.middle_uj <= 0 or band.high_uj <= 0:
            return energy_uj, energy_uj
        return (
            round(energy_uj * band.low_uj / band.middle_uj),
            round(energy_uj * band.high_uj / band.middle_uj),
        )


def _judged(component: str, rest_uj: int, node_uj: int) -> list[str]:
    """Return a line about a rest that is more than rounding."""
    where = f"{component}: {abs(rest_uj) / MICROJOULES_PER_JOULE:,.3f} J"
    if rest_uj < -_TOLERANCE_UJ:
        return [f"{where} more in containers than in the node; taken off unattributed"]
    if rest_uj > max(node_uj // 100, MICROJOULES_PER_JOULE):
        return [f"{where} of no container that a scrape saw; booked as unattributed"]
    return []
