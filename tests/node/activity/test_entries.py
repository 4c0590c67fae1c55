import numpy as np
from numpy.typing import NDArray

from wattribute.node.activity.ascending import distinct
from wattribute.node.activity.bpf.cycles import KEY, USE
from wattribute.node.activity.entries import EntryTotals, Ran


def table(*rows: tuple[object, ...]) -> tuple[NDArray[np.void], NDArray[np.void]]:
    """(process, serial, ns) or (process, serial, ns, dead)"""
    keys, uses = np.zeros(len(rows), KEY), np.zeros(len(rows), USE)
    for i, (process, serial, ns, *dead) in enumerate(rows):
        keys[i]["process"] = process
        uses[i]["serial"], uses[i]["ns"], uses[i]["dead"] = serial, ns, bool(dead)
        uses[i]["events"] = 2 * ns, 0, 0
    return keys, uses


def told(ran: Ran) -> dict[int, tuple[int, bool]]:
    return {
        process: (row[0], alive)
        for process, row, alive in zip(
            ran.keys["process"].tolist(), ran.amounts.tolist(), ran.alive.tolist(), strict=True
        )
    }


def test_tells_what_rose_and_leaves_out_what_did_not() -> None:
    entries = EntryTotals(100)
    entries.advance(*table((1, 11, 100), (2, 12, 50)))
    ran, old = entries.advance(*table((2, 12, 50), (1, 11, 130), (3, 13, 7)))
    assert told(ran) == {1: (30, True), 3: (7, True)}
    assert ran.amounts[ran.keys["process"] == 1].tolist() == [[30, 60, 0, 0, 0]]
    assert len(old) == 0


def test_an_entry_that_was_made_anew_counts_from_zero() -> None:
    entries = EntryTotals(100)
    entries.advance(*table((1, 11, 100)))
    assert told(entries.advance(*table((1, 99, 40)))[0]) == {1: (40, True)}


def test_an_ended_process_is_deleted_one_read_later_with_all_its_entries() -> None:
    entries = EntryTotals(100)
    entries.advance(*table((1, 11, 100), (1, 12, 5), (2, 13, 9)))
    ran, old = entries.advance(*table((1, 11, 120, "dead"), (1, 12, 5), (2, 13, 10)))
    assert told(ran) == {1: (20, False), 2: (1, True)}
    assert len(old) == 0
    ran, old = entries.advance(*table((1, 11, 121, "dead"), (1, 12, 5), (2, 13, 10)))
    assert told(ran) == {1: (1, False)}
    assert old["process"].tolist() == [1, 1]


def test_sleepers_are_taken_out_at_once_when_room_gets_scarce_and_after_a_while_else() -> None:
    entries = EntryTotals(4)
    rows = [(n, 10 + n, 5) for n in range(4)]
    entries.advance(*table(*rows))
    _, old = entries.advance(*table((0, 10, 6), *rows[1:]))
    assert old["process"].tolist() == [1, 2, 3]
    patient = EntryTotals(100)
    reads = [len(patient.advance(*table((1, 11, 5)))[1]) for _ in range(14)]
    assert reads == [0] * 12 + [1] * 2


def test_distinct_keys_come_once_and_in_order() -> None:
    assert distinct(np.array([3, 1, 3, 2, 1], np.uint64)).tolist() == [1, 2, 3]
    assert distinct(np.empty(0, np.uint64)).tolist() == []
