"""Shares add up, whatever the total and the weights; the oracle is Python's integers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from wattribute.core.shares import apportion, apportion_groups

totals = st.integers(0, 3 * 10**12)
weights = st.lists(
    st.one_of(st.integers(0, 5), st.integers(0, 10**9), st.integers(0, 10**15)), min_size=1
).filter(any)


def array(values: list[int]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def by_largest_remainder(total: int, use: list[int]) -> list[int]:
    weight_sum = sum(use)
    shares = [total * weight // weight_sum for weight in use]
    order = sorted(range(len(use)), key=lambda i: (-(total * use[i] % weight_sum), i))
    for row in order[: total - sum(shares)]:
        shares[row] += 1
    return shares


@given(totals, weights)
@example(3 * 10**12, [10**15] * 9000)
@example(3 * 10**12, [10**15 - i for i in range(9000)])
@example(7, [1] * 100)
def test_shares_are_those_of_the_largest_remainder(total: int, use: list[int]) -> None:
    shares = apportion(total, array(use))

    assert shares.dtype == np.int64
    assert shares.tolist() == by_largest_remainder(total, use)


@given(totals, weights)
def test_shares_add_up_and_are_within_one_of_their_proportion(total: int, use: list[int]) -> None:
    shares = apportion(total, array(use)).tolist()

    assert sum(shares) == total
    assert all(
        share >= 0 and abs(share - Fraction(total * weight, sum(use))) < 1
        for share, weight in zip(shares, use, strict=True)
    )
    assert all(share == 0 for share, weight in zip(shares, use, strict=True) if weight == 0)


@given(totals, weights)
def test_who_used_more_never_pays_less(total: int, use: list[int]) -> None:
    shares = apportion(total, array(use)).tolist()
    by_use = [share for _, share in sorted(zip(use, shares, strict=True))]

    assert by_use == sorted(by_use)


@given(totals, weights, st.randoms(use_true_random=False))
def test_the_order_of_consumers_moves_one_microjoule_at_most(
    total: int, use: list[int], random: "np.random.Generator"
) -> None:
    order = list(range(len(use)))
    random.shuffle(order)
    shares = apportion(total, array(use))

    moved = apportion(total, array([use[row] for row in order]))

    assert np.abs(moved - shares[order]).max() <= 1


@given(st.integers(0, 2**62), st.lists(st.integers(0, 2**63 - 1), min_size=1).filter(any))
def test_sizes_beyond_64_bits_are_right_too(total: int, use: list[int]) -> None:
    assert apportion(total, array(use)).tolist() == by_largest_remainder(total, use)


@given(
    st.integers(0, 3 * 10**12), st.integers(8 * 10**18, 9 * 10**18), st.integers(0, 10**6)
)  # fmt: skip
def test_a_sum_of_weights_close_to_the_largest_integer_is_right(
    total: int, large: int, small: int
) -> None:
    use = [small, large // 2, large - large // 2]

    assert apportion(total, array(use)).tolist() == by_largest_remainder(total, use)


def test_nothing_is_shared_among_nobody() -> None:
    assert apportion(0, array([])).tolist() == []
    assert apportion(0, array([0, 0])).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("total", "use", "message"),
    [
        (-1, [1], "total to share must not be negative"),
        (1, [1, -1], "weights must not be negative"),
        (0, [-1], "weights must not be negative"),
        (1, [0, 0], "nobody has weight"),
        (1, [], "nobody has weight"),
    ],
)
def test_what_cannot_be_shared_is_an_error(total: int, use: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        apportion(total, array(use))


grouped = st.lists(
    st.tuples(st.integers(0, 4), st.one_of(st.integers(0, 5), st.integers(0, 10**15))), min_size=1
)


@given(grouped, st.lists(totals, min_size=5, max_size=5))
@example([(0, 10**15)] * 9000 + [(1, 1)] * 3, [3 * 10**12, 2, 0, 0, 0])
@example([(0, 2**62), (0, 2**61), (3, 7)], [10**17, 0, 0, 10**18, 0])
def test_groups_are_shared_as_each_would_be_alone(
    rows: list[tuple[int, int]], amounts: list[int]
) -> None:
    use = array([weight for _, weight in rows])
    group = array([index for index, _ in rows])
    total = array(
        [amount if use[group == index].any() else 0 for index, amount in enumerate(amounts)]
    )

    shares = apportion_groups(total, use, group)

    for index in range(5):
        alone = apportion(int(total[index]), use[group == index])
        assert shares[group == index].tolist() == alone.tolist()


@pytest.mark.parametrize(
    ("total", "use", "message"),
    [
        ([1], [0], "nobody in it has weight"),
        ([-1], [1], "totals to share must not be negative"),
        ([1], [-1], "weights must not be negative"),
        ([1], [], "nobody in it has weight"),
    ],
)
def test_groups_that_cannot_be_shared_are_an_error(
    total: list[int], use: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        apportion_groups(array(total), array(use), array([0] * len(use)))
