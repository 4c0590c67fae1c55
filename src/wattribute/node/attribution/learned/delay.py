"""How late a meter is: a BMC's reading is about the past, and is a mean over some of it."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_DELAYS: Final = np.arange(13)
"""In readings."""
_WIDTHS: Final = (1, 2, 3, 5)
_LONGEST: Final = int(_DELAYS[-1]) + _WIDTHS[-1]
_FIRST_LOOK: Final = 60
_LOOK_EVERY: Final = 20
_DECAY: Final = 0.998
_BETTER: Final = 0.05
_LEAST: Final = 0.3
"""A correlation below this says nothing."""


class MeterDelay:
    """Pairs the use of then with the reading of now.

    The delay and the width are those at which differences of total use correlate best with
    differences of power. Differences, because levels that move slowly correlate at any delay.
    """

    def __init__(self) -> None:
        """Start with a meter that is not late."""
        self.readings, self.width = 0, 1
        self._past: list[tuple[Floats, Floats]] = []
        self._products = np.zeros((3, len(_WIDTHS), len(_DELAYS)))
        self._count = 0
        self._mean_use: Floats | None = None
        self._watts = 0.0

    def listen(self, use: Floats, features: Floats, watts: float) -> None:
        """Take one reading.

        Args:
            use: (s,) busy threads by slot.
            features: (f, s) features by slot.
            watts: above the floor.
        """
        self._past.append((use, features))
        if len(self._past) <= _LONGEST:
            return
        self._past.pop(0)
        totals = np.array([past.sum() for past, _ in self._past])[::-1]
        run = np.concatenate([[0.0], np.cumsum(totals)])
        mean_use = np.stack([(run[_DELAYS + width] - run[_DELAYS]) / width for width in _WIDTHS])
        if self._mean_use is not None:
            self._correlate(mean_use - self._mean_use, watts - self._watts)
        self._mean_use, self._watts = mean_use, watts

    def _correlate(self, use_step: Floats, watts_step: float) -> None:
        squared = np.full(use_step.shape, watts_step * watts_step)
        new = np.stack([use_step * watts_step, use_step * use_step, squared])
        self._products = _DECAY * self._products + new
        self._count += 1
        if self._count < _FIRST_LOOK or self._count % _LOOK_EVERY:
            return
        together, use_alone, watts_alone = self._products
        correlation = together / np.sqrt(np.maximum(use_alone * watts_alone, 1e-12))
        width, delay = np.unravel_index(np.argmax(correlation), correlation.shape)
        now = correlation[_WIDTHS.index(self.width), self.readings]
        if correlation[width, delay] > max(now + _BETTER, _LEAST):
            self.readings, self.width = int(delay), _WIDTHS[width]

    def about(self, use: Floats, features: Floats) -> tuple[Floats, Floats]:
        """Return the use and features that the reading of this tick is about."""
        if (self.readings, self.width) == (0, 1):
            return use, features
        window = [(use, features), *self._past[::-1]][self.readings : self.readings + self.width]
        total, moment = np.zeros(len(use)), np.zeros(features.shape)
        window = window or [(use, features)]
        for past_use, past_features in window:  # of fewer slots, if some were given since
            total[: len(past_use)] += past_use
            moment[:, : len(past_use)] += past_use * past_features
        return total / len(window), moment / np.maximum(total, 1e-12)
