"""What a statement looks like, in each format; names in it come from strangers."""

import csv
import io
import json
from pathlib import Path

import pytest
from pyarrow import parquet

from wattribute.accounting.chargeback.statement import Statement
from wattribute.accounting.report import pdf, terminal
from wattribute.accounting.report.columns import COLUMNS
from wattribute.accounting.report.csv_file import as_csv
from wattribute.accounting.report.files import write
from wattribute.accounting.report.html import as_html
from wattribute.accounting.report.json_file import as_json
from wattribute.accounting.report.parquet_file import as_parquet
from wattribute.core.errors import ConfigInvalid
from wattribute_testing.statements import made_row, made_statement


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


def test_each_format_says_by_what_energy_is_shared_and_what_the_band_is_of() -> None:
    learned = made_statement(
        made_row("a", "10.00", band_of="weights"), shared_by=("learned-1", "time")
    )
    footer = "\n".join(terminal.footer(learned))
    assert "shared by learned watts per core (learned-1), CPU time" in footer
    assert "COST BAND: band of the weights" in footer
    assert "estimate" not in footer
    (row,) = csv.DictReader(io.StringIO(as_csv(learned).decode("utf-8-sig")))
    assert (row["energy_band_of"], row["shared_by"]) == ("weights", "learned-1 time")
    assert parquet.read_table(io.BytesIO(as_parquet(learned)))["energy_band_of"][0].as_py() == (
        "weights"
    )
    page = as_html(learned).decode()
    assert "band of the weights" in page
    assert "learned watts per core" in page
    facts = pdf.told(learned, learned.rows[0], whole=True)
    assert "band of the weights" in json.dumps(facts["parts"] + facts["facts"])  # type: ignore[operator]
    assert "learned watts per core" in json.dumps(facts["small"])
    assert json.loads(as_json(learned))["shared_by"] == ["learned-1", "time"]


def test_a_band_of_both_says_both_and_a_ledger_that_says_nothing_has_no_line() -> None:
    both = made_statement(
        made_row("a", "10.00", band_of="estimate and weights"), made_row("b", "10.00")
    )
    text = terminal.band_text(both.everything)
    assert "band of the weights" in text
    assert "band of the estimate" in text
    assert terminal.shared_text(both) == ""
    assert "is shared by" not in "\n".join(terminal.footer(both))
