"""Writes the entries of a node's hour: names, amounts, and the band around each energy."""

from collections.abc import Mapping
from math import hypot
from operator import add
from typing import Final, NamedTuple, Self

from wattribute.accounting.ledger.entries import LedgerEntries
from wattribute.core.records import ConsumerHour, NodeHour
from wattribute.core.units import (
    HOUR_S,
    MICROSECONDS_PER_SECOND,
    NANOSECONDS_PER_MICROSECOND,
)

_KINDS: Final = {"system_processes": "system", "kernel_processes": "kernel"}


class EntryEnergy(NamedTuple):
    """Dynamic energy of an entry, by REWEIGHED's names too."""

    energy_uj: int
    low_uj: int
    high_uj: int
    time_uj: int
    learned_uj: int

    @classmethod
    def certain(cls, energy_uj: int) -> Self:
        """Return energy that no weight makes uncertain."""
        return cls(*(energy_uj,) * 5)

    def plus(self, more: Self) -> Self:
        """Add amount by amount."""
        return type(self)(*map(add, self, more))


def use_of(consumer: ConsumerHour) -> dict[str, int]:
    """Return what a consumer used and reserved beside energy, by column."""
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


class EntryWriter:
    """Writes the entries of one node's hour, which share the node and the band of its estimates."""

    def __init__(self, hour: NodeHour, entries: LedgerEntries) -> None:
        """Take the hour, and where to write."""
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

    def add_consumer(
        self, consumer: ConsumerHour, energies: Mapping[tuple[str, str], EntryEnergy]
    ) -> None:
        """Add the entries of a consumer, whose energies come by component and origin."""
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
        use = use_of(consumer)
        for (component, origin), energy in sorted(energies.items()):
            names["shared_by"] = self._shared_by(component)
            self._add(names, component, origin, energy, use if component == "cpu" else {})
            if component == "cpu":
                use = {}

    def _shared_by(self, component: str) -> str:
        """Return the word for a component; the rest of the platform is shared as the CPUs are."""
        shared_by = self._hour.shared_by
        return shared_by.get(component, shared_by.get("cpu", "") if component == "other" else "")

    def add_unattributed(self, component: str, energies: Mapping[str, EntryEnergy]) -> None:
        """Add what nobody was seen to use of a component, by origin."""
        for origin, energy in energies.items():
            if any(energy):
                self._add({"kind": "unattributed"}, component, origin, energy, {})

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
            self._add({"kind": "idle"}, component, origin, EntryEnergy.certain(floor_uj), amounts)
            capacity = {}

    def _add(
        self,
        names: Mapping[str, object],
        component: str,
        origin: str,
        energy: EntryEnergy,
        amounts: Mapping[str, int],
    ) -> None:
        low_uj, high_uj = self._band_uj(component, origin, energy)
        self._entries.add(
            {
                **self._common,
                **names,
                "component": component,
                **energy._asdict(),
                "low_uj": low_uj,
                "high_uj": high_uj,
                "origin": origin,
                "model": self._hour.model if origin == "estimated" else "",
                **amounts,
            }
        )

    def _band_uj(self, component: str, origin: str, energy: EntryEnergy) -> tuple[int, int]:
        """Return the ends of the band around an energy: of the estimate, of the weights, or both.

        The estimate's is as wide as that of its power was. How far the node's power is off and how
        far its sharing is are independent, so variances add up (JCGM 100:2008, 5.1.2). This is the
        only place where the two bands meet.
        """
        energy_uj = energy.energy_uj
        # A scrape may lack a series that its neighbours have; a band contains its energy.
        below_uj, above_uj = max(energy_uj - energy.low_uj, 0), max(energy.high_uj - energy_uj, 0)
        band = self._hour.band_uj.get(component)
        if origin != "estimated" or band is None or band.middle_uj <= 0 or band.high_uj <= 0:
            return energy_uj - below_uj, energy_uj + above_uj
        low_uj = round(energy_uj * band.low_uj / band.middle_uj)
        high_uj = round(energy_uj * band.high_uj / band.middle_uj)
        if not below_uj and not above_uj:
            return low_uj, high_uj
        return (
            max(energy_uj - round(hypot(energy_uj - low_uj, below_uj)), 0),
            energy_uj + round(hypot(high_uj - energy_uj, above_uj)),
        )
