"""The estimate beside meters: what they show corrects it; the cluster's word changes it."""

from pathlib import Path

import numpy as np
import pytest

from wattribute.core.records import (
    Counter,
    Gauge,
    Interval,
    Machine,
    Origin,
    Reading,
    Topology,
    Zone,
)
from wattribute.core.units import Microjoules, Microwatts, Nanoseconds, microwatts
from wattribute.node.estimator.model import ArtefactEstimator
from wattribute.node.meter.estimate import EstimateMeter
from wattribute.node.meter.power_model import read_artefact
from wattribute.node.settings import NodeSettings
from wattribute.node.sharing.metering import Limits, Metering
from wattribute.node.sharing.opening import make_sharer
from wattribute_testing import FakeProcfs

SECOND = 1_000_000_000
SERVER = Machine(
    "GenuineIntel", 6, 85, 7, "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz", "x86_64",
    packages=2, cores=40, threads=80, memory_bytes=192 * 10**9,
)  # fmt: skip
GUEST = Machine(
    "AuthenticAMD", 25, 1, cpu_name="AMD EPYC", cores=2, threads=4,
    memory_bytes=16 * 10**9, hypervisor="kvm",
)  # fmt: skip


class Sensor:
    """A zone whose power the test sets."""

    name = "sensor"
    problems = ()

    def __init__(self, zone: Zone, power_w: float) -> None:
        self.zones = (zone,)
        self.power_w = power_w
        self._energy_uj = 0

    def read(self, now_ns: Nanoseconds) -> tuple[Reading, ...]:
        self._energy_uj += round(self.power_w * 1e6)
        value = Counter(Microjoules(self._energy_uj), None)
        if self.zones[0].kind == "platform":
            value = Gauge(microwatts(self.power_w), averaged=True)  # type: ignore[assignment]
        return (Reading(self.zones[0], now_ns, value),)

    def close(self) -> None:
        pass


class Node:
    """Metering over an estimate and perhaps a sensor."""

    def __init__(self, folder: Path, machine: Machine, *sensors: Sensor) -> None:
        self.procfs = FakeProcfs(folder / "proc", cpus=4)
        measured = {zone.kind for sensor in sensors for zone in sensor.zones}
        left = ["dram", "other"] if "package" in measured else ["cpu", "dram", "other"]
        estimator = ArtefactEstimator(read_artefact())
        estimates = EstimateMeter(estimator, machine, self.procfs.root, left)
        limit = Limits(Microwatts(10**12), Microwatts(10**12))
        self.metering = Metering((*sensors, estimates), limit)
        self._now = 0

    def run(self, seconds: int) -> dict[str, float]:
        """Idle for so long; watts of the estimated zones in the last second."""
        found = {}
        for _ in range(seconds):
            self._now += SECOND
            for cpu in range(4):
                self.procfs.run_cpu(cpu, idle=100)
            for interval in self.metering.read(Nanoseconds(self._now)):
                if interval.zone.source == "trained_power_model":
                    found[interval.zone.kind] = interval.energy_uj / 1e6
        return found


def test_packages_that_are_measured_correct_the_model_and_not_what_stands_around_them(
    tmp_path: Path,
) -> None:
    node = Node(tmp_path, SERVER, Sensor(Zone("package", "0", "rapl-sysfs"), 20.0))
    before = node.run(3)
    assert node.metering.estimator is not None
    assert not node.metering.estimator.calibrated

    after = node.run(30)

    assert node.metering.estimator.calibrated
    # the wall is moved with its packages, so what is around them stays
    assert after == pytest.approx(before, rel=0.05)


def test_a_meter_of_the_machine_corrects_all_of_it(tmp_path: Path) -> None:
    plain = Node(tmp_path / "a", SERVER).run(3)
    sensor = Sensor(Zone("platform", "0", "acpi"), sum(plain.values()) * 1.4)

    after = Node(tmp_path / "b", SERVER, sensor).run(30)

    assert sum(after.values()) == pytest.approx(sum(plain.values()) * 1.4, rel=0.05)
    assert after["package"] > plain["package"] * 1.2


@pytest.mark.parametrize("source", ["redfish", "ipmi", "rapl-sysfs"])
def test_a_platform_reading_that_is_late_or_partial_corrects_nothing(
    source: str, tmp_path: Path
) -> None:
    plain = Node(tmp_path / "a", SERVER).run(3)
    sensor = Sensor(Zone("platform", "0", source), 999.0)

    assert Node(tmp_path / "b", SERVER, sensor).run(30) == plain


def test_the_clusters_word_for_the_instance_type_is_taken(tmp_path: Path) -> None:
    node = Node(tmp_path, GUEST)
    node.run(2)
    assert node.metering.estimator is not None
    assert node.metering.estimator.basis == "microarchitecture"

    node.metering.tell_instance_type("m6a.xlarge")
    node.run(1)

    info = node.metering.estimator
    assert (info.basis, info.cpu, info.instance_type) == ("cpu", "epyc-7r13", "m6a.xlarge")
    node.metering.tell_instance_type("")
    assert node.metering.estimator == info


def test_without_an_estimate_there_is_nothing_to_say_of_it() -> None:
    metering = Metering((), Limits(Microwatts(1), Microwatts(1)))

    metering.tell_instance_type("m5.large")

    assert metering.estimator is None


def test_a_meter_in_a_guest_shows_whole_packages_so_its_prior_is_not_the_guests_share() -> None:
    zone = Zone("package", "0", "rapl-sysfs")
    topology = Topology(("0",), np.zeros(4, np.int64), np.full(4, -1, np.int64))
    sharer = make_sharer(NodeSettings(), GUEST, topology, [Sensor(zone, 30.0)], "time")

    share = sharer.share_with_nobody(
        Interval(
            zone,
            Nanoseconds(0),
            Nanoseconds(SECOND),
            Microjoules(30_000_000),
            Origin.MEASURED,
        )
    )

    floor_w = share.attribution.idle_uj / 1e6
    assert 5 < floor_w < 30  # 0.4 W as a share of a host of 192 threads
