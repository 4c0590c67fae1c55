"""Reconcile CPU time of processes with their containers' counters, which are authoritative."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wattribute.core.shares import apportion_groups
from wattribute.core.sums import sum_by


@dataclass(frozen=True, slots=True, eq=False)
class Reconciled:
    """Times of rows that agree with the counters of their groups."""

    row_ns: NDArray[np.int64]
    """(n,) time of each row, scaled down where the rows had more time than their group."""
    residual_ns: NDArray[np.int64]
    """(g,) time of the group that no row accounts for; it becomes a row of its own."""


def reconcile(
    row_group: NDArray[np.int64], row_ns: NDArray[np.int64], group_ns: NDArray[np.int64]
) -> Reconciled:
    """Make the times of rows (processes) agree with their groups (containers).

    If rows have more time than their group's counter (they are read a moment later),
    they are scaled down exactly. If they have less, the difference is the group's
    residual. For time per package, number the groups by (group, package).

    Args:
        row_group: (n,) group of each row; -1: the row is in no group and stays as it is.
        row_ns: (n,) time of each row, >= 0.
        group_ns: (g,) time by the group's own counter; -1: not known, so that its rows stay
            as they are and its residual is 0.
    """
    is_known = group_ns >= 0
    rows_sum = sum_by(row_group, row_ns, len(group_ns))
    residual_ns = np.where(is_known, np.maximum(group_ns - rows_sum, 0), 0)
    excessive = is_known & (rows_sum > group_ns)
    if not bool(excessive.any()):
        return Reconciled(row_ns, residual_ns)
    # The appended False is the value that group -1 selects.
    rows = np.flatnonzero(np.append(excessive, np.False_)[row_group])
    groups = np.flatnonzero(excessive)
    place = np.searchsorted(groups, row_group[rows])
    scaled = row_ns.copy()
    scaled[rows] = apportion_groups(group_ns[groups], row_ns[rows], place)
    return Reconciled(scaled, residual_ns)


@dataclass(frozen=True, slots=True, eq=False)
class OwnTime:
    """The time of each group of cgroups, each nanosecond counted once."""

    group_ns: NDArray[np.int64]
    """(groups,) time of each group; -1: not known."""
    debt_ns: NDArray[np.int64]
    """(g,) time by which the children of a cgroup were ahead of it. Pass it to the next call (in
    that call's row order): the cgroup's counter catches up, and that time is already charged."""


def own_time(
    cpu_ns: NDArray[np.int64],
    parent: NDArray[np.int64],
    group: NDArray[np.int64],
    *,
    size: int | None = None,
    seen_ns: NDArray[np.int64] | None = None,
    debt_ns: NDArray[np.int64] | None = None,
) -> OwnTime:
    """Return the own time of the cgroups in each group.

    Counters are recursive, so a cgroup's own time is its counter less its
    children's. A group's time is the sum over its cgroups, so a cgroup below another
    of the same group counts once, and one of another group is subtracted. The time of
    a removed child is in its parent's own time, and goes to the parent's group.

    A cgroup whose counter is unknown has its time inside the nearest ancestor
    whose counter is known. If both are in the same group nothing is lost; else its
    group is unknown (-1), and its time in ``seen_ns`` is subtracted from the ancestor.

    Counters are read one after the other, so children may be ahead of their
    parent. Its own time is then 0, and the excess is a debt that its later time pays, so
    that skew creates no time. Over any sequence of calls, a cgroup's own times add up to
    its counter less its children's, apart from the debt at the end.

    Args:
        cpu_ns: (g,) recursive time in the interval; -1: not known.
        parent: (g,) row of the parent; -1: none.
        group: (g,) group of each cgroup; -1: none.
        size: number of groups; default: as many as occur.
        seen_ns: (g,) time of the processes directly in each cgroup; used if its counter is
            unknown.
        debt_ns: (g,) debt of the call before; default: none.
    """
    count = len(cpu_ns)
    size = int(group.max(initial=-1)) + 1 if size is None else size
    is_known = cpu_ns >= 0
    ancestor = _known_ancestor(parent, is_known)
    inside_ns = np.where(is_known, cpu_ns, 0 if seen_ns is None else seen_ns)
    owed_ns = np.zeros(count, dtype=np.int64) if debt_ns is None else debt_ns
    own_ns = cpu_ns - sum_by(ancestor, inside_ns, count) - owed_ns
    group_ns = sum_by(group, np.where(is_known, np.maximum(own_ns, 0), 0), size)
    above = np.where(ancestor >= 0, group[ancestor], -1)
    stray = group[~is_known & (group >= 0) & (above != group)]
    occurs = np.zeros(size, dtype=np.bool_)
    occurs[group[group >= 0]] = True
    group_ns[~occurs] = -1
    group_ns[stray] = -1
    return OwnTime(group_ns, np.where(is_known, np.maximum(-own_ns, 0), owed_ns))


def _known_ancestor(parent: NDArray[np.int64], is_known: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the row of each cgroup's nearest ancestor with a known counter; -1: none."""
    ancestor = parent.copy()
    for _ in range(len(parent)):
        unknown = (ancestor >= 0) & ~is_known[ancestor]
        if not bool(unknown.any()):
            break
        ancestor[unknown] = parent[ancestor[unknown]]
    return ancestor
