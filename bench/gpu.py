"""GPUs, on the fake driver: what a tick costs, whether it adds up, how near the truth it is."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from bench.figure import Figure, at_most, shown, unmeasured
from wattribute.core.records import Mode, Snapshot
from wattribute.core.units import MICROJOULES_PER_JOULE, nanoseconds
from wattribute.node.meter.drm import DrmMeter
from wattribute.node.meter.nvml import NvmlMeter
from wattribute_testing import FakeNvml, FakeSysfs
from wattribute_testing.drm import FakeDrm
from wattribute_testing.nvml import build_library, compiler
from wattribute_testing.rig import Rig

SECTION: Final = "gpu"
_DEVICES: Final = 8
_PER_DEVICE: Final = 8
_TICK_S: Final = 5
_TICKS: Final = 120
_FLOOR_J: Final = 150
_J_PER_PERCENT: Final = 4.0
_US: Final = 1_000_000
_ADDRESS: Final = "0000:03:00.0"
_WITHOUT: Final = """
import sys
def kib():
    line = next(l for l in open("/proc/self/status") if l.startswith("VmRSS"))
    return int(line.split()[1])
import wattribute.node.agent
from wattribute.core.errors import MeterAbsent
from wattribute.node.meter.amdsmi import AmdSmiMeter
from wattribute.node.meter.nvml import NvmlMeter
from pathlib import Path
before = kib()
for make in (lambda: NvmlMeter("/none/libnvidia-ml.so.1"), lambda: AmdSmiMeter(Path("/none"))):
    try:
        make()
    except MeterAbsent:
        pass
loaded = [name for name in ("pynvml", "amdsmi", "h2") if name in sys.modules]
print(kib() - before, len(loaded))
"""


def run(_window_s: float) -> Iterator[Figure]:
    """Cost, truth, and a machine without GPUs; nothing here needs one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if compiler() is None:
            yield unmeasured(SECTION, "everything", "", "no C compiler for the fake library")
            return
        library = build_library(folder)
        yield from _nvml_cost(FakeNvml(folder / "cost", library))
        yield from _truth(folder / "rig", FakeNvml(folder / "truth", library))
        yield from _drm_cost(folder / "drm")
    yield from _without()


def _nvml_cost(nvml: FakeNvml) -> Iterator[Figure]:
    """CPU time of one tick's questions, with 30 samples of each process to read."""
    for number in range(_DEVICES):
        gpu = nvml.gpu()
        for process in range(_PER_DEVICE):
            gpu.holds(100 * number + process + 1, 1 << 30)
    nvml.write()
    meter = NvmlMeter(str(nvml.library))
    costs_ms = []
    for tick in range(1, 61):
        for number, gpu in enumerate(nvml.gpus):
            gpu.samples.clear()
            for process in range(_PER_DEVICE):
                for sample in range(30):
                    at_us = tick * _TICK_S * _US + (sample + 1) * _US // 6
                    gpu.ran(100 * number + process + 1, 12, at_us)
        nvml.write()
        now_ns = nanoseconds(tick * _TICK_S)
        began = time.thread_time_ns()
        meter.read(now_ns)
        meter.read_use(now_ns)
        costs_ms.append((time.thread_time_ns() - began) / 1e6)
    meter.close()
    yield at_most(
        SECTION, f"NVML tick, {_DEVICES} devices, {_DEVICES * _PER_DEVICE} processes",
        statistics.median(costs_ms), most=10.0, unit="ms",
        note=f"median of {len(costs_ms)}, worst {max(costs_ms):.1f}; on a fake library, with the "
        "time that it takes to read its script; no call into a real driver",
    )  # fmt: skip


def _truth(folder: Path, nvml: FakeNvml) -> Iterator[Figure]:
    """Processes of known draw on two devices: what each got, and what was lost."""
    for _ in range(2):
        nvml.gpu()
    nvml.write()
    floor_uw = _FLOOR_J * MICROJOULES_PER_JOULE // _TICK_S
    rig = Rig(
        folder,
        gpus=NvmlMeter(str(nvml.library)),
        given=lambda zone: floor_uw if zone.kind == "gpu" else 0,
    )
    rig.tick()
    random = np.random.default_rng(7)
    truth_j = dict.fromkeys(range(1, 13), 0.0)
    off_uj = 0
    snapshot: Snapshot | None = None
    for tick in range(_TICKS):
        _play(nvml, random, truth_j, tick * _TICK_S * _US)
        for pid in truth_j:
            rig.activity.ran(pid, f"/docker/{pid:064x}", nanoseconds(0.1))
        snapshot = rig.tick(seconds=_TICK_S)
        if snapshot is not None:
            off_uj = max(off_uj, _off_uj(snapshot))
    assert snapshot is not None, "the monitor has ticked"  # noqa: S101 - for the type checker
    at = [channel.kind for channel in snapshot.channels].index("gpu")
    errors = []
    for pid, energy_j in truth_j.items():
        got = snapshot.processes.energy_uj[snapshot.processes.pid == pid, at].sum()
        errors.append(abs(float(got) / MICROJOULES_PER_JOULE / energy_j - 1) * 100)
    counters_uj = sum(gpu.energy_mj or 0 for gpu in nvml.gpus) * 1000
    lost_uj = abs(counters_uj - int(snapshot.node.energy_uj[at].sum()))
    rig.monitor.close()
    yield at_most(
        SECTION, "shares + floor against the counters", max(off_uj, lost_uj), most=0, unit="uJ",
        note=f"worst of {_TICKS} snapshots, 2 devices, 12 processes",
    )  # fmt: skip
    yield at_most(
        SECTION, "worst process against the script's truth", max(errors), most=2.0, unit="%",
        note=f"median {statistics.median(errors):.2f} %; {_TICKS} ticks, whole percents as NVML's",
    )  # fmt: skip


def _play(
    nvml: FakeNvml, random: np.random.Generator, truth_j: dict[int, float], now_us: int
) -> None:
    """Five seconds in which each process draws 4 J per percent and second, or nothing."""
    for gpu in nvml.gpus:
        gpu.samples.clear()
        gpu.energy_mj = (gpu.energy_mj or 0) + _FLOOR_J * 1000
    for second in range(1, _TICK_S + 1):
        for pid in truth_j:
            gpu = nvml.gpus[pid % 2]
            percent = random.uniform(0, 16) if random.random() < 0.3 + 0.05 * pid else 0.0
            if told := round(percent):  # NVML's are whole
                gpu.ran(pid, told, now_us + second * _US)
            truth_j[pid] += _J_PER_PERCENT * percent
            gpu.energy_mj = (gpu.energy_mj or 0) + round(_J_PER_PERCENT * percent * 1000)
    nvml.write()


def _off_uj(snapshot: Snapshot) -> int:
    """By how much rows, floor and unattributed miss the node's totals."""
    node, shared = snapshot.node, snapshot.containers.energy_uj.sum(axis=0)
    dynamic = shared[:, Mode.DYNAMIC] + node.unattributed_uj - node.energy_uj[:, Mode.DYNAMIC]
    idle = shared[:, Mode.IDLE] + node.idle_uj - node.energy_uj[:, Mode.IDLE]
    return int(max(abs(dynamic).max(), abs(idle).max()))


def _drm_cost(folder: Path) -> Iterator[Figure]:
    """A board by its kernel driver, among a thousand processes of which 16 use it."""
    device = "class/drm/card1/device"
    sysfs = FakeSysfs(folder / "sys").write(f"{device}/hwmon/hwmon1/name", "xe")
    sysfs.write(f"{device}/uevent", f"DRIVER=xe\nPCI_SLOT_NAME={_ADDRESS}")
    sysfs.write(f"{device}/hwmon/hwmon1/energy1_input", 1)
    drm = FakeDrm(folder / "proc")
    for pid in range(1, 1001):
        drm.idle(pid, files=20)
    for pid in range(1, 17):
        drm.client(pid, _ADDRESS, pid, fd=30, engine_rcs="5 ns", resident_vram0="4 KiB")
    meter = DrmMeter(sysfs.root, folder / "proc")
    costs_ms = []
    for tick in range(40):
        began = time.thread_time_ns()
        meter.read(nanoseconds(tick * _TICK_S))
        meter.read_use(nanoseconds(tick * _TICK_S))
        costs_ms.append((time.thread_time_ns() - began) / 1e6)
    meter.close()
    yield shown(
        SECTION, "drm tick, 1 board, 1,000 processes of 20 files, 16 of them its users",
        statistics.median(costs_ms[1:]), "ms",
        f"worst {max(costs_ms[1:]):.0f}, the first look at all {costs_ms[0]:.0f}; files on a disk",
    )  # fmt: skip


def _without() -> Iterator[Figure]:
    """A machine without GPUs: what looking for them leaves in memory."""
    told = subprocess.run(
        [sys.executable, "-c", _WITHOUT], check=True, capture_output=True, text=True
    )
    kib, loaded = map(int, told.stdout.split())
    yield at_most(SECTION, "memory after looking for a GPU where there is none", kib, most=256,
                  unit="KiB", note="beside the agent's own")  # fmt: skip
    yield at_most(SECTION, "GPU packages loaded where there is no GPU", loaded, most=0, unit="")
