"""Replay a policy over past intensities and arriving work, and the same work run at once.

The work is a queue: arriving work waits until replicas process it. The forecast is the file's
values for the hours ahead, so it is never wrong, unlike a real one.
"""

import math
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from wattribute.automation.scaler.decide import DecisionMemory, Reason, decide
from wattribute.automation.scaler.policy import Policy
from wattribute.automation.scaler.signals import Ahead, Signals
from wattribute.core.errors import ConfigInvalid
from wattribute.core.units import HOUR_S, WATTS_PER_KILOWATT

STEP_S: Final = 60.0
_AHEAD_S: Final = 48 * HOUR_S
_NOTHING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Work that arrives evenly over a period."""

    start_s: float
    end_s: float
    units: float


@dataclass(slots=True)
class Run:
    """The result of one way to scale."""

    units_done: float = 0.0
    units_left: float = 0.0
    kwh: float = 0.0
    grams: float = 0.0
    delay_mean_s: float = 0.0
    """Mean time from arrival to completion, for completed work."""
    delay_max_s: float = 0.0
    replica_hours: float = 0.0


@dataclass(frozen=True, slots=True)
class HourlyMeans:
    """The means and sums of one hour."""

    start_s: float
    g_per_kwh: float | None
    replicas: float
    replicas_now: float
    """Replicas if the work is run at once."""
    waiting: float
    """Waiting units of work."""
    grams: float
    grams_now: float
    reason: str
    """The most frequent reason."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """The result of a simulation."""

    policy: Run
    run_now: Run
    hours: Sequence[HourlyMeans]
    reasons: dict[str, int]
    """Number of minutes by reason."""

    @property
    def avoided_g(self) -> float:
        """The gCO2e avoided against run-now for the completed work; negative if added."""
        if not self.run_now.units_done:
            return 0.0
        grams_per_unit = self.run_now.grams / self.run_now.units_done
        return grams_per_unit * self.policy.units_done - self.policy.grams


@dataclass(slots=True)
class _Queue:
    """A first-in-first-out queue of work, with the energy that it takes."""

    policy: Policy
    waiting: deque[list[float]] = field(default_factory=deque)
    """Entries [time of arrival, units]."""
    units: float = 0.0
    delay: float = 0.0
    """Sum of units x seconds."""
    run: Run = field(default_factory=Run)

    def arrive(self, now_s: float, units: float) -> None:
        if units > 0:
            self.waiting.append([now_s, units])
            self.units += units

    def work(self, now_s: float, replicas: int, g_per_kwh: float) -> tuple[int, float]:
        """Work one step with so many replicas; return the replicas and the gCO2e."""
        rate = self.policy.units_per_replica_hour * STEP_S / HOUR_S
        todo = min(self.units, replicas * rate)
        remaining = todo
        while remaining > _NOTHING and self.waiting:
            oldest = self.waiting[0]
            part = min(remaining, oldest[1])
            oldest[1] -= part
            remaining -= part
            waited_s = now_s + STEP_S - oldest[0]
            self.delay += part * waited_s
            self.run.delay_max_s = max(self.run.delay_max_s, waited_s)
            if oldest[1] <= _NOTHING:
                self.waiting.popleft()
        units_done = todo - remaining
        self.units = max(0.0, self.units - todo)
        busy_h = units_done / self.policy.units_per_replica_hour
        kwh = busy_h * self.policy.watts_per_replica / WATTS_PER_KILOWATT
        self.run.units_done += units_done
        self.run.kwh += kwh
        self.run.grams += kwh * g_per_kwh
        self.run.replica_hours += replicas * STEP_S / HOUR_S
        return replicas, kwh * g_per_kwh

    def close(self) -> Run:
        self.run.units_left = self.units
        if self.run.units_done:
            self.run.delay_mean_s = self.delay / self.run.units_done
        return self.run


def simulate(
    policy: Policy,
    carbon: Sequence[Ahead],
    arrivals: Sequence[Arrivals],
    *,
    advance: Callable[[int], None] = lambda _: None,
) -> Simulation:
    """Replay minute by minute, from the first arrival to the end of the last.

    Args:
        policy: Policy with ``wattsPerReplica`` and ``unitsPerReplicaHour``.
        carbon: Intensities in order of time; a gap stands for a source that is away.
        arrivals: At least one arrival, in order of time.
        advance: Called with the number of steps done since its last call; see ``steps``.

    Raises:
        ConfigInvalid: the policy lacks what a simulation needs.
    """
    for key, value in (
        ("wattsPerReplica", policy.watts_per_replica),
        ("unitsPerReplicaHour", policy.units_per_replica_hour),
    ):
        if not value:
            raise ConfigInvalid(f"{key}: missing in the policy; a simulation needs this key")
    delayed, at_once, memory = _Queue(policy), _Queue(policy), DecisionMemory()
    starts = [entry.start_s for entry in carbon]
    minutes: list[_Minute] = []
    reasons: Counter[str] = Counter()
    begin_s, last_g_per_kwh = arrivals[0].start_s, 0.0
    part = 0
    for step in range(steps(arrivals)):
        now_s = begin_s + step * STEP_S
        while part < len(arrivals) - 1 and now_s >= arrivals[part].end_s:
            part += 1
        units = _units(arrivals[part], now_s)
        for queue in (delayed, at_once):
            queue.arrive(now_s, units)
        signals = _signals(policy, carbon, starts, now_s)
        last_g_per_kwh = last_g_per_kwh if signals.g_per_kwh is None else signals.g_per_kwh
        decision, memory = decide(policy, signals, delayed.units, memory, now_s)
        replicas = min(policy.max_replicas, math.ceil(decision.value / policy.target - _NOTHING))
        now_replicas = min(policy.max_replicas, math.ceil(at_once.units / policy.target))
        replicas_used, grams = delayed.work(now_s, replicas, last_g_per_kwh)
        used_now, grams_now = at_once.work(now_s, now_replicas, last_g_per_kwh)
        reasons[decision.reason.value] += 1
        minutes.append(
            _Minute(
                now_s,
                signals.g_per_kwh,
                replicas_used,
                used_now,
                delayed.units,
                grams,
                grams_now,
                decision.reason,
            )
        )
        if step % 60 == 59:
            advance(60)
    return Simulation(delayed.close(), at_once.close(), _hours(minutes), dict(reasons))


def steps(arrivals: Sequence[Arrivals]) -> int:
    """Return the number of steps of a replay of these arrivals."""
    return math.ceil((arrivals[-1].end_s - arrivals[0].start_s) / STEP_S)


@dataclass(frozen=True, slots=True)
class _Minute:
    start_s: float
    g_per_kwh: float | None
    replicas: int
    replicas_now: int
    waiting: float
    grams: float
    grams_now: float
    reason: Reason


def _units(arrivals: Arrivals, now_s: float) -> float:
    """Return the units that arrive in one step."""
    overlap_s = min(arrivals.end_s, now_s + STEP_S) - max(arrivals.start_s, now_s)
    return arrivals.units * max(0.0, overlap_s) / (arrivals.end_s - arrivals.start_s)


def _signals(
    policy: Policy, carbon: Sequence[Ahead], starts: Sequence[float], now_s: float
) -> Signals:
    first = bisect_right(starts, now_s) - 1
    if first < 0 or carbon[first].end_s <= now_s:
        return Signals(
            problem="the file has no row for this time", watts_per_replica=policy.watts_per_replica
        )
    ahead: Sequence[Ahead] = ()
    if policy.needs_forecast:
        ahead = carbon[first : bisect_right(starts, now_s + _AHEAD_S)]
    return Signals(carbon[first].g_per_kwh, ahead, watts_per_replica=policy.watts_per_replica)


def _hours(minutes: Sequence[_Minute]) -> list[HourlyMeans]:
    hours = []
    for first in range(0, len(minutes), 60):
        part = minutes[first : first + 60]
        intensities = [minute.g_per_kwh for minute in part if minute.g_per_kwh is not None]
        count = len(part)
        hours.append(
            HourlyMeans(
                part[0].start_s,
                sum(intensities) / len(intensities) if intensities else None,
                sum(minute.replicas for minute in part) / count,
                sum(minute.replicas_now for minute in part) / count,
                sum(minute.waiting for minute in part) / count,
                sum(minute.grams for minute in part),
                sum(minute.grams_now for minute in part),
                Counter(minute.reason.value for minute in part).most_common(1)[0][0],
            )
        )
    return hours
