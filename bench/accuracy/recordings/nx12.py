"""The recording nx12: pieces of one long run of load generators, with hardware counters."""

import csv
from pathlib import Path
from typing import Final

import numpy as np

from bench.accuracy.recordings.program import Events, Program
from bench.accuracy.worlds.world import Array

NX12: Final = Path(__file__).resolve().parent.parent / "data/nx12.csv"
_STEP_S: Final = 3.0
_HZ: Final = 3.2e9
"""Clock of the E5-2667 v3 (base, Intel ARK): cycles over it are the busy threads."""
_LEAST_USE: Final = 0.5
_LEAST_WATTS: Final = 0.5


def read_nx12(file: Path = NX12, pieces: int = 16) -> list[Program]:
    """Return so many stretches of the recording as programs; idle rows are left out."""
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    power, cycles, instructions, misses = (
        _column(rows, name)
        for name in ("package_power", "cpu_cycles", "cpu_instructions", "cache_miss")
    )
    use = cycles / _STEP_S / _HZ
    busy = use > _LEAST_USE
    idle_watts = float(np.quantile(power[busy], 0.01))
    watts = np.maximum(power - idle_watts, _LEAST_WATTS)
    length = int(busy.sum()) // pieces
    return [
        Program(
            f"stretch {number}",
            _STEP_S,
            use[part],
            watts[part],
            Events(cycles[part] / _STEP_S, instructions[part] / _STEP_S, misses[part] / _STEP_S),
        )
        for number, part in enumerate(
            np.flatnonzero(busy)[: length * pieces].reshape(pieces, length)
        )
    ]


def _column(rows: list[dict[str, str]], name: str) -> Array:
    return np.array([float(row[name] or 0) for row in rows])
