"""Who used the GPUs: processes of the driver -> processes of the books."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import Cgroups, GpuState, GpuUsage
from wattribute.core.units import Nanoseconds
from wattribute.node.activity.whois import Finder, ProcessIdentity
from wattribute.node.meter import GpuMeter
from wattribute.node.monitor.groups import UNKNOWN_INDEX, Groups
from wattribute.node.monitor.processes import ProcessBook
from wattribute.node.monitor.rows import RESIDUAL_BIT, UsageRows
from wattribute.node.sharing.gpu_shares import GpuShare, share_gpus

_KEY_BITS: Final = 40
_START_MASK: Final = (1 << _KEY_BITS) - 1
_TICK: Final = (10_000_000 >> 10) + 2
"""A tick of /proc in units of a key's start: a start in /proc is rounded down to one."""
_NOBODY_KNOWN: Final = int(RESIDUAL_BIT) | 1 << 62
"""Key of the row of users whom the driver does not name (a MIG instance busy without a process)."""


class GpuUsers:
    """Reads all GPU meters, and finds the processes that they name."""

    def __init__(self, meters: Sequence[GpuMeter], find: Finder) -> None:
        """``find`` is asked of a process that used a GPU and no CPU time in a tick."""
        self._meters = tuple(meters)
        self._find = find
        self._uses: list[GpuUsage] = []
        self._key_of: dict[int, int] = {}
        """By pid, for the uses that wait."""
        self._added: dict[int, int] = {}
        """Pid by key: processes that are in the books because of a GPU alone."""
        self.states: tuple[GpuState, ...] = ()

    def __bool__(self) -> bool:
        """Whether any GPU is measured."""
        return bool(self._meters)

    def read(self, now_ns: Nanoseconds) -> None:
        """Ask all meters; what they say waits until it is known who ran."""
        uses = [use for meter in self._meters if (use := meter.read_use(now_ns)) is not None]
        self._uses += uses
        self.states = tuple(state for use in uses for state in use.states)

    def forget(self) -> None:
        """Drop pending GPU use; its energy becomes unattributed."""
        self._uses.clear()

    def with_users(
        self, rows: UsageRows, cgroups: Cgroups, groups: Groups, book: ProcessBook
    ) -> UsageRows:
        """The rows, and one more for each user of a GPU that is in no book yet."""
        pids = sorted({int(pid) for use in self._uses for pid in use.pid})
        here = _in_rows(rows, pids)
        process_of = {pid: self._find(pid) for pid in pids if pid and pid not in here}
        self._end_added(here, book)
        self._key_of = dict(here)
        added: list[tuple[int, int, ProcessIdentity | None]] = []
        for pid in pids:
            if pid in here:
                continue
            key = _in_book(book, pid, process_of.get(pid))
            if key is None:
                process = process_of.get(pid)
                key = process.key if process else pid << _KEY_BITS if pid else _NOBODY_KNOWN
                added.append((key, pid, process))
                if process:
                    self._added[key] = pid
            self._key_of[pid] = key
        return _with_rows(rows, added, cgroups, groups) if added else rows

    def shares(self) -> Mapping[str, GpuShare]:
        """By device, who used it; after ``with_users``, whose rows must be booked by now."""
        uses, self._uses = self._uses, []
        return share_gpus(uses, self._keys)

    def _keys(self, pids: NDArray[np.int64]) -> NDArray[np.uint64]:
        return np.array([self._key_of[pid] for pid in pids.tolist()], np.uint64)

    def _end_added(self, here: Mapping[int, int], book: ProcessBook) -> None:
        """Processes whose end no source of activity will tell, because none has seen them."""
        for key, pid in tuple(self._added.items()):
            process = self._find(pid)
            if process is None or process.key != key or here.get(pid, key) != key:
                del self._added[key]
                book.end(np.array([key], np.uint64))


def _in_rows(rows: UsageRows, pids: Sequence[int]) -> dict[int, int]:
    """Key by pid, of those that ran; of two with one pid the one that lives, or began last."""
    if not pids:
        return {}
    wanted_pids = np.array(pids, np.int64)
    at = np.minimum(np.searchsorted(wanted_pids, rows.pid), len(wanted_pids) - 1)
    mine = np.flatnonzero((wanted_pids[at] == rows.pid) & (rows.pid > 0))
    ranked = sorted(mine.tolist(), key=lambda row: (bool(rows.alive[row]), int(rows.key[row])))
    return {int(rows.pid[row]): int(rows.key[row]) for row in ranked}


def _in_book(book: ProcessBook, pid: int, process: ProcessIdentity | None) -> int | None:
    """Key of a process that the book knows; of one that has ended, the last of its pid."""
    if not pid:
        there = book.find(np.array([_NOBODY_KNOWN], np.uint64))[0] >= 0
        return _NOBODY_KNOWN if there else None
    slots, columns = book.of_pid(pid), book.columns
    if process is not None:
        start = process.key & _START_MASK
        since = (columns["key"][slots].astype(np.int64) & _START_MASK) - start
        slots = slots[(since >= 0) & (since < _TICK)]
    if not len(slots):
        return None
    return int(columns["key"][slots[columns["seen_ns"][slots].argmax()]])


def _with_rows(
    rows: UsageRows,
    added: Sequence[tuple[int, int, ProcessIdentity | None]],
    cgroups: Cgroups,
    groups: Groups,
) -> UsageRows:
    """Rows without CPU time at the end."""
    keys, pids, processes = zip(*added, strict=True)
    count, packages = len(added), rows.cpu_ns.shape[1]
    none = np.zeros((count, packages), np.int64)
    group = [_group_of(process, cgroups, groups) for process in processes]
    comm = [process.comm if process else b"" for process in processes]
    return replace(
        rows,
        key=np.concatenate([rows.key, np.array(keys, np.uint64)]),
        pid=np.concatenate([rows.pid, np.array(pids, np.int64)]),
        comm=np.concatenate([rows.comm, np.array(comm, "S16")]),
        alive=np.concatenate([rows.alive, np.array([bool(p) for p in processes], np.bool_)]),
        group=np.concatenate([rows.group, np.array(group, np.int64)]),
        vm=np.concatenate([rows.vm, np.full(count, -1, np.int64)]),
        unit=np.concatenate([rows.unit, np.full(count, -1, np.int64)]),
        cpu_ns=np.concatenate([rows.cpu_ns, none]),
        counters={name: np.concatenate([v, none]) for name, v in rows.counters.items()},
    )


def _group_of(process: ProcessIdentity | None, cgroups: Cgroups, groups: Groups) -> int:
    """Index into Groups.groups; a process that is not known any more is ``system``'s."""
    if process is None or process.cgroup not in cgroups.path:
        return UNKNOWN_INDEX
    return int(groups.of_cgroup[cgroups.path.index(process.cgroup)])
