"""The source ``cgroup``: activity from the counters of cgroups. It needs no privilege.

The counters keep the time of processes that have ended.
"""

from pathlib import Path

import numpy as np

from wattribute.core.errors import ActivityAbsent
from wattribute.core.records import Cgroups, Topology, Usage
from wattribute.core.units import Nanoseconds
from wattribute.node.activity.backend import ActivityBackend, ActivityInputs
from wattribute.node.activity.cgroupfs import CgroupReader
from wattribute.node.activity.cpustat import CpuStat
from wattribute.node.activity.membership import Membership
from wattribute.node.activity.node import NodeTimes
from wattribute.node.activity.processes import ProcessReader


class CgroupActivity:
    """Reads containers from their own counters, in nanoseconds, and processes from /proc.

    Time of short-lived processes that /proc does not show is still in the counter of their
    container.
    """

    name = "cgroup"

    def __init__(
        self, procfs: Path, cgroups: CgroupReader, cpustat: CpuStat, topology: Topology
    ) -> None:
        """Prepare the source without reading yet.

        Raises:
            ActivityAbsent: no cgroup hierarchy counts CPU time, or there are no
                processes in ``procfs``.
        """
        if cgroups.accounting == "none":
            raise ActivityAbsent(
                f"{cgroups.root}: neither cgroup v2 nor cpuacct is there; mount the host's"
                " /sys/fs/cgroup and name the folder with --cgroupfs"
            )
        self._cpustat = cpustat
        self._node = NodeTimes(cpustat, topology)
        self._cgroups = cgroups
        self._membership = Membership(procfs, cgroups.accounting, cgroups.root)
        self._processes = ProcessReader(procfs, topology, self._cgroup_of)

    def read(self, now_ns: Nanoseconds) -> Usage | None:
        """Return the usage since the last read; None the first time.

        Raises:
            ActivityFailed: procfs or the cgroup hierarchy cannot be read.
        """
        began = self._node.began
        # The steps that may fail come first and change nothing: the next read then covers both.
        pids = self._processes.pids()
        time = self._node.measure(now_ns)
        cgroups = self._cgroups.read()
        self._node.settle()
        processes = self._processes.read(pids, _still(cgroups))
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
            dropped=self._processes.dropped + self._cgroups.dropped,
        )

    def bpf_run_ns(self) -> int | None:
        """Return None, because this source has no BPF program."""
        return None

    def close(self) -> None:
        """Close all files of the source."""
        self._cgroups.close()
        self._cpustat.close()

    def _cgroup_of(self, pid: str) -> int:
        return self._cgroups.id_of(self._membership.path_of(pid))


def _still(cgroups: Cgroups) -> frozenset[int]:
    """Return the ids of the cgroups in which nothing ran."""
    rows = np.flatnonzero((cgroups.cpu_ns == 0).all(axis=1))
    return frozenset(cgroups.id[rows].tolist())


def _open(inputs: ActivityInputs) -> CgroupActivity:
    return CgroupActivity(inputs.procfs, inputs.cgroups, inputs.cpustat, inputs.topology)


BACKEND = ActivityBackend(
    name=CgroupActivity.name,
    open=_open,
    sees="CPU time of every cgroup, and of processes that live when it is read",
    sees_short_lived=False,
)
