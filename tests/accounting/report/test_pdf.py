import json
from pathlib import Path

import pytest

from wattribute.accounting.report import pdf
from wattribute.core.errors import DataInvalid
from wattribute_testing.statements import made_row, made_statement

HOSTILE = (
    '#panic("out") #read("/etc/passwd") $x$ *b* _i_ `r` \\ "',
    '#import "@preview/x:0.1.0": *',
    '"}; #sys #eval("1") //',
    "=" * 40,
    "../../../etc/cron.d/x",
    "\x00\x07\u202e",
    "",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_set_as_text_and_never_run(name: str, tmp_path: Path) -> None:
    statement = made_statement(made_row(name, "10.00"))
    (path,) = pdf.write_all(statement, tmp_path / "out")
    assert path.read_bytes().startswith(b"%PDF-")
    assert path.parent == tmp_path / "out"
    assert [str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.pdf")] == [
        f"out/{path.name}"
    ]


def test_the_same_statement_gives_the_same_bytes() -> None:
    statement = made_statement(made_row("a", "10.00"))
    assert pdf.as_pdf(statement, statement.rows[0]) == pdf.as_pdf(statement, statement.rows[0])


def test_its_parts_add_up_to_the_sum() -> None:
    statement = made_statement(made_row("a", "12.34"))
    told = json.loads(json.dumps(pdf.told(statement, statement.rows[0], whole=True)))
    parts = sum(round(100 * float(amount)) for _, amount in told["parts"])
    assert parts in {1233, 1234, 1235}
    assert told["cost"] == "12.34"


def test_who_may_not_see_the_rest_is_told_nothing_of_it() -> None:
    statement = made_statement(made_row("a", "10.00"), made_row("b", "7.00"))
    told = pdf.told(statement, statement.rows[0], whole=False)
    assert told["sums"] == []
    assert pdf.as_pdf(statement, statement.rows[0], whole=False).startswith(b"%PDF-")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataInvalid, match="cannot write"):
        pdf.write_all(made_statement(made_row("a", "1.00")), tmp_path / "file")
