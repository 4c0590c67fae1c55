"""Asks carbon sources in order. If one fails, the next replaces it, and the value says so."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from wattribute.accounting.carbon.cache import Cache, is_final
from wattribute.accounting.carbon.hours import by_hour, hours_of
from wattribute.accounting.carbon.intensity import HOUR, Basis, Intensity, IntensitySource
from wattribute.accounting.carbon.place import Place, find_place
from wattribute.accounting.carbon.pue import Facility
from wattribute.core.errors import IntensityAbsent, IntensityDenied, IntensityError, IntensityFailed

_LOG: Final = logging.getLogger(__name__)
_REST_S: Final = 60.0
"""How long a source that failed is not asked again. Callers poll, and waiting for it takes time."""
_REASK: Final = timedelta(hours=1)
"""When preliminary values, and hours that a source did not have, are requested again."""
_OLD: Final = timedelta(hours=3)
"""A newest value that ended longer ago is marked stale: the source answers with old data."""


def _now() -> datetime:
    return datetime.now(UTC)


class Grid:
    """Carbon intensities of one basis. It is safe to use from several threads."""

    def __init__(
        self,
        sources: Sequence[IntensitySource],
        facility: Facility,
        cache: Cache,
        *,
        refresh_s: float = 300.0,
        now: Callable[[], datetime] = _now,
    ) -> None:
        """Take sources, which are asked in this order.

        Args:
            sources: All of one basis; the first that knows a place answers for it.
            facility: What a data centre draws beside its machines.
            cache: Keeps the values of live sources.
            refresh_s: Seconds after which the newest value or a forecast is requested again.
            now: Returns the present.
        """
        self.basis: Basis = sources[0].basis
        self.facility = facility
        self._sources = tuple(sources)
        self._cache = cache
        self._refresh = timedelta(seconds=refresh_s)
        self._now = now
        self._resting: dict[tuple[str, ...], tuple[float, IntensityError]] = {}
        """By source, request and place: a token may be for one zone, or exclude forecasts."""

    def latest(self, place: str) -> Intensity:
        """Return the intensity now.

        It is ``stale`` if the first source that knows the place did not answer.

        Raises:
            IntensityAbsent: No source knows the place.
            IntensityFailed: The sources that know it do not answer, and nothing is cached.
        """
        where, now = find_place(place), self._now()
        stale, problems = False, list[IntensityError]()
        for source in self._sources:
            cached = (
                self._cached(source, where, now - timedelta(days=1), now) if source.live else []
            )
            if cached and now - cached[-1][1] < self._refresh:
                return _aged(replace(cached[-1][0], stale=stale), now)
            try:
                value = self._ask(source, ("latest", place), partial(_newest, source, where), now)[
                    0
                ]
            except IntensityError as exc:
                problems.append(exc)
                stale = stale or not isinstance(exc, IntensityAbsent)
                if cached and not isinstance(exc, IntensityAbsent):
                    return replace(cached[-1][0], stale=True)
                continue
            return _aged(replace(value, stale=stale), now)
        raise _none(problems)

    def hourly(
        self, place: str, start: datetime, end: datetime, *, whole: bool = True
    ) -> list[Intensity]:
        """Return one value for each hour that touches ``[start, end)``, in order.

        Args:
            place: The place.
            start: Start of the first hour.
            end: End of the last hour.
            whole: Whether a missing hour is an error; otherwise it is left out.

        Raises:
            IntensityAbsent: No source knows an hour.
            IntensityFailed: No source that answered knows an hour.
        """
        where = find_place(place)
        missing = list(hours_of(start, end))
        by_time: dict[datetime, Intensity] = {}
        stale, problems = False, list[IntensityError]()
        for source in self._sources:
            if not missing:
                break
            answered, problem = self._hours(source, where, missing)
            by_time.update(
                {hour: replace(item, stale=stale or item.stale) for hour, item in answered.items()}
            )
            if problem:
                problems.append(problem)
                stale = stale or not isinstance(problem, IntensityAbsent)
            missing = [hour for hour in missing if hour not in by_time]
        if missing and whole:
            raise _none(
                problems
                or [IntensityAbsent(f"carbon: {place}: nothing known of {missing[0]:%Y-%m-%dT%H}Z")]
            )
        return [by_time[hour] for hour in sorted(by_time)]

    def forecast(self, place: str, hours: int) -> list[Intensity]:
        """Return values from now on, in order, as far as the forecast of the source reaches.

        They are ``stale`` if the forecast is an older one.

        Raises:
            IntensityAbsent: No source has forecasts for the place.
            IntensityFailed: The sources that have do not answer, and no forecast is cached.
        """
        where, now = find_place(place), self._now()
        end = now + timedelta(hours=hours)
        problems: list[IntensityError] = []
        for source in self._sources:
            cached = self._cached(source, where, now, end, forecast=True) if source.live else []
            if cached and now - cached[0][1] < self._refresh and cached[-1][0].end >= end - HOUR:
                return [value for value, _ in cached]
            try:
                values = self._ask(
                    source, ("forecast", place), partial(source.forecast, where, hours), now
                )
            except IntensityError as exc:
                problems.append(exc)
                if cached and not isinstance(exc, IntensityAbsent):
                    return [replace(value, stale=True) for value, _ in cached]
                continue
            ahead = [item for item in values if item.end > now and item.start < end]
            if ahead:
                return ahead
        raise _none(
            problems or [IntensityFailed(f"carbon: {place}: the forecast has no hour ahead")]
        )

    def _hours(
        self, source: IntensitySource, place: Place, hours: Sequence[datetime]
    ) -> tuple[dict[datetime, Intensity], IntensityError | None]:
        """Return the values of one source by hour, cached ones first, and why some lack."""
        start, end, now = hours[0], hours[-1] + HOUR, self._now()
        if not source.live:
            try:
                return by_hour(source.between(place, start, end), hours), None
            except IntensityError as exc:
                if not isinstance(exc, IntensityAbsent):
                    _LOG.warning("carbon: %s", exc)
                return {}, exc
        cached = self._cached(source, place, start, end)
        sure = [value for value, at in cached if is_final(value, at) or now - at < _REASK]
        answered = by_hour(sure, hours)
        problem: IntensityError | None = None
        points = {value.start: value for value, _ in cached}
        for first, last in _spans([hour for hour in hours if hour not in answered], source.window):
            try:
                answer = self._ask(
                    source, ("past", place.name), partial(source.between, place, first, last), now
                )
            except IntensityError as exc:
                problem = exc
                break
            points.update({value.start: value for value in answer})
        everything = by_hour([points[start] for start in sorted(points)], hours)
        if problem and not isinstance(problem, IntensityAbsent):
            everything = {
                hour: item if hour in answered else replace(item, stale=True)
                for hour, item in everything.items()
            }
        return everything, problem

    def _ask(
        self,
        source: IntensitySource,
        cache_key: tuple[str, str],
        question: Callable[[], Sequence[Intensity]],
        now: datetime,
    ) -> Sequence[Intensity]:
        """Ask one source, unless it has just failed, and cache its values."""
        key = (source.name, *cache_key)
        rest = self._resting.get(key)
        if rest and time.monotonic() < rest[0]:
            raise rest[1]
        try:
            values = question()
        except (IntensityDenied, IntensityFailed) as exc:
            self._resting[key] = time.monotonic() + _REST_S, exc
            _LOG.warning("carbon: %s; not asked again for %d s", exc, _REST_S)
            raise
        if source.live:
            self._cache.keep(source.name, values, now)
        return values

    def _cached(
        self,
        source: IntensitySource,
        place: Place,
        start: datetime,
        end: datetime,
        *,
        forecast: bool = False,
    ) -> list[tuple[Intensity, datetime]]:
        key = source.name, place.name, source.basis
        return self._cache.values(key, start, end, forecast=forecast)


def _newest(source: IntensitySource, place: Place) -> Sequence[Intensity]:
    return [source.latest(place)]


def _aged(value: Intensity, now: datetime) -> Intensity:
    return replace(value, stale=True) if now - value.end > _OLD else value


def _spans(hours: Sequence[datetime], window: timedelta) -> list[tuple[datetime, datetime]]:
    """Return spans that cover these hours, each at most ``window`` long."""
    spans: list[tuple[datetime, datetime]] = []
    for hour in hours:
        if spans and hour + HOUR - spans[-1][0] <= window and hour - spans[-1][1] <= HOUR * 24:
            spans[-1] = spans[-1][0], hour + HOUR
        else:
            spans.append((hour, hour + HOUR))
    return spans


def _none(problems: Sequence[IntensityError]) -> IntensityError:
    """Return the most serious error of all sources, with all reasons."""
    reasons = "; ".join(dict.fromkeys(str(problem) for problem in problems))
    if all(isinstance(problem, IntensityAbsent) for problem in problems):
        return IntensityAbsent(reasons)
    return IntensityFailed(reasons)
