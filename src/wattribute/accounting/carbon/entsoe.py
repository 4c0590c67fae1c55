"""ENTSO-E's transparency platform: what was generated in Europe, by type -> grams by the mix.

``documentType=A75&processType=A16`` (actual generation per type) with ``in_Domain``,
``periodStart``, ``periodEnd`` and ``securityToken``; XML (GL_MarketDocument). Of production only:
imports are not counted, so every value is marked estimated. At most a year per question.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from wattribute.accounting.carbon.answers import AnswerReader
from wattribute.accounting.carbon.fuels import G_PER_KWH, STORAGE
from wattribute.accounting.carbon.http import Api, secret
from wattribute.accounting.carbon.intensity import Basis, CarbonBackend, Intensity
from wattribute.accounting.carbon.place import Place
from wattribute.accounting.settings import AccountingSettings
from wattribute.core.errors import IntensityAbsent, IntensityFailed

_RESOLUTIONS: Final = {
    "PT15M": timedelta(minutes=15),
    "PT30M": timedelta(minutes=30),
    "PT60M": timedelta(hours=1),
}
_LEAST_KNOWN: Final = 0.8
"""Part of the generation whose type must have a factor; with less the mean says nothing."""
_NO_DATA: Final = "999"
"""Reason code of an acknowledgement: nothing matches."""

DOMAINS: Final = {
    "AT": "10YAT-APG------L",
    "BE": "10YBE----------2",
    "BG": "10YCA-BULGARIA-R",
    "CH": "10YCH-SWISSGRIDZ",
    "CZ": "10YCZ-CEPS-----N",
    "DE": "10Y1001A1001A83F",
    "DK-DK1": "10YDK-1--------W",
    "DK-DK2": "10YDK-2--------M",
    "EE": "10Y1001A1001A39I",
    "ES": "10YES-REE------0",
    "FI": "10YFI-1--------U",
    "FR": "10YFR-RTE------C",
    "GR": "10YGR-HTSO-----Y",
    "HR": "10YHR-HEP------M",
    "HU": "10YHU-MAVIR----U",
    "IE": "10Y1001A1001A59C",
    "IT": "10YIT-GRTN-----B",
    "LT": "10YLT-1001A0008Q",
    "LV": "10YLV-1001A00074",
    "NL": "10YNL----------L",
    "NO": "10YNO-0--------C",
    "PL": "10YPL-AREA-----S",
    "PT": "10YPT-REN------W",
    "RO": "10YRO-TEL------P",
    "SE": "10YSE-1--------K",
    "SI": "10YSI-ELES-----O",
    "SK": "10YSK-SEPS-----K",
}
"""Grid zone to energy identification code (EIC); a test checks their check characters."""


class Entsoe:
    """The source ``entsoe``."""

    name = "entsoe"
    basis = Basis.LOCATION
    live = True
    window = timedelta(days=31)  # the API allows a year; a month is 3 MB of XML

    def __init__(self, url: str, token_file: str, timeout_s: float) -> None:
        """Nothing is sent yet."""
        self._api = Api(self.name, url, timeout_s)
        self._token_file = token_file

    def latest(self, place: Place) -> Intensity:
        """The newest hour that was published; usually one or two hours ago."""
        now = datetime.now(UTC)
        values = self.between(place, now - timedelta(hours=6), now)
        if not values:
            raise IntensityFailed(f"entsoe: {place.name}: nothing published in the last 6 hours")
        return values[-1]

    def between(self, place: Place, start: datetime, end: datetime) -> Sequence[Intensity]:
        """Values of 15, 30 or 60 minutes, as the zone publishes them."""
        domain = DOMAINS.get(place.zone) or DOMAINS.get(place.country)
        if not domain:
            raise IntensityAbsent(f"entsoe: publishes no generation of {place.name}")
        query = {
            "documentType": "A75",
            "processType": "A16",
            "in_Domain": domain,
            "periodStart": f"{start.astimezone(UTC):%Y%m%d%H%M}",
            "periodEnd": f"{end.astimezone(UTC):%Y%m%d%H%M}",
            "securityToken": secret(self.name, self._token_file, "carbon.entsoe_token_file"),
        }
        reading = AnswerReader(self.name, self.basis, place)
        mix = _Mix(reading)
        for psr, instant, length, megawatts in _generation(self._api.get("", query), reading):
            mix.add(psr, instant, length, megawatts)
        return reading.within(mix.values(), start, end)

    def forecast(self, place: Place, hours: int) -> Sequence[Intensity]:
        """None: the platform forecasts totals, wind and sun, not the mix."""
        raise IntensityAbsent(f"entsoe: has no forecast of the mix ({place.name}, {hours} h)")


class _Mix:
    """Generation by instant, summed up."""

    def __init__(self, reading: AnswerReader) -> None:
        self._reading = reading
        self._known: dict[datetime, tuple[timedelta, float, float, float]] = {}

    def add(self, psr: str, start: datetime, length: timedelta, megawatts: float) -> None:
        """One type at one instant."""
        if psr in STORAGE:
            return
        _, total, known_mw, grams = self._known.get(start, (length, 0.0, 0.0, 0.0))
        factor = G_PER_KWH.get(psr)
        if factor is not None:
            known_mw, grams = known_mw + megawatts, grams + megawatts * factor
        self._known[start] = length, total + megawatts, known_mw, grams

    def values(self) -> Iterator[Intensity]:
        """The mean of each instant at which enough of the mix has a factor."""
        for start, (length, total, known_mw, grams) in self._known.items():
            if known_mw > 0 and known_mw >= _LEAST_KNOWN * total:
                yield self._reading.value(start, length, grams / known_mw, estimated=True)


def _generation(
    body: bytes, reading: AnswerReader
) -> Iterator[tuple[str, datetime, timedelta, float]]:
    """(production type, start, length, megawatts) of everything in a document."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise reading.wrong("the answer declares entities, which no such document does")
    try:
        root = ET.fromstring(body)  # noqa: S314 - without a DTD nothing can be expanded
    except ET.ParseError:
        raise reading.wrong("the answer is not XML") from None
    kind = root.tag.rpartition("}")[2]
    if kind == "Acknowledgement_MarketDocument":
        code = root.findtext("{*}Reason/{*}code", "")
        if code == _NO_DATA:
            raise IntensityAbsent("entsoe: has no generation of that place and time")
        raise reading.wrong(f"the question was refused, reason {code!r}")
    if kind != "GL_MarketDocument":
        raise reading.wrong(f"the answer is a {kind[:40]!r}")
    for series in root.findall("{*}TimeSeries"):
        if series.find("{*}outBiddingZone_Domain.mRID") is not None:
            continue  # what storage took in
        psr = series.findtext("{*}MktPSRType/{*}psrType", "")
        for period in series.findall("{*}Period"):
            yield from ((psr, *point) for point in _points(period, reading))


def _points(
    period: ET.Element, reading: AnswerReader
) -> Iterator[tuple[datetime, timedelta, float]]:
    """The points of a period; one that is left out repeats the one before it (curve type A03)."""
    start = reading.instant(period.findtext("{*}timeInterval/{*}start"))
    end = reading.instant(period.findtext("{*}timeInterval/{*}end"))
    length = _RESOLUTIONS.get(period.findtext("{*}resolution", ""))
    if length is None or not start < end <= start + timedelta(days=366):
        raise reading.wrong("a period has no such length or resolution as generation has")
    try:
        quantities = {
            int(point.findtext("{*}position", "")): float(point.findtext("{*}quantity", ""))
            for point in period.findall("{*}Point")
        }
    except ValueError:
        raise reading.wrong("a point is no number") from None
    megawatts: float | None = None
    for position in range(1, (end - start) // length + 1):
        megawatts = quantities.get(position, megawatts)
        if megawatts is not None:
            if not 0 <= megawatts < 1e7:
                raise reading.wrong(f"{megawatts!r} MW are not possible")
            yield start + (position - 1) * length, length, megawatts


def _open(settings: AccountingSettings, _basis: Basis) -> Entsoe:
    carbon = settings.carbon
    return Entsoe(carbon.entsoe_url, carbon.entsoe_token_file, carbon.timeout)


BACKEND: Final = CarbonBackend("entsoe", _open, basis=Entsoe.basis)
