"""Values of any grain -> one value for each hour."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from wattribute.accounting.carbon.intensity import HOUR, Intensity

_LEAST = 0.5
"""Part of an hour that must be known, so that its mean stands for the hour."""


def hours_of(start: datetime, end: datetime) -> Iterator[datetime]:
    """The whole hours that touch ``[start, end)``."""
    hour = start.replace(minute=0, second=0, microsecond=0)
    while hour < end:
        yield hour
        hour += HOUR


def by_hour(values: Sequence[Intensity], hours: Iterable[datetime]) -> dict[datetime, Intensity]:
    """Each hour's mean over time, where at least half of the hour is known.

    Args:
        values: In order of time, of one place and basis, without overlaps.
        hours: Starts of hours, ascending.
    """
    by_time: dict[datetime, Intensity] = {}
    first = 0
    for hour in hours:
        end = hour + HOUR
        while first < len(values) and values[first].end <= hour:
            first += 1
        parts: list[tuple[float, Intensity]] = []
        at = first
        while at < len(values) and values[at].start < end:
            value = values[at]
            at += 1
            parts.append(((min(value.end, end) - max(value.start, hour)) / HOUR, value))
        covered = sum(part for part, _ in parts)
        if covered >= _LEAST:
            mean = sum(part * value.g_per_kwh for part, value in parts) / covered
            by_time[hour] = replace(
                parts[0][1],
                g_per_kwh=mean,
                start=hour,
                end=end,
                estimated=covered < 1 - 1e-9 or any(value.estimated for _, value in parts),
                stale=any(value.stale for _, value in parts),
            )
    return by_time
