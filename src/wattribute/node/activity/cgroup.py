"""Activity from the counters of cgroups, which keep the time of what has ended; no privilege."""

from pathlib import Path

import numpy as np

from wattribute.core.errors import ActivityAbsent
from wattribute.core.records import Cgroups, Topology, Usage
from wattribute.core.units import Nanoseconds
from wattribute.node.activity.cgroupfs import CgroupReader
from wattribute.node.activity.cpustat import CpuStat
from wattribute.node.activity.membership import Membership
from wattribute.node.activity.node import NodeTimes
from wattribute.node.activity.processes import ProcessReader


class CgroupActivity:
    """Containers by their own counters, to the nanosecond; processes from /proc.

    What processes do not account for of a container's time (short-lived ones) is
    in the container's counter all the same.
    """

    name = "cgroup"

    def __init__(
        self, procfs: Path, cgroups: CgroupReader, cpustat: CpuStat, topology: Topology
    ) -> None:
        """Nothing is read yet.

        Raises:
            ActivityAbsent: no cgroup hierarchy counts CPU time, or there are no
                processes in ``procfs``.
        """
        if cgroups.accounting == "none":
            raise ActivityAbsent(
                f"{cgroups.root}: neither cgroup v2 nor cpuacct; mount the host's /sys/fs/cgroup"
                " and give its place with --cgroupfs"
            )
        self._cpustat = cpustat
        self._node = NodeTimes(cpustat, topology)
        self._cgroups = cgroups
        self._membership = Membership(procfs, cgroups.accounting, cgroups.root)
        self._processes = ProcessReader(procfs, topology, self._cgroup_of)

    def read(self, now_ns: Nanoseconds) -> Usage | None:
        """What was used since the read before; None the first time.

        Raises:
            ActivityFailed: procfs or the cgroup hierarchy cannot be read.
        """
        began = self._node.began
        # What may fail comes first, and changes nothing then: the next read covers both.
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
        """None: no BPF program."""
        return None

    def close(self) -> None:
        """Close all files."""
        self._cgroups.close()
        self._cpustat.close()

    def _cgroup_of(self, pid: str) -> int:
        return self._cgroups.id_of(self._membership.path_of(pid))


def _still(cgroups: Cgroups) -> frozenset[int]:
    """Ids of the cgroups in which nothing ran."""
    rows = np.flatnonzero((cgroups.cpu_ns == 0).all(axis=1))
    return frozenset(cgroups.id[rows].tolist())
