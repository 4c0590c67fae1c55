"""Load the programs of cycles.bpf.c, which count at every context switch, and read their data."""

import errno
import os
import struct
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.errors import ActivityAbsent
from wattribute.core.records import Topology
from wattribute.node.activity.bpf import syscall
from wattribute.node.activity.bpf.folders import FolderNews
from wattribute.node.activity.bpf.load import Programs
from wattribute.node.activity.bpf.maps import HashReader, shared_array, update
from wattribute.node.activity.bpf.perf import PerfEvent, open_on
from wattribute.node.activity.bpf.spec import shipped

KEY: Final = np.dtype([("process", "<u8"), ("cgroup", "<u8"), ("package", "<u8")])
"""``struct key`` of cycles.bpf.c."""
EVENTS: Final = 3
USE: Final = np.dtype(
    [
        ("ns", "<i8"),
        ("events", "<i8", EVENTS),
        ("corun_ns", "<i8"),
        ("serial", "<u8"),
        ("parent", "<u4"),
        ("kernel", "<u2"),
        ("dead", "<u2"),
        ("comm", "S16"),
    ]
)
"""``struct use`` of cycles.bpf.c."""
_COUNT: Final = np.dtype([("counter", "<u8"), ("enabled", "<i8"), ("running", "<i8")])
_CPU: Final = np.dtype(
    [
        ("since", "<u8"),
        ("busy_ns", "<u8"),
        ("busy_since", "<u8"),
        ("sibling_busy_ns", "<u8"),
        ("event", _COUNT, EVENTS),
        ("task_ns", "<u8"),
        ("created", "<u8"),
        ("task", "<u4"),
        ("dropped", "<u4"),
        ("events", "<u2"),
        ("cpuacct", "<u2"),
        ("package", "<u2"),
        ("sibling", "<u2"),
    ]
)
"""``struct cpu`` of cycles.bpf.c."""
_NO_SIBLING: Final = 0xFFFF
_SINCE: Final = (5, 10)
"""Oldest kernel: BPF_F_TEST_RUN_ON_CPU, which flushes running tasks, came with Linux 5.10."""
_ON_CPU: Final = 1


class SwitchBooks:
    """Use of each process by cgroup and package, which is counted whenever it leaves a CPU."""

    def __init__(
        self,
        topology: Topology,
        events: Mapping[str, PerfEvent],
        hierarchy: int,
        max_processes: int,
    ) -> None:
        """Load the programs, open the counters, and attach.

        Args:
            topology: Package and sibling of each CPU.
            events: At most EVENTS events, in the order of USE's column.
            hierarchy: Id of cpuacct's hierarchy, whose cgroup ids are used; 0: those of v2.
            max_processes: Capacity of the map in entries.

        Raises:
            ActivityAbsent: this kernel lacks a feature, or a counter cannot be opened.
            ActivityDenied: this process lacks a permission.
        """
        known_cpus = len(topology.package_of_cpu)
        cpus = max(known_cpus, os.sysconf("SC_NPROCESSORS_CONF"))
        sizes = {"uses": max_processes, "cpus": cpus}
        sizes |= {f"event{i}": cpus for i in range(EVENTS)}
        self._events = events
        self._open: dict[tuple[int, int], int] = {}
        """Descriptors by (event, CPU)."""
        self._programs = Programs(shipped("cycles", "folders"), sizes, _SINCE)
        try:
            fd, maps = self._programs.fd, self._programs.maps
            self._cpus = shared_array(fd["cpus"], maps["cpus"], _CPU)
            self._uses = HashReader(fd["uses"], maps["uses"], KEY, USE)
            self._cpus["events"] = len(events)
            self._cpus["cpuacct"] = int(hierarchy > 0)
            self.folders = FolderNews(self._programs, hierarchy)
            self._cpus["sibling"] = _NO_SIBLING
            self._cpus["package"][:known_cpus] = np.maximum(topology.package_of_cpu, 0)
            sibling = topology.sibling_of_cpu
            self._cpus["sibling"][:known_cpus] = np.where(sibling < 0, _NO_SIBLING, sibling)
            for cpu in np.flatnonzero(topology.package_of_cpu >= 0).tolist():
                self._count(cpu)
            self._programs.attach()
            self._last = self._cpus.copy()
            self.flush(everywhere=True)
        except BaseException:
            self.close()
            raise

    def flush(self, *, everywhere: bool = False) -> None:
        """Count the running tasks up to now, by an interrupt on each CPU that ran something.

        Raises:
            OSError: with the kernel's errno.
        """
        attr = bytearray(80)
        ran = (self._cpus["busy_since"] != 0) | (self._cpus["since"] != self._last["since"])
        self._flushed = ran | everywhere
        for cpu in np.flatnonzero(self._flushed).tolist():
            struct.pack_into("<I", attr, 0, self._programs.fd["flush"])
            struct.pack_into("<II", attr, 64, _ON_CPU, cpu)
            try:
                syscall.bpf(syscall.PROG_TEST_RUN, attr)
            except OSError as exc:
                if exc.errno != errno.ENXIO:  # the CPU is offline
                    raise

    def read(self) -> tuple[NDArray[np.void], NDArray[np.void]]:
        """Read (KEY, USE) of all entries, cumulative; the arrays are valid until the next read.

        Raises:
            OSError: with the kernel's errno.
        """
        return self._uses.read()

    def delete(self, keys: NDArray[np.void]) -> None:
        """Delete entries; the next use creates new ones with new serial numbers."""
        self._uses.delete(keys)

    def counted(self) -> NDArray[np.float64]:
        """Return (CPUs, EVENTS, 2) times in ns that each counter was enabled, and counted.

        The times are from the flush before the last call to the last flush. They differ when
        there are more events than hardware counters, so that the kernel multiplexes them.
        Counters of CPUs that came back online are opened again.
        """
        now = self._cpus.copy()
        rise = np.stack(
            [now["event"][name] - self._last["event"][name] for name in ("enabled", "running")],
            axis=-1,
        )
        for cpu in np.flatnonzero(self._flushed & (rise[:, 0, 0] == 0)).tolist():
            self._count(cpu)
        self._last = now
        counted: NDArray[np.float64] = np.maximum(rise, 0).astype(np.float64)
        return counted

    @property
    def dropped(self) -> int:
        """The number of slices and cgroups that did not fit, since the start."""
        return int(self._cpus["dropped"].sum()) + self.folders.dropped

    def run_ns(self) -> int | None:
        """Return the time in the programs, flushes included, as Programs.run_ns."""
        return self._programs.run_ns()

    def close(self) -> None:
        """Detach and unload the programs, and close the counters."""
        self._programs.close()
        for fd in self._open.values():
            os.close(fd)
        self._open.clear()

    def _count(self, cpu: int) -> None:
        """Open the counters of a CPU; an offline CPU has none."""
        for i, (name, event) in enumerate(self._events.items()):
            try:
                fd = open_on(event, cpu)
            except OSError as exc:
                if exc.errno in {errno.ENODEV, errno.ENXIO}:
                    return
                raise ActivityAbsent(
                    f"perf_event_open({name}) on CPU {cpu}: {exc.strerror}"
                ) from exc
            if (i, cpu) in self._open:
                os.close(self._open[i, cpu])
            self._open[i, cpu] = fd
            update(self._programs.fd[f"event{i}"], struct.pack("<I", cpu), struct.pack("<I", fd))
