import csv
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

from wattribute.accounting.focus import columns_of
from wattribute_testing.entries import MadeLedger

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def bill(tmp_path: Path) -> Path:
    """One charge that has all that 1.4 requires."""
    values = {
        "BilledCost": "1.5",
        "BillingAccountId": "a",
        "BillingCurrency": "EUR",
        "BillingPeriodStart": "2026-10-01T00:00:00Z",
        "BillingPeriodEnd": "2026-11-01T00:00:00Z",
        "ChargeCategory": "Usage",
        "ChargePeriodStart": "2026-10-01T00:00:00Z",
        "ChargePeriodEnd": "2026-10-01T01:00:00Z",
        "ContractedCost": "1.5",
        "EffectiveCost": "1.5",
        "InvoiceIssuerName": "A",
        "ListCost": "1.5",
        "ServiceCategory": "Compute",
        "ServiceName": "VM",
        "ServiceProviderName": "A",
    }
    names = [name for name, column in columns_of("1.4").items() if column.mandatory]
    path = tmp_path / "bill.csv"
    row = ",".join(values.get(name, "") for name in names)
    path.write_text(f"{','.join(names)}\n{row}\n")
    return path


def test_a_valid_bill_is_said_to_be_valid(call: Call, bill: Path) -> None:
    code, out, err = call("focus", "validate", str(bill))
    assert (code, err) == (0, "")
    assert out == f"{bill}: FOCUS 1.4, 1 rows: valid\n"


def test_what_is_wrong_is_a_table_and_exit_code_1(call: Call, bill: Path) -> None:
    bill.write_text(bill.read_text().replace("Usage", "Use").replace("EUR", "\x1b[31m"))
    code, out, _ = call("focus", "validate", str(bill))
    assert code == 1
    assert "\x1b" not in out
    assert "'Use' is not one of the allowed values (Adjustment, Credit" in out
    assert "NOT valid: 2 kinds of errors" in out


def test_programs_get_json(call: Call, bill: Path) -> None:
    bill.write_text(bill.read_text().replace("1.5", "1;5", 1))
    code, out, _ = call("focus", "validate", "--json", str(bill))
    body = json.loads(out)
    assert (code, body["valid"], body["rows"], body["version"]) == (1, False, 1, "1.4")
    assert body["findings"][0]["column"] == "BilledCost"
    assert body["findings"][0]["rows"] == [1]


def test_another_version_may_be_asked_for(call: Call, bill: Path) -> None:
    code, out, _ = call("focus", "validate", "--version", "1.2", str(bill))
    assert code == 1
    assert "missing-column" in out
    assert "ProviderName" in out


def test_what_is_no_bill_is_one_line(call: Call, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    for name in ("x.csv", "gone.csv"):
        code, out, err = call("focus", "validate", str(tmp_path / name))
        assert (code, out, err.count("\n")) == (5, "", 1)


def test_a_bill_is_exported_in_parts(call: Call, bill: Path, tmp_path: Path) -> None:
    hour = 497_136  # 2026-09-18T00:00Z
    made = MadeLedger()
    made.floor(hour, "i-1", 1_000_000)
    made.pod(hour, "i-1", "p1", 3_000_000, cpu=(1, 1), gib=(1, 1), namespace="shop")
    made.pod(hour, "i-1", "p2", 1_000_000, cpu=(1, 1), gib=(1, 1), namespace="web")
    made.write(tmp_path / "ledger")
    header, row = bill.read_text().splitlines()
    row = row.replace("2026-10-01", "2026-09-18").replace("2026-11-01", "2026-10-01")
    bill.write_text(f"{header},ResourceId\n{row},i-1\n")
    out = tmp_path / "split.csv"
    question = ("--bill", str(bill), "--by", "namespace", "--month", "2026-09")
    code, text, err = call(
        *("focus", "export", *question, "--ledger", str(tmp_path / "ledger"), "--out", str(out))
    )
    assert (code, err) == (0, "")
    assert text == f"{out}: FOCUS 1.4, 3 rows, 1 charges split, EffectiveCost 1.5\n"
    code, text, _ = call("focus", "validate", str(out))
    assert (code, text) == (0, f"{out}: FOCUS 1.4, 3 rows, 1 split charges: valid\n")
    with out.open(encoding="utf-8", newline="") as file:
        parts = {row["AllocatedResourceName"]: row for row in csv.DictReader(file)}
    assert parts.keys() == {"shop", "web", ""}
    assert sum(Decimal(part["EffectiveCost"]) for part in parts.values()) == Decimal("1.5")
    assert Decimal(parts["shop"]["EffectiveCost"]) > Decimal(parts["web"]["EffectiveCost"])
    code, text, err = call(
        *("focus", "export", *question, "--ledger", str(tmp_path / "ledger"), "--out", "x.xlsx")
    )
    assert (code, text, err.count("\n")) == (2, "", 1)
