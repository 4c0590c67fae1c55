"""What a scrape of 10,000 series costs, and how long it takes while the agent ticks."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.agent import Agent
from bench.crowd import crowd
from bench.figure import Figure, at_most, shown, unmeasured
from bench.programs import NotHere
from wattribute.node.exporter.bodies import MetricsBodies
from wattribute.node.exporter.families import metrics_families
from wattribute.node.exporter.scene import NodeLabels
from wattribute_testing.plant import Plant, Scenario
from wattribute_testing.snapshots import SnapshotMaker

SECTION: Final = "scrape"
_SERIES: Final = 10_000
_CONTAINERS: Final = 800
"""Enough for 10,000 series with two zones."""
_RENDERS: Final = 40
_SCRAPERS: Final = 4
_PERIOD_S: Final = 0.5


def run(window_s: float) -> Iterator[Figure]:
    """Rendering alone, then real scrapes of a real agent."""
    yield _rendering()
    try:
        yield from _scraping(window_s)
    except NotHere as exc:
        yield unmeasured(SECTION, "latency p99", "<= 20 ms", str(exc))


def _rendering() -> Figure:
    """CPU time of making the text of a new snapshot; labels are cached from the one before."""
    families = metrics_families("kepler-0.9", processes=False)
    bodies = MetricsBodies(lambda _processes, _stale: families, NodeLabels(), ())
    containers = _CONTAINERS
    while True:
        maker = SnapshotMaker(containers=containers)
        series = _series(_render(bodies, maker)[1])
        if series >= _SERIES:
            break
        containers = round(containers * _SERIES / series * 1.02)
    needed = [_render(bodies, maker)[0] for _ in range(_RENDERS)]
    return at_most(
        SECTION, "rendering, CPU", 1e3 * statistics.median(needed), most=20.0, unit="ms",
        note=f"{series} series of {containers} containers, median of {_RENDERS} new snapshots",
    )  # fmt: skip


def _render(bodies: MetricsBodies, maker: SnapshotMaker) -> tuple[float, bytes]:
    snapshot = maker.tick()
    start = time.process_time()
    body = bodies.body(snapshot, processes=False, stale=False, openmetrics=False, gzip=False)
    return time.process_time() - start, body


def _scraping(window_s: float) -> Iterator[Figure]:
    with (
        tempfile.TemporaryDirectory() as folder,
        Plant(Path(folder), Scenario()) as plant,
        crowd(2 * _CONTAINERS, _CONTAINERS, active_percent=100),
        Agent("--sysfs", str(plant.sysfs), "--meters", "rapl", "--interval", "1") as agent,
    ):
        agent.wait(8)
        series = _series(agent.get("/metrics"))
        command = [sys.executable, "-m", "bench.scraper"]
        command += [str(agent.port), str(window_s), str(_PERIOD_S)]
        before = agent.cpu_ns()
        scrapers = [
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(_SCRAPERS)
        ]
        outputs = [scraper.communicate()[0] for scraper in scrapers]
        used_ns = agent.cpu_ns() - before
    latencies = sorted(1e3 * s for output in outputs for s in json.loads(output))
    note = (
        f"{series} series, {len(latencies)} scrapes by {_SCRAPERS} scrapers every {_PERIOD_S:g} s, "
        "gzip, ticks of 1 s"
    )
    name = "latency p99 while ticking"
    if series < _SERIES:
        yield unmeasured(SECTION, name, "<= 20 ms", f"only {series} series came about")
        return
    yield at_most(
        SECTION, name, latencies[int(0.99 * len(latencies))], most=20.0, unit="ms", note=note
    )
    yield shown(SECTION, "latency, median", statistics.median(latencies), "ms")
    yield shown(SECTION, "agent's CPU meanwhile", 100 * used_ns / 1e9 / window_s, "% of a core",
                "ticks and scrapes together")  # fmt: skip


def _series(body: bytes) -> int:
    return sum(not line.startswith(b"#") for line in body.splitlines())
