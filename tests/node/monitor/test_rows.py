"""Rows of use: what containers' counters have beyond their processes."""

from pathlib import Path

import pytest

from wattribute.core.units import nanoseconds
from wattribute.node.monitor.groups import KERNEL_INDEX, group_cgroups
from wattribute.node.monitor.rows import RowBuilder, UsageRows
from wattribute_testing.activity import FakeActivity
from wattribute_testing.rig import Rig, joules_of, row_of

SECOND = 1_000_000_000
ID = "a" * 64
DOCKER = f"/docker/{ID}"
POD = "/kubepods/burstable/pod0f8c2a7e-1111-2222-3333-444455556666"


class Machine:
    """An activity source, and the rows that are built of it."""

    def __init__(self) -> None:
        self.activity = FakeActivity()
        self.builder = RowBuilder(cpus=4)
        self._now_s = 5.0
        self.activity.read(nanoseconds(self._now_s))

    def rows(self) -> UsageRows:
        self._now_s += 5
        usage = self.activity.read(nanoseconds(self._now_s))
        assert usage
        return self.builder.build(usage, group_cgroups(usage.cgroups))

    def time_ns(self) -> int:
        return int(self.rows().cpu_ns.sum())


@pytest.fixture
def machine() -> Machine:
    return Machine()


def counters(machine: Machine, root_ns: int, unit_ns: int) -> None:
    for path, ns in (("/system.slice/a.service", unit_ns), ("/system.slice", unit_ns)):
        machine.activity.cgroup(path, cpu_ns=ns)
    machine.activity.cgroup("/", cpu_ns=root_ns)


def test_time_that_waits_for_its_process_is_booked_once(machine: Machine) -> None:
    counters(machine, root_ns=150_000_000, unit_ns=60_000_000)
    first_ns = machine.time_ns()
    later_ns = sum(machine.time_ns() for _ in range(4))

    assert first_ns + later_ns == 150_000_000


def test_time_waits_one_tick_and_no_longer(machine: Machine) -> None:
    counters(machine, root_ns=60_000_000, unit_ns=60_000_000)

    assert machine.time_ns() == 0
    counters(machine, root_ns=0, unit_ns=0)
    assert machine.time_ns() == 60_000_000
    assert machine.time_ns() == 0


def test_time_that_waited_is_its_late_processs(machine: Machine) -> None:
    counters(machine, root_ns=60_000_000, unit_ns=60_000_000)
    machine.rows()
    counters(machine, root_ns=0, unit_ns=0)
    machine.activity.ran(7, "/system.slice/a.service", 60_000_000, alive=False)
    rows = machine.rows()

    assert rows.pid.tolist() == [7]
    assert rows.cpu_ns.tolist() == [[60_000_000]]


def test_waiting_time_makes_no_interrupts(machine: Machine) -> None:
    machine.activity.irq_ns = 10_000_000
    for _ in range(50):
        # Here the tasks have the interrupts in their time: busy is theirs.
        counters(machine, root_ns=100_000_000, unit_ns=100_000_000)
        machine.activity.ran(7, "/system.slice/a.service", 90_000_000)
        rows = machine.rows()

    assert KERNEL_INDEX not in rows.group


def test_a_container_that_goes_with_its_pod_keeps_the_time_of_its_last_interval(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path)
    rig.tick()
    rig.activity.ran(7, f"{POD}/{ID}", SECOND)
    rig.tick(package_j=150)
    rig.activity.remove(f"{POD}/{ID}")
    rig.activity.remove(POD)
    for path in ("/kubepods/burstable", "/kubepods", "/"):
        rig.activity.cgroup(path, cpu_ns=SECOND)
    rig.activity.ran(9, "/user.slice", SECOND)
    rig.activity.cgroup("/", cpu_ns=2 * SECOND)
    rig.activity.cgroup("/user.slice", cpu_ns=SECOND)
    snapshot = rig.tick(package_j=150)

    assert joules_of(snapshot, container_id=ID) == pytest.approx(100 + 50)
    with pytest.raises(LookupError):
        row_of(snapshot, kind="ended")
