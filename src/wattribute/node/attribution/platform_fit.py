"""How the platform's power follows its components': platform = intercept + slope x components.

The intercept is what fans, disks, boards and power supplies draw whatever the load is; the
slope above 1 is what they draw the more of it (conversion losses, fans). It is reported, and
changes no share. By Theil-Sen: the median of the slopes between all pairs of windows, which a
quarter of wrong windows cannot move (a BMC that repeats an old value, an interval with a missing
part). Source: Sen, J. Am. Stat. Assoc. 63 (1968), 1379.
"""

from collections import deque
from typing import Final

import numpy as np

from wattribute.core.records import Interval, PlatformFit
from wattribute.core.units import MICROWATTS_PER_WATT, Microwatts, nanoseconds, power_of

_LEAST_NS: Final = nanoseconds(10)
"""Shorter windows are joined: their ends are not the ends of the parts' to the millisecond."""
_MOST_WINDOWS: Final = 256
"""43 minutes at 10 s, 4 hours at 60 s."""
_LEAST_WINDOWS: Final = 20
_LEAST_SPREAD_UW: Final = 5 * MICROWATTS_PER_WATT
"""Between the 10th and the 90th percentile of the components' power; a load that never changes
says nothing of a slope."""
_RENEW: Final = 8
"""So many new windows are awaited before the line is drawn anew: it costs a millisecond."""
_NORMAL: Final = 1.4826
"""Standard deviation over median absolute deviation, of normal errors."""


class AffineFit:
    """Takes windows, gives the line through the last of them."""

    def __init__(self) -> None:
        """Nothing is known."""
        self._source = ""
        self._points: deque[tuple[int, int]] = deque(maxlen=_MOST_WINDOWS)
        self._platform_uj = self._parts_uj = self._elapsed_ns = 0
        self._new = 0
        self._fit: PlatformFit | None = None

    def add(self, platform: Interval, parts_uj: int) -> None:
        """Take one window of the platform meter, and its parts' energy in it.

        Another meter than before begins anew.
        """
        if platform.zone.source != self._source:
            self._source, self._fit = platform.zone.source, None
            self._points.clear()
            self._platform_uj = self._parts_uj = self._elapsed_ns = 0
        self._platform_uj += platform.energy_uj
        self._parts_uj += parts_uj
        self._elapsed_ns += platform.end_ns - platform.start_ns
        if self._elapsed_ns < _LEAST_NS:
            return
        self._points.append(
            (
                power_of(self._parts_uj, self._elapsed_ns),
                power_of(self._platform_uj, self._elapsed_ns),
            )
        )
        self._platform_uj = self._parts_uj = self._elapsed_ns = 0
        self._new += 1

    def result(self) -> PlatformFit | None:
        """The line; None: too few windows, or too little change in the load."""
        if self._new >= _RENEW or (self._fit is None and self._new):
            self._new = 0
            self._fit = self._line()
        return self._fit

    def _line(self) -> PlatformFit | None:
        if len(self._points) < _LEAST_WINDOWS:
            return None
        parts_uw, platform_uw = np.array(self._points, np.float64).T
        low_uw, high_uw = np.percentile(parts_uw, (10, 90))
        if high_uw - low_uw < _LEAST_SPREAD_UW:
            return None
        first, second = np.triu_indices(len(parts_uw), 1)
        run_uw = parts_uw[second] - parts_uw[first]
        far = np.abs(run_uw) >= (high_uw - low_uw) / 10  # slopes of near pairs are noise
        rise_uw = platform_uw[second] - platform_uw[first]
        slope = float(np.median(rise_uw[far] / run_uw[far]))
        rest_uw = platform_uw - slope * parts_uw
        intercept_uw = float(np.median(rest_uw))
        residual_uw = _NORMAL * float(np.median(np.abs(rest_uw - intercept_uw)))
        return PlatformFit(
            source=self._source,
            slope=slope,
            intercept_uw=Microwatts(round(intercept_uw)),
            residual_uw=Microwatts(round(residual_uw)),
            windows=len(parts_uw),
        )
