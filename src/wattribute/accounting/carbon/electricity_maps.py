"""Electricity Maps: hourly averages by grid zone, of what is consumed (with imports), life cycle.

API v3: ``/carbon-intensity/{latest,past-range,forecast}?zone=``, header ``auth-token``
(https://portal.electricitymaps.com/docs/api). A free token is for one zone.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from wattribute.accounting.carbon.answers import AnswerReader
from wattribute.accounting.carbon.http import Api, secret
from wattribute.accounting.carbon.intensity import HOUR, Basis, CarbonBackend, Intensity
from wattribute.accounting.carbon.place import Place
from wattribute.accounting.settings import AccountingSettings

_PATH: Final = "/carbon-intensity"


class ElectricityMaps:
    """The source ``electricity-maps``."""

    name = "electricity-maps"
    basis = Basis.LOCATION
    live = True
    window = timedelta(days=10)  # of past-range, for hours

    def __init__(self, url: str, token_file: str, timeout_s: float) -> None:
        """Nothing is sent yet."""
        self._api = Api(self.name, url, timeout_s)
        self._token_file = token_file

    def latest(self, place: Place) -> Intensity:
        """The hour that is now, usually estimated."""
        return self._value(
            AnswerReader(self.name, self.basis, place), self._get("latest", place, {})
        )

    def between(self, place: Place, start: datetime, end: datetime) -> Sequence[Intensity]:
        """Hours of the past."""
        times = {"start": start.isoformat(), "end": end.isoformat()}
        reading = AnswerReader(self.name, self.basis, place)
        rows = reading.rows(self._get("past-range", place, times), "data")
        return reading.within((self._value(reading, row) for row in rows), start, end)

    def forecast(self, place: Place, hours: int) -> Sequence[Intensity]:
        """The next 24 hours; up to 72 are asked for, and what the token allows is given."""
        horizon = next((step for step in (6, 24, 48) if hours <= step), 72)
        reading = AnswerReader(self.name, self.basis, place, forecast=True)
        answer = self._get("forecast", place, {"horizonHours": str(horizon)})
        now = datetime.now(UTC)
        values = (self._value(reading, row) for row in reading.rows(answer, "forecast"))
        return reading.within(values, now, now + hours * HOUR)

    def _get(self, resource: str, place: Place, more: Mapping[str, str]) -> Mapping[str, object]:
        token = secret(self.name, self._token_file, "carbon.electricity_maps_token_file")
        answer = self._api.json(
            f"{_PATH}/{resource}", {"zone": place.zone, **more}, {"auth-token": token}
        )
        answered_zone = answer.get("zone", place.zone)
        if answered_zone != place.zone:
            raise AnswerReader(self.name, self.basis, place).wrong(
                f"answered for the zone {answered_zone!r}"
            )
        return answer

    def _value(self, reading: AnswerReader, row: Mapping[str, object]) -> Intensity:
        return reading.value(
            reading.instant(row.get("datetime")),
            HOUR,
            row.get("carbonIntensity"),
            estimated=row.get("isEstimated") is True,
        )


def _open(settings: AccountingSettings, _basis: Basis) -> ElectricityMaps:
    carbon = settings.carbon
    return ElectricityMaps(
        carbon.electricity_maps_url, carbon.electricity_maps_token_file, carbon.timeout
    )


BACKEND: Final = CarbonBackend("electricity-maps", _open, basis=ElectricityMaps.basis)
