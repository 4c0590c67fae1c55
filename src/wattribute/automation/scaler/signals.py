"""What a decision looks at: carbon intensity now and ahead, watts. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_DAY_S: Final = 86_400.0
_LEAST_S: Final = 43_200.0
"""Less of the next day than this ranks nothing."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """Forecast of one stretch of time, Unix seconds."""

    start_s: float
    end_s: float
    g_per_kwh: float


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known now."""

    g_per_kwh: float | None = None
    """None: not known, and ``problem`` says why."""
    forecast: Sequence[Ahead] = ()
    """From now on, in order."""
    problem: str = ""
    watts_per_replica: float = 0.0
    """0: not known, and ``power_problem`` says why."""
    power_problem: str = ""


def rank_in_next_day(forecast: Sequence[Ahead], g_per_kwh: float, now_s: float) -> float | None:
    """Part of the next 24 h (0 to 1) that is cleaner than now; None: too little is known of them.

    A grid that is always the same has rank 0 at any time.
    """
    known = _within(forecast, now_s, now_s + _DAY_S)
    length_s = sum(seconds for seconds, _ in known)
    if length_s < _LEAST_S:
        return None
    return sum(seconds for seconds, grams in known if grams < g_per_kwh) / length_s


def cheapest_g_per_kwh(
    forecast: Sequence[Ahead], start_s: float, end_s: float, part: float
) -> float | None:
    """The intensity up to which hours must be used to use ``part`` (0 to 1) of this time.

    What the forecast does not reach is taken to be like what it does. None: it reaches nothing.
    """
    known = sorted(_within(forecast, start_s, end_s), key=lambda one: one[1])
    missing_s = part * sum(seconds for seconds, _ in known)
    for seconds, grams in known:
        missing_s -= seconds
        if missing_s <= 0:
            return grams
    return known[-1][1] if known else None


def _within(forecast: Sequence[Ahead], start_s: float, end_s: float) -> list[tuple[float, float]]:
    """(seconds, g/kWh) of what overlaps a time."""
    found = ((min(one.end_s, end_s) - max(one.start_s, start_s), one.g_per_kwh) for one in forecast)
    return [(seconds, grams) for seconds, grams in found if seconds > 0]
