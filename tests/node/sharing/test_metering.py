"""From readings to intervals, over gaps of any kind."""

from pathlib import Path

from wattribute_testing.rig import Rig

J = 1_000_000
PACKAGE = "class/powercap/intel-rapl:0/energy_uj"
RANGE_J = 262_143


def small_counter(folder: Path, **options: object) -> Rig:
    rig = Rig(folder, **options)  # type: ignore[arg-type]
    rig.sysfs.rapl("intel-rapl:0", "package-0", 0, RANGE_J * J)
    return Rig(folder, **options)  # type: ignore[arg-type]


def package_uj(rig: Rig) -> int:
    snapshot = rig.monitor.snapshot()
    assert snapshot
    return sum(
        total.dynamic_uj + total.idle_uj
        for total in snapshot.node.zones
        if total.zone.kind == "package"
    )


def test_a_counter_that_may_have_wrapped_twice_while_it_was_unreadable_is_dropped(
    tmp_path: Path,
) -> None:
    rig = small_counter(tmp_path)
    rig.tick()
    rig.tick(package_j=1000)
    kept = (rig.sysfs.root / PACKAGE).read_bytes()
    rig.sysfs.write_raw(PACKAGE, b"")
    for _ in range(5):
        rig.clock.advance(1000)
        rig.monitor.tick()
    rig.sysfs.write_raw(PACKAGE, kept)
    rig.tick(package_j=5)  # what the counter shows, after who knows how many rounds

    assert package_uj(rig) == 1000 * J
    snapshot = rig.monitor.snapshot()
    assert snapshot
    assert snapshot.health.dropped_intervals["late"] == 1


def test_a_counter_that_may_have_wrapped_twice_while_the_agent_was_away_is_dropped(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    rig = small_counter(tmp_path, state=state)
    rig.tick()
    rig.tick(package_j=1000)
    rig.clock.advance(50_000)
    again = small_counter(tmp_path, state=state, clock=rig.clock)
    again.use("intel-rapl:0", 1005)
    again.monitor.resume()
    again.tick()
    again.tick()

    assert package_uj(again) == 1000 * J


def test_a_short_absence_of_the_agent_is_unattributed(tmp_path: Path) -> None:
    state = tmp_path / "state"
    rig = small_counter(tmp_path, state=state)
    rig.tick()
    rig.tick(package_j=1000)
    again = Rig(tmp_path, state=state, clock=rig.clock)
    again.monitor.resume()
    again.tick(package_j=2000, seconds=20)
    again.tick()

    assert package_uj(again) == 3000 * J


def test_a_zone_of_the_saved_state_that_no_meter_has_any_more_is_not_up(tmp_path: Path) -> None:
    state = tmp_path / "state"
    rig = Rig(tmp_path, state=state)
    rig.tick()
    rig.tick(package_j=100, dram_j=100)
    rig.sysfs.without_rapl("intel-rapl:0:0")
    again = Rig(tmp_path, state=state, clock=rig.clock)
    again.monitor.resume()
    again.tick()
    for _ in range(5):
        snapshot = again.tick(package_j=100)

    assert snapshot
    assert {total.zone.kind: total.up for total in snapshot.node.zones} == {
        "package": True,
        "dram": False,
    }
    assert snapshot.health.dropped_intervals.get("unreadable", 0) == 0


def test_a_reset_that_would_be_a_wrap_at_far_more_power_than_ever_seen_is_a_reset(
    tmp_path: Path,
) -> None:
    rig = small_counter(tmp_path)
    rig.sysfs.energy("intel-rapl:0", (RANGE_J - 5000) * J)
    rig.tick()
    rig.tick(package_j=30)  # 6 W
    rig.sysfs.energy("intel-rapl:0", 1 * J)  # as a wrap: 5 kJ in 5 s, half of what is possible
    snapshot = rig.tick()

    assert package_uj(rig) == 30 * J
    assert snapshot
    assert snapshot.health.dropped_intervals["reset"] == 1


def test_a_wrap_at_power_like_before_is_counted(tmp_path: Path) -> None:
    rig = small_counter(tmp_path)
    rig.sysfs.energy("intel-rapl:0", (RANGE_J - 50) * J)
    rig.tick()
    rig.tick(package_j=30)
    rig.sysfs.energy("intel-rapl:0", 20 * J)  # 20 J to its end, and 20 more
    rig.tick()

    assert package_uj(rig) == 70 * J + 1  # it shows 0 too: one microjoule more than its range
