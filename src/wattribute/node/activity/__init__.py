"""Sources of activity: which processes ran, and for how long, from the kernel's accounting.

Each source has one module. The table in ``choose.py`` decides which source is used.
"""

from typing import Protocol

from wattribute.core.records import Usage
from wattribute.core.units import Nanoseconds


class Activity(Protocol):
    """A source of activity."""

    name: str
    """``cycles``, ``tasks``, ``cgroup`` or ``procfs``."""

    def read(self, now_ns: Nanoseconds) -> Usage | None:
        """Return the usage since the last read; None the first time, which only sets the start.

        Raises:
            ActivityFailed: this read failed as a whole. Nothing is lost: the next
                successful read covers the time of both.
        """
        ...

    def bpf_run_ns(self) -> int | None:
        """Return the kernel time of this source's BPF programs since load, in ns.

        None if the source has no BPF program, or the kernel does not count their time.
        """
        ...

    def close(self) -> None:
        """Close all files, and detach all programs from the kernel."""
        ...
