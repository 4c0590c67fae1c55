"""Find a process's cgroup from /proc/PID/cgroup."""

import os
import posixpath
from pathlib import Path
from typing import Final

from wattribute.node.activity.hierarchy import Accounting

_READ_BYTES: Final = 16_384
_DELETED: Final = " (deleted)"
"""The kernel's suffix to the path of a cgroup that was removed while a zombie is in it."""
_PREFERRED: Final = ("cpuacct", "memory", "pids", "", "name=systemd")
"""Hierarchies to try when none is given: the first in which the process is not in the root is used.
"" is v2."""


class Membership:
    """Finds the paths of processes' cgroups in one hierarchy, from the hierarchy's true root.

    A reader in a separate cgroup namespace (containers have one on v2) sees paths
    relative to its own cgroup: ``/../../other``, and ``/`` for itself. The path of
    pid 1 shows whether that is so. Then the reader's own cgroup is searched in the
    host's tree, and all paths are joined to it.
    """

    def __init__(
        self,
        procfs: Path,
        accounting: Accounting,
        host_root: Path | None = None,
        own_pid: int | None = None,
    ) -> None:
        """Find out whether paths are relative.

        Args:
            procfs: root of procfs.
            accounting: hierarchy to use; ``none``: any in which the process is not in the root.
            host_root: the hierarchy's root folder on the host, if it is visible.
            own_pid: pid of this process in the pid namespace that ``procfs`` shows.
        """
        self._procfs = str(procfs)
        self._path_in = {"v2": v2_path, "cpuacct": cpuacct_path, "none": any_path}[accounting]
        self._base = ""
        """Path of this process's cgroup namespace, if that is not the root."""
        self._relative = self._read("1").startswith("/..")
        if self._relative and host_root is not None:
            self._base = self._find_base(host_root, own_pid or os.getpid())

    def path_of(self, pid: str) -> str:
        """Return the path of a process's cgroup; "" if the process has ended."""
        path = self._read(pid)
        if not self._relative or not path:
            return path
        # Without a base, the steps upward lead to the root, and the rest of the path is right.
        return posixpath.normpath(f"{self._base}{path}")

    def _read(self, pid: str) -> str:
        try:
            file = os.open(f"{self._procfs}/{pid}/cgroup", os.O_RDONLY)
            try:
                text = os.read(file, _READ_BYTES)
            finally:
                os.close(file)
        except OSError:
            return ""
        return self._path_in(text).removesuffix(_DELETED)

    def _find_base(self, host_root: Path, own_pid: int) -> str:
        """Return the path of the folder that lists this process, without the process's own path."""
        pid = str(own_pid).encode()
        for folder, _, files in os.walk(host_root):
            if "cgroup.procs" not in files:
                continue
            try:
                pids = Path(folder, "cgroup.procs").read_bytes().split()
            except OSError:  # cgroup.procs of a threaded cgroup cannot be read (EOPNOTSUPP)
                continue
            if pid in pids:
                path = "/" + os.path.relpath(folder, host_root)
                return path.removesuffix(self._read(str(own_pid)).rstrip("/"))
        return ""


def v2_path(text: bytes) -> str:
    """Return the path in the line of the unified hierarchy, ``0::/path``."""
    return _after(text, b"0::") if text.startswith(b"0::") else _after(text, b"\n0::")


def cpuacct_path(text: bytes) -> str:
    """Return the path in the line of cpuacct, such as ``4:cpu,cpuacct:/path``."""
    return _by_controller(text).get("cpuacct", "")


def any_path(text: bytes) -> str:
    """Return the first path of the preferred controllers that is not the root; "" without any."""
    paths = _by_controller(text)
    return next(
        (paths[c] for c in _PREFERRED if paths.get(c, "/") != "/"),
        "/" if paths else "",
    )


def _by_controller(text: bytes) -> dict[str, str]:
    paths = {}
    for line in text.splitlines():
        _, _, rest = line.partition(b":")
        controllers, _, path = rest.partition(b":")
        for controller in os.fsdecode(controllers).split(","):
            paths[controller] = os.fsdecode(path)
    return paths


def _after(text: bytes, label: bytes) -> str:
    _, separator, rest = text.partition(label)
    return os.fsdecode(rest.partition(b"\n")[0]) if separator else ""
