"""Worlds made of recordings, by name, and where their data come from."""

import os
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Final

from bench.accuracy.recordings.greenlab import read_ase26, read_enviroinfo2025
from bench.accuracy.recordings.nx12 import read_nx12
from bench.accuracy.recordings.program import Program
from bench.accuracy.recordings.superpose import Superposition, superpose
from bench.accuracy.recordings.trace import programs_of, read_trace, together
from bench.accuracy.worlds.world import World

Make = Callable[[int], World]
"""Takes a seed."""
ENVIROINFO2025: Final = "ENVIROINFO2025"
"""Environment variable: a checkout of github.com/hm-green-it-lab/enviroinfo2025."""
ASE26: Final = "ASE26"
"""Environment variable: unpacked runs of github.com/hm-green-it-lab/ase26."""
TRACES: Final = "TRACES"
"""Environment variable: a folder of files that ``wattribute dev record`` wrote."""
_ASE26_THREADS: Final = 80.0
"""Two sockets of 20 cores with two threads each (CPU lists in the study's configuration)."""


class NoRecording(Exception):  # noqa: N818 - a state of this machine, not a failure
    """The data of a recording are not on this machine; the message says how to get them."""


@cache
def _enviro(kind: str) -> list[Program]:
    return read_enviroinfo2025(_given(ENVIROINFO2025), kind)


@cache
def _ase26() -> list[Program]:
    return read_ase26(_given(ASE26), _ASE26_THREADS)


_nx12: Final = cache(read_nx12)


def _given(variable: str) -> Path:
    if not (text := os.environ.get(variable)):
        raise NoRecording(f"{variable} is not set: fetch the data and set it to their folder")
    return Path(text)


def _turbo() -> list[Program]:
    return _enviro("_CPU100")


def _no_turbo() -> list[Program]:
    return _enviro("DISABLED_TURBO")


def _superposed(programs: Callable[[], list[Program]], **plan: object) -> Make:
    made = Superposition(**plan)  # type: ignore[arg-type]
    return lambda seed: superpose(programs(), made, seed)


def _on_nx12(**plan: object) -> Make:
    return _superposed(_nx12, tick_s=6.0, pod_threads=None, counters=True, **plan)


def recordings() -> dict[str, Make]:
    """Give all recordings by name: those that are known, and the traces that somebody recorded."""
    return _KNOWN | _traces()


def _traces() -> dict[str, Make]:
    folder = os.environ.get(TRACES)
    files = sorted(Path(folder).glob("*.csv")) if folder else []
    found: dict[str, Make] = {}
    for file in files:
        found[f"{file.stem}, together"] = partial(_together, file)
        found[f"{file.stem}, 16 pods"] = _superposed(partial(_alone, file), pod_threads=None)
    return found


def _together(file: Path, _seed: int) -> World:
    return together(read_trace(file))


@cache
def _alone(file: Path) -> list[Program]:
    return programs_of(read_trace(file))


_KNOWN: Final[dict[str, Make]] = {
    "enviro turbo, 16 pods": _superposed(_turbo),
    "enviro no turbo, 16 pods": _superposed(_no_turbo),
    "enviro turbo, 8 pods": _superposed(_turbo, pods=8),
    "enviro turbo, 32 pods": _superposed(_turbo, pods=32),
    "enviro turbo, 32 pods of 8 owners": _superposed(_turbo, pods=32, one_owner_per_program=True),
    "enviro, no pauses": _superposed(_turbo, pause_s=0),
    "ase26, 16 pods": _superposed(_ase26, pod_threads=None),
    "nx12, 16 pods": _on_nx12(),
    "nx12, 5 pods": _on_nx12(pods=5),
}
