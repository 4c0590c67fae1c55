"""Every bill format keeps what the table and its facts promise; a failure says the step to take.

The recipe is in CONTRIBUTING.md, "Add a bill format".
"""

import importlib
import pkgutil
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest

import wattribute.accounting.chargeback.bills
from wattribute.accounting.backends import BILL_FORMATS
from wattribute.accounting.chargeback.bills.columns import BillColumns, BillFormat, columns_of
from wattribute.core.errors import DataInvalid

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs/user/statement.md").read_text(encoding="utf-8")


def _modules() -> list[ModuleType]:
    package = wattribute.accounting.chargeback.bills
    return [
        importlib.import_module(f"{package.__name__}.{info.name}")
        for info in pkgutil.iter_modules(package.__path__)
    ]


@pytest.mark.parametrize("name", BILL_FORMATS.names)
def test_a_format_is_recognised_by_its_marks_alone(name: str) -> None:
    bill = BILL_FORMATS.load(name, BillFormat)

    assert bill.marks, f"{name}: name in `marks` a column that only this format has"
    assert bill.needs, f"{name}: name in `needs` the columns of cost, currency and time"
    assert bill.name in GUIDE, (
        f"docs/user/statement.md does not name {bill.name}: say which versions are read"
    )
    for other in set(BILL_FORMATS.names) - {name}:
        common = set(bill.marks) & set(BILL_FORMATS.load(other, BillFormat).marks)
        assert not common, f"{name} and {other} are both recognised by {common}"


@pytest.mark.parametrize("name", BILL_FORMATS.names)
def test_a_file_with_the_needed_columns_alone_can_be_read(name: str) -> None:
    bill = BILL_FORMATS.load(name, BillFormat)
    columns = dict.fromkeys((*bill.needs, bill.marks[0]), "VARCHAR")

    taken = columns_of("bill.csv", columns)

    for column in fields(BillColumns):
        expression = getattr(taken, column.name)
        assert expression, f"{name}: no expression for {column.name}; write \"''\" for none"


@pytest.mark.parametrize("name", BILL_FORMATS.names)
def test_a_needed_column_that_is_missing_is_named(name: str) -> None:
    bill = BILL_FORMATS.load(name, BillFormat)
    for missing in set(bill.needs) - set(bill.marks):
        columns = dict.fromkeys({*bill.needs, *bill.marks} - {missing}, "VARCHAR")
        with pytest.raises(DataInvalid, match=rf"{bill.name} bill lacks the column {missing}"):
            columns_of("bill.csv", columns)


def test_a_file_in_no_format_is_told_which_there_are() -> None:
    with pytest.raises(DataInvalid) as caught:
        columns_of("bill.csv", {"when": "VARCHAR", "how_much": "VARCHAR"})

    for name in BILL_FORMATS.names:
        assert BILL_FORMATS.load(name, BillFormat).name in str(caught.value)
    assert "when, how_much" in str(caught.value)


@pytest.mark.parametrize("module", _modules(), ids=lambda m: m.__name__.rpartition(".")[2])
def test_a_format_that_was_written_is_in_the_table(module: ModuleType) -> None:
    name = module.__name__.rpartition(".")[2]
    if isinstance(getattr(module, "BACKEND", None), BillFormat):
        places = [place for place, _ in BILL_FORMATS.entries.values()]
        assert f"{name}:BACKEND" in places, (
            f"bills/{name}.py is not in the table BILL_FORMATS of accounting/backends.py: "
            "add its row"
        )
