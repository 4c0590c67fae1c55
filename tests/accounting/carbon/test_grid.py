"""The grid: order, cache, what stands in for a source that failed, and that it shows."""

import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from wattribute.accounting.carbon import Basis, Grid, open_grid
from wattribute.accounting.settings import AccountingSettings
from wattribute.core.errors import ConfigInvalid, IntensityAbsent, IntensityFailed
from wattribute_testing.carbon import FakeCarbonApis

HOUR = timedelta(hours=1)
Room = Callable[..., AccountingSettings]


def hour_of(days_ago: int) -> datetime:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return now - timedelta(days=days_ago)


def fresh(settings: AccountingSettings) -> Grid:
    """A program that has just been started: knows of no failure before."""
    return open_grid(settings)


def test_a_month_of_hours_has_no_gap_and_is_asked_for_once(
    room: Room, apis: FakeCarbonApis
) -> None:
    settings = room(sources="electricity-maps,table")
    start = hour_of(35)
    values = fresh(settings).hourly("DE", start, start + timedelta(days=31))
    assert [value.start for value in values] == [start + n * HOUR for n in range(31 * 24)]
    assert all(value.g_per_kwh == apis.at(value.start) for value in values)
    assert len(apis.seen) == 4  # ten days a question
    assert fresh(settings).hourly("DE", start, start + timedelta(days=31)) == values
    assert len(apis.seen) == 4


def test_half_hours_become_hours(room: Room, apis: FakeCarbonApis) -> None:
    values = fresh(room(sources="uk")).hourly("GB", hour_of(1), hour_of(1) + 3 * HOUR)
    assert [value.g_per_kwh for value in values] == [apis.at(value.start) for value in values]
    assert not any(value.estimated for value in values)


@pytest.mark.parametrize("fault", [{"status": 500}, {"delay_s": 3.0}, {"body": b"{}"}], ids=str)
def test_a_dead_source_is_stood_in_for_and_marked(
    room: Room, apis: FakeCarbonApis, fault: dict[str, object]
) -> None:
    for key, value in fault.items():
        setattr(apis.faults, key, value)
    grid = fresh(room(sources="electricity-maps,table", timeout=0.3))
    values = grid.hourly("DE", hour_of(2), hour_of(1))
    assert len(values) == 24
    assert {(value.source, value.year, value.stale) for value in values} == {("ember", 2024, True)}
    assert grid.latest("DE").stale


def test_what_was_cached_before_a_source_died_is_not_stale(
    room: Room, apis: FakeCarbonApis
) -> None:
    settings = room(sources="electricity-maps,table")
    fresh(settings).hourly("DE", hour_of(2), hour_of(1))
    apis.faults.status = 503
    values = fresh(settings).hourly("DE", hour_of(2), hour_of(1) + 2 * HOUR)
    assert [value.stale for value in values] == [False] * 24 + [True] * 2
    assert values[-1].source == "ember"


def test_a_source_that_does_not_know_a_place_is_no_failure(room: Room) -> None:
    value = fresh(room(sources="uk,table")).latest("DE")
    assert (value.source, value.stale) == ("ember", False)


def test_a_source_that_refuses_the_token_is_a_failure(room: Room, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong")
    settings = room(sources="electricity-maps,table", electricity_maps_token_file=str(wrong))
    assert fresh(settings).latest("DE").stale


def test_a_dead_source_is_not_asked_again_at_once(room: Room, apis: FakeCarbonApis) -> None:
    apis.faults.status = 500
    grid = fresh(room(sources="electricity-maps,table"))
    for _ in range(5):
        grid.latest("DE")
    assert len(apis.seen) == 1


def test_the_latest_is_kept_for_the_refresh_time(room: Room, apis: FakeCarbonApis) -> None:
    settings = room(sources="electricity-maps")
    assert fresh(settings).latest("DE") == fresh(settings).latest("DE")
    assert len(apis.seen) == 1


def test_the_last_value_of_a_source_that_died_is_used_and_marked(
    room: Room, apis: FakeCarbonApis
) -> None:
    settings = room(sources="electricity-maps,table", refresh=0)
    before = fresh(settings).latest("DE")
    apis.faults.status = 500
    after = fresh(settings).latest("DE")
    assert (after.g_per_kwh, after.source, after.stale) == (before.g_per_kwh, before.source, True)


def test_the_last_forecast_of_a_source_that_died_is_used_and_marked(
    room: Room, apis: FakeCarbonApis
) -> None:
    settings = room(sources="electricity-maps", refresh=0)
    before = fresh(settings).forecast("DE", 24)
    apis.faults.status = 500
    after = fresh(settings).forecast("DE", 24)
    assert [one.g_per_kwh for one in after] == [one.g_per_kwh for one in before]
    assert all(one.stale for one in after)


def test_without_anything_to_stand_in_the_failure_is_told(room: Room, apis: FakeCarbonApis) -> None:
    apis.faults.status = 500
    grid = fresh(room(sources="electricity-maps"))
    with pytest.raises(IntensityFailed, match="answered 500"):
        grid.latest("DE")
    with pytest.raises(IntensityFailed, match="answered 500"):
        grid.forecast("DE", 6)
    with pytest.raises(IntensityFailed, match="answered 500"):
        grid.hourly("DE", hour_of(2), hour_of(1))


def test_a_cache_that_is_damaged_costs_requests_and_no_value(room: Room, tmp_path: Path) -> None:
    settings = room(sources="electricity-maps")
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "intensity.sqlite").write_bytes(b"not a database" * 100)
    grid = fresh(settings)
    assert not grid.latest("DE").stale
    assert len(grid.hourly("DE", hour_of(2), hour_of(1))) == 24


def test_a_cache_that_cannot_be_made_costs_requests_and_no_value(
    room: Room, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    settings = room(sources="electricity-maps", cache=str(tmp_path / "file"))
    assert len(fresh(settings).hourly("DE", hour_of(2), hour_of(1))) == 24


def test_without_a_cache_it_works_too(room: Room) -> None:
    values = fresh(room(sources="electricity-maps", cache="none")).hourly(
        "DE", hour_of(2), hour_of(1)
    )
    assert len(values) == 24


def test_estimated_hours_are_asked_for_again_later(
    room: Room, apis: FakeCarbonApis, tmp_path: Path
) -> None:
    settings = room(sources="electricity-maps")
    now = hour_of(0)
    fresh(settings).hourly("DE", now - HOUR, now + HOUR)  # the hour that is now is estimated
    asked = len(apis.seen)
    fresh(settings).hourly("DE", now - HOUR, now + HOUR)
    assert len(apis.seen) == asked
    with sqlite3.connect(tmp_path / "cache" / "intensity.sqlite") as book:
        book.execute("UPDATE intensity SET fetched_s = fetched_s - 7200")
    book.close()
    fresh(settings).hourly("DE", now - HOUR, now + HOUR)
    assert len(apis.seen) == asked + 1


def test_bases_are_never_mixed(room: Room) -> None:
    settings = room(sources="electricity-maps,watttime,table")
    assert fresh(settings).latest("DE").basis is Basis.LOCATION
    marginal = open_grid(settings, Basis.MARGINAL).latest("DE")
    assert (marginal.source, marginal.basis) == ("watttime", Basis.MARGINAL)
    with pytest.raises(IntensityAbsent, match=r"carbon\.market"):
        open_grid(settings, Basis.MARKET).latest("DE")
    with pytest.raises(ConfigInvalid, match="none of uk has marginal"):
        open_grid(room(sources="uk"), Basis.MARGINAL)


def test_a_file_of_the_users_own_is_a_source(room: Room, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        "start,place,g_per_kwh\n2026-10-01T00:00:00Z,DE,300\n2026-10-01T01:00:00+00:00,DE,310\n"
        "2026-10-01T00:00:00Z,FR,40\n"
    )
    start = datetime(2026, 10, 1, tzinfo=UTC)
    values = fresh(room(sources="csv,table", csv=str(path))).hourly("DE", start, start + 3 * HOUR)
    assert [(one.g_per_kwh, one.source, one.stale) for one in values] == [
        (300.0, "csv:mine.csv", False),
        (310.0, "csv:mine.csv", False),
        (342.06, "ember", False),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("when,g_per_kwh\n", "no column start"),
        ("start,g_per_kwh\n2026-10-01T00:00:00,1\n", ":2: is not a start with a time zone"),
        ("start,g_per_kwh\n2026-10-01T00:00:00Z,x\n", ":2: is not a start with a time zone"),
        ("start,g_per_kwh\n2026-10-01T00:00:00Z,-1\n", "-1.0 g/kWh"),
        ("start,g_per_kwh\n2026-10-01T00:00Z,1\n2026-10-01T00:00Z,2\n", "two rows of DE"),
    ],
)
def test_a_file_that_is_wrong_says_where(room: Room, tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    grid = fresh(room(sources="csv", csv=str(path)))
    with pytest.raises(IntensityFailed, match=said):
        grid.hourly("DE", hour_of(2), hour_of(1))


def test_pue_is_the_settings_or_the_regions_or_unknown(room: Room) -> None:
    facility = fresh(room(pue="DE=1.6")).facility
    assert facility.pue("aws/eu-central-1", 2026).value == 1.6
    region = facility.pue("aws/ap-south-1", 2026)
    assert (region.value, region.year) == (1.42, 2024)
    assert facility.pue("FR", 2026).source == "unknown"


def test_a_token_for_one_zone_is_no_failure_of_that_zone(room: Room, apis: FakeCarbonApis) -> None:
    grid = fresh(room(sources="watttime,table", basis="marginal"))
    apis.regions = frozenset({"DE"})
    assert grid.latest("US-NW-BPAT").stale  # refused, and stood in for
    value = grid.latest("DE")
    assert (value.source, value.stale) == ("watttime", False)


def test_forecasts_that_a_token_does_not_allow_leave_the_latest_alone(
    room: Room, apis: FakeCarbonApis, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = apis.answer

    def without_forecasts(path: str, *rest: Mapping[str, str]) -> tuple[int, bytes]:
        return (403, b"{}") if path.endswith("forecast") else answer(path, *rest)

    monkeypatch.setattr(apis, "answer", without_forecasts)
    grid = fresh(room(sources="electricity-maps"))
    with pytest.raises(IntensityFailed, match="answered 403"):
        grid.forecast("DE", 6)
    assert not grid.latest("DE").stale
