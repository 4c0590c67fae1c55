"""Permutation tests on the ratio new/base, and the interval that belongs to them.

Inside, values are logarithms: a ratio is a difference, estimated by that of two geometric means.

The test of "new is at most r times base" divides new by r. If that is true (at its edge), which of
the numbers are called new is chance, so every relabelling is as likely as the one that was seen; p
is the part of them whose ratio is as large or larger. Nothing is assumed of how runs scatter, but
that they would scatter alike. A bound of the ratio is the r at which the test changes its mind.

That r has a closed form. Let a relabelling swap k of the new values for k of the base's: it is as
large as what was seen exactly when log r >= (their sum, less the sum of what came for them) / k. So
one sorted array of these shifts answers every question: p is how many lie below log r, and the
bound is the one at the place alpha. For pairs (a run of each side, one after the other) relabelling
turns pairs around: k pairs turned around give the mean of their differences.
"""

from functools import lru_cache
from itertools import combinations
from math import comb, exp, floor, log
from typing import Final

import numpy as np
from numpy.typing import NDArray

EXACT_MOST: Final = 50_000
"""All relabellings are looked at up to so many (9 + 9 runs, 15 pairs); beyond, random ones."""
_DRAWN: Final = 20_000
_SEED: Final = 20_011_997
"""Always the same, so that the same runs always get the same answer."""
_ROUNDING: Final = 1e-9

Floats = NDArray[np.float64]


class PermutationTest:
    """What the relabellings say."""

    def __init__(self, ratio: float, shifts: Floats, unmoved: int) -> None:
        """Take the shifts of all relabellings.

        Args:
            ratio: geometric mean of new over that of base.
            shifts: log of the ratio from which on a relabelling is as large as what was seen.
            unmoved: how many relabellings change nothing (the seen one is among them).
        """
        self.ratio = ratio
        self._shifts = np.sort(shifts)
        self._unmoved = unmoved

    @property
    def relabellings(self) -> int:
        """How many there are, the seen one included."""
        return len(self._shifts) + self._unmoved

    def p_value(self, ratio: float) -> float:
        """Chance of what was seen, or more, if new were ``ratio`` (> 0) times base."""
        below = int(np.searchsorted(self._shifts, log(ratio) + _ROUNDING, side="right"))
        return (self._unmoved + below) / self.relabellings

    def low(self, alpha: float) -> float:
        """The ratio is above this with 1 - alpha; 0 where the runs are too few to say."""
        place = self._place(alpha)
        return exp(self._shifts[place]) if 0 <= place < len(self._shifts) else 0.0

    def high(self, alpha: float) -> float:
        """The ratio is below this with 1 - alpha; infinite where the runs are too few to say."""
        place = self._place(alpha)
        return exp(self._shifts[-1 - place]) if 0 <= place < len(self._shifts) else float("inf")

    def _place(self, alpha: float) -> int:
        return floor(alpha * self.relabellings + _ROUNDING) - self._unmoved


def unpaired(base: Floats, new: Floats) -> PermutationTest:
    """Two groups of runs, such as a stored baseline and today's.

    Args:
        base: (m,) values > 0, m >= 1.
        new: (n,) values > 0, n >= 1.
    """
    x, y = np.log(base), np.log(new)
    pooled = np.concatenate([y, x])
    called_new = _choices(len(pooled), len(y))
    out = ~called_new[:, : len(y)]
    moved = out.sum(axis=1)
    left = moved > 0
    gone = out @ y
    came = called_new[:, len(y) :] @ x
    shifts = (gone[left] - came[left]) / moved[left]
    return PermutationTest(exp(y.mean() - x.mean()), shifts, int((~left).sum()))


def paired(base: Floats, new: Floats) -> PermutationTest:
    """Runs that were made in turn: the machine's drift is in both of a pair, and cancels.

    Args:
        base: (n,) values > 0, n >= 1.
        new: (n,) values > 0; ``new[i]`` was measured beside ``base[i]``.
    """
    differences = np.log(new) - np.log(base)
    turned = _subsets(len(differences))
    moved = turned.sum(axis=1)
    left = moved > 0
    shifts = (turned[left] @ differences) / moved[left]
    return PermutationTest(exp(differences.mean()), shifts, int((~left).sum()))


def fewest_runs(alpha: float, *, pairs: bool) -> int:
    """Runs of each side below which nothing can be shown at this alpha (0 < alpha < 1)."""
    runs = 1
    while (2**runs if pairs else comb(2 * runs, runs)) * alpha < 1 - _ROUNDING:
        runs += 1
    return runs


@lru_cache(maxsize=4)
def _choices(size: int, chosen: int) -> NDArray[np.bool_]:
    """(N, size): each way to call ``chosen`` of them new, or a random part of the ways."""
    if comb(size, chosen) <= EXACT_MOST:
        places = np.array(list(combinations(range(size), chosen)))
        rows = np.zeros((len(places), size), np.bool_)
        np.put_along_axis(rows, places, values=True, axis=1)
        return rows
    rows = np.zeros((_DRAWN, size), np.bool_)
    rows[:, :chosen] = True
    drawn: NDArray[np.bool_] = np.random.default_rng(_SEED).permuted(rows, axis=1)
    return np.concatenate([rows[:1], drawn])


@lru_cache(maxsize=4)
def _subsets(size: int) -> NDArray[np.bool_]:
    """(N, size): each way to turn pairs around, none included, or a random part of the ways."""
    if 2**size <= EXACT_MOST:
        rows: NDArray[np.bool_] = (np.arange(2**size)[:, None] >> np.arange(size)) & 1 == 1
        return rows
    drawn = np.random.default_rng(_SEED).random((_DRAWN, size)) < 0.5
    return np.concatenate([np.zeros((1, size), np.bool_), drawn])
