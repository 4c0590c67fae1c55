"""Read CPU time and memory of every cgroup from the cgroup file systems (v1, v2, hybrid)."""

import time
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import Cgroups, Topology
from wattribute.core.units import NANOSECONDS_PER_MICROSECOND
from wattribute.node.activity.counters import CgroupCounters, Descriptors
from wattribute.node.activity.folders import Folder, FolderTree
from wattribute.node.activity.hierarchy import Accounting, find_hierarchy

_RUNNING_TURNS: Final = 2
_RESTING_TURNS: Final = 16
"""The memory of a cgroup is read at every second read, and at every 16th where nothing runs: it
changes slowly, and costs as much to read as the CPU time."""
_REMEMBERED: Final = 8192
"""Number of removed cgroups whose names are kept: the deaths of their processes may be reported
seconds later."""
_WALK_AGAIN_S: Final = 60.0
"""Least time between full walks that search for unknown ids."""
_USAGE_USEC: Final = b"usage_usec "


class _Named(NamedTuple):
    """A cgroup that exists or existed."""

    id: int
    path: str
    parent: int
    """Id of the parent cgroup; 0: none."""


class _Rows(NamedTuple):
    """The columns of the table apart from the counters."""

    id: NDArray[np.uint64]
    path: tuple[str, ...]
    parent: NDArray[np.int64]
    alive: NDArray[np.bool_]
    order: NDArray[np.int64]
    """The place of each row in the tree's order: live cgroups first, then removed ones."""


class CgroupReader:
    """Reads the counters of all cgroups; an agent has one such object.

    CPU time is the cgroup's own counter: ``cpuacct.usage_percpu`` (v1, several
    packages), ``cpuacct.usage`` (v1) or ``usage_usec`` of ``cpu.stat`` (v2). It
    keeps the time of processes that have ended. A counter contains the counters of
    the children, so nothing is read below a parent whose counter stands still.

    Memory is what the kernel charges to the cgroup, page cache included
    (``memory.usage_in_bytes``, ``memory.current``). The kubelet's working set
    excludes inactive file pages. Only ``memory.stat`` contains those, and it costs
    many times more to read than all other files together.
    """

    def __init__(self, root: Path, topology: Topology) -> None:
        """Find the hierarchies below ``root``, without reading counters yet.

        Args:
            root: ``/sys/fs/cgroup``, or the folder on which the host's is mounted.
            topology: the packages of the CPUs.
        """
        packages = len(topology.package_ids)
        self._hierarchy = find_hierarchy(root, packages)
        self.accounting: Accounting = self._hierarchy.accounting
        """The hierarchy whose ids (st_ino of the folders) are in ``Cgroups.id``."""
        self.root = Path(self._hierarchy.root)
        """The folder of that hierarchy's root cgroup."""
        by_cpu = self._hierarchy.cpu_file == "cpuacct.usage_percpu"
        self._packages = packages if by_cpu else 1
        packages_of_cpus = np.maximum(topology.package_of_cpu, 0).tolist()
        self._cpus_of = [
            [cpu for cpu, package in enumerate(packages_of_cpus) if package == index]
            for index in range(self._packages)
        ]
        self._cpus = len(packages_of_cpus)
        self._tree = FolderTree(self._hierarchy.root)
        self._descriptors = Descriptors()
        self._counters: dict[int, CgroupCounters] = {}
        self._removed: dict[int, _Named] = {}
        self._hints: dict[int, str] = {}
        self._ids: dict[str, int] = {}
        self._rows = _lay_out([], [])
        self._dead: list[int] = []
        self._generation = 0
        self._reads = 0
        self._walked_s = -_WALK_AGAIN_S

    @property
    def dropped(self) -> int:
        """The number of cgroups that are not in the table because there are over 16,384."""
        return self._tree.left_out

    def add(self, id: int, path: str) -> None:  # noqa: A002 - its name everywhere else
        """Note a created cgroup, so that it is known even if it is removed before the next read."""
        self._hints[id] = path

    def id_of(self, path: str) -> int:
        """Return the id of the cgroup that had this path at the last read; 0 if there was none."""
        return self._ids.get(path, 0)

    def read(self, unknown_ids: NDArray[np.uint64] | None = None) -> Cgroups:
        """Return the counters' rises since the last read; -1 the first time.

        A cgroup that was created since the last read counts from 0. A removed cgroup is
        in the table once more, as not alive; the last part of its time is in its
        parent's counter.

        Args:
            unknown_ids: cgroup ids of processes. Removed cgroups among them are in the
                table again; ids that are unknown altogether cause a walk of the tree.

        Raises:
            ActivityFailed: the hierarchy can no longer be listed.
        """
        if self.accounting == "none":
            return self._table([], [])
        first = self._reads == 0
        changed, removed = self._tree.refresh()
        searched_ids = [] if unknown_ids is None else self._not_live(unknown_ids)
        if searched_ids and self._walk_is_due(searched_ids):
            changed_too, gone_too = self._tree.refresh(everything=True)
            changed |= changed_too
            removed += gone_too
        self._reads += 1
        if changed:
            self._follow(removed, first=first)
        dead = self._dead_rows(removed, searched_ids)
        if changed or dead or self._dead:
            self._generation += 1
            self._rows = _lay_out(
                [
                    _Named(f.id, f.printable_path, f.parent.id if f.parent else 0)
                    for f in self._tree.folders.values()
                ],
                [self._removed[number] for number in dead],
            )
        self._dead = dead
        return self._table(*self._read_counters())

    def close(self) -> None:
        """Close all files of the reader."""
        for counters in self._counters.values():
            counters.close(self._descriptors)
        self._counters.clear()
        self._tree.close()

    def _table(self, cpu_ns: list[list[int]], memory_bytes: list[int]) -> Cgroups:
        rows = self._rows
        cpu = np.full((len(rows.id), self._packages), -1, np.int64)
        memory = np.full(len(rows.id), -1, np.int64)
        if cpu_ns:
            cpu[: len(cpu_ns)] = cpu_ns
            memory[: len(memory_bytes)] = memory_bytes
        return Cgroups(
            generation=self._generation,
            id=rows.id,
            path=rows.path,
            parent=rows.parent,
            cpu_ns=cpu[rows.order],
            memory_bytes=memory[rows.order],
            alive=rows.alive,
        )

    def _read_counters(self) -> tuple[list[list[int]], list[int]]:
        """Read time and memory of the live cgroups, in the tree's order: parents first."""
        unknown, nothing = [-1] * self._packages, [0] * self._packages
        cpu_ns, memory_bytes = [], []
        for turn, counters in enumerate(self._counters.values(), self._reads):
            parent = counters.parent
            if parent is None and self.accounting == "v2":
                # The root's counter covers the whole machine, by sampled ticks and with interrupts.
                # It neither agrees with its children's counters nor belongs to any process
                # (cgroup/rstat.c, root_cgroup_cputime).
                counters.moved = True
                cpu_ns.append(unknown)
            elif parent is None or parent.moved:
                cpu_ns.append(counters.used_ns() or unknown)
            else:
                counters.moved = False
                cpu_ns.append(nothing)
            turns = _RUNNING_TURNS if counters.moved else _RESTING_TURNS
            if turn % turns == 0 or counters.memory_bytes < 0:
                counters.read_memory()
            memory_bytes.append(counters.memory_bytes)
        return cpu_ns, memory_bytes

    def _follow(self, removed: Iterable[Folder], *, first: bool) -> None:
        """Open the counters of new cgroups, and close those of removed cgroups."""
        for folder in removed:
            counters = self._counters.pop(folder.id, None)
            if counters is not None:
                counters.close(self._descriptors)
            self._remember(
                _Named(folder.id, folder.printable_path, folder.parent.id if folder.parent else 0)
            )
        self._ids = {folder.path: folder.id for folder in self._tree.folders.values()}
        counters_before = self._counters
        self._counters = {}
        for number, folder in self._tree.folders.items():
            counters = counters_before.get(number)
            if counters is None:
                counters = self._open(folder)
                counters.last_ns = None if first else [0] * self._packages
            self._counters[number] = counters

    def _open(self, folder: Folder) -> CgroupCounters:
        hierarchy = self._hierarchy
        path = folder.path if folder.parent else ""
        if self._hierarchy.accounting == "v2":
            size, parse = 64, _usage_usec
        elif self._packages > 1:
            size, parse = 24 * (self._cpus + 64), self._by_package
        else:
            size, parse = 32, _usage
        return CgroupCounters(
            self._counters[folder.parent.id] if folder.parent else None,
            (f"{hierarchy.root}{path}/{hierarchy.cpu_file}", size, parse),
            f"{hierarchy.memory_root}{path}/{hierarchy.memory_file}"
            if hierarchy.memory_root
            else "",
            self._descriptors,
        )

    def _by_package(self, text: bytes) -> list[int]:
        """Parse cpuacct.usage_percpu, one number per possible CPU, into ns by package."""
        by_cpu = list(map(int, text.split()))
        if len(by_cpu) < self._cpus:
            raise ValueError(text)
        by_package = [sum(map(by_cpu.__getitem__, cpus)) for cpus in self._cpus_of]
        by_package[0] += sum(by_cpu[self._cpus :])
        return by_package

    def _not_live(self, ids: NDArray[np.uint64]) -> list[int]:
        folders = self._tree.folders
        return [number for number in sorted(set(ids.tolist())) if number and number not in folders]

    def _walk_is_due(self, searched_ids: Iterable[int]) -> bool:
        """Tell whether an id is unknown altogether, and the last walk was long enough ago."""
        if all(number in self._removed or number in self._hints for number in searched_ids):
            return False
        now_s = time.monotonic()
        if now_s - self._walked_s < _WALK_AGAIN_S:
            return False
        self._walked_s = now_s
        return True

    def _dead_rows(
        self, removed_folders: Iterable[Folder], searched_ids: Iterable[int]
    ) -> list[int]:
        """Return the ids of removed cgroups that this table shows, with their removed ancestors."""
        folders = self._tree.folders
        show = {folder.id for folder in removed_folders}
        created_ids = {path: number for number, path in self._hints.items()}
        for path, number in created_ids.items():
            if number not in folders and number not in self._removed:
                self._remember(_Named(number, path, self._nearest(path, created_ids)))
            show.add(number)
        self._hints.clear()
        show.update(searched_ids)
        dead: dict[int, None] = {}
        for number in show:
            removed = self._removed.get(number)
            while removed is not None and removed.id not in folders and removed.id not in dead:
                dead[removed.id] = None
                removed = self._removed.get(removed.parent)
        return list(dead)

    def _nearest(self, path: str, created_ids: Mapping[str, int]) -> int:
        """Return the id of the closest cgroup above a path, live or created since the last read."""
        while path.rstrip("/"):
            path = path.rstrip("/").rpartition("/")[0]
            number = self._ids.get(path or "/") or created_ids.get(path)
            if number:
                return number
        return 0

    def _remember(self, removed: _Named) -> None:
        self._removed[removed.id] = removed
        if len(self._removed) > _REMEMBERED:
            for number in list(islice(self._removed, _REMEMBERED // 8)):
                del self._removed[number]


def _lay_out(live: list[_Named], dead: list[_Named]) -> _Rows:
    """Arrange cgroups as rows in ascending order of id."""
    cgroups = [*live, *dead]
    ids = np.array([c.id for c in cgroups], np.uint64)
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    parents = np.array([c.parent for c in cgroups], np.uint64)[order]
    at = np.minimum(np.searchsorted(ids, parents), max(len(ids) - 1, 0))
    root = np.flatnonzero(order == 0)
    parent = np.where(ids[at] == parents, at, root) if len(ids) else at
    parent[root] = -1
    return _Rows(
        ids, tuple(cgroups[place].path for place in order), parent, order < len(live), order
    )


def _usage(text: bytes) -> list[int]:
    """Parse cpuacct.usage, which is in ns."""
    return [int(text)]


def _usage_usec(text: bytes) -> list[int]:
    """Parse cpu.stat, whose first line is usage_usec, into ns."""
    if not text.startswith(_USAGE_USEC):
        raise ValueError(text)
    return [int(text[len(_USAGE_USEC) : text.index(b"\n")]) * NANOSECONDS_PER_MICROSECOND]
