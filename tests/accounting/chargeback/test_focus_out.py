"""The demo's bill, split and written as FOCUS: valid, and the same money as the statement's."""

import csv
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import parquet

from wattribute.accounting.chargeback.build import make_statement
from wattribute.accounting.chargeback.charges import Month
from wattribute.accounting.chargeback.focus_out import export_focus
from wattribute.accounting.chargeback.request import StatementRequest
from wattribute.accounting.demo.bill import write_bill
from wattribute.accounting.demo.energy import write_ledger
from wattribute.accounting.focus import validate
from wattribute.accounting.ledger.store import Store
from wattribute.accounting.settings import AccountingSettings
from wattribute.core.errors import ConfigInvalid
from wattribute.settings import load
from wattribute_testing.entries import MadeLedger

pytestmark = pytest.mark.xdist_group("focus-out")  # its month is made once, not by each worker

Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of the demo's ledger and bill."""
    folder = tmp_path_factory.mktemp("month")
    end = datetime(2026, 10, 4, tzinfo=UTC)
    write_ledger(Store.at(str(folder / "ledger")), 20_261_001, int(end.timestamp()))
    whole = folder / "whole.parquet"
    write_bill(whole)
    table = parquet.read_table(whole)
    until = pa.scalar(end, table["ChargePeriodStart"].type)
    few = table.filter(pc.less(table["ChargePeriodStart"], until))
    parquet.write_table(few, folder / "focus.parquet")
    return folder


@pytest.fixture
def settings() -> AccountingSettings:
    return load(None, {}, {"carbon.location": "aws/us-east-1"}).accounting


@pytest.fixture
def request_of(month: Path) -> Callable[..., StatementRequest]:
    def make(method: str = "energy-idle-reserved", **more: object) -> StatementRequest:
        keys: dict[str, object] = {"bills": (month / "focus.parquet",), "tariff": "0.3", **more}
        return StatementRequest(
            str(month / "ledger"), Month.parse("2026-10"), "label:app", method=method, **keys
        )

    return make


def rows_of(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("method", ["energy-idle-reserved", "two-part"])
def test_the_file_is_valid_and_has_the_statements_money(
    request_of: Callable[..., StatementRequest],
    settings: AccountingSettings,
    tmp_path: Path,
    method: str,
) -> None:
    out = tmp_path / "out.csv"
    exported = export_focus(request_of(method), settings, out, "1.4")
    report = validate(out)
    assert [finding for finding in report.findings if finding.error] == []
    assert (report.version, report.rows) == ("1.4", exported.rows)
    assert report.split_groups == exported.charges_split > 400
    statement = make_statement(request_of(method), settings)
    sums: dict[str, Decimal] = defaultdict(Decimal)
    energy = 0.0
    grams = 0.0
    for row in rows_of(out):
        sums[row["AllocatedResourceName"]] += Decimal(row["EffectiveCost"])
        energy += float(row["x_EnergyKwh"] or 0)
        grams += float(row["x_CarbonOperationalGrams"] or 0)
    assert sum(sums.values()) == exported.total
    assert abs(exported.total - statement.total) < Decimal("0.005")
    for row in statement.rows:
        assert abs(sums[row.owner] - row.cost) < Decimal("0.02"), row.owner
    total_uj = sum(row.energy_uj for row in statement.everything)
    assert energy == pytest.approx(total_uj / 3.6e12, rel=1e-6)
    total_ug = sum(row.carbon_ug or 0 for row in statement.everything)
    assert grams == pytest.approx(total_ug / 1e6, rel=1e-6)


def test_a_gram_has_its_basis_source_and_year_beside_it(
    request_of: Callable[..., StatementRequest], settings: AccountingSettings, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    export_focus(request_of(), settings, out, "1.4")
    with_grams = [row for row in rows_of(out) if row["x_CarbonOperationalGrams"]]
    assert len(with_grams) > 400
    for row in with_grams:
        assert row["x_CarbonBasis"] == "location"
        assert row["x_CarbonSource"] == "gsf-real-time-cloud"
        assert row["x_CarbonYear"] == "2023"
        assert row["x_Pue"] == "1.15"
    description = out.with_name("out.csv.metadata.json").read_text()
    assert "x_CarbonOperationalGrams" in description


def test_what_nobody_took_has_no_resource(
    request_of: Callable[..., StatementRequest], settings: AccountingSettings, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    export_focus(request_of(), settings, out, "1.4")
    rest = [row for row in rows_of(out) if row["AllocatedMethodId"] and not row["AllocatedTags"]]
    remainder = [row for row in rest if not row["AllocatedResourceId"]]
    assert len(remainder) > 400
    assert {row["x_SplitConfidence"] for row in remainder} == {"unattributable"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"bills": (), "totals": ("EC2=50000 USD",)}, "needs bills in FOCUS"),
        ({"bills": ()}, "needs bills in FOCUS"),
    ],
)
def test_what_is_no_focus_bill_cannot_be_exported(
    request_of: Callable[..., StatementRequest],
    settings: AccountingSettings,
    tmp_path: Path,
    more: dict[str, object],
    said: str,
) -> None:
    with pytest.raises(ConfigInvalid, match=said):
        export_focus(request_of(**more), settings, tmp_path / "out.csv", "1.4")
    assert list(tmp_path.iterdir()) == []


def test_a_name_without_a_known_end_is_refused_before_anything_is_read(
    request_of: Callable[..., StatementRequest], settings: AccountingSettings, tmp_path: Path
) -> None:
    with pytest.raises(ConfigInvalid, match=r"\.parquet or \.csv"):
        export_focus(request_of(), settings, tmp_path / "out.xlsx", "1.4")


def test_a_generated_bill_goes_in_and_a_valid_one_comes_out(
    settings: AccountingSettings, tmp_path: Path
) -> None:
    pytest.importorskip("focus_data_toolkit")
    subprocess.run(
        [
            *(sys.executable, "-m", "focus_data_toolkit", "generate", "--provider", "aws"),
            *("--focus-version", "1.3", "--rows", "300", "--seed", "7", "--out", str(tmp_path)),
        ],
        check=True,
        capture_output=True,
    )
    bill = next(tmp_path.glob("*cost_and_usage*.csv"))
    lines = [row for row in rows_of(bill) if row["ResourceId"] and not row["AllocatedMethodId"]]
    start = datetime.fromisoformat(lines[0]["BillingPeriodStart"])
    made = MadeLedger()
    node = lines[0]["ResourceId"]
    begin = int(datetime.fromisoformat(lines[0]["ChargePeriodStart"]).timestamp()) // 3600
    for hour in range(begin, begin + 6):
        made.floor(hour, node, 1_000_000)
        made.pod(hour, node, "p1", 3_000_000, cpu=(1, 1), gib=(1, 1), namespace="shop")
    made.write(tmp_path / "ledger")
    request = StatementRequest(
        str(tmp_path / "ledger"), Month.parse(f"{start:%Y-%m}"), "namespace", bills=(bill,)
    )
    out = tmp_path / "out.csv"
    exported = export_focus(request, settings, out, "1.4")
    assert exported.charges_split >= 1
    month = [row for row in rows_of(bill) if row["BillingPeriodStart"][:7] == f"{start:%Y-%m}"]
    assert exported.total == sum(Decimal(row["EffectiveCost"]) for row in month)
    assert [finding for finding in validate(out).findings if finding.error] == []
    other = subprocess.run(
        [
            *(sys.executable, "-m", "focus_data_toolkit", "validate"),
            *("--dataset", "cost-and-usage", str(out)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert other.returncode == 0, other.stdout + other.stderr
