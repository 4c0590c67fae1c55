"""The loop on GPUs of the kernel's drivers: counters and processes of a machine in a folder."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wattribute.core.records import Mode, Snapshot, Zone
from wattribute.node.meter.drm import DrmMeter
from wattribute_testing import FakeSysfs
from wattribute_testing.drm import FakeDrm
from wattribute_testing.rig import Rig

SECOND = 1_000_000_000
J = 1_000_000
BOARD = "0000:03:00.0"
DEVICE = "class/drm/card0/device"
FLOOR_J = 150


class Board:
    """One board of Intel's with a floor of 30 W."""

    def __init__(
        self,
        folder: Path,
        given: Callable[[Zone], int | None] = lambda zone: 30 * J if zone.kind == "gpu" else 0,
    ) -> None:
        self.sysfs = FakeSysfs(folder / "sys").write(f"{DEVICE}/hwmon/hwmon1/name", "xe")
        self.sysfs.write(f"{DEVICE}/uevent", f"DRIVER=xe\nPCI_SLOT_NAME={BOARD}")
        self.drm = FakeDrm(folder / "proc")
        self.energy_uj = 10 * J
        self.use(0)
        self.rig = Rig(
            folder,
            gpus=DrmMeter(self.sysfs.root, folder / "proc"),
            given=given,
        )
        self.rig.tick()

    def use(self, energy_j: float) -> None:
        self.energy_uj += round(energy_j * J)
        self.sysfs.write(f"{DEVICE}/hwmon/hwmon1/energy1_input", self.energy_uj)

    def tick(self, energy_j: float) -> Snapshot:
        self.use(energy_j)
        snapshot = self.rig.tick()
        assert snapshot is not None
        at = column(snapshot)
        node, shared = snapshot.node, snapshot.containers.energy_uj[:, at].sum(axis=0)
        assert shared[Mode.DYNAMIC] + node.unattributed_uj[at] == node.energy_uj[at, Mode.DYNAMIC]
        assert shared[Mode.IDLE] + node.idle_uj[at] == node.energy_uj[at, Mode.IDLE]
        assert node.energy_uj[at].sum() == self.energy_uj - 10 * J
        return snapshot


def column(snapshot: Snapshot) -> int:
    return [channel.source for channel in snapshot.channels].index("drm")


def of_process(snapshot: Snapshot, pid: int) -> float:
    rows = snapshot.processes.pid == pid
    return float(snapshot.processes.energy_uj[rows, column(snapshot)].sum()) / J


def test_processes_get_what_they_drew_within_2_percent_and_the_sum_is_the_counter(
    tmp_path: Path,
) -> None:
    board = Board(tmp_path)
    random = np.random.default_rng(3)
    done_ns = dict.fromkeys(range(2, 10), 0)
    truth_j = dict.fromkeys(done_ns, 0.0)
    for tick in range(30):
        energy_j = 0.0
        for pid in done_ns:
            board.rig.activity.ran(pid, f"/docker/{pid:064x}", SECOND // 100)
            if tick:  # the first look is where counting begins
                used_ns = int(random.integers(0, SECOND // 2)) * (pid % 3)
                done_ns[pid] += used_ns
                truth_j[pid] += 60 * used_ns / SECOND
                energy_j += 60 * used_ns / SECOND
            board.drm.client(pid, BOARD, pid, engine_rcs=f"{done_ns[pid]} ns")
        snapshot = board.tick(energy_j + FLOOR_J)

    for pid, energy_j in truth_j.items():
        assert of_process(snapshot, pid) == pytest.approx(energy_j, rel=0.02)
    assert snapshot.gpus[0].activity == "engine"


def test_no_floor_is_learned_where_it_may_not_be_seen_who_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_folder: object) -> list[str]:
        raise PermissionError

    monkeypatch.setattr("wattribute.node.meter.fdinfo._drm_files", refuse)
    board = Board(tmp_path, given=lambda _: None)
    board.drm.idle(7)
    for _ in range(40):
        snapshot = board.tick(1000)
    assert [floor.power_uw for floor in snapshot.floors if floor.zone.kind == "gpu"] == [0]


def test_nobody_seen_on_the_board_is_unattributed_above_the_floor(tmp_path: Path) -> None:
    snapshot = Board(tmp_path).tick(FLOOR_J + 50)
    at = column(snapshot)
    assert (snapshot.node.idle_uj[at], snapshot.node.unattributed_uj[at]) == (150 * J, 50 * J)
