"""Joules per consumer against the plant's truth, at three loads and with three kinds of floor.

All agents of a load run at the same time beside one plant, each with its own
floor: given; learned beforehand by an agent at 0 to 15 % load, from its state
file; and none (basis ``prior``), which has no target.
"""

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from bench.accuracy.energies import REST, energies
from bench.agent import Agent
from bench.crowd import why_no_containers
from bench.figure import Figure, at_most, shown, unmeasured
from wattribute_testing.plant import Burn, Group, Journal, Plant, Scenario, Truth

SECTION: Final = "plant accuracy"
_FLOORS: Final = {"package-0": 10.0, "dram-0": 2.0}
_COMPONENTS: Final = ("cpu", "dram")
_LOADS: Final = (10, 50, 100)
_MOST_OFF: Final = 2.0
_LEARN_S: Final = 240.0
"""At most; it ends when the floor is learned and the window is over."""
_GIVEN: Final = ("--idle-watts", ",".join(f"{z}={w:g}" for z, w in _FLOORS.items()))


def run(window_s: float) -> Iterator[Figure]:
    """One learning run, one run per load, and one with unequal watts."""
    if why := why_no_containers():
        yield unmeasured(SECTION, "joules per container", f"<= {_MOST_OFF:g} %", why)
        return
    with tempfile.TemporaryDirectory() as folder:
        states = Path(folder)
        yield from _learn(states / "learned", window_s)
        for load in _LOADS:
            yield from _at_load(load, window_s, states)
        yield from _unequal(window_s)


def _scenario(load: float, watts: Mapping[str, float]) -> Scenario:
    """Two containers that together keep ``load`` of all CPUs busy."""
    cpus = len(os.sched_getaffinity(0))
    return Scenario(
        floor_watts=_FLOORS["package-0"],
        dram_floor_watts=_FLOORS["dram-0"],
        groups=tuple(
            Group(name=name, watts_per_core=w, commands=(Burn(load=load, count=max(1, cpus // 2)),))
            for name, w in watts.items()
        ),
    )


def _flags(plant: Plant, *more: str) -> tuple[str, ...]:
    return ("--sysfs", str(plant.sysfs), "--meters", "rapl", "--idle-policy", "none", *more)


def _learn(state: Path, least_s: float) -> Iterator[Figure]:
    """What a real machine shows in hours: ticks of 1 s, load up and down between 0 and 15 %."""
    ramp = tuple((float(t), 0.0 if t % 20 == 0 else 0.12) for t in range(0, round(_LEARN_S), 5))
    groups = (Group(name="ramp", commands=(Burn(load=ramp),)),)
    scenario = Scenario(
        groups=groups,
        floor_watts=_FLOORS["package-0"],
        dram_floor_watts=_FLOORS["dram-0"],
    )
    start = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        Plant(Path(folder), scenario) as plant,
        Agent(*_flags(plant, "--interval", "1", "--state", str(state))) as agent,
    ):
        agent.wait()
        zones: dict[str, Any] = {}
        while (seconds := time.monotonic() - start) < _LEARN_S:
            time.sleep(5.0)
            zones = {zone["zone"]: zone for zone in agent.snapshot()["zones"]}
            learned = all(zones[zone]["floor_basis"] == "learned" for zone in _FLOORS)
            if learned and seconds >= least_s:
                break
    for zone, watts in _FLOORS.items():
        floor, basis = zones[zone]["floor_watts"], zones[zone]["floor_basis"]
        if basis == "learned":
            note = f"truth {watts:g} W, after {seconds:.0f} s at 0 to 15 %"
            yield shown(SECTION, f"learned floor of {zone}", floor, "W", note)
        else:
            yield unmeasured(
                SECTION, f"learned floor of {zone}", "",
                f"basis is still {basis}: too few quiet ticks (is the machine busy with others?)",
            )  # fmt: skip


def _at_load(load: int, window_s: float, states: Path) -> Iterator[Figure]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        scenario = _scenario(load / 100, {"a": 4.0, "b": 4.0})
        plant = stack.enter_context(Plant(folder, scenario))
        learned = folder / "state"
        learned.write_bytes((states / "learned").read_bytes())
        agents = {
            "given": stack.enter_context(Agent(*_flags(plant, *_GIVEN))),
            "learned": stack.enter_context(Agent(*_flags(plant, "--state", str(learned)))),
            "prior": stack.enter_context(Agent(*_flags(plant))),
        }
        readings = _watch(agents, window_s)
        bases = {
            name: {zone["floor_basis"] for zone in after["zones"] if zone["zone"] in _FLOORS}
            for name, (_, after) in readings.items()
        }
        truth, journal = plant.truth(), plant.journal()
    for name, (before, after) in readings.items():
        for who, off in _off(truth, journal, before, after, _COMPONENTS).items():
            row = f"{load} % load, floor {name}: {who}"
            if name == "prior":
                yield shown(SECTION, row, off, "%", f"basis {', '.join(sorted(bases[name]))}")
            elif bases[name] != {name}:
                why = f"the floor's basis was {', '.join(sorted(map(str, bases[name])))}"
                yield unmeasured(SECTION, row, f"<= {_MOST_OFF:g} %", why)
            else:
                yield at_most(SECTION, row, off, most=_MOST_OFF, unit="%")


def _unequal(window_s: float) -> Iterator[Figure]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        plant = stack.enter_context(Plant(folder, _scenario(0.5, {"hot": 10.0, "cool": 4.0})))
        agent = stack.enter_context(Agent(*_flags(plant, *_GIVEN)))
        readings = _watch({"given": agent}, window_s)
        truth, journal = plant.truth(), plant.journal()
    for who, off in _off(truth, journal, *readings["given"], ("cpu",)).items():
        note = "CPU time cannot tell them apart; no target yet"
        yield shown(SECTION, f"10 against 4 W per core, 50 % load: {who}", off, "%", note)


def _watch(
    agents: Mapping[str, Agent], window_s: float
) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """First and last snapshot of the window, by agent."""
    before = {name: agent.wait(3) for name, agent in agents.items()}
    time.sleep(window_s)
    readings = {name: (before[name], agent.snapshot()) for name, agent in agents.items()}
    time.sleep(1.0)  # the plant's journal is written to disk twice a second
    return readings


def _off(
    truth: Truth,
    journal: Journal,
    before: dict[str, Any],
    after: dict[str, Any],
    components: Sequence[str],
) -> dict[str, float]:
    """Error in percent: of the worst container, and of everything else on the machine together.

    Each is the worst of its components.
    """
    errors = {"worst container": 0.0, "everything else": 0.0}
    for component in components:
        for name, energy in energies(truth, journal, before, after, component).items():
            who = "everything else" if name == REST else "worst container"
            errors[who] = max(errors[who], abs(energy.off_percent))
    return errors
