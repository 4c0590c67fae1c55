"""CPU time of a command's processes, as the kernel's own books have it."""

import os
import time
from collections.abc import Mapping
from typing import Final

import numpy as np

from wattribute.core.clock import Clock
from wattribute.core.errors import ActivityError
from wattribute.core.records import Processes
from wattribute.node.activity import Activity
from wattribute.node.activity.bpf.perf import HARDWARE_EVENTS
from wattribute.node.measuring.tree import ProcessTree

_LATE_S: Final = 0.05
"""Death records come up to so much after the exit (99 % of them within 25 ms)."""


class KernelTree:
    """Descendants by parent, from an eBPF source: sees also children that nobody waits for.

    What it may miss (a record that is later than 50 ms) the process tree's own
    accounting has, so the larger of both is the truth.
    """

    def __init__(self, tree: ProcessTree, activity: Activity, clock: Clock, root: int) -> None:
        """Take over an open source; ``root`` is the command's process."""
        self._tree = tree
        self._activity = activity
        self._clock = clock
        self._self = os.getpid()
        self._members: dict[int, int | None] = {root: None}
        """Process id -> key of those that live; None: it has not run yet."""
        self._ended: tuple[int, ...] = ()
        """Process ids of those that ended in the last read."""
        self._seen_ns = 0
        self._counters: dict[str, int] = {}
        activity.read(clock.monotonic_ns())

    def cpu_ns(self, *, final: bool = False) -> int:
        """CPU time of the tree so far; ``final``: wait for records that are late."""
        if final:
            time.sleep(_LATE_S)
        try:
            usage = self._activity.read(self._clock.monotonic_ns())
        except ActivityError:
            usage = None  # the next read has the time of both
        if usage is not None:
            self._seen_ns += self._of_tree(usage.processes)
        return max(self._seen_ns, self._tree.cpu_ns(final=final))

    @property
    def counters(self) -> Mapping[str, int]:
        """What the hardware counted for the tree so far, by event."""
        return self._counters

    def live(self) -> tuple[int, ...]:
        """Process ids of all descendants that have not been waited for."""
        return self._tree.live()

    def members(self) -> tuple[int, ...]:
        """Process ids of all descendants that live, or ended in the last read."""
        return (*self._members, *self._ended, *self._tree.members())

    def close(self) -> None:
        """Detach from the kernel."""
        self._activity.close()

    def _of_tree(self, processes: Processes) -> int:
        """Time of the rows that descend from the command; parents come before children."""
        total_ns = 0
        ended = []
        started = processes.key & np.uint64((1 << 40) - 1)
        for row in np.argsort(started, kind="stable"):
            pid, key = int(processes.pid[row]), int(processes.key[row])
            if pid == self._self:
                continue
            if not self._belongs(pid, key, int(processes.parent_pid[row])):
                self._members.pop(pid, None)  # another process has its number now
                continue
            self._members[pid] = key
            total_ns += int(processes.cpu_ns[row].sum())
            for name, counted in processes.counters.items():
                if name in HARDWARE_EVENTS:
                    self._counters[name] = self._counters.get(name, 0) + int(counted[row].sum())
            if not processes.alive[row]:
                ended.append(pid)
        for pid in ended:
            self._members.pop(pid, None)
        self._ended = tuple(ended)
        return total_ns

    def _belongs(self, pid: int, key: int, parent: int) -> bool:
        if pid in self._members and self._members[pid] in (None, key):
            return True
        return parent == self._self or (parent in self._members and parent != pid)
