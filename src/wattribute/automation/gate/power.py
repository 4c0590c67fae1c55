"""The smallest regression that a number of runs can show, and the runs that a regression needs.

The formulas are the usual ones for a t test on logarithms, with Guenther's correction for few runs
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
"""The fraction of builds with a regression that must find it."""


def spread_of(values: NDArray[np.float64]) -> float:
    """Return the run-to-run spread: the standard deviation of the logarithms.

    It is close to the standard deviation of the values divided by their mean. It is 0 for a single
    run.
    """
    return float(np.log(values).std(ddof=1)) if len(values) > 1 else 0.0


def paired_spread(base: NDArray[np.float64], new: NDArray[np.float64]) -> float:
    """Return the spread of runs that alternated, without the drift that both sides share."""
    return spread_of(new / base) / sqrt(2)


def smallest_regression(
    spread: float, runs: int, tolerance: float, alpha: float, *, pairs: bool
) -> float:
    """Return the smallest regression beyond the tolerance that these runs find.

    It is infinite if they can find none.

    Args:
        spread: Spread of one run, as returned by ``spread_of``.
        runs: Runs of each side.
        tolerance: The allowed regression, 0.05 for 5 %.
        alpha: Probability of a false alarm.
        pairs: Whether the runs alternated.
    """
    useful = runs - _correction(alpha, pairs=pairs)
    if runs < fewest_runs(alpha, pairs=pairs) or useful <= 0:
        return inf
    shift = spread * sqrt(2 / useful) * _distance(alpha)
    return (1 + tolerance) * (exp(shift) - 1)


def runs_for(effect: float, spread: float, tolerance: float, alpha: float, *, pairs: bool) -> int:
    """Return the runs of each side that find a regression ``effect`` (> 0) beyond the tolerance."""
    shift = log1p(effect / (1 + tolerance))
    runs = 2 * (spread * _distance(alpha) / shift) ** 2 + _correction(alpha, pairs=pairs)
    return max(ceil(runs), fewest_runs(alpha, pairs=pairs))


def _distance(alpha: float) -> float:
    """Return the standard errors between the tolerance and a regression that is found."""
    normal = NormalDist()
    return normal.inv_cdf(1 - alpha) + normal.inv_cdf(POWER)


def _correction(alpha: float, *, pairs: bool) -> float:
    """Return the additional runs that an unknown spread costs."""
    return NormalDist().inv_cdf(1 - alpha) ** 2 / (2 if pairs else 4)
