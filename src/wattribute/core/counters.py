"""How much a counter rose between two of its values: the one rule for all counters.

A counter only rises. A value that is lower than the one before has one of two causes:

* the counter has a largest value, and passed it once: it wrapped;
* the counter has none: it began at 0 again, and its value is what it has counted since.

Whether the second case may be believed is the caller's matter. Our own counters begin at 0, so it
holds for them. A hardware counter that was reset says nothing about the time before the reset.
"""

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

_Number = TypeVar("_Number", np.int64, np.float64)


class Step(NamedTuple):
    """What a counter did between two values."""

    amount: int
    """How much it rose, in the counter's own unit."""
    anew: bool
    """True: it began at 0 again, and ``amount`` is what it has counted since."""


def step(before: int, after: int, *, wraps_at: int | None = None) -> Step:
    """Return what a counter did between two values.

    Args:
        before: the earlier value.
        after: the later value.
        wraps_at: the largest value that the counter can show; the next one is 0. None: it does
            not wrap.
    """
    if after >= before:
        return Step(after - before, anew=False)
    if wraps_at is not None:
        return Step(after - before + wraps_at + 1, anew=False)
    return Step(after, anew=True)


def rises(values: NDArray[_Number], anew: NDArray[np.bool_] | None = None) -> NDArray[_Number]:
    """Return the rises between neighbours of a series of values, as ``step`` does.

    Args:
        values: (n,) the values of a counter that does not wrap, in the order of time.
        anew: (n - 1,) True where it is known that the counter began at 0 again between two
            values, even if it has passed its old value since. None: only a fall says so.

    Returns:
        (n - 1,) rises; n - 1 is 0 for an empty series.
    """
    steps = np.diff(values)
    restarted = steps < 0 if anew is None else (steps < 0) | anew
    return np.where(restarted, values[1:], steps)
