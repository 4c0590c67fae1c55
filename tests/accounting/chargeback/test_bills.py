"""Bills: formats, months, and what is refused with which words."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from wattribute.accounting.chargeback.bills.files import read_files
from wattribute.accounting.chargeback.bills.prices import read_prices
from wattribute.accounting.chargeback.bills.tags import namespace_in
from wattribute.accounting.chargeback.bills.total import read_totals
from wattribute.accounting.chargeback.charges import Month
from wattribute.accounting.chargeback.grams import CarbonFacts
from wattribute.core.errors import ConfigInvalid, DataInvalid

MONTH = Month(2026, 9)
Bill = Callable[..., Path]


def test_effective_cost_is_what_counts_and_the_sum_is_exact(bill: Bill) -> None:
    path = bill({"EffectiveCost": "0.1234567891"}, {"EffectiveCost": "-1E-7"})
    charges = read_files([path], MONTH)
    assert charges.total == Decimal("0.1234566891")
    assert charges.table["cost"].to_pylist() == [123456789, -100]
    assert charges.table["source"].to_pylist() == ["focus.csv line 1", "focus.csv line 2"]
    assert "negative" in charges.notes[0]


def test_lines_of_other_months_are_left_out_and_said(bill: Bill) -> None:
    path = bill(
        {"EffectiveCost": "1"},
        {
            "EffectiveCost": "2.5",
            "ChargePeriodStart": "2026-10-01T00:00:00Z",
            "ChargePeriodEnd": "2026-10-01T01:00:00Z",
            "BillingPeriodStart": "2026-10-01T00:00:00Z",
        },
    )

    charges = read_files([path], MONTH)

    assert charges.total == 1
    assert charges.notes == ("1 lines of the bill (2.50 USD) are not of 2026-09 UTC; left out",)


def test_focus_one_dot_four_in_parquet_with_tags_as_a_map(tmp_path: Path) -> None:
    path = tmp_path / "focus.parquet"
    with duckdb.connect() as con:
        con.execute(
            "COPY (SELECT 1.5::DOUBLE AS EffectiveCost, 'EUR' AS BillingCurrency, "
            "TIMESTAMPTZ '2026-09-01 00:00:00Z' AS ChargePeriodStart, "
            "TIMESTAMPTZ '2026-10-01 00:00:00Z' AS ChargePeriodEnd, 'EBS' AS ServiceName, "
            "'vol-1' AS ResourceId, "
            "MAP {'kubernetes.io/created-for/pvc/namespace': 'shop'} AS Tags, "
            f"'aws' AS HostProviderName) TO '{path}' (FORMAT parquet)"
        )
    charges = read_files([path], MONTH)
    row = charges.table.to_pylist()[0]
    assert (row["cost"], row["namespace"], row["end"] - row["first"]) == (
        1_500_000_000,
        "shop",
        720,
    )
    assert charges.currency.code == "EUR"


def test_cur_counts_amortised_cost_and_not_the_clouds_own_split(tmp_path: Path) -> None:
    lines = [
        "Usage,1.00,0,0,0,,",
        "SavingsPlanCoveredUsage,2.00,0.70,0,0,,",
        "DiscountedUsage,0,0,0.40,0,,",
        "SavingsPlanNegation,-2.00,0,0,0,,",
        "RIFee,9,0,0,0.05,,",
        "Fee,100,0,0,0,arn:aws:ec2:ri,",
        "Usage,0.9,0,0,0,,i-1",
        "Usage,3.00,0,0,0,,",
    ]
    head = (
        "line_item_line_item_type,line_item_unblended_cost,"
        "savings_plan_savings_plan_effective_cost,reservation_effective_cost,"
        "reservation_unused_recurring_fee,reservation_reservation_a_r_n,"
        "split_line_item_parent_resource_id,line_item_currency_code,line_item_usage_start_date,"
        "line_item_usage_end_date,line_item_product_code,line_item_resource_id"
    )
    tail = ",USD,2026-09-18T00:00:00.000Z,2026-09-18T01:00:00.000Z,AmazonEC2,i-1"
    path = tmp_path / "cur.csv"
    path.write_text("\n".join([head, *(line + tail for line in lines)]) + "\n")
    charges = read_files([path], MONTH)
    costs = [Decimal(cost).scaleb(-9) for cost in charges.table["cost"].to_pylist()]
    assert costs == [Decimal(text) for text in ("1", "0.7", "0.4", "0", "0.05", "0", "3")]
    # What AWS split itself is left out, and lines keep the numbers that they have in the file.
    assert charges.table["source"].to_pylist()[-1] == "cur.csv line 8"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([{}, {"BillingCurrency": "EUR"}], "mixed currencies: .*USD .*--currency"),
        ([{"EffectiveCost": "twelve"}], "data line 1: EffectiveCost is 'twelve'"),
        ([{}, {"EffectiveCost": ""}], "data line 2: it has no cost"),
        ([{"ChargePeriodStart": "yesterday"}], "charge period is missing"),
        ([{"ChargePeriodEnd": "2026-09-17T00:00:00Z"}], "ends .* before it begins"),
        ([{"BillingPeriodStart": "2026-07-01T00:00:00Z"}], "no line of 2026-09; .*2026-07"),
    ],
)
def test_a_bad_bill_says_where_and_what(
    bill: Bill, lines: list[dict[str, object]], words: str
) -> None:
    with pytest.raises(DataInvalid, match=words):
        read_files([bill(*lines)], MONTH)


def test_a_csv_whose_lines_are_cut_off_is_called_that(bill: Bill) -> None:
    path = bill({}, {}, {})
    lines = path.read_text().splitlines()
    lines[2] = lines[2][:30]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataInvalid, match=r"differ in their number of columns|no whole CSV"):
        read_files([path], MONTH)


def test_a_currency_can_be_chosen_of_mixed_ones(bill: Bill) -> None:
    path = bill({}, {"BillingCurrency": "EUR", "EffectiveCost": "3"})
    assert read_files([path], MONTH, "EUR").total == 3


def test_the_same_bill_twice_is_refused_and_repeated_lines_are_told(bill: Bill) -> None:
    one, two = bill({}, {}, name="a.csv"), bill({}, {}, name="b.csv")
    with pytest.raises(DataInvalid, match="is the same bill"):
        read_files([one, two], MONTH)
    charges = read_files([one], MONTH)
    assert charges.total == 2
    assert "repeat another one word for word" in charges.notes[0]


def test_a_file_cut_short_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DataInvalid, match=r"cut\.parquet: no whole CSV or Parquet"):
        read_files([cut], MONTH)
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(DataInvalid, match="neither FOCUS"):
        read_files([other], MONTH)
    with pytest.raises(DataInvalid, match="cannot read the bill"):
        read_files([tmp_path / "absent.csv"], MONTH)


def test_months_follow_the_clock_changes_of_their_zone() -> None:
    assert Month(2026, 10, "Europe/Berlin").span.hours == 745
    assert Month(2026, 3, "Europe/Berlin").span.hours == 743
    assert Month(2026, 12).after == Month(2027, 1)
    with pytest.raises(ConfigInvalid, match="--month"):
        Month.parse("2026-13")
    with pytest.raises(ConfigInvalid, match="--timezone"):
        Month.parse("2026-10", "Mars/Olympus")


@pytest.mark.parametrize(
    ("tags", "namespace"),
    [
        ('{"kubernetes.io/created-for/pvc/namespace": "a"}', "a"),
        ('{"user:kubernetes.io/service-name": "b/web"}', "b"),
        ('{"kubernetes-io-created-for_pvc-namespace": "c"}', "c"),
        ('{"k8s-azure-service": "d/front"}', "d"),
        ('{"ingress.k8s.aws/stack": "a group without namespace"}', ""),
        ("{broken", ""),
        ("[1]", ""),
        ("", ""),
    ],
)
def test_tags_name_the_namespace_of_claims_and_services(tags: str, namespace: str) -> None:
    assert namespace_in(tags) == namespace


def test_a_known_sum_is_for_all_nodes_and_hours() -> None:
    charges = read_totals(["EC2=50,000 usd", "Support=12.5 USD"], MONTH)
    assert charges.total == Decimal("50012.5")
    assert charges.table["resource"].to_pylist() == ["*", "*"]
    with pytest.raises(ConfigInvalid, match="write it as 'EC2=50000 USD'"):
        read_totals(["50000"], MONTH)
    with pytest.raises(ConfigInvalid, match="mixed currencies"):
        read_totals(["a=1 USD", "b=1 EUR"], MONTH)


def test_a_price_list_has_nodes_and_time_of_use(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(
        "currency: EUR\ntimezone: Europe/Berlin\n"
        "nodes: [{node: 'gpu-*', per_hour: 4.1}, {per_hour: 0.2}]\n"
        "energy: [{days: [sat, sun], per_kwh: 0.1}, {hours: 22-6, per_kwh: 0.2}, {per_kwh: 0.3}]\n"
    )
    prices = read_prices(path)
    tariff = prices.tariff(Month(2026, 9).span)["per_kwh"].to_pylist()
    # 2026-09-01 is a Tuesday: 00:00Z is 02:00 in Berlin, 04:00Z 06:00, 20:00Z 22:00.
    assert [tariff[hour] for hour in (0, 4, 19, 20, 96 + 12)] == [2e8, 3e8, 3e8, 2e8, 1e8]
    facts = [CarbonFacts("c", name, "", "", "") for name in ("gpu-1", "cpu-1")]
    first = Month(2026, 9).span.first
    energy = pa.table({"place": [0, 1], "hour": [first, first], "uj": [3_600_000_000_000, 0]})
    charges = prices.charges(facts, energy, Month(2026, 9).span)
    assert charges.total == Decimal("4.1") + Decimal("0.2") + Decimal("0.2")
    assert charges.notes == ()


def test_energy_in_hours_without_a_price_is_named(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("currency: EUR\nenergy: [{hours: 6-22, per_kwh: 0.3}]\n")
    first = Month(2026, 9).span.first
    energy = pa.table(
        {"place": [0, 0], "hour": [first, first + 6], "uj": [9 * 10**12, 36 * 10**11]}
    )
    facts = [CarbonFacts("c", "one", "", "", "")]
    charges = read_prices(path).charges(facts, energy, Month(2026, 9).span)
    assert charges.total == Decimal("0.3")
    assert "2.50 kWh; they cost nothing" in charges.notes[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("currency: EUR\n", "neither nodes nor energy"),
        ("currency: euro\nnodes: [{per_hour: 1}]\n", "currency"),
        ("currency: EUR\nnodes: [{per_hour: much}]\n", "needs per_hour"),
        ("currency: EUR\nenergy: [{hours: late, per_kwh: 1}]\n", "hours"),
        ("currency: EUR\nenergy: [{hours: 6-6, per_kwh: 1}]\n", "hours"),
        ("currency: EUR\nenergy: [{per_kwh: .nan}]\n", "needs per_kwh, a number"),
        ("currency: EUR\nenergy: [{per_kwh: Infinity}]\n", "needs per_kwh, a number"),
        ("currency: EUR\nnodes: [{per_hour: 1e30}]\n", "under a million"),
        ("currency: EUR\nenergie: []\n", "unknown key"),
        ("currency: EUR\ntimezone: X/Y\nnodes: [{per_hour: 1}]\n", "timezone"),
    ],
)
def test_a_bad_price_list_says_what(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(ConfigInvalid, match=words):
        read_prices(path)


@pytest.mark.parametrize(
    "text",
    [
        "EC2=50.000,00 EUR",
        "EC2=50.000 EUR",
        "EC2=1,5 USD",
        "EC2=5,0,0 USD",
        "EC2=1.5 JPY",
        "EC2=99999999999999999999 USD",
    ],
)
def test_an_amount_that_could_be_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(ConfigInvalid, match="--total"):
        read_totals([text], MONTH)


@pytest.mark.parametrize(
    ("text", "amount"),
    [("a=50'000.5 CHF", "50000.5"), ("a=-1_000 USD", "-1000"), ("a=1.005 KWD", "1.005")],
)
def test_an_amount_in_groups_of_three_is_one(text: str, amount: str) -> None:
    assert read_totals([text], MONTH).total == Decimal(amount)
