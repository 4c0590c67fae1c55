"""Read the CPU time of the machine by package from /proc/stat."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.errors import ActivityAbsent, ActivityDenied, ActivityFailed
from wattribute.core.records import Topology
from wattribute.core.units import NANOSECONDS_PER_SECOND

NS_PER_TICK: Final = NANOSECONDS_PER_SECOND // os.sysconf("SC_CLK_TCK")
"""Length of one USER_HZ tick, the unit of /proc/stat and /proc/PID/stat (usually 10 ms)."""

_READ_BYTES: Final = 1 << 18
"""Enough for 1,000 CPUs, whose lines come before all others."""
_BUSY: Final = (0, 1, 2, 5, 6)
"""user, nice, system, irq, softirq (proc(5)). user and nice contain guest and guest_nice."""
_IDLE: Final = (3, 4)
"""idle and iowait: a CPU that waits for a disk is idle."""
_IRQ: Final = (5, 6)
_STEAL: Final = 7
_FIELDS: Final = 8
"""Fields of a line that are used, out of ten; the last of them is steal (since Linux 2.6.11)."""


@dataclass(frozen=True, slots=True, eq=False)
class CpuTimes:
    """Cumulative times of the machine's CPUs; they never fall."""

    busy_ns: NDArray[np.int64]
    """(packages,) user + nice + system + irq + softirq. Guest time counts once; steal and iowait do
    not count."""
    steal_ns: int
    irq_ns: int
    """irq + softirq, which busy_ns contains as well."""
    idle_ns: int
    """idle + iowait."""


class CpuStat:
    """Reads /proc/stat through one open file.

    This class keeps its own sums: each CPU adds the rise of its numbers. So no sum falls
    when a CPU goes offline (its line vanishes) or an idle counter falls (which is
    possible, proc(5)). A CPU that the topology does not contain counts for the first
    package.
    """

    def __init__(self, procfs: Path, topology: Topology) -> None:
        """Open ``procfs/stat``.

        Raises:
            ActivityAbsent: there is no such file.
            ActivityDenied: this process may not read it.
        """
        self._path = procfs / "stat"
        self._package_of_cpu = topology.package_of_cpu
        self._packages = len(topology.package_ids)
        try:
            self._file = os.open(self._path, os.O_RDONLY)
        except PermissionError as exc:
            raise ActivityDenied(
                f"{self._path}: permission denied; mount the host's /proc"
            ) from exc
        except OSError as exc:
            raise ActivityAbsent(
                f"{self._path}: {exc.strerror}; --procfs must be where the host's /proc is mounted"
            ) from exc
        self._last = np.zeros((0, _FIELDS), np.int64)
        self._busy = np.zeros(self._packages, np.int64)
        self._steal = self._irq = self._idle = 0

    def read(self) -> CpuTimes:
        """Read the cumulative times up to now.

        Raises:
            ActivityFailed: the file cannot be read, or does not look like /proc/stat.
        """
        cpus, ticks = self._ticks()
        needed = int(cpus.max()) + 1
        if needed > len(self._last):
            fresh = np.zeros((needed, _FIELDS), np.int64)
            fresh[: len(self._last)] = self._last
            self._last = fresh
        before = self._last[cpus]
        rise = np.maximum(ticks - before, 0)
        self._last[cpus] = np.maximum(ticks, before)
        indices = np.minimum(cpus, len(self._package_of_cpu) - 1)
        package = self._package_of_cpu[indices]
        package[(package < 0) | (cpus != indices)] = 0
        np.add.at(self._busy, package, rise[:, _BUSY].sum(axis=1))
        self._steal += int(rise[:, _STEAL].sum())
        self._irq += int(rise[:, _IRQ].sum())
        self._idle += int(rise[:, _IDLE].sum())
        return CpuTimes(
            busy_ns=self._busy * NS_PER_TICK,
            steal_ns=self._steal * NS_PER_TICK,
            irq_ns=self._irq * NS_PER_TICK,
            idle_ns=self._idle * NS_PER_TICK,
        )

    def _ticks(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Read the numbers of the online CPUs, and their times (n, 8) in ticks."""
        try:
            text = os.pread(self._file, _READ_BYTES, 0)
            # "cpu  1 2 ...\ncpu0 1 2 ...\ncpu1 ...\nintr ...": the first line is the sum.
            lines = text[text.index(b"\ncpu") + 1 : text.index(b"\nintr")]
            width = len(lines.split(b"\n", 1)[0].split())
            numbers = list(map(int, lines.replace(b"cpu", b"").split()))
            table = np.array(numbers, np.int64).reshape(-1, width)
        except OSError as exc:
            raise ActivityFailed(f"{self._path}: {exc.strerror}") from exc
        except (ValueError, OverflowError) as exc:
            raise ActivityFailed(f"{self._path}: no CPU times could be parsed ({exc})") from exc
        if width <= _FIELDS or bool((table[:, 0] < 0).any()) or int(table[:, 0].max()) >= 1 << 16:
            raise ActivityFailed(
                f"{self._path}: lines with {width - 1} CPU times; 8 or more are needed"
            )
        return table[:, 0], table[:, 1 : _FIELDS + 1]

    def close(self) -> None:
        """Close the file /proc/stat."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
