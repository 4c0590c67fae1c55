"""Rates of a statement: where nodes are, what stands beside a gram, and what is not known."""

import pyarrow.compute as pc
import pytest

from wattribute.accounting.chargeback.carbon_rates import GridRates
from wattribute.accounting.chargeback.engines import Span
from wattribute.accounting.chargeback.grams import CarbonFacts
from wattribute.core.errors import ConfigInvalid
from wattribute.settings import load

OCTOBER = Span(497_472, 497_472 + 744)


def node(provider_id: str = "", instance_type: str = "", region: str = "") -> CarbonFacts:
    return CarbonFacts("prod", "n1", provider_id, instance_type, region)


def rates_of(*nodes: CarbonFacts, **carbon: object) -> tuple[GridRates, object]:
    source = GridRates(
        load(None, {}, {f"carbon.{name}": value for name, value in carbon.items()}).accounting
    )
    return source, source.rates(nodes, OCTOBER)


def test_a_node_is_where_its_provider_id_says_and_pays_for_the_site() -> None:
    source, rates = rates_of(node("aws:///eu-north-1a/i-1", "m5.large"))
    (told,) = rates.provenance
    assert (told.zone, told.source, told.year) == ("aws/eu-north-1", "gsf-real-time-cloud", "2023")
    assert (told.basis, told.pue, told.stale) == ("location", 1.1, False)
    assert rates.zone_of == (0,)
    assert rates.table.num_rows == 744
    assert pc.unique(rates.table["ug_per_kwh"]).to_pylist() == [round(24.71 * 1.1 * 1e6)]
    assert rates.embodied_ug_per_hour == (957_709,)  # 1610.79 kg / 35,040 h x 2 of 96 vCPUs
    assert source.problems == []


def test_settings_come_before_what_a_node_says() -> None:
    _, rates = rates_of(node("aws:///eu-north-1a/i-1"), locations="pro*=FR")
    assert rates.provenance[0].zone == "FR"


def test_a_region_that_nobody_knows_is_the_default_place() -> None:
    _, rates = rates_of(node("hcloud://1", region="fsn1"), location="DE")
    assert rates.provenance[0].zone == "DE"


def test_a_node_without_a_place_has_no_grams_and_it_is_said() -> None:
    source, rates = rates_of(node())
    assert (rates.zone_of, rates.provenance) == ((-1,), ())
    assert "carbon.location" in source.problems[0]


def test_a_slip_in_the_settings_is_told() -> None:
    with pytest.raises(ConfigInvalid, match=r"carbon\.location.*Germny"):
        rates_of(node(), location="Germny")


def test_money_does_not_wait_for_grams() -> None:
    # Nothing listens there: the hours have no grams, and the statement says so.
    source, rates = rates_of(
        node(), location="GB", sources="uk", uk_url="http://127.0.0.1:1", cache="none"
    )
    assert rates.provenance == ()
    assert source.problems == [
        "carbon: 744 of 744 hours in GB have no intensity from uk, and so no grams"
    ]


def test_a_source_that_is_stood_in_for_shows() -> None:
    _, rates = rates_of(
        node(), location="GB", sources="uk,table", uk_url="http://127.0.0.1:1", cache="none"
    )
    assert (rates.provenance[0].source, rates.provenance[0].stale) == ("ember", True)


def test_a_contract_of_the_settings_is_a_rate_of_its_own() -> None:
    _, rates = rates_of(
        node(), location="DE", basis="market", market="DE=12.5", market_source="supplier 2025"
    )
    told = rates.provenance[0]
    assert (told.basis, told.source) == ("market", "supplier 2025")
    assert rates.table["ug_per_kwh"][0].as_py() == 12_500_000


def test_a_machine_of_ones_own_has_the_embodied_share_of_its_maker() -> None:
    _, rates = rates_of(node(), location="DE", server_kg=1000)
    assert rates.embodied_ug_per_hour == (28_538_813,)
    _, rates = rates_of(node(), location="DE", instance_types="n*=m5.large")
    assert rates.embodied_ug_per_hour == (957_709,)
