"""The whole agent on recorded machines: their files in, one golden page out."""

import contextlib
import os
from pathlib import Path

import pytest

from wattribute.core.records import Snapshot
from wattribute.node.exporter.exposition import Renderer, text
from wattribute.node.exporter.families import metrics_families
from wattribute.node.exporter.layout import ContainerLabels, ProcessLabels
from wattribute.node.exporter.scene import NodeLabels, Scene
from wattribute.node.opening import open_monitor
from wattribute.node.settings import (
    ActivitySettings,
    AttributionSettings,
    MeterSettings,
    NodeSettings,
    WorkloadSettings,
)
from wattribute_testing import FakeCgroupfs, FakeClock, FakeProcfs, FakeSysfs
from wattribute_testing.drm import FakeDrm

TESTS = Path(__file__).parents[1]
POD = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{}.slice"
UID = "0f8c2a7e_1111_2222_3333_444455556666"
WEB = POD.format(UID) + f"/cri-containerd-{'a1' * 32}.scope"
JOB = f"/system.slice/docker-{'b2' * 32}.scope"
SSH = "/system.slice/ssh.service"
SECOND = 1_000_000_000
MACHINES = {
    "two-sockets": ("intel-rapl:0", "intel-rapl:0:0", "intel-rapl:1", "intel-rapl:1:0"),
    "laptop": ("intel-rapl:0", "intel-rapl:0:0", "intel-rapl:0:1", "intel-rapl:1"),
    "dies": ("intel-rapl:0", "intel-rapl:1", "intel-rapl:2", "intel-rapl:3"),
    "amd": ("intel-rapl:0", "intel-rapl:0:0"),
    "intel-gpus": (),
}
METERS = {"intel-gpus": ("drm",)}
GPU_JOULES = 500
JOULES = {"package": 300, "dram": 40, "core": 200, "uncore": 10, "psys": 700}


class Machine:
    """Folders for /sys, /proc and the cgroups of one machine, and an agent that reads them."""

    def __init__(self, folder: Path, tree: str) -> None:
        self.sysfs = FakeSysfs(folder / "sys").load(TESTS / f"machines/{tree}.tree")
        self.zones = MACHINES[tree]
        self.procfs = FakeProcfs(folder / "proc", cpus=4)
        (folder / "proc/cpuinfo").write_text("vendor_id\t: GenuineIntel\nmodel name\t: Test\n")
        (folder / "proc/meminfo").write_text("MemTotal:       16777216 kB\n")
        self.cgroups = FakeCgroupfs(folder / "sys/fs/cgroup")
        for pid, (cgroup, comm) in enumerate(
            ((WEB, b"nginx"), (JOB, b'evil "\\\n\xff'), (SSH, b"sshd")), 100
        ):
            self.cgroups.add(cgroup)
            self.procfs.start(pid, comm, cgroup=f"0::{cgroup}")
        self.procfs.start(2, b"kthreadd", kernel=True)
        self.drm = FakeDrm(self.procfs.root)
        self.used_s = 0
        self._use_gpus(0)
        self.settings = NodeSettings(
            meter=MeterSettings(sysfs=str(self.sysfs.root), use=METERS.get(tree, ("auto",))),
            activity=ActivitySettings(procfs=str(self.procfs.root), source="cgroup"),
            attribution=AttributionSettings(
                idle_watts={"package": 20.0} if self.zones else {"gpu": 20.0},
                idle_policy="usage",
                weight="time",  # learned weights differ from CPU to CPU in their last digits
            ),
            workload=WorkloadSettings(engines=False),
        )

    def run(self, seconds: int) -> None:
        """Two containers, a unit and a kernel thread run; all zones use energy."""
        for pid, cgroup, ticks in ((100, WEB, 150), (101, JOB, 50), (102, SSH, 30)):
            self.procfs.run(pid, ticks * seconds // 5)
            self.cgroups.use(cgroup, ticks * seconds // 5 * SECOND // 100)
        self.procfs.run(2, 10)
        self.cgroups.charge(WEB, 1 << 28)
        for cpu in range(4):
            self.procfs.run_cpu(cpu, user=60 * seconds // 5, idle=440 * seconds // 5)
        for zone in self.zones:
            folder = self.sysfs.root / "class/powercap" / zone
            kind = (folder / "name").read_text().strip().partition("-")[0]
            before = int((folder / "energy_uj").read_text())
            used_uj = JOULES[kind] * 1_000_000 * seconds // 5
            self.sysfs.write(f"class/powercap/{zone}/energy_uj", before + used_uj)
        self._use_gpus(seconds)

    def _use_gpus(self, seconds: int) -> None:
        """Two of the boards work for two processes, as long as 60 % and 20 % of the time."""
        self.used_s += seconds
        for file in self.sysfs.root.glob("class/drm/card*/device/hwmon/*/energy*_input"):
            used_uj = GPU_JOULES * 1_000_000 * seconds // 5
            file.write_text(f"{int(file.read_text()) + used_uj}\n")
        if not self.zones:
            for pid, number, part in ((100, 1, 6), (101, 2, 2)):
                busy = f"{self.used_s * SECOND * part // 10} ns"
                for fd, board in enumerate(("0000:03:00.0", "0000:4d:00.0")):
                    self.drm.client(
                        pid, board, number, fd=fd, engine_render=busy, resident_vram0="4 GiB"
                    )


def page_of(snapshot: Snapshot) -> str:
    families = [
        family
        for family in metrics_families("kepler-0.9", processes=True)
        if not family.name.startswith(("process_", "wattribute_tick_", "wattribute_build_info"))
    ]
    node = NodeLabels("node-1", version="9.9.9")
    scene = Scene(snapshot, node, ("app",), ContainerLabels(), ProcessLabels())
    return b"".join(text(Renderer().render(families, scene))).decode()


@pytest.mark.parametrize("tree", MACHINES)
def test_a_recorded_machine_gives_its_golden_page(
    tree: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(tmp_path, tree)
    clock = FakeClock()
    monkeypatch.setattr(
        os, "uname", lambda: os.uname_result(("Linux", "node-1", "6", "", "x86_64"))
    )

    monitor = open_monitor(machine.settings, with_state=False, clock=clock).monitor
    with contextlib.closing(monitor):
        for _ in range(4):
            monitor.tick()
            clock.advance(5)
            machine.run(seconds=5)
        monitor.tick()
        snapshot = monitor.snapshot()
    assert snapshot is not None
    page = page_of(snapshot)
    golden = TESTS / f"golden/machine-{tree}.kepler-0.9.prom"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(page, encoding="utf-8")

    assert page == golden.read_text(encoding="utf-8"), (
        f"{golden.name} differs; if so meant: UPDATE_GOLDEN=1"
    )
