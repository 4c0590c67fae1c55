"""Time by package: rows are exact, columns as busy as the packages were."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.node.attribution.packages import fit_packages

SECOND = 1_000_000_000


@st.composite
def machines(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    packages = draw(st.integers(1, 5))
    rows = draw(st.lists(st.tuples(st.integers(0, 10**13), st.integers(0, 2**64 - 1))))
    busy = draw(st.lists(st.integers(0, 10**14), min_size=packages, max_size=packages))
    return (
        np.array([time for time, _ in rows], dtype=np.int64),
        np.array([allowed for _, allowed in rows], dtype=np.uint64),
        np.array(busy, dtype=np.int64),
    )


@given(machines())
def test_rows_are_exact_and_stay_where_they_may_run(
    machine: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    rows_ns, allowed, busy_ns = machine
    before = allowed.copy()

    fit = fit_packages(rows_ns, allowed, busy_ns)

    assert fit.cpu_ns.shape == (len(rows_ns), len(busy_ns))
    assert fit.cpu_ns.sum(axis=1).tolist() == rows_ns.tolist()
    assert (fit.cpu_ns >= 0).all()
    assert 0 <= fit.misfit <= 1
    may = (allowed[:, None] >> np.arange(len(busy_ns), dtype=np.uint64)) & np.uint64(1) == 1
    forbidden = ~may & may.any(axis=1, keepdims=True)
    assert not fit.cpu_ns[forbidden].any()
    assert (allowed == before).all()


@given(
    st.lists(st.tuples(*[st.integers(0, SECOND)] * 2, st.integers(1, 3)), min_size=1),
    st.floats(1, 1.5),
)
def test_two_packages_are_filled_as_their_busy_times_say(
    rows: list[tuple[int, int, int]], overhead: float
) -> None:
    """A truth by package, of which the fit sees row sums, permissions and busy times."""
    truth = np.array([[a * (mask & 1), b * (mask >> 1)] for a, b, mask in rows], dtype=np.int64)
    allowed = np.array([mask for _, _, mask in rows], dtype=np.uint64)
    busy_ns = (truth.sum(axis=0) * overhead).astype(np.int64)

    fit = fit_packages(truth.sum(axis=1), allowed, busy_ns)

    off_ns = np.abs(fit.cpu_ns.sum(axis=0) - truth.sum(axis=0)).max()
    assert off_ns <= len(rows) + 4 + 1e-6 * truth.sum()
    assert fit.misfit <= (off_ns + 4) / max(int(truth.sum()), 1)


def test_free_tasks_fill_what_pinned_ones_leave() -> None:
    rows_ns = np.array([6, 2, 8]) * SECOND
    fit = fit_packages(rows_ns, np.array([1, 2, 3], dtype=np.uint64), np.array([8, 8]) * SECOND)

    assert fit.cpu_ns.tolist() == [[6 * SECOND, 0], [0, 2 * SECOND], [2 * SECOND, 6 * SECOND]]
    assert fit.misfit == 0


def test_partly_restricted_tasks_are_fitted_by_iteration() -> None:
    """Four packages: two tasks in the first two, one in the last two, one everywhere."""
    truth = np.array([[3, 1, 0, 0], [2, 0, 0, 0], [0, 0, 1, 4], [1, 1, 1, 1]]) * SECOND
    allowed = np.array([0b0011, 0b0011, 0b1100, 0b1111], dtype=np.uint64)

    fit = fit_packages(truth.sum(axis=1), allowed, truth.sum(axis=0))

    assert fit.cpu_ns.sum(axis=0) == pytest.approx(truth.sum(axis=0), rel=1e-4)
    assert fit.misfit < 1e-4


def test_rows_win_over_busy_times_and_the_misfit_says_so() -> None:
    fit = fit_packages(
        np.array([9, 1]) * SECOND, np.array([1, 3], dtype=np.uint64), np.array([5, 5]) * SECOND
    )

    assert fit.cpu_ns.tolist() == [[9 * SECOND, 0], [0, SECOND]]
    assert fit.misfit == pytest.approx(0.4)


def test_unknown_permission_means_everywhere() -> None:
    busy_ns = np.array([3, 1]) * SECOND
    fit = fit_packages(np.array([8]), np.array([0b100], dtype=np.uint64), busy_ns)

    assert fit.cpu_ns.tolist() == [[6, 2]]


def test_without_busy_times_time_is_spread_evenly_and_all_of_it_is_a_guess() -> None:
    fit = fit_packages(np.array([8]), np.array([3], dtype=np.uint64), np.array([0, 0]))

    assert fit.cpu_ns.tolist() == [[4, 4]]
    assert fit.misfit == 1


def test_one_package_has_it_all() -> None:
    fit = fit_packages(np.array([8, 0]), np.array([1, 1], dtype=np.uint64), np.array([5]))

    assert fit.cpu_ns.tolist() == [[8], [0]]
    assert fit.misfit == 0
