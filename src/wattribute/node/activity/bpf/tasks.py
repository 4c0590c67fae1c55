"""The scheduler's books: the programs of tasks.bpf.c and what they write."""

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
"""``struct shared`` of tasks.bpf.c; ``lost``: exits, frees."""
_SINCE: Final = (5, 8)
"""Iterators and ring buffers came with Linux 5.8."""


class TaskBooks:
    """Every task's time as the scheduler keeps it, and the last word of those that ended.

    The time of a task that runs right now is as of its last scheduler tick or
    switch: up to 4 ms old at HZ=250 (1 to 10 ms by configuration, 1 s on
    nohz_full CPUs), per running task and never cumulative.
    """

    def __init__(self, topology: Topology, hierarchy: int, max_processes: int) -> None:
        """Load and attach.

        Args:
            topology: Packages of the CPUs, for tasks that are bound to some of them.
            hierarchy: Id of cpuacct's hierarchy, whose cgroups are told; 0: those of v2.
            max_processes: Deaths between two reads for which there is room.

        Raises:
            ActivityAbsent: this kernel cannot.
            ActivityDenied: it can, and we may not.
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
        """Every thread of now (TASK), by pid; valid until the next scan. Zombies are in it."""
        return self._dump.read()

    def dying(self) -> NDArray[np.void]:
        """Processes that began to exit and were not freed yet (TASK).

        ``reaped_ns`` is a provisional total. Valid until the next call.
        """
        return self._dying.read()[1]

    def forget(self, keys: NDArray[np.uint64]) -> None:
        """Take these out of the dying: they were charged by their provisional total."""
        self._dying.delete(keys.view(_KEY))

    def deaths(self) -> NDArray[np.void]:
        """Processes that were freed since the last call (TASK); ``reaped_ns`` is their total."""
        return self._dead.drain()

    @property
    def lost(self) -> int:
        """Records that found no room, since the start."""
        return int(self._shared["lost"].sum()) + self.folders.lost

    def run_ns(self) -> int | None:
        """See Programs.run_ns."""
        return self._programs.run_ns()

    def close(self) -> None:
        """Detach and unload."""
        self._programs.close()


def _describe(shared: NDArray[np.void], topology: Topology, *, cpuacct: bool) -> None:
    """Tell the programs what machine this is."""
    shared["cpuacct"] = int(cpuacct)
    shared["cpus"] = topology.cpus_online
    packages, package_of_cpu = len(topology.package_ids), topology.package_of_cpu
    if 1 < packages <= _PACKAGES and len(package_of_cpu) <= 64 * _WORDS:
        for cpu, package in enumerate(package_of_cpu.tolist()):
            if package >= 0:
                shared["package_cpus"][cpu // 64, package] |= np.uint64(1 << cpu % 64)
        shared["words"] = -(-len(package_of_cpu) // 64)
    shared["attached_ns"] = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
