"""The spool: each hour's totals as one line of JSON, for a ledger without Prometheus.

A folder with a file per day (UTC), ``2026-10-01.jsonl``, and ``open.json``, the hour that is not
over: it is written again every minute, so that an agent that is killed loses no more than that.
`wattribute ledger collect --spool` reads it. A line holds what rose since the one before: energy
in microjoules, dynamic for each container, all of it for the node.
"""

import logging
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from wattribute.core.files import write_whole
from wattribute.core.records import Consumer, ContainerTable, Mode, Snapshot
from wattribute.core.units import NANOSECONDS_PER_SECOND
from wattribute.node.exporter.identity import allowed_labels, container_id_of
from wattribute.node.exporter.scene import NodeLabels

_LOG = logging.getLogger(__name__)

SCHEMA: Final = 1
_HOUR_NS: Final = 3600 * NANOSECONDS_PER_SECOND
_MINUTE_NS: Final = 60 * NANOSECONDS_PER_SECOND
_GAP_NS: Final = 300 * NANOSECONDS_PER_SECOND
"""Ticks further apart are a gap, as in the ledger."""
_OPEN: Final = "open.json"
_WAITING_MOST: Final = 168
"""Hours that wait in memory while the disk is full: a week."""


class Row(msgspec.Struct):
    """One container, or a special row, in one line."""

    container_id: str
    pod_uid: str
    pod: str
    container: str
    namespace: str
    owner_kind: str
    owner_name: str
    labels: dict[str, str]
    energy_uj: list[int]
    """Dynamic, by channel."""
    cpu_ns: int
    memory_byte_s: int
    gpu_ns: int
    alive_s: float
    request_s: dict[str, float]
    """Resource x seconds."""


class Line(msgspec.Struct):
    """What happened in one hour, or in the part of it that one run of the agent saw."""

    schema: int
    id: str
    """The same for the open hour and the line that it becomes, and for no other."""
    hour_s: int
    """Start of the hour, Unix seconds."""
    covered_s: float
    node: str
    provider_id: str
    instance_type: str
    region: str
    cluster: str
    nested: bool
    model: str
    channels: list[tuple[str, str, str]]
    """Component, source, origin."""
    node_uj: list[tuple[int, int]]
    """Dynamic and idle, by channel."""
    unattributed_uj: list[int]
    capacity_s: dict[str, float]
    """Resource x seconds."""
    band_uj: dict[str, tuple[float, float, float]]
    """Low, middle and high of estimated power x time, by component."""
    containers: list[Row]


class _Open(msgspec.Struct):
    """The file of the open hour."""

    line: Line
    node_uj: list[tuple[int, int]]
    unattributed_uj: list[int]
    """Totals, not rises: where the next run goes on if its totals do."""


@dataclass(slots=True)
class _Totals:
    """What a row had at some instant."""

    energy_uj: NDArray[np.int64]
    cpu_ns: int
    memory_byte_ns: float
    gpu_ns: int


@dataclass(slots=True)
class _Running:
    """What is added up from tick to tick in an hour."""

    hour_s: int
    id: str
    covered_s: float = 0.0
    alive_s: dict[int, float] = field(default_factory=dict)
    request_s: dict[int, dict[str, float]] = field(default_factory=dict)
    capacity_s: dict[str, float] = field(default_factory=dict)
    band_uj: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    ended: list[Row] = field(default_factory=list)


class Spool:
    """Writes the lines of one agent; ``observe`` is called after every tick."""

    def __init__(
        self,
        folder: Path,
        node: NodeLabels,
        pod_labels: tuple[str, ...],
        *,
        max_bytes: int,
        resumed: bool,
    ) -> None:
        """``resumed``: the totals go on from the state file, so what rose before is not new.

        Raises:
            OSError: the folder cannot be made, or not be written.
        """
        self._folder = folder
        self._node = node
        self._pod_labels = pod_labels
        self._max_bytes = max_bytes
        self._resumed = resumed
        self._running: _Running | None = None
        self._last: Snapshot | None = None
        self._base: dict[int, _Totals] = {}
        self._node_base: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
        self._waiting: list[bytes] = []
        self._noted_ns = 0
        self._problem = ""
        folder.mkdir(parents=True, exist_ok=True)
        self._adopt()

    def _adopt(self) -> None:
        """Close the hour that another run left open."""
        try:
            left = msgspec.json.decode((self._folder / _OPEN).read_bytes(), type=_Open)
        except FileNotFoundError:
            return
        except msgspec.DecodeError as exc:
            _LOG.warning("spool: %s: no open hour: %s", self._folder / _OPEN, exc)
            return
        path = self._file_of(left.line.hour_s)
        if _last_id(path) == left.line.id:  # killed between the line and the next note
            return
        self._append(left.line)
        if self._resumed:
            self._node_base = (
                np.array(left.node_uj, np.int64).reshape(-1, 2),
                np.array(left.unattributed_uj, np.int64),
            )
        (self._folder / _OPEN).unlink(missing_ok=True)

    def observe(self, snapshot: Snapshot) -> None:
        """Take what the monitor has published."""
        hour_s = snapshot.wall_ns // _HOUR_NS * 3600
        last, running = self._last, self._running
        if running is None or last is None:
            self._running = running = _Running(hour_s, str(snapshot.wall_ns))
            if self._resumed:
                self._base = _totals(snapshot.containers)
            if self._node_base is None:
                self._node_base = _node_totals(snapshot, zero=not self._resumed)
        elif hour_s > running.hour_s:
            boundary_ns = hour_s * NANOSECONDS_PER_SECOND
            in_old_ns = min((running.hour_s + 3600) * NANOSECONDS_PER_SECOND, boundary_ns)
            self._spend(last, last.wall_ns, in_old_ns)
            self._close(last)
            self._running = running = _Running(hour_s, str(snapshot.wall_ns))
            self._noted_ns = 0  # the file of the open hour is of the last one until it is written
            self._spend(snapshot, max(boundary_ns, snapshot.wall_ns - _GAP_NS), snapshot.wall_ns)
        else:
            self._spend(snapshot, last.wall_ns, snapshot.wall_ns)
        if last is not None:
            self._bury(last, snapshot)
        self._last = snapshot
        if self._waiting or snapshot.wall_ns - self._noted_ns >= _MINUTE_NS:
            self._say(self._flush() or self._note(snapshot))

    def close(self) -> None:
        """The agent stops: what it saw of this hour is a line."""
        if self._last is not None:
            self._close(self._last)
            (self._folder / _OPEN).unlink(missing_ok=True)

    def _spend(self, snapshot: Snapshot, start_ns: int, end_ns: int) -> None:
        """Add up what is a matter of time, over [start, end)."""
        running = self._running
        elapsed_ns = end_ns - start_ns
        if running is None or not 0 < elapsed_ns <= _GAP_NS:
            return
        time_s = elapsed_ns / NANOSECONDS_PER_SECOND
        running.covered_s += time_s
        for resource, amount in snapshot.capacity.items():
            running.capacity_s[resource] = running.capacity_s.get(resource, 0) + amount * time_s
        table = snapshot.containers
        for row in np.flatnonzero(table.alive).tolist():
            consumer = table.consumers[row]
            running.alive_s[consumer.uid] = running.alive_s.get(consumer.uid, 0.0) + time_s
            if consumer.requests:
                held = running.request_s.setdefault(consumer.uid, {})
                for resource, amount in consumer.requests.items():
                    held[resource] = held.get(resource, 0.0) + amount * time_s
        for zone in snapshot.node.zones:
            if zone.low_uw is not None and zone.high_uw is not None and zone.zone.component:
                band = np.array((zone.low_uw, zone.power_uw, zone.high_uw)) * time_s
                name = zone.zone.component
                running.band_uj[name] = running.band_uj.get(name, np.zeros(3)) + band

    def _bury(self, last: Snapshot, snapshot: Snapshot) -> None:
        """Keep what rows had in the hour that are shown no more."""
        if last.containers.consumers is snapshot.containers.consumers or self._running is None:
            return
        shown = {consumer.uid for consumer in snapshot.containers.consumers}
        gone = [place for place, c in enumerate(last.containers.consumers) if c.uid not in shown]
        for place in gone:
            row = self._row(last.containers, place, self._running)
            if _used(row):
                self._running.ended.append(row)
            self._base.pop(last.containers.consumers[place].uid, None)

    def _row(self, table: ContainerTable, place: int, running: _Running) -> Row:
        consumer = table.consumers[place]
        now, base = _total(table, place), self._base.get(consumer.uid)
        energy_uj = now.energy_uj.copy()
        if base is not None:
            energy_uj[: len(base.energy_uj)] -= base.energy_uj
        memory_byte_ns = now.memory_byte_ns - (base.memory_byte_ns if base else 0.0)
        return Row(
            container_id=container_id_of(consumer),
            pod_uid=consumer.pod_uid,
            pod=consumer.pod_name,
            container=consumer.container_name,
            namespace=consumer.namespace,
            owner_kind=consumer.owner_kind,
            owner_name=consumer.owner_name,
            labels=_labels(consumer, self._pod_labels),
            energy_uj=energy_uj.tolist(),
            cpu_ns=now.cpu_ns - (base.cpu_ns if base else 0),
            memory_byte_s=int(memory_byte_ns / NANOSECONDS_PER_SECOND),
            gpu_ns=now.gpu_ns - (base.gpu_ns if base else 0),
            alive_s=running.alive_s.get(consumer.uid, 0.0),
            request_s=running.request_s.get(consumer.uid, {}),
        )

    def _line(self, snapshot: Snapshot, running: _Running) -> Line:
        facts, info, node = snapshot.node_facts, snapshot.estimator, self._node
        places = range(len(snapshot.containers.consumers))
        rows = [self._row(snapshot.containers, place, running) for place in places]
        node_uj, unattributed_uj = self._node_rise(snapshot)
        return Line(
            schema=SCHEMA,
            id=running.id,
            hour_s=running.hour_s,
            covered_s=min(running.covered_s, 3600.0),
            node=node.name,
            provider_id=facts.provider_id or node.provider_id,
            instance_type=facts.instance_type or node.instance_type,
            region=facts.region or node.region,
            cluster=node.cluster,
            nested=node.nested,
            model=f"{info.model} {info.version}" if info else "",
            channels=[(c.component or "", c.source, str(c.origin)) for c in snapshot.channels],
            node_uj=[(int(dynamic), int(idle)) for dynamic, idle in node_uj],
            unattributed_uj=unattributed_uj.tolist(),
            capacity_s=running.capacity_s,
            band_uj={name: (float(b[0]), float(b[1]), float(b[2]))
                     for name, b in running.band_uj.items()},
            containers=[*running.ended, *filter(_used, rows)],
        )  # fmt: skip

    def _node_rise(self, snapshot: Snapshot) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        node_uj, unattributed_uj = _node_totals(snapshot)
        if self._node_base is not None:
            for now, base in zip((node_uj, unattributed_uj), self._node_base, strict=True):
                now[: len(base)] -= base[: len(now)]
        return node_uj, unattributed_uj

    def _close(self, snapshot: Snapshot) -> None:
        """Write the hour's line, and begin anew from here."""
        if self._running is None:
            return
        self._append(self._line(snapshot, self._running))
        self._base = _totals(snapshot.containers)
        self._node_base = _node_totals(snapshot)

    def _append(self, line: Line) -> None:
        self._waiting.append(msgspec.json.encode(line) + b"\n")
        if problem := self._flush():
            self._say(problem)
        if len(self._waiting) > _WAITING_MOST:
            _LOG.warning("spool: an hour is lost: %d wait already", _WAITING_MOST)
            self._waiting.pop(0)

    def _flush(self) -> str:
        """Write what waits; on a full disk it goes on waiting: why, or ""."""
        while self._waiting:
            hour_s = msgspec.json.decode(self._waiting[0], type=_Head).hour_s
            try:
                self._make_room(len(self._waiting[0]))
                _append_line(self._file_of(hour_s), self._waiting[0])
                self._waiting.pop(0)
            except OSError as exc:
                return str(exc)
        return ""

    def _file_of(self, hour_s: int) -> Path:
        return self._folder / f"{datetime.fromtimestamp(hour_s, UTC):%Y-%m-%d}.jsonl"

    def _note(self, snapshot: Snapshot) -> str:
        """Write the open hour, for a run that comes after a kill: why it cannot be, or ""."""
        if self._running is None:
            return ""
        self._noted_ns = snapshot.wall_ns
        node_uj, unattributed_uj = _node_totals(snapshot)
        totals = [(int(dynamic), int(idle)) for dynamic, idle in node_uj]
        left = _Open(self._line(snapshot, self._running), totals, unattributed_uj.tolist())
        try:
            write_whole(self._folder / _OPEN, msgspec.json.encode(left))
        except OSError as exc:
            return str(exc)
        return ""

    def _say(self, problem: str) -> None:
        if problem and not self._problem:
            _LOG.warning("spool: %s; lines wait in memory until there is room", problem)
        self._problem = problem

    def _make_room(self, needed: int) -> None:
        """Remove the oldest days while all of them are larger than may be."""
        days = sorted(self._folder.glob("*.jsonl"))
        sizes = [day.stat().st_size for day in days]
        while len(days) > 1 and sum(sizes) + needed > self._max_bytes:
            _LOG.warning("spool: full: %s is removed, the oldest day", days[0])
            days.pop(0).unlink()
            sizes.pop(0)


class _Head(msgspec.Struct):
    id: str
    hour_s: int


def _last_id(path: Path) -> str:
    """The id of a file's last line; "" where there is none, or it was cut off."""
    try:
        return msgspec.json.decode(path.read_bytes().splitlines()[-1], type=_Head).id
    except (OSError, IndexError, msgspec.DecodeError):
        return ""


def _append_line(path: Path, line: bytes) -> None:
    """Append and flush to disk, on a line of its own even after one that was cut off."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line
        written = os.write(descriptor, line)
        if written < len(line):
            os.ftruncate(descriptor, size)
            raise OSError(28, "no space left on device", str(path))
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def _used(row: Row) -> bool:
    return bool(any(row.energy_uj) or row.cpu_ns or row.alive_s)


def _total(table: ContainerTable, place: int) -> _Totals:
    return _Totals(
        table.energy_uj[place, :, Mode.DYNAMIC],
        int(table.cpu_ns[place]),
        float(table.memory_byte_ns[place]),
        int(table.gpu_ns[place]) if table.gpu_ns is not None else 0,
    )


def _totals(table: ContainerTable) -> dict[int, _Totals]:
    return {consumer.uid: _total(table, place) for place, consumer in enumerate(table.consumers)}


def _node_totals(
    snapshot: Snapshot, *, zero: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    node = snapshot.node
    factor = 0 if zero else 1
    return node.energy_uj * factor, node.unattributed_uj * factor


def _labels(consumer: Consumer, allowed: tuple[str, ...]) -> dict[str, str]:
    """The labels that the allow-list names, under the names that Prometheus would show."""
    named = allowed_labels(consumer, allowed)
    return {name.removeprefix("label_"): value for name, value in named.items()}
