"""A ledger that version 0.1 wrote: without energy by other weights, and without their names."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from wattribute.accounting.chargeback.engines import Span, open_engine
from wattribute.accounting.chargeback.other_weights import completed
from wattribute.accounting.ledger.fill import Fill
from wattribute.accounting.ledger.schema import LATER
from wattribute.accounting.ledger.spool import SpoolReader
from wattribute.accounting.ledger.store import Store
from wattribute.accounting.ledger.summary import sums

GOLDEN = Path(__file__).parents[2] / "golden"
START_S, END_S = 1_767_225_600, 1_767_232_800


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN / "ledger-0.1", tmp_path / "ledger"))


def _check(rows: list[dict[str, Any]], count: int) -> None:
    assert len(rows) == count
    for row in rows:
        assert row["time_uj"] == row["learned_uj"] == row["energy_uj"]
        assert row["shared_by"] == ""


def test_the_golden_lacks_what_came_later() -> None:
    (file,) = (GOLDEN / "ledger-0.1").rglob("*.parquet")

    assert LATER.keys().isdisjoint(parquet.read_schema(file).names)


def test_the_store_reads_it(ledger: Path) -> None:
    store = Store.at(str(ledger))
    expected = json.loads((GOLDEN / "spool-0.1" / "entries.json").read_text())

    entries = store.entries(START_S, END_S)

    _check(entries.to_pylist(), len(expected))
    assert sum(entries["energy_uj"].to_pylist()) == sum(row["energy_uj"] for row in expected)
    (column,) = store.entries(START_S, END_S, ["time_uj"]).itercolumns()
    assert column.to_pylist() == entries["energy_uj"].to_pylist()


def test_its_hours_add_up(ledger: Path) -> None:
    expected = json.loads((GOLDEN / "spool-0.1" / "entries.json").read_text())

    (total,) = sums(Store.at(str(ledger)), START_S, END_S, "cluster")

    assert total.energy_uj == sum(row["energy_uj"] for row in expected)


def test_the_same_hours_collected_again_need_no_correction(ledger: Path) -> None:
    reader = SpoolReader(GOLDEN / "spool-0.1")

    outcome = Fill(Store.at(str(ledger)), reader, now_s=lambda: 2e9, recheck=True).run(
        START_S, END_S
    )

    assert (outcome.entries, outcome.corrections) == (0, 0)


@pytest.mark.parametrize("name", ["duckdb", "polars", "spark"])
@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside a new file"])
def test_engines_read_it(name: str, ledger: Path, *, beside: bool) -> None:
    pytest.importorskip({"spark": "pyspark"}.get(name, name))
    store = Store.at(str(ledger))
    if beside:
        store.write(START_S, "new", [store.entries(START_S, END_S)])
    columns = ("hour", "energy_uj", *LATER)

    with open_engine(name, [str(ledger)], master="local[1]" if name == "spark" else "") as engine:
        span = Span(START_S // 3600, END_S // 3600)
        entries = completed(engine.scan(store.all_files(), span, columns, {}), columns)
        rows = engine.collect(entries).to_pylist()

    _check(rows, 72 if beside else 36)
