"""Readings at the start, every tick and the end of a piece of work; its share of each interval."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from wattribute.core.clock import Clock
from wattribute.core.floor import policy_named
from wattribute.core.records import Attribution, Interval, Load, Zone
from wattribute.core.units import Nanoseconds, power_of
from wattribute.node.activity.cpustat import CpuStat
from wattribute.node.activity.node import NodeTime, NodeTimes
from wattribute.node.attribution.packages import fit_packages
from wattribute.node.attribution.share import pay_floor
from wattribute.node.measuring.gpus import GpuWork
from wattribute.node.measuring.kernel_tree import KernelTree
from wattribute.node.measuring.result import ComponentEnergy
from wattribute.node.measuring.tree import ProcessTree
from wattribute.node.sharing.cpu_use import CpuUse
from wattribute.node.sharing.gpu_shares import GpuShare
from wattribute.node.sharing.sharer import Share
from wattribute.node.sharing.zone_weights import Weighed
from wattribute.node.sources import Sources

COARSE_NS: Final = 100_000_000
"""In less time than that the machine's load is not known: /proc/stat moves in steps of 10 ms."""

_WORK, _REST = 0, 1
_KEYS: Final = np.array([_WORK, _REST], np.uint64)
_EVERYWHERE: Final = np.full(2, np.iinfo(np.uint64).max, np.uint64)


class Window:
    """Shares energy between the work and the rest of the machine."""

    def __init__(
        self,
        sources: Sources,
        procfs: Path,
        tree: ProcessTree | KernelTree,
        clock: Clock,
        *,
        policy: str = "none",
        gpus: GpuWork | None = None,
    ) -> None:
        """Take over open sources, and make the first reading now.

        Args:
            sources: where energy comes from.
            procfs: root of procfs.
            tree: the work's processes.
            clock: what time it is.
            policy: name of the floor policy.
            gpus: the work's part of the GPUs in ``sources``; None: there are none.

        Raises:
            ConfigInvalid: there is no such policy.
        """
        self._energy = sources.energy
        self._sharer = sources.sharer
        self._policy = policy_named(policy)
        self._times = NodeTimes(CpuStat(procfs, sources.topology), sources.topology)
        self._tree = tree
        self._clock = clock
        self._gpus = gpus or GpuWork((), tree)
        self._intervals: list[Interval] = []
        """Not shared yet."""
        self._other_weights = np.zeros(2, np.int64)
        self._tree_ns = 0
        self._taken_ns = 0
        """CPU time that anybody had since the start, steal included."""
        self._capacity_ns = 0
        """Online CPUs x the time since the start."""
        self.by_component: dict[str, ComponentEnergy] = {}
        self.power_peak_uw = 0
        self.start_ns = self._last_ns = clock.monotonic_ns()
        self._energy.read(self.start_ns)
        self._gpus.read(self.start_ns, _WORK, _REST)
        self._times.advance(self.start_ns)

    @property
    def elapsed_ns(self) -> int:
        """From the first reading to the last."""
        return self._last_ns - self.start_ns

    @property
    def cpu_ns(self) -> int:
        """CPU time of the work until the last reading."""
        return self._tree_ns

    @property
    def counters(self) -> Mapping[str, int]:
        """What the hardware counted for the work, where it did."""
        return self._tree.counters

    @property
    def others_busy(self) -> float:
        """Part of the machine's CPU time that others had, steal included, 0 to 1."""
        others_ns = max(self._taken_ns - self._tree_ns, 0)
        return min(1.0, others_ns / max(self._capacity_ns, 1))

    def now_ns(self) -> Nanoseconds:
        """The window's clock."""
        return self._clock.monotonic_ns()

    def tick(self, *, final: bool = False) -> None:
        """Read everything, and share what was used since the last reading.

        ``final``: the work has ended; wait for what is still to be said of its processes.

        Raises:
            ActivityFailed: /proc/stat cannot be read; the next tick covers the time of both.
        """
        now_ns = self._clock.monotonic_ns()
        self._intervals += self._energy.read(now_ns)
        time = self._times.advance(now_ns)
        measured, self._intervals = self._intervals, []
        before_ns, self._tree_ns = self._tree_ns, self._tree.cpu_ns(final=final)
        self._last_ns = now_ns
        self._taken_ns += int(time.busy_ns.sum()) + time.steal_ns
        self._capacity_ns += int(time.capacity_ns.sum())
        use = _cpu_use(self._tree_ns - before_ns, time)
        gpus = self._gpus.read(now_ns, _WORK, _REST, final=final)
        before_uj = self._energy_uj()
        estimated = self._estimated(measured, use)
        for share in self._shares(measured, estimated, use, gpus):
            zone = share.attribution.interval.zone
            if zone.component:
                attribution = _folded(share.attribution, share.keys)
                self._other_weights += attribution.dynamic_uj
                self._add(zone.component, attribution, _used(zone, use, gpus))
        self._note_peak(self._energy_uj() - before_uj, use.end_ns - use.start_ns)
        for rest in self._sharer.other([*measured, *estimated]):
            share = self._sharer.share_by(rest, Weighed(_KEYS, self._other_weights))
            self._add("other", share.attribution, _used(rest.zone, use, {}))
            self._other_weights = np.zeros(2, np.int64)

    def _energy_uj(self) -> int:
        """The work's energy so far."""
        return sum(part.dynamic_uj + part.idle_uj for part in self.by_component.values())

    def _note_peak(self, energy_uj: int, elapsed_ns: int) -> None:
        """Without what a platform meter adds: that is of its own, longer windows."""
        if elapsed_ns >= COARSE_NS:
            self.power_peak_uw = max(self.power_peak_uw, power_of(energy_uj, elapsed_ns))

    def problems(self) -> tuple[str, ...]:
        """What of the energy is not known, a line each."""
        silent = (
            f"{zone.name}: could not be read at the end; what it used since its last "
            "reading is not in it"
            for zone in self._energy.metering.failed_now()
        )
        dropped = (
            f"{count} readings of meters could not be used ({reason}): their energy is not in it"
            for reason, count in self._energy.metering.rejected.items()
            if reason != "unreadable"
        )
        nothing = () if self.by_component else ("no meter gave two readings: nothing is known",)
        return (*silent, *dropped, *nothing)

    def _estimated(self, measured: Sequence[Interval], use: CpuUse) -> list[Interval]:
        """Return what the model says of the components that no meter measured.

        In a time too short for the machine's load to be known the model is told the work's own
        load, which is known to the microsecond.
        """
        elapsed_ns = Nanoseconds(use.end_ns - use.start_ns)
        if elapsed_ns < COARSE_NS:
            load = Load.from_times(elapsed_ns, use.cpu_ns[_WORK], use.capacity_ns)
            return self._energy.estimate(load, use.start_ns)
        load = Load.from_times(elapsed_ns, use.cpu_ns.sum(axis=0), use.capacity_ns)
        estimated = self._energy.estimate(load, use.start_ns)
        self._energy.learn(measured, load)
        return estimated

    def _shares(
        self,
        measured: Sequence[Interval],
        estimated: Sequence[Interval],
        use: CpuUse,
        gpus: Mapping[str, GpuShare],
    ) -> Iterator[Share]:
        """Share out all intervals; the work alone gets the estimate of a very short time."""
        metering = self._energy.metering
        silent = [zone for zone in metering.failed_now() if not metering.down(zone)]
        if use.end_ns - use.start_ns < COARSE_NS:
            alone = np.array([use.cpu_ns[_WORK].sum(), 0], np.int64)
            yield from (self._sharer.share_by(i, Weighed(_KEYS, alone)) for i in estimated)
            estimated = ()
        yield from self._sharer.share([*measured, *estimated], use, silent, gpus)

    def close(self) -> None:
        """Close the meters, /proc/stat and the tree."""
        self._energy.close()
        self._times.close()
        self._tree.close()

    def _add(
        self, component: str, attribution: Attribution, times_ns: tuple[int, int, int]
    ) -> None:
        """Let the work pay its part of the floor, where the policy goes by use.

        ``used``: time of the work and of all, and how much there is.
        """
        if self._policy.by_use and attribution.idle_uj:
            work_ns, all_ns, capacity_ns = times_ns
            whole_ns = max(capacity_ns, all_ns) if self._policy.capped else all_ns
            paid_uj = attribution.idle_uj * work_ns // max(whole_ns, 1)
            attribution = pay_floor(attribution, np.array([paid_uj, 0], np.int64))
        before = self.by_component.get(
            component, ComponentEnergy(origin=attribution.interval.origin)
        )
        self.by_component[component] = before.plus(attribution)


def _cpu_use(work_ns: int, time: NodeTime) -> CpuUse:
    """Return two rows: the work, and the rest of the machine's busy time."""
    rest_ns = max(int(time.busy_ns.sum()) - work_ns, 0)
    fit = fit_packages(np.array([work_ns, rest_ns], np.int64), _EVERYWHERE, time.busy_ns)
    return CpuUse(time.start_ns, time.end_ns, _KEYS, fit.cpu_ns, {}, time.capacity_ns)


def _used(zone: Zone, use: CpuUse, gpus: Mapping[str, GpuShare]) -> tuple[int, int, int]:
    """Time of the work and of all on what the zone feeds, and how much there is, in ns."""
    if zone.kind != "gpu":
        work_ns, all_ns = int(use.cpu_ns[_WORK].sum()), int(use.cpu_ns.sum())
        return work_ns, all_ns, int(use.capacity_ns.sum())
    elapsed_ns = use.end_ns - use.start_ns
    share = gpus.get(zone.id)
    if share is None:
        return 0, 0, elapsed_ns
    work_ns = int(share.busy_ns[share.keys == _WORK].sum())
    return work_ns, int(share.busy_ns.sum()), elapsed_ns


def _folded(attribution: Attribution, keys: Iterable[np.uint64]) -> Attribution:
    """The same with one row for the work and one for the rest, where ticks had to wait."""
    index = np.array([int(key) for key in keys], np.int64)
    dynamic_uj = np.zeros(2, np.int64)
    np.add.at(dynamic_uj, index, attribution.dynamic_uj)
    return Attribution(
        attribution.interval,
        dynamic_uj,
        attribution.floor_uj.copy(),
        attribution.idle_uj,
        attribution.unattributed_uj,
    )
