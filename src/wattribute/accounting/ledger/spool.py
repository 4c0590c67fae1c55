"""Hours from agents' spools: folders of JSON lines, one for each hour and run of an agent."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from wattribute.accounting.ledger import families as fam
from wattribute.accounting.ledger.collect import Found
from wattribute.accounting.ledger.node_hour import Consumer, NodeIdentity
from wattribute.core.errors import DataInvalid
from wattribute.core.units import NANOSECONDS_PER_MICROSECOND

SCHEMA: Final = 1
_HOUR_S: Final = 3600
_AT_ONCE: Final = 50


class _Row(msgspec.Struct):
    container_id: str
    pod_uid: str
    pod: str
    container: str
    namespace: str
    owner_kind: str
    owner_name: str
    labels: dict[str, str]
    energy_uj: list[int]
    cpu_ns: int
    memory_byte_s: int
    gpu_ns: int
    alive_s: float
    request_s: dict[str, float]


class _Line(msgspec.Struct):
    """As the agent writes it (``exporter/spool.py``)."""

    schema: int
    hour_s: int
    covered_s: float
    node: str
    provider_id: str
    instance_type: str
    region: str
    cluster: str
    nested: bool
    model: str
    channels: list[tuple[str, str, str]]
    node_uj: list[tuple[int, int]]
    unattributed_uj: list[int]
    capacity_s: dict[str, float]
    band_uj: dict[str, tuple[float, float, float]]
    containers: list[_Row]


class _Head(msgspec.Struct):
    schema: int
    hour_s: int
    node: str
    cluster: str
    nested: bool


class SpoolHour:
    """One node's lines of one hour, added up."""

    def __init__(self, identity: NodeIdentity, hour_s: int) -> None:
        """Nothing yet."""
        self.identity = identity
        self.hour_s = hour_s
        self.consumers: dict[str, Consumer] = {}
        self.pod_labels: dict[str, tuple[int, Mapping[str, str]]] = {}
        self.pod_annotations: Mapping[str, Mapping[str, str]] = {}
        self.problems: list[str] = []
        self._lines: list[_Line] = []
        self._alive_s: dict[int, float] = defaultdict(float)

    def add(self, line: _Line) -> None:
        """Take a line."""
        self._lines.append(line)
        for row in line.containers:
            consumer = self.consumers.setdefault(row.container_id, Consumer())
            for (component, source, _), energy_uj in zip(
                line.channels, row.energy_uj, strict=False
            ):
                if component:
                    key = (component, source)
                    consumer.energy_uj[key] = consumer.energy_uj.get(key, 0) + energy_uj
            consumer.cpu_us += row.cpu_ns // NANOSECONDS_PER_MICROSECOND
            consumer.gpu_us += row.gpu_ns // NANOSECONDS_PER_MICROSECOND
            consumer.memory_byte_s += row.memory_byte_s
            for resource, amount in row.request_s.items():
                consumer.request_s[resource] = consumer.request_s.get(resource, 0.0) + amount
            if row.pod or not consumer.names:
                consumer.names = {
                    "pod_uid": row.pod_uid,
                    "pod_name": row.pod,
                    "container_name": row.container,
                    "container_namespace": row.namespace,
                    "owner_kind": row.owner_kind,
                    "owner_name": row.owner_name,
                }
            self._alive_s[id(consumer)] += row.alive_s
            if row.labels:
                self.pod_labels[row.pod_uid] = (0, row.labels)

    @property
    def covered_s(self) -> int:
        """How much of the hour the agent ran."""
        covered = round(sum(line.covered_s for line in self._lines))
        return min(covered, _HOUR_S)

    @property
    def gaps(self) -> tuple[tuple[int, int], ...]:
        """The hour, where a part of it is missing: lines do not say which."""
        if _HOUR_S - self.covered_s <= 1:
            return ()
        end_ms = (self.hour_s + _HOUR_S - self.covered_s) * 1000
        return ((self.hour_s * 1000, end_ms),)

    def alive_s(self, consumer: Consumer) -> int:
        """How long it was there."""
        return min(round(self._alive_s[id(consumer)]), _HOUR_S)

    def node_rises(self, family: str) -> list[tuple[Mapping[str, str], int]]:
        """What the node used (``NODE_JOULES``), and what of it is nobody's (``UNATTRIBUTED``)."""
        found: list[tuple[Mapping[str, str], int]] = []
        for line in self._lines:
            for place, (component, _, origin) in enumerate(line.channels):
                labels = {"component": component, "origin": origin}
                if not component or place >= len(line.node_uj):
                    continue
                if family == fam.UNATTRIBUTED:
                    found.append((labels, line.unattributed_uj[place]))
                    continue
                dynamic, idle = line.node_uj[place]
                found += [
                    ({**labels, "mode": "dynamic"}, dynamic),
                    ({**labels, "mode": "idle"}, idle),
                ]
        return found

    def held_rises_uj(self) -> dict[str, int]:
        """Nothing: the spool shows births at once."""
        return {}

    def integrals(self, family: str) -> list[tuple[Mapping[str, str], float]]:
        """Capacity x seconds; the energy of estimated power, and of its band."""
        if family == fam.CAPACITY:
            sums: dict[str, float] = defaultdict(float)
            for line in self._lines:
                for resource, amount in line.capacity_s.items():
                    sums[resource] += amount
            return [({"resource": resource}, amount) for resource, amount in sums.items()]
        if family == fam.ESTIMATOR:
            models = [line.model for line in self._lines if line.model]
            return [({"model": models[-1]}, 1.0)] if models else []
        place = {fam.POWER_LOW: 0, fam.POWER: 1, fam.POWER_HIGH: 2}[family]
        found: list[tuple[Mapping[str, str], float]] = []
        for line in self._lines:
            for component, source, origin in line.channels:
                labels = {"component": component, "source": source, "origin": origin}
                band = line.band_uj.get(component, (0.0, 0.0, 0.0))
                found.append((labels, band[place] if origin == "estimated" else 0.0))
        return found


class SpoolReader:
    """Reads folders of spools; whole lines only."""

    def __init__(self, folder: Path, *, cluster: str = "") -> None:
        """Index the lines by hour and node; nothing else is kept in memory.

        Raises:
            DataInvalid: the folder or a file cannot be read, or is of another schema.
        """
        self.problems: list[str] = []
        self._cluster = cluster
        self._places: dict[int, dict[tuple[str, str], list[tuple[Path, int]]]] = {}
        files = sorted(folder.rglob("*.jsonl"))
        if not files:
            raise DataInvalid(
                f"{folder}: no spool (files like 2026-10-01.jsonl); "
                "it is what `wattribute agent --spool` writes"
            )
        for path in files:
            self._index(path)

    def _index(self, path: Path) -> None:
        try:
            with path.open("rb") as lines:
                place = 0
                for line in lines:
                    self._note(path, place, line)
                    place += len(line)
        except OSError as exc:
            raise DataInvalid(f"{path}: cannot read it: {exc.strerror}") from exc

    def _note(self, path: Path, place: int, line: bytes) -> None:
        try:
            head = msgspec.json.decode(line, type=_Head)
        except msgspec.DecodeError:
            if line.strip():
                self.problems.append(f"{path}: a line that is cut off was left out")
            return
        if head.schema != SCHEMA:
            raise DataInvalid(f"{path}: lines of schema {head.schema}; this version reads {SCHEMA}")
        if not head.nested:
            key = (head.cluster or self._cluster, head.node)
            self._places.setdefault(head.hour_s, {}).setdefault(key, []).append((path, place))

    def hours(self) -> tuple[int, int]:
        """Start of the first hour and end of the last; (0, 0): no line."""
        if not self._places:
            return 0, 0
        return min(self._places), max(self._places) + _HOUR_S

    def nodes(self, hour_s: int) -> Sequence[Found]:
        """Who wrote in the hour."""
        return [Found(*key, ()) for key in sorted(self._places.get(hour_s, {}))]

    def read(self, hour_s: int, nodes: Sequence[Found]) -> Iterator[Sequence[SpoolHour]]:
        """The hour, some nodes at a time.

        Raises:
            DataInvalid: a line has not what the schema says.
        """
        for start in range(0, len(nodes), _AT_ONCE):
            yield [self._hour(hour_s, node) for node in nodes[start : start + _AT_ONCE]]

    def _hour(self, hour_s: int, node: Found) -> SpoolHour:
        lines = list(self._lines(self._places[hour_s][node.cluster, node.node]))
        latest = lines[-1]
        hour = SpoolHour(
            NodeIdentity(
                node.cluster, node.node, latest.provider_id, latest.instance_type, latest.region
            ),
            hour_s,
        )
        for line in lines:
            hour.add(line)
        return hour

    def _lines(self, places: Iterable[tuple[Path, int]]) -> Iterator[_Line]:
        for path, place in places:
            with path.open("rb") as file:
                file.seek(place)
                try:
                    yield msgspec.json.decode(file.readline(), type=_Line)
                except msgspec.DecodeError as exc:
                    raise DataInvalid(f"{path}: a line at byte {place} is no hour: {exc}") from exc
