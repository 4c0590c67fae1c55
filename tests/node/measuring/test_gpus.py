"""`run` and `measure()` on a machine with GPUs: the work's processes by pid."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wattribute.core.records import Machine
from wattribute.core.units import microwatts
from wattribute.node.attribution.weight import TimeWeight
from wattribute.node.estimates.machine_model import MachineModel
from wattribute.node.estimates.power_model import read_artefact
from wattribute.node.estimator.model import ArtefactEstimator
from wattribute.node.measuring import gpus as measuring_gpus
from wattribute.node.measuring.gpus import GpuWork
from wattribute.node.measuring.tree import ProcessTree
from wattribute.node.measuring.window import Window
from wattribute.node.meter.machine import read_topology
from wattribute.node.meter.nvml import NvmlMeter
from wattribute.node.sharing.energy import NodeEnergy
from wattribute.node.sharing.metering import Limits, Metering
from wattribute.node.sharing.sharer import Sharer
from wattribute.node.sources import Sources
from wattribute_testing import FakeClock, FakeNvml, FakeProcfs, FakeSysfs

US = 1_000_000
GIB = 1 << 30


class Work(ProcessTree):
    """The work's processes, as told."""

    def __init__(self, *pids: int) -> None:
        self.pids = pids

    def cpu_ns(self, *, final: bool = False) -> int:
        del final
        return 0

    def members(self) -> tuple[int, ...]:
        return self.pids


class Bench:
    """A window on two GPUs with floors of 30 W."""

    def __init__(self, folder: Path, nvml: FakeNvml, policy: str = "none") -> None:
        self.nvml = nvml
        nvml.gpu()
        nvml.gpu()
        nvml.write()
        meter = NvmlMeter(str(nvml.library))
        self.clock, self.work = FakeClock(), Work(7)
        sysfs = FakeSysfs(folder / "sys").cpus(cores=4, threads=1)
        procfs = FakeProcfs(folder / "proc", cpus=4)
        topology = read_topology(sysfs.root, procfs.root)
        sharer = Sharer(
            topology, TimeWeight(), lambda _: microwatts(30), lambda _: None, 3600 * 10**9
        )
        metering = Metering([meter], Limits(microwatts(2000), microwatts(50_000)))
        machine = Machine(threads=4)
        model = MachineModel(ArtefactEstimator(read_artefact()), machine)
        self.window = Window(
            Sources(machine, topology, NodeEnergy(metering, model), sharer, (meter,)),
            procfs.root,
            self.work,
            self.clock,
            policy=policy,
            gpus=GpuWork([meter], self.work),
        )
        self.now_us = US

    def tick(self, *joules: float, final: bool = False, **percent: int) -> None:
        for gpu, energy in zip(self.nvml.gpus, joules, strict=True):
            assert gpu.energy_mj is not None
            gpu.energy_mj += round(energy * 1000)
            gpu.samples.clear()
        for name, value in percent.items():
            self.nvml.gpus[0].ran(int(name[1:]), value, at_us=self.now_us + US)
        self.now_us += US
        self.nvml.write()
        self.clock.advance(1)
        self.window.tick(final=final)

    def joules(self) -> tuple[float, float]:
        part = self.window.by_component["gpu"]
        return part.dynamic_uj / 1e6, part.idle_uj / 1e6


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring_gpus, "_LATE_S", 0.0)


def test_the_work_gets_its_part_of_each_gpu(tmp_path: Path, nvml: FakeNvml) -> None:
    bench = Bench(tmp_path, nvml)
    bench.tick(430, 130, p7=60, p8=20)

    assert bench.joules() == (300, 0)
    bench.nvml.gpus[1].holds(7, GIB)
    bench.tick(30, 130)
    assert bench.joules() == (400, 0)


def test_a_process_that_ended_in_the_last_tick_is_still_the_works(
    tmp_path: Path, nvml: FakeNvml
) -> None:
    bench = Bench(tmp_path, nvml)
    bench.work.pids = (7, 9)
    bench.tick(30, 30)
    bench.work.pids = ()
    bench.tick(130, 30, p9=40, final=True)
    assert bench.joules()[0] == 100

    bench.tick(130, 30, p9=40)  # another process has its number now
    assert bench.joules()[0] == 100


@pytest.mark.parametrize(("policy", "idle_j"), [("none", 0), ("usage", 15), ("full", 20)])
def test_the_work_pays_of_the_floor_by_its_time_on_the_device(
    tmp_path: Path, nvml: FakeNvml, policy: str, idle_j: float
) -> None:
    bench = Bench(tmp_path, nvml, policy)
    bench.tick(430, 30, p7=50, p8=25)

    assert bench.joules()[1] == idle_j


def test_run_splits_what_a_command_used_into_cpu_and_gpu(tmp_path: Path, nvml: FakeNvml) -> None:
    nvml.gpu("GPU-a")
    nvml.write()
    # The command plays the driver too: it says that it was on the GPU, and the counter rises.
    script = tmp_path / "train.py"
    script.write_text(
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "file = Path(sys.argv[1])\n"
        "for step in range(1, 4):\n"
        "    time.sleep(0.25)\n"
        "    text = file.read_text() + f'energy_mj {step * 50000}\\n'\n"
        "    text += f'sample {step * 1000000} {os.getpid()} 90\\n'\n"
        "    text += f'process compute {os.getpid()} 1048576\\n'\n"
        "    file.with_suffix('.x').write_text(text)\n"
        "    file.with_suffix('.x').replace(file)\n"
    )
    result = tmp_path / "result.json"
    environment = os.environ | {"WATTRIBUTE_METER__NVML_LIBRARY": str(nvml.library)}
    command = [sys.executable, str(script), str(nvml.library.with_name("nvml.script"))]
    flags = ["--idle-watts", "gpu=0", "--meters", "nvml", "--interval", "0.2"]
    done = subprocess.run(
        [sys.executable, "-m", "wattribute", "run", "--json", str(result), *flags, "--", *command],
        capture_output=True, text=True, check=False, env=environment, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

    parts = json.loads(result.read_text())["by_component"]
    assert parts["gpu"]["dynamic_joules"] == 150
    assert parts["gpu"]["origin"] == "measured"
