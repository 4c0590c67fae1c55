"""Share out whole units by weight, losing none (largest remainder).

Everything that is divided in this program, energy and money alike, is divided here. The one
exception is ``accounting.chargeback.apportion``, which says the same in the language of the query
engines; tests hold the two against each other.

The products of a total and a weight do not fit in 64 bits (3e12 uJ x 1e15 is
2**91). A float64 quotient is right to within a small part of one unit, so the
true quotient is it or its neighbour; the true remainder then fits in 64 bits,
and integer arithmetic modulo 2**64 gives it exactly, which settles which.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.sums import sum_by

_LARGEST: Final = 9.2e18
"""A little under 2**63, for the rounding of the float64 sums that are compared with it."""
_FLOAT_ERROR: Final = 2.0**-50
"""Bound of the relative error of weight * (total / sum) in float64: five roundings of 2**-53."""


def apportion(total_uj: int, weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Split a total in proportion to weights.

    The shares add up to the total exactly, and each is within 1 uJ of its exact
    proportion (largest remainder; ties go to the lower index). No weight, no share.

    Args:
        total_uj: what to share, >= 0.
        weights: (n,) use of each consumer, >= 0; not all 0 unless the total is.

    Returns:
        (n,) shares.

    Raises:
        ValueError: the total or a weight is negative, or there is something to share and
            nobody has weight.
    """
    if total_uj < 0:
        raise ValueError(f"a total to share must not be negative, and is {total_uj}")
    if len(weights) and int(weights.min()) < 0:
        raise ValueError(f"weights must not be negative, and one is {weights.min()}")
    if total_uj == 0:
        return np.zeros(len(weights), dtype=np.int64)
    about = float(weights.sum(dtype=np.float64))
    if about == 0:
        raise ValueError(f"nobody has weight, so {total_uj} cannot be shared")
    if not _fits(total_uj, about):
        return _apportion_wide(total_uj, weights)
    weight_sum = int(weights.sum())
    shares, rest = _divide(np.int64(total_uj), total_uj / weight_sum, weights, np.int64(weight_sum))
    left = total_uj - int(shares.sum())
    if left:
        # The sum of the remainders is left x weight_sum and each is smaller than weight_sum, so
        # more than `left` of them are above 0: a row without weight is never chosen.
        least = np.partition(rest, -left)[-left]
        above = rest > least
        shares += above
        ties = np.flatnonzero(rest == least)
        shares[ties[: left - int(above.sum())]] += 1
    return shares


def apportion_groups(
    totals: NDArray[np.int64], weights: NDArray[np.int64], group: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Split one total per group among the rows of the group; each as ``apportion`` does.

    Args:
        totals: (g,) what to share, >= 0.
        weights: (n,) >= 0; in a group with something to share, not all 0.
        group: (n,) 0 to g - 1.

    Returns:
        (n,) shares.

    Raises:
        ValueError: as for ``apportion``.
    """
    if len(totals) and int(totals.min()) < 0:
        raise ValueError(f"totals to share must not be negative, and one is {totals.min()}")
    if len(weights) and int(weights.min()) < 0:
        raise ValueError(f"weights must not be negative, and one is {weights.min()}")
    about = np.bincount(group, weights=weights, minlength=len(totals))
    if bool(((about == 0) & (totals > 0)).any()):
        raise ValueError("a group has something to share, and nobody in it has weight")
    if len(weights) == 0:
        return np.zeros(0, dtype=np.int64)
    if not _fits(int(totals.max()), float(about.max())):
        shares = np.zeros(len(weights), dtype=np.int64)
        for index, total in enumerate(totals):
            rows = group == index
            shares[rows] = apportion(int(total), weights[rows])
        return shares
    sums: NDArray[np.int64] = np.maximum(sum_by(group, weights, len(totals)), 1)
    shares, rest = _divide(totals[group], (totals / sums)[group], weights, sums[group])
    left = totals - sum_by(group, shares, len(totals))
    order = np.lexsort((-rest, group))  # stable: among equals the lower index comes first
    rows_in = np.bincount(group, minlength=len(totals))
    first = np.cumsum(rows_in) - rows_in
    place = np.arange(len(order)) - first[group[order]]
    shares[order[place < left[group[order]]]] += 1
    return shares


def apportion_list(total: int, weights: Sequence[int]) -> list[int]:
    """Split a total of any size and sign in proportion to weights, in Python's integers.

    The shares add up to the total exactly, and each is within one of its exact proportion
    (largest remainder; ties go to the lower index). With all weights 0 it is split evenly.

    Args:
        total: what to share.
        weights: use of each consumer, >= 0.

    Raises:
        ValueError: a weight is negative, or there is something to share and nobody to take it.
    """
    if any(weight < 0 for weight in weights):
        raise ValueError(f"weights must not be negative, and one is {min(weights)}")
    if not weights:
        if total:
            raise ValueError(f"there is nobody to share {total} with")
        return []
    whole = sum(weights)
    if whole == 0:
        return apportion_list(total, [1] * len(weights))
    shares = [total * weight // whole for weight in weights]
    rests = [total * weight % whole for weight in weights]
    by_rest = sorted(range(len(weights)), key=lambda row: (-rests[row], row))
    for row in by_rest[: total - sum(shares)]:
        shares[row] += 1
    return shares


def _fits(total: int, weight_sum: float) -> bool:
    """Tell whether float64 comes within one unit, and every remainder fits in 64 bits."""
    error = total * _FLOAT_ERROR
    return error < 0.5 and weight_sum * (1 + error) < _LARGEST


def _divide(
    total: NDArray[np.int64] | np.int64,
    ratio: NDArray[np.float64] | float,
    weights: NDArray[np.int64],
    weight_sum: NDArray[np.int64] | np.int64,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the quotient and the remainder of total x weights / weight_sum, exactly."""
    shares = (weights * ratio).astype(np.int64)
    rest = weights * total - shares * weight_sum  # exact, modulo 2**64
    step = (rest >= weight_sum).astype(np.int64) - (rest < 0)
    return shares + step, rest - step * weight_sum


def _apportion_wide(total: int, weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Do the same in Python's integers: slow, and right for any size."""
    return np.array(apportion_list(total, weights.tolist()), dtype=np.int64)
