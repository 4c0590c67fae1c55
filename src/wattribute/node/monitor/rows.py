"""Usage -> rows of use: processes, reconciled with their containers' own counters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import Cgroups, Processes, Usage
from wattribute.core.sums import sum_by
from wattribute.node.attribution.packages import fit_packages
from wattribute.node.attribution.reconcile import own_time, reconcile
from wattribute.node.monitor.groups import (
    KERNEL_INDEX,
    UNKNOWN_INDEX,
    Groups,
    RowGroup,
)
from wattribute.node.monitor.interrupts import Interrupts

LATE_NS = 25_000_000
"""A death record comes up to this much later than the container's counter has the time (99 % of
them: an RCU grace period), so that much of it, per CPU, waits one tick for its process."""

_QEMU = np.frombuffer(b"qemu", np.uint8)
_KVM = np.frombuffer(b"kvm", np.uint8)

RESIDUAL_BIT = np.uint64(1 << 63)
"""Set in the key of a row that stands for time of a container whose process is not known."""


@dataclass(frozen=True, slots=True, eq=False)
class UsageRows:
    """Who used what in one interval, one row per process or residual; n rows."""

    key: NDArray[np.uint64]
    pid: NDArray[np.int64]
    comm: NDArray[np.bytes_]
    alive: NDArray[np.bool_]
    group: NDArray[np.int64]
    """Index into Groups.groups."""
    vm: NDArray[np.int64]
    """Index into vm_ids; -1: no VM."""
    vm_ids: tuple[str, ...]
    unit: NDArray[np.int64]
    """Index into Groups.units; -1: in no systemd unit, in a container, or in the kernel."""
    cpu_ns: NDArray[np.int64]
    """(n, packages)"""
    counters: Mapping[str, NDArray[np.int64]]
    """(n, packages) each"""
    misfit: float


class RowBuilder:
    """Makes rows tick after tick; remembers the time that waits for its process."""

    def __init__(self, cpus: int, vm_of: Callable[[int, bytes], str] = lambda *_: "") -> None:
        """Set what holds for every tick.

        Args:
            cpus: online CPUs, which bound how much time can be late.
            vm_of: process id and name -> the virtual machine that it runs, "" for none; asked
                once of each process that may be QEMU's.
        """
        self._late_ns = LATE_NS * cpus
        self._vm_of = vm_of
        self._vms: dict[int, str] = {}
        self._interrupts = Interrupts()
        self._waiting: dict[RowGroup | int, int] = {}
        self._serial: dict[RowGroup, int] = {}
        self._serials = count()
        self._debt_ids = np.zeros(0, np.uint64)
        self._debt_ns = np.zeros(0, np.int64)

    def build(self, usage: Usage, groups: Groups) -> UsageRows:
        """Reconcile processes with cgroup counters; the difference becomes rows of its own."""
        processes, cgroups = usage.processes, usage.cgroups
        at = groups.of_ids(cgroups, processes.cgroup)
        group = _of(groups.of_cgroup, at, UNKNOWN_INDEX)
        group[processes.kernel] = KERNEL_INDEX
        vm, vm_ids = self._virtual(processes, groups, at)
        unit = _of(groups.unit_of_cgroup, at, -1)
        unit[processes.kernel] = -1
        used_ns = processes.cpu_ns.sum(axis=1)

        own_ns = self._own_time(cgroups, groups, at, used_ns, processes.kernel)
        names = _distinct(groups)
        waited_ns = np.array([self._waiting.get(name, 0) for name in names], np.int64)
        counted = own_ns >= 0
        counted[UNKNOWN_INDEX] = counted[KERNEL_INDEX] = False
        result = reconcile(group, used_ns, np.where(counted, own_ns + waited_ns, -1))
        top = groups.top_cgroup
        ended = (top >= 0) & ~cgroups.alive[top] if len(cgroups.id) else top >= 0
        # Of this tick's time, and no longer than one tick: the rest has no process.
        late_ns = np.minimum(np.maximum(own_ns, 0), self._late_ns)
        waits_ns = np.where(ended, 0, np.minimum(result.residual_ns, late_ns))
        booked_ns = result.residual_ns - waits_ns
        self._waiting = {names[g]: int(waits_ns[g]) for g in np.flatnonzero(waits_ns)}
        waited_ns[~counted] = 0
        tasks_ns = int(result.row_ns.sum()) + int(result.residual_ns.sum()) - int(waited_ns.sum())
        booked_ns[KERNEL_INDEX] += self._interrupts.apart_ns(usage, tasks_ns)

        with_rest = np.flatnonzero(booked_ns)
        rest = _Rest(with_rest, booked_ns[with_rest], self._keys(groups, with_rest))
        cpu_ns, misfit = _by_package(usage, groups, group, result.row_ns, rest)
        return UsageRows(
            key=np.concatenate([processes.key, rest.key]),
            pid=np.concatenate([processes.pid, np.zeros(len(rest.key), np.int64)]),
            comm=np.concatenate([processes.comm, np.zeros(len(rest.key), "S16")]),
            alive=np.concatenate([processes.alive, ~ended[rest.group]]),
            group=np.concatenate([group, rest.group]),
            vm=np.concatenate([vm, np.full(len(rest.key), -1, np.int64)]),
            vm_ids=vm_ids,
            unit=np.concatenate([unit, np.full(len(rest.key), -1, np.int64)]),
            cpu_ns=cpu_ns,
            counters=_counters(processes, group, used_ns, rest, cpu_ns),
            misfit=misfit,
        )

    def _virtual(
        self, processes: Processes, groups: Groups, at: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """The VM of each process: as its cgroup says, else as QEMU's command line does."""
        vm = _of(groups.vm_of_cgroup, at, -1)
        letters = processes.comm.view("u1").reshape(-1, 16)
        maybe = (letters[:, :4] == _QEMU).all(axis=1) | (letters[:, :3] == _KVM).all(axis=1)
        candidates = np.flatnonzero(maybe & (vm < 0) & ~processes.kernel)
        if not len(candidates):
            self._vms.clear()
            return vm, groups.vm_ids
        ids = {vm_id: index for index, vm_id in enumerate(groups.vm_ids)}
        vm_before, self._vms = self._vms, {}
        for row in candidates:
            key = int(processes.key[row])
            vm_id = vm_before.get(key)
            if vm_id is None:
                vm_id = self._vm_of(int(processes.pid[row]), bytes(processes.comm[row]))
            self._vms[key] = vm_id
            if vm_id:
                vm[row] = ids.setdefault(vm_id, len(ids))
        return vm, tuple(ids)

    def _own_time(
        self,
        cgroups: Cgroups,
        groups: Groups,
        at: NDArray[np.int64],
        used_ns: NDArray[np.int64],
        kernel: NDArray[np.bool_],
    ) -> NDArray[np.int64]:
        """Time of each group as the cgroups' counters have it, kernel threads apart.

        -1: not known.
        """
        is_counted: NDArray[np.bool_] = np.all(cgroups.cpu_ns >= 0, axis=1)
        cpu_ns = np.where(is_counted, cgroups.cpu_ns.sum(axis=1), -1)
        seen_ns = sum_by(at, used_ns, len(cgroups.id))
        if not cgroups.alive.all():
            _fill_vanished(cgroups, cpu_ns, is_counted, seen_ns)
        own = own_time(
            cpu_ns,
            cgroups.parent,
            groups.of_cgroup,
            size=len(groups.groups),
            seen_ns=seen_ns,
            debt_ns=self._debt(cgroups),
        )
        self._debt_ids, self._debt_ns = cgroups.id, own.debt_ns
        inside = kernel & (at >= 0)
        in_kernel_ns = sum_by(groups.of_cgroup[at[inside]], used_ns[inside], len(groups.groups))
        return np.where(own.group_ns < 0, -1, np.maximum(own.group_ns - in_kernel_ns, 0))

    def _debt(self, cgroups: Cgroups) -> NDArray[np.int64] | None:
        """The debts of the tick before, in this tick's order of cgroups."""
        if self._debt_ids is cgroups.id or not self._debt_ns.any():
            return self._debt_ns if self._debt_ids is cgroups.id else None
        debt_ns = np.zeros(len(cgroups.id), np.int64)
        at = np.searchsorted(cgroups.id, self._debt_ids)
        at[at == len(cgroups.id)] = 0
        same = cgroups.id[at] == self._debt_ids
        debt_ns[at[same]] = self._debt_ns[same]
        return debt_ns

    def _keys(self, groups: Groups, indices: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Keys of residual rows: the same for the same group as long as the agent runs."""
        if len(self._serial) > 4 * len(groups.groups) + 1024:
            current = set(groups.groups)
            self._serial = {g: n for g, n in self._serial.items() if g in current}
        serials = []
        for index in indices:
            group = groups.groups[index]
            if group not in self._serial:
                self._serial[group] = next(self._serials)
            serials.append(self._serial[group])
        return np.array(serials, np.uint64) | RESIDUAL_BIT


@dataclass(frozen=True, slots=True, eq=False)
class _Rest:
    """Residual rows: time of a group whose process is not known."""

    group: NDArray[np.int64]
    cpu_ns: NDArray[np.int64]
    key: NDArray[np.uint64]


def _distinct(groups: Groups) -> list[RowGroup | int]:
    """A name for each group: the fixed ones are the same consumer, with counters of their own."""
    fixed = UNKNOWN_INDEX + 1
    return [*range(fixed), *groups.groups[fixed:]]


def _of(values: NDArray[np.int64], at: NDArray[np.int64], otherwise: int) -> NDArray[np.int64]:
    """Values at some places; ``otherwise`` for place -1 (there may be no cgroup at all)."""
    if not len(values):
        return np.full(len(at), otherwise, np.int64)
    return np.where(at >= 0, values[at], otherwise)


def _fill_vanished(
    cgroups: Cgroups,
    cpu_ns: NDArray[np.int64],
    is_counted: NDArray[np.bool_],
    seen_ns: NDArray[np.int64],
) -> None:
    """Give removed cgroups the time that they spent since the last read.

    Their counter is gone, but the parent's has the time. A lone removed child gets
    all that its siblings and the parent's own processes do not explain; several stay
    unknown: each keeps what is known of its processes, and the rest is the parent's own.
    """
    vanished = np.flatnonzero(~cgroups.alive & ~is_counted)
    for row in vanished:  # parents come before their children
        parent = cgroups.parent[row]
        if parent < 0 or not is_counted[parent]:
            continue
        siblings = np.flatnonzero(cgroups.parent == parent)
        counted_siblings = siblings[is_counted[siblings]]
        if len(siblings) - len(counted_siblings) == 1:
            rest = int(cpu_ns[parent] - cpu_ns[counted_siblings].sum() - seen_ns[parent])
            cpu_ns[row] = max(rest, int(seen_ns[row]))
            is_counted[row] = True


def _by_package(
    usage: Usage,
    groups: Groups,
    group: NDArray[np.int64],
    row_ns: NDArray[np.int64],
    rest: _Rest,
) -> tuple[NDArray[np.int64], float]:
    """(n, packages) time of rows and residual rows, and the fit's misfit."""
    packages = len(usage.busy_ns)
    processes, cgroups = usage.processes, usage.cgroups
    all_ns = np.concatenate([row_ns, rest.cpu_ns])
    if packages == 1:
        return all_ns[:, None], 0.0
    everywhere = np.full(len(rest.key), np.iinfo(np.uint64).max, np.uint64)
    if processes.cpu_ns.shape[1] == packages:
        parts = np.concatenate(
            [processes.cpu_ns, np.broadcast_to(usage.busy_ns, (len(rest.key), packages))]
        )
        return split_rows(all_ns, parts), 0.0
    fit = fit_packages(all_ns, np.concatenate([processes.allowed, everywhere]), usage.busy_ns)
    if cgroups.cpu_ns.shape[1] != packages:
        return fit.cpu_ns, fit.misfit
    # cgroup v1 knows each group's time on each CPU: use it where it was read.
    top = groups.top_cgroup[np.concatenate([group, rest.group])]
    parts = np.where(top[:, None] >= 0, cgroups.cpu_ns[top], -1)
    counted = (parts >= 0).all(axis=1) & (parts.sum(axis=1) > 0)
    cpu_ns = fit.cpu_ns.copy()
    cpu_ns[counted] = split_rows(all_ns[counted], parts[counted])
    return cpu_ns, fit.misfit


def split_rows(row_ns: NDArray[np.int64], parts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Split each row in proportion to its parts.

    Row sums stay exact: the rest of the rounding goes to the row's largest part.
    """
    total = np.maximum(parts.sum(axis=1), 1)
    split: NDArray[np.int64] = np.floor(row_ns[:, None] * (parts / total[:, None])).astype(np.int64)
    split[np.arange(len(split)), parts.argmax(axis=1)] += row_ns - split.sum(axis=1)
    return split


def _counters(
    processes: Processes,
    group: NDArray[np.int64],
    used_ns: NDArray[np.int64],
    rest: _Rest,
    cpu_ns: NDArray[np.int64],
) -> dict[str, NDArray[np.int64]]:
    """Counters of all rows; a residual row gets its group's mean per nanosecond."""
    if not processes.counters:
        return {}
    size = int(max(group.max(initial=-1), rest.group.max(initial=-1))) + 1
    group_ns = sum_by(group, used_ns, size)
    extended = {}
    for name, values in processes.counters.items():
        per_group = sum_by(group, values.sum(axis=1), size)
        mean = values.sum() / max(int(used_ns.sum()), 1)
        rate = np.where(group_ns > 0, per_group / np.maximum(group_ns, 1), mean)
        added = (cpu_ns[len(group) :] * rate[rest.group][:, None]).astype(np.int64)
        extended[name] = np.concatenate([values, added])
    return extended
