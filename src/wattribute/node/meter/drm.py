"""GPUs by the kernel's own drivers (Intel i915 and xe, AMD amdgpu): energy, and who used them."""

from collections import Counter as Tally
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from wattribute.core.records import GpuState, GpuUsage
from wattribute.core.units import Nanoseconds
from wattribute.node.meter.backend import MeterBackend
from wattribute.node.meter.drm_cards import Card, find_cards
from wattribute.node.meter.fdinfo import Clients, EngineTime, Seen
from wattribute.node.meter.filemeter import FileMeter, Form, Sensor
from wattribute.node.settings import NodeSettings

_ENERGY_WORDS: Final = {
    Form.COUNTER: "energy counter",
    Form.AVERAGE: "power, mean of the sensor's own window",
    Form.POWER: "power now",
}
_ENERGY_FORMS: Final = {Form.COUNTER: "counter", Form.AVERAGE: "average", Form.POWER: "power"}


class DrmMeter(FileMeter):
    """Boards whose driver has a sensor; processes by the time of their files on the engines."""

    name = "drm"
    absent = "no GPU whose kernel driver (i915, xe, amdgpu) measures its board"

    def __init__(self, sysfs: Path, procfs: Path, *, without: Collection[str] = ()) -> None:
        """Find the boards.

        Args:
            sysfs: root of sysfs.
            procfs: root of procfs.
            without: drivers whose boards another meter measures.

        Raises:
            MeterAbsent: there is none.
            MeterDenied: no sensor may be read.
            MeterFailed: no sensor shows a number.
        """
        self._without = frozenset(without)
        self._cards: list[Card] = []
        self._clients = Clients(procfs)
        self._use = EngineTimes()
        self._last_ns: Nanoseconds | None = None
        self._failures: Tally[str] = Tally()
        super().__init__(sysfs)

    @property
    def notes(self) -> tuple[str, ...]:
        """Say how each device is measured; devices alike are one line."""
        kinds = Tally(f"{c.name}: {_ENERGY_WORDS[c.sensor.form]}" for c in self._cards)
        lines = [
            f"{count} x {note}, shared by time on its engines" for note, count in kinds.items()
        ]
        return tuple([*lines, self._denied_note] if self._clients.blind else lines)

    def read_use(self, now_ns: Nanoseconds) -> GpuUsage | None:
        """Return who used the devices since the read before; None the first time."""
        before, self._last_ns = self._last_ns, now_ns
        elapsed_ns = 0 if before is None else now_ns - before
        clients = self._clients.read()
        busy = self._use.add(clients, elapsed_ns)
        memory_of = _memory(clients)
        if before is None:
            return None
        states: list[GpuState] = []
        rows: list[tuple[int, int, int, int]] = []
        open_zones = {zone.id for zone in self.zones}
        for card in self._cards:
            if card.address not in open_zones:
                continue
            mine = {pid: ns for (device, pid), ns in busy.items() if device == card.address}
            memory = {pid: b for (device, pid), b in memory_of.items() if device == card.address}
            states.append(self._state(card, mine, memory, elapsed_ns))
            rows += [
                (len(states) - 1, pid, mine.get(pid, 0), memory.get(pid, 0))
                for pid in sorted(mine.keys() | memory.keys())
            ]
        table = np.array(rows, np.int64).reshape(-1, 4)
        device, pids, busy_ns, memory_bytes = (table[:, n].copy() for n in range(4))
        return GpuUsage(before, now_ns, tuple(states), device, pids, busy_ns, memory_bytes)

    @property
    def _denied_note(self) -> str:
        return (
            f"who used it is not seen of {self._clients.denied} processes: /proc/PID/fd needs "
            "CAP_SYS_PTRACE"
        )

    def _find(self, sysfs: Path) -> tuple[list[Sensor], list[str]]:
        self._cards = find_cards(sysfs, self._without)
        return [card.sensor for card in self._cards], []

    def _state(
        self, card: Card, busy: Mapping[int, int], memory: Mapping[int, int], elapsed_ns: int
    ) -> GpuState:
        used_bytes, total_bytes = card.memory()
        percent = card.busy_percent()
        utilisation: float | None = min(sum(busy.values()) / max(elapsed_ns, 1), 1.0)
        activity = "engine" if busy else "memory" if memory else "none"
        if percent is not None:  # of the device, whose users may not be seen
            utilisation = max(utilisation or 0.0, min(percent / 100, 1.0))
        elif self._clients.blind and not busy:
            utilisation, activity = None, "unseen"
        marks = (card.address, str(card.sensor.path))
        problem = next((p for p in self.problems if any(mark in p for mark in marks)), "")
        self._failures[card.address] += bool(problem)
        return GpuState(
            device=card.address,
            index=card.number,
            name=card.name,
            vendor=card.vendor,
            energy=_ENERGY_FORMS[card.sensor.form],
            activity=activity,
            utilisation=utilisation,
            memory_used_bytes=used_bytes,
            memory_total_bytes=total_bytes,
            instances=0,
            failures=self._failures[card.address],
            message=problem or (self._denied_note if self._clients.blind else ""),
            names=dict.fromkeys(card.names, 1),
        )


class EngineTimes:
    """Clients' counters -> time on each device by process, tick after tick."""

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self._before: dict[tuple[str, str], Mapping[str, EngineTime]] = {}
        self._older: dict[tuple[str, str], Mapping[str, EngineTime]] = {}
        """Of the tick before that: a client that could not be read once is not a new one."""
        self._clock: dict[tuple[str, str], int] = {}
        """By device and class of engines: its cycle counter at the last tick."""

    def add(self, clients: Iterable[Seen], elapsed_ns: int) -> dict[tuple[str, int], int]:
        """(device, pid) -> time on the device since the last call; who had none is left out.

        A device is busy as long as the busiest class of its engines; that time
        goes to processes by what they used of all classes. Time of a client that several
        processes have open is shared evenly.
        """
        used_ns: dict[tuple[str, str, int], float] = {}
        now: dict[tuple[str, str], Mapping[str, EngineTime]] = {}
        clock: dict[tuple[str, str], int] = {}
        for sighting in clients:
            client = sighting.client
            key = (client.device, client.id)
            now[key] = client.engines
            before = self._before.get(key, self._older.get(key, {} if sighting.newborn else None))
            for kind, engine in client.engines.items():
                if engine.total is not None:
                    clock[client.device, kind] = engine.total
                if before is None or not elapsed_ns:
                    continue
                last_total = self._clock.get((client.device, kind))
                ns = _time(before.get(kind), engine, last_total, elapsed_ns)
                for pid in sighting.pids:
                    place = (client.device, kind, pid)
                    used_ns[place] = used_ns.get(place, 0.0) + ns / len(sighting.pids)
        self._before, self._older = now, self._before
        self._clock.update(clock)
        return _by_process(used_ns, elapsed_ns)


def _time(
    before: EngineTime | None, now: EngineTime, last_total: int | None, elapsed_ns: int
) -> float:
    """Nanoseconds on a class of engines, at most the whole time."""
    amount = now.amount - (before.amount if before else 0)
    if amount <= 0:  # 0, or another client with an old one's number
        return 0.0
    if now.total is None:
        return min(amount / now.capacity, elapsed_ns)
    since = before.total if before is not None else last_total
    if since is None or now.total <= since:
        return 0.0
    return min(amount / (now.total - since) / now.capacity, 1.0) * elapsed_ns


def _by_process(
    used_ns: Mapping[tuple[str, str, int], float], elapsed_ns: int
) -> dict[tuple[str, int], int]:
    classes: dict[tuple[str, str], float] = {}
    processes: dict[tuple[str, int], float] = {}
    for (device, kind, pid), ns in used_ns.items():
        classes[device, kind] = classes.get((device, kind), 0.0) + ns
        processes[device, pid] = processes.get((device, pid), 0.0) + ns
    whole: dict[str, float] = {}
    for (device, _), ns in processes.items():
        whole[device] = whole.get(device, 0.0) + ns
    busiest: dict[str, float] = {}
    for (device, _), ns in classes.items():
        busiest[device] = max(busiest.get(device, 0.0), min(ns, elapsed_ns))
    return {
        (device, pid): round(ns / whole[device] * busiest[device])
        for (device, pid), ns in processes.items()
        if ns > 0
    }


def _memory(clients: Iterable[Seen]) -> dict[tuple[str, int], int]:
    memory_bytes: dict[tuple[str, int], int] = {}
    for sighting in clients:
        for pid in sighting.pids:
            place = (sighting.client.device, pid)
            memory_bytes[place] = memory_bytes.get(place, 0) + sighting.client.memory_bytes // len(
                sighting.pids
            )
    return memory_bytes


def _open(settings: NodeSettings, covered: frozenset[str]) -> DrmMeter:
    without = ("amdgpu",) if "amdsmi" in covered else ()
    sysfs, procfs = Path(settings.meter.sysfs), Path(settings.activity.procfs)
    return DrmMeter(sysfs, procfs, without=without)


BACKEND = MeterBackend(
    name=DrmMeter.name,
    open=_open,
    sees="boards of Intel and AMD GPUs, and who used them",
    kinds=frozenset({"gpu"}),
    sources=frozenset({"drm"}),
    form="either",
)
