"""The validator against files of another project's generator, each rule broken in turn."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet
import pytest

from wattribute.accounting.focus import ValidationReport, columns_of, validate
from wattribute.core.errors import DataInvalid

Rows = list[dict[str, str]]
Write = Callable[[Rows], Path]


def found(report: ValidationReport) -> dict[tuple[str, str], int]:
    return {
        (finding.rule, finding.column): finding.count
        for finding in report.findings
        if finding.error
    }


def parts(rows: Rows) -> Rows:
    """The parts of the first split charge."""
    first = next(row for row in rows if row["AllocatedMethodId"])
    return [
        row
        for row in rows
        if row["AllocatedMethodId"]
        and row["ResourceId"] == first["ResourceId"]
        and row["ChargePeriodStart"] == first["ChargePeriodStart"]
    ]


@pytest.mark.parametrize("provider", ["aws", "azure", "gcp"])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_bill_of_the_generator_is_valid(
    generated: Callable[..., Path], provider: str, version: str
) -> None:
    report = validate(generated(provider, version))
    assert (report.version, report.rows, found(report)) == (version, 300, {})
    assert (report.split_groups > 20) == (version == "1.3")


def test_a_bill_converted_to_1_4_is_valid(generated: Callable[..., Path], tmp_path: Path) -> None:
    source = generated("aws", "1.3")
    subprocess.run(
        [
            *(sys.executable, "-m", "focus_data_toolkit", "convert"),
            *("--cost-and-usage", str(source), "--out", str(tmp_path / "converted")),
        ],
        check=False,  # it has warnings of its own
        capture_output=True,
    )
    path = next((tmp_path / "converted").glob("*cost*usage*.csv"))
    report = validate(path)
    assert (report.version, report.rows, found(report)) == ("1.4", 300, {})


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("BilledCost", "", "null"),
        ("BilledCost", "1,5", "format"),
        ("BilledCost", "NaN", "format"),
        ("ListUnitPrice", "-1", "format"),
        ("BillingCurrency", "usd", "format"),
        ("BillingCurrency", "BTC", "format"),
        ("ChargeCategory", "usage", "format"),
        ("ChargeClass", "Fix", "format"),
        ("ServiceCategory", "Computing", "format"),
        ("ChargePeriodStart", "2026-05-01 00:00:00", "format"),
        ("ChargePeriodStart", "2026-13-01T00:00:00Z", "format"),
        ("PricingUnit", "hours", "format"),
        ("Tags", "a=b", "format"),
        ("Tags", '{"a": {"b": 1}}', "format"),
        ("Tags", '{"a": NaN}', "format"),
        ("AllocatedMethodDetails", "{}", "format"),
        ("AllocatedMethodDetails", '{"Elements": [{"AllocatedRatio": 1.5}]}', "format"),
        ("AllocatedMethodDetails", '{"Elements": [{"AllocatedRatio": 1, "a": 1}]}', "format"),
        (
            "AllocatedMethodDetails",
            '{"Elements": [{"AllocatedRatio": 1, "UsageQuantity": 2}]}',
            "format",
        ),
        ("ChargePeriodEnd", "2020-01-01T00:00:00Z", "order"),
        ("ConsumedUnit", "", "unit"),
        ("RegionId", "", "alone"),
        ("ServiceSubcategory", "Relational Databases", "category"),
    ],
)
def test_a_value_that_breaks_a_rule_is_found_with_its_row(
    rows: Rows, written: Write, column: str, value: str, rule: str
) -> None:
    at = next(
        number
        for number, row in enumerate(rows)
        if row["AllocatedMethodId"] and row["ConsumedUnit"] and row["RegionId"]
    )
    rows[at][column] = value
    report = validate(written(rows))
    hits = [finding for finding in report.findings if finding.rule == rule]
    assert hits, found(report)
    assert not report.valid
    assert hits[0].rows == [at + 1]


def test_a_column_that_is_missing_strange_or_of_another_version_is_found(
    rows: Rows, written: Write
) -> None:
    for row in rows:
        del row["EffectiveCost"]
        row |= {"Owner": "x", "x_owner": "x", "x_Owner": "x", "InvoiceDetailId": ""}
        row["x_" + "A" * 60] = ""
    assert found(validate(written(rows))) == {
        ("missing-column", "EffectiveCost"): 1,
        ("unknown-column", "Owner"): 1,
        ("unknown-column", "x_owner"): 1,
        ("unknown-column", "x_" + "A" * 60): 1,
        ("version-column", "InvoiceDetailId"): 1,
    }


def test_ratios_that_do_not_make_one_are_found(rows: Rows, written: Write) -> None:
    part = parts(rows)[0]
    details = json.loads(part["AllocatedMethodDetails"])
    details["Elements"][0]["AllocatedRatio"] *= 0.9
    part["AllocatedMethodDetails"] = json.dumps(details)
    assert found(validate(written(rows))) == {("ratio-sum", "AllocatedMethodDetails"): 1}


def test_a_part_that_is_lost_is_found(rows: Rows, written: Write) -> None:
    rows.remove(parts(rows)[0])
    assert ("ratio-sum", "AllocatedMethodDetails") in found(validate(written(rows)))


def test_a_cent_that_is_moved_is_found(rows: Rows, written: Write) -> None:
    one, other, *_ = parts(rows)
    one["EffectiveCost"] = str(float(one["EffectiveCost"]) + 0.05)
    other["EffectiveCost"] = str(float(other["EffectiveCost"]) - 0.05)
    assert ("ratio-cost", "EffectiveCost") in found(validate(written(rows)))


def test_a_cent_that_is_lost_is_found_where_the_charge_is_named(rows: Rows, written: Write) -> None:
    total = sum(float(row["EffectiveCost"]) for row in parts(rows))
    chosen = parts(rows)
    for row in rows:
        row["x_SplitOriginCost"] = ""
    for row in chosen:
        row["x_SplitOriginCost"] = f"{total + 0.01:.2f}"
    assert ("conservation", "EffectiveCost") in found(validate(written(rows)))


def test_two_methods_on_one_charge_are_found(rows: Rows, written: Write) -> None:
    parts(rows)[0]["AllocatedMethodId"] = "another"
    assert ("method", "AllocatedMethodId") in found(validate(written(rows)))


def test_one_resource_twice_on_one_charge_is_found(rows: Rows, written: Write) -> None:
    one, other, *_ = parts(rows)
    one["AllocatedResourceId"] = other["AllocatedResourceId"]
    assert ("twice", "AllocatedResourceId") in found(validate(written(rows)))


def test_one_remainder_is_right_and_two_are_not(rows: Rows, written: Write) -> None:
    # A part without resource is what nobody took: the standard asks for it (and other validators
    # do not know it).
    one, other, *_ = parts(rows)
    for column in ("AllocatedResourceId", "AllocatedResourceName", "AllocatedTags"):
        one[column] = ""
    assert found(validate(written(rows))) == {}
    for column in ("AllocatedResourceId", "AllocatedResourceName", "AllocatedTags"):
        other[column] = ""
    assert ("twice", "AllocatedResourceId") in found(validate(written(rows)))


def test_a_resource_without_method_is_found(rows: Rows, written: Write) -> None:
    row = next(row for row in rows if not row["AllocatedMethodId"])
    row["AllocatedResourceId"] = "pod"
    assert found(validate(written(rows))) == {("alone", "AllocatedResourceId"): 1}


def test_two_charges_that_are_alike_are_not_one_that_is_wrong(rows: Rows, written: Write) -> None:
    rows.extend([dict(row) for row in parts(rows)])
    assert found(validate(written(rows))) == {}


def test_parquet_with_types_of_its_own_says_the_same(
    generated: Callable[..., Path], tmp_path: Path
) -> None:
    source = generated("aws", "1.3")
    path = tmp_path / "bill.parquet"
    options = pyarrow.csv.ConvertOptions(strings_can_be_null=True)
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(source, convert_options=options), path)
    report = validate(path)
    assert (report.rows, found(report)) == (300, {})


def test_a_file_that_is_damaged_or_none_is_one_clear_error(
    generated: Callable[..., Path], tmp_path: Path
) -> None:
    source = generated("aws", "1.3")
    path = tmp_path / "bill.parquet"
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(source), path)
    whole = path.read_bytes()
    for content in (whole[:4000], b"", b"\xff\xfe\x00", b"a,b\n1,2\n", b'a,b\n"1'):
        path.write_bytes(content)
        with pytest.raises(DataInvalid, match=r"bill\.parquet"):
            validate(path)
    ragged = tmp_path / "ragged.csv"
    ragged.write_bytes(source.read_bytes() + b"1,2,3\n")
    with pytest.raises(DataInvalid, match=r"ragged\.csv"):
        validate(ragged)
    with pytest.raises(DataInvalid, match="No such file"):
        validate(tmp_path / "gone.csv")


def test_the_columns_are_those_of_the_other_projects_model() -> None:
    import focus_data_toolkit.model as other

    model = json.loads((Path(other.__file__).parent / "focus_1_4_model.json").read_text())
    theirs = model["datasets"]["Cost and Usage"]["columns"]
    ours = columns_of("1.4")
    assert ours.keys() == theirs.keys()
    for name, column in ours.items():
        assert column.nulls == theirs[name]["allows_nulls"], name
        assert column.mandatory == (theirs[name]["feature_level"] == "Mandatory"), name


def test_every_row_of_a_wrong_column_counts(rows: Rows, written: Write) -> None:
    for row in rows:
        row["BillingCurrency"] = "dollars"
    finding = validate(written(rows)).findings[0]
    assert (finding.count, finding.rows) == (len(rows), [1, 2, 3, 4, 5])


def test_a_damaged_name_of_a_column_is_one_clear_error(tmp_path: Path) -> None:
    # Found by flipping bytes: the name was read as text before anybody had looked at it.
    path = tmp_path / "bill.parquet"
    names = [name for name, column in columns_of("1.4").items() if column.mandatory]
    pyarrow.parquet.write_table(pyarrow.table({name: ["x"] for name in names}), path)
    path.write_bytes(path.read_bytes().replace(b"HostProviderName", b"HostProv\xa9derName"))
    with pytest.raises(DataInvalid, match=r"bill\.parquet"):
        validate(path)
