"""Keep a bounded sample of a sliding window of ticks, evenly spread over the window."""

from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from wattribute.core.units import NANOSECONDS_PER_MILLISECOND

_GOLDEN: Final = 0x9E3779B97F4A7C15
"""2**64 / golden ratio. Its multiples modulo 2**64 fill the range evenly, and hit any part of the
range at even distances without a period. So there is no aliasing with cron jobs, as there would be
with every 2**k-th tick, and no randomness."""
_BITS: Final = 64


class TickSample:
    """Keeps one tick in 2**k, with k as small as the capacity allows."""

    def __init__(self, columns: int, capacity: int) -> None:
        """Keep up to ``capacity`` rows of ``columns`` integers and their time."""
        self._rows = np.zeros((columns + 1, capacity), dtype=np.int64)
        self._count = 0
        self._offered = 0
        self._halvings = 0
        self.kept = 0
        """Number of rows kept since the start; a change means that there are new rows."""

    def __len__(self) -> int:
        return self._count

    def offer(self, at_ns: int, oldest_ns: int, *values: int) -> None:
        """Offer one tick, which may be kept; rows before ``oldest_ns`` may be dropped."""
        self._offered += 1
        turn = self._offered * _GOLDEN % 2**_BITS
        if turn >> (_BITS - self._halvings):
            return
        if self._count == self._rows.shape[1]:
            self._forget(oldest_ns)
        if self._count == self._rows.shape[1]:
            self._halvings += 1
            self._keep(np.arange(0, self._count, 2))
        self._rows[:, self._count] = (at_ns, *values)
        self._count += 1
        self.kept += 1

    def window(self, oldest_ns: int) -> NDArray[np.int64]:
        """Return the rows from ``oldest_ns`` on, as (columns, n) without their times."""
        self._forget(oldest_ns)
        return self._rows[1:, : self._count]

    def _forget(self, oldest_ns: int) -> None:
        recent = np.flatnonzero(self._rows[0, : self._count] >= oldest_ns)
        if len(recent) == self._count:
            return
        self._keep(recent)
        if self._halvings and self._count < self._rows.shape[1] // 4:
            self._halvings -= 1  # ticks of this kind have become rarer

    def _keep(self, rows: NDArray[np.int64]) -> None:
        self._rows[:, : len(rows)] = self._rows[:, rows]
        self._count = len(rows)

    def dump(self, newest_ns: int) -> dict[str, object]:
        """Return the sample as plain JSON types, with times as ages in milliseconds."""
        at_ns, *values = self._rows[:, : self._count]
        return {
            "halvings": self._halvings,
            "age_ms": ((newest_ns - at_ns) // NANOSECONDS_PER_MILLISECOND).tolist(),
            "values": [column.tolist() for column in values],
        }

    @classmethod
    def load(cls, state: object, columns: int, capacity: int, newest_ns: int) -> Self:
        """Restore a dump; the newest tick was at ``newest_ns`` on the present clock.

        Raises:
            ValueError: the state is not a dump of such a sample.
        """
        if not isinstance(state, dict):
            raise ValueError("a sample must be an object")  # noqa: TRY004 - one error type for all faults
        halvings, ages, values = (state.get(key) for key in ("halvings", "age_ms", "values"))
        if type(halvings) is not int or not 0 <= halvings < _BITS:
            raise ValueError(f"halvings must be 0 to {_BITS - 1}")
        if not isinstance(values, list) or len(values) != columns:
            raise ValueError(f"values must be {columns} lists")
        rows = [_whole_numbers(column) for column in (ages, *values)]
        count = len(rows[0])
        if any(len(row) != count for row in rows) or count > capacity:
            raise ValueError(f"lists must be of one length, and {capacity} at most")
        sample = cls(columns, capacity)
        sample._rows[:, :count] = rows
        sample._rows[0, :count] = newest_ns - sample._rows[0, :count] * NANOSECONDS_PER_MILLISECOND
        sample._count = sample.kept = count
        sample._halvings = halvings
        return sample


def _whole_numbers(values: object) -> NDArray[np.int64]:
    """Return a list of integers from 0 to 2**43 (278 years in milliseconds, 8.8 MW)."""
    if not isinstance(values, list) or not all(
        type(value) is int and 0 <= value <= 1 << 43 for value in values
    ):
        raise ValueError("a list of whole numbers, 0 or more, is needed")
    return np.array(values, dtype=np.int64)
