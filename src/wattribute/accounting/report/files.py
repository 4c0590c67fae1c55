"""A statement as JSON, CSV, Parquet or HTML."""

import io
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa
from pyarrow import parquet

from wattribute.accounting.chargeback.grams import Provenance
from wattribute.accounting.chargeback.per_unit import PerUnit
from wattribute.accounting.chargeback.statement import Statement
from wattribute.accounting.report.columns import COLUMNS, Value, records
from wattribute.accounting.report.html import as_html
from wattribute.accounting.report.tables import csv_of
from wattribute.core.errors import ConfigInvalid, DataInvalid

_MONEY: Final = pa.decimal128(38, 3)


def as_json(statement: Statement, per_unit: Sequence[PerUnit] = ()) -> bytes:
    """The whole statement, with figures per functional unit where they were asked for.

    Amounts of money are texts, so that no reader rounds them.
    """
    body = {
        "statement": statement.id,
        "month": statement.month,
        "timezone": statement.timezone,
        "by": statement.by,
        "method": statement.method,
        "method_text": statement.method_text,
        "floor_policy": statement.floor_policy,
        "currency": statement.currency.code,
        "total": str(statement.total),
        "allocated": str(statement.allocated),
        "unallocated": str(statement.unallocated),
        "difference": str(statement.difference),
        "rows": [_texts(record) for record in records(statement)],
        "notes": statement.notes,
        "carbon": [_provenance(one) for one in statement.carbon],
        "bills": [{"file": name, "sha256": digest} for name, digest in statement.sources],
        "ledger": statement.ledger,
        "engine": statement.engine,
        "node_hours": statement.node_hours,
        **({"per_unit": [_per_unit(one) for one in per_unit]} if per_unit else {}),
    }
    return msgspec.json.format(msgspec.json.encode(body)) + b"\n"


def _per_unit(one: PerUnit) -> dict[str, Value]:
    return {
        "owner": one.owner,
        "unit": one.unit,
        "units": one.units,
        "joules": one.joules,
        "cost": str(one.cost),
        "sci_g": one.sci_g,
        "embodied_g": one.embodied_g,
    }


def _texts(record: Mapping[str, Value]) -> dict[str, Value]:
    return {
        name: str(value) if isinstance(value, Decimal) else value for name, value in record.items()
    }


def _provenance(one: Provenance) -> dict[str, Value]:
    return {
        "zone": one.zone,
        "source": one.source,
        "year": one.year,
        "basis": one.basis,
        "pue": one.pue,
        "stale": one.stale,
    }


def as_csv(statement: Statement) -> bytes:
    """The rows, as ``tables.csv_of`` writes them."""
    rows = (record.values() for record in records(statement))
    return csv_of([column.name for column in COLUMNS], rows)


def as_parquet(statement: Statement) -> bytes:
    """The rows, money as decimals, with each column's unit and meaning in its metadata."""
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


WRITERS: Final[Mapping[str, Callable[[Statement], bytes]]] = {
    ".json": as_json,
    ".csv": as_csv,
    ".parquet": as_parquet,
    ".html": as_html,
}
"""By the ending of a file's name."""


def check_name(path: Path) -> None:
    """Refuse a name whose ending is no format, before any work is done.

    Raises:
        ConfigInvalid: it is not.
    """
    if path.suffix not in WRITERS:
        endings = ", ".join(f"*{ending}" for ending in WRITERS)
        raise ConfigInvalid(f"--out {path}: which format? Name it {endings}")


def write(statement: Statement, path: Path) -> None:
    """Write a statement in the format that the file's name says.

    Raises:
        ConfigInvalid: no such format.
        DataInvalid: the file cannot be written.
    """
    check_name(path)
    try:
        path.write_bytes(WRITERS[path.suffix](statement))
    except OSError as exc:
        raise DataInvalid(f"{path}: cannot write: {exc.strerror}") from exc
