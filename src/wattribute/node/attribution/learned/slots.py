"""Which workloads have a coefficient of their own: the largest, in a bounded number of slots."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import WorkloadKey

SHARED: Final = 0
"""The slot of all workloads that have none of their own."""
_MEAN_USE_S: Final = 600.0
_MOST_WAITING: Final = 4096
_SWAPS: Final = 8
"""At most so many slots change hands a minute."""
_NEVER: Final = -9


class Slots:
    """Gives slots to workloads.

    A new workload takes a free slot, else that of the smallest one that does not run now. Others
    share slot 0, until they use twice as much as the smallest that has a slot.
    """

    def __init__(
        self,
        size: int,
        begin: Callable[[int, WorkloadKey], None],
        end: Callable[[int, WorkloadKey], None],
    ) -> None:
        """Start with all slots free.

        Args:
            size: how many workloads can have a slot.
            begin: called when a workload gets a slot.
            end: called before it loses it.
        """
        self.slot_of: dict[WorkloadKey, int] = {}
        self.use = np.zeros(size + 1)
        """(size + 1,) busy threads, a mean of 10 minutes."""
        self.top = 0
        """The highest slot that was ever given."""
        self._owner: list[WorkloadKey | None] = [None] * (size + 1)
        self._free = list(range(size, 0, -1))
        self._waiting: dict[WorkloadKey, tuple[float, int]] = {}
        """Mean use of workloads without a slot, and the last tick in which they ran."""
        self._tick = 0
        self._last_tick = np.full(size + 1, _NEVER)
        self._begin, self._end = begin, end

    def place(
        self, keys: Sequence[WorkloadKey], use: NDArray[np.float64], tick: int, elapsed_s: float
    ) -> NDArray[np.int64]:
        """Return the slot of each row, and give slots to new workloads, the largest first.

        Args:
            keys: (n,) whose the rows are; one may come twice.
            use: (n,) busy threads.
            tick: number of the tick.
            elapsed_s: its length in seconds.
        """
        self._tick = tick
        find = self.slot_of.get
        slots = np.array([find(key, SHARED) for key in keys], np.int64)
        self._last_tick[slots] = tick
        without = np.flatnonzero(slots == SHARED)
        if not len(without):
            return slots
        decay = np.exp(-elapsed_s / _MEAN_USE_S)
        idle = self._idle(tick) if len(self._free) < len(without) else []
        for row in without[np.argsort(-use[without])]:
            key = keys[row]
            if find(key, SHARED):  # a row of the same workload got it a moment ago
                slots[row] = find(key, SHARED)
            elif self._free or idle:
                slots[row] = self.give(key, idle.pop() if not self._free else None)
            else:
                before, _ = self._waiting.get(key, (0.0, 0))
                self._waiting[key] = (decay * before + (1 - decay) * float(use[row]), tick)
        self._last_tick[slots] = tick
        return slots

    def _idle(self, tick: int) -> list[int]:
        """Return the slots of those who do not run now, the smallest last."""
        idle = [slot for slot in self.slot_of.values() if self._last_tick[slot] < tick - 1]
        return sorted(idle, key=lambda slot: -self.use[slot])

    def note_use(self, use: NDArray[np.float64], elapsed_s: float) -> None:
        """Take one tick's use by slot, (top + 1,) busy threads."""
        decay = np.exp(-elapsed_s / _MEAN_USE_S)
        self.use *= decay
        self.use[: len(use)] += (1 - decay) * use

    def swap(self) -> None:
        """Give the smallest slots to those who use twice as much and have none."""
        waiting = {k: u for k, (u, tick) in self._waiting.items() if tick >= self._tick - 1}
        largest = sorted(waiting.items(), key=lambda item: -item[1])
        smallest = (np.argsort(self.use[1 : self.top + 1])[:_SWAPS] + 1).tolist()
        for (key, use), slot in zip(largest[:_SWAPS], smallest, strict=False):
            if use < 2 * self.use[slot]:
                break
            self.give(key, slot)
        without = [key for key, _ in largest if key not in self.slot_of]
        self._waiting = {key: self._waiting[key] for key in without[:_MOST_WAITING]}

    def give(self, key: WorkloadKey, slot: int | None = None) -> int:
        """Give a slot to a workload, and return it; None: a free one, which there must be."""
        if slot is None:
            slot = self._free.pop()
        owner = self._owner[slot]
        if owner is not None:
            self._end(slot, owner)
            del self.slot_of[owner]
        self.slot_of[key], self._owner[slot] = slot, key
        self.top = max(self.top, slot)
        self.use[slot], _ = self._waiting.pop(key, (0.0, 0))
        self._begin(slot, key)
        return slot

    def rename(self, old: WorkloadKey, new: WorkloadKey) -> None:
        """Let a workload go by another key; one that has a slot under the new key keeps that."""
        slot = self.slot_of.get(old)
        if slot is None or new in self.slot_of:
            return
        del self.slot_of[old]
        self.slot_of[new], self._owner[slot] = slot, new
