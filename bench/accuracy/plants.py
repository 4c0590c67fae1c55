"""Learned weights and CPU time beside the plant: real processes, real agents, known truth."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from msgspec.structs import replace

from bench.accuracy.energies import REST, Energy, energies, sum_of_errors
from bench.agent import Agent
from bench.crowd import why_no_containers
from bench.figure import Figure, at_most, shown, unmeasured
from wattribute_testing.plant import Burn, Churn, Group, Levels, Plant, Scenario

SECTION: Final = "plants"
_WEIGHTS: Final = ("time", "learned")
_FLOOR_WATTS: Final = 10.0
_DRAM_FLOOR_WATTS: Final = 2.0
_LEVELS_S: Final = 17.0
_MOST_OFF: Final = 10.0
_EQUAL_MOST_OFF: Final = 1.0
_MOST_EXCESS: Final = 1.0
_PODS: Final = 20
_COST_SPREAD: Final = 0.35
"""Standard deviation of ln(W per core) of the pods, as in the worlds."""
Parts = dict[str, Energy]


@dataclass(frozen=True, slots=True)
class Spans:
    """How long a plant runs before anything is counted, and for how long it is counted."""

    learn_s: float
    count_s: float


FULL: Final = Spans(learn_s=600.0, count_s=90.0)
QUICK: Final = Spans(learn_s=60.0, count_s=20.0)


@dataclass(frozen=True, slots=True)
class _Case:
    """One plant, and who judges it."""

    name: str
    scenario: Scenario
    judge: Callable[[str, dict[str, Parts]], Iterator[Figure]]


def run(spans: Spans) -> Iterator[Figure]:
    """Play each plant with both ways of sharing at once."""
    if why := why_no_containers():
        yield unmeasured(SECTION, "joules per container", f"<= {_MOST_OFF:g} %", why)
        return
    for case in _cases(spans.learn_s + spans.count_s + 60):
        parts = _play(case.scenario, spans.learn_s, spans.count_s)
        yield from case.judge(case.name, parts)


def _cases(total_s: float) -> Iterator[_Case]:
    """Give the plants, whose loads vary for so long; the pair of the target comes first."""
    machine = Scenario(floor_watts=_FLOOR_WATTS, dram_floor_watts=_DRAM_FLOOR_WATTS)
    pair = replace(machine, groups=_varying(total_s, {"hot": 10.0, "cool": 4.0}))
    equal = replace(machine, groups=_varying(total_s, {"a": 4.0, "b": 4.0}))
    yield _Case("10 v 4 W per core", pair, partial(judge_each, most=_MOST_OFF))
    yield _Case("equal pair", equal, partial(judge_each, most=_EQUAL_MOST_OFF))
    yield _Case("20 pods", replace(machine, groups=_pods(total_s)), judge_sum)
    yield _Case("churn", replace(machine, groups=_with_churn(total_s)), judge_sum)
    yield _Case("10 v 4, concave curve", replace(pair, full_load_factor=0.6), judge_sum)
    yield _Case("10 v 4, SMT siblings", replace(pair, corun_factor=0.65), judge_sum)
    yield _Case("10 v 4, power cap", replace(pair, cap_watts=_FLOOR_WATTS + 8.0), judge_sum)


def _levels(total_s: float, seed: int, low: float, high: float) -> Levels:
    return Levels(every_s=_LEVELS_S, low=low, high=high, seed=seed, for_s=total_s)


def _varying(total_s: float, watts: dict[str, float]) -> tuple[Group, ...]:
    """One process each, whose load is drawn anew every 17 s."""
    return tuple(
        Group(
            name=name, watts_per_core=own, commands=(Burn(load=_levels(total_s, seed, 0.05, 0.8)),)
        )
        for seed, (name, own) in enumerate(watts.items(), 1)
    )


def _pods(total_s: float) -> tuple[Group, ...]:
    """Twenty pods that together use about half of the machine."""
    random = np.random.default_rng(20)
    watts = 4 * np.exp(random.normal(0, _COST_SPREAD, _PODS))
    high = min(1.0, len(os.sched_getaffinity(0)) / _PODS)
    return tuple(
        Group(
            name=f"pod{number}",
            watts_per_core=round(float(own), 3),
            commands=(Burn(load=_levels(total_s, 100 + number, 0.0, high)),),
        )
        for number, own in enumerate(watts)
    )


def _with_churn(total_s: float) -> tuple[Group, ...]:
    """A container of processes that live for some milliseconds, beside two whose load varies."""
    per_second = 20.0
    number = round(per_second * total_s)
    churn = Churn(processes=number, burst_ms=8, per_second=per_second, lanes=2)
    return (
        Group(name="churn", watts_per_core=8.0, commands=(churn,)),
        *_varying(total_s, {"hot": 6.0, "cool": 3.0}),
    )


def _play(scenario: Scenario, learn_s: float, count_s: float) -> dict[str, Parts]:
    """Return who used what by each way of sharing, after the time for learning."""
    floors = f"package-0={_FLOOR_WATTS:g},dram-0={_DRAM_FLOOR_WATTS:g}"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        plant = stack.enter_context(Plant(folder, scenario))
        flags = (
            *("--sysfs", str(plant.sysfs), "--meters", "rapl", "--interval", "1"),
            *("--idle-policy", "none", "--idle-watts", floors),
        )
        agents = {
            weight: stack.enter_context(Agent(*flags, settings={"attribution.weight": weight}))
            for weight in _WEIGHTS
        }
        for agent in agents.values():
            agent.wait(3)
        time.sleep(learn_s)
        before = {weight: agent.snapshot() for weight, agent in agents.items()}
        time.sleep(count_s)
        after = {weight: agent.snapshot() for weight, agent in agents.items()}
        time.sleep(1.0)  # the plant's journal is written to disk twice a second
        truth, journal = plant.truth(), plant.journal()
    return {
        weight: energies(truth, journal, before[weight], after[weight], "cpu")
        for weight in _WEIGHTS
    }


def judge_each(name: str, parts: dict[str, Parts], most: float) -> Iterator[Figure]:
    """Say how far off each container is; the rest of the machine is not ours to make."""
    for group, energy in parts["learned"].items():
        if group != REST:
            by_time = parts["time"][group].off_percent
            yield at_most(
                SECTION, f"{name}: {group}", abs(energy.off_percent), most=most, unit="%",
                note=f"{energy.off_percent:+.1f} %; CPU time {by_time:+.1f} %",
            )  # fmt: skip


def judge_sum(name: str, parts: dict[str, Parts]) -> Iterator[Figure]:
    """Say how far off all are together, the rest of the machine included, against CPU time."""
    by_time, learned = sum_of_errors(parts["time"]), sum_of_errors(parts["learned"])
    yield at_most(
        SECTION, f"{name}: sum of errors", learned, most=round(by_time + _MOST_EXCESS, 1), unit="%",
        note=f"CPU time {by_time:.1f} %",
    )  # fmt: skip
    worst = max(
        (energy for group, energy in parts["learned"].items() if group != REST),
        key=lambda energy: abs(energy.off_percent),
    )
    yield shown(SECTION, f"{name}: worst container", abs(worst.off_percent), "%")
