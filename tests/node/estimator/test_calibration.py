"""One measured number, and what it tells of the rest of the curve."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.node.estimator.calibration import Measured, correct
from wattribute.node.estimator.observed import Observations

LEVELS = np.array([0.0, 0.5, 1.0])
WATTS = np.array([100.0, 150.0, 200.0])
COVARIANCE = np.array([[0.04, 0.02, 0.01], [0.02, 0.02, 0.015], [0.01, 0.015, 0.02]])


def test_nothing_measured_changes_nothing() -> None:
    found = correct(LEVELS, COVARIANCE, WATTS, ())

    assert found.shift.tolist() == [0, 0, 0]
    assert found.remaining.tolist() == [1, 1, 1]


def test_a_reading_counts_most_where_it_was_taken() -> None:
    found = correct(LEVELS, COVARIANCE, WATTS, [Measured(0.0, 130.0)])

    assert 100 * np.exp(found.shift[0]) == pytest.approx(130, rel=0.01)
    assert found.shift[0] > found.shift[1] > found.shift[2] > 0
    assert found.remaining[0] < 0.05 < found.remaining[1] < found.remaining[2] < 1


def test_two_readings_hold_both_ends() -> None:
    found = correct(LEVELS, COVARIANCE, WATTS, [Measured(0.0, 90.0), Measured(1.0, 240.0)])

    after = WATTS * np.exp(found.shift)
    assert after[0] == pytest.approx(90, rel=0.02)
    assert after[2] == pytest.approx(240, rel=0.02)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(1, 1000)), min_size=1, max_size=6))
def test_any_readings_leave_a_usable_curve(readings: list[tuple[float, float]]) -> None:
    found = correct(LEVELS, COVARIANCE, WATTS, [Measured(u, w) for u, w in readings])

    assert np.isfinite(found.shift).all()
    assert ((found.remaining >= 0) & (found.remaining <= 1)).all()


def test_observations_are_told_when_there_are_enough_and_then_when_they_change() -> None:
    seen = Observations()
    for _ in range(19):
        seen.add("pkg", 0.5, 80.0)
    assert seen.news() == ()

    seen.add("pkg", 0.5, 80.0)
    (one,) = seen.news()
    assert (one.scope, one.utilisation, one.watts) == ("pkg", 0.5, pytest.approx(80))
    seen.add("pkg", 0.5, 80.1)
    assert seen.news() == ()

    for _ in range(200):
        seen.add("pkg", 0.5, 100.0)
    assert seen.news()[0].watts == pytest.approx(100, rel=0.02)


def test_what_cannot_be_is_not_observed() -> None:
    seen = Observations()
    for _ in range(30):
        seen.add("wall", 0.0, 0.0)
    assert seen.news() == ()
