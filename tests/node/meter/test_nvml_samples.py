"""Time by process from utilisation samples, in both forms that drivers give them."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from wattribute.node.meter.nvml_samples import busy_by_pid

SECOND = 1_000_000_000
US = 1_000_000


class Sample(NamedTuple):
    pid: int
    at_us: int
    sm_percent: int


def test_one_sample_per_process_is_its_mean_over_the_interval() -> None:
    samples = [Sample(7, 14 * US, 60), Sample(8, 11 * US, 20)]

    assert busy_by_pid(samples, 10 * US, 5 * SECOND) == {7: 3 * SECOND, 8: SECOND}


def test_every_sample_counts_for_its_own_period_not_only_the_last() -> None:
    samples = [Sample(7, (10 + n) * US, percent) for n, percent in enumerate((90, 10, 0, 20), 1)]
    samples += [Sample(8, 12 * US, 50)]

    assert busy_by_pid(samples, 10 * US, 4 * SECOND) == {
        7: 1_200_000_000,
        8: 500_000_000,
    }


def test_a_process_that_ran_in_one_period_of_many_gets_that_period_alone() -> None:
    samples = [Sample(7, (10 + n) * US, 50) for n in range(1, 6)] + [Sample(8, 13 * US, 50)]
    busy = busy_by_pid(samples, 10 * US, 5 * SECOND)

    assert busy[7] == 5 * busy[8]


def test_periods_in_which_the_device_was_idle_are_not_filled() -> None:
    samples = [Sample(7, 11 * US, 100), Sample(7, 60 * US, 100)]

    assert busy_by_pid(samples, 10 * US, 50 * SECOND) == {7: 2 * SECOND}


def test_what_a_buffer_holds_without_meaning_is_passed_over() -> None:
    samples = [
        Sample(0, 12 * US, 40),
        Sample(7, 13 * US, 4_000_000_000),
        Sample(8, 9 * US, 50),
        Sample(9, 12 * US, 30),
    ]

    assert busy_by_pid(samples, 10 * US, SECOND) == {9: 300_000_000}


def test_without_samples_nobody_was_busy() -> None:
    assert busy_by_pid([], 0, SECOND) == {}


@given(
    st.lists(
        st.builds(Sample, st.integers(0, 4), st.integers(0, 20 * US), st.integers(0, 130)),
        max_size=40,
    ),
    st.integers(0, 10 * US),
    st.integers(1, 20 * SECOND),
)
def test_nobody_gets_more_than_the_interval(
    samples: list[Sample], since_us: int, elapsed_ns: int
) -> None:
    # A driver gives at most one sample per process and instant.
    once = list({(s.pid, s.at_us): s for s in samples}.values())
    busy = busy_by_pid(once, since_us, elapsed_ns)

    assert all(0 <= ns <= elapsed_ns + 1 for ns in busy.values())
