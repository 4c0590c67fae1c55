"""Traces: what the meters counted and who ran, tick by tick, as CSV.

The accuracy bench plays them. One row is one interval of one zone, of the whole node, or of one
workload. ``wattribute dev record`` writes them; an empty cell is a value that is not known.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from typing import Final, Literal, TextIO

import numpy as np

from wattribute.core.clock import Clock
from wattribute.core.records import Interval, Origin, Usage, Zone
from wattribute.core.units import Microjoules, Nanoseconds
from wattribute.models.recording.recorder import teaching_zones
from wattribute.node.activity import Activity
from wattribute.node.sharing.metering import Metering

_EVENTS: Final = ("cycles", "instructions", "cache_misses")


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One row of a trace; its fields are the columns."""

    phase: str
    """``idle``, ``together``, or ``alone`` and a space and the name of the workload."""
    start_ns: Nanoseconds
    end_ns: Nanoseconds
    """Both since the recording began. Slow meters have intervals of their own."""
    row: Literal["zone", "node", "workload"]
    name: str
    """A zone as ``package-0``; "" for the node; a workload's name."""
    energy_uj: Microjoules | None = None
    cpu_ns: int | None = None
    """CPU time in the interval."""
    cycles: int | None = None
    instructions: int | None = None
    cache_misses: int | None = None


COLUMNS: Final = tuple(field.name for field in fields(TraceRow))


class TraceReader:
    """Reads meters and activity together, and makes rows of both."""

    def __init__(self, metering: Metering, activity: Activity, clock: Clock) -> None:
        """Make the first reading.

        Args:
            metering: open meters; whoever opened them closes them.
            activity: an open source of who ran.
            clock: its time.

        Raises:
            MeterAbsent: none of the zones is a package, memory, or the whole machine.
        """
        self._metering, self._activity, self._clock = metering, activity, clock
        zones = teaching_zones(metering.zones)
        self._zones = frozenset[Zone]().union(*zones.values())
        self._start_ns = clock.monotonic_ns()
        self.names: dict[int, str] = {}
        """Process id -> name of the workload that it and its descendants belong to."""
        self.read("")

    def read(self, phase: str) -> list[TraceRow]:
        """Give the intervals that ended since the read before, as rows of a phase."""
        now_ns = self._clock.monotonic_ns()
        usage = self._activity.read(now_ns)
        rows = [
            self._zone_row(phase, interval)
            for interval in self._metering.read(now_ns)
            if interval.zone in self._zones and interval.origin is not Origin.ESTIMATED
        ]
        return rows if usage is None else rows + self._usage_rows(phase, usage)

    def _zone_row(self, phase: str, interval: Interval) -> TraceRow:
        span = self._since(interval.start_ns), self._since(interval.end_ns)
        return TraceRow(phase, *span, "zone", interval.zone.name, energy_uj=interval.energy_uj)

    def _usage_rows(self, phase: str, usage: Usage) -> list[TraceRow]:
        span = self._since(usage.start_ns), self._since(usage.end_ns)
        node = TraceRow(phase, *span, "node", "", cpu_ns=int(usage.busy_ns.sum()))
        cpu_ns: dict[str, int] = defaultdict(int)
        events: dict[str, dict[str, int]] = {name: defaultdict(int) for name in _EVENTS}
        processes = usage.processes
        for number, name in enumerate(self._workloads(usage)):
            cpu_ns[name] += int(processes.cpu_ns[number].sum())
            for event in _EVENTS:
                if event in processes.counters:
                    events[event][name] += int(processes.counters[event][number].sum())
        workloads = [
            TraceRow(
                phase, *span, "workload", name, cpu_ns=spent_ns,
                cycles=events["cycles"].get(name),
                instructions=events["instructions"].get(name),
                cache_misses=events["cache_misses"].get(name),
            )
            for name, spent_ns in sorted(cpu_ns.items())
            if spent_ns
        ]  # fmt: skip
        return [node, *workloads]

    def _workloads(self, usage: Usage) -> list[str]:
        """Name each process: by the command it descends from, its cgroup, or its task name."""
        processes, paths = usage.processes, _paths(usage)
        names = [""] * len(processes.pid)
        by_start = processes.key & np.uint64((1 << 40) - 1)
        for row in np.argsort(by_start, kind="stable"):  # parents come before children
            pid, parent = int(processes.pid[row]), int(processes.parent_pid[row])
            if pid not in self.names and parent in self.names:
                self.names[pid] = self.names[parent]
            leaf = paths.get(int(processes.cgroup[row]), "").rpartition("/")[2]
            comm = bytes(processes.comm[row]).decode(errors="replace")
            names[row] = self.names.get(pid) or leaf or comm
        for pid in processes.pid[~processes.alive].tolist():
            self.names.pop(pid, None)  # another process may get its number
        return names

    def _since(self, at_ns: Nanoseconds) -> Nanoseconds:
        return Nanoseconds(at_ns - self._start_ns)


def _paths(usage: Usage) -> Mapping[int, str]:
    return dict(zip(usage.cgroups.id.tolist(), usage.cgroups.path, strict=True))


def write_rows(file: TextIO, rows: Iterable[TraceRow]) -> None:
    """Add rows to a CSV file that begins with ``COLUMNS``."""
    csv.writer(file, lineterminator="\n").writerows(astuple(row) for row in rows)
