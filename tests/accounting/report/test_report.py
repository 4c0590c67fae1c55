"""What a statement looks like, in each format; names in it come from strangers."""

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

import pytest
from pyarrow import parquet

from wattribute.accounting.chargeback.grams import Provenance
from wattribute.accounting.chargeback.money import Currency
from wattribute.accounting.chargeback.statement import Row, Statement
from wattribute.accounting.report import terminal
from wattribute.accounting.report.columns import COLUMNS
from wattribute.accounting.report.files import as_csv, as_json, write
from wattribute.core.errors import ConfigInvalid

KWH = 3_600_000_000_000


def _row(owner: str, cost: str, **changes: object) -> Row:
    given: dict[str, object] = {
        "id": f"abc123-{owner}",
        "owner": owner,
        "kind": "owner",
        "dynamic_uj": 3 * KWH,
        "idle_uj": KWH,
        "spare_uj": KWH // 2,
        "low_uj": 3 * KWH,
        "high_uj": 5 * KWH,
        "cost": Decimal(cost),
        "cost_idle": Decimal("1.00"),
        "cost_spare": Decimal("0.50"),
        "cost_shared": Decimal("0.00"),
        "cost_low": Decimal("8.00"),
        "cost_high": Decimal("12.00"),
        "carbon_ug": 1_500_000_000,
        "carbon_low_ug": 1_000_000_000,
        "carbon_high_ug": 2_000_000_000,
        "embodied_ug": 0,
        "share": 0.5,
        "confidence": "estimated",
        "measured": 0.84,
        "efficiency": 0.58,
        "energy_before_uj": 2 * KWH,
        "cost_before": None,
    }
    return Row(**(given | changes))  # type: ignore[arg-type]


@pytest.fixture
def statement() -> Statement:
    return Statement(
        id="abc123",
        month="2026-10",
        timezone="UTC",
        by="label:app",
        method="energy-idle-reserved",
        method_text="by energy",
        floor_policy="reserved",
        currency=Currency("USD"),
        total=Decimal("20.00"),
        rows=(_row("shop", "10.00", cost_before=Decimal("8.00")), _row("=cmd()|\x1b[2J", "5.00")),
        rest=(_row("(idle)", "5.00", kind="idle", efficiency=None, energy_before_uj=None),),
        notes=("a note",),
        sources=(("focus.csv", "00"),),
        carbon=(Provenance("aws/us-east-1", "table", "2023", "location", 1.15, stale=True),),
        ledger="ledger",
        engine="duckdb",
        node_hours=744,
    )


def test_the_terminal_shows_sums_and_the_reconciliation(statement: Statement) -> None:
    lines = list(terminal.lines(statement))
    assert [line[1] for line in lines if not line[0]] == ["allocated", "unallocated", "TOTAL"]
    assert lines[0][2:7] == ("3.00", "1.00", "10.00", "8 to 12", "50.0%")
    assert lines[0][-2:] == ("84% measured", "+25.0%")
    assert lines[1][-1] == "+100.0% kWh"
    footer = list(terminal.footer(statement))
    assert footer[0] == "allocated 15.00 + unallocated 5.00 = invoice 20.00 USD (exact)"
    assert footer[1].endswith("PUE 1.15, STALE")


def test_json_has_every_column_and_money_as_text(statement: Statement) -> None:
    body = json.loads(as_json(statement))
    assert body["allocated"] == "15.00"
    assert set(body["rows"][0]) == {column.name for column in COLUMNS}
    assert body["rows"][0]["cost"] == "10.00"
    assert body["rows"][0]["carbon_g"] == 1500
    assert body["rows"][0]["method"] == "energy-idle-reserved"
    assert [row["allocated"] for row in body["rows"]] == [True, True, False]


def test_csv_is_safe_in_a_spreadsheet(statement: Statement) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(statement).decode())))
    assert rows[1]["owner"].startswith("'=cmd()")
    assert rows[0]["cost"] == "10.00"
    assert rows[2]["efficiency"] == ""


def test_parquet_keeps_decimals_units_and_meanings(statement: Statement, tmp_path: Path) -> None:
    write(statement, tmp_path / "s.parquet")
    table = parquet.read_table(tmp_path / "s.parquet")
    assert sum(table["cost"].to_pylist()) == 20
    metadata = table.schema.field("carbon_g").metadata or {}
    assert metadata[b"unit"] == b"gCO2e"


def test_a_format_that_there_is_not_is_refused(statement: Statement, tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"\*\.json, \*\.csv, \*\.parquet"):
        write(statement, tmp_path / "s.xlsx")
