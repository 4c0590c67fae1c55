"""Use per entry of a kernel map and interval, from running totals. Pure arithmetic."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wattribute.node.activity.ascending import distinct, find

_AMOUNTS: Final = 5
"""The first columns of USE: ns, three events, corun_ns."""
_IDLE_READS: Final = 12
"""An entry that did not change for so many reads is taken out: a process that sleeps for
minutes must not cost at every read."""
_NEARLY_FULL: Final = 0.75
"""From here on, entries that did not change since the last read are taken out."""


class Ran(NamedTuple):
    """The entries that changed in an interval."""

    keys: NDArray[np.void]
    """(n,) KEY: process, cgroup, package."""
    uses: NDArray[np.void]
    """(n,) USE: the totals, and who it is."""
    amounts: NDArray[np.int64]
    """(n, 5) rise of ns, events and corun_ns."""
    alive: NDArray[np.bool_]


class Entries:
    """Totals of every entry at the last read, by serial (never given twice by the kernel side)."""

    def __init__(self, capacity: int) -> None:
        """Of a map with room for so many."""
        self._full = int(capacity * _NEARLY_FULL)
        self._serials = np.empty(0, np.uint64)
        self._totals = np.empty((0, _AMOUNTS), np.int64)
        self._idle = np.empty(0, np.int64)
        self._dead = np.empty(0, np.bool_)

    def advance(
        self, keys: NDArray[np.void], uses: NDArray[np.void]
    ) -> tuple[Ran, NDArray[np.void]]:
        """What rose since the last call, and the keys to delete from the map.

        An entry whose process ended is deleted at the read after the one that
        told so: whoever still held it has written by then. Deleting one that
        only sleeps could lose the slice of a process that wakes in that very
        moment; its cgroup's own counter has that time all the same.
        """
        order = np.argsort(uses["serial"], kind="stable")
        keys, uses = keys[order], uses[order]
        serials = uses["serial"].copy()
        totals = np.column_stack([uses["ns"], uses["events"], uses["corun_ns"]])
        at, known = find(self._serials, serials)
        before = np.zeros_like(totals)
        before[known] = self._totals[at[known]]
        rise = np.maximum(totals - before, 0)
        ran = rise[:, 0] > 0

        idle = np.zeros(len(serials), np.int64)
        idle[known] = self._idle[at[known]] + 1
        idle[ran] = 0
        was_dead = np.zeros(len(serials), np.bool_)
        was_dead[known] = self._dead[at[known]]
        dead = uses["dead"] != 0
        if dead.any():  # also its entries in other cgroups and packages
            dead = find(distinct(keys["process"][dead]), keys["process"])[1]
        patience = 1 if len(serials) > self._full else _IDLE_READS
        old = was_dead | (idle >= patience)
        self._serials, self._totals, self._idle, self._dead = serials, totals, idle, dead
        return Ran(keys[ran], uses[ran], rise[ran], ~dead[ran]), keys[old]
