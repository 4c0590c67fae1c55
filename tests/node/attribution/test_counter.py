"""Energy between two readings of a counter that wraps, resets and lies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.core.records import Counter
from wattribute.core.units import Microjoules, energy_at
from wattribute.node.attribution.counter import energy_between

SECOND = 1_000_000_000
KILOWATT = 1_000_000_000
RANGE = 262_143_328_850
"""max_energy_range_uj of a package with the unit of 61 uJ."""


def counter(energy_uj: int, wraps_at_uj: int | None = RANGE) -> Counter:
    wraps = None if wraps_at_uj is None else Microjoules(wraps_at_uj)
    return Counter(Microjoules(energy_uj), wraps)


def between(before: Counter, after: Counter, elapsed_ns: int = SECOND) -> int | None:
    return energy_between(before, after, elapsed_ns=elapsed_ns, power_max_uw=KILOWATT)


@given(st.integers(0, RANGE), st.integers(0, KILOWATT))
def test_a_wrap_loses_nothing(start: int, used: int) -> None:
    assert between(counter(start), counter((start + used) % (RANGE + 1))) == used


@pytest.mark.parametrize(
    ("before", "after", "used"),
    [(RANGE, RANGE, 0), (RANGE - 5, RANGE, 5), (RANGE, 0, 1), (RANGE, 7, 8), (0, 0, 0)],
)
def test_the_counter_may_stand_at_its_largest_value(before: int, after: int, used: int) -> None:
    assert between(counter(before), counter(after)) == used


@given(st.integers(0, 2**32 - 1), st.integers(0, 10**7))
def test_a_wrap_of_a_real_register_is_short_by_less_than_one_step_and_never_over(
    start: int, steps: int
) -> None:
    def powercap(register: int) -> Counter:
        return counter(register % 2**32 * 61035 // 1000)  # as the kernel scales it

    used = between(powercap(start), powercap(start + steps))

    assert used is not None
    true_uj = steps * 61035 / 1000
    assert true_uj - 61.1 - 1 < used < true_uj + 1


def test_a_reset_is_not_charged_to_anyone() -> None:
    assert between(counter(100_000_000_000), counter(5)) is None


def test_a_counter_that_cannot_wrap_and_falls_was_reset() -> None:
    assert between(counter(9, None), counter(5, None)) is None
    assert between(counter(5, None), counter(9, None)) == 4


def test_a_counter_above_its_own_range_is_not_believed() -> None:
    assert between(counter(3 * RANGE), counter(5)) is None


def test_another_range_is_another_counter() -> None:
    assert between(counter(5), counter(9, RANGE // 4)) is None


@pytest.mark.parametrize("elapsed_ns", [0, -1])
def test_without_time_there_is_no_energy(elapsed_ns: int) -> None:
    assert between(counter(5), counter(5), elapsed_ns) is None


@given(
    st.integers(0, 2**64), st.integers(0, 2**64), st.none() | st.integers(0, 2**64),
    st.integers(-SECOND, 100 * SECOND),
)  # fmt: skip
def test_whatever_the_counter_says_the_energy_is_possible(
    before: int, after: int, wraps_at: int | None, elapsed_ns: int
) -> None:
    used = between(counter(before, wraps_at), counter(after, wraps_at), elapsed_ns)

    assert used is None or 0 <= used <= energy_at(KILOWATT, elapsed_ns)
