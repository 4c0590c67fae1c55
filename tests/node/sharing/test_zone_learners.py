"""Learners see what happened in just their interval, and speak for the zones that have none."""

import numpy as np
import pytest

from wattribute.core.records import Interval, Origin, Topology, WorkloadKey, Zone
from wattribute.core.units import Microjoules, Nanoseconds
from wattribute.node.attribution.weight import CyclesWeight
from wattribute.node.sharing.cpu_use import CpuUse
from wattribute.node.sharing.sharer import Learning, Share, Sharer
from wattribute.node.sharing.weight_choice import WeightSetting

SECOND = 1_000_000_000
BMC = Zone("platform", "1", "redfish")
ESTIMATED = Zone("package", "0", "trained_power_model")
PACKAGE = Zone("package", "0", "rapl-sysfs", "0")
CORE = Zone("core", "0", "rapl-sysfs", "0")
HOT, COOL, WARM = (WorkloadKey("Deployment", name) for name in ("hot", "cool", "warm"))
WATTS = np.array([10.0, 4.0, 7.0])


def sharer(setting: WeightSetting = "learned", limit_uw: int | None = None) -> Sharer:
    topology = Topology(("0",), np.zeros(4, np.int64), np.full(4, -1))
    return Sharer(
        topology,
        CyclesWeight(1.0),
        lambda _: 0,
        lambda _: None,
        3600 * SECOND,
        learning=Learning(setting, limit_uw=lambda _: limit_uw),
    )


class Machine:
    """Three workloads on four CPUs, tick after tick of 5 s."""

    def __init__(self, of: Sharer) -> None:
        self.sharer = of
        self._random = np.random.default_rng(0)
        self._tick = 0
        self._waiting_uj = 0
        self._since = 0

    def tick(self, *, platform: bool = False, measured: bool = False) -> dict[str, Share]:
        """``platform``: the BMC has moved; ``measured``: the package and its cores have meters."""
        start, end = self._tick * 5 * SECOND, (self._tick + 1) * 5 * SECOND
        self._tick += 1
        cores = self._random.uniform(0.2, 1.1, 3)
        energy_uj = round(float(cores @ WATTS) * 5e6)
        self._waiting_uj += energy_uj
        use = CpuUse(
            Nanoseconds(start),
            Nanoseconds(end),
            np.arange(3, dtype=np.uint64),
            np.rint(cores[:, None] * 5 * SECOND).astype(np.int64),
            {},
            np.array([4 * 5 * SECOND]),
            np.arange(3),
            (HOT, COOL, WARM),
        )
        intervals = [] if measured else [interval(ESTIMATED, start, end, 10**7, Origin.ESTIMATED)]
        if measured:
            intervals += [interval(zone, start, end, energy_uj) for zone in (PACKAGE, CORE)]
        silent = [BMC]
        if platform:
            intervals.append(interval(BMC, self._since, end, self._waiting_uj))
            self._since, self._waiting_uj, silent = end, 0, []
        shares = self.sharer.share(intervals, use, [] if measured else silent)
        return {share.attribution.interval.zone.kind: share for share in shares}


def interval(
    zone: Zone, start: int, end: int, energy_uj: int, origin: Origin = Origin.INTEGRATED
) -> Interval:
    floor_uj = Microjoules(0) if origin is Origin.ESTIMATED else None
    return Interval(
        zone,
        Nanoseconds(start),
        Nanoseconds(end),
        Microjoules(energy_uj),
        origin,
        floor_uj=floor_uj,
        low_uj=None if floor_uj is None else Microjoules(0),
        high_uj=None if floor_uj is None else Microjoules(2 * energy_uj),
    )


def ratios(share: Share) -> list[float]:
    """Energy by learned weights over energy by CPU time, of hot, cool and warm."""
    assert share.time_uj is not None
    quotient: list[float] = (share.attribution.dynamic_uj / share.time_uj).tolist()
    return quotient


def test_the_only_platform_meter_speaks_for_the_estimates() -> None:
    machine = Machine(sharer())
    for _ in range(120):
        machine.tick()
        machine.tick()
        machine.tick(platform=True)

    shares = machine.tick()

    hot, cool, _ = ratios(shares["package"])
    assert shares["package"].attribution.interval.origin is Origin.ESTIMATED
    assert hot / cool == pytest.approx(2.5, rel=0.15)
    by_kind = {weight.zone.kind: weight for weight in machine.sharer.weights}
    assert by_kind["package"].shared_by == "learned-1"
    assert by_kind["package"].learned is None
    assert by_kind["platform"].learned is not None


def test_cores_go_by_the_weights_of_their_package() -> None:
    machine = Machine(sharer())
    for _ in range(120):
        shares = machine.tick(measured=True)

    assert ratios(shares["core"]) == pytest.approx(ratios(shares["package"]), rel=1e-4)
    hot, cool, _ = ratios(shares["package"])
    assert hot / cool == pytest.approx(2.5, rel=0.1)
    assert shares["core"].deviation is not None


def test_at_its_power_limit_a_package_teaches_nothing() -> None:
    machine = sharer(limit_uw=20_000_000)
    for tick in range(20):
        start, end = tick * 5 * SECOND, (tick + 1) * 5 * SECOND
        use = CpuUse(
            Nanoseconds(start),
            Nanoseconds(end),
            np.arange(2, dtype=np.uint64),
            np.full((2, 1), 5 * SECOND),
            {},
            np.array([4 * 5 * SECOND]),
            np.arange(2),
            (HOT, COOL),
        )
        list(machine.share([interval(PACKAGE, start, end, 100_000_000)], use))

    (package,) = machine.weights
    assert package.learned is not None
    assert package.learned.skipped == {"capped": 20, "invalid": 0, "jump": 0, "late": 0}


def test_where_cycles_are_counted_learned_weights_multiply_them() -> None:
    """Two workloads with the same watts per cycle, of which one runs at half the clock."""
    machine = sharer()
    random = np.random.default_rng(1)
    clock = np.array([2.0, 1.0])
    shares: list[Share] = []
    for tick in range(150):
        cores = random.uniform(0.2, 1.5, 2)
        cycles = cores * clock
        start, end = tick * 5 * SECOND, (tick + 1) * 5 * SECOND
        use = CpuUse(
            Nanoseconds(start),
            Nanoseconds(end),
            np.arange(2, dtype=np.uint64),
            np.rint(cores[:, None] * 5 * SECOND).astype(np.int64),
            {"cycles": np.rint(cycles[:, None] * 5 * SECOND).astype(np.int64)},
            np.array([4 * 5 * SECOND]),
            np.arange(2),
            (HOT, COOL),
        )
        seen = interval(PACKAGE, start, end, round(float(cycles.sum()) * 4 * 5e6))
        shares = list(machine.share([seen], use))

    dynamic_uj = shares[0].attribution.dynamic_uj
    assert dynamic_uj[0] / dynamic_uj[1] == pytest.approx(cycles[0] / cycles[1], rel=0.02)
    learned = machine.weights[0].learned
    assert learned is not None
    assert learned.ratio == pytest.approx([1.0, 1.0], abs=0.03)


def test_in_shadow_beside_cycles_both_rivals_are_known() -> None:
    machine = sharer("shadow")
    use = CpuUse(
        Nanoseconds(0),
        Nanoseconds(5 * SECOND),
        np.arange(2, dtype=np.uint64),
        np.full((2, 1), 5 * SECOND),
        {"cycles": np.array([[30], [10]])},
        np.array([4 * 5 * SECOND]),
        np.arange(2),
        (HOT, COOL),
    )

    (share,) = machine.share([interval(PACKAGE, 0, 5 * SECOND, 100)], use)

    assert share.attribution.dynamic_uj.tolist() == [75, 25]
    assert share.time_uj is not None
    assert share.time_uj.tolist() == [50, 50]
    assert share.learned_uj is not None


def test_ticks_of_which_one_has_no_cycles_are_shared_by_time() -> None:
    machine = sharer("auto")
    cycles = {"cycles": np.full((1, 1), 10**9)}
    for number, counters in enumerate((cycles, {})):
        use = CpuUse(
            Nanoseconds(number * 5 * SECOND),
            Nanoseconds((number + 1) * 5 * SECOND),
            np.array([number], np.uint64),
            np.full((1, 1), 5 * SECOND),
            counters,
            np.array([4 * 5 * SECOND]),
            np.zeros(1, np.int64),
            ((HOT, COOL)[number],),
        )
        intervals = [interval(PACKAGE, 0, 10 * SECOND, 100)] if number else []
        shares = list(machine.share(intervals, use, [] if number else [PACKAGE]))

    assert shares[0].attribution.dynamic_uj.tolist() == [50, 50]
