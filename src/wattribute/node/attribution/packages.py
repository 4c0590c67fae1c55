"""Estimate the CPU package in which time was spent, where no counter shows it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.sums import sum_by

_ITERATIONS: Final = 32
"""Most iterations of the fit. Without partly restricted tasks the first one is exact."""
_CLOSE_ENOUGH: Final = 1e-6
"""The fit ends when every column is within this share of the total from its target."""


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The fitted CPU time by task and package."""

    cpu_ns: NDArray[np.int64]
    """(n, P); each row adds up to the task's time exactly."""
    misfit: float
    """Share of the time (0 to 1) that is in another package than the busy times demand."""


def fit_packages(
    rows_ns: NDArray[np.int64], allowed: NDArray[np.uint64], busy_ns: NDArray[np.int64]
) -> Fit:
    """Spread the time of tasks over packages, in agreement with the packages' busy time.

    A task that may run in only one package has all its time there. The rest is
    fitted by iterative proportional fitting: rows are the tasks' totals, and
    columns are in proportion to the packages' busy time, scaled to the rows'
    sum, less pinned time. Rows take precedence. All tasks with the same permission
    get the same proportions, so the fit is over permissions, not tasks.

    Args:
        rows_ns: (n,) time of each task, 0 to 2**53.
        allowed: (n,) bit p: the task may run in package p. If no bit of a known
            package is set, the permission is not known and all are allowed.
        busy_ns: (P,) busy time of each package; P <= 64.
    """
    packages = len(busy_ns)
    if packages == 1:
        return Fit(rows_ns.reshape(-1, 1), 0.0)
    everywhere = np.uint64((1 << packages) - 1)
    allowed = allowed & everywhere
    allowed[allowed == 0] = everywhere
    if bool((allowed == everywhere).all()):
        masks, kind = allowed[:1], np.zeros(len(rows_ns), dtype=np.int64)
    else:
        masks = np.unique(allowed)
        kind = np.searchsorted(masks, allowed)  # few masks: three times faster than return_inverse
    total_ns = float(rows_ns.sum())
    if total_ns == 0:
        return Fit(np.zeros((len(rows_ns), packages), dtype=np.int64), 0.0)
    busy_sum = float(busy_ns.sum())
    target_ns = busy_ns.astype(np.float64) * (total_ns / busy_sum if busy_sum > 0 else 0.0)
    may = (masks[:, None] >> np.arange(packages, dtype=np.uint64)) & np.uint64(1) == 1
    proportions = _proportions(may, sum_by(kind, rows_ns, len(masks)), target_ns)
    cpu_ns = _spread(rows_ns, proportions, kind)
    misplaced_ns = np.maximum(cpu_ns.sum(axis=0) - target_ns, 0).sum()
    return Fit(cpu_ns, min(float(misplaced_ns) / total_ns, 1.0))


def _proportions(
    may: NDArray[np.bool_], group_ns: NDArray[np.int64], target_ns: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the proportions (groups, P) of each group of tasks with the same permission.

    The rows sum to 1.
    """
    even: NDArray[np.float64] = may / may.sum(axis=1, keepdims=True)
    pinned = may.sum(axis=1) == 1
    free_ns = np.where(pinned, 0, group_ns).astype(np.float64)
    pinned_ns = np.where(pinned, group_ns, 0) @ may
    open_ns = np.maximum(target_ns - pinned_ns, 0)
    if free_ns.sum() == 0 or open_ns.sum() == 0:
        return even
    open_ns *= free_ns.sum() / open_ns.sum()
    spread = _normalised(may * open_ns, even)
    for _ in range(_ITERATIONS):
        column_ns = free_ns @ spread
        if np.abs(column_ns - open_ns).max() <= _CLOSE_ENOUGH * free_ns.sum():
            break
        scale = np.divide(open_ns, column_ns, out=np.ones_like(open_ns), where=column_ns > 0)
        spread = _normalised(spread * scale, even)
    return np.where(pinned[:, None], even, spread)


def _normalised(spread: NDArray[np.float64], otherwise: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale rows to a sum of 1; a row of zeros takes the row of ``otherwise``."""
    sums = spread.sum(axis=1, keepdims=True)
    return np.where(sums > 0, spread / np.where(sums > 0, sums, 1), otherwise)


def _spread(
    rows_ns: NDArray[np.int64], proportions: NDArray[np.float64], kind: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Split each row by its group's proportions into whole nanoseconds.

    The parts are differences of rounded running sums: they are never negative, add up exactly,
    and are within 1 ns.
    """
    upto = np.cumsum(proportions, axis=1)
    edges_ns = np.empty((len(rows_ns), proportions.shape[1] + 1), dtype=np.int64)
    edges_ns[:, 0] = 0
    for column in range(proportions.shape[1] - 1):
        share = np.minimum(upto[:, column], 1.0)[kind]
        edges_ns[:, column + 1] = np.rint(rows_ns * share)
    edges_ns[:, -1] = rows_ns
    return np.diff(edges_ns, axis=1)
