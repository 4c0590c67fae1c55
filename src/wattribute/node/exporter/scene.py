"""A snapshot as the metric families need it: published values, columns grouped by label."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import Mode, Snapshot, ZoneTotal
from wattribute.node.exporter.layout import (
    ContainerLabels,
    ProcessLabels,
    ProcessStyle,
    SeriesRows,
    Style,
)

_T = TypeVar("_T")

ALL_KINDS: Final = frozenset({"container", "ended", "system", "kernel"})
MODES: Final = ((Mode.DYNAMIC, "dynamic"), (Mode.IDLE, "idle"))


@dataclass(frozen=True, slots=True)
class NodeLabels:
    """What this node and this agent are called; never changes while the agent runs."""

    name: str = os.uname().nodename
    provider_id: str = ""
    """As Kubernetes writes it: ``aws:///eu-west-1a/i-0123``."""
    instance_type: str = ""
    region: str = ""
    cluster: str = ""
    nested: bool = False
    """A guest whose host is scraped too."""
    version: str = ""
    """Of this agent."""


class Scene:
    """One snapshot, arranged; made once per snapshot and path, then thrown away."""

    def __init__(
        self,
        snapshot: Snapshot,
        node: NodeLabels,
        pod_labels: Sequence[str],
        containers: ContainerLabels,
        processes: ProcessLabels,
    ) -> None:
        """``containers`` and ``processes`` are the caches of label texts."""
        self.snapshot = snapshot
        self.node = node
        self.pod_labels = pod_labels
        self._containers = containers
        self._processes = processes
        self._made: dict[object, object] = {}

    def once(self, make: Callable[["Scene"], _T]) -> _T:
        """What ``make`` makes of this scene, made once for all families that share it."""
        if make not in self._made:
            self._made[make] = make(self)
        return cast("_T", self._made[make])

    def containers(self, style: Style, kinds: frozenset[str] = ALL_KINDS) -> SeriesRows:
        """Container rows to show, with their labels in a style."""
        return self._containers.series_of(self.snapshot.containers, style, kinds)

    def processes(self, style: ProcessStyle) -> SeriesRows:
        """Process rows to show, with their labels in a style."""
        return self._processes.series_of(self.snapshot, style)

    def sources(self, kind: str) -> Sequence[tuple[str, list[int]]]:
        """Columns of a zone kind by source: ``[("rapl-sysfs", [0]), ...]``.

        Channels that differ in origin alone share a series: Kepler's families have no origin.
        """
        columns: dict[str, list[int]] = {}
        for column, channel in enumerate(self.snapshot.channels):
            if channel.kind == kind:
                columns.setdefault(channel.source, []).append(column)
        return tuple(columns.items())

    def kinds(self) -> Sequence[tuple[str, list[int]]]:
        """Columns by zone kind, whatever the source."""
        columns: dict[str, list[int]] = {}
        for column, channel in enumerate(self.snapshot.channels):
            columns.setdefault(channel.kind, []).append(column)
        return tuple(columns.items())

    @cached_property
    def component_columns(self) -> list[int]:
        """Columns that partition the node's energy."""
        channels = self.snapshot.channels
        return [column for column, channel in enumerate(channels) if channel.component]

    @cached_property
    def columns_by_component(self) -> dict[tuple[str, str], list[int]]:
        """The columns of each component and origin."""
        places: dict[tuple[str, str], list[int]] = {}
        for column in self.component_columns:
            channel = self.snapshot.channels[column]
            places.setdefault((channel.component or "", str(channel.origin)), []).append(column)
        return places

    @cached_property
    def container_uj(self) -> NDArray[np.int64]:
        """(n, channels, 2) as published: held rows are 0 (design section 9, rule 2)."""
        table = self.snapshot.containers
        return np.where(table.held[:, None, None], 0, table.energy_uj)

    @cached_property
    def process_uj(self) -> NDArray[np.int64]:
        """(n, channels) as published."""
        table = self.snapshot.processes
        return np.where(table.held[:, None], 0, table.energy_uj)

    @cached_property
    def vm_uj(self) -> NDArray[np.int64]:
        """(n, channels, 2) as published."""
        table = self.snapshot.vms
        return np.where(table.held[:, None, None], 0, table.energy_uj)

    @cached_property
    def zones(self) -> Sequence[ZoneTotal]:
        """Zones whose meter answers; the others' series have ended (rule 7)."""
        return tuple(zone for zone in self.snapshot.node.zones if zone.up)

    @cached_property
    def live_channels(self) -> Sequence[int]:
        """Component columns that a zone still feeds: node series of the others have ended."""
        fed = {(zone.zone.kind, zone.zone.source, zone.origin) for zone in self.zones}
        return [
            column
            for column in self.component_columns
            if (channel := self.snapshot.channels[column])
            and (channel.kind, channel.source, channel.origin) in fed
        ]

    def by_component(
        self, values: NDArray[np.int64], columns: Iterable[int]
    ) -> dict[tuple[str, str], NDArray[np.int64]]:
        """Rows of ``values`` (one per channel) summed by (component, origin)."""
        sums: dict[tuple[str, str], NDArray[np.int64]] = {}
        for column in columns:
            channel = self.snapshot.channels[column]
            key = (channel.component or "", str(channel.origin))
            sums[key] = sums[key] + values[column] if key in sums else values[column]
        return sums
