"""What observing costs: CPU per tick, memory, time to the first metrics."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.agent import Agent
from bench.crowd import HONESTY, crowd
from bench.figure import Figure, at_most, shown, unmeasured
from bench.programs import NotHere
from wattribute_testing.plant import Plant, Scenario

SECTION: Final = "cost"
_INTERVAL_S: Final = 5.0
_SIZES: Final = ((1_000, 50, 6.0, 60.0), (10_000, 500, 40.0, 100.0))
"""Processes, containers, most ms of CPU per tick, most MiB of memory."""
_STARTS: Final = 5


def run(window_s: float) -> Iterator[Figure]:
    """The two sizes, then the start."""
    with tempfile.TemporaryDirectory() as folder, Plant(Path(folder), Scenario()) as plant:
        for processes, containers, most_ms, most_mib in _SIZES:
            what = f"{processes:,} processes, {containers} containers"
            try:
                with crowd(processes, containers):
                    yield from _size(plant, window_s, what, most_ms=most_ms, most_mib=most_mib)
            except NotHere as exc:
                yield unmeasured(SECTION, f"CPU per tick, {what}", f"<= {most_ms:g} ms", str(exc))
        yield _start(plant)


def _size(
    plant: Plant, window_s: float, what: str, *, most_ms: float, most_mib: float
) -> Iterator[Figure]:
    flags = ("--sysfs", str(plant.sysfs), "--meters", "rapl", "--interval", str(_INTERVAL_S))
    with Agent(*flags) as agent:
        agent.wait(4)  # the first ticks open files and allocate tables
        per_tick, own = _ticks(agent, window_s)
        rss = agent.rss_mib()
        source = agent.snapshot()["health"]["activity"]
        there = Path("/proc/loadavg").read_text().split()[3].partition("/")[2]
    yield at_most(
        SECTION, f"CPU per tick, {what}", statistics.median(per_tick), most=most_ms, unit="ms",
        note=f"median of {len(per_tick)} ticks of {_INTERVAL_S:g} s, whole process, source "
        f"{source}; {HONESTY}; {there} threads on the machine",
    )  # fmt: skip
    yield shown(SECTION, f"CPU per tick by its own metric, {what}", statistics.median(own), "ms")
    yield at_most(SECTION, f"RSS, {what}", rss, most=most_mib, unit="MiB")


def _ticks(agent: Agent, window_s: float) -> tuple[list[float], list[float]]:
    """CPU milliseconds of the whole agent from the middle of one tick to that of the next.

    And what the agent itself says that the ticks cost. Asked for once per
    window only: a request costs the agent time too.
    """
    first = agent.snapshot()
    middle = time.monotonic() + (_INTERVAL_S / 2 - (time.time() - first["time_s"])) % _INTERVAL_S
    per_tick: list[float] = []
    own: list[float] = []
    time.sleep(max(0.0, middle - time.monotonic()))
    before = agent.cpu_ns()
    for number in range(1, max(3, round(window_s / _INTERVAL_S)) + 1):
        time.sleep(max(0.0, middle + number * _INTERVAL_S - time.monotonic()))
        now = agent.cpu_ns()
        per_tick.append((now - before) / 1e6)
        own.append(1e3 * agent.snapshot()["health"]["tick_cpu_s"])
        before = agent.cpu_ns()  # without the request just made
    return per_tick, own


def _start(plant: Plant) -> Figure:
    """From the start of the interpreter to the first answer that holds joules."""
    needed: list[float] = []
    for _ in range(_STARTS):
        with Agent("--sysfs", str(plant.sysfs), "--meters", "rapl") as agent:
            while True:
                try:
                    if b"\nkepler_container_joules_total{" in agent.get("/metrics"):
                        break
                except (OSError, ValueError):
                    time.sleep(0.005)
                if time.monotonic_ns() - agent.started_ns > 20e9:
                    return unmeasured(SECTION, "start to first metrics", "<= 2 s", agent.log())
            needed.append((time.monotonic_ns() - agent.started_ns) / 1e9)
    return at_most(
        SECTION, "start to first metrics", statistics.median(needed), most=2.0, unit="s",
        note=f"median of {_STARTS} starts, import included, modules compiled before",
    )  # fmt: skip
