"""Reading measured rows: one per (system, load level), with what was wrong with the others."""

import csv
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from wattribute.core.errors import DataInvalid

SCOPES: Final = ("wall", "pkg", "dram", "vm_pkg_abs", "vm_pkg_dyn")
_SKIP: Final = "do not score"
_VM_LEAST_WATTS: Final = 3.0
"""Of a guest's share less is not scored: a percentage of nearly nothing says nothing."""
_NEEDED: Final = ("scope", "system_id", "util_pct", "watts")


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One measured point."""

    row_id: str
    subset: str
    scope: str
    system_id: str
    utilisation: float
    """0 to 1; of a vm_* row the guest's."""
    watts: float
    text: Mapping[str, str]
    """All columns, as they stand."""

    def number(self, column: str) -> float:
        """A column as a number > 0; 0 where it is empty or odd."""
        value = _number(self.text.get(column, ""))
        return value if math.isfinite(value) and value > 0 else 0.0


@dataclass(slots=True)
class TrainingRows:
    """The rows that can be used, and why others cannot."""

    rows: list[TrainingRow] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    """Reason -> how many."""
    named: list[str] = field(default_factory=list)
    """``row 17 (line 18): watts is nan``: each that is broken, not those left out on purpose."""

    def add(self, other: "TrainingRows") -> None:
        """Take over the rows of another file."""
        self.rows += other.rows
        self.dropped += other.dropped
        self.named += other.named


def read_rows(path: Path) -> TrainingRows:
    """Read a CSV file with the data dictionary's columns.

    A row that cannot be used is dropped and counted; a broken one is named too.

    Raises:
        DataInvalid: there is no such file, or it is no such table.
    """
    rows_read = TrainingRows()
    for line, text in _table(path, _NEEDED):
        _take(rows_read, line, text)
    return rows_read


def is_measured(path: Path) -> bool:
    """Whether a file begins with the columns that `read_rows` needs."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            columns = file.readline(1 << 16).strip().split(",")
    except OSError:
        return False
    return set(_NEEDED) <= set(columns)


def read_table(path: Path, needed: Iterable[str]) -> list[dict[str, str]]:
    """Read any CSV file that has the ``needed`` columns.

    Raises:
        DataInvalid: there is no such file, or it is no such table.
    """
    return [text for _, text in _table(path, tuple(needed))]


def _table(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in needed if name not in (reader.fieldnames or ())]
            if missing:
                raise DataInvalid(f"{path}: no column {', '.join(missing)}; is it the right table?")
            for text in reader:
                yield reader.line_num, {k: v or "" for k, v in text.items() if isinstance(k, str)}
    except OSError as exc:
        raise DataInvalid(f"{path}: {exc.strerror}") from exc
    except csv.Error as exc:
        raise DataInvalid(f"{path}: line {reader.line_num}: {exc}") from exc


def _take(rows_read: TrainingRows, line: int, text: dict[str, str]) -> None:
    row_id, scope = text.get("row_id", ""), text["scope"].strip()
    utilisation, watts = _number(text["util_pct"]) / 100, _number(text["watts"])
    broken = ""
    if not math.isfinite(watts):
        broken = f"watts is {text['watts']!r}"
    elif watts < 0:
        broken = "watts is negative"
    elif not 0 <= utilisation <= 1:  # NaN fails too
        broken = f"util_pct is {text['util_pct']!r}"
    if broken:
        rows_read.dropped[broken.partition(" is ")[0] + " broken"] += 1
        rows_read.named.append(f"row {row_id or '?'} (line {line}): {broken}")
    elif scope not in SCOPES:
        rows_read.dropped[f"unknown scope {scope!r}"] += 1
    elif _SKIP in text.get("note", ""):
        rows_read.dropped["its note says do not score"] += 1
    elif scope.startswith("vm_") and watts <= _VM_LEAST_WATTS:
        rows_read.dropped[f"vm row of {_VM_LEAST_WATTS:g} W or less"] += 1
    elif watts == 0:
        rows_read.dropped["watts is 0"] += 1
    else:
        rows_read.rows.append(
            TrainingRow(
                row_id, text.get("subset", ""), scope, text["system_id"], utilisation, watts, text
            )
        )


def _number(text: str) -> float:
    try:
        return float(text) if text.strip() else math.nan
    except ValueError:
        return math.nan
