"""The output of activity sources: who used what in an interval, as columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records.machine import Load
from wattribute.core.units import Nanoseconds


@dataclass(frozen=True, slots=True, eq=False)
class Processes:
    """Processes that used CPU in the interval, ended ones included.

    There are n rows in any order. Rows with the same key are to be added up.
    """

    key: NDArray[np.uint64]
    """PID and start time in one number: ``pid << 40 | (start_ns >> 10) & (2**40 - 1)``, with the
    start on the boot clock. It is never reused while the machine is up."""
    pid: NDArray[np.int64]
    """The PID in the host's PID namespace, which is that of the reader."""
    parent_pid: NDArray[np.int64]
    """The parent at the time of the read; 0 if not known."""
    cgroup: NDArray[np.uint64]
    """The id of the process's cgroup, as in Cgroups.id; 0 if not known."""
    comm: NDArray[np.bytes_]
    """The kernel's task name, which may be any bytes; S16."""
    kernel: NDArray[np.bool_]
    """Whether the process is a kernel thread."""
    alive: NDArray[np.bool_]
    """Whether the process still runs; an ended process is in the table for the last time."""
    cpu_ns: NDArray[np.int64]
    """(n, P) CPU time in the interval. P is the number of packages if the source knows on which
    package the time was spent, else 1; then the monitor fits it."""
    allowed: NDArray[np.uint64]
    """Bit p says that a CPU of package p is allowed (affinity). All bits are set if not known."""
    counters: Mapping[str, NDArray[np.int64]]
    """``cycles``, ``instructions``, ``cache_misses``, and ``corun_ns``, the time in which the SMT
    sibling was busy too; each (n, P). A counter that the machine lacks is absent."""


@dataclass(frozen=True, slots=True, eq=False)
class Cgroups:
    """The cgroups of the machine: g rows in ascending order of id."""

    generation: int
    """A number that changes when a cgroup is made, removed or renamed. Derived values may be cached
    until then."""
    id: NDArray[np.uint64]
    path: tuple[str, ...]
    """The path from the hierarchy's root: ``/``, ``/system.slice/ssh.service``; any text."""
    parent: NDArray[np.int64]
    """The row of the parent; -1 for the root."""
    cpu_ns: NDArray[np.int64]
    """(g, P) CPU time in the interval by the cgroup's own counter, children included; P as in
    Processes. -1 if it was not read (no counter, or the first reading)."""
    memory_bytes: NDArray[np.int64]
    """The memory that is charged to the cgroup now, children included; -1 if not known."""
    alive: NDArray[np.bool_]
    """Whether the cgroup still exists; a removed one is in the table for the last time."""


@dataclass(frozen=True, slots=True, eq=False)
class Usage:
    """The use of the machine in ``[start_ns, end_ns)``."""

    start_ns: Nanoseconds
    end_ns: Nanoseconds
    processes: Processes
    cgroups: Cgroups
    busy_ns: NDArray[np.int64]
    """(packages,) user + nice + system + irq + softirq time of each package's CPUs (/proc/stat).
    Guest time is counted once; steal and iowait are not counted."""
    capacity_ns: NDArray[np.int64]
    """(packages,) The number of online CPUs x elapsed time."""
    steal_ns: int
    irq_ns: int
    """The irq and softirq time of the whole node."""
    dropped: int
    """The number of records that the source lost since its start (full maps, full rings)."""

    @property
    def load(self) -> Load:
        """How busy the machine was in the interval."""
        elapsed_ns = Nanoseconds(self.end_ns - self.start_ns)
        return Load.from_times(elapsed_ns, self.busy_ns, self.capacity_ns)


@dataclass(frozen=True, slots=True)
class GpuState:
    """The state of a GPU at a read, as its vendor's interface showed it."""

    device: str
    """The UUID, as in Zone.id."""
    index: int
    """The vendor's number of the GPU, which may change over a restart."""
    name: str
    vendor: str
    energy: str
    """The source of its energy: ``counter``, ``average`` power over a second, or ``power`` now."""
    activity: str
    """The measure that its energy is split by: ``sm`` (time on its processors), ``gpm`` or ``dcgm``
    (use of each MIG instance), ``engine`` (time on its engines), ``memory`` (memory in use, if
    nothing better is known), ``unseen`` (we may not see its users), or ``none``."""
    utilisation: float | None
    """The part of the interval in which it was busy, 0 to 1; None if not known."""
    memory_used_bytes: int
    memory_total_bytes: int
    """All of its memory; 0 if not known."""
    instances: int
    """The number of MIG instances; 0 if MIG mode is off."""
    failures: int
    """The number of calls that failed since the GPU appeared."""
    message: str
    """The last problem; "" if there is none."""
    names: Mapping[str, int] = field(default_factory=dict)
    """The names of the GPU and of its MIG instances in device plugins, and how many of its
    ``slots`` each name stands for."""
    slots: int = 1
    """The number of parts that can be allocated: 1, or usually 7 in MIG mode."""


@dataclass(frozen=True, slots=True, eq=False)
class GpuUsage:
    """The use of GPUs in ``[start_ns, end_ns)``: n rows, one per process and device."""

    start_ns: Nanoseconds
    end_ns: Nanoseconds
    states: tuple[GpuState, ...]
    """The states of all GPUs that answer."""
    device: NDArray[np.int64]
    """(n,) The index in ``states``."""
    pid: NDArray[np.int64]
    """The PID in the host's PID namespace; 0 for an unknown user. Ended processes are included."""
    busy_ns: NDArray[np.int64]
    """(n,) Time on the device's processors; all of them for the whole interval are end - start."""
    memory_bytes: NDArray[np.int64]
    """(n,) The memory in use on the device now; 0 if not known."""
