"""What other nodes know decides how far each filter is believed at the start, and no further."""

import numpy as np
import pytest

from wattribute.core.records import LOG_SPREAD, WorkloadKey
from wattribute.node.attribution.learned import Learner, Observation
from wattribute.node.attribution.learned.filters import SIGMA
from wattribute.node.attribution.learned.prior_evidence import prior_evidence

SURE = 0.05


def test_without_priors_and_with_priors_that_know_nothing_there_is_no_evidence() -> None:
    assert prior_evidence([]).tolist() == [0.0] * len(SIGMA)
    assert prior_evidence([(0.0, LOG_SPREAD)] * 50).tolist() == [0.0] * len(SIGMA)


def test_one_prior_by_hand() -> None:
    """ln w = 0.3 with the deviation 0.1: g = 1 - (0.1 / 0.35)^2, y = 0.3 / g, v = 0.01 / g."""
    learned = 1 - (0.1 / LOG_SPREAD) ** 2
    total = SIGMA**2 + 0.01 / learned
    density = np.exp(-0.5 * (0.3 / learned) ** 2 / total) / np.sqrt(total)

    nats = prior_evidence([(np.exp(0.3) - 1, 0.1 * np.exp(0.3))])

    assert np.exp(nats) == pytest.approx(density / density.max())


def test_workloads_that_differ_speak_against_all_equal_by_20_nats_at_most() -> None:
    nats = prior_evidence([(0.5, SURE), (-0.4, SURE)] * 20)

    assert nats[0] == -20
    assert nats.max() == 0
    assert np.argmax(nats) >= 2


def test_workloads_that_are_equal_speak_for_all_equal() -> None:
    nats = prior_evidence([(0.0, SURE)] * 40)

    assert nats[0] == 0
    assert nats[2] < -10


def first_weights(learner: Learner, image: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    keys = [WorkloadKey("Deployment", f"w{at}", "shop", "app", image) for at in range(20)]
    weights, _ = learner.tick(Observation(keys, np.full(20, 1.0), 64, 60.0, 100.0, 5.0))
    return weights


def test_a_learner_shares_by_what_others_know_from_its_first_tick_on() -> None:
    deltas = np.where(np.arange(20) % 2, 0.4, -0.4)
    priors = {
        WorkloadKey("Deployment", f"w{at}", "shop", "app"): (float(delta), 0.06)
        for at, delta in enumerate(deltas)
    }

    known = first_weights(Learner(priors=priors), "sha256:12")

    # The lead of "all equal" is 15 nats, and the evidence against it 20.
    assert known == pytest.approx(1 + deltas, abs=0.03)
    assert first_weights(Learner(), "sha256:12") == pytest.approx(np.ones(20))
