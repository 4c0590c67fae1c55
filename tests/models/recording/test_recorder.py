"""Recording power beside load: steps, normal operation, and meters that show old values."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from wattribute.core.errors import MeterAbsent
from wattribute.core.records import Zone
from wattribute.core.units import MICROJOULES_PER_JOULE, microwatts
from wattribute.models.recording.recorder import (
    Recorder,
    record_operation,
    record_steps,
    teaching_zones,
)
from wattribute.node.activity.cpustat import CpuStat
from wattribute.node.activity.node import NodeTimes
from wattribute.node.meter.machine import read_topology
from wattribute.node.meter.rapl import RaplMeter
from wattribute.node.sharing.metering import Limits, Metering
from wattribute_testing import FakeClock, FakeProcfs, FakeSysfs
from wattribute_testing.platform import SlowPlatform

CPUS = 10


class Bench:
    """A machine of two packages that draw 50 W each and 150 W more at full load."""

    def __init__(self, folder: Path, *, bmc_every_s: float = 0.0) -> None:
        self.clock = FakeClock()
        self.sysfs = FakeSysfs(folder / "sys")
        for package in (0, 1):
            self.sysfs.rapl(f"intel-rapl:{package}", f"package-{package}", 0)
        self.procfs = FakeProcfs(folder / "proc", cpus=CPUS)
        self.level = 0.0
        self.joules = 0.0
        self.stop_after_s = float("inf")
        self.waited_s = 0.0
        meters = [RaplMeter(self.sysfs.root)]
        if bmc_every_s:
            meters.append(SlowPlatform(self.wall_w, bmc_every_s))  # type: ignore[arg-type]
        self.metering = Metering(meters, Limits(microwatts(2000), microwatts(50_000)))
        topology = read_topology(self.sysfs.root, self.procfs.root)
        self.times = NodeTimes(CpuStat(self.procfs.root, topology), topology)
        zones = [zone for meter in meters for zone in meter.zones]
        self.recorder = Recorder(self.metering, zones, self.times, self.clock)

    def set(self, level: float) -> None:
        self.level = level

    def package_w(self) -> float:
        return 50 + 150 * self.level

    def wall_w(self) -> float:
        return 2 * self.package_w() + 100

    def wait(self, seconds: float) -> bool:
        self.clock.advance(seconds)
        self.joules += self.package_w() * seconds
        for package in (0, 1):
            self.sysfs.energy(f"intel-rapl:{package}", round(self.joules * MICROJOULES_PER_JOULE))
        for cpu in range(CPUS):
            self.procfs.run_cpu(cpu, user=round(100 * seconds * self.level))
        self.waited_s += seconds
        return self.waited_s >= self.stop_after_s

    def close(self) -> None:
        self.times.close()
        self.metering.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def steps(bench: Bench, *levels: float, step_s: float = 10, settle_s: float = 5) -> list:
    return record_steps(
        bench.recorder, levels, bench, step_s=step_s, settle_s=settle_s, wait=bench.wait,
        clock=bench.clock,
    )  # fmt: skip


def test_each_step_is_a_point_of_all_packages_together(bench: Bench) -> None:
    points = steps(bench, 0.0, 0.5, 1.0)

    assert [(p.scope, p.utilisation, p.watts) for p in points] == [
        ("pkg", 0.0, 100.0),
        ("pkg", pytest.approx(0.5), pytest.approx(250.0)),
        ("pkg", pytest.approx(1.0), pytest.approx(400.0)),
    ]
    assert all(p.seconds == pytest.approx(10) for p in points)
    assert bench.level == 0.0  # the load has ended


def test_a_stop_keeps_the_steps_that_are_done(bench: Bench) -> None:
    bench.stop_after_s = 40.0

    assert [p.utilisation for p in steps(bench, 0.0, 0.5, 1.0)] == [0.0, pytest.approx(0.5)]


def test_a_slow_meter_is_paired_with_the_load_of_its_own_window(tmp_path: Path) -> None:
    bench = Bench(tmp_path, bmc_every_s=20)

    walls = [p for p in steps(bench, 0.0, 1.0, step_s=120, settle_s=30) if p.scope == "wall"]

    assert [p.watts for p in walls] == pytest.approx([200, 500], rel=0.01)
    assert [p.utilisation for p in walls] == [
        pytest.approx(0, abs=0.01),
        pytest.approx(1, abs=0.01),
    ]
    bench.close()


def test_normal_operation_is_sorted_by_load(bench: Bench) -> None:
    levels = iter([0.12] * 60 + [0.42] * 60 + [0.9] * 10)

    def wait(seconds: float) -> bool:
        bench.level = next(levels, 0.9)
        return bench.wait(seconds)

    points = record_operation(bench.recorder, for_s=130, wait=wait, clock=bench.clock)

    # 10 s at 90 % tell too little
    assert [(p.utilisation, p.watts) for p in points] == [
        (pytest.approx(0.12), pytest.approx(136.0)),
        (pytest.approx(0.42), pytest.approx(226.0)),
    ]


def test_a_zone_that_stands_still_is_no_point(bench: Bench) -> None:
    bench.package_w = lambda: 0.0  # type: ignore[method-assign]

    assert steps(bench, 0.0, 1.0) == []


def test_the_whole_machine_counts_only_where_one_meter_shows_it_and_no_gpu_is_in_it() -> None:
    package, bmc = Zone("package", "0", "rapl-sysfs"), Zone("platform", "1", "redfish")
    board, gpu = Zone("platform", "0", "rapl-sysfs"), Zone("gpu", "0", "nvml")

    assert teaching_zones([package, bmc]).keys() == {"pkg", "wall"}
    assert teaching_zones([package, bmc, Zone("platform", "2", "redfish")]).keys() == {"pkg"}
    assert teaching_zones([package, bmc, gpu]).keys() == {"pkg"}
    assert teaching_zones([package, board]).keys() == {"pkg"}
    with pytest.raises(MeterAbsent, match="an estimate teaches nothing"):
        teaching_zones([board, gpu])
