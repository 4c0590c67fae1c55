"""The methods, on AWS' published example and on cases of our own."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from wattribute.accounting.chargeback.build import compare_methods, make_statement
from wattribute.accounting.chargeback.charges import Month
from wattribute.accounting.chargeback.methods import METHODS
from wattribute.accounting.chargeback.other_weights import AS_SHARED
from wattribute.accounting.chargeback.request import StatementRequest
from wattribute.accounting.settings import AccountingSettings
from wattribute.core.errors import ConfigInvalid
from wattribute_testing.entries import MadeLedger

HOUR = 497_136
MONTH = Month(2026, 9)


def _costs(ledger: Path, method: str, **question: object) -> dict[str, Decimal]:
    given = {"totals": ("EC2=1000000 USD",), "tariff": "0.1"} | question
    request = StatementRequest(str(ledger), MONTH, "label:app", method=method, **given)
    made = make_statement(request, AccountingSettings())
    assert made.difference == 0
    return {row.owner: row.cost for row in made.everything}


def test_the_larger_of_request_and_usage_equals_the_published_example(aws_node: Path) -> None:
    """One dollar, to six digits; AWS prints $0.17 per vCPU-hour, ratios .204, .388 and so on."""
    costs = _costs(aws_node, "max-request-usage")
    cpu, memory = 36 / 52, 16 / 52
    expected = {
        "p1": cpu * 1 / 4.9 + memory * 4 / 14,
        "p2": cpu * 1.9 / 4.9 + memory * 6 / 14,
        "p3": cpu * 1 / 4.9 + memory * 2 / 14,
        "p4": cpu * 1 / 4.9 + memory * 2 / 14,
    }
    assert costs.keys() == expected.keys()
    for owner, share in expected.items():
        assert costs[owner] == pytest.approx(Decimal(share * 1e6), abs=Decimal("0.02"))
    # The example's own words: split cost + unused cost.
    first = {
        "vcpu ratio": 1 / 4.9,
        "memory ratio": 4 / 16,
        "unused ratio": (4 / 16) / (1 - 2 / 16),
    }
    assert [round(value, 3) for value in first.values()] == [0.204, 0.25, 0.286]
    by_aws = cpu * 0.2040816 + memory * 0.25 + memory * 2 / 16 * 0.2857143
    assert float(costs["p1"]) / 1e6 == pytest.approx(by_aws, abs=1e-6)


def test_accelerators_weigh_as_in_the_published_example(tmp_path: Path) -> None:
    """p3.16xlarge, $10: a GPU-hour $0.504, a vCPU-hour $0.0504, a GB-hour $0.0056."""
    made = MadeLedger()
    made.floor(HOUR, "i-1", 0, cpus=64, gib=488, gpus=8)
    made.pod(HOUR, "i-1", "gpu", 1, cpu=(0, 0), gib=(0, 0), gpu=(1, 0))
    made.pod(HOUR, "i-1", "cpu", 1, cpu=(1, 0), gib=(0, 0))
    made.pod(HOUR, "i-1", "memory", 1, cpu=(0, 0), gib=(1, 0))
    costs = _costs(made.write(tmp_path), "requests", totals=("EC2=10000 USD",))
    assert [round(costs[name]) for name in ("gpu", "cpu", "memory")] == [504, 50, 6]
    unit = 10 / (9 * 8 + 0.9 * 64 + 0.1 * 488)
    assert round(unit, 3) == 0.056
    assert costs["gpu"] == pytest.approx(Decimal(9000 * unit), abs=Decimal("0.01"))


def test_requests_leave_unreserved_capacity_idle(aws_node: Path) -> None:
    costs = _costs(aws_node, "requests")
    assert costs["p1"] == costs["p2"]
    assert costs["(idle)"] == pytest.approx(Decimal(1e6 * 4 / 52), abs=Decimal("0.02"))


def test_zero_request_pods_pay_nothing_by_requests_and_something_by_usage(tmp_path: Path) -> None:
    made = MadeLedger()
    made.floor(HOUR, "i-1", 1_000_000)
    made.pod(HOUR, "i-1", "free", 5_000_000, cpu=(0, 2), gib=(0, 4))
    made.pod(HOUR, "i-1", "good", 5_000_000, cpu=(4, 0), gib=(16, 0))
    ledger = made.write(tmp_path)
    assert _costs(ledger, "requests")["free"] == 0
    usage = _costs(ledger, "usage")
    assert usage["free"] == pytest.approx(Decimal(1e6 * (18 + 4) / 52), abs=Decimal("0.02"))
    assert usage["good"] == 0


def test_oversubscribed_nodes_close_too(tmp_path: Path) -> None:
    made = MadeLedger()
    made.floor(HOUR, "i-1", 1_000_000)
    for name in ("a", "b", "c"):
        made.pod(HOUR, "i-1", name, 1_000_000, cpu=(3, 1), gib=(16, 1))
    costs = _costs(made.write(tmp_path), "requests")
    assert sum(costs.values()) == 1_000_000
    assert "(idle)" not in costs
    assert sorted(costs.values()) == [
        Decimal("333333.33"),
        Decimal("333333.33"),
        Decimal("333333.34"),
    ]


def test_the_floor_by_each_policy(aws_node: Path) -> None:
    """Four pods of 2 J, a floor of 1 J; all vCPUs reserved."""
    names = [f"energy-idle-{policy}" for policy in ("reserved", "none", "usage", "platform")]
    request = StatementRequest(str(aws_node), MONTH, "label:app", totals=("EC2=1000000 USD",))
    made = compare_methods(request, AccountingSettings(), names)
    reserved, none, usage, platform = (
        {row.owner: row.cost for row in one.everything} for one in made
    )
    assert reserved == dict.fromkeys(("p1", "p2", "p3", "p4"), Decimal(250_000))
    assert none["(idle)"] == pytest.approx(Decimal(1e6 / 9), abs=Decimal("0.01"))
    assert usage["(idle)"] == pytest.approx(Decimal(1e6 / 9 / 4), abs=Decimal("0.1"))
    assert usage["p2"] == pytest.approx(Decimal(1e6 / 9 * (2 + 1.9 / 4)), abs=Decimal("0.1"))
    assert platform["platform"] == none["(idle)"]


def test_separate_idle_is_an_account_of_its_own(aws_node: Path) -> None:
    request = StatementRequest(
        str(aws_node), MONTH, "label:app", totals=("EC2=9 USD",), method="energy-idle-separate"
    )
    made = make_statement(request, AccountingSettings())
    assert made.allocated == made.total
    assert [row.owner for row in made.rows if row.kind == "idle"] == ["(idle)"]


def test_two_part_takes_electricity_out_of_the_charge_and_no_more(
    aws_node: Path, bill: Callable[..., Path]
) -> None:
    """9 J at 100 USD per kWh are 0.00025 USD; at 900,000 they are the whole charge."""
    paid = {"totals": (), "bills": (bill({"EffectiveCost": "1"}),)}
    cheap = _costs(aws_node, "two-part", tariff="100", **paid)
    assert cheap == _costs(aws_node, "requests", **paid)
    dear = _costs(aws_node, "two-part", tariff="900000", **paid)
    assert dear == _costs(aws_node, "energy-idle-reserved", **paid)


def test_two_part_needs_a_tariff(aws_node: Path) -> None:
    with pytest.raises(ConfigInvalid, match="--tariff"):
        _costs(aws_node, "two-part", tariff="")


def test_reserved_and_not_used_is_told(aws_node: Path) -> None:
    request = StatementRequest(
        str(aws_node), MONTH, "label:app", totals=("EC2=100 USD",), method="requests"
    )
    rows = {row.owner: row for row in make_statement(request, AccountingSettings()).rows}
    assert rows["p2"].cost_spare == 0
    assert rows["p2"].efficiency == 1
    expected = 100 * (9 * 0.9 + 1) / 52
    assert float(rows["p1"].cost_spare) == pytest.approx(expected, abs=0.01)
    assert rows["p1"].efficiency == pytest.approx((9 * 0.1 + 3) / 13, abs=0.001)


@pytest.mark.parametrize("tariff", ["-1", "NaN", "inf", "1e30", "cheap"])
def test_a_tariff_that_is_no_price_is_refused(aws_node: Path, tariff: str) -> None:
    request = StatementRequest(
        str(aws_node), MONTH, "label:app", totals=("EC2=100 USD",), tariff=tariff
    )
    with pytest.raises(ConfigInvalid, match="--tariff"):
        make_statement(request.but(method="two-part"), AccountingSettings())


def test_comparing_reads_once_and_shows_each(aws_node: Path) -> None:
    request = StatementRequest(
        str(aws_node), MONTH, "label:app", totals=("EC2=100 USD",), tariff="1"
    )
    made = compare_methods(request, AccountingSettings(), list(METHODS))
    by_one_weight = [method.id for method in METHODS.values() if method.energy == AS_SHARED]
    assert [statement.method for statement in made] == by_one_weight
    assert {statement.difference for statement in made} == {0}
    assert {statement.allocated + statement.unallocated for statement in made} == {Decimal(100)}
    alone = make_statement(request.but(method="usage"), AccountingSettings())
    same = next(statement for statement in made if statement.method == "usage")
    assert same.id == alone.id
    assert [row.cost for row in same.everything] == [row.cost for row in alone.everything]


def test_only_money_that_goes_by_energy_has_a_band(tmp_path: Path) -> None:
    made = MadeLedger()
    made.floor(HOUR, "i-1", 0)
    made.pod(HOUR, "i-1", "a", 6_000_000, low_uj=4_000_000, high_uj=8_000_000, origin="estimated")
    made.pod(HOUR, "i-1", "b", 4_000_000)
    request = StatementRequest(
        str(made.write(tmp_path)), MONTH, "label:app", totals=("EC2=100 USD",)
    )
    first = make_statement(request, AccountingSettings()).rows[0]
    assert (first.cost_low, first.cost, first.cost_high) == (50, 60, Decimal("66.67"))
    assert (first.confidence, first.low_uj, first.high_uj) == ("estimated", 4_000_000, 8_000_000)
    for method in ("requests", "two-part"):
        other = make_statement(request.but(method=method, tariff="0"), AccountingSettings()).rows[0]
        assert other.cost_low == other.cost == other.cost_high


@pytest.fixture
def weighed_node(tmp_path: Path) -> Path:
    """Two pods with the same CPU time, of which one has 1.5 times the mean watts per core."""
    made = MadeLedger()
    learned = {"shared_by": "learned-1", "time_uj": 4_000_000}
    for hour in (HOUR, HOUR + 1):
        made.floor(hour, "i-1", 2_000_000)
        made.pod(hour, "i-1", "hot", 6_000_000, cpu=(1, 1), low_uj=5_000_000, high_uj=7_000_000,
                 **learned)  # fmt: skip
        made.pod(hour, "i-1", "cool", 2_000_000, cpu=(1, 1), low_uj=1_000_000, high_uj=3_000_000,
                 **learned)  # fmt: skip
    return made.write(tmp_path)


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_energy_by_cpu_time_is_energy_without_learned_weights(
    weighed_node: Path, engine: str
) -> None:
    pytest.importorskip(engine)
    by_time = _costs(weighed_node, "energy-by-time", engine=engine)
    as_shared = _costs(weighed_node, "energy-idle-reserved", engine=engine)

    assert by_time["hot"] == by_time["cool"]
    assert as_shared["hot"] > by_time["hot"] > as_shared["cool"]
    assert _costs(weighed_node, "energy-by-learned", engine=engine) == as_shared


def test_a_statement_by_another_weight_is_of_that_energy_in_every_column(
    weighed_node: Path,
) -> None:
    request = StatementRequest(
        str(weighed_node), MONTH, "label:app", totals=("EC2=100.01 USD",), method="energy-by-time"
    )

    made = make_statement(request, AccountingSettings())

    assert made.difference == 0
    rows = {row.owner: row for row in made.everything}
    for name in ("hot", "cool"):
        assert rows[name].dynamic_uj == 8_000_000
        assert rows[name].low_uj == rows[name].high_uj == rows[name].energy_uj
        assert rows[name].cost_low == rows[name].cost == rows[name].cost_high


def test_comparing_shows_other_weights_where_the_ledger_knows_any(
    weighed_node: Path, aws_node: Path
) -> None:
    methods = ["energy-by-time", "energy-idle-reserved", "energy-by-learned"]
    request = StatementRequest(str(weighed_node), MONTH, "label:app", totals=("EC2=100 USD",))

    made = compare_methods(request, AccountingSettings(), methods)
    alone = compare_methods(request, AccountingSettings(), ["energy-by-learned"])

    assert [statement.method for statement in made] == methods[:2]
    assert [statement.method for statement in alone] == methods[2:]
    assert {statement.difference for statement in made} == {0}
    old = compare_methods(
        StatementRequest(str(aws_node), MONTH, "label:app", totals=("EC2=100 USD",)),
        AccountingSettings(),
        methods,
    )
    assert [statement.method for statement in old] == ["energy-idle-reserved"]


def test_the_band_of_an_estimate_moves_with_energy_by_another_weight(tmp_path: Path) -> None:
    made = MadeLedger()
    made.floor(HOUR, "i-1", 0)
    made.pod(HOUR, "i-1", "a", 6_000_000, low_uj=4_000_000, high_uj=9_000_000, time_uj=5_000_000,
             origin="estimated")  # fmt: skip
    made.pod(HOUR, "i-1", "b", 4_000_000, time_uj=5_000_000, origin="estimated")
    request = StatementRequest(
        str(made.write(tmp_path)), MONTH, "label:app", totals=("EC2=100 USD",),
        method="energy-by-time",
    )  # fmt: skip

    rows = {row.owner: row for row in make_statement(request, AccountingSettings()).rows}

    assert (rows["a"].low_uj, rows["a"].high_uj) == (3_000_000, 8_000_000)


def test_weights_that_are_only_shown_can_be_compared(tmp_path: Path) -> None:
    made = MadeLedger()
    made.floor(HOUR, "i-1", 0)
    for name, learned_uj in (("a", 7_000_000), ("b", 3_000_000)):
        made.pod(HOUR, "i-1", name, 5_000_000, learned_uj=learned_uj, shared_by="time")
    ledger = made.write(tmp_path)

    assert _costs(ledger, "energy-by-learned")["a"] == 700_000
    assert _costs(ledger, "energy-by-time")["a"] == 500_000


def test_what_one_row_has_too_much_by_its_weight_the_others_lack(weighed_node: Path) -> None:
    request = StatementRequest(
        str(weighed_node), MONTH, "label:app", totals=("EC2=100 USD",), method="energy-idle-none"
    )

    made = make_statement(request, AccountingSettings())

    rows = {row.owner: row for row in made.everything}
    # 20 J in all, whoever used them: 10 and 14 J of it, and 2 and 6 J.
    assert (rows["hot"].cost_low, rows["hot"].cost, rows["hot"].cost_high) == (50, 60, 70)
    assert (rows["cool"].cost_low, rows["cool"].cost, rows["cool"].cost_high) == (10, 20, 30)
    assert rows["hot"].band_of == rows["cool"].band_of == "weights"
    assert rows["hot"].confidence == "measured"
    assert rows["(idle)"].band_of == ""
    assert made.shared_by == ("learned-1",)
    by_time = make_statement(request.but(method="energy-by-time"), AccountingSettings())
    assert by_time.shared_by == ("time",)
    assert {row.band_of for row in by_time.everything} == {""}


def test_a_row_with_an_estimate_and_with_weights_says_both(tmp_path: Path) -> None:
    made = MadeLedger()
    made.floor(HOUR, "i-1", 0)
    made.pod(HOUR, "i-1", "a", 6_000_000, low_uj=5_000_000, high_uj=7_000_000)
    made.floor(HOUR, "vm", 0)
    made.pod(HOUR, "vm", "a", 6_000_000, low_uj=4_000_000, high_uj=9_000_000, origin="estimated")
    made.pod(HOUR, "vm", "b", 6_000_000, low_uj=4_000_000, high_uj=9_000_000, origin="estimated")
    request = StatementRequest(
        str(made.write(tmp_path)), MONTH, "label:app", totals=("EC2=100 USD",)
    )

    rows = {row.owner: row for row in make_statement(request, AccountingSettings()).rows}

    assert rows["a"].band_of == "estimate and weights"
    assert rows["b"].band_of == "estimate"
