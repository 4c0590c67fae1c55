"""The source ``tasks``: the scheduler's nanoseconds per process, from a BPF task iterator.

Nothing runs at context switches. Every process that ran is reported, including those
that started and ended between two reads. The time of a task that runs during the read
is that of its last scheduler tick (at most 4 ms old at HZ=250); time that is missing
in one interval is in the next.
"""

from typing import Final

import numpy as np

from wattribute.core.errors import ActivityFailed
from wattribute.core.records import Processes, Usage
from wattribute.core.units import Nanoseconds
from wattribute.node.activity.ascending import distinct
from wattribute.node.activity.backend import ActivityBackend, ActivityInputs
from wattribute.node.activity.bpf.folders import cpuacct_hierarchy
from wattribute.node.activity.bpf.permission import require_host_pids
from wattribute.node.activity.bpf.tasks import KERNEL_THREAD, TaskBooks
from wattribute.node.activity.lifetimes import Lifetimes, Used
from wattribute.node.activity.node import NodeTimes

_PID_SHIFT: Final = np.uint64(40)
_ALL_PACKAGES: Final = np.uint64((1 << 64) - 1)


class TasksActivity:
    """Reads the CPU time of every process from the scheduler's accounting."""

    name = "tasks"

    def __init__(self, inputs: ActivityInputs) -> None:
        """Load the programs.

        Args:
            inputs: What every source is made of. The hierarchy of the cgroups decides which cgroup
                ids are used; at most ``max_processes`` processes may end between two reads.

        Raises:
            ActivityAbsent: there is no BTF, the kernel is older than 5.8, or this is not the
                host's pid namespace.
            ActivityDenied: a capability is missing, or the kernel is locked down.
        """
        require_host_pids()
        cgroups = inputs.cgroups
        hierarchy = cpuacct_hierarchy(inputs.procfs) if cgroups.accounting == "cpuacct" else 0
        self._cgroups = cgroups
        self._node = NodeTimes(inputs.cpustat, inputs.topology)
        self._lifetimes = Lifetimes()
        self._books = TaskBooks(inputs.topology, hierarchy, inputs.max_processes)
        self._owed: list[Used] = []
        """Usage that is charged and not returned yet, because the rest of a read failed."""

    def read(self, now_ns: Nanoseconds) -> Usage | None:
        """Return the usage since the last read, as Activity.read.

        Processes have one column of time, because the package is not known.

        Raises:
            ActivityFailed: the task iterator cannot be read.
        """
        try:
            # In this order, a process that ends in between is in both, and is counted once.
            scan, dying, deaths = self._books.scan(), self._books.dying(), self._books.deaths()
        except OSError as exc:
            raise ActivityFailed(f"tasks: cannot read the task iterator: {exc.strerror}") from exc
        for number, path in self._books.folders.drain():
            self._cgroups.add(number, path)
        if not self._node.began:
            self._lifetimes.begin(scan, dying, now_ns)
            self._cgroups.read()
            self._node.advance(now_ns)
            return None
        usage, missed = self._lifetimes.advance(scan, dying, deaths, now_ns)
        self._owed.append(usage)
        if len(missed):
            self._books.forget(missed)
        processes = _processes(self._owed)
        cgroups = self._cgroups.read(distinct(processes.cgroup))
        node = self._node.advance(now_ns)
        self._owed.clear()
        return Usage(
            start_ns=node.start_ns,
            end_ns=node.end_ns,
            processes=processes,
            cgroups=cgroups,
            busy_ns=node.busy_ns,
            capacity_ns=node.capacity_ns,
            steal_ns=node.steal_ns,
            irq_ns=node.irq_ns,
            dropped=self._books.dropped,
        )

    def bpf_run_ns(self) -> int | None:
        """Return the kernel time of the BPF programs, as Activity.bpf_run_ns.

        The iterator's own time is CPU time of this process and is not in it.
        """
        return self._books.run_ns()

    def close(self) -> None:
        """Detach and unload the programs, and close all files."""
        self._books.close()
        self._cgroups.close()
        self._node.close()


def _processes(owed: list[Used]) -> Processes:
    tasks = np.concatenate([usage.tasks for usage in owed])
    allowed = tasks["allowed"].astype(np.uint64)
    return Processes(
        key=tasks["key"].copy(),
        pid=(tasks["key"] >> _PID_SHIFT).astype(np.int64),
        parent_pid=tasks["parent"].astype(np.int64),
        cgroup=tasks["cgroup"].copy(),
        comm=tasks["comm"].copy(),
        kernel=tasks["flags"] & KERNEL_THREAD != 0,
        alive=np.concatenate([usage.alive for usage in owed]),
        cpu_ns=np.concatenate([usage.ns for usage in owed])[:, np.newaxis],
        allowed=np.where(allowed == 0, _ALL_PACKAGES, allowed),
        counters={},
    )


BACKEND = ActivityBackend(
    name=TasksActivity.name,
    open=TasksActivity,
    sees="CPU time of every process, from the scheduler",
    sees_short_lived=True,
)
