"""Intervals x rows -> attributions: the floor, the weights, and energy that must wait."""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.errors import StateInvalid
from wattribute.core.records import (
    Attribution,
    FloorState,
    Interval,
    Origin,
    PlatformFit,
    Topology,
    Usage,
    Zone,
)
from wattribute.core.units import Microwatts, energy_at, power_of
from wattribute.node.attribution.floor import FloorLearner
from wattribute.node.attribution.other import Remainder
from wattribute.node.attribution.platform_windows import PlatformWindows
from wattribute.node.attribution.share import attribute
from wattribute.node.attribution.weight import Weight
from wattribute.node.monitor.gpus import GpuShare
from wattribute.node.monitor.rows import Rows

_MOST_LOADS: Final = 1500
"""Five minutes of the shortest ticks."""


@dataclass(slots=True)
class _Waiting:
    """Rows of ticks in which a zone told nothing new, until it does."""

    starts_ns: list[int] = field(default_factory=list)
    """When each of those ticks' intervals began."""
    keys: list[NDArray[np.uint64]] = field(default_factory=list)
    weights: list[NDArray[np.int64]] = field(default_factory=list)

    def forget_before(self, start_ns: int) -> None:
        """What the zone used before that will never be told."""
        old = bisect_left(self.starts_ns, start_ns)
        for entries in (self.starts_ns, self.keys, self.weights):
            del entries[:old]


_NO_ROWS: Final = _Waiting()


@dataclass(frozen=True, slots=True, eq=False)
class _Load:
    """How busy the CPUs were in one tick, by package."""

    end_ns: int
    used_ns: NDArray[np.int64]
    capacity_ns: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """One attribution, and whose the elements of its dynamic_uj are."""

    attribution: Attribution
    keys: NDArray[np.uint64]
    """(n,) process keys; one may come twice."""


class Sharer:
    """Shares intervals among rows; keeps the floors."""

    def __init__(
        self,
        topology: Topology,
        weight: Weight,
        given_uw: Callable[[Zone], int | None],
        prior_uw: Callable[[Zone], int | None],
        window_ns: int,
    ) -> None:
        """Set what holds for every tick.

        Args:
            topology: packages, in the order of the columns of rows.
            weight: what a second of a process costs.
            given_uw: the floor that the settings give for a zone, else None.
            prior_uw: the idle power that a model would expect of a zone, else None.
            window_ns: how far back readings count for a learned floor.
        """
        self._column = {name: index for index, name in enumerate(topology.package_ids)}
        self._weight = weight
        self._given_uw = given_uw
        self._prior_uw = prior_uw
        self._window_ns = window_ns
        self._learners: dict[Zone, FloorLearner] = {}
        self._saved: dict[str, dict[str, object]] = {}
        self._saved_ns = 0
        self._waiting: dict[Zone, _Waiting] = {}
        self._remainder = Remainder()
        self._platform = PlatformWindows()
        self._loads: deque[_Load] = deque(maxlen=_MOST_LOADS)
        self.floors: dict[Zone, FloorState] = {}

    def share(
        self,
        intervals: Sequence[Interval],
        rows: Rows,
        usage: Usage,
        failed: Sequence[Zone],
        gpus: Mapping[str, GpuShare] = MappingProxyType({}),
    ) -> Iterator[Share]:
        """Attribute each interval; nobody pays its floor yet (``pay_floor`` comes after).

        Args:
            intervals: of zones that could be read.
            rows: who ran in the interval of ``usage``.
            usage: the machine's busy time.
            failed: zones that could not be read this time: their rows wait for them.
            gpus: by id of the zone, who used each GPU.
        """
        weights = _Weights(self._weight, rows, self._column, gpus)
        self._loads.append(_Load(usage.end_ns, rows.cpu_ns.sum(axis=0), usage.capacity_ns))
        for zone in failed:
            waiting = self._waiting.setdefault(zone, _Waiting())
            waiting.starts_ns.append(usage.start_ns)
            keys, weight = weights.of(zone)
            waiting.keys.append(keys)
            waiting.weights.append(weight)
        for interval in intervals:
            zone = interval.zone
            waited = self._waiting.pop(zone, _NO_ROWS)
            if waited.starts_ns:
                waited.forget_before(interval.start_ns)
            floor_uj = self.floor_of(interval, rows, usage, gpus)
            keys, weight = weights.of(zone)
            if interval.start_ns < (waited.starts_ns or [usage.start_ns])[0]:
                # Nobody knows who ran in all of it: it is unattributed.
                nobody = np.zeros(len(rows.key), np.int64)
                yield Share(attribute(interval, floor_uj, nobody), rows.key)
            elif waited.starts_ns:
                keys = np.concatenate([*waited.keys, keys])
                weight = np.concatenate([*waited.weights, weight])
                yield Share(attribute(interval, floor_uj, weight), keys)
            else:
                yield Share(attribute(interval, floor_uj, weight), keys)

    def share_with_nobody(self, interval: Interval) -> Share:
        """All above the floor is unattributed: nothing says who ran."""
        nobody = np.zeros(0, np.int64)
        floor_uj = interval.floor_uj
        if floor_uj is None:
            floor = self._learner(interval.zone).floor(self._prior_uw(interval.zone))
            floor_uj = energy_at(floor.power_uw, interval.end_ns - interval.start_ns)
        return Share(attribute(interval, floor_uj, nobody), np.zeros(0, np.uint64))

    @property
    def waits(self) -> bool:
        """Whether rows wait for a zone that could not be read."""
        return bool(self._waiting)

    def give_up(self, zone: Zone) -> None:
        """The zone is down: what it counted meanwhile will be unattributed."""
        self._waiting.pop(zone, None)

    def forget_waiting(self) -> None:
        """What zones that could not be read have counted will never be known."""
        self._waiting.clear()

    def other(self, intervals: Sequence[Interval]) -> list[Interval]:
        """Platform less its parts, over each window in which a platform meter has moved."""
        parts = [i for i in intervals if i.zone.component not in (None, "other")]
        rest = self._remainder.add(self._platform.add(intervals), parts)
        return [] if rest is None else [rest]

    @property
    def platform_fit(self) -> PlatformFit | None:
        """How the platform's power follows its components'."""
        return self._remainder.fit.result()

    def floor_of(
        self,
        interval: Interval,
        rows: Rows,
        usage: Usage,
        gpus: Mapping[str, GpuShare] = MappingProxyType({}),
    ) -> int:
        """The zone's floor over the interval, in microjoules; it learns from the interval too.

        Changes apply forward: this interval is shared with the floor as it was before.
        """
        zone, elapsed_ns = interval.zone, interval.end_ns - interval.start_ns
        if interval.floor_uj is not None:
            power_uw = power_of(interval.floor_uj, elapsed_ns)
            self.floors[zone] = FloorState(zone, power_uw, "model")
            return interval.floor_uj
        learner = self._learner(zone)
        floor = learner.floor(self._prior_uw(zone))
        self.floors[zone] = FloorState(zone, Microwatts(floor.power_uw), floor.basis)
        if interval.origin is not Origin.ESTIMATED:
            learner.observe(
                interval.end_ns,
                _gpu_busy(zone, gpus) if zone.kind == "gpu" else self._busy(interval, rows, usage),
                power_of(interval.energy_uj, elapsed_ns),
            )
        return energy_at(floor.power_uw, elapsed_ns)

    def dump(self) -> dict[str, dict[str, object]]:
        """What the floors were learned from, for the state file."""
        learned = {_name(zone): learner.dump() for zone, learner in self._learners.items()}
        return {**self._saved, **learned}

    def load(self, saved: Mapping[str, dict[str, object]], newest_ns: int) -> None:
        """Go on from what an earlier run learned on this machine.

        Args:
            saved: what ``dump`` gave.
            newest_ns: when, on the monotonic clock of now; negative if before this boot.

        Raises:
            StateInvalid: it is not what ``dump`` gave.
        """
        for name, content in saved.items():
            try:
                FloorLearner.load(content, self._window_ns, None, newest_ns=newest_ns)
            except ValueError as error:
                raise StateInvalid(f"floor of {name} cannot be used: {error}") from error
        self._saved = dict(saved)
        self._saved_ns = newest_ns

    def _learner(self, zone: Zone) -> FloorLearner:
        learner = self._learners.get(zone)
        if learner is None:
            given_uw = self._given_uw(zone)
            saved = self._saved.get(_name(zone))
            learner = (
                FloorLearner(self._window_ns, given_uw)
                if saved is None
                else FloorLearner.load(saved, self._window_ns, given_uw, newest_ns=self._saved_ns)
            )
            self._learners[zone] = learner
        return learner

    def _busy(self, interval: Interval, rows: Rows, usage: Usage) -> float:
        """Utilisation, over the interval, of the CPUs that the zone feeds, 0 to 1.

        By the time of rows, which the scheduler counts in nanoseconds: /proc/stat's is sampled
        by ticks, and its noise would flatten the line that the floor is read from.
        """
        zone = interval.zone
        column = self._column.get(zone.package) if zone.package is not None else None
        used_ns, capacity_ns = rows.cpu_ns.sum(axis=0), usage.capacity_ns
        for load in reversed(self._loads):  # of a meter that moves more seldom than we tick
            if load.end_ns <= interval.start_ns or interval.start_ns >= usage.start_ns:
                break
            if load.end_ns <= usage.start_ns:
                used_ns = used_ns + load.used_ns
                capacity_ns = capacity_ns + load.capacity_ns
        if column is not None:
            used_ns, capacity_ns = used_ns[column : column + 1], capacity_ns[column : column + 1]
        return min(1.0, float(used_ns.sum()) / max(1.0, float(capacity_ns.sum())))


class _Weights:
    """Weights of the rows of one tick, by zone; each table is made once."""

    def __init__(
        self,
        weight: Weight,
        rows: Rows,
        column: dict[str, int],
        gpus: Mapping[str, GpuShare],
    ) -> None:
        self._weight = weight
        self._rows = rows
        self._column = column
        self._gpus = gpus
        self._tables: dict[str, NDArray[np.int64]] = {}

    def of(self, zone: Zone) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Keys, and what the energy above the floor is shared by."""
        if zone.kind == "gpu":  # time on the CPU says nothing of a GPU
            share = self._gpus.get(zone.id)
            return (share.keys, share.weights) if share else _NOBODY
        kind = "dram" if zone.kind == "dram" else "package"
        table = self._tables.get(kind)
        if table is None:
            rows = self._rows
            table = self._tables[kind] = self._weight.weigh(rows.cpu_ns, rows.counters, kind)
        column = self._column.get(zone.package) if zone.package is not None else None
        return self._rows.key, table.sum(axis=1) if column is None else table[:, column]


_NOBODY: Final = (np.zeros(0, np.uint64), np.zeros(0, np.int64))


def _gpu_busy(zone: Zone, gpus: Mapping[str, GpuShare]) -> float:
    """Part of the time in which a GPU was busy; of one that does not tell, nothing is learned."""
    share = gpus.get(zone.id)
    return 1.0 if share is None else share.busy


def _name(zone: Zone) -> str:
    return f"{zone.kind}/{zone.id}/{zone.source}"
