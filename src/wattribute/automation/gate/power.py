"""How small a regression a number of runs can show, and how many runs a small one needs.

The usual reckoning for a t test on logarithms, with Guenther's correction for few runs
(W. C. Guenther, Sample size formulas for normal theory t tests, The American Statistician 35,
1981); a permutation test on means has nearly the same power. Tests compare it with simulation.
"""

from math import ceil, exp, inf, log1p, sqrt
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.automation.gate.permutation import fewest_runs

POWER: Final = 0.8
"""A regression counts as found by so many builds of those that have it."""


def spread_of(values: NDArray[np.float64]) -> float:
    """Run-to-run spread: standard deviation of the logarithms, about that of the values / mean.

    0 for a single run.
    """
    return float(np.log(values).std(ddof=1)) if len(values) > 1 else 0.0


def paired_spread(base: NDArray[np.float64], new: NDArray[np.float64]) -> float:
    """The same of runs made in turn, without the drift that both sides had."""
    return spread_of(new / base) / sqrt(2)


def found(spread: float, runs: int, tolerance: float, alpha: float, *, pairs: bool) -> float:
    """The smallest regression beyond the tolerance that is found; infinite: none is.

    Args:
        spread: of one run, as ``spread_of`` has it.
        runs: of each side.
        tolerance: the allowed regression, 0.05 for 5 %.
        alpha: chance of a false alarm.
        pairs: whether runs were made in turn.
    """
    useful = runs - _correction(alpha, pairs=pairs)
    if runs < fewest_runs(alpha, pairs=pairs) or useful <= 0:
        return inf
    shift = spread * sqrt(2 / useful) * _distance(alpha)
    return (1 + tolerance) * (exp(shift) - 1)


def runs_for(effect: float, spread: float, tolerance: float, alpha: float, *, pairs: bool) -> int:
    """Runs of each side that find a regression of ``effect`` (> 0) beyond the tolerance."""
    shift = log1p(effect / (1 + tolerance))
    runs = 2 * (spread * _distance(alpha) / shift) ** 2 + _correction(alpha, pairs=pairs)
    return max(ceil(runs), fewest_runs(alpha, pairs=pairs))


def _distance(alpha: float) -> float:
    """Standard errors between the edge of the tolerance and a regression that is found."""
    normal = NormalDist()
    return normal.inv_cdf(1 - alpha) + normal.inv_cdf(POWER)


def _correction(alpha: float, *, pairs: bool) -> float:
    """Runs that not knowing the spread costs."""
    return NormalDist().inv_cdf(1 - alpha) ** 2 / (2 if pairs else 4)
