"""A window around a piece of work, on sensors and processes in the test's hand."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wattribute.core.records import Load, Machine, Origin
from wattribute.core.units import Nanoseconds, microwatts
from wattribute.node.attribution.weight import TimeWeight
from wattribute.node.estimates.choose import EstimatedComponents
from wattribute.node.estimates.machine_model import MachineModel
from wattribute.node.estimates.power_model import read_artefact
from wattribute.node.estimator.model import ArtefactEstimator
from wattribute.node.measuring.kernel_tree import KernelTree
from wattribute.node.measuring.window import Window
from wattribute.node.meter.machine import read_topology
from wattribute.node.meter.rapl import RaplMeter
from wattribute.node.sharing.energy import NodeEnergy
from wattribute.node.sharing.metering import Limits, Metering
from wattribute.node.sharing.sharer import Sharer
from wattribute.node.sources import Sources
from wattribute_testing import FakeClock, FakeProcfs, FakeSysfs
from wattribute_testing.activity import FakeActivity

MILLISECOND = 1_000_000
SECOND = 1_000_000_000
J = 1_000_000
MACHINE = Machine(threads=4, memory_bytes=1 << 34, cores=4, packages=1)
ESTIMATOR = ArtefactEstimator(read_artefact())


class Work:
    """The work's processes: their time is as told."""

    def __init__(self) -> None:
        self.used_ns = 0

    def cpu_ns(self, *, final: bool = False) -> int:
        del final
        return self.used_ns

    def live(self) -> tuple[int, ...]:
        return ()

    def close(self) -> None:
        pass


class Bench:
    """A machine and a window on it."""

    def __init__(self, folder: Path, *meters: str) -> None:
        self.sysfs = FakeSysfs(folder / "sys").rapl("intel-rapl:0", "package-0")
        self.procfs = FakeProcfs(folder / "proc", cpus=4)
        self.clock = FakeClock()
        self.work = Work()
        topology = read_topology(self.sysfs.root, self.procfs.root)
        opened = [RaplMeter(self.sysfs.root)] if "rapl" in meters else []
        metering = Metering(opened, Limits(microwatts(2000), microwatts(50_000)))
        estimated = EstimatedComponents(missing=("cpu",) if "estimate" in meters else ())
        energy = NodeEnergy(metering, MachineModel(ESTIMATOR, MACHINE), estimated)
        sharer = Sharer(topology, TimeWeight(), lambda _: 0, lambda _: None, SECOND)
        self.window = Window(
            Sources(MACHINE, topology, energy, sharer),
            self.procfs.root,
            self.work,  # type: ignore[arg-type]
            self.clock,
        )

    def run(self, milliseconds: float, work_ms: float, energy_j: float = 0) -> None:
        self.clock.advance(milliseconds / 1000)
        self.work.used_ns += round(work_ms * MILLISECOND)
        file = self.sysfs.root / "class/powercap/intel-rapl:0/energy_uj"
        before = file.read_text().strip()
        if before.isdigit():
            self.sysfs.energy("intel-rapl:0", int(before) + round(energy_j * J))


def test_a_command_shorter_than_a_clock_tick_has_an_estimate_all_the_same(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "estimate")
    bench.run(4, work_ms=4)  # /proc/stat moves in steps of 10 ms, and did not
    bench.window.tick(final=True)

    cpu = bench.window.by_component["cpu"]
    powers = ESTIMATOR.predict(MACHINE, Load(Nanoseconds(SECOND), 0.25))
    assert cpu.origin is Origin.ESTIMATED
    assert cpu.dynamic_uj == pytest.approx(powers["cpu"].dynamic_uw * 0.004, rel=0.01)
    assert cpu.low_uj < cpu.dynamic_uj < cpu.high_uj


def test_a_clock_tick_that_fell_into_a_short_command_is_not_taken_for_its_load(
    tmp_path: Path,
) -> None:
    bench, other = Bench(tmp_path / "a", "estimate"), Bench(tmp_path / "b", "estimate")
    bench.procfs.run_cpu(0, user=1)
    for one in (bench, other):
        one.run(4, work_ms=4)
        one.window.tick(final=True)

    assert bench.window.by_component == other.window.by_component


def test_a_command_that_is_long_enough_is_estimated_with_the_load_around_it(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, "estimate")
    for cpu in range(4):
        bench.procfs.run_cpu(cpu, user=100)
    bench.run(1000, work_ms=1000)
    bench.window.tick(final=True)

    powers = ESTIMATOR.predict(MACHINE, Load(Nanoseconds(SECOND), 1.0))
    assert bench.window.by_component["cpu"].dynamic_uj == pytest.approx(
        powers["cpu"].dynamic_uw / 4, rel=0.01
    )


def test_a_meter_that_cannot_be_read_at_the_end_is_said(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "rapl")
    bench.run(1000, work_ms=1000, energy_j=50)
    bench.window.tick()
    bench.sysfs.write_raw("class/powercap/intel-rapl:0/energy_uj", b"")
    bench.run(1000, work_ms=1000)
    bench.window.tick(final=True)

    assert bench.window.by_component["cpu"].dynamic_uj == 50 * J
    assert any("package-0" in problem for problem in bench.window.problems())


def test_an_interval_that_could_not_be_used_is_said(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "rapl")
    bench.run(1000, work_ms=1000, energy_j=50_000)
    bench.window.tick(final=True)

    assert any("impossible" in problem for problem in bench.window.problems())


def test_when_all_is_well_there_is_nothing_to_say(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "rapl")
    bench.run(1000, work_ms=1000, energy_j=50)
    bench.window.tick(final=True)

    assert bench.window.problems() == ()


class Kernel(FakeActivity):
    """Processes with parents and starts."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[int, int, int, int, bool]] = []

    def ran_under(
        self, pid: int, parent: int, cpu_ns: int, *, start: int = 0, alive: bool = True
    ) -> None:
        self.ran(pid, "/a", cpu_ns, alive=alive)
        self.rows.append((pid, parent, cpu_ns, start, alive))

    def read(self, now_ns: Any) -> Any:
        usage = super().read(now_ns)
        rows, self.rows = self.rows, []
        if usage is None:
            return None
        usage.processes.key[:] = [pid << 40 | start for pid, _, _, start, _ in rows]
        usage.processes.parent_pid[:] = [parent for _, parent, *_ in rows]
        return usage


@pytest.fixture
def kernel() -> tuple[Kernel, KernelTree]:
    activity = Kernel()
    return activity, KernelTree(Work(), activity, FakeClock(), 100)  # type: ignore[arg-type]


def test_descendants_are_followed_over_generations(kernel: tuple[Kernel, KernelTree]) -> None:
    activity, tree = kernel
    activity.ran_under(100, os.getpid(), 10, start=1)
    activity.ran_under(101, 100, 20, start=2, alive=False)
    activity.ran_under(102, 101, 30, start=3)
    activity.ran_under(7, 1, 1000)

    assert tree.cpu_ns() == 60


def test_a_pid_that_is_used_again_is_another_process(kernel: tuple[Kernel, KernelTree]) -> None:
    activity, tree = kernel
    activity.ran_under(100, os.getpid(), 10, start=1)
    activity.ran_under(101, 100, 20, start=2, alive=False)
    assert tree.cpu_ns() == 30
    activity.ran_under(101, 1, 1000, start=5)
    activity.ran_under(110, 101, 1000, start=6)
    assert tree.cpu_ns() == 30


def test_a_pid_whose_end_was_missed_is_another_process_too(
    kernel: tuple[Kernel, KernelTree],
) -> None:
    activity, tree = kernel
    activity.ran_under(101, 100, 20, start=2)
    assert tree.cpu_ns() == 20
    activity.ran_under(101, 1, 1000, start=5)
    activity.ran_under(110, 101, 1000, start=6)
    assert tree.cpu_ns() == 20


def test_what_the_hardware_counted_for_the_tree_is_summed_and_of_others_left_out(
    kernel: tuple[Kernel, KernelTree], monkeypatch: pytest.MonkeyPatch
) -> None:
    activity, tree = kernel
    read = activity.read

    def counted(now_ns: Nanoseconds) -> Any:
        usage = read(now_ns)
        counters = {"instructions": usage.processes.cpu_ns * 3, "corun": usage.processes.cpu_ns}
        return replace(usage, processes=replace(usage.processes, counters=counters))

    monkeypatch.setattr(activity, "read", counted)
    for _ in range(2):
        activity.ran_under(100, os.getpid(), 10, start=1)
        activity.ran_under(101, 100, 20, start=2)
        activity.ran_under(7, 1, 1000)
        tree.cpu_ns()

    assert tree.counters == {"instructions": 3 * 60}


def test_the_peak_is_that_of_the_busiest_tick_and_short_ticks_have_none(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "rapl")
    for milliseconds, energy_j in ((1000, 20), (1000, 50), (10, 5)):
        bench.procfs.run_cpu(0, user=milliseconds // 10)
        bench.run(milliseconds, work_ms=milliseconds, energy_j=energy_j)
        bench.window.tick()

    assert bench.window.power_peak_uw == pytest.approx(50 * J, rel=0.01)


def test_how_busy_others_kept_the_machine_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "rapl")
    for cpu in range(3):
        bench.procfs.run_cpu(cpu, user=100)
    bench.run(1000, work_ms=1000)
    bench.window.tick(final=True)

    assert bench.window.others_busy == pytest.approx(0.5, abs=0.01)  # 2 of 4 CPUs
    assert bench.window.by_component["cpu"].sources == ("rapl-sysfs",)
