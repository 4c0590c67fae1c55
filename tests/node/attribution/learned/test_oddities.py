"""Whatever a tick says, weights are numbers, and the covariance stays one."""

import numpy as np
import pytest
from tests.node.attribution.learned.world import key

from wattribute.node.attribution.learned import Learner, Observation
from wattribute_testing.strength import examples

_TICKS = examples(20_000)


def odd(kind: int, seen: Observation) -> Observation:
    """One of the things that a broken meter, clock or counter can say."""
    numbers = (np.nan, np.inf, -np.inf, -1.0, 0.0, 1e9)
    use = seen.use.copy()
    keys, above_w, power_w, elapsed_s = seen.keys, seen.above_w, seen.power_w, seen.elapsed_s
    if kind < 6:
        power_w = above_w = numbers[kind]
    elif kind < 12:
        use[kind % len(use)] = numbers[kind - 6]
    elif kind < 16:
        elapsed_s = (1e-6, 1e4, np.nan, 0.0)[kind - 12]
    elif kind == 16:
        keys = [keys[0]] * len(keys)
    elif kind == 17:
        keys, use = [], use[:0]
    else:
        above_w, power_w = above_w * 10, power_w * 10
    return Observation(keys, use, seen.threads, above_w, power_w, elapsed_s)


@pytest.mark.parametrize("part", [0.02, 0.3])
def test_odd_ticks_leave_weights_and_covariance_sound(part: float) -> None:
    random = np.random.default_rng(7)
    learner = Learner(slots=32)
    for tick in range(_TICKS // 2):
        numbers = random.choice(2000, 12, replace=False) if tick % 3 else np.arange(12)
        use = random.exponential(1.0, 12)
        above_w = float(use @ (3 + numbers % 5)) * (1 + random.normal(0, 0.01))
        seen = Observation([key(int(n)) for n in numbers], use, 64, above_w, 40 + above_w, 5.0)
        if random.random() < part:
            seen = odd(int(random.integers(0, 19)), seen)
        weights, deviation = learner.tick(seen)
        assert len(weights) == len(seen.keys)
        assert np.isfinite(weights).all()
        assert (weights >= 0.15).all()
        assert np.isfinite(deviation).all()
        saved = learner.save() if tick % 7 == 0 else None
        assert saved is None or saved.problem(1) == ""

    assert learner.bank is not None
    slots = learner.slots.top + 1
    for covariance in learner.bank.delta_covariance(slots):
        assert np.linalg.eigvalsh(covariance).min() > 0


def test_a_day_with_churn_keeps_the_covariance_positive_and_memory_bounded() -> None:
    """30 workloads with a mean life of an hour in 64 slots; 24 h, or a fifth of it in brief."""
    random = np.random.default_rng(3)
    learner = Learner(slots=64)
    alive, born = list(range(30)), 30
    for tick in range(examples(17_280)):
        for place in np.flatnonzero(random.random(30) < 5 / 3600).tolist():
            alive[place], born = born, born + 1
        use = np.asarray(random.exponential(1.0, 30))
        watts = 2 + 4 * (np.array(alive) * 0.618 % 1)
        above_w = float(use @ watts) * (1 + random.normal(0, 0.004))
        learner.tick(Observation([key(n) for n in alive], use, 64, above_w, 40 + above_w, 5.0))
        if tick % 720 == 719:
            assert learner.bank is not None
            for covariance in learner.bank.delta_covariance(learner.slots.top + 1):
                assert np.linalg.eigvalsh(covariance).min() > 0, tick

    assert learner.restarts == 0
    assert learner.slots.top <= 64


def test_a_state_is_always_one_that_can_be_used_again() -> None:
    """Workloads that cost nothing, as in DRAM: between two tidyings a delta may pass -1."""
    random = np.random.default_rng(11)
    learner = Learner()
    watts = np.array([0.0, 0.0, 0.05, 3.0, 6.0])
    for _ in range(720):
        use = random.exponential(2.0, 5)
        above_w = float(use @ watts) * (1 + random.normal(0, 0.01))
        keys = [key(n) for n in range(5)]
        learner.tick(Observation(keys, use, 64, above_w, 10 + above_w, 5.0))
        saved = learner.save()
        assert saved is None or saved.problem(1) == ""
