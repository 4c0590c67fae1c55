"""hwmon: which sensors are the CPU's or the platform's, and which are left alone."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wattribute.core.errors import MeterAbsent, MeterError
from wattribute.core.records import Counter, Gauge, Zone
from wattribute.core.units import Microjoules, Microwatts, Nanoseconds
from wattribute.node.meter.hwmon import HwmonMeter
from wattribute_testing import FakeSysfs
from wattribute_testing.strength import examples

MACHINES = Path(__file__).parents[2] / "machines"
NOW = Nanoseconds(1)


@pytest.fixture
def sysfs(tmp_path: Path) -> FakeSysfs:
    return FakeSysfs(tmp_path / "sys")


def read(meter: HwmonMeter) -> dict[tuple[str, str, str | None], Counter | Gauge]:
    return {(r.zone.kind, r.zone.id, r.zone.package): r.value for r in meter.read(NOW)}  # type: ignore[misc]


def counter(energy_uj: int) -> Counter:
    return Counter(Microjoules(energy_uj), None)


def gauge(power_uw: int, *, averaged: bool = False) -> Gauge:
    return Gauge(Microwatts(power_uw), averaged)


def test_an_acpi_meter_is_the_platform_and_the_disk_and_gpu_are_not(sysfs: FakeSysfs) -> None:
    meter = HwmonMeter(sysfs.load(MACHINES / "acpi.tree").root)

    assert meter.zones == (Zone("platform", "0", "acpi"),)
    assert read(meter) == {("platform", "0", None): gauge(350_000_000, averaged=True)}
    assert meter.covers == frozenset()


def test_grace_is_its_socket_with_its_memory_inside_its_module(sysfs: FakeSysfs) -> None:
    sysfs.load(MACHINES / "grace.tree").cpus(packages=2)

    meter = HwmonMeter(sysfs.root)

    assert read(meter) == {
        ("package", "0", "0"): gauge(250_000_000, averaged=True),
        ("package", "1", "1"): gauge(250_000_001, averaged=True),
        ("platform", "0", None): gauge(700_000_000, averaged=True),
        ("platform", "1", None): gauge(700_000_001, averaged=True),
    }
    assert {z.source for z in meter.zones} == {"acpi"}
    assert meter.covers == {"cpu", "dram"}


def test_a_chassis_meter_goes_before_the_modules_inside_it(sysfs: FakeSysfs) -> None:
    sysfs.load(MACHINES / "grace.tree")
    sysfs.hwmon(20, "power_meter", {"power1_average": 2_000_000_000, "power1_oem_info": "PSU bus"})

    platform = [v for (kind, _, _), v in read(HwmonMeter(sysfs.root)).items() if kind == "platform"]

    assert platform == [gauge(2_000_000_000, averaged=True)]


def test_amd_energy_gives_sockets_and_not_cores(sysfs: FakeSysfs) -> None:
    meter = HwmonMeter(sysfs.load(MACHINES / "amd-energy.tree").cpus(packages=2).root)

    assert read(meter) == {
        ("package", "0", "0"): counter(1000),
        ("package", "1", "1"): counter(2000),
    }


def test_an_energy_counter_goes_before_the_power_of_the_same_sensor(sysfs: FakeSysfs) -> None:
    meter = HwmonMeter(sysfs.load(MACHINES / "power9.tree").root)

    assert read(meter) == {
        ("package", "0", "0"): counter(7_510_000_000_000),
        ("package", "8", "8"): counter(5_090_000_000_000),
        ("platform", "0", None): counter(21_290_000_000_000),
    }


@pytest.mark.parametrize(
    ("machine", "zones"),
    [
        (
            "zenpower",
            {
                ("package", "0-core", "0"): gauge(45_000_000),
                ("package", "0-soc", "0"): gauge(9_000_000),
            },
        ),
        (
            "xgene",
            {
                ("package", "0-cpu", "0"): gauge(20_000_000),
                ("package", "0-io", "0"): gauge(7_000_000),
            },
        ),
    ],
)
def test_sensors_of_one_package_that_add_up(
    machine: str, zones: dict[tuple[str, str, str], Gauge], sysfs: FakeSysfs
) -> None:
    assert read(HwmonMeter(sysfs.load(MACHINES / f"{machine}.tree").root)) == zones


def test_packages_without_a_number_are_counted_in_the_order_of_their_devices(
    sysfs: FakeSysfs,
) -> None:
    sysfs.cpus(packages=2)
    attributes = {"power1_average": 1, "power1_crit": 95_000_000}
    sysfs.hwmon(7, "fam15h_power", {**attributes, "power1_input": 40}, device="0000:00:18.4")
    sysfs.hwmon(3, "fam15h_power", {**attributes, "power1_input": 41}, device="0000:00:19.4")

    # power1_average sleeps and knows one compute unit only
    assert read(HwmonMeter(sysfs.root)) == {
        ("package", "0", "0"): gauge(40),
        ("package", "1", "1"): gauge(41),
    }


def test_a_battery_is_not_the_platform(sysfs: FakeSysfs) -> None:
    sysfs.hwmon(0, "power_meter", {"power1_average": 5, "power1_is_battery": 1})

    with pytest.raises(MeterAbsent):
        HwmonMeter(sysfs.root)


@pytest.mark.parametrize("chip", ["nvme", "amdgpu", "i915", "mlx5", "pmbus", "ina226", "k10temp"])
def test_other_chips_are_left_alone(chip: str, sysfs: FakeSysfs) -> None:
    sysfs.hwmon(0, chip, {"power1_input": 5, "power1_label": "CPU power", "energy1_input": 5})

    with pytest.raises(MeterAbsent, match="no CPU or platform power sensor"):
        HwmonMeter(sysfs.root)


def test_without_packages_only_the_platform_is_left(sysfs: FakeSysfs) -> None:
    sysfs.load(MACHINES / "power9.tree")

    meter = HwmonMeter(sysfs.root, without=("package",))

    assert [z.kind for z in meter.zones] == ["platform"]


def test_a_chip_that_gets_another_number_keeps_its_zone(sysfs: FakeSysfs) -> None:
    sysfs.hwmon(0, "power_meter", {"power1_average": 5})
    meter = HwmonMeter(sysfs.root)
    chip = sysfs.root / "class/hwmon/hwmon0"
    chip.rename(chip.with_name("hwmon9"))
    (chip.with_name("hwmon9") / "power1_average").unlink()
    (chip.with_name("hwmon9") / "power1_average").write_text("6\n")

    with pytest.raises(MeterError):
        meter.read(NOW)
    assert read(meter) == {("platform", "0", None): gauge(6, averaged=True)}


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chip=st.sampled_from(["power_meter", "amd_energy", "ibmpowernv", "zenpower", "nvme", ""]),
    label=st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
        st.sampled_from(["Esocket٣", "Esocket99999999999999", "Chip -1", "Module Power Socket 0"]),
    ),
    content=st.binary(max_size=40),
)
def test_no_label_and_no_content_breaks_the_search(
    chip: str, label: str, content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    sysfs = FakeSysfs(tmp_path_factory.mktemp("fuzz"))
    sysfs.hwmon(0, chip, {"power1_average": 1, "energy1_input": 2})
    for attribute in ("power1_label", "energy1_label"):
        sysfs.write_raw(f"class/hwmon/hwmon0/{attribute}", label.encode())
    sysfs.write_raw("class/hwmon/hwmon0/energy1_input", content)
    try:
        meter = HwmonMeter(sysfs.root)
    except MeterError:
        return
    assert all(isinstance(r.value, Counter | Gauge) for r in meter.read(NOW))
    meter.close()
