"""The bank of Kalman filters: five beliefs about how far, and how fast, watts per core differ.

The model is bilinear, so each tick is one step of an extended Kalman filter (Jazwinski, Stochastic
Processes and Filtering Theory, 1970). A bank of them is averaged by evidence (Magill, IEEE
Transactions on Automatic Control, 1965): no single spread is right for machines on which all
workloads cost the same and for mixed ones.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.node.attribution.learned.curve import CURVE_SIZE, curve_row, first_curve

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SIGMA: Final[Floats] = np.array([0.01, 0.12, 0.33, 0.45, 0.45])
"""Standard deviation of delta in each member, before anything is learned. The first says that a
second is a second."""
WALK: Final[Floats] = np.array([0.0, 1e-4, 2e-4, 4e-4, 1.5e-3])
"""Variance that delta gains in a second, as a part of sigma squared."""
LEAD: Final[Floats] = np.array([15.0, 0.0, 0.0, 0.0, -8.0])
"""Nats. The first needs no proof; the last, which can take noise for weights that walk, a lot."""
MEMBERS: Final = len(SIGMA)
ALL_EQUAL: Final = SIGMA.min() == SIGMA
"""(members,) which one says that a second is a second: it has no features, and takes no prior."""
TYPICAL: Final = 2
"""The member whose spread is that of real mixes of workloads."""

LEAST_WEIGHT: Final = 0.15
"""No code costs less against the mean."""

_CLOCK: Final = CURVE_SIZE
"""Place of gamma, the exponent of the clock."""
_OFFSET: Final = _CLOCK + 1
"""Place of b, the error of the floor."""
_FEATURES: Final = _OFFSET + 1
"""Place of the first beta."""
_OFFSET_S: Final = 1200.0
_OFFSET_PART: Final = 0.004
"""Standard deviation of b as a part of the zone's power, and how long it lasts."""
_CURVE_WALK: Final = 1e-8
"""Variance that the curve gains in a second."""
_MOST_LOG_WATTS: Final = 9.0
"""e^9 W per thread: no curve goes there, and no exponential overflows."""
_FIRST_SLOTS: Final = 24
_MOST_VARIANCE: Final = 1e12
_LEAST_FORECAST: Final = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What one tick looks like to the filters; s slots, f features."""

    use: Floats
    """(s,) busy threads."""
    features: Floats
    """(f, s)"""
    load: float
    """0 to 1."""
    log_clock: float
    """ln of the mean clock over the nominal one; 0 where it is not known."""
    above_w: float
    power_w: float
    elapsed_s: float


@dataclass(slots=True, eq=False)
class Forecast:
    """What each member expected of a tick, and by how much it was wrong."""

    dynamic_w: Floats
    """(m,) f x sum of use x weight: without the offset."""
    rows: Floats
    """(m, d) derivative by the state."""
    errors: Floats
    """(m,) W"""
    gains: Floats
    """(m, d) covariance x derivative."""
    explained: Floats
    """(m,) variance that the members expect of their own states, W squared."""

    @property
    def sound(self) -> bool:
        """Whether it is finite, and no variance is below 0, as of a covariance it cannot be."""
        finite = np.isfinite(self.errors).all() and np.isfinite(self.explained).all()
        return bool(finite) and bool((self.explained >= 0).all())


class FilterBank:
    """The members' states: curve, clock's exponent, offset, betas, then one delta per slot."""

    def __init__(self, slots: int, features: int) -> None:
        """Make room; ``begin`` gives it a first belief.

        Args:
            slots: how many workloads have a delta, the shared slot not counted.
            features: how many features a workload has, its own load included.
        """
        self._first = _FEATURES + features
        self._most = self._first + slots + 1
        self._size = min(self._first + _FIRST_SLOTS + 1, self._most)
        self.mean = np.zeros((MEMBERS, self._size))
        self.covariance = np.zeros((MEMBERS, self._size, self._size))
        self._spare = np.empty((self._size, self._size))
        self._older, self._old = self.mean, self.mean
        """Means of one to two minutes ago, and of the last minute."""

    def reserve(self, slot: int) -> None:
        """Make room for a slot: few machines need all, and each costs memory squared."""
        before = self._size
        if self._first + slot < before:
            return
        self._size = min(self._first + 2 * slot + 1, self._most)
        added = self._size - before
        self.mean, self._older, self._old = (
            np.pad(state, ((0, 0), (0, added))) for state in (self.mean, self._older, self._old)
        )
        self.covariance = np.pad(self.covariance, ((0, 0), (0, added), (0, added)))
        self._spare = np.empty((self._size, self._size))

    def begin(self, load: float, log_watts: float, power_w: float) -> None:
        """Believe in the one point of the curve that is known, and in weights of 1."""
        curve, covariance = first_curve(load, log_watts)
        self.mean[:, :CURVE_SIZE] = curve
        self.mean[:, _CLOCK] = 2.0  # dynamic power goes with f V^2, and V with f, less what leaks
        self.covariance[:] = 0.0
        self.covariance[:, :CURVE_SIZE, :CURVE_SIZE] = covariance
        self.covariance[:, _CLOCK, _CLOCK] = 1.0
        self.covariance[:, _OFFSET, _OFFSET] = (_OFFSET_PART * power_w) ** 2
        for place in range(_FEATURES, self._first):
            spread = 0.15**2 if place == _FEATURES else 1.0
            self.covariance[:, place, place] = np.where(ALL_EQUAL, 1e-4, spread)
        deltas = np.arange(self._first, self._size)
        self.covariance[:, deltas, deltas] = (SIGMA**2)[:, None]
        self._older, self._old = self.mean.copy(), self.mean.copy()

    def _width(self, slots: int) -> int:
        return self._first + slots

    def set_delta(self, slot: int, mean: Floats, variance: Floats) -> None:
        """Begin a slot: (m,) mean and variance of its delta, which nothing else is tied to."""
        self.reserve(slot)
        place = self._first + slot
        for state in (self.mean, self._older, self._old):
            state[:, place] = mean
        self.covariance[:, place, :] = 0.0
        self.covariance[:, :, place] = 0.0
        self.covariance[:, place, place] = variance

    def delta(self, slot: int) -> tuple[Floats, Floats]:
        """(m,) mean and variance of a slot's delta."""
        place = self._first + slot
        return self.mean[:, place].copy(), self.covariance[:, place, place].copy()

    def deltas(self, slots: int) -> Floats:
        """(m, slots) mean of the deltas; a view."""
        return self.mean[:, self._first : self._width(slots)]

    def delta_covariance(self, slots: int) -> Floats:
        """(m, slots, slots) covariance of the deltas; a view."""
        width = self._width(slots)
        return self.covariance[:, self._first : width, self._first : width]

    def weights(self, features: Floats) -> Floats:
        """(m, slots) weights with features (f, slots), before any lower limit."""
        return self._weights(self.mean, features)

    def _weights(self, mean: Floats, features: Floats) -> Floats:
        own: Floats = 1 + mean[:, self._first : self._width(features.shape[1])]
        return own + mean[:, _FEATURES : self._first] @ features

    def row_weights(self, slots: Ints, features: Floats) -> Floats:
        """(m, rows) weights of rows by slot, with features (f, rows)."""
        own: Floats = 1 + self.mean[:, self._first :][:, slots]
        return own + self.mean[:, _FEATURES : self._first] @ features

    def age(self, slots: int, elapsed_s: float) -> None:
        """Let deltas and curve walk for a time."""
        deltas = np.arange(self._first, self._width(slots))
        self.covariance[:, deltas, deltas] += (WALK * SIGMA**2 * elapsed_s)[:, None]
        curve = np.arange(CURVE_SIZE)
        self.covariance[:, curve, curve] += _CURVE_WALK * elapsed_s

    def relax_offset(self, power_w: float, elapsed_s: float) -> None:
        """Let the floor's error return to 0: a first-order process of 20 minutes."""
        decay = np.exp(-elapsed_s / _OFFSET_S)
        self.mean[:, _OFFSET] *= decay
        self.covariance[:, _OFFSET, :] *= decay
        self.covariance[:, :, _OFFSET] *= decay
        gained = (1 - decay * decay) * (_OFFSET_PART * power_w) ** 2
        self.covariance[:, _OFFSET, _OFFSET] += gained

    def shared(self, weights: Floats) -> tuple[Floats, float, Floats]:
        """Return curve, gamma and betas, averaged by the members' weights."""
        mean = weights @ self.mean
        return mean[:CURVE_SIZE], float(mean[_CLOCK]), mean[_FEATURES : self._first]

    def resume(self, curve: Floats, gamma: float, betas: Floats, power_w: float) -> None:
        """Believe in what an earlier run had learned, a little less than it did."""
        self.begin(1.0, 0.0, power_w)
        self.mean[:, :CURVE_SIZE] = curve
        self.covariance[:, :CURVE_SIZE, :CURVE_SIZE] = 0.05**2 + np.eye(CURVE_SIZE) * 0.02**2
        self.mean[:, _CLOCK] = gamma
        self.mean[:, _FEATURES : self._first] = betas
        self._older, self._old = self.mean.copy(), self.mean.copy()

    def watts_per_thread(self, load: float) -> Floats:
        """(m,) watts per busy thread at a load, at the nominal clock."""
        return _per_thread(self.mean, load, 0.0)

    def remember(self) -> None:
        """Keep the means of now, by which later ticks are foretold."""
        self._older, self._old = self._old, self.mean.copy()

    def forecast(self, sight: Sight) -> Forecast:
        """Return what each member expects of a tick.

        The derivative by the curve has the plain sum of use where calculus has the weighted one.
        With the latter, level of the curve and mean of the deltas, which no reading can separate,
        turn a little at each tick, and the filter takes that for information (the inconsistency of
        extended filters: Huang, Mourikis, Roumeliotis, IJRR 2010); mean deltas drifted to +0.38.
        """
        total = float(sight.use.sum())
        per_thread = _per_thread(self.mean, sight.load, sight.log_clock)
        weighted = self._weighted(self.mean, sight)
        slots = len(sight.use)
        rows = np.zeros((MEMBERS, self._width(slots)))
        rows[:, :CURVE_SIZE] = (per_thread * total)[:, None] * curve_row(sight.load)
        rows[:, _CLOCK] = per_thread * total * sight.log_clock
        rows[:, _OFFSET] = 1.0
        rows[:, _FEATURES : self._first] = per_thread[:, None] * (sight.features @ sight.use)
        rows[:, self._first :] = per_thread[:, None] * sight.use
        dynamic_w = per_thread * weighted
        errors = sight.above_w - dynamic_w - self.mean[:, _OFFSET]
        gains, explained = self._explain(rows)
        return Forecast(dynamic_w, rows, errors, gains, explained)

    def _explain(self, rows: Floats) -> tuple[Floats, Floats]:
        width = rows.shape[1]
        gains = np.matmul(self.covariance[:, :width, :width], rows[:, :, None])[:, :, 0]
        return gains, (rows * gains).sum(axis=1)

    def old_errors(self, sight: Sight) -> Floats:
        """(m,) errors in watts of the forecast by the means of one to two minutes ago."""
        per_thread = _per_thread(self._older, sight.load, sight.log_clock)
        dynamic_w = per_thread * self._weighted(self._older, sight)
        return sight.above_w - dynamic_w - self._older[:, _OFFSET]

    def _weighted(self, mean: Floats, sight: Sight) -> Floats:
        weights = self._weights(mean, sight.features)
        weighted: Floats = np.maximum(weights, _LEAST_FORECAST) @ sight.use
        return weighted

    def part_of_forecast(self, forecast: Forecast, sight: Sight, member: int) -> float:
        """How much of a member's forecast was there: 1 is all of it."""
        there_w = sight.above_w - self.mean[member, _OFFSET]
        return float(there_w / max(forecast.dynamic_w[member], 1e-9))

    def scale_curve(self, forecast: Forecast, sight: Sight) -> None:
        """Book a jump of the whole on the curve, and mend the forecast."""
        there_w = sight.above_w - self.mean[:, _OFFSET]
        step = np.log(np.clip(there_w / np.maximum(forecast.dynamic_w, 1e-9), 0.1, 10.0))
        for state in (self.mean, self._older, self._old):
            state[:, :CURVE_SIZE] += step[:, None]
        but_offset = np.arange(forecast.rows.shape[1]) != _OFFSET
        forecast.rows[:, but_offset] *= np.exp(step)[:, None]
        forecast.errors = there_w - forecast.dynamic_w * np.exp(step)
        self.covariance[:, :CURVE_SIZE, :CURVE_SIZE] += 0.1**2
        forecast.gains, forecast.explained = self._explain(forecast.rows)

    def open_up(self, forecast: Forecast, sight: Sight) -> None:
        """Let the curve a little, and the deltas of all who run, move to explain a jump."""
        self.covariance[:, :CURVE_SIZE, :CURVE_SIZE] += 0.03**2
        deltas = self._first + np.flatnonzero(sight.use)
        self.covariance[:, deltas, deltas] += (0.3 * SIGMA[:, None]) ** 2
        forecast.gains, forecast.explained = self._explain(forecast.rows)

    def correct(self, forecast: Forecast, noise: Floats) -> None:
        """Move the states by their errors; ``noise``: (m,) its variance, W squared."""
        width = forecast.rows.shape[1]
        gain = forecast.gains / (forecast.explained + noise)[:, None]
        self.mean[:, :width] += gain * forecast.errors[:, None]
        spare = self._spare[:width, :width]
        # One member at a time, so that its matrix stays in the processor's cache.
        for member in range(MEMBERS):
            np.multiply(gain[member][:, None], forecast.gains[member], out=spare)
            self.covariance[member, :width, :width] -= spare

    def tidy(self, use: Floats) -> None:
        """Keep what no data can hold in place: call once a minute.

        No delta has more variance than before anything was learned; their mean by use is 0, its
        level going to the curve; covariances are symmetric.

        Args:
            use: (slots,) mean use.
        """
        width = self._width(len(use))
        for mean, whole, sigma in zip(self.mean, self.covariance, SIGMA, strict=True):
            covariance = whole[:width, :width]
            scale = np.ones(width)
            variances = np.maximum(np.diagonal(covariance)[self._first :], 1e-12)
            scale[self._first :] = np.minimum(1.0, sigma / np.sqrt(variances))
            covariance *= scale[:, None] * scale
            covariance[:] = 0.5 * (covariance + covariance.T)
            deltas = mean[self._first : width]
            np.maximum(deltas, LEAST_WEIGHT - 1, out=deltas)  # below, the level may have no ln
            level = float(deltas @ use) / max(float(use.sum()), 1e-12)
            deltas[:] = (1 + deltas) / (1 + level) - 1
            mean[:CURVE_SIZE] += np.log1p(level)

    def sound(self, slots: int) -> bool:
        """Whether all means are finite, and all variances above 0 and not absurd."""
        width = self._width(slots)
        variances = np.diagonal(self.covariance, axis1=1, axis2=2)[:, :width]
        in_range = (variances > 0) & (variances < _MOST_VARIANCE)
        return bool(np.isfinite(self.mean[:, :width]).all()) and bool(in_range.all())


def _per_thread(mean: Floats, load: float, log_clock: float) -> Floats:
    """(m,) watts per busy thread."""
    log_watts = mean[:, :CURVE_SIZE] @ curve_row(load)
    log_watts += mean[:, _CLOCK] * log_clock
    watts: Floats = np.exp(np.minimum(log_watts, _MOST_LOG_WATTS))
    return watts


def limited(weights: Floats) -> Floats:
    """Return weights that are not below the least that any code can cost."""
    at_least: Floats = np.maximum(weights, LEAST_WEIGHT)
    return at_least
