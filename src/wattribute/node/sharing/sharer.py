"""Intervals x who ran -> attributions: the floor, the weights, and energy that must wait."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import (
    Attribution,
    FloorState,
    Interval,
    PlatformFit,
    Topology,
    Zone,
)
from wattribute.node.attribution.other import Remainder
from wattribute.node.attribution.platform_windows import PlatformWindows
from wattribute.node.attribution.share import attribute
from wattribute.node.attribution.weight import Weight
from wattribute.node.sharing.cpu_use import CpuUse
from wattribute.node.sharing.floors import Floors
from wattribute.node.sharing.gpu_shares import GpuShare
from wattribute.node.sharing.zone_weights import NOBODY, WaitingRows, Weighed, ZoneWeights


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """One attribution, and whose the elements of its dynamic_uj are."""

    attribution: Attribution
    keys: NDArray[np.uint64]
    """(n,) as CpuUse.keys; one may come twice."""


class Sharer:
    """Shares intervals among those who ran; keeps the floors."""

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
            topology: packages, in the order of the columns of CpuUse.
            weight: what a second of a row costs.
            given_uw: the floor that the settings give for a zone, in microwatts; else None.
            prior_uw: the idle power that a model would expect of a zone, in microwatts; else None.
            window_ns: how far back readings count for a learned floor.
        """
        self._column_of = {name: index for index, name in enumerate(topology.package_ids)}
        self._weight = weight
        self._floors = Floors(self._column_of, given_uw, prior_uw, window_ns)
        self._waiting: dict[Zone, WaitingRows] = {}
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
        zone_weights = ZoneWeights(self._weight, use, self._column_of, gpus)
        for zone in silent:
            waiting = self._waiting.setdefault(zone, WaitingRows())
            waiting.add(use.start_ns, zone_weights.weigh(zone))
        for interval in intervals:
            floor_uj = self._floors.floor_of(interval, gpus)
            weighed = self._weigh(interval, use, zone_weights)
            yield Share(attribute(interval, floor_uj, weighed.weights), weighed.keys)

    def _weigh(self, interval: Interval, use: CpuUse, zone_weights: ZoneWeights) -> Weighed:
        """Return by what an interval's energy above the floor is shared.

        Nobody takes part where it is not known who ran in all of the interval.
        """
        waiting = self._waiting.pop(interval.zone, WaitingRows())
        waiting.drop_before(interval.start_ns)
        if interval.start_ns < min((*waiting.starts_ns, use.start_ns)):
            return NOBODY
        return waiting.with_rows(zone_weights.weigh(interval.zone))

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
    def floors(self) -> tuple[FloorState, ...]:
        """The floor of each zone as it was used last."""
        return tuple(self._floors.states.values())

    def dump(self) -> dict[str, dict[str, object]]:
        """Return what the floors were learned from, by zone, for the state file."""
        return self._floors.dump()

    def load(self, saved: Mapping[str, dict[str, object]], newest_ns: int) -> None:
        """Go on from what an earlier run learned on this machine; see ``Floors.load``."""
        self._floors.load(saved, newest_ns)
