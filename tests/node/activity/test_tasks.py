import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from wattribute.core.errors import ActivityAbsent, ActivityFailed
from wattribute.core.records import Topology, Usage
from wattribute.node.activity.backend import ActivityInputs
from wattribute.node.activity.bpf import permission
from wattribute.node.activity.cgroupfs import CgroupReader
from wattribute.node.activity.cpustat import CpuStat
from wattribute.node.activity.tasks import TasksActivity
from wattribute_testing.waiting import wait_until

Spin = Callable[..., subprocess.Popen[bytes]]
BurnOn = Callable[[subprocess.Popen[bytes], float], None]

PROCFS, CGROUPFS = Path("/proc"), Path("/sys/fs/cgroup")


def opened(topology: Topology) -> TasksActivity:
    inputs = ActivityInputs(
        PROCFS, topology, CpuStat(PROCFS, topology), CgroupReader(CGROUPFS, topology), 4096
    )
    return TasksActivity(inputs)


@pytest.fixture
def source(bpf: None, topology: Topology) -> Iterator[TasksActivity]:  # noqa: ARG001 - it may skip
    with contextlib.closing(opened(topology)) as made:
        assert made.read(time.monotonic_ns()) is None
        yield made


def use_of(usage: Usage, pid: int) -> int:
    return int(usage.processes.cpu_ns[usage.processes.pid == pid].sum())


def until_dead(source: TasksActivity, pid: int) -> tuple[int, Usage]:
    """Time charged to a process up to its death, and the usage that told it."""
    charged = []

    def death() -> Usage | None:
        usage = source.read(time.monotonic_ns())
        assert usage is not None
        charged.append(use_of(usage, pid))
        mine = usage.processes.pid == pid
        return usage if mine.any() and not usage.processes.alive[mine].all() else None

    usage = wait_until(death)
    return sum(charged), usage


def waited(process: subprocess.Popen[bytes]) -> int:
    """CPU time of a child as the kernel says, in nanoseconds."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return round((usage.ru_utime + usage.ru_stime) * 1e9)


@pytest.mark.bpf
def test_a_process_between_two_reads_is_charged_its_whole_life(
    source: TasksActivity, spin: Spin
) -> None:
    process = spin(0.1)
    truth = waited(process)
    charged, usage = until_dead(source, process.pid)
    assert charged == pytest.approx(truth, rel=0.02, abs=4e6)
    row = np.flatnonzero(usage.processes.pid == process.pid)[0]
    assert usage.processes.comm[row].startswith(b"python")
    assert usage.processes.parent_pid[row] == os.getpid()
    assert not usage.processes.kernel[row]


@pytest.mark.bpf
def test_a_running_process_is_charged_at_every_read(
    source: TasksActivity, spin: Spin, cpu_ns: Callable[[int], int], burn_on: BurnOn
) -> None:
    process = spin(60)
    charged, truth = [], []
    for _ in range(4):
        before = cpu_ns(process.pid)
        source.read(time.monotonic_ns())
        burn_on(process, 0.2)
        usage = source.read(time.monotonic_ns())
        charged.append(use_of(usage, process.pid))
        truth.append(cpu_ns(process.pid) - before)
    assert sum(charged) == pytest.approx(sum(truth), rel=0.1, abs=20e6)
    assert min(charged) > 0


@pytest.mark.bpf
def test_threads_that_ended_stay_charged_to_their_process(source: TasksActivity) -> None:
    before = time.process_time_ns()
    source.read(time.monotonic_ns())

    def work() -> None:
        ends = time.thread_time() + 0.01
        while time.thread_time() < ends:
            pass

    for _ in range(10):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    usage = source.read(time.monotonic_ns())
    truth = time.process_time_ns() - before
    assert use_of(usage, os.getpid()) == pytest.approx(truth, rel=0.1, abs=5e6)
    assert use_of(usage, os.getpid()) > 90e6


@pytest.mark.bpf
def test_only_who_ran_is_told_and_nobody_twice(
    source: TasksActivity, spin: Spin, burn_on: BurnOn
) -> None:
    burn_on(spin(60), 0.05)
    usage = source.read(time.monotonic_ns())
    processes = usage.processes
    assert (processes.cpu_ns.sum(axis=1) > 0).all()
    assert len(set(processes.key.tolist())) == len(processes.key)
    assert (processes.key >> np.uint64(40) == processes.pid.astype(np.uint64)).all()
    assert usage.end_ns > usage.start_ns
    assert usage.dropped == 0
    assert processes.cpu_ns.shape == (len(processes.key), 1)


@pytest.mark.bpf
def test_the_sum_is_the_busy_time_of_the_machine(
    source: TasksActivity, spin: Spin, burn_on: BurnOn
) -> None:
    process = spin(60)
    source.read(time.monotonic_ns())
    burn_on(process, 0.7)
    usage = source.read(time.monotonic_ns())
    tick = 10_000_000 * os.cpu_count() * 4
    assert usage.processes.cpu_ns.sum() == pytest.approx(usage.busy_ns.sum(), rel=0.05, abs=tick)


@pytest.mark.bpf
@pytest.mark.usefixtures("bpf")
def test_affinity_is_told_on_machines_with_several_packages(spin: Spin, burn_on: BurnOn) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        pytest.skip("needs two CPUs")
    count = os.sysconf("SC_NPROCESSORS_CONF")
    package = np.zeros(count, np.int64)
    package[cpus[-1]] = 1
    two = Topology(("0", "1"), package, np.full(count, -1))
    with contextlib.closing(opened(two)) as source:
        source.read(time.monotonic_ns())
        free, bound = spin(0.05), spin(60)
        os.sched_setaffinity(bound.pid, {cpus[-1]})
        free.wait()
        burn_on(bound, 0.1)
        usage = source.read(time.monotonic_ns())
        allowed = dict(
            zip(usage.processes.pid.tolist(), usage.processes.allowed.tolist(), strict=True)
        )
        assert allowed[bound.pid] == 0b10
        if os.sched_getaffinity(0) == set(range(os.cpu_count())):
            assert allowed[free.pid] == (1 << 64) - 1


@pytest.mark.root
@pytest.mark.bpf
def test_a_cgroup_that_lived_between_two_reads_is_known_by_name(
    source: TasksActivity, spin: Spin, topology: Topology
) -> None:
    root = CgroupReader(CGROUPFS, topology).root
    folder = root / f"wattribute-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as exc:
        pytest.skip(f"needs a cgroup hierarchy that can be written: {exc}")
    try:
        number = folder.stat().st_ino
        process = spin(0.05, preexec_fn=lambda: (folder / "cgroup.procs").write_text("0"))
        truth = waited(process)
    finally:
        folder.rmdir()
    charged, usage = until_dead(source, process.pid)
    assert charged == pytest.approx(truth, rel=0.02, abs=4e6)
    row = np.flatnonzero(usage.processes.pid == process.pid)[0]
    assert usage.processes.cgroup[row] == number
    assert f"/{folder.name}" in usage.cgroups.path


@pytest.mark.bpf
def test_a_failed_read_loses_nothing(
    source: TasksActivity, spin: Spin, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = spin(0.05)
    truth = waited(process)
    time.sleep(0.3)
    with monkeypatch.context() as broken:

        def fail(*_: object) -> None:
            raise ActivityFailed("no cgroups")

        broken.setattr(CgroupReader, "read", fail)
        with pytest.raises(ActivityFailed, match="no cgroups"):
            source.read(time.monotonic_ns())
    usage = source.read(time.monotonic_ns())
    assert use_of(usage, process.pid) == pytest.approx(truth, rel=0.02, abs=4e6)


@pytest.mark.bpf
def test_run_time_is_counted_only_where_the_kernel_counts_it(source: TasksActivity) -> None:
    counted = Path("/proc/sys/kernel/bpf_stats_enabled").read_text().strip() == "1"
    subprocess.run(["true"], check=True)
    told = source.bpf_run_ns()
    assert told is None or (counted and told > 0) or not counted


def test_a_pid_namespace_of_its_own_is_refused_with_what_would_fix_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ns").mkdir()
    (tmp_path / "ns/pid").touch()
    monkeypatch.setattr(permission, "_SELF", tmp_path)
    with pytest.raises(ActivityAbsent, match="hostPID: true"):
        permission.require_host_pids()


@pytest.mark.bpf
@pytest.mark.usefixtures("bpf")
def test_a_source_that_is_gone_has_left_no_file_open(topology: Topology) -> None:
    def use() -> None:
        with contextlib.closing(opened(topology)) as source:
            source.read(time.monotonic_ns())

    use()  # opens what is kept for all
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are wanted
    use()

    assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
