"""Find out on which CPU packages a process may run."""

import os
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import Topology

ANYWHERE: Final = (1 << 64) - 1
"""All bits: every package is allowed, or the affinity is not known."""
_REREAD: Final = 64
"""The affinity of a process is read again after this many reads: it may change at any time, but
seldom does."""
_STATUS_BYTES: Final = 8192
_LABEL: Final = b"\nCpus_allowed_list:\t"


class Affinity:
    """Reads allowed packages from ``Cpus_allowed_list`` in /proc/PID/status, and caches them.

    Nothing is read on a machine with one package. Threads may have masks that differ; the
    mask of the main thread is used for the whole process.
    """

    def __init__(self, procfs: Path, topology: Topology) -> None:
        """Prepare to read below ``procfs``, for the packages in ``topology``."""
        self._procfs = str(procfs)
        self._package_of_cpu = topology.package_of_cpu
        self._several = len(topology.package_ids) > 1
        self._masks: dict[int, tuple[int, int]] = {}
        self._of_text: dict[bytes, int] = {}
        self._reads = 0

    def allowed(self, keys: NDArray[np.uint64], pids: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return bit masks of the packages on which processes may run.

        Args:
            keys: (n,) keys of processes, as in Processes.key.
            pids: (n,) pids of the same processes.

        Returns:
            (n,) masks in which bit p means that some CPU of package p is allowed;
            all bits for a process that cannot be read because it has ended.
        """
        if not self._several:
            return np.full(len(keys), ANYWHERE, np.uint64)
        self._reads += 1
        if self._reads % _REREAD == 0:
            oldest = self._reads - _REREAD
            self._masks = {k: v for k, v in self._masks.items() if v[1] > oldest}
        masks = np.empty(len(keys), np.uint64)
        for row, (key, pid) in enumerate(zip(keys.tolist(), pids.tolist(), strict=True)):
            cached = self._masks.get(key)
            if cached is None:
                cached = self._masks[key] = (self._read(pid), self._reads)
            masks[row] = cached[0]
        return masks

    def _read(self, pid: int) -> int:
        try:
            file = os.open(f"{self._procfs}/{pid}/status", os.O_RDONLY)
            try:
                status = os.read(file, _STATUS_BYTES)
            finally:
                os.close(file)
        except OSError:
            return ANYWHERE
        start = status.find(_LABEL)
        if start < 0:
            return ANYWHERE
        text = status[start + len(_LABEL) :].partition(b"\n")[0]
        mask = self._of_text.get(text)
        if mask is None:
            mask = self._of_text[text] = packages_in(text, self._package_of_cpu)
        return mask


def packages_in(cpu_list: bytes, package_of_cpu: NDArray[np.int64]) -> int:
    """Convert a list of CPUs such as ``0-3,8`` into a mask of packages.

    All bits are set if the text is no such list, or names CPUs of every package.
    """
    allowed = np.zeros(len(package_of_cpu), np.bool_)
    try:
        for part in cpu_list.split(b","):
            first, _, last = part.partition(b"-")
            allowed[int(first) : int(last or first) + 1] = True
    except ValueError:
        return ANYWHERE
    packages = np.unique(package_of_cpu[allowed & (package_of_cpu >= 0)])
    online = np.unique(package_of_cpu[package_of_cpu >= 0])
    if not len(packages) or len(packages) == len(online):
        return ANYWHERE
    return sum(1 << int(package) for package in packages)
