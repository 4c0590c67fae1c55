"""The sandbox of a pod: a container that only holds its namespaces, and runs ``pause``."""

from pathlib import Path
from typing import Final

_COMM: Final = b"pause\n"
"""Of the image that containerd, CRI-O and dockershim's heirs run (kubernetes/build/pause)."""
_MOST: Final = 4
"""A sandbox has one process."""


class SandboxFinder:
    """Says of a cgroup whether a pod's sandbox runs in it."""

    def __init__(self, cgroups: Path, procfs: Path) -> None:
        """``cgroups``: root of the hierarchy that paths are of; ``procfs``: root of procfs."""
        self._cgroups = cgroups
        self._procfs = procfs

    def is_sandbox(self, path: str) -> bool:
        """Whether all its processes are ``pause``; False too if it has none or is gone."""
        try:
            pids = (self._cgroups / path.lstrip("/") / "cgroup.procs").read_bytes().split()
            if not pids or len(pids) > _MOST:
                return False
            return all((self._procfs / pid.decode() / "comm").read_bytes() == _COMM for pid in pids)
        except (OSError, ValueError):
            return False
