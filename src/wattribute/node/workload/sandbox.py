"""Recognise a pod's sandbox: a container that only holds namespaces and runs ``pause``."""

from pathlib import Path
from typing import Final

_COMM: Final = b"pause\n"
"""Process name in the image that containerd, CRI-O and cri-dockerd run (kubernetes/build/pause)."""
_MOST: Final = 4
"""A cgroup with more processes is no sandbox: a sandbox has one."""


class SandboxFinder:
    """Tells whether a cgroup runs a pod's sandbox."""

    def __init__(self, cgroups: Path, procfs: Path) -> None:
        """Read below ``cgroups``, the root of the hierarchy of all paths, and ``procfs``."""
        self._cgroups = cgroups
        self._procfs = procfs

    def is_sandbox(self, path: str) -> bool:
        """Tell whether all processes of a cgroup are ``pause``; False if it has none or is gone."""
        try:
            pids = (self._cgroups / path.lstrip("/") / "cgroup.procs").read_bytes().split()
            if not pids or len(pids) > _MOST:
                return False
            return all((self._procfs / pid.decode() / "comm").read_bytes() == _COMM for pid in pids)
        except (OSError, ValueError):
            return False
