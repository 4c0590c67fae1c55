"""The source ``procfs``: activity from /proc alone, for machines with unreadable cgroups."""

import posixpath
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wattribute.core.records import Cgroups, Topology, Usage
from wattribute.core.units import Nanoseconds
from wattribute.node.activity.backend import ActivityBackend, ActivityInputs
from wattribute.node.activity.cpustat import CpuStat
from wattribute.node.activity.folders import printable
from wattribute.node.activity.membership import Membership
from wattribute.node.activity.node import NodeTimes
from wattribute.node.activity.processes import ProcessReader


class ProcfsActivity:
    """Reads utime + stime of /proc/PID/stat, and cgroups by the paths of processes.

    Time between the last read and the end of a process is lost here, and so are
    processes that lived between two reads: at 5 s that is most of the time of
    short-lived ones. The source ``cgroup`` has this time in the cgroups' counters.
    """

    name = "procfs"

    def __init__(self, procfs: Path, topology: Topology, cpustat: CpuStat) -> None:
        """Prepare the source without reading yet.

        Raises:
            ActivityAbsent: there are no processes in ``procfs``.
        """
        self._cpustat = cpustat
        self._node = NodeTimes(cpustat, topology)
        self._membership = Membership(procfs, "none")
        self._cgroups = _SeenCgroups()
        self._processes = ProcessReader(procfs, topology, self._cgroup_of)

    def read(self, now_ns: Nanoseconds) -> Usage | None:
        """Return the usage since the last read; None the first time.

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
        """Return None, because this source has no BPF program."""
        return None

    def close(self) -> None:
        """Close the file /proc/stat."""
        self._cpustat.close()

    def _cgroup_of(self, pid: str) -> int:
        path = self._membership.path_of(pid)
        return self._cgroups.id_of(path) if path else 0


class _Seen(NamedTuple):
    id: int
    parent: int
    """Id of the parent; 0: none."""


class _SeenCgroups:
    """The cgroups that processes name by their paths; the ids are serial numbers of this class."""

    def __init__(self) -> None:
        self._by_path: dict[str, _Seen] = {}
        self._serial = 0
        self._generation = 0
        self._shown: tuple[str, ...] = ()
        self.id_of("/")

    def id_of(self, path: str) -> int:
        """Return the id of a cgroup; it is new for a path that is new, or was removed before."""
        cgroup = self._by_path.get(path)
        if cgroup is None:
            above = posixpath.dirname(path)
            parent = 0 if path in ("/", above) else self.id_of(above or "/")
            self._serial += 1
            cgroup = self._by_path[path] = _Seen(self._serial, parent)
        return cgroup.id

    def table(self, populated: set[int]) -> Cgroups:
        """Return all cgroups, including for the last time those without processes.

        Args:
            populated: ids of the cgroups that have processes.
        """
        living = {1}
        for cgroup in reversed(self._by_path.values()):  # children come after their parents
            if cgroup.id in populated or cgroup.id in living:
                living.update(cgroup)
        paths = tuple(self._by_path)
        if paths != self._shown or len(living - {0}) < len(paths):
            self._generation += 1
            self._shown = paths
        rows = list(self._by_path.values())
        ids = np.array([cgroup.id for cgroup in rows], np.uint64)
        parents = np.array([cgroup.parent for cgroup in rows], np.uint64)
        alive = np.array([cgroup.id in living for cgroup in rows], np.bool_)
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


def _open(inputs: ActivityInputs) -> ProcfsActivity:
    inputs.cgroups.close()
    return ProcfsActivity(inputs.procfs, inputs.topology, inputs.cpustat)


BACKEND = ActivityBackend(
    name=ProcfsActivity.name,
    open=_open,
    sees="CPU time of processes that live when it is read",
    sees_short_lived=False,
    reads_cgroups=False,
    last_resort=True,
)
