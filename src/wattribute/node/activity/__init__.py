"""Sources of who ran and for how long: each turns the kernel's books into usage.

One source, one file. ``choose.py`` is the table that says which is used.
"""

from typing import Protocol

from wattribute.core.records import Usage
from wattribute.core.units import Nanoseconds


class Activity(Protocol):
    """One source of usage."""

    name: str
    """``cycles``, ``tasks``, ``cgroup`` or ``procfs``."""

    def read(self, now_ns: Nanoseconds) -> Usage | None:
        """What was used since the read before; None the first time, for one reading makes nothing.

        Raises:
            ActivityFailed: this read failed as a whole. Nothing is lost: the next
                read that works covers the time of both.
        """
        ...

    def bpf_run_ns(self) -> int | None:
        """Kernel time of this source's BPF programs since load; None: none, or not counted."""
        ...

    def close(self) -> None:
        """Give back what it holds open; detach from the kernel."""
        ...
