"""Whether a file keeps the rules of FOCUS: its header, every value, every row, every split."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from wattribute.accounting.focus.allocation import Allocation
from wattribute.accounting.focus.columns import VERSIONS, FocusColumn, columns_of, version_of
from wattribute.accounting.focus.findings import ValidationReport
from wattribute.accounting.focus.formats import custom_name_problem, problem
from wattribute.accounting.focus.read import Batch, open_bill
from wattribute.accounting.focus.rows import check_rows
from wattribute.core.errors import DataInvalid

_SHOWN: Final = 40
"""Characters of a wrong value in a message."""


def _silent(_rows: int) -> None:
    """Progress that nobody watches."""


def validate(
    path: Path, version: str | None = None, progress: Callable[[int], None] = _silent
) -> ValidationReport:
    """Check a file against a version of the standard.

    Args:
        path: CSV or Parquet.
        version: None takes the one that the header shows.
        progress: Called with the number of rows checked so far.

    Raises:
        DataInvalid: it cannot be read to its end, or is no FOCUS file at all.
    """
    bill = open_bill(path)
    standard_columns = set(bill.names) & {name for other in VERSIONS for name in columns_of(other)}
    if len(standard_columns) < 5:
        raise DataInvalid(
            f"{path}: has {len(standard_columns)} columns of FOCUS: this is not such a file"
        )
    report = ValidationReport(version or version_of(bill.names))
    columns = columns_of(report.version)
    _header(bill.names, report)
    allocation = Allocation(report.version, report)
    for batch in bill.batches:
        for name, values in batch.columns.items():
            if name in columns:
                _values(columns[name], values, batch, report)
        check_rows(batch, report)
        allocation.add(batch)
        report.rows += batch.rows
        progress(report.rows)
    allocation.finish()
    if not report.rows:
        report.add("empty", "", "the file has no row", error=False)
    return report


def _header(names: tuple[str, ...], report: ValidationReport) -> None:
    columns = columns_of(report.version)
    for name, column in columns.items():
        if column.mandatory and name not in names:
            report.add("missing-column", name, f"FOCUS {report.version} requires it")
    for name in sorted({name for name in names if names.count(name) > 1}):
        report.add("twice-column", name, "comes more than once in the header")
    for name in names:
        if name in columns:
            continue
        other_versions = [other for other in VERSIONS if name in columns_of(other)]
        if other_versions:
            report.add(
                "version-column",
                name,
                f"is of FOCUS {other_versions[0]} to {other_versions[-1]}, not of this one",
            )
        elif wrong := custom_name_problem(name):
            report.add("unknown-column", name, wrong)


def _values(column: FocusColumn, values: pa.Array, batch: Batch, report: ValidationReport) -> None:
    """Check each distinct value once; rows are looked up only for what is wrong."""
    if not column.nulls and values.null_count:
        for index in pc.indices_nonzero(pc.is_null(values)).to_pylist():
            report.add("null", column.name, "has no value", batch.first + index)
    if column.format == "text":
        return
    encoded = values.dictionary_encode()
    for code, text in enumerate(encoded.dictionary.to_pylist()):
        wrong = problem(column, text)
        if wrong:
            same = pc.fill_null(pc.equal(encoded.indices, code), fill_value=False)
            shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
            for index in pc.indices_nonzero(same).to_pylist():
                report.add("format", column.name, f"{shown!r} {wrong}", batch.first + index)
