"""Statements end to end: reconciliation, explain, shared pools, bad ledgers, both engines."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from wattribute.accounting.chargeback.build import make_statement
from wattribute.accounting.chargeback.charges import Month
from wattribute.accounting.chargeback.explain import Explanation, WorkloadEntries, explain
from wattribute.accounting.chargeback.remember import recall, remember
from wattribute.accounting.chargeback.request import StatementRequest
from wattribute.accounting.chargeback.shared import in_order
from wattribute.accounting.chargeback.statement import Statement
from wattribute.accounting.report.terminal import watts_per_core
from wattribute.accounting.settings import (
    AccountingSettings,
    BillsSettings,
    OwnershipRule,
    OwnershipSettings,
    SharedCost,
)
from wattribute.core.errors import ConfigInvalid, DataInvalid
from wattribute_testing.entries import MadeLedger

HOUR = 497_136
MONTH = Month(2026, 9)
Bill = Callable[..., Path]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Two nodes, two hours, two apps, a shared ingress, a pod without label, system rows."""
    made = MadeLedger()
    for hour in (HOUR, HOUR + 1):
        for node in ("i-1", "i-2"):
            made.floor(hour, node, 4_000_000)
            made.pod(hour, node, "shop", 3_000_000, cpu=(1, 0.5), gib=(4, 4), namespace="shop")
            made.pod(hour, node, "bot", 7_000_000, cpu=(1, 3), gib=(4, 2), namespace="bots")
            made.pod(hour, node, "door", 1_000_000, namespace="ingress", cpu=(0.5, 0.2))
            made.pod(hour, node, "stray", 500_000, labels={}, cpu=(0, 0.1), gib=(0, 0))
            made.add(hour, node, kind="system", namespace="system", energy_uj=250_000)
            made.add(hour, node, kind="unattributed", energy_uj=1_000)
    return made.write(tmp_path / "ledger")


def _make(
    ledger: Path, settings: AccountingSettings | None = None, **question: object
) -> Statement:
    given = {"by": "label:app", "month": MONTH, **question}
    return make_statement(StatementRequest(str(ledger), **given), settings or AccountingSettings())


def _costs(made: Statement) -> dict[str, Decimal]:
    return {row.owner: row.cost for row in made.everything}


def test_all_kinds_of_lines_add_up_to_the_invoice(ledger: Path, bill: Bill) -> None:
    late = {"ChargePeriodStart": "2026-09-20T00:00:00Z", "ChargePeriodEnd": "2026-09-20T01:00:00Z"}
    path = bill(
        {"EffectiveCost": "10.005"},
        {"EffectiveCost": "-3.333", "ResourceId": "arn:aws:ec2:r:1:instance/i-2"},
        {
            "EffectiveCost": "7.77",
            "ServiceName": "EBS",
            "ResourceId": "vol-1",
            "Tags": '{"kubernetes.io/created-for/pvc/namespace": "shop"}',
        },
        {"EffectiveCost": "1", "ServiceName": "S3", "ResourceId": "bucket"},
        {"EffectiveCost": "2", **late},
        {"EffectiveCost": "0.0004", "ServiceName": "Tax", "ResourceId": ""},
    )
    made = _make(ledger, bills=(path,))
    assert made.total == Decimal("17.44")
    assert made.difference == 0
    costs = _costs(made)
    assert costs["(not matched to a node: S3)"] == 1
    assert costs["(charges for hours without energy data)"] == 2
    assert costs["shop"] > Decimal("7.77")
    assert costs["(unowned)"] > 0
    assert {row.owner: row.kind for row in made.rest}["(node system)"] == "system"


@pytest.mark.parametrize("by", ["label:app", "node"])
def test_engines_agree_to_the_cent_whatever_the_rows(ledger: Path, bill: Bill, by: str) -> None:
    path = bill({"EffectiveCost": "10.005"}, {"EffectiveCost": "5", "ResourceId": "i-2"})
    found = [_make(ledger, bills=(path,), by=by, engine=name) for name in ("duckdb", "polars")]
    assert found[0].everything == found[1].everything


def test_money_follows_energy_by_hand(ledger: Path, bill: Bill) -> None:
    """10 USD for a node-hour of 15.751 J: dynamic 11.751, floor 4 by 2.5 of 4 vCPU reserved."""
    made = _make(ledger, bills=(bill({"EffectiveCost": "10"}),))
    whole = Decimal("15.751")
    expected = {
        "shop": (3 + Decimal(4) / 4) / whole * 10,
        "bot": (7 + Decimal(4) / 4) / whole * 10,
        "door": (1 + Decimal("0.5")) / whole * 10,
        "(idle)": Decimal("1.5") / whole * 10,
        "(unowned)": Decimal("0.5") / whole * 10,
        "(node system)": Decimal("0.25") / whole * 10,
    }
    costs = _costs(made)
    for owner, cost in expected.items():
        assert abs(costs[owner] - cost) <= Decimal("0.01"), owner


def test_shared_pools_go_on_in_order_and_a_circle_is_refused(ledger: Path, bill: Bill) -> None:
    path = bill(
        {"EffectiveCost": "10"},
        {"EffectiveCost": "4", "ServiceName": "AmazonEKS", "ResourceId": "cluster/a"},
    )
    pools = (
        SharedCost(name="control-plane", services=("AmazonEKS",), to=("ingress", "shop", "bot"),
                   key="even"),
        SharedCost(name="ingress", when={"namespace": "ingress"}, to=("shop", "bot"), key="energy"),
    )  # fmt: skip
    plain = _costs(_make(ledger, bills=(path,)))
    made = _make(ledger, AccountingSettings(bills=BillsSettings(shared=pools)), bills=(path,))
    costs = _costs(made)
    assert made.difference == 0
    assert "door" not in costs
    assert "(not matched to a node: AmazonEKS)" not in costs
    moved = costs["shop"] + costs["bot"] - plain["shop"] - plain["bot"]
    assert abs(moved - plain["door"] - 4) <= Decimal("0.02")
    shared = {row.owner: row.cost_shared for row in made.rows}
    assert abs(sum(shared.values()) - plain["door"] - 4) <= Decimal("0.02")
    circle = (
        SharedCost(name="a", when={"namespace": "a"}, to=("b",)),
        SharedCost(name="b", when={"namespace": "b"}, to=("c",)),
        SharedCost(name="c", when={"namespace": "c"}, to=("a",)),
    )
    with pytest.raises(ConfigInvalid, match="a -> b -> c -> a"):
        in_order(circle)
    itself = SharedCost(name="d", when={"namespace": "d"}, to=("d",))
    with pytest.raises(ConfigInvalid, match="d -> d"):
        in_order((itself,))


def test_rules_of_ownership_make_rows_and_those_that_match_nothing_are_told(ledger: Path) -> None:
    rules = (
        OwnershipRule(when={"label:app": "shop"}, team="web"),
        OwnershipRule(when={"namespace": "bots"}, team="ai", until="2026-09-18"),
        OwnershipRule(when={"namespace": "bots"}, team="research", since="2026-09-18"),
        OwnershipRule(when={"namespace": "typo"}, team="nobody"),
    )
    settings = AccountingSettings(ownership=OwnershipSettings(rules=rules))
    made = _make(ledger, settings, by="team", totals=("EC2=100 USD",))
    assert {row.owner for row in made.rows} == {"web", "research", "(unowned)"}
    assert any("rules[3] matched nothing" in note for note in made.notes)


def test_a_correction_counts_once_and_changes_the_larger_of_request_and_use(
    ledger: Path,
) -> None:
    late = MadeLedger()
    late.pod(
        HOUR, "i-1", "shop", -1_000_000, cpu=(0, -0.25), gib=(0, 0), namespace="shop",
        corrects="s1", alive_s=0,
    )  # fmt: skip
    before = {row.owner: row for row in _make(ledger, totals=("EC2=100 USD",)).rows}
    late.write(ledger, "s2")
    after = {row.owner: row for row in _make(ledger, totals=("EC2=100 USD",)).rows}
    assert before["shop"].dynamic_uj - after["shop"].dynamic_uj == 1_000_000
    assert before["shop"].efficiency is not None
    assert after["shop"].efficiency is not None
    assert after["shop"].efficiency < before["shop"].efficiency


def test_a_file_copied_beside_itself_is_refused(ledger: Path) -> None:
    first = next(ledger.rglob("*.parquet"))
    (first.parent / "copy.parquet").write_bytes(first.read_bytes())
    with pytest.raises(DataInvalid, match="2026-09-18T00:00Z of node 'i-1' 2 times"):
        _make(ledger, totals=("EC2=100 USD",))


def test_a_ledger_file_cut_short_is_named(ledger: Path) -> None:
    first = next(ledger.rglob("*.parquet"))
    first.write_bytes(first.read_bytes()[:1000])
    with pytest.raises(DataInvalid, match=r"s1\.parquet: not a whole Parquet file"):
        _make(ledger, totals=("EC2=100 USD",))


def test_missing_hours_are_counted_by_node(tmp_path: Path) -> None:
    made = MadeLedger()
    for hour in (HOUR, HOUR + 5):
        made.floor(hour, "i-1", 1_000_000)
        made.pod(hour, "i-1", "shop", 1_000_000)
    notes = _make(made.write(tmp_path), totals=("EC2=1 USD",)).notes
    assert any("lacks 4 hours" in note and "i-1 (4 h)" in note for note in notes)
    assert not any(
        "(charges for hours without energy data)" in note for note in notes
    )  # a sum has no such row


def test_a_sum_for_a_month_that_is_known_in_part_says_so(tmp_path: Path) -> None:
    made = MadeLedger()
    made.floor(HOUR, "i-1", 1_000_000)
    made.pod(HOUR, "i-1", "shop", 1_000_000)
    notes = _make(made.write(tmp_path), totals=("EC2=1 USD",)).notes
    assert any("only" in note and "split by the others" in note for note in notes)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"totals": ("EC2=1 USD",), "by": "label:ap"}, "has this label; the ledger has app"),
        ({"totals": ("EC2=1 USD",), "by": "colour"}, "--by colour: not known; there are team"),
        ({"totals": ("EC2=1 USD",), "method": "fair"}, "no such method; there are requests"),
        ({}, "No bill given"),
        ({"totals": ("EC2=1 USD",), "bills": (Path("x.csv"),)}, "one of the three"),
    ],
)
def test_questions_that_cannot_be_answered_say_why(
    ledger: Path, question: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigInvalid, match=words):
        _make(ledger, **question)


def test_a_month_without_ledger_is_said(ledger: Path) -> None:
    with pytest.raises(DataInvalid, match="no entries of 2026-01"):
        _make(ledger, month=Month(2026, 1), totals=("EC2=1 USD",))


def test_the_month_before_is_compared(ledger: Path, bill: Bill) -> None:
    earlier = MadeLedger()
    earlier.floor(HOUR - 31 * 24, "i-1", 4_000_000)
    earlier.pod(HOUR - 31 * 24, "i-1", "shop", 1_000_000)
    earlier.write(ledger)
    august = {
        "BillingPeriodStart": "2026-08-01T00:00:00Z",
        "ChargePeriodStart": "2026-08-18T00:00:00Z",
        "ChargePeriodEnd": "2026-08-18T01:00:00Z",
    }
    with_cost = _make(
        ledger, bills=(bill({"EffectiveCost": "5"}, {**august, "EffectiveCost": "2"}),)
    )
    shop = next(row for row in with_cost.rows if row.owner == "shop")
    assert shop.energy_before_uj == 2_000_000
    assert shop.cost_before == Decimal("0.80")
    without = _make(ledger, bills=(bill({"EffectiveCost": "5"}, name="september.csv"),))
    shop = next(row for row in without.rows if row.owner == "shop")
    assert (shop.energy_before_uj, shop.cost_before) == (2_000_000, None)


def test_an_error_in_the_month_before_is_a_note(ledger: Path) -> None:
    earlier = MadeLedger()
    earlier.pod(HOUR - 31 * 24, "i-1", "shop", 1_000_000)
    earlier.write(ledger)
    (ledger / "dt=2026-08-18/s1.parquet").write_bytes(b"PAR1 and then nothing")

    statement = _make(ledger, totals=("EC2=9 USD",))

    assert (statement.total, statement.difference) == (Decimal("9.00"), 0)
    [note] = [note for note in statement.notes if "not compared" in note]
    assert note.startswith("not compared with the energy of 2026-08: ")
    assert "s1.parquet" in note


def test_rows_too_small_to_show_have_a_row_of_their_own(tmp_path: Path) -> None:
    """A thousand owners with 0.4 cents each are 4 dollars, which nobody else should pay."""
    made = MadeLedger()
    made.pod(HOUR, "i-1", "large", 6_000_000)
    for number in range(1000):
        made.pod(HOUR, "i-1", f"small-{number}", 4_000)
    statement = _make(
        made.write(tmp_path / "ledger"), totals=("EC2=10 USD",), method="energy-idle-none"
    )

    costs = _costs(statement)
    assert costs == {
        "large": Decimal("6.00"),
        "(rows too small to show)": Decimal("4.00"),
    }
    small = next(row for row in statement.rest if row.kind == "too-small")
    assert small.energy_uj == 4_000_000
    assert statement.difference == 0


def test_the_row_of_small_ones_has_their_band_and_not_that_of_the_whole_floor(
    tmp_path: Path,
) -> None:
    """Under full nobody leaves more than crumbs of the floor idle, so the idle row is small too."""
    made = MadeLedger()
    made.floor(HOUR, "i-1", 7_000_003, low_uj=1_000_000, high_uj=30_000_000)
    made.pod(HOUR, "i-1", "large", 1_000_000_000)
    for number in range(30):
        made.pod(HOUR, "i-1", f"small-{number}", 40_000)
    statement = _make(made.write(tmp_path), totals=("EC2=100 USD",), method="energy")
    assert "(idle)" not in _costs(statement)
    small = next(row for row in statement.rest if row.kind == "too-small")
    dynamic_uj = 30 * 40_000
    assert dynamic_uj < small.low_uj < small.energy_uj < small.high_uj < dynamic_uj + 50_000


def test_explain_follows_a_number_to_line_ratio_and_entries(
    ledger: Path, bill: Bill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = bill({"EffectiveCost": "10"}, {"EffectiveCost": "1", "ServiceName": "S3",
                                          "ResourceId": "bucket"})  # fmt: skip
    request = StatementRequest(str(ledger), MONTH, "label:app", bills=(path,))
    made = make_statement(request, AccountingSettings())
    remember(made, request, None)
    kept, row = recall("bot")
    told = explain(kept, row, AccountingSettings(), 5)
    line = told.lines[0]
    assert (line.source, line.cost) == ("focus.csv line 1", Decimal(10))
    assert (line.weight, line.line_weight) == (8_000_000, 15_751_000)
    assert line.part == Decimal("5.079042600")
    assert told.cost == Decimal("5.08")
    entry = told.entries[0]
    assert (entry.pod, entry.energy_uj, entry.seals) == ("bot", 7_000_000, ("s1",))
    assert entry.counter == 'wattribute_container_joules_total{component="cpu",mode="dynamic"}'
    other = explain(kept, recall("(not matched to a node: S3)")[1], AccountingSettings(), 5)
    assert other.lines[0].part == 1
    with pytest.raises(DataInvalid, match="no such row"):
        recall("somebody")
    path.write_text(path.read_text().replace('"10"', '"11"'))
    with pytest.raises(DataInvalid, match="has changed since"):
        explain(kept, row, AccountingSettings(), 5)


def test_explain_says_what_a_core_of_a_workload_costs_where_weights_were_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = MadeLedger()
    for hour in (HOUR, HOUR + 1, HOUR + 2):
        made.floor(hour, "i-1", 1_000_000)
    for hour in (HOUR, HOUR + 1):
        made.pod(hour, "i-1", "hot", 6_000_000, cpu=(1, 2), low_uj=5_000_000, high_uj=7_000_000,
                 time_uj=4_000_000, shared_by="learned-1")  # fmt: skip
        made.pod(hour, "i-1", "hot", 900_000, component="dram", time_uj=300_000,
                 shared_by="learned-1")  # fmt: skip
        made.pod(hour, "i-1", "cool", 2_000_000, cpu=(1, 2), time_uj=4_000_000,
                 shared_by="learned-1")  # fmt: skip
    made.pod(HOUR + 2, "i-1", "hot", 9_000_000, cpu=(1, 2), shared_by="time")
    ledger = made.write(tmp_path / "ledger")
    request = StatementRequest(str(ledger), MONTH, "label:app", totals=("EC2=10 USD",))

    def explained(method: str) -> Explanation:
        question = request.but(method=method)
        remember(make_statement(question, AccountingSettings()), question, None)
        kept, row = recall("hot")
        return explain(kept, row, AccountingSettings(), 5)

    def entries(method: str) -> dict[str, WorkloadEntries]:
        return {entry.component: entry for entry in explained(method).entries}

    as_shared = entries("energy-idle-reserved")
    weight = as_shared["cpu"].watts_per_core
    assert as_shared["cpu"].energy_uj == 21_000_000
    assert weight is not None
    # The hour that CPU time shared says nothing of the weight, so it is not counted.
    assert (weight.ratio, weight.low, weight.high) == (1.5, 1.25, 1.75)
    assert weight.cpu_ns == 2 * 2 * 3600 * 10**9
    assert as_shared["dram"].watts_per_core is None
    assert watts_per_core(weight) == (
        "ran 4.0 CPU hours at 1.50 times the mean watts per core (1.25 to 1.75), by learned-1"
    )
    assert explained("energy-idle-reserved").watts_per_core == weight  # its only pod of the month
    assert entries("energy-by-time")["cpu"].watts_per_core is None
    assert explained("energy-by-time").watts_per_core is None
