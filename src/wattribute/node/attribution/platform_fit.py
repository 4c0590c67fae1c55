"""Fit the platform's power to that of its components: platform = intercept + slope x components.

The intercept is the power of fans, disks, boards and power supplies at any load. The part of
the slope above 1 is their power in proportion to load (conversion losses, fans). The fit is
reported, and changes no share. It uses the Theil-Sen estimator, the median of the slopes between
all pairs of windows. A quarter of wrong windows does not move it (a BMC that repeats an old
value, an interval with a missing part). Source: Sen, J. Am. Stat. Assoc. 63 (1968), 1379.
"""

from collections import deque
from typing import Final

import numpy as np

from wattribute.core.records import Interval, PlatformFit
from wattribute.core.units import MICROWATTS_PER_WATT, Microwatts, nanoseconds, power_of

_LEAST_NS: Final = nanoseconds(10)
"""Shorter windows are joined, because their ends do not match the parts' to the millisecond."""
_MOST_WINDOWS: Final = 256
"""Most windows in the fit: 43 minutes at 10 s, 4 hours at 60 s."""
_LEAST_WINDOWS: Final = 20
_LEAST_SPREAD_UW: Final = 5 * MICROWATTS_PER_WATT
"""Least distance between the 10th and the 90th percentile of the components' power: a load that
never changes shows no slope."""
_RENEW: Final = 8
"""New windows before the line is fitted again, which takes a millisecond."""
_NORMAL: Final = 1.4826
"""Standard deviation divided by median absolute deviation, for normal errors."""


class AffineFit:
    """Fits a line through the last windows of the platform meter."""

    def __init__(self) -> None:
        """Start without windows."""
        self._source = ""
        self._points: deque[tuple[int, int]] = deque(maxlen=_MOST_WINDOWS)
        self._platform_uj = self._parts_uj = self._elapsed_ns = 0
        self._new = 0
        self._fit: PlatformFit | None = None

    def add(self, platform: Interval, parts_uj: int) -> None:
        """Add one window of the platform meter, and the energy of its parts in the window.

        A window of another meter than before restarts the fit.
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
        """Return the fit; None if there are too few windows or the load changed too little."""
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
        far = np.abs(run_uw) >= (high_uw - low_uw) / 10  # slopes of close pairs are noise
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
