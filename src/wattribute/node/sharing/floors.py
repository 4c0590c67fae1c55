"""The floor of every zone over an interval: given, learned from quiet ticks, or the model's."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.errors import StateInvalid
from wattribute.core.records import FloorState, Interval, Origin, Zone
from wattribute.core.units import Microwatts, energy_at, power_of
from wattribute.node.attribution.floor import FloorLearner
from wattribute.node.sharing.cpu_use import CpuUse
from wattribute.node.sharing.gpu_shares import GpuShare

_MOST_LOADS: Final = 1500
"""Five minutes of the shortest ticks."""


@dataclass(frozen=True, slots=True, eq=False)
class _TickLoad:
    """How busy the CPUs were in one tick, by package."""

    end_ns: int
    used_ns: NDArray[np.int64]
    capacity_ns: NDArray[np.int64]


class Floors:
    """Keeps a learner for each zone, and the load of the last ticks that it learns by."""

    def __init__(
        self,
        column_of: Mapping[str, int],
        given_uw: Callable[[Zone], int | None],
        prior_uw: Callable[[Zone], int | None],
        window_ns: int,
    ) -> None:
        """Start with nothing learned.

        Args:
            column_of: from the id of a package to its column in CpuUse.
            given_uw: the floor that the settings give for a zone, in microwatts; else None.
            prior_uw: the idle power that a model would expect of a zone, in microwatts; else None.
            window_ns: how far back readings count for a learned floor.
        """
        self._column_of = column_of
        self._given_uw = given_uw
        self._prior_uw = prior_uw
        self._window_ns = window_ns
        self._learners: dict[Zone, FloorLearner] = {}
        self._saved: dict[str, dict[str, object]] = {}
        self._saved_ns = 0
        self._loads: deque[_TickLoad] = deque(maxlen=_MOST_LOADS)
        self.states: dict[Zone, FloorState] = {}
        """The floor of each zone as it was used last."""

    def note_load(self, use: CpuUse) -> None:
        """Remember how busy the CPUs were in this tick."""
        self._loads.append(_TickLoad(use.end_ns, use.cpu_ns.sum(axis=0), use.capacity_ns))

    def floor_of(self, interval: Interval, gpus: Mapping[str, GpuShare]) -> int:
        """Return the zone's floor over the interval, in microjoules, and learn from the interval.

        Changes apply forward: this interval is shared with the floor as it was before.

        Args:
            interval: one that ends with the tick whose load was noted last, or before it.
            gpus: who used each GPU, by the id of its zone.
        """
        zone, elapsed_ns = interval.zone, interval.end_ns - interval.start_ns
        if interval.floor_uj is not None:
            power_uw = power_of(interval.floor_uj, elapsed_ns)
            self.states[zone] = FloorState(zone, power_uw, "model")
            return interval.floor_uj
        learner = self._learner(zone)
        floor = learner.floor(self._prior_uw(zone))
        self.states[zone] = FloorState(zone, Microwatts(floor.power_uw), floor.basis)
        if interval.origin is not Origin.ESTIMATED:
            busy = _gpu_busy(zone, gpus) if zone.kind == "gpu" else self._busy(interval)
            learner.observe(interval.end_ns, busy, power_of(interval.energy_uj, elapsed_ns))
        return energy_at(floor.power_uw, elapsed_ns)

    def floor_without_load(self, interval: Interval) -> int:
        """Return the floor of an interval in which nobody knows who ran; nothing is learned."""
        if interval.floor_uj is not None:
            return interval.floor_uj
        floor = self._learner(interval.zone).floor(self._prior_uw(interval.zone))
        return energy_at(floor.power_uw, interval.end_ns - interval.start_ns)

    def dump(self) -> dict[str, dict[str, object]]:
        """Return what the floors were learned from, by zone, for the state file."""
        learned = {state_key(zone): learner.dump() for zone, learner in self._learners.items()}
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
            saved = self._saved.get(state_key(zone))
            learner = (
                FloorLearner(self._window_ns, given_uw)
                if saved is None
                else FloorLearner.load(saved, self._window_ns, given_uw, newest_ns=self._saved_ns)
            )
            self._learners[zone] = learner
        return learner

    def _busy(self, interval: Interval) -> float:
        """Return the utilisation, 0 to 1, of the CPUs that the zone feeds, over the interval.

        It goes by the time of rows, which the scheduler counts in nanoseconds: /proc/stat's is
        sampled by ticks, and its noise would flatten the line that the floor is read from.
        """
        newest, *earlier = reversed(self._loads)
        used_ns, capacity_ns = newest.used_ns, newest.capacity_ns
        for load in earlier:  # of a meter that moves more seldom than the loop ticks
            if load.end_ns <= interval.start_ns:
                break
            used_ns = used_ns + load.used_ns
            capacity_ns = capacity_ns + load.capacity_ns
        package = interval.zone.package
        column = self._column_of.get(package) if package is not None else None
        if column is not None:
            used_ns, capacity_ns = used_ns[column : column + 1], capacity_ns[column : column + 1]
        return min(1.0, float(used_ns.sum()) / max(1.0, float(capacity_ns.sum())))


def _gpu_busy(zone: Zone, gpus: Mapping[str, GpuShare]) -> float:
    """Return the part of the time in which a GPU was busy; 1 if it does not tell: no floor."""
    share = gpus.get(zone.id)
    return 1.0 if share is None else share.busy


def state_key(zone: Zone) -> str:
    """Return the key of a zone in the state file."""
    return f"{zone.kind}/{zone.id}/{zone.source}"
