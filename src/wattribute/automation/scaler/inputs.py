"""The two files of a simulation: intensities and arriving work."""

import csv
import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

from wattribute.accounting.carbon import Basis, find_place
from wattribute.accounting.carbon.csvfile import CsvFile
from wattribute.automation.scaler.signals import Ahead
from wattribute.automation.scaler.simulate import Arrivals
from wattribute.core.errors import DataInvalid, IntensityError

_COLUMNS: Final = ("start", "units")
_MOST_DAYS: Final = 400


def read_carbon(path: Path, region: str, span: tuple[float, float]) -> list[Ahead]:
    """Intensities from the first instant to two days after the last.

    Args:
        path: Columns ``start`` (with time zone) and ``g_per_kwh``, as the source ``csv`` reads.
        region: Rows of a column ``place`` count if they name it.
        span: Unix seconds.

    Raises:
        DataInvalid: it cannot be read, or has nothing of that time.
    """
    start, end = (datetime.fromtimestamp(one, UTC) for one in span)
    try:
        values = CsvFile(str(path), Basis.LOCATION).between(
            find_place(region), start, end + timedelta(days=2)
        )
    except IntensityError as exc:
        raise DataInvalid(str(exc)) from exc
    if not values:
        raise DataInvalid(
            f"{path}: has no row from {start:%Y-%m-%d %H:%M}Z to {end:%Y-%m-%d %H:%M}Z"
        )
    return [Ahead(one.start.timestamp(), one.end.timestamp(), one.g_per_kwh) for one in values]


def read_demand(path: Path) -> list[Arrivals]:
    """Work that arrived: columns ``start`` (with time zone) and ``units``, each row until the next.

    The last row is as long as the one before it.

    Raises:
        DataInvalid: it cannot be read, or a row is wrong.
    """
    rows: list[tuple[float, float]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            lacking = [name for name in _COLUMNS if name not in (table.fieldnames or ())]
            if lacking:
                raise DataInvalid(f"{path}: has no column {lacking[0]}; it needs start,units")
            for number, row in enumerate(table, start=2):
                rows.append(_row(path, number, row))
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not a CSV file in UTF-8"
        raise DataInvalid(f"{path}: cannot be read: {reason}") from exc
    if len(rows) < 2:
        raise DataInvalid(f"{path}: has {len(rows)} rows; two are the least")
    starts = [start for start, _ in rows]
    if any(after <= before for before, after in pairwise(starts)):
        raise DataInvalid(f"{path}: the rows are not in order of time")
    ends = [*starts[1:], 2 * starts[-1] - starts[-2]]
    if ends[-1] - starts[0] > _MOST_DAYS * 86_400:
        raise DataInvalid(f"{path}: spans more than {_MOST_DAYS} days; give a part of it")
    return [Arrivals(start, end, units) for (start, units), end in zip(rows, ends, strict=True)]


def _row(path: Path, number: int, row: dict[str, str]) -> tuple[float, float]:
    try:
        start, units = datetime.fromisoformat(row["start"]), float(row["units"])
    except (ValueError, TypeError):
        start, units = None, math.nan
    if start is None or start.tzinfo is None or not 0 <= units < 1e15:
        raise DataInvalid(
            f"{path}:{number}: is not a start with a time zone and units of 0 or more"
        )
    return start.timestamp(), units
