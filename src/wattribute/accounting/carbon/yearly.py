"""Yearly values, which never fail: the shipped table, and factors from the settings."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from wattribute.accounting.carbon.intensity import Basis, CarbonBackend, Intensity
from wattribute.accounting.carbon.place import Place
from wattribute.accounting.carbon.tables import Figure, countries, figures, of_year
from wattribute.accounting.settings import AccountingSettings
from wattribute.core.errors import IntensityAbsent

_ALWAYS: Final = timedelta(days=36_500)


class YearlyTable:
    """The shipped table: a grid zone's yearly average or marginal intensity."""

    name = "table"
    live = False
    window = _ALWAYS

    def __init__(self, basis: Basis) -> None:
        """Of one basis; there is none for the market, which is a matter of contracts."""
        self.basis = basis

    def latest(self, place: Place) -> Intensity:
        """The figure of this year, or of the last before it that is known."""
        now = datetime.now(UTC)
        return self.between(place, now, now + timedelta(hours=1))[0]

    def between(self, place: Place, start: datetime, end: datetime) -> Sequence[Intensity]:
        """One value for each calendar year."""
        return [self._value(place, first, last) for first, last in _years(start, end)]

    def forecast(self, place: Place, hours: int) -> Sequence[Intensity]:
        """None: a yearly average says nothing of tomorrow."""
        raise IntensityAbsent(
            f"table: yearly averages have no forecast ({place.name}, {hours} h); name a "
            "source that has one in carbon.sources (electricity-maps, uk, watttime)"
        )

    def _value(self, place: Place, start: datetime, end: datetime) -> Intensity:
        figure, wider = self._figure(place, start.year)
        return Intensity(
            place.name,
            figure.value,
            self.basis,
            start,
            end,
            figure.source,
            figure.year,
            estimated=wider,
        )

    def _figure(self, place: Place, year: int) -> tuple[Figure, bool]:
        """The figure, and whether it is of the whole country where a zone in it was asked for."""
        values = figures().get((self.basis.value, place.zone))
        country = countries().get(place.country) if self.basis is Basis.LOCATION else None
        if country and (not values or (place.zone == place.country and not place.region)):
            return country.figure, place.zone != place.country
        if values:
            return of_year(values, year), False
        raise IntensityAbsent(
            f"table: no {self.basis.value} intensity of {place.zone}; name a source that has it "
            "in carbon.sources"
        )


class Market:
    """Contractual factors from the settings (``carbon.market``)."""

    name = "market"
    basis = Basis.MARKET
    live = False
    window = _ALWAYS

    def __init__(self, factors: Mapping[str, float], source: str) -> None:
        """``factors``: gCO2e/kWh by place, or by ``*``; ``source``: the words for their origin."""
        self._factors = factors
        self._source = source or "settings"

    def latest(self, place: Place) -> Intensity:
        """The factor, for this hour."""
        now = datetime.now(UTC)
        return self.between(place, now, now + timedelta(hours=1))[0]

    def between(self, place: Place, start: datetime, end: datetime) -> Sequence[Intensity]:
        """The factor, for all of it."""
        names = (place.name, place.region, place.zone, place.country, "*")
        value = next((self._factors[name] for name in names if name in self._factors), None)
        if value is None:
            raise IntensityAbsent(
                f"market: no factor for {place.name}; set carbon.market (place or * to g/kWh)"
            )
        return [Intensity(place.name, value, self.basis, start, end, self._source, start.year)]

    def forecast(self, place: Place, hours: int) -> Sequence[Intensity]:
        """The contract holds tomorrow too."""
        now = datetime.now(UTC)
        return self.between(place, now, now + timedelta(hours=hours))


def _years(start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    cuts = [start]
    while cuts[-1].year < end.year:
        following = datetime(cuts[-1].year + 1, 1, 1, tzinfo=UTC)
        if following >= end:
            break
        cuts.append(following)
    return list(zip(cuts, [*cuts[1:], end], strict=True))


def _open(_settings: AccountingSettings, basis: Basis) -> YearlyTable:
    return YearlyTable(basis)


BACKEND: Final = CarbonBackend("table", _open)
