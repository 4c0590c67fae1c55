"""CPU time of the packages from /proc/stat."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.core.errors import ActivityAbsent, ActivityFailed
from wattribute.core.records import Topology
from wattribute.node.activity.cpustat import NS_PER_TICK, CpuStat
from wattribute_testing import FakeProcfs

TWO_PACKAGES = Topology(("0", "1"), np.array([0, 0, 1, 1]), np.array([-1, -1, -1, -1]))
ONE_PACKAGE = Topology(("0",), np.array([0]), np.array([-1]))


def test_busy_time_is_by_package_without_steal_iowait_and_guest_twice(tmp_path: Path) -> None:
    procfs = FakeProcfs(tmp_path, cpus=4)
    cpustat = CpuStat(tmp_path, TWO_PACKAGES)
    before = cpustat.read()

    procfs.run_cpu(0, user=3, nice=1, system=2, guest=3, idle=50, iowait=7, steal=11)
    procfs.run_cpu(1, user=1)
    procfs.run_cpu(3, irq=4, softirq=6)
    after = cpustat.read()

    assert ((after.busy_ns - before.busy_ns) // NS_PER_TICK).tolist() == [7, 10]
    assert after.steal_ns // NS_PER_TICK == 11
    assert after.irq_ns // NS_PER_TICK == 10
    assert after.idle_ns // NS_PER_TICK == 57


def test_a_cpu_that_goes_away_and_comes_back_makes_nothing_and_loses_nothing(
    tmp_path: Path,
) -> None:
    procfs = FakeProcfs(tmp_path, cpus=4).run_cpu(3, user=100)
    cpustat = CpuStat(tmp_path, TWO_PACKAGES)
    seen = [cpustat.read()]

    procfs.set_online(3, online=False)
    seen.append(cpustat.read())
    procfs.run_cpu(3, user=5)
    procfs.set_online(3, online=True)
    seen.append(cpustat.read())

    assert [int(times.busy_ns[1]) // NS_PER_TICK for times in seen] == [100, 100, 105]


def test_a_cpu_that_the_topology_does_not_know_counts_for_the_first_package(
    tmp_path: Path,
) -> None:
    FakeProcfs(tmp_path, cpus=6).run_cpu(5, user=9)
    holes = Topology(("0", "1"), np.array([0, -1, 1]), np.array([-1, -1, -1]))

    assert (CpuStat(tmp_path, holes).read().busy_ns // NS_PER_TICK).tolist() == [9, 0]


def test_idle_time_that_falls_never_makes_the_sum_fall(tmp_path: Path) -> None:
    procfs = FakeProcfs(tmp_path).run_cpu(idle=100)
    cpustat = CpuStat(tmp_path, ONE_PACKAGE)
    first = cpustat.read().idle_ns

    procfs.run_cpu(idle=-3)

    assert cpustat.read().idle_ns == first


def test_a_missing_stat_file_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ActivityAbsent, match=r"stat: No such file.*--procfs"):
        CpuStat(tmp_path, ONE_PACKAGE)


@given(st.binary())
def test_rubbish_fails_this_read_alone(text: bytes) -> None:
    cpustat = _over_file(text)
    with contextlib.closing(cpustat), pytest.raises(ActivityFailed, match="stat"):
        cpustat.read()


@pytest.mark.parametrize(
    "text",
    [
        b"cpu  1\ncpu0 1\nintr 1\n",
        b"cpu  1\ncpux 1 2 3 4 5 6 7 8 9 10\nintr 1\n",
        b"cpu  \ncpu\nintr",
    ],
)
def test_lines_that_are_not_cpu_times_fail_this_read_alone(text: bytes) -> None:
    with pytest.raises(ActivityFailed, match="stat"):
        _over_file(text).read()


def _over_file(text: bytes) -> CpuStat:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "stat").write_bytes(text)
        return CpuStat(Path(folder), ONE_PACKAGE)


def test_the_real_machine_has_been_busy_and_idle() -> None:
    cpus = max(int(p.name[3:]) for p in Path("/sys/devices/system/cpu").glob("cpu[0-9]*")) + 1
    topology = Topology(("0",), np.zeros(cpus, np.int64), np.full(cpus, -1))
    cpustat = CpuStat(Path("/proc"), topology)
    one, two = cpustat.read(), cpustat.read()

    assert one.busy_ns[0] > 0
    assert one.idle_ns > 0
    assert (two.busy_ns >= one.busy_ns).all()
