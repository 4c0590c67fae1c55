"""Great Britain's Carbon Intensity API: half-hourly averages, no key, forecasts for 48 hours.

``/intensity``, ``/intensity/{from}/{to}`` (at most 14 days), ``/intensity/{from}/fw48h``
(https://carbon-intensity.github.io/api-definitions; CC BY 4.0). ``actual`` is null until a
half-hour is over; the forecast then stands in, as an estimate. Imports are counted, life cycle is
not.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from wattribute.accounting.carbon.answers import AnswerReader
from wattribute.accounting.carbon.http import Api
from wattribute.accounting.carbon.intensity import HOUR, Basis, CarbonBackend, Intensity
from wattribute.accounting.carbon.place import Place
from wattribute.accounting.settings import AccountingSettings
from wattribute.core.errors import IntensityAbsent

_HALF_HOUR: Final = timedelta(minutes=30)


class UkCarbonIntensity:
    """The source ``uk``."""

    name = "uk"
    basis = Basis.LOCATION
    live = True
    window = timedelta(days=13)  # the API allows 14

    def __init__(self, url: str, timeout_s: float) -> None:
        """Nothing is sent yet."""
        self._api = Api(self.name, url, timeout_s)

    def latest(self, place: Place) -> Intensity:
        """The half-hour that is now."""
        values = self._get("/intensity", place)
        if not values:
            raise AnswerReader(self.name, self.basis, place).wrong("the answer has no half-hour")
        return values[-1]

    def between(self, place: Place, start: datetime, end: datetime) -> Sequence[Intensity]:
        """Half-hours of the past."""
        # The API counts by the half-hour's end: the one that ends at `from` comes too.
        values = self._get(f"/intensity/{_instant(start)}/{_instant(end)}", place)
        return AnswerReader(self.name, self.basis, place).within(values, start, end)

    def forecast(self, place: Place, hours: int) -> Sequence[Intensity]:
        """Up to 48 hours."""
        now = datetime.now(UTC)
        values = self._get(f"/intensity/{_instant(now)}/fw48h", place, forecast=True)
        reading = AnswerReader(self.name, self.basis, place, forecast=True)
        return reading.within(values, now, now + hours * HOUR)

    def _get(self, path: str, place: Place, *, forecast: bool = False) -> list[Intensity]:
        if place.zone != "GB":
            raise IntensityAbsent(f"uk: knows Great Britain (GB) only, not {place.name}")
        reading = AnswerReader(self.name, self.basis, place, forecast=forecast)
        rows = reading.rows(self._api.json(path), "data")
        return [self._value(reading, row, forecast=forecast) for row in rows]

    def _value(
        self, reading: AnswerReader, row: Mapping[str, object], *, forecast: bool
    ) -> Intensity:
        start, end = reading.instant(row.get("from")), reading.instant(row.get("to"))
        if end - start != _HALF_HOUR:
            raise reading.wrong(f"{start:%Y-%m-%dT%H:%M}Z to {end:%H:%M}Z is no half-hour")
        amounts = row.get("intensity")
        amounts = amounts if isinstance(amounts, dict) else {}
        actual = None if forecast else amounts.get("actual")
        grams = amounts.get("forecast") if actual is None else actual
        return reading.value(start, _HALF_HOUR, grams, estimated=not forecast and actual is None)


def _instant(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def _open(settings: AccountingSettings, _basis: Basis) -> UkCarbonIntensity:
    return UkCarbonIntensity(settings.carbon.uk_url, settings.carbon.timeout)


BACKEND: Final = CarbonBackend("uk", _open, basis=UkCarbonIntensity.basis)
