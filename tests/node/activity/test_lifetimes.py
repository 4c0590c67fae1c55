import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from wattribute.node.activity.bpf.tasks import LEADER, TASK
from wattribute.node.activity.lifetimes import Lifetimes, Used

S = 1_000_000_000
NONE = np.empty(0, TASK)


def tasks(*rows: tuple[object, ...]) -> NDArray[np.void]:
    """(key, ns) or (key, ns, reaped_ns) of leaders; (key, ns, "thread") of their threads."""
    made = np.zeros(len(rows), TASK)
    for record, (key, ns, *more) in zip(made, rows, strict=True):
        thread = more == ["thread"]
        record["key"], record["ns"] = key, ns
        record["flags"] = 0 if thread else LEADER
        record["reaped_ns"] = more[0] if more and not thread else 0
    return made


def ended(*rows: tuple[int, int]) -> NDArray[np.void]:
    """(key, total) of processes that are dying, or were freed."""
    return tasks(*((key, 0, total) for key, total in rows))


def told(used: Used) -> dict[int, tuple[int, bool]]:
    """key: (ns, alive)"""
    found: dict[int, tuple[int, bool]] = {}
    for key, ns, alive in zip(used.tasks["key"].tolist(), used.ns.tolist(), used.alive.tolist(),
                              strict=True):  # fmt: skip
        before = found.get(key, (0, True))
        found[key] = before[0] + ns, before[1] and alive
    return found


def begun(scan: NDArray[np.void] = NONE, dying: NDArray[np.void] = NONE) -> Lifetimes:
    made = Lifetimes()
    made.begin(scan, dying, 0)
    return made


def test_what_was_before_the_start_is_nobodys() -> None:
    books = begun(tasks((1, 500), (2, 70)))
    used, _ = books.advance(tasks((1, 600), (2, 70)), NONE, NONE, S)
    assert told(used) == {1: (100, True)}


def test_a_new_process_is_charged_from_its_birth() -> None:
    used, _ = begun(tasks((1, 5))).advance(tasks((1, 5), (3, 40)), NONE, NONE, S)
    assert told(used) == {3: (40, True)}


def test_a_process_that_lived_and_died_in_between_is_charged_all_its_time() -> None:
    used, _ = begun().advance(NONE, NONE, ended((9, 123)), S)
    assert told(used) == {9: (123, False)}


def test_threads_count_for_their_process_also_dead_ones() -> None:
    books = begun(tasks((1, 100), (1, 10, "thread"), (2, 7)))
    scan = tasks((1, 150, 30), (1, 15, "thread"), (2, 7))
    assert told(books.advance(scan, NONE, NONE, S)[0]) == {1: (85, True)}


def test_a_thread_without_its_leader_waits_for_the_next_scan() -> None:
    books = begun(tasks((1, 100)))
    assert told(books.advance(tasks((1, 100), (5, 9, "thread")), NONE, NONE, S)[0]) == {}


def test_one_that_dies_between_scan_and_deaths_is_told_once() -> None:
    books = begun(tasks((1, 100)))
    used, _ = books.advance(tasks((1, 130)), NONE, ended((1, 150)), S)
    assert told(used) == {1: (50, False)}
    assert len(used.ns) == 1
    assert told(books.advance(NONE, NONE, NONE, 2 * S)[0]) == {}


def test_a_late_death_is_charged_less_what_was_charged_before() -> None:
    books = begun(tasks((1, 100)))
    assert told(books.advance(tasks((1, 400)), NONE, NONE, S)[0]) == {1: (300, True)}
    assert told(books.advance(NONE, NONE, NONE, 2 * S)[0]) == {}
    assert told(books.advance(NONE, NONE, ended((1, 450)), 3 * S)[0]) == {1: (50, False)}


def test_a_death_that_is_never_told_is_charged_provisionally_and_never_twice() -> None:
    books = begun(tasks((1, 100)))
    dying = ended((1, 170))
    assert told(books.advance(NONE, dying, NONE, 1 * S)[0]) == {}
    assert told(books.advance(NONE, dying, NONE, 2 * S)[0]) == {}
    used, missed = books.advance(NONE, dying, NONE, 3 * S)
    assert told(used) == {1: (70, False)}
    assert missed.tolist() == [1]
    used, missed = books.advance(NONE, NONE, ended((1, 180)), 4 * S)
    assert told(used) == {1: (10, False)}
    assert missed.tolist() == []


def test_a_zombie_is_not_missed() -> None:
    books, zombie = begun(tasks((1, 100))), tasks((1, 100))
    for second in range(1, 9):
        used, missed = books.advance(zombie, ended((1, 100)), NONE, second * S)
        assert told(used) == {}
        assert missed.tolist() == []


def test_one_that_was_dying_at_the_start_is_charged_its_rest_only() -> None:
    books = begun(NONE, ended((1, 5_000)))
    assert told(books.advance(NONE, NONE, ended((1, 5_020)), S)[0]) == {1: (20, False)}


def test_a_total_that_falls_heals_without_a_second_charge() -> None:
    books = begun(tasks((1, 100)))
    assert told(books.advance(tasks((1, 160)), NONE, NONE, 1 * S)[0]) == {1: (60, True)}
    assert told(books.advance(tasks((1, 140)), NONE, NONE, 2 * S)[0]) == {}
    assert told(books.advance(tasks((1, 200)), NONE, NONE, 3 * S)[0]) == {1: (40, True)}


def test_a_reused_pid_is_another_process() -> None:
    first, second = 7 << 40 | 1, 7 << 40 | 2
    books = begun(tasks((first, 900)))
    used, _ = books.advance(tasks((second, 30)), NONE, ended((first, 950)), S)
    assert told(used) == {first: (50, False), second: (30, True)}


def test_one_that_comes_back_from_limbo_is_not_charged_again() -> None:
    books = begun(tasks((1, 100), (2, 5)))
    books.advance(tasks((2, 5)), NONE, NONE, S)
    assert told(books.advance(tasks((1, 130), (2, 5)), NONE, NONE, 2 * S)[0]) == {1: (30, True)}


def test_limbo_is_left_after_a_minute() -> None:
    books = begun(tasks((1, 100)))
    books.advance(NONE, NONE, NONE, S)
    assert told(books.advance(NONE, NONE, NONE, 62 * S)[0]) == {}
    assert told(books.advance(tasks((1, 130)), NONE, NONE, 63 * S)[0]) == {1: (130, True)}


@given(
    st.lists(
        st.tuples(
            st.integers(0, 6),  # born before this read
            st.integers(1, 6),  # reads that it lives for
            st.integers(0, 3),  # reads by which its death is told late
            st.lists(st.integers(0, 50), min_size=14, max_size=14),  # use before each read
        ),
        max_size=12,
    )
)
def test_every_nanosecond_after_the_start_is_charged_once(
    lives: list[tuple[int, int, int, list[int]]],
) -> None:
    books = Lifetimes()
    charged: dict[int, int] = {}
    truth: dict[int, int] = {}
    for read in range(16):
        scan, deaths = [], []
        for key, (born, life, late, use) in enumerate(lives, 1):
            total = sum(use[born : min(read, born + life) + 1])
            if born <= read < born + life:
                scan.append((key, total))
            elif read == born + life + late:
                deaths.append((key, total))
            if read == 0 and born == 0:
                truth[key] = -total
        if read == 0:
            books.begin(tasks(*scan), NONE, 0)
            continue
        used, _ = books.advance(tasks(*scan), NONE, ended(*deaths), read * S)
        for key, (ns, _) in told(used).items():
            charged[key] = charged.get(key, 0) + ns
    for key, (born, life, _, use) in enumerate(lives, 1):
        expected = truth.get(key, 0) + sum(use[born : born + life + 1])
        assert charged.get(key, 0) == expected
