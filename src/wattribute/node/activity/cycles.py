"""The source ``cycles``: time and hardware counters of processes, at every context switch.

This source knows more than CPU time: how much a process did in its time (cycles,
instructions, cache misses), on which package, and whether the SMT sibling was
busy. It costs a few hundred nanoseconds per context switch. The time is the
scheduler's own, as in ``tasks``: the time of a task that runs during the read is
that of its last tick (at most 4 ms old at HZ=250). Counters are those of the moment
of the read.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.errors import ActivityFailed
from wattribute.core.records import Processes, Usage
from wattribute.core.units import Nanoseconds
from wattribute.node.activity.ascending import distinct
from wattribute.node.activity.backend import ActivityBackend, ActivityInputs
from wattribute.node.activity.bpf.cycles import SwitchBooks
from wattribute.node.activity.bpf.folders import cpuacct_hierarchy
from wattribute.node.activity.bpf.perf import HARDWARE_EVENTS, PerfEvent, usable
from wattribute.node.activity.entries import EntryTotals, Ran
from wattribute.node.activity.node import NodeTimes

_PID_SHIFT: Final = np.uint64(40)
_ALL_PACKAGES: Final = np.uint64((1 << 64) - 1)
_CORUN: Final = 4
"""Column of co-run time in Ran.amounts; column 0 is time, and the events lie in between."""


class CyclesActivity:
    """Reads CPU time, counters and co-run time of every process."""

    name = "cycles"

    def __init__(
        self, inputs: ActivityInputs, *, events: Mapping[str, PerfEvent] | None = None
    ) -> None:
        """Load the programs and open the counters.

        Args:
            inputs: What every source is made of. The hierarchy of the cgroups decides which cgroup
                ids are used; at most ``max_processes`` processes may run between two reads.
            events: Events to count, including ``cycles``; None: the hardware's counters.

        Raises:
            ActivityAbsent: there is no cycle counter, no BTF, or the kernel is older than 5.10.
            ActivityDenied: a capability is missing, or the kernel is locked down.
        """
        topology, cgroups = inputs.topology, inputs.cgroups
        online = np.flatnonzero(topology.package_of_cpu >= 0)
        usable_events = usable(HARDWARE_EVENTS if events is None else events, int(online[0]))
        self._names = tuple(usable_events)
        self._cgroups = cgroups
        self._node = NodeTimes(inputs.cpustat, topology)
        self._packages = len(topology.package_ids)
        package_of_cpu = np.maximum(topology.package_of_cpu, 0)
        self._cpus_of_package = np.eye(self._packages)[:, package_of_cpu]
        self._has_siblings = bool((topology.sibling_of_cpu >= 0).any())
        self._entries = EntryTotals(inputs.max_processes)
        self._owed: list[tuple[Ran, NDArray[np.float64]]] = []
        """Usage that is charged and not returned yet, because the rest of a read failed."""
        hierarchy = cpuacct_hierarchy(inputs.procfs) if cgroups.accounting == "cpuacct" else 0
        self._books = SwitchBooks(topology, usable_events, hierarchy, inputs.max_processes)

    def read(self, now_ns: Nanoseconds) -> Usage | None:
        """Return the usage since the last read, as Activity.read; all columns are by package.

        Raises:
            ActivityFailed: the BPF maps cannot be read.
        """
        try:
            self._books.flush()
            ran, old = self._entries.advance(*self._books.read())
            self._books.delete(old)
        except OSError as exc:
            raise ActivityFailed(f"cycles: cannot read the BPF maps: {exc.strerror}") from exc
        self._owed.append((ran, self._scale()))
        for number, path in self._books.folders.drain():
            self._cgroups.add(number, path)
        processes = self._processes()
        cgroups = self._cgroups.read(distinct(processes.cgroup))
        first = not self._node.began
        node = self._node.advance(now_ns)
        self._owed.clear()
        if first:
            return None
        return Usage(
            start_ns=node.start_ns,
            end_ns=node.end_ns,
            processes=processes,
            cgroups=cgroups,
            busy_ns=node.busy_ns,
            capacity_ns=node.capacity_ns,
            steal_ns=node.steal_ns,
            irq_ns=node.irq_ns,
            dropped=self._books.dropped,
        )

    def bpf_run_ns(self) -> int | None:
        """Return the kernel time of the BPF programs, as Activity.bpf_run_ns."""
        return self._books.run_ns()

    def close(self) -> None:
        """Detach and unload the programs, and close the counters and all files."""
        self._books.close()
        self._cgroups.close()
        self._node.close()

    def _scale(self) -> NDArray[np.float64]:
        """Return the factors (packages, events) by which counts are multiplied.

        A counter that shares the hardware with others counts only part of the time.
        The factor is NaN if the counter did not count at all.
        """
        by_cpu = self._books.counted()
        by_package = np.einsum(
            "pc,cet->pet", self._cpus_of_package, by_cpu[: self._cpus_of_package.shape[1]]
        )
        enabled, running = by_package[..., 0], by_package[..., 1]
        with np.errstate(invalid="ignore", divide="ignore"):
            scale: NDArray[np.float64] = np.where(running > 0, enabled / running, np.nan)
        scale[enabled == 0] = 1.0  # nothing ran on that package
        return scale

    def _processes(self) -> Processes:
        keys = np.concatenate([ran.keys for ran, _ in self._owed])
        uses = np.concatenate([ran.uses for ran, _ in self._owed])
        amounts = np.concatenate([ran.amounts for ran, _ in self._owed])
        package = np.minimum(keys["package"].astype(np.int64), self._packages - 1)
        factors = np.concatenate(
            [
                scale[np.minimum(r.keys["package"], self._packages - 1).astype(np.int64)]
                for r, scale in self._owed
            ]
        )
        counters = {}
        for i, name in enumerate(self._names):
            counts = amounts[:, 1 + i] * factors[:, i]
            if not np.isnan(counts).any():
                counters[name] = self._by_package(np.rint(counts).astype(np.int64), package)
        if self._has_siblings:
            counters["corun_ns"] = self._by_package(amounts[:, _CORUN], package)
        return Processes(
            key=keys["process"].copy(),
            pid=(keys["process"] >> _PID_SHIFT).astype(np.int64),
            parent_pid=uses["parent"].astype(np.int64),
            cgroup=keys["cgroup"].copy(),
            comm=uses["comm"].copy(),
            kernel=uses["kernel"] != 0,
            alive=np.concatenate([ran.alive for ran, _ in self._owed]),
            cpu_ns=self._by_package(amounts[:, 0], package),
            allowed=np.full(len(keys), _ALL_PACKAGES),
            counters=counters,
        )

    def _by_package(
        self, amounts: NDArray[np.int64], package: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Spread amounts (n,) over (n, packages), each in the column of its package."""
        table = np.zeros((len(amounts), self._packages), np.int64)
        table[np.arange(len(amounts)), package] = amounts
        return table


BACKEND = ActivityBackend(
    name=CyclesActivity.name,
    open=CyclesActivity,
    sees="CPU time, cycles and cache misses of every process, at each context switch",
    sees_short_lived=True,
    counts=frozenset({"cycles", "cache_misses"}),
)
