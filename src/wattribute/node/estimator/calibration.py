"""What measured numbers tell of this machine, beyond what the model knew.

The model's errors at different loads hang together: a server that draws 30 % more than expected
when idle draws some more at full load too. How they hang together was learned from held-out systems
(the artefact's ``covariance``), so a reading at one load moves the whole curve, most where it was
taken, and narrows the band.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Final

import numpy as np

from wattribute.node.estimator.wall import Floats

_METER_ERROR: Final = 0.02
"""Standard deviation of ln W that a reading is trusted to."""


SCOPES: Final = ("wall", "pkg", "dram")


@dataclass(frozen=True, slots=True)
class Measured:
    """One measured number."""

    utilisation: float
    """Of the machine while it was measured, 0 to 1."""
    watts: float
    """> 0"""
    scope: str = "wall"
    """``wall``: the whole machine; ``pkg``: its CPU packages; ``dram``: its memory."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What readings add to ln W at each level, and what is left of the error's variance."""

    shift: Floats
    left: Floats
    """1: nothing was learned at that level; 0: it is known."""


def correct(
    levels: Floats, covariance: Floats, watts: Floats, measured: Sequence[Measured]
) -> Correction:
    """The most likely correction of a curve, given readings (a conditional Gaussian).

    Args:
        levels: of the curve, (n,).
        covariance: of ln(measured / predicted) between them, (n, n).
        watts: the curve as predicted, (n,).
        measured: readings of the same scope; none gives no correction.
    """
    if not measured:
        return Correction(np.zeros(len(levels)), np.ones(len(levels)))
    seen = np.array([_between(levels, one.utilisation) for one in measured])
    expected = [float(np.interp(one.utilisation, levels, watts)) for one in measured]
    off = np.array([log(m.watts / e) for m, e in zip(measured, expected, strict=True)])
    inner = seen @ covariance @ seen.T + _METER_ERROR**2 * np.eye(len(measured))
    gain = covariance @ seen.T @ np.linalg.inv(inner)
    before = np.maximum(np.diag(covariance), 1e-12)
    after = np.diag(covariance - gain @ seen @ covariance)
    return Correction(gain @ off, np.clip(after / before, 0.0, 1.0))


def _between(levels: Floats, utilisation: float) -> Floats:
    """Weights of the levels on either side."""
    return np.array([np.interp(utilisation, levels, row) for row in np.eye(len(levels))])
