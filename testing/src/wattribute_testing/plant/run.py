"""The plant's loop: read who ran, book the energy, turn the counters."""

import math
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from wattribute.core.errors import ConfigInvalid
from wattribute_testing.plant.books import FEMTOJOULES_PER_MICROJOULE, Books
from wattribute_testing.plant.cgroups import CgroupUnavailable, GroupCgroup
from wattribute_testing.plant.children import Fleet, Process, build_burner
from wattribute_testing.plant.scenario import Group, Scenario, check
from wattribute_testing.plant.tree import PowercapTree, siblings_of, sockets_of
from wattribute_testing.plant.truth import (
    GroupTruth,
    JournalWriter,
    ProcessTruth,
    Truth,
    write_truth,
)
from wattribute_testing.plant.usage import CpuClock, place_on_cpus

_TELL_EVERY_S: Final = 0.5
_MILLION: Final = 1_000_000


def run_plant(
    scenario: Scenario,
    folder: Path,
    *,
    seconds: float = math.inf,
    truth: Path | None = None,
    journal: Path | None = None,
    progress: Callable[[Truth], None] | None = None,
    stop: threading.Event | None = None,
) -> Truth:
    """Play a scenario, and return what was true in the end.

    Children, cgroups and temporary files are gone when it returns or raises;
    the tree, with its last counters, stays.

    Args:
        scenario: what to play.
        folder: stands for /sys; made if need be.
        seconds: how long.
        truth: file for the truth, rewritten twice a second.
        journal: file for the course of the truth, one line per step.
        progress: called twice a second; first as soon as everything runs.
        stop: set to end early.

    Raises:
        ConfigInvalid: the scenario cannot be played on this machine.
    """
    stop = stop or threading.Event()
    with ExitStack() as stack:
        machine = _Machine(check(scenario), folder, stack)
        log = JournalWriter(journal) if journal else None
        if log:
            stack.callback(log.close)
        tell_at = 0.0
        while machine.elapsed_s() < seconds and not stop.wait(machine.until_next_step_s()):
            machine.step()
            if log:
                log.add(machine.at_ns, machine.books.rows(), machine.cpu_ns())
            if machine.elapsed_s() >= tell_at:
                tell_at = machine.elapsed_s() + _TELL_EVERY_S
                now = machine.truth()
                if log:
                    log.flush()
                if truth:
                    write_truth(truth, now)
                if progress:
                    progress(now)
        machine.finish()
        if log:
            log.add(machine.at_ns, machine.books.rows(), machine.cpu_ns())
        last = machine.truth(finished=True)
        if truth:
            write_truth(truth, last)
        return last


class _Machine:
    """The simulated machine while it runs."""

    def __init__(self, scenario: Scenario, folder: Path, stack: ExitStack) -> None:
        """Make the tree and the cgroups; start nothing yet."""
        self._plan = scenario
        self._notes: list[str] = []
        self._clock = CpuClock()
        stack.callback(self._clock.close)
        cpus = self._cpus = self._clock.cpus
        _check_cpus(scenario, cpus)
        self.books = Books(scenario, sockets_of(cpus, scenario.sockets))
        self._siblings = siblings_of(cpus, scenario)
        self._tree = PowercapTree(folder, scenario, cpus)
        stack.callback(self._tree.close)
        self._ids = [uuid.uuid4().hex + uuid.uuid4().hex for _ in scenario.groups]
        self._cgroups = [
            self._make_cgroup(group, container_id, stack)
            for group, container_id in zip(scenario.groups, self._ids, strict=True)
        ]
        burner = build_burner(
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wattribute-plant-")))
        )
        self._fleet = Fleet(
            scenario.groups, [c.join_files if c else () for c in self._cgroups], burner
        )
        stack.callback(self._fleet.stop, math.inf)
        self._allowed = [
            [i for i, cpu in enumerate(cpus) if not group.cpus or cpu in group.cpus]
            for group in scenario.groups
        ]
        self._clock.start()
        none = [0] * len(cpus)
        self._group_ns = [list(none) for _ in scenario.groups]
        self._rest_ns, self._busy_ns = list(none), list(none)
        self._reset_base: dict[str, int] = {}
        self._resets = sorted(scenario.resets_at_s)
        self._started_ns = self.at_ns = time.monotonic_ns()
        self._steps = 0

    def _make_cgroup(self, group: Group, container_id: str, stack: ExitStack) -> GroupCgroup | None:
        if not group.cgroup:
            return None
        try:
            cgroup = GroupCgroup(group.cgroup.format(id=container_id))
        except CgroupUnavailable as exc:
            self._notes.append(f"{group.name}: no cgroup, its processes are counted: {exc}")
            return None
        stack.callback(cgroup.remove)
        return cgroup

    def elapsed_s(self) -> float:
        """Since the start, at the last step."""
        return (self.at_ns - self._started_ns) / 1e9

    def until_next_step_s(self) -> float:
        """Time to wait; steps that were missed on a busy machine are left out."""
        step_ns = round(self._plan.step_s * 1e9)
        since_ns = time.monotonic_ns() - self._started_ns
        due = max(self._steps, since_ns // step_ns)
        self._steps = due + 1
        return max(0.0, (due * step_ns - since_ns) / 1e9)

    def step(self) -> None:
        """Book what happened since the last step, and show it."""
        self._fleet.start_due(self.elapsed_s())
        self._book(self._fleet.poll(self.elapsed_s()))

    def finish(self) -> None:
        """End all children and book their last moments."""
        self._book(self._fleet.stop(self.elapsed_s()))

    def _book(self, changes: list[tuple[Process, int]]) -> None:
        """Read counters of groups first, of the machine last: busy is never less than its parts."""
        reads = [cgroup.read() if cgroup else None for cgroup in self._cgroups]
        busy_ns = self._clock.busy()
        now_ns = time.monotonic_ns()
        step_ns, self.at_ns = now_ns - self.at_ns, now_ns
        busy_step = [n - b for n, b in zip(busy_ns, self._busy_ns, strict=True)]
        self._busy_ns = busy_ns
        group_step = self._place_groups(reads, changes, busy_step)
        self._group_ns = [_plus(b, s) for b, s in zip(self._group_ns, group_step, strict=True)]
        rest_step = self._place_rest(busy_ns)
        self._rest_ns = _plus(self._rest_ns, rest_step)
        corun_ppm = [
            0 if sibling == cpu else min(_MILLION, max(0, busy_step[sibling]) * _MILLION // step_ns)
            for cpu, sibling in enumerate(self._siblings)
        ]
        self.books.step(now_ns - self._started_ns, step_ns, group_step, rest_step, corun_ppm)
        self._charge(changes)
        self._show()

    def _place_groups(
        self,
        reads: list[list[int] | None],
        changes: list[tuple[Process, int]],
        busy_step: list[int],
    ) -> list[list[int]]:
        """Time of each group on each CPU in this step."""
        by_process = [0] * len(reads)
        for process, ns in changes:
            by_process[process.group] += ns
        placed: list[list[int]] = []
        for number, read in enumerate(reads):
            before = self._group_ns[number]
            cgroup = self._cgroups[number]
            if read is not None and cgroup is not None and cgroup.per_cpu:
                spent_ns = [max(0, read[c] - b) for c, b in zip(self._cpus, before, strict=True)]
            else:
                total = by_process[number] if read is None else max(0, read[0] - sum(before))
                spent_ns = place_on_cpus(total, busy_step, self._allowed[number])
            placed.append(spent_ns)
        return placed

    def _place_rest(self, busy_ns: list[int]) -> list[int]:
        """Time of everybody else on each CPU in this step.

        By a high-water mark: /proc/stat moves in steps of 10 ms, so that the
        difference swings by as much, and energy once shown cannot be taken back.
        """
        unclaimed = [
            busy - rest - sum(group[cpu] for group in self._group_ns)
            for cpu, (busy, rest) in enumerate(zip(busy_ns, self._rest_ns, strict=True))
        ]
        return place_on_cpus(max(0, sum(unclaimed)), unclaimed, range(len(unclaimed)))

    def _charge(self, changes: list[tuple[Process, int]]) -> None:
        """Give processes their energy, at what their group's time cost in this step."""
        for process, ns in changes:
            group = self._plan.groups[process.group].name
            if group in self.books.last_femto:
                group_ns, package, dram = self.books.last_femto[group]
                process.package_femto += ns * package // group_ns
                process.dram_femto += ns * dram // group_ns

    def _show(self) -> None:
        elapsed_s = self.elapsed_s()
        while self._resets and self._resets[0] <= elapsed_s:
            self._resets.pop(0)
            self._reset_base = {
                zone: -sum(rows.values()) for zone, rows in self.books.rows().items()
            }
        failing = {
            fault.zone: fault.kind
            for fault in self._plan.faults
            if fault.at_s <= elapsed_s < fault.at_s + fault.for_s
        }
        self._tree.show(self._counters(), failing)

    def _counters(self) -> dict[str, int]:
        return {
            zone: (self._reset_base.get(zone, self._plan.start_uj) + sum(rows.values()))
            % self._plan.wraps_at_uj
            for zone, rows in self.books.rows().items()
        }

    def cpu_ns(self) -> dict[str, int]:
        """CPU time since the start by row."""
        spent_ns = {
            g.name: sum(ns) for g, ns in zip(self._plan.groups, self._group_ns, strict=True)
        }
        return spent_ns | {"rest": sum(self._rest_ns)}

    def truth(self, *, finished: bool = False) -> Truth:
        """Everything up to the last step."""
        zones = self.books.rows()
        process_counts = [0] * len(self._plan.groups)
        for process in self._fleet.processes:
            process_counts[process.group] += 1
        groups = {
            group.name: GroupTruth(
                cgroup=group.cgroup.format(id=container_id) if cgroup else "",
                container_id=container_id if cgroup else "",
                cpu_ns=sum(spent_ns),
                package_uj=_row_total(zones, "package-", group.name),
                dram_uj=_row_total(zones, "dram-", group.name),
                processes=count,
            )
            for group, container_id, cgroup, spent_ns, count in zip(
                self._plan.groups,
                self._ids,
                self._cgroups,
                self._group_ns,
                process_counts,
                strict=True,
            )
        }
        return Truth(
            started_ns=self._started_ns,
            at_ns=self.at_ns,
            finished=finished,
            zones=zones,
            counters=self._counters(),
            groups=groups,
            rest_cpu_ns=sum(self._rest_ns),
            processes=tuple(
                ProcessTruth(
                    group=self._plan.groups[process.group].name,
                    pid=process.pid,
                    lane=process.lane,
                    cpu_ns=process.cpu_ns,
                    package_uj=process.package_femto // FEMTOJOULES_PER_MICROJOULE,
                    dram_uj=process.dram_femto // FEMTOJOULES_PER_MICROJOULE,
                    ended=process.ended,
                )
                for process in self._fleet.processes
            ),
            notes=(*self._notes, *self._fleet.notes),
        )


def _row_total(zones: dict[str, dict[str, int]], prefix: str, row: str) -> int:
    return sum(rows[row] for zone, rows in zones.items() if zone.startswith(prefix))


def _plus(a: list[int], b: list[int]) -> list[int]:
    return [x + y for x, y in zip(a, b, strict=True)]


def _check_cpus(scenario: Scenario, cpus: list[int]) -> None:
    if scenario.sockets > len(cpus):
        raise ConfigInvalid(
            f"sockets: {scenario.sockets} simulated packages need as many CPUs; "
            f"this machine has {len(cpus)}"
        )
    allowed = os.sched_getaffinity(0)
    for group in scenario.groups:
        if wrong := sorted(set(group.cpus) - allowed):
            raise ConfigInvalid(f"group {group.name}: CPU {wrong[0]} cannot be used here")
