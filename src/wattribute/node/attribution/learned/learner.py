"""One learner per zone: tick by tick, from power and use to weights and their uncertainty."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import WorkloadKey
from wattribute.node.attribution.learned.cap import PowerCap
from wattribute.node.attribution.learned.curve import noise_row
from wattribute.node.attribution.learned.delay import MeterDelay
from wattribute.node.attribution.learned.evidence import Evidence
from wattribute.node.attribution.learned.filters import (
    ALL_EQUAL,
    LEAD,
    MEMBERS,
    SIGMA,
    TYPICAL,
    FilterBank,
    Sight,
    limited,
)
from wattribute.node.attribution.learned.jumps import Jumps, Reaction
from wattribute.node.attribution.learned.memory import Memory
from wattribute.node.attribution.learned.noise import MeterNoise
from wattribute.node.attribution.learned.observation import Observation
from wattribute.node.attribution.learned.prior_evidence import prior_evidence
from wattribute.node.attribution.learned.saved import (
    LEAST_DELTA,
    MOST_DELTA,
    SavedLearner,
    SavedWorkload,
)
from wattribute.node.attribution.learned.share_band import (
    BandSight,
    TimeInUse,
    of_shared_slot,
    share_deviation,
)
from wattribute.node.attribution.learned.slots import SHARED, Slots

Floats = NDArray[np.float64]

_BEGIN_LOAD: Final = 0.05
"""Begun on an idle machine, the curve was wrong by 3 times for minutes, and the noise too small."""
_LEAST_LOAD: Final = 1e-3
_USUAL_S: Final = 900.0
_COUNTERS_S: Final = 600.0
_MINUTE_S: Final = 60.0
_BAND_S: Final = 15.0
_MOST_SAVED: Final = 128
_OUTLIER: Final = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class _Workloads:
    """Who ran in a tick; n rows, s slots, f features."""

    slots: NDArray[np.int64]
    """(n,) slot of each row."""
    use: Floats
    """(s,)"""
    features: Floats
    """(f, s)"""
    row_features: Floats
    """(f, n)"""


class Learner:
    """Learns from one zone, a package or its DRAM; two packages in one learner did worse."""

    def __init__(
        self,
        slots: int = 192,
        counters: int = 0,
        priors: Mapping[WorkloadKey, tuple[float, float]] | None = None,
    ) -> None:
        """Start with nothing learned.

        Args:
            slots: how many workloads have a coefficient of their own. The state takes
                5 x (17 + slots)^2 x 8 bytes: 1.7 MB for 192.
            counters: features of a workload beyond its own load.
            priors: delta and its standard deviation of workloads that other nodes know, by keys
                without image, as ``PooledWeights.priors`` gives them.
        """
        self._size, self._features = slots, 1 + counters
        self._priors = priors or {}
        self._power_w = 0.0
        self.restarts = 0
        self._jumps = Jumps()
        self.skipped: Counter[str] = Counter()
        """Ticks from which nothing was learned, by reason."""
        self._forget_all()

    def _forget_all(self) -> None:
        self.slots = Slots(self._size, self._begin_slot, self._end_slot)
        self._memory = Memory(self._priors)
        self._usual = np.zeros(self._size + 1)
        self._deviation = np.zeros(self._size + 1)
        self._time_in_use = TimeInUse(self._size)
        self._mean_counters = np.zeros(self._features - 1)
        self._ticks = 0
        self._until_band_s = self._until_tidy_s = 0.0
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Forget all but who has which slot."""
        self.bank: FilterBank | None = None
        self.evidence = Evidence(LEAD)
        self.evidence.nats = prior_evidence(self._priors.values())
        self.noise = MeterNoise(MEMBERS)
        self.delay = MeterDelay()
        self._cap = PowerCap()
        self._jumps.reset()
        self._age_s = self._since_kept_s = 0.0

    def _sound(self, bank: FilterBank, slots: int) -> bool:
        return bank.sound(slots) and self.evidence.sound and self.noise.sound

    def _restart_cold(self) -> None:
        """Begin with nothing known: the numbers are no covariance any more."""
        self.restarts += 1
        self._forget_all()

    @property
    def jumps(self) -> int:
        """Sudden changes of the whole so far."""
        return self._jumps.count

    def tick(self, tick: Observation) -> tuple[Floats, Floats]:
        """Learn from one interval; return what to share this interval by.

        Returns:
            (n,) weights: share the energy above the floor by use x weight; at least 0.15.
            (n,) relative standard deviation of each row's share.
        """
        tick = tick.sanitized()
        if self.bank is None and self._can_begin(tick):
            self._begin(tick)
        if self.bank is None or not len(tick.keys):
            return self._unknown(len(tick.keys))
        slots = self.slots.place(tick.keys, tick.use, self._ticks, tick.elapsed_s)
        self._ticks += 1
        workloads = self._look(tick, slots)
        if not tick.possible:
            self.skipped["invalid"] += 1
        else:
            self._age(self.bank, tick)
            self._power_w = tick.power_w
            if workloads.use.sum() > _LEAST_LOAD * tick.threads:
                self._learn(self.bank, self._sight(tick, workloads), tick.limit_w)
        if self.bank is not None and not self._sound(self.bank, len(workloads.use)):
            self._restart_cold()
        if self.bank is None:
            return self._unknown(len(tick.keys))
        return self._result(self.bank, tick, workloads)

    def _can_begin(self, tick: Observation) -> bool:
        busy = float(tick.use.sum()) > _BEGIN_LOAD * tick.threads
        return tick.possible and busy and tick.above_w > 0

    def _begin(self, tick: Observation) -> None:
        use = float(tick.use.sum())
        bank = FilterBank(self._size, self._features)
        bank.begin(use / tick.threads, float(np.log(tick.above_w / use)), tick.power_w)
        self.bank = bank
        for key, slot in self.slots.slot_of.items():
            bank.set_delta(slot, *self._memory.recall(key))

    def _unknown(self, rows: int) -> tuple[Floats, Floats]:
        return np.ones(rows), np.full(rows, SIGMA[TYPICAL])

    def _look(self, tick: Observation, slots: NDArray[np.int64]) -> _Workloads:
        size = self.slots.top + 1
        use: Floats = np.bincount(slots, tick.use, size).astype(np.float64, copy=False)
        self.slots.note_use(use, tick.elapsed_s)
        self._time_in_use.note(use, tick.elapsed_s)
        active = use > 0
        decay = np.exp(-tick.elapsed_s / _USUAL_S)
        usual = self._usual[:size]
        moved = decay * usual[active] + (1 - decay) * use[active]
        usual[active] = np.where(usual[active] > 0, moved, use[active])
        features = np.zeros((self._features, size))
        # Cores that are used less than usual clock lower, so that their seconds cost less.
        features[0, active] = np.minimum(use[active] / usual[active], 2.0) - 1
        row_features = features[:, slots]
        if self._features > 1 and tick.counters is not None and use.sum() > 0:
            decay = np.exp(-tick.elapsed_s / _COUNTERS_S) if self._ticks > 1 else 0.0
            mean = tick.use @ tick.counters / use.sum()
            self._mean_counters = decay * self._mean_counters + (1 - decay) * mean
            row_features[1:] = (tick.counters - self._mean_counters).T
            for at in range(1, self._features):
                weighted = np.bincount(slots, tick.use * row_features[at], size)
                features[at] = weighted / np.maximum(use, 1e-12)
        return _Workloads(slots, use, features, row_features)

    def _sight(self, tick: Observation, now: _Workloads) -> Sight:
        then, features_then = self.delay.about(now.use, now.features)
        self.delay.listen(now.use, now.features, tick.above_w)
        return Sight(
            use=then,
            features=features_then,
            load=float(then.sum()) / tick.threads,
            log_clock=0.0 if tick.clock_ratio is None else float(np.log(tick.clock_ratio)),
            above_w=tick.above_w,
            power_w=tick.power_w,
            elapsed_s=tick.elapsed_s,
        )

    def _age(self, bank: FilterBank, tick: Observation) -> None:
        bank.age(self.slots.top + 1, tick.elapsed_s)
        self._age_s += tick.elapsed_s
        self._since_kept_s += tick.elapsed_s
        self._until_tidy_s += tick.elapsed_s
        self._until_band_s += tick.elapsed_s
        if self._since_kept_s >= _MINUTE_S:
            self._since_kept_s = 0.0
            bank.remember()

    def _learn(self, bank: FilterBank, sight: Sight, limit_w: float | None) -> None:
        bank.relax_offset(sight.power_w, sight.elapsed_s)
        forecast = bank.forecast(sight)
        if not forecast.sound:
            self._restart_cold()
            return
        if self._cap.holds(sight.power_w, sight.elapsed_s, limit_w):
            self.skipped["capped"] += 1
            return
        row = noise_row(sight.load)
        variance = self.noise.at(row) * sight.power_w**2
        member = int(np.argmax(self.evidence.weights))
        noise = float(variance[member])
        match self._jumps.judge(
            bank, forecast, sight, member=member, noise=noise, age_s=self._age_s
        ):
            case Reaction.SKIP:
                self.skipped["jump"] += 1
                return
            case Reaction.BEGIN_ANEW:
                self._begin_anew()
                return
            case Reaction.LEARN:
                pass
        scaled = np.abs(forecast.errors) / np.sqrt(forecast.explained + variance)
        far = np.maximum(1.0, scaled / _OUTLIER)
        if self._age_s > 2 * _MINUTE_S:  # before that there is no forecast old enough
            self.evidence.judge(row, bank.old_errors(sight), sight.power_w, sight.elapsed_s)
        bank.correct(forecast, variance * self.noise.correlated() * far**2)
        self.noise.learn(row, forecast, sight, self._age_s)

    def _result(
        self, bank: FilterBank, tick: Observation, now: _Workloads
    ) -> tuple[Floats, Floats]:
        slots, size = now.slots, len(now.use)
        tidied = self._until_tidy_s >= _MINUTE_S
        if tidied:
            self._until_tidy_s = 0.0
            bank.tidy(self.slots.use[:size])
        if self._until_band_s >= _BAND_S or self._deviation[slots].min() <= 0:
            self._until_band_s = 0.0  # the band moves slowly
            self._deviation[:size] = self._band(bank, tick, now)
        weights = limited(self.evidence.weights @ bank.row_weights(slots, now.row_features))
        own = np.where(slots == SHARED, of_shared_slot(self.evidence), 0.0)
        if tidied:
            self.slots.swap()
        return weights, np.hypot(self._deviation[slots], own)

    def _band(self, bank: FilterBank, tick: Observation, now: _Workloads) -> Floats:
        size, load = len(now.use), float(now.use.sum()) / tick.threads
        noise_w = np.sqrt(self.noise.at(noise_row(load))) * tick.power_w
        in_use_s = self._time_in_use.seconds(size)
        sight = BandSight(now.use, now.features, in_use_s, load, noise_w)
        return share_deviation(bank, self.evidence, sight)

    def _begin_slot(self, slot: int, key: WorkloadKey) -> None:
        self._usual[slot] = self._deviation[slot] = 0.0
        self._time_in_use.forget(slot)
        if self.bank is not None:
            self.bank.set_delta(slot, *self._memory.recall(key))

    def _end_slot(self, slot: int, key: WorkloadKey) -> None:
        if self.bank is not None:
            self._memory.keep(key, self.bank.delta(slot))

    def current(self, keys: Sequence[WorkloadKey]) -> tuple[Floats, Floats]:
        """Return weights and deviations as they are now, (n,) each, and learn nothing."""
        if self.bank is None:
            return self._unknown(len(keys))
        slots = np.array([self.slots.slot_of.get(key, SHARED) for key in keys], np.int64)
        features = np.zeros((self._features, len(keys)))
        weights = limited(self.evidence.weights @ self.bank.row_weights(slots, features))
        return weights, self.deviation(slots)

    def deviation(self, slots: NDArray[np.int64]) -> Floats:
        """Relative standard deviation of the share of each slot, as it was computed last."""
        deviation = self._deviation[slots]
        return np.where(deviation > 0, deviation, SIGMA[TYPICAL])

    def rename(self, old: WorkloadKey, new: WorkloadKey) -> None:
        """Let a workload be known by another key, whose name came late.

        What was learned goes along, unless something is known under the new key already.
        """
        if self._memory.rename(old, new):
            self.slots.rename(old, new)

    def save(self) -> SavedLearner | None:
        """Return what a restart goes on from; None if nothing was learned."""
        if self.bank is None:
            return None
        weights = self.evidence.weights
        curve, gamma, betas = self.bank.shared(weights)
        largest = sorted(self.slots.slot_of.items(), key=lambda item: -self.slots.use[item[1]])
        workloads = []
        for key, slot in largest[:_MOST_SAVED]:
            mean, variance = self.bank.delta(slot)
            deviation = float(np.sqrt(weights @ variance))
            use = float(self.slots.use[slot])
            delta = float(np.clip(weights @ mean, LEAST_DELTA, MOST_DELTA))
            workloads.append(SavedWorkload(key, delta, deviation, use))
        return SavedLearner(
            curve=curve.tolist(),
            gamma=gamma,
            betas=betas.tolist(),
            nats=(self.evidence.nats - self.evidence.nats.max()).tolist(),
            noise=np.sqrt(weights @ self.noise.variance).tolist(),
            power_w=float(self._power_w),
            workloads=workloads,
        )

    def resume(self, saved: SavedLearner) -> str:
        """Go on from what an earlier run saved; return why it cannot be used, "" if it can."""
        problem = saved.problem(self._features)
        if problem:
            return problem
        self.bank = FilterBank(self._size, self._features)
        self.bank.resume(np.array(saved.curve), saved.gamma, np.array(saved.betas), saved.power_w)
        noise = np.array(saved.noise) ** 2
        self.noise.variance[:] = noise
        self.evidence.resume(np.array(saved.nats), noise)
        self._power_w = saved.power_w
        for workload in saved.workloads[: self._size]:
            slot = self.slots.give(workload.key)
            self.slots.use[slot] = workload.use
            deviation = np.clip(workload.deviation, SIGMA / 3, SIGMA)  # correlations are gone
            mean = np.where(ALL_EQUAL, 0.0, workload.delta)
            self.bank.set_delta(slot, mean, np.where(ALL_EQUAL, SIGMA, deviation) ** 2)
        return ""
