"""What goes wrong between two ticks: suspend, stalls, blind ticks, dead sensors."""

from pathlib import Path

import pytest

from wattribute.core.records import Mode, Snapshot
from wattribute.core.units import Nanoseconds
from wattribute_testing.clock import FakeClock
from wattribute_testing.rig import Rig, joules_of

SECOND = 1_000_000_000
J = 1_000_000
DOCKER = f"/docker/{'a' * 64}"
PACKAGE = "class/powercap/intel-rapl:0/energy_uj"


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    rig = Rig(tmp_path)
    rig.tick()
    return rig


def channel(snapshot: Snapshot | None, kind: str) -> int:
    assert snapshot
    return [channel.kind for channel in snapshot.channels].index(kind)


def silent_tick(rig: Rig, seconds: float = 5) -> Snapshot | None:
    """A tick in which the package's counter cannot be read."""
    kept = (rig.sysfs.root / PACKAGE).read_bytes()
    rig.sysfs.write_raw(PACKAGE, b"junk")
    rig.clock.advance(seconds)
    rig.monitor.tick()
    rig.sysfs.write_raw(PACKAGE, kept)
    return rig.monitor.snapshot()


def test_energy_that_waited_when_the_machine_slept_is_not_lost(rig: Rig) -> None:
    rig.tick(package_j=50)
    rig.activity.fail_next = True
    rig.tick(package_j=150)
    rig.clock.suspend(3600)
    rig.tick(package_j=9000)
    snapshot = rig.tick(package_j=50)

    assert snapshot
    assert snapshot.node.energy_uj[channel(snapshot, "package")].sum() == (50 + 150 + 50) * J
    assert snapshot.health.dropped_intervals["suspend"] == 2


def test_a_zone_that_cannot_be_read_after_a_suspend_counts_nothing_of_it(rig: Rig) -> None:
    rig.tick(package_j=50)
    silent_tick(rig)
    rig.clock.suspend(3600)
    silent_tick(rig)
    snapshot = rig.tick(package_j=5000)

    assert snapshot
    assert snapshot.node.energy_uj[channel(snapshot, "package")].sum() == 50 * J


def test_a_stall_between_the_reads_of_two_clocks_is_no_suspend(rig: Rig) -> None:
    class Stalling(FakeClock):
        stalls = 0

        def boottime_ns(self) -> Nanoseconds:
            if self.stalls:
                self.stalls -= 1
                self.advance(0.3)
            return super().boottime_ns()

    clock = Stalling()
    clock.advance(5)
    rig.monitor._clock = rig.clock = clock
    rig.tick(package_j=50)
    clock.stalls = 1
    rig.tick(package_j=50)
    snapshot = rig.tick(package_j=50)

    assert snapshot
    assert snapshot.health.dropped_intervals.get("suspend", 0) == 0
    assert snapshot.node.energy_uj[channel(snapshot, "package")].sum() == 150 * J


def test_who_ran_is_still_known_when_a_zone_and_the_loop_stall_together(rig: Rig) -> None:
    rig.tick(package_j=50)
    rig.activity.ran(7, DOCKER, SECOND, alive=False)
    silent_tick(rig)
    silent_tick(rig, seconds=400)
    snapshot = rig.tick(package_j=8000)

    assert joules_of(snapshot, kind="container") > 0


def test_nothing_is_shown_as_rising_while_nobody_says_who_ran_and_energy_is_not_lost(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path)
    for _ in range(8):
        rig.activity.fail_next = True
        snapshot = rig.tick(package_j=150)

    assert snapshot
    package = channel(snapshot, "package")
    assert snapshot.node.energy_uj[package].sum() == 7 * 150 * J


def test_the_rest_of_the_platform_is_counted_also_while_nobody_says_who_ran(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path)
    rig.sysfs.rapl("intel-rapl:1", "psys")
    rig = Rig(tmp_path)
    rig.tick()
    for tick in range(10):
        rig.activity.fail_next = 2 <= tick < 8
        rig.use("intel-rapl:1", 200)
        snapshot = rig.tick(package_j=100, dram_j=50)

    assert snapshot
    assert snapshot.node.energy_uj[channel(snapshot, "other")].sum() == 10 * 50 * J


def test_the_rest_of_a_platform_whose_meter_is_dead_ends_with_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.sysfs.rapl("intel-rapl:1", "psys")
    rig = Rig(tmp_path)
    for _ in range(3):
        rig.use("intel-rapl:1", 200)
        rig.tick(package_j=100, dram_j=50)
    rig.sysfs.write_raw("class/powercap/intel-rapl:1/energy_uj", b"")
    for _ in range(4):
        snapshot = rig.tick(package_j=100, dram_j=50)

    assert snapshot
    up = {total.zone.kind: total.up for total in snapshot.node.zones}
    assert up == {"package": True, "dram": True, "platform": False, "other": False}


def test_power_is_of_the_time_in_which_the_energy_was_used(rig: Rig) -> None:
    rig.tick(package_j=50)
    rig.activity.fail_next = True
    rig.tick(package_j=550)
    rig.activity.ran(7, DOCKER, 10 * SECOND)
    snapshot = rig.tick(package_j=550)

    assert joules_of(snapshot, kind="container") == pytest.approx(1000)
    assert snapshot
    assert snapshot.containers.power_uw.max() == 100 * J
    assert snapshot.containers.cpu_ratio.max() == 1.0


def test_the_cost_of_a_tick_includes_what_is_published(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent_ns = 0

    def thread_time_ns() -> int:
        return spent_ns

    def frozen(array: object) -> object:
        nonlocal spent_ns
        spent_ns += 1_000_000
        return array

    monkeypatch.setattr("wattribute.node.monitor.publish._frozen", frozen)
    monkeypatch.setattr("time.thread_time_ns", thread_time_ns)
    snapshot = rig.tick(package_j=50)

    assert snapshot
    assert snapshot.health.tick_cpu_ns >= 10_000_000


def test_processes_that_ended_unseen_do_not_stay_for_ever(rig: Rig) -> None:
    for pid in range(100, 150):
        rig.activity.ran(pid, DOCKER, SECOND)
    rig.tick(package_j=50)
    for _ in range(3):
        rig.activity.ran(7, DOCKER, SECOND)
        snapshot = rig.tick(package_j=50, seconds=50_000)

    assert snapshot
    assert snapshot.processes.pid.tolist() == [7]


def test_a_virtual_machine_that_idles_for_long_keeps_its_total(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.monitor._rows._vm_of = lambda pid, _comm: "guest" if pid == 7 else ""
    rig.tick()
    rig.activity.ran(7, DOCKER, SECOND, comm="qemu-system-x86")
    rig.tick(package_j=150)
    for _ in range(3):
        rig.tick(package_j=50, seconds=200)
    rig.activity.ran(7, DOCKER, SECOND, comm="qemu-system-x86")
    snapshot = rig.tick(package_j=150)

    assert snapshot
    assert snapshot.vms.ids == ("guest",)
    assert snapshot.vms.energy_uj[0, :, Mode.DYNAMIC].sum() == 200 * J
