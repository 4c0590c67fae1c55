"""The totals that an hour began with, so that what rose in it can be told."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import (
    REWEIGHED,
    ContainerTable,
    Mode,
    ModeEnergy,
    NodeTotals,
    Snapshot,
)


@dataclass(frozen=True, slots=True)
class Amounts:
    """Totals of one container row at some instant, or what they rose by."""

    energy_uj: NDArray[np.int64]
    """(channels,) dynamic."""
    cpu_ns: int
    memory_byte_ns: float
    gpu_ns: int
    reweighed_uj: Mapping[str, NDArray[np.int64]]
    """(channels,) each, by the names of REWEIGHED; one that is not there is as ``energy_uj``."""


@dataclass(frozen=True, slots=True)
class NodeAmounts:
    """Totals of the node at some instant, or what they rose by."""

    energy_uj: list[ModeEnergy]
    """By channel."""
    unattributed_uj: list[int]
    """By channel."""

    @classmethod
    def from_totals(cls, node: NodeTotals) -> "NodeAmounts":
        """Return the totals of a snapshot's node."""
        energy_uj = [ModeEnergy(dynamic, idle) for dynamic, idle in node.energy_uj.tolist()]
        return cls(energy_uj, node.unattributed_uj.tolist())


class Baseline:
    """What the totals were when the hour began; rows that came later began at 0."""

    def __init__(self) -> None:
        """Begin all totals at 0."""
        self._rows: dict[int, Amounts] = {}
        """By uid of the consumer."""
        self._node: NodeAmounts | None = None

    def begin(self, snapshot: Snapshot, *, resumed: bool) -> None:
        """Take the first snapshot of a run; ``resumed``: its totals are older than the run."""
        if resumed:
            self._rows = _totals(snapshot.containers)
            if self._node is None:
                self._node = NodeAmounts.from_totals(snapshot.node)

    def take(self, snapshot: Snapshot) -> None:
        """Let the next hour begin with the totals of a snapshot."""
        self._rows = _totals(snapshot.containers)
        self._node = NodeAmounts.from_totals(snapshot.node)

    def take_node(self, totals: NodeAmounts) -> None:
        """Let the node begin with totals that another run of the agent has noted."""
        self._node = totals

    def forget(self, uid: int) -> None:
        """Drop a row that is gone."""
        self._rows.pop(uid, None)

    def risen(self, table: ContainerTable, row: int) -> Amounts:
        """Return what a row has used since the hour began."""
        total = _total(table, row)
        base = self._rows.get(table.consumers[row].uid)
        if base is None:
            return total
        return Amounts(
            _less(total.energy_uj, base.energy_uj),
            total.cpu_ns - base.cpu_ns,
            total.memory_byte_ns - base.memory_byte_ns,
            total.gpu_ns - base.gpu_ns,
            {
                name: _less(total_uj, base.reweighed_uj.get(name, base.energy_uj))
                for name, total_uj in total.reweighed_uj.items()
            },
        )

    def node_risen(self, node: NodeTotals) -> NodeAmounts:
        """Return what the node has used since the hour began; new channels began at 0."""
        total, base = NodeAmounts.from_totals(node), self._node
        if base is None:
            return total
        added = len(total.energy_uj) - len(base.energy_uj)
        energy_uj = [
            ModeEnergy(now.dynamic_uj - then.dynamic_uj, now.idle_uj - then.idle_uj)
            for now, then in zip(
                total.energy_uj, base.energy_uj + [ModeEnergy(0, 0)] * added, strict=False
            )
        ]
        unattributed_uj = [
            now - then
            for now, then in zip(
                total.unattributed_uj, base.unattributed_uj + [0] * added, strict=False
            )
        ]
        return NodeAmounts(energy_uj, unattributed_uj)


def _total(table: ContainerTable, row: int) -> Amounts:
    return Amounts(
        table.energy_uj[row, :, Mode.DYNAMIC],
        int(table.cpu_ns[row]),
        float(table.memory_byte_ns[row]),
        int(table.gpu_ns[row]) if table.gpu_ns is not None else 0,
        {name: column[row] for name in REWEIGHED if (column := getattr(table, name)) is not None},
    )


def _less(total_uj: NDArray[np.int64], base_uj: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return by how much totals rose; channels that came later began at 0."""
    risen_uj = total_uj.copy()
    risen_uj[: len(base_uj)] -= base_uj
    return risen_uj


def _totals(table: ContainerTable) -> dict[int, Amounts]:
    return {consumer.uid: _total(table, row) for row, consumer in enumerate(table.consumers)}
