"""The shape of watts per busy thread over the load, and the loads at which noise is learned."""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_INTERVALS: Final = 12
CURVE_SIZE: Final = _INTERVALS + 2
"""Coefficients of a quadratic B-spline over so many intervals."""
NOISE_LOADS: Final = 6
_SCALE: Final = 0.15
"""The places are even in ln(1 + load/0.15): idle cores wake up at low load, so the curve bends
there. Straight pieces, even in the load, misfit a concave curve by 3 % and cost 2 % of error where
all workloads are equal; these cost 0.3 %."""
_FALL: Final = 0.6
"""ln f falls by so much from idle to full, as a first guess: SMT siblings and turbo."""


@lru_cache(maxsize=8)
def curve_row(load: float) -> Floats:
    """Return the weights of the curve's coefficients at a load; they add up to 1.

    Uniform quadratic B-splines (de Boor, A Practical Guide to Splines, 1978).

    Args:
        load: busy threads / threads, 0 to 1; beyond it the curve stays as it is at its end.

    Returns:
        (CURVE_SIZE,)
    """
    place = _place(load) * _INTERVALS
    first = min(int(place), _INTERVALS - 1)
    t = place - first
    row = np.zeros(CURVE_SIZE)
    row[first : first + 3] = 0.5 * (1 - t) ** 2, 0.5 + t - t * t, 0.5 * t * t
    row.flags.writeable = False
    return row


@lru_cache(maxsize=8)
def noise_row(load: float) -> Floats:
    """Return the weights of the two places of the noise next to a load; they add up to 1.

    Returns:
        (NOISE_LOADS,)
    """
    place = _place(load) * (NOISE_LOADS - 1)
    first = min(int(place), NOISE_LOADS - 2)
    row = np.zeros(NOISE_LOADS)
    row[first : first + 2] = 1 - (place - first), place - first
    row.flags.writeable = False
    return row


def first_curve(load: float, log_watts: float) -> tuple[Floats, Floats]:
    """Return the curve as it is believed before anything was learned.

    It goes through the one point that is known. Away from it, ln f is a random walk over the load.

    Args:
        load: of the first reading.
        log_watts: ln of its watts per busy thread.

    Returns:
        Mean (CURVE_SIZE,) and covariance (CURVE_SIZE, CURVE_SIZE) of the coefficients.
    """
    away = _LOADS - load
    mean = log_watts - _FALL * away
    same_side = np.sign(away)[:, None] == np.sign(away)
    near = np.minimum(np.abs(away)[:, None], np.abs(away))
    return mean, 0.16 + 0.5 * near * same_side


def _place(load: float) -> float:
    return float(np.log1p(min(max(load, 0.0), 1.0) / _SCALE) / np.log1p(1 / _SCALE))


_LOADS: Final[Floats] = _SCALE * np.expm1(
    (np.arange(CURVE_SIZE) - 0.5) / _INTERVALS * np.log1p(1 / _SCALE)
)
"""(CURVE_SIZE,) load at the middle of each coefficient's spline."""
