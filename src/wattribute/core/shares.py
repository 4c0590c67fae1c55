"""Splits whole units by weight without losing any (largest remainder).

All energy and all money is split here. The only exception is ``accounting.chargeback.apportion``,
which does the same as expressions for query engines; tests compare the two.

A total times a weight can exceed 64 bits (3e12 uJ x 1e15 is 2**91). But a quotient in float64 is
right to within a small part of one unit, so the true quotient is that number or its neighbour. The
true remainder fits in 64 bits, so integer arithmetic modulo 2**64 gives it exactly. Its sign and
size tell which of the two quotients is the true one.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.sums import sum_by

_LARGEST: Final = 9.2e18
"""The limit for sums in float64: a little below 2**63, because they are rounded."""
_FLOAT_ERROR: Final = 2.0**-50
"""The largest relative error of weight * (total / sum) in float64: five roundings of 2**-53."""


def apportion(total_uj: int, weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Split a total in proportion to weights.

    The shares add up to the total exactly, and each is within 1 uJ of its exact proportion
    (largest remainder; ties go to the lower index). A weight of 0 gets no share.

    Args:
        total_uj: The energy to split, >= 0.
        weights: (n,) The use of each consumer, >= 0. They may all be 0 only if the total is 0.

    Returns:
        (n,) The shares.

    Raises:
        ValueError: The total or a weight is negative, or all weights are 0 and the total is not.
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
    missing = total_uj - int(shares.sum())
    if missing:
        # The sum of the remainders is missing x weight_sum and each is smaller than weight_sum, so
        # more than `missing` of them are above 0: a row without weight is never chosen.
        least = np.partition(rest, -missing)[-missing]
        above = rest > least
        shares += above
        ties = np.flatnonzero(rest == least)
        shares[ties[: missing - int(above.sum())]] += 1
    return shares


def apportion_groups(
    totals: NDArray[np.int64], weights: NDArray[np.int64], group: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Split the total of each group among the rows of the group, each as ``apportion`` does.

    Args:
        totals: (g,) The energy to split in each group, >= 0.
        weights: (n,) The use of each row, >= 0. They may all be 0 only in groups whose total is 0.
        group: (n,) The group of each row, 0 to g - 1.

    Returns:
        (n,) The shares.

    Raises:
        ValueError: As for ``apportion``.
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
    missing = totals - sum_by(group, shares, len(totals))
    order = np.lexsort((-rest, group))  # stable: among equals the lower index comes first
    rows_in = np.bincount(group, minlength=len(totals))
    first = np.cumsum(rows_in) - rows_in
    place = np.arange(len(order)) - first[group[order]]
    shares[order[place < missing[group[order]]]] += 1
    return shares


def apportion_list(total: int, weights: Sequence[int]) -> list[int]:
    """Split a total of any size and sign in proportion to weights, in Python's integers.

    The shares add up to the total exactly, and each is within one of its exact proportion
    (largest remainder; ties go to the lower index). If all weights are 0 it is split evenly.

    Args:
        total: The number to split.
        weights: The use of each consumer, >= 0.

    Raises:
        ValueError: A weight is negative, or there are no weights and the total is not 0.
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
    """Whether float64 is exact to one unit, and every remainder fits in 64 bits."""
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
    """Split as ``apportion`` does, in Python's integers: slow, but right for any size."""
    return np.array(apportion_list(total, weights.tolist()), dtype=np.int64)
