"""RAPL zones: what is read on which machine, and what happens when a zone cannot be read."""

import os
from pathlib import Path

import pytest

from wattribute.core.errors import MeterAbsent, MeterDenied, MeterFailed
from wattribute.core.records import Counter, Zone
from wattribute.core.units import Microjoules, Nanoseconds
from wattribute.node.meter.rapl import PowerLimits, RaplMeter
from wattribute_testing import FakeSysfs
from wattribute_testing.sysfs import RAPL_RANGE_UJ

MACHINES = Path(__file__).parents[2] / "machines"
NOW = Nanoseconds(1)


@pytest.fixture
def sysfs(tmp_path: Path) -> FakeSysfs:
    return FakeSysfs(tmp_path / "sys")


def read(meter: RaplMeter) -> dict[str, int]:
    values = {}
    for reading in meter.read(NOW):
        assert isinstance(reading.value, Counter)
        values[f"{reading.zone.kind}-{reading.zone.id}"] = reading.value.energy_uj
    return values


def rapl_zone(kind: str, package: str) -> Zone:
    return Zone(kind, package, "rapl-sysfs", package)


def two_packages(sysfs: FakeSysfs) -> FakeSysfs:
    sysfs.rapl("intel-rapl:0", "package-0", 10).rapl("intel-rapl:0:0", "dram", 11)
    return sysfs.rapl("intel-rapl:1", "package-1", 20).rapl("intel-rapl:1:0", "dram", 21)


@pytest.mark.parametrize(
    ("machine", "zones"),
    [
        ("two-sockets", ["package 0", "dram 0", "package 1", "dram 1"]),
        (
            "dies",
            [f"{kind} {i}" for i in ("0-0", "0-1", "1-0", "1-1") for kind in ("package", "dram")],
        ),
        ("laptop", ["package 0", "core 0", "uncore 0", "platform psys"]),
        ("amd", ["package 0", "core 0", "package 1", "core 1"]),
    ],
)
def test_the_zones_of_a_machine(machine: str, zones: list[str], sysfs: FakeSysfs) -> None:
    meter = RaplMeter(sysfs.load(MACHINES / f"{machine}.tree").root)

    assert [f"{z.kind} {z.id}" for z in meter.zones] == zones
    assert [r.zone for r in meter.read(NOW)] == list(meter.zones)
    assert {z.source for z in meter.zones} == {"rapl-sysfs"}
    assert all(z.package == (None if z.kind == "platform" else z.id) for z in meter.zones)
    assert meter.problems == ()
    meter.close()


def test_a_reading_carries_the_counter_its_wrap_and_the_instant(sysfs: FakeSysfs) -> None:
    meter = RaplMeter(sysfs.rapl("intel-rapl:0", "package-0", 7).root)

    (reading,) = meter.read(Nanoseconds(42))

    assert reading.at_ns == 42
    assert reading.zone == rapl_zone("package", "0")
    assert reading.value == Counter(Microjoules(7), Microjoules(RAPL_RANGE_UJ))


def test_more_than_ten_packages_stay_in_the_order_of_their_numbers(sysfs: FakeSysfs) -> None:
    for n in range(12):
        sysfs.rapl(f"intel-rapl:{n}", f"package-{n}")

    assert [z.id for z in RaplMeter(sysfs.root).zones] == [str(n) for n in range(12)]


def test_only_the_tree_of_devices_is_mounted(sysfs: FakeSysfs) -> None:
    two_packages(sysfs)
    for link in (sysfs.root / "class/powercap").iterdir():
        link.unlink()

    assert len(RaplMeter(sysfs.root).zones) == 4


def test_each_read_sees_the_counter_move(sysfs: FakeSysfs) -> None:
    meter = RaplMeter(sysfs.rapl("intel-rapl:0", "package-0", 262_143_328_849).root)

    assert read(meter) == {"package-0": 262_143_328_849}
    sysfs.energy("intel-rapl:0", 3)
    assert read(meter) == {"package-0": 3}


def test_no_tree_means_absent_and_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MeterAbsent, match=r"no RAPL zone; load intel_rapl_msr .* --sysfs"):
        RaplMeter(tmp_path)


@pytest.fixture
def deny(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Folders of zones whose energy_uj may not be opened (tests may run as root)."""
    denied: set[str] = set()
    real = os.open

    def guarded(path: os.PathLike[str] | str, flags: int, mode: int = 0o777) -> int:
        file = Path(path)
        if file.name == "energy_uj" and file.parent.name in denied and not flags & os.O_WRONLY:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", guarded)
    return denied


def test_all_denied_names_the_capability(sysfs: FakeSysfs, deny: set[str]) -> None:
    two_packages(sysfs)
    deny |= {"intel-rapl:0", "intel-rapl:0:0", "intel-rapl:1", "intel-rapl:1:0"}

    with pytest.raises(MeterDenied, match=r"intel-rapl:0/energy_uj: permission denied; needs root"):
        RaplMeter(sysfs.root)


def test_one_denied_zone_costs_that_zone(sysfs: FakeSysfs, deny: set[str]) -> None:
    two_packages(sysfs)
    deny.add("intel-rapl:0:0")

    meter = RaplMeter(sysfs.root)

    assert read(meter) == {"package-0": 10, "package-1": 20, "dram-1": 21}
    assert meter.problems == (
        "intel-rapl:0:0/energy_uj: permission denied; needs root or CAP_DAC_READ_SEARCH",
    )
    deny.clear()
    assert len(read(meter)) == 4
    assert meter.problems == ()


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"-5\n", b"abc\n", b"1_000\n", b"\xff\xfe", b"9" * 40, b"1e9\n"]
)
def test_garbage_costs_that_zone_that_time(content: bytes, sysfs: FakeSysfs) -> None:
    meter = RaplMeter(two_packages(sysfs).root)
    path = "class/powercap/intel-rapl:1/energy_uj"

    sysfs.write_raw(path, content)
    assert read(meter) == {"package-0": 10, "dram-0": 11, "dram-1": 21}
    (problem,) = meter.problems
    assert problem.startswith("intel-rapl:1/energy_uj: shows b'")

    sysfs.write_raw(path, b"22\n")
    assert read(meter)["package-1"] == 22
    assert meter.problems == ()


def test_a_file_that_errs_costs_that_zone(sysfs: FakeSysfs) -> None:
    two_packages(sysfs)
    file = sysfs.root / "class/powercap/intel-rapl:0:0/energy_uj"
    file.unlink()
    file.mkdir()

    meter = RaplMeter(sysfs.root)

    assert set(read(meter)) == {"package-0", "package-1", "dram-1"}
    assert "intel-rapl:0:0/energy_uj: is a directory" in meter.problems[0]


def test_nothing_but_garbage_is_a_failure(sysfs: FakeSysfs) -> None:
    with pytest.raises(MeterFailed, match="no zone could be read: intel-rapl:0/energy_uj: shows"):
        RaplMeter(sysfs.rapl("intel-rapl:0", "package-0", "?").root)


def test_a_zone_that_vanishes_is_left_out_and_read_again_when_it_comes_back(
    sysfs: FakeSysfs,
) -> None:
    meter = RaplMeter(two_packages(sysfs).root)

    sysfs.without_rapl("intel-rapl:1:0").without_rapl("intel-rapl:1")
    assert read(meter) == {"package-0": 10, "dram-0": 11}
    assert read(meter) == {"package-0": 10, "dram-0": 11}
    assert meter.problems == (
        "package 1: has vanished; it is read again when it comes back",
        "dram 1: has vanished; it is read again when it comes back",
    )
    assert len(meter.zones) == 2

    sysfs.rapl("intel-rapl:2", "package-1", 1)  # a driver loaded again may use another number
    assert read(meter) == {"package-0": 10, "dram-0": 11, "package-1": 1}


def test_all_zones_may_vanish_and_come_back(sysfs: FakeSysfs) -> None:
    meter = RaplMeter(sysfs.rapl("intel-rapl:0", "package-0", 10).root)

    sysfs.without_rapl("intel-rapl:0")
    for _ in range(3):
        with pytest.raises(MeterFailed):
            meter.read(NOW)
    sysfs.rapl("intel-rapl:0", "package-0", 2)
    assert read(meter) == {"package-0": 2}


def test_a_file_that_was_replaced_is_opened_anew(sysfs: FakeSysfs) -> None:
    meter = RaplMeter(sysfs.rapl("intel-rapl:0", "package-0", 10).root)
    file = sysfs.root / "class/powercap/intel-rapl:0/energy_uj"

    file.unlink()
    file.write_text("11\n")

    assert read(meter) == {"package-0": 11}


@pytest.mark.parametrize("content", ["", "x", 0])
def test_a_wrap_that_is_not_told_makes_every_fall_a_reset(
    content: object, sysfs: FakeSysfs
) -> None:
    meter = RaplMeter(sysfs.rapl("intel-rapl:0", "package-0", 1, range_uj=content).root)

    (reading,) = meter.read(NOW)

    assert reading.value == Counter(Microjoules(1), None)


def test_two_zones_of_one_name_count_once(sysfs: FakeSysfs) -> None:
    sysfs.rapl("intel-rapl:0", "package-0", 10).rapl("intel-rapl:1", "package-0", 10)

    meter = RaplMeter(sysfs.root)

    assert read(meter) == {"package-0": 10}
    assert meter.problems == ("intel-rapl:1: a second package-0; the first is used",)


def test_reading_leaves_no_descriptor_behind(sysfs: FakeSysfs) -> None:
    before = set(Path("/proc/self/fd").iterdir())
    meter = RaplMeter(two_packages(sysfs).root)
    for _ in range(3):
        sysfs.without_rapl("intel-rapl:1:0")
        meter.read(NOW)
        meter.read(NOW)
        sysfs.rapl("intel-rapl:1:0", "dram")
        meter.read(NOW)
    meter.close()
    meter.close()

    assert set(Path("/proc/self/fd").iterdir()) == before


def test_the_long_term_power_limit_of_a_package_is_read_once_a_minute(tmp_path: Path) -> None:
    sysfs = FakeSysfs(tmp_path)
    sysfs.rapl("intel-rapl:0", "package-0").rapl("intel-rapl:0:0", "dram")
    folder = sysfs.root / "class/powercap/intel-rapl:0"
    now_s = [0.0]
    limits = PowerLimits(sysfs.root, lambda: now_s[0])
    package, dram = (Zone(kind, "0", "rapl-sysfs", "0") for kind in ("package", "dram"))

    assert limits.limit_uw(package) is None  # there is no such file
    (folder / "constraint_0_power_limit_uw").write_text("95000000\n")
    (folder / "enabled").write_text("1\n")
    assert limits.limit_uw(package) is None
    now_s[0] = 61.0
    assert limits.limit_uw(package) == 95_000_000
    assert limits.limit_uw(dram) is None
    assert limits.limit_uw(Zone("package", "0", "hwmon")) is None
    (folder / "enabled").write_text("0\n")
    now_s[0] = 122.0
    assert limits.limit_uw(package) is None
