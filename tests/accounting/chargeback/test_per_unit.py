"""Joules, money and grams per functional unit."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from wattribute.accounting.chargeback.charges import Month
from wattribute.accounting.chargeback.grams import Provenance
from wattribute.accounting.chargeback.money import Currency
from wattribute.accounting.chargeback.per_unit import (
    WHOLE,
    divide,
    per_unit,
    queries_of,
    without_owner,
)
from wattribute.accounting.chargeback.statement import Statement, StatementRow
from wattribute.core.errors import ConfigInvalid, SourceFailed
from wattribute.settings import load
from wattribute_testing.prometheus_api import FakePrometheus


def row(owner: str, **changed: object) -> StatementRow:
    given: dict[str, object] = {
        "id": "abc-1",
        "owner": owner,
        "kind": "owner",
        "dynamic_uj": 3_000_000,
        "idle_uj": 1_000_000,
        "spare_uj": 0,
        "low_uj": 0,
        "high_uj": 0,
        "cost": Decimal("10.00"),
        "cost_idle": Decimal(0),
        "cost_spare": Decimal(0),
        "cost_shared": Decimal(0),
        "cost_low": Decimal(0),
        "cost_high": Decimal(0),
        "carbon_ug": 5_000_000,
        "carbon_low_ug": None,
        "carbon_high_ug": None,
        "embodied_ug": 3_000_000,
        "share": 0.5,
        "confidence": "measured",
        "measured": 1.0,
        "efficiency": None,
        "energy_before_uj": None,
        "cost_before": None,
        **changed,
    }
    return StatementRow(**given)  # type: ignore[arg-type]


def statement(*rows: StatementRow, basis: str = "location") -> Statement:
    return Statement(
        id="abc",
        month="2026-10",
        timezone="UTC",
        by="label:app",
        method="energy-idle-reserved",
        method_text="",
        floor_policy="reserved",
        currency=Currency("USD"),
        total=Decimal(20),
        rows=rows,
        rest=(),
        notes=(),
        sources=(),
        carbon=(Provenance("DE", "ember", "2024", basis, 1.0),),
        ledger="",
        engine="duckdb",
        node_hours=1,
    )


def test_each_owner_is_divided_by_its_own_units() -> None:
    made = statement(row("marketing"), row("support"))
    (one,) = per_unit(made, "request", {"marketing": 8.0, "other": 5.0})
    assert (one.owner, one.units, one.joules) == ("marketing", 8.0, 0.5)
    assert one.cost == Decimal("1.25")
    assert one.sci_g == pytest.approx((5 + 3) / 8)
    assert one.embodied_g == pytest.approx(3 / 8)
    assert without_owner(made, {"marketing": 8.0, "other": 5.0}) == ["other"]


def test_units_of_nobody_are_of_all_owners() -> None:
    made = statement(row("marketing"), row("support"))
    (one,) = per_unit(made, "job", {"": 4.0})
    assert (one.owner, one.cost, one.joules) == (WHOLE, Decimal(5), 2.0)


def test_without_intensity_or_with_the_markets_there_is_no_sci() -> None:
    (dark,) = per_unit(statement(row("a", carbon_ug=None)), "job", {"a": 1.0})
    assert dark.sci_g is None
    (market,) = per_unit(statement(row("a"), basis="market"), "job", {"a": 1.0})
    assert market.sci_g is None
    (bare,) = per_unit(statement(row("a", embodied_ug=None)), "job", {"a": 1.0})
    assert (bare.sci_g, bare.embodied_g) == (5.0, None)


def test_no_units_are_no_row() -> None:
    assert per_unit(statement(row("a")), "job", {"a": 0.0}) == []


@pytest.fixture
def prometheus() -> Iterator[FakePrometheus]:
    with FakePrometheus() as server:
        yield server


def test_units_are_asked_for_by_the_settings_query(prometheus: FakePrometheus) -> None:
    settings = load(
        None,
        {},
        {
            "ledger.prometheus_url": prometheus.url,
            "carbon.units": "request=sum by (app) (increase(requests_total[{window}]))",
        },
    ).accounting
    prometheus.result = lambda _query, at: [{"metric": {"app": "marketing"}, "value": [at, "2"]}]
    queries = queries_of(settings, ["request"])
    made = statement(row("marketing"))
    (one,) = divide(made, settings.ledger, Month.parse("2026-10"), queries)
    assert (one.units, one.cost) == (62.0, Decimal(10) / 62)
    assert prometheus.asked[0] == "sum by (app) (increase(requests_total[86400s]))"
    assert len(prometheus.asked) == 31
    with pytest.raises(SourceFailed, match="'marketing', no owners by label:app"):
        divide(statement(row("support")), settings.ledger, Month.parse("2026-10"), queries)
    with pytest.raises(ConfigInvalid, match="there are: request"):
        queries_of(settings, ["job"])
