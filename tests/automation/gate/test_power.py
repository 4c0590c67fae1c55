"""The power that is printed, against simulated builds."""

from math import inf, log

import numpy as np
import pytest

from wattribute.automation.gate.permutation import paired, unpaired
from wattribute.automation.gate.power import paired_spread, runs_for, smallest_regression, spread_of

BUILDS = 250


def part_found(effect: float, spread: float, runs: int, tolerance: float, *, pairs: bool) -> float:
    """In how many simulated builds with such a regression its lower bound says so."""
    draw = np.random.default_rng(5)
    hits = 0
    for _ in range(BUILDS):
        noise = np.exp(draw.normal(0, spread, (2, runs)))
        test = (paired if pairs else unpaired)(noise[0], noise[1] * (1 + tolerance + effect))
        hits += test.low(0.05) > 1 + tolerance
    return hits / BUILDS


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize(("spread", "tolerance"), [(0.01, 0.05), (0.03, 0.0)])
def test_the_smallest_regression_that_is_said_to_be_found_is_found_in_8_of_10(
    pairs: bool,  # noqa: FBT001
    spread: float,
    tolerance: float,
) -> None:
    smallest = smallest_regression(spread, 7, tolerance, 0.05, pairs=pairs)

    assert part_found(smallest, spread, 7, tolerance, pairs=pairs) == pytest.approx(0.8, abs=0.1)


@pytest.mark.parametrize("pairs", [False, True])
def test_as_many_runs_as_are_said_to_be_needed_are_enough_and_not_far_too_many(
    pairs: bool,  # noqa: FBT001
) -> None:
    runs = runs_for(0.04, 0.03, 0.05, 0.05, pairs=pairs)

    assert runs > 7
    assert 0.7 < part_found(0.04, 0.03, runs, 0.05, pairs=pairs) < 0.94


def test_more_runs_find_less_and_more_scatter_needs_more_runs() -> None:
    smallest = [smallest_regression(0.02, runs, 0.05, 0.05, pairs=True) for runs in (5, 7, 14, 50)]

    assert smallest == sorted(smallest, reverse=True)
    needed = [runs_for(0.01, spread, 0, 0.05, pairs=False) for spread in (0.005, 0.01, 0.05)]
    assert needed == sorted(needed)
    assert smallest_regression(0.02, 4, 0.05, 0.05, pairs=True) == inf


def test_the_spread_is_that_of_one_run_and_drift_is_not_in_that_of_pairs() -> None:
    draw = np.random.default_rng(6)
    noise = np.exp(draw.normal(0, 0.02, (2, 4000)))
    drift = np.exp(draw.normal(0, 0.5, 4000))

    assert spread_of(noise[0]) == pytest.approx(0.02, rel=0.1)
    assert paired_spread(noise[0] * drift, noise[1] * drift) == pytest.approx(0.02, rel=0.1)
    assert spread_of(drift) == pytest.approx(log(1.6487), rel=0.1)
    assert spread_of(np.ones(1)) == 0
