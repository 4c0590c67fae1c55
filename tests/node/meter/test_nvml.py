"""NVML through the real nvidia-ml-py, on a library of our own that speaks its ABI."""

import subprocess
import sys
from pathlib import Path

import pytest

from wattribute.core.errors import MeterAbsent, MeterDenied, MeterError, MeterFailed
from wattribute.core.records import Counter, Gauge, GpuUsage
from wattribute.core.units import Nanoseconds
from wattribute.node.meter import GpuMeter
from wattribute.node.meter.nvml import NvmlMeter
from wattribute_testing import FakeNvml
from wattribute_testing.nvml import (
    DRIVER_NOT_LOADED,
    GPU_IS_LOST,
    INSUFFICIENT_SIZE,
    NOT_SUPPORTED,
    UNKNOWN,
    VERSION_MISMATCH,
)

SECOND = 1_000_000_000
US = 1_000_000
GIB = 1 << 30
FUNCTION_NOT_FOUND = 13
NO_PERMISSION = 4


def at(seconds: float) -> Nanoseconds:
    return Nanoseconds(round(seconds * SECOND))


def opened(nvml: FakeNvml, dcgm_url: str = "") -> NvmlMeter:
    nvml.write()
    return NvmlMeter(str(nvml.library), dcgm_url)


def used(meter: NvmlMeter, seconds: float) -> GpuUsage:
    usage = meter.read_use(at(seconds))
    assert usage is not None
    return usage


def rows(usage: GpuUsage) -> dict[tuple[int, int], tuple[int, int]]:
    return {
        (int(d), int(p)): (int(b), int(m))
        for d, p, b, m in zip(
            usage.device, usage.pid, usage.busy_ns, usage.memory_bytes, strict=True
        )
    }


def test_energy_is_the_devices_counter(nvml: FakeNvml) -> None:
    gpu = nvml.gpu("GPU-a")
    gpu.energy_mj = 123_456_789
    meter = opened(nvml)

    assert isinstance(meter, GpuMeter)
    (reading,) = meter.read(at(1))
    assert (reading.zone.kind, reading.zone.id, reading.zone.source) == ("gpu", "GPU-a", "nvml")
    assert reading.zone.component == "gpu"
    assert reading.value == Counter(123_456_789_000, None)
    assert meter.problems == ()


@pytest.mark.parametrize(
    ("average_mw", "value"),
    [(250_000, Gauge(250_000_000, averaged=True)), (None, Gauge(300_000_000, averaged=False))],
)
def test_without_a_counter_power_is_read_the_mean_of_a_second_first(
    nvml: FakeNvml, average_mw: int | None, value: Gauge
) -> None:
    gpu = nvml.gpu()
    gpu.energy_mj, gpu.average_mw, gpu.power_mw = None, average_mw, 300_000

    (reading,) = opened(nvml).read(at(1))

    assert reading.value == value


def test_processes_get_the_time_of_all_their_samples_since_the_last_read(nvml: FakeNvml) -> None:
    gpu = nvml.gpu().holds(7, 2 * GIB).holds(8, GIB, kind="graphics").ran(7, 99, at_us=5)
    meter = opened(nvml)
    assert meter.read_use(at(1)) is None
    for second in range(1, 6):
        gpu.ran(7, 40, at_us=second * US)
        gpu.ran(8, 20 if second % 2 else 10, at_us=second * US)
    nvml.write()

    usage = used(meter, 6)

    assert (usage.start_ns, usage.end_ns) == (at(1), at(6))
    times = rows(usage)
    assert times[0, 7] == (pytest.approx(2 * SECOND, rel=1e-4), 2 * GIB)
    assert times[0, 8] == (pytest.approx(0.8 * SECOND, rel=1e-4), GIB)
    assert usage.states[0].utilisation == pytest.approx(0.56, rel=1e-4)
    assert usage.states[0].activity == "sm"

    assert rows(used(meter, 11)) == {(0, 7): (0, 2 * GIB), (0, 8): (0, GIB)}


def test_a_process_that_has_ended_keeps_its_samples(nvml: FakeNvml) -> None:
    gpu = nvml.gpu().holds(7, GIB).ran(7, 1, at_us=1)
    meter = opened(nvml)
    meter.read_use(at(1))
    gpu.processes.clear()
    gpu.ran(7, 50, at_us=2 * US)
    nvml.write()

    assert rows(used(meter, 3)) == {(0, 7): (SECOND, 0)}


def test_after_a_long_silence_the_driver_is_asked_of_the_last_seconds_only(
    nvml: FakeNvml,
) -> None:
    gpu = nvml.gpu().ran(7, 50, at_us=100 * US)
    meter = opened(nvml)
    meter.read_use(at(0))
    for seconds in range(5, 3600, 5):
        assert not used(meter, seconds).busy_ns.any()
    gpu.ran(7, 80, at_us=3000 * US).ran(8, 40, at_us=3698 * US)
    nvml.write()

    assert rows(used(meter, 3600)) == {(0, 8): (2 * SECOND, 0)}


def test_a_driver_whose_clock_was_set_back_is_heard_again(nvml: FakeNvml) -> None:
    gpu = nvml.gpu().holds(7, GIB).ran(7, 50, at_us=10_000 * US)
    meter = opened(nvml)
    meter.read_use(at(0))
    gpu.utilisation = 60
    busy = []
    for tick in range(1, 6):
        gpu.ran(7, 60, at_us=(100 + 5 * tick) * US)
        nvml.write()
        busy.append(rows(used(meter, 5 * tick))[0, 7][0])

    assert busy == [0, 0, 3 * SECOND, 3 * SECOND, 3 * SECOND]  # after 10 s


def test_a_device_that_was_idle_from_the_start_is_heard_at_once(nvml: FakeNvml) -> None:
    gpu = nvml.gpu()
    meter = opened(nvml)
    meter.read_use(at(0))
    used(meter, 5)
    used(meter, 10)
    gpu.ran(7, 60, at_us=12 * US)
    nvml.write()

    assert rows(used(meter, 15)) == {(0, 7): (3 * SECOND, 0)}


def test_where_time_is_not_told_memory_says_who_holds_it(nvml: FakeNvml) -> None:
    gpu = nvml.gpu().holds(7, 3 * GIB).fail("samples", NOT_SUPPORTED)
    gpu.utilisation = 30
    meter = opened(nvml)
    meter.read_use(at(1))
    usage = used(meter, 2)

    assert rows(usage) == {(0, 7): (0, 3 * GIB)}
    assert (usage.states[0].activity, usage.states[0].utilisation) == ("memory", 0.3)
    assert meter.problems == ()


def test_the_time_of_an_mps_server_is_its_clients(nvml: FakeNvml) -> None:
    gpu = nvml.gpu().holds(7, 3 * GIB, kind="mps").holds(8, GIB, kind="mps")
    nvml.names = {99: "/usr/bin/nvidia-cuda-mps-server", 50: "python"}
    meter = opened(nvml)
    meter.read_use(at(0))
    gpu.ran(99, 40, at_us=US).ran(50, 10, at_us=US).ran(8, 20, at_us=US)
    nvml.write()
    times = rows(used(meter, 1))

    assert times[0, 7][0] == 300_000_000
    assert times[0, 8][0] == 300_000_000
    assert times[0, 50][0] == 100_000_000
    assert (0, 99) not in times


@pytest.mark.parametrize("call", ["compute", "mps", "graphics"])
def test_lists_that_grow_while_they_are_asked_for_are_asked_for_again(
    nvml: FakeNvml, call: str
) -> None:
    gpu = nvml.gpu().holds(7, GIB, kind=call).ran(7, 30, at_us=US)
    meter = opened(nvml)
    meter.read_use(at(0))
    gpu.ran(7, 50, at_us=2 * US).fail("grow", INSUFFICIENT_SIZE, times=2)
    nvml.write()

    assert rows(used(meter, 1))[0, 7] == (SECOND // 2, GIB)
    assert meter.problems == ()


def test_a_list_that_never_stops_growing_is_a_problem_of_that_device_alone(
    nvml: FakeNvml,
) -> None:
    nvml.gpu("GPU-a").holds(7, GIB).fail("grow", INSUFFICIENT_SIZE)
    nvml.gpu("GPU-b").holds(8, GIB)
    meter = opened(nvml)
    meter.read_use(at(0))
    usage = used(meter, 1)

    assert rows(usage) == {(1, 8): (0, GIB)}
    assert usage.states[0].failures > 0
    assert meter.problems == (
        "gpu 0 (GPU-a): nvmlDeviceGetComputeRunningProcesses_v3: Insufficient Size",
    )
    assert len(meter.read(at(1))) == 2


def test_a_device_that_fails_costs_itself_alone(nvml: FakeNvml) -> None:
    nvml.gpu("GPU-a")
    bad = nvml.gpu("GPU-b")
    meter = opened(nvml)
    bad.fail("energy", UNKNOWN)
    nvml.write()

    assert [r.zone.id for r in meter.read(at(1))] == ["GPU-a"]
    assert meter.problems == ("gpu 1 (GPU-b): nvmlDeviceGetTotalEnergyConsumption: Unknown Error",)
    bad.failing.clear()
    nvml.write()
    assert len(meter.read(at(2))) == 2
    assert meter.problems == ()


def test_a_device_falls_off_the_bus_and_comes_back(nvml: FakeNvml) -> None:
    nvml.gpu("GPU-a")
    lost = nvml.gpu("GPU-b").holds(7, GIB)
    meter = opened(nvml)
    meter.read(at(1))
    meter.read_use(at(1))
    lost.error = GPU_IS_LOST
    nvml.write()

    assert [r.zone.id for r in meter.read(at(6))] == ["GPU-a"]
    assert [zone.id for zone in meter.zones] == ["GPU-a"]
    assert "GPU is lost; it is looked for again" in meter.problems[0]
    assert [state.device for state in used(meter, 6).states] == ["GPU-a"]

    lost.error = 0
    lost.energy_mj = 5
    nvml.gpus.reverse()
    nvml.write()
    meter.read(at(11))
    assert [zone.id for zone in meter.zones] == ["GPU-a"]
    readings = meter.read(at(60))
    assert sorted(r.zone.id for r in readings) == ["GPU-a", "GPU-b"]
    usage = used(meter, 60)
    assert {s.device: s.index for s in usage.states} == {"GPU-a": 1, "GPU-b": 0}
    assert meter.problems == ()


def test_a_device_that_is_lost_for_good_is_said_and_the_others_are_read(nvml: FakeNvml) -> None:
    nvml.gpu("GPU-a")
    lost = nvml.gpu("GPU-b")
    meter = opened(nvml)
    lost.error = GPU_IS_LOST
    nvml.write()
    for tick in range(1, 100):
        assert [r.zone.id for r in meter.read(at(5 * tick))] == ["GPU-a"]
    assert meter.problems


def test_all_devices_lost_is_a_failed_read_until_they_are_back(nvml: FakeNvml) -> None:
    gpu = nvml.gpu()
    meter = opened(nvml)
    gpu.error = GPU_IS_LOST
    nvml.write()
    for seconds in (1, 6, 50, 200):
        with pytest.raises(MeterFailed, match="no device answers"):
            meter.read(at(seconds))
    nvml.init = DRIVER_NOT_LOADED
    nvml.write()
    with pytest.raises(MeterFailed, match="Driver Not Loaded"):
        meter.read(at(1000))
    assert meter.read_use(at(1000)) is None
    gpu.error = nvml.init = 0
    nvml.write()

    assert len(meter.read(at(3000))) == 1


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (DRIVER_NOT_LOADED, MeterAbsent, "modprobe nvidia"),
        (NO_PERMISSION, MeterDenied, "/dev/nvidiactl"),
        (VERSION_MISMATCH, MeterFailed, "the driver was updated"),
        (FUNCTION_NOT_FOUND, MeterFailed, "too old"),
        (UNKNOWN, MeterFailed, "nvmlInit: Unknown Error"),
    ],
)
def test_what_is_wrong_with_the_driver_is_said_with_what_would_fix_it(
    nvml: FakeNvml, code: int, kind: type[MeterError], words: str
) -> None:
    nvml.gpu()
    nvml.init = code

    with pytest.raises(kind, match=words):
        opened(nvml)


def test_a_driver_without_a_device_is_absent(nvml: FakeNvml) -> None:
    with pytest.raises(MeterAbsent, match="no device"):
        opened(nvml)


def test_devices_of_which_none_answers_have_failed(nvml: FakeNvml) -> None:
    nvml.gpu("GPU-a").error = GPU_IS_LOST

    with pytest.raises(MeterFailed, match="gpu 0: nvmlDeviceGetHandleByIndex: GPU is lost"):
        opened(nvml)


def test_a_library_that_is_not_there_is_absent(tmp_path: Path) -> None:
    with pytest.raises(MeterAbsent, match="there is no such file"):
        NvmlMeter(str(tmp_path / "libnvidia-ml.so.1"))


def test_a_library_that_is_no_library_is_denied(tmp_path: Path) -> None:
    file = tmp_path / "libnvidia-ml.so.1"
    file.write_text("text")

    with pytest.raises(MeterDenied, match="cannot be loaded"):
        NvmlMeter(str(file))


def test_without_the_library_nothing_is_imported_for_it() -> None:
    program = (
        "import sys\n"
        "from wattribute.node.meter.choose import choose_meters\n"
        "from wattribute.core.errors import MeterAbsent\n"
        "from wattribute.node.meter.nvml import NvmlMeter\n"
        "try: NvmlMeter('/nowhere/libnvidia-ml.so.1')\n"
        "except MeterAbsent: pass\n"
        "else: raise SystemExit('found')\n"
        "parts = ('nvml_library', 'nvml_device', 'mig', 'dcgm')\n"
        "heavy = {'pynvml', *(f'wattribute.node.meter.{part}' for part in parts)}\n"
        "heavy &= sys.modules.keys()\n"
        "raise SystemExit(', '.join(heavy) or 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_more_than_64_devices_are_read(nvml: FakeNvml) -> None:
    for number in range(72):
        nvml.gpu().holds(100 + number, GIB)
    meter = opened(nvml)

    assert len(meter.read(at(1))) == 72
    meter.read_use(at(1))
    assert sorted(used(meter, 2).pid.tolist()) == list(range(100, 172))
