from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from wattribute.automation.scaler.inputs import read_carbon, read_demand
from wattribute.automation.scaler.plot import svg
from wattribute.automation.scaler.policy import read_policy
from wattribute.automation.scaler.signals import Ahead
from wattribute.automation.scaler.simulate import Arrivals, simulate
from wattribute.core.errors import ConfigInvalid, DataInvalid

HOUR = 3600.0
MIDNIGHT = 20_000 * 86_400.0
POLICY = read_policy(
    {
        "policy": "intensity",
        "query": "queue",
        "target": "5",
        "failOpenReplicas": "20",
        "maxReplicas": "20",
        "emissionThreshold": "200",
        "wattsPerReplica": "100",
        "unitsPerReplicaHour": "10",
        "minDwellMinutes": "0",
    }
)
NIGHT_IS_CLEAN = [
    Ahead(MIDNIGHT + hour * HOUR, MIDNIGHT + (hour + 1) * HOUR, 100 if hour % 24 < 6 else 400)
    for hour in range(72)
]
ALL_DAY = [
    Arrivals(MIDNIGHT + hour * HOUR, MIDNIGHT + (hour + 1) * HOUR, 20.0) for hour in range(48)
]


def test_the_same_work_is_done_with_the_same_energy_later_and_cleaner() -> None:
    found = simulate(replace(POLICY, max_pause_s=0), NIGHT_IS_CLEAN, ALL_DAY)
    for run in (found.policy, found.run_now):
        assert run.units_done + run.units_left == pytest.approx(48 * 20)
        assert run.kwh == pytest.approx(run.units_done / 10 * 0.1)
    assert found.policy.grams == pytest.approx(found.policy.kwh * 100, rel=1e-6)
    assert found.run_now.grams > 2 * found.policy.grams
    assert found.avoided_g > 0
    assert found.policy.delay_mean_s > found.run_now.delay_mean_s
    assert 18 * HOUR <= found.policy.delay_max_s <= 24 * HOUR
    assert sum(found.reasons.values()) == 48 * 60


def test_a_longest_pause_bounds_the_delay() -> None:
    found = simulate(replace(POLICY, max_pause_s=4 * HOUR), NIGHT_IS_CLEAN, ALL_DAY)
    assert found.policy.delay_max_s < 8 * HOUR


def test_a_dry_run_changes_nothing() -> None:
    found = simulate(replace(POLICY, dry_run=True), NIGHT_IS_CLEAN, ALL_DAY)
    assert found.policy == found.run_now
    assert found.avoided_g == 0


def test_hours_without_a_row_fail_open() -> None:
    found = simulate(POLICY, NIGHT_IS_CLEAN[:12], ALL_DAY[:24])
    assert found.reasons["fail_open"] == 12 * 60
    assert found.hours[20].g_per_kwh is None


def test_a_policy_without_power_cannot_be_simulated() -> None:
    with pytest.raises(ConfigInvalid, match="wattsPerReplica: missing"):
        simulate(replace(POLICY, watts_per_replica=0), NIGHT_IS_CLEAN, ALL_DAY)


def test_the_picture_is_well_formed_whatever_the_name() -> None:
    found = simulate(POLICY, NIGHT_IS_CLEAN[:12], ALL_DAY[:24])
    tree = ET.fromstring(svg(found, 'shop/<script>alert("x")</script>'))  # noqa: S314 - our own text
    assert not [one for one in tree.iter() if one.tag.endswith("script")]
    assert len([one for one in tree.iter() if one.tag.endswith("path")]) == 4


def test_the_files_are_read(tmp_path: Path) -> None:
    demand = tmp_path / "demand.csv"
    demand.write_text("start,units\n2026-11-02T00:00:00Z,5\n2026-11-02T01:00:00Z,7\n")
    rows = read_demand(demand)
    assert [(one.end_s - one.start_s, one.units) for one in rows] == [(3600, 5), (3600, 7)]
    carbon = tmp_path / "carbon.csv"
    carbon.write_text("start,g_per_kwh\n2026-11-02T00:00:00Z,100\n2026-11-02T01:00:00Z,200\n")
    span = rows[0].start_s, rows[-1].end_s
    assert [one.g_per_kwh for one in read_carbon(carbon, "DE", span)] == [100, 200]
    with pytest.raises(DataInvalid, match="has no row from"):
        read_carbon(carbon, "DE", (0.0, HOUR))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("start,count\n", "no column units"),
        ("start,units\n2026-11-02T00:00:00Z,5\n", "at least two are needed"),
        ("start,units\n2026-11-02T00:00:00,5\n2026-11-02T01:00:00Z,5\n", ":2: a row must be"),
        ("start,units\n2026-11-02T00:00:00Z,-5\n2026-11-02T01:00:00Z,5\n", ":2: a row must be"),
        ("start,units\n2026-11-02T00:00:00Z,nan\n2026-11-02T01:00:00Z,5\n", ":2: a row must be"),
        ("start,units\n2026-11-02T01:00:00Z,5\n2026-11-02T00:00:00Z,5\n", "not in order"),
        ("start,units\n1970-01-01T00:00:00Z,5\n2026-11-02T00:00:00Z,5\n", "more than 400 days"),
    ],
)
def test_a_wrong_demand_file_is_told_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "demand.csv"
    path.write_text(text)
    with pytest.raises(DataInvalid, match=words):
        read_demand(path)
