"""Which workloads run when, and what a CPU-second of each costs over time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.accuracy.worlds.loads import draw_loads, stationary_noise
from bench.accuracy.worlds.plan import Plan
from bench.accuracy.worlds.world import Array

_DRIFT_S = 1800.0
_PHASE_SPREAD = 0.35
_JOB_MEAN_S, _JOB_LEAST_S = 60.0, 5.0


@dataclass(slots=True)
class Mix:
    """All workloads of a plan; n grows where some end and others begin."""

    use: Array
    """(ticks, n) threads."""
    cost: Array
    """(ticks, n) W per core of each, alone on the machine."""
    memory: Array
    """(n,) how much of its time a workload waits for memory, 0 to 1."""
    mean_use: Array
    """(n,) threads."""
    owners: NDArray[np.int64]


def draw_mix(random: np.random.Generator, plan: Plan, ticks: int) -> Mix:
    """Draw the workloads, apply the effects of the plan on them, and fit them into the machine."""
    mix = _first(random, plan, ticks)
    if plan.short_jobs:
        _add_short_jobs(random, plan, mix)
    if plan.life_s:
        _end_and_replace(random, plan, mix)
    total = mix.use.sum(1, keepdims=True)
    mix.use = mix.use * np.minimum(1, plan.threads / np.maximum(total, 1e-9))
    if not plan.equal:
        _drift(random, plan, mix)
        _change_phases(random, plan, mix)
    return mix


def _costs(random: np.random.Generator, plan: Plan, number: int) -> Array:
    spread = 0.0 if plan.equal else plan.cost_spread
    return plan.watts_per_core * np.exp(random.normal(0, spread, number))


def _first(random: np.random.Generator, plan: Plan, ticks: int) -> Mix:
    owners = np.arange(plan.workloads) // plan.replicas
    number = int(owners[-1]) + 1
    cost = _costs(random, plan, number)[owners]
    if plan.given_watts is not None:
        cost = np.array(plan.given_watts)
    memory = random.random(number)[owners] ** 2
    mean_use, use = draw_loads(random, plan, ticks)
    return Mix(use, np.tile(cost, (ticks, 1)), memory, mean_use, owners)


def _add_short_jobs(random: np.random.Generator, plan: Plan, mix: Mix) -> None:
    """Half of the load becomes jobs that have no owner in common and live for about a minute."""
    ticks, number = len(mix.use), plan.short_jobs
    start_s = random.uniform(0, ticks * plan.tick_s, number)
    life_s = random.exponential(_JOB_MEAN_S, number) + _JOB_LEAST_S
    at_s = np.arange(ticks)[:, None] * plan.tick_s
    alive = (at_s >= start_s) & (at_s < start_s + life_s)
    jobs = alive * np.exp(random.normal(-0.7, 0.6, number))
    jobs *= plan.threads * plan.load * 0.5 * ticks / max(jobs.sum(), 1e-9)
    mix.use = np.hstack([mix.use * 0.5, jobs])
    mix.cost = np.hstack([mix.cost, np.tile(_costs(random, plan, number), (ticks, 1))])
    mix.memory = np.r_[mix.memory, random.random(number) ** 2]
    mix.mean_use = np.r_[mix.mean_use, np.full(number, 0.5)]
    mix.owners = np.r_[mix.owners, len(mix.owners) + np.arange(number)]


def _end_and_replace(random: np.random.Generator, plan: Plan, mix: Mix) -> None:
    """Workloads end at random; a new one with another cost takes over the load of each."""
    ticks, places = mix.use.shape
    current, cost_now, born = np.arange(places), mix.cost[0].copy(), places
    who, costs = np.empty((ticks, places), np.int64), np.empty((ticks, places))
    for tick in range(ticks):
        ended = random.random(places) < plan.tick_s / plan.life_s
        if ended.any():
            number = int(ended.sum())
            current[ended] = born + np.arange(number)
            born += number
            if not plan.equal:
                cost_now[ended] = _costs(random, plan, number)
        who[tick], costs[tick] = current, cost_now
    rows = np.repeat(np.arange(ticks), places)
    use, cost = np.zeros((ticks, born)), np.full((ticks, born), plan.watts_per_core)
    use[rows, who.ravel()], cost[rows, who.ravel()] = mix.use.ravel(), costs.ravel()
    memory, mean_use = np.zeros(born), np.zeros(born)
    memory[who], mean_use[who] = mix.memory, mix.mean_use
    mix.use, mix.cost, mix.memory, mix.mean_use = use, cost, memory, mean_use
    mix.owners = np.arange(born)


def _drift(random: np.random.Generator, plan: Plan, mix: Mix) -> None:
    if plan.cost_drift:
        ticks, columns = mix.cost.shape
        memory = float(np.exp(-plan.tick_s / _DRIFT_S))
        drift = stationary_noise(random, ticks, columns, memory, plan.cost_drift)
        mix.cost = mix.cost * np.exp(drift)


def _change_phases(random: np.random.Generator, plan: Plan, mix: Mix) -> None:
    if not plan.phase_s:
        return
    ticks = len(mix.cost)
    at_s, most = np.arange(ticks) * plan.tick_s, int(plan.hours * 3600 / plan.phase_s * 3) + 3
    for column in range(mix.cost.shape[1]):
        phase = np.searchsorted(np.cumsum(random.exponential(plan.phase_s, most)), at_s)
        mix.cost[:, column] *= np.exp(random.normal(0, _PHASE_SPREAD, phase.max() + 1))[phase]
