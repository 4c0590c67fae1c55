"""Use of the workloads over time: smooth, on and off, steady, periodic or constant."""

from collections.abc import Callable
from typing import Final

import numpy as np

from bench.accuracy.worlds.plan import Plan
from bench.accuracy.worlds.world import Array

_FASTEST_S, _SLOWEST_S = 10.0, 300.0
"""Time constants of smooth loads."""
_COMMON_S: Final = 600.0


def stationary_noise(
    random: np.random.Generator, ticks: int, columns: int, memory: Array | float, sd: float = 1.0
) -> Array:
    """Return (ticks, columns) of first-order noise whose variance is the same at all times.

    Args:
        random: the source.
        ticks: length.
        columns: independent series.
        memory: correlation of one tick with the next, exp(-tick / time constant); one for
            all, or one each.
        sd: standard deviation.
    """
    memory = np.broadcast_to(np.asarray(memory, float), (columns,))
    shocks = random.normal(0, 1, (ticks, columns))
    state, gain = shocks[0].copy(), np.sqrt(1 - memory * memory)
    series = np.empty((ticks, columns))
    for tick, shock in enumerate(shocks):
        state = memory * state + gain * shock
        series[tick] = state
    return series * sd


def draw_loads(random: np.random.Generator, plan: Plan, ticks: int) -> tuple[Array, Array]:
    """Return (n,) the mean use, and (ticks, n) the use of each workload, in threads."""
    n, tick_s = plan.workloads, plan.tick_s
    mean_use = np.exp(random.normal(0, plan.size_spread, n))
    mean_use *= plan.threads * plan.load / mean_use.sum()
    own_memory = np.exp(-tick_s / random.uniform(_FASTEST_S, _SLOWEST_S, n))
    own = stationary_noise(random, ticks, n, own_memory)
    common = stationary_noise(random, ticks, 1, np.exp(-tick_s / _COMMON_S))
    mixed = np.sqrt(1 - plan.common) * own + np.sqrt(plan.common) * common
    shape = np.exp(plan.load_spread * mixed - plan.load_spread**2 / 2)
    at_s = np.arange(ticks) * tick_s
    names, parts = list(plan.kinds), np.array(list(plan.kinds.values()))
    for column, kind in enumerate(random.choice(names, n, p=parts / parts.sum())):
        if kind in _SHAPES:
            together = np.exp(np.sqrt(plan.common) * 0.3 * common[:, 0])
            shape[:, column] = _SHAPES[kind](random, at_s, own[:, column], together)
    return mean_use, mean_use * shape


def _on_off(random: np.random.Generator, at_s: Array, own: Array, together: Array) -> Array:
    """Batch work: busy and nearly idle in turn, each for one to seven minutes on average."""
    mean_s = random.uniform(60, 400)
    switches = np.cumsum(random.exponential(mean_s, int(_span(at_s) / 30) + 2))
    return np.exp(0.15 * own) * (0.05 + 1.9 * (np.searchsorted(switches, at_s) % 2)) * together


def _steady(_random: np.random.Generator, _at_s: Array, own: Array, _together: Array) -> Array:
    return np.exp(0.1 * own)


def _cron(random: np.random.Generator, at_s: Array, own: Array, _together: Array) -> Array:
    """Little, and a burst of about a minute every four to fifteen minutes."""
    period_s, width_s = random.uniform(240, 900), random.uniform(30, 90)
    busy = (at_s + random.uniform(0, period_s)) % period_s < width_s
    return 0.1 + busy * period_s / width_s * 0.7 * np.exp(0.1 * own)


def _constant(_random: np.random.Generator, at_s: Array, _own: Array, _together: Array) -> Array:
    return np.ones(len(at_s))


def _span(at_s: Array) -> float:
    return float(len(at_s) * (at_s[1] - at_s[0]))


_SHAPES: Final[dict[str, Callable[[np.random.Generator, Array, Array, Array], Array]]] = {
    "on-off": _on_off,
    "steady": _steady,
    "cron": _cron,
    "constant": _constant,
}
