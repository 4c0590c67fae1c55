"""The inputs of a decision: carbon intensity, its forecast, and watts per replica."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wattribute.core.units import DAY_S

_LEAST_S: Final = 43_200.0
"""Least part of the next day that a forecast must cover for a rank."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """The forecast for a period, in Unix seconds."""

    start_s: float
    end_s: float
    g_per_kwh: float


@dataclass(frozen=True, slots=True)
class Signals:
    """The signals that are known now."""

    g_per_kwh: float | None = None
    """Present intensity; None: not known, and ``problem`` has the reason."""
    forecast: Sequence[Ahead] = ()
    """Forecast from now on, in order of time."""
    problem: str = ""
    watts_per_replica: float = 0.0
    """Watts of one replica; 0: not known, and ``power_problem`` has the reason."""
    power_problem: str = ""


def rank_in_next_day(forecast: Sequence[Ahead], g_per_kwh: float, now_s: float) -> float | None:
    """Return the part of the next 24 h (0 to 1) that is cleaner than now.

    None if the forecast covers too little of them. A grid with a constant intensity always has
    rank 0.
    """
    periods = _within(forecast, now_s, now_s + DAY_S)
    length_s = sum(seconds for seconds, _ in periods)
    if length_s < _LEAST_S:
        return None
    return sum(seconds for seconds, grams in periods if grams < g_per_kwh) / length_s


def cheapest_g_per_kwh(
    forecast: Sequence[Ahead], start_s: float, end_s: float, part: float
) -> float | None:
    """Return the intensity up to which hours must be used to use ``part`` (0 to 1) of this time.

    Time without a forecast is assumed to be like time with one. None if there is no forecast.
    """
    periods = sorted(_within(forecast, start_s, end_s), key=lambda period: period[1])
    missing_s = part * sum(seconds for seconds, _ in periods)
    for seconds, grams in periods:
        missing_s -= seconds
        if missing_s <= 0:
            return grams
    return periods[-1][1] if periods else None


def _within(forecast: Sequence[Ahead], start_s: float, end_s: float) -> list[tuple[float, float]]:
    """Return (seconds, g/kWh) of every overlap of the forecast with a time span."""
    overlaps = (
        (min(period.end_s, end_s) - max(period.start_s, start_s), period.g_per_kwh)
        for period in forecast
    )
    return [(seconds, grams) for seconds, grams in overlaps if seconds > 0]
