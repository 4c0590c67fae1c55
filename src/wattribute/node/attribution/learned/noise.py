"""The noise of one meter, by load and by filter."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.node.attribution.learned.curve import NOISE_LOADS
from wattribute.node.attribution.learned.filters import Forecast, Sight

Floats = NDArray[np.float64]

_FIRST: Final = 0.006**2
_LEAST: Final = 0.001**2
"""Variances, as parts of power squared."""
_MEAN_S: Final = 300.0
_CORRELATION_S: Final = 600.0
_MOST_CORRELATED: Final = 0.9
_OUTLIER: Final = 3.0
"""Errors beyond so many standard deviations count as if they were there (Huber, 1964)."""


class MeterNoise:
    """What each filter leaves unexplained; (members, loads) variances as parts of power squared.

    One noise for all loads would let the filter with the most spread explain that noise grows with
    the load by weights that walk: a machine of equal workloads was off by 4.9 % so, and by 0.2 %
    with a noise by load.
    """

    def __init__(self, members: int) -> None:
        """Start with noise of 0.6 % of power."""
        self.variance = np.full((members, NOISE_LOADS), _FIRST)
        self._together = np.zeros(members)
        self._squared = np.full(members, 1e-9)
        self._last = np.zeros(members)

    def at(self, row: Floats) -> Floats:
        """(members,) the variance at a load, as ``noise_row`` gives it."""
        return self.variance @ row

    def correlated(self) -> Floats:
        """(members,) by how much an error that follows the last one is worth less: >= 1.

        An autoregressive error of lag-1 correlation r has (1 - r)/(1 + r) of the information of
        independent ones.
        """
        rho = np.clip(self._together / self._squared, 0, _MOST_CORRELATED)
        factor: Floats = (1 + rho) / (1 - rho)
        return factor

    def learn(self, row: Floats, forecast: Forecast, sight: Sight, age_s: float) -> None:
        """Learn from the errors of one tick.

        While a filter is unsure itself, its error says little of the noise.

        Args:
            row: places of the load, as ``noise_row`` gives them.
            forecast: the filters' errors.
            sight: the tick.
            age_s: of the learner: at first the variance is a plain mean.
        """
        power_w, elapsed_s = sight.power_w, sight.elapsed_s
        errors, explained = forecast.errors, forecast.explained
        noise = self.at(row) * power_w * power_w
        all_variance = explained + noise
        rate = max(1 - np.exp(-elapsed_s / _MEAN_S), 1 / (3 + age_s / elapsed_s))
        clipped = np.minimum(errors * errors, _OUTLIER**2 * all_variance) - explained
        new = (np.maximum(clipped, -noise) - noise) * noise / all_variance
        step = (new / (power_w * power_w))[:, None] * (row * rate)
        self.variance = np.maximum(self.variance + step, _LEAST)
        scaled = errors / np.sqrt(all_variance)
        decay = np.exp(-elapsed_s / _CORRELATION_S)
        self._together = decay * self._together + (1 - decay) * scaled * self._last
        self._squared = decay * self._squared + (1 - decay) * scaled * scaled
        self._last = scaled

    @property
    def sound(self) -> bool:
        """Whether all variances are finite."""
        return bool(np.isfinite(self.variance).all())
