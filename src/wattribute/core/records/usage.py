"""What activity sources say: who used what in one interval. Columnar."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wattribute.core.units import Nanoseconds


@dataclass(frozen=True, slots=True, eq=False)
class Processes:
    """Processes that used CPU in the interval, dead ones included.

    n rows in any order; a key may come twice (add them up).
    """

    key: NDArray[np.uint64]
    """(pid, start time) in one number: ``pid << 40 | (start_ns >> 10) & (2**40 - 1)``, where start
    is on the boot clock. Never reused while the machine is up."""
    pid: NDArray[np.int64]
    """In the host's pid namespace (that of the reader)."""
    parent_pid: NDArray[np.int64]
    """At the time of the read; 0 when not known."""
    cgroup: NDArray[np.uint64]
    """Id of the process's cgroup, as in Cgroups.id; 0 when not known."""
    comm: NDArray[np.bytes_]
    """S16, the kernel's task name as it is: any bytes."""
    kernel: NDArray[np.bool_]
    """Kernel threads."""
    alive: NDArray[np.bool_]
    """False: it has ended, and this was its last time."""
    cpu_ns: NDArray[np.int64]
    """(n, P) on-CPU time in the interval. P = number of packages where the source knows on which
    package the time was spent, else 1 (then the monitor fits it)."""
    allowed: NDArray[np.uint64]
    """Bit p: some CPU of package p is allowed (affinity). All bits where not known."""
    counters: Mapping[str, NDArray[np.int64]]
    """``cycles``, ``instructions``, ``cache_misses`` (n, P), and ``corun_ns`` (n, P): time in
    which the SMT sibling was busy too. A counter that the machine lacks is absent."""


@dataclass(frozen=True, slots=True, eq=False)
class Cgroups:
    """The cgroups of the machine; g rows in ascending order of id."""

    generation: int
    """Changes whenever a cgroup came, went or was renamed: cache what you derive until then."""
    id: NDArray[np.uint64]
    path: tuple[str, ...]
    """From the hierarchy's root: ``/``, ``/system.slice/ssh.service``; any text."""
    parent: NDArray[np.int64]
    """Row of the parent; -1 for the root."""
    cpu_ns: NDArray[np.int64]
    """(g, P) CPU time in the interval, children included, as the cgroup's own counter has it
    (P as in Processes); -1 when it was not read (no counter, or the first reading)."""
    memory_bytes: NDArray[np.int64]
    """Memory charged to the cgroup now, children included; -1 when not known."""
    alive: NDArray[np.bool_]
    """False: the cgroup was removed in the interval; it is in this table for the last time."""


@dataclass(frozen=True, slots=True, eq=False)
class Usage:
    """Who used what in ``[start_ns, end_ns)``."""

    start_ns: Nanoseconds
    end_ns: Nanoseconds
    processes: Processes
    cgroups: Cgroups
    busy_ns: NDArray[np.int64]
    """(packages,) user + nice + system + irq + softirq time of each package's CPUs (/proc/stat);
    guest time not twice, steal and iowait not at all."""
    capacity_ns: NDArray[np.int64]
    """(packages,) online CPUs x elapsed time."""
    steal_ns: int
    irq_ns: int
    """irq + softirq, of the whole node."""
    dropped: int
    """Records that the source lost since it was started (full maps, full rings)."""


@dataclass(frozen=True, slots=True)
class GpuState:
    """One GPU, as its vendor's interface showed it at a read."""

    device: str
    """As Zone.id: the UUID."""
    index: int
    """As the vendor counts them; may change over a restart."""
    name: str
    vendor: str
    energy: str
    """How its energy is known: ``counter``, ``average`` power over a second, or ``power`` now."""
    activity: str
    """By what its energy is shared: ``sm`` (time on its processors), ``gpm`` or ``dcgm`` (of each
    MIG instance), ``engine`` (time on its engines), ``memory`` (held: nothing better is told),
    ``unseen`` (its users may not be seen by us), ``none``."""
    utilisation: float | None
    """Part of the interval in which it was busy, 0 to 1; None: not told."""
    memory_used_bytes: int
    memory_total_bytes: int
    """0: not told."""
    instances: int
    """MIG instances; 0: MIG mode is off."""
    failures: int
    """Calls that failed since it was found."""
    message: str
    """What was wrong last; "" when all is well."""
    names: Mapping[str, int] = field(default_factory=dict)
    """What device plugins call it and its MIG instances -> how many of its ``slots`` that is."""
    slots: int = 1
    """Parts in which it can be given away: 1, in MIG mode 7 as a rule."""


@dataclass(frozen=True, slots=True, eq=False)
class GpuUsage:
    """Who used or held GPUs in ``[start_ns, end_ns)``; n rows, one per process and device."""

    start_ns: Nanoseconds
    end_ns: Nanoseconds
    states: tuple[GpuState, ...]
    """All devices that answer."""
    device: NDArray[np.int64]
    """(n,) index into states."""
    pid: NDArray[np.int64]
    """In the host's pid namespace; 0: a user that is not known. Ended processes come too."""
    busy_ns: NDArray[np.int64]
    """(n,) time on the device's processors: all of them for the whole time are end - start."""
    memory_bytes: NDArray[np.int64]
    """(n,) held on the device now; 0 where not known."""
