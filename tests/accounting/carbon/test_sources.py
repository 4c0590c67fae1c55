"""Each live source against its fake: true answers, lies, silence."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from wattribute.accounting.backends import CARBON_SOURCES
from wattribute.accounting.carbon import Basis, IntensitySource, find_place
from wattribute.accounting.carbon.entsoe import DOMAINS
from wattribute.accounting.carbon.intensity import CarbonBackend
from wattribute.accounting.settings import AccountingSettings
from wattribute.core.errors import IntensityAbsent, IntensityDenied, IntensityError, IntensityFailed
from wattribute_testing.carbon import FakeCarbonApis

LIVE = ["electricity-maps", "watttime", "uk", "entsoe"]
PLACES = {"uk": "GB"}
BASIS = {"watttime": Basis.MARGINAL}

Open = Callable[..., IntensitySource]


@pytest.fixture
def source(room: Callable[..., AccountingSettings]) -> Open:
    def opened(name: str, **keys: object) -> IntensitySource:
        backend = CARBON_SOURCES.load(name, CarbonBackend)
        return backend.open(room(**keys), BASIS.get(name, Basis.LOCATION))

    return opened


def yesterday() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=1)


@pytest.mark.parametrize("name", LIVE)
def test_the_past_is_what_the_grid_was(source: Open, apis: FakeCarbonApis, name: str) -> None:
    start = yesterday()
    values = source(name).between(
        find_place(PLACES.get(name, "DE")), start, start + timedelta(hours=6)
    )
    assert values[0].start == start
    assert values[-1].end == start + timedelta(hours=6)
    for value in values:
        assert value.g_per_kwh == pytest.approx(apis.at(value.start), rel=1e-6)
        assert value.basis is BASIS.get(name, Basis.LOCATION)
        assert value.source == name
        assert value.year == value.start.year


@pytest.mark.parametrize("name", LIVE)
def test_the_latest_is_not_older_than_two_hours(
    source: Open, apis: FakeCarbonApis, name: str
) -> None:
    value = source(name).latest(find_place(PLACES.get(name, "DE")))
    assert datetime.now(UTC) - value.end < timedelta(hours=2)
    assert value.g_per_kwh == pytest.approx(apis.at(value.start), abs=1.1)


@pytest.mark.parametrize("name", ["electricity-maps", "watttime", "uk"])
def test_a_forecast_begins_now_and_is_marked(source: Open, name: str) -> None:
    values = source(name).forecast(find_place(PLACES.get(name, "DE")), 12)
    now = datetime.now(UTC)
    assert values[0].start <= now < values[0].end + timedelta(seconds=5)
    assert values[-1].end >= now + timedelta(hours=11)
    assert all(value.forecast for value in values)


@pytest.mark.parametrize("name", LIVE)
def test_a_place_that_a_source_does_not_know_is_absent_and_not_failed(
    source: Open, name: str
) -> None:
    with pytest.raises((IntensityAbsent, IntensityDenied)):
        source(name).latest(find_place("BR"))


@pytest.mark.parametrize("name", LIVE)
@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 429},
        {"body": b"<html>maintenance</html>"},
        {"body": b"[]"},
        {"body": b"\xff\xfe"},
        {"cut": True},
        {"delay_s": 5.0},
        {"drip_s": 0.05},
        {"endless": True},
    ],
    ids=str,
)
def test_an_api_that_is_down_or_talks_nonsense_has_failed_in_time(
    source: Open, apis: FakeCarbonApis, name: str, fault: dict[str, object]
) -> None:
    for key, value in fault.items():
        setattr(apis.faults, key, value)
    began = datetime.now(UTC)
    with pytest.raises(IntensityError) as caught:
        source(name, timeout=0.3).latest(find_place(PLACES.get(name, "DE")))
    assert not isinstance(caught.value, IntensityAbsent)
    assert datetime.now(UTC) - began < timedelta(seconds=3)


@pytest.mark.parametrize(
    ("name", "true", "lie"),
    [
        ("electricity-maps", b'"zone": "DE"', b'"zone": "PL"'),
        ("electricity-maps", b'"carbonIntensity": ', b'"carbonIntensity": -'),
        ("electricity-maps", b'"carbonIntensity": ', b'"carbonIntensity": 9999'),
        ("electricity-maps", b".000Z", b""),
        ("watttime", b"lbs_co2_per_mwh", b"kg_co2_per_mwh"),
        ("watttime", b'"region": "DE"', b'"region": "FR"'),
        ("uk", b'"forecast": ', b'"forecast": "x", "was": '),
        ("entsoe", b"PT60M", b"P1Y"),
        ("entsoe", b"<quantity>", b"<quantity>-"),
        ("entsoe", b"<quantity>", b"<quantity>nan"),
        ("entsoe", b"<mRID>", b"<!DOCTYPE x><mRID>"),
    ],
)
def test_an_api_that_lies_has_failed(
    source: Open, apis: FakeCarbonApis, name: str, true: bytes, lie: bytes
) -> None:
    apis.faults.replace = {true: lie}
    with pytest.raises(IntensityFailed, match=f"^{name}: "):
        source(name).latest(find_place(PLACES.get(name, "DE")))


@pytest.mark.parametrize("name", ["electricity-maps", "watttime", "entsoe"])
def test_a_token_is_in_no_log_and_no_message(
    source: Open, apis: FakeCarbonApis, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    one = source(name)
    one.latest(find_place("DE"))
    problems = []
    for status in (401, 404, 500):
        apis.faults.status = status
        with pytest.raises(IntensityError) as caught:
            one.latest(find_place("DE"))
        problems.append(str(caught.value))
    text = caplog.text + "".join(problems)
    for secret in (apis.token, apis.password):
        assert secret not in text


def test_no_token_says_which_setting_names_its_file(source: Open) -> None:
    with pytest.raises(IntensityDenied, match=r"carbon\.electricity_maps_token_file"):
        source("electricity-maps", electricity_maps_token_file="").latest(find_place("DE"))


def test_a_token_never_goes_over_an_open_line(source: Open) -> None:
    with pytest.raises(IntensityDenied, match="must be https"):
        source("electricity-maps", electricity_maps_url="http://grid.example/v3")


def test_watttime_asks_for_a_token_once(source: Open, apis: FakeCarbonApis) -> None:
    one = source("watttime")
    for _ in range(3):
        one.latest(find_place("DE"))
    assert [path for path, _ in apis.seen].count("/watttime/login") == 1


def test_the_codes_of_entsoe_zones_have_right_check_characters() -> None:
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-"
    for code in DOMAINS.values():
        weighted = sum((16 - at) * alphabet.index(char) for at, char in enumerate(code[:15]))
        assert code[15] == alphabet[36 - (weighted - 1) % 37], code
