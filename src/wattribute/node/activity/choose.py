"""Which source of activity is used: the first that works, or the one that was named."""

from dataclasses import dataclass
from pathlib import Path

from wattribute.core.errors import ActivityAbsent, ActivityDenied, ActivityError
from wattribute.core.records import Topology
from wattribute.node.activity import Activity
from wattribute.node.activity.backend import ActivityBackend, ActivityInputs
from wattribute.node.activity.cgroupfs import CgroupReader
from wattribute.node.activity.cpustat import CpuStat
from wattribute.node.backends import ACTIVITY_SOURCES
from wattribute.node.findings import FindingState, SourceFinding
from wattribute.node.settings import NodeSettings


@dataclass(frozen=True, slots=True)
class ChosenActivity:
    """The source in use, its facts, and what was found of each source."""

    activity: Activity
    backend: ActivityBackend
    findings: tuple[SourceFinding, ...]


def cgroup_root(settings: NodeSettings) -> Path:
    """Return the root of the cgroup file systems that the settings name."""
    return Path(settings.activity.cgroupfs or Path(settings.meter.sysfs, "fs/cgroup"))


def choose_activity(settings: NodeSettings, topology: Topology) -> ChosenActivity:
    """Open a source.

    Raises:
        ActivityError: the source that was named cannot be used, or none can.
    """
    procfs = Path(settings.activity.procfs)
    inputs = ActivityInputs(
        procfs,
        topology,
        CpuStat(procfs, topology),
        CgroupReader(cgroup_root(settings), topology),
        settings.activity.max_processes,
    )
    named = settings.activity.source
    chosen: tuple[Activity, ActivityBackend] | None = None
    findings = []
    for name in ACTIVITY_SOURCES.names:
        if chosen is not None:
            findings.append(_finding(name, "not used", f"{chosen[0].name} is used"))
            continue
        if named not in ("auto", name):
            findings.append(_finding(name, "not used", f"activity.source is {named}"))
            continue
        backend = ACTIVITY_SOURCES.load(name, ActivityBackend)
        if named == "auto" and not backend.auto:
            message = "not part of `auto`; name it in --activity to use it"
            findings.append(_finding(name, "not used", message))
            continue
        try:
            chosen = backend.open(inputs), backend
        except ActivityError as exc:
            if name == named or backend.last_resort:
                raise
            findings.append(_finding(name, _state(exc), str(exc)))
        else:
            findings.append(_finding(name, "works", ""))
    if chosen is None:
        raise ActivityAbsent(f"activity.source {named}: there is no such source")
    return ChosenActivity(*chosen, tuple(findings))


def _finding(name: str, state: FindingState, message: str) -> SourceFinding:
    return SourceFinding("activity", name, state, message)


def _state(error: ActivityError) -> FindingState:
    if isinstance(error, ActivityAbsent):
        return "absent"
    return "denied" if isinstance(error, ActivityDenied) else "failed"
