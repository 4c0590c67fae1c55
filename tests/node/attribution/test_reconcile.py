"""The container's counter is the authority for its time."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wattribute.node.attribution.reconcile import own_time, reconcile


def array(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.int64)


rows = st.lists(st.tuples(st.integers(-1, 5), st.integers(0, 10**13)))
authorities = st.lists(st.integers(-1, 10**13), min_size=6, max_size=6)


@given(rows, authorities)
def test_rows_and_residual_add_up_to_the_authority(
    given_rows: list[tuple[int, int]], authority: list[int]
) -> None:
    group = array([index for index, _ in given_rows])
    before = array([time for _, time in given_rows])
    seen = before.copy()

    result = reconcile(group, before, array(authority))

    assert (before == seen).all()
    assert (result.row_ns >= 0).all()
    assert (result.row_ns <= before).all()
    assert (result.residual_ns >= 0).all()
    assert (result.row_ns == before)[group == -1].all()
    for index, known in enumerate(authority):
        inside = result.row_ns[group == index].sum() + result.residual_ns[index]
        assert inside == (known if known >= 0 else before[group == index].sum())
        if known >= before[group == index].sum():
            assert (result.row_ns == before)[group == index].all()


def test_processes_with_more_are_scaled_down_in_proportion() -> None:
    result = reconcile(array([0, 1, 0, -1]), array([30, 5, 10, 7]), array([20, 8]))

    assert result.row_ns.tolist() == [15, 5, 5, 7]
    assert result.residual_ns.tolist() == [0, 3]


TREE = array([-1, 0, 1, 1, 0])
"""root - pod - (a, b); root - system."""


def test_what_children_used_is_not_their_parents() -> None:
    own = own_time(array([100, 60, 20, 30, 25]), TREE, array([0, 1, 2, 3, 0]))

    assert own.group_ns.tolist() == [15 + 25, 10, 20, 30]
    assert not own.debt_ns.any()


def test_cgroups_inside_a_container_count_once() -> None:
    own = own_time(array([100, 60, 20, 30, 25]), TREE, array([0, 1, 1, 1, -1]))

    assert own.group_ns.tolist() == [15, 60]


def test_time_of_a_removed_child_goes_to_its_parents_group() -> None:
    own = own_time(array([100, 60, 30]), array([-1, 0, 1]), array([0, 1, 2]))

    assert own.group_ns.tolist() == [40, 30, 30]


def test_an_unknown_child_of_the_same_group_is_in_its_ancestor() -> None:
    own = own_time(array([100, 60, -1, 30, 25]), TREE, array([0, 1, 1, 1, -1]))

    assert own.group_ns.tolist() == [15, 60]


def test_a_group_whose_time_is_inside_another_is_unknown() -> None:
    own = own_time(
        array([100, 60, -1, 30, -1]), TREE, array([0, 1, 2, 3, 4]), seen_ns=array([9, 9, 20, 9, 0])
    )

    assert own.group_ns.tolist() == [40, 10, -1, 30, -1]


def test_a_group_without_cgroup_is_unknown() -> None:
    own = own_time(array([100]), array([-1]), array([1]), size=3)

    assert own.group_ns.tolist() == [-1, 100, -1]


def test_no_cgroups_make_no_groups() -> None:
    assert own_time(array([]), array([]), array([])).group_ns.tolist() == []


def test_a_child_that_was_read_later_leaves_a_debt() -> None:
    tree, group = array([-1, 0]), array([0, 1])
    ahead = own_time(array([10, 14]), tree, group)
    level = own_time(array([10, 6]), tree, group, debt_ns=ahead.debt_ns)
    later = own_time(array([-1, 6]), tree, group, debt_ns=ahead.debt_ns)

    assert (ahead.group_ns.tolist(), ahead.debt_ns.tolist()) == ([0, 14], [4, 0])
    assert (level.group_ns.tolist(), level.debt_ns.tolist()) == ([0, 6], [0, 0])
    assert later.debt_ns.tolist() == [4, 0]


@st.composite
def trees(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parents (rows in any order), groups, and each cgroup's own time."""
    count = draw(st.integers(1, 20))
    parent = [-1, *(draw(st.integers(-1, row - 1)) for row in range(1, count))]
    order = draw(st.permutations(range(count)))
    place = {row: index for index, row in enumerate(order)}
    shuffled = [-1 if parent[row] < 0 else place[parent[row]] for row in order]
    group = draw(st.lists(st.integers(-1, 4), min_size=count, max_size=count))
    own = draw(st.lists(st.integers(0, 10**12), min_size=count, max_size=count))
    return array(shuffled), array(group), array(own)


def recursive(parent: np.ndarray, own: np.ndarray) -> np.ndarray:
    """What counters that include the children show."""
    total = own.copy()
    for row, time in enumerate(own):
        above = parent[row]
        while above >= 0:
            total[above] += time
            above = parent[above]
    return total


def by_group(group: np.ndarray, own: np.ndarray) -> list[int]:
    """Own time of groups 0 to 4; -1 where the group has no cgroup."""
    return [int(own[group == index].sum()) if (group == index).any() else -1 for index in range(5)]


@given(trees())
def test_own_times_are_recovered_from_any_tree(
    tree: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    parent, group, truth = tree

    own = own_time(recursive(parent, truth), parent, group, size=5)

    assert own.group_ns.tolist() == by_group(group, truth)
    assert not own.debt_ns.any()


@given(trees(), st.data())
def test_no_time_counts_twice_when_counters_are_missing(
    tree: tuple[np.ndarray, np.ndarray, np.ndarray], data: st.DataObject
) -> None:
    """All processes were seen, so known groups are exact whichever counters are missing."""
    parent, group, truth = tree
    missing = array(data.draw(st.lists(
        st.integers(0, 1), min_size=len(parent), max_size=len(parent)
    ))) == 1  # fmt: skip
    cpu_ns = np.where(missing, -1, recursive(parent, truth))

    own = own_time(cpu_ns, parent, group, size=5, seen_ns=truth)

    for index, (found, true) in enumerate(zip(own.group_ns, by_group(group, truth), strict=True)):
        assert found in (-1, true) or (group == index)[missing].any()
        assert found <= true
    assert missing.any() or own.group_ns.tolist() == by_group(group, truth)


@given(trees(), st.lists(st.lists(st.integers(0, 1000), min_size=20, max_size=20), min_size=1))
def test_skew_between_reads_makes_no_time(
    tree: tuple[np.ndarray, np.ndarray, np.ndarray], skews: list[list[int]]
) -> None:
    """Each counter is read at its own moment; over all reads the sums come out."""
    parent, _, rate = tree
    rows_of = np.arange(len(parent), dtype=np.int64)
    counters = recursive(parent, rate % 1000)
    last, debt, charged = np.zeros_like(counters), np.zeros_like(counters), np.zeros_like(counters)
    for tick, skew in enumerate(skews, start=1):
        now = counters * (1000 * tick + array(skew[: len(parent)]))
        own = own_time(now - last, parent, rows_of, debt_ns=debt)
        last, debt = now, own.debt_ns
        charged += own.group_ns

    children = np.zeros_like(last)
    np.add.at(children, parent[parent >= 0], last[parent >= 0])
    assert (charged == last - children + debt).all()
    assert (charged >= 0).all()
