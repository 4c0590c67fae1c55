"""Compute the use of each entry of a kernel map in an interval, from running totals."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wattribute.node.activity.ascending import distinct, find

_AMOUNTS: Final = 5
"""Number of amounts in USE: ns, three events, corun_ns."""
_IDLE_READS: Final = 12
"""An entry that did not change for this many reads is deleted, so that a process that sleeps for
minutes does not cost time at every read."""
_NEARLY_FULL: Final = 0.75
"""Above this share of the capacity, entries that did not change since the last read are deleted."""


class Ran(NamedTuple):
    """The entries that changed in an interval."""

    keys: NDArray[np.void]
    """(n,) KEY records: process, cgroup, package."""
    uses: NDArray[np.void]
    """(n,) USE records: the totals, and the identity of the process."""
    amounts: NDArray[np.int64]
    """(n, 5) rises of ns, events and corun_ns."""
    alive: NDArray[np.bool_]


class EntryTotals:
    """Totals of every entry at the last read, by serial number.

    The BPF program never uses a serial number twice.
    """

    def __init__(self, capacity: int) -> None:
        """Start without entries, for a map with this capacity."""
        self._full = int(capacity * _NEARLY_FULL)
        self._serials = np.empty(0, np.uint64)
        self._totals = np.empty((0, _AMOUNTS), np.int64)
        self._idle = np.empty(0, np.int64)
        self._dead = np.empty(0, np.bool_)

    def advance(
        self, keys: NDArray[np.void], uses: NDArray[np.void]
    ) -> tuple[Ran, NDArray[np.void]]:
        """Return the rises since the last call, and the keys to delete from the map.

        An entry whose process ended is deleted one read after the read that showed its
        end: by then, all pending writes to it are done. Deleting the entry of a
        sleeping process could lose the slice of a process that wakes at that moment;
        the counter of its cgroup still contains that time.
        """
        order = np.argsort(uses["serial"], kind="stable")
        keys, uses = keys[order], uses[order]
        serials = uses["serial"].copy()
        totals = np.column_stack([uses["ns"], uses["events"], uses["corun_ns"]])
        at, is_old = find(self._serials, serials)
        before = np.zeros_like(totals)
        before[is_old] = self._totals[at[is_old]]
        rise = np.maximum(totals - before, 0)
        ran = rise[:, 0] > 0

        idle = np.zeros(len(serials), np.int64)
        idle[is_old] = self._idle[at[is_old]] + 1
        idle[ran] = 0
        was_dead = np.zeros(len(serials), np.bool_)
        was_dead[is_old] = self._dead[at[is_old]]
        dead = uses["dead"] != 0
        if dead.any():  # including the process's entries in other cgroups and packages
            dead = find(distinct(keys["process"][dead]), keys["process"])[1]
        patience = 1 if len(serials) > self._full else _IDLE_READS
        old = was_dead | (idle >= patience)
        self._serials, self._totals, self._idle, self._dead = serials, totals, idle, dead
        return Ran(keys[ran], uses[ran], rise[ran], ~dead[ran]), keys[old]
