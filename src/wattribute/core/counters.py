"""Computes how much a counter rose between two of its values; the one rule for all counters.

A counter only rises. A value that is lower than the one before has one of two causes:

* The counter has a largest value and passed it once: it wrapped.
* The counter has no largest value: it restarted from 0, and its value is what it counted since.

The caller decides whether a restart can be used. Our own counters restart from 0, so their value is
right. A hardware counter that was reset says nothing about the time before the reset.
"""

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

_Number = TypeVar("_Number", np.int64, np.float64)


class Step(NamedTuple):
    """The change of a counter between two values."""

    amount: int
    """How much the counter rose, in its own unit."""
    anew: bool
    """Whether the counter restarted from 0; then ``amount`` is what it counted since."""


def step(before: int, after: int, *, wraps_at: int | None = None) -> Step:
    """Return the change of a counter between two values.

    Args:
        before: The earlier value.
        after: The later value.
        wraps_at: The largest value of the counter, after which it shows 0. None for a counter
            that does not wrap.
    """
    if after >= before:
        return Step(after - before, anew=False)
    if wraps_at is not None:
        return Step(after - before + wraps_at + 1, anew=False)
    return Step(after, anew=True)


def rises(values: NDArray[_Number], anew: NDArray[np.bool_] | None = None) -> NDArray[_Number]:
    """Return how much a counter rose from each value to the next, by the rule of ``step``.

    Args:
        values: (n,) The values of a counter that does not wrap, in the order of time.
        anew: (n - 1,) True where the counter is known to have restarted between two values, even
            if it has passed its old value since. None if only a lower value tells it.

    Returns:
        (n - 1,) The rises; none for an empty series.
    """
    steps = np.diff(values)
    restarted = steps < 0 if anew is None else (steps < 0) | anew
    return np.where(restarted, values[1:], steps)


def risen_until(
    time: NDArray[np.float64], values: NDArray[np.float64], instants: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how much a counter has risen from its first value up to each of some instants.

    Between two values it is taken to rise evenly. Before the first value it has not risen, and
    after the last one it rises no more.

    Args:
        time: (n,) when the values were read, rising; n > 0.
        values: (n,) the values of a counter that does not wrap.
        instants: (m,) in the unit of ``time``.

    Returns:
        (m,) rises, in the unit of the values.
    """
    totals = np.concatenate([np.zeros(1), np.cumsum(rises(values))])
    risen: NDArray[np.float64] = np.interp(instants, time, totals)
    return risen
