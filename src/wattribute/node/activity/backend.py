"""The facts of one source of activity: what it is called, what it sees, and how it is opened."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wattribute.core.records import Topology
from wattribute.node.activity import Activity
from wattribute.node.activity.cgroupfs import CgroupReader
from wattribute.node.activity.cpustat import CpuStat


@dataclass(frozen=True, slots=True)
class ActivityInputs:
    """What every source of activity is made of."""

    procfs: Path
    topology: Topology
    cpustat: CpuStat
    cgroups: CgroupReader
    max_processes: int


@dataclass(frozen=True, slots=True)
class ActivityBackend:
    """One row of the table of sources; each source's module has its own as ``BACKEND``."""

    name: str
    """As in ``--activity``."""
    open: Callable[[ActivityInputs], Activity]
    """Opens the source.

    Raises:
        ActivityError: the source cannot be used; the kind says why.
    """
    sees: str
    """What it sees, in one line for people."""
    sees_short_lived: bool
    """It sees every process, also those that lived and died between two reads."""
    reads_cgroups: bool = True
    """Its cgroups are folders of the cgroup file system; False: paths as processes name them."""
    counts: frozenset[str] = frozenset()
    """What it counts by hardware beside time, as Processes.counters names it."""
    auto: bool = True
    """Used under ``auto``; False: only where it is named."""
    last_resort: bool = False
    """Nothing stands behind it: where even this source fails, the agent cannot run."""
