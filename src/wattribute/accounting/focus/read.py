"""A FOCUS file, in batches of text: CSV (also .gz) or Parquet. The one door to pyarrow here."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from wattribute.core.errors import DataInvalid

_BLOCK: Final = 8 * 1024 * 1024
_BATCH: Final = 65_536
_NULLS: Final = ("", "NULL", "null")
_INSTANT: Final = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows; every column as text."""

    first: int
    """Number of the first row, counted from 1 after the header."""
    columns: dict[str, pa.Array]
    rows: int


@dataclass(frozen=True, slots=True)
class Bill:
    """An open file."""

    names: tuple[str, ...]
    batches: Iterator[Batch]


def open_bill(path: Path) -> Bill:
    """Open a file; rows are read as they are asked for.

    Raises:
        DataInvalid: it is not there, or neither CSV nor Parquet, or damaged; also while reading.
    """
    try:
        with path.open("rb") as file:
            parquet = file.read(4) == b"PAR1"
    except OSError as exc:
        raise DataInvalid(f"{path}: cannot be read: {exc.strerror}") from exc
    try:
        if parquet:
            source = pq.ParquetFile(path)
            names = source.schema_arrow.names
            batches: Iterator[pa.RecordBatch] = source.iter_batches(_BATCH)
        else:
            reader = _csv(path)
            names, batches = reader.schema.names, iter(reader)
    except (pa.ArrowException, OSError, ValueError) as exc:
        raise _damaged(path, exc) from exc
    return Bill(tuple(names), _batches(path, batches))


def _csv(path: Path) -> pa_csv.CSVStreamingReader:
    header = pa_csv.open_csv(
        path,
        read_options=pa_csv.ReadOptions(block_size=_BLOCK),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
    ).schema.names
    return pa_csv.open_csv(
        path,
        read_options=pa_csv.ReadOptions(block_size=_BLOCK),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            null_values=list(_NULLS),
        ),
    )


def _batches(path: Path, batches: Iterator[pa.RecordBatch]) -> Iterator[Batch]:
    first = 1
    while True:
        try:
            batch = next(batches, None)
            if batch is None:
                return
            columns = {
                name: _text(column) for name, column in zip(batch.schema.names, batch, strict=True)
            }
        except (pa.ArrowException, OSError, ValueError) as exc:
            raise _damaged(path, exc) from exc
        yield Batch(first, columns, batch.num_rows)
        first += batch.num_rows


def _text(column: pa.Array) -> pa.Array:
    """A Parquet column in the words that a CSV would have."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        return pc.strftime(column.cast(pa.timestamp("s", "UTC"), safe=False), format=_INSTANT)
    if pa.types.is_nested(kind):  # a map or struct, for Tags and details: as JSON would have it
        import json  # noqa: PLC0415 - rare

        cells = column.to_pylist()
        if pa.types.is_map(kind):
            cells = [None if cell is None else dict(cell) for cell in cells]
        words = [None if cell is None else json.dumps(cell, default=str) for cell in cells]
        return pa.array(words, pa.string())
    texts = column.cast(pa.string())
    texts.validate(full=True)  # that it is UTF-8, before somebody reads it
    return texts


def _damaged(path: Path, exc: Exception) -> DataInvalid:
    reason = " ".join(str(exc).split())[:200]
    return DataInvalid(f"{path}: is neither a whole CSV in UTF-8 nor Parquet: {reason}")
