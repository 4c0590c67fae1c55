"""Cgroups that the plant makes for its groups, and their CPU counters; a tiny reader of its own."""

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Final

_CONTROLLERS: Final = frozenset({"cpuacct", "cpu"})
"""The v1 controllers that count CPU time. Others are left alone: a child stays
under whatever memory or device limits the plant itself is under."""


class CgroupUnavailable(Exception):  # noqa: N818 - a state, not a failure
    """This process cannot make cgroups here."""


class GroupCgroup:
    """One cgroup, in every hierarchy that counts CPU time and in the unified one."""

    def __init__(self, path: str, mounts: Path = Path("/proc/self/mounts")) -> None:
        """Make it.

        Args:
            path: from the root of the hierarchies, e.g. ``/docker/<id>``.
            mounts: the table of mounts.

        Raises:
            CgroupUnavailable: it cannot be made, or has no CPU counter.
        """
        self._made: list[Path] = []
        self._counter = -1
        self.per_cpu = False
        """Whether ``read`` gives time by CPU."""
        places = [root / path.lstrip("/") for root in _roots(mounts)]
        try:
            for place in places:
                self._make(place)
            self._open_counter(places)
        except OSError as exc:
            self.remove()
            raise CgroupUnavailable(f"{exc.filename}: {exc.strerror}") from exc
        if self._counter < 0:
            self.remove()
            raise CgroupUnavailable("no cgroup hierarchy with a CPU counter")
        self.join_files = [str(place / "cgroup.procs") for place in places]
        """Who writes 0 here joins."""

    def read(self) -> list[int]:
        """Nanoseconds of CPU time since it was made, ended processes included.

        One number per possible CPU where the kernel says so (cgroup v1), else one in all.
        """
        data = os.pread(self._counter, 65536, 0)
        if self.per_cpu:
            return [int(word) for word in data.split()]
        for line in data.splitlines():
            if line.startswith(b"usage_usec "):
                return [int(line.split()[1]) * 1000]
        return [int(data)]

    def remove(self) -> None:
        """Kill what is still in it, and remove it and the parents that were made for it."""
        if self._counter >= 0:
            os.close(self._counter)
            self._counter = -1
        for place in reversed(self._made):
            _empty(place)
        self._made.clear()

    def _make(self, place: Path) -> None:
        missing = [place, *place.parents]
        missing = missing[: next(i for i, p in enumerate(missing) if p.is_dir())]
        for folder in reversed(missing):
            # Another plant may make the same parent at this moment.
            folder.mkdir(exist_ok=True)
            self._made.append(folder)

    def _open_counter(self, places: list[Path]) -> None:
        for file in ("cpuacct.usage_percpu", "cpu.stat"):
            for place in places:
                counter = place / file
                if counter.exists() and (file != "cpu.stat" or b"usage" in counter.read_bytes()):
                    self._counter = os.open(counter, os.O_RDONLY | os.O_CLOEXEC)
                    self.per_cpu = file == "cpuacct.usage_percpu"
                    return


def _roots(mounts: Path) -> list[Path]:
    """Mount points of the hierarchies in use: cgroup v2, and v1 ones with a CPU controller."""
    roots: dict[str, Path] = {}
    for line in mounts.read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup2":
            roots.setdefault("cgroup2", Path(place))
        elif kind == "cgroup":
            controllers = [o for o in options.split(",") if o in _CONTROLLERS]
            if controllers:
                roots.setdefault(",".join(controllers), Path(place))
    return list(roots.values())


def _empty(place: Path) -> None:
    """Remove one cgroup; a shared parent that others still use stays."""
    deadline = time.monotonic() + 2
    while True:
        with contextlib.suppress(OSError):
            for pid in (place / "cgroup.procs").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
        try:
            place.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            # Busy: its processes are on their way out, or (a parent) it holds others' cgroups.
            if any(p.is_dir() for p in place.iterdir()) or time.monotonic() > deadline:
                return
            time.sleep(0.01)
        else:
            return
