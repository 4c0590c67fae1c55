"""Read the CPU time of processes from /proc/PID/stat."""

import os
from collections.abc import Callable, Container
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from wattribute.core.errors import ActivityAbsent, ActivityFailed
from wattribute.core.records import Processes, Topology
from wattribute.node.activity.affinity import Affinity
from wattribute.node.activity.cpustat import NS_PER_TICK

_STAT_BYTES: Final = 1024
_KERNEL_THREAD: Final = 0x0020_0000
"""PF_KTHREAD (include/linux/sched.h)."""
_KEY_BITS: Final = 40
_KEY_SHIFT: Final = 10
_YOUNG: Final = 2
"""The cgroup of a process is read again in the first reads of the process, whenever it is renamed
(exec), and now and then: a runtime moves a container's first process after it was created."""
_CGROUP_TURNS: Final = 32
_STILL_TURNS: Final = 8
"""A process in a cgroup in which nothing ran is read every 8th time, because it may have moved."""


class Stat(NamedTuple):
    """The fields of /proc/PID/stat that are used (proc(5))."""

    comm: bytes
    parent_pid: int
    kernel: bool
    ticks: int
    """utime + stime of all threads, including ended threads."""
    start_ticks: int


def parse_stat(text: bytes) -> Stat:
    """Parse one /proc/PID/stat; the name in it may contain brackets and newlines.

    Raises:
        ValueError: the text is not of such a file.
    """
    opened, closed = text.find(b"("), text.rfind(b")")
    fields = text[closed + 2 :].split(None, 20)
    if opened < 0 or closed < opened or len(fields) < 20:
        raise ValueError(text)
    return Stat(
        comm=text[opened + 1 : closed],
        parent_pid=int(fields[1]),
        kernel=bool(int(fields[6]) & _KERNEL_THREAD),
        ticks=int(fields[11]) + int(fields[12]),
        start_ticks=int(fields[19]),
    )


def process_key(pid: int, stat: Stat) -> int:
    """Return Processes.key, with the start time of /proc, which is rounded down to a tick."""
    start = (stat.start_ticks * NS_PER_TICK >> _KEY_SHIFT) & ((1 << _KEY_BITS) - 1)
    return (pid << _KEY_BITS | start) & ((1 << 64) - 1)


class _Process:
    """A process as it was last read."""

    __slots__ = ("cgroup", "pid", "reads", "shown", "stat", "text")

    def __init__(self, pid: int, stat: Stat) -> None:
        self.pid = pid
        self.stat = stat
        self.text = b""
        """Text of its stat file; an equal text means the same process, which did not run."""
        self.cgroup = 0
        self.reads = 0
        self.shown = False
        """True if the process used CPU, so that its end must be reported too."""

    @property
    def key(self) -> int:
        return process_key(self.pid, self.stat)


class _Row(NamedTuple):
    key: int
    pid: int
    parent_pid: int
    cgroup: int
    comm: bytes
    kernel: bool
    alive: bool
    cpu_ns: int


_TYPES: Final = ("u8", "i8", "i8", "u8", "S16", "?", "?", "i8")
"""Types of the columns of _Row."""


class ProcessReader:
    """Reads the processes that used CPU since the last read, in ticks of 10 ms.

    A process that is missing in the list of the last read started since then, and its
    whole time counts. The exceptions are the first read and a process that could not
    be read before: then it is not known when the time was used. Time between the last
    read and the end of a process is not seen.
    """

    def __init__(self, procfs: Path, topology: Topology, cgroup_of: Callable[[str], int]) -> None:
        """Check that ``procfs`` shows processes, without reading them yet.

        Args:
            procfs: root of procfs.
            topology: packages of the CPUs.
            cgroup_of: returns the cgroup id of a pid, 0 if it is not known.

        Raises:
            ActivityAbsent: there are no processes in ``procfs``.
        """
        self._procfs = str(procfs)
        self._affinity = Affinity(procfs, topology)
        self._cgroup_of = cgroup_of
        self._known: dict[str, _Process] = {}
        self._unread: set[str] = set()
        self._turn = 0
        self.dropped = 0
        """Number of processes that existed and could not be read."""
        try:
            pids = self.pids()
        except ActivityFailed as exc:
            raise ActivityAbsent(
                f"{exc}; --procfs must be where the host's /proc is mounted"
            ) from exc
        if not pids:
            raise ActivityAbsent(
                f"{procfs}: no processes in it; --procfs must be where the host's /proc is mounted"
            )

    def pids(self) -> list[str]:
        """List the pids of all processes.

        Raises:
            ActivityFailed: procfs cannot be listed.
        """
        try:
            names = os.listdir(self._procfs)  # noqa: PTH208 - 10,000 Paths would cost 5 ms
            return [name for name in names if name.isdecimal()]
        except OSError as exc:
            raise ActivityFailed(f"{self._procfs}: {exc.strerror}") from exc

    def cgroups(self) -> set[int]:
        """Return the ids of the cgroups that have processes."""
        return {process.cgroup for process in self._known.values()}

    def read(self, pids: list[str], still: Container[int] = ()) -> Processes:
        """Return the CPU time of processes since the last call (none the first time).

        Args:
            pids: the result of ``pids()`` a moment ago.
            still: ids of cgroups in which nothing ran since the last call.
        """
        self._turn += 1
        processes, turn = self._known, self._turn
        here = set(pids)
        rows: list[_Row] = []
        for name in pids:
            process = processes.get(name)
            if (
                process is not None
                and (turn + process.pid) % _STILL_TURNS
                and process.cgroup in still
            ):
                continue
            try:
                text = self._text(name)
                if process is not None and text == process.text:
                    self._place(name, process, renamed=False)
                else:
                    self._update(name, process, text, rows)
            except (FileNotFoundError, ProcessLookupError):
                here.discard(name)  # it ended during the read
            except (OSError, ValueError):
                if name not in self._unread:
                    self._unread.add(name)
                    self.dropped += 1
        for name in processes.keys() - here:
            self._end(processes.pop(name), rows)
        if self._unread:
            self._unread &= here - processes.keys()
        return self._table(rows)

    def _update(self, name: str, process: _Process | None, text: bytes, rows: list[_Row]) -> None:
        """Add the row of one process that may have used CPU."""
        stat = parse_stat(text)
        if process is not None and process.stat.start_ticks == stat.start_ticks:
            used_ticks = stat.ticks - process.stat.ticks
            renamed = process.stat.comm != stat.comm
            process.stat = stat
        else:
            if process is not None:  # another process has its pid now
                self._end(process, rows)
            old = process is None and (self._turn == 1 or name in self._unread)
            used_ticks = 0 if old else stat.ticks
            renamed = False
            process = self._known[name] = _Process(int(name), stat)
        process.text = text
        self._place(name, process, renamed=renamed)
        if used_ticks > 0:
            process.shown = True
            rows.append(_row(process, used_ticks, alive=True))

    def _place(self, name: str, process: _Process, *, renamed: bool) -> None:
        """Read the process's cgroup if it may have changed."""
        process.reads += 1
        if (
            renamed
            or not process.cgroup
            or process.reads <= _YOUNG
            or (self._turn + process.pid) % _CGROUP_TURNS == 0
        ):
            process.cgroup = self._cgroup_of(name) or process.cgroup

    @staticmethod
    def _end(process: _Process, rows: list[_Row]) -> None:
        if process.shown:
            rows.append(_row(process, 0, alive=False))

    def _text(self, name: str) -> bytes:
        file = os.open(f"{self._procfs}/{name}/stat", os.O_RDONLY)
        try:
            return os.read(file, _STAT_BYTES)
        finally:
            os.close(file)

    def _table(self, rows: list[_Row]) -> Processes:
        columns = zip(*rows, strict=True) if rows else [()] * len(_Row._fields)
        key, pid, parent_pid, cgroup, comm, kernel, alive, cpu_ns = map(np.array, columns, _TYPES)
        return Processes(
            key=key,
            pid=pid,
            parent_pid=parent_pid,
            cgroup=cgroup,
            comm=comm,
            kernel=kernel,
            alive=alive,
            cpu_ns=cpu_ns.reshape(-1, 1),
            allowed=self._affinity.allowed(key, pid),
            counters={},
        )


def _row(process: _Process, used_ticks: int, *, alive: bool) -> _Row:
    stat = process.stat
    return _Row(
        process.key,
        process.pid,
        stat.parent_pid,
        process.cgroup,
        stat.comm,
        stat.kernel,
        alive,
        used_ticks * NS_PER_TICK,
    )
