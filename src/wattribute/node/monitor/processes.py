"""Cumulative energy of processes, found by key in a sorted index."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.units import DAY_S, NANOSECONDS_PER_SECOND, Nanoseconds
from wattribute.node.monitor.columns import Columns
from wattribute.node.monitor.rows import RESIDUAL_BIT, UsageRows

_PID_SHIFT: Final = 40
"""As in Processes.key."""
_IDLE_NS: Final = DAY_S * NANOSECONDS_PER_SECOND
"""A process that did not run for so long is dropped: its end may have been missed, and over months
those would fill the memory. Should it run again, it begins anew."""


class ProcessBook:
    """One slot per process that used CPU and has not been dropped."""

    def __init__(self) -> None:
        """An empty book."""
        self.columns = Columns(
            {
                "key": (np.uint64, ()),
                "pid": (np.int64, ()),
                "comm": ("S16", ()),
                "container": (np.int64, ()),
                "vm": (np.int64, ()),
                "alive": (np.bool_, ()),
                "seen_ns": (np.int64, ()),
                "hold_until_ns": (np.int64, ()),
                "cpu_ns": (np.int64, ()),
                "tick_ns": (np.int64, ()),
                "tick_uj": (np.int64, (1,)),
                "energy_uj": (np.int64, (1,)),
                "window_uj": (np.int64, ()),
            }
        )
        self._sorted = np.empty(0, np.uint64)
        self._slots = np.empty(0, np.int64)
        self._saved: dict[int, tuple[int, list[int]]] = {}
        self._saved_until_ns = 0
        self._booked: tuple[NDArray[np.uint64] | None, NDArray[np.int64]] = (None, self._slots)
        """The keys of the last ``book``, and their slots: every zone of a tick asks for them."""

    def find(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Slots of keys; -1 for a key that is not in the book."""
        if keys is self._booked[0]:
            return self._booked[1]
        if not len(self._sorted):
            return np.full(len(keys), -1, np.int64)
        at = np.searchsorted(self._sorted, keys)
        at[at == len(self._sorted)] = 0
        return np.where(self._sorted[at] == keys, self._slots[at], -1)

    def of_pid(self, pid: int) -> NDArray[np.int64]:
        """Slots of all processes of a pid, ended ones too."""
        first, last = np.searchsorted(
            self._sorted, np.array([pid << _PID_SHIFT, (pid + 1) << _PID_SHIFT], np.uint64)
        )
        return self._slots[first:last]

    def see(self, keys: NDArray[np.uint64], now_ns: Nanoseconds) -> NDArray[np.int64]:
        """Note that processes were heard of: they are not dropped now; their slots.

        Raises:
            KeyError: one is not in the book.
        """
        slots = self.find(keys)
        if (slots < 0).any():
            raise KeyError(int(keys[slots < 0][0]))
        self.columns["seen_ns"][slots] = now_ns
        return slots

    def end(self, keys: NDArray[np.uint64]) -> None:
        """Processes have ended, and no row says so; those that were dropped stay so."""
        slots = self.find(keys)
        self.columns["alive"][slots[slots >= 0]] = False

    def book(
        self,
        rows: UsageRows,
        container: NDArray[np.int64],
        vm: NDArray[np.int64],
        now_ns: Nanoseconds,
        hold_until_ns: int,
    ) -> NDArray[np.int64]:
        """Note who ran; the slot of every row.

        Args:
            rows: of one interval.
            container: (n,) slot of each row's container.
            vm: (n,) slot of each row's VM, -1 for none.
            now_ns: the instant of the tick.
            hold_until_ns: until when new processes are published as 0.
        """
        columns = self.columns
        slots = self.find(rows.key)
        missing = slots < 0
        if missing.any():
            fresh, first = _distinct(rows.key[missing])
            where = columns.append(len(fresh))
            columns["key"][where] = fresh
            columns["pid"][where] = rows.pid[missing][first]
            columns["hold_until_ns"][where] = hold_until_ns
            if self._saved:
                self._take_up(where)
            self._reindex()
            slots[missing] = self.find(rows.key[missing])
        columns["container"][slots] = container
        columns["vm"][slots] = vm
        columns["comm"][slots] = rows.comm
        columns["alive"][slots] = rows.alive
        columns["seen_ns"][slots] = now_ns
        used_ns = rows.cpu_ns.sum(axis=1)
        np.add.at(columns["tick_ns"], slots, used_ns)
        np.add.at(columns["cpu_ns"], slots, used_ns)
        self._booked = (rows.key, slots)
        return slots

    def begin_tick(self) -> None:
        """Set what is kept per tick to 0."""
        self.columns["tick_ns"][:] = 0
        self.columns["tick_uj"][:] = 0

    def credit(self, slots: NDArray[np.int64], channel: int, energy_uj: NDArray[np.int64]) -> None:
        """Add energy of a channel to slots (a slot may come twice)."""
        np.add.at(self.columns["energy_uj"][:, channel], slots, energy_uj)
        np.add.at(self.columns["tick_uj"][:, channel], slots, energy_uj)

    def drop_ended(self, now_ns: Nanoseconds, linger_ns: int) -> None:
        """Drop what has lingered long enough since its end.

        Energy that waits to weigh in ``other`` moves to the residual row of its
        container, or is forgotten where there is none.
        """
        columns = self.columns
        kept_ns = np.where(columns["alive"], max(linger_ns, _IDLE_NS), linger_ns)
        keep = columns["seen_ns"] >= now_ns - kept_ns
        if now_ns > self._saved_until_ns:
            self._saved.clear()
        if keep.all():
            return
        waiting = ~keep & (columns["window_uj"] > 0)
        if waiting.any():
            residual = (columns["key"] & RESIDUAL_BIT) != 0
            owner = {
                int(columns["container"][slot]): slot for slot in np.flatnonzero(residual & keep)
            }
            for slot in np.flatnonzero(waiting):
                heir = owner.get(int(columns["container"][slot]))
                if heir is not None:
                    columns["window_uj"][heir] += columns["window_uj"][slot]
        columns.keep(keep)
        self._reindex()

    def to_save(self, channels: int) -> tuple[list[int], list[int], list[list[int]]]:
        """Keys, CPU time and energy by channel of all processes.

        Also of those that an earlier run of the agent saved, and that did not run since.
        """
        columns, saved = self.columns, self._saved
        # A residual row's key holds for one run of the agent only.
        rows = (columns["key"] & RESIDUAL_BIT) == 0
        wide = [uj + [0] * (channels - len(uj)) for _, uj in saved.values()]
        return (
            columns["key"][rows].tolist() + list(saved),
            columns["cpu_ns"][rows].tolist() + [cpu_ns for cpu_ns, _ in saved.values()],
            columns["energy_uj"][rows, :channels].tolist() + wide,
        )

    def restore(
        self,
        keys: list[int],
        cpu_ns: list[int],
        energy_uj: list[list[int]],
        now_ns: Nanoseconds,
    ) -> None:
        """Go on from saved totals of this boot: each is taken up when its process shows up."""
        totals = zip(cpu_ns, energy_uj, strict=True)
        self._saved = dict(zip(keys, totals, strict=True))
        self._saved_until_ns = now_ns + _IDLE_NS

    def _take_up(self, where: slice) -> None:
        """Give new rows what an earlier run of the agent had counted for them."""
        columns = self.columns
        for slot in range(where.start, where.stop):
            saved = self._saved.pop(int(columns["key"][slot]), None)
            if saved is not None:
                columns["cpu_ns"][slot], columns["energy_uj"][slot, : len(saved[1])] = saved
                columns["hold_until_ns"][slot] = 0

    def move_containers(self, moved: NDArray[np.int64]) -> None:
        """Follow container slots that moved; processes of a dropped container go with it."""
        columns = self.columns
        columns["container"][:] = moved[columns["container"]]
        columns.keep(columns["container"] >= 0)
        self._reindex()

    def _reindex(self) -> None:
        self._booked = (None, self._slots)
        self._slots = np.argsort(self.columns["key"], kind="stable")
        self._sorted = self.columns["key"][self._slots]


def _distinct(keys: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Each key once, and where it is first (np.unique would import numpy.ma: 7 MB, 60 ms)."""
    order = np.argsort(keys, kind="stable")
    ascending = keys[order]
    new = np.ones(len(keys), np.bool_)
    new[1:] = ascending[1:] != ascending[:-1]
    return ascending[new], order[new]
