"""A series as a source, and functional units, against the query API as it is documented."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from wattribute.accounting.carbon import open_grid
from wattribute.accounting.carbon.functional_unit import count_units
from wattribute.accounting.promql.client import Prometheus
from wattribute.accounting.settings import AccountingSettings
from wattribute.core.errors import ConfigInvalid, IntensityAbsent, IntensityFailed, SourceFailed
from wattribute.settings import load
from wattribute_testing.prometheus_api import FakePrometheus

HOUR = timedelta(hours=1)


@pytest.fixture
def api() -> Iterator[FakePrometheus]:
    with FakePrometheus() as server:
        yield server


@pytest.fixture
def settings(api: FakePrometheus) -> AccountingSettings:
    keys = {
        "ledger.prometheus_url": api.url,
        "carbon.sources": "prometheus,table",
        "carbon.prometheus_selector": 'grid_intensity_carbon_average{location="{zone}"}',
        "carbon.cache": "none",
    }
    return load(None, {}, keys).accounting


def samples(start: datetime, count: int, grams: float = 300.0) -> dict[str, object]:
    times = [(start + n * timedelta(minutes=15)).timestamp() for n in range(count)]
    return {"metric": {"__name__": "g"}, "values": [[at, str(grams)] for at in times]}


def yesterday() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=1)


def test_hours_come_from_the_series_of_the_zone(
    api: FakePrometheus, settings: AccountingSettings
) -> None:
    start = yesterday()
    api.result = lambda _query, _at: [samples(start, 16, 321.0)]
    values = open_grid(settings).hourly("aws/eu-central-1", start, start + 4 * HOUR)
    assert [(one.g_per_kwh, one.source, one.stale) for one in values] == [
        (321.0, "prometheus", False)
    ] * 4
    assert api.asked[0].startswith('grid_intensity_carbon_average{location="DE"}[')


def test_hours_without_samples_are_stood_in_for(
    api: FakePrometheus, settings: AccountingSettings
) -> None:
    start = yesterday()
    api.result = lambda _query, _at: [samples(start, 4)]
    values = open_grid(settings).hourly("DE", start, start + 3 * HOUR)
    assert [one.source for one in values] == ["prometheus", "ember", "ember"]


def test_a_selector_of_several_series_is_refused(
    api: FakePrometheus, settings: AccountingSettings
) -> None:
    start = yesterday()
    api.result = lambda _query, _at: [samples(start, 4), samples(start, 4)]
    (value,) = open_grid(settings).hourly("DE", start, start + HOUR)
    assert (value.source, value.stale) == ("ember", True)


def test_the_newest_sample_is_the_latest(api: FakePrometheus, settings: AccountingSettings) -> None:
    now = datetime.now(UTC)
    api.result = lambda _query, _at: [samples(now - timedelta(minutes=16), 2, 123.0)]
    assert open_grid(settings).latest("DE").g_per_kwh == 123.0


def test_a_server_that_refuses_has_failed(
    api: FakePrometheus, settings: AccountingSettings
) -> None:
    api.status = 401
    assert open_grid(settings).latest("DE").stale
    only = load(
        None,
        {},
        {
            "ledger.prometheus_url": api.url,
            "carbon.sources": "prometheus",
            "carbon.prometheus_selector": "g",
            "carbon.cache": "none",
        },
    )
    with pytest.raises(IntensityFailed, match="status 401"):
        open_grid(only.accounting).latest("DE")
    with pytest.raises(IntensityAbsent, match="no forecast"):
        open_grid(only.accounting).forecast("DE", 3)


def test_without_a_selector_the_setting_is_named() -> None:
    with pytest.raises(ConfigInvalid, match=r"carbon\.prometheus_selector"):
        open_grid(load(None, {}, {"carbon.sources": "prometheus"}).accounting)


def test_units_are_counted_day_by_day_and_by_owner(
    api: FakePrometheus, settings: AccountingSettings
) -> None:
    api.result = lambda _query, at: [
        {"metric": {"app": "marketing"}, "value": [at, "100"]},
        {"metric": {"app": "support"}, "value": [at, "10.5"]},
    ]
    start = datetime(2026, 10, 1, tzinfo=UTC)
    with Prometheus(settings.ledger) as server:
        counts = count_units(
            server,
            "request",
            "sum by (app) (increase(http_requests_total[{window}]))",
            start,
            start + timedelta(days=2, hours=6),
        )
    assert counts == {"marketing": 300.0, "support": 31.5}
    windows = [query.rpartition("[")[2] for query in api.asked]
    assert windows == ["86400s]))", "86400s]))", "21600s]))"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"metric": {"app": "a", "pod": "b"}, "value": [0, "1"]}, "labels app, pod"),
        ({"metric": {}, "value": [0, "-1"]}, "no count"),
        ({"metric": {}, "value": [0, "NaN"]}, "no count"),
    ],
)
def test_what_is_no_count_of_units_is_refused(
    api: FakePrometheus, settings: AccountingSettings, row: dict[str, object], said: str
) -> None:
    api.result = lambda _query, _at: [row]
    start = datetime(2026, 10, 1, tzinfo=UTC)
    with Prometheus(settings.ledger) as server:
        with pytest.raises(SourceFailed, match=said):
            count_units(server, "job", "count(jobs[{window}])", start, start + HOUR)
        with pytest.raises(ConfigInvalid, match="window"):
            count_units(server, "job", "count(jobs)", start, start + HOUR)
