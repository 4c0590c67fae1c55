"""Identify single processes by pid, for those that use a device and not the CPU."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from wattribute.node.activity.folders import printable
from wattribute.node.activity.hierarchy import find_hierarchy
from wattribute.node.activity.membership import Membership
from wattribute.node.activity.processes import parse_stat, process_key


class ProcessIdentity(NamedTuple):
    """A process that exists."""

    key: int
    """As Processes.key, with the start time rounded down to a tick of /proc."""
    comm: bytes
    cgroup: str
    """Path of its cgroup, as in Cgroups.path; "" if it is not known."""


Finder = Callable[[int], ProcessIdentity | None]
"""Returns the process of a pid; None if it has ended."""


class ProcessFinder:
    """Reads /proc/PID of a process when it is called, and nothing before."""

    def __init__(self, procfs: Path, cgroupfs: Path, *, any_hierarchy: bool) -> None:
        """Set the folders to read.

        Args:
            procfs: root of procfs.
            cgroupfs: root of the cgroup file systems.
            any_hierarchy: return the paths that the activity source ``procfs`` shows, which
                uses no cgroup file system.
        """
        self._procfs = procfs
        self._cgroupfs = cgroupfs
        self._any = any_hierarchy
        self._membership: Membership | None = None

    def __call__(self, pid: int) -> ProcessIdentity | None:
        """Return the process of a pid; None if it has ended."""
        try:
            stat = parse_stat((self._procfs / str(pid) / "stat").read_bytes())
        except (OSError, ValueError):
            return None
        return ProcessIdentity(
            process_key(pid, stat), stat.comm, printable(self._paths().path_of(str(pid)))
        )

    def _paths(self) -> Membership:
        if self._membership is None:
            if self._any:
                self._membership = Membership(self._procfs, "none")
            else:
                hierarchy = find_hierarchy(self._cgroupfs, packages=1)
                self._membership = Membership(
                    self._procfs, hierarchy.accounting, Path(hierarchy.root)
                )
        return self._membership
