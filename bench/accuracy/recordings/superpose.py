"""Puts recorded programs on one machine: pods replay them, with pauses.

Real are W per thread, its phases, and how it depends on the program's own load. Made are the
mix, the pauses, and the curve that all have in common. The truth is what was recorded, times
that curve.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.accuracy.recordings.program import Program
from bench.accuracy.worlds.world import Array, Counters, World

_STREAM: Final = 77
_IDLE_WATTS: Final = 40.0
_FALL: Final = 0.3
"""W per thread at full load is less than alone by this part, and by a tenth for the clock."""
_NOISE, _NOISE_WATTS = 0.004, 0.3
_COLUMNS: Final = 5
"""Of a replay: use, watts, cycles, instructions, misses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Superposition:
    """How programs are put together."""

    pods: int = 16
    hours: float = 2.0
    tick_s: float = 4.0
    pause_s: float = 120.0
    """Mean pause between two runs of a pod's program; 0: none."""
    pod_threads: float | None = 4.0
    """Threads of the machine for each pod; None: what the pods use in all but 1 % of the time."""
    counters: bool = False
    one_owner_per_program: bool = False


def superpose(programs: Sequence[Program], plan: Superposition, seed: int) -> World:
    """Return the world in which pod number i replays program i (modulo their number)."""
    random = np.random.default_rng([seed, _STREAM])
    step_s = programs[0].step_s
    steps = round(plan.tick_s / step_s)
    ticks = int(plan.hours * 3600 / plan.tick_s)
    replays = np.stack(
        [
            _replay(random, programs[pod % len(programs)], plan.pause_s, ticks * steps)
            for pod in range(plan.pods)
        ],
        axis=1,
    )
    use, watts, *events = replays.reshape(ticks, steps, plan.pods, _COLUMNS).mean(1).T
    use, watts = use.T, watts.T
    total = use.sum(1)
    threads = (
        float(np.quantile(total, 0.99))
        if plan.pod_threads is None
        else plan.pod_threads * plan.pods
    )
    load = np.minimum(total / threads, 1)
    watts = watts * ((1 - _FALL * load) * (1 - 0.1 * load))[:, None]
    power = _IDLE_WATTS + watts.sum(1)
    power = power * (1 + random.normal(0, _NOISE, ticks)) + random.normal(0, _NOISE_WATTS, ticks)
    owners = np.arange(plan.pods)
    return World(
        tick_s=plan.tick_s,
        threads=threads,
        use=use,
        true_watts=watts,
        power_watts=power,
        floor_watts=_IDLE_WATTS,
        owners=owners % len(programs) if plan.one_owner_per_program else owners,
        counters=Counters(*(event.T for event in events)) if plan.counters else None,
    )


def _replay(random: np.random.Generator, program: Program, pause_s: float, steps: int) -> Array:
    """Return (steps, 5): pause and program in turn, the first time from somewhere within it."""
    events = program.events
    none = np.zeros(len(program.use))
    columns = (none, none, none)
    if events is not None:
        columns = (events.cycles, events.instructions, events.misses)
    recorded = np.column_stack([program.use, program.watts, *columns])
    parts: list[Array] = []
    length = 0
    while length < steps:
        pause = int(random.exponential(pause_s) / program.step_s) if pause_s else 0
        start = 0 if parts else int(random.integers(0, len(recorded)))
        parts += [np.zeros((pause, _COLUMNS)), recorded[start:]]
        length += pause + len(recorded) - start
    return np.concatenate(parts)[:steps]
