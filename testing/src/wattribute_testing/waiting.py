"""Waiting for what other threads and programs do, instead of sleeping and hoping."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

_PAUSE_S: Final = 0.005


def wait_until(
    condition: Callable[[], T],
    timeout_s: float = 30.0,
    *,
    despite: type[Exception] | tuple[type[Exception], ...] = (),
) -> T:
    """Ask until the answer is true, and give that answer.

    Args:
        condition: Asked every few milliseconds. ``assert`` inside it ends the wait at once.
        timeout_s: Seconds. It is only for a test that fails: make it generous.
        despite: Exceptions that mean "not yet", such as OSError of a server that starts.

    Raises:
        AssertionError: no answer was true in time; it says the last answer.
    """
    end_s = time.monotonic() + timeout_s
    while True:
        try:
            answer: object = condition()
            if answer:
                return answer  # type: ignore[return-value] # as object it can be an exception too
        except despite as exc:
            answer = exc
        if time.monotonic() > end_s:
            raise AssertionError(f"not within {timeout_s:g} s; the last answer was {answer!r}")
        time.sleep(_PAUSE_S)


def always(condition: Callable[[], object], for_s: float) -> None:
    """Ask for so many seconds, and fail as soon as the answer is not true.

    This is for what must not happen. It proves little when ``for_s`` is short, and it costs
    ``for_s`` in every run: prefer to wait for an event that comes after it.

    Raises:
        AssertionError: an answer was not true; it says that answer and when.
    """
    start_s = time.monotonic()
    while (now_s := time.monotonic()) < start_s + for_s:
        answer = condition()
        if not answer:
            raise AssertionError(
                f"no longer after {now_s - start_s:.3f} s: the answer was {answer!r}"
            )
        time.sleep(_PAUSE_S)
