"""Writes a FOCUS file, CSV or Parquet, whole or not at all, and the description of its columns."""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from wattribute.accounting.focus.columns import columns_of
from wattribute.accounting.focus.custom import CUSTOM
from wattribute.accounting.focus.split import Row
from wattribute.core.errors import DataInvalid
from wattribute.core.files import draft_of, put_in_place

_BATCH: Final = 20_000
_DECIMAL: Final = pa.decimal128(38, 15)
_INSTANT: Final = pa.timestamp("s", "UTC")
_PARQUET: Final = {"decimal": _DECIMAL, "positive": _DECIMAL, "instant": _INSTANT}
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def write_focus(path: Path, columns: Sequence[str], rows: Iterable[Row], version: str) -> int:
    """Write rows; by the path's end as Parquet (``.parquet``) or CSV.

    A text that a spreadsheet would take for a formula is quoted with an apostrophe in a CSV.

    Returns:
        How many rows.

    Raises:
        DataInvalid: it cannot be written; then nothing is there that was not before.
    """
    formats = {name: column.format for name, column in columns_of(version).items()}
    formats |= {
        own_column.name: "decimal" if own_column.type == "DECIMAL" else "text"
        for own_column in CUSTOM
    }
    draft = draft_of(path)
    try:
        if path.suffix == ".parquet":
            count = _parquet(draft, columns, rows, formats)
        else:
            count = _csv(draft, columns, rows, formats)
        put_in_place(draft, path)
    except OSError as exc:
        raise DataInvalid(f"{path}: cannot be written: {exc.strerror}") from exc
    finally:
        draft.unlink(missing_ok=True)
    return count


def write_metadata(path: Path, columns: Sequence[str], version: str) -> None:
    """Describe the columns of a file, ours among them, as FOCUS' Schema metadata does."""
    ours = {own_column.name: own_column for own_column in CUSTOM}
    formats = {name: column.format for name, column in columns_of(version).items()}
    definitions: list[dict[str, object]] = []
    for name in columns:
        kind = ours[name].type if name in ours else _TYPES.get(formats.get(name, "text"), "STRING")
        definition: dict[str, object] = {"ColumnName": name, "DataType": kind}
        if kind == "STRING":
            definition["StringEncoding"] = "UTF-8"
        if kind == "DECIMAL":
            definition |= {"NumericPrecision": 38, "NumberScale": 15}
        if name in ours:
            definition["x_Description"] = ours[name].text
        definitions.append(definition)
    body = {
        "DataGenerator": {"DataGenerator": "Wattribute"},
        "Schema": {
            "SchemaId": f"wattribute-focus-{version}",
            "Name": f"FOCUS {version} with energy and carbon of split charges",
            "CreationDate": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "FocusVersion": version,
            "ColumnDefinition": definitions,
        },
    }
    try:
        path.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
    except OSError as exc:
        raise DataInvalid(f"{path}: cannot be written: {exc.strerror}") from exc


_TYPES: Final = {
    "decimal": "DECIMAL",
    "positive": "DECIMAL",
    "instant": "DATETIME",
    "object": "JSON",
    "key-value": "JSON",
}


def _csv(path: Path, columns: Sequence[str], rows: Iterable[Row], formats: dict[str, str]) -> int:
    cells = [(name, formats.get(name, "text") == "text") for name in columns]
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow(
                [_harmless(row.get(name)) if text else row.get(name) for name, text in cells]
            )
            count += 1
    return count


def _harmless(text: str | None) -> str | None:
    return f"'{text}" if text and text.startswith(_FORMULA) else text


def _parquet(
    path: Path, columns: Sequence[str], rows: Iterable[Row], formats: dict[str, str]
) -> int:
    fields = []
    for name in columns:
        kind = formats.get(name, "text")
        fields.append((name, _PARQUET.get(kind, pa.string())))
    schema = pa.schema(fields)
    count = 0
    try:
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for batch in _batches(rows):
                arrays = [
                    _array([row.get(field.name) for row in batch], field.type) for field in schema
                ]
                writer.write_batch(pa.record_batch(arrays, schema=schema))
                count += len(batch)
    except (pa.ArrowException, ArithmeticError, ValueError) as exc:
        raise DataInvalid(
            f"{path}: a value does not fit its column: {' '.join(str(exc).split())[:200]}; "
            "write a .csv, which keeps texts as they are"
        ) from exc
    return count


def _array(texts: list[str | None], kind: pa.DataType) -> pa.Array:
    if kind == _DECIMAL:
        return pa.array([None if text is None else Decimal(text) for text in texts], kind)
    if kind == _INSTANT:
        return pa.array(
            [None if text is None else datetime.fromisoformat(text) for text in texts], kind
        )
    return pa.array(texts, kind)


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    source = iter(rows)
    while batch := list(islice(source, _BATCH)):
        yield batch
