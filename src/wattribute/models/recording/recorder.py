"""What the meters show beside how loaded the machine is: the points of a power recording."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from wattribute.core.clock import Clock
from wattribute.core.errors import MeterAbsent
from wattribute.core.records import Interval, Origin, Zone
from wattribute.core.units import Nanoseconds, joules, nanoseconds, seconds
from wattribute.node.activity.node import NodeTimes
from wattribute.node.estimator.power_recording import LoadPoint, Scope
from wattribute.node.sharing.metering import Metering

_SCOPE_OF_KIND: Final[dict[str, Scope]] = {"package": "pkg", "dram": "dram", "platform": "wall"}
_BOARD: Final = "rapl-sysfs"
"""A platform zone of this source (psys) is the processor's board, and not the machine."""
_BIN: Final = 0.05
_LEAST_BIN_S: Final = 30.0
"""Of normal operation a load at which the machine was for less time tells too little."""
TICK_S: Final = 1.0


class Loads(Protocol):
    """What makes load (`stress.Stress`, or nothing)."""

    def set(self, level: float) -> None:
        """Load all CPUs for this part of their time."""
        ...


@dataclass(frozen=True, slots=True)
class RecordedSample:
    """One interval of one meter, and the machine's load in it."""

    scope: Scope
    start_ns: Nanoseconds
    seconds: float
    utilisation: float
    watts: float


class Recorder:
    """Reads meters and load together; a slow meter is paired with the load of its own window."""

    def __init__(
        self, metering: Metering, zones: Iterable[Zone], times: NodeTimes, clock: Clock
    ) -> None:
        """Make the first reading.

        Args:
            metering: open meters; whoever opened them closes them.
            zones: of those meters.
            times: who tells how busy the machine was.
            clock: its time.

        Raises:
            MeterAbsent: none of the zones is a package, memory, or the whole machine.
        """
        self._zones = teaching_zones(zones)
        self._metering, self._times, self._clock = metering, times, clock
        self._at_ns: list[int] = []
        self._busy: list[float] = []
        """Busy seconds of the average CPU since the first reading, at each of ``_at_ns``."""
        self.read()

    def read(self) -> list[RecordedSample]:
        """What the meters finished since the reading before."""
        now_ns = self._clock.monotonic_ns()
        load = self._times.advance(now_ns).load
        busy_s = load.utilisation * seconds(load.elapsed_ns)
        self._at_ns.append(now_ns)
        self._busy.append((self._busy[-1] if self._busy else 0.0) + busy_s)
        intervals = self._metering.read(now_ns)
        new_samples = []
        for scope, zones in self._zones.items():
            parts = [i for i in intervals if i.zone in zones and i.origin is not Origin.ESTIMATED]
            if len(parts) == len(zones):
                new_samples.append(self._sample(scope, parts))
        return new_samples

    def _sample(self, scope: Scope, parts: Sequence[Interval]) -> RecordedSample:
        start_ns, end_ns = parts[0].start_ns, parts[0].end_ns
        elapsed_s = seconds(Nanoseconds(end_ns - start_ns))
        before, after = np.interp((start_ns, end_ns), self._at_ns, self._busy)
        utilisation = min(1.0, max(0.0, float(after - before) / elapsed_s))
        energy_j = sum(joules(part.energy_uj) for part in parts)
        return RecordedSample(scope, start_ns, elapsed_s, utilisation, energy_j / elapsed_s)


def teaching_zones(zones: Iterable[Zone]) -> dict[Scope, frozenset[Zone]]:
    """Scope -> the zones that make it up together.

    The whole machine only where one meter shows it and no GPU is in it, of which the models know
    nothing.

    Raises:
        MeterAbsent: there is none.
    """
    new_samples: dict[Scope, set[Zone]] = defaultdict(set)
    every = tuple(zones)
    for zone in every:
        scope = _SCOPE_OF_KIND.get(zone.kind)
        if scope and not (zone.kind == "platform" and zone.source == _BOARD):
            new_samples[scope].add(zone)
    if len(new_samples["wall"]) != 1 or any(zone.kind == "gpu" for zone in every):
        del new_samples["wall"]
    zones_by_scope = {scope: frozenset(own) for scope, own in new_samples.items() if own}
    if not zones_by_scope:
        raise MeterAbsent(
            "no meter of CPU packages, memory or the whole machine works here, and an estimate "
            "teaches nothing; `wattribute doctor` says why"
        )
    return zones_by_scope


def record_steps(
    recorder: Recorder,
    levels: Sequence[float],
    loads: Loads,
    *,
    step_s: float,
    settle_s: float,
    wait: Callable[[float], bool],
    clock: Clock,
    tell: Callable[[float, float], None] = lambda *_: None,
) -> list[LoadPoint]:
    """One point for each scope and level.

    Args:
        recorder: open.
        levels: of load, 0 to 1, in the order in which they are made.
        loads: what makes them.
        step_s: for how long each is measured.
        settle_s: how long before that fans, clocks and slow meters get to follow.
        wait: sleeps so many seconds; True: stop now, with what there is.
        clock: the recorder's.
        tell: takes the level, and the seconds since it began, after every reading.
    """
    points: list[LoadPoint] = []
    for level in levels:
        loads.set(level)
        begun_ns = clock.monotonic_ns()
        from_ns = begun_ns + nanoseconds(settle_s)
        until_ns = from_ns + nanoseconds(step_s)
        recorder.read()  # what lies before this step
        samples: list[RecordedSample] = []
        while (now_ns := clock.monotonic_ns()) < until_ns:
            next_ns = from_ns if now_ns < from_ns else until_ns
            if wait(min(TICK_S, seconds(Nanoseconds(next_ns - now_ns)))):
                return points
            samples += recorder.read()
            tell(level, seconds(Nanoseconds(clock.monotonic_ns() - begun_ns)))
        points += _points([s for s in samples if s.start_ns >= from_ns])
    loads.set(0.0)
    return points


def record_operation(
    recorder: Recorder,
    *,
    for_s: float,
    wait: Callable[[float], bool],
    clock: Clock,
    tell: Callable[[float], None] = lambda _: None,
) -> list[LoadPoint]:
    """Points of whatever runs, by 5 % of load; loads that were seen for under 30 s are left out."""
    bins: dict[int, list[RecordedSample]] = defaultdict(list)
    start_ns = clock.monotonic_ns()
    while (elapsed_s := seconds(Nanoseconds(clock.monotonic_ns() - start_ns))) < for_s:
        stop = wait(min(TICK_S, for_s - elapsed_s))
        for sample in recorder.read():
            bins[int(sample.utilisation / _BIN)].append(sample)
        tell(seconds(Nanoseconds(clock.monotonic_ns() - start_ns)))
        if stop:
            break
    points = [point for _, own in sorted(bins.items()) for point in _points(own)]
    return [point for point in points if point.seconds >= _LEAST_BIN_S]


def _points(samples: Sequence[RecordedSample]) -> list[LoadPoint]:
    """The mean over time, for each scope; nothing where a meter showed 0 W."""
    points = []
    for scope in ("wall", "pkg", "dram"):
        own = [s for s in samples if s.scope == scope]
        total_s = sum(s.seconds for s in own)
        watts = sum(s.watts * s.seconds for s in own) / total_s if own else 0.0
        if watts > 0:
            utilisation = sum(s.utilisation * s.seconds for s in own) / total_s
            points.append(
                LoadPoint(
                    scope=scope,
                    utilisation=round(utilisation, 4),
                    watts=round(watts, 3),
                    seconds=round(total_s, 1),
                )
            )
    return points
