"""The learner finds watts per core that it was not told, and where it cannot it stays at time."""

import numpy as np
import pytest
from tests.node.attribution.learned.world import Score, key, made, mixed, play

from wattribute.node.attribution.learned import Learner, Observation
from wattribute.node.attribution.learned.report import learned_weights


def mean_score(scores: list[Score]) -> Score:
    return Score(
        *(float(np.mean([getattr(s, n) for s in scores])) for n in ("time", "learned", "covered"))
    )


def test_twenty_workloads_are_told_apart() -> None:
    scores = [play(made(seed, mixed(seed, 20)), Learner()) for seed in range(3)]

    score = mean_score(scores)
    assert score.time > 15
    assert score.learned <= 5
    assert score.covered >= 85


@pytest.mark.parametrize("seed", range(3))
def test_workloads_that_cost_the_same_keep_the_same_weight(seed: int) -> None:
    score = play(made(seed, np.full(20, 4.0)), Learner())

    assert score.learned <= 0.6


def test_constant_loads_are_shared_by_time() -> None:
    score = play(made(0, mixed(0, 8), vary=0.0), Learner())

    assert abs(score.learned - score.time) <= 1
    assert score.covered >= 85


def test_a_pair_of_ten_and_four_watts_is_found_and_shown() -> None:
    world = made(1, np.array([10.0, 4.0]), hours=0.5)
    learner = Learner()

    score = play(world, learner)

    shown = learned_weights(learner)
    ratio = dict(zip(shown.keys, shown.ratio.tolist(), strict=True))
    assert score.learned <= 3
    assert ratio[key(0)] / ratio[key(1)] == pytest.approx(2.5, rel=0.1)
    assert (shown.low < shown.ratio).all()
    assert (shown.ratio < shown.high).all()
    assert not shown.learning.any()
    assert shown.lead_nats > 0


def test_the_order_of_rows_does_not_matter() -> None:
    world = made(2, mixed(2, 6), hours=0.2)
    straight, turned = Learner(), Learner()

    for tick in range(len(world.use)):
        seen = world.observation(tick)
        backwards = Observation(
            seen.keys[::-1], seen.use[::-1], seen.threads, seen.above_w, seen.power_w, 5.0
        )
        weights, deviation = straight.tick(seen)
        weights_turned, deviation_turned = turned.tick(backwards)
        assert np.allclose(weights, weights_turned[::-1], rtol=1e-6)
        assert np.allclose(deviation, deviation_turned[::-1], rtol=1e-6)


def test_replicas_are_one_workload() -> None:
    learner = Learner()
    seen = Observation([key(1), key(2), key(1)], np.array([2.0, 3.0, 1.0]), 64, 30.0, 70.0, 5.0)

    weights, _ = learner.tick(seen)

    assert weights[0] == weights[2]
    assert len(learned_weights(learner).keys) == 2


def test_before_the_first_load_every_second_counts_the_same() -> None:
    learner = Learner()

    weights, deviation = learner.tick(Observation([key(1)], np.array([0.1]), 64, 1.0, 41.0, 5.0))

    assert weights.tolist() == [1.0]
    assert deviation[0] > 0
    assert learned_weights(learner).keys == ()


def test_a_governor_that_is_switched_is_no_workload() -> None:
    world = made(3, np.full(8, 4.0), hours=1.0)
    switched = world.power_w.copy()
    half = len(switched) // 2
    switched[half:] = 40 + (switched[half:] - 40) * 0.5
    dynamic = world.dynamic_w.copy()
    dynamic[half:] *= 0.5
    learner = Learner()

    score = play(type(world)(world.use, dynamic, switched), learner)

    assert learner.jumps >= 1
    assert score.learned <= 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_tick_that_is_not_finite_teaches_nothing(bad: float) -> None:
    world = made(4, mixed(4, 5), hours=0.3)
    with_bad, without = Learner(), Learner()

    for tick in range(len(world.use)):
        seen = world.observation(tick)
        expected, _ = without.tick(seen)
        if tick == 100:
            with_bad.tick(Observation(seen.keys, seen.use, 64, bad, bad, 5.0))
        weights, _ = with_bad.tick(seen)
        assert np.isfinite(weights).all()

    assert with_bad.skipped["invalid"] == 1
    assert np.allclose(weights, expected, rtol=0.02)


def test_an_unsound_covariance_begins_cold_and_is_counted() -> None:
    world = made(5, mixed(5, 5), hours=0.2)
    learner = Learner()
    for tick in range(50):
        learner.tick(world.observation(tick))
    assert learner.bank is not None
    learner.bank.covariance[1, 20, 20] = -1.0

    weights, _ = learner.tick(world.observation(50))

    assert learner.restarts == 1
    assert weights.tolist() == [1.0] * 5
    learner.tick(world.observation(51))
    assert learner.bank is not None
    assert learner.bank.sound(6)


def test_power_at_its_limit_teaches_nothing() -> None:
    learner = Learner()
    use = np.array([4.0, 4.0])
    for _ in range(10):
        learner.tick(Observation([key(1), key(2)], use, 64, 60.0, 100.0, 5.0, limit_w=100.0))

    assert learner.skipped["capped"] == 10


def test_a_restart_goes_on_from_what_was_saved() -> None:
    world = made(6, mixed(6, 20), hours=1.0)
    first = Learner()
    half = len(world.use) // 2
    for tick in range(half):
        first.tick(world.observation(tick))
    saved = first.save()
    assert saved is not None
    second = Learner()

    assert second.resume(saved) == ""

    before, _ = first.tick(world.observation(half))
    after, _ = second.tick(world.observation(half))
    assert np.allclose(before, after, rtol=0.1)
    again = second.save()
    assert again is not None
    assert {w.key for w in again.workloads} == {w.key for w in saved.workloads}


def test_a_saved_state_of_another_shape_is_refused() -> None:
    learner = Learner()
    learner.tick(made(0, mixed(0, 3)).observation(0))
    saved = learner.save()
    assert saved is not None

    assert "betas" in Learner(counters=2).resume(saved)


def test_a_workload_keeps_its_coefficient_under_a_new_name() -> None:
    world = made(7, np.array([10.0, 4.0]), hours=0.4)
    learner = Learner()
    play(world, learner)

    learner.rename(key(0), key(9))

    shown = dict(zip(learned_weights(learner).keys, learned_weights(learner).ratio, strict=True))
    assert shown[key(9)] > 1.2
    assert key(0) not in shown


def test_a_prior_of_other_nodes_is_where_it_begins() -> None:
    learner = Learner(priors={key(0): (0.8, 0.1)})

    learner.tick(Observation([key(0), key(1)], np.array([4.0, 4.0]), 64, 60.0, 100.0, 5.0))
    saved = learner.save()

    assert saved is not None
    assert learner.bank is not None
    mean, variance = learner.bank.delta(learner.slots.slot_of[key(0)])
    assert mean[0] == pytest.approx(0, abs=1e-3)
    assert mean[2] == pytest.approx(0.8, abs=0.02)
    assert variance[2] <= 0.011
