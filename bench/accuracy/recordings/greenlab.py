"""Folders of measurements by the tools PowercapReader and ProcFSReader of hm-green-it-lab.

Two public studies are laid out so, and neither states a licence: fetch them yourself, nothing of
them is shipped. ``enviroinfo2025``: eight JVM programs alone on a CPU with 4 threads, in
``PROGRAM/DATE/X86/raplResults_x86`` and ``procfsResults_x86``. ``ase26``: a web service at four
loads, ``powercap_*.csv`` and ``procfs_*.csv`` in folders that the study ships as zip files.

Both have a CSV of energy counters (epoch ms, domain, ..., µJ) and one of CPU ticks (source file,
epoch ms, user and system ticks), of which ``/proc/stat`` is the whole machine.
"""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from bench.accuracy.recordings.program import Program
from bench.accuracy.worlds.world import Array

_STEP_S: Final = 2.0
_TICKS_PER_S: Final = 100.0
"""USER_HZ of Linux on x86."""
_MARGIN_S: Final = 1.0
_LEAST: Final = 0.01
_ENVIRO_IDLE_WATTS: Final = 0.576
"""Package power of the idle machine, from the study's own baseline measurement."""
_ENVIRO_THREADS: Final = 4.0


def read_enviroinfo2025(root: Path, kind: str) -> list[Program]:
    """Return the programs of one kind of run, by name.

    Args:
        root: a checkout of enviroinfo2025.
        kind: what the folder's name must contain, as ``_CPU100``. Runs without turbo are taken
            only if they are asked for by name.

    Raises:
        FileNotFoundError: there is no such run.
    """
    programs: dict[str, Program] = {}
    for energy in sorted(root.glob("*/*/X86/raplResults_x86")):
        name = energy.relative_to(root).parts[0]
        if kind in name and ("DISABLED" in kind or "DISABLED" not in name):
            ticks = energy.with_name("procfsResults_x86")
            programs[name] = _program(name, energy, ticks, _ENVIRO_THREADS, _ENVIRO_IDLE_WATTS)
    if not programs:
        raise FileNotFoundError(f"{root}: no */*/X86/raplResults_x86 with {kind} in its name")
    return list(programs.values())


def read_ase26(root: Path, threads: float) -> list[Program]:
    """Return a program for each run folder, with the least power of all runs as idle power.

    Args:
        root: a folder in which the study's zip files were unpacked.
        threads: of the machine.

    Raises:
        FileNotFoundError: there is no run.
    """
    runs = [
        (folder.relative_to(root).as_posix(), energy, ticks)
        for energy in sorted(root.glob("**/powercap_*.csv"))
        for folder in (energy.parent,)
        for ticks in sorted(folder.glob("procfs_*.csv"))[:1]
    ]
    if not runs:
        raise FileNotFoundError(f"{root}: no powercap_*.csv beside a procfs_*.csv")
    raw = [_program(name, energy, ticks, threads, 0.0) for name, energy, ticks in runs]
    idle_watts = min(float(np.quantile(one.watts, 0.01)) for one in raw)
    return [
        Program(one.name, one.step_s, one.use, np.maximum(one.watts - idle_watts, _LEAST))
        for one in raw
    ]


def _program(name: str, energy: Path, ticks: Path, threads: float, idle_watts: float) -> Program:
    joules = _totals(energy, _package_joules)
    busy_s = _totals(ticks, _machine_seconds)
    start_s = max(joules[0, 0], busy_s[0, 0]) + _MARGIN_S
    end_s = min(joules[-1, 0], busy_s[-1, 0]) - _MARGIN_S
    at_s = np.arange(start_s, end_s, _STEP_S)
    watts = np.diff(np.interp(at_s, *joules.T)) / _STEP_S
    use = np.diff(np.interp(at_s, *busy_s.T)) / _STEP_S
    return Program(
        name, _STEP_S, np.clip(use, _LEAST, threads), np.maximum(watts - idle_watts, _LEAST)
    )


def _totals(file: Path, read: Callable[[list[str]], tuple[float, float] | None]) -> Array:
    """Return (rows, 2): seconds, and a counter; several packages at one instant are added up."""
    totals: dict[float, float] = {}
    for row in _rows(file):
        if (pair := read(row)) is not None:
            totals[pair[0]] = totals.get(pair[0], 0.0) + pair[1]
    return np.array(sorted(totals.items()))


def _rows(file: Path) -> Iterator[list[str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        yield from csv.reader(lines)


def _package_joules(row: list[str]) -> tuple[float, float] | None:
    """Timestamp, Domain, Power (Watts), DRAM Power (Watts), Energy (micro joules), ..."""
    try:
        return int(row[0]) / 1e3, int(row[-2]) / 1e6
    except (ValueError, IndexError):  # the header, or a line that was cut
        return None


def _machine_seconds(row: list[str]) -> tuple[float, float] | None:
    """SourceFile, Timestamp, userTime (Ticks), systemTime (Ticks)."""
    try:
        if row[0] != "/proc/stat":
            return None
        return int(row[1]) / 1e3, (int(row[2]) + int(row[3])) / _TICKS_PER_S
    except (ValueError, IndexError):
        return None
