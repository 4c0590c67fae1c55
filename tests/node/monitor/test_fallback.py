"""A meter that fails while the agent runs: the model stands in, and gives way again."""

from pathlib import Path

import pytest

from wattribute.core.records import Machine, Mode, Origin, Snapshot
from wattribute.node.estimates.choose import EstimatedComponents
from wattribute.node.estimates.machine_model import MachineModel
from wattribute.node.estimates.power_model import read_artefact
from wattribute.node.estimator.model import ArtefactEstimator
from wattribute_testing.rig import Rig

SECOND = 1_000_000_000
SERVER = Machine(
    "GenuineIntel", 6, 85, 7, "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz", "x86_64",
    packages=1, cores=20, threads=40, memory_bytes=96 * 10**9,
)  # fmt: skip
PACKAGE = "class/powercap/intel-rapl:0/energy_uj"


class Node:
    """The rig with a model that stands by for the package and the DRAM."""

    def __init__(self, folder: Path) -> None:
        self.rig = Rig(
            folder,
            model=MachineModel(ArtefactEstimator(read_artefact()), SERVER),
            estimated=EstimatedComponents(standby=("cpu", "dram")),
        )
        self.package = self.rig.sysfs.root / PACKAGE

    def tick(self, package_j: float = 0) -> Snapshot:
        self.rig.activity.ran(1, "/docker/" + "a" * 64, 10 * SECOND)
        snapshot = self.rig.tick(package_j, 5.0)
        assert snapshot
        return snapshot

    def fail(self) -> None:
        self.kept = self.package.read_text()
        self.rig.sysfs.write_raw(PACKAGE, b"junk")

    def mend(self) -> None:
        self.package.write_text(self.kept)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    node = Node(tmp_path)
    node.rig.tick()
    node.tick(100)
    return node


def cpu_uj(snapshot: Snapshot) -> dict[Origin, int]:
    return {
        channel.origin: int(snapshot.node.energy_uj[row].sum())
        for row, channel in enumerate(snapshot.channels)
        if channel.component == "cpu"
    }


def test_while_the_meter_works_nothing_is_estimated(node: Node) -> None:
    snapshot = node.tick(100)

    assert cpu_uj(snapshot) == {Origin.MEASURED: 200_000_000}
    assert snapshot.estimator is None
    assert [meter.name for meter in snapshot.health.meters] == ["rapl"]


def test_after_three_failed_ticks_the_model_stands_in_under_its_own_name(node: Node) -> None:
    node.fail()
    for _ in range(3):
        snapshot = node.tick()
    assert cpu_uj(snapshot) == {Origin.MEASURED: 100_000_000}

    node.tick()  # its first reading
    snapshot = node.tick()

    found = cpu_uj(snapshot)
    assert found[Origin.MEASURED] == 100_000_000  # the old series stays flat
    assert found[Origin.ESTIMATED] > 100_000_000  # 5 s of a loaded Xeon of 125 W
    assert snapshot.estimator
    assert [m.up for m in snapshot.health.meters if m.name == "estimate"] == [True]
    up = {(total.zone.kind, total.zone.source): total.up for total in snapshot.node.zones}
    assert up == {
        ("package", "rapl-sysfs"): False,
        ("dram", "rapl-sysfs"): True,
        ("package", "trained_power_model"): True,
    }


def test_what_was_estimated_is_not_measured_too_when_the_meter_is_back(node: Node) -> None:
    node.fail()
    for _ in range(6):
        snapshot = node.tick()
    estimated_uj = cpu_uj(snapshot)[Origin.ESTIMATED]
    node.mend()

    snapshot = node.tick(900)  # it counted while it could not be read
    back = cpu_uj(snapshot)
    assert back[Origin.MEASURED] == 100_000_000
    assert back[Origin.ESTIMATED] >= estimated_uj
    assert snapshot.health.dropped_intervals["estimated"] == 1

    snapshot = node.tick(50)
    assert cpu_uj(snapshot) == {
        Origin.MEASURED: 150_000_000,
        Origin.ESTIMATED: back[Origin.ESTIMATED],
    }
    assert snapshot.estimator is None


def test_energy_adds_up_on_the_way_there_and_back(node: Node) -> None:
    for step in range(12):
        if step == 3:
            node.fail()
        if step == 9:
            node.mend()
        snapshot = node.tick(20)
        dynamic = snapshot.containers.energy_uj[:, :, Mode.DYNAMIC].sum(axis=0)
        nobody = snapshot.node.unattributed_uj
        assert (dynamic + nobody == snapshot.node.energy_uj[:, Mode.DYNAMIC]).all()


def test_an_outage_of_two_ticks_is_measured_in_full(node: Node) -> None:
    node.fail()
    node.tick()
    node.tick()
    node.mend()

    snapshot = node.tick(300)

    assert cpu_uj(snapshot) == {Origin.MEASURED: 400_000_000}
