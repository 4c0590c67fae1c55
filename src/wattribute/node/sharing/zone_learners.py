"""A learner for each measured zone: what it sees of a tick, and the weights that it gives."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import Interval, LearnedWeights, Origin, WorkloadKey, Zone
from wattribute.core.units import (
    MICROJOULES_PER_JOULE,
    MICROWATTS_PER_WATT,
    NANOSECONDS_PER_SECOND,
    nanoseconds,
)
from wattribute.node.attribution.learned import Learner, Observation
from wattribute.node.attribution.learned.report import learned_weights
from wattribute.node.attribution.learned.saved import SavedLearner
from wattribute.node.sharing.cpu_use import CpuUse
from wattribute.node.sharing.floors import state_key
from wattribute.node.sharing.weight_choice import INSIDE_PACKAGE, obstacle

Priors = Mapping[str, Mapping[WorkloadKey, tuple[float, float]]]
"""By kind of zone: delta and its standard deviation of workloads that other nodes know."""

Tick = tuple[CpuUse, NDArray[np.int64]]
"""Who ran, and (n, packages) what the weights of the rows multiply: CPU time, or cycles."""

_SCALE_NS: Final = nanoseconds(3600)
_FEATURES: Final = 1
"""The own load alone: hardware counters as features gained nothing at 20 workloads."""
_LEARNS: Final = ("package", "dram", "platform")


@dataclass(frozen=True, slots=True, eq=False)
class WorkloadWeights:
    """What a CPU second of each workload of a tick counts in a zone."""

    ratio: NDArray[np.float64]
    """(workloads,)"""
    deviation: NDArray[np.float64]
    """(workloads,) relative standard deviation of the share."""


class ZoneLearners:
    """Learners by zone; all of them see the same workloads."""

    def __init__(
        self,
        column_of: Mapping[str, int],
        priors: Priors,
        limit_uw: Callable[[Zone], int | None],
    ) -> None:
        """Start with nothing learned.

        Args:
            column_of: from the id of a package to its column in ``CpuUse``.
            priors: what other nodes know.
            limit_uw: the power limit of a zone in microwatts; None: not known.
        """
        self._column_of = column_of
        self._priors = priors
        self._limit_uw = limit_uw
        self._learners: dict[Zone, Learner] = {}
        self._seconds: dict[Zone, float] = {}
        self._ns_per_unit: dict[Zone, float] = {}
        """Nanoseconds of CPU time for each unit of the basis, a slow mean."""
        self._saved: dict[str, SavedLearner] = {}
        self._measured: set[Zone] = set()
        """The zones that a meter has read so far."""
        self._fresh: dict[Zone, tuple[NDArray[np.uint64], WorkloadWeights]] = {}
        """Weights that were learned in this tick for its workloads, and the keys of its rows."""

    def begin_tick(self, intervals: Iterable[Interval], use: CpuUse) -> None:
        """Forget the weights of the tick before; hear of new zones and new names."""
        self._fresh.clear()
        self._measured.update(i.zone for i in intervals if i.origin is not Origin.ESTIMATED)
        for learner in self._learners.values():
            for old, new in use.renamed:
                learner.rename(old, new)

    def learns_from(self, interval: Interval) -> bool:
        """Whether an interval's zone has, or gets, a learner of its own."""
        measured = interval.origin is not Origin.ESTIMATED
        return measured and interval.zone.kind in _LEARNS and not self.obstacle(interval)

    def obstacle(self, interval: Interval) -> str:
        """Return why there are no learned weights for an interval's zone; "" if there are."""
        estimated = interval.origin is Origin.ESTIMATED
        return obstacle(interval.zone, estimated=estimated, measured=self._measured)

    def learn(self, interval: Interval, floor_uj: int, ticks: Sequence[Tick]) -> None:
        """Let the zone's learner see an interval.

        Args:
            interval: of a zone that ``learns_from`` accepts.
            floor_uj: its floor, in microjoules.
            ticks: who ran, and what the weights multiply, tick after tick; if that is not just the
                time of the interval, nothing is learned.
        """
        zone = interval.zone
        learner = self._learner(zone)
        last, amounts = ticks[-1]
        if (ticks[0][0].start_ns, last.end_ns) != (interval.start_ns, interval.end_ns):
            learner.skipped["late"] += 1
            return
        began = time.thread_time()
        weights, deviation = learner.tick(self._observation(interval, floor_uj, ticks))
        if len(ticks) == 1:
            ratio, spread = np.ones(len(last.workloads)), np.zeros(len(last.workloads))
            active = np.flatnonzero(_by_workload(last, self._column(zone), amounts) > 0)
            ratio[active], spread[active] = weights, deviation
            self._fresh[zone] = (last.keys, WorkloadWeights(ratio, spread))
        self._seconds[zone] = self._seconds.get(zone, 0.0) + time.thread_time() - began

    def _observation(self, interval: Interval, floor_uj: int, ticks: Sequence[Tick]) -> Observation:
        elapsed_ns = interval.end_ns - interval.start_ns
        column = self._column(interval.zone)
        used_ns: dict[WorkloadKey, float] = {}
        capacity_ns = 0
        for use, amounts in ticks:
            scale = self._scale(interval.zone, use, column, amounts)
            by_workload = scale * _by_workload(use, column, amounts)
            for at in np.flatnonzero(by_workload > 0).tolist():
                key = use.workloads[at]
                used_ns[key] = used_ns.get(key, 0.0) + float(by_workload[at])
            capacity = use.capacity_ns if column is None else use.capacity_ns[column]
            capacity_ns += int(np.sum(capacity))
        elapsed_s = elapsed_ns / NANOSECONDS_PER_SECOND
        limit_uw = self._limit_uw(interval.zone)
        return Observation(
            keys=list(used_ns),
            use=np.array(list(used_ns.values())) / elapsed_ns,
            threads=capacity_ns / elapsed_ns,
            above_w=(interval.energy_uj - floor_uj) / MICROJOULES_PER_JOULE / elapsed_s,
            power_w=interval.energy_uj / MICROJOULES_PER_JOULE / elapsed_s,
            elapsed_s=elapsed_s,
            limit_w=None if limit_uw is None else limit_uw / MICROWATTS_PER_WATT,
        )

    def _scale(
        self, zone: Zone, use: CpuUse, column: int | None, amounts: NDArray[np.int64]
    ) -> float:
        """Return what makes a basis nanoseconds; 1 for CPU time.

        It must not follow the mix of a tick: if those who clock high run more, there are more
        cycles, and more power.
        """
        time_ns = float(_by_workload(use, column, use.cpu_ns).sum())
        units = float(_by_workload(use, column, amounts).sum())
        if time_ns > 0 and units > 0:
            decay = np.exp(-(use.end_ns - use.start_ns) / _SCALE_NS)
            before = self._ns_per_unit.get(zone, time_ns / units)
            self._ns_per_unit[zone] = float(decay * before + (1 - decay) * time_ns / units)
        return self._ns_per_unit.get(zone, 1.0)

    def weights(self, zone: Zone, use: CpuUse) -> WorkloadWeights | None:
        """Return the weights of a tick's workloads in a zone; None if no learner speaks for it.

        ``core`` and ``uncore`` go by their package. Where the platform's meter is the only one,
        its learner speaks for all: the parts are estimates, which know nothing of who ran.
        """
        speaker = self._speaker(zone)
        if speaker is None or use.workload is None:
            return None
        fresh = self._fresh.get(speaker)
        if fresh is not None and fresh[0] is use.keys:
            return fresh[1]
        return WorkloadWeights(*self._learners[speaker].current(use.workloads))

    def _speaker(self, zone: Zone) -> Zone | None:
        if zone in self._learners:
            return zone
        if zone.kind in INSIDE_PACKAGE:
            packages = (z for z in self._learners if z.kind == "package")
            return next((z for z in packages if z.package == zone.package), None)
        if zone.component in {"cpu", "dram"}:
            if any(z.kind == "package" for z in self._learners):
                return None
            return next((z for z in self._learners if z.kind == "platform"), None)
        return None

    def _column(self, zone: Zone) -> int | None:
        return None if zone.package is None else self._column_of.get(zone.package)

    def _learner(self, zone: Zone) -> Learner:
        learner = self._learners.get(zone)
        if learner is None:
            learner = Learner(priors=self._priors.get(zone.kind))
            if saved := self._saved.get(state_key(zone)):
                learner.resume(saved)
            self._learners[zone] = learner
            if zone.kind == "package":  # then the platform's meter is not the only one
                for platform in [z for z in self._learners if z.kind == "platform"]:
                    del self._learners[platform]
        return learner

    def report(self, zone: Zone) -> LearnedWeights | None:
        """Return what is shown of a zone's own learner; None: it has none."""
        learner = self._learners.get(zone)
        if learner is None:
            return None
        return learned_weights(learner, self._seconds.get(zone, 0.0))

    def dump(self) -> dict[str, SavedLearner]:
        """Return what was learned, by zone."""
        learned = {state_key(zone): learner.save() for zone, learner in self._learners.items()}
        return {**self._saved, **{name: saved for name, saved in learned.items() if saved}}

    def load(self, saved: Mapping[str, SavedLearner]) -> list[str]:
        """Let learners go on from what ``dump`` gave; return what cannot be used, and why."""
        problems = {name: learner.problem(_FEATURES) for name, learner in saved.items()}
        self._saved = {name: learner for name, learner in saved.items() if not problems[name]}
        return [f"weights of {name}: {problem}" for name, problem in problems.items() if problem]


def _by_workload(
    use: CpuUse, column: int | None, amounts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(workloads,) sum of the rows' amounts, on one package or on all."""
    if use.workload is None:
        return np.zeros(len(use.workloads))
    of_rows = amounts.sum(axis=1) if column is None else amounts[:, column]
    by_workload = np.bincount(use.workload, of_rows, len(use.workloads))
    return by_workload.astype(np.float64, copy=False)
