import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from wattribute.core.errors import ActivityAbsent
from wattribute.core.records import Topology, Usage
from wattribute.node.activity.backend import ActivityInputs
from wattribute.node.activity.bpf.cycles import SwitchBooks
from wattribute.node.activity.bpf.perf import SOFTWARE, PerfEvent
from wattribute.node.activity.cgroupfs import CgroupReader
from wattribute.node.activity.cpustat import CpuStat
from wattribute.node.activity.cycles import CyclesActivity
from wattribute_testing.waiting import wait_until

Spin = Callable[..., subprocess.Popen[bytes]]
BurnOn = Callable[[subprocess.Popen[bytes], float], None]

PROCFS, CGROUPFS = Path("/proc"), Path("/sys/fs/cgroup")
CPU_CLOCK, PAGE_FAULTS = PerfEvent(SOFTWARE, 0), PerfEvent(SOFTWARE, 2)
EVENTS = {"cycles": CPU_CLOCK, "cache_misses": PAGE_FAULTS}
NO_SUCH_EVENT = PerfEvent(SOFTWARE, 99)


def opened(topology: Topology, events: Mapping[str, PerfEvent] = EVENTS) -> CyclesActivity:
    inputs = ActivityInputs(
        PROCFS, topology, CpuStat(PROCFS, topology), CgroupReader(CGROUPFS, topology), 4096
    )
    return CyclesActivity(inputs, events=events)


@pytest.fixture
def source(bpf: None, topology: Topology) -> Iterator[CyclesActivity]:  # noqa: ARG001 - it may skip
    with contextlib.closing(opened(topology)) as made:
        assert made.read(time.monotonic_ns()) is None
        yield made


def rows_of(usage: Usage, pid: int) -> NDArray[np.int64]:
    return np.flatnonzero(usage.processes.pid == pid)


def use_of(usage: Usage, pid: int) -> int:
    return int(usage.processes.cpu_ns[rows_of(usage, pid)].sum())


@pytest.mark.bpf
def test_a_lone_busy_task_is_charged_at_every_read(
    source: CyclesActivity, spin: Spin, cpu_ns: Callable[[int], int], burn_on: BurnOn
) -> None:
    process = spin(60)
    os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
    with contextlib.suppress(PermissionError):  # without it, others on that CPU may disturb
        os.sched_setscheduler(process.pid, os.SCHED_FIFO, os.sched_param(10))
    burn_on(process, 0.05)

    def read() -> tuple[int, Usage, int]:
        """A read, between two looks at the truth: a busy machine may stop us in between."""
        return cpu_ns(process.pid), source.read(time.monotonic_ns()), cpu_ns(process.pid)

    low, _, high = read()
    for _ in range(4):
        burn_on(process, 0.15)
        next_low, usage, next_high = read()
        used = use_of(usage, process.pid)
        assert (next_low - high) * 0.9 - 5e6 <= used <= (next_high - low) * 1.1 + 5e6
        assert used > 50e6
        low, high = next_low, next_high


@pytest.mark.bpf
def test_a_process_that_lived_between_two_reads_is_told_with_its_last_name(
    source: CyclesActivity, spin: Spin
) -> None:
    process = spin(0.1)
    _, status, truth = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    time.sleep(0.05)
    usage = source.read(time.monotonic_ns())
    rows = rows_of(usage, process.pid)
    assert use_of(usage, process.pid) == pytest.approx(
        (truth.ru_utime + truth.ru_stime) * 1e9, rel=0.1, abs=10e6
    )
    assert not usage.processes.alive[rows].any()
    assert set(usage.processes.parent_pid[rows].tolist()) == {os.getpid()}
    assert all(name.startswith(b"python") for name in usage.processes.comm[rows])


@pytest.mark.bpf
def test_ended_processes_leave_the_map(
    source: CyclesActivity, spin: Spin, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, in_map = SwitchBooks.read, []

    def noted(books: SwitchBooks) -> tuple[NDArray[np.void], NDArray[np.void]]:
        keys, uses = read(books)
        in_map[:] = (keys["process"] >> np.uint64(40)).tolist()
        return keys, uses

    def is_in_map() -> bool:
        source.read(time.monotonic_ns())
        return process.pid in in_map

    monkeypatch.setattr(SwitchBooks, "read", noted)
    process = spin(0.01)
    wait_until(is_in_map)
    process.wait()
    wait_until(lambda: not is_in_map())


@pytest.mark.bpf
def test_counts_are_those_of_the_process(
    source: CyclesActivity, spin: Spin, burn_on: BurnOn
) -> None:
    process = spin(60)
    burn_on(process, 0.2)
    source.read(time.monotonic_ns())
    burn_on(process, 0.2)
    usage = source.read(time.monotonic_ns())
    rows = rows_of(usage, process.pid)
    assert usage.processes.counters["cycles"][rows].sum() == pytest.approx(
        use_of(usage, process.pid), rel=0.05, abs=10e6
    )
    assert "instructions" not in usage.processes.counters
    assert "corun_ns" not in usage.processes.counters


@pytest.mark.bpf
@pytest.mark.usefixtures("bpf")
def test_time_is_told_by_package_and_co_run_time_by_the_sibling(
    spin: Spin, burn_on: BurnOn
) -> None:
    cpus = sorted(os.sched_getaffinity(0))[:2]
    if len(cpus) < 2:
        pytest.skip("needs two CPUs")
    count = os.sysconf("SC_NPROCESSORS_CONF")
    package, sibling = np.zeros(count, np.int64), np.full(count, -1)
    package[cpus[1]] = 1
    sibling[cpus[0]], sibling[cpus[1]] = cpus[1], cpus[0]
    with contextlib.closing(opened(Topology(("0", "1"), package, sibling))) as source:
        both = [spin(60), spin(60)]
        for process, cpu in zip(both, cpus, strict=True):
            os.sched_setaffinity(process.pid, {cpu})
        for process in both:
            burn_on(process, 0.05)
        source.read(time.monotonic_ns())
        for process in both:
            burn_on(process, 0.2)
        usage = source.read(time.monotonic_ns())
        for column, process in enumerate(both):
            rows = rows_of(usage, process.pid)
            used = usage.processes.cpu_ns[rows]
            assert used[:, 1 - column].sum() == 0
            assert used[:, column].sum() > 0
            corun = usage.processes.counters["corun_ns"][rows][:, column].sum()
            assert corun == pytest.approx(used[:, column].sum(), rel=0.1, abs=10e6)
            process.kill()
            process.wait()
        lone = spin(60)
        os.sched_setaffinity(lone.pid, {cpus[0]})
        source.read(time.monotonic_ns())
        burn_on(lone, 0.2)
        usage = source.read(time.monotonic_ns())
        rows = rows_of(usage, lone.pid)
        used = usage.processes.cpu_ns[rows].sum()
        others = usage.processes.cpu_ns[:, 1].sum()
        assert usage.processes.counters["corun_ns"][rows].sum() <= min(used, others) * 1.1 + 5e6


@pytest.mark.bpf
def test_kernel_threads_are_told_as_such_and_the_idle_task_never(source: CyclesActivity) -> None:
    for _ in range(5):
        subprocess.run(["sync"], check=True)

    def with_kernel_threads() -> Usage | None:
        usage = source.read(time.monotonic_ns())
        return usage if (usage.processes.parent_pid == 2).any() else None

    usage = wait_until(with_kernel_threads)
    assert 0 not in usage.processes.pid
    children_of_kthreadd = usage.processes.parent_pid == 2
    assert usage.processes.kernel[children_of_kthreadd].all()
    assert not usage.processes.kernel[usage.processes.parent_pid == os.getpid()].any()


@pytest.mark.bpf
def test_the_sum_is_the_busy_time_of_the_machine(
    source: CyclesActivity, spin: Spin, burn_on: BurnOn
) -> None:
    process = spin(60)
    source.read(time.monotonic_ns())
    burn_on(process, 0.7)
    usage = source.read(time.monotonic_ns())
    tick = 10_000_000 * os.cpu_count() * 4
    busy = usage.busy_ns.sum() + usage.steal_ns
    assert usage.processes.cpu_ns.sum() == pytest.approx(busy, rel=0.05, abs=tick)
    assert usage.dropped == 0


@pytest.mark.bpf
@pytest.mark.usefixtures("bpf")
def test_without_a_cycle_counter_the_source_is_absent_and_says_which_call_failed(
    topology: Topology,
) -> None:
    with pytest.raises(ActivityAbsent, match=r"no hardware cycle counter: perf_event_open\(cyc"):
        opened(topology, {"cycles": NO_SUCH_EVENT})


@pytest.mark.bpf
@pytest.mark.usefixtures("bpf")
def test_a_counter_that_the_machine_lacks_is_absent_and_not_zero(
    topology: Topology, spin: Spin, burn_on: BurnOn
) -> None:
    events = {"cycles": CPU_CLOCK, "instructions": NO_SUCH_EVENT, "cache_misses": PAGE_FAULTS}
    with contextlib.closing(opened(topology, events)) as source:
        source.read(time.monotonic_ns())
        burn_on(spin(60), 0.02)
        usage = source.read(time.monotonic_ns())
        assert sorted(usage.processes.counters) == ["cache_misses", "cycles"]


@pytest.mark.bpf
def test_counters_that_take_turns_are_scaled_to_the_whole_time(
    source: CyclesActivity, spin: Spin, burn_on: BurnOn, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = spin(60)
    original = SwitchBooks.counted

    def halved(books: SwitchBooks) -> NDArray[np.float64]:
        counted = original(books)
        counted[..., 1] = counted[..., 0] / 2
        return counted

    monkeypatch.setattr(SwitchBooks, "counted", halved)
    burn_on(process, 0.3)
    usage = source.read(time.monotonic_ns())
    time_ns = usage.processes.cpu_ns.sum()
    cycles = usage.processes.counters["cycles"].sum()
    assert cycles == pytest.approx(2 * time_ns, rel=0.1, abs=40e6)


@pytest.mark.bpf
def test_a_counter_that_never_got_its_turn_is_absent(
    source: CyclesActivity, spin: Spin, burn_on: BurnOn, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = SwitchBooks.counted

    def stopped(books: SwitchBooks) -> NDArray[np.float64]:
        counted = original(books)
        counted[:, 0, 1] = 0
        return counted

    monkeypatch.setattr(SwitchBooks, "counted", stopped)
    burn_on(spin(60), 0.05)
    usage = source.read(time.monotonic_ns())
    assert sorted(usage.processes.counters) == ["cache_misses"]


@pytest.mark.bpf
def test_counters_of_a_cpu_that_came_back_are_opened_anew(source: CyclesActivity) -> None:
    cpu = max(os.sched_getaffinity(0))
    before = source._books._open[0, cpu]
    keep = os.dup(before)  # else the new one could get the same number
    os.close(source._books._open.pop((0, cpu)))
    source._books._last["event"]["enabled"][cpu, 0] = 1 << 62
    source._books._cpus["event"]["enabled"][cpu, 0] = 1 << 62
    source._books._count(cpu)
    time.sleep(0.1)
    usage = source.read(time.monotonic_ns())
    os.close(keep)
    assert (0, cpu) in source._books._open
    assert usage.processes.counters["cycles"].sum() > 0
