"""Read the two files of a simulation: intensities and arriving work."""

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
from wattribute.core.units import DAY_S

_COLUMNS: Final = ("start", "units")
_MOST_DAYS: Final = 400


def read_carbon(path: Path, region: str, span: tuple[float, float]) -> list[Ahead]:
    """Read intensities from the start of a time span to two days after its end.

    Args:
        path: File with columns ``start`` (with time zone) and ``g_per_kwh``, as of source ``csv``.
        region: If there is a column ``place``, only rows with this region count.
        span: Start and end in Unix seconds.

    Raises:
        DataInvalid: the file cannot be read, or has no row in that time.
    """
    start, end = (datetime.fromtimestamp(instant, UTC) for instant in span)
    try:
        values = CsvFile(str(path), Basis.LOCATION).between(
            find_place(region), start, end + timedelta(days=2)
        )
    except IntensityError as exc:
        raise DataInvalid(str(exc)) from exc
    if not values:
        raise DataInvalid(
            f"{path}: has no row from {start:%Y-%m-%d %H:%M}Z to {end:%Y-%m-%d %H:%M}Z; use a file"
            " with intensities of the time of the demand"
        )
    return [
        Ahead(instant.start.timestamp(), instant.end.timestamp(), instant.g_per_kwh)
        for instant in values
    ]


def read_demand(path: Path) -> list[Arrivals]:
    """Read arrived work from columns ``start`` (with time zone) and ``units``.

    Each row lasts until the next; the last row is as long as the one before it.

    Raises:
        DataInvalid: the file cannot be read, or a row is invalid.
    """
    rows: list[tuple[float, float]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            lacking = [name for name in _COLUMNS if name not in (table.fieldnames or ())]
            if lacking:
                raise DataInvalid(
                    f"{path}: has no column {lacking[0]}; the columns start and units are needed"
                )
            for number, row in enumerate(table, start=2):
                rows.append(_row(path, number, row))
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not a CSV file in UTF-8"
        raise DataInvalid(f"{path}: cannot be read: {reason}") from exc
    if len(rows) < 2:
        raise DataInvalid(f"{path}: has {len(rows)} rows; at least two are needed")
    starts = [start for start, _ in rows]
    if any(after <= before for before, after in pairwise(starts)):
        raise DataInvalid(f"{path}: the rows are not in order of time; sort them by start")
    ends = [*starts[1:], 2 * starts[-1] - starts[-2]]
    if ends[-1] - starts[0] > _MOST_DAYS * DAY_S:
        raise DataInvalid(f"{path}: spans more than {_MOST_DAYS} days; use a part of it")
    return [Arrivals(start, end, units) for (start, units), end in zip(rows, ends, strict=True)]


def _row(path: Path, number: int, row: dict[str, str]) -> tuple[float, float]:
    try:
        start, units = datetime.fromisoformat(row["start"]), float(row["units"])
    except (ValueError, TypeError):
        start, units = None, math.nan
    if start is None or start.tzinfo is None or not 0 <= units < 1e15:
        raise DataInvalid(
            f"{path}:{number}: a row must be a start with a time zone and units of 0 or more"
        )
    return start.timestamp(), units
