"""Measure the CPU time of the whole node in an interval, for the fields of Usage."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import Load, Topology
from wattribute.core.units import Nanoseconds
from wattribute.node.activity.cpustat import CpuStat, CpuTimes


@dataclass(frozen=True, slots=True, eq=False)
class NodeTime:
    """The node's times in one interval; the fields have the names of those in Usage."""

    start_ns: Nanoseconds
    end_ns: Nanoseconds
    busy_ns: NDArray[np.int64]
    capacity_ns: NDArray[np.int64]
    steal_ns: int
    irq_ns: int

    @property
    def load(self) -> Load:
        """How busy the machine was in the interval; 0 in the first one, which is empty."""
        elapsed_ns = Nanoseconds(self.end_ns - self.start_ns)
        return Load.from_times(elapsed_ns, self.busy_ns, self.capacity_ns)


class NodeTimes:
    """Turns readings of /proc/stat into intervals."""

    def __init__(self, cpustat: CpuStat, topology: Topology) -> None:
        """Prepare to read ``cpustat``, for the CPUs in ``topology``."""
        self._cpustat = cpustat
        online = topology.package_of_cpu[topology.package_of_cpu >= 0]
        self._cpus = np.bincount(online, minlength=len(topology.package_ids)).astype(np.int64)
        self._last: tuple[Nanoseconds, CpuTimes] | None = None
        self._measured: tuple[Nanoseconds, CpuTimes] | None = None

    def close(self) -> None:
        """Close the file /proc/stat."""
        self._cpustat.close()

    @property
    def began(self) -> bool:
        """True after the first reading, so that the next one completes an interval."""
        return self._last is not None

    def advance(self, now_ns: Nanoseconds) -> NodeTime:
        """Return the interval since the last call; the first interval is empty.

        Raises:
            ActivityFailed: /proc/stat cannot be read; the next interval covers this one too.
        """
        time = self.measure(now_ns)
        self.settle()
        return time

    def measure(self, now_ns: Nanoseconds) -> NodeTime:
        """Return the same as ``advance``, but end the interval only when ``settle`` is called.

        This is for readers that may still fail.

        Raises:
            ActivityFailed: /proc/stat cannot be read.
        """
        times = self._cpustat.read()
        self._measured = (now_ns, times)
        start_ns, before = self._last or self._measured
        return NodeTime(
            start_ns=start_ns,
            end_ns=now_ns,
            busy_ns=times.busy_ns - before.busy_ns,
            capacity_ns=self._cpus * (now_ns - start_ns),
            steal_ns=times.steal_ns - before.steal_ns,
            irq_ns=times.irq_ns - before.irq_ns,
        )

    def settle(self) -> None:
        """Begin the next interval where the last measured one ended."""
        self._last = self._measured
