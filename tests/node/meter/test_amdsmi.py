"""AMD SMI through the real package, on a library of our own that speaks its ABI."""

from pathlib import Path

import pytest

from wattribute.core.errors import MeterAbsent, MeterDenied, MeterError, MeterFailed
from wattribute.core.records import Counter, Gauge, GpuUsage
from wattribute.core.units import Nanoseconds
from wattribute.node.meter import GpuMeter
from wattribute.node.meter.amdsmi import AmdSmiMeter
from wattribute_testing.amdsmi import (
    DRIVER_NOT_LOADED,
    NO_PERMISSION,
    NOT_FOUND,
    NOT_SUPPORTED,
    FakeAmdSmi,
    build_rocm,
)

SECOND = 1_000_000_000
GIB = 1 << 30


@pytest.fixture(scope="session")
def rocm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fake library, compiled once: the package binds one per process."""
    try:
        return build_rocm(tmp_path_factory.mktemp("rocm"))
    except FileNotFoundError as exc:
        pytest.skip(str(exc))


@pytest.fixture
def smi(rocm: Path) -> FakeAmdSmi:
    """A machine without devices yet."""
    return FakeAmdSmi(rocm)


def at(seconds: float) -> Nanoseconds:
    return Nanoseconds(round(seconds * SECOND))


def opened(smi: FakeAmdSmi) -> AmdSmiMeter:
    smi.write()
    return AmdSmiMeter(smi.rocm)


def used(meter: AmdSmiMeter, seconds: float) -> GpuUsage:
    usage = meter.read_use(at(seconds))
    assert usage is not None
    return usage


def rows(usage: GpuUsage) -> dict[tuple[int, int], tuple[int, int]]:
    columns = (usage.device, usage.pid, usage.busy_ns, usage.memory_bytes)
    return {(int(d), int(p)): (int(b), int(m)) for d, p, b, m in zip(*columns, strict=True)}


def test_energy_is_counts_times_the_boards_own_resolution(smi: FakeAmdSmi) -> None:
    smi.gpu(0xC1).counts = 2_000_000
    meter = opened(smi)

    assert isinstance(meter, GpuMeter)
    (reading,) = meter.read(at(1))
    assert (reading.zone.kind, reading.zone.id, reading.zone.source) == (
        "gpu", "0000:c1:00.0", "amdsmi",
    )  # fmt: skip
    assert isinstance(reading.value, Counter)
    assert reading.value.energy_uj == pytest.approx(30_518_000, rel=1e-6)
    (note,) = meter.notes
    assert note.startswith("1 x AMD Instinct MI300X: energy counter, shared by engines' time")


@pytest.mark.parametrize("resolution_uj", [0.0, 1e-6, 15_259.0])
def test_a_resolution_that_no_board_has_is_no_counter(
    smi: FakeAmdSmi, resolution_uj: float
) -> None:
    gpu = smi.gpu(1)
    gpu.resolution_uj, gpu.power_w = resolution_uj, (0xFFFF, 90)
    (reading,) = opened(smi).read(at(1))
    assert reading.value == Gauge(90_000_000, averaged=True)


def test_without_a_counter_power_is_read_and_without_any_it_has_failed(smi: FakeAmdSmi) -> None:
    gpu = smi.gpu(1)
    gpu.failing, gpu.power_w = [("energy", NOT_SUPPORTED)], (70, 0xFFFF)
    (reading,) = opened(smi).read(at(1))
    assert reading.value == Gauge(70_000_000, averaged=False)

    gpu.power_w = (0xFFFF, 0xFFFF)
    with pytest.raises(MeterFailed, match="it tells no power"):
        opened(smi)


def test_processes_share_by_engines_and_by_the_units_that_they_occupy(smi: FakeAmdSmi) -> None:
    gpu = smi.gpu(1).holds(7, GIB, engine_ns=5 * SECOND).holds(8, 2 * GIB)
    gpu.vram_mib, gpu.activity = (3072, 196_608), 80
    meter = opened(smi)
    assert meter.read_use(at(1)) is None
    gpu.processes.clear()
    gpu.holds(7, GIB, engine_ns=7 * SECOND).holds(8, 2 * GIB, units=152).holds(9, 0, SECOND)
    smi.write()

    usage = used(meter, 6)

    assert rows(usage) == {
        (0, 7): (2 * SECOND, GIB),
        (0, 8): (5 * SECOND // 2, 2 * GIB),
        (0, 9): (SECOND, 0),
    }
    (state,) = usage.states
    assert (state.vendor, state.energy, state.activity) == ("amd", "counter", "engine")
    assert state.utilisation == 1.0
    assert (state.memory_used_bytes, state.memory_total_bytes) == (3 * GIB, 192 * GIB)
    assert dict(state.names) == {"0000:01:00.0": 1}


def test_partitions_of_a_board_are_the_board_and_its_energy_counts_once(smi: FakeAmdSmi) -> None:
    for function in range(4):
        gpu = smi.gpu(1, function).holds(7, GIB)
        gpu.units = 76
    meter = opened(smi)
    meter.read_use(at(0))
    for gpu in smi.gpus:
        gpu.processes[0] = (7, GIB, 0, 38)
    smi.write()

    assert len(meter.read(at(5))) == 1
    assert rows(used(meter, 5)) == {(0, 7): (5 * SECOND // 2, 4 * GIB)}


def test_more_than_64_devices_are_read(smi: FakeAmdSmi) -> None:
    for bus in range(72):
        smi.gpu(bus).holds(100 + bus, GIB)
    meter = opened(smi)
    assert len(meter.read(at(1))) == 72
    meter.read_use(at(1))
    assert sorted(used(meter, 2).pid.tolist()) == list(range(100, 172))


def test_a_device_that_fails_costs_itself_alone_and_comes_back(smi: FakeAmdSmi) -> None:
    smi.gpu(1).holds(7, GIB)
    gone = smi.gpu(2).holds(8, GIB)
    meter = opened(smi)
    meter.read_use(at(0))
    gone.error = NOT_FOUND
    smi.write()
    assert [r.zone.id for r in meter.read(at(1))] == ["0000:01:00.0"]
    assert "0000:02:00.0" in meter.problems[0]
    assert "it is looked for again" in meter.problems[0]
    assert [state.device for state in used(meter, 1).states] == ["0000:01:00.0"]
    assert len(meter.zones) == 1

    for seconds in (30, 100, 130):  # it is still away when the library is opened anew
        assert [r.zone.id for r in meter.read(at(seconds))] == ["0000:01:00.0"]
    gone.error = 0
    smi.write()
    meter.read(at(190))
    assert len(meter.read(at(191))) == 2
    assert meter.problems == ()
    assert len(used(meter, 191).states) == 2


def test_a_device_that_is_away_from_the_start_is_said_and_read_when_it_comes(
    smi: FakeAmdSmi,
) -> None:
    gone = smi.gpu(1)
    gone.error = NOT_FOUND
    with pytest.raises(MeterFailed, match="it is looked for again"):
        opened(smi)
    smi.gpu(2)
    meter = opened(smi)
    assert len(meter.read(at(0))) == 1
    gone.error = 0
    smi.write()
    meter.read(at(100))
    assert len(meter.read(at(200))) == 2


def test_processes_that_may_not_be_seen_cost_no_energy_and_are_said(smi: FakeAmdSmi) -> None:
    smi.gpu(1).failing = [("processes", NO_PERMISSION), ("asic", 7)]
    meter = opened(smi)
    meter.read_use(at(0))
    assert len(meter.read(at(5))) == 1
    usage = used(meter, 5)
    assert len(usage.pid) == 0
    assert usage.states[0].activity == "none"
    assert "Permission Denied" in usage.states[0].message


@pytest.mark.parametrize(
    ("init", "kind", "words"),
    [
        (DRIVER_NOT_LOADED, MeterAbsent, "modprobe amdgpu"),
        (NO_PERMISSION, MeterDenied, "needs /dev/kfd"),
        (7, MeterFailed, "amdsmi_init"),
    ],
)
def test_what_is_wrong_with_the_driver_is_said_with_what_would_fix_it(
    smi: FakeAmdSmi, init: int, kind: type[MeterError], words: str
) -> None:
    smi.gpu(1)
    smi.init = init
    with pytest.raises(kind, match=words):
        opened(smi)


def test_a_driver_without_a_device_is_absent(smi: FakeAmdSmi) -> None:
    with pytest.raises(MeterAbsent, match="shows no device"):
        opened(smi)


def test_without_rocm_it_is_absent_and_a_file_that_is_no_library_is_denied(tmp_path: Path) -> None:
    with pytest.raises(MeterAbsent, match=r"so no ROCm; meter\.rocm names its folder"):
        AmdSmiMeter(tmp_path)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libamd_smi.so").write_text("no library")
    with pytest.raises(MeterDenied, match="cannot be loaded"):
        AmdSmiMeter(tmp_path)
