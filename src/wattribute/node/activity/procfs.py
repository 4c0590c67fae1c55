"""Activity from /proc alone: for machines whose cgroups cannot be read."""

import posixpath
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wattribute.core.records import Cgroups, Topology, Usage
from wattribute.core.units import Nanoseconds
from wattribute.node.activity.cpustat import CpuStat
from wattribute.node.activity.folders import printable
from wattribute.node.activity.membership import Membership
from wattribute.node.activity.node import NodeTimes
from wattribute.node.activity.processes import ProcessReader


class ProcfsActivity:
    """utime + stime of /proc/PID/stat, and cgroups by the paths that processes name.

    What processes used after the last read of their lives is lost here, and so
    are processes that lived between two reads: at 5 s that is most of the time of
    short ones. The source ``cgroup`` finds it in the cgroups' counters.
    """

    name = "procfs"

    def __init__(self, procfs: Path, topology: Topology, cpustat: CpuStat) -> None:
        """Nothing is read yet.

        Raises:
            ActivityAbsent: there are no processes in ``procfs``.
        """
        self._cpustat = cpustat
        self._node = NodeTimes(cpustat, topology)
        self._membership = Membership(procfs, "none")
        self._cgroups = _SeenCgroups()
        self._processes = ProcessReader(procfs, topology, self._cgroup_of)

    def read(self, now_ns: Nanoseconds) -> Usage | None:
        """What was used since the read before; None the first time.

        Raises:
            ActivityFailed: procfs cannot be read.
        """
        began = self._node.began
        pids = self._processes.pids()
        time = self._node.advance(now_ns)
        processes = self._processes.read(pids)
        cgroups = self._cgroups.table(self._processes.cgroups())
        if not began:
            return None
        return Usage(
            start_ns=time.start_ns,
            end_ns=time.end_ns,
            processes=processes,
            cgroups=cgroups,
            busy_ns=time.busy_ns,
            capacity_ns=time.capacity_ns,
            steal_ns=time.steal_ns,
            irq_ns=time.irq_ns,
            dropped=self._processes.dropped,
        )

    def bpf_run_ns(self) -> int | None:
        """None: no BPF program."""
        return None

    def close(self) -> None:
        """Close /proc/stat."""
        self._cpustat.close()

    def _cgroup_of(self, pid: str) -> int:
        path = self._membership.path_of(pid)
        return self._cgroups.id_of(path) if path else 0


class _Seen(NamedTuple):
    id: int
    parent: int
    """Id; 0: none."""


class _SeenCgroups:
    """Cgroups known by the paths of processes; ids are numbers of our own."""

    def __init__(self) -> None:
        self._by_path: dict[str, _Seen] = {}
        self._serial = 0
        self._generation = 0
        self._shown: tuple[str, ...] = ()
        self.id_of("/")

    def id_of(self, path: str) -> int:
        """Number of a cgroup; new for one that was not seen before (or whose like has ended)."""
        seen = self._by_path.get(path)
        if seen is None:
            above = posixpath.dirname(path)
            parent = 0 if path in ("/", above) else self.id_of(above or "/")
            self._serial += 1
            seen = self._by_path[path] = _Seen(self._serial, parent)
        return seen.id

    def table(self, used: set[int]) -> Cgroups:
        """All cgroups, those without processes any more for the last time.

        Args:
            used: ids of the cgroups that have processes.
        """
        living = {1}
        for seen in reversed(self._by_path.values()):  # children come after their parents
            if seen.id in used or seen.id in living:
                living.update(seen)
        paths = tuple(self._by_path)
        if paths != self._shown or len(living - {0}) < len(paths):
            self._generation += 1
            self._shown = paths
        rows = list(self._by_path.values())
        ids = np.array([seen.id for seen in rows], np.uint64)
        parents = np.array([seen.parent for seen in rows], np.uint64)
        alive = np.array([seen.id in living for seen in rows], np.bool_)
        for path in [p for p, live in zip(paths, alive, strict=True) if not live]:
            del self._by_path[path]
        parent = np.searchsorted(ids, parents).astype(np.int64)
        parent[parents == 0] = -1
        unknown = np.full(len(ids), -1, np.int64)
        return Cgroups(
            generation=self._generation,
            id=ids,
            path=tuple(printable(path) for path in paths),
            parent=parent,
            cpu_ns=unknown.reshape(-1, 1),
            memory_bytes=unknown,
            alive=alive,
        )
