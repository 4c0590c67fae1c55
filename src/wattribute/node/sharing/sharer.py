"""Intervals x who ran -> attributions: the floor, the weights, and energy that must wait."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import (
    Attribution,
    FloorState,
    Interval,
    PlatformFit,
    Topology,
    Zone,
    ZoneWeight,
)
from wattribute.core.shares import apportion
from wattribute.node.attribution.other import Remainder
from wattribute.node.attribution.platform_windows import PlatformWindows
from wattribute.node.attribution.share import attribute
from wattribute.node.attribution.weight import Weight
from wattribute.node.sharing.cpu_use import CpuUse
from wattribute.node.sharing.floors import Floors
from wattribute.node.sharing.gpu_shares import GpuShare
from wattribute.node.sharing.weight_choice import WeightChoice, WeightSetting, choose_weight
from wattribute.node.sharing.zone_learners import Priors, ZoneLearners
from wattribute.node.sharing.zone_weights import NOBODY, Weighed, ZoneWeights, together


@dataclass(frozen=True, slots=True)
class Learning:
    """What the learners are told at the start."""

    setting: WeightSetting
    """``attribution.weight``."""
    priors: Priors = field(default_factory=dict)
    limit_uw: Callable[[Zone], int | None] = lambda _: None
    """The power limit of a zone in microwatts; None: not known."""


TIME_ONLY: Final = Learning("time")


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """One attribution, and whose the elements of its dynamic_uj are."""

    attribution: Attribution
    keys: NDArray[np.uint64]
    """(n,) as CpuUse.keys; one may come twice."""
    time_uj: NDArray[np.int64] | None = None
    """(n,) what dynamic_uj would be by CPU time; None: it is."""
    learned_uj: NDArray[np.int64] | None = None
    """(n,) what dynamic_uj would be by learned weights; None: it is, or nothing is learned."""
    deviation: NDArray[np.float64] | None = None
    """(n,) relative standard deviation of each row's energy by learned weights; None: nothing is
    learned."""


class Sharer:
    """Shares intervals among those who ran; keeps the floors and what is learned of weights."""

    def __init__(
        self,
        topology: Topology,
        weight: Weight,
        given_uw: Callable[[Zone], int | None],
        prior_uw: Callable[[Zone], int | None],
        window_ns: int,
        *,
        learning: Learning = TIME_ONLY,
    ) -> None:
        """Set what holds for every tick.

        Args:
            topology: packages, in the order of the columns of CpuUse.
            weight: what a second of a row costs where nothing is learned.
            given_uw: the floor that the settings give for a zone, in microwatts; else None.
            prior_uw: the idle power that a model would expect of a zone, in microwatts; else None.
            window_ns: how far back readings count for a learned floor.
            learning: by what zones are shared, and what the learners begin with.
        """
        self._column_of = {name: index for index, name in enumerate(topology.package_ids)}
        self._weight = weight
        self._floors = Floors(self._column_of, given_uw, prior_uw, window_ns)
        self._setting = learning.setting
        self.learners = ZoneLearners(self._column_of, learning.priors, learning.limit_uw)
        self._choices: dict[Zone, WeightChoice] = {}
        self._shared_zones: set[Zone] = set()
        """Zones that told something in the last tick, or will."""
        self._waiting: dict[Zone, list[ZoneWeights]] = {}
        """Ticks in which one zone told nothing new, until it does."""
        self._remainder = Remainder()
        self._platform = PlatformWindows()

    def share(
        self,
        intervals: Sequence[Interval],
        use: CpuUse,
        silent: Sequence[Zone] = (),
        gpus: Mapping[str, GpuShare] = MappingProxyType({}),
    ) -> Iterator[Share]:
        """Attribute each interval; nobody pays its floor yet (``pay_floor`` comes after).

        Args:
            intervals: of zones that could be read.
            use: who used the CPUs in this tick.
            silent: zones that told nothing new in this tick: its rows wait for them.
            gpus: who used each GPU, by the id of its zone.
        """
        self._floors.note_load(use)
        self.learners.begin_tick(intervals, use)
        floors_uj = [self._floors.floor_of(interval, gpus) for interval in intervals]
        tick = ZoneWeights(self._weight, use, self._column_of, gpus)
        self._shared_zones = {*(interval.zone for interval in intervals), *silent}
        ticks = [self._ticks_of(interval, tick) for interval in intervals]
        for interval, floor_uj, of_it in zip(intervals, floors_uj, ticks, strict=True):
            self._choose(interval, of_it[-1].use)
            self._learn(interval, floor_uj, of_it)
        for zone in silent:
            self._waiting.setdefault(zone, []).append(tick)
        for interval, floor_uj, of_it in zip(intervals, floors_uj, ticks, strict=True):
            weighed = self._weigh(interval, of_it)
            yield _shared(attribute(interval, floor_uj, weighed.weights), weighed)

    def _ticks_of(self, interval: Interval, tick: ZoneWeights) -> list[ZoneWeights]:
        """Return the ticks of an interval, this one last: its meter may have been silent before.

        They are weighed by what the hardware counted in all of them.
        """
        waiting = self._waiting.pop(interval.zone, [])
        ticks = [t for t in waiting if t.use.start_ns >= interval.start_ns]
        ticks.append(tick)
        counted = frozenset.intersection(*(frozenset(t.use.counters) for t in ticks))
        return [t.counting(counted) for t in ticks]

    def _choose(self, interval: Interval, use: CpuUse) -> None:
        zone = interval.zone
        if zone.kind == "gpu":
            return
        choice = choose_weight(
            self._setting,
            zone.kind,
            obstacle=self.learners.obstacle(interval),
            counted=frozenset(use.counters),
        )
        self._choices[zone] = choice

    def _learn(self, interval: Interval, floor_uj: int, ticks: Sequence[ZoneWeights]) -> None:
        choice = self._choices.get(interval.zone)
        if choice is None or not choice.learns or ticks[-1].use.workload is None:
            return
        if self.learners.learns_from(interval):
            tables = [(tick.use, tick.table(interval.zone.kind)) for tick in ticks]
            self.learners.learn(interval, floor_uj, tables)

    def _weigh(self, interval: Interval, ticks: Sequence[ZoneWeights]) -> Weighed:
        """Return by what an interval's energy above the floor is shared.

        Nobody takes part where it is not known who ran in all of the interval.
        """
        if interval.start_ns < min(tick.use.start_ns for tick in ticks):
            return NOBODY
        zone = interval.zone
        choice = self._choices.get(zone)
        learns = choice is not None and choice.learns
        return together(
            [
                tick.weigh(zone, choice, self.learners.weights(zone, tick.use) if learns else None)
                for tick in ticks
            ]
        )

    def share_by(self, interval: Interval, weighed: Weighed) -> Share:
        """Attribute an interval by weights that its caller has, and not by its zone's.

        An interval that brings no floor of its own must be of a tick that ``share`` has seen.
        """
        floor_uj = self._floors.floor_of(interval, {})
        return Share(attribute(interval, floor_uj, weighed.weights), weighed.keys)

    def share_with_nobody(self, interval: Interval) -> Share:
        """Attribute an interval of which nothing says who ran: above the floor, unattributed."""
        floor_uj = self._floors.floor_without_load(interval)
        return Share(attribute(interval, floor_uj, NOBODY.weights), NOBODY.keys)

    @property
    def waits(self) -> bool:
        """Whether rows wait for a zone that could not be read."""
        return bool(self._waiting)

    def give_up(self, zone: Zone) -> None:
        """Let no rows wait for a zone that is down: what it counts meanwhile is unattributed."""
        self._waiting.pop(zone, None)

    def forget_waiting(self) -> None:
        """Let no rows wait: what silent zones have counted will never be known."""
        self._waiting.clear()

    def other(self, intervals: Sequence[Interval]) -> list[Interval]:
        """Return platform less its parts, over each window in which a platform meter has moved."""
        parts = [i for i in intervals if i.zone.component not in (None, "other")]
        rest = self._remainder.add(self._platform.add(intervals), parts)
        return [] if rest is None else [rest]

    @property
    def platform_fit(self) -> PlatformFit | None:
        """How the platform's power follows its components'."""
        return self._remainder.fit.result()

    @property
    def weights(self) -> tuple[ZoneWeight, ...]:
        """By what each zone is shared, and what is learned of it."""
        return tuple(
            ZoneWeight(
                zone, choice.shared_by, choice.reason, choice.rival, self.learners.report(zone)
            )
            for zone, choice in self._choices.items()
            if zone in self._shared_zones
        )

    @property
    def floors(self) -> tuple[FloorState, ...]:
        """The floor of each zone as it was used last."""
        return tuple(self._floors.states.values())

    def dump(self) -> dict[str, dict[str, object]]:
        """Return what the floors were learned from, by zone, for the state file."""
        return self._floors.dump()

    def load(self, saved: Mapping[str, dict[str, object]], newest_ns: int) -> None:
        """Go on from what an earlier run learned on this machine; see ``Floors.load``."""
        self._floors.load(saved, newest_ns)


def _shared(attribution: Attribution, weighed: Weighed) -> Share:
    """Return an attribution, and what it would be by the weights that are not used."""
    dynamic_uj = int(attribution.dynamic_uj.sum())

    def by(weights: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
        return None if weights is None or not weights.any() else apportion(dynamic_uj, weights)

    return Share(
        attribution, weighed.keys, by(weighed.time), by(weighed.learned), weighed.deviation
    )
