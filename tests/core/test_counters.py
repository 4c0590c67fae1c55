"""One rule for a counter's rise, in two forms: for two values, and for a whole series."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wattribute.core.counters import Step, risen_until, rises, step

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


def test_between_two_values_a_counter_rises_evenly_and_beyond_them_it_stands_still() -> None:
    time, values = np.array([0.0, 10.0, 20.0]), np.array([5.0, 9.0, 2.0])

    risen = risen_until(time, values, np.array([-1.0, 0.0, 5.0, 10.0, 15.0, 20.0, 99.0]))

    assert risen.tolist() == [0.0, 0.0, 2.0, 4.0, 5.0, 6.0, 6.0]


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=20), st.lists(st.floats(0, 19)))
def test_parts_of_a_window_add_up_to_the_whole(values: list[int], edges: list[float]) -> None:
    time = np.arange(len(values), dtype=np.float64)
    instants = np.array([0.0, *sorted(edges), 19.0])

    parts = np.diff(risen_until(time, np.array(values, np.float64), instants))

    assert (parts >= 0).all()
    assert np.isclose(parts.sum(), rises(np.array(values, np.float64)).sum())
