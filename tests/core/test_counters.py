"""One rule for a counter's rise, in two forms: for two values, and for a whole series."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wattribute.core.counters import Step, rises, step

VALUES = st.lists(st.integers(0, 2**60), max_size=30)


def test_a_counter_that_rose_rose_by_the_difference() -> None:
    assert step(5, 9) == Step(4, anew=False)
    assert step(5, 5, wraps_at=7) == Step(0, anew=False)


def test_a_counter_with_a_largest_value_wraps_to_zero() -> None:
    assert step(7, 0, wraps_at=7) == Step(1, anew=False)
    assert step(6, 2, wraps_at=7) == Step(4, anew=False)


def test_a_counter_without_a_largest_value_began_at_zero_again() -> None:
    assert step(100, 3) == Step(3, anew=True)


@given(VALUES)
def test_a_series_rises_as_its_neighbours_do(values: list[int]) -> None:
    series = rises(np.array(values, np.int64))

    assert series.tolist() == [step(before, after).amount for before, after in pairwise(values)]


@given(VALUES, st.data())
def test_where_a_counter_is_known_to_have_begun_anew_its_value_is_its_rise(
    values: list[int], data: st.DataObject
) -> None:
    size = max(len(values) - 1, 0)
    anew = data.draw(st.lists(st.booleans(), min_size=size, max_size=size))
    series = rises(np.array(values, np.int64), np.array(anew, np.bool_))

    expected = [
        after if restarted else step(before, after).amount
        for (before, after), restarted in zip(pairwise(values), anew, strict=True)
    ]
    assert series.tolist() == expected


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20), st.data())
def test_a_restart_that_is_known_loses_nothing(amounts: list[int], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(amounts)))
    totals = np.cumsum([0, *amounts])
    totals[at + 1 :] -= totals[at]  # the counter began at 0 right after its value at ``at``
    anew = np.arange(len(amounts)) == at

    assert int(rises(totals, anew).sum()) == sum(amounts)
