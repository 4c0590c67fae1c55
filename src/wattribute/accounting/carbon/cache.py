"""What live sources said, kept on disk: one SQLite file that many processes may use at once.

It is a cache: one that cannot be read or written costs requests, never a value, and is told once.
"""

import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

from wattribute.accounting.carbon.intensity import Basis, Intensity

_T = TypeVar("_T")
_LOG: Final = logging.getLogger(__name__)
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS intensity (
  source TEXT, place TEXT, basis TEXT, forecast INTEGER, start_s INTEGER, end_s INTEGER,
  g_per_kwh REAL, estimated INTEGER, label TEXT, fetched_s INTEGER,
  PRIMARY KEY (source, place, basis, forecast, start_s)
) WITHOUT ROWID
"""
_FINAL_AFTER: Final = timedelta(days=7)
"""An estimated value is revised within days; one fetched later than that is taken as final."""


class Cache:
    """Values by source, place and time."""

    def __init__(self, path: Path | None) -> None:
        """``path``: a folder; None keeps nothing."""
        self._file = path / "intensity.sqlite" if path else None

    def values(
        self, key: tuple[str, str, Basis], start: datetime, end: datetime, *, forecast: bool = False
    ) -> list[tuple[Intensity, datetime]]:
        """What overlaps ``[start, end)``, in order, each with when it was fetched."""
        source, place, basis = key
        rows = self._in_book(
            lambda book: book.execute(
                "SELECT start_s, end_s, g_per_kwh, estimated, label, fetched_s FROM intensity "
                "WHERE source = ? AND place = ? AND basis = ? AND forecast = ? "
                "AND end_s > ? AND start_s < ? ORDER BY start_s",
                (source, place, basis.value, forecast, _unix(start), _unix(end)),
            ).fetchall()
        )
        return [
            (_intensity(place, basis, row, forecast=forecast), _utc(row[5])) for row in rows or ()
        ]

    def keep(self, source: str, values: Sequence[Intensity], now: datetime) -> None:
        """Keep what a source said; a forecast takes the place of the forecasts before it."""
        if values:
            self._in_book(lambda book: _write(book, source, values, now))

    def _in_book(self, work: Callable[[sqlite3.Connection], _T]) -> _T | None:
        """Do it in one transaction. None without a file; what goes wrong is told, and is over."""
        if self._file is None:
            return None
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with closing(sqlite3.connect(self._file, timeout=5)) as book, book:
                book.execute(_SCHEMA)
                return work(book)
        except (OSError, sqlite3.Error) as exc:
            self._give_up(exc)
            return None

    def _give_up(self, exc: Exception) -> None:
        _LOG.warning(
            "carbon: %s: cannot be used as a cache (%s); going on without; delete the file, "
            "or set carbon.cache",
            self._file,
            exc,
        )
        self._file = None


def _write(
    book: sqlite3.Connection, source: str, values: Sequence[Intensity], now: datetime
) -> None:
    first = values[0]
    if first.forecast:
        book.execute(
            "DELETE FROM intensity WHERE source = ? AND place = ? AND basis = ? AND forecast = 1",
            (source, first.place, first.basis.value),
        )
    book.executemany(
        "INSERT OR REPLACE INTO intensity VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                source,
                item.place,
                item.basis.value,
                item.forecast,
                _unix(item.start),
                _unix(item.end),
                item.g_per_kwh,
                item.estimated,
                item.source,
                _unix(now),
            )
            for item in values
        ],
    )


def is_final(value: Intensity, fetched: datetime) -> bool:
    """Whether it need not be asked for again."""
    return not value.estimated or fetched - value.end > _FINAL_AFTER


def _intensity(
    place: str, basis: Basis, row: tuple[int, int, float, int, str, int], *, forecast: bool
) -> Intensity:
    start = _utc(row[0])
    return Intensity(
        place,
        row[2],
        basis,
        start,
        _utc(row[1]),
        row[4],
        start.year,
        estimated=bool(row[3]),
        forecast=forecast,
    )


def _unix(instant: datetime) -> int:
    return int(instant.timestamp())


def _utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
