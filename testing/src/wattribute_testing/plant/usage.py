"""Time that CPUs, and processes, were busy; tiny readers of the plant's own.

The agent has better ones, and must not share them: an error in both would cancel.
"""

import os
import time
from collections.abc import Sequence
from typing import Final

_USER_HZ: Final = os.sysconf("SC_CLK_TCK")
_TICK_NS: Final = 1_000_000_000 // _USER_HZ
_IDLE, _IOWAIT, _STEAL = 3, 4, 7  # columns of /proc/stat; source: proc_stat(5)


class CpuClock:
    """How long each CPU was busy with anything since ``start``.

    Busy is elapsed time less idle, iowait and steal, not the sum of user,
    system and so on: with CONFIG_TICK_CPU_ACCOUNTING those are sampled by a
    tick of 4 ms and miss what sleeps across it (1.5 % low on a half-busy
    machine), while idle time is measured by the nanosecond (get_cpu_idle_time_us).
    """

    def __init__(self) -> None:
        """Open /proc/stat and see which CPUs there are."""
        self._file = os.open("/proc/stat", os.O_RDONLY | os.O_CLOEXEC)
        self._first = self._read()
        self.cpus = sorted(self._first)
        """Numbers of the CPUs that are online at the start."""
        self._start_ns = time.monotonic_ns()

    def start(self) -> None:
        """Count from now."""
        self._first = self._read()
        self._start_ns = time.monotonic_ns()

    def busy(self) -> list[int]:
        """Nanoseconds by CPU, in the order of ``cpus``; good to 10 ms or so each."""
        now = self._read()
        elapsed_ns = time.monotonic_ns() - self._start_ns
        return [
            max(0, elapsed_ns - (now.get(cpu, self._first[cpu]) - self._first[cpu]) * _TICK_NS)
            for cpu in self.cpus
        ]

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _read(self) -> dict[int, int]:
        """Ticks not busy, by CPU."""
        resting: dict[int, int] = {}
        for line in os.pread(self._file, 1 << 20, 0).splitlines():
            if not line.startswith(b"cpu"):
                break
            name, *columns = line.split()
            if name != b"cpu":
                resting[int(name[3:])] = sum(int(columns[i]) for i in (_IDLE, _IOWAIT, _STEAL))
        return resting


def process_ns(file: int) -> int | None:
    """CPU time of a single-threaded process by its open /proc/PID/schedstat; None: it is gone."""
    try:
        return int(os.pread(file, 64, 0).split()[0])
    except (OSError, IndexError):
        return None


def place_on_cpus(spent_ns: int, weights: Sequence[int], allowed: Sequence[int]) -> list[int]:
    """Say on which CPUs time was spent, where the kernel only says how much it was.

    Args:
        spent_ns: the time, >= 0.
        weights: by CPU: busy time that may have been it; negative counts as 0.
        allowed: positions of the CPUs that come into question, at least one.

    Returns:
        Nanoseconds by CPU, which add up to ``spent_ns``.
    """
    placed = [0] * len(weights)
    possible = {cpu: max(0, weights[cpu]) for cpu in allowed}
    total = sum(possible.values())
    remaining_ns = spent_ns
    for cpu in allowed[:-1]:
        placed[cpu] = spent_ns * possible[cpu] // total if total else spent_ns // len(allowed)
        remaining_ns -= placed[cpu]
    placed[allowed[-1]] += remaining_ns
    return placed
