"""What one run of the bench found, as it is kept in ``results.json``."""

import datetime as dt
import os
import platform
from pathlib import Path
from typing import Final

import msgspec

from bench.accuracy.score import Score
from bench.figure import Figure, cpu_name

RESULTS: Final = Path(__file__).with_name("results.json")
_DIGITS: Final = 5


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One method in one world, over all seeds."""

    score: Score
    """Mean of the seeds."""
    excess: float
    """Error less that of CPU time, in the seed in which this is largest; percentage points."""


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """When, where and how long a section was measured."""

    date: str
    machine: str
    extent: str
    """As ``3 seeds``, or ``windows of 60 s``."""


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """Worlds or recordings, by name and method."""

    conditions: Conditions
    summaries: dict[str, dict[str, Summary]]
    unmeasured: dict[str, str] = {}
    """What could not be played, and why."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of real processes beside a plant."""

    conditions: Conditions
    figures: list[Figure]


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """All sections; None: never measured."""

    worlds: Played | None = None
    recordings: Played | None = None
    plants: Measured | None = None
    kepler: Measured | None = None


def conditions(extent: str) -> Conditions:
    """Return the conditions of a measurement that ends now, on this machine."""
    date = dt.datetime.now(tz=dt.UTC).date().isoformat()
    cpus = len(os.sched_getaffinity(0))
    machine = f"{cpu_name()}, {cpus} CPUs, Python {platform.python_version()}"
    return Conditions(date=date, machine=machine, extent=extent)


def read_results(file: Path = RESULTS) -> Results:
    """Return what was kept; nothing if there is no such file."""
    return msgspec.json.decode(file.read_bytes(), type=Results) if file.exists() else Results()


def write_results(results: Results, file: Path = RESULTS) -> None:
    """Keep the results, with five significant digits."""
    tree = _rounded(msgspec.to_builtins(results))
    file.write_bytes(msgspec.json.format(msgspec.json.encode(tree), indent=1) + b"\n")


def _rounded(tree: object) -> object:
    if isinstance(tree, float):
        return float(f"{tree:.{_DIGITS}g}")
    if isinstance(tree, dict):
        return {key: _rounded(value) for key, value in tree.items()}
    return [_rounded(value) for value in tree] if isinstance(tree, list) else tree
