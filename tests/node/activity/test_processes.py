"""CPU time of processes from /proc, by the sources procfs and cgroup."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.core.errors import ActivityAbsent, ActivityFailed
from wattribute.core.records import Topology, Usage
from wattribute.core.units import NANOSECONDS_PER_SECOND, Nanoseconds
from wattribute.node.activity.cgroup import CgroupActivity
from wattribute.node.activity.cgroupfs import CgroupReader
from wattribute.node.activity.cpustat import CpuStat
from wattribute.node.activity.processes import ProcessReader, parse_stat
from wattribute.node.activity.procfs import ProcfsActivity
from wattribute_testing import FakeCgroupfs, FakeProcfs
from wattribute_testing.procfs import TICK_NS
from wattribute_testing.waiting import wait_until

ONE = Topology(("0",), np.zeros(1, np.int64), np.full(1, -1))
SECOND = NANOSECONDS_PER_SECOND
ID = "8f1c3f5b2d6e4a7098b1c2d3e4f5061728394a5b6c7d8e9f0a1b2c3d4e5f6071"


class Ticking:
    """A source that is read second after second."""

    def __init__(self, source: ProcfsActivity | CgroupActivity) -> None:
        self.source = source
        self.second = 0

    def read(self) -> Usage:
        usage = self.read_first()
        assert usage is not None
        return usage

    def read_first(self) -> Usage | None:
        self.second += 1
        return self.source.read(Nanoseconds(self.second * SECOND))


def procfs_source(procfs: FakeProcfs) -> Ticking:
    return Ticking(ProcfsActivity(procfs.root, ONE, CpuStat(procfs.root, ONE)))


def cgroup_source(procfs: FakeProcfs, cgroupfs: FakeCgroupfs) -> Ticking:
    reader = CgroupReader(cgroupfs.root, ONE)
    return Ticking(CgroupActivity(procfs.root, reader, CpuStat(procfs.root, ONE), ONE))


def ticks(usage: Usage) -> dict[int, int]:
    processes = usage.processes
    return {
        int(pid): int(ns) // TICK_NS
        for pid, ns in zip(processes.pid, processes.cpu_ns.sum(axis=1), strict=True)
    }


def path_of(usage: Usage, pid: int) -> str:
    cgroup = usage.processes.cgroup[usage.processes.pid == pid][0]
    return usage.cgroups.path[int(np.flatnonzero(usage.cgroups.id == cgroup)[0])]


@pytest.fixture
def procfs(tmp_path: Path) -> FakeProcfs:
    return FakeProcfs(tmp_path / "proc").start(1, b"systemd", parent_pid=0, ticks=1000)


def test_the_first_read_makes_nothing_and_the_next_an_interval(procfs: FakeProcfs) -> None:
    source = procfs_source(procfs)
    assert source.read_first() is None

    procfs.run(1, 7)
    procfs.run_cpu(user=8, steal=2, irq=1)
    usage = source.read()

    assert ticks(usage) == {1: 7}
    assert (usage.start_ns, usage.end_ns) == (SECOND, 2 * SECOND)
    assert usage.busy_ns.tolist() == [9 * TICK_NS]
    assert usage.capacity_ns.tolist() == [SECOND]
    assert usage.steal_ns == 2 * TICK_NS
    assert usage.irq_ns == TICK_NS
    assert usage.processes.key[0] == 1 << 40 | (100 * TICK_NS >> 10)
    assert usage.processes.comm[0] == b"systemd"
    assert ticks(source.read()) == {}


def test_a_process_born_since_is_charged_its_whole_life(procfs: FakeProcfs) -> None:
    source = procfs_source(procfs)
    source.read_first()
    procfs.start(50, ticks=30, parent_pid=1)

    usage = source.read()

    assert ticks(usage) == {50: 30}
    assert usage.processes.parent_pid.tolist() == [1]


def test_a_pid_that_is_reused_is_another_process(procfs: FakeProcfs) -> None:
    procfs.start(50, b"old", ticks=900, start_ticks=10)
    source = procfs_source(procfs)
    source.read_first()
    procfs.run(50, 1)
    first = source.read()
    procfs.exit(50)
    procfs.start(50, b"new", ticks=3, start_ticks=2000)
    second = source.read()

    assert ticks(first) == {50: 1}
    assert sorted(zip(second.processes.comm, second.processes.alive, strict=True)) == [
        (b"new", True),
        (b"old", False),
    ]
    assert second.processes.cpu_ns.sum() == 3 * TICK_NS
    assert len(set(second.processes.key)) == 2


def test_the_end_of_a_process_that_ran_is_told_once(procfs: FakeProcfs) -> None:
    procfs.start(50).start(51)
    source = procfs_source(procfs)
    source.read_first()
    procfs.run(50, 2)
    source.read()
    procfs.exit(50)
    procfs.exit(51)
    usage = source.read()

    assert usage.processes.pid.tolist() == [50]
    assert usage.processes.alive.tolist() == [False]
    assert usage.processes.cpu_ns.sum() == 0
    assert not len(source.read().processes.pid)


@pytest.mark.parametrize("file", ["stat", "cgroup", "status"])
def test_a_process_that_dies_while_it_is_read_costs_its_own_row_at_most(
    procfs: FakeProcfs, file: str
) -> None:
    procfs.start(50).start(51)
    source = procfs_source(procfs)
    source.read_first()
    procfs.start(52, ticks=4)
    for pid in (51, 52):
        procfs.vanish(pid, file)
    procfs.run(50, 2)

    usage = source.read()

    assert ticks(usage)[50] == 2
    assert usage.dropped == 0


def test_what_cannot_be_read_is_counted_once_and_not_charged_later(procfs: FakeProcfs) -> None:
    procfs.start(50, ticks=500)
    stat = procfs.root / "50/stat"
    text = stat.read_bytes()
    stat.write_bytes(b"rubbish")
    source = procfs_source(procfs)
    source.read_first()
    assert source.read().dropped == 1
    assert source.read().dropped == 1
    stat.write_bytes(text)

    assert ticks(source.read()) == {}
    procfs.run(50, 3)
    assert ticks(source.read()) == {50: 3}


@pytest.mark.parametrize(
    "comm",
    [b"", b") S 1 (", b"a b", b"new\nline", b"\xff\xfe", b'quo"te\\', b"))))", b"((", "ü".encode()],
)
def test_a_name_may_hold_anything(procfs: FakeProcfs, comm: bytes) -> None:
    source = procfs_source(procfs)
    source.read_first()
    procfs.start(50, comm, ticks=5)

    usage = source.read()

    assert ticks(usage) == {50: 5}
    assert usage.processes.comm[0] == comm


def test_kernel_threads_are_marked(procfs: FakeProcfs) -> None:
    source = procfs_source(procfs)
    source.read_first()
    procfs.start(2, b"kworker/u9:1-events_unbound", kernel=True, ticks=1)
    usage = source.read()

    assert usage.processes.kernel.tolist() == [True]
    assert usage.processes.comm[0] == b"kworker/u9:1-eve"


def test_procfs_alone_makes_its_table_of_cgroups(procfs: FakeProcfs) -> None:
    source = procfs_source(procfs)
    source.read_first()
    procfs.start(50, ticks=1, cgroup=f"4:cpu,cpuacct:/docker/{ID}\n3:memory:/\n0::/")
    procfs.start(51, ticks=1, cgroup="0::/a.slice/b.service (deleted)")
    first = source.read()
    procfs.exit(50)
    second, third = source.read(), source.read()

    assert path_of(first, 50) == f"/docker/{ID}"
    assert path_of(first, 51) == "/a.slice/b.service"
    assert first.cgroups.path[first.cgroups.parent[first.cgroups.path.index("/docker")]] == "/"
    assert first.cgroups.parent[0] == -1
    assert (first.cgroups.cpu_ns == -1).all()
    gone = [p for p, a in zip(second.cgroups.path, second.cgroups.alive, strict=True) if not a]
    assert gone == ["/docker", f"/docker/{ID}"]
    assert third.cgroups.path == ("/", "/a.slice", "/a.slice/b.service")
    assert len({u.cgroups.generation for u in (first, second, third)}) == 3
    assert source.read().cgroups.generation == third.cgroups.generation


def test_a_process_that_moves_after_its_birth_is_found_in_its_new_cgroup(
    procfs: FakeProcfs,
) -> None:
    source = procfs_source(procfs)
    source.read_first()
    procfs.start(50, b"runc", ticks=1, cgroup="0::/runtime")
    source.read()
    procfs.move(50, "0::/container")
    procfs.run(50, 1)
    assert path_of(source.read(), 50) == "/container"

    for _ in range(3):
        source.read()
    procfs.rename(50, b"app")
    procfs.move(50, "0::/other")
    procfs.run(50, 1)
    assert path_of(source.read(), 50) == "/other"


def test_the_cgroup_source_has_counters_and_processes_of_the_same_ids(
    procfs: FakeProcfs, tmp_path: Path
) -> None:
    cgroupfs = FakeCgroupfs(tmp_path / "cg", "v1").add("/docker/c")
    procfs.start(50, cgroup="2:cpu,cpuacct:/docker/c\n0::/elsewhere")
    source = cgroup_source(procfs, cgroupfs)
    assert source.read_first() is None

    procfs.run(50, 3)
    cgroupfs.use("/docker/c", 45_000_000)
    usage = source.read()

    assert usage.processes.cgroup.tolist() == [cgroupfs.id("/docker/c")]
    assert usage.cgroups.cpu_ns[usage.cgroups.path.index("/docker/c")] == 45_000_000
    assert ticks(usage) == {50: 3}


def test_a_process_in_a_cgroup_that_rests_is_read_less_often_and_loses_nothing(
    procfs: FakeProcfs, tmp_path: Path
) -> None:
    cgroupfs = FakeCgroupfs(tmp_path / "cg").add("/a").add("/b")
    procfs.start(50, cgroup="0::/a").start(51, cgroup="0::/a")
    source = cgroup_source(procfs, cgroupfs)
    source.read_first()
    source.read()

    procfs.move(50, "0::/b")  # it ran in b while a rests: found within eight reads
    procfs.run(50, 5)
    told = [ticks(source.read()).get(50, 0) for _ in range(8)]
    assert sum(told) == 5

    procfs.exit(51)
    procfs.run(50, 2)
    cgroupfs.use("/a", 1_000)
    cgroupfs.use("/b", 1_000)
    assert ticks(source.read()) == {50: 2}


def test_a_private_cgroup_namespace_is_resolved_against_the_hosts_tree(
    procfs: FakeProcfs, tmp_path: Path
) -> None:
    cgroupfs = FakeCgroupfs(tmp_path / "cg").add("/k/pod1/agent/inner").add("/k/pod2/app")
    cgroupfs.join("/k/pod1/agent/inner", os.getpid())
    procfs.move(1, "0::/../../..")
    procfs.start(os.getpid() if os.getpid() != 1 else 99, cgroup="0::/inner")
    procfs.start(2**22 + 1, cgroup="0::/../../pod2/app")
    procfs.start(2**22 + 2, cgroup="0::/")
    source = cgroup_source(procfs, cgroupfs)
    source.read_first()
    for pid in (1, os.getpid(), 2**22 + 1, 2**22 + 2):
        procfs.run(pid, 1)
    cgroupfs.use("/k/pod1/agent/inner", 1_000)
    cgroupfs.use("/k/pod2/app", 1_000)
    usage = source.read()

    assert path_of(usage, os.getpid()) == "/k/pod1/agent/inner"
    assert path_of(usage, 2**22 + 1) == "/k/pod2/app"
    assert path_of(usage, 2**22 + 2) == "/k/pod1/agent"
    assert path_of(usage, 1) == "/"


def test_a_private_cgroup_namespace_without_the_hosts_tree_keeps_the_end_of_paths(
    procfs: FakeProcfs,
) -> None:
    procfs.move(1, "0::/../..")
    source = procfs_source(procfs)
    source.read_first()
    procfs.start(50, ticks=1, cgroup=f"0::/../../docker-{ID}.scope")

    assert path_of(source.read(), 50) == f"/docker-{ID}.scope"


def test_a_failed_read_loses_nothing(procfs: FakeProcfs, tmp_path: Path) -> None:
    cgroupfs = FakeCgroupfs(tmp_path / "cg").add("/a")
    procfs.start(50, cgroup="0::/a")
    source = cgroup_source(procfs, cgroupfs)
    source.read_first()
    procfs.run(50, 2)
    cgroupfs.use("/a", 20_000_000)
    stat = (procfs.root / "stat").read_bytes()
    (procfs.root / "stat").write_bytes(b"")
    with pytest.raises(ActivityFailed, match="stat"):
        source.read()
    (procfs.root / "stat").write_bytes(stat)
    cgroupfs.add("/new")
    procfs.root.rename(tmp_path / "away")
    with pytest.raises(ActivityFailed, match="proc"):
        source.read()
    (tmp_path / "away").rename(procfs.root)
    usage = source.read()

    assert usage.start_ns == SECOND
    assert ticks(usage) == {50: 2}
    assert usage.cgroups.cpu_ns[usage.cgroups.path.index("/a")] == 20_000_000


def test_a_folder_without_processes_is_no_procfs(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("")
    with pytest.raises(ActivityAbsent, match=r"no processes.*--procfs"):
        ProcessReader(tmp_path, ONE, lambda _: 0)
    with pytest.raises(ActivityAbsent, match="--procfs"):
        ProcessReader(tmp_path / "missing", ONE, lambda _: 0)


def test_the_cgroup_source_needs_cgroups(procfs: FakeProcfs, tmp_path: Path) -> None:
    with pytest.raises(ActivityAbsent, match=r"neither cgroup v2 nor cpuacct.*--cgroupfs"):
        CgroupActivity(
            procfs.root, CgroupReader(tmp_path / "no", ONE), CpuStat(procfs.root, ONE), ONE
        )


@given(st.binary())
def test_rubbish_is_no_stat(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - int() has messages of its own
        parse_stat(text)


@given(st.binary(max_size=15), st.integers(0, 2**60), st.integers(0, 2**31))
def test_stat_is_read_whatever_the_name_is(comm: bytes, used: int, start: int) -> None:
    text = b"%d (%b) R 5 1 1 0 -1 64 0 0 0 0 %d 7 9 9 20 0 1 0 %d 1000 10 0\n"
    stat = parse_stat(text % (4, comm, used, start))

    assert (stat.comm, stat.parent_pid, stat.ticks, stat.start_ticks) == (comm, 5, used + 7, start)
    assert not stat.kernel


def test_twenty_thousand_processes_are_read(
    procfs: FakeProcfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = b"%d (many) S 1 1 1 0 -1 0 0 0 0 0 %d 0 9 9 20 0 1 0 77 1000 10 0\n"
    reader = ProcessReader(procfs.root, ONE, lambda _: 1)
    reader.read(reader.pids())
    monkeypatch.setattr(reader, "_text", lambda name: text % (int(name), int(name) - 99_999))
    processes = reader.read([str(pid) for pid in range(100_000, 120_000)])

    assert len(set(processes.key)) == 20_000
    assert processes.cpu_ns.sum() == TICK_NS * 20_000 * 20_001 // 2


def test_real_processes_are_seen_by_both_sources() -> None:
    cpus = max(int(p.name[3:]) for p in Path("/sys/devices/system/cpu").glob("cpu[0-9]*")) + 1
    topology = Topology(("0",), np.zeros(cpus, np.int64), np.full(cpus, -1))
    proc = Path("/proc")
    sources: list[ProcfsActivity | CgroupActivity] = [
        ProcfsActivity(proc, topology, CpuStat(proc, topology))
    ]
    reader = CgroupReader(Path("/sys/fs/cgroup"), topology)
    if reader.accounting != "none":
        sources.append(CgroupActivity(proc, reader, CpuStat(proc, topology), topology))
    for source in sources:
        assert source.read(Nanoseconds(time.monotonic_ns())) is None
    burn = "import time\nwhile time.process_time() < 0.1: pass\ninput()"
    with subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE) as child:
        stat = Path(f"/proc/{child.pid}/stat")
        wait_until(lambda: parse_stat(stat.read_bytes()).ticks >= 8)
        usages = [source.read(Nanoseconds(time.monotonic_ns())) for source in sources]
        assert child.stdin is not None
        child.stdin.write(b"\n")
    for source in sources:
        source.close()
    for usage in usages:
        assert usage is not None
        assert 8 <= ticks(usage)[child.pid] <= 30
        assert usage.busy_ns[0] >= 0
