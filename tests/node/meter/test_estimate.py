"""Load from /proc/stat, and the meter that turns it into estimated power."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.core.errors import MeterAbsent, MeterFailed
from wattribute.core.records import Estimate, Load, Machine, Power, Zone
from wattribute.core.units import Microwatts, Nanoseconds, nanoseconds
from wattribute.node.meter.estimate import EstimateMeter, LoadReader, busy_of

MACHINE = Machine(cores=2, threads=2)


class Straight:
    """1 W idle, 10 W at full load, for cpu alone."""

    name = "straight"

    def predict(self, _machine: Machine, load: Load) -> Mapping[str, Power]:
        dynamic_uw = Microwatts(round(9e6 * load.utilisation))
        return {
            "cpu": Power(
                Microwatts(1_000_000), dynamic_uw, Microwatts(1), Microwatts(99_000_000), "cpu"
            )
        }


class Stat:
    """A /proc/stat of two CPUs, in clock ticks of 10 ms."""

    def __init__(self, procfs: Path) -> None:
        self.procfs = procfs
        self.set()

    def set(self, **ticks: int) -> None:
        columns = (
            "user",
            "nice",
            "system",
            "idle",
            "iowait",
            "irq",
            "softirq",
            "steal",
            "guest",
            "guest_nice",
        )
        row = " ".join(str(ticks.get(column, 0)) for column in columns)
        self.procfs.joinpath("stat").write_text(f"cpu  {row}\ncpu0 {row}\ncpu1 0 0\nintr 5 1\n")


@pytest.fixture
def stat(tmp_path: Path) -> Stat:
    return Stat(tmp_path)


def test_utilisation_is_busy_time_over_cpus_times_elapsed_time(stat: Stat) -> None:
    load = LoadReader(stat.procfs)
    load.read(nanoseconds(100))

    stat.set(user=40, nice=10, system=20, irq=5, softirq=25)

    assert load.read(nanoseconds(101)) == Load(nanoseconds(1), 0.5)


def test_guest_time_is_not_counted_twice_and_steal_and_iowait_not_at_all(stat: Stat) -> None:
    load = LoadReader(stat.procfs)
    load.read(nanoseconds(100))

    stat.set(user=100, guest=100, guest_nice=50, steal=500, iowait=300, idle=900)

    assert load.read(nanoseconds(101)).utilisation == 0.5


def test_within_one_clock_tick_the_utilisation_before_stands(stat: Stat) -> None:
    load = LoadReader(stat.procfs)
    load.read(nanoseconds(100))
    stat.set(user=100)
    assert load.read(nanoseconds(101)).utilisation == 0.5

    assert load.read(nanoseconds(101.001)).utilisation == 0.5
    stat.set(user=110)
    assert load.read(nanoseconds(101.1)).utilisation == 0.5


def test_counters_that_fall_are_an_idle_machine(stat: Stat) -> None:
    stat.set(user=500)
    load = LoadReader(stat.procfs)
    load.read(nanoseconds(100))
    stat.set(user=10)

    assert load.read(nanoseconds(101)).utilisation == 0.0


@given(st.binary(max_size=120) | st.text("cpu 019\nintr-", max_size=60).map(str.encode))
def test_any_content_is_read_or_refused(content: bytes) -> None:
    try:
        busy, cpus = busy_of(content)
    except ValueError:
        return
    assert busy >= 0
    assert cpus >= 1


def test_the_meter_gives_the_model_word_for_the_load_since_the_read_before(stat: Stat) -> None:
    meter = EstimateMeter(Straight(), MACHINE, stat.procfs)
    assert meter.zones == (Zone("package", "0", "trained_power_model"),)

    (first,) = meter.read(nanoseconds(100))
    stat.set(user=100)
    (second,) = meter.read(nanoseconds(101))

    assert isinstance(first.value, Estimate)
    assert first.value.dynamic_uw == 0
    assert second.at_ns == nanoseconds(101)
    assert second.value == Estimate(
        Microwatts(1_000_000), Microwatts(4_500_000), Microwatts(1), Microwatts(99_000_000), "cpu"
    )
    meter.close()


def test_a_read_that_fails_is_made_up_for_by_the_next(stat: Stat) -> None:
    meter = EstimateMeter(Straight(), MACHINE, stat.procfs)
    meter.read(nanoseconds(100))
    (stat.procfs / "stat").write_text("cpu garbage\n")
    with pytest.raises(MeterFailed, match="does not begin with a line of CPU times"):
        meter.read(nanoseconds(101))
    assert meter.problems

    stat.set(user=100)
    (reading,) = meter.read(nanoseconds(102))

    assert isinstance(reading.value, Estimate)
    assert reading.value.dynamic_uw == 2_250_000
    assert meter.problems == ()


def test_only_asked_components_are_zones(stat: Stat) -> None:
    with pytest.raises(MeterAbsent, match="straight knows nothing of dram, other here"):
        EstimateMeter(Straight(), MACHINE, stat.procfs, ("dram", "other"))


def test_without_proc_stat_nothing_can_be_estimated(tmp_path: Path) -> None:
    with pytest.raises(MeterFailed, match="stat: No such file"):
        EstimateMeter(Straight(), MACHINE, tmp_path)


def test_the_real_proc_stat_can_be_read() -> None:
    load = LoadReader(Path("/proc"))

    assert load.read(Nanoseconds(0)) == Load(Nanoseconds(0), 0.0)
    load.close()
