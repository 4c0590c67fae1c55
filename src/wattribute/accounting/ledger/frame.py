"""One node's hour as a row of scrapes: what a series did from the first of them to the last.

All series of one scrape carry the same instant, and the agent's totals add up in every scrape
(design section 9, rule 3). So an hour is what happened between two scrapes, the last one before
it began and the last one before it ended: nothing is interpolated, and hours add up without a
gap. An instant is Unix time in milliseconds.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.counters import rises
from wattribute.core.units import HOUR_S, MILLISECONDS_PER_SECOND

GAP_MS: Final = 300_000
"""Scrapes further apart are a gap: Prometheus forgets a value after 5 minutes, too."""
_HOUR_MS: Final = HOUR_S * MILLISECONDS_PER_SECOND
_LATE: Final = 3
"""So many scrape intervals may pass from the last scrape to the hour's end."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """The scrapes of one node in one hour."""

    time_ms: NDArray[np.int64]
    """(n,) rising. The first is the one before the hour, if there was one."""
    epoch: NDArray[np.int64]
    """(n,) 0, 1, ...: one more after each restart of the agent that lost its totals."""
    weight_s: NDArray[np.float64]
    """(n,) how much of the hour each scrape stands for: the time since the one before."""
    gaps: tuple[tuple[int, int], ...]
    """Parts of the hour that no scrape stands for, [start, end)."""

    @property
    def covered_s(self) -> int:
        """Return how many seconds of the hour are known."""
        return round(float(self.weight_s.sum()))

    def places(self, time_ms: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return which scrape each sample is of, and whether it is of one."""
        place = np.minimum(np.searchsorted(self.time_ms, time_ms), len(self.time_ms) - 1)
        return place, self.time_ms[place] == time_ms


@dataclass(frozen=True, slots=True)
class Rise:
    """What a counter did in the hour."""

    amount: int
    last: int
    """The scrape in which it last rose; -1: in none."""


def frame_of(time_ms: NDArray[np.int64], counters: list[NDArray[np.int64]], hour_ms: int) -> Frame:
    """Lay out an hour.

    Args:
        time_ms: (n,) rising instants, n > 0, none after the hour's end.
        counters: the node's own counters, each (n,) with -1 where a scrape does not have it. When
            one falls, the agent has begun its totals anew, and with it all other counters,
            also those that meanwhile passed their old value.
        hour_ms: the hour's start.
    """
    restarts = np.zeros(len(time_ms), np.bool_)
    for values in counters:
        there = np.flatnonzero(values >= 0)
        falls = np.flatnonzero(np.diff(values[there]) < 0) + 1
        restarts[there[falls]] = True
    end_ms = hour_ms + _HOUR_MS
    edges = np.append(time_ms, end_ms)
    starts, ends = np.maximum(edges[:-1], hour_ms), np.minimum(edges[1:], end_ms)
    is_known = np.diff(edges) <= GAP_MS
    usual_ms = float(np.median(np.diff(time_ms))) if len(time_ms) > 1 else 0.0
    is_known[-1] &= edges[-1] - edges[-2] <= _LATE * usual_ms  # else the node has ended
    inside = np.where(is_known, np.maximum(ends - starts, 0), 0)
    weight_ms = np.concatenate(([0], inside[:-1]))
    weight_ms[-1] += inside[-1]
    gaps = [
        (int(a), int(b)) for a, b, k in zip(starts, ends, is_known, strict=True) if not k and b > a
    ]
    if time_ms[0] > hour_ms:
        gaps.insert(0, (hour_ms, int(time_ms[0])))
    return Frame(time_ms, np.cumsum(restarts), weight_ms / MILLISECONDS_PER_SECOND, tuple(gaps))


def rise(
    frame: Frame,
    place: NDArray[np.int64],
    values: NDArray[np.int64],
    counted: NDArray[np.bool_] | None = None,
) -> Rise:
    """Return how much a counter rose from the frame's first scrape to its last.

    A value smaller than the one before, or the first one after the agent's restart, counts from
    0: our counters begin there. So does a series that was not there in the first scrape: it was
    born since. One that was, had its life before. Nothing is extrapolated.

    Args:
        frame: the node's hour.
        place: (m,) scrapes of the samples, rising.
        values: (m,) whole units.
        counted: (n,) the scrapes of the frame of which a rise up to them counts; None: all.
    """
    if not len(values):
        return Rise(0, -1)
    amounts = np.concatenate([values[:1], rises(values, np.diff(frame.epoch[place]) > 0)])
    amounts[0] *= place[0] > 0
    if counted is not None:
        amounts[~counted[place]] = 0
    rising = np.flatnonzero(amounts)
    return Rise(int(amounts.sum()), int(place[rising[-1]]) if len(rising) else -1)


def held(frame: Frame, place: NDArray[np.int64], values: NDArray[np.float64]) -> float:
    """Return the change of a gauge from the frame's first scrape to its last; absent is 0."""
    first = float(values[0]) if len(place) and place[0] == 0 else 0.0
    final = float(values[-1]) if len(place) and place[-1] == len(frame.time_ms) - 1 else 0.0
    return final - first
