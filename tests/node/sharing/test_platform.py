"""`other` and the platform, where the platform's meter moves more seldom than the loop ticks."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wattribute.core.records import Mode, Snapshot, Zone
from wattribute.core.units import microwatts
from wattribute_testing.platform import SlowPlatform
from wattribute_testing.rig import Rig, row_of
from wattribute_testing.strength import examples

SECOND = 1_000_000_000
J = 1_000_000
A, B = "a" * 64, "b" * 64
PACKAGE_FLOOR_W = 10


class Machine:
    """A rig whose platform draws 80 W and 1.2 W for each watt of package and DRAM."""

    def __init__(self, folder: Path, every_s: float = 20, **more: object) -> None:
        self.power_w = 80.0
        self.platform = SlowPlatform(lambda: self.power_w, every_s)
        self.rig = Rig(folder, meters=[self.platform], **more)  # type: ignore[arg-type]
        self.rig.tick()

    def tick(self, package_j: float, dram_j: float = 0, **ran: float) -> Snapshot:
        """Five seconds; ``ran``: CPU seconds of containers a and b."""
        for name, cpu_s in ran.items():
            self.rig.activity.ran(ord(name), f"/docker/{name * 64}", round(cpu_s * SECOND))
        self.power_w = 80 + 1.2 * (package_j + dram_j) / 5
        snapshot = self.rig.tick(package_j, dram_j)
        assert snapshot
        return snapshot


def zone_uj(snapshot: Snapshot, *kinds: str) -> int:
    zones = (total for total in snapshot.node.zones if total.zone.kind in kinds)
    return sum(total.dynamic_uj + total.idle_uj for total in zones)


def of(snapshot: Snapshot, container: str, kind: str) -> int:
    row = row_of(snapshot, container_id=container)
    columns = [at for at, channel in enumerate(snapshot.channels) if channel.kind == kind]
    return int(snapshot.containers.energy_uj[row, columns, Mode.DYNAMIC].sum())


def assert_balanced(snapshot: Snapshot) -> None:
    node = snapshot.node
    shared = snapshot.containers.energy_uj.sum(axis=0)
    for retired in snapshot.retired_uj.values():
        shared = shared + retired
    assert (shared[:, Mode.DYNAMIC] + node.unattributed_uj == node.energy_uj[:, Mode.DYNAMIC]).all()
    assert (shared[:, Mode.IDLE] + node.idle_uj == node.energy_uj[:, Mode.IDLE]).all()


def test_other_comes_when_the_platform_moves_over_its_own_window(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    seen = [zone_uj(machine.tick(200), "other") for _ in range(4)]
    # (80 + 128)/2 W over 20 s by the trapezoid, less 4 x 200 J
    assert seen == [0, 0, 0, 2080 * J - 800 * J]
    snapshot = [machine.tick(200) for _ in range(4)][-1]

    assert zone_uj(snapshot, "platform") == 2080 * J + 128 * 20 * J
    assert zone_uj(snapshot, "other", "package", "dram") == zone_uj(snapshot, "platform")
    assert snapshot.health.dropped_intervals == {}
    assert all(total.up for total in snapshot.node.zones)
    assert_balanced(snapshot)


def test_a_deficit_is_carried_until_the_platform_has_caught_up(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for package_j in (5000, 5000, 5000, 0):  # the BMC looks only after it
        snapshot = machine.tick(package_j)
    assert zone_uj(snapshot, "other") == 0
    for _ in range(200):
        snapshot = machine.tick(0)

    rest = zone_uj(snapshot, "platform") - zone_uj(snapshot, "package", "dram")
    assert rest > 0
    assert zone_uj(snapshot, "other") == rest


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    loads=st.lists(st.integers(0, 900), min_size=8, max_size=40),
    every_s=st.sampled_from([5, 10, 15, 35, 60]),
)
def test_in_the_long_run_the_sum_is_exact(
    tmp_path_factory: pytest.TempPathFactory, loads: list[int], every_s: float
) -> None:
    machine = Machine(tmp_path_factory.mktemp("m"), every_s)
    for load in loads:
        machine.tick(load, load / 3, a=1, b=load / 300)
    for _ in range(250):  # until deficits are paid
        snapshot = machine.tick(0)
    while machine.platform.read(machine.rig.clock.monotonic_ns())[0].at_ns != snapshot.at_ns:
        snapshot = machine.tick(0)

    assert zone_uj(snapshot, "other", "package", "dram") == zone_uj(snapshot, "platform")
    assert_balanced(snapshot)


def test_its_dynamic_part_goes_by_dynamic_energy_in_the_window(tmp_path: Path) -> None:
    def floor(zone: Zone) -> int:
        return microwatts({"other": 30, "platform": 50}.get(zone.kind, PACKAGE_FLOOR_W))

    machine = Machine(tmp_path, given=floor)
    for _ in range(4):
        machine.tick(100)
    before = machine.tick(250, a=3, b=1)
    before = machine.tick(250, a=3, b=1)
    before = machine.tick(250, b=1)
    assert of(before, A, "package") == 300 * J
    assert of(before, A, "other") == 0
    snapshot = machine.tick(50)

    other = snapshot.node.zones[[t.zone.kind for t in snapshot.node.zones].index("other")]
    a, b = of(snapshot, A, "other"), of(snapshot, B, "other")
    assert a + b > 0
    assert a / (a + b) == pytest.approx(300 / 600)
    assert a + b < other.dynamic_uj  # the first window had nobody
    assert of(snapshot, A, "platform") / of(snapshot, B, "platform") == pytest.approx(6 / 3)
    assert_balanced(snapshot)


def test_a_bmc_that_fails_costs_its_zones_alone_and_nothing_is_made_up(tmp_path: Path) -> None:
    machine = Machine(tmp_path, every_s=10)
    for _ in range(4):
        snapshot = machine.tick(200, a=1)
    told = zone_uj(snapshot, "platform")
    machine.platform.fails = True
    for _ in range(80):
        snapshot = machine.tick(200, a=1)
    assert zone_uj(snapshot, "platform") == told
    assert {t.zone.kind: t.up for t in snapshot.node.zones}["platform"] is False
    machine.platform.fails = False
    snapshot = machine.tick(200, a=1)
    assert zone_uj(snapshot, "platform") == told
    assert snapshot.health.dropped_intervals["late"] == 1
    before = zone_uj(snapshot, "other")
    for _ in range(4):
        snapshot = machine.tick(200, a=1)

    assert zone_uj(snapshot, "platform") == told + 2 * 1280 * J
    assert zone_uj(snapshot, "other") == before + 2 * (1280 - 400) * J
    assert_balanced(snapshot)


def test_across_a_suspend_nothing_is_told(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for _ in range(6):
        snapshot = machine.tick(200, a=1)
    told = zone_uj(snapshot, "platform")
    machine.rig.clock.suspend(3600)
    for _ in range(2):
        snapshot = machine.tick(200, a=1)
    assert zone_uj(snapshot, "platform") == told
    for _ in range(4):
        snapshot = machine.tick(200, a=1)

    assert zone_uj(snapshot, "platform") == told + 128 * 20 * J
    assert_balanced(snapshot)


def test_of_two_platform_meters_one_makes_other(tmp_path: Path) -> None:
    power_w = [300.0]
    acpi = SlowPlatform(lambda: 200.0, 5, source="acpi")
    acpi.name = "hwmon"
    bmc = SlowPlatform(lambda: power_w[0], 20)
    rig = Rig(tmp_path, meters=[acpi, bmc])
    rig.tick()
    for _ in range(12):
        snapshot = rig.tick(package_j=500)
    assert snapshot
    others = {t.zone.source: t.dynamic_uj + t.idle_uj for t in snapshot.node.zones
              if t.zone.kind == "other"}  # fmt: skip
    # Until the BMC had moved once the other stood in for it, by 200 - 100 W.
    assert others == {"acpi": 3 * 500 * J, "redfish": 2 * 4000 * J}

    bmc.fails = True
    for _ in range(70):
        snapshot = rig.tick(package_j=500)
    assert snapshot
    again = {t.zone.source: t.dynamic_uj + t.idle_uj for t in snapshot.node.zones
             if t.zone.kind == "other"}  # fmt: skip
    assert again["redfish"] == others["redfish"]
    assert again["acpi"] > others["acpi"]
    assert_balanced(snapshot)


def test_the_line_through_the_windows_is_published(tmp_path: Path) -> None:
    machine = Machine(tmp_path, every_s=10)
    for at in range(80):
        load = 100 + 10 * (at // 4 % 40)
        snapshot = machine.tick(load, load / 5, a=1)

    fit = snapshot.platform_fit
    assert fit is not None
    assert fit.source == "redfish"
    assert fit.slope == pytest.approx(1.2, rel=0.05)
    assert fit.intercept_uw == pytest.approx(80e6, rel=0.05)


def test_the_floor_is_learned_with_how_busy_the_whole_window_was(tmp_path: Path) -> None:
    machine = Machine(tmp_path, given=lambda _: None)
    for at in range(200):  # every fourth tick busy, and the meter moves only after idle ones
        busy = at % 4 == 0
        snapshot = machine.tick(500 if busy else 50, a=18.0 if busy else 0.0)

    floors = {floor.zone.kind: floor for floor in snapshot.floors}
    assert floors["package"].basis == "learned"
    assert floors["platform"].basis != "learned"  # no window of it was quiet
