"""Group sums are exact."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.core.sums import sum_by

rows = st.lists(st.tuples(st.integers(-1, 6), st.integers(-(2**55), 2**55)))


@given(rows)
def test_sums_are_those_of_whole_numbers(given_rows: list[tuple[int, int]]) -> None:
    index = np.array([group for group, _ in given_rows], dtype=np.int64)
    values = np.array([value for _, value in given_rows], dtype=np.int64)

    sums = sum_by(index, values, 7)

    assert sums.tolist() == [sum(v for g, v in given_rows if g == group) for group in range(7)]
    columns = sum_by(index, np.stack((values, -values), axis=1), 7)
    assert columns.tolist() == [[total, -total] for total in sums.tolist()]


def test_no_rows_and_no_groups_are_nothing() -> None:
    none = np.zeros(0, dtype=np.int64)

    assert sum_by(none, none, 3).tolist() == [0, 0, 0]
    assert sum_by(none, np.zeros((0, 2), dtype=np.int64), 1).tolist() == [[0, 0]]
    assert sum_by(none, none, 0).tolist() == []


@pytest.mark.parametrize("group", [-2, 3])
def test_a_group_that_is_not_there_is_an_error(group: int) -> None:
    with pytest.raises(ValueError, match="groups must be -1 to 2"):
        sum_by(np.array([0, group]), np.array([1, 1]), 3)
