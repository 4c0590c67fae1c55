"""A statement's rows as Parquet."""

import io
from decimal import Decimal
from typing import Final

import pyarrow as pa
from pyarrow import parquet

from wattribute.accounting.chargeback.statement import Statement
from wattribute.accounting.report.columns import COLUMNS, Value, records
from wattribute.accounting.report.formats import ReportFormat

_MONEY: Final = pa.decimal128(38, 3)


def as_parquet(statement: Statement) -> bytes:
    """Return the rows: money as decimals, and each column's unit and meaning in its metadata."""
    rows = list(records(statement))
    fields = [
        pa.field(
            column.name,
            _arrow_type(column.name, column.unit),
            metadata={"unit": column.unit, "meaning": column.meaning},
        )
        for column in COLUMNS
    ]
    arrays = [
        pa.array([_widened(row[column.name], column.unit) for row in rows], field.type)
        for column, field in zip(COLUMNS, fields, strict=True)
    ]
    sink = io.BytesIO()
    parquet.write_table(pa.table(arrays, schema=pa.schema(fields)), sink, compression="zstd")
    return sink.getvalue()


def _arrow_type(name: str, unit: str) -> pa.DataType:
    if name == "allocated":
        return pa.bool_()
    if unit == "money":
        return _MONEY
    return pa.float64() if unit or name in {"share", "measured", "efficiency"} else pa.string()


def _widened(value: Value, unit: str) -> Value:
    if unit == "money" and isinstance(value, Decimal):
        return value.quantize(Decimal("0.001"))
    return value


FORMAT: Final = ReportFormat(".parquet", as_parquet)
