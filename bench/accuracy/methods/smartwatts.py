"""SmartWatts' formula, written anew from the paper and its documented defaults.

G. Fieni, R. Rouvoy, L. Seinturier, "SmartWatts: Self-Calibrating Software-Defined Power Meter for
Containers", CCGrid 2020. For each clock of the CPU (a frequency layer) a linear model with
coefficients that are not negative goes from events of the node to its power. A workload's power
is the model of its own events, and it gets its share of the intercept. A model is learned again
while its mean error is too large. Elastic net's penalty is left out: on raw event counts it is
without effect. Selected events: cycles, instructions, last-level cache misses.
"""

from collections import defaultdict, deque
from dataclasses import dataclass, field
from itertools import combinations
from typing import ClassVar, Final

import numpy as np

from bench.accuracy.methods.method import EventRates, Split, Tick
from bench.accuracy.worlds.world import Array

_LEAST_SAMPLES: Final = 10
_WINDOW: Final = 60
"""Samples of a layer that are kept; only a full window may have an intercept."""
_ERROR_WATTS: Final = 2.0
_LAYER_HZ: Final = 1e8


@dataclass(slots=True)
class _Layer:
    """The samples and the model of one clock frequency."""

    events: deque[Array] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    watts: deque[float] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    errors: deque[float] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    model: Array | None = None
    """(1 + events,) the intercept, in W, and W per event per second; None: not learned yet."""

    def learn(self) -> None:
        """Fit the model to the window, if that is long enough."""
        if len(self.watts) >= _LEAST_SAMPLES:
            intercept = len(self.watts) == _WINDOW
            self.model = fit_not_negative(np.array(self.events), np.array(self.watts), intercept)
            self.errors.clear()


class SmartWatts:
    """Self-calibrating models of power by counters; nothing makes their sum the measured power."""

    name: ClassVar = "SmartWatts formula"
    needs_counters: ClassVar = True

    def __init__(self, counters: bool) -> None:  # noqa: FBT001, ARG002 - of the protocol
        """Start without any model."""
        self._layers: defaultdict[int, _Layer] = defaultdict(_Layer)

    def split(self, tick: Tick) -> Split:
        """Give each workload what its own events explain; nothing before the first model."""
        if tick.events is None:
            raise ValueError("SmartWatts needs hardware counters, which this trace does not have")
        events = _matrix(tick.events)
        node = events.sum(0)
        layer = self._layers[round(node[0] / float(tick.use.sum()) / _LAYER_HZ)]
        watts = np.zeros(len(events))
        if layer.model is not None:
            watts, predicted = _predict(layer.model, events)
            layer.errors.append(abs(tick.power_watts - predicted))
        layer.events.append(node)
        layer.watts.append(tick.power_watts)
        if layer.model is None or np.mean(layer.errors) > _ERROR_WATTS:
            layer.learn()
        return Split(watts, 0.0)


def fit_not_negative(events: Array, watts: Array, intercept: bool) -> Array:  # noqa: FBT001
    """Return (1 + events,) the least-squares fit whose terms are all at least 0.

    With so few columns every subset can be tried: the best one whose plain fit has no negative
    term is the constrained optimum.

    Args:
        events: (samples, events) per second.
        watts: (samples,)
        intercept: whether the first term may differ from 0.
    """
    columns = np.column_stack([np.ones(len(watts)), events])
    scale = np.maximum(columns.max(0), 1e-12)
    columns = columns / scale
    best, least = np.zeros(columns.shape[1]), float(watts @ watts)
    candidates = range(0 if intercept else 1, columns.shape[1])
    for size in range(1, len(candidates) + 1):
        for chosen in combinations(candidates, size):
            fit = np.linalg.lstsq(columns[:, chosen], watts, rcond=None)[0]
            rest = watts - columns[:, chosen] @ fit
            if (fit >= 0).all() and float(rest @ rest) < least:
                best, least = np.zeros(columns.shape[1]), float(rest @ rest)
                best[list(chosen)] = fit
    return best / scale


def _predict(model: Array, events: Array) -> tuple[Array, float]:
    """Return (n,) watts of the workloads, and what the model says of the node."""
    own = events @ model[1:]
    total = float(own.sum())
    if total <= 0:
        return own * 0.0, float(model[0])
    return own * (1 + model[0] / total), total + float(model[0])


def _matrix(events: EventRates) -> Array:
    return np.column_stack([events.cycles, events.instructions, events.misses])
