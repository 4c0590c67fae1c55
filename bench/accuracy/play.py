"""Plays a world through all methods at once, and counts what each reported."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.accuracy.methods.method import EventRates, Method, Split, Tick
from bench.accuracy.worlds.world import Array, World

BAND: Final = 1.645
"""Half width of a 90 % band in standard deviations."""


@dataclass(slots=True)
class Reported:
    """What one method reported of n workloads in the scored part of a world."""

    joules: Array
    """(n,)"""
    low: Array
    """(n,) the 90 % band, added up tick by tick: errors of one workload last."""
    high: Array
    idle_joules: float
    banded: bool
    """Whether the method gives a band at all."""
    tick_seconds: list[float]
    """CPU time of each tick, of the whole world."""

    @classmethod
    def nothing(cls, columns: int) -> "Reported":
        """Start with nothing reported."""
        return cls(np.zeros(columns), np.zeros(columns), np.zeros(columns), 0.0, False, [])  # noqa: FBT003

    def add(self, rows: NDArray[np.intp], split: Split, tick_s: float) -> None:
        """Add one tick's joules."""
        joules = split.watts * tick_s
        self.joules[rows] += joules
        self.idle_joules += split.idle_watts * tick_s
        if split.deviation is not None:
            self.banded = True
            self.low[rows] += joules * np.exp(-BAND * split.deviation)
            self.high[rows] += joules * np.exp(BAND * split.deviation)


def play(
    world: World, methods: Sequence[type[Method]], scored_from: float = 0.5
) -> dict[str, Reported]:
    """Return what each method reported from a part of the world on.

    Args:
        world: what to play.
        methods: those that need counters are left out where there are none. While nobody runs
            none is asked: all power is idle.
        scored_from: how much of the world is only learned from, as a part of 1.
    """
    counted = world.counters is not None
    able = [kind(counted) for kind in methods if counted or not kind.needs_counters]
    reports = {method.name: Reported.nothing(world.use.shape[1]) for method in able}
    for number in range(world.ticks):
        rows = np.flatnonzero(world.use[number] > 0)
        scored = number >= first_scored(world, scored_from)
        tick = _tick(world, number, rows)
        for method in able:
            report = reports[method.name]
            start_s = time.process_time()
            split = method.split(tick) if len(rows) else Split(tick.use, tick.power_watts)
            report.tick_seconds.append(time.process_time() - start_s)
            if scored:
                report.add(rows, split, world.tick_s)
    return reports


def first_scored(world: World, scored_from: float) -> int:
    """Return the number of the first tick that is scored."""
    return int(world.ticks * scored_from)


def _tick(world: World, number: int, rows: NDArray[np.intp]) -> Tick:
    counters = world.counters
    return Tick(
        tick_s=world.tick_s,
        owners=world.owners[rows].tolist(),
        use=world.use[number, rows],
        threads=world.threads,
        power_watts=float(world.power_watts[number]),
        floor_watts=world.floor_watts,
        clock=None if world.clock is None else float(world.clock[number]),
        events=None
        if counters is None
        else EventRates(
            counters.cycles[number, rows],
            counters.instructions[number, rows],
            counters.misses[number, rows],
        ),
        limit_watts=world.limit_watts,
    )
