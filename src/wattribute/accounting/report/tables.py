"""Any table as CSV, Parquet or JSON."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec
import pyarrow as pa
from pyarrow import parquet

from wattribute.accounting.report.columns import Value

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A spreadsheet takes a text that begins so for a formula; names come from strangers."""
_MONEY: Final = pa.decimal128(38, 12)


@dataclass(frozen=True, slots=True)
class ReportTable:
    """Columns by name, and rows in their order."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]

    def as_csv(self) -> bytes:
        """Return the table as CSV; see ``csv_of``."""
        return csv_of(self.columns, self.rows)

    def as_parquet(self) -> bytes:
        """Money as decimals of 12 places."""
        columns = list(zip(*self.rows, strict=True)) or [()] * len(self.columns)
        arrays = [pa.array(list(values), _type_of(values)) for values in columns]
        sink = io.BytesIO()
        parquet.write_table(pa.table(arrays, names=list(self.columns)), sink, compression="zstd")
        return sink.getvalue()

    def as_json(self) -> bytes:
        """A list of objects; money as texts, so that no reader rounds it."""
        return json_of([dict(zip(self.columns, row, strict=True)) for row in self.rows])


def _type_of(values: Sequence[Value]) -> pa.DataType:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {Decimal}:
        return _MONEY
    return pa.float64() if kinds and kinds <= {int, float} else pa.string()


def csv_of(columns: Iterable[str], rows: Iterable[Iterable[Value]]) -> bytes:
    """UTF-8; a text that a spreadsheet would take for a formula gets a quote before it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_cell, columns))
    for row in rows:
        writer.writerow(_cell(value) for value in row)
    return text.getvalue().encode()


def _cell(value: Value) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return "'" + value if value.startswith(_FORMULA) else value
        case float():
            return repr(value)
    return str(value)


def json_of(body: object) -> bytes:
    """Indented JSON; decimals are texts."""
    return msgspec.json.format(msgspec.json.encode(body)) + b"\n"
