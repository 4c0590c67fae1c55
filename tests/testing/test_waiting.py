import threading
from itertools import count

import pytest

from wattribute_testing.waiting import always, wait_until


def test_the_first_true_answer_is_given() -> None:
    answers = iter([0, [], "so", "later"])

    assert wait_until(lambda: next(answers)) == "so"


def test_what_another_thread_does_is_seen() -> None:
    done = threading.Event()
    threading.Timer(0.02, done.set).start()

    assert wait_until(done.is_set)


def test_a_condition_that_stays_false_fails_with_its_last_answer() -> None:
    numbers = count()

    with pytest.raises(AssertionError, match=r"not within 0\.03 s; the last answer was \[\]"):
        wait_until(lambda: [] if next(numbers) >= 0 else [1], 0.03)
    assert next(numbers) > 1


def test_an_exception_means_not_yet_where_it_is_named_and_fails_elsewhere() -> None:
    def refuse() -> bool:
        raise ConnectionRefusedError("nobody listens")

    with pytest.raises(AssertionError, match=r"ConnectionRefusedError.'nobody listens'"):
        wait_until(refuse, 0.03, despite=OSError)
    with pytest.raises(ConnectionRefusedError):
        wait_until(refuse, 0.03)


def test_what_must_not_happen_is_noticed_when_it_happens() -> None:
    answers = iter([True, True, 0])

    with pytest.raises(AssertionError, match=r"no longer after 0\.\d+ s: the answer was 0"):
        always(lambda: next(answers), 10)
    always(lambda: True, 0.02)
