"""What was true: energies by row and by process, and their course over time."""

import os
from bisect import bisect_left
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from wattribute.core.errors import ConfigInvalid


class GroupTruth(Struct, frozen=True, kw_only=True):
    """What one group of processes really used."""

    cgroup: str
    """Path in the hierarchy; "" when it has none."""
    container_id: str
    cpu_ns: int
    """By its cgroup's counter, ended processes included; without one by its processes."""
    package_uj: int
    dram_uj: int
    processes: int
    """How many were seen, lanes included."""


class ProcessTruth(Struct, frozen=True, kw_only=True):
    """One process: by wait4(2) once it ended, else so far."""

    group: str
    pid: int
    lane: int
    """Pid of the lane that started it (churn); 0: the plant did."""
    cpu_ns: int
    package_uj: int
    dram_uj: int
    ended: bool


class Truth(Struct, frozen=True, kw_only=True):
    """Everything since the start of the plant; whole microjoules and nanoseconds."""

    schema: int = 1
    started_ns: int
    """Both on the monotonic clock."""
    at_ns: int
    finished: bool
    """The plant has ended, and this is its last word."""
    zones: dict[str, dict[str, int]]
    """Zone to row (``floor``, ``rest``, a group, ...) to energy. The rows of a zone add up to
    what its counter rose by, exactly."""
    counters: dict[str, int]
    """What the files show (or would, but for a failure): wrapped and reset."""
    groups: dict[str, GroupTruth]
    rest_cpu_ns: int
    processes: tuple[ProcessTruth, ...]
    notes: tuple[str, ...]
    """What the plant could not do here, e.g. make cgroups."""


def write_truth(file: Path, truth: Truth) -> None:
    """Write it so that a reader sees the old one or the new one, never half."""
    half = file.with_name(f".{file.name}.{os.getpid()}")
    half.write_bytes(msgspec.json.encode(truth))
    half.replace(file)


def read_truth(file: Path) -> Truth:
    """Read what ``write_truth`` wrote.

    Raises:
        ConfigInvalid: the file cannot be read or is not a truth.
    """
    try:
        return msgspec.json.decode(file.read_bytes(), type=Truth)
    except OSError as exc:
        raise ConfigInvalid(f"truth {file}: {exc.strerror}") from exc
    except msgspec.MsgspecError as exc:
        raise ConfigInvalid(f"truth {file}: {exc}") from exc


class JournalWriter:
    """One line per write of the counters, so that truth is known at any instant between."""

    def __init__(self, file: Path) -> None:
        """Start the file anew."""
        self._file = file.open("w", encoding="ascii")
        self._columns: list[str] | None = None

    def add(
        self, at_ns: int, zones: Mapping[str, Mapping[str, int]], cpu_ns: Mapping[str, int]
    ) -> None:
        """Write one line: the instant, energy by zone and row (uJ), CPU time by row (ns)."""
        line = {f"{zone}/{row}": uj for zone, rows in zones.items() for row, uj in rows.items()}
        line |= {f"cpu/{row}": ns for row, ns in cpu_ns.items()}
        if self._columns is None:
            self._columns = list(line)
            self._file.write(",".join(["at_ns", *self._columns]) + "\n")
        self._file.write(",".join(map(str, [at_ns, *line.values()])) + "\n")

    def flush(self) -> None:
        """Let readers see what was written."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Journal:
    """The course of the truth, read back."""

    def __init__(self, file: Path) -> None:
        """Read all whole lines that are there by now."""
        head, *lines = file.read_text(encoding="ascii").split("\n")
        self.columns: tuple[str, ...] = tuple(head.split(",")[1:])
        """``ZONE/ROW`` for energies in microjoules, ``cpu/ROW`` for nanoseconds."""
        rows = [tuple(map(int, line.split(","))) for line in lines[:-1]]
        self.at_ns: tuple[int, ...] = tuple(row[0] for row in rows)
        self._values = [row[1:] for row in rows]

    def zone_totals(self, zone: str) -> list[int]:
        """What the zone had used at each line, all rows together; without wraps and resets."""
        picked = [i for i, name in enumerate(self.columns) if name.startswith(f"{zone}/")]
        return [sum(row[i] for i in picked) for row in self._values]

    def value(self, column: str, at_ns: int) -> float:
        """A column at an instant, on a straight line between the two lines around it."""
        number = self.columns.index(column)
        after = min(max(1, bisect_left(self.at_ns, at_ns)), len(self.at_ns) - 1)
        (t0, v0), (t1, v1) = ((self.at_ns[i], self._values[i][number]) for i in (after - 1, after))
        return v0 + (v1 - v0) * min(1.0, max(0.0, (at_ns - t0) / (t1 - t0)))
