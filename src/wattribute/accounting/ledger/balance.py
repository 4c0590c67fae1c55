"""The books of a node's hour -> entries that add up to what the node's counters rose by."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Final, Protocol

from wattribute.accounting.ledger import families as fam
from wattribute.accounting.ledger.entries import Entries
from wattribute.accounting.ledger.families import own
from wattribute.accounting.ledger.node_hour import Consumer, NodeIdentity
from wattribute.accounting.ledger.schema import COMPONENTS, ORIGINS
from wattribute.core.units import MICROJOULES_PER_JOULE, NANOSECONDS_PER_MICROSECOND

_TOLERANCE_UJ: Final = 1000
"""What rounding can make of a node's sums above 8.6e9 J, where a double holds no microjoule."""
_KINDS: Final = {"system_processes": "system", "kernel_processes": "kernel"}
_NO_METER: Final = "measured"
"""The origin of 0 J where nothing was measured."""

_ByOrigin = dict[str, dict[str, int]]
"""Microjoules by component, then origin."""


class Hour(Protocol):
    """What one node did in one hour, wherever it was read."""

    identity: NodeIdentity
    hour_s: int
    consumers: dict[str, Consumer]
    """By container_id."""
    pod_labels: dict[str, tuple[int, Mapping[str, str]]]
    """By pod uid; the number says how late they were seen."""
    pod_annotations: Mapping[str, Mapping[str, str]]
    problems: list[str]

    @property
    def covered_s(self) -> int:
        """How much of the hour is known."""
        ...

    @property
    def gaps(self) -> tuple[tuple[int, int], ...]:
        """What is not, [start, end) in Unix milliseconds."""
        ...

    def alive_s(self, consumer: Consumer) -> int:
        """How long it was there."""
        ...

    def node_rises(self, family: str) -> list[tuple[Mapping[str, str], int]]:
        """What the node's counters of a family rose by, in microjoules."""
        ...

    def held_rises_uj(self) -> dict[str, int]:
        """By component, how much more is held at birth than when the hour began."""
        ...

    def integrals(self, family: str) -> list[tuple[Mapping[str, str], float]]:
        """The node's gauges of a family x seconds of the hour."""
        ...


def book(hour: Hour, entries: Entries) -> None:
    """Add the hour's entries.

    Per component they add up to the rise of the node's counters less the rise of what is held at
    birth. What the containers' counters do not account for (rounding, a container whose whole
    life fell between two scrapes) is ``unattributed``.
    """
    dynamic, idle = _node_energy(hour)
    unattributed = _by_origin(hour.node_rises(fam.UNATTRIBUTED))
    common = _common(hour)
    bands = _Bands(hour)
    origins = _origins(hour, dynamic)
    shown: dict[str, int] = defaultdict(int)
    for container_id, consumer in hour.consumers.items():
        for component, energy_uj in _consumer_rows(
            hour, container_id, consumer, origins, (common, bands, entries)
        ):
            shown[component] += energy_uj
    held_uj = hour.held_rises_uj()
    for component in sorted({*dynamic, *idle, *shown}, key=COMPONENTS.index):
        node_uj = sum(dynamic[component].values())
        rest_uj = node_uj - shown[component] - held_uj.get(component, 0)
        rows = unattributed[component]
        rest_uj -= sum(rows.values())
        _judge(hour, component, rest_uj, node_uj)
        main = max(dynamic[component], key=dynamic[component].__getitem__, default=_NO_METER)
        rows[main] = rows.get(main, 0) + rest_uj
        for origin, energy_uj in rows.items():
            if energy_uj:
                row = common | {"kind": "unattributed", "component": component}
                entries.add(row | bands.energy(component, origin, energy_uj))
        _book_idle(hour, component, idle[component] or {main: 0}, (common, bands, entries))


def _node_energy(hour: Hour) -> tuple[_ByOrigin, _ByOrigin]:
    rises = hour.node_rises(fam.NODE_JOULES)
    dynamic = [(labels, uj) for labels, uj in rises if labels.get("mode") == "dynamic"]
    idle = [(labels, uj) for labels, uj in rises if labels.get("mode") == "idle"]
    return _by_origin(dynamic), _by_origin(idle)


def _by_origin(rises: list[tuple[Mapping[str, str], int]]) -> _ByOrigin:
    found: _ByOrigin = defaultdict(dict)
    for labels, energy_uj in rises:
        row = found[labels["component"]]
        row[labels["origin"]] = row.get(labels["origin"], 0) + energy_uj
    return found


def _common(hour: Hour) -> dict[str, object]:
    who = hour.identity
    return {
        "hour": hour.hour_s * 1_000_000,
        "cluster": who.cluster,
        "node": who.node,
        "provider_id": who.provider_id,
        "instance_type": who.instance_type,
        "region": who.region,
        "covered_s": hour.covered_s,
    }


class _Bands:
    """The band of the hour's estimates, by component, and the model that made them."""

    def __init__(self, hour: Hour) -> None:
        self._power = {
            "low": _estimated(hour, fam.POWER_LOW),
            "mid": _estimated(hour, fam.POWER),
            "high": _estimated(hour, fam.POWER_HIGH),
        }
        models = hour.integrals(fam.ESTIMATOR)
        latest = models[-1][0] if models else {}
        self._model = f"{latest.get('model', '')} {latest.get('version', '')}".strip()

    def energy(self, component: str, origin: str, energy_uj: int) -> dict[str, object]:
        """The columns of energy: an estimate's band is as wide as its power's was."""
        low, mid, high = (self._power[name].get(component, 0.0) for name in ("low", "mid", "high"))
        estimated = origin == "estimated"
        wide = estimated and mid > 0 and high > 0
        return {
            "energy_uj": energy_uj,
            "low_uj": round(energy_uj * low / mid) if wide else energy_uj,
            "high_uj": round(energy_uj * high / mid) if wide else energy_uj,
            "origin": origin,
            "model": self._model if estimated else "",
        }


def _estimated(hour: Hour, family: str) -> dict[str, float]:
    sums: dict[str, float] = defaultdict(float)
    for labels, joules in hour.integrals(family):
        if labels.get("origin") == "estimated":
            sums[labels.get("component", "")] += joules
    return sums


def _origins(hour: Hour, dynamic: _ByOrigin) -> dict[tuple[str, str], str]:
    """Component and source to origin: Kepler's families have the source only.

    Zones without a component (core, psys) overlap others. A source with zones of two origins (GPUs
    with and without a counter) gets the weaker word.
    """
    found: dict[tuple[str, str], str] = {}
    for labels, _ in hour.integrals(fam.POWER):
        key = (labels.get("component", ""), labels.get("source", ""))
        origin = labels.get("origin", "")
        if origin in dynamic.get(key[0], {}) and ORIGINS.index(origin) >= ORIGINS.index(
            found.get(key, ORIGINS[0])
        ):
            found[key] = origin
    return found


_Sink = tuple[dict[str, object], _Bands, Entries]


def _consumer_rows(
    hour: Hour,
    container_id: str,
    consumer: Consumer,
    origins: Mapping[tuple[str, str], str],
    sink: _Sink,
) -> list[tuple[str, int]]:
    """Add one consumer's entries; gives what each says of a component."""
    common, bands, entries = sink
    use = _use(hour, consumer)
    named = common | _who(hour, container_id, consumer)
    rows: dict[tuple[str, str], int] = {}
    for (component, source), energy_uj in consumer.energy_uj.items():
        origin = origins.get((component, source)) or _guess(source)
        if energy_uj:
            rows[component, origin] = rows.get((component, origin), 0) + energy_uj
    if any(use.values()) and not any(component == "cpu" for component, _ in rows):
        known = next((o for (c, _), o in origins.items() if c == "cpu"), _NO_METER)
        rows["cpu", known] = 0
    carried = False
    for (component, origin), energy_uj in sorted(rows.items()):
        amounts = use if component == "cpu" and not carried else {}
        carried = carried or component == "cpu"
        row = named | {"component": component} | amounts
        entries.add(row | bands.energy(component, origin, energy_uj))
    return [(component, energy_uj) for (component, _), energy_uj in rows.items()]


def _guess(source: str) -> str:
    """The origin of a source whose zones are gone: they ended in this hour."""
    if source == "trained_power_model":
        return "estimated"
    return "measured" if source in ("rapl-sysfs", "nvml") else "integrated"


def _who(hour: Hour, container_id: str, consumer: Consumer) -> dict[str, object]:
    names = consumer.names
    uid = own(names, "pod_uid") or container_id.removeprefix("ended-")
    _, labels = hour.pod_labels.get(uid, (0, {}))
    return {
        "kind": _KINDS.get(container_id, "workload"),
        "namespace": own(names, "container_namespace"),
        "pod_uid": own(names, "pod_uid"),
        "pod": own(names, "pod_name"),
        "container": own(names, "container_name"),
        "container_id": container_id,
        "owner_kind": own(names, "owner_kind"),
        "owner_name": own(names, "owner_name"),
        "labels": labels,
        "annotations": hour.pod_annotations.get(uid, {}),
    }


def _use(hour: Hour, consumer: Consumer) -> dict[str, int]:
    request_s = consumer.request_s
    return {
        "cpu_ns": consumer.cpu_us * NANOSECONDS_PER_MICROSECOND,
        "memory_byte_s": consumer.memory_byte_s,
        "gpu_sm_ns": consumer.gpu_us * NANOSECONDS_PER_MICROSECOND,
        "alive_s": hour.alive_s(consumer),
        "cpu_request_mcore_s": round(request_s.get("cpu_mcore", 0.0)),
        "memory_request_byte_s": round(request_s.get("memory_bytes", 0.0)),
        "gpu_request_s": round(request_s.get("gpu", 0.0)),
    }


def _book_idle(hour: Hour, component: str, floors: Mapping[str, int], sink: _Sink) -> None:
    common, bands, entries = sink
    capacity: dict[str, int] = {}
    if component == "cpu":
        has = {labels.get("resource"): round(amount) for labels, amount in
               hour.integrals(fam.CAPACITY)}  # fmt: skip
        capacity = {
            "capacity_cpu_mcore_s": has.get("cpu_mcore", 0),
            "capacity_memory_byte_s": has.get("memory_bytes", 0),
            "capacity_gpu_s": has.get("gpu", 0),
        }
    for origin, floor_uj in floors.items():
        row = common | {"kind": "idle", "component": component, "floor_uj": floor_uj} | capacity
        entries.add(row | bands.energy(component, origin, floor_uj))
        capacity = {}


def _judge(hour: Hour, component: str, rest_uj: int, node_uj: int) -> None:
    """Say what is more than rounding."""
    where = f"{component}: {abs(rest_uj) / MICROJOULES_PER_JOULE:,.3f} J"
    if rest_uj < -_TOLERANCE_UJ:
        hour.problems.append(f"{where} more in containers than in the node; taken off unattributed")
    elif rest_uj > max(node_uj // 100, MICROJOULES_PER_JOULE):
        hour.problems.append(f"{where} of no container that a scrape saw; booked as unattributed")
