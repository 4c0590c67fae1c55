"""How far each filter of the bank is believed: by how well its older coefficients foretell."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.node.attribution.learned.curve import NOISE_LOADS

Floats = NDArray[np.float64]

_HALF_LIFE_S: Final = 3600.0
_OUTLIER: Final = 3.0
_TICK_S: Final = 5.0
"""A verdict of a shorter tick counts in proportion."""
_FIRST_VERDICTS: Final = 10
_MEAN_S: Final = 300.0
_LEAST: Final = 0.001**2
_FIRST: Final = 0.006**2
_TEMPER: Final = 15.0
"""In nats: less of a lead is no proof, where the band is concerned. Forecasts of a minute or two
share their errors, so that some 15 verdicts are one."""
_DOUBT: Final[Floats] = np.array([-2.5, -1.5, 0.0, 0.0, -0.5])
"""In tempered nats: doubt leans to "they differ", while the estimate leans to "all are equal"."""


class Evidence:
    """Log evidence of each filter, in nats.

    Judged are forecasts by coefficients of one to two minutes ago. The next tick's forecast, or a
    filter's own likelihood, favours the filter that follows fast, which books noise on the wrong
    workload. All are measured by one variance, that of the best: with a variance each, an early
    error would count again at every tick while that variance remembers it.
    """

    def __init__(self, lead: Floats) -> None:
        """Start with no evidence; ``lead``: (members,) nats that a filter need not earn."""
        self._lead = lead
        self._squares = np.full((len(lead), NOISE_LOADS), _FIRST)
        """Mean squared error of the forecasts by load, as a part of power squared."""
        self._verdicts = np.zeros(NOISE_LOADS)
        self.nats = np.zeros(len(lead))
        """Replaced, and never changed in place."""
        self._weights_of: Floats | None = None
        self._weights = _softmax(lead)

    @property
    def weights(self) -> Floats:
        """(members,) weights by which the filters are averaged; they add up to 1."""
        if self._weights_of is not self.nats:  # asked for several times in a tick
            self._weights_of, self._weights = self.nats, _softmax(self.nats + self._lead)
        return self._weights

    @property
    def doubtful_weights(self) -> Floats:
        """(members,) the same for the band: small differences count little."""
        return _softmax(self.nats / _TEMPER + _DOUBT)

    @property
    def lead_nats(self) -> float:
        """How far the best filter is ahead of the first one, for which all workloads are equal."""
        return float(self.nats[1:].max() - self.nats[0])

    @property
    def sound(self) -> bool:
        """Whether all evidence is finite."""
        return bool(np.isfinite(self.nats).all())

    def judge(self, row: Floats, errors: Floats, power_w: float, elapsed_s: float) -> None:
        """Take the errors of the old coefficients' forecasts of one tick.

        Args:
            row: places of the load, as ``noise_row`` gives them.
            errors: (members,) in watts.
            power_w: of the zone.
            elapsed_s: length of the tick.
        """
        variance = (self._squares @ row) * power_w * power_w
        if row @ self._verdicts >= _FIRST_VERDICTS:
            scaled = np.abs(errors) / np.sqrt(variance.min())
            far = 2 * _OUTLIER * scaled - _OUTLIER**2
            loss = np.where(scaled > _OUTLIER, far, scaled * scaled)
            faded = self.nats * 0.5 ** (elapsed_s / _HALF_LIFE_S)
            self.nats = faded - 0.5 * min(1.0, elapsed_s / _TICK_S) * loss
        rate = np.maximum(1 - np.exp(-elapsed_s / _MEAN_S), 1 / (3 + self._verdicts))
        clipped = np.minimum(errors * errors, _OUTLIER**2 * variance) - variance
        step = (clipped / (power_w * power_w))[:, None] * (row * rate)
        self._squares = np.maximum(self._squares + step, _LEAST)
        self._verdicts += row

    def resume(self, nats: Floats, noise: Floats) -> None:
        """Go on from saved evidence, (members,), and noise as parts of power squared, (loads,)."""
        self.nats = nats
        self._squares[:] = noise


def _softmax(score: Floats) -> Floats:
    """Return weights in proportion to exp(score), which add up to 1."""
    likelihood: Floats = np.exp(score - score.max())
    weights: Floats = likelihood / likelihood.sum()
    return weights
