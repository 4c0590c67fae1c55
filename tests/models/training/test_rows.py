"""Measured rows: what is used, what is left out and named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wattribute.core.errors import DataInvalid
from wattribute.models.training.rows import read_rows


def test_broken_rows_are_named_and_dropped_and_others_only_counted(
    made: Any, file: Callable[..., Path]
) -> None:
    made.rows = made.rows[:1]
    good = made.rows[0]
    for change in (
        {"row_id": "n", "watts": "nan"},
        {"row_id": "e", "watts": ""},
        {"row_id": "neg", "watts": "-5"},
        {"row_id": "inf", "watts": "inf"},
        {"row_id": "u", "util_pct": "130"},
        {"row_id": "s", "scope": "gpu"},
        {"row_id": "d", "note": "early run; do not score"},
        {"row_id": "z", "watts": "0"},
        {"row_id": "v", "scope": "vm_pkg_abs", "watts": "2.9"},
    ):
        made.rows.append(good | change)

    found = read_rows(file(made))

    assert len(found.rows) == 1
    assert sum(found.dropped.values()) == 9
    assert found.dropped["unknown scope 'gpu'"] == 1
    assert found.dropped["its note says do not score"] == 1
    assert [name.partition(" (")[0] for name in found.named] == [
        "row n", "row e", "row neg", "row inf", "row u",
    ]  # fmt: skip
    assert "row n (line 3): watts is 'nan'" in found.named


def test_a_file_that_is_no_such_table_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match=r"gone.csv: No such file"):
        read_rows(tmp_path / "gone.csv")
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(DataInvalid, match=r"other.csv: no column scope, system_id"):
        read_rows(other)
    other.write_bytes(b"scope,system_id,util_pct,watts\n" + b"\xff" * 9 + b",\x00,3,4\n")
    assert read_rows(other).rows == []
