"""Which source of activity is used: the first that works, or the one that was named."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from wattribute.core.errors import ActivityAbsent, ActivityDenied, ActivityError
from wattribute.core.records import Topology
from wattribute.node.activity import Activity
from wattribute.node.activity.cgroup import CgroupActivity
from wattribute.node.activity.cgroupfs import CgroupReader
from wattribute.node.activity.cpustat import CpuStat
from wattribute.node.activity.procfs import ProcfsActivity
from wattribute.node.settings import NodeSettings

State = Literal["works", "not used", "absent", "denied", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one source."""

    name: str
    state: State
    message: str
    """What is wrong and what would fix it, one line; "" when there is nothing to say."""


@dataclass(frozen=True, slots=True)
class ChosenActivity:
    """The source in use, and what was found of each."""

    activity: Activity
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Machine:
    """What all sources are made of."""

    procfs: Path
    topology: Topology
    cpustat: CpuStat
    cgroups: CgroupReader
    max_processes: int


def choose_activity(settings: NodeSettings, topology: Topology) -> ChosenActivity:
    """Open a source.

    Raises:
        ActivityError: the source that was named cannot be used, or none can.
    """
    procfs = Path(settings.activity.procfs)
    cgroupfs = Path(settings.activity.cgroupfs or Path(settings.meter.sysfs, "fs/cgroup"))
    machine = _Machine(
        procfs,
        topology,
        CpuStat(procfs, topology),
        CgroupReader(cgroupfs, topology),
        settings.activity.max_processes,
    )
    named = settings.activity.source
    chosen: Activity | None = None
    findings = []
    for name, opened in _SOURCES.items():
        if chosen is not None:
            findings.append(Finding(name, "not used", f"{chosen.name} is used"))
            continue
        if named not in ("auto", name):
            findings.append(Finding(name, "not used", f"activity.source is {named}"))
            continue
        try:
            chosen = opened(machine)
        except ActivityError as exc:
            if name in (named, "procfs"):
                raise
            findings.append(Finding(name, _state(exc), str(exc)))
        else:
            findings.append(Finding(name, "works", ""))
    if chosen is None:
        raise ActivityAbsent(f"activity.source {named}: there is no such source")
    return ChosenActivity(chosen, tuple(findings))


def _state(error: ActivityError) -> State:
    if isinstance(error, ActivityAbsent):
        return "absent"
    return "denied" if isinstance(error, ActivityDenied) else "failed"


def _cycles(machine: _Machine) -> Activity:
    from wattribute.node.activity.cycles import CyclesActivity  # noqa: PLC0415 - the loader is heavy

    return CyclesActivity(
        machine.procfs, machine.cgroups, machine.cpustat, machine.topology, machine.max_processes
    )


def _tasks(machine: _Machine) -> Activity:
    from wattribute.node.activity.tasks import TasksActivity  # noqa: PLC0415 - the loader is heavy

    return TasksActivity(
        machine.procfs, machine.cgroups, machine.cpustat, machine.topology, machine.max_processes
    )


def _cgroup(machine: _Machine) -> Activity:
    return CgroupActivity(machine.procfs, machine.cgroups, machine.cpustat, machine.topology)


def _procfs(machine: _Machine) -> Activity:
    machine.cgroups.close()
    return ProcfsActivity(machine.procfs, machine.topology, machine.cpustat)


_SOURCES: Final[dict[str, Callable[[_Machine], Activity]]] = {
    "cycles": _cycles,
    "tasks": _tasks,
    "cgroup": _cgroup,
    "procfs": _procfs,
}
"""By name, best first: cycles tell more than time, the scheduler's books more than /proc's."""
