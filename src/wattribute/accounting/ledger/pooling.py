"""Pools what several nodes learned of the same workloads: one scale, one mean, one spread.

A node's ratios are against the mean of its own mix. Two nodes that both run x and y agree about
ln w_x - ln w_y, and differ by a constant: ln of the ratio of their means. So

    y_ij = theta_i - c_j + e_ij        for workload i on node j

is fitted by weighted least squares (a two-way layout without interaction; Scheffe, The Analysis of
Variance, 1959, ch. 4). The constants of nodes that are tied to each other by shared workloads have
the mean 0; nodes that share nothing keep their own scale, as groups.

What a node learned is a posterior: it began with N(0, s0^2), s0 = ``LOG_SPREAD``. Pooled as it is,
the prior would count once for each node, and 50 nodes that learned nothing would be sure of 0. So
it is taken off: with the posterior's mean m and variance s^2, the data alone say m / g with
variance s^2 / g, where g = 1 - s^2 / s0^2 is what was learned.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import LOG_SPREAD

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LEAST_LEARNED: Final = 0.1
"""Of less than that nothing is pooled: m / g would be noise."""
_ROUNDS: Final = 2000
_STEADY: Final = 1e-7
_LEAST_DEVIATION: Final = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class NodeRatios:
    """What nodes learned: n rows, each one workload on one node."""

    workload: Ints
    """(n,) 0, 1, ..."""
    node: Ints
    """(n,) 0, 1, ...; a workload has one row on each node."""
    log_ratio: Floats
    """(n,) ln of watts per core against the node's mean."""
    deviation: Floats
    """(n,) standard deviation of ``log_ratio``, > 0."""


@dataclass(frozen=True, slots=True, eq=False)
class PooledRatios:
    """What they know together: w workloads."""

    workload: Ints
    """(w,) those of which enough was learned."""
    log_ratio: Floats
    """(w,)"""
    deviation: Floats
    """(w,) of ``log_ratio`` on a node that is not in the pool."""
    nodes: Ints
    """(w,)"""
    group: Ints
    """(w,) 0 is the group with the most workloads."""


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """What the data alone say: n rows of w workloads on k nodes."""

    at: Ints
    """(n,) workload of each row."""
    on: Ints
    """(n,) node of each row."""
    value: Floats
    variance: Floats
    workloads: int
    nodes: int

    def sums(self, values: Floats) -> Floats:
        """Return (w,) sums over the nodes of each workload."""
        sums: Floats = np.bincount(self.at, values, self.workloads).astype(np.float64, copy=False)
        return sums


def pool(ratios: NodeRatios) -> PooledRatios:
    """PooledRatios by random effects.

    With p = 1 / variance, the spread tau^2 between nodes is DerSimonian's and Laird's (Controlled
    Clinical Trials 7, 1986)::

        Q = sum p (y - mean)^2        tau^2 = (Q - (n - 1)) / (sum p - sum p^2 / sum p), at least 0

    Nodes are then weighted by 1 / (variance + tau^2), and a new node has the variance of the mean +
    tau^2 (Higgins, Thompson and Spiegelhalter, J. R. Statist. Soc. A 172, 2009). A few nodes tell
    their spread badly, so no workload has less than that of all workloads together.
    """
    learned = 1 - (ratios.deviation / LOG_SPREAD) ** 2
    enough = learned >= _LEAST_LEARNED
    learned = learned[enough]
    workloads, at = np.unique(ratios.workload[enough], return_inverse=True)
    nodes, on = np.unique(ratios.node[enough], return_inverse=True)
    variance = np.maximum(ratios.deviation[enough] ** 2 / learned, _LEAST_DEVIATION**2)
    value = ratios.log_ratio[enough] / learned
    layout = _Layout(at, on, value, variance, len(workloads), len(nodes))
    of_workload, of_node = _groups(layout)
    layout = replace(layout, value=value + _scales(layout, of_node)[on])
    spread = _spread(layout, of_node)
    precision = 1 / (variance + spread[at])
    total = layout.sums(precision)
    return PooledRatios(
        workload=workloads,
        log_ratio=layout.sums(precision * layout.value) / total,
        deviation=np.sqrt(1 / total + spread),
        nodes=np.bincount(at, minlength=len(workloads)),
        group=of_workload,
    )


def _groups(layout: _Layout) -> tuple[Ints, Ints]:
    """Return (w,) and (k,) the group of each workload and node: what is tied by shared ones."""
    of_node = np.arange(layout.nodes)
    of_workload = np.full(layout.workloads, layout.nodes)
    while True:
        np.minimum.at(of_workload, layout.at, of_node[layout.on])
        tied = of_node.copy()
        np.minimum.at(tied, layout.on, of_workload[layout.at])
        if (tied == of_node).all():
            break
        of_node = tied
    names, group, sizes = np.unique(of_workload, return_inverse=True, return_counts=True)
    rank = np.empty(len(names), np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(names))
    return rank[group], rank[np.searchsorted(names, of_node)]


def _scales(layout: _Layout, group: Ints) -> Floats:
    """Return (k,) ln of each node's mean against that of its group, by alternating means."""
    precision = 1 / layout.variance
    by_workload = layout.sums(precision)
    by_node = np.bincount(layout.on, precision, layout.nodes)
    scale = np.zeros(layout.nodes)
    for _ in range(_ROUNDS):
        before = scale
        theta = layout.sums(precision * (layout.value + scale[layout.on])) / by_workload
        rest = precision * (theta[layout.at] - layout.value)
        scale = np.bincount(layout.on, rest, layout.nodes) / by_node
        if not len(scale) or np.abs(scale - before).max() < _STEADY:
            break
    mean = np.bincount(group, scale) / np.maximum(np.bincount(group), 1)
    centred: Floats = scale - mean[group]
    return centred


def _spread(layout: _Layout, group: Ints) -> Floats:
    """Return (w,) tau^2: the variance between nodes, of each workload."""
    precision = 1 / layout.variance
    total = layout.sums(precision)
    mean = layout.sums(precision * layout.value) / total
    excess = layout.sums(precision * (layout.value - mean[layout.at]) ** 2)
    freedom = np.bincount(layout.at, minlength=layout.workloads) - 1.0
    size = np.where(freedom > 0, total - layout.sums(precision**2) / total, 0.0)
    if not (freedom > 0).any():
        return np.zeros(layout.workloads)
    fitted = layout.nodes - len(np.unique(group))  # scales, from the same numbers
    common = (excess.sum() - max(freedom.sum() - fitted, 0.0)) / size.sum()
    own = np.where(freedom > 0, (excess - freedom) / np.maximum(size, 1e-12), 0.0)
    spread: Floats = np.maximum(np.maximum(own, common), 0.0)
    return spread


def ratios_of(rows: Sequence[tuple[int, int, float, float]]) -> NodeRatios:
    """Return the columns of rows (workload, node, log ratio, deviation)."""
    workload, node, log_ratio, deviation = zip(*rows, strict=True) if rows else ((), (), (), ())
    return NodeRatios(
        np.array(workload, np.int64),
        np.array(node, np.int64),
        np.array(log_ratio, np.float64),
        np.array(deviation, np.float64),
    )
