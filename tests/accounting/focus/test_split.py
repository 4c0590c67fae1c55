"""Splitting charges into rows of FOCUS: to the last digit, whatever the charge."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.accounting.focus import validate
from wattribute.accounting.focus.columns import SUMMED
from wattribute.accounting.focus.convert import Converter
from wattribute.accounting.focus.custom import CUSTOM
from wattribute.accounting.focus.split import ChargeShare, Row, split_amount, split_row
from wattribute.accounting.focus.write import write_focus, write_metadata
from wattribute.core.shares import apportion_list

Rows = list[dict[str, str]]
amounts = st.decimals(
    min_value=Decimal(-10) ** 9, max_value=Decimal(10) ** 9, places=12, allow_nan=False
)
weights = st.lists(st.integers(0, 10**18), min_size=1, max_size=20)


@given(amounts, weights)
def test_shares_of_any_amount_sum_to_it(amount: Decimal, shares: list[int]) -> None:
    parts = split_amount(amount, shares)
    assert sum(parts) == amount
    assert all(part * amount >= 0 for part in parts)


@given(st.integers(0, 10**30), weights)
def test_a_share_is_within_one_of_its_quota(amount: int, shares: list[int]) -> None:
    parts = apportion_list(amount, shares)
    total = sum(shares)
    assert sum(parts) == amount
    if total:
        assert all(
            abs(part * total - amount * weight) < total
            for part, weight in zip(parts, shares, strict=True)
        )


def parts(*weights: int) -> list[ChargeShare]:
    """Owners by weight; the last is the remainder."""
    owners = [
        ChargeShare(
            f"owner-{number}",
            weight,
            name=f"Owner {number}",
            tags={"team": f"t{number}"},
            custom={"x_EnergyKwh": "1.5", "x_SplitOriginId": "charge"},
            usage=("Kilowatt-Hours", Decimal("1.5")),
        )
        for number, weight in enumerate(weights[:-1])
    ]
    return [*owners, ChargeShare("", weights[-1], custom={"x_SplitOriginId": "charge"})]


def test_a_part_has_the_dimensions_and_prices_of_its_charge(rows: Rows) -> None:
    charge = next(row for row in rows if row["ListUnitPrice"] and not row["AllocatedMethodId"])
    nulled: Row = {name: text or None for name, text in charge.items()}
    found = split_row(nulled, parts(3, 2, 1), "energy-idle-reserved")
    for part in found:
        for name in nulled:
            if name not in SUMMED and not name.startswith("Allocated"):
                assert part[name] == nulled[name]
    for metric in SUMMED:
        assert sum(Decimal(part[metric] or 0) for part in found) == Decimal(nulled[metric] or 0)
    assert [part["AllocatedResourceId"] for part in found] == ["owner-0", "owner-1", None]
    assert [part["AllocatedResourceName"] for part in found] == ["Owner 0", "Owner 1", None]
    ratios = [json.loads(part["AllocatedMethodDetails"] or "")["Elements"][0] for part in found]
    assert [ratio["AllocatedRatio"] for ratio in ratios] == [0.5, 0.333333333333, 0.166666666667]
    assert ratios[0]["UsageUnit"] == "Kilowatt-Hours"


def test_a_tag_that_the_charge_has_is_not_repeated() -> None:
    part = ChargeShare("a", 1, tags={"team": "x", "app": "y"})
    (found,) = split_row({"EffectiveCost": "1", "Tags": '{"team":"x"}'}, [part], "m")
    assert found["AllocatedTags"] == '{"app":"y"}'


@pytest.mark.parametrize("version", ["1.2", "1.3", "1.4"])
@pytest.mark.parametrize("source", ["1.2", "1.3"])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_generated_bill_goes_in_and_a_valid_one_comes_out(
    generated: Callable[..., Path], tmp_path: Path, version: str, source: str, suffix: str
) -> None:
    with generated("aws", source).open(encoding="utf-8", newline="") as file:
        bill = [{name: text or None for name, text in row.items()} for row in csv.DictReader(file)]
    bill = [row for row in bill if not row.get("AllocatedMethodId")]
    converter = Converter(list(bill[0]), version)
    out: list[Row] = []
    for number, row in enumerate(bill):
        charge = converter.row(row)
        if number % 3:
            out.append(charge)
            continue
        charge |= {"x_SplitOriginId": f"bill {number}", "x_SplitOriginCost": row["EffectiveCost"]}
        named = [
            ChargeShare(one.resource_id, one.weight, one.name, one.tags, {}, one.usage)
            for one in parts(5, 3, 2)
        ]
        out.extend(converter.part(part) for part in split_row(charge, named, "energy"))
    path = tmp_path / f"out.{suffix}"
    assert write_focus(path, converter.columns, out, version) == len(out)
    report = validate(path)
    assert report.version == version
    assert [finding for finding in report.findings if finding.error] == []
    assert report.split_groups == (0 if version == "1.2" else (len(bill) + 2) // 3)
    if version == "1.4" and suffix == "csv":
        other = subprocess.run(
            [
                *(sys.executable, "-m", "focus_data_toolkit", "validate"),
                *("--dataset", "cost-and-usage", str(path)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert other.returncode == 0, other.stdout + other.stderr


def test_a_header_of_its_own_gets_names_that_the_standard_allows() -> None:
    converter = Converter(["EffectiveCost", "Id", "x_team", "cost center"], "1.4")
    row = converter.row({"EffectiveCost": "1", "Id": "7", "x_team": "a", "cost center": "b"})
    assert (row["x_Id"], row["x_Team"], row["x_CostCenter"]) == ("7", "a", "b")


def test_times_of_a_loose_bill_become_times_of_the_standard() -> None:
    converter = Converter(["ChargePeriodStart"], "1.4")
    for text in ("2024-09-18 22:00:00", "2024-09-18T22:00:00.000Z", "2024-09-18 22:00:00+00:00"):
        row = converter.row({"ChargePeriodStart": text})
        assert row["ChargePeriodStart"] == "2024-09-18T22:00:00Z"
    odd = converter.row({"ChargePeriodStart": "2024-09-18T22:00:00+02:00"})
    assert odd["ChargePeriodStart"] == "2024-09-18T22:00:00+02:00"  # ours to report, not to guess


def test_a_formula_in_a_name_is_text_in_a_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    rows: list[Row] = [{"ServiceName": "=1+1", "EffectiveCost": "-1"}]
    write_focus(path, ["ServiceName", "EffectiveCost"], rows, "1.4")
    assert path.read_text() == "ServiceName,EffectiveCost\n'=1+1,-1\n"


def test_a_file_that_cannot_be_finished_is_not_there(tmp_path: Path) -> None:
    def broken() -> Rows:
        yield {"ServiceName": "a"}
        raise OSError(28, "No space left on device")

    path = tmp_path / "out.csv"
    path.write_text("before")
    with pytest.raises(Exception, match="No space left"):
        write_focus(path, ["ServiceName"], broken(), "1.4")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_our_columns_are_described(tmp_path: Path) -> None:
    path = tmp_path / "out.metadata.json"
    write_metadata(path, ["EffectiveCost", *(one.name for one in CUSTOM)], "1.4")
    columns = json.loads(path.read_text())["Schema"]["ColumnDefinition"]
    assert [one["ColumnName"] for one in columns[1:]] == [one.name for one in CUSTOM]
    assert all(one.get("x_Description") for one in columns[1:])
