"""WattTime: the marginal plant's emissions, every 5 minutes, by balancing area.

API v3: ``/login`` (basic) gives a bearer token; ``/v3/historical`` and ``/v3/forecast`` with
``region`` and ``signal_type=co2_moer``; pounds per megawatt-hour (https://docs.watttime.org).
"""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from wattribute.accounting.carbon.answers import AnswerReader
from wattribute.accounting.carbon.http import Api
from wattribute.accounting.carbon.intensity import HOUR, Basis, CarbonBackend, Intensity
from wattribute.accounting.carbon.place import Place
from wattribute.accounting.settings import AccountingSettings
from wattribute.core.errors import ConfigInvalid, IntensityAbsent, IntensityDenied
from wattribute.core.settings.yaml import parse
from wattribute.core.units import KILOWATT_HOURS_PER_MEGAWATT_HOUR

_G_PER_LB: Final = 453.59237
_UNITS: Final = "lbs_co2_per_mwh"
_STEP: Final = timedelta(minutes=5)
_TOKEN_S: Final = 25 * 60
"""A token holds for 30 minutes."""


class WattTime:
    """The source ``watttime``."""

    name = "watttime"
    basis = Basis.MARGINAL
    live = True
    window = timedelta(days=32)  # of /v3/historical

    def __init__(self, url: str, credentials: str, timeout_s: float) -> None:
        """Nothing is sent yet."""
        self._api = Api(self.name, url, timeout_s)
        self._credentials = credentials
        self._token = ""
        self._until_s = 0.0

    def latest(self, place: Place) -> Intensity:
        """The first value of the forecast, which is the present."""
        now = datetime.now(UTC)
        values = self._get("forecast", place, {"horizon_hours": "0"})
        past = [item for item in values if item.start <= now]
        if not values or not past:
            raise self._reading(place).wrong("the answer has no value of now")
        return past[-1]

    def between(self, place: Place, start: datetime, end: datetime) -> Sequence[Intensity]:
        """Five-minute values of the past."""
        times = {"start": start.isoformat(), "end": end.isoformat()}
        return self._reading(place).within(self._get("historical", place, times), start, end)

    def forecast(self, place: Place, hours: int) -> Sequence[Intensity]:
        """Up to 72 hours."""
        now = datetime.now(UTC)
        values = self._get("forecast", place, {"horizon_hours": str(min(hours, 72))}, forecast=True)
        return self._reading(place).within(values, now, now + hours * HOUR)

    def _reading(self, place: Place, *, forecast: bool = False) -> AnswerReader:
        return AnswerReader(self.name, self.basis, place, forecast=forecast)

    def _get(
        self, resource: str, place: Place, more: Mapping[str, str], *, forecast: bool = False
    ) -> list[Intensity]:
        if not place.watttime_region:
            raise IntensityAbsent(f"watttime: no balancing area is known for {place.name}")
        query = {"region": place.watttime_region, "signal_type": "co2_moer", **more}
        try:
            answer = self._api.json(f"/v3/{resource}", query, self._bearer())
        except IntensityDenied:
            self._token = ""  # it may have been taken back: log in again at the next question
            raise
        reading = self._reading(place, forecast=forecast)
        meta = answer.get("meta")
        meta = meta if isinstance(meta, dict) else {}
        if meta.get("units") != _UNITS or meta.get("region") != place.watttime_region:
            raise reading.wrong(
                f"answered in {meta.get('units')!r} for {meta.get('region')!r}, not in {_UNITS} "
                f"for {place.watttime_region!r}"
            )
        values: list[Intensity] = []
        for row in reading.rows(answer, "data"):
            pounds = row.get("value")
            number = isinstance(pounds, int | float)
            grams = pounds * _G_PER_LB / KILOWATT_HOURS_PER_MEGAWATT_HOUR if number else pounds  # type: ignore[operator]
            values.append(reading.value(reading.instant(row.get("point_time")), _STEP, grams))
        return sorted(values, key=lambda item: item.start)

    def _bearer(self) -> dict[str, str]:
        if not self._token or time.monotonic() > self._until_s:
            token = self._api.json("/login", auth=self._login()).get("token")
            if not isinstance(token, str) or not token.isprintable() or not token.isascii():
                raise IntensityDenied("watttime: /login: gave no token")
            self._token, self._until_s = token, time.monotonic() + _TOKEN_S
        return {"Authorization": f"Bearer {self._token}"}

    def _login(self) -> tuple[str, str]:
        if not self._credentials:
            raise IntensityDenied(
                "watttime: needs an account; set carbon.watttime_credentials to a file with "
                "username and password"
            )
        try:
            login = parse(Path(self._credentials).read_text(encoding="utf-8"), self._credentials)
        except (OSError, UnicodeDecodeError, ConfigInvalid):
            raise IntensityDenied(
                f"watttime: {self._credentials}: cannot be read as YAML with username and password"
            ) from None  # the parser's text may hold the password
        username, password = login.get("username"), login.get("password")
        if not isinstance(username, str) or not isinstance(password, str):
            raise IntensityDenied(f"watttime: {self._credentials}: has no username and password")
        return username, password


def _open(settings: AccountingSettings, _basis: Basis) -> WattTime:
    carbon = settings.carbon
    return WattTime(carbon.watttime_url, carbon.watttime_credentials, carbon.timeout)


BACKEND: Final = CarbonBackend("watttime", _open, basis=WattTime.basis)
