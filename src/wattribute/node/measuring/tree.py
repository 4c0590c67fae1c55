"""CPU time of this process's children, live and ended, without privilege.

The kernel adds the time of every child that was waited for to its parent
(getrusage(2) RUSAGE_CHILDREN, ``cutime`` in proc_pid_stat(5)); a subreaper
(prctl(2) PR_SET_CHILD_SUBREAPER) inherits orphans, so nothing is lost on the way
up, but for children of a process that ignores SIGCHLD.
"""

import ctypes
import os
import resource
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from wattribute.core.units import (
    MICROSECONDS_PER_SECOND,
    NANOSECONDS_PER_MICROSECOND,
    NANOSECONDS_PER_SECOND,
)

_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_GET_CHILD_SUBREAPER: Final = 37
_FIRST_TIME: Final = 13
"""Index of ``utime`` in proc_pid_stat(5), counted from 0, of pid; then stime, cutime, cstime."""


class ProcessTree:
    """This process's descendants, with or without itself."""

    def __init__(self, procfs: Path, *, with_self: bool) -> None:
        """Count from now on: what was used before is nobody's."""
        self._procfs = procfs
        self._with_self = with_self
        self._tick_ns = NANOSECONDS_PER_SECOND // os.sysconf("SC_CLK_TCK")
        self._base_ns = self._total()
        self._most_ns = 0

    def begin(self) -> None:
        """Count from now on, again."""
        self._base_ns = self._total()
        self._most_ns = 0

    def cpu_ns(self, *, final: bool = False) -> int:  # noqa: ARG002 - KernelTree's signature
        """CPU time of the tree since this object was made; never falls.

        Of processes that still run it is known to 10 ms; of those that ended, to 1 us.
        """
        self._most_ns = max(self._most_ns, self._total() - self._base_ns)
        return self._most_ns

    @property
    def counters(self) -> Mapping[str, int]:
        """Nothing: only eBPF counts what the hardware did."""
        return {}

    def live(self) -> tuple[int, ...]:
        """Process ids of all descendants that have not been waited for."""
        descendants: dict[int, None] = {}  # each once: one may change its parent while we look
        queue = self._children(os.getpid())
        for pid in queue:  # grows as it goes
            if pid not in descendants:
                descendants[pid] = None
                queue += self._children(pid)
        return tuple(descendants)

    def members(self) -> tuple[int, ...]:
        """Process ids of the work: its descendants that live, and itself where it belongs to it."""
        return (os.getpid(), *self.live()) if self._with_self else self.live()

    def close(self) -> None:
        """Nothing is held open."""

    def _total(self) -> int:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        ended_us = round((usage.ru_utime + usage.ru_stime) * MICROSECONDS_PER_SECOND)
        total_ns = ended_us * NANOSECONDS_PER_MICROSECOND
        if self._with_self:
            total_ns += time.process_time_ns()
        return total_ns + sum(self._time_of(pid) for pid in self.live())

    def _time_of(self, pid: int) -> int:
        """Time of a process and of the children that it waited for; 0 if it just ended."""
        try:
            stat = (self._procfs / str(pid) / "stat").read_bytes()
        except OSError:
            return 0
        fields = stat[stat.rfind(b")") + 2 :].split()
        first = _FIRST_TIME - 2
        return sum(int(ticks) for ticks in fields[first : first + 4]) * self._tick_ns

    def _children(self, pid: int) -> list[int]:
        children: list[int] = []
        with suppress(OSError):
            for task in (self._procfs / str(pid) / "task").iterdir():
                with suppress(OSError):
                    children += map(int, (task / "children").read_text().split())
        return children


def is_subreaper() -> bool:
    """Whether this process inherits orphans among its descendants."""
    flag = ctypes.c_int()
    ctypes.CDLL(None).prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(flag), 0, 0, 0)
    return bool(flag.value)


def set_subreaper(*, wanted: bool) -> bool:
    """Inherit orphans among the descendants, or no more; False where the kernel will not."""
    return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0) == 0)
