"""Estimates beside meters: when they are made, and what corrects them."""

import pytest

from wattribute.core.records import (
    Counter,
    Gauge,
    Interval,
    Load,
    Machine,
    Origin,
    Reading,
    Zone,
)
from wattribute.core.units import Microjoules, Microwatts, Nanoseconds, microwatts
from wattribute.node.estimates.choose import EstimatedComponents
from wattribute.node.estimates.machine_model import MachineModel
from wattribute.node.estimates.power_model import read_artefact
from wattribute.node.estimator.model import ArtefactEstimator
from wattribute.node.sharing.energy import NodeEnergy
from wattribute.node.sharing.given_floors import model_floors
from wattribute.node.sharing.metering import Limits, Metering

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


LIMITS = Limits(Microwatts(10**12), Microwatts(10**12))
IDLE = Load(Nanoseconds(SECOND), 0.0)


class Node:
    """The energy of a node of which a model and perhaps a sensor tell."""

    def __init__(self, machine: Machine, *sensors: Sensor) -> None:
        measured = {zone.kind for sensor in sensors for zone in sensor.zones}
        missing = ("dram", "other") if "package" in measured else ("cpu", "dram", "other")
        model = MachineModel(ArtefactEstimator(read_artefact()), machine)
        self.energy = NodeEnergy(Metering(sensors, LIMITS), model, EstimatedComponents(missing))
        self.now = 0
        self.energy.read(Nanoseconds(0))

    def tick(self, load: Load = IDLE) -> list[Interval]:
        """Let a second pass; the estimated intervals."""
        before, self.now = self.now, self.now + SECOND
        measured = self.energy.read(Nanoseconds(self.now))
        estimated = self.energy.estimate(load, Nanoseconds(before))
        self.energy.learn(measured, load)
        return estimated

    def run(self, seconds: int) -> dict[str, float]:
        """Idle for so long; watts of the estimated zones in the last second."""
        found = {}
        for _ in range(seconds):
            found = {i.zone.kind: i.energy_uj / 1e6 for i in self.tick()}
        return found


def test_packages_that_are_measured_correct_the_model_and_not_what_stands_around_them() -> None:
    node = Node(SERVER, Sensor(Zone("package", "0", "rapl-sysfs"), 20.0))
    before = node.run(3)
    assert node.energy.estimator is not None
    assert not node.energy.estimator.calibrated

    after = node.run(30)

    assert node.energy.estimator.calibrated
    # the wall is moved with its packages, so what is around them stays
    assert after == pytest.approx(before, rel=0.05)


def test_a_meter_of_the_machine_corrects_all_of_it() -> None:
    plain = Node(SERVER).run(3)
    sensor = Sensor(Zone("platform", "0", "acpi"), sum(plain.values()) * 1.4)

    after = Node(SERVER, sensor).run(30)

    assert sum(after.values()) == pytest.approx(sum(plain.values()) * 1.4, rel=0.05)
    assert after["package"] > plain["package"] * 1.2


@pytest.mark.parametrize("source", ["redfish", "ipmi", "rapl-sysfs"])
def test_a_platform_reading_that_is_late_or_partial_corrects_nothing(source: str) -> None:
    plain = Node(SERVER).run(3)
    sensor = Sensor(Zone("platform", "0", source), 999.0)

    assert Node(SERVER, sensor).run(30) == plain


def test_the_clusters_word_for_the_instance_type_is_taken() -> None:
    node = Node(GUEST)
    node.run(2)
    assert node.energy.estimator is not None
    assert node.energy.estimator.basis == "microarchitecture"

    node.energy.model.adopt_instance_type("m6a.xlarge")
    node.run(1)

    info = node.energy.estimator
    assert (info.basis, info.cpu, info.instance_type) == ("cpu", "epyc-7r13", "m6a.xlarge")
    node.energy.model.adopt_instance_type("")
    assert node.energy.estimator == info


def test_without_an_estimate_there_is_nothing_to_say_of_it() -> None:
    energy = NodeEnergy(
        Metering((), LIMITS), MachineModel(ArtefactEstimator(read_artefact()), GUEST)
    )

    energy.model.adopt_instance_type("m5.large")

    assert energy.estimator is None
    assert energy.zones == ()
    assert energy.health() == ()


def test_the_model_is_told_the_load_of_the_very_tick() -> None:
    node = Node(SERVER)
    idle = sum(i.energy_uj for i in node.tick())

    busy = node.tick(Load(Nanoseconds(SECOND), 1.0))

    assert sum(i.energy_uj for i in busy) > 2 * idle
    assert {(i.start_ns, i.end_ns) for i in busy} == {(SECOND, 2 * SECOND)}
    assert {i.origin for i in busy} == {Origin.ESTIMATED}


def test_a_tick_in_which_nobody_knew_the_load_is_made_up_for_by_the_next() -> None:
    node = Node(SERVER)
    node.tick()
    node.now += SECOND
    node.energy.read(Nanoseconds(node.now))  # activity could not be read
    assert [meter.message for meter in node.energy.health()] == [
        "estimate: nobody knows how busy the machine was; it waits"
    ]
    node.now += SECOND
    node.energy.read(Nanoseconds(node.now))

    intervals = node.energy.estimate(IDLE, Nanoseconds(SECOND))

    assert {(i.start_ns, i.end_ns) for i in intervals} == {(SECOND, 3 * SECOND)}
    assert [(meter.up, meter.message) for meter in node.energy.health()] == [(True, "")]


def test_what_lies_before_the_known_load_is_not_estimated() -> None:
    node = Node(SERVER)
    node.energy.read(Nanoseconds(2 * SECOND))

    intervals = node.energy.estimate(IDLE, Nanoseconds(SECOND))

    assert {(i.start_ns, i.end_ns) for i in intervals} == {(SECOND, 2 * SECOND)}


def test_without_activity_for_three_ticks_the_estimate_is_down() -> None:
    node = Node(SERVER)
    for second in (1, 2, 3):
        node.energy.read(Nanoseconds(second * SECOND))

    assert [meter.up for meter in node.energy.health()] == [False]
    assert node.energy.up() == frozenset()


def test_nothing_is_estimated_across_a_suspend() -> None:
    node = Node(SERVER)
    node.energy.reject_suspend(node.energy.read(Nanoseconds(SECOND)))

    assert node.energy.estimate(IDLE, Nanoseconds(0)) == []
    assert node.energy.metering.rejected["suspend"] == 3


def test_a_meter_in_a_guest_shows_whole_packages_so_its_prior_is_not_the_guests_share() -> None:
    zone = Zone("package", "0", "rapl-sysfs")
    prior_uw = model_floors(ArtefactEstimator(read_artefact()), GUEST, (zone,))

    floor_uw = prior_uw(zone)

    assert floor_uw is not None
    assert 5 < floor_uw / 1e6 < 30  # 0.4 W as a share of a host of 192 threads
