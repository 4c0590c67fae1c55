"""Who has a coefficient of its own, and who shares one."""

import numpy as np
from tests.node.attribution.learned.world import key

from wattribute.node.attribution.learned import Learner, Observation
from wattribute.node.attribution.learned.report import learned_weights
from wattribute.node.attribution.learned.slots import SHARED, Slots


def slots(size: int) -> tuple[Slots, list[str]]:
    calls: list[str] = []
    made = Slots(
        size,
        lambda slot, who: calls.append(f"begin {slot} {who.owner_name}"),
        lambda slot, who: calls.append(f"end {slot} {who.owner_name}"),
    )
    return made, calls


def test_the_largest_get_the_slots_first() -> None:
    made, _ = slots(2)

    placed = made.place([key(1), key(2), key(3)], np.array([1.0, 3.0, 2.0]), 0, 5.0)

    assert placed[0] == SHARED
    assert SHARED not in placed[1:]


def test_who_does_not_run_makes_room() -> None:
    made, calls = slots(1)
    made.place([key(1)], np.array([1.0]), 0, 5.0)

    placed = made.place([key(2)], np.array([1.0]), 3, 5.0)

    assert placed.tolist() == [1]
    assert calls == ["begin 1 workload-1", "end 1 workload-1", "begin 1 workload-2"]


def test_who_uses_twice_as_much_is_swapped_in() -> None:
    made, _ = slots(1)
    for tick in range(200):
        placed = made.place([key(1), key(2)], np.array([1.0, 3.0 if tick else 0.5]), tick, 5.0)
        made.note_use(np.bincount(placed, np.array([1.0, 3.0]), 2), 5.0)
    assert made.slot_of == {key(1): 1}

    made.swap()

    assert made.slot_of == {key(2): 1}


def test_what_was_learned_survives_the_loss_of_a_slot() -> None:
    learner = Learner(slots=2)
    pair = Observation([key(0), key(1)], np.array([4.0, 8.0]), 64, 60.0, 100.0, 5.0)
    learner.tick(pair)
    assert learner.bank is not None
    learner.bank.set_delta(learner.slots.slot_of[key(0)], np.full(5, 0.5), np.full(5, 1e-3))
    others = Observation([key(2), key(3)], np.array([4.0, 8.0]), 64, 60.0, 100.0, 5.0)
    for _ in range(4):
        learner.tick(others)
    assert key(0) not in learner.slots.slot_of

    for _ in range(4):
        learner.tick(pair)

    mean, _ = learner.bank.delta(learner.slots.slot_of[key(0)])
    assert mean[2] > 0.3


def test_many_workloads_come_and_go() -> None:
    random = np.random.default_rng(0)
    learner = Learner(slots=16)
    for tick in range(400):
        keys = [key(int(n)) for n in random.choice(2000, 60, replace=False)]
        use = random.exponential(0.5, 60)
        weights, deviation = learner.tick(
            Observation(keys, use, 64, 4 * float(use.sum()), 40 + 4 * float(use.sum()), 5.0)
        )
        assert weights.min() >= 0.15, tick
        assert np.isfinite(deviation).all()
    assert len(learned_weights(learner).keys) <= 16
