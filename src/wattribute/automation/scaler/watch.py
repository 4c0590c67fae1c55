"""Carbon intensities of the places that policies name, kept fresh by one thread.

A source can stall for as long as its timeout; no decision waits for it.
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

if TYPE_CHECKING:
    from wattribute.accounting.carbon import Grid, Intensity

_LOG: Final = logging.getLogger(__name__)
_AHEAD_H: Final = 48
_YEARLY: Final = timedelta(days=2)
"""A value for longer than this is a table's mean."""
_FORGET_S: Final = 3600.0


@dataclass(slots=True)
class _Place:
    asked_s: float
    signals: Signals | None = None
    """None: not read yet."""
    read_s: float = 0.0
    forecast: bool = False
    """Somebody asked for one."""


class CarbonWatch:
    """``signals(place)`` answers at once; ``close`` ends its thread."""

    def __init__(
        self,
        grid: "Grid",
        *,
        refresh_s: float,
        stale_s: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Nothing is watched yet.

        Args:
            grid: Who is asked.
            refresh_s: Each place is read again after so long.
            stale_s: A value that its source no longer confirms counts for so long after its end.
            now: Unix time.
        """
        self._grid, self._refresh_s, self._stale_s, self._now = grid, refresh_s, stale_s, now
        self._places: dict[str, _Place] = {}
        self._change = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="carbon", daemon=True)
        self._thread.start()

    def signals(self, place: str, *, forecast: bool = False, wait_s: float = 0.0) -> Signals:
        """What is known of a place.

        Args:
            place: A known one.
            forecast: Wanted, too.
            wait_s: For a place that was never read, at most.
        """
        with self._change:
            known = self._places.setdefault(place, _Place(self._now()))
            known.asked_s = self._now()
            if known.signals is None or (forecast and not known.forecast):
                known.forecast = known.forecast or forecast
                known.read_s = 0.0
                self._change.notify_all()
                self._change.wait_for(lambda: known.read_s > 0 or self._closed, wait_s)
            if known.signals is None:
                return Signals(problem=f"carbon: {place}: no answer yet")
            # A source that stalls leaves old words behind: they are good for so long.
            if self._now() - known.read_s > self._stale_s + self._refresh_s and known.read_s:
                return Signals(problem=f"carbon: {place}: its source has not answered for long")
            return known.signals

    def values(self) -> dict[str, float]:
        """g/kWh by place, of those that are known."""
        with self._change:
            found = {name: one.signals for name, one in self._places.items()}
        return {
            name: one.g_per_kwh
            for name, one in found.items()
            if one is not None and one.g_per_kwh is not None
        }

    def close(self) -> None:
        """Let the thread go; a question on its way is not waited for."""
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
            found = self._read(name, forecast=forecast)
            with self._change:
                if name in self._places:
                    self._places[name].signals = found
                    self._places[name].read_s = self._now()
                self._change.notify_all()

    def _due(self) -> str | None:
        """A place to be read; those that nobody asks for any more are forgotten."""
        now_s = self._now()
        for name, one in list(self._places.items()):
            if now_s - one.asked_s > _FORGET_S:
                del self._places[name]
            elif now_s - one.read_s >= self._refresh_s:
                return name
        return None

    def _read(self, place: str, *, forecast: bool) -> Signals:
        try:
            latest = self._grid.latest(place)
            problem = self._too_old(latest)
        except WattributeError as exc:
            latest, problem = None, str(exc)
        except Exception as exc:  # noqa: BLE001 - a source's bug must not end the watch
            _LOG.exception("carbon: %s", place)
            latest, problem = None, f"carbon: {place}: {type(exc).__name__}"
        if latest is None or problem:
            _LOG.warning("%s; policies of %s fail open", problem, place)
            return Signals(problem=problem)
        ahead: tuple[Ahead, ...] = ()
        if forecast:
            try:
                ahead = tuple(map(_ahead, self._grid.forecast(place, _AHEAD_H)))
            except WattributeError as exc:
                problem = str(exc)
                _LOG.warning("%s; policies of %s that look ahead fail open", problem, place)
        return Signals(latest.g_per_kwh, ahead, problem)

    def _too_old(self, value: "Intensity") -> str:
        """Why a value does not count; "" if it does."""
        if not value.stale:
            return ""
        if value.end - value.start > _YEARLY:
            return f"carbon: {value.place}: only {value.source}'s yearly mean; its source is away"
        age_s = self._now() - value.end.timestamp()
        if age_s > self._stale_s:
            ended = datetime.fromtimestamp(value.end.timestamp(), UTC)
            return f"carbon: {value.place}: {value.source} has said nothing since {ended:%H:%M}Z"
        return ""


def _ahead(value: "Intensity") -> Ahead:
    return Ahead(value.start.timestamp(), value.end.timestamp(), value.g_per_kwh)
