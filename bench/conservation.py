"""Does all that the meters measured go to somebody, to the microjoule, at every tick?

The plant notes every value that it ever wrote into a counter. What the agent's
consumers hold in all must be the difference of two of those values, the second
of which was the newest when the tick was.
"""

import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from bench.agent import Agent
from bench.figure import Figure, at_most
from wattribute_testing.plant import Burn, Churn, Group, Journal, Plant, Scenario

SECTION: Final = "conservation"
_ZONES: Final = {"cpu": "package-0", "dram": "dram-0"}
_NEAR: Final = 20
"""Values around the tick's instant that may have been the newest (1 s of them): on a busy
machine the agent may be put off the CPU between its clock and its meters. A sum must equal one
of them to the microjoule, so that even 40 leave no room for chance: they are some 100,000 uJ
apart."""


def run(window_s: float) -> Iterator[Figure]:
    """Ticks of 1 s, so that there are many."""
    groups = (
        Group(name="steady", commands=(Burn(load=0.4),), watts_per_core=5.5),
        Group(name="churn", commands=(Churn(processes=100_000, per_second=40, lanes=2),)),
    )
    with tempfile.TemporaryDirectory() as folder:
        with (
            Plant(Path(folder), Scenario(groups=groups, noise=0.05)) as plant,
            Agent("--sysfs", str(plant.sysfs), "--meters", "rapl", "--interval", "1",
                  processes=True) as agent,
        ):  # fmt: skip
            agent.wait()
            snapshots = list(agent.snapshots(window_s))
        journal = plant.journal()
    offset_ns = time.time_ns() - time.monotonic_ns()
    at_ns = [round(s["time_s"] * 1e9) - offset_ns for s in snapshots]
    inside = max(_inside_uj(snapshot) for snapshot in snapshots)
    yield at_most(
        SECTION, "consumers against the node's total, worst tick", inside, most=0, unit="uJ",
        note=f"{len(snapshots)} ticks, every component",
    )  # fmt: skip
    for component, zone in _ZONES.items():
        totals = [_consumers_uj(snapshot, component) for snapshot in snapshots]
        off, pairs = off_uj(totals, at_ns, journal, zone)
        yield at_most(
            SECTION, f"consumers against the plant's {zone} counter, worst tick", off, most=0,
            unit="uJ", note=f"{pairs} ticks, {totals[-1] - totals[0]} uJ",
        )  # fmt: skip
    yield at_most(
        SECTION, "processes against their containers, worst tick",
        max(_processes_uj(snapshot) for snapshot in snapshots), most=0, unit="uJ",
        note=f"{len(snapshots[-1]['processes'])} processes, ended ones included",
    )  # fmt: skip


def _processes_uj(snapshot: dict[str, Any]) -> int:
    """How far the processes of a container are from its dynamic energy; the worst one."""
    left = {row["uid"]: _micro(row["dynamic_joules"]) for row in snapshot["containers"]}
    for row in snapshot["processes"]:
        left[row["container"]] -= _micro(row["joules"])
    return max(abs(rest) for rest in left.values())


def _consumers_uj(snapshot: dict[str, Any], component: str) -> int:
    """Everyone's energy of a component: containers, special rows, idle, unattributed."""
    total = sum(_micro(row["joules"].get(component, 0.0)) for row in snapshot["containers"])
    for part in snapshot["components"]:
        if part["component"] == component:
            total += _micro(part["unpaid_idle_joules"]) + _micro(part["unattributed_joules"])
    return total


def _inside_uj(snapshot: dict[str, Any]) -> int:
    """How far the consumers are from what the agent itself says that the node used."""
    worst = 0
    for component in {part["component"] for part in snapshot["components"]}:
        node = sum(
            _micro(part["dynamic_joules"]) + _micro(part["idle_joules"])
            for part in snapshot["components"]
            if part["component"] == component
        )
        worst = max(worst, abs(node - _consumers_uj(snapshot, component)))
    return worst


def off_uj(
    totals: Sequence[int], at_ns: Sequence[int], journal: Journal, zone: str
) -> tuple[int, int]:
    """Worst deviation over all ticks, and how many were compared.

    The counter's value at the first tick is one of a few; with the right one
    all later ticks must fit.
    """
    written = journal.zone_totals(zone)

    def candidates(instant_ns: int) -> list[int]:
        newest = bisect_right(journal.at_ns, instant_ns)
        return written[max(0, newest - _NEAR) : newest + _NEAR]

    return min(
        max(
            min(abs((total - totals[0]) - (value - first)) for value in candidates(instant))
            for total, instant in zip(totals[1:], at_ns[1:], strict=True)
        )
        for first in candidates(at_ns[0])
    ), len(totals) - 1


def _micro(joules: float) -> int:
    """Whole microjoules; exact, because a float holds them up to 9.0e9 J."""
    return round(joules * 1e6)
