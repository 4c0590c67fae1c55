"""A machine with known truth, whose curve and loads the learner does not know."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import WorkloadKey
from wattribute.node.attribution.learned import Learner, Observation

Floats = NDArray[np.float64]

FLOOR_W = 40.0
TICK_S = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """T ticks of n workloads."""

    use: Floats
    """(T, n) busy threads."""
    dynamic_w: Floats
    """(T, n) the truth."""
    power_w: Floats
    """(T,) as the meter reads it."""
    threads: float = 64.0

    def observation(self, tick: int) -> Observation:
        """What the agent sees of a tick."""
        rows = np.flatnonzero(self.use[tick] > 0)
        return Observation(
            keys=[key(int(row)) for row in rows],
            use=self.use[tick, rows],
            threads=self.threads,
            above_w=float(self.power_w[tick]) - FLOOR_W,
            power_w=float(self.power_w[tick]),
            elapsed_s=TICK_S,
        )


def key(number: int) -> WorkloadKey:
    """The key of a workload."""
    return WorkloadKey("Deployment", f"workload-{number}", "shop", "main")


def made(seed: int, watts: Floats, *, hours: float = 2.0, vary: float = 0.6) -> World:
    """Make a world of loads that wander, on a concave curve.

    Args:
        seed: of the random numbers.
        watts: (n,) per busy thread of each workload, on an idle machine.
        hours: how long.
        vary: how far loads wander; 0: they are constant.
    """
    random = np.random.default_rng(seed)
    ticks, count, threads = int(hours * 3600 / TICK_S), len(watts), 64.0
    base = np.exp(random.normal(0, 0.7, count))
    base *= 0.4 * threads / base.sum()
    memory = np.exp(-TICK_S / random.uniform(20, 300, count))
    steps = random.normal(0, 1, (ticks, count)) * np.sqrt(1 - memory**2)
    level = np.zeros((ticks, count))
    for tick in range(1, ticks):
        level[tick] = memory * level[tick - 1] + steps[tick]
    use = base * np.exp(vary * level)
    use *= np.minimum(1.0, threads / use.sum(axis=1))[:, None]
    load = use.sum(axis=1) / threads
    per_thread = (1 - 0.35 * load) * (1 - 0.2 * load) ** 2.2
    dynamic_w = use * watts * per_thread[:, None]
    power_w = FLOOR_W + dynamic_w.sum(axis=1)
    power_w = power_w * (1 + random.normal(0, 0.004, ticks)) + random.normal(0, 0.3, ticks)
    return World(use, dynamic_w, power_w)


def mixed(seed: int, count: int, spread: float = 0.35) -> Floats:
    """(count,) watts per thread that differ by a standard deviation of ``spread`` in ln."""
    return np.asarray(4.0 * np.exp(np.random.default_rng([seed, 1]).normal(0, spread, count)))


@dataclass(frozen=True, slots=True)
class Score:
    """Errors of the second half, in percent of the dynamic energy."""

    time: float
    """Shared by CPU time."""
    learned: float
    covered: float
    """Percent of workloads whose true energy lies in their band."""


def play(world: World, learner: Learner) -> Score:
    """Let a learner share the world's energy."""
    ticks, count = world.use.shape
    learned, by_time, low, high = (np.zeros(count) for _ in range(4))
    for tick in range(ticks):
        seen = world.observation(tick)
        weights, deviation = learner.tick(seen)
        if tick < ticks // 2:
            continue
        rows = np.flatnonzero(world.use[tick] > 0)
        share = seen.use * weights / (seen.use @ weights) * seen.above_w
        learned[rows] += share
        low[rows] += share * np.exp(-1.645 * deviation)
        high[rows] += share * np.exp(1.645 * deviation)
        by_time[rows] += seen.use / seen.use.sum() * seen.above_w
    truth = world.dynamic_w[ticks // 2 :].sum(axis=0)
    truth *= learned.sum() / truth.sum()
    whole = truth.sum() / 100
    return Score(
        time=float(np.abs(by_time - truth).sum() / whole),
        learned=float(np.abs(learned - truth).sum() / whole),
        covered=100 * float(np.mean((low <= truth) & (truth <= high))),
    )
