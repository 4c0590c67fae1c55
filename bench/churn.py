"""Short-lived processes: is every nanosecond with the one who used it?

Thousands of processes of 5 ms CPU in one container, beside a steady one in
another. Truth: getrusage of every single process, by the parent that reaped it.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench.agent import Agent
from bench.crowd import why_no_containers
from bench.figure import Figure, shown, unmeasured, within
from bench.procpoll import ProcPoller
from wattribute_testing.plant import Burn, Churn, Group, Plant, Scenario, Truth

SECTION: Final = "churn"
PER_SECOND: Final = 50
BURST_MS: Final = 5.0
_BEGIN_S: Final = 15.0
"""Children start this long after the plant: the agent must be there first."""
_SETTLE_S: Final = 12.0
"""After the last child: two ticks of 5 s."""


def run(window_s: float) -> Iterator[Figure]:
    """3,000 processes in a window of 60 s; a shorter window has fewer."""
    if why := why_no_containers():
        yield unmeasured(SECTION, "CPU time captured", "99.5 to 100.5 %", why)
        return
    number = round(PER_SECOND * window_s)
    end_s = _BEGIN_S + window_s + 2
    churn = Churn(processes=number, burst_ms=BURST_MS, per_second=PER_SECOND, lanes=2,
                  start_s=_BEGIN_S)  # fmt: skip
    steady = Burn(load=0.3, start_s=_BEGIN_S, stop_s=end_s)
    scenario = Scenario(
        groups=(Group(name="churn", commands=(churn,)), Group(name="steady", commands=(steady,)))
    )
    with tempfile.TemporaryDirectory() as folder, Plant(Path(folder), scenario) as plant:
        began_s = time.monotonic()
        cgroup = plant.truth().groups["churn"].cgroup
        flags = ("--sysfs", str(plant.sysfs), "--meters", "rapl", "--interval", "5")
        with Agent(*flags, processes=True) as agent:
            agent.wait()
            poller = ProcPoller(cgroup, 5.0)
            time.sleep(max(0.0, began_s + end_s + _SETTLE_S - time.monotonic()))
            polled_ns = poller.stop()
            snapshot = agent.snapshot()
        truth = plant.truth()
    yield from _containers(truth, snapshot, number)
    yield from _processes(truth, snapshot)
    yield shown(
        SECTION, "reading /proc every 5 s captures, per container",
        100 * polled_ns / truth.groups["churn"].cpu_ns, "%", "same run; about 4 is expected",
    )  # fmt: skip


def _containers(truth: Truth, snapshot: dict[str, Any], number: int) -> Iterator[Figure]:
    note = f"{number} processes of {BURST_MS:g} ms, source {snapshot['health']['activity']}"
    for group, low, high in (("churn", 99.5, 100.5), ("steady", 99.0, 101.0)):
        row = next(
            row for row in snapshot["containers"]
            if row["container_id"] == truth.groups[group].container_id
        )  # fmt: skip
        # Of wait4(2), not of the cgroup's counter: that is what the agent reads too.
        true_s = sum(p.cpu_ns for p in truth.processes if p.group == group) / 1e9
        yield within(
            SECTION, f"CPU time captured, container {group!r}", 100 * row["cpu_seconds"] / true_s,
            low=low, high=high, unit="%", note=note,
        )  # fmt: skip


def _processes(truth: Truth, snapshot: dict[str, Any]) -> Iterator[Figure]:
    groups = {group.container_id for group in truth.groups.values()}
    ours = {row["uid"] for row in snapshot["containers"] if row["container_id"] in groups}
    seen: dict[int, float] = {}
    for row in snapshot["processes"] or ():
        if row["container"] in ours:  # pids are used again, by others
            seen[row["pid"]] = seen.get(row["pid"], 0.0) + row["cpu_seconds"]
    bursts = [p for p in truth.processes if p.lane]
    ratios = [100 * seen.get(p.pid, 0.0) * 1e9 / p.cpu_ns for p in bursts]
    inside = sum(99 <= ratio <= 101 for ratio in ratios)
    missing = sum(p.pid not in seen for p in bursts)
    yield within(SECTION, "CPU time captured, median process", statistics.median(ratios),
                 low=99, high=101, unit="%")  # fmt: skip
    yield within(
        SECTION, "processes within 1 % of their rusage", 100 * inside / len(ratios),
        low=98, high=100, unit="%",
        note=f"{len(ratios) - inside} of {len(ratios)} outside, {missing} of them not seen",
    )  # fmt: skip
    steady = next(p for p in truth.processes if p.group == "steady")
    yield within(
        SECTION, "CPU time captured, the steady process",
        100 * seen.get(steady.pid, 0.0) * 1e9 / steady.cpu_ns,
        low=99, high=101, unit="%", note="it must not inherit the others' time",
    )  # fmt: skip
