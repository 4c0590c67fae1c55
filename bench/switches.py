"""What a context switch costs more while a source of activity watches.

Two pinned processes hand a byte back and forth; between rounds the programs are
changed, so that whatever else happens on the machine meets all of them alike.
"""

import os
import statistics
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

from bench.figure import Figure, at_most, shown, unmeasured
from bench.programs import NotHere, compiled
from wattribute.core.errors import ActivityError
from wattribute.node.activity.backend import ActivityInputs
from wattribute.node.activity.bpf import maps, perf
from wattribute.node.activity.bpf.load import Programs
from wattribute.node.activity.bpf.spec import Spec, parse
from wattribute.node.activity.cgroupfs import CgroupReader
from wattribute.node.activity.cpustat import CpuStat
from wattribute.node.activity.cycles import CyclesActivity
from wattribute.node.activity.tasks import TasksActivity
from wattribute.node.meter.machine import read_topology

SECTION: Final = "context switch"
_ROUNDS: Final = 12
_HANDOVERS: Final = "5000"
_REPEATS: Final = "4"
_SINCE: Final = (5, 8)
_SYSFS, _PROCFS, _CGROUPFS = Path("/sys"), Path("/proc"), Path("/sys/fs/cgroup")
_PROCESSES: Final = 65_536
_SOFTWARE_EVENTS: Final = {
    "cycles": perf.PerfEvent(perf.SOFTWARE, 0),
    "instructions": perf.PerfEvent(perf.SOFTWARE, 3),
    "cache_misses": perf.PerfEvent(perf.SOFTWARE, 2),
}
"""cpu-clock, context switches, page faults: they stand for the counters that a virtual
machine lacks. Source: enum perf_sw_ids, include/uapi/linux/perf_event.h."""

Variant = Callable[[], AbstractContextManager[object]]


def run(_window_s: float) -> Iterator[Figure]:
    """The same number of rounds whatever the window: each takes a second."""
    target = "<= 0.6 x the Kepler-like program"
    try:
        with compiled("pingpong") as program, ExitStack() as stack:
            kepler = stack.enter_context(_compiled_kepler())
            costs, real_time = _measure(program, kepler)
    except (NotHere, ActivityError) as exc:
        yield unmeasured(SECTION, "tasks", "0 ns", str(exc))
        yield unmeasured(SECTION, "cycles, software events", target, str(exc))
        return
    yield from _figures(costs, real_time)
    yield unmeasured(
        SECTION, "cycles, hardware counters", target,
        "this machine counts no cycles; run on bare metal to know",
    )  # fmt: skip


def _figures(costs: dict[str, list[float]], real_time: bool) -> Iterator[Figure]:  # noqa: FBT001
    bare = costs["none"]
    how = f"fastest of {_ROUNDS} rounds" + ("" if real_time else ", not real-time: noisy")
    yield shown(SECTION, "bare", min(bare), "ns", f"{how}; median {statistics.median(bare):.0f}")
    # Nothing against nothing: what this machine cannot tell from 0.
    noise = max(abs(min(costs["again"]) - min(bare)), 0.01 * min(bare))
    added = {name: min(ns) - min(bare) for name, ns in costs.items()}
    yield at_most(
        SECTION, "tasks, added", added["tasks"], most=round(noise, 1), unit="ns",
        note="target 0; the bound is what nothing against nothing shows here, at least 1 %",
    )  # fmt: skip
    yield shown(SECTION, "Kepler-like, software events, added", added["kepler"], "ns",
                "design of 0.7 to 0.9, tp_btf")  # fmt: skip
    yield shown(SECTION, "cycles, software events, added", added["cycles"], "ns")
    yield at_most(
        SECTION, "cycles against Kepler-like, software events",
        added["cycles"] / added["kepler"], most=0.6, unit="x",
        note=f"by medians {_median_ratio(costs):.2f} x",
    )  # fmt: skip


def _median_ratio(costs: dict[str, list[float]]) -> float:
    bare = statistics.median(costs["none"])
    return (statistics.median(costs["cycles"]) - bare) / (statistics.median(costs["kepler"]) - bare)


def _measure(program: Path, kepler: Spec) -> tuple[dict[str, list[float]], bool]:
    """Nanoseconds per switch of every round, by variant; whether it ran in real time."""
    variants: dict[str, Variant] = {
        "none": ExitStack,
        "tasks": _tasks,
        "cycles": _cycles,
        "kepler": lambda: _kepler(kepler),
        "again": ExitStack,
    }
    cpu = str(max(os.sched_getaffinity(0)))
    command = [str(program), cpu, _HANDOVERS, _REPEATS]
    costs: dict[str, list[float]] = {name: [] for name in variants}
    real_time = True
    for _ in range(_ROUNDS):
        for name, variant in variants.items():
            with variant():
                ns, scheduling = subprocess.check_output(command, text=True).split()
            costs[name].append(float(ns))
            real_time &= scheduling == "fifo"
    return costs, real_time


def _inputs() -> ActivityInputs:
    topology = read_topology(_SYSFS, _PROCFS)
    cgroups, cpustat = CgroupReader(_CGROUPFS, topology), CpuStat(_PROCFS, topology)
    return ActivityInputs(_PROCFS, topology, cpustat, cgroups, _PROCESSES)


def _tasks() -> AbstractContextManager[object]:
    return closing(TasksActivity(_inputs()))


def _cycles() -> AbstractContextManager[object]:
    return closing(CyclesActivity(_inputs(), events=_SOFTWARE_EVENTS))


@contextmanager
def _kepler(spec: Spec) -> Iterator[None]:
    with ExitStack() as stack:
        programs = stack.enter_context(closing(Programs(spec, {}, _SINCE)))
        for number, event in enumerate(_SOFTWARE_EVENTS.values()):
            for cpu in range(os.cpu_count() or 1):
                counter = perf.open_on(event, cpu)
                stack.callback(os.close, counter)
                maps.update(
                    programs.fd[f"event{number}"],
                    struct.pack("=I", cpu),
                    struct.pack("=I", counter),
                )
        programs.attach()
        yield


@contextmanager
def _compiled_kepler() -> Iterator[Spec]:
    """The Kepler-like program, built now.

    Raises:
        NotHere: clang or libbpf's headers are missing.
    """
    from tools import build_bpf  # noqa: PLC0415 - needs clang when it is used

    try:
        blob = build_bpf.compile_source(Path(__file__).with_name("kepler_like.bpf.c"))
    except (OSError, subprocess.CalledProcessError) as exc:
        raise NotHere("the Kepler-like program needs clang and libbpf-dev to compile") from exc
    yield parse(build_bpf.spec_of(blob))
