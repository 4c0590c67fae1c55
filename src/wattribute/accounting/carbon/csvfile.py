"""Carbon intensities from a file of the user's own: an hourly export, a supplier's, a study's."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

from wattribute.accounting.carbon.answers import AnswerReader
from wattribute.accounting.carbon.intensity import HOUR, Basis, CarbonBackend, Intensity
from wattribute.accounting.carbon.place import Place
from wattribute.accounting.settings import AccountingSettings
from wattribute.core.errors import ConfigInvalid, IntensityAbsent, IntensityFailed

_COLUMNS: Final = ("start", "g_per_kwh")


class CsvFile:
    """The source ``csv``; its name in reports is that of the file. Read once."""

    name = "csv"
    live = False
    window = timedelta(days=36_500)

    def __init__(self, path: str, basis: Basis) -> None:
        """The values count as of that basis."""
        self.basis = basis
        self._path = path
        self._values: dict[str, list[Intensity]] = {}

    def latest(self, place: Place) -> Intensity:
        """The row that holds now."""
        now = datetime.now(UTC)
        matching = [item for item in self._all(place) if item.start <= now < item.end]
        if not matching:
            raise IntensityAbsent(f"csv: {self._path}: has no row of now for {place.name}")
        return matching[-1]

    def between(self, place: Place, start: datetime, end: datetime) -> Sequence[Intensity]:
        """The rows of that time."""
        return [item for item in self._all(place) if item.end > start and item.start < end]

    def forecast(self, place: Place, hours: int) -> Sequence[Intensity]:
        """The rows that are ahead of now."""
        now = datetime.now(UTC)
        matching = self.between(place, now, now + hours * HOUR)
        if not matching:
            raise IntensityAbsent(f"csv: {self._path}: has no row ahead of now for {place.name}")
        return matching

    def _all(self, place: Place) -> list[Intensity]:
        """The rows of a place: those that name it, its zone, or none; each until the next."""
        if place.name not in self._values:
            self._values[place.name] = self._read(place)
        return self._values[place.name]

    def _read(self, place: Place) -> list[Intensity]:
        reading = AnswerReader(f"csv:{Path(self._path).name}", self.basis, place)
        names = {place.name, place.zone, place.region, ""}
        rows: list[tuple[datetime, float]] = []
        try:
            with Path(self._path).open(encoding="utf-8-sig", newline="") as file:
                table = csv.DictReader(file)
                lacking = [name for name in _COLUMNS if name not in (table.fieldnames or ())]
                if lacking:
                    raise IntensityFailed(f"csv: {self._path}: has no column {lacking[0]}")
                for number, row in enumerate(table, start=2):
                    if (row.get("place") or "") in names:
                        rows.append(self._row(reading, number, row))
        except (OSError, UnicodeDecodeError, csv.Error) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "not a CSV file in UTF-8"
            raise IntensityFailed(f"csv: {self._path}: cannot be read: {reason}") from exc
        rows.sort()
        ends = [after[0] for _, after in pairwise(rows)]
        # The last row, and one before a gap, hold as long as the shortest step in the file.
        step = min((end - row[0] for row, end in zip(rows, ends, strict=False)), default=HOUR)
        if step <= timedelta(0):
            raise IntensityFailed(f"csv: {self._path}: two rows of {place.name} have one start")
        return [reading.value(start, step, grams) for start, grams in rows]

    def _row(
        self, reading: AnswerReader, number: int, row: dict[str, str]
    ) -> tuple[datetime, float]:
        try:
            return reading.instant(row["start"]), float(row["g_per_kwh"])
        except (ValueError, TypeError, IntensityFailed):
            raise IntensityFailed(
                f"csv: {self._path}:{number}: is not a start with a time zone and a number"
            ) from None


def _open(settings: AccountingSettings, basis: Basis) -> CsvFile:
    if not settings.carbon.csv:
        raise ConfigInvalid("carbon.sources: csv needs carbon.csv, the path of the file")
    return CsvFile(settings.carbon.csv, basis)


BACKEND: Final = CarbonBackend("csv", _open)
