"""Nodes' ratios are brought to one scale, and pooled with the spread between nodes."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattribute.accounting.ledger.pooling import NodeRatios, PooledRatios, pool, ratios_of
from wattribute.core.records import LOG_SPREAD
from wattribute_testing.strength import examples


def learned(mean: float, deviation: float) -> tuple[float, float]:
    """What a learner reports that began with N(0, LOG_SPREAD^2) and saw data of N(mean, dev^2)."""
    part = LOG_SPREAD**2 / (LOG_SPREAD**2 + deviation**2)
    return part * mean, np.sqrt(part) * deviation


def pooled(rows: Sequence[tuple[int, int, float, float]]) -> PooledRatios:
    return pool(ratios_of([(w, n, *learned(m, d)) for w, n, m, d in rows]))


def test_one_node_gives_back_what_its_data_said() -> None:
    result = pooled([(0, 0, 0.3, 0.1), (1, 0, -0.3, 0.2)])

    assert result.log_ratio == pytest.approx([0.3, -0.3])
    assert result.deviation == pytest.approx([0.1, 0.2])
    assert result.nodes.tolist() == [1, 1]
    assert result.group.tolist() == [0, 0]


def test_nodes_that_agree_are_averaged_by_precision() -> None:
    # The means of both nodes' rows are alike, so no scale is to be found.
    result = pooled([(0, 0, 0.2, 0.1), (1, 0, -0.2, 0.1), (0, 1, 0.2, 0.2), (1, 1, -0.2, 0.2)])

    assert result.log_ratio == pytest.approx([0.2, -0.2])
    assert result.deviation == pytest.approx([1 / np.sqrt(1 / 0.1**2 + 1 / 0.2**2)] * 2)


def test_der_simonian_and_laird_by_hand() -> None:
    """Two nodes, two workloads, variance v = 0.01: y = (0.3, -0.3) and (0.1, -0.1), no scale.

    For each workload Q = 2 x 0.1^2 / v = 2, and sum p - sum p^2 / sum p = 100, so that its own
    tau^2 is (2 - 1) / 100. Together Q = 4 with 2 - 1 degrees of freedom, as one scale was fitted:
    tau^2 = (4 - 1) / 200 = 0.015, which is more. Each mean has the variance (v + tau^2) / 2.
    """
    result = pooled([(0, 0, 0.3, 0.1), (1, 0, -0.3, 0.1), (0, 1, 0.1, 0.1), (1, 1, -0.1, 0.1)])

    assert result.log_ratio == pytest.approx([0.2, -0.2])
    assert result.deviation == pytest.approx([np.sqrt(0.025 / 2 + 0.015)] * 2)


def test_nodes_of_different_mixes_are_brought_to_one_scale() -> None:
    """Node 1 runs hot neighbours, so that all its ratios are 0.5 lower."""
    theta = np.array([0.4, 0.0, -0.4, 0.8])
    rows = [(w, 0, theta[w], 0.05) for w in (0, 1, 2)]
    rows += [(w, 1, theta[w] - 0.5, 0.05) for w in (1, 2, 3)]

    result = pooled(rows)

    assert np.diff(result.log_ratio) == pytest.approx(np.diff(theta), abs=1e-5)
    assert set(result.group.tolist()) == {0}


def test_a_chain_of_nodes_is_one_scale() -> None:
    rows = [(n + side, n, side * 0.1 - 0.3 * n, 0.05) for n in range(6) for side in (0, 1)]

    result = pooled(rows)

    assert np.diff(result.log_ratio) == pytest.approx([0.1] * 6, abs=1e-4)


def test_nodes_that_share_nothing_are_groups_of_their_own() -> None:
    rows = [(w, 0, 0.1 * w, 0.1) for w in range(3)] + [(w, 1, 0.5, 0.1) for w in (3, 4)]

    result = pooled(rows)

    assert result.group.tolist() == [0, 0, 0, 1, 1]
    assert result.log_ratio == pytest.approx([0, 0.1, 0.2, 0.5, 0.5])


def test_many_nodes_that_learned_nothing_do_not_know_anything_together() -> None:
    nothing = [(0, node, 0.0, LOG_SPREAD) for node in range(50)]
    known = [(1, node, *learned(0.2, 0.1)) for node in range(50)]

    result = pool(ratios_of([*nothing, *known]))

    assert result.workload.tolist() == [1]


def test_the_prior_counts_once_however_many_nodes_there_are() -> None:
    """Each node learned half: its own answer is half of the truth. Together they know it all."""
    rows = [
        (w, node, learned(m, LOG_SPREAD)) for node in range(40) for w, m in ((0, 0.4), (1, -0.4))
    ]

    result = pool(ratios_of([(w, node, *report) for w, node, report in rows]))

    assert result.log_ratio == pytest.approx([0.4, -0.4])


def test_nothing_gives_nothing() -> None:
    assert pool(ratios_of([])).workload.tolist() == []


@settings(max_examples=examples(30))
@given(
    seed=st.integers(0, 1000),
    spread=st.floats(0.0, 0.3),
    nodes=st.integers(2, 12),
)
def test_the_deviation_is_never_less_than_nodes_differ(
    seed: int, spread: float, nodes: int
) -> None:
    random = np.random.default_rng(seed)
    theta = random.normal(0, 0.3, 8)
    truth = theta + random.normal(0, spread, (nodes, 8))
    rows = [(w, n, truth[n, w], 0.02) for n in range(nodes) for w in range(8)]

    result = pooled(rows)

    centred = truth - truth.mean(axis=1, keepdims=True)
    between = np.sqrt((centred.var(axis=0, ddof=1) - 0.02**2).clip(0))
    assert (result.deviation >= between - 1e-6).all()


@settings(max_examples=examples(30))
@given(seed=st.integers(0, 1000))
def test_the_order_of_rows_changes_nothing(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = [(w, n, float(random.normal(0, 0.3)), 0.1) for n in range(4) for w in range(5)]
    shuffled = [rows[at] for at in random.permutation(len(rows))]

    first, second = pooled(rows), pooled(shuffled)

    assert first.log_ratio == pytest.approx(second.log_ratio, abs=1e-6)
    assert first.deviation == pytest.approx(second.deviation, abs=1e-6)


def test_a_new_node_lies_in_the_band() -> None:
    """With 8 nodes of 30 workloads, 90 % of what a ninth node shows is in the band (+- 8)."""
    random = np.random.default_rng(4)
    inside = []
    for _ in range(20):
        theta = random.normal(0, 0.3, 30)
        truth = theta + random.normal(0, 0.1, (9, 30))
        truth -= truth.mean(axis=1, keepdims=True)
        seen = truth[:8] + random.normal(0, 0.1, (8, 30))
        result = pooled([(w, n, seen[n, w], 0.1) for n in range(8) for w in range(30)])
        inside.append(np.abs(truth[8] - result.log_ratio) < 1.645 * result.deviation)

    assert np.mean(inside) == pytest.approx(0.9, abs=0.08)


def test_columns_may_be_given_as_arrays() -> None:
    ratios = NodeRatios(np.array([3]), np.array([7]), np.array([0.1]), np.array([0.1]))

    assert pool(ratios).workload.tolist() == [3]
