"""The value that every source gives, and the protocol of the sources."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, Protocol

from wattribute.accounting.carbon.place import Place
from wattribute.accounting.settings import AccountingSettings

HOUR: Final = timedelta(hours=1)


class Basis(Enum):
    """What is counted; values of two bases are never mixed or added."""

    LOCATION = "location"
    """Average of the grid from which the electricity comes (GHG Protocol, location-based)."""
    MARKET = "market"
    """What was bought by contract (GHG Protocol, market-based); never part of an SCI."""
    MARGINAL = "marginal"
    """Of the plant that would run more if a little more were drawn: for shifting load in time."""


@dataclass(frozen=True, slots=True)
class Intensity:
    """Grams of CO2-equivalent per kilowatt-hour over a time, and whose word that is."""

    place: str
    """As it was asked for: ``DE``, ``US-NW-BPAT``, ``aws/eu-central-1``."""
    g_per_kwh: float
    basis: Basis
    start: datetime
    """With ``end``: the time that the value is used for, in UTC."""
    end: datetime
    source: str
    """``electricity-maps``, ``ember``, ...: who says so."""
    year: int
    """The year of the data: a yearly figure's own, else that of ``start``."""
    estimated: bool = False
    """The source says that it is not final, or it was made from a part of what is needed."""
    stale: bool = False
    """The source that was meant did not answer: an older value of it, or one of the next."""
    forecast: bool = False


class IntensitySource(Protocol):
    """Someone who knows carbon intensities. Values come in order of time, without overlaps."""

    name: str
    basis: Basis
    live: bool
    """Over a network: cached, and waited for no longer than the settings say."""
    window: timedelta
    """The longest time that one question may span."""

    def latest(self, place: Place) -> Intensity:
        """The newest value.

        Raises:
            IntensityAbsent: the source does not know the place.
            IntensityDenied: it refuses us.
            IntensityFailed: this request failed.
        """
        ...

    def between(self, place: Place, start: datetime, end: datetime) -> Sequence[Intensity]:
        """What is known of ``[start, end)``, at most ``window`` long; with gaps where it is not.

        Raises:
            IntensityAbsent, IntensityDenied, IntensityFailed: as ``latest``.
        """
        ...

    def forecast(self, place: Place, hours: int) -> Sequence[Intensity]:
        """From now on for so many hours, or as far as the source goes.

        Raises:
            IntensityAbsent: no forecasts from this source, or none for the place.
            IntensityDenied, IntensityFailed: as ``latest``.
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
