"""The shipped tables: what is in them is possible, and says where it is from."""

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tools import carbon_table

import wattribute.accounting.carbon
from wattribute.accounting.carbon import Basis, find_place, place_of_provider_id
from wattribute.accounting.carbon.sci import embodied_of_instance, embodied_of_server
from wattribute.accounting.carbon.tables import countries, figures, regions
from wattribute.accounting.carbon.yearly import Market, YearlyTable
from wattribute.core.errors import IntensityAbsent

DATA = Path(wattribute.accounting.carbon.__file__).parent / "data"
AUTUMN = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 2, tzinfo=UTC)


@pytest.mark.parametrize("name", ["figures.csv", "countries.csv", "embodied.csv"])
def test_every_figure_has_a_source_and_a_licence_beside_it(name: str) -> None:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 100
    assert all(row["source"] and row["licence"] for row in rows)


def test_no_figure_is_impossible() -> None:
    for (kind, key), values in figures().items():
        for one in values:
            low, high = (1.0, 2.5) if kind == "pue" else (1.0, 1500.0)
            assert low <= one.value <= high, (kind, key, one)
            assert 2015 <= one.year <= 2026


def test_stockholm_is_in_sweden_in_every_year() -> None:
    # The published table of 2021 has Spain's zone and figure in that row.
    values = figures()["location", find_place("aws/eu-north-1").zone]
    assert all(one.value < 50 for one in values)


def test_every_region_has_a_yearly_average() -> None:
    table = YearlyTable(Basis.LOCATION)
    for row in regions():
        assert table.between(find_place(f"{row.provider}/{row.region}"), *AUTUMN)


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("DE", "DE"),
        ("deu", "DE"),
        ("eu-central-1", "DE"),
        ("azure/northeurope", "IE"),
        ("gcp/europe-west8", "IT-NO"),
        ("US-NW-BPAT", "US-NW-BPAT"),
    ],
)
def test_a_place_is_found_by_country_zone_or_region(name: str, zone: str) -> None:
    assert find_place(name).zone == zone


@pytest.mark.parametrize("name", ["", "narnia", "XX", "D E", "../DE", "DE\x1b"])
def test_what_is_no_place_is_refused(name: str) -> None:
    with pytest.raises(IntensityAbsent, match="no place"):
        find_place(name)


def test_a_slip_is_told_what_was_meant() -> None:
    with pytest.raises(IntensityAbsent, match="did you mean eu-central-1"):
        find_place("eu-centrl-1")


@pytest.mark.parametrize(
    ("provider_id", "place"),
    [
        ("aws:///eu-central-1a/i-0abc", "aws/eu-central-1"),
        ("aws:///us-west-2-lax-1a/i-0abc", "aws/us-west-2"),
        ("aws:///us-gov-west-1b/i-0abc", "aws/us-gov-west-1"),
        ("gce://project/europe-west3-a/node-1", "gcp/europe-west3"),
        ("azure:///subscriptions/x/resourceGroups/y", ""),
        ("kind://docker/kind/kind-worker", ""),
        ("", ""),
    ],
)
def test_the_region_is_read_from_a_provider_id(provider_id: str, place: str) -> None:
    assert place_of_provider_id(provider_id) == place


def test_a_figure_says_its_own_year_not_the_asked_one() -> None:
    value = YearlyTable(Basis.LOCATION).between(find_place("aws/eu-central-1"), *AUTUMN)[0]
    assert (value.g_per_kwh, value.year, value.source) == (370.93, 2023, "gsf-real-time-cloud")


def test_two_years_are_two_values() -> None:
    start, end = datetime(2021, 12, 31, tzinfo=UTC), datetime(2023, 1, 2, tzinfo=UTC)
    values = YearlyTable(Basis.LOCATION).between(find_place("aws/eu-central-1"), start, end)
    assert [value.year for value in values] == [2021, 2022, 2023]
    assert values[0].start == start
    assert values[-1].end == end


def test_a_zone_without_a_figure_takes_its_countrys_and_says_that_it_is_rough() -> None:
    value = YearlyTable(Basis.LOCATION).between(find_place("US-FLA-FPL"), *AUTUMN)[0]
    assert value.estimated
    assert value.g_per_kwh == countries()["US"].figure.value


def test_a_contract_counts_only_where_it_is_named() -> None:
    market = Market({"DE": 12.5, "*": 400.0}, "supplier 2025")
    assert market.between(find_place("aws/eu-central-1"), *AUTUMN)[0].g_per_kwh == 12.5
    other = market.between(find_place("FR"), *AUTUMN)[0]
    assert (other.g_per_kwh, other.source, other.basis) == (400.0, "supplier 2025", Basis.MARKET)
    with pytest.raises(IntensityAbsent, match=r"carbon\.market"):
        Market({"DE": 12.5}, "").between(find_place("FR"), *AUTUMN)


def test_a_server_of_a_tonne_over_four_years_is_28_grams_an_hour() -> None:
    # The worked example of the SCI specification.
    assert embodied_of_server(1000.0, 4.0).g_per_hour == pytest.approx(28.5, abs=0.05)


def test_half_a_server_has_half_of_its_embodied_emissions() -> None:
    whole = embodied_of_instance("m5.24xlarge", 4.0).g_per_hour
    assert embodied_of_instance("m5.12xlarge", 4.0).g_per_hour == pytest.approx(whole / 2)
    with pytest.raises(IntensityAbsent, match=r"carbon\.server_kg"):
        embodied_of_instance("x99.huge", 4.0)


def row(year: str, zone: str, grams: str, region: str = "r1") -> dict[str, str]:
    return {
        "year": year,
        "provider": "aws",
        "cloud-region": region,
        "em-zone-id": zone,
        "grid-carbon-intensity-average-consumption-annual": grams,
        "grid-carbon-intensity-marginal-consumption-annual": "",
    }


def test_the_compiler_drops_rows_of_another_zone_and_copies_of_last_year() -> None:
    rows = [row("2021", "ES", "174"), row("2022", "SE", "25"), row("2023", "SE", "25")]
    zones = carbon_table.zone_of_regions(rows)
    kept = list(carbon_table.in_their_zone(rows, zones))
    assert [(one[2], one[3]) for one in carbon_table.intensities(kept)] == [("2022", 25.0)]
