"""The plant's arithmetic: nothing made, nothing lost, nothing taken back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute_testing.plant import Group, Levels, Scenario
from wattribute_testing.plant.books import Books
from wattribute_testing.plant.scenario import load_points, value_at
from wattribute_testing.plant.usage import place_on_cpus

SECOND = 1_000_000_000
times = st.integers(0, 2 * SECOND)
steps = st.lists(st.tuples(st.integers(1, SECOND), times, times, times, times), max_size=20)


def plan(**changes: object) -> Scenario:
    groups = (Group(name="a", watts_per_core=3.3), Group(name="b", watts_per_core=7.7))
    return Scenario(groups=groups, sockets=2, **changes)  # type: ignore[arg-type]


@given(steps, st.sampled_from([0.0, 0.3]))
def test_counters_only_rise_whatever_the_steps_and_the_noise(
    taken: list[tuple[int, int, int, int, int]], noise: float
) -> None:
    books = Books(plan(noise=noise, psys=True, core=True, uncore=True), [0, 1])
    before = {zone: sum(rows.values()) for zone, rows in books.rows().items()}
    elapsed = 0
    for step, a0, a1, b0, rest in taken:
        elapsed += step
        books.step(elapsed, step, [[a0, a1], [b0, 0]], [rest, rest], [0, 0])
        after = {zone: sum(rows.values()) for zone, rows in books.rows().items()}

        assert all(after[zone] >= before[zone] for zone in after)
        before = after


@given(steps)
def test_the_platform_is_the_sum_of_packages_memory_and_board(
    taken: list[tuple[int, int, int, int, int]],
) -> None:
    books = Books(plan(psys=True, noise=0.1), [0, 1])
    elapsed = 0
    for step, a0, a1, b0, rest in taken:
        elapsed += step
        books.step(elapsed, step, [[a0, a1], [b0, 0]], [rest, rest], [0, 0])
    rows = books.rows()
    parts = sum(sum(rows[f"{kind}-{n}"].values()) for kind in ("package", "dram") for n in (0, 1))

    assert sum(rows["psys"].values()) == parts + rows["psys"]["board"]


def test_energy_is_time_times_watts_in_whole_microjoules() -> None:
    books = Books(plan(floor_watts=10.0), [0, 1])
    for elapsed in range(1, 11):
        books.step(
            elapsed * SECOND // 10, SECOND // 10, [[SECOND // 20, 0], [0, 7]], [0, 3], [0, 0]
        )
    rows = books.rows()

    assert rows["package-0"] == {"floor": 10_000_000, "a": 1_650_000, "b": 0, "rest": 0}
    # 70 ns at 7.7 W and 30 ns at 4 W are 0.539 and 0.12 uJ: not a whole one yet, and not lost.
    assert rows["package-1"] == {"floor": 10_000_000, "a": 0, "b": 0, "rest": 0}
    books.step(2 * SECOND, SECOND, [[0, 0], [0, 60]], [0, 0], [0, 0])
    assert books.rows()["package-1"]["b"] == 1


def test_a_busy_sibling_makes_a_cpu_cheaper() -> None:
    books = Books(plan(corun_factor=0.6), [0, 0])
    books.step(SECOND, SECOND, [[SECOND, 0], [0, SECOND]], [0, 0], [1_000_000, 500_000])
    rows = books.rows()["package-0"]

    assert rows["a"] == round(3.3e6 * 0.6)
    assert rows["b"] == round(7.7e6 * 0.8)


def test_watts_fall_with_the_load_of_the_package() -> None:
    books = Books(plan(full_load_factor=0.6), [0, 0, 1, 1])
    half = SECOND // 2
    books.step(SECOND, SECOND, [[half, 0, 0, SECOND], [0, half, 0, 0]], [0, 0, SECOND, 0], [0] * 4)
    rows = books.rows()

    assert rows["package-0"]["a"] == round(3.3e6 * 0.5 * 0.8)  # half of package 0 is busy
    assert rows["package-0"]["b"] == round(7.7e6 * 0.5 * 0.8)
    assert rows["package-1"]["a"] == round(3.3e6 * 0.6)  # all of package 1 is busy
    assert rows["package-1"]["rest"] == round(4e6 * 0.6)


def test_a_cap_shrinks_everybody_alike_and_holds_the_package() -> None:
    books = Books(plan(cap_watts=14.0), [0, 0])
    books.step(SECOND, SECOND, [[SECOND, 0], [0, SECOND]], [0, 0], [0, 0])
    rows = books.rows()["package-0"]

    assert 13_999_980 < sum(rows.values()) <= 14_000_000  # instead of 10 + 3.3 + 7.7 W
    assert rows["b"] / rows["a"] == pytest.approx(7.7 / 3.3, rel=1e-5)
    assert books.last_femto["a"][1] // 10**9 == rows["a"]
    books.step(2 * SECOND, SECOND, [[SECOND, 0], [0, 0]], [0, 0], [0, 0])
    assert books.rows()["package-0"]["a"] == rows["a"] + 3_300_000  # below the cap: untouched


def test_levels_are_drawn_by_seed_and_stay_for_their_time() -> None:
    levels = Levels(every_s=10, low=0.2, high=0.6, seed=5, for_s=60)
    points = load_points(levels)

    assert points == load_points(Levels(every_s=10, low=0.2, high=0.6, seed=5, for_s=60))
    assert points != load_points(Levels(every_s=10, low=0.2, high=0.6, seed=6, for_s=60))
    assert len(points) == 12
    assert value_at(points, 0) == value_at(points, 9.9) != value_at(points, 10)
    assert all(0.2 <= load <= 0.6 for _, load in points)


def test_watts_follow_their_points() -> None:
    profile = ((0.0, 2.0), (10.0, 4.0), (20.0, 4.0), (20.5, 8.0))

    assert [value_at(profile, t) for t in (-1, 0, 5, 10, 15, 20.25, 30)] == [2, 2, 3, 4, 4, 6, 8]
    assert value_at(5.0, 99) == 5.0


@given(
    times,
    st.lists(st.integers(-SECOND, SECOND), min_size=3, max_size=3),
    st.sampled_from([[0], [0, 2], [0, 1, 2]]),
)
def test_placing_time_on_cpus_keeps_all_of_it(
    spent: int, weights: list[int], allowed: list[int]
) -> None:
    placed = place_on_cpus(spent, weights, allowed)

    assert sum(placed) == spent
    assert all(ns >= 0 for ns in placed)
    assert all(placed[cpu] == 0 for cpu in range(3) if cpu not in allowed)
