"""Worlds made of recordings, by name, and where their data come from."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from bench.accuracy.recordings.greenlab import read_ase26, read_enviroinfo2025
from bench.accuracy.recordings.nx12 import read_nx12
from bench.accuracy.recordings.program import Program
from bench.accuracy.recordings.superpose import Superposition

ENVIROINFO2025: Final = "ENVIROINFO2025"
"""Environment variable: a checkout of github.com/hm-green-it-lab/enviroinfo2025."""
ASE26: Final = "ASE26"
"""Environment variable: unpacked runs of github.com/hm-green-it-lab/ase26."""
_ASE26_THREADS: Final = 80.0
"""Two sockets of 20 cores with two threads each (CPU lists in the study's configuration)."""


class NoRecording(Exception):  # noqa: N818 - a state of this machine, not a failure
    """The data of a recording are not on this machine; the message says how to get them."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Programs, and how they are put on one machine."""

    programs: Callable[[], list[Program]]
    plan: Superposition


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


_OF_NX12: Final = MappingProxyType({"tick_s": 6.0, "pod_threads": None})


def _on_nx12(**plan: object) -> Recorded:
    return Recorded(_nx12, Superposition(**_OF_NX12, **plan))  # type: ignore[arg-type]


RECORDINGS: Final[Mapping[str, Recorded]] = MappingProxyType(
    {
        "enviro turbo, 16 pods": Recorded(_turbo, Superposition()),
        "enviro no turbo, 16 pods": Recorded(_no_turbo, Superposition()),
        "enviro turbo, 8 pods": Recorded(_turbo, Superposition(pods=8)),
        "enviro turbo, 32 pods": Recorded(_turbo, Superposition(pods=32)),
        "enviro turbo, 32 pods of 8 owners": Recorded(
            _turbo, Superposition(pods=32, one_owner_per_program=True)
        ),
        "enviro, no pauses": Recorded(_turbo, Superposition(pause_s=0)),
        "ase26, 16 pods": Recorded(_ase26, Superposition(pod_threads=None)),
        "nx12, 16 pods": _on_nx12(),
        "nx12, 16 pods, PMU": _on_nx12(counters=True),
        "nx12, 5 pods": _on_nx12(pods=5),
        "nx12, 5 pods, PMU": _on_nx12(pods=5, counters=True),
    }
)
