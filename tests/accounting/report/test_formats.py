"""Every report format keeps what the table promises; a failure says the step to take.

The recipe is in CONTRIBUTING.md, "Add a report format of a statement".
"""

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest

import wattribute.accounting.report
from wattribute.accounting.backends import REPORT_FORMATS
from wattribute.accounting.chargeback.statement import Statement
from wattribute.accounting.report.files import check_name, write
from wattribute.accounting.report.formats import ReportFormat
from wattribute.core.errors import ConfigInvalid

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs/user/statement.md").read_text(encoding="utf-8")


def _modules() -> list[ModuleType]:
    package = wattribute.accounting.report
    return [
        importlib.import_module(f"{package.__name__}.{info.name}")
        for info in pkgutil.iter_modules(package.__path__)
    ]


@pytest.mark.parametrize("ending", REPORT_FORMATS.names)
def test_a_format_of_the_table_writes_a_statement(
    statement: Statement, tmp_path: Path, ending: str
) -> None:
    report = REPORT_FORMATS.load(ending, ReportFormat)

    assert report.ending == ending, (
        f"accounting/backends.py calls it {ending!r}, and its FORMAT {report.ending!r}"
    )
    assert f"`*{ending}`" in GUIDE, (
        f"docs/user/statement.md does not name `*{ending}`: say what is in the file"
    )
    file = tmp_path / f"statement{ending}"
    write(statement, file)
    assert statement.rows[0].owner.encode() in file.read_bytes(), f"{ending}: has no rows"


@pytest.mark.parametrize("module", _modules(), ids=lambda m: m.__name__.rpartition(".")[2])
def test_a_format_that_was_written_is_in_the_table(module: ModuleType) -> None:
    name = module.__name__.rpartition(".")[2]
    if isinstance(getattr(module, "FORMAT", None), ReportFormat):
        places = [place for place, _ in REPORT_FORMATS.entries.values()]
        assert f"{name}:FORMAT" in places, (
            f"report/{name}.py is not in the table REPORT_FORMATS of accounting/backends.py: "
            "add its row"
        )


def test_an_unknown_ending_is_told_which_there_are() -> None:
    with pytest.raises(ConfigInvalid, match=r"unknown format\. Name the file .*\*\.parquet"):
        check_name(Path("october.xlsx"))
