"""What the workloads draw together: smooth and rough machines, caps, and the meter."""

import numpy as np

from bench.accuracy.worlds.mix import Mix
from bench.accuracy.worlds.plan import Plan
from bench.accuracy.worlds.world import Array

_CLOCKS = np.array([1.0, 0.7, 0.85])
"""Relative to nominal, of three governors in turn."""


def draw_clock(random: np.random.Generator, plan: Plan, ticks: int) -> Array:
    """Return (ticks,) the clock that the governor allows, relative to nominal."""
    if not plan.governor_s:
        return np.ones(ticks)
    switches = np.cumsum(random.exponential(plan.governor_s, 200))
    return _CLOCKS[np.searchsorted(switches, np.arange(ticks) * plan.tick_s) % len(_CLOCKS)]


def smooth_machine(plan: Plan, mix: Mix, clock: Array) -> tuple[Array, Array]:
    """Return (ticks, n) true watts and (ticks,) the mean clock: one curve for everybody."""
    load = mix.use.sum(1) / plan.threads
    if plan.concave:
        curve = load**-plan.concave * 0.6
    elif plan.smt > 1:  # physical cores fill first; a sibling then adds 30 %
        curve = np.where(load < 0.5, 1.0, (0.5 + 0.3 * (load - 0.5)) / np.maximum(load, 1e-9))
    else:
        fall = (1 - 0.2 * plan.turbo * load) ** 2.2
        curve = (1 - 0.35 * plan.smt * load) * fall * clock**plan.clock_exponent
    return mix.use * mix.cost * curve[:, None], clock * (1 - 0.2 * load)


def rough_machine(
    random: np.random.Generator, plan: Plan, mix: Mix, clock: Array
) -> tuple[Array, Array]:
    """Return (ticks, n) true watts and (ticks,) the mean clock.

    Each workload loses its own part to an SMT sibling, more beside workloads that wait for
    memory like itself. Its cores clock lower while they are hardly used. Workloads that wait for
    memory slow each other down once the bandwidth is used up.
    """
    use, memory = mix.use, mix.memory
    total = use.sum(1)
    load = total / plan.threads
    share = use / np.maximum(total, 1e-9)[:, None]
    memory_around = (share * memory).sum(1)[:, None]
    siblings = 0.5 * np.clip(2 - plan.threads / np.maximum(total, 1e-9), 0, 1) + 0.5 * load
    loss = random.uniform(0.15, 0.5, len(memory))
    loss = loss + 0.2 * memory * memory_around - 0.1 * memory * (1 - memory_around)
    hardly_used = 0.8 + 0.2 * np.minimum(1, use / np.maximum(2 * mix.mean_use, 1e-9))
    turbo = 1 - 0.25 * load[:, None] ** 0.8 * plan.turbo
    own_clock = clock[:, None] * turbo * hardly_used
    wanted = (use * memory).sum(1) / (0.25 * plan.threads)
    waiting = np.minimum(0.4, np.maximum(0, wanted - 0.8)[:, None] * 0.4)
    watts = use * mix.cost * (1 - (siblings * plan.smt)[:, None] * loss)
    watts = watts * own_clock**plan.clock_exponent * (1 - memory * waiting)
    return watts, clock * (1 - 0.25 * load**0.8)


def cap_power(plan: Plan, true_watts: Array) -> Array:
    """Return what remains under the firmware's cap, which slows everybody down alike."""
    if not plan.power_cap_quantile:
        return true_watts
    total = true_watts.sum(1)
    most = np.quantile(total, plan.power_cap_quantile)
    return true_watts * np.minimum(1, most / np.maximum(total, 1e-9))[:, None]


def meter_power(random: np.random.Generator, plan: Plan, total_watts: Array) -> Array:
    """Return (ticks,) what the meter shows: idle power that wanders, leakage, delay and noise."""
    ticks = len(total_watts)
    steps = random.normal(0, 0.02, ticks).cumsum() * plan.idle_walk * np.sqrt(plan.tick_s / 5)
    idle = plan.idle_watts + np.convolve(steps, np.ones(50) / 50, "same")
    if plan.rough and not plan.equal:
        slow = _three_minutes(plan, total_watts)
        idle = idle + plan.leakage * (slow - slow.mean())
    power = idle + total_watts
    if plan.meter_window_s > plan.tick_s:
        width = round(plan.meter_window_s / plan.tick_s)
        power = np.convolve(power, np.ones(width) / width)[:ticks]
    if delay := round(plan.meter_delay_s / plan.tick_s):
        power = np.r_[np.full(delay, power[0]), power[:-delay]]
    power = power * (1 + random.normal(0, plan.meter_noise, ticks))
    return power + random.normal(0, plan.meter_noise_watts, ticks)


def _three_minutes(plan: Plan, watts: Array) -> Array:
    """Mean over about the last three minutes: the temperature that leakage follows."""
    memory, level = np.exp(-plan.tick_s / 180), watts[:20].mean()
    series = np.empty(len(watts))
    for tick, value in enumerate(watts):
        level = memory * level + (1 - memory) * value
        series[tick] = level
    return series
