"""Correct the model's curve by readings of this machine.

The model's errors at different loads are correlated: a server that draws 30 % more than expected
when idle also draws somewhat more at full load. The correlation was learned from held-out systems
(the artefact's ``covariance``). So a reading at one load moves the whole curve, most at that load,
and narrows the band.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Final

import numpy as np

from wattribute.node.estimator.wall import Floats

_METER_ERROR: Final = 0.02
"""Assumed standard deviation of a reading, in ln W."""


SCOPES: Final = ("wall", "pkg", "dram")


@dataclass(frozen=True, slots=True)
class Measured:
    """A reading of a meter on this machine."""

    utilisation: float
    """Utilisation of the machine during the reading, 0 to 1."""
    watts: float
    """Measured power, > 0."""
    scope: str = "wall"
    """``wall``: the whole machine; ``pkg``: its CPU packages; ``dram``: its memory."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What readings add to ln W at each level, and the remaining share of the error's variance."""

    shift: Floats
    remaining: Floats
    """1: the readings say nothing about that level; 0: the level is known exactly."""


def correct(
    levels: Floats, covariance: Floats, watts: Floats, measured: Sequence[Measured]
) -> Correction:
    """Return the most likely correction of a curve, given readings (a conditional Gaussian).

    Args:
        levels: (n,) utilisations at which the curve is known.
        covariance: (n, n) covariance of ln(measured / predicted) between the levels.
        watts: (n,) the predicted curve.
        measured: readings of the same scope; without readings there is no correction.
    """
    if not measured:
        return Correction(np.zeros(len(levels)), np.ones(len(levels)))
    weights = np.array([_between(levels, reading.utilisation) for reading in measured])
    expected = [float(np.interp(reading.utilisation, levels, watts)) for reading in measured]
    off = np.array([log(m.watts / e) for m, e in zip(measured, expected, strict=True)])
    inner = weights @ covariance @ weights.T + _METER_ERROR**2 * np.eye(len(measured))
    gain = covariance @ weights.T @ np.linalg.inv(inner)
    before = np.maximum(np.diag(covariance), 1e-12)
    after = np.diag(covariance - gain @ weights @ covariance)
    return Correction(gain @ off, np.clip(after / before, 0.0, 1.0))


def _between(levels: Floats, utilisation: float) -> Floats:
    """Return the weights of the two levels around a utilisation."""
    return np.array([np.interp(utilisation, levels, row) for row in np.eye(len(levels))])
