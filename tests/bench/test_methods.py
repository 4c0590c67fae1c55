"""Each way of sharing energy, with an answer that can be worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from bench.accuracy.methods import METHODS
from bench.accuracy.methods.kepler import Kepler011, Kepler09
from bench.accuracy.methods.method import EventRates, Tick
from bench.accuracy.methods.own import ByCycles, ByLearned, ByTime
from bench.accuracy.methods.scaphandre import Scaphandre
from bench.accuracy.methods.smartwatts import SmartWatts, fit_not_negative

EVENTS = EventRates(
    cycles=np.array([3e9, 3e9]), instructions=np.array([6e9, 2e9]), misses=np.array([1e6, 9e6])
)


def tick(events: EventRates | None = None, power_watts: float = 50.0) -> Tick:
    """50 W of which 30 are idle; two workloads use 1 and 3 of 8 threads."""
    return Tick(
        tick_s=5.0,
        owners=[0, 1],
        use=np.array([1.0, 3.0]),
        threads=8.0,
        power_watts=power_watts,
        floor_watts=30.0,
        clock=None,
        events=events,
        limit_watts=None,
    )


def test_time_shares_what_is_above_the_floor_by_cpu_time() -> None:
    split = ByTime(counters=False).split(tick())

    assert split.watts == pytest.approx([5.0, 15.0])
    assert split.idle_watts == 30.0


def test_cycles_share_it_by_cycles() -> None:
    assert ByCycles(counters=True).split(tick(EVENTS)).watts == pytest.approx([10.0, 10.0])


def test_the_rule_of_kepler_0_11_calls_power_active_by_the_usage_ratio() -> None:
    split = Kepler011(counters=False).split(tick())  # 4 of 8 threads: half of 50 W

    assert split.watts == pytest.approx([6.25, 18.75])
    assert split.idle_watts == pytest.approx(25.0)


def test_the_ratio_of_kepler_0_9_goes_by_instructions_else_by_time() -> None:
    assert Kepler09(counters=True).split(tick(EVENTS)).watts == pytest.approx([15.0, 5.0])
    assert Kepler09(counters=False).split(tick()).watts == pytest.approx([5.0, 15.0])


def test_the_rule_of_scaphandre_spreads_idle_power_too() -> None:
    split = Scaphandre(counters=False).split(tick())

    assert split.watts == pytest.approx([12.5, 37.5])
    assert split.idle_watts == 0.0


def test_the_formula_of_smartwatts_finds_a_linear_machine_and_splits_its_intercept() -> None:
    """Power = 20 W + 2 nJ per instruction; cycles and misses say nothing."""
    random = np.random.default_rng(1)
    method = SmartWatts(counters=True)
    for _ in range(70):
        use, rates = random.uniform(0.1, 3.0, (2, 2))
        events = EventRates(use * 3e9, rates * 1e9, random.uniform(1e6, 9e6, 2))
        watts = 20 + 2 * float(rates.sum())
        split = method.split(replace(tick(events, watts), use=use))
    own = 2 * rates

    assert split.watts == pytest.approx(own + 20 * own / own.sum(), rel=1e-6)


def test_the_formula_of_smartwatts_says_nothing_before_its_first_model() -> None:
    assert SmartWatts(counters=True).split(tick(EVENTS)).watts.tolist() == [0.0, 0.0]


def test_a_term_that_would_be_negative_is_left_out_of_the_fit() -> None:
    events = np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0], [4.0, 0.5]])
    fit = fit_not_negative(events, np.array([1.0, 2.0, 3.0, 4.0]) - 0.1 * events[:, 1], False)  # noqa: FBT003

    assert fit[0] == 0
    assert fit[2] == 0
    assert 0.8 < fit[1] < 1


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_one_workload_gets_everything_that_is_given(method: type) -> None:
    one = Tick(
        tick_s=1.0, owners=[7], use=np.array([2.0]), threads=4.0, power_watts=40.0,
        floor_watts=10.0, clock=None, limit_watts=None,
        events=EventRates(np.array([6e9]), np.array([6e9]), np.array([1e6])),
    )  # fmt: skip
    playing = method(counters=True)
    for _ in range(70):
        split = playing.split(one)

    assert split.watts.sum() + split.idle_watts == pytest.approx(40.0, rel=1e-6)


def test_learned_starts_as_cpu_time_and_gives_everything_away() -> None:
    method = ByLearned(counters=False)
    splits = [method.split(tick(power_watts=50.0 + n % 3)) for n in range(20)]

    assert splits[0].watts == pytest.approx([5.0, 15.0])
    for number, split in enumerate(splits):
        assert split.watts.sum() == pytest.approx(20.0 + number % 3)
        assert split.deviation is not None
        assert (split.deviation > 0).all()
