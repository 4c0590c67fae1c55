from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.accounting.ledger.frame import Frame, frame_of, held, rise
from wattribute.core.records import Counter
from wattribute.core.units import Microjoules
from wattribute.node.attribution.counter import energy_between

HOUR_MS = 1_790_812_800_000
MINUTE_MS = 60_000


def _frame(minutes: list[int], *counters: list[int]) -> Frame:
    times = np.array([HOUR_MS + minute * MINUTE_MS for minute in minutes], np.int64)
    return frame_of(times, [np.array(values, np.int64) for values in counters], HOUR_MS)


def _rise(frame: Frame, values: list[int], first: int = 0) -> int:
    place = np.arange(first, first + len(values))
    return rise(frame, place, np.array(values, np.int64)).amount


def test_an_hour_goes_from_the_scrape_before_it_to_its_last() -> None:
    frame = _frame([-1, 0, 1, 2], [5, 6, 7, 8])

    assert _rise(frame, [100, 110, 130, 160]) == 60


def test_who_was_not_there_at_first_was_born_since() -> None:
    frame = _frame([-1, 0, 1, 2], [5, 6, 7, 8])

    assert _rise(frame, [0, 30], first=2) == 30
    assert _rise(frame, [20, 30], first=2) == 30


def test_a_counter_that_falls_began_anew() -> None:
    frame = _frame([-1, 0, 1, 2], [5, 6, 7, 8])

    assert _rise(frame, [100, 110, 5, 9]) == 19


def test_when_the_node_begins_anew_so_does_a_counter_that_passed_its_old_value_meanwhile() -> None:
    frame = _frame([-1, 0, 1, 2], [500, 600, 70, 80])

    assert _rise(frame, [10, 11, 50, 60]) == 1 + 60


def test_a_gauge_changes_by_its_ends() -> None:
    frame = _frame([-1, 0, 1], [1, 2, 3])

    assert held(frame, np.array([0, 2]), np.array([5.0, 7.0])) == 2.0
    assert held(frame, np.array([1]), np.array([5.0])) == 0.0


def test_scrapes_stand_for_the_time_before_them_and_gaps_are_named() -> None:
    frame = _frame([-1, 2, 4, 30, 32, 58], [1, 2, 3, 4, 5, 6])

    assert frame.weight_s.tolist() == [0, 120, 120, 0, 120, 120]
    assert frame.covered_s == 480
    assert [((a - HOUR_MS) // MINUTE_MS, (b - HOUR_MS) // MINUTE_MS) for a, b in frame.gaps] == [
        (4, 30),
        (32, 58),
    ]


def test_a_node_that_ends_shortly_before_the_hour_is_not_counted_to_its_end() -> None:
    frame = _frame(list(range(-1, 57)), list(range(58)))

    assert frame.covered_s == 56 * 60
    assert frame.gaps == ((HOUR_MS + 56 * MINUTE_MS, HOUR_MS + 60 * MINUTE_MS),)


def test_a_whole_hour_is_3600_seconds_whenever_it_was_scraped() -> None:
    frame = _frame(list(range(-1, 60)), list(range(61)))

    assert frame.covered_s == 3600
    assert not frame.gaps


@given(st.lists(st.integers(0, 10**15), min_size=2, max_size=30))
def test_without_a_reset_it_is_the_nodes_own_difference(steps: list[int]) -> None:
    values = np.cumsum(steps)
    frame = _frame(list(range(-1, len(steps) - 1)), values.tolist())
    counters = [Counter(Microjoules(int(value)), None) for value in values]

    parts = [
        energy_between(a, b, elapsed_ns=60 * 10**9, power_max_uw=10**15)
        for a, b in pairwise(counters)
    ]

    assert _rise(frame, values.tolist()) == sum(part or 0 for part in parts)


@pytest.mark.parametrize("first", [0, 1])
def test_hours_add_up_to_the_whole(first: int) -> None:
    values = list(range(first, 1000, 7))
    times = np.arange(len(values)) * 50 * MINUTE_MS // 3 + HOUR_MS
    whole = sum(
        rise(
            frame_of(times[inside], [np.array(values)[inside]], hour_ms),
            np.arange(len(inside)),
            np.array(values)[inside],
        ).amount
        for hour_ms in range(HOUR_MS, int(times[-1]) + 1, 60 * MINUTE_MS)
        if len(inside := _of_hour(times, hour_ms)) > 0
    )

    assert whole == values[-1] - values[0]


def _of_hour(
    times: "np.ndarray[tuple[int], np.dtype[np.int64]]", hour_ms: int
) -> "np.ndarray[tuple[int], np.dtype[np.intp]]":
    before = np.flatnonzero(times <= hour_ms)[-1:]
    return np.concatenate(
        (before, np.flatnonzero((times > hour_ms) & (times <= hour_ms + 60 * MINUTE_MS)))
    )
