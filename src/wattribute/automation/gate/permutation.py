"""Permutation tests on the ratio new/base, and the confidence interval that belongs to them.

The module works on logarithms. A ratio is then a difference, which is estimated by the difference
of two means.

The test of "new is at most r times base" divides new by r. If that hypothesis is true (at its
edge), the labels "new" and "base" are arbitrary, and every relabelling is as likely as the observed
one. The p value is the fraction of relabellings whose ratio is as large or larger. The only
assumption is that both sides scatter alike. A bound of the ratio is the r at which the test changes
its decision.

That r has a closed form. Let a relabelling swap k of the new values for k of the base values. Its
ratio is as large as the observed one exactly when log r >= (sum of the new values that left - sum
of the base values that replaced them) / k. One sorted array of these shifts answers every question:
p counts the shifts below log r, and the bound is the shift at rank alpha. For pairs (one run of
each side, one after the other) a relabelling exchanges the labels within pairs: k exchanged pairs
give the mean of their differences.
"""

from functools import lru_cache
from itertools import combinations
from math import comb, exp, floor, log
from typing import Final

import numpy as np
from numpy.typing import NDArray

EXACT_MOST: Final = 50_000
"""Up to this many relabellings (9 + 9 runs, or 15 pairs) are all examined; more are sampled."""
_SAMPLE_SIZE: Final = 20_000
_SEED: Final = 20_011_997
"""A constant, so that the same runs always get the same verdict."""
_ROUNDING: Final = 1e-9

Floats = NDArray[np.float64]


class PermutationTest:
    """The distribution of the ratio over all relabellings."""

    def __init__(self, ratio: float, shifts: Floats, unmoved: int) -> None:
        """Take the shifts of all relabellings.

        Args:
            ratio: Geometric mean of new divided by that of base.
            shifts: For each relabelling, the log of the smallest ratio at which it is as large as
                the observed one.
            unmoved: How many relabellings change nothing, the observed one included.
        """
        self.ratio = ratio
        self._shifts = np.sort(shifts)
        self._unmoved = unmoved

    @property
    def relabellings(self) -> int:
        """The number of relabellings, the observed one included."""
        return len(self._shifts) + self._unmoved

    def p_value(self, ratio: float) -> float:
        """Return the probability of such a ratio or a larger one, if it were ``ratio`` (> 0)."""
        below = int(np.searchsorted(self._shifts, log(ratio) + _ROUNDING, side="right"))
        return (self._unmoved + below) / self.relabellings

    def low(self, alpha: float) -> float:
        """Return the lower bound of the ratio at confidence 1 - alpha; 0 with too few runs."""
        place = self._place(alpha)
        return exp(self._shifts[place]) if 0 <= place < len(self._shifts) else 0.0

    def high(self, alpha: float) -> float:
        """Return the upper bound of the ratio at confidence 1 - alpha; inf with too few runs."""
        place = self._place(alpha)
        return exp(self._shifts[-1 - place]) if 0 <= place < len(self._shifts) else float("inf")

    def _place(self, alpha: float) -> int:
        return floor(alpha * self.relabellings + _ROUNDING) - self._unmoved


def unpaired(base: Floats, new: Floats) -> PermutationTest:
    """Test two independent groups of runs, such as a stored baseline and today's runs.

    Args:
        base: (m,) values > 0, m >= 1.
        new: (n,) values > 0, n >= 1.
    """
    x, y = np.log(base), np.log(new)
    pooled = np.concatenate([y, x])
    called_new = _choices(len(pooled), len(y))
    leaves = ~called_new[:, : len(y)]
    moved = leaves.sum(axis=1)
    changes = moved > 0
    sum_leaving = leaves @ y
    sum_entering = called_new[:, len(y) :] @ x
    shifts = (sum_leaving[changes] - sum_entering[changes]) / moved[changes]
    return PermutationTest(exp(y.mean() - x.mean()), shifts, int((~changes).sum()))


def paired(base: Floats, new: Floats) -> PermutationTest:
    """Test runs that alternated: both runs of a pair share the drift of the machine, which cancels.

    Args:
        base: (n,) values > 0, n >= 1.
        new: (n,) values > 0; ``new[i]`` was measured beside ``base[i]``.
    """
    differences = np.log(new) - np.log(base)
    exchanged = _subsets(len(differences))
    moved = exchanged.sum(axis=1)
    changes = moved > 0
    shifts = (exchanged[changes] @ differences) / moved[changes]
    return PermutationTest(exp(differences.mean()), shifts, int((~changes).sum()))


def fewest_runs(alpha: float, *, pairs: bool) -> int:
    """Return how many runs of each side can show anything at this alpha (0 < alpha < 1)."""
    runs = 1
    while (2**runs if pairs else comb(2 * runs, runs)) * alpha < 1 - _ROUNDING:
        runs += 1
    return runs


@lru_cache(maxsize=4)
def _choices(size: int, new_count: int) -> NDArray[np.bool_]:
    """Return (N, size): every choice of ``new_count`` values out of ``size``, or a sample."""
    if comb(size, new_count) <= EXACT_MOST:
        places = np.array(list(combinations(range(size), new_count)))
        rows = np.zeros((len(places), size), np.bool_)
        np.put_along_axis(rows, places, values=True, axis=1)
        return rows
    rows = np.zeros((_SAMPLE_SIZE, size), np.bool_)
    rows[:, :new_count] = True
    sample: NDArray[np.bool_] = np.random.default_rng(_SEED).permuted(rows, axis=1)
    return np.concatenate([rows[:1], sample])


@lru_cache(maxsize=4)
def _subsets(size: int) -> NDArray[np.bool_]:
    """Return (N, size): every set of pairs whose labels are exchanged, or a sample of sets."""
    if 2**size <= EXACT_MOST:
        rows: NDArray[np.bool_] = (np.arange(2**size)[:, None] >> np.arange(size)) & 1 == 1
        return rows
    sample = np.random.default_rng(_SEED).random((_SAMPLE_SIZE, size)) < 0.5
    return np.concatenate([np.zeros((1, size), np.bool_), sample])
