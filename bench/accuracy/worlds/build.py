"""From a plan and a seed to a world."""

import numpy as np

from bench.accuracy.worlds.machine import (
    cap_power,
    draw_clock,
    meter_power,
    rough_machine,
    smooth_machine,
)
from bench.accuracy.worlds.mix import Mix, draw_mix
from bench.accuracy.worlds.plan import Plan
from bench.accuracy.worlds.world import Array, Counters, World

_STREAM = 20261130
"""Tells these worlds' random numbers from those of other programs with the same seeds."""
_NOMINAL_HZ = 3e9
_MISSES_PER_CYCLE = 1e-3


def build(plan: Plan, seed: int) -> World:
    """Return the world of a plan; the same seed always gives the same world."""
    random = np.random.default_rng([seed, _STREAM])
    ticks = int(plan.hours * 3600 / plan.tick_s)
    mix = draw_mix(random, plan, ticks)
    governor = draw_clock(random, plan, ticks)
    if plan.rough and not plan.equal:
        watts, clock = rough_machine(random, plan, mix, governor)
    else:
        watts, clock = smooth_machine(plan, mix, governor)
    watts = cap_power(plan, watts)
    power = meter_power(random, plan, watts.sum(1))
    return World(
        tick_s=plan.tick_s,
        threads=plan.threads,
        use=mix.use,
        true_watts=watts,
        power_watts=power,
        floor_watts=plan.idle_watts + plan.floor_error_watts,
        owners=mix.owners,
        clock=clock if plan.clock_readable else None,
        counters=_counters(random, plan, mix, clock) if plan.counters else None,
    )


def _counters(random: np.random.Generator, plan: Plan, mix: Mix, clock: Array) -> Counters:
    """Events that go with the true cost, but not exactly: instructions per cycle and misses."""
    shape = mix.use.shape
    cost = np.log(mix.cost / plan.watts_per_core)
    own = random.normal(0, 0.15, shape[1])
    per_cycle = 0.6 * cost + own + random.normal(0, 0.05, shape)
    misses = 0.5 * (mix.memory - mix.memory.mean()) + random.normal(0, 0.1, shape)
    cycles = mix.use * _NOMINAL_HZ * clock[:, None]
    return Counters(
        cycles=cycles,
        instructions=cycles * np.exp(per_cycle),
        misses=cycles * _MISSES_PER_CYCLE * np.exp(misses),
    )
