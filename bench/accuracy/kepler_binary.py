"""A real Kepler beside our agent at the same plant, where ``KEPLER`` names its binary.

Only the driver is here. Both serve the metrics of Kepler 0.10 and newer, and both are read by the
same code, once a second.
"""

import contextlib
import os
import re
import socket
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

from bench.accuracy.plants import Spans
from bench.agent import Agent, thread_cpu_ns
from bench.figure import Figure, shown, unmeasured
from wattribute_testing.plant import Burn, Churn, Group, Plant, Scenario

SECTION: Final = "kepler"
KEPLER: Final = "KEPLER"
"""Environment variable: the binary of Kepler 0.10 or newer."""
_START_S: Final = 20.0
_SERIES: Final = re.compile(
    r"^(?P<name>[a-z_]+)\{(?P<labels>.*)\} (?P<value>[-+0-9.eE]+)$", re.MULTILINE
)
_ZONE: Final = re.compile(r'zone="package')
_PID: Final = re.compile(r'\bpid="\d+"')
_FAMILIES: Final = (
    "kepler_node_cpu_joules_total",
    "kepler_node_cpu_active_joules_total",
    "kepler_process_cpu_joules_total",
    "kepler_process_cpu_seconds_total",
)


@dataclass(slots=True)
class Increase:
    """How much counters rose since the first page; those that are new count from 0."""

    by_family: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _last: dict[str, float] | None = None

    def add(self, page: str) -> None:
        """Take one page of metrics; energy only of packages, and series of any state."""
        series: dict[str, float] = defaultdict(float)
        for name, labels, value in _SERIES.findall(page):
            if name in _FAMILIES and ("joules" not in name or _ZONE.search(labels)):
                # By process id: a process whose name changes gets a series that begins anew.
                process = _PID.search(labels)
                series[f"{name} {process[0] if process else labels}"] += float(value)
        if self._last is not None:
            for key, value in series.items():
                rise = value - self._last.get(key, 0.0)
                self.by_family[key.partition(" ")[0]] += max(rise, 0.0)
        self._last = (self._last or {}) | series


@dataclass(frozen=True, slots=True)
class _Program:
    """Ours, or Kepler."""

    pid: int
    page: Callable[[], str]


def run(spans: Spans) -> Iterator[Figure]:
    """Play one plant with short-lived processes, and read both programs."""
    binary = os.environ.get(KEPLER, "")
    if not binary:
        yield unmeasured(SECTION, "Kepler beside us", "", f"not measured: {KEPLER} is not set")
        return
    groups = (
        Group(name="steady", commands=(Burn(load=0.4),)),
        Group(name="churn", commands=(Churn(processes=10**6, per_second=40, lanes=2),)),
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        Plant(Path(folder), Scenario(groups=groups)) as plant,
        _ours(plant) as ours,
        _kepler(binary, plant) as kepler,
    ):
        programs = {"Wattribute": ours, "Kepler": kepler}
        increases = {name: Increase() for name in programs}
        cpu_ns = {name: thread_cpu_ns(program.pid) for name, program in programs.items()}
        before_ns = _busy_ns(plant)
        start_s = time.monotonic()
        while time.monotonic() < start_s + spans.count_s:
            for name, program in programs.items():
                increases[name].add(program.page())
            time.sleep(1.0)
        elapsed_s, busy_ns = time.monotonic() - start_s, _busy_ns(plant) - before_ns
        for name, program in programs.items():
            spent_ns = thread_cpu_ns(program.pid) - cpu_ns[name]
            yield from figures(name, increases[name].by_family, busy_ns / 1e9)
            yield shown(SECTION, f"{name}: CPU time", spent_ns / 1e6 / elapsed_s, "ms/s")


def figures(name: str, rise: Mapping[str, float], busy_s: float) -> Iterator[Figure]:
    """Say what a program made of the node's energy and of its CPU time.

    Args:
        name: of the program.
        rise: of its counters, by family.
        busy_s: CPU time of everything on the node, by the plant.
    """
    node, active, given, cpu_s = (rise.get(family, 0.0) for family in _FAMILIES)
    if active > 0:
        missing = 100 * (given / active - 1)
        yield shown(SECTION, f"{name}: processes against active energy", missing, "%")
    yield shown(SECTION, f"{name}: energy of the node", node, "J")
    yield shown(SECTION, f"{name}: CPU time captured", 100 * cpu_s / busy_s, "%")


def _busy_ns(plant: Plant) -> int:
    truth = plant.truth()
    return truth.rest_cpu_ns + sum(group.cpu_ns for group in truth.groups.values())


@contextlib.contextmanager
def _ours(plant: Plant) -> Iterator[_Program]:
    flags = ("--sysfs", str(plant.sysfs), "--meters", "rapl", "--interval", "1")
    held = {"monitor.birth_hold": "0"}  # the last processes count, too
    with Agent(*flags, processes=True, settings=held) as agent:
        agent.wait()
        yield _Program(agent.pid, lambda: agent.get("/metrics/kepler-0.11").decode())


@contextlib.contextmanager
def _kepler(binary: str, plant: Plant) -> Iterator[_Program]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [
        binary,
        f"--host.sysfs={plant.sysfs}",
        "--host.procfs=/proc",
        "--monitor.interval=1s",
        f"--web.listen-address=127.0.0.1:{port}",
        "--metrics=node",
        "--metrics=process",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}/metrics"
        deadline = time.monotonic() + _START_S
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(URLError):
                _page(url)
                break
            time.sleep(0.1)
        yield _Program(process.pid, lambda: _page(url))
    finally:
        process.terminate()
        process.wait()


def _page(url: str) -> str:
    with urlopen(url, timeout=10) as answer:  # noqa: S310 - our own address
        body: bytes = answer.read()
    return body.decode()
