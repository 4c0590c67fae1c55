"""Load the programs of tasks.bpf.c, which read the scheduler's accounting, and read their data."""

import time
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import Topology
from wattribute.node.activity.bpf.dump import Dump
from wattribute.node.activity.bpf.folders import FolderNews
from wattribute.node.activity.bpf.load import Programs
from wattribute.node.activity.bpf.maps import HashReader, shared_array
from wattribute.node.activity.bpf.ring import Ring
from wattribute.node.activity.bpf.spec import shipped

TASK: Final = np.dtype(
    [
        ("key", "<u8"),
        ("cgroup", "<u8"),
        ("ns", "<i8"),
        ("reaped_ns", "<i8"),
        ("pid", "<u4"),
        ("parent", "<u4"),
        ("allowed", "<u4"),
        ("flags", "<u4"),
        ("comm", "S16"),
    ]
)
"""``struct task`` of tasks.bpf.c."""
KERNEL_THREAD: Final = 1
LEADER: Final = 2
"""Bits of ``flags``."""

_KEY: Final = np.dtype([("key", "<u8")])
_WORDS: Final = 16
_PACKAGES: Final = 8
_SHARED: Final = np.dtype(
    [
        ("attached_ns", "<u8"),
        ("cpuacct", "<u4"),
        ("cpus", "<u4"),
        ("words", "<u4"),
        ("pad", "<u4"),
        ("lost", "<u8", 2),
        ("package_cpus", "<u8", (_WORDS, _PACKAGES)),
    ]
)
"""``struct shared`` of tasks.bpf.c; ``lost`` counts lost exits and lost frees."""
_SINCE: Final = (5, 8)
"""Oldest kernel: iterators and ring buffers came with Linux 5.8."""


class TaskBooks:
    """Every task's time in the scheduler, and the final record of each process that ended.

    The time of a task that runs right now is that of its last scheduler tick or
    switch: up to 4 ms old at HZ=250 (1 to 10 ms by configuration, 1 s on
    nohz_full CPUs). This holds per running task and does not accumulate.
    """

    def __init__(self, topology: Topology, hierarchy: int, max_processes: int) -> None:
        """Load and attach the programs.

        Args:
            topology: Packages of the CPUs, for tasks that are bound to some of them.
            hierarchy: Id of cpuacct's hierarchy, whose cgroup ids are used; 0: those of v2.
            max_processes: Deaths between two reads that fit into the buffers.

        Raises:
            ActivityAbsent: this kernel lacks a feature.
            ActivityDenied: this process lacks a permission.
        """
        ring_size = 1 << (max_processes * 64 - 1).bit_length()
        sizes = {"dead": ring_size, "dying": max(max_processes // 4, 4096)}
        programs = self._programs = Programs(shipped("tasks", "folders"), sizes, _SINCE)
        try:
            maps, fd = programs.maps, programs.fd
            self._shared = shared_array(fd["shared"], maps["shared"], _SHARED)[0]
            _describe(self._shared, topology, cpuacct=hierarchy > 0)
            self.folders = FolderNews(programs, hierarchy)
            programs.attach()
            self._dump = Dump(programs.link["dump_task"], TASK)
            self._dead = Ring(fd["dead"], ring_size, TASK)
            self._dying = HashReader(fd["dying"], maps["dying"], _KEY, TASK)
        except BaseException:
            programs.close()
            raise

    def scan(self) -> NDArray[np.void]:
        """Read all current threads (TASK) by pid, zombies included; valid until the next scan."""
        return self._dump.read()

    def dying(self) -> NDArray[np.void]:
        """Read the processes that began to exit and are not freed yet (TASK).

        ``reaped_ns`` is a provisional total. The array is valid until the next call.
        """
        return self._dying.read()[1]

    def forget(self, keys: NDArray[np.uint64]) -> None:
        """Remove these from the dying: they were charged by their provisional total."""
        self._dying.delete(keys.view(_KEY))

    def deaths(self) -> NDArray[np.void]:
        """Read the processes that were freed since the last call (TASK); ``reaped_ns`` is total."""
        return self._dead.drain()

    @property
    def dropped(self) -> int:
        """The number of records that did not fit, since the start."""
        return int(self._shared["lost"].sum()) + self.folders.dropped

    def run_ns(self) -> int | None:
        """Return the time in the programs, as Programs.run_ns."""
        return self._programs.run_ns()

    def close(self) -> None:
        """Detach and unload the programs."""
        self._programs.close()


def _describe(shared: NDArray[np.void], topology: Topology, *, cpuacct: bool) -> None:
    """Describe this machine to the programs."""
    shared["cpuacct"] = int(cpuacct)
    shared["cpus"] = topology.cpus_online
    packages, package_of_cpu = len(topology.package_ids), topology.package_of_cpu
    if 1 < packages <= _PACKAGES and len(package_of_cpu) <= 64 * _WORDS:
        for cpu, package in enumerate(package_of_cpu.tolist()):
            if package >= 0:
                shared["package_cpus"][cpu // 64, package] |= np.uint64(1 << cpu % 64)
        shared["words"] = -(-len(package_of_cpu) // 64)
    shared["attached_ns"] = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
