"""CPU time of processes from /proc/PID/stat."""

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
"""A runtime moves a container's first process to its cgroup after it was made: the cgroup is
looked at again in a process's first reads, whenever it is renamed (exec), and now and then."""
_CGROUP_TURNS: Final = 32
_STILL_TURNS: Final = 8
"""A process in a cgroup that did not run is looked at every 8th time, for it may have moved."""


class Stat(NamedTuple):
    """What is used of /proc/PID/stat (proc(5))."""

    comm: bytes
    parent_pid: int
    kernel: bool
    ticks: int
    """utime + stime, of all threads, ended ones too."""
    start_ticks: int


def parse_stat(text: bytes) -> Stat:
    """Read one /proc/PID/stat; the name in it may hold anything, brackets and newlines too.

    Raises:
        ValueError: it is not such a file.
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
    """Processes.key, with the start as /proc has it: rounded down to a tick."""
    start = (stat.start_ticks * NS_PER_TICK >> _KEY_SHIFT) & ((1 << _KEY_BITS) - 1)
    return (pid << _KEY_BITS | start) & ((1 << 64) - 1)


class _Process:
    """A process as it was last read."""

    __slots__ = ("cgroup", "pid", "reads", "shown", "stat", "text")

    def __init__(self, pid: int, stat: Stat) -> None:
        self.pid = pid
        self.stat = stat
        self.text = b""
        """Of its stat file: the same text is the same process, which did not run."""
        self.cgroup = 0
        self.reads = 0
        self.shown = False
        """It used CPU, so its end must be told too."""

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
"""Of the columns of _Row."""


class ProcessReader:
    """Processes that used CPU since the last read, in ticks of 10 ms.

    A process that is not in the list of the read before was born since, and its
    whole life counts; only at the first read (and for one that could not be read
    before) nothing is known of when its time was used. The last part of a life,
    and lives between two reads, are not seen.
    """

    def __init__(self, procfs: Path, topology: Topology, cgroup_of: Callable[[str], int]) -> None:
        """Nothing is read yet.

        Args:
            procfs: root of procfs.
            topology: packages of the CPUs.
            cgroup_of: from a pid to the id of its cgroup, 0 if it is not known.

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
        """Processes that were there and could not be read."""
        try:
            pids = self.pids()
        except ActivityFailed as exc:
            raise ActivityAbsent(f"{exc}; is --procfs where the host's /proc is mounted?") from exc
        if not pids:
            raise ActivityAbsent(
                f"{procfs}: no processes in it; is --procfs where the host's /proc is mounted?"
            )

    def pids(self) -> list[str]:
        """The processes there are.

        Raises:
            ActivityFailed: procfs cannot be listed.
        """
        try:
            names = os.listdir(self._procfs)  # noqa: PTH208 - 10,000 Paths would cost 5 ms
            return [name for name in names if name.isdecimal()]
        except OSError as exc:
            raise ActivityFailed(f"{self._procfs}: {exc.strerror}") from exc

    def cgroups(self) -> set[int]:
        """Ids of the cgroups that have processes."""
        return {process.cgroup for process in self._known.values()}

    def read(self, pids: list[str], still: Container[int] = ()) -> Processes:
        """What processes used since the last call (the first time: nothing).

        Args:
            pids: as ``pids()`` just gave them.
            still: ids of cgroups in which nothing ran since the last call.
        """
        self._turn += 1
        known, turn = self._known, self._turn
        here = set(pids)
        rows: list[_Row] = []
        for name in pids:
            process = known.get(name)
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
                here.discard(name)  # it died while we looked
            except (OSError, ValueError):
                if name not in self._unread:
                    self._unread.add(name)
                    self.dropped += 1
        for name in known.keys() - here:
            self._end(known.pop(name), rows)
        if self._unread:
            self._unread &= here - known.keys()
        return self._table(rows)

    def _update(self, name: str, process: _Process | None, text: bytes, rows: list[_Row]) -> None:
        """Note what one process used."""
        stat = parse_stat(text)
        if process is not None and process.stat.start_ticks == stat.start_ticks:
            used = stat.ticks - process.stat.ticks
            renamed = process.stat.comm != stat.comm
            process.stat = stat
        else:
            if process is not None:  # another has its pid now
                self._end(process, rows)
            old = process is None and (self._turn == 1 or name in self._unread)
            used = 0 if old else stat.ticks
            renamed = False
            process = self._known[name] = _Process(int(name), stat)
        process.text = text
        self._place(name, process, renamed=renamed)
        if used > 0:
            process.shown = True
            rows.append(_row(process, used, alive=True))

    def _place(self, name: str, process: _Process, *, renamed: bool) -> None:
        """Look for the process's cgroup where it may have changed."""
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


def _row(process: _Process, used: int, *, alive: bool) -> _Row:
    stat = process.stat
    return _Row(
        process.key,
        process.pid,
        stat.parent_pid,
        process.cgroup,
        stat.comm,
        stat.kernel,
        alive,
        used * NS_PER_TICK,
    )
