"""What an API answered -> values, each checked: an API that lies has failed, and is told so."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from wattribute.accounting.carbon.intensity import Basis, Intensity
from wattribute.accounting.carbon.place import Place
from wattribute.core.errors import IntensityFailed

_MOST: Final = 3000.0
"""gCO2e/kWh: an old lignite plant alone, marginal, is about 1,500; more is another unit."""


class AnswerReader:
    """Makes the values of one source and place."""

    def __init__(self, source: str, basis: Basis, place: Place, *, forecast: bool = False) -> None:
        """What all the values have in common."""
        self._source = source
        self._basis = basis
        self._place = place
        self._forecast = forecast

    def value(
        self, start: datetime, length: timedelta, grams: object, *, estimated: bool = False
    ) -> Intensity:
        """One value.

        Raises:
            IntensityFailed: no number, or one that no grid has.
        """
        number = isinstance(grams, int | float) and not isinstance(grams, bool)
        if not number or not math.isfinite(float(grams)) or not 0 <= float(grams) <= _MOST:  # type: ignore[arg-type]
            raise self.wrong(f"{grams!r} g/kWh at {start:%Y-%m-%dT%H:%M}Z is not possible")
        return Intensity(
            self._place.name,
            float(grams),  # type: ignore[arg-type]
            self._basis,
            start,
            start + length,
            self._source,
            start.year,
            estimated=estimated,
            forecast=self._forecast,
        )

    def rows(self, answer: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
        """The list of objects that is under a name.

        Raises:
            IntensityFailed: it is not there, or something else is.
        """
        rows = answer.get(name)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self.wrong(f"the answer has no list {name!r}")
        return rows

    def instant(self, text: object) -> datetime:
        """An RFC 3339 instant, in UTC.

        Raises:
            IntensityFailed: it is not one.
        """
        try:
            parsed = datetime.fromisoformat(str(text))
        except ValueError:
            raise self.wrong(f"{str(text)[:40]!r} is no time") from None
        if parsed.tzinfo is None:
            raise self.wrong(f"{str(text)[:40]!r} has no time zone")
        return parsed.astimezone(UTC)

    def within(
        self, values: Iterable[Intensity], start: datetime, end: datetime
    ) -> Sequence[Intensity]:
        """Those that overlap ``[start, end)``, in order; of two of one instant the later listed."""
        by_start = {item.start: item for item in values if item.end > start and item.start < end}
        ordered = [by_start[instant] for instant in sorted(by_start)]
        for item, following in pairwise(ordered):
            if item.end > following.start:
                raise self.wrong(f"two values overlap at {following.start:%Y-%m-%dT%H:%M}Z")
        return ordered

    def wrong(self, problem: str) -> IntensityFailed:
        """The error of an answer that cannot be true."""
        return IntensityFailed(f"{self._source}: {self._place.name}: {problem}")
