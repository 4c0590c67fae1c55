"""Scores of reports whose errors are known."""

import numpy as np
import pytest
from bench.accuracy.methods import METHODS
from bench.accuracy.play import Reported, play
from bench.accuracy.score import Score, mean_score, score
from bench.accuracy.worlds.build import build
from bench.accuracy.worlds.plan import SMOOTH_LOADS, Plan
from bench.accuracy.worlds.world import World


def world() -> World:
    """Four ticks of 10 s: 6 and 2 W above 20 W, the last one with two replicas."""
    return World(
        tick_s=10.0,
        threads=4.0,
        use=np.ones((4, 3)),
        true_watts=np.tile([6.0, 1.0, 1.0], (4, 1)),
        power_watts=np.full(4, 28.0),
        floor_watts=20.0,
        owners=np.array([0, 1, 1]),
    )


def report(joules: list[float], idle: float = 400.0, band: float = 0.0) -> Reported:
    values = np.array(joules)
    return Reported(values, values * (1 - band), values * (1 + band), idle, band > 0, [0.001])


def test_the_truth_has_no_error() -> None:
    result = score(world(), report([120.0, 20.0, 20.0]))

    assert (result.error, result.raw_error, result.worst) == (0, 0, 0)
    assert result.misfit == pytest.approx(0)
    assert result.tick_ms == pytest.approx(1.0)
    assert result.covers is None


def test_errors_of_replicas_cancel_in_the_worst_owner_and_not_in_the_sum() -> None:
    result = score(world(), report([120.0, 30.0, 10.0]))

    assert result.error == pytest.approx(100 * 20 / 160)
    assert result.worst == pytest.approx(0)


def test_energy_given_twice_is_no_error_of_the_division_but_a_misfit() -> None:
    result = score(world(), report([240.0, 40.0, 40.0]))

    assert result.error == pytest.approx(0)
    assert result.raw_error == pytest.approx(100)
    assert result.misfit == pytest.approx(100 * 160 / 560)


def test_a_band_covers_what_lies_in_it_and_has_the_width_that_errors_ask_for() -> None:
    off = [108.0, 26.0, 26.0]  # -10 % and +30 % of 120 and 40 J
    narrow, wide = (score(world(), report(off, band=band)) for band in (0.15, 0.31))

    assert narrow.covers == 50
    assert wide.covers == 100
    assert wide.half_width == pytest.approx(31)
    assert wide.width_ratio == pytest.approx(0.31 / 1.645 / np.sqrt(0.75 * 0.1**2 + 0.25 * 0.3**2))


def test_a_mean_of_seeds_is_taken_field_by_field() -> None:
    one = Score(error=1, raw_error=2, worst=3, misfit=0, tick_ms=1)
    other = Score(error=3, raw_error=2, worst=5, misfit=1, tick_ms=1)

    assert mean_score([one, other]) == Score(error=2, raw_error=2, worst=4, misfit=0.5, tick_ms=1)


def test_all_methods_play_the_same_minutes_and_conserve_where_they_claim_to() -> None:
    plan = Plan(workloads=4, hours=0.4, rough=False, kinds=SMOOTH_LOADS, counters=True)
    small = build(plan, 0)
    scores = {name: score(small, one) for name, one in play(small, METHODS).items()}

    assert list(scores) == [method.name for method in METHODS]
    for name, result in scores.items():
        if name != "SmartWatts formula":
            assert result.misfit == pytest.approx(0, abs=1e-4)
    assert abs(scores["SmartWatts formula"].misfit) > 1e-3  # its models are not the meter
    assert scores["learned"].error < scores["time"].error
    assert scores["Kepler 0.11 rule"].raw_error > scores["time"].raw_error
    assert scores["learned"].covers is not None


def test_methods_that_need_counters_are_left_out_without_them() -> None:
    small = build(Plan(workloads=3, hours=0.1), 0)

    assert "SmartWatts formula" not in play(small, METHODS)
    assert "Kepler 0.9 ratio" in play(small, METHODS)
