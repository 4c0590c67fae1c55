"""Traces of ``wattribute dev record``: programs that ran alone, and what they did together."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench.accuracy.recordings.program import Events, Program
from bench.accuracy.worlds.world import Array, Counters, World
from wattribute.models.recording.trace import COLUMNS

_ALONE: Final = "alone "
_LEAST: Final = 0.01
_EVENTS: Final = ("cycles", "instructions", "cache_misses")
Rows = Sequence[Mapping[str, str]]


class NotATrace(ValueError):  # noqa: N818 - a state of the file
    """The file is not a trace, or has too few phases for what is asked of it."""


@dataclass(frozen=True, slots=True)
class Trace:
    """The rows of a file, by phase."""

    file: Path
    phases: Mapping[str, Rows]

    @property
    def workloads(self) -> list[str]:
        """The names of the commands that ran alone."""
        return [name.removeprefix(_ALONE) for name in self.phases if name.startswith(_ALONE)]

    @property
    def idle(self) -> tuple[float, float]:
        """Mean busy threads and mean watts of the phase in which no command ran.

        Raises:
            NotATrace: there is no such phase.
        """
        if "idle" not in self.phases:
            raise NotATrace(f"{self.file}: no phase idle; record it with --alone CMD")
        rows = self.phases["idle"]
        return _mean(rows, "node", "cpu_ns", 1e9), _mean(rows, "zone", "energy_uj", 1e6)


def read_trace(file: Path) -> Trace:
    """Read a trace.

    Raises:
        NotATrace: it has other columns.
    """
    phases: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    with file.open(encoding="utf-8", newline="") as lines:
        table = csv.DictReader(lines)
        if tuple(table.fieldnames or ()) != COLUMNS:
            raise NotATrace(f"{file}: not a trace of `wattribute dev record`")
        for row in table:
            phases[row["phase"]].append(row)
    return Trace(file, {name: _one_scope(rows) for name, rows in phases.items()})


def programs_of(trace: Trace) -> list[Program]:
    """Return each command as it ran alone: busy threads and watts beyond the idle phase's."""
    idle_use, idle_watts = trace.idle
    return [
        _program(name, trace.phases[_ALONE + name], idle_use, idle_watts)
        for name in trace.workloads
    ]


def together(trace: Trace) -> World:
    """Return the phase in which all commands ran.

    The truth is each one's CPU time at the watts per thread that it had alone. How these add up
    to the measured power is not known, so only errors of the division mean something here.
    """
    _, idle_watts = trace.idle
    rows = trace.phases["together"]
    edges_s = _edges(rows)
    tick_s = float(np.diff(edges_s).mean())
    use = np.stack([_rate(rows, "workload", name, "cpu_ns", edges_s) for name in trace.workloads])
    use = use.T / 1e9
    alone = [program.watts.sum() / program.use.sum() for program in programs_of(trace)]
    events = [
        np.stack([_rate(rows, "workload", name, event, edges_s) for name in trace.workloads]).T
        for event in _EVENTS
    ]
    power = _rate(rows, "zone", None, "energy_uj", edges_s) / 1e6
    return World(
        tick_s=tick_s,
        threads=float(max(1.0, np.ceil(use.sum(1).max()))),
        use=use,
        true_watts=use * np.array(alone),
        power_watts=power,
        floor_watts=idle_watts,
        owners=np.arange(len(trace.workloads)),
        counters=Counters(*events) if events[0].any() else None,
    )


def _program(name: str, rows: Rows, idle_use: float, idle_watts: float) -> Program:
    edges_s = _edges(rows)
    use = _rate(rows, "node", "", "cpu_ns", edges_s) / 1e9 - idle_use
    watts = _rate(rows, "zone", None, "energy_uj", edges_s) / 1e6 - idle_watts
    events = [_rate(rows, "workload", name, event, edges_s) for event in _EVENTS]
    return Program(
        name,
        float(np.diff(edges_s).mean()),
        np.maximum(use, _LEAST),
        np.maximum(watts, _LEAST),
        Events(*events) if events[0].any() else None,
    )


def _one_scope(rows: Rows) -> Rows:
    """Leave out the platform's zone where packages are measured: it is around them."""
    kinds = {row["name"].partition("-")[0] for row in rows if row["row"] == "zone"}
    if "package" not in kinds:
        return rows
    return [row for row in rows if row["row"] != "zone" or not row["name"].startswith("platform")]


def _edges(rows: Rows) -> Array:
    """Return the ends of the node's intervals as an even grid, in seconds."""
    ends_s = sorted({int(row["end_ns"]) / 1e9 for row in rows if row["row"] == "node"})
    starts_s = [int(row["start_ns"]) / 1e9 for row in rows if row["row"] == "node"]
    if not ends_s:
        raise NotATrace("a phase has no row of the node")
    return np.linspace(min(starts_s), ends_s[-1], len(ends_s) + 1)


def _rate(rows: Rows, kind: str, name: str | None, column: str, edges_s: Array) -> Array:
    """Return (ticks,) the amount per second; rows of all names are added up if it is None."""
    own = [
        row
        for row in rows
        if row["row"] == kind and row[column] and (name is None or row["name"] == name)
    ]
    total = np.zeros(len(edges_s))
    for each in {row["name"] for row in own}:
        spans = sorted(
            (int(row["start_ns"]) / 1e9, int(row["end_ns"]) / 1e9, float(row[column]))
            for row in own
            if row["name"] == each
        )
        total += _cumulative(spans, edges_s)
    return np.diff(total) / np.diff(edges_s)


def _cumulative(spans: Iterable[tuple[float, float, float]], edges_s: Array) -> Array:
    """Return the amount up to each edge; between rows of one name nothing was used."""
    at_s, amounts, total = [], [], 0.0
    for start_s, end_s, amount in spans:
        at_s += [start_s, end_s]
        amounts += [total, total + amount]
        total += amount
    return np.interp(edges_s, at_s, amounts)


def _mean(rows: Rows, kind: str, column: str, unit: float) -> float:
    edges_s = _edges(rows)
    return float(_rate(rows, kind, None, column, edges_s).mean()) / unit
