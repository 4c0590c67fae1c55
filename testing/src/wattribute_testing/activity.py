"""An activity source that says what a test tells it to say."""

from collections.abc import Mapping, Sequence

import numpy as np

from wattribute.core.errors import ActivityFailed
from wattribute.core.records import Cgroups, Processes, Usage
from wattribute.core.units import Nanoseconds


class FakeActivity:
    """Processes and cgroups by name; ``ran`` says what the next read will report.

    Cgroup ids are given in the order of first mention; parents are found by path.
    """

    name = "fake"

    def __init__(self, cpus: int = 4, packages: int = 1) -> None:
        """A machine of so many CPUs, spread evenly over packages."""
        self.cpus = cpus
        self.packages = packages
        self.fail_next = False
        self.irq_ns = 0
        """Interrupt time of every interval, beside that of processes."""
        self._ids: dict[str, int] = {"/": 1}
        self.present = ["/"]
        """Paths of the cgroups that are there; empty: a machine without cgroups."""
        self._generation = 1
        self._last_ns: Nanoseconds | None = None
        self.processes: list[tuple[int, str, str, int, bool]] = []
        """Who ran since the last read: pid, cgroup, name, CPU time in ns, whether it lives."""
        self._counters: dict[str, int] = {}
        self._gone: set[str] = set()

    def ran(
        self, pid: int, cgroup: str, cpu_ns: int, *, comm: str = "work", alive: bool = True
    ) -> None:
        """A process used CPU in the interval that the next read ends.

        ``kernel`` is no cgroup, but makes it a kernel thread in the root.
        """
        if cgroup != "kernel":
            self.cgroup(cgroup)
        self.processes.append((pid, cgroup, comm, cpu_ns, alive))

    def cgroup(self, path: str, *, cpu_ns: int | None = None) -> None:
        """A cgroup (and its parents) is there; its counter grew by ``cpu_ns``, children included.

        Without ``cpu_ns``: by what its processes used.
        """
        parts = path.strip("/").split("/")
        for depth in range(1, len(parts) + 1):
            prefix = "/" + "/".join(parts[:depth])
            if prefix != "/" and prefix not in self.present:
                self._ids.setdefault(prefix, len(self._ids) + 1)
                self.present.append(prefix)
                self._generation += 1
        if cpu_ns is not None:
            self._counters[path] = cpu_ns

    def remove(self, path: str) -> None:
        """The cgroup is removed in the interval that the next read ends."""
        self._gone.add(path)
        self._generation += 1

    def read(self, now_ns: Nanoseconds) -> Usage | None:
        """What was told; None the first time."""
        if self.fail_next:
            self.fail_next = False
            raise ActivityFailed("fake: told to fail")
        before, self._last_ns = self._last_ns, now_ns
        if before is None:
            self.processes.clear()
            return None
        usage = self._usage(before, now_ns)
        for path in self._gone:
            self.present.remove(path)
        if self._gone:
            self._generation += 1
        self._gone.clear()
        self.processes.clear()
        self._counters.clear()
        return usage

    def bpf_run_ns(self) -> int | None:
        """Return 0, because no BPF programs run."""
        return None

    def close(self) -> None:
        """Nothing to close."""

    def _usage(self, start_ns: Nanoseconds, end_ns: Nanoseconds) -> Usage:
        rows = self.processes
        total_ns = sum(row[3] for row in rows) + self.irq_ns
        share = np.full(self.packages, total_ns // self.packages, np.int64)
        share[0] += total_ns - int(share.sum())
        elapsed_ns = end_ns - start_ns
        return Usage(
            start_ns=start_ns,
            end_ns=end_ns,
            processes=_processes(rows, self._ids),
            cgroups=self._cgroups(),
            busy_ns=share,
            capacity_ns=np.full(self.packages, self.cpus * elapsed_ns // self.packages, np.int64),
            steal_ns=0,
            irq_ns=self.irq_ns,
            dropped=0,
        )

    def _cgroups(self) -> Cgroups:
        paths = sorted(self.present, key=self._ids.__getitem__)
        row = {path: index for index, path in enumerate(paths)}
        used_ns: dict[str, int] = dict.fromkeys(paths, 0)
        for _pid, cgroup, _comm, cpu_ns, _alive in self.processes:
            path = "/" if cgroup == "kernel" else cgroup
            while path in used_ns:
                used_ns[path] += cpu_ns
                path = "" if path == "/" else path.rpartition("/")[0] or "/"
        counted = [
            -1 if path in self._gone else self._counters.get(path, used_ns[path]) for path in paths
        ]
        return Cgroups(
            generation=self._generation,
            id=np.array([self._ids[path] for path in paths], np.uint64),
            path=tuple(paths),
            parent=_parents(paths, row),
            cpu_ns=np.array(counted, np.int64)[:, None],
            memory_bytes=np.full(len(paths), -1, np.int64),
            alive=np.array([path not in self._gone for path in paths], np.bool_),
        )


def _parents(paths: Sequence[str], row: Mapping[str, int]) -> np.ndarray:
    return np.array(
        [-1 if path == "/" else row[path.rpartition("/")[0] or "/"] for path in paths], np.int64
    )


def _processes(
    rows: Sequence[tuple[int, str, str, int, bool]], ids: Mapping[str, int]
) -> Processes:
    count = len(rows)
    return Processes(
        key=np.array([pid << 40 for pid, *_ in rows], np.uint64),
        pid=np.array([pid for pid, *_ in rows], np.int64),
        parent_pid=np.zeros(count, np.int64),
        cgroup=np.array(
            [1 if cgroup == "kernel" else ids[cgroup] for _, cgroup, *_ in rows], np.uint64
        ),
        comm=np.array([comm.encode() for _, _, comm, *_ in rows], "S16"),
        kernel=np.array([cgroup == "kernel" for _, cgroup, *_ in rows], np.bool_),
        alive=np.array([alive for *_, alive in rows], np.bool_),
        cpu_ns=np.array([cpu_ns for *_, cpu_ns, _ in rows], np.int64).reshape(-1, 1),
        allowed=np.full(count, np.iinfo(np.uint64).max, np.uint64),
        counters={},
    )
