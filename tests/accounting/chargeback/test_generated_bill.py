"""A bill that another project generates (PyPI focus-data-toolkit) goes in whole."""

import csv
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from wattribute.accounting.chargeback.bills.files import read_files
from wattribute.accounting.chargeback.charges import Month


@pytest.mark.parametrize("provider", ["aws", "azure", "gcp"])
def test_every_line_of_a_generated_bill_is_counted_once(provider: str, tmp_path: Path) -> None:
    pytest.importorskip("focus_data_toolkit")
    subprocess.run(
        [
            *(sys.executable, "-m", "focus_data_toolkit", "generate", "--provider", provider),
            *("--focus-version", "1.3", "--rows", "300", "--seed", "7", "--out", str(tmp_path)),
        ],
        check=True,
        capture_output=True,
    )
    path = next(tmp_path.glob("*cost_and_usage*.csv"))
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    months = sorted({row["BillingPeriodStart"][:7] for row in rows})
    read = [read_files([path], Month.parse(month)) for month in months]
    assert sum(one.total for one in read) == sum(Decimal(row["EffectiveCost"]) for row in rows)
    assert sum(one.table.num_rows for one in read) == len(rows)
