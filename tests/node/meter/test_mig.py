"""MIG instances: by GPM, by dcgm-exporter's metrics, by memory."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from wattribute.core.errors import ConfigInvalid
from wattribute.core.records import GpuUsage
from wattribute.core.units import Nanoseconds
from wattribute.node.meter.dcgm import DcgmReader, instance_activity
from wattribute.node.meter.nvml import NvmlMeter
from wattribute_testing import FakeNvml
from wattribute_testing.nvml import NOT_SUPPORTED, FakeGpu
from wattribute_testing.waiting import wait_until

SECOND = 1_000_000_000
GIB = 1 << 30
METRICS = """\
# HELP DCGM_FI_PROF_GR_ENGINE_ACTIVE Ratio of time the graphics engine is active.
# TYPE DCGM_FI_PROF_GR_ENGINE_ACTIVE gauge
DCGM_FI_PROF_GR_ENGINE_ACTIVE{gpu="0",UUID="GPU-a",GPU_I_PROFILE="3g.40gb",GPU_I_ID="1"} 0.5
DCGM_FI_PROF_GR_ENGINE_ACTIVE{gpu="0",UUID="GPU-a",GPU_I_PROFILE="4g.40gb",GPU_I_ID="2"} 0.25
DCGM_FI_PROF_SM_ACTIVE{gpu="0",UUID="GPU-a",GPU_I_ID="2"} 1.000000
DCGM_FI_PROF_GR_ENGINE_ACTIVE{gpu="1",UUID="GPU-b"} 0.9
DCGM_FI_PROF_GR_ENGINE_ACTIVE{gpu="0",UUID="GPU-a",GPU_I_ID="3"} nonsense
DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-a",GPU_I_ID="1"} 0.3
"""


def board(nvml: FakeNvml) -> FakeGpu:
    gpu = nvml.gpu("GPU-a")
    gpu.mig_slots = 7
    gpu.instances = [(1, 3, "MIG-1", 50.0), (2, 4, "MIG-2", 100.0)]
    gpu.fail("samples", NOT_SUPPORTED)
    gpu.holds(7, GIB, instance=1).holds(8, 3 * GIB, instance=1).holds(9, GIB, instance=2)
    return gpu


def opened(nvml: FakeNvml, dcgm_url: str = "") -> NvmlMeter:
    nvml.write()
    return NvmlMeter(str(nvml.library), dcgm_url)


def used(meter: NvmlMeter, seconds: int) -> GpuUsage:
    meter.read(Nanoseconds(seconds * SECOND))
    usage = meter.read_use(Nanoseconds(seconds * SECOND))
    assert usage is not None
    return usage


def busy(usage: GpuUsage) -> dict[int, int]:
    return dict(zip(usage.pid.tolist(), usage.busy_ns.tolist(), strict=True))


def test_an_instances_time_is_its_part_of_the_board_and_its_processes_share_by_memory(
    nvml: FakeNvml,
) -> None:
    board(nvml)
    meter = opened(nvml)
    meter.read_use(Nanoseconds(0))
    usage = used(meter, 7)

    assert busy(usage) == {
        7: round(0.375 * SECOND),
        8: round(1.125 * SECOND),
        9: 4 * SECOND,
    }
    state = usage.states[0]
    assert (state.activity, state.instances) == ("gpm", 2)
    assert state.utilisation == pytest.approx(5.5 / 7)
    meter.close()


def test_a_busy_instance_without_a_known_process_is_somebody_unknown(nvml: FakeNvml) -> None:
    gpu = board(nvml)
    gpu.processes = [p for p in gpu.processes if p[1] != 9]
    meter = opened(nvml)
    meter.read_use(Nanoseconds(0))

    assert busy(used(meter, 7))[0] == 4 * SECOND


def test_instances_come_and_go_and_mig_mode_is_switched_off(nvml: FakeNvml) -> None:
    gpu = board(nvml)
    meter = opened(nvml)
    meter.read_use(Nanoseconds(0))
    gpu.instances = [(1, 3, "MIG-1", 50.0), (5, 2, "MIG-5", 100.0)]
    nvml.write()
    first = used(meter, 7)
    assert (busy(first)[7], busy(first)[9]) == (round(0.375 * SECOND), 0)
    assert 5 * SECOND not in busy(first).values()

    gpu.mig_slots = 0
    gpu.failing.clear()
    gpu.instances.clear()
    gpu.processes = [("compute", 7, GIB, None)]
    nvml.write()
    used(meter, 8)
    gpu.ran(7, 50, at_us=5)
    nvml.write()
    usage = used(meter, 9)
    assert busy(usage) == {7: SECOND // 2}
    assert (usage.states[0].activity, usage.states[0].instances) == ("sm", 0)


def test_without_any_activity_by_instance_memory_decides(nvml: FakeNvml) -> None:
    board(nvml).fail("gpm", NOT_SUPPORTED)
    meter = opened(nvml)
    meter.read_use(Nanoseconds(0))
    usage = used(meter, 1)

    assert usage.states[0].activity == "memory"
    assert not usage.busy_ns.any()
    assert usage.memory_bytes.sum() == 5 * GIB


def test_metrics_of_dcgm_name_instances_by_device_and_number() -> None:
    assert dict(instance_activity(METRICS)) == {("GPU-a", 1): 0.5, ("GPU-a", 2): 1.0}


@pytest.fixture
def exporter() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/metrics" else 404)
            self.end_headers()
            if self.path == "/metrics":
                self.wfile.write(METRICS.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_before_hopper_dcgm_exporter_tells_of_instances(nvml: FakeNvml, exporter: str) -> None:
    board(nvml).fail("gpm", NOT_SUPPORTED)
    meter = opened(nvml, exporter)
    meter.read_use(Nanoseconds(0))
    wait_until(lambda: meter.dcgm_problem == "")
    usage = used(meter, 7)
    meter.close()

    assert usage.states[0].activity == "dcgm"
    assert busy(usage)[9] == 4 * SECOND
    assert busy(usage)[7] == round(0.375 * SECOND)


def test_an_exporter_that_does_not_answer_is_a_problem_and_memory_decides(
    nvml: FakeNvml, tmp_path: Path
) -> None:
    del tmp_path
    board(nvml).fail("gpm", NOT_SUPPORTED)
    meter = opened(nvml, "http://127.0.0.1:1")
    meter.read_use(Nanoseconds(0))
    usage = used(meter, 1)
    meter.close()

    assert usage.states[0].activity == "memory"
    assert "meter.dcgm_url: http://127.0.0.1:1" in usage.states[0].message


@pytest.mark.parametrize("url", ["ftp://x", "localhost:9400", "https://x", "http://"])
def test_an_address_that_is_none_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ConfigInvalid, match=r"meter\.dcgm_url"):
        DcgmReader(url)
