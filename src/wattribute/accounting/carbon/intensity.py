"""Carbon intensities, the protocol of their sources, and the facts of a source."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, Protocol

from wattribute.accounting.carbon.place import Place
from wattribute.accounting.settings import AccountingSettings

HOUR: Final = timedelta(hours=1)


class Basis(Enum):
    """What an intensity counts. Values of two bases are never mixed or added."""

    LOCATION = "location"
    """The average of the grid that delivers the electricity (GHG Protocol, location-based)."""
    MARKET = "market"
    """The electricity that was bought by contract (GHG Protocol, market-based). It is never part of
    an SCI."""
    MARGINAL = "marginal"
    """The plant that would run more if a little more were drawn. Use it to shift load in time."""


@dataclass(frozen=True, slots=True)
class Intensity:
    """Grams of CO2-equivalent per kilowatt-hour over a time, and the source of that value."""

    place: str
    """The place as it was requested: ``DE``, ``US-NW-BPAT``, ``aws/eu-central-1``."""
    g_per_kwh: float
    basis: Basis
    start: datetime
    """Start of the time that the value is used for, in UTC; ``end`` is its end."""
    end: datetime
    source: str
    """The source of the value: ``electricity-maps``, ``ember``, ..."""
    year: int
    """The year of the data: its own for a yearly figure, otherwise the year of ``start``."""
    estimated: bool = False
    """Whether the source calls the value preliminary, or it was computed from incomplete data."""
    stale: bool = False
    """Whether the first source failed, so that this is an older value, or another source's."""
    forecast: bool = False


class IntensitySource(Protocol):
    """A source of carbon intensities. Its values are in order of time, and do not overlap."""

    name: str
    basis: Basis
    live: bool
    """Whether it is asked over a network. Its values are then cached, and the time limit of the
    settings applies."""
    window: timedelta
    """The longest time that one request may span."""

    def latest(self, place: Place) -> Intensity:
        """Return the newest value.

        Raises:
            IntensityAbsent: The source does not know the place.
            IntensityDenied: The source refuses the request.
            IntensityFailed: This request failed.
        """
        ...

    def between(self, place: Place, start: datetime, end: datetime) -> Sequence[Intensity]:
        """Return the values in ``[start, end)``, at most ``window`` long; there may be gaps.

        Raises:
            IntensityAbsent, IntensityDenied, IntensityFailed: As in ``latest``.
        """
        ...

    def forecast(self, place: Place, hours: int) -> Sequence[Intensity]:
        """Return values for the next hours, or as far as the forecast of the source reaches.

        Raises:
            IntensityAbsent: The source has no forecasts, or none for the place.
            IntensityDenied, IntensityFailed: As in ``latest``.
        """
        ...


@dataclass(frozen=True, slots=True)
class CarbonBackend:
    """The facts of a carbon source, and how it is opened."""

    name: str
    """As in ``carbon.sources`` and in reports."""
    open: Callable[[AccountingSettings, Basis], IntensitySource]
    """Open the source for a basis. Raises ConfigInvalid if the settings lack what it needs, and
    sends nothing."""
    basis: Basis | None = None
    """What the source counts. None: it gives values of the basis that is asked for."""
