"""Keep the carbon intensities of the policies' places up to date in one thread.

A source can stall as long as its timeout allows; no decision waits for it.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from wattribute.automation.scaler.signals import Ahead, Signals
from wattribute.core.errors import WattributeError
from wattribute.core.units import HOUR_S

if TYPE_CHECKING:
    from wattribute.accounting.carbon import Grid, Intensity

_LOG: Final = logging.getLogger(__name__)
_AHEAD_H: Final = 48
_YEARLY: Final = timedelta(days=2)
"""A value for a longer period than this is a yearly mean from a table."""
_FORGET_S: Final = HOUR_S


@dataclass(slots=True)
class _Place:
    asked_s: float
    signals: Signals | None = None
    """Signals of the last read; None: not read yet."""
    read_s: float = 0.0
    forecast: bool = False
    """True if a policy needs a forecast."""


class CarbonWatch:
    """Reads intensities in a thread; ``signals(place)`` answers from memory at once."""

    def __init__(
        self,
        grid: "Grid",
        *,
        refresh_s: float,
        stale_s: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Start the thread, without places yet.

        Args:
            grid: The source of intensities.
            refresh_s: Seconds between two reads of a place.
            stale_s: Seconds for which a value stays valid after its end if its source is away.
            now: Clock in Unix seconds.
        """
        self._grid, self._refresh_s, self._stale_s, self._now = grid, refresh_s, stale_s, now
        self._places: dict[str, _Place] = {}
        self._change = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="carbon", daemon=True)
        self._thread.start()

    def signals(self, place: str, *, forecast: bool = False, wait_s: float = 0.0) -> Signals:
        """Return the signals of a place.

        Args:
            place: A known place.
            forecast: Whether a forecast is needed too.
            wait_s: Longest wait for a place that was never read.
        """
        with self._change:
            entry = self._places.setdefault(place, _Place(self._now()))
            entry.asked_s = self._now()
            if entry.signals is None or (forecast and not entry.forecast):
                entry.forecast = entry.forecast or forecast
                entry.read_s = 0.0
                self._change.notify_all()
                self._change.wait_for(lambda: entry.read_s > 0 or self._closed, wait_s)
            if entry.signals is None:
                return Signals(problem=f"carbon: {place}: no answer yet")
            # A source that stalls leaves an old value behind, which is valid for this long.
            if self._now() - entry.read_s > self._stale_s + self._refresh_s and entry.read_s:
                return Signals(
                    problem=f"carbon: {place}: the source has not answered for a long time"
                )
            return entry.signals

    def values(self) -> dict[str, float]:
        """Return the known intensities in g/kWh by place."""
        with self._change:
            latest = {name: entry.signals for name, entry in self._places.items()}
        return {
            name: entry.g_per_kwh
            for name, entry in latest.items()
            if entry is not None and entry.g_per_kwh is not None
        }

    def close(self) -> None:
        """Stop the thread, without waiting for a request that is under way."""
        with self._change:
            self._closed = True
            self._change.notify_all()

    def _work(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._closed or self._due() is not None, 1.0)
                if self._closed:
                    return
                name = self._due()
                if name is None:
                    continue
                forecast = self._places[name].forecast
            signals = self._read(name, forecast=forecast)
            with self._change:
                if name in self._places:
                    self._places[name].signals = signals
                    self._places[name].read_s = self._now()
                self._change.notify_all()

    def _due(self) -> str | None:
        """Return a place that is due for a read; forget places that no policy uses any more."""
        now_s = self._now()
        for name, entry in list(self._places.items()):
            if now_s - entry.asked_s > _FORGET_S:
                del self._places[name]
            elif now_s - entry.read_s >= self._refresh_s:
                return name
        return None

    def _read(self, place: str, *, forecast: bool) -> Signals:
        try:
            latest = self._grid.latest(place)
            problem = self._too_old(latest)
        except WattributeError as exc:
            latest, problem = None, str(exc)
        except Exception as exc:  # noqa: BLE001 - a source's bug must not end the watch
            _LOG.exception("carbon: %s: the source failed unexpectedly", place)
            latest, problem = None, f"carbon: {place}: {type(exc).__name__}"
        if latest is None or problem:
            _LOG.warning("%s; policies for %s fail open", problem, place)
            return Signals(problem=problem)
        ahead: tuple[Ahead, ...] = ()
        if forecast:
            try:
                ahead = tuple(map(_ahead, self._grid.forecast(place, _AHEAD_H)))
            except WattributeError as exc:
                problem = str(exc)
                _LOG.warning("%s; policies for %s that need a forecast fail open", problem, place)
        return Signals(latest.g_per_kwh, ahead, problem)

    def _too_old(self, value: "Intensity") -> str:
        """Return why a value is not valid any more; "" if it is valid."""
        if not value.stale:
            return ""
        if value.end - value.start > _YEARLY:
            return f"carbon: {value.place}: the source is away; {value.source} is a yearly mean"
        age_s = self._now() - value.end.timestamp()
        if age_s > self._stale_s:
            ended = datetime.fromtimestamp(value.end.timestamp(), UTC)
            return f"carbon: {value.place}: {value.source} has no value since {ended:%H:%M}Z"
        return ""


def _ahead(value: "Intensity") -> Ahead:
    return Ahead(value.start.timestamp(), value.end.timestamp(), value.g_per_kwh)
