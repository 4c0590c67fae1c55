"""Cgroups -> groups: which consumer each cgroup's time belongs to."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import Cgroups, Placement
from wattribute.node.workload.cgroup_path import place


class RowGroup(NamedTuple):
    """What keeps one total: a container, the ended containers of a pod, or a special row."""

    kind: str
    """``container``, ``ended``, ``system`` or ``kernel``."""
    id: str = ""
    """Container id; of ``ended``, the pod's uid."""
    pod_uid: str = ""
    runtime: str = ""


SYSTEM = RowGroup("system")
KERNEL = RowGroup("kernel")

SYSTEM_INDEX = 0
KERNEL_INDEX = 1
ROOT_INDEX = 2
"""Processes in the root cgroup, which has (cgroup v1) or has not (v2) a counter of its own; their
consumer is ``system`` too."""
UNKNOWN_INDEX = 3
"""Processes whose cgroup came and went unseen; ``system`` too, and no counter speaks for them."""
_FIXED = (SYSTEM, KERNEL, SYSTEM, SYSTEM)


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """All cgroups of one generation, placed."""

    generation: int
    groups: tuple[RowGroup, ...]
    of_cgroup: NDArray[np.int64]
    """Row of Cgroups -> index into groups."""
    vm_ids: tuple[str, ...]
    vm_of_cgroup: NDArray[np.int64]
    """Row of Cgroups -> index into vm_ids, -1: no VM."""
    units: tuple[str, ...]
    """Names of systemd units that are no containers."""
    unit_of_cgroup: NDArray[np.int64]
    """Row of Cgroups -> index into units, -1: in no unit, or in a container."""
    top_cgroup: NDArray[np.int64]
    """Index into groups -> row of the highest cgroup of that group, -1 for none: its memory is
    the group's."""
    border: NDArray[np.int64]
    """Rows of Cgroups whose parent belongs to another group, and the root: a group's own time is
    what enters over its borders less what leaves."""

    def of_ids(self, cgroups: Cgroups, ids: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Rows of Cgroups for cgroup ids; -1 for an id that is not in the table."""
        if not len(cgroups.id):
            return np.full(len(ids), -1, np.int64)
        at = np.searchsorted(cgroups.id, ids)
        at[at == len(cgroups.id)] = 0
        return np.where(cgroups.id[at] == ids, at, -1)


def _group_of(placement: Placement) -> RowGroup:
    if placement.kind == "container":
        return RowGroup("container", placement.container_id, placement.pod_uid, placement.runtime)
    if placement.kind == "pod":
        return RowGroup("ended", placement.pod_uid, placement.pod_uid, placement.runtime)
    return SYSTEM


def group_cgroups(cgroups: Cgroups) -> Groups:
    """Place every cgroup by its path."""
    groups: dict[RowGroup, int] = {}
    order = list(_FIXED)
    vms: dict[str, int] = {}
    units: dict[str, int] = {}
    of_cgroup = np.zeros(len(cgroups.path), np.int64)
    vm_of_cgroup = np.full(len(cgroups.path), -1, np.int64)
    unit_of_cgroup = np.full(len(cgroups.path), -1, np.int64)
    groups[SYSTEM], groups[KERNEL] = SYSTEM_INDEX, KERNEL_INDEX
    for row, path in enumerate(cgroups.path):
        placement = place(path)
        if placement.unit and placement.kind == "system":
            unit_of_cgroup[row] = units.setdefault(placement.unit, len(units))
        if placement.vm_id:
            vm_of_cgroup[row] = vms.setdefault(placement.vm_id, len(vms))
        if path == "/":
            of_cgroup[row] = ROOT_INDEX
            continue
        group = _group_of(placement)
        index = groups.get(group)
        if index is None:
            index = groups[group] = len(order)
            order.append(group)
        of_cgroup[row] = index
    parents = cgroups.parent
    child = parents >= 0
    differs = child.copy()
    differs[child] = of_cgroup[child] != of_cgroup[parents[child]]
    top = np.full(len(order), -1, np.int64)
    border = np.flatnonzero(differs | ~child)
    top[of_cgroup[border]] = border
    top[: len(_FIXED)] = -1
    return Groups(
        cgroups.generation,
        tuple(order),
        of_cgroup,
        tuple(vms),
        vm_of_cgroup,
        tuple(units),
        unit_of_cgroup,
        top,
        border,
    )
